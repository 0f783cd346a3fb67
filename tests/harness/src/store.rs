//! Where a server keeps its records, from below: to be read, copied and changed as no request would.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use redis::{Commands, ConnectionLike};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::guard::Guard;
use crate::{Error, RedisServer, Target};

const READABLE: &str = "it can be read";

/// A store, on which any number of servers may run. It is gone when it is dropped.
pub struct Store {
    target: Target,
    folder: TempDir,
    backend: Backend,
    /// Of one that is never dropped.
    _guard: Option<Guard>,
}

/// What has the records.
enum Backend {
    /// A table of a SQLite file.
    Sqlite { file: PathBuf, table: &'static str },
    /// A database of a Redis.
    Redis(Database),
}

impl Store {
    /// An empty one of the kind that the target has.
    pub fn new(target: Target) -> Result<Self, Error> {
        let folder = folder()?;
        let file = |name| folder.path().join(name);
        let backend = match target {
            Target::Local => Backend::Sqlite { file: file("sqlite_key_value.db"), table: "spin_key_value" },
            Target::FermyonCloud => Backend::Sqlite { file: file("sqlite_db.db"), table: "records" },
            Target::AkamaiFunctions | Target::SpinKube => Backend::Redis(Database::fresh()?),
        };
        Ok(Self { target, folder, backend, _guard: None })
    }

    /// The one in this database.
    pub fn in_redis(database: Database) -> Result<Self, Error> {
        let (target, folder) = (Target::AkamaiFunctions, folder()?);
        Ok(Self { target, folder, backend: Backend::Redis(database), _guard: None })
    }

    /// The same, gone when this process ends: for one in a static, which is never dropped.
    pub fn to_the_end(self) -> Result<Self, Error> {
        let guard = Guard::at_the_end(&format!("rm -rf '{}'", self.folder().display()))?;
        Ok(Self { _guard: Some(guard), ..self })
    }

    /// What is served on it.
    pub fn target(&self) -> Target {
        self.target
    }

    /// Where its servers keep their files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The variables that tell a server where it is.
    pub fn variables(&self) -> Vec<(String, String)> {
        match &self.backend {
            Backend::Sqlite { .. } => Vec::new(),
            Backend::Redis(database) => database.variables(),
        }
    }

    /// Another one with the same records.
    ///
    /// # Panics
    /// The records cannot be copied.
    pub fn copy(&self) -> Result<Self, Error> {
        let copy = Self::new(self.target)?;
        match (&self.backend, &copy.backend) {
            (Backend::Sqlite { .. }, Backend::Sqlite { file, .. }) => {
                // The latest commits are not in the file yet, but in the log beside it: SQLite knows.
                let made = self.sqlite().execute("VACUUM INTO ?1", [file.to_str()]);
                made.expect("the store can be copied");
            }
            (_, Backend::Redis(copy)) => copy.fill(self.all()),
            (Backend::Redis(_), Backend::Sqlite { .. }) => unreachable!("both are of one target"),
        }
        Ok(copy)
    }

    /// Everything that is in it.
    ///
    /// # Panics
    /// It cannot be read.
    pub fn all(&self) -> Vec<(String, Vec<u8>)> {
        let Backend::Sqlite { table, .. } = self.backend else { return self.redis().all() };
        let file = self.sqlite();
        let made = file.query_row("SELECT count(*) FROM sqlite_schema WHERE name=?1", [table], |row| row.get(0));
        if made == Ok(0) {
            // No server has written anything.
            return Vec::new();
        }
        let mut rows = file.prepare(&format!("SELECT key, value FROM {table}")).expect("it is a store");
        let rows = rows.query_map([], |row| row.try_into()).expect(READABLE);
        rows.map(|row| row.expect(READABLE)).collect()
    }

    /// What is under a key.
    ///
    /// # Panics
    /// It cannot be read.
    pub fn value(&self, key: &str) -> Option<Vec<u8>> {
        self.all().into_iter().find(|(other, _)| other == key).map(|(_, value)| value)
    }

    /// Puts another value in the place of one that is there.
    ///
    /// # Panics
    /// There is none, or it cannot be written.
    pub fn replace(&self, key: &str, value: &[u8]) {
        match &self.backend {
            Backend::Sqlite { table, .. } => {
                let update = format!("UPDATE {table} SET value=?2 WHERE key=?1");
                assert_eq!(self.sqlite().execute(&update, (key, value)), Ok(1));
            }
            Backend::Redis(database) => database.fill(vec![(key.to_owned(), value.to_owned())]),
        }
    }

    /// A connection to its file, as another program has one.
    ///
    /// # Panics
    /// It has no file.
    pub fn sqlite(&self) -> Connection {
        let Backend::Sqlite { file, .. } = &self.backend else { unreachable!("this target has no file") };
        Connection::open(file).expect("the store can be opened")
    }

    /// Its database.
    ///
    /// # Panics
    /// It is in no Redis.
    pub fn redis(&self) -> &Database {
        let Backend::Redis(database) = &self.backend else { unreachable!("this target has no Redis") };
        database
    }
}

/// A folder that is gone when it is dropped: in memory where there is such a place, since nothing waits for a disk
/// there.
pub fn folder() -> std::io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }
}

/// A database of a Redis. It is emptied when this is dropped.
pub struct Database {
    /// `host:port`.
    address: String,
    /// `user:password@`, or nothing.
    login: String,
    number: usize,
    /// How many replicas must have a write before it counts.
    replicas: usize,
}

impl Database {
    /// An empty one in a Redis that all tests share.
    fn fresh() -> Result<Self, Error> {
        static DATABASES: AtomicUsize = AtomicUsize::new(0);
        // In memory only: nothing here waits for a disk, and no machine is going to crash.
        static REDIS: LazyLock<Result<RedisServer, crate::redis_server::Error>> =
            LazyLock::new(|| RedisServer::start_with(&["--databases 10000", "--appendonly no"]));
        let address = REDIS.as_ref().map_err(Clone::clone)?.address();
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        Ok(Self { address, login: String::new(), number, replicas: 0 })
    }

    /// The first one of this Redis.
    pub fn of(server: &RedisServer) -> Self {
        Self { address: server.address(), login: String::new(), number: 0, replicas: 0 }
    }

    /// The same, as a user sees it: `user:password@`.
    pub fn with_login(&self, login: &str) -> Self {
        Self { address: self.address.clone(), login: login.to_owned(), ..*self }
    }

    /// The same, for a shop that waits for this number of replicas.
    pub fn with_replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    fn variables(&self) -> Vec<(String, String)> {
        let variable = |name: &str, value| (name.to_owned(), value);
        vec![
            variable("redis_host", self.address.clone()),
            variable("redis_login", self.login.clone()),
            variable("redis_database", self.number.to_string()),
            variable("redis_replicas", self.replicas.to_string()),
        ]
    }

    /// A connection to it.
    pub fn connect(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(format!("redis://{}{}/{}", self.login, self.address, self.number))?.get_connection()
    }

    fn all(&self) -> Vec<(String, Vec<u8>)> {
        let mut connection = self.connect().expect(READABLE);
        let keys: Vec<String> = connection.keys("*").expect(READABLE);
        let value = |key: String| (key.clone(), connection.get(key).expect(READABLE));
        keys.into_iter().map(value).collect()
    }

    fn fill(&self, records: Vec<(String, Vec<u8>)>) {
        if !records.is_empty() {
            let written = self.connect().and_then(|mut connection| connection.mset(&records));
            let () = written.expect("it can be written to");
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // One that has been killed has nothing to be forgotten.
        if let Ok(mut connection) = self.connect() {
            let _ = connection.req_command(&redis::cmd("FLUSHDB"));
        }
    }
}

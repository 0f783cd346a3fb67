//! What a store has, from below: to be read, copied and changed as no request would.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use redis::{Commands, ConnectionLike};
use redis_server::RedisServer;
use rusqlite::Connection;

use crate::TARGET;
use crate::target::Target;

/// Where the target keeps its records.
pub enum Kept {
    /// In a table of a SQLite file.
    Sqlite { file: PathBuf, table: &'static str },
    /// In a database of a Redis.
    Redis(Database),
}

/// The records of a new store.
const READABLE: &str = "it can be read";

impl Kept {
    /// Where a server keeps them whose state directory this is.
    pub fn in_state(directory: &Path) -> Self {
        match TARGET {
            Target::Local => Self::Sqlite { file: directory.join("sqlite_key_value.db"), table: "spin_key_value" },
            Target::FermyonCloud => Self::Sqlite { file: directory.join("sqlite_db.db"), table: "records" },
            Target::AkamaiFunctions => Self::Redis(Database::fresh()),
        }
    }

    /// The variables that tell a server of it.
    pub fn variables(&self) -> Vec<(String, String)> {
        match self {
            Self::Sqlite { .. } => Vec::new(),
            Self::Redis(database) => database.variables(),
        }
    }

    /// Puts all that is here into another store, which is empty.
    pub fn copy_to(&self, other: &Self) {
        match (self, other) {
            (Self::Sqlite { .. }, Self::Sqlite { file, .. }) => {
                // The latest commits are not in the file yet, but in the log beside it: SQLite knows.
                let made = self.sqlite().execute("VACUUM INTO ?1", [file.to_str()]);
                made.expect("the store can be copied");
            }
            (Self::Redis(_), Self::Redis(other)) => other.fill(self.all()),
            _ => unreachable!("both are of one target"),
        }
    }

    /// Everything that is here.
    pub fn all(&self) -> Vec<(String, Vec<u8>)> {
        let Self::Sqlite { table, .. } = self else { return self.redis().all() };
        let file = self.sqlite();
        let made = file.query_row("SELECT count(*) FROM sqlite_schema WHERE name=?1", [table], |row| row.get(0));
        if made == Ok(0) {
            // Nobody has written anything.
            return Vec::new();
        }
        let mut rows = file.prepare(&format!("SELECT key, value FROM {table}")).expect("it is a store");
        let rows = rows.query_map([], |row| row.try_into()).expect(READABLE);
        rows.map(|row| row.expect(READABLE)).collect()
    }

    /// Puts another value in the place of one that is there.
    pub fn replace(&self, key: &str, value: Vec<u8>) {
        match self {
            Self::Sqlite { table, .. } => {
                let update = format!("UPDATE {table} SET value=?2 WHERE key=?1");
                assert_eq!(self.sqlite().execute(&update, (key, value)), Ok(1));
            }
            Self::Redis(database) => database.fill(vec![(key.to_owned(), value)]),
        }
    }

    /// The file, as somebody else has it open.
    pub fn sqlite(&self) -> Connection {
        let Self::Sqlite { file, .. } = self else { unreachable!("this target has no file") };
        Connection::open(file).expect("the store can be opened")
    }

    /// The database, as somebody else is connected to it.
    pub fn redis(&self) -> &Database {
        let Self::Redis(database) = self else { unreachable!("this target has no Redis") };
        database
    }
}

/// A database of its own, in a Redis.
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
    fn fresh() -> Self {
        static DATABASES: AtomicUsize = AtomicUsize::new(0);
        // In memory only: nothing here waits for a disk, and no machine is going to crash.
        static REDIS: LazyLock<RedisServer> = LazyLock::new(|| {
            RedisServer::start_with(&["--databases 10000", "--appendonly no"]).unwrap_or_else(|error| panic!("{error}"))
        });
        Self {
            address: REDIS.address(),
            login: String::new(),
            number: DATABASES.fetch_add(1, Ordering::Relaxed),
            replicas: 0,
        }
    }

    /// The first one of this Redis.
    #[allow(dead_code, reason = "the tests of one target use it")]
    pub fn of(server: &RedisServer) -> Self {
        Self { address: server.address(), login: String::new(), number: 0, replicas: 0 }
    }

    /// The same, as a user sees it.
    #[allow(dead_code, reason = "the tests of one target use it")]
    pub fn with_login(&self, login: &str) -> Self {
        Self { address: self.address.clone(), login: login.to_owned(), ..*self }
    }

    /// The same, for a shop that waits for so many replicas.
    #[allow(dead_code, reason = "the tests of one target use it")]
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
    pub fn connect(&self) -> redis::Connection {
        self.try_to_connect().unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_to_connect(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(format!("redis://{}{}/{}", self.login, self.address, self.number))?.get_connection()
    }

    fn all(&self) -> Vec<(String, Vec<u8>)> {
        let mut connection = self.connect();
        let keys: Vec<String> = connection.keys("*").expect(READABLE);
        let value = |key: String| (key.clone(), connection.get(key).expect(READABLE));
        keys.into_iter().map(value).collect()
    }

    fn fill(&self, records: Vec<(String, Vec<u8>)>) {
        if !records.is_empty() {
            let () = self.connect().mset(&records).expect("it can be written to");
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // One that has been killed has nothing to be forgotten.
        if let Ok(mut connection) = self.try_to_connect() {
            let _ = connection.req_command(&redis::cmd("FLUSHDB"));
        }
    }
}

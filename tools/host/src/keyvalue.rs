//! The key-value store of Spin's `spin up`: one SQLite table behind one connection behind one mutex, with the behaviour
//! (and the faults) of Spin 4.1, so that what holds here holds there. File and table are Spin's own: a state directory
//! can go back and forth between the two.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rusqlite::types::Value;
use rusqlite::{Connection, DatabaseName, OptionalExtension, named_params, params};

use crate::error::Error;
use crate::private;

/// Where the store lies below the state directory.
pub(crate) const FILE_NAME: &str = "sqlite_key_value.db";

/// How SQLite makes a commit atomic and durable. SQLite keeps the mode in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Journal {
    /// A commit is appended to a log next to the file, which takes one sync
    #[default]
    Wal,
    /// What a commit overwrites is copied to a journal first, as in a file that Spin makes: several syncs
    Delete,
}

impl Journal {
    fn name(self) -> &'static str {
        match self {
            Self::Wal => "wal",
            Self::Delete => "delete",
        }
    }

    /// Puts a file in this mode.
    fn put_in(self, connection: &Connection, path: &Path) -> std::result::Result<(), Error> {
        let put = || connection.pragma_update_and_check(None, "journal_mode", self.name(), |row| row.get(0));
        let mode: String = patiently(put).map_err(|error| Error::store(path, error))?;
        if mode == self.name() {
            Ok(())
        } else {
            Err(Error::store(path, format_args!("this file stays in journal mode {mode}")))
        }
    }

    /// Puts the file of this path in this mode; makes it, where it is not there.
    pub(crate) fn put_file_in(self, path: &Path) -> std::result::Result<(), Error> {
        private::file(path).map_err(|error| Error::store(path, error))?;
        let connection = Connection::open(path).map_err(|error| Error::store(path, error))?;
        self.put_in(&connection, path)?;
        private::tighten(path);
        Ok(())
    }
}

/// The most bytes that one call may return to a component, as Spin counts them (values, keys and a little for each).
const MAX_RESULT_BYTES: usize = 128 << 20;

/// How long an opening waits for other processes that open the same file.
const TIMEOUT: Duration = Duration::from_secs(5);

const UPSERT: &str = "INSERT INTO spin_key_value (store, key, value) VALUES ($1, $2, $3)
    ON CONFLICT(store, key) DO UPDATE SET value=$3";

/// Why a call of the store failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The component gets this text as the error.
    #[error("{0}")]
    Refused(String),

    /// The store has failed for good (see [`Database::increment`]): the component's instance ends.
    #[error("the key-value store has failed and stays so until the host is restarted")]
    Dead,

    /// An [`crate::StoreHook`] ends the component's instance.
    #[error("killed on purpose")]
    Killed,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Refused(format!("{error:?}"))
    }
}

type Result<T> = std::result::Result<T, Failure>;

/// The connection to the SQLite file.
pub(crate) struct Database {
    path: PathBuf,
    /// `None` once the store has failed.
    connection: Mutex<Option<Connection>>,
}

impl Database {
    /// Opens the file, which is created (with its directory) if it is not there, and puts it in this mode.
    pub(crate) fn open(path: &Path, journal: Journal) -> std::result::Result<Self, Error> {
        if let Some(directory) = path.parent() {
            private::directory(directory).map_err(|error| Error::store(path, error))?;
        }
        private::file(path).map_err(|error| Error::store(path, error))?;
        let connection = patiently(|| prepare(path)).map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Error::store(path, "this file is no SQLite database"),
            _ => Error::store(path, error),
        })?;
        if connection.is_readonly(DatabaseName::Main).unwrap_or(true) {
            return Err(Error::store(path, "this file cannot be written to"));
        }
        // Last, so that a file which is refused stays as it is.
        journal.put_in(&connection, path)?;
        private::tighten(path);
        Ok(Self { path: path.to_owned(), connection: Mutex::new(Some(connection)) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` on the connection. One commit may take many milliseconds, and the runtime is told so.
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        tokio::task::block_in_place(|| self.blocking(work))
    }

    /// As [`Self::with`], on a thread that may block.
    fn blocking<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(connection.as_mut().ok_or(Failure::Dead)?);
        if matches!(result, Err(Failure::Dead)) {
            *connection = None;
        }
        result
    }
}

/// Repeats `work` while another process has the file locked, for some seconds at most. SQLite waits by itself where
/// that helps. Where two processes want to change what both have read, as when they make the table or change the
/// journal mode, it refuses one of them at once.
fn patiently<T>(work: impl Fn() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let started = Instant::now();
    loop {
        match work() {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && started.elapsed() < TIMEOUT =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

fn prepare(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute(
        "CREATE TABLE IF NOT EXISTS spin_key_value (
            store TEXT NOT NULL,
            key   TEXT NOT NULL,
            value BLOB NOT NULL,
            PRIMARY KEY (store, key)
        )",
        [],
    )?;
    // Finds a table of another shape now instead of in a request.
    connection.prepare("SELECT store, key, value FROM spin_key_value")?;
    rusqlite::vtab::array::load_module(&connection)?;
    Ok(connection)
}

/// The store behind a component's handle. It is shared so that a [`Cas`] can tell whether the handle is still open.
pub type OpenBucket = Arc<Bucket>;

/// An open store.
pub struct Bucket {
    database: Arc<Database>,
    store: String,
}

impl Bucket {
    pub(crate) fn new(database: Arc<Database>, store: String) -> Self {
        Self { database, store }
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let value = self.database.with(|connection| Ok(select(connection, &self.store, key)?))?;
        limited(value)
    }

    pub(crate) fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        self.database.with(|connection| {
            connection.prepare_cached(UPSERT)?.execute(params![self.store, key, value])?;
            Ok(())
        })
    }

    /// Whether anything was deleted.
    pub(crate) fn delete(&self, key: &str) -> Result<bool> {
        self.database.with(|connection| {
            let mut statement = connection.prepare_cached("DELETE FROM spin_key_value WHERE store=$1 AND key=$2")?;
            Ok(statement.execute([&self.store, key])? > 0)
        })
    }

    pub(crate) fn exists(&self, key: &str) -> Result<bool> {
        self.database.with(|connection| Ok(select(connection, &self.store, key)?.is_some()))
    }

    pub(crate) fn list_keys(&self) -> Result<Vec<String>> {
        let mut budget = Budget::new();
        self.database.with(|connection| {
            let mut statement = connection.prepare_cached("SELECT key FROM spin_key_value WHERE store=$1")?;
            let mut rows = statement.query([&self.store])?;
            let mut keys = Vec::new();
            while let Some(row) = rows.next()? {
                let key: String = row.get(0)?;
                budget.spend(size_of::<String>() + key.len())?;
                keys.push(key);
            }
            Ok(keys)
        })
    }

    /// Sends every key to `keys`. As in Spin the connection stays locked until the receiver has taken them all, so a
    /// component that calls the store in between waits for itself for ever. Blocks.
    pub(crate) fn stream_keys(&self, keys: &tokio::sync::mpsc::Sender<String>) -> Result<()> {
        self.database.blocking(|connection| {
            let mut statement = connection.prepare_cached("SELECT key FROM spin_key_value WHERE store=$1")?;
            let mut rows = statement.query([&self.store])?;
            while let Some(row) = rows.next()? {
                keys.blocking_send(row.get(0)?).map_err(|error| Failure::Refused(format!("{error:?}")))?;
            }
            Ok(())
        })
    }

    /// The pairs that are there, in no promised order: absent keys are left out.
    pub(crate) fn get_many(&self, keys: Vec<String>) -> Result<Vec<(String, Option<Vec<u8>>)>> {
        let keys = Rc::new(keys.into_iter().map(Value::from).collect::<Vec<_>>());
        let mut budget = Budget::new();
        self.database.with(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT key, value FROM spin_key_value WHERE store=:store AND key IN rarray(:keys)")?;
            let mut rows = statement.query(named_params! {":store": self.store, ":keys": keys})?;
            let mut pairs = Vec::new();
            while let Some(row) = rows.next()? {
                let (key, value): (String, Vec<u8>) = row.try_into()?;
                budget.spend(size_of::<(String, Option<Vec<u8>>)>() + key.len() + value.len())?;
                pairs.push((key, Some(value)));
            }
            Ok(pairs)
        })
    }

    /// All pairs in one transaction.
    pub(crate) fn set_many(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<()> {
        self.database.with(|connection| {
            let transaction = connection.transaction()?;
            for (key, value) in pairs {
                transaction.prepare_cached(UPSERT)?.execute(params![self.store, key, value])?;
            }
            Ok(transaction.commit()?)
        })
    }

    /// Whether anything was deleted.
    pub(crate) fn delete_many(&self, keys: Vec<String>) -> Result<bool> {
        let keys = Rc::new(keys.into_iter().map(Value::from).collect::<Vec<_>>());
        self.database.with(|connection| {
            let mut statement =
                connection.prepare_cached("DELETE FROM spin_key_value WHERE store=:store AND key IN rarray(:keys)")?;
            Ok(statement.execute(named_params! {":store": self.store, ":keys": keys})? > 0)
        })
    }

    /// Adds to a number of 8 little-endian bytes; an absent key counts as zero.
    ///
    /// On a value of another length Spin's host panics with its mutex held, and every later call panics on the poisoned
    /// mutex. Here nothing panics, and the store is dead in the same way.
    pub(crate) fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        self.database.with(|connection| {
            let transaction = connection.transaction()?;
            let number = match select(&transaction, &self.store, key)? {
                Some(value) => i64::from_le_bytes(value.try_into().map_err(|_| Failure::Dead)?),
                None => 0,
            };
            let sum = number.wrapping_add(delta);
            transaction.prepare_cached(UPSERT)?.execute(params![self.store, key, sum.to_le_bytes()])?;
            transaction.commit()?;
            Ok(sum)
        })
    }
}

/// A compare-and-swap handle.
#[derive(Clone)]
pub struct Cas {
    database: Arc<Database>,
    store: String,
    key: String,
    /// What `current` last read: `None` also before any `current`, which is why such a swap overwrites.
    read: Option<Vec<u8>>,
    /// The handle that this one was made from: a failed swap makes its fresh handle from it, if it is still open.
    bucket: Weak<Bucket>,
}

/// How a swap ended.
pub(crate) enum Swap {
    Done,
    /// The value was another one. The handle is a fresh one that has read the value already.
    Conflict(Cas),
    /// The value was another one, and the bucket was closed in between, so that there is no fresh handle.
    ConflictWithoutBucket,
}

impl Cas {
    pub(crate) fn new(bucket: &Arc<Bucket>, key: String) -> Self {
        Self {
            database: bucket.database.clone(),
            store: bucket.store.clone(),
            key,
            read: None,
            bucket: Arc::downgrade(bucket),
        }
    }

    pub(crate) fn current(&mut self) -> Result<Option<Vec<u8>>> {
        let value = self.database.with(|connection| Ok(select(connection, &self.store, &self.key)?))?;
        self.read.clone_from(&value);
        limited(value)
    }

    /// Writes `value` if the key still holds what [`Self::current`] read. Where that was nothing, or where it was not
    /// called, this overwrites whatever is there: Spin's fault, kept.
    pub(crate) fn swap(self, value: &[u8]) -> Result<Swap> {
        if self.replace(value)? { Ok(Swap::Done) } else { self.conflict() }
    }

    /// The write of a swap; answers whether it was made.
    pub(crate) fn replace(&self, value: &[u8]) -> Result<bool> {
        let Some(read) = &self.read else {
            self.overwrite(value)?;
            return Ok(true);
        };
        self.database.with(|connection| {
            let mut statement = connection.prepare_cached(
                "UPDATE spin_key_value SET value=:new WHERE store=:store AND key=:key AND value=:old",
            )?;
            let pairs = named_params! {":store": self.store, ":key": self.key, ":old": read, ":new": value};
            Ok(statement.execute(pairs)? == 1)
        })
    }

    /// Writes without comparing.
    pub(crate) fn overwrite(&self, value: &[u8]) -> Result<()> {
        self.database.with(|connection| {
            connection.prepare_cached(UPSERT)?.execute(params![self.store, self.key, value])?;
            Ok(())
        })
    }

    /// What a swap ends with that was not made.
    pub(crate) fn conflict(self) -> Result<Swap> {
        let Some(bucket) = self.bucket.upgrade() else {
            return Ok(Swap::ConflictWithoutBucket);
        };
        let mut fresh = Self::new(&bucket, self.key);
        fresh.current()?;
        Ok(Swap::Conflict(fresh))
    }

    pub(crate) fn key(&self) -> &String {
        &self.key
    }
}

fn select(connection: &Connection, store: &str, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT value FROM spin_key_value WHERE store=$1 AND key=$2")?
        .query_row([store, key], |row| row.get(0))
        .optional()
}

fn limited(value: Option<Vec<u8>>) -> Result<Option<Vec<u8>>> {
    let bytes = size_of::<Option<Vec<u8>>>() + value.as_ref().map_or(0, Vec::len);
    if bytes > MAX_RESULT_BYTES { Err(too_large()) } else { Ok(value) }
}

/// How much of [`MAX_RESULT_BYTES`] is left while the rows of a result are collected.
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) fn new() -> Self {
        Self(MAX_RESULT_BYTES - size_of::<Vec<String>>())
    }

    pub(crate) fn spend(&mut self, bytes: usize) -> Result<()> {
        self.0 = self.0.checked_sub(bytes).ok_or_else(too_large)?;
        Ok(())
    }
}

fn too_large() -> Failure {
    Failure::Refused(format!("query result exceeds limit of {MAX_RESULT_BYTES} bytes"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn bucket_in(directory: &Path) -> OpenBucket {
        let database = Database::open(&directory.join(FILE_NAME), Journal::default()).unwrap();
        Arc::new(Bucket::new(Arc::new(database), "default".to_owned()))
    }

    /// A fresh store; the directory goes with the guard.
    fn bucket() -> (tempfile::TempDir, OpenBucket) {
        let directory = tempfile::tempdir().unwrap();
        let bucket = bucket_in(directory.path());
        (directory, bucket)
    }

    fn key(name: &str) -> String {
        name.to_owned()
    }

    #[test]
    fn what_was_set_is_read_until_it_is_deleted() {
        let (_directory, bucket) = bucket();
        assert_eq!(bucket.get("a").unwrap(), None);
        bucket.set("a", b"1").unwrap();
        bucket.set("a", b"2").unwrap();
        assert_eq!(bucket.get("a").unwrap(), Some(b"2".to_vec()));
        assert!(bucket.exists("a").unwrap());
        assert!(bucket.delete("a").unwrap());
        assert!(!bucket.delete("a").unwrap());
        assert!(!bucket.exists("a").unwrap());
    }

    #[test]
    fn data_survives_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        bucket_in(directory.path()).set("a", b"1").unwrap();
        assert_eq!(bucket_in(directory.path()).get("a").unwrap(), Some(b"1".to_vec()));
    }

    #[test]
    fn stores_of_other_names_are_apart() {
        let (_directory, bucket) = bucket();
        let other = Bucket::new(bucket.database.clone(), "other".to_owned());
        bucket.set("a", b"1").unwrap();
        assert_eq!(other.get("a").unwrap(), None);
        assert_eq!(other.list_keys().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn get_many_leaves_out_absent_keys() {
        let (_directory, bucket) = bucket();
        bucket.set_many(vec![(key("a"), b"1".to_vec()), (key("b"), b"2".to_vec())]).unwrap();
        let found = bucket.get_many(vec![key("b"), key("none"), key("a")]).unwrap();
        let expected = [(key("a"), Some(b"1".to_vec())), (key("b"), Some(b"2".to_vec()))];
        assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), BTreeMap::from(expected));
    }

    #[test]
    fn delete_many_tells_whether_one_of_the_keys_was_there() {
        let (_directory, bucket) = bucket();
        bucket.set_many(vec![(key("a"), vec![]), (key("b"), vec![]), (key("c"), vec![])]).unwrap();
        assert!(bucket.delete_many(vec![key("a"), key("b"), key("none")]).unwrap());
        assert!(!bucket.delete_many(vec![key("a"), key("none")]).unwrap());
        assert_eq!(bucket.list_keys().unwrap(), [key("c")]);
    }

    #[test]
    fn a_swap_from_the_value_that_was_read_succeeds_once() {
        let (_directory, bucket) = bucket();
        bucket.set("a", b"1").unwrap();
        let mut first = Cas::new(&bucket, key("a"));
        let mut second = Cas::new(&bucket, key("a"));
        assert_eq!(first.current().unwrap(), Some(b"1".to_vec()));
        assert_eq!(second.current().unwrap(), Some(b"1".to_vec()));
        assert!(matches!(first.swap(b"2").unwrap(), Swap::Done));
        assert!(matches!(second.swap(b"3").unwrap(), Swap::Conflict(_)));
        assert_eq!(bucket.get("a").unwrap(), Some(b"2".to_vec()));
    }

    #[test]
    fn a_failed_swap_hands_back_a_handle_that_has_read_the_value() {
        let (_directory, bucket) = bucket();
        bucket.set("a", b"1").unwrap();
        let mut stale = Cas::new(&bucket, key("a"));
        stale.current().unwrap();
        bucket.set("a", b"2").unwrap();
        let Swap::Conflict(fresh) = stale.swap(b"3").unwrap() else { panic!("the swap should have failed") };
        assert!(matches!(fresh.swap(b"3").unwrap(), Swap::Done));
        assert_eq!(bucket.get("a").unwrap(), Some(b"3".to_vec()));
    }

    #[test]
    fn a_failed_swap_whose_bucket_is_closed_hands_back_nothing() {
        let (_directory, bucket) = bucket();
        bucket.set("a", b"1").unwrap();
        let mut stale = Cas::new(&bucket, key("a"));
        stale.current().unwrap();
        bucket.set("a", b"2").unwrap();
        drop(bucket);
        assert!(matches!(stale.swap(b"3").unwrap(), Swap::ConflictWithoutBucket));
    }

    #[test]
    fn a_swap_of_a_key_that_was_deleted_fails() {
        let (_directory, bucket) = bucket();
        bucket.set("a", b"1").unwrap();
        let mut cas = Cas::new(&bucket, key("a"));
        cas.current().unwrap();
        bucket.delete("a").unwrap();
        assert!(matches!(cas.swap(b"2").unwrap(), Swap::Conflict(_)));
        assert_eq!(bucket.get("a").unwrap(), None);
    }

    #[test]
    fn a_swap_from_an_absent_key_overwrites_as_in_spin() {
        let (_directory, bucket) = bucket();
        let mut cas = Cas::new(&bucket, key("a"));
        assert_eq!(cas.current().unwrap(), None);
        bucket.set("a", b"someone else's").unwrap();
        assert!(matches!(cas.swap(b"mine").unwrap(), Swap::Done));
        assert_eq!(bucket.get("a").unwrap(), Some(b"mine".to_vec()));
    }

    #[test]
    fn a_swap_without_a_read_overwrites_as_in_spin() {
        let (_directory, bucket) = bucket();
        bucket.set("a", b"1").unwrap();
        assert!(matches!(Cas::new(&bucket, key("a")).swap(b"2").unwrap(), Swap::Done));
        assert_eq!(bucket.get("a").unwrap(), Some(b"2".to_vec()));
    }

    #[test]
    fn increment_adds_to_eight_little_endian_bytes() {
        let (_directory, bucket) = bucket();
        assert_eq!(bucket.increment("n", 0).unwrap(), 0);
        assert_eq!(bucket.get("n").unwrap(), Some(vec![0; 8]));
        assert_eq!(bucket.increment("n", 258).unwrap(), 258);
        assert_eq!(bucket.increment("n", -1).unwrap(), 257);
        assert_eq!(bucket.get("n").unwrap(), Some(vec![1, 1, 0, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn increment_of_another_length_ends_the_store_until_a_restart_as_in_spin() {
        let (directory, bucket) = bucket();
        bucket.set("text", b"seven b").unwrap();
        let mut cas = Cas::new(&bucket, key("text"));
        assert!(matches!(bucket.increment("text", 1), Err(Failure::Dead)));
        assert!(matches!(bucket.get("text"), Err(Failure::Dead)));
        assert!(matches!(bucket.set("other", b"1"), Err(Failure::Dead)));
        assert!(matches!(bucket.get_many(vec![key("other")]), Err(Failure::Dead)));
        assert!(matches!(cas.current(), Err(Failure::Dead)));
        assert_eq!(bucket_in(directory.path()).get("text").unwrap(), Some(b"seven b".to_vec()));
    }

    #[test]
    fn results_are_limited_in_size() {
        assert!(limited(Some(vec![0; MAX_RESULT_BYTES - size_of::<Option<Vec<u8>>>()])).is_ok());
        assert!(matches!(limited(Some(vec![0; MAX_RESULT_BYTES])), Err(Failure::Refused(_))));
        let mut budget = Budget::new();
        assert!(budget.spend(MAX_RESULT_BYTES / 2).is_ok());
        assert!(matches!(budget.spend(MAX_RESULT_BYTES / 2), Err(Failure::Refused(_))));
    }

    #[test]
    fn the_file_is_the_one_that_spin_writes() {
        let (directory, bucket) = bucket();
        bucket.set("a", b"1").unwrap();
        let file = Connection::open(directory.path().join("sqlite_key_value.db")).unwrap();
        let row = file.query_row("SELECT store, key, value FROM spin_key_value", [], |row| row.try_into());
        assert_eq!(row, Ok((key("default"), key("a"), b"1".to_vec())));
    }

    /// Opened in this mode: what is in it, and the mode and the way of syncing that another connection finds.
    fn reopened(path: &Path, journal: Journal) -> (Option<Vec<u8>>, String) {
        let bucket = Bucket::new(Arc::new(Database::open(path, journal).unwrap()), "default".to_owned());
        let mode = |connection: &mut Connection| {
            // What is acknowledged survives a power failure in either mode: 2 is FULL.
            assert_eq!(connection.query_row("PRAGMA synchronous", [], |row| row.get(0)), Ok(2));
            Ok(connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?)
        };
        (bucket.get("a").unwrap(), bucket.database.with(mode).unwrap())
    }

    #[test]
    fn the_journal_mode_can_be_changed_at_each_opening_and_is_kept_in_the_file() {
        let (directory, bucket) = bucket();
        let path = directory.path().join(FILE_NAME);
        bucket.set("a", b"1").unwrap();
        drop(bucket);
        for journal in [Journal::Delete, Journal::Wal, Journal::Wal, Journal::Delete] {
            let (value, mode) = reopened(&path, journal);
            assert_eq!((value, mode.as_str()), (Some(b"1".to_vec()), journal.name()));
            let kept = Connection::open(&path).unwrap().query_row("PRAGMA journal_mode", [], |row| row.get(0));
            assert_eq!(kept, Ok(journal.name().to_owned()));
        }
    }

    #[test]
    fn of_many_who_open_a_new_file_at_once_none_fails() {
        // Often enough that they do get in each other's way.
        for _ in 0..40 {
            let directory = tempfile::tempdir().unwrap();
            std::thread::scope(|scope| {
                let open = |number| bucket_in(directory.path()).set(&format!("{number}"), b"1").unwrap();
                (0..8).for_each(|number| drop(scope.spawn(move || open(number))));
            });
            assert_eq!(bucket_in(directory.path()).list_keys().unwrap().len(), 8);
        }
    }

    #[test]
    fn a_table_of_another_shape_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        Connection::open(&path).unwrap().execute("CREATE TABLE spin_key_value (k, v)", []).unwrap();
        assert!(Database::open(&path, Journal::default()).is_err());
    }
}

//! The domain's store on a SQLite database of Spin. It has one table, and each call is one statement.
//!
//! A statement is a transaction, both in the file that `spin up` uses and over the network in Fermyon Cloud. No
//! operation of the store needs two, so no other request can change anything in between, and nothing has to be rolled
//! back. SQLite has what the protocol needs: an insert that does not change an existing row, and an update of a row
//! that still has the bytes that were read. Both tell by the rows that they return whether they did anything.
//!
//! The first statement that does not find the table makes it.

#[cfg(feature = "wasi")]
mod bindings;
#[cfg(feature = "wasi")]
mod wasi;

use std::time::Duration;

use domain::{Creation, Damaged, Entry, Environment, Found, Key, Store, StoreError, Swap};

#[cfg(feature = "wasi")]
pub use wasi::SpinSqlite;

const MAKE_TABLE: &str = "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value BLOB NOT NULL)";

/// How often a statement is tried that does not find the table, or finds the database locked. SQLite has then already
/// waited for some seconds, which is not always enough in a file that is not in WAL mode.
const ATTEMPTS: usize = 4;

/// The pause between two attempts, in which another connection can finish.
const PAUSE: Duration = Duration::from_millis(20);

/// The value of a parameter, or of a field of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
    /// Anything else.
    Other,
}

/// Why a statement failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The table does not exist.
    NoTable,
    /// Other connections had the database locked for longer than SQLite waits. The statement was not executed.
    Locked(String),
    /// Anything else. Whether the statement was executed is unknown.
    Failed(StoreError),
}

impl Failure {
    /// The failure that this message of SQLite stands for. Spin passes on the message and no code.
    pub fn of(message: String) -> Self {
        if message.contains("no such table") {
            Self::NoTable
        } else if message.contains("database or disk is full") {
            Self::Failed(StoreError::Full(message))
        } else if message.contains("database is locked") {
            Self::Locked(message)
        } else {
            Self::Failed(StoreError::Unavailable(message))
        }
    }
}

/// An open database, statement by statement. A component uses [`SpinSqlite`]. A test that wants to see what happens
/// between two statements uses another.
#[allow(async_fn_in_trait, reason = "a component has one thread, so the futures need not be Send")]
pub trait Database {
    /// Executes a statement and answers with its rows.
    async fn execute(&self, statement: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, Failure>;
}

/// The store in a SQLite database.
#[derive(Debug)]
pub struct SqliteStore<D, E> {
    database: D,
    environment: E,
}

impl<D: Database, E: Environment> SqliteStore<D, E> {
    /// The store in this database. The self-test's records get their names from the environment's randomness.
    pub fn new(database: D, environment: E) -> Self {
        Self { database, environment }
    }

    /// Executes a statement. Makes the table if it is missing, and waits while the database is locked.
    async fn execute(&self, statement: &str, parameters: Vec<Value>) -> Result<Vec<Vec<Value>>, StoreError> {
        let mut failure = "its table is missing after it was made".to_owned();
        for _ in 0..ATTEMPTS {
            let done = match self.database.execute(statement, &parameters).await {
                // If that finds the database locked, another connection may be making the table.
                Err(Failure::NoTable) => self.database.execute(MAKE_TABLE, &[]).await.map(|_| None),
                done => done.map(Some),
            };
            match done {
                Ok(Some(rows)) => return Ok(rows),
                Ok(None) | Err(Failure::NoTable) => {}
                Err(Failure::Locked(message)) => {
                    failure = message;
                    self.environment.sleep(PAUSE).await;
                }
                Err(Failure::Failed(error)) => return Err(error),
            }
        }
        Err(StoreError::Unavailable(failure))
    }

    /// Answers with the keys of those that were written.
    async fn insert(&self, records: impl Iterator<Item = (String, Vec<u8>)>) -> Result<Vec<String>, StoreError> {
        let mut statement = "INSERT INTO records (key, value) VALUES ".to_owned();
        let mut parameters = Vec::new();
        for (key, value) in records {
            statement.push_str(if parameters.is_empty() { "(?, ?)" } else { ", (?, ?)" });
            parameters.extend([Value::Text(key), Value::Blob(value)]);
        }
        // An `insert` finds none of its records, or all of them if the answer to an earlier attempt was lost. A `put`
        // must not change existing records.
        statement.push_str(" ON CONFLICT (key) DO NOTHING RETURNING key");
        let rows = self.execute(&statement, parameters).await?;
        let key = |row: Vec<Value>| match row.into_iter().next() {
            Some(Value::Text(key)) => Some(key),
            _ => None,
        };
        Ok(rows.into_iter().filter_map(key).collect())
    }

    /// Whether this call has created the record.
    async fn create(&self, key: String, value: Vec<u8>) -> Result<bool, StoreError> {
        let statement = "INSERT INTO records (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING RETURNING key";
        Ok(!self.execute(statement, vec![Value::Text(key), Value::Blob(value)]).await?.is_empty())
    }

    /// Whether this call has replaced `old` by `new`.
    async fn swap(&self, key: &str, old: &[u8], new: Vec<u8>) -> Result<bool, StoreError> {
        let statement = "UPDATE records SET value = ? WHERE key = ? AND value = ? RETURNING key";
        let parameters = vec![Value::Blob(new), Value::Text(key.to_owned()), Value::Blob(old.to_owned())];
        Ok(!self.execute(statement, parameters).await?.is_empty())
    }

    /// Whether this call has removed the record, which still was `old`.
    async fn compare_and_delete(&self, key: &str, old: &[u8]) -> Result<bool, StoreError> {
        let statement = "DELETE FROM records WHERE key = ? AND value = ? RETURNING key";
        let parameters = vec![Value::Text(key.to_owned()), Value::Blob(old.to_owned())];
        Ok(!self.execute(statement, parameters).await?.is_empty())
    }

    async fn delete(&self, keys: Vec<String>) -> Result<(), StoreError> {
        let statement = format!("DELETE FROM records WHERE key IN ({})", marks(keys.len()));
        self.execute(&statement, keys.into_iter().map(Value::Text).collect()).await.map(drop)
    }

    /// Tests the operations that the protocol relies on, on a record that no other request knows.
    async fn self_test(&self, key: &str) -> Result<(), StoreError> {
        let [first, second, third] = [b"first", b"secnd", b"third"].map(|value| value.to_vec());
        let created =
            (self.create(key.to_owned(), first.clone()).await?, self.create(key.to_owned(), third.clone()).await?);
        let swapped = (self.swap(key, &first, second.clone()).await?, self.swap(key, &first, third).await?);
        let rows = self.execute("SELECT value FROM records WHERE key = ?", vec![Value::Text(key.to_owned())]).await?;
        if (created, swapped, rows) == ((true, false), (true, false), vec![vec![Value::Blob(second)]]) {
            Ok(())
        } else {
            Err(StoreError::ContractViolation("its statements fail the self-test".to_owned()))
        }
    }
}

impl<D: Database, E: Environment> Store for SqliteStore<D, E> {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Found>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let physical_keys: Vec<_> = keys.iter().map(Key::to_string).collect();
        let statement = format!("SELECT key, value FROM records WHERE key IN ({})", marks(keys.len()));
        let rows = self.execute(&statement, physical_keys.iter().cloned().map(Value::Text).collect()).await?;
        let mut read = Vec::with_capacity(rows.len());
        for row in rows {
            match <[Value; 2]>::try_from(row) {
                Ok([Value::Text(key), value]) => read.push((key, Some(value))),
                _ => return Err(StoreError::ContractViolation("a row of its table is not a record".to_owned())),
            }
        }
        let found = |physical_key: String| {
            let value = read.iter_mut().find(|(key, _)| *key == physical_key).and_then(|(_, value)| value.take());
            match value {
                None => Ok(None),
                Some(Value::Blob(value)) => Ok(Some(Entry::new(physical_key, value))),
                Some(_) => Err(Damaged { physical_key, reason: "its value is not a blob".to_owned() }),
            }
        };
        Ok(physical_keys.into_iter().map(found).collect())
    }

    async fn insert(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Entry>, StoreError> {
        let entries = records.into_iter().map(|(key, value)| Entry::new(key.to_string(), value));
        let entries: Vec<_> = entries.collect();
        Self::insert(self, entries.iter().map(|entry| (entry.physical_key.clone(), entry.value.clone()))).await?;
        Ok(entries)
    }

    async fn remove(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.delete(keys.iter().map(Key::to_string).collect()).await
    }

    async fn remove_unchanged(&self, read: &Entry) -> Result<Swap, StoreError> {
        let removed = self.compare_and_delete(&read.physical_key, &read.value).await?;
        Ok(if removed { Swap::Swapped } else { Swap::Conflict })
    }

    async fn put(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Key>, StoreError> {
        let mut keys: Vec<_> = records.iter().map(|(key, _)| key.clone()).collect();
        let written = Self::insert(self, records.into_iter().map(|(key, value)| (key.to_string(), value))).await?;
        keys.retain(|key| !written.contains(&key.to_string()));
        Ok(keys)
    }

    async fn create(&self, key: &Key, value: Vec<u8>) -> Result<Creation, StoreError> {
        let created = Self::create(self, key.to_string(), value).await?;
        Ok(if created { Creation::Created } else { Creation::Exists })
    }

    async fn swap(&self, read: &Entry, value: Vec<u8>) -> Result<Swap, StoreError> {
        let swapped = Self::swap(self, &read.physical_key, &read.value, value).await?;
        Ok(if swapped { Swap::Swapped } else { Swap::Conflict })
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let key = format!("probe:{:032x}", u128::from_be_bytes(self.environment.random_id()));
        let tried = self.self_test(&key).await;
        let removed = self.delete(vec![key]).await;
        tried.and(removed)
    }
}

/// The placeholders of a list of `count` parameters.
fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

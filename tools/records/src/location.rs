//! The stores in which a shop keeps its records, read and filled directly.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use redis::{ConnectionLike, RedisResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

/// Turns a Redis that does not answer into an error.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How many values are read from a Redis, or written to it, in one command. A record has up to 1 MB.
const AT_ONCE: usize = 16;

/// The value under [`KEPT_FREE`] during an import.
const MOVING_IN: &str = "a shop is moving in: if that was broken off, empty this database and begin again";

/// The records that a shop makes when it starts on an empty store. A shop never overwrites a record that exists. So a
/// shop that is started during an import makes nothing and sells nothing.
const KEPT_FREE: [&str; 5] = ["inventory:item1", "inventory:item2", "inventory:item3", "ledger", "catalog"];

/// Whether this key is one of a self-test, or the fence by which replicas of a Redis are confirmed. Neither is a record
/// of a shop.
fn is_scratch(key: &str) -> bool {
    key.starts_with("probe:") || key == "fence"
}

/// A store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file, of whichever kind its tables say.
    File(PathBuf),
    /// The SQLite file of Spin's key-value store.
    KeyValue(PathBuf),
    /// The SQLite file of Spin's database.
    Sqlite(PathBuf),
    /// A database of a Redis, by its URL.
    Redis(String),
}

impl FromStr for Location {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once(':') {
            Some(("redis", _)) => Self::Redis(text.to_owned()),
            Some(("key-value", file)) => Self::KeyValue(file.into()),
            Some(("sqlite", file)) => Self::Sqlite(file.into()),
            _ => Self::File(text.into()),
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) | Self::KeyValue(file) | Self::Sqlite(file) => file.display().fmt(f),
            // The URL without its login, which is secret.
            Self::Redis(url) => match url.rsplit_once('@') {
                Some((_, host)) => write!(f, "redis://{host}"),
                None => f.write_str(url),
            },
        }
    }
}

/// The two layouts in SQLite files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    /// That of the key-value store: a created record is kept under the name that its claim cell gives.
    KeyValue,
    /// That of a database.
    Records,
}

impl Table {
    const ALL: [Self; 2] = [Self::KeyValue, Self::Records];

    fn name(self) -> &'static str {
        match self {
            Self::KeyValue => "spin_key_value",
            Self::Records => "records",
        }
    }

    /// As Spin, and the shop, make it.
    fn make(self) -> &'static str {
        match self {
            Self::KeyValue => {
                "CREATE TABLE IF NOT EXISTS spin_key_value (store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
                    PRIMARY KEY (store, key))"
            }
            Self::Records => "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value BLOB NOT NULL)",
        }
    }

    fn keys(self) -> &'static str {
        match self {
            Self::KeyValue => "SELECT key FROM spin_key_value WHERE store = 'default' ORDER BY key",
            Self::Records => "SELECT key FROM records ORDER BY key",
        }
    }

    fn value(self) -> &'static str {
        match self {
            Self::KeyValue => "SELECT value FROM spin_key_value WHERE store = 'default' AND key = ?1",
            Self::Records => "SELECT value FROM records WHERE key = ?1",
        }
    }

    fn insert(self) -> &'static str {
        match self {
            Self::KeyValue => "INSERT INTO spin_key_value VALUES ('default', ?1, ?2)",
            Self::Records => "INSERT INTO records VALUES (?1, ?2)",
        }
    }
}

/// A store that is only read.
pub struct Source {
    location: Location,
    from: From,
}

enum From {
    Sqlite(Connection, Table),
    Redis(redis::Connection),
}

impl Source {
    /// Opens a store. All reads of a file see it as it is now, even if it is changed meanwhile.
    pub fn open(location: &Location) -> Result<Self> {
        let from = match location {
            Location::Redis(url) => From::Redis(connect(location, url)?),
            Location::File(file) | Location::KeyValue(file) | Location::Sqlite(file) => {
                let (connection, table) = open(file)?;
                let other = match location {
                    Location::KeyValue(_) => table != Table::KeyValue,
                    Location::Sqlite(_) => table != Table::Records,
                    _ => false,
                };
                ensure!(!other, "{location} is a store of the other kind");
                connection.execute_batch("BEGIN").with_context(|| unreadable(location))?;
                From::Sqlite(connection, table)
            }
        };
        Ok(Self { location: location.clone(), from })
    }

    /// All keys as they are, sorted.
    pub fn keys(&mut self) -> Result<Vec<String>> {
        let unreadable = || unreadable(&self.location);
        match &mut self.from {
            From::Sqlite(connection, table) => {
                let mut keys = connection.prepare(table.keys()).with_context(unreadable)?;
                let keys = keys.query_map([], |row| row.get(0)).with_context(unreadable)?;
                keys.collect::<Result<_, _>>().with_context(unreadable)
            }
            From::Redis(connection) => scan(connection).with_context(unreadable),
        }
    }

    /// The values under these keys, all of which exist.
    fn values(&mut self, keys: &[String]) -> Result<Vec<Vec<u8>>> {
        let gone = |key: &String| format!("{key} is gone: stop the shop first");
        match &mut self.from {
            From::Sqlite(connection, table) => {
                let mut select = connection.prepare_cached(table.value())?;
                let value = |key: &String| {
                    let value = select.query_row([key], |row| row.get(0)).optional();
                    value.with_context(|| unreadable(&self.location))?.with_context(|| gone(key))
                };
                keys.iter().map(value).collect()
            }
            From::Redis(connection) => {
                let values: Vec<Option<Vec<u8>>> =
                    redis::cmd("MGET").arg(keys).query(connection).with_context(|| unreadable(&self.location))?;
                let mut found = Vec::with_capacity(keys.len());
                for (key, value) in keys.iter().zip(values) {
                    found.push(match value {
                        Some(value) => value,
                        None => {
                            let kind: String = redis::cmd("TYPE").arg(key).query(connection)?;
                            ensure!(kind == "none", "{key} is a {kind}, and no record of a shop");
                            bail!(gone(key));
                        }
                    });
                }
                Ok(found)
            }
        }
    }

    /// The values under these keys, by the domain's names for them; none where there is no record. All reads of a file
    /// see it as it was at the first read. In a Redis the keys of one call are read at one moment.
    pub fn get(&mut self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
        match &mut self.from {
            From::Sqlite(connection, table) => {
                let mut select = connection.prepare_cached(table.value())?;
                let mut find = |key: &str| -> Result<Option<Vec<u8>>> {
                    select.query_row([key], |row| row.get(0)).optional().with_context(|| unreadable(&self.location))
                };
                let mut found = Vec::with_capacity(keys.len());
                for key in keys {
                    found.push(if *table == Table::KeyValue && is_created(key) {
                        let cell = find(&format!("{key}~"))?.unwrap_or_else(|| vec![0; 8]);
                        let token = crate::token(&cell).with_context(|| format!("{key}~ cannot be read"))?;
                        token.map_or(Ok(None), |token| find(&format!("{key}~{token}")))?
                    } else {
                        find(key)?
                    });
                }
                Ok(found)
            }
            From::Redis(_) if keys.is_empty() => Ok(Vec::new()),
            From::Redis(connection) => {
                redis::cmd("MGET").arg(keys).query(connection).with_context(|| unreadable(&self.location))
            }
        }
    }

    /// Passes on all records whose key begins with this, unchanged and sorted by key.
    pub fn each_raw(&mut self, prefix: &str, hand: impl FnMut(&str, Vec<u8>) -> Result<()>) -> Result<()> {
        let keys = self.keys()?.into_iter().filter(|key| key.starts_with(prefix));
        self.hand_over(&keys.map(|key| (key.clone(), key)).collect::<Vec<_>>(), hand)
    }

    /// The records by the domain's keys, sorted, and where each is kept. Records of self-tests and unclaimed ones are
    /// left out.
    pub fn records(&mut self) -> Result<Vec<(String, String)>> {
        let keys = self.keys()?;
        let mut records = Vec::with_capacity(keys.len());
        for key in keys.into_iter().filter(|key| !is_scratch(key)) {
            match key.strip_suffix('~') {
                Some(record) => {
                    let cell = self.values(std::slice::from_ref(&key))?.pop().unwrap_or_default();
                    let claim = crate::read(&key, &cell).with_context(|| format!("{key} cannot be read"))?;
                    records.extend(claim.as_str().map(|token| (record.to_owned(), format!("{key}{token}"))));
                }
                // It is found through its cell.
                None if key.contains('~') => {}
                None => records.push((key.clone(), key)),
            }
        }
        records.sort();
        Ok(records)
    }

    /// Passes on these records, one after another.
    pub fn hand_over(
        &mut self,
        records: &[(String, String)],
        mut hand: impl FnMut(&str, Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        for some in records.chunks(AT_ONCE) {
            let keys: Vec<_> = some.iter().map(|(_, key)| key.clone()).collect();
            for ((key, _), value) in some.iter().zip(self.values(&keys)?) {
                hand(key, value)?;
            }
        }
        Ok(())
    }
}

/// A store that was empty and is filled.
pub struct Target(To);

enum To {
    /// In one transaction, which writes all records or none.
    Sqlite(Connection, Table),
    /// In several commands. Items and their lists are written last.
    Redis { connection: redis::Connection, next: Vec<(String, Vec<u8>)>, last: Vec<(String, Vec<u8>)> },
}

impl Target {
    /// Opens a store, and makes it where there is none.
    pub fn open(location: &Location) -> Result<Self> {
        let table = match location {
            Location::Redis(url) => {
                let mut connection = connect(location, url)?;
                let keys: u64 = redis::cmd("DBSIZE").query(&mut connection)?;
                if keys > 0 {
                    let hint = "if a move was broken off here, empty it with FLUSHDB";
                    bail!("{location} is not empty, {keys} keys are there; {hint}");
                }
                let kept_free = KEPT_FREE.map(|key| (key, MOVING_IN));
                let alone: bool = redis::Commands::mset_nx(&mut connection, &kept_free)
                    .with_context(|| format!("{location} cannot be filled"))?;
                ensure!(alone, "{location} is being filled by another process");
                return Ok(Self(To::Redis { connection, next: Vec::new(), last: Vec::new() }));
            }
            Location::KeyValue(_) => Table::KeyValue,
            Location::Sqlite(_) => Table::Records,
            Location::File(file) if file.exists() => open(file)?.1,
            Location::File(file) => {
                let file = file.display();
                bail!("{file} is not there; key-value:{file} or sqlite:{file} says what to make");
            }
        };
        let (Location::File(file) | Location::KeyValue(file) | Location::Sqlite(file)) = location else {
            bail!("{location} is no file");
        };
        let filled = || format!("{location} cannot be filled");
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).with_context(filled)?;
        }
        for_its_owner(file).with_context(filled)?;
        let connection = Connection::open(file).with_context(filled)?;
        // From here on other processes wait for the file, or are waited for.
        connection.execute_batch("BEGIN IMMEDIATE").with_context(filled)?;
        connection.execute_batch(table.make()).with_context(filled)?;
        let keys: usize = {
            let mut keys = connection.prepare(table.keys()).with_context(filled)?;
            keys.query_map([], |_| Ok(())).with_context(filled)?.count()
        };
        ensure!(keys == 0, "{location} is not empty, {keys} keys are there");
        Ok(Self(To::Sqlite(connection, table)))
    }

    /// Writes a record, by the domain's key for it.
    pub fn put(&mut self, key: &str, value: Vec<u8>) -> Result<()> {
        if crate::is_removed(key, &value) {
            return Ok(());
        }
        match &mut self.0 {
            To::Sqlite(connection, table) => {
                let mut insert = connection.prepare_cached(table.insert())?;
                if *table == Table::KeyValue && is_created(key) {
                    let token = fastrand::u64(1..);
                    insert.execute((format!("{key}~"), token.to_le_bytes()))?;
                    insert.execute((format!("{key}~{token:016x}"), value))?;
                } else {
                    insert.execute((key, value))?;
                }
            }
            To::Redis { last, .. } if is_created(key) => last.push((key.to_owned(), value)),
            To::Redis { connection, next, .. } => {
                next.push((key.to_owned(), value));
                if next.len() >= AT_ONCE {
                    set(connection, next)?;
                }
            }
        }
        Ok(())
    }

    /// Ends the import: from now on the store is a shop's.
    pub fn finish(self) -> Result<()> {
        match self.0 {
            To::Sqlite(connection, _) => Ok(connection.execute_batch("COMMIT")?),
            To::Redis { mut connection, mut next, mut last } => {
                set(&mut connection, &mut next)?;
                // The ledger before the items that can be ordered, and the catalog after the items that it lists.
                last.sort_by_key(|(key, _)| (key != "ledger", key == "catalog"));
                let unused: Vec<_> =
                    KEPT_FREE.into_iter().filter(|free| last.iter().all(|(key, _)| key != free)).collect();
                last.into_iter().try_for_each(|record| set(&mut connection, &mut vec![record]))?;
                if !unused.is_empty() {
                    let () = redis::Commands::del(&mut connection, unused)?;
                }
                Ok(())
            }
        }
    }
}

/// Writes records to a Redis.
fn set(connection: &mut redis::Connection, records: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    if !records.is_empty() {
        let () = redis::Commands::mset(connection, records).context("the Redis cannot be filled")?;
        records.clear();
    }
    Ok(())
}

/// Whether the key-value store keeps this record through a claim cell.
fn is_created(key: &str) -> bool {
    ["catalog", "ledger", "refunding", "swept"].contains(&key) || key.starts_with("inventory:")
}

fn unreadable(location: &(impl fmt::Display + ?Sized)) -> String {
    format!("{location} is no store that can be read")
}

/// Opens a SQLite file to be read, and says which kind it is.
fn open(file: &Path) -> Result<(Connection, Table)> {
    let file_name = file.display();
    ensure!(file.exists(), "{file_name} is not there; --store says which file to read");
    let unreadable = || unreadable(&file_name);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).with_context(unreadable)?;
    let mut refused = None;
    for table in Table::ALL {
        match connection.prepare(table.keys()).map(drop) {
            Ok(()) => return Ok((connection, table)),
            Err(error) => refused = Some(error),
        }
    }
    let missing = rusqlite::Error::InvalidParameterName(format!("it has no table {}", Table::Records.name()));
    Err(refused.unwrap_or(missing)).with_context(unreadable)
}

fn connect(location: &Location, url: &str) -> Result<redis::Connection> {
    let connected = redis::Client::open(url).and_then(|client| client.get_connection_with_timeout(TIMEOUT));
    let connection = connected.with_context(|| format!("{location} cannot be reached"))?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    Ok(connection)
}

/// All keys of a Redis, each once.
fn scan(connection: &mut impl ConnectionLike) -> RedisResult<Vec<String>> {
    let (mut keys, mut cursor) = (BTreeSet::new(), 0_u64);
    loop {
        let (next, some): (u64, Vec<String>) =
            redis::cmd("SCAN").arg(cursor).arg("COUNT").arg(1000).query(connection)?;
        keys.extend(some);
        cursor = next;
        if cursor == 0 {
            return Ok(keys.into_iter().collect());
        }
    }
}

/// Makes a file where it is not there that only its owner reads. SQLite gives its mode to the files beside it.
fn for_its_owner(file: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

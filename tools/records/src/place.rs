//! Where a shop keeps its records: each store as it is, read and filled from below.

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

/// So many values are read from a Redis, or written to it, at once; a record has up to 1 MB.
const AT_ONCE: usize = 16;

/// What stands under [`KEPT_FREE`] while a shop moves in.
const MOVING_IN: &str = "a shop is moving in: if that was broken off, empty this database and begin again";

/// What a shop that is started on an empty store makes by itself. Nothing that is there is ever overwritten by it: so it
/// makes nothing, and sells nothing.
const KEPT_FREE: [&str; 5] = ["inventory:item1", "inventory:item2", "inventory:item3", "ledger", "catalog"];

/// What a store is tried with, and what is written to a Redis to learn whether its replicas have all before it: no records
/// of a shop.
fn is_scratch(key: &str) -> bool {
    key.starts_with("probe:") || key == "fence"
}

/// A store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A SQLite file, of whichever kind its tables say.
    File(PathBuf),
    /// The SQLite file of Spin's key-value store.
    KeyValue(PathBuf),
    /// The SQLite file of Spin's database.
    Sqlite(PathBuf),
    /// A database of a Redis, by its URL.
    Redis(String),
}

impl FromStr for Place {
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

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) | Self::KeyValue(file) | Self::Sqlite(file) => file.display().fmt(f),
            // Without the login that may be in it.
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
    /// Of the key-value store: what is created is kept under a name of its own, which its claim cell names.
    KeyValue,
    /// Of a database.
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
    place: Place,
    from: From,
}

enum From {
    Sqlite(Connection, Table),
    Redis(redis::Connection),
}

impl Source {
    /// Opens a store. A file is seen as it is now, whoever changes it meanwhile.
    pub fn open(place: &Place) -> Result<Self> {
        let from = match place {
            Place::Redis(url) => From::Redis(connect(place, url)?),
            Place::File(file) | Place::KeyValue(file) | Place::Sqlite(file) => {
                let (connection, table) = open(file)?;
                let other = match place {
                    Place::KeyValue(_) => table != Table::KeyValue,
                    Place::Sqlite(_) => table != Table::Records,
                    _ => false,
                };
                ensure!(!other, "{place} is a store of the other kind");
                connection.execute_batch("BEGIN").with_context(|| unreadable(place))?;
                From::Sqlite(connection, table)
            }
        };
        Ok(Self { place: place.clone(), from })
    }

    /// All keys as they are, sorted.
    fn keys(&mut self) -> Result<Vec<String>> {
        let unreadable = || unreadable(&self.place);
        match &mut self.from {
            From::Sqlite(connection, table) => {
                let mut keys = connection.prepare(table.keys()).with_context(unreadable)?;
                let keys = keys.query_map([], |row| row.get(0)).with_context(unreadable)?;
                keys.collect::<Result<_, _>>().with_context(unreadable)
            }
            From::Redis(connection) => scan(connection).with_context(unreadable),
        }
    }

    /// What is under these keys, all of which are there.
    fn values(&mut self, keys: &[String]) -> Result<Vec<Vec<u8>>> {
        let gone = |key: &String| format!("{key} is gone: stop the shop first");
        match &mut self.from {
            From::Sqlite(connection, table) => {
                let mut select = connection.prepare_cached(table.value())?;
                let value = |key: &String| {
                    let value = select.query_row([key], |row| row.get(0)).optional();
                    value.with_context(|| unreadable(&self.place))?.with_context(|| gone(key))
                };
                keys.iter().map(value).collect()
            }
            From::Redis(connection) => {
                let values: Vec<Option<Vec<u8>>> =
                    redis::cmd("MGET").arg(keys).query(connection).with_context(|| unreadable(&self.place))?;
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

    /// What is under these keys, by the names that the rules know them by; none where nothing is. A file is seen as it was
    /// at the first read since it was opened. In a Redis the keys of one call are read at one moment.
    pub fn get(&mut self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
        match &mut self.from {
            From::Sqlite(connection, table) => {
                let mut select = connection.prepare_cached(table.value())?;
                let mut find = |key: &str| -> Result<Option<Vec<u8>>> {
                    select.query_row([key], |row| row.get(0)).optional().with_context(|| unreadable(&self.place))
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
                redis::cmd("MGET").arg(keys).query(connection).with_context(|| unreadable(&self.place))
            }
        }
    }

    /// Hands over everything as it is, sorted by key, whose key begins like this.
    pub fn each_raw(&mut self, prefix: &str, hand: impl FnMut(&str, Vec<u8>) -> Result<()>) -> Result<()> {
        let keys = self.keys()?.into_iter().filter(|key| key.starts_with(prefix));
        self.hand_over(&keys.map(|key| (key.clone(), key)).collect::<Vec<_>>(), hand)
    }

    /// The records under the keys that the rules know them by, sorted, and where each is. What a store was tried with, and
    /// what nobody has claimed, is none.
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
                // Is found through its cell.
                None if key.contains('~') => {}
                None => records.push((key.clone(), key)),
            }
        }
        records.sort();
        Ok(records)
    }

    /// Hands over these records in turn.
    pub fn hand_over(
        &mut self,
        records: &[(String, String)],
        mut hand: impl FnMut(&str, Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        for some in records.chunks(AT_ONCE) {
            let places: Vec<_> = some.iter().map(|(_, place)| place.clone()).collect();
            for ((key, _), value) in some.iter().zip(self.values(&places)?) {
                hand(key, value)?;
            }
        }
        Ok(())
    }
}

/// A store that was empty and is filled.
pub struct Target(To);

enum To {
    /// In one transaction: nothing is there before all is.
    Sqlite(Connection, Table),
    /// Some records after others. What can be sold, and what lists it, waits.
    Redis { connection: redis::Connection, next: Vec<(String, Vec<u8>)>, last: Vec<(String, Vec<u8>)> },
}

impl Target {
    /// Opens a store, and makes it where there is none.
    pub fn open(place: &Place) -> Result<Self> {
        let table = match place {
            Place::Redis(url) => {
                let mut connection = connect(place, url)?;
                let keys: u64 = redis::cmd("DBSIZE").query(&mut connection)?;
                if keys > 0 {
                    let hint = "if a move was broken off here, empty it with FLUSHDB";
                    bail!("{place} is not empty, {keys} keys are there; {hint}");
                }
                let kept_free = KEPT_FREE.map(|key| (key, MOVING_IN));
                let alone: bool = redis::Commands::mset_nx(&mut connection, &kept_free)
                    .with_context(|| format!("{place} cannot be filled"))?;
                ensure!(alone, "{place} is being filled by somebody else");
                return Ok(Self(To::Redis { connection, next: Vec::new(), last: Vec::new() }));
            }
            Place::KeyValue(_) => Table::KeyValue,
            Place::Sqlite(_) => Table::Records,
            Place::File(file) if file.exists() => open(file)?.1,
            Place::File(file) => {
                let file = file.display();
                bail!("{file} is not there; key-value:{file} or sqlite:{file} says what to make");
            }
        };
        let (Place::File(file) | Place::KeyValue(file) | Place::Sqlite(file)) = place else {
            bail!("{place} is no file");
        };
        let filled = || format!("{place} cannot be filled");
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).with_context(filled)?;
        }
        let connection = Connection::open(file).with_context(filled)?;
        // Whoever else has it open now waits, or is waited for.
        connection.execute_batch("BEGIN IMMEDIATE").with_context(filled)?;
        connection.execute_batch(table.make()).with_context(filled)?;
        let keys: usize = {
            let mut keys = connection.prepare(table.keys()).with_context(filled)?;
            keys.query_map([], |_| Ok(())).with_context(filled)?.count()
        };
        ensure!(keys == 0, "{place} is not empty, {keys} keys are there");
        Ok(Self(To::Sqlite(connection, table)))
    }

    /// Puts in a record, under the key that the rules know it by.
    pub fn put(&mut self, key: &str, value: Vec<u8>) -> Result<()> {
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

    /// Everything is in: from now on it is a shop.
    pub fn finish(self) -> Result<()> {
        match self.0 {
            To::Sqlite(connection, _) => Ok(connection.execute_batch("COMMIT")?),
            To::Redis { mut connection, mut next, mut last } => {
                set(&mut connection, &mut next)?;
                // The ledger before what can be ordered, the catalog after all that is in it.
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

/// Whether stores in which records are created keep this one that way.
fn is_created(key: &str) -> bool {
    ["catalog", "ledger"].contains(&key) || key.starts_with("inventory:")
}

fn unreadable(place: &(impl fmt::Display + ?Sized)) -> String {
    format!("{place} is no store that can be read")
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

fn connect(place: &Place, url: &str) -> Result<redis::Connection> {
    let connected = redis::Client::open(url).and_then(|client| client.get_connection_with_timeout(TIMEOUT));
    let connection = connected.with_context(|| format!("{place} cannot be reached"))?;
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

//! A store that is filled before the load begins.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;
use harness::{RedisServer, Target};
use records::Item;
use records::location::{self, Location};
use rusqlite::Connection;
use serde::Serialize;
use serde_json::json;
use tempfile::TempDir;

/// The units of each item at first: more than are ever sold.
pub(crate) const PLENTY: u64 = 10_000_000;

/// What one costs. Prices are not what this is about.
const PRICE: u64 = 1000;

/// How SQLite makes sure of its commits. The mode is kept in the file, so it holds for every program that opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Journal {
    /// SQLite's default, and so Spin's
    Delete,
    /// A write-ahead log
    Wal,
}

impl Journal {
    /// As SQLite calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Wal => "wal",
        }
    }

    /// Makes it the store's.
    pub fn set(self, store: &Connection) -> Result<()> {
        let mode: String = store.query_row(&format!("PRAGMA journal_mode={}", self.name()), [], |row| row.get(0))?;
        ensure!(mode == self.name(), "the store's journal is {mode} and not {}", self.name());
        Ok(())
    }
}

/// A store of its own, gone when it is dropped.
pub(crate) struct Store {
    state: TempDir,
    pub(crate) redis: Option<RedisServer>,
    pub(crate) location: Location,
}

impl Store {
    /// A store of the kind that the target has, with these items. They are written to the store itself: over HTTP each
    /// new item would write the catalog anew.
    pub(crate) fn fill(target: Target, journal: Journal, items: &[String]) -> Result<Self> {
        // Not the system's directory for such things, which may be in memory.
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/soak");
        fs::create_dir_all(&directory)?;
        let state = tempfile::tempdir_in(directory.canonicalize()?)?;
        let redis = target.has_redis().then(RedisServer::start).transpose()?;
        let location = match (&redis, target) {
            (Some(redis), _) => Location::Redis(redis.url()),
            (None, Target::Local) => Location::KeyValue(file(state.path(), "sqlite_key_value.db", journal)?),
            (None, Target::FermyonCloud) => Location::Sqlite(file(state.path(), "sqlite_db.db", journal)?),
            (None, target) => bail!("it is not known which store {target} has"),
        };
        let store = Self { state, redis, location };
        // Thousands of writes that need not be on the disk one by one.
        store.sync("no")?;
        store.put(items)?;
        store.sync("always")?;
        Ok(store)
    }

    /// Where a server keeps its files.
    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }

    fn put(&self, items: &[String]) -> Result<()> {
        let mut listed: Vec<_> = items.iter().collect();
        listed.sort_unstable();
        let mut target = location::Target::open(&self.location)?;
        target.put("ledger", serde_json::to_vec(&json!({ "id": "soak", "next": 0, "by": "" }))?)?;
        target.put("catalog", serde_json::to_vec(&json!({ "items": listed }))?)?;
        let item = Item { on_hand: PLENTY, unit_price: PRICE, ..Item::default() }.encode();
        items.iter().try_for_each(|id| target.put(&format!("inventory:{id}"), item.clone()))?;
        target.finish()
    }

    fn sync(&self, when: &str) -> Result<()> {
        if let Some(redis) = &self.redis {
            let mut connection = redis.connect()?;
            redis::cmd("CONFIG").arg(&["SET", "appendfsync", when]).exec(&mut connection)?;
        }
        Ok(())
    }
}

/// A file with this journal.
fn file(state: &Path, name: &str, journal: Journal) -> Result<PathBuf> {
    let file = state.join(name);
    journal.set(&Connection::open(&file)?)?;
    Ok(file)
}

//! The stores that measurements start from: filled once, then copied for each.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use harness::process::{NEVER, Program};
use harness::{Client, Request};
use rusqlite::{Connection, params};

pub use soak::Journal;

use crate::client::{ask, item_id, order, place};
use crate::server::{Application, Server, Settings};

/// Where Spin's key-value store lies below its state directory.
const FILE_NAME: &str = "sqlite_key_value.db";

/// The files of Spin's stores.
const FILES: [&str; 2] = [FILE_NAME, "sqlite_db.db"];

/// More than is ever sold here.
const PLENTY: u64 = 100_000_000;

/// What there is to measure with, wherever that is.
#[derive(Clone, Debug)]
pub struct Stock {
    pub items: usize,
    /// Orders that are not paid, one an item.
    pub pending: Vec<String>,
    /// Orders that are not paid, to be paid.
    pub unpaid: Vec<String>,
    /// An order that is paid.
    pub paid: String,
}

impl Stock {
    /// Makes `items` items, and `unpaid` orders beside those that there always are. `put` is the request for an item.
    pub fn make(client: &Client, items: usize, unpaid: usize, put: impl Fn(usize) -> Request) -> Result<Self> {
        for item in 0..items {
            ask(client, &put(item))?;
        }
        let orders = |count: usize| (0..count).map(|number| order(&[number % items])).collect::<Vec<_>>();
        let pending = place(client, &orders(items.min(100)))?;
        let unpaid = place(client, &orders(unpaid))?;
        let paid = place(client, &orders(1))?.pop().context("an order was placed")?;
        ask(client, &Request::pay(&paid))?;
        Ok(Self { items, pending, unpaid, paid })
    }

    /// For a server that makes items as the first of these systems did.
    pub fn restock(client: &Client, items: usize, unpaid: usize) -> Result<Self> {
        let restock = |item| Request::post(format!("/bench/restock/{}/{PLENTY}", item_id(item)));
        Self::make(client, items, unpaid, restock)
    }
}

/// A store, with its stock.
#[derive(Clone, Debug)]
pub struct Template {
    /// The state directory that it is in.
    directory: PathBuf,
    pub stock: Stock,
}

impl Template {
    /// Fills a store through the application itself. It is kept in `directory`, which has to be there for it alone.
    pub fn make(
        directory: &Path,
        journal: Journal,
        program: &Program,
        application: Application,
        items: usize,
        unpaid: usize,
    ) -> Result<Self> {
        fs::create_dir_all(directory)?;
        FILES.iter().try_for_each(|file| journal.set(&Connection::open(directory.join(file))?))?;
        let put = |item| Request::create(&item_id(item), 1000, PLENTY);
        let stock = while_served(directory, program, application, |client| Stock::make(client, items, unpaid, put))?;
        Ok(Self { directory: directory.to_owned(), stock })
    }

    /// Places one-line orders for an item through the application itself until it holds as many, in a copy.
    pub fn with_holds(
        &self,
        directory: &Path,
        program: &Program,
        application: Application,
        orders: usize,
    ) -> Result<Self> {
        let copy = self.copy(directory)?;
        while_served(directory, program, application, |client| place(client, &vec![order(&[0]); orders]).map(drop))?;
        Ok(copy)
    }

    /// A copy with this number of orders more, all paid. Their records are those that the application has written for
    /// one, byte for byte but for the id.
    pub fn with_orders(&self, directory: &Path, journal: Journal, orders: usize) -> Result<Self> {
        let copy = self.copy(directory)?;
        let mut store = Connection::open(copy.directory.join(FILE_NAME))?;
        let settings = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-4000000;";
        store.execute_batch(settings)?;
        let paid = &self.stock.paid;
        let read = |key: String| -> Result<String> {
            let text = "SELECT CAST(value AS TEXT) FROM spin_key_value WHERE store='default' AND key=?1";
            store.query_row(text, [&key], |row| row.get(0)).with_context(|| format!("there is no {key}"))
        };
        let (order, payment) = (read(format!("order:{paid}"))?, read(format!("payment:{paid}"))?);
        ensure!(order.contains(paid), "the record of an order does not say its id as text");
        let transaction = store.transaction()?;
        {
            let mut insert =
                transaction.prepare("INSERT INTO spin_key_value VALUES ('default', ?1, CAST(?2 AS BLOB))")?;
            // The same orders every time.
            let mut rng = Rng::with_seed(1);
            for _ in 0..orders {
                let id = uuid::Builder::from_random_bytes(rng.u128(..).to_le_bytes()).into_uuid().to_string();
                insert.execute(params![format!("order:{id}"), order.replace(paid, &id)])?;
                insert.execute(params![format!("payment:{id}"), payment.replace(paid, &id)])?;
            }
        }
        transaction.commit()?;
        journal.set(&store)?;
        Ok(copy)
    }

    /// A copy in `directory`, all of it on the disk, so that nothing of it is left to be written while something is
    /// measured.
    pub fn copy(&self, directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        FILES.iter().try_for_each(|file| copy_file(&self.directory.join(file), &directory.join(file)))?;
        // Only some applications have one.
        if self.directory.join(Server::REDIS).is_dir() {
            copy_all(&self.directory.join(Server::REDIS), &directory.join(Server::REDIS))?;
        }
        Ok(Self { directory: directory.to_owned(), stock: self.stock.clone() })
    }
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() { copy_all(&entry.path(), &to)? } else { copy_file(&entry.path(), &to)? }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)?;
    Ok(File::open(to)?.sync_all()?)
}

/// Does something with a server on the store in `directory`, and leaves the store in one file.
fn while_served<T>(
    directory: &Path,
    program: &Program,
    application: Application,
    work: impl FnOnce(&Client) -> Result<T>,
) -> Result<T> {
    let settings = Settings { state: directory.to_owned(), payment_window: NEVER, cache: None, provider: None };
    let server = Server::start(program, application, &settings)?;
    let result = work(server.client());
    drop(server);
    for file in FILES {
        let store = Connection::open(directory.join(file))?;
        store.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    result
}

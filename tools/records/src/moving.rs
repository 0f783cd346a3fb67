//! Moves all records of a shop from one store into another, or into a file and back, and checks the books on both
//! sides.

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use records::location::{Location, Source, Target};
use records::{Balance, Books};
use sha2::{Digest as _, Sha256};

use crate::ndjson::{self, Writer};

/// A digest of records, by which two sets of records are compared.
#[derive(Clone, Default)]
pub struct Digest {
    records: u64,
    sha256: Sha256,
}

impl Digest {
    /// Adds a record. Records come sorted by key.
    pub fn enter(&mut self, key: &str, value: &[u8]) {
        self.records += 1;
        for part in [key.as_bytes(), value] {
            self.sha256.update((part.len() as u64).to_be_bytes());
            self.sha256.update(part);
        }
    }

    pub fn records(&self) -> u64 {
        self.records
    }

    pub fn sha256(&self) -> String {
        hex::encode(self.sha256.clone().finalize())
    }
}

/// The digest and the books of a shop's records.
#[derive(Default)]
struct Account {
    digest: Digest,
    books: Books,
}

impl Account {
    fn enter(&mut self, key: &str, value: &[u8]) -> Result<()> {
        self.digest.enter(key, value);
        Ok(self.books.enter(key, value)?)
    }

    fn is_like(&self, other: &Self) -> bool {
        self.digest.sha256() == other.digest.sha256()
    }
}

/// Shows the progress on a terminal.
struct Progress {
    bar: ProgressBar,
    begun: Instant,
}

impl Progress {
    fn new() -> Result<Self> {
        let style = ProgressStyle::with_template("{msg}: {bar:30} {pos}/{len} records, {eta} left")?;
        let bar = ProgressBar::new(0).with_style(style);
        bar.enable_steady_tick(Duration::from_secs(1));
        Ok(Self { bar, begun: Instant::now() })
    }

    fn next(&self, what: String, records: u64) {
        self.bar.set_message(what);
        self.bar.set_length(records);
        self.bar.set_position(0);
    }

    fn end(self, what: &str, digest: &Digest, balance: &Balance) {
        self.bar.finish_and_clear();
        eprintln!("{what}: {} records in {:.1?}; {balance}", digest.records(), self.begun.elapsed());
    }
}

/// Reads a store from beginning to end, and passes on each record.
fn read(location: &Location, progress: &Progress, mut hand: impl FnMut(&str, &[u8]) -> Result<()>) -> Result<Account> {
    let mut source = Source::open(location)?;
    let records = source.records()?;
    progress.next(format!("reading {location}"), records.len() as u64);
    let mut account = Account::default();
    source.hand_over(&records, |key, value| {
        account.enter(key, &value)?;
        hand(key, &value)?;
        progress.bar.inc(1);
        Ok(())
    })?;
    Ok(account)
}

/// Reads a store once more, and makes sure that nothing has changed.
fn read_again(location: &Location, progress: &Progress, before: &Account) -> Result<()> {
    let again = read(location, progress, |_, _| Ok(()))?;
    ensure!(again.is_like(before), "{location} has changed meanwhile: stop the shop, and begin again");
    Ok(())
}

/// The balance of a store's books.
fn balance(location: &str, account: &Account) -> Result<Balance> {
    account.books.balance().with_context(|| format!("the books of {location} are not in order"))
}

/// Makes sure that a store has the records that were written to it.
fn check(location: &Location, progress: &Progress, sent: &Account) -> Result<Balance> {
    let arrived = read(location, progress, |_, _| Ok(()))?;
    ensure!(arrived.is_like(sent), "{location} does not have what was put into it");
    balance(&location.to_string(), &arrived)
}

/// Moves all records of one store into another.
pub fn carry(from: &Location, to: &Location) -> Result<()> {
    let progress = Progress::new()?;
    // Checked before anything is written to the other store.
    Source::open(from)?;
    let mut target = Target::open(to)?;
    let sent = read(from, &progress, |key, value| target.put(key, value.to_vec()))?;
    let before = balance(&from.to_string(), &sent)?;
    read_again(from, &progress, &sent)?;
    target.finish()?;
    let after = check(to, &progress, &sent)?;
    ensure!(before == after, "the books differ: {before} in {from}, {after} in {to}");
    progress.end(&format!("moved from {from} to {to}"), &sent.digest, &after);
    Ok(())
}

/// Writes all records of a store as lines of JSON.
pub fn export(from: &Location, to: impl Write) -> Result<()> {
    let progress = Progress::new()?;
    Source::open(from)?;
    let mut writer = Writer::begin(to)?;
    let sent = read(from, &progress, |key, value| writer.record(key, value))?;
    let balance = balance(&from.to_string(), &sent)?;
    read_again(from, &progress, &sent)?;
    writer.end(&sent.digest)?;
    progress.end(&format!("exported from {from}"), &sent.digest, &balance);
    Ok(())
}

/// Writes exported records to a store.
pub fn import(from: impl BufRead, to: &Location) -> Result<()> {
    let progress = Progress::new()?;
    let mut target = Target::open(to)?;
    let mut sent = Account::default();
    ndjson::read(from, |key, value| {
        sent.enter(key, &value)?;
        progress.bar.inc(1);
        target.put(key, value)
    })?;
    let before = balance("what was exported", &sent)?;
    target.finish()?;
    let after = check(to, &progress, &sent)?;
    ensure!(before == after, "the books differ: {before} were exported, {after} are in {to}");
    progress.end(&format!("imported into {to}"), &sent.digest, &after);
    Ok(())
}

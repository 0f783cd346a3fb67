//! Prints what is in a store: see `--help`.

mod moving;
mod ndjson;
mod stripe;

use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};

use records::location::{Location, Source};
use records::reconcile::{self, Accounts};

/// Prints the records in a store, each on a line: its key, a tab, and what is there as JSON.
///
/// The store is only read, and may be in use. A STORE is the SQLite file of a key-value store, that of a database
/// (.spin/sqlite_db.db), or the URL of a Redis (redis://host:port/database).
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// Which store
    #[arg(long, value_name = "STORE", default_value = ".spin/sqlite_key_value.db")]
    store: Location,

    /// Only records whose key begins like this
    #[arg(value_name = "KEY", default_value = "")]
    prefix: String,
}

#[derive(Subcommand)]
enum Command {
    /// Moves all records of a shop that is stopped into another store, which has to be empty
    ///
    /// A file that is not there yet is named with its kind: key-value:FILE or sqlite:FILE. The books are checked on
    /// both sides, and the source stays as it is.
    Move {
        #[arg(long, value_name = "STORE")]
        from: Location,
        #[arg(long, value_name = "STORE")]
        to: Location,
    },
    /// Writes all records of a shop that is stopped to standard output, as lines of JSON
    Export {
        #[arg(long, value_name = "STORE")]
        from: Location,
    },
    /// Compares the orders of a shop, which may be in use, with what its Stripe account has charged, and prints every
    /// difference; the exit code is 2 where there is one
    ///
    /// It reads the shop before and after the account, and prints what differs both times: a payment that is under way
    /// is no difference. All charges and refunds of the account are read, 100 a request; those that name no order are
    /// passed over. A restricted key is enough that may read charges and refunds.
    Reconcile {
        /// Which store the shop keeps its records in
        #[arg(long, value_name = "STORE", default_value = ".spin/sqlite_key_value.db")]
        store: Location,
        /// The file that has the account's secret key, or - for standard input; a key is no argument, which others see
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Where Stripe is
        #[arg(long, value_name = "URL", default_value = "https://api.stripe.com")]
        api: String,
    },
    /// Reads what was exported from standard input into a store, which has to be empty; see move
    Import {
        #[arg(long, value_name = "STORE")]
        to: Location,
    },
}

/// The exit code of a comparison that has found something.
const DIFFERENT: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Command::Reconcile { store, key, api }) = &arguments.command {
        return match reconcile(store, key, api) {
            Ok(0) => ExitCode::SUCCESS,
            Ok(_) => ExitCode::from(DIFFERENT),
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    let done = match &arguments.command {
        None => print(&arguments.store, &arguments.prefix),
        Some(Command::Move { from, to }) => moving::carry(from, to),
        Some(Command::Export { from }) => moving::export(from, BufWriter::new(io::stdout().lock())),
        Some(Command::Reconcile { .. }) => Ok(()),
        Some(Command::Import { to }) => moving::import(BufReader::new(io::stdin().lock()), to),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that has closed the output needs no more of it. But an incomplete export is an error.
        Err(error) if arguments.command.is_none() && is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints how a shop and its Stripe account differ, and answers in how many ways.
fn reconcile(store: &Location, key: &Path, api: &str) -> anyhow::Result<usize> {
    let key = match key.to_str() {
        Some("-") => io::read_to_string(io::stdin())?,
        _ => std::fs::read_to_string(key).with_context(|| key.display().to_string())?,
    };
    let account = stripe::Account::new(api, key.trim())?;
    let before = accounts(store)?;
    let charges = account.charges()?;
    let after = accounts(store)?;
    let (before, after) = (before.by_order(), after.by_order());
    let found = reconcile::differences(&before, &charges);
    let found = reconcile::lasting(found, &reconcile::differences(&after, &charges));
    let mut output = io::stdout().lock();
    for difference in &found {
        writeln!(output, "{difference}")?;
    }
    writeln!(output, "{} orders, {} charges, {} differences", after.len(), charges.len(), found.len())?;
    Ok(found.len())
}

/// The orders in a store, as far as money is concerned.
fn accounts(store: &Location) -> anyhow::Result<Accounts> {
    let mut accounts = Accounts::default();
    let mut source = Source::open(store)?;
    for prefix in ["order:", "payment:"] {
        source.each_raw(prefix, |key, value| {
            accounts.enter(key, &value).with_context(|| format!("{key} cannot be read"))
        })?;
    }
    Ok(accounts)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints all records.
fn print(store: &Location, prefix: &str) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    let mut unreadable = 0;
    Source::open(store)?.each_raw(prefix, |key, value| {
        match records::line(key, &value) {
            Ok(line) => writeln!(output, "{key}\t{line}")?,
            Err(reason) => {
                eprintln!("{key} cannot be read: {reason}");
                unreadable += 1;
            }
        }
        Ok(())
    })?;
    if unreadable > 0 {
        bail!("{unreadable} records cannot be read");
    }
    Ok(())
}

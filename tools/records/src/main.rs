//! Prints what is in a store: see `--help`.

mod moving;
mod ndjson;
mod reconciling;

use std::io::{self, BufReader, BufWriter, Write};
use std::process::ExitCode;

use anyhow::bail;
use clap::{Parser, Subcommand};

use records::location::{Location, Source};

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
    /// difference
    ///
    /// Each difference is a line: the order, what the shop and what Stripe says, and what to do. The exit code is 0 where
    /// there is none, 2 where there are some, and 1 where not everything could be compared. What differs is read again
    /// before it is told: a payment that is under way is no difference. A restricted key is enough that may read charges,
    /// refunds, PaymentIntents and Checkout Sessions. Shops that share an account are compared together: name each.
    Reconcile(reconciling::Arguments),
    /// Reads what was exported from standard input into a store, which has to be empty; see move
    Import {
        #[arg(long, value_name = "STORE")]
        to: Location,
    },
}

/// The exit code of a comparison that has found something.
const DIFFERENT: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Not clap's own exit code, which is that of a difference.
        Err(told) => {
            let is_error = told.use_stderr();
            let _ = told.print();
            return if is_error { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    if let Some(Command::Reconcile(arguments)) = &arguments.command {
        return match reconciling::run(arguments) {
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
        Some(Command::Reconcile(_)) => Ok(()),
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

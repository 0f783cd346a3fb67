//! Prints what is in a store: see `--help`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Parser;
use rusqlite::{Connection, OpenFlags};

/// Prints the records in a store, each on a line: its key, a tab, and what is there as JSON.
///
/// The store is only read, and may be in use.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The SQLite file: of a key-value store, or the database of a target that has one (.spin/sqlite_db.db)
    #[arg(long, value_name = "FILE", default_value = ".spin/sqlite_key_value.db")]
    store: PathBuf,

    /// Only records whose key begins like this
    #[arg(value_name = "KEY", default_value = "")]
    prefix: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match print(&arguments.store, &arguments.prefix) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(unreadable) => {
            eprintln!("error: {unreadable} records cannot be read");
            ExitCode::FAILURE
        }
        // Whoever has closed our output does not want to read it.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints all records: how many there are that cannot be read.
fn print(store: &Path, prefix: &str) -> anyhow::Result<usize> {
    if !store.exists() {
        bail!("{} is not there; --store says which file to read", store.display());
    }
    let no_store = || format!("{} is no store that can be read", store.display());
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = Connection::open_with_flags(store, flags).with_context(no_store)?;
    // Keys are sorted byte by byte: those that begin alike stand together.
    let key_value = "SELECT key, value FROM spin_key_value WHERE store = 'default' AND key >= ?1 ORDER BY key";
    let sqlite = "SELECT key, value FROM records WHERE key >= ?1 ORDER BY key";
    let mut select = file.prepare(key_value).or_else(|_| file.prepare(sqlite)).with_context(no_store)?;
    let mut rows = select.query([prefix]).with_context(no_store)?;
    let mut output = io::stdout().lock();
    let mut unreadable = 0;
    while let Some(row) = rows.next().with_context(no_store)? {
        let (key, value): (String, Vec<u8>) = row.try_into().with_context(no_store)?;
        if !key.starts_with(prefix) {
            break;
        }
        match records::line(&key, &value) {
            Ok(line) => writeln!(output, "{key}\t{line}")?,
            Err(reason) => {
                eprintln!("{key} cannot be read: {reason}");
                unreadable += 1;
            }
        }
    }
    Ok(unreadable)
}

//! The SQLite database of `spin up`: a file, and a connection for each that a component opens. Error texts are
//! SQLite's, as Spin passes them on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::params_from_iter;
use rusqlite::types::ValueRef;

use crate::bindings::fermyon::spin::sqlite::{QueryResult, RowResult, Value};
use crate::error::Error;
use crate::keyvalue::{Budget, Failure, Journal};
use crate::stats::{Effect, Operation};

/// Where the default database lies below the state directory.
pub(crate) const FILE_NAME: &str = "sqlite_db.db";

/// The default database. The first connection makes its file.
pub(crate) struct Database {
    path: PathBuf,
    journal: Journal,
}

impl Database {
    pub(crate) fn new(path: &Path, journal: Journal) -> Self {
        Self { path: path.to_owned(), journal }
    }

    /// Sets the journal mode of the file. Done only where a component is granted the database. The key-value store has
    /// already made the directory.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        self.journal.put_file_in(&self.path)
    }

    pub(crate) fn connect(&self) -> Result<Connection, Failure> {
        let connection = rusqlite::Connection::open(&self.path).map_err(refused)?;
        Ok(Connection(Arc::new(Mutex::new(connection))))
    }
}

/// The operation that a statement is counted as.
pub(crate) fn operation(statement: &str) -> Operation {
    let verb = statement.split_whitespace().next().unwrap_or_default();
    if verb.eq_ignore_ascii_case("select") { Operation::Select } else { Operation::Change }
}

/// The database behind a component's handle.
#[derive(Clone)]
pub struct Connection(Arc<Mutex<rusqlite::Connection>>);

impl Connection {
    /// Executes a statement and tells its effect.
    pub(crate) fn execute(&self, statement: &str, parameters: Vec<Value>) -> Result<(QueryResult, Effect), Failure> {
        tokio::task::block_in_place(|| {
            let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            execute(&connection, statement, parameters)
        })
    }
}

fn execute(
    connection: &rusqlite::Connection,
    statement: &str,
    parameters: Vec<Value>,
) -> Result<(QueryResult, Effect), Failure> {
    let changes = connection.total_changes();
    let mut statement = connection.prepare_cached(statement).map_err(refused)?;
    let columns: Vec<_> = statement.column_names().into_iter().map(str::to_owned).collect();
    let width = columns.len();
    let reads = statement.readonly();
    let mut found = statement.query(params_from_iter(parameters.into_iter().map(to_sql))).map_err(refused)?;
    let mut rows = Vec::new();
    let mut budget = Budget::new();
    while let Some(row) = found.next().map_err(refused)? {
        let values = (0..width).map(|index| row.get_ref(index).map(from_sql));
        let values: Vec<_> = values.collect::<Result<_, _>>().map_err(refused)?;
        budget.spend(values.iter().map(size).sum())?;
        rows.push(RowResult { values });
    }
    let effect = match connection.total_changes() {
        _ if reads => Effect::Read,
        now if now != changes => Effect::Commit,
        _ => Effect::Nothing,
    };
    Ok((QueryResult { columns, rows }, effect))
}

fn to_sql(value: Value) -> rusqlite::types::Value {
    match value {
        Value::Integer(integer) => rusqlite::types::Value::Integer(integer),
        Value::Real(real) => rusqlite::types::Value::Real(real),
        Value::Text(text) => rusqlite::types::Value::Text(text),
        Value::Blob(bytes) => rusqlite::types::Value::Blob(bytes),
        Value::Null => rusqlite::types::Value::Null,
    }
}

fn from_sql(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Null => Value::Null,
    }
}

fn size(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
            Value::Integer(_) | Value::Real(_) | Value::Null => 0,
        }
}

fn refused(error: rusqlite::Error) -> Failure {
    Failure::Refused(error.to_string())
}

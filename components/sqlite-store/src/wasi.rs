//! The database of the host.

use std::rc::Rc;

use domain::StoreError;

use crate::bindings::fermyon::spin::sqlite::{self, Connection, Error};
use crate::{Database, Failure, Value};

/// A connection to a database of the host.
#[derive(Debug)]
pub struct SpinSqlite(Connection);

impl SpinSqlite {
    /// Opens the database with this label.
    pub fn open(label: &str) -> Result<Self, StoreError> {
        Connection::open(label).map(Self).map_err(unavailable)
    }
}

impl Database for Rc<SpinSqlite> {
    async fn execute(&self, statement: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, Failure> {
        let parameters: Vec<_> = parameters.iter().cloned().map(Into::into).collect();
        match self.0.execute(statement, &parameters) {
            Ok(result) => {
                Ok(result.rows.into_iter().map(|row| row.values.into_iter().map(Into::into).collect()).collect())
            }
            Err(Error::Io(message)) => Err(Failure::of(message)),
            Err(error) => Err(Failure::Failed(unavailable(error))),
        }
    }
}

impl From<Value> for sqlite::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text),
            Value::Blob(bytes) => Self::Blob(bytes),
            Value::Other => Self::Null,
        }
    }
}

impl From<sqlite::Value> for Value {
    fn from(value: sqlite::Value) -> Self {
        match value {
            sqlite::Value::Text(text) => Self::Text(text),
            sqlite::Value::Blob(bytes) => Self::Blob(bytes),
            sqlite::Value::Integer(_) | sqlite::Value::Real(_) | sqlite::Value::Null => Self::Other,
        }
    }
}

fn unavailable(error: Error) -> StoreError {
    StoreError::Unavailable(match error {
        Error::NoSuchDatabase => "there is no such database".to_owned(),
        Error::AccessDenied => "the component was not granted this database".to_owned(),
        Error::InvalidConnection => "the connection to the database is gone".to_owned(),
        Error::DatabaseFull => return StoreError::Full("the database is full".to_owned()),
        Error::Io(message) => message,
    })
}

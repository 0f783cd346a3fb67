//! `fermyon:spin/sqlite`.

use std::slice;

use wasmtime::component::Resource;

use crate::bindings::fermyon::spin::sqlite as database;
use crate::guest::{Guest, Other};
use crate::sqlite;
use crate::stats::{Effect, Operation};

impl Other for database::Error {
    fn other(reason: String) -> Self {
        Self::Io(reason)
    }
}

impl database::Host for Guest {}

impl database::HostConnection for Guest {
    fn open(&mut self, label: String) -> wasmtime::Result<Result<Resource<sqlite::Connection>, database::Error>> {
        let granted = self.grants.databases.contains(&label);
        let connect = |_| if granted { self.grants.database.connect().map(Some) } else { Ok(None) };
        Ok(match self.done(Operation::Open, slice::from_ref(&label), connect, |_| Effect::Nothing)? {
            Ok(Some(connection)) => Ok(self.table.push(connection)?),
            Ok(None) => Err(database::Error::AccessDenied),
            Err(error) => Err(error),
        })
    }

    fn execute(
        &mut self,
        connection: Resource<sqlite::Connection>,
        statement: String,
        parameters: Vec<database::Value>,
    ) -> wasmtime::Result<Result<database::QueryResult, database::Error>> {
        let connection = self.table.get(&connection)?.clone();
        // Each text parameter is a key, in all statements of the store.
        let text = |value: &database::Value| match value {
            database::Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        let keys: Vec<_> = parameters.iter().filter_map(text).collect();
        let execute = |_| connection.execute(&statement, parameters);
        let done = self.done(sqlite::operation(&statement), &keys, execute, |(_, effect)| *effect)?;
        Ok(done.map(|(result, _)| result))
    }

    fn drop(&mut self, connection: Resource<sqlite::Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

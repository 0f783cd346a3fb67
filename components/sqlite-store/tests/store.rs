//! The store on SQLite itself, with no host in between.

// A test fails by panicking; clippy knows that only of the test functions themselves, not of what they share.
#![allow(clippy::expect_used, clippy::panic)]

use std::cell::RefCell;
use std::time::Duration;

use domain::{Creation, Entry, Store, StoreError};
use rusqlite::types::{Value as Field, ValueRef};
use rusqlite::{Connection, params_from_iter};
use sqlite_store::{Database, Failure, SqliteStore, Value};
use store_contract::{Storage, TestEnvironment, item, now, sound, store_contract};

/// A database, and the statements that it has executed.
struct Native<'a> {
    connection: &'a Connection,
    statements: RefCell<Vec<String>>,
}

impl Database for Native<'_> {
    async fn execute(&self, statement: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, Failure> {
        self.statements.borrow_mut().push(statement.to_owned());
        rows(self.connection, statement, parameters).map_err(|error| Failure::of(error.to_string()))
    }
}

impl Database for &Native<'_> {
    async fn execute(&self, statement: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, Failure> {
        Native::execute(self, statement, parameters).await
    }
}

fn rows(connection: &Connection, statement: &str, parameters: &[Value]) -> rusqlite::Result<Vec<Vec<Value>>> {
    let parameters = parameters.iter().map(|value| match value {
        Value::Text(text) => Field::Text(text.clone()),
        Value::Blob(bytes) => Field::Blob(bytes.clone()),
        Value::Other => Field::Null,
    });
    let mut statement = connection.prepare(statement)?;
    let columns = statement.column_count();
    let rows = statement.query_map(params_from_iter(parameters), |row| {
        let field = |column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
                _ => Value::Other,
            })
        };
        (0..columns).map(field).collect()
    })?;
    rows.collect()
}

/// A database that is locked is waited for, which takes no time here.
const ENVIRONMENT: TestEnvironment = TestEnvironment { time_passes: true };

/// An empty database in memory.
struct InMemory(Connection);

impl Storage for InMemory {
    type Store<'a> = SqliteStore<Native<'a>, TestEnvironment>;

    fn empty() -> Self {
        Self(in_memory())
    }

    fn store(&self) -> Self::Store<'_> {
        SqliteStore::new(native(&self.0), ENVIRONMENT)
    }

    fn count(&self) -> usize {
        // Without a table there are none.
        rows(&self.0, "SELECT key FROM records", &[]).map_or(0, |rows| rows.len())
    }
}

store_contract!(InMemory);

fn native(connection: &Connection) -> Native<'_> {
    Native { connection, statements: RefCell::default() }
}

fn in_memory() -> Connection {
    Connection::open_in_memory().expect("there is memory")
}

fn entry(name: &str, value: &[u8]) -> Entry {
    Entry::new(format!("inventory:{name}"), value.to_vec())
}

#[test]
fn the_table_is_made_once_by_the_first_statement_that_misses_it() {
    let connection = in_memory();
    let database = native(&connection);
    let store = SqliteStore::new(&database, ENVIRONMENT);
    assert_eq!(now(store.get(&[item("a")])).map(sound), Ok(vec![None]));
    assert_eq!(now(store.get(&[item("a")])).map(sound), Ok(vec![None]));
    let made = database.statements.borrow().iter().filter(|statement| statement.starts_with("CREATE")).count();
    assert_eq!((database.statements.borrow().len(), made), (4, 1));
}

#[test]
fn records_are_inserted_and_removed_in_one_statement() {
    let connection = in_memory();
    let database = native(&connection);
    let store = SqliteStore::new(&database, ENVIRONMENT);
    let records: Vec<_> = ["a", "b", "c"].map(|name| (item(name), name.as_bytes().to_vec())).into();
    assert_eq!(now(store.get(&[])).map(sound), Ok(Vec::new()));
    assert_eq!(now(store.put(records.clone())), Ok(Vec::new()));
    database.statements.borrow_mut().clear();
    let entries = now(store.insert(records)).expect("they are inserted");
    assert_eq!(entries, [entry("a", b"a"), entry("b", b"b"), entry("c", b"c")]);
    now(store.remove(&[item("a"), item("c")])).expect("they are removed");
    assert_eq!(database.statements.borrow().len(), 2);
    let found = now(store.get(&[item("a"), item("b"), item("c")]));
    assert_eq!(found.map(sound), Ok(vec![None, Some(entry("b", b"b")), None]));
}

#[test]
fn of_several_connections_to_a_new_file_one_creates_a_record() {
    let directory = tempfile::tempdir().expect("a folder can be made");
    for round in 0..20 {
        let path = directory.path().join(format!("{round}.db"));
        let create = |number: u8| {
            let connection = Connection::open(&path).expect("the file can be opened");
            let database = native(&connection);
            now(SqliteStore::new(&database, ENVIRONMENT).create(&item("a"), vec![number]))
        };
        let created = std::thread::scope(|scope| {
            let others: Vec<_> = (0..4).map(|number| scope.spawn(move || create(number))).collect();
            others.into_iter().map(|other| other.join().expect("it does not panic")).collect::<Vec<_>>()
        });
        let count = |outcome| created.iter().filter(|created| **created == Ok(outcome)).count();
        assert_eq!((count(Creation::Created), count(Creation::Exists)), (1, 3), "{created:?}");
    }
}

#[test]
fn a_locked_database_is_tried_again_and_then_given_up() {
    let directory = tempfile::tempdir().expect("a folder can be made");
    let open = || Connection::open(directory.path().join("a.db")).expect("the file can be opened");
    let (connection, other) = (open(), open());
    connection.busy_timeout(Duration::ZERO).expect("it can be set");
    let database = native(&connection);
    let store = SqliteStore::new(&database, ENVIRONMENT);
    now(store.put(vec![(item("a"), b"1".to_vec())])).expect("it is written");
    database.statements.borrow_mut().clear();
    other.execute_batch("BEGIN IMMEDIATE").expect("it can be locked");
    let refused = now(store.put(vec![(item("b"), b"1".to_vec())]));
    assert_eq!(refused, Err(StoreError::Unavailable("database is locked".to_owned())));
    assert_eq!(database.statements.borrow().len(), 4);
    other.execute_batch("ROLLBACK").expect("it can be unlocked");
    now(store.put(vec![(item("b"), b"1".to_vec())])).expect("it is written");
}

#[test]
fn a_database_that_fails_the_self_test_is_refused() {
    let connection = in_memory();
    let database = native(&connection);
    let store = SqliteStore::new(&database, ENVIRONMENT);
    now(store.probe()).expect("it is sound");
    // The database stores another value than the one that is written.
    let lie =
        "CREATE TRIGGER lie AFTER UPDATE ON records BEGIN UPDATE records SET value = x'00' WHERE key = new.key; END";
    connection.execute(lie, []).expect("a trigger can be made");
    assert!(matches!(now(store.probe()), Err(StoreError::ContractViolation(_))));
}

#[test]
fn what_sqlite_says_is_passed_on_and_nothing_is_overwritten() {
    // A table of another shape, a full database, and one that cannot be written to.
    for (fault, message) in [
        ("DROP TABLE records; CREATE TABLE records (k, v)", "no column"),
        ("PRAGMA max_page_count = 3", "full"),
        ("PRAGMA query_only = 1", "readonly"),
    ] {
        let connection = in_memory();
        let database = native(&connection);
        let store = SqliteStore::new(&database, ENVIRONMENT);
        let _ = now(store.create(&item("a"), b"1".to_vec())).expect("it is created");
        connection.execute_batch(fault).expect(fault);
        let refused = now(store.create(&item("b"), vec![1; 100_000]));
        let why = match &refused {
            Err(StoreError::Full(why)) if message == "full" => why,
            Err(StoreError::Unavailable(why)) => why,
            other => panic!("{message}: {other:?}"),
        };
        assert!(why.contains(message), "{refused:?}");
    }
}

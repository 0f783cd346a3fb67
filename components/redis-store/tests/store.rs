//! The store on Redis itself, with no host in between.

// A test fails by panicking; clippy knows that only of the test functions themselves, not of what they share.
#![allow(clippy::expect_used, clippy::panic)]

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use domain::{Creation, Entry, Environment, ItemId, Key, Store, StoreError, Swap, Timestamp};
use redis::{Connection, FromRedisValue, Value};
use redis_server::RedisServer;
use redis_store::{Answer, Redis, RedisStore};

/// A connection, and what was asked of it.
struct Native {
    connection: RefCell<Connection>,
    commands: RefCell<Vec<String>>,
    given_up: Cell<usize>,
    /// Whether it connects again when it has given up.
    connects_again: Cell<bool>,
    url: String,
    /// What is answered instead of what Redis answers.
    tampers: Tampers,
}

type Tampers = fn(&str, Result<Vec<Answer>, StoreError>) -> Result<Vec<Answer>, StoreError>;

impl Redis for &Native {
    async fn execute(&self, command: &str, arguments: Vec<Vec<u8>>) -> Result<Vec<Answer>, StoreError> {
        self.commands.borrow_mut().push(command.to_owned());
        let answers: Result<Value, _> = redis::cmd(command).arg(arguments).query(&mut *self.connection.borrow_mut());
        let answers = answers.map(flat).map_err(|error| StoreError::Unavailable(error.to_string()));
        (self.tampers)(command, answers)
    }

    fn give_up(&self) {
        self.given_up.update(|count| count.saturating_add(1));
        if self.connects_again.get() {
            let connected = redis::Client::open(self.url.as_str()).and_then(|client| client.get_connection());
            self.connection.replace(connected.unwrap_or_else(|error| panic!("{error}")));
        }
    }
}

fn flat(value: Value) -> Vec<Answer> {
    match value {
        Value::Nil => vec![Answer::Nil],
        Value::Okay | Value::SimpleString(_) => vec![Answer::Status],
        Value::Int(number) => vec![Answer::Number(number)],
        Value::BulkString(value) => vec![Answer::Value(value)],
        Value::Array(values) => values.into_iter().flat_map(flat).collect(),
        other => panic!("Redis answers {other:?}"),
    }
}

/// A Redis that never answers.
struct Silent;

impl Redis for Silent {
    async fn execute(&self, _: &str, _: Vec<Vec<u8>>) -> Result<Vec<Answer>, StoreError> {
        pending().await
    }

    fn give_up(&self) {}
}

/// Chance that comes in turn. Time passes at once, or not at all.
struct Turns {
    time_passes: bool,
}

impl Environment for Turns {
    fn now(&self) -> Timestamp {
        0.into()
    }

    fn clock(&self) -> Duration {
        Duration::ZERO
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    async fn pause(&self, _: Duration) {
        if !self.time_passes {
            pending().await
        }
    }

    async fn until(&self, _: impl Fn() -> bool) {}

    async fn company(&self, _: Duration) {}
}

/// Runs a future that never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("there is nothing to wait for"),
    }
}

fn server() -> RedisServer {
    RedisServer::start().unwrap_or_else(|error| panic!("{error}"))
}

fn native(server: &RedisServer) -> Native {
    let connection = server.connect().unwrap_or_else(|error| panic!("{error}"));
    Native {
        connection: connection.into(),
        commands: RefCell::default(),
        given_up: Cell::default(),
        connects_again: Cell::default(),
        url: server.url(),
        tampers: |_, answers| answers,
    }
}

fn store(native: &Native) -> RedisStore<&Native, Turns> {
    RedisStore::new(native, Turns { time_passes: false }, 0)
}

/// What Redis has or says, asked on a connection of its own.
fn ask<T: FromRedisValue>(server: &RedisServer, command: &[&str]) -> T {
    let mut connection = server.connect().unwrap_or_else(|error| panic!("{error}"));
    let (name, arguments) = command.split_first().expect("a command has a name");
    redis::cmd(name).arg(arguments).query(&mut connection).unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn item(name: &str) -> Key {
    Key::Item(name.parse::<ItemId>().expect("an item's name"))
}

fn entry(name: &str, value: &[u8]) -> Entry {
    Entry::new(format!("inventory:{name}"), value.to_vec())
}

fn unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Unavailable(message)) => message,
        other => panic!("it is available: {other:?}"),
    }
}

#[test]
fn one_of_two_creates_a_record() {
    let server = server();
    let native = native(&server);
    let store = store(&native);
    assert_eq!(now(store.create(&item("a"), b"1".to_vec())), Ok(Creation::Created));
    assert_eq!(now(store.create(&item("a"), b"2".to_vec())), Ok(Creation::Exists));
    assert_eq!(now(store.get(&[item("a")])), Ok(vec![Some(entry("a", b"1"))]));
}

#[test]
fn a_record_is_swapped_only_from_the_bytes_that_were_read() {
    let server = server();
    let native = native(&server);
    let store = store(&native);
    assert_eq!(now(store.swap(&entry("a", b"1"), b"2".to_vec())), Ok(Swap::Conflict));
    assert_eq!(now(store.create(&item("a"), b"\0\xff1".to_vec())), Ok(Creation::Created));
    assert_eq!(now(store.swap(&entry("a", b"\0\xff"), b"2".to_vec())), Ok(Swap::Conflict));
    assert_eq!(now(store.swap(&entry("a", b"\0\xff1"), b"2".to_vec())), Ok(Swap::Swapped));
    assert_eq!(now(store.swap(&entry("a", b"\0\xff1"), b"3".to_vec())), Ok(Swap::Conflict));
    assert_eq!(ask::<String>(&server, &["GET", "inventory:a"]), "2");
}

#[test]
fn records_are_read_in_the_order_of_their_keys_and_absent_ones_are_none() {
    let server = server();
    let native = native(&server);
    let store = store(&native);
    now(store.put(vec![(item("a"), b"1".to_vec()), (item("b"), Vec::new())])).expect("Redis is well");
    let read = now(store.get(&[item("none"), item("b"), item("a"), Key::Catalog]));
    assert_eq!(read, Ok(vec![None, Some(entry("b", b"")), Some(entry("a", b"1")), None]));
    assert_eq!(now(store.get(&[Key::Catalog])), Ok(vec![None]));
}

#[test]
fn a_call_is_one_command_and_a_call_for_nothing_none() {
    let server = server();
    let native = native(&server);
    let store = store(&native);
    let two = || vec![(item("a"), b"1".to_vec()), (item("b"), b"2".to_vec())];
    assert_eq!(now(store.insert(two())), Ok(vec![entry("a", b"1"), entry("b", b"2")]));
    now(store.put(two())).expect("Redis is well");
    now(store.get(&[item("a")])).expect("Redis is well");
    now(store.get(&[item("a"), item("b")])).expect("Redis is well");
    now(store.get_to_swap(&[item("a"), item("b")])).expect("Redis is well");
    assert_eq!(now(store.create(&item("a"), Vec::new())), Ok(Creation::Exists));
    assert_eq!(now(store.swap(&entry("a", b"1"), b"3".to_vec())), Ok(Swap::Swapped));
    now(store.remove(&[item("a"), item("b")])).expect("Redis is well");
    assert_eq!(*native.commands.borrow(), ["MSET", "MSET", "GET", "EVAL_RO", "EVAL_RO", "SET", "EVAL", "DEL"]);
    assert_eq!(now(store.get(&[])), Ok(Vec::new()));
    now(store.remove(&[])).expect("there is nothing to do");
    assert_eq!((native.commands.borrow().len(), ask::<usize>(&server, &["DBSIZE"])), (8, 0));
}

#[test]
fn a_value_may_have_a_megabyte() {
    let server = server();
    let native = native(&server);
    let store = store(&native);
    let value: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    assert_eq!(now(store.create(&item("a"), value.clone())), Ok(Creation::Created));
    let read = now(store.get(&[item("a")])).expect("Redis is well").remove(0).expect("it is there");
    assert_eq!(read.value, value);
    assert_eq!(now(store.swap(&read, b"2".to_vec())), Ok(Swap::Swapped));
}

#[test]
fn a_key_of_another_type_is_refused_and_left_alone() {
    let server = server();
    let native = native(&server);
    let store = store(&native);
    let () = ask(&server, &["LPUSH", "inventory:a", "1"]);
    assert!(unavailable(now(store.get(&[item("a")]))).contains("WRONGTYPE"));
    assert!(unavailable(now(store.get(&[item("b"), item("a")]))).contains("WRONGTYPE"));
    assert!(unavailable(now(store.swap(&entry("a", b"1"), b"2".to_vec()))).contains("WRONGTYPE"));
    assert_eq!(ask::<String>(&server, &["TYPE", "inventory:a"]), "list");
}

#[test]
fn a_redis_that_takes_no_writes_says_so_and_can_be_read() {
    let server = server();
    let native = native(&server);
    let store = store(&native);
    now(store.put(vec![(item("a"), b"1".to_vec())])).expect("Redis is well");
    let refused = |why: &str| {
        assert!(unavailable(now(store.put(vec![(item("b"), b"2".to_vec())]))).contains(why), "{why}");
        assert!(unavailable(now(store.create(&item("b"), b"2".to_vec()))).contains(why), "{why}");
        assert!(unavailable(now(store.swap(&entry("a", b"1"), b"2".to_vec()))).contains(why), "{why}");
        assert!(unavailable(now(store.probe())).contains(why), "{why}");
        assert_eq!(now(store.get(&[item("a"), item("b")])), Ok(vec![Some(entry("a", b"1")), None]));
    };
    let () = ask(&server, &["CONFIG", "SET", "maxmemory", "1"]);
    refused("maxmemory");
    let () = ask(&server, &["CONFIG", "SET", "maxmemory", "0"]);
    let () = ask(&server, &["CONFIG", "SET", "min-replicas-to-write", "1"]);
    refused("NOREPLICAS");
    let () = ask(&server, &["CONFIG", "SET", "min-replicas-to-write", "0"]);
    let () = ask(&server, &["REPLICAOF", "127.0.0.1", "1"]);
    refused("read only replica");
    let () = ask(&server, &["REPLICAOF", "NO", "ONE"]);
    now(store.probe()).expect("it is well again");
}

#[test]
fn a_write_counts_once_the_replicas_have_it() {
    let server = server();
    let native = native(&server);
    let store = RedisStore::new(&native, Turns { time_passes: false }, 1);
    let alone = unavailable(now(store.put(vec![(item("a"), b"1".to_vec())])));
    assert!(alone.contains("has not reached 1 replicas"), "{alone}");
    assert_eq!(now(store.get(&[item("a")])), Ok(vec![Some(entry("a", b"1"))]), "what it did is unknown, and was done");

    let (host, port) = server.address().split_once(':').map(|(h, p)| (h.to_owned(), p.to_owned())).expect("a port");
    let replica = RedisServer::start_with(&[&format!("--replicaof {host} {port}")]).expect("it starts");
    while ask::<String>(&server, &["INFO", "replication"]).lines().all(|line| !line.contains("state=online")) {
        std::thread::yield_now();
    }
    now(store.put(vec![(item("a"), b"2".to_vec())])).expect("the replica has it");
    assert_eq!(ask::<String>(&replica, &["GET", "inventory:a"]), "2");
    assert_eq!(now(store.swap(&entry("a", b"2"), b"3".to_vec())), Ok(Swap::Swapped));
    assert_eq!(ask::<String>(&replica, &["GET", "inventory:a"]), "3");
}

#[test]
fn after_an_error_the_next_command_gets_another_connection_and_a_read_is_that_itself() {
    let mut server = server();
    let native = native(&server);
    let store = store(&native);
    assert_eq!(now(store.get(&[item("a")])), Ok(vec![None]));
    assert_eq!(native.given_up.get(), 0);
    server.kill();
    unavailable(now(store.put(vec![(item("a"), b"1".to_vec())])));
    assert_eq!(native.given_up.get(), 1);
    unavailable(now(store.get(&[item("a")])));
    assert_eq!((native.given_up.get(), native.commands.borrow().len()), (3, 4));
    server.restart().expect("it starts");
    native.connects_again.set(true);
    assert_eq!(now(store.get(&[item("a")])), Ok(vec![None]), "the first command finds that the connection is broken");
    assert_eq!(native.given_up.get(), 4);
}

#[test]
fn a_redis_that_does_not_answer_is_not_waited_for_for_ever() {
    let store = RedisStore::new(Silent, Turns { time_passes: true }, 0);
    assert_eq!(unavailable(now(store.get(&[item("a")]))), "Redis has not answered GET for 5 seconds");
    assert_eq!(unavailable(now(store.probe())), "Redis has not answered SET for 5 seconds");
}

#[test]
fn a_trial_passes_and_leaves_nothing_behind() {
    let server = server();
    let native = native(&server);
    now(store(&native).probe()).expect("it is what it says");
    assert_eq!(ask::<usize>(&server, &["DBSIZE"]), 0);
}

#[test]
fn a_trial_finds_out_a_redis_that_is_none() {
    for (command, tampers) in [
        (
            "a script that always swaps",
            (|command, answers| if command == "EVAL" { Ok(vec![Answer::Number(1)]) } else { answers }) as Tampers,
        ),
        (
            "a script that never swaps",
            |command, answers| if command == "EVAL" { Ok(vec![Answer::Number(0)]) } else { answers },
        ),
        (
            "a SET that always creates",
            |command, answers| if command == "SET" { Ok(vec![Answer::Status]) } else { answers },
        ),
        (
            "an answer of another kind",
            |command, answers| if command == "SET" { Ok(vec![Answer::Number(1)]) } else { answers },
        ),
        ("no answer", |command, answers| if command == "EVAL" { Ok(Vec::new()) } else { answers }),
    ] {
        let server = server();
        let native = Native { tampers, ..native(&server) };
        let tried = now(store(&native).probe());
        assert!(matches!(tried, Err(StoreError::Unsuitable(_))), "{command}: {tried:?}");
        assert_eq!(ask::<usize>(&server, &["DBSIZE"]), 0);
    }
}

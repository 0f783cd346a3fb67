//! The store on Redis itself, with no host in between.

// A test fails by panicking; clippy knows that only of the test functions themselves, not of what they share.
#![allow(clippy::expect_used, clippy::panic)]

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use domain::{Creation, Entry, Found, Store, StoreError, Swap};
use harness::RedisServer;
use redis::{Connection, FromRedisValue, Value};
use redis_store::{Answer, Redis, RedisStore, Shared};
use store_contract::{Storage, TestEnvironment, item, now, sound, store_contract, yield_now};

/// A Redis, and the commands that it was sent.
struct Native {
    url: String,
    commands: RefCell<Vec<String>>,
    /// How often it was connected to.
    opened: Cell<usize>,
    /// Replaces the answers of Redis.
    tampers: Tampers,
}

type Tampers = fn(&str, Result<Vec<Answer>, StoreError>) -> Result<Vec<Answer>, StoreError>;

impl Redis for &Native {
    type Connection = RefCell<Connection>;

    async fn open(&self) -> Result<Self::Connection, StoreError> {
        let connected = redis::Client::open(self.url.as_str()).and_then(|client| client.get_connection());
        self.opened.update(|count| count.saturating_add(1));
        connected.map(RefCell::new).map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    async fn execute(
        &self,
        connection: &Self::Connection,
        command: &str,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<Answer>, StoreError> {
        self.commands.borrow_mut().push(command.to_owned());
        // So that other requests can send commands in between.
        yield_now().await;
        let answers: Result<Value, _> = redis::cmd(command).arg(arguments).query(&mut *connection.borrow_mut());
        let answers = answers.map(flat).map_err(|error| redis_store::failure(error.to_string()));
        (self.tampers)(command, answers)
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
    type Connection = ();

    async fn open(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn execute(&self, (): &(), _: &str, _: Vec<Vec<u8>>) -> Result<Vec<Answer>, StoreError> {
        pending().await
    }
}

/// A Redis with nothing in it.
struct Fresh {
    server: RedisServer,
    native: Native,
}

impl Storage for Fresh {
    type Store<'a> = RedisStore<&'a Native, TestEnvironment>;

    fn empty() -> Self {
        let server = server();
        Self { native: native(&server), server }
    }

    fn store(&self) -> Self::Store<'_> {
        store(&self.native)
    }

    fn count(&self) -> usize {
        ask(&self.server, &["DBSIZE"])
    }
}

store_contract!(Fresh);

fn server() -> RedisServer {
    RedisServer::start().unwrap_or_else(|error| panic!("{error}"))
}

fn native(server: &RedisServer) -> Native {
    Native { url: server.url(), commands: RefCell::default(), opened: Cell::default(), tampers: |_, answers| answers }
}

/// The store of one request of an instance that has no other.
fn store(native: &Native) -> RedisStore<&Native, TestEnvironment> {
    waiting_store(&instance(native), 0)
}

/// What the requests of an instance share.
fn instance(native: &Native) -> Rc<Shared<&Native>> {
    Rc::new(Shared::new(native))
}

/// The store of a request of this instance, which waits for this number of replicas.
fn waiting_store<'a>(instance: &Rc<Shared<&'a Native>>, replicas: u32) -> RedisStore<&'a Native, TestEnvironment> {
    RedisStore::new(instance.clone(), TestEnvironment { time_passes: false }, replicas)
}

/// What Redis has or says, asked on a connection of its own.
fn ask<T: FromRedisValue>(server: &RedisServer, command: &[&str]) -> T {
    let mut connection = server.connect().unwrap_or_else(|error| panic!("{error}"));
    let (name, arguments) = command.split_first().expect("a command has a name");
    redis::cmd(name).arg(arguments).query(&mut connection).unwrap_or_else(|error| panic!("{command:?}: {error}"))
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
fn a_call_is_one_command_and_a_call_for_nothing_none() {
    let server = server();
    let native = native(&server);
    let store = store(&native);
    let two = || vec![(item("a"), b"1".to_vec()), (item("b"), b"2".to_vec())];
    assert_eq!(now(store.insert(two())), Ok(vec![entry("a", b"1"), entry("b", b"2")]));
    now(store.put(two())).expect("Redis is healthy");
    now(store.get(&[item("a")])).expect("Redis is healthy");
    now(store.get(&[item("a"), item("b")])).expect("Redis is healthy");
    now(store.get_for_update(&[item("a"), item("b")])).expect("Redis is healthy");
    assert_eq!(now(store.create(&item("a"), Vec::new())), Ok(Creation::Exists));
    assert_eq!(now(store.swap(&entry("a", b"1"), b"3".to_vec())), Ok(Swap::Swapped));
    assert_eq!(ask::<String>(&server, &["GET", "inventory:a"]), "3");
    now(store.remove(&[item("a"), item("b")])).expect("Redis is healthy");
    assert_eq!(*native.commands.borrow(), ["MSET", "EVAL", "GET", "EVAL_RO", "EVAL_RO", "SET", "EVAL", "DEL"]);
    assert_eq!(now(store.get(&[])).map(sound), Ok(Vec::new()));
    now(store.remove(&[])).expect("there is nothing to do");
    assert_eq!((native.commands.borrow().len(), ask::<usize>(&server, &["DBSIZE"])), (8, 0));
}

#[test]
fn a_key_of_another_type_is_refused_and_left_alone() {
    let server = server();
    let native = native(&server);
    let store = store(&native);
    let () = ask(&server, &["LPUSH", "inventory:a", "1"]);
    let damaged = |found: Found| found.expect_err("it is not a string").physical_key;
    assert_eq!(
        now(store.get(&[item("a")])).expect("Redis is healthy").into_iter().map(damaged).collect::<Vec<_>>(),
        ["inventory:a"]
    );
    let mut both = now(store.get(&[item("b"), item("a")])).expect("Redis is healthy");
    assert_eq!(damaged(both.remove(1)), "inventory:a");
    assert_eq!(sound(both).len(), 1);
    assert!(unavailable(now(store.swap(&entry("a", b"1"), b"2".to_vec()))).contains("WRONGTYPE"));
    assert_eq!(ask::<String>(&server, &["TYPE", "inventory:a"]), "list");
}

#[test]
fn a_redis_at_its_limit_takes_nothing_new_and_changes_and_removes_what_is_there() {
    let server = server();
    let native = native(&server);
    let store = store(&native);
    now(store.put(vec![(item("a"), b"1".to_vec())])).expect("Redis is healthy");
    let () = ask(&server, &["CONFIG", "SET", "maxmemory", "1"]);
    let new = || vec![(item("b"), b"2".to_vec())];
    assert!(matches!(now(store.insert(new())), Err(StoreError::Full(_))));
    assert!(matches!(now(store.create(&item("b"), b"2".to_vec())), Err(StoreError::Full(_))));
    assert!(matches!(now(store.probe()), Err(StoreError::Full(_))));
    assert_eq!(now(store.swap(&entry("a", b"1"), b"2".to_vec())), Ok(Swap::Swapped));
    assert_eq!(now(store.put(vec![(item("c"), b"3".to_vec())])), Ok(Vec::new()));
    assert_eq!(now(store.remove_unchanged(&entry("c", b"3"))), Ok(Swap::Swapped));
    assert_eq!(now(store.remove(&[item("a")])), Ok(()));
    assert_eq!(now(store.get(&[item("a"), item("b"), item("c")])).map(sound), Ok(vec![None, None, None]));
}

#[test]
fn a_redis_that_takes_no_writes_says_so_and_can_be_read() {
    let server = server();
    let native = native(&server);
    let store = store(&native);
    now(store.put(vec![(item("a"), b"1".to_vec())])).expect("Redis is healthy");
    let refused = |why: &str| {
        assert!(unavailable(now(store.put(vec![(item("b"), b"2".to_vec())]))).contains(why), "{why}");
        assert!(unavailable(now(store.create(&item("b"), b"2".to_vec()))).contains(why), "{why}");
        assert!(unavailable(now(store.swap(&entry("a", b"1"), b"2".to_vec()))).contains(why), "{why}");
        assert!(unavailable(now(store.probe())).contains(why), "{why}");
        assert_eq!(now(store.get(&[item("a"), item("b")])).map(sound), Ok(vec![Some(entry("a", b"1")), None]));
    };
    let () = ask(&server, &["CONFIG", "SET", "maxmemory", "0"]);
    let () = ask(&server, &["CONFIG", "SET", "min-replicas-to-write", "1"]);
    refused("NOREPLICAS");
    let () = ask(&server, &["CONFIG", "SET", "min-replicas-to-write", "0"]);
    let () = ask(&server, &["REPLICAOF", "127.0.0.1", "1"]);
    refused("read only replica");
    let () = ask(&server, &["REPLICAOF", "NO", "ONE"]);
    now(store.probe()).expect("Redis is healthy again");
}

#[test]
fn after_an_error_the_next_command_gets_another_connection_and_a_read_is_that_itself() {
    let mut server = server();
    let native = native(&server);
    let store = store(&native);
    assert_eq!(now(store.get(&[item("a")])).map(sound), Ok(vec![None]));
    assert_eq!((native.opened.get(), native.commands.take().len()), (1, 1));
    server.kill();
    unavailable(now(store.put(vec![(item("a"), b"1".to_vec())])));
    assert_eq!((native.opened.get(), native.commands.take().len()), (1, 1));
    unavailable(now(store.get(&[item("a")])));
    assert_eq!((native.opened.get(), native.commands.take().len()), (3, 0), "there is nothing to connect to");
    server.restart().expect("it starts");
    assert_eq!(now(store.get(&[item("a")])).map(sound), Ok(vec![None]));
    assert_eq!((native.opened.get(), native.commands.take().len()), (4, 1));
    server.restart().expect("it starts");
    assert_eq!(
        now(store.get(&[item("a")])).map(sound),
        Ok(vec![None]),
        "the first command finds that the connection is broken"
    );
    assert_eq!((native.opened.get(), native.commands.take().len()), (5, 2));
}

#[test]
fn a_redis_that_does_not_answer_is_not_waited_for_for_ever() {
    let store = RedisStore::new(Rc::new(Shared::new(Silent)), TestEnvironment { time_passes: true }, 0);
    assert_eq!(unavailable(now(store.get(&[item("a")]))), "Redis has not answered GET for 5 seconds");
    assert_eq!(unavailable(now(store.probe())), "Redis has not answered SET for 5 seconds");
}

#[test]
fn a_redis_that_fails_the_self_test_is_refused_and_nothing_is_left_in_it() {
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
        assert!(matches!(tried, Err(StoreError::ContractViolation(_))), "{command}: {tried:?}");
        assert_eq!(ask::<usize>(&server, &["DBSIZE"]), 0);
    }
}

/// A primary, and a replica that has all that the primary has.
fn server_and_replica() -> (RedisServer, RedisServer) {
    let primary = server();
    let replica = primary.start_replica().unwrap_or_else(|error| panic!("{error}"));
    (primary, replica)
}

#[test]
fn a_write_counts_once_the_replicas_have_it() {
    let primary = server();
    let native = native(&primary);
    let store = waiting_store(&instance(&native), 1);
    let alone = unavailable(now(store.put(vec![(item("a"), b"1".to_vec())])));
    assert!(alone.contains("has not reached 1 replicas"), "{alone}");

    let replica = primary.start_replica().unwrap_or_else(|error| panic!("{error}"));
    now(store.put(vec![(item("a"), b"2".to_vec()), (item("b"), b"2".to_vec())])).expect("the replica has it");
    assert_eq!(ask::<String>(&replica, &["GET", "inventory:a"]), "1", "what is there stays");
    assert_eq!(ask::<String>(&replica, &["GET", "inventory:b"]), "2");
    assert_eq!(now(store.swap(&entry("a", b"1"), b"3".to_vec())), Ok(Swap::Swapped));
    assert_eq!(ask::<String>(&replica, &["GET", "inventory:a"]), "3");
}

#[test]
fn after_a_write_that_did_not_count_nothing_is_believed_before_the_replicas_have_caught_up() {
    let (primary, replica) = server_and_replica();
    let native = native(&primary);
    let instance = instance(&native);
    replica.halt().expect("it can be halted");
    let store = waiting_store(&instance, 1);
    unavailable(now(store.put(vec![(item("a"), b"1".to_vec())])));
    for store in [store, waiting_store(&instance, 1)] {
        unavailable(now(store.get(&[item("a")])));
        unavailable(now(store.get(&[item("b"), item("a")])));
        unavailable(now(store.swap(&entry("a", b"0"), b"2".to_vec())));
        unavailable(now(store.create(&item("a"), b"2".to_vec())));
    }
    replica.go_on().expect("it can go on");
    let store = waiting_store(&instance, 1);
    assert_eq!(now(store.get(&[item("a")])).map(sound), Ok(vec![Some(entry("a", b"1"))]));
    assert_eq!(ask::<String>(&replica, &["GET", "inventory:a"]), "1");
    native.commands.take();
    assert_eq!(now(store.get(&[item("a")])).map(sound), Ok(vec![Some(entry("a", b"1"))]));
    assert_eq!(native.commands.take(), ["GET"], "nothing is in doubt any more");
}

#[test]
fn a_write_that_counts_clears_the_doubt_about_those_before_it() {
    let (primary, replica) = server_and_replica();
    let native = native(&primary);
    let instance = instance(&native);
    replica.halt().expect("it can be halted");
    unavailable(now(waiting_store(&instance, 1).put(vec![(item("a"), b"1".to_vec())])));
    replica.go_on().expect("it can go on");
    now(waiting_store(&instance, 1).put(vec![(item("b"), b"1".to_vec())])).expect("the replica has both");
    native.commands.take();
    let read = now(waiting_store(&instance, 1).get(&[item("a")]));
    assert_eq!((read.map(sound), native.commands.take()), (Ok(vec![Some(entry("a", b"1"))]), vec!["GET".to_owned()]));
}

#[test]
fn a_connection_that_another_request_gives_up_does_not_let_a_wait_pass() {
    let (primary, replica) = server_and_replica();
    let () = ask(&primary, &["LPUSH", "inventory:list", "1"]);
    replica.halt().expect("it can be halted");
    let native = native(&primary);
    let instance = instance(&native);
    let (store, other) = (waiting_store(&instance, 1), waiting_store(&instance, 1));
    let (put, got) = now(async {
        let put = async { store.put(vec![(item("a"), b"1".to_vec())]).await };
        let got = async { other.get(&[item("list")]).await };
        futures::future::join(put, got).await
    });
    assert!(unavailable(put).contains("EVAL has not reached 1 replicas"));
    // What the other one asked for is refused, so that it gives the connection up.
    assert!(got.expect("it is answered").remove(0).is_err());
    let commands = native.commands.take();
    assert_eq!(commands.get(..4), Some(["EVAL", "GET", "WAIT", "GET"].map(str::to_owned).as_slice()));
    assert_eq!(native.opened.get(), 2, "it was given up meanwhile");
}

#[test]
fn what_another_has_written_is_confirmed_once_the_replicas_have_it() {
    let (primary, replica) = server_and_replica();
    replica.halt().expect("it can be halted");
    let () = ask(&primary, &["SET", "inventory:a", "1"]);
    let native = native(&primary);
    let fresh = || waiting_store(&instance(&native), 1);
    for store in [fresh(), fresh()] {
        assert_eq!(now(store.get(&[item("a")])).map(sound), Ok(vec![Some(entry("a", b"1"))]));
        unavailable(now(store.confirm()));
    }
    // A swap and a create that come to nothing have seen something, too.
    let store = fresh();
    assert_eq!(now(store.swap(&entry("a", b"0"), b"2".to_vec())), Ok(Swap::Conflict));
    unavailable(now(store.confirm()));
    let store = fresh();
    assert_eq!(now(store.create(&item("a"), b"2".to_vec())), Ok(Creation::Exists));
    unavailable(now(store.confirm()));

    replica.go_on().expect("it can go on");
    let store = fresh();
    assert_eq!(now(store.get(&[item("a")])).map(sound), Ok(vec![Some(entry("a", b"1"))]));
    now(store.confirm()).expect("the replica has it");
    assert_eq!(ask::<String>(&replica, &["GET", "inventory:a"]), "1");
}

#[test]
fn to_confirm_costs_nothing_after_a_write_that_counts_nor_without_replicas() {
    let (primary, _replica) = server_and_replica();
    let native = native(&primary);
    let store = waiting_store(&instance(&native), 1);
    now(store.confirm()).expect("nothing was read");
    now(store.get(&[item("a")])).expect("Redis is healthy");
    now(store.put(vec![(item("a"), b"1".to_vec())])).expect("the replica has it");
    now(store.confirm()).expect("the write has shown it");
    assert_eq!(native.commands.take(), ["GET", "EVAL", "WAIT"]);
    now(store.get(&[item("a")])).expect("Redis is healthy");
    now(store.confirm()).expect("the replica has it");
    now(store.confirm()).expect("nothing was read since");
    assert_eq!(native.commands.take(), ["GET", "EVAL", "WAIT"]);

    let store = waiting_store(&instance(&native), 0);
    now(store.get(&[item("a")])).expect("Redis is healthy");
    now(store.confirm()).expect("there is nothing to do");
    assert_eq!(native.commands.take(), ["GET"]);
}

#[test]
fn requests_that_confirm_at_once_share_a_write() {
    let (primary, _replica) = server_and_replica();
    let native = native(&primary);
    let instance = instance(&native);
    let stores = [(); 8].map(|()| waiting_store(&instance, 1));
    now(futures::future::join_all(stores.iter().map(|store| async {
        store.get(&[item("a")]).await.expect("Redis is healthy");
        store.confirm().await.expect("the replica has it");
    })));
    let fences = native.commands.take().into_iter().filter(|command| command == "EVAL").count();
    assert!((1..=2).contains(&fences), "{fences}");
}

/// Another Redis may be at the address by then, which has never had what was read.
#[test]
fn a_request_does_not_go_on_over_another_connection_than_that_which_it_has_read_over() {
    let (mut primary, _replica) = server_and_replica();
    let native = native(&primary);
    let instance = instance(&native);
    let read = || {
        let store = waiting_store(&instance, 1);
        assert_eq!(now(store.get(&[item("a")])).map(sound), Ok(vec![None]));
        store
    };
    let (writes, looks, confirms) = (read(), read(), read());
    primary.restart().expect("it starts");
    unavailable(now(waiting_store(&instance, 0).put(vec![(item("b"), b"1".to_vec())])));
    native.commands.take();
    unavailable(now(writes.create(&item("a"), b"1".to_vec())));
    unavailable(now(looks.get(&[item("a")])));
    unavailable(now(confirms.confirm()));
    assert_eq!(native.commands.take(), [""; 0], "nothing was sent");
    assert_eq!(
        now(waiting_store(&instance, 1).get(&[item("a")])).map(sound),
        Ok(vec![None]),
        "one that begins now can go on"
    );
}

#[test]
fn a_write_that_is_stopped_in_the_middle_leaves_doubt() {
    let (primary, replica) = server_and_replica();
    let native = native(&primary);
    let instance = instance(&native);
    replica.halt().expect("it can be halted");
    {
        let store = waiting_store(&instance, 1);
        let mut put = pin!(store.put(vec![(item("a"), b"1".to_vec())]));
        // Up to where the `WAIT` would be sent.
        for _ in 0..2 {
            assert!(put.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    }
    assert_eq!(native.commands.take(), ["EVAL", "WAIT"]);
    unavailable(now(waiting_store(&instance, 1).get(&[item("a")])));
}

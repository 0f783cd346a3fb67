//! The server of a test, as tests use it.

use harness::RedisServer;
use redis::Commands;

#[test]
fn what_was_acknowledged_is_there_after_a_crash() {
    let mut server = RedisServer::start().unwrap();
    let () = server.connect().unwrap().set("a", "1").unwrap();
    server.kill();
    assert!(server.connect().is_err());
    server.restart().unwrap();
    let value: String = server.connect().unwrap().get("a").unwrap();
    assert_eq!(value, "1");
}

#[test]
fn two_have_nothing_to_do_with_each_other() {
    let (one, other) = (RedisServer::start().unwrap(), RedisServer::start().unwrap());
    let () = one.connect().unwrap().set("a", "1").unwrap();
    let there: bool = other.connect().unwrap().exists("a").unwrap();
    assert!(!there);
}

#[test]
fn one_with_a_password_starts_and_lets_nobody_in() {
    let server = RedisServer::start_with(&["--requirepass secret"]).unwrap();
    let answer: Result<String, _> = server.connect().and_then(|mut connection| connection.get("a"));
    assert!(answer.is_err());
}

#[test]
fn a_replica_that_is_promoted_has_what_its_primary_was_told_and_takes_writes() {
    let mut primary = RedisServer::start().unwrap();
    let () = primary.connect().unwrap().set("a", "1").unwrap();
    let mut replica = primary.start_replica().unwrap();
    // `WAIT` is about what was written over its own connection.
    let mut connection = primary.connect().unwrap();
    let () = connection.set("b", "2").unwrap();
    let waited: usize = redis::cmd("WAIT").arg(1).arg(0).query(&mut connection).unwrap();
    assert_eq!(waited, 1);
    let refused: Result<(), _> = replica.connect().unwrap().set("c", "3");
    assert!(refused.is_err());

    primary.kill();
    replica.promote().unwrap();
    let () = replica.connect().unwrap().set("c", "3").unwrap();
    let kept: Vec<String> = replica.connect().unwrap().mget(&["a", "b", "c"]).unwrap();
    assert_eq!(kept, ["1", "2", "3"]);
    replica.restart().unwrap();
    let () = replica.connect().unwrap().set("c", "4").unwrap();
}

#[test]
fn a_replica_that_was_killed_is_started_as_the_primary_with_all_that_it_had_got() {
    let mut primary = RedisServer::start().unwrap();
    let () = primary.connect().unwrap().set("a", "1").unwrap();
    let mut replica = primary.start_replica().unwrap();
    replica.kill();
    primary.kill();
    replica.promote().unwrap();
    replica.restart().unwrap();
    let mut connection = replica.connect().unwrap();
    let kept: String = connection.get("a").unwrap();
    assert_eq!(kept, "1");
    let () = connection.set("a", "2").unwrap();
}

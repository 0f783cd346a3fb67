//! The server of a test, as tests use it.

use redis::Commands;
use redis_server::RedisServer;

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

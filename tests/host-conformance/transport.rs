//! The transports of both shells, through which a payment provider is reached.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{get, post};
use crate::upstream::{Upstream, unused};

/// The components that may send requests, of WASI 0.3 and of 0.2.
const CALLERS: [&str; 2] = ["caller", "caller2"];

/// So long that it plays no part.
const LONG: u64 = 60_000;

/// Lets a component send a request through its transport. Tells what came of it, and the component's instance.
fn send(component: &str, wanted: &Value) -> Value {
    let answer = post(&format!("/{component}/transport"), &wanted.to_string());
    assert_eq!(answer.status, 200, "{component}: {answer:?}");
    answer.json()
}

/// Asserts that a request has no answer, whether it is certain that it was not sent, and why.
fn fails(wanted: &Value, kind: &str, reason: &str) {
    for caller in CALLERS {
        let failed = send(caller, wanted)["sent"].take();
        assert!(failed[kind].as_str().is_some_and(|told| told.contains(reason)), "{caller}: {wanted}: {failed}");
    }
}

#[test]
fn a_form_arrives_with_its_length_and_the_answer_has_the_header_fields_that_are_read() {
    let upstream = Upstream::start();
    for caller in CALLERS {
        let wanted = json!({
            "method": "POST", "url": upstream.url("/teapot"), "body": "a=b", "timeout": LONG,
            "headers": [["authorization", "Bearer sk_test_1"], ["content-type", "application/x-www-form-urlencoded"]],
        });
        let answer = send(caller, &wanted)["sent"].take();
        let headers = json!([["stripe-should-retry", "false"]]);
        assert_eq!(answer, json!({ "status": 418, "headers": headers, "length": 5, "body": "short" }), "{caller}");
        let seen = upstream.seen().pop().expect("the request arrives");
        assert_eq!((seen.header("content-length"), seen.body.as_slice()), (vec!["3"], b"a=b".as_slice()), "{caller}");
        assert_eq!(seen.header("authorization"), ["Bearer sk_test_1"], "{caller}");
    }
}

#[test]
fn a_form_may_be_empty_and_a_look_has_none() {
    let upstream = Upstream::start();
    for caller in CALLERS {
        for (method, length) in [("POST", vec!["0"]), ("GET", vec![])] {
            let wanted = json!({ "method": method, "url": upstream.url(""), "timeout": LONG });
            assert_eq!(send(caller, &wanted)["sent"]["status"], 200, "{caller}");
            let seen = upstream.seen().pop().expect("the request arrives");
            assert!(seen.head.starts_with(&format!("{method} / HTTP/1.1")), "{caller}: {}", seen.head);
            assert_eq!(seen.header("content-length"), length, "{caller}: {method}");
            assert!(seen.header("transfer-encoding").is_empty(), "{caller}: {method}");
        }
    }
}

#[test]
fn a_large_form_arrives_whole() {
    let upstream = Upstream::start();
    for caller in CALLERS {
        let wanted = json!({
            "method": "POST", "url": upstream.url("/"), "body": "0123456789", "times": 300_000, "timeout": LONG,
        });
        assert_eq!(send(caller, &wanted)["sent"]["status"], 200, "{caller}");
        assert_eq!(upstream.seen().pop().map(|seen| seen.body.len()), Some(3_000_000), "{caller}");
    }
}

#[test]
fn what_was_certainly_not_sent_is_told_apart() {
    let unused = unused();
    for (url, reason) in [
        ("http://example.com/".to_owned(), "may not connect there"),
        (format!("http://{unused}/"), "no connection"),
        ("http://missing.invalid/".to_owned(), "not known"),
        (format!("https://{}/", Upstream::start().address), "no encrypted connection"),
        ("ftp://127.0.0.1/".to_owned(), "URL is not valid"),
        ("127.0.0.1".to_owned(), "URL is not valid"),
        ("http:///".to_owned(), ""),
        ("http://127.0.0.1/a b".to_owned(), "URL is not valid"),
    ] {
        fails(&json!({ "url": url, "timeout": LONG }), "not_sent", reason);
    }
    let headers = json!([["authorization", "a\nb"]]);
    fails(&json!({ "url": format!("http://{unused}/"), "headers": headers, "timeout": LONG }), "not_sent", "header");
}

#[test]
fn what_may_have_been_carried_out_is_told_apart() {
    let upstream = Upstream::start();
    for (path, reason) in [
        ("/nothing", "connection failed"),
        ("/nonsense", "connection failed"),
        ("/cut-head", "connection failed"),
        ("/cut", "broke off"),
        ("/cut-chunks", "broke off"),
        ("/bytes?262145", "more than 262144 bytes"),
    ] {
        fails(&json!({ "url": upstream.url(path), "timeout": LONG }), "no_answer", reason);
    }
    for caller in CALLERS {
        let answer = send(caller, &json!({ "url": upstream.url("/bytes?262144"), "timeout": LONG }));
        assert_eq!(answer["sent"]["length"], 262_144, "{caller}: as much as may be");
        assert_eq!(send(caller, &json!({ "url": upstream.url("/redirect"), "timeout": LONG }))["sent"]["status"], 302);
    }
}

#[test]
fn an_answer_that_never_ends_is_given_up_in_time() {
    let upstream = Upstream::start();
    for path in ["/silent", "/stalled", "/dripping"] {
        for caller in CALLERS {
            let wanted = json!({ "method": "POST", "url": upstream.url(path), "body": "a=b", "timeout": 300 });
            let since = Instant::now();
            let failed = send(caller, &wanted)["sent"].take();
            // With which of its errors a host comes first is chance.
            assert!(failed["no_answer"].is_string(), "{caller}: {path}: {failed}");
            assert!(since.elapsed() >= Duration::from_millis(300), "{caller}: {path}: it was given its time");
            assert_eq!(upstream.gone(), path, "{caller}: the connection is closed");
        }
    }
}

#[test]
fn other_requests_of_an_instance_go_on_while_one_waits_for_its_provider() {
    let upstream = Upstream::start();
    let wanted = json!({ "url": upstream.url("/silent"), "timeout": 3_000 });
    let waiting = thread::spawn(move || send("caller", &wanted));
    upstream.wait_for(1);
    let mut met = Vec::new();
    while !waiting.is_finished() {
        met.push(get("/caller/instance").json()["instance"].take());
    }
    let waited = waiting.join().expect("it ends");
    assert!(waited["sent"]["no_answer"].is_string(), "{waited}");
    // Which instance takes a request is the server's choice.
    assert!(met.contains(&waited["instance"]), "the instance answers meanwhile");
}

//! Requests that components send to other servers: what `wasi:http` gives a component, of WASI 0.3 and 0.2.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::post;
use crate::server::address;
use crate::upstream::{Upstream, unused};

/// The components that may send requests, of WASI 0.3 and of 0.2.
const CALLERS: [&str; 2] = ["caller", "caller2"];

/// Lets a component send a request, and tells what came of it.
fn send(component: &str, wanted: &Value) -> Value {
    let answer = post(&format!("/{component}/send"), &wanted.to_string());
    assert_eq!(answer.status, 200, "{component}: {answer:?}");
    answer.json()
}

/// Asserts that a request has no answer, and why.
fn fails(wanted: &Value, error: &str) {
    for caller in CALLERS {
        let failed = send(caller, wanted);
        assert!(failed["error"].as_str().is_some_and(|told| told.contains(error)), "{caller}: {wanted}: {failed}");
    }
}

#[test]
fn a_request_arrives_as_it_was_sent() {
    let upstream = Upstream::start();
    for caller in CALLERS {
        let headers = json!([["x-b", "1"], ["x-a", "2"], ["x-b", "3"], ["content-length", "9"]]);
        let wanted = json!({
            "method": "POST", "url": upstream.url("/v1/a%20b?c=d&e"), "headers": headers, "body": "some body",
        });
        assert_eq!(send(caller, &wanted)["status"], 200);
        let seen = upstream.seen().pop().expect("the request arrives");
        assert!(seen.head.starts_with("POST /v1/a%20b?c=d&e HTTP/1.1\r\n"), "{caller}: {}", seen.head);
        assert_eq!(seen.header("host"), [upstream.address.to_string()], "{caller}");
        assert_eq!(seen.header("x-b"), ["1", "3"], "{caller}");
        assert_eq!(seen.header("x-a"), ["2"], "{caller}");
        assert_eq!(seen.header("content-length"), ["9"], "{caller}");
        assert_eq!(seen.head.lines().count(), 7, "nothing is added: {}", seen.head);
        assert_eq!(seen.body, b"some body", "{caller}");
    }
}

#[test]
fn a_body_without_a_length_is_sent_in_chunks() {
    let upstream = Upstream::start();
    for caller in CALLERS {
        let wanted = json!({ "method": "POST", "url": upstream.url("/"), "body": "some" });
        assert_eq!(send(caller, &wanted)["status"], 200);
        let seen = upstream.seen().pop().expect("the request arrives");
        assert_eq!(seen.header("transfer-encoding"), ["chunked"], "{caller}");
        assert_eq!(seen.body, b"4\r\nsome\r\n0\r\n\r\n", "{caller}");
    }
}

#[test]
fn a_request_without_a_body_says_nothing_of_one() {
    let upstream = Upstream::start();
    for caller in CALLERS {
        assert_eq!(send(caller, &json!({ "url": upstream.url("/") }))["status"], 200);
        let seen = upstream.seen().pop().expect("the request arrives");
        assert!(seen.header("transfer-encoding").is_empty() && seen.header("content-length").is_empty(), "{caller}");
    }
}

#[test]
fn an_answer_comes_as_it_was_sent() {
    let upstream = Upstream::start();
    for caller in CALLERS {
        let answer = send(caller, &json!({ "url": upstream.url("/teapot") }));
        assert_eq!(answer["status"], 418, "{caller}");
        let headers = answer["headers"].as_array().expect("there are headers");
        for (name, values) in [("x-a", vec!["1", "2"]), ("x-b", vec!["\u{fffd}"]), ("content-length", vec!["5"])] {
            let named = headers.iter().filter(|header| header[0] == name);
            assert_eq!(named.map(|header| &header[1]).collect::<Vec<_>>(), values, "{caller}: {answer}");
        }
        assert_eq!((&answer["body"], &answer["broken_off"]), (&json!("short"), &Value::Null), "{caller}");
    }
}

#[test]
fn bodies_of_megabytes_go_both_ways() {
    let upstream = Upstream::start();
    for caller in CALLERS {
        let wanted = json!({
            "method": "POST", "url": upstream.url("/bytes?4000000"), "body": "0123456789", "times": 300_000,
            "headers": [["content-length", "3000000"]],
        });
        let answer = send(caller, &wanted);
        assert_eq!((&answer["length"], &answer["broken_off"]), (&json!(4_000_000), &Value::Null), "{caller}");
        let seen = upstream.seen().pop().expect("the request arrives");
        assert_eq!(seen.body, b"0123456789".repeat(300_000), "{caller}");
    }
}

#[test]
fn a_body_that_is_shorter_or_longer_than_was_said_is_an_error() {
    let upstream = Upstream::start();
    // One that is too long is cut by WASI 0.2, and arrives.
    for (caller, length) in [("caller", "3"), ("caller", "5"), ("caller2", "5")] {
        let wanted = json!({
            "method": "POST", "url": upstream.url("/"), "body": "some", "headers": [["content-length", length]],
        });
        let failed = send(caller, &wanted);
        assert!(failed["error"].is_string(), "{caller}: {length}: {failed}");
    }
    assert!(upstream.seen().is_empty(), "no whole request has arrived");
}

#[test]
fn a_redirect_is_not_followed() {
    let upstream = Upstream::start();
    for caller in CALLERS {
        assert_eq!(send(caller, &json!({ "url": upstream.url("/redirect") }))["status"], 302);
    }
    assert_eq!(upstream.seen().len(), 2);
}

#[test]
fn where_the_manifest_does_not_allow_it_nothing_is_sent() {
    let upstream = Upstream::start();
    let port = upstream.address.port();
    for url in [
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.1.example:{port}/"),
        "http://example.com/".to_owned(),
        "http://self/".to_owned(),
        "http://self.alt/".to_owned(),
    ] {
        fails(&json!({ "url": url }), "HttpRequestDenied");
    }
    let denied = send("stranger", &json!({ "url": upstream.url("/") }));
    assert_eq!(denied["error"], "ErrorCode::HttpRequestDenied");
    assert!(upstream.seen().is_empty());
}

#[test]
fn what_is_about_the_connection_cannot_be_set() {
    let upstream = Upstream::start();
    for name in ["host", "connection", "Transfer-Encoding", "upgrade", "proxy-authorization", "keep-alive"] {
        fails(&json!({ "url": upstream.url("/"), "headers": [[name, "a"]] }), "HeaderError::Forbidden");
    }
    fails(&json!({ "url": upstream.url("/"), "headers": [["a b", "a"]] }), "HeaderError::InvalidSyntax");
    fails(&json!({ "url": "ftp://127.0.0.1/" }), "HttpProtocolError");
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_server_that_is_not_there_is_told_apart() {
    fails(&json!({ "url": format!("http://{}/", unused()) }), "ConnectionRefused");
    fails(&json!({ "url": "http://missing.invalid/" }), "DnsError");
}

#[test]
fn a_server_that_speaks_no_tls_is_an_error() {
    let upstream = Upstream::start();
    fails(&json!({ "url": format!("https://{}/", upstream.address) }), "TlsProtocolError");
}

#[test]
fn a_server_that_does_not_answer_is_an_error() {
    let upstream = Upstream::start();
    for path in ["/nothing", "/nonsense", "/cut-head"] {
        fails(&json!({ "url": upstream.url(path) }), "HttpProtocolError");
    }
}

#[test]
fn the_first_byte_has_its_time() {
    let upstream = Upstream::start();
    fails(&json!({ "url": upstream.url("/silent"), "first_byte_timeout": 100 }), "ConnectionReadTimeout");
    assert_eq!([upstream.gone(), upstream.gone()], ["/silent", "/silent"], "the connections are closed");
}

#[test]
fn each_part_of_a_body_has_its_time() {
    let upstream = Upstream::start();
    for caller in CALLERS {
        let answer = send(caller, &json!({ "url": upstream.url("/stalled"), "between_bytes_timeout": 100 }));
        assert_eq!((&answer["status"], &answer["body"]), (&json!(200), &json!("some")), "{caller}");
        assert_eq!(answer["broken_off"], "ErrorCode::ConnectionReadTimeout", "{caller}");
        assert_eq!(upstream.gone(), "/stalled", "the connection is closed");
    }
}

#[test]
fn an_answer_that_breaks_off_is_an_error_at_its_end() {
    let upstream = Upstream::start();
    for caller in CALLERS {
        for path in ["/cut", "/cut-chunks"] {
            let answer = send(caller, &json!({ "url": upstream.url(path) }));
            assert_eq!((&answer["status"], &answer["body"]), (&json!(200), &json!("some")), "{caller}: {path}");
            assert_eq!(answer["broken_off"], "ErrorCode::HttpProtocolError", "{caller}: {path}");
        }
        let answer = send(caller, &json!({ "url": upstream.url("/until-closed") }));
        assert_eq!((&answer["body"], &answer["broken_off"]), (&json!("some"), &Value::Null), "{caller}");
    }
}

#[test]
fn a_connection_is_used_again_by_any_component() {
    // A connection is free again soon after its answer was read: how soon is the machine's matter.
    let mut pauses = (0..7).map(|power| Duration::from_millis(50 << power));
    loop {
        let upstream = Upstream::start();
        let pause = pauses.next().expect("a pause after which a connection is used again");
        for caller in [CALLERS, CALLERS].concat() {
            assert_eq!(send(caller, &json!({ "url": upstream.url("/") }))["status"], 200);
            thread::sleep(pause);
        }
        let mut ports: Vec<_> = upstream.seen().iter().map(|seen| seen.from).collect();
        assert_eq!(ports.len(), 4);
        ports.dedup();
        if ports.len() == 1 {
            break;
        }
    }
}

#[test]
fn a_connection_that_the_server_has_closed_is_not_used_again() {
    let upstream = Upstream::start();
    for caller in [CALLERS, CALLERS].concat() {
        assert_eq!(send(caller, &json!({ "url": upstream.url("/last") }))["status"], 200);
        upstream.gone();
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_application_sends_requests_to_itself_where_the_manifest_allows_it() {
    let answer = send("own", &json!({ "url": "http://self.alt/probe/a?b", "headers": [["x-a", "1"]] }));
    assert_eq!(answer["status"], 200, "{answer}");
    let echo: Value = serde_json::from_str(answer["body"].as_str().expect("a text")).expect("an echo");
    assert_eq!((&echo["component"], &echo["path"], &echo["query"]), (&json!("probe"), &json!("/probe/a"), &json!("b")));
    assert_eq!(echo["uri"], format!("http://{}/probe/a?b", address()));
    let denied = send("own", &json!({ "url": format!("http://{}/probe/a", address()) }));
    assert_eq!(denied["error"], "ErrorCode::HttpRequestDenied");
}

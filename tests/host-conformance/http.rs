//! Requests and answers on their way between client and component.

use serde_json::json;

use crate::client::{get, post, raw, request, send};
use crate::routing::headers;
use crate::server::address;

#[test]
fn a_request_reaches_the_component_as_it_was_sent() {
    let echo = post("/probe/a?b=c&d=%20/?", "some body").json();
    assert_eq!(echo["path"], "/probe/a");
    assert_eq!(echo["query"], "b=c&d=%20/?");
    assert_eq!(echo["uri"], format!("http://{}/probe/a?b=c&d=%20/?", address()));
    assert_eq!(echo["body"], "some body");
}

#[test]
fn a_body_in_chunks_is_the_same_body() {
    let chunks = b"4\r\nsome\r\n5\r\n body\r\n0\r\n\r\n";
    let echo = request("POST", "/probe/a", "transfer-encoding: chunked\r\n", chunks).json();
    assert_eq!(echo["body"], "some body");
}

#[test]
fn the_url_is_told_with_the_host_that_the_client_named() {
    let echo = get("/probe/a/?b").json();
    assert_eq!(headers(&echo, "spin-full-url"), [format!("http://{}/probe/a/?b", address())]);
    let named = raw(b"GET /probe/a?b HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n").unwrap();
    assert_eq!(headers(&named.json(), "spin-full-url"), ["http://shop.example/probe/a?b"]);
}

#[test]
fn the_clients_address_is_told() {
    let told = headers(&get("/probe/a").json(), "spin-client-addr");
    assert_eq!(told.len(), 1);
    assert!(told[0].parse::<std::net::SocketAddr>().is_ok(), "{told:?}");
}

#[test]
fn a_target_in_absolute_form_is_the_same_request() {
    let request = |scheme: &str| {
        let target = format!("GET {scheme}://{0}/probe/a?b HTTP/1.1\r\nhost: {0}\r\n", address());
        raw(format!("{target}connection: close\r\n\r\n").as_bytes()).unwrap().json()
    };
    for scheme in ["http", "https"] {
        let echo = request(scheme);
        assert_eq!(echo["uri"], format!("http://{}/probe/a?b", address()));
        assert_eq!(headers(&echo, "spin-full-url"), [format!("http://{}/probe/a?b", address())]);
    }
}

#[test]
fn a_request_that_does_not_say_clearly_for_whom_it_is_is_not_answered() {
    for head in [
        "GET /probe/a HTTP/1.1\r\n",
        "GET /probe/a HTTP/1.1\r\nhost: not an authority\r\n",
        "GET http://one.example/probe/a HTTP/1.1\r\nhost: other.example\r\n",
        // The names by which components call each other are not for clients.
        "GET /probe/a HTTP/1.1\r\nhost: probe.spin.internal\r\n",
        "GET /probe/a HTTP/1.1\r\nhost: probe.spin.internal:80\r\n",
    ] {
        let answer = raw(format!("{head}connection: close\r\n\r\n").as_bytes());
        assert!(answer.is_none(), "{head}: {answer:?}");
    }
    // The host's own paths need no component, and so no authority.
    assert_eq!(raw(b"GET /nothing HTTP/1.1\r\nconnection: close\r\n\r\n").unwrap().status, 404);
}

#[test]
fn headers_of_one_name_keep_their_order() {
    let echo = request("GET", "/probe/a", "x-a: 1\r\nx-b: 2\r\nX-A: 3\r\nx-a:\r\nx-a: 1\r\n", b"").json();
    assert_eq!(headers(&echo, "x-a"), ["1", "3", "", "1"]);
    assert_eq!(headers(&echo, "x-b"), ["2"]);
}

#[test]
fn what_is_about_the_connection_is_kept_from_the_component() {
    let echo = get("/probe/a").json();
    assert!(headers(&echo, "connection").is_empty(), "{echo}");
}

#[test]
fn a_clients_own_spin_header_stands_before_spins() {
    let forged = "spin-path-match-order-id: forged\r\nspin-full-url: forged\r\nspin-client-addr: forged\r\n\
                  spin-raw-component-route: forged\r\nspin-path-info: forged\r\nspin-other: forged\r\n";
    let echo = request("GET", "/orders/1/x", forged, b"").json();
    assert_eq!(headers(&echo, "spin-path-match-order-id"), ["forged", "1"]);
    assert_eq!(headers(&echo, "spin-path-info"), ["forged", "/x"]);
    assert_eq!(headers(&echo, "spin-raw-component-route"), ["forged", "/orders/:order_id/..."]);
    assert_eq!(headers(&echo, "spin-other"), ["forged"]);
    for name in ["spin-full-url", "spin-client-addr"] {
        let values = headers(&echo, name);
        assert_eq!((values.len(), values[0].as_str()), (2, "forged"), "{name}: {values:?}");
    }
}

#[test]
fn a_header_may_be_any_text_and_what_is_no_text_is_an_empty_500_or_handed_over() {
    let echo = request("GET", "/probe/a", "x-a: 件=🦀\r\n", b"").json();
    assert_eq!(headers(&echo, "x-a"), ["件=🦀"]);
    for value in [b"\xff".as_slice(), b"\xc3\x28"] {
        let host = format!("host: {}", address());
        let lines = [b"GET /probe/a HTTP/1.1", host.as_bytes(), b"connection: close", &[b"x-a: ", value].concat()];
        let answer = raw(&[&lines.join(b"\r\n".as_slice()), b"\r\n\r\n".as_slice()].concat()).unwrap();
        // The first in Spin, the other in the host, which is kinder.
        assert!(answer.status == 200 || answer.empty() == (500, 0), "{answer:?}");
    }
}

#[test]
fn an_answer_says_its_length_or_comes_in_chunks_as_the_component_has_it() {
    let whole = get("/probe/a");
    assert_eq!(whole.header("content-length"), Some(whole.body.len().to_string().as_str()));
    assert_eq!(whole.header("transfer-encoding"), None);
    let chunked = get("/probe/chunked");
    assert_eq!(chunked.header("content-length"), None);
    assert_eq!(chunked.header("transfer-encoding"), Some("chunked"));
    assert_eq!((chunked.body.as_slice(), chunked.complete), (b"first second".as_slice(), true));
}

#[test]
fn a_head_is_answered_with_the_length_of_the_body_and_without_the_body() {
    let head = request("HEAD", "/probe/a", "", b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    let length = head.header("content-length").and_then(|length| length.parse::<usize>().ok());
    assert!(length.is_some_and(|length| length > 0), "{head:?}");
    let chunked = request("HEAD", "/probe/chunked", "", b"");
    assert_eq!((chunked.status, chunked.body.len(), chunked.header("content-length")), (200, 0, None));
}

#[test]
fn a_connection_carries_one_request_after_another() {
    let head = format!("GET /slash HTTP/1.1\r\nhost: {}\r\n", address());
    let mut connection = send(format!("{head}\r\n{head}connection: close\r\n\r\n").as_bytes());
    for _ in 0..2 {
        let answer = connection.receive(false).unwrap().unwrap();
        assert_eq!(answer.json()["component"], "probe");
    }
    assert!(connection.receive(false).unwrap().is_none());
}

#[test]
fn a_component_that_fails_is_an_empty_500() {
    for path in ["/crash/error", "/crash/panic"] {
        assert_eq!(get(path).empty(), (500, 0), "{path}");
        assert_eq!(get("/crash/a").status, 200, "after {path}");
    }
}

#[test]
fn a_failure_after_the_head_cuts_off_a_body_of_known_length_and_ends_one_in_chunks_as_if_it_were_whole() {
    let cut = get("/crash/late-panic");
    assert_eq!((cut.status, cut.complete), (200, false));
    let ended = get("/crash/late-panic-chunked");
    assert_eq!((ended.status, ended.complete), (200, true));
    for answer in [cut, ended] {
        assert!(b"first ".starts_with(&answer.body), "{answer:?}");
    }
}

#[test]
fn a_body_in_chunks_that_its_component_ends_in_an_error_is_cut_off() {
    let cut = get("/crash/late-error-chunked");
    assert_eq!((cut.status, cut.complete, cut.body.as_slice()), (200, false, b"first ".as_slice()));
    assert_eq!(get("/crash/a").status, 200);
}

#[test]
fn a_path_may_have_64_kb_and_a_head_400_kb_in_100_headers() {
    let long = format!("/probe/{}", "a".repeat(65_000));
    assert_eq!(get(&long).json()["path"], long);
    assert_eq!(get(&format!("/probe/{}", "a".repeat(66_000))).empty(), (414, 0));
    let header = |bytes: usize| format!("x-a: {}\r\n", "a".repeat(bytes));
    assert_eq!(request("GET", "/probe/a", &header(300_000), b"").status, 200);
    // A head that is longer passes at times, if the rest of it comes with the last read.
    assert_eq!(request("GET", "/probe/a", &header(1_000_000), b"").empty(), (431, 0));
    // In addition to the two that every request of these tests has.
    assert_eq!(request("GET", "/probe/a", &header(1).repeat(98), b"").status, 200);
    assert_eq!(request("GET", "/probe/a", &header(1).repeat(99), b"").empty(), (431, 0));
}

#[test]
fn a_component_may_read_a_body_of_megabytes() {
    let body = "a".repeat(4 << 20);
    let echo = post("/probe/a", &body).json();
    assert_eq!(echo["body"].as_str().map(str::len), Some(body.len()));
    assert_eq!(headers(&echo, "content-length"), [body.len().to_string()]);
    assert_eq!(echo["method"], json!("POST"));
}

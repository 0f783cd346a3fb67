//! A client that sends any bytes, also invalid requests, and shows the whole answer.

pub use harness::Answer;
use harness::Connection;

use crate::server::address;

pub fn get(path: &str) -> Answer {
    request("GET", path, "", b"")
}

pub fn post(path: &str, body: &str) -> Answer {
    request("POST", path, &format!("content-length: {}\r\n", body.len()), body.as_bytes())
}

/// Sends a request with these header lines, each with its line end, in addition to `host` and `connection`.
pub fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\r\n", address());
    let answer = send(&[head.as_bytes(), body].concat()).receive(method == "HEAD");
    answer.ok().flatten().unwrap_or_else(|| panic!("{method} {path}: no answer"))
}

/// Sends these bytes and reads an answer; nothing if the server closes without one.
pub fn raw(request: &[u8]) -> Option<Answer> {
    send(request).receive(false).expect("an answer, or none")
}

/// Sends these bytes on a connection of their own.
pub fn send(request: &[u8]) -> Connection {
    let mut connection = Connection::open(address()).expect("the server accepts connections");
    // A server that refuses the head may close before it has the rest.
    let _ = connection.send(request);
    connection
}

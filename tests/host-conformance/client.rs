//! A client that sends any bytes, also invalid requests, and shows the whole answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::server::address;

/// No test asserts how long anything takes; this only turns a hang into a failure.
const TIMEOUT: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names are in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body is as long as it was announced to be, or the last chunk was there.
    pub complete: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body of a 200, which is JSON.
    pub fn json(&self) -> Value {
        assert_eq!((self.status, self.complete), (200, true), "{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and length, for an answer that has no body.
    pub fn empty(&self) -> (u16, usize) {
        assert!(self.complete, "{self:?}");
        (self.status, self.body.len())
    }
}

pub fn get(path: &str) -> Answer {
    request("GET", path, "", b"")
}

pub fn post(path: &str, body: &str) -> Answer {
    request("POST", path, &format!("content-length: {}\r\n", body.len()), body.as_bytes())
}

/// Sends a request with these header lines, each with its line end, in addition to `host` and `connection`.
pub fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\r\n", address());
    let answer = raw(&[head.as_bytes(), body].concat()).unwrap_or_else(|| panic!("{method} {path}: no answer"));
    if method == "HEAD" { Answer { complete: true, ..answer } } else { answer }
}

/// Sends these bytes and reads until the server closes; nothing if it closes without an answer.
pub fn raw(request: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address()).expect("the server accepts connections");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a connection takes options");
    // A server that refuses the head may close the connection before it has read the rest.
    let _ = stream.write_all(request);
    let mut received = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => received.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("no answer: {error}"),
        }
    }
    if received.is_empty() { None } else { Some(parse(&received)) }
}

fn parse(received: &[u8]) -> Answer {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n").expect("the head is whole");
    let head = String::from_utf8_lossy(&received[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let headers: Vec<_> = lines.map(|line| header(line).expect("a header")).collect();
    let rest = &received[end + 4..];
    let mut answer = Answer { status, headers, body: rest.to_vec(), complete: true };
    if answer.header("transfer-encoding") == Some("chunked") {
        (answer.body, answer.complete) = unchunk(rest);
    } else if let Some(length) = answer.header("content-length") {
        answer.complete = length.parse() == Ok(rest.len());
    }
    answer
}

/// The content of the chunks, and whether the last one was there.
fn unchunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.expect("a chunk begins with its size");
        let chunk = &rest[end + 2..];
        if size == 0 {
            return (body, true);
        }
        body.extend_from_slice(&chunk[..size.min(chunk.len())]);
        rest = chunk.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}

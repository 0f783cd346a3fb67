//! What a test wants sent to another server, and how the answer is told; both probes have it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use stripe_provider::{Method, Request, Transport, TransportError};

/// A request.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default = "get")]
    pub method: String,
    pub url: String,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    #[serde(default)]
    pub body: String,
    /// How often the body is sent, one after another.
    #[serde(default = "once")]
    pub times: usize,
    /// In milliseconds, like all that follow.
    pub connect_timeout: Option<u64>,
    pub first_byte_timeout: Option<u64>,
    pub between_bytes_timeout: Option<u64>,
    /// For all of it; of a transport only.
    #[serde(default)]
    pub timeout: u64,
}

fn get() -> String {
    "GET".to_owned()
}

fn once() -> usize {
    1
}

impl Wanted {
    pub fn read(text: &[u8]) -> Self {
        serde_json::from_slice(text).expect("the body says what is wanted")
    }

    /// Scheme, authority, and path.
    pub fn place(&self) -> (&str, &str, &str) {
        let (scheme, rest) = self.url.split_once("://").expect("the URL has a scheme");
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        (scheme, authority, path)
    }

    pub fn fields(&self) -> Vec<(String, Vec<u8>)> {
        self.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect()
    }

    /// Sends it through the transport of a shell.
    pub async fn send_through(self, transport: impl Transport) -> Value {
        let method = if self.method == "POST" { Method::Post } else { Method::Get };
        let headers = self.headers.into_iter().map(|(name, value)| (&*name.leak(), value)).collect();
        let body = self.body.repeat(self.times).into_bytes();
        let timeout = Duration::from_millis(self.timeout);
        match transport.send(Request { method, url: self.url, headers, body, timeout }).await {
            Ok(answer) => json!({
                "status": answer.status,
                "headers": answer.headers,
                "length": answer.body.len(),
                "body": start(&answer.body),
            }),
            Err(TransportError::NotSent(reason)) => json!({ "not_sent": reason }),
            Err(TransportError::NoAnswer(reason)) => json!({ "no_answer": reason }),
        }
    }
}

/// An answer, and the error that its body ends in.
pub fn told(status: u16, fields: Vec<(String, Vec<u8>)>, body: &[u8], end: Option<String>) -> Value {
    let headers = fields.into_iter().map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()));
    let headers: Vec<_> = headers.collect();
    json!({ "status": status, "headers": headers, "length": body.len(), "body": start(body), "broken_off": end })
}

/// As much of a body as a test looks at.
fn start(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(4096)]).into_owned()
}

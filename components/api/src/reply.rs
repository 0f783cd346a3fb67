//! An answer.

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Status, headers and body of an answer.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The header fields, each name once.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The header fields as hosts take them.
    pub fn fields(&self) -> Vec<(String, Vec<u8>)> {
        self.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
    }

    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// What was asked for, in whichever form.
    pub(crate) fn of(media_type: &str, body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), body }.with(header::CONTENT_TYPE, media_type)
    }

    /// An answer in JSON.
    pub(crate) fn json(status: StatusCode, content: &impl Serialize) -> Self {
        // What is sent is made of strings and numbers: serde_json has nothing to refuse.
        let body = serde_json::to_vec(content).unwrap_or_default();
        Self { status, headers: Vec::new(), body }.with(header::CONTENT_TYPE, "application/json")
    }

    /// An answer in JSON with a tag that changes whenever its content does.
    pub(crate) fn tagged(content: &impl Serialize) -> Self {
        let reply = Self::json(StatusCode::OK, content);
        let digest = Sha256::digest(&reply.body).first_chunk().map_or(0, |half| u128::from_be_bytes(*half));
        reply.with(header::ETAG, &format!("\"{digest:032x}\""))
    }

    /// With a header; replaces one of the same name. A value that no header can have is left out.
    pub(crate) fn with(self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => self.with_value(name, value),
            Err(_) => self,
        }
    }

    pub(crate) fn with_value(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value));
        self
    }

    pub(crate) fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }
}

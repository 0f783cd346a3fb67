//! An answer.

use crate::header;
use http::StatusCode;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Status, headers and body of an answer.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The header fields, each name once, in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The header fields as hosts take them.
    pub fn fields(&self) -> Vec<(String, Vec<u8>)> {
        self.headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
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

    /// An answer that names a state.
    pub(crate) fn state(status: &str) -> Self {
        #[derive(Serialize)]
        struct State<'a> {
            status: &'a str,
        }

        Self::json(StatusCode::OK, &State { status })
    }

    /// With a tag that changes whenever the content does; one that is there stays.
    pub(crate) fn tagged(self) -> Self {
        if self.header(header::ETAG).is_some() {
            return self;
        }
        let tag = self.tag();
        self.with(header::ETAG, &tag)
    }

    /// The tag of this content.
    pub(crate) fn tag(&self) -> String {
        let digest = Sha256::digest(&self.body).first_chunk().map_or(0, |half| u128::from_be_bytes(*half));
        format!("\"{digest:032x}\"")
    }

    /// With a header; replaces one of the same name. A value that no header can have is left out.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            self.headers.retain(|(other, _)| *other != name);
            self.headers.push((name, value.to_owned()));
        }
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
    }
}

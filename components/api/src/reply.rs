//! An answer.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use domain::StoreStats;
use http::StatusCode;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::header;
use crate::problem::Problem;

/// How long a client may take nothing of an answer before it is given up: its pieces are in memory until then, and the
/// instance serves fewer others. What is counted is each piece, of which a slow client takes one after the other.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Status, headers and body of an answer.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The header fields, each name once, in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body; or its first part, where `rest` has more.
    pub body: Vec<u8>,
    /// What the owner has to mend although the request was done. For the log.
    pub(crate) cause: Option<String>,
    /// The other parts of a body that is too large to be kept in memory.
    pub(crate) rest: Option<Box<dyn Parts>>,
}

/// A part that is being made; none after the last.
pub(crate) type NextPart<'a> = Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>, Problem>> + 'a>>;

/// The parts of a body, of which each is made when it is about to be sent. The length of such a body is not known before.
pub(crate) trait Parts {
    /// Makes the next part.
    fn next(&mut self) -> NextPart<'_>;

    /// What the store was asked so far.
    fn stats(&self) -> StoreStats;
}

impl fmt::Debug for dyn Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parts")
    }
}

impl Reply {
    /// Takes the header fields out, as hosts take them.
    pub fn take_fields(&mut self) -> Vec<(String, Vec<u8>)> {
        let fields = std::mem::take(&mut self.headers).into_iter();
        fields.map(|(name, value)| (name.to_owned(), value.into_bytes())).collect()
    }

    fn new(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body, cause: None, rest: None }
    }

    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self::new(status, Vec::new())
    }

    /// What was asked for, in whichever form.
    pub(crate) fn of(media_type: &str, body: Vec<u8>) -> Self {
        Self::new(StatusCode::OK, body).with(header::CONTENT_TYPE, media_type)
    }

    /// An answer in JSON.
    pub(crate) fn json(status: StatusCode, content: &impl Serialize) -> Self {
        // What is sent is made of strings and numbers: serde_json has nothing to refuse.
        let body = serde_json::to_vec(content).unwrap_or_default();
        Self::new(status, body).with(header::CONTENT_TYPE, "application/json")
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

    /// With what the owner has to mend, if there is something.
    pub(crate) fn log(self, cause: Option<String>) -> Self {
        Self { cause, ..self }
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

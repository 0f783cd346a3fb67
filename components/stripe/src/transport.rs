//! What this crate needs to reach Stripe: one HTTP request at a time. A shell has it of its platform.

use std::fmt;
use std::time::Duration;

/// The most bytes that the body of an answer may have. Those of Stripe that are asked for have some 10 KiB.
pub const MAX_BODY: usize = 256 * 1024;

/// The header fields of an answer that are read, in lower case. A transport may leave out all others.
pub const HEADERS: [&str; 3] = ["idempotent-replayed", "request-id", "stripe-should-retry"];

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Changes something. Its body is a form.
    Post,
}

/// One HTTP request. Its header fields have the secret key, so that neither they nor the body are in its `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// How it is sent.
    pub method: Method,
    /// Where to: an absolute URL, `https://` or, on the machine itself, `http://`.
    pub url: String,
    /// The header fields, with names in lower case. `host` and `content-length` are the transport's.
    pub headers: Vec<(&'static str, String)>,
    /// The body, which a `GET` has none of.
    pub body: Vec<u8>,
    /// How long all of it may take, from the look-up of the host's name to the last byte of the answer.
    pub timeout: Duration,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).field("url", &self.url).finish_non_exhaustive()
    }
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// `https` or `http`.
    pub scheme: &'a str,
    /// Host and port.
    pub authority: &'a str,
    /// Path and parameters.
    pub path: &'a str,
}

impl Request {
    /// The header fields as hosts take them, with the length of a `POST`'s body.
    pub fn fields(&self) -> Vec<(String, Vec<u8>)> {
        let given = self.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes()));
        let mut fields: Vec<_> = given.collect();
        if self.method == Method::Post {
            fields.push(("content-length".to_owned(), self.body.len().to_string().into_bytes()));
        }
        fields
    }

    /// The parts of the URL.
    ///
    /// # Errors
    /// If it has none.
    pub fn target(&self) -> Result<Target<'_>, TransportError> {
        let (scheme, rest) = self.url.split_once("://").ok_or(Failure::InvalidUrl)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Ok(Target { scheme, authority, path: if path.is_empty() { "/" } else { path } })
    }
}

/// The answer to a request: any whole one, whatever its status. It may have what is a buyer's, so that its body is not
/// in its `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status. A redirect is not followed.
    pub status: u16,
    /// The header fields of [`HEADERS`] that it has, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Response {
    /// An answer with those of these header fields that are read.
    pub fn new(status: u16, fields: Vec<(String, Vec<u8>)>, body: Vec<u8>) -> Self {
        let read = fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let read = read.filter(|(name, _)| HEADERS.contains(&name.as_str()));
        let headers = read.filter_map(|(name, value)| Some((name, String::from_utf8(value).ok()?))).collect();
        Self { status, headers, body }
    }

    /// Whether this is what was answered to an earlier request under the same name.
    pub(crate) fn is_replay(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    /// The value of a header field, where the answer has it once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other == name);
        let value = values.next().map(|(_, value)| value.as_str());
        value.filter(|_| values.next().is_none())
    }
}

/// A request without a whole answer. The texts are for a log: they have no header field and no body in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// It was certainly not sent: the host of these components does not allow it, the name is not known, nothing
    /// listens there, or its certificate is not trusted.
    #[error("the request was not sent: {0}")]
    NotSent(String),
    /// It may have been sent and carried out: no answer in time, one that broke off, or one with a body of more than
    /// [`MAX_BODY`] bytes.
    #[error("the request has no whole answer: {0}")]
    NoAnswer(String),
}

impl TransportError {
    /// It was certainly not sent, for this reason.
    pub fn not_sent(reason: &str) -> Self {
        Self::NotSent(reason.to_owned())
    }

    /// It may have been carried out, and this is why there is no answer.
    pub fn no_answer(reason: &str) -> Self {
        Self::NoAnswer(reason.to_owned())
    }

    /// There was no whole answer within this time.
    pub fn late(timeout: Duration) -> Self {
        Self::NoAnswer(format!("it took more than {timeout:?}"))
    }

    /// The body of the answer has more than [`MAX_BODY`] bytes.
    pub fn too_large() -> Self {
        Self::NoAnswer(format!("its body has more than {MAX_BODY} bytes"))
    }
}

/// The errors of a platform that are told apart. They have texts here: what writes out all that a platform has makes a
/// component 7 kB larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The platform does not allow a request to there.
    Denied,
    /// The URL cannot be read.
    InvalidUrl,
    /// The name of the host is not known.
    UnknownHost,
    /// There is no connection.
    NotConnected,
    /// There is no encrypted connection.
    NotEncrypted,
    /// A time of the platform's is over.
    Late,
    /// Any other. Whether the request was sent is unknown.
    Other,
}

impl From<Failure> for TransportError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Denied => Self::not_sent("the component may not connect there (allowed_outbound_hosts)"),
            Failure::InvalidUrl => Self::not_sent("its URL is not valid"),
            Failure::UnknownHost => Self::not_sent("the name of the host is not known"),
            Failure::NotConnected => Self::not_sent("no connection could be made"),
            Failure::NotEncrypted => Self::not_sent("no encrypted connection could be made"),
            Failure::Late => Self::no_answer("it took too long"),
            Failure::Other => Self::no_answer("the connection failed"),
        }
    }
}

/// Sends requests.
#[allow(async_fn_in_trait, reason = "a component has one thread, so the futures need not be Send")]
pub trait Transport {
    /// Sends a request, once, and waits for its whole answer, no longer than its `timeout`.
    ///
    /// # Errors
    /// If there is no whole answer. A body that breaks off is such an error, never a short body.
    async fn send(&self, request: Request) -> Result<Response, TransportError>;
}

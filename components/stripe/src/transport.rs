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

/// Sends requests.
#[allow(async_fn_in_trait, reason = "a component has one thread, so the futures need not be Send")]
pub trait Transport {
    /// Sends a request, once, and waits for its whole answer, no longer than its `timeout`.
    ///
    /// # Errors
    /// If there is no whole answer. A body that breaks off is such an error, never a short body.
    async fn send(&self, request: Request) -> Result<Response, TransportError>;
}

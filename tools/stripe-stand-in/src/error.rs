//! Errors in Stripe's own shapes.

use std::net::SocketAddr;
use std::path::PathBuf;

use http::StatusCode;
use serde_json::{Value, json};

/// Why the stand-in cannot start. Each displays as one line that says what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        reason: std::io::Error,
    },
    /// The file of the state or of the record cannot be used.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An option that makes no sense.
    #[error("{0}")]
    Option(String),
    /// Threads cannot be started.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
}

/// An error as the answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    kind: &'static str,
    code: Option<&'static str>,
    param: Option<String>,
    message: String,
    /// What the header `stripe-should-retry` says, where Stripe sends it.
    pub(crate) should_retry: Option<bool>,
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, code: None, param: None, message: message.into(), should_retry: None }
    }

    /// A request that Stripe does not understand, or will not do.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    pub(crate) fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    pub(crate) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub(crate) fn missing(param: &str) -> Self {
        Self::invalid(format!("Missing required param: {param}.")).code("parameter_missing").param(param)
    }

    /// A session, refund or another object that is not there.
    pub(crate) fn unknown(object: &str, id: &str, param: &str) -> Self {
        let error = Self::invalid(format!("No such {object}: '{id}'")).code("resource_missing").param(param);
        Self { status: StatusCode::NOT_FOUND, ..error }
    }

    pub(crate) fn no_such_url(method: &str, path: &str) -> Self {
        let message = format!(
            "Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at \
             https://support.stripe.com/. (This is a stand-in: it does not have everything that Stripe has.)"
        );
        Self { status: StatusCode::NOT_FOUND, ..Self::invalid(message) }
    }

    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, ..Self::invalid(message) }
    }

    /// The key was used for something else before.
    pub(crate) fn other_request(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "idempotency_error", message).should_retry(false)
    }

    pub(crate) fn key_in_use(key: &str) -> Self {
        let message = format!(
            "There is currently another in-progress request using this Idempotent Key (that probably means you submitted \
             twice, and the other request is still going through): {key}. Please try again later."
        );
        let error = Self::new(StatusCode::CONFLICT, "idempotency_error", message);
        error.code("idempotency_key_in_use").should_retry(true)
    }

    pub(crate) fn rate_limit() -> Self {
        let message = "Request rate limit exceeded. Learn more about rate limits here \
                       https://stripe.com/docs/rate-limits.";
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "invalid_request_error", message);
        error.code("rate_limit").should_retry(false)
    }

    pub(crate) fn lock_timeout() -> Self {
        let message = "This object cannot be accessed right now because another API request or Stripe process is \
                       currently accessing it. If you see this error intermittently, retry the request.";
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "invalid_request_error", message);
        error.code("lock_timeout").should_retry(true)
    }

    /// Whether it was done is not said.
    pub(crate) fn internal() -> Self {
        let message = "An unknown error occurred. (The stand-in was told to answer so.)";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", message)
    }

    pub(crate) fn unavailable() -> Self {
        let message = "Stripe is not available. (The stand-in was told to answer so.)";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "api_error", message).should_retry(true)
    }

    fn should_retry(mut self, should: bool) -> Self {
        self.should_retry = Some(should);
        self
    }

    /// The body of the answer.
    pub(crate) fn body(&self) -> Value {
        let mut error = json!({ "message": self.message, "type": self.kind });
        if let Some(code) = self.code {
            error["code"] = code.into();
            error["doc_url"] = format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")).into();
        }
        if let Some(param) = &self.param {
            error["param"] = param.as_str().into();
        }
        json!({ "error": error })
    }
}

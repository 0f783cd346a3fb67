//! Every answer that is not what was asked for, as RFC 9457 `application/problem+json`.

use domain::{Error, Money, Stock, StoreError};
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::code::Code;
use crate::reply::Reply;

/// How many errors an `invalid_request` lists at most.
pub(crate) const MAX_ERRORS: usize = 20;

/// Why a request was not done.
#[derive(Debug)]
pub struct Problem(Box<Content>);

#[derive(Debug)]
struct Content {
    code: Code,
    detail: String,
    /// The members that only problems of this code have.
    more: Map<String, Value>,
    header: Option<(HeaderName, HeaderValue)>,
    /// For the log only: it may have what no client is to see.
    cause: Option<String>,
}

/// One error in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldError {
    place: &'static str,
    name: String,
    detail: String,
}

impl FieldError {
    /// An error in the body, at a JSON pointer (RFC 6901).
    pub(crate) fn body(pointer: String, detail: impl ToString) -> Self {
        Self { place: "pointer", name: pointer, detail: detail.to_string() }
    }

    /// An error in a header.
    pub(crate) fn header(name: &str, detail: impl ToString) -> Self {
        Self { place: "header", name: name.to_owned(), detail: detail.to_string() }
    }

    /// An error in a parameter of the path or the query.
    pub(crate) fn parameter(name: &str, detail: impl ToString) -> Self {
        Self { place: "parameter", name: name.to_owned(), detail: detail.to_string() }
    }
}

impl Problem {
    fn new(code: Code, detail: impl ToString) -> Self {
        let header = code.retry_after().map(|seconds| (header::RETRY_AFTER, HeaderValue::from_static(seconds)));
        Self(Box::new(Content { code, detail: detail.to_string(), more: Map::new(), header, cause: None }))
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.more.insert(name.to_owned(), value.into());
        self
    }

    fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.0.header = Some((name, HeaderValue::from_static(value)));
        self
    }

    fn log(mut self, cause: impl ToString) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// 404 for a path that is none of the contract.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "There is nothing at this path.")
    }

    /// 404 for a path parameter that is not a valid item id, so that no item can have it.
    pub(crate) fn no_such_item() -> Self {
        Self::new(Code::ItemNotFound, "There is no such item.")
    }

    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        Self::new(Code::MethodNotAllowed, format!("This path allows {allow}.")).header(header::ALLOW, allow)
    }

    pub(crate) fn malformed_json(error: &serde_json::Error) -> Self {
        let what = match error.classify() {
            serde_json::error::Category::Data => "Duplicate object key",
            _ => "The body is not JSON",
        };
        Self::new(Code::MalformedJson, format!("{what} (line {}, column {}).", error.line(), error.column()))
    }

    pub(crate) fn body_late() -> Self {
        Self::new(Code::RequestTimeout, "The body took too long to arrive.")
    }

    pub(crate) fn body_incomplete() -> Self {
        Self::new(Code::MalformedJson, "The body ended early.")
    }

    pub(crate) fn body_too_large() -> Self {
        Self::new(Code::BodyTooLarge, format!("A body may have at most {} bytes.", crate::MAX_BODY_BYTES))
    }

    pub(crate) fn unsupported_media_type() -> Self {
        Self::new(Code::UnsupportedMediaType, "The content type must be application/json.")
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(Code::Unauthorized, "The operator's bearer token is required.")
            .header(header::WWW_AUTHENTICATE, "Bearer realm=\"operator\"")
    }

    pub(crate) fn operator_disabled() -> Self {
        Self::new(Code::OperatorDisabled, "The shop has no operator token.")
    }

    /// 422 with what is wrong in each place.
    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let errors: Vec<_> = errors
            .into_iter()
            .take(MAX_ERRORS)
            .map(|error| json!({ error.place: error.name, "detail": error.detail }))
            .collect();
        let detail = match errors.len() {
            1 => "The request has an error; see errors.".to_owned(),
            many => format!("The request has {many} errors; see errors."),
        };
        Self::new(Code::InvalidRequest, detail).with("errors", errors)
    }

    /// 503 until the owner has corrected a variable.
    pub fn misconfigured(error: &impl ToString) -> Self {
        Self::new(Code::Misconfigured, "The shop is not configured.").log(error.to_string())
    }

    /// What a program can tell problems apart by.
    pub(crate) fn code(&self) -> Code {
        self.0.code
    }

    /// Whether it states a fact about a record that must still hold when the store fails over to a replica. That there
    /// is too little of an item, or that a record does not exist, may change at any moment.
    pub(crate) fn is_lasting(&self) -> bool {
        use Code::{IdempotencyKeyReused, ItemExists, OrderNotCancellable, OrderNotPayable};
        matches!(self.0.code, OrderNotPayable | OrderNotCancellable | IdempotencyKeyReused | ItemExists)
    }

    /// The cause, which goes to the log and never to a client.
    pub(crate) fn take_cause(&mut self) -> Option<String> {
        self.0.cause.take()
    }

    pub(crate) fn into_reply(self) -> Reply {
        let Content { code, detail, more, header, .. } = *self.0;
        let problem = ProblemJson {
            kind: format!("urn:problem-type:{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            detail,
            code: code.as_str(),
            more,
        };
        let reply = Reply::json(code.status(), &problem).with(header::CONTENT_TYPE, "application/problem+json");
        header.into_iter().fold(reply, |reply, (name, value)| reply.with_value(name, value))
    }
}

#[derive(Serialize)]
struct ProblemJson {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = capitalised(&error);
        match error {
            Error::ItemNotFound(item_id) => Self::new(Code::ItemNotFound, detail).with("item_id", item_id.to_string()),
            Error::OrderNotFound => Self::new(Code::OrderNotFound, detail),
            Error::InsufficientStock { item_id, available, requested } => Self::new(Code::InsufficientStock, detail)
                .with("item_id", item_id.to_string())
                .with("available", available)
                .with("requested", requested),
            Error::TotalTooLarge => {
                let detail = format!("the total would exceed {}", Money::MAX);
                Self::invalid(vec![FieldError::body("/items".to_owned(), detail)])
            }
            Error::TooMuchStock => {
                let detail = format!("the stock on hand would exceed {}", Stock::MAX);
                Self::invalid(vec![FieldError::body("/delta".to_owned(), detail)])
            }
            Error::IdempotencyKeyReused => Self::new(Code::IdempotencyKeyReused, detail),
            Error::OrderNotPayable(status) => {
                Self::new(Code::OrderNotPayable, detail).with("order_status", status.to_string())
            }
            Error::OrderNotCancellable(status) => {
                Self::new(Code::OrderNotCancellable, detail).with("order_status", status.to_string())
            }
            Error::AmountMismatch { total, .. } => Self::new(Code::AmountMismatch, detail)
                .with("total", total.get())
                .with("errors", json!([{ "pointer": "/amount", "detail": format!("must be {total}") }])),
            Error::ItemExists(item_id) => Self::new(Code::ItemExists, detail).with("item_id", item_id.to_string()),
            Error::InvalidCursor(error) => Self::invalid(vec![FieldError::parameter("cursor", error)]),
            Error::Contended | Error::Abandoned => Self::new(Code::Busy, detail),
            // 507 is not to be repeated by itself (RFC 4918, section 11.5).
            Error::ItemFull(item_id) => Self::new(Code::ItemFull, detail).with("item_id", item_id.to_string()),
            Error::CatalogFull => Self::new(Code::CatalogFull, detail),
            Error::Unreadable { .. } => {
                // The record's name and content may belong to another client.
                let detail = "A record that this request needs cannot be read. It was left as it is.";
                Self::new(Code::UnreadableRecord, detail).log(error)
            }
            Error::Store(StoreError::Unavailable(_)) => {
                let detail = "The store did not answer. Sending the request again is safe.";
                Self::new(Code::StoreUnavailable, detail).log(error)
            }
            Error::Store(StoreError::ContractViolation(reason)) => {
                Self::new(Code::StoreUnsuitable, format!("The store cannot be used: {reason}.")).log(reason)
            }
        }
    }
}

/// The text of an error as a sentence.
fn capitalised(error: &Error) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), characters.as_str()),
        None => text,
    }
}

//! Every answer that is not what was asked for, as RFC 9457 `application/problem+json`.

use domain::{Error, StoreError};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::reply::Reply;

/// The most single mistakes that one answer names.
const MAX_MISTAKES: usize = 20;

/// Why a request was not done.
#[derive(Debug)]
pub struct Problem(Box<Content>);

#[derive(Debug)]
struct Content {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    more: Map<String, Value>,
    header: Option<(HeaderName, HeaderValue)>,
    /// For the owner's eyes only.
    log: Option<String>,
}

/// One mistake in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalid {
    place: &'static str,
    name: String,
    detail: String,
}

impl Invalid {
    /// A mistake in the body, at a JSON pointer (RFC 6901).
    pub(crate) fn body(pointer: String, detail: impl ToString) -> Self {
        Self { place: "pointer", name: pointer, detail: detail.to_string() }
    }

    /// A mistake in a header.
    pub(crate) fn header(name: &str, detail: impl ToString) -> Self {
        Self { place: "header", name: name.to_owned(), detail: detail.to_string() }
    }

    /// A mistake in the path or the query.
    pub(crate) fn parameter(name: &str, detail: impl ToString) -> Self {
        Self { place: "parameter", name: name.to_owned(), detail: detail.to_string() }
    }
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl ToString) -> Self {
        let detail = detail.to_string();
        Self(Box::new(Content { status, code, title, detail, more: Map::new(), header: None, log: None }))
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
        self.0.log = Some(cause.to_string());
        self
    }

    /// 404: the path names nothing.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", "There is nothing at this path.")
    }

    /// 404 for a text that is no item id, and so names no item.
    pub(crate) fn no_such_item() -> Self {
        Self::new(StatusCode::NOT_FOUND, "item_not_found", "Item not found", "There is no such item.")
    }

    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let detail = format!("This path takes {allow}.");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed", detail)
            .header(header::ALLOW, allow)
    }

    pub(crate) fn malformed_json(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let detail = match error.classify() {
            serde_json::error::Category::Data => format!("A name is there twice (line {line}, column {column})."),
            _ => format!("The body is not JSON (line {line}, column {column})."),
        };
        Self::new(StatusCode::BAD_REQUEST, "malformed_json", "Malformed JSON", detail)
    }

    pub(crate) fn body_late() -> Self {
        let detail = "The body took too long to arrive.";
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "Request timeout", detail)
    }

    pub(crate) fn body_incomplete() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_json", "Malformed JSON", "The body ended early.")
    }

    pub(crate) fn body_too_large() -> Self {
        let detail = format!("A body has at most {} bytes.", crate::MAX_BODY_BYTES);
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "Body too large", detail)
    }

    pub(crate) fn unsupported_media_type() -> Self {
        let detail = "The content type has to be application/json.";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, "unsupported_media_type", "Unsupported media type", detail)
    }

    pub(crate) fn unauthorized() -> Self {
        let detail = "This needs the operator's bearer token.";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized", detail)
            .header(header::WWW_AUTHENTICATE, "Bearer realm=\"operator\"")
    }

    pub(crate) fn operator_disabled() -> Self {
        let detail = "No operator token is set, so nobody can do this.";
        Self::new(StatusCode::FORBIDDEN, "operator_disabled", "Operator disabled", detail)
    }

    /// 422: the request is understood and wrong.
    pub(crate) fn invalid(mistakes: Vec<Invalid>) -> Self {
        let mistakes: Vec<_> = mistakes
            .into_iter()
            .take(MAX_MISTAKES)
            .map(|mistake| json!({ mistake.place: mistake.name, "detail": mistake.detail }))
            .collect();
        let detail = match mistakes.len() {
            1 => "One thing in the request is wrong; see errors.".to_owned(),
            many => format!("{many} things in the request are wrong; see errors."),
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", "Invalid request", detail)
            .with("errors", mistakes)
    }

    /// 503: the owner has to mend something.
    pub fn misconfigured(error: &impl ToString) -> Self {
        Self::unavailable("misconfigured", "Misconfigured", "The shop is not configured.", "60").log(error.to_string())
    }

    /// 503 for what may pass; `retry_after` in seconds.
    fn unavailable(code: &'static str, title: &'static str, detail: &str, retry_after: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, title, detail).header(header::RETRY_AFTER, retry_after)
    }

    /// What a client may go by.
    pub(crate) fn code(&self) -> &'static str {
        self.0.code
    }

    /// Whether it tells what was found, so that it must not be otherwise later. That there is too little of an item, or that
    /// something is not there, is no promise.
    pub(crate) fn tells_what_is(&self) -> bool {
        matches!(self.0.code, "order_not_payable" | "order_not_cancellable" | "idempotency_key_reused" | "item_exists")
    }

    /// What goes to the log and to nobody else.
    pub(crate) fn take_cause(&mut self) -> Option<String> {
        self.0.log.take()
    }

    pub(crate) fn into_reply(self) -> Reply {
        let Content { status, code, title, detail, more, header, .. } = *self.0;
        let kind = format!("urn:problem-type:{code}");
        let problem = ProblemJson { kind, title, status: status.as_u16(), detail, code, more };
        let reply = Reply::json(status, &problem).with(header::CONTENT_TYPE, "application/problem+json");
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
            Error::ItemNotFound(item_id) => {
                Self::new(StatusCode::NOT_FOUND, "item_not_found", "Item not found", detail)
                    .with("item_id", item_id.to_string())
            }
            Error::OrderNotFound => Self::new(StatusCode::NOT_FOUND, "order_not_found", "Order not found", detail),
            Error::InsufficientStock { item_id, available, requested } => {
                Self::new(StatusCode::CONFLICT, "insufficient_stock", "Insufficient stock", detail)
                    .with("item_id", item_id.to_string())
                    .with("available", available)
                    .with("requested", requested)
            }
            Error::TotalTooLarge => Self::invalid(vec![Invalid::body("/items".to_owned(), error)]),
            Error::TooMuchStock => Self::invalid(vec![Invalid::body("/delta".to_owned(), error)]),
            Error::IdempotencyKeyReused => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Self::new(status, "idempotency_key_reused", "Idempotency key reused", detail)
            }
            Error::OrderNotPayable(status) => {
                Self::new(StatusCode::CONFLICT, "order_not_payable", "Order not payable", detail)
                    .with("order_status", status.to_string())
            }
            Error::OrderNotCancellable(status) => {
                Self::new(StatusCode::CONFLICT, "order_not_cancellable", "Order not cancellable", detail)
                    .with("order_status", status.to_string())
            }
            Error::AmountMismatch { total, .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "amount_mismatch", "Amount mismatch", detail)
                    .with("total", total.get())
                    .with("errors", json!([{ "pointer": "/amount", "detail": format!("must be {total}") }]))
            }
            Error::ItemExists(item_id) => Self::new(StatusCode::CONFLICT, "item_exists", "Item exists", detail)
                .with("item_id", item_id.to_string()),
            Error::InvalidCursor(error) => Self::invalid(vec![Invalid::parameter("cursor", error)]),
            Error::Contended | Error::Abandoned => Self::unavailable("busy", "Busy", &detail, "1"),
            // Unpaid orders make room when they are paid, cancelled or late.
            Error::ItemFull(item_id) => {
                Self::unavailable("busy", "Busy", &detail, "60").with("item_id", item_id.to_string())
            }
            Error::CatalogFull => Self::unavailable("busy", "Busy", &detail, "60"),
            Error::Unreadable { .. } => {
                // Which record, and what is in it, may be another client's business.
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                let detail = "A record that this request needs cannot be read. It was left as it is.";
                Self::new(status, "unreadable_record", "Unreadable record", detail).log(error)
            }
            Error::Store(StoreError::Unavailable(_)) => {
                let detail = "The store did not answer. Sending the request again is safe.";
                Self::unavailable("store_unavailable", "Store unavailable", detail, "5").log(error)
            }
            Error::Store(StoreError::ContractViolation(reason)) => {
                let detail = format!("The store cannot be used: {reason}.");
                Self::unavailable("store_unsuitable", "Store unsuitable", &detail, "60").log(reason)
            }
        }
    }
}

/// An error's text as a sentence.
fn capitalised(error: &Error) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), characters.as_str()),
        None => text,
    }
}

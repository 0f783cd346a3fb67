//! Every answer that is not what was asked for, as RFC 9457 `application/problem+json`.

use domain::order::Line;
use domain::{Error, InvalidNotice, ItemId, Money, Stock, StoreError};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::code::Code;
use crate::config::ConfigError;
use crate::header;
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
    /// The members that only problems of this code have, in the order of their names.
    more: Vec<(&'static str, Member)>,
    header: Option<(&'static str, &'static str)>,
    /// For the log only: it may have what no client is to see.
    cause: Option<String>,
}

/// The value of a member. A value of the JSON library would bring the formatting of floating-point numbers into every
/// component.
#[derive(Debug)]
enum Member {
    Text(String),
    Number(u64),
    Errors(Vec<FieldError>),
    Lines(Vec<Line>),
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
        let header = code.retry_after().map(|seconds| (header::RETRY_AFTER, seconds));
        Self(Box::new(Content { code, detail: detail.to_string(), more: Vec::new(), header, cause: None }))
    }

    fn with(mut self, name: &'static str, value: Member) -> Self {
        self.0.more.push((name, value));
        self
    }

    fn about(self, item_id: &ItemId) -> Self {
        self.with("item_id", Member::Text(item_id.to_string()))
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.0.header = Some((name, value));
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
        Self::new(
            Code::MalformedJson,
            match error.classify() {
                // The one thing that the reader itself refuses: a duplicate object key.
                serde_json::error::Category::Data => format!("{error}."),
                _ => format!("The body is not JSON (line {}, column {}).", error.line(), error.column()),
            },
        )
    }

    /// 400 for a header that is not UTF-8.
    pub(crate) fn malformed_header(name: &str) -> Self {
        let error = FieldError::header(name, "must be UTF-8");
        Self::new(Code::MalformedHeader, "A header is not UTF-8.").with("errors", Member::Errors(vec![error]))
    }

    /// 400 for a part of an item, which cannot be put (RFC 9110, 14.5).
    pub(crate) fn no_parts() -> Self {
        let error = FieldError::header(header::CONTENT_RANGE, "a part of an item cannot be put");
        Self::new(Code::UnsupportedHeader, "A header asks for what the shop does not do.")
            .with("errors", Member::Errors(vec![error]))
    }

    /// 406 for a client that does not take the first of these types.
    pub(crate) fn not_acceptable([media_type, ..]: [&str; 3]) -> Self {
        Self::new(Code::NotAcceptable, format!("The answer is {media_type}, and not compressed."))
    }

    pub(crate) fn expectation_failed() -> Self {
        Self::new(Code::ExpectationFailed, "Of what a client can expect there is 100-continue.")
    }

    pub(crate) fn precondition_failed() -> Self {
        Error::PreconditionFailed.into()
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
            .header(header::ACCEPT, "application/json")
    }

    pub(crate) fn unsupported_content_coding() -> Self {
        Self::new(Code::UnsupportedContentCoding, "The body must not be compressed, or coded in another way.")
            .header(header::ACCEPT_ENCODING, "identity")
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
        let mut errors = errors;
        errors.truncate(MAX_ERRORS);
        let detail = match errors.len() {
            1 => "The request has an error; see errors.".to_owned(),
            many => format!("The request has {many} errors; see errors."),
        };
        Self::new(Code::InvalidRequest, detail).with("errors", Member::Errors(errors))
    }

    /// 503 until the owner has corrected a variable.
    pub fn misconfigured(error: &impl ToString) -> Self {
        Self::new(Code::Misconfigured, "The shop is not configured.").log(error.to_string())
    }

    /// As [`Self::misconfigured`], and says which variable it is.
    pub(crate) fn misconfigured_by(error: &ConfigError) -> Self {
        let detail = format!("The shop is not configured: the variable {} cannot be meant.", error.variable());
        Self::new(Code::Misconfigured, detail).log(error)
    }

    /// What a program can tell problems apart by.
    pub(crate) fn code(&self) -> Code {
        self.0.code
    }

    /// Whether it states a fact about a record that must still hold when the store fails over to a replica. That there
    /// is too little of an item, or that a record does not exist, may change at any moment.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(
            self.0.code,
            Code::OrderNotPayable
                | Code::OrderNotCancellable
                | Code::OrderNotRefundable
                | Code::RefundExceedsPayment
                | Code::RefundExceedsSale
                | Code::OrderNotReturnable
                | Code::ReturnExceedsSale
                | Code::OrderNotFulfillable
                | Code::OrderDelivered
                | Code::OrderFull
                | Code::IdempotencyKeyReused
                | Code::ItemExists
                | Code::PreconditionFailed
        )
    }

    /// The cause, which goes to the log and never to a client.
    pub(crate) fn take_cause(&mut self) -> Option<String> {
        self.0.cause.take()
    }

    pub(crate) fn into_reply(self) -> Reply {
        let Content { code, header, .. } = &*self.0;
        let reply = Reply::json(code.status(), &*self.0).with(header::CONTENT_TYPE, "application/problem+json");
        header.iter().fold(reply, |reply, (name, value)| reply.with(name, value))
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { code, detail, more, .. } = self;
        let mut problem = serializer.serialize_map(None)?;
        problem.serialize_entry("type", &format!("urn:problem-type:{}", code.as_str()))?;
        problem.serialize_entry("title", code.title())?;
        problem.serialize_entry("status", &code.status().as_u16())?;
        problem.serialize_entry("detail", detail)?;
        problem.serialize_entry("code", code.as_str())?;
        more.iter().try_for_each(|(name, value)| problem.serialize_entry(name, value))?;
        problem.end()
    }
}

impl Serialize for Member {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Errors(errors) => errors.serialize(serializer),
            Self::Lines(lines) => lines.serialize(serializer),
        }
    }
}

impl Serialize for FieldError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut error = serializer.serialize_map(None)?;
        error.serialize_entry("detail", &self.detail)?;
        error.serialize_entry(self.place, &self.name)?;
        error.end()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = capitalised(&error);
        match error {
            Error::ItemNotFound(item_id) => Self::new(Code::ItemNotFound, detail).about(&item_id),
            Error::OrderNotFound => Self::new(Code::OrderNotFound, detail),
            Error::InsufficientStock { item_id, available, requested } => Self::new(Code::InsufficientStock, detail)
                .with("available", Member::Number(available))
                .about(&item_id)
                .with("requested", Member::Number(requested)),
            Error::QuantityAboveLimit { item_id, max_per_order, requested } => {
                Self::new(Code::QuantityAboveLimit, detail)
                    .about(&item_id)
                    .with("max_per_order", Member::Number(max_per_order.get()))
                    .with("requested", Member::Number(requested.get()))
            }
            Error::PriceChanged(order) => Self::new(Code::PriceChanged, detail)
                .with("items", Member::Lines(order.lines().to_vec()))
                .with("total", Member::Number(order.total().get())),
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
                Self::new(Code::OrderNotPayable, detail).with("order_status", Member::Text(status.to_string()))
            }
            Error::OrderNotCancellable(status) => {
                Self::new(Code::OrderNotCancellable, detail).with("order_status", Member::Text(status.to_string()))
            }
            Error::OrderNotRefundable(status) => {
                Self::new(Code::OrderNotRefundable, detail).with("order_status", Member::Text(status.to_string()))
            }
            Error::RefundExceedsPayment { left, requested } => Self::new(Code::RefundExceedsPayment, detail)
                .with("refundable", Member::Number(left))
                .with("requested", Member::Number(requested)),
            Error::RefundExceedsSale { item_id, sold, left, requested } => Self::new(Code::RefundExceedsSale, detail)
                .about(&item_id)
                .with("refundable", Member::Number(left))
                .with("requested", Member::Number(requested))
                .with("sold", Member::Number(sold)),
            Error::OrderNotReturnable(status) => {
                Self::new(Code::OrderNotReturnable, detail).with("order_status", Member::Text(status.to_string()))
            }
            Error::ReturnExceedsSale { item_id, sold, left, requested } => Self::new(Code::ReturnExceedsSale, detail)
                .about(&item_id)
                .with("requested", Member::Number(requested))
                .with("returnable", Member::Number(left))
                .with("sold", Member::Number(sold)),
            Error::OrderNotFulfillable(status) => {
                Self::new(Code::OrderNotFulfillable, detail).with("order_status", Member::Text(status.to_string()))
            }
            Error::OrderDelivered => Self::new(Code::OrderDelivered, detail),
            Error::OrderFull => Self::new(Code::OrderFull, detail),
            Error::AmountMismatch { total, .. } => Self::new(Code::AmountMismatch, detail)
                .with(
                    "errors",
                    Member::Errors(vec![FieldError::body("/amount".to_owned(), format!("must be {total}"))]),
                )
                .with("total", Member::Number(total.get())),
            Error::ItemExists(item_id) => Self::new(Code::ItemExists, detail).about(&item_id),
            Error::PreconditionFailed => {
                Self::new(Code::PreconditionFailed, "It is not what if-match or if-none-match says. It is as it was.")
            }
            Error::InvalidCursor(error) => Self::invalid(vec![FieldError::parameter("cursor", error)]),
            Error::Contended | Error::Overloaded | Error::Abandoned => Self::new(Code::Busy, detail),
            Error::PaymentProcessing => Self::new(Code::PaymentProcessing, detail),
            // What the provider says goes to the log: it names sessions and charges.
            Error::ProviderUnavailable(_) => {
                let detail = "The payment provider did not answer. Sending the request again is safe.";
                Self::new(Code::PaymentProviderUnavailable, detail).log(error)
            }
            Error::ProviderRefused(_) => {
                Self::new(Code::PaymentProviderError, "The payment provider refuses. The order is as it was.")
                    .log(error)
            }
            Error::ProviderNonsense(_) => {
                let detail = "The answer of the payment provider makes no sense. The order is as it was.";
                Self::new(Code::PaymentProviderError, detail).log(error)
            }
            Error::SessionLost(_) => {
                let detail = "The payment provider does not know the payment of this order. The order is as it was.";
                Self::new(Code::PaymentProviderError, detail).log(error)
            }
            Error::WrongCharge(_) | Error::TooManyLateCharges(_) | Error::RefundFailed(_) => {
                let detail = "The payment provider has charged what it should not have. The owner has to see to it.";
                Self::new(Code::PaymentProviderError, detail).log(error)
            }
            // Not for the log: any client can send one. The provider tells the owner that it is refused.
            Error::InvalidNotice(InvalidNotice::Signature) => Self::new(Code::InvalidSignature, detail),
            Error::InvalidNotice(InvalidNotice::Unreadable) => Self::new(Code::MalformedEvent, detail).log(error),
            // 507 is not to be repeated by itself (RFC 4918, section 11.5).
            Error::ItemFull(item_id) => Self::new(Code::ItemFull, detail).about(&item_id),
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
            Error::Store(StoreError::Full(_)) => {
                let detail =
                    "The store has no room for another order or item. What is there can be paid, cancelled and read.";
                Self::new(Code::StoreFull, detail).log(error)
            }
            Error::Store(StoreError::ContractViolation(_)) => {
                // The reason may have the name of a record.
                let detail = "The store lacks a guarantee that the shop needs. Nothing is sold from it.";
                Self::new(Code::StoreUnsuitable, detail).log(error)
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

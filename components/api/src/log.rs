//! What is written down of a request: a line of JSON.
//!
//! No secrets: neither the operator's token nor a client's idempotency key, and no body. The id of an order is one as
//! far as a client that knows it may read, pay and cancel it: the log is the owner's.

use std::borrow::Cow;
use std::fmt::Write as _;

use domain::{Environment, StoreStats, text};
use http::{Method, StatusCode};
use serde::Serialize;

use crate::code::Code;
use crate::orders;
use crate::request::{Headers, Request};
use crate::route::Route;

const TRACEPARENT: &str = "traceparent";

/// How much of a path is written down, in bytes. Those of the contract are shorter.
const MAX_PATH_BYTES: usize = 512;

/// How much of a cause is written down, in bytes: it may have what a store says, or what is in a record.
const MAX_CAUSE_BYTES: usize = 1024;

/// Which requests are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// All.
    Requests,
    /// Those that were not done for a reason that the owner has to mend.
    Problems,
}

impl Log {
    /// Reads the variable `log`.
    pub(crate) fn named(variable: &str) -> Option<Self> {
        match variable {
            "requests" => Some(Self::Requests),
            "problems" => Some(Self::Problems),
            _ => None,
        }
    }
}

/// How a request ended.
pub(crate) struct Outcome {
    /// In microseconds, where all requests are written down.
    pub(crate) took: u64,
    pub(crate) tally: StoreStats,
    /// Of a problem.
    pub(crate) code: Option<Code>,
    /// What the owner has to mend.
    pub(crate) cause: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    microseconds: Option<u64>,
    store_calls: u32,
    conflicts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
}

impl Log {
    /// The line for a request, if it is one that is written down.
    pub(crate) fn line(
        self,
        request: &Request,
        (status, location): (StatusCode, Option<&str>),
        request_id: &str,
        outcome: &Outcome,
        environment: &impl Environment,
    ) -> Option<String> {
        if self == Self::Problems && outcome.cause.is_none() {
            return None;
        }
        let cause = outcome.cause.as_deref().map(|cause| cut(cause, MAX_CAUSE_BYTES));
        let line = Line {
            at: environment.now().to_string(),
            request_id,
            trace_id: trace_id(&request.headers),
            method: known(&request.method),
            path: &cut(request.path(), MAX_PATH_BYTES),
            status: status.as_u16(),
            code: outcome.code.map(Code::as_str),
            order_id: order_id(request, location),
            microseconds: (self == Self::Requests).then_some(outcome.took),
            store_calls: outcome.tally.calls,
            conflicts: outcome.tally.conflicts,
            cause: cause.as_deref(),
        };
        serde_json::to_string(&line).ok().map(|line| escaped(&line))
    }
}

/// A text of at most this many bytes, and whether it was longer.
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return text.into();
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let (first, _) = text.split_at_checked(end).unwrap_or_default();
    format!("{first}…").into()
}

/// A line with an escape of JSON for each character that would change how a terminal or an editor shows it. Outside of
/// strings JSON has none of them.
fn escaped(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len());
    for character in line.chars() {
        if text::is_control(character) {
            // All of them have four digits.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// A method by its name; an unknown one could be of any length.
fn known(method: &Method) -> &str {
    match method.as_str() {
        name if name.len() <= 16 => name,
        _ => "?",
    }
}

/// The order that a request is about, or has placed.
fn order_id(request: &Request, location: Option<&str>) -> Option<String> {
    match Route::parse(request.path())? {
        // As it is written everywhere else. What is no id is in the path.
        Route::Order(id)
        | Route::Pay(id)
        | Route::Cancel(id)
        | Route::Abandon(id)
        | Route::Refunds(id)
        | Route::RetryRefunds(id)
        | Route::Returns(id)
        | Route::Fulfilment(id)
        | Route::OrderHistory(id) => orders::order_id(id).ok().map(|id| id.to_string()),
        Route::Orders => location?.strip_prefix("/orders/").map(str::to_owned),
        _ => None,
    }
}

/// The trace that a request belongs to, by the header of W3C Trace Context.
fn trace_id(headers: &Headers) -> Option<&str> {
    let value = str::from_utf8(headers.first(TRACEPARENT)?).ok()?;
    let mut parts = value.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let sound = version.len() == 2 && trace.len() == 32 && hexadecimal(version) && hexadecimal(trace);
    (sound && version != "ff" && trace.bytes().any(|byte| byte != b'0')).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::{cut, escaped, trace_id};

    #[test]
    fn what_is_written_down_is_bounded() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "abc…");
        // Not in the middle of a character.
        assert_eq!(cut("a件件", 3), "a…");
        assert_eq!(cut("件", 0), "…");
    }

    #[test]
    fn what_changes_how_a_line_is_shown_is_escaped() {
        let line = serde_json::to_string("a\u{1b}[31m\u{7f}\u{9b}\u{202e}b\u{2066}\u{feff}\u{2028}件").unwrap();
        let shown = escaped(&line);
        assert_eq!(shown, r#""a\u001b[31m\u007f\u009b\u202eb\u2066\ufeff\u2028件""#);
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), serde_json::from_str::<String>(&line).unwrap());
    }

    #[test]
    fn a_trace_is_known_by_its_header_and_nothing_else_is_taken_for_one() {
        let headers = |value: &str| vec![("traceparent".to_owned(), value.as_bytes().to_vec())].into();
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let good = format!("00-{trace}-00f067aa0ba902b7-01");
        assert_eq!(trace_id(&headers(&good)), Some(trace));
        let none = "0".repeat(32);
        for other in ["", "00", trace, &good.to_uppercase(), &format!("ff-{trace}-1-01"), &format!("00-{none}-1-01")] {
            assert_eq!(trace_id(&headers(other)), None, "{other}");
        }
    }
}

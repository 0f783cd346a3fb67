//! What a client accepts (RFC 9110, 12.5), and what it expects (10.1.1).

use crate::header;
use crate::problem::Problem;
use crate::request::Headers;

/// The media type of most answers, and the ranges that it is in.
pub(crate) const JSON: [&str; 3] = ["application/json", "application/*", "*/*"];

/// Refuses a client that does not take an answer of this type: before anything is done. `types` are the type, and the
/// ranges that it is in.
pub(crate) fn accept(headers: &Headers, types: [&str; 3]) -> Result<(), Problem> {
    let named = || headers.elements(header::ACCEPT).iter().any(|range| range.contains(&b'/'));
    let taken = allows(headers, header::ACCEPT, &types).unwrap_or_else(|| !named());
    if taken { Ok(()) } else { Err(Problem::not_acceptable(types)) }
}

/// Refuses a client that does not take an answer as it is, without compression.
pub(crate) fn accept_plain(headers: &Headers, types: [&str; 3]) -> Result<(), Problem> {
    let taken = allows(headers, header::ACCEPT_ENCODING, &["identity", "*"]).unwrap_or(true);
    if taken { Ok(()) } else { Err(Problem::not_acceptable(types)) }
}

/// Refuses what a client expects of a server beyond the answer. `100-continue` is for the server, and done.
pub(crate) fn expectations(headers: &Headers) -> Result<(), Problem> {
    let expected = headers.elements(header::EXPECT);
    let met = expected.iter().all(|expected| expected.eq_ignore_ascii_case(b"100-continue"));
    if met { Ok(()) } else { Err(Problem::expectation_failed()) }
}

/// Whether a list with weights (12.4.2) allows the first of these names that it has; none if it has none of them.
pub(crate) fn allows(headers: &Headers, field: &'static str, names: &[&str]) -> Option<bool> {
    let elements = headers.elements(field);
    for name in names {
        for element in &elements {
            let mut parts = element.split(|byte| *byte == b';');
            if parts.next().is_some_and(|named| named.trim_ascii().eq_ignore_ascii_case(name.as_bytes())) {
                return Some(!parts.any(is_zero));
            }
        }
    }
    None
}

/// Whether a parameter is the weight 0: refused.
fn is_zero(parameter: &[u8]) -> bool {
    let parameter = parameter.trim_ascii();
    let weight = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="));
    weight.is_some_and(|weight| weight.iter().all(|byte| matches!(byte, b'0' | b'.')))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::{JSON, accept, accept_plain, expectations};
    use crate::request::Headers;

    fn headers(name: &str, values: &[&str]) -> Headers {
        let fields = values.iter().map(|value| (name.to_owned(), value.as_bytes().to_vec()));
        fields.collect::<Vec<_>>().into()
    }

    #[test]
    fn json_is_sent_to_clients_that_take_it() {
        for accepted in [
            "",
            "*/*",
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/*;q=0.1",
            "text/html, */*;q=0.1",
            "text/html;q=0, */*",
            "text/*;q=0 , application/json;q=0.001",
            "*/*;q=0, application/json",
            "not a type",
        ] {
            assert!(accept(&headers("accept", &[accepted]), JSON).is_ok(), "{accepted}");
        }
        assert!(accept(&headers("accept", &["text/html", "application/json"]), JSON).is_ok());
        assert!(accept(&headers("accept", &[]), JSON).is_ok());
    }

    #[test]
    fn a_client_that_takes_no_json_is_refused() {
        for accepted in [
            "text/html",
            "application/xml, text/*",
            "application/json;q=0",
            "*/*;q=0.0",
            "*/*, application/json; Q=0.000",
        ] {
            let refused = accept(&headers("accept", &[accepted]), JSON).unwrap_err().into_reply();
            assert_eq!(refused.status, StatusCode::NOT_ACCEPTABLE, "{accepted}");
        }
        for (accepted, taken) in [("gzip", true), ("*", true), ("identity;q=0", false), ("gzip, *;q=0", false)] {
            assert_eq!(accept_plain(&headers("accept-encoding", &[accepted]), JSON).is_ok(), taken, "{accepted}");
        }
        assert!(accept_plain(&headers("accept-encoding", &["*;q=0, identity"]), JSON).is_ok());
    }

    #[test]
    fn an_expectation_that_there_is_not_is_refused() {
        for (expected, met) in [("100-continue", true), ("100-Continue", true), ("", true), ("a", false)] {
            assert_eq!(expectations(&headers("expect", &[expected])).is_ok(), met, "{expected}");
        }
        assert!(expectations(&headers("expect", &["100-continue, a=b"])).is_err());
    }
}

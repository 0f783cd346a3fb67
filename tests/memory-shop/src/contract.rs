//! What holds for the answer to every request.

use api::{Code, Reply};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::Answer;

pub fn check(asked: &str, response: api::Response) -> Answer {
    let Reply { status, headers, body: bytes, .. } = response.reply;
    let status = status.as_u16();
    let field = |(name, value): (&'static str, String)| {
        (HeaderName::from_static(name), HeaderValue::from_str(&value).expect("a header can have it"))
    };
    let headers: HeaderMap = headers.into_iter().map(field).collect();
    let header = |name: &str| headers.get(name).map(|value| value.to_str().expect("a text"));
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!(header("cache-control"), Some("no-store"), "{asked}");
    assert_eq!(header("content-security-policy"), Some("default-src 'none'; frame-ancestors 'none'"), "{asked}");
    assert_eq!(header("x-content-type-options"), Some("nosniff"), "{asked}");
    assert!(header("x-request-id").is_some_and(|id| !id.is_empty()), "{asked}");
    if matches!(status, 204 | 304) {
        assert!(bytes.is_empty() && header("content-length").is_none(), "{asked}: {text}");
    } else {
        assert_eq!(header("content-length"), Some(bytes.len().to_string().as_str()), "{asked}");
    }
    let is_text = status == 200 && header("content-type").is_some_and(|kind| kind.starts_with("text/plain"));
    let body: Value = if is_text {
        text.as_ref().into()
    } else if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{asked}: {error}: {text}"))
    };
    // One line of JSON, for every request.
    let line: Option<Value> = response.line.as_ref().map(|line| {
        assert!(!line.contains(domain::text::is_control), "{asked}: {line:?}");
        assert!(line.len() < 16 << 10, "{asked}: {} bytes", line.len());
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{asked}: {error}: {line}"))
    });
    if let Some(line) = &line {
        assert_eq!((&line["status"], line["request_id"].as_str()), (&status.into(), header("x-request-id")), "{asked}");
        assert!(line["microseconds"].is_u64() && line["store_calls"].is_u64(), "{asked}: {line}");
    }
    match status {
        200 if is_text => assert!(asked.contains("/metrics"), "{asked}"),
        200..=202 => assert_eq!(header("content-type"), Some("application/json"), "{asked}"),
        204 | 304 => {}
        _ => {
            let code = body["code"].as_str().unwrap_or_default();
            let known = Code::ALL.iter().any(|known| known.status() == status && known.as_str() == code);
            assert!(known, "{asked}: {status} {text}");
            assert_eq!(header("content-type"), Some("application/problem+json"), "{asked}");
            assert_eq!(body["status"], status, "{asked}");
            assert_eq!(body["type"], format!("urn:problem-type:{code}"), "{asked}");
            assert_eq!(header("retry-after").is_some(), status == 503, "{asked}");
            if let Some(line) = &line {
                assert_eq!(line["code"], code, "{asked}: {line}");
                assert_eq!(
                    line["cause"].is_string(),
                    (status >= 500 && code != "busy") || code == "malformed_event",
                    "{asked}: {line}"
                );
            }
            if ["invalid_request", "malformed_header"].contains(&code) {
                let errors = body["errors"].as_array().unwrap_or_else(|| panic!("{asked}: {text}"));
                let places = ["pointer", "header", "parameter"];
                let named = |error: &Value| places.iter().filter(|place| error[**place].is_string()).count() == 1;
                assert!((1..=20).contains(&errors.len()) && errors.iter().all(named), "{asked}: {text}");
            }
        }
    }
    Answer { status, headers, body, log: response.line }
}

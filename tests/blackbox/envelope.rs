//! What holds for every answer, whatever was asked. The client checks it on each one, so that no test has to.

use api::Code;
use harness::{HeaderMap, Method};
use serde_json::Value;

/// One answer, with the question, for the message of a failing test.
#[derive(Clone, Debug)]
pub struct Answer {
    pub method: Method,
    pub asked: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// The codes that an answer of a shop with an intact store may have: all but that of a damaged record.
pub fn codes() -> impl Iterator<Item = Code> {
    Code::ALL.iter().copied().filter(|code| *code != Code::UnreadableRecord)
}

/// Marks of an implementation that shows its insides.
const LEAKS: &[&str] = &["panicked", "backtrace", "wasm trap", ".rs:", "unwrap()"];

/// What is wrong with an answer, if anything.
pub fn defects(answer: &Answer) -> Vec<String> {
    let mut defects = Vec::new();
    let one = |name: &str, defects: &mut Vec<String>| -> Option<String> {
        let all: Vec<_> = answer.headers.get_all(name).iter().collect();
        match all.as_slice() {
            [one] => Some(String::from_utf8_lossy(one.as_bytes()).into_owned()),
            [] => {
                defects.push(format!("no {name}"));
                None
            }
            _ => {
                defects.push(format!("{} times {name}", all.len()));
                None
            }
        }
    };

    // A file may be kept, and is asked for again each time.
    let kept = if is_file(answer) && answer.header("etag").is_some() { "no-cache" } else { "no-store" };
    if let Some(value) = one("cache-control", &mut defects)
        && value != kept
    {
        defects.push(format!("cache-control: {value}"));
    }
    if let Some(value) = one("x-content-type-options", &mut defects)
        && value != "nosniff"
    {
        defects.push(format!("x-content-type-options: {value}"));
    }
    if let Some(value) = one("content-security-policy", &mut defects) {
        let has = |part: &str| value.split("; ").any(|found| found == part);
        let page = is_file(answer) && answer.header("etag").is_some();
        if !has("default-src 'none'") || !has("frame-ancestors 'none'") || value.contains("script-src") != page {
            defects.push(format!("content-security-policy: {value}"));
        }
    }
    for (name, value) in &answer.headers {
        let text = std::str::from_utf8(value.as_bytes());
        if !text.is_ok_and(|text| text.chars().all(|character| matches!(character, ' '..='~'))) {
            defects.push(format!("{name} has what is no visible ASCII"));
        }
    }
    if let Some(value) = one("x-request-id", &mut defects)
        && !(1..=200).contains(&value.len())
    {
        defects.push(format!("x-request-id of {} characters", value.len()));
    }

    // HTTP forbids a content-length on a 204, and a 304 need not have one.
    let bodiless = answer.status == 204 || answer.status == 304;
    // All orders, which come in chunks; the client has looked whether the last one was there.
    let in_parts = is_export(answer) && answer.header("content-length").is_none();
    if (bodiless || answer.method == Method::HEAD) && !answer.body.is_empty() {
        defects.push(format!("a body of {} bytes where none may be", answer.body.len()));
    }
    if !bodiless
        && !in_parts
        && let Some(value) = one("content-length", &mut defects)
    {
        match value.parse::<usize>() {
            Err(_) => defects.push(format!("content-length: {value}")),
            Ok(length) if answer.method != Method::HEAD && length != answer.body.len() => {
                defects.push(format!("content-length: {length}, and {} bytes came", answer.body.len()));
            }
            // Of no orders there are no lines.
            Ok(0) if media_type(answer) != "application/x-ndjson" => defects.push("nothing said".to_owned()),
            Ok(_) => {}
        }
    }

    if !bodiless && let Some(value) = one("content-type", &mut defects) {
        let expected = if answer.status < 400 { media_type(answer) } else { "application/problem+json" };
        if value.split(';').next().map(str::trim) != Some(expected) {
            defects.push(format!("content-type: {value}"));
        }
    }

    if answer.status >= 400 {
        if answer.method != Method::HEAD {
            problem_defects(answer.status, &answer.body, &mut defects);
        }
        let text = String::from_utf8_lossy(&answer.body).to_lowercase();
        for leak in LEAKS.iter().filter(|leak| text.contains(**leak)) {
            defects.push(format!("shows its insides: {leak:?}"));
        }
    } else if !bodiless
        && answer.method != Method::HEAD
        && media_type(answer) == "application/json"
        && answer.header("content-encoding").is_none()
        && serde_json::from_slice::<Value>(&answer.body).is_err()
    {
        defects.push("the body is not JSON".to_owned());
    }

    match answer.status {
        200 | 201 | 204 | 304 => {}
        401 => {
            if let Some(value) = one("www-authenticate", &mut defects)
                && !value.to_ascii_lowercase().starts_with("bearer")
            {
                defects.push(format!("www-authenticate: {value}"));
            }
        }
        405 => {
            if let Some(value) = one("allow", &mut defects)
                && methods(&value).iter().any(|method| method == answer.method.as_str())
            {
                defects.push(format!("refuses {} and allows {value}", answer.method));
            }
        }
        503 => {
            if let Some(value) = one("retry-after", &mut defects)
                && value.parse::<u64>().is_err()
            {
                defects.push(format!("retry-after: {value}"));
            }
        }
        status if codes().any(|code| code.status() == status) => {}
        status => defects.push(format!("status {status} is not in the contract")),
    }
    defects
}

fn problem_defects(status: u16, body: &[u8], defects: &mut Vec<String>) {
    let problem: Value = match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Value::Object(members),
        _ => return defects.push("the problem is not a JSON object".to_owned()),
    };
    for member in ["type", "title", "detail", "code"] {
        if problem[member].as_str().is_none_or(str::is_empty) {
            defects.push(format!("the problem has no {member}"));
        }
    }
    if problem["status"] != status {
        defects.push(format!("the problem says status {}", problem["status"]));
    }
    if let Some(code) = problem["code"].as_str()
        && !codes().any(|known| known.status() == status && known.as_str() == code)
    {
        defects.push(format!("code {code} with status {status} is not in the contract"));
    }
}

fn path(answer: &Answer) -> &str {
    answer.asked.split(' ').nth(1).unwrap_or_default()
}

/// Whether a file was asked for, which is a part of the program.
fn is_file(answer: &Answer) -> bool {
    let path = path(answer);
    path == "/" || ["/console", "/docs", "/openapi.json"].iter().any(|file| path.starts_with(file))
}

/// Whether the list of orders was asked for in a format that has all of them.
fn is_export(answer: &Answer) -> bool {
    let path = path(answer);
    answer.status == 200
        && path.contains("/orders?")
        && path.contains("format=")
        && !["format=json", "limit="].iter().any(|page| path.contains(page))
}

/// What was asked for.
fn media_type(answer: &Answer) -> &'static str {
    let path = path(answer);
    match path.rsplit_once('.').filter(|_| is_file(answer)) {
        Some((_, "js")) => "text/javascript",
        Some((_, "css")) => "text/css",
        Some((_, "svg")) => "image/svg+xml",
        Some((_, "png")) => "image/png",
        Some(_) => "application/json",
        None if is_file(answer) => "text/html",
        None if path.contains("format=csv") => "text/csv",
        None if path.contains("format=ndjson") => "application/x-ndjson",
        None if path.starts_with("/metrics") => "text/plain",
        None => "application/json",
    }
}

/// The methods in an `allow` header, sorted.
pub fn methods(allow: &str) -> Vec<String> {
    let mut methods: Vec<_> = allow.split(',').map(|method| method.trim().to_owned()).collect();
    methods.sort();
    methods
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::header::{HeaderName, HeaderValue};

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        Answer { method: Method::GET, asked: String::new(), status, headers: map, body: body.as_bytes().to_vec() }
    }

    const GOOD: &str = r#"{"status":"ok"}"#;
    const GOOD_HEADERS: [(&str, &str); 6] = [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("x-request-id", "a"),
        ("content-length", "15"),
        ("content-type", "application/json"),
    ];

    fn problem(status: u16, body: &str, more: &[(&str, &str)]) -> Answer {
        let length = body.len().to_string();
        let mut headers = vec![
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("x-request-id", "a"),
            ("content-length", length.as_str()),
            ("content-type", "application/problem+json"),
        ];
        headers.extend(more);
        answer(status, &headers, body)
    }

    #[test]
    fn a_sound_answer_passes() {
        assert_eq!(defects(&answer(200, &GOOD_HEADERS, GOOD)), Vec::<String>::new());
        let busy = r#"{"type":"about:blank","title":"Busy","status":503,"detail":"Later.","code":"busy"}"#;
        assert_eq!(defects(&problem(503, busy, &[("retry-after", "1")])), Vec::<String>::new());
    }

    #[test]
    fn each_missing_or_doubled_header_is_caught() {
        for header in GOOD_HEADERS {
            let without: Vec<_> = GOOD_HEADERS.into_iter().filter(|other| *other != header).collect();
            assert!(!defects(&answer(200, &without, GOOD)).is_empty(), "without {header:?}");
            let twice: Vec<_> = GOOD_HEADERS.into_iter().chain([header]).collect();
            assert!(!defects(&answer(200, &twice, GOOD)).is_empty(), "twice {header:?}");
        }
    }

    #[test]
    fn a_wrong_header_value_is_caught() {
        for wrong in [
            ("cache-control", "max-age=60"),
            ("x-content-type-options", "sniff"),
            ("content-security-policy", "default-src 'none'"),
            ("content-security-policy", "default-src 'none'; script-src 'self'; frame-ancestors 'none'"),
            ("x-request-id", ""),
            ("x-request-id", "\u{e9}"),
            ("content-length", "14"),
            ("content-length", "fifteen"),
            ("content-type", "text/html"),
            ("content-type", "application/problem+json"),
        ] {
            let mut headers: Vec<_> = GOOD_HEADERS.into_iter().filter(|(name, _)| *name != wrong.0).collect();
            headers.push(wrong);
            assert!(!defects(&answer(200, &headers, GOOD)).is_empty(), "{wrong:?}");
        }
        assert!(!defects(&answer(200, &GOOD_HEADERS, r#"{"status":"ok""#)).is_empty(), "not JSON");
        assert!(!defects(&answer(202, &GOOD_HEADERS, GOOD)).is_empty(), "a status of its own");
    }

    #[test]
    fn an_unsound_problem_is_caught() {
        let sound = r#"{"type":"about:blank","title":"Busy","status":503,"detail":"Later.","code":"busy"}"#;
        let retry = [("retry-after", "1")];
        for member in ["type", "title", "detail", "code"] {
            let body = sound.replace(&format!("\"{member}\":"), "\"other\":");
            assert!(!defects(&problem(503, &body, &retry)).is_empty(), "without {member}");
        }
        for (from, to) in [("503", "500"), ("busy", "lazy"), ("Later.", "panicked at src/lib.rs:7"), ("{", "[")] {
            assert!(!defects(&problem(503, &sound.replace(from, to), &retry)).is_empty(), "{to}");
        }
        assert!(!defects(&problem(503, sound, &[])).is_empty(), "no retry-after");
        assert!(!defects(&problem(500, "", &[])).is_empty(), "an empty 500");
        let mut refused = problem(
            405,
            r#"{"type":"about:blank","title":"No","status":405,"detail":"No.","code":"method_not_allowed"}"#,
            &[("allow", "HEAD, GET")],
        );
        assert!(!defects(&refused).is_empty(), "allows what it refuses");
        refused.method = Method::DELETE;
        assert!(defects(&refused).is_empty(), "{:?}", defects(&refused));
    }
}

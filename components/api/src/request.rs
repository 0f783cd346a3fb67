//! What a handler is given of a request, and how it reads the headers.

use std::time::Duration;

use domain::KeyDigest;
use http::{HeaderName, Method, header};

use crate::config::{Config, Operator};
use crate::problem::{Invalid, Problem};
use crate::resource::{Resource, Verb};

/// The largest body of a request, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// How long a client may take to send a body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest idempotency key, in characters.
const MAX_KEY_LEN: usize = 255;

/// A request, as its host hands it over.
#[derive(Debug)]
pub struct Request {
    /// What the client wants done.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The header fields.
    pub headers: Headers,
    /// The body.
    pub body: Body,
}

impl Request {
    /// What is asked for, without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// What stands after the path; empty where there is nothing.
    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

/// The header fields of a request. A handful of them is looked at, each once: a table would cost more to fill than it saves.
#[derive(Debug)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// The values of the fields of this name, in the order in which they were sent.
    pub(crate) fn all(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        let named = move |(other, _): &&(String, Vec<u8>)| other.eq_ignore_ascii_case(name.as_str());
        self.0.iter().filter(named).map(|(_, value)| value.as_slice())
    }

    /// The value of the first field of this name.
    pub(crate) fn first(&self, name: HeaderName) -> Option<&[u8]> {
        self.all(name).next()
    }
}

impl From<Vec<(String, Vec<u8>)>> for Headers {
    fn from(fields: Vec<(String, Vec<u8>)>) -> Self {
        Self(fields)
    }
}

/// The body of a request, as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// All of it.
    Whole(Vec<u8>),
    /// More than [`MAX_BODY_BYTES`]; the rest was not read.
    TooLarge,
    /// The client stopped sending before the end.
    Incomplete,
    /// The client took too long to send it.
    Late,
}

/// Whether the body of a request with this method is worth reading.
pub fn wants_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT)
}

/// A request that has passed what every request must pass.
#[derive(Debug)]
pub struct Call<'a> {
    /// What it is about.
    pub resource: Resource<'a>,
    /// What is wanted of it.
    pub verb: Verb,
    pub(crate) query: &'a str,
    pub(crate) config: &'a Config,
    pub(crate) headers: &'a Headers,
    pub(crate) body: &'a Body,
}

impl<'a> Call<'a> {
    /// Passes the operator, and nobody else.
    pub(crate) fn require_operator(&self) -> Result<(), Problem> {
        match self.config.operator(self.headers.first(header::AUTHORIZATION)) {
            Operator::Known => Ok(()),
            Operator::Unknown => Err(Problem::unauthorized()),
            Operator::Disabled => Err(Problem::operator_disabled()),
        }
    }

    /// The values of these parameters of the query, each there at most once; others are refused. No value that means
    /// anything needs to be encoded.
    pub(crate) fn parameters<const N: usize>(&self, names: [&str; N]) -> Result<[Option<&'a str>; N], Problem> {
        let mut values = [None; N];
        let mut mistakes = Vec::new();
        for parameter in self.query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let place = names.iter().position(|known| *known == name).and_then(|index| values.get_mut(index));
            match place {
                Some(place @ None) => *place = Some(value),
                Some(Some(_)) => mistakes.push(Invalid::parameter(name, "must be there once")),
                None => mistakes.push(Invalid::parameter(name, format!("must be one of {}", names.join(", ")))),
            }
        }
        if mistakes.is_empty() { Ok(values) } else { Err(Problem::invalid(mistakes)) }
    }

    /// The body, which has to be JSON.
    pub(crate) fn json(&self) -> Result<&'a [u8], Problem> {
        let bytes = self.bytes()?;
        let content_type = self.headers.first(header::CONTENT_TYPE).unwrap_or_default();
        let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
        if media_type.trim_ascii().eq_ignore_ascii_case(b"application/json") {
            Ok(bytes)
        } else {
            Err(Problem::unsupported_media_type())
        }
    }

    /// The body, which has to be JSON or empty.
    pub(crate) fn json_or_nothing(&self) -> Result<Option<&'a [u8]>, Problem> {
        if self.bytes()?.is_empty() { Ok(None) } else { self.json().map(Some) }
    }

    fn bytes(&self) -> Result<&'a [u8], Problem> {
        match self.body {
            Body::Whole(bytes) => Ok(bytes),
            Body::TooLarge => Err(Problem::body_too_large()),
            Body::Incomplete => Err(Problem::body_incomplete()),
            Body::Late => Err(Problem::body_late()),
        }
    }

    /// The digest of the `Idempotency-Key`, if there is one. `scope` keeps the keys of different requests apart.
    pub(crate) fn idempotency_key(&self, scope: &str) -> Result<Option<KeyDigest>, Problem> {
        let mut values = self.headers.all(IDEMPOTENCY_KEY);
        let key = match (values.next(), values.next()) {
            (None, _) => return Ok(None),
            (Some(value), None) => str::from_utf8(value).ok().and_then(idempotency_key),
            (Some(_), Some(_)) => None,
        };
        let key = key.ok_or_else(|| {
            let reason = format!("must be sent once, with 1 to {MAX_KEY_LEN} visible characters, bare or quoted");
            Problem::invalid(vec![Invalid::header(IDEMPOTENCY_KEY.as_str(), reason)])
        })?;
        Ok(Some(KeyDigest::new(scope, &key)))
    }
}

/// The key itself, out of the structured-field string of the IETF draft (`"…"`, with `\"` and `\\`) or bare.
fn idempotency_key(value: &str) -> Option<String> {
    let mut key = String::new();
    match value.strip_prefix('"') {
        None => key.push_str(value),
        Some(quoted) => {
            let mut characters = quoted.strip_suffix('"')?.chars();
            while let Some(character) = characters.next() {
                key.push(match character {
                    '\\' => characters.next().filter(|escaped| matches!(escaped, '"' | '\\'))?,
                    '"' => return None,
                    plain => plain,
                });
            }
        }
    }
    let visible = key.chars().all(|character| character.is_ascii_graphic());
    (visible && (1..=MAX_KEY_LEN).contains(&key.len())).then_some(key)
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::{Headers, idempotency_key};

    #[test]
    fn header_fields_are_found_however_their_names_are_written() {
        let fields = [("Accept", "a"), ("content-type", "b"), ("ACCEPT", "c")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        let headers = Headers::from(fields.to_vec());
        assert_eq!(headers.all(header::ACCEPT).collect::<Vec<_>>(), [b"a", b"c"]);
        assert_eq!(headers.first(header::CONTENT_TYPE), Some(b"b".as_slice()));
        assert_eq!(headers.first(header::ETAG), None);
    }

    #[test]
    fn a_key_in_quotes_is_the_same_as_the_bare_one() {
        for (value, key) in [("k", "k"), (r#""k""#, "k"), (r#""a\"b\\c""#, r#"a"b\c"#), (r#"a"b"#, r#"a"b"#)] {
            assert_eq!(idempotency_key(value).as_deref(), Some(key), "{value}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = "k".repeat(256);
        for value in
            ["", r#""""#, r#"""#, r#""k"#, r#""a"b""#, r#""a\b""#, r#""a\"#, "a b", r#""k";p=1"#, "ключ", &long]
        {
            assert_eq!(idempotency_key(value), None, "{value}");
        }
        assert!(idempotency_key(&"k".repeat(255)).is_some());
    }
}

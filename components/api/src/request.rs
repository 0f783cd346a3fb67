//! Requests as hosts hand them over, and what handlers read from them.

use std::time::Duration;

use domain::{Condition, KeyDigest};
use http::Method;

use crate::conditional::{Current, Preconditions};
use crate::config::{Auth, Config};
use crate::header;
#[cfg(feature = "openapi")]
use crate::openapi::operation::Example;
use crate::problem::{FieldError, Problem};
use crate::route::{Route, Verb};

/// The largest body of a request, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// How long a client may take to send a body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The longest idempotency key, in characters.
pub(crate) const MAX_KEY_LEN: usize = 255;

/// The shortest key of an order, in characters. The answer to a repeat has the id of the order, which is the right to
/// pay and cancel it: so another customer must not come upon the key. A short one is not random.
pub(crate) const MIN_ORDER_KEY_LEN: usize = 16;

/// The shortest key of an adjustment. There is one operator, whose keys need not be secret.
pub(crate) const MIN_ADJUSTMENT_KEY_LEN: usize = 1;

/// A request, as its host hands it over.
#[derive(Debug)]
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// Path and query, as in the request line.
    pub target: String,
    /// The header fields.
    pub headers: Headers,
    /// The body.
    pub body: Body,
}

impl Request {
    /// Whether this places an order: then the payment provider is asked for the sake of another order, and not for long.
    pub fn places_order(&self) -> bool {
        self.method == Method::POST && Route::parse(self.path()) == Some(Route::Orders)
    }

    /// The path, without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query, without `?`; empty if there is none.
    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

/// The header fields of a request. Each request reads a few of them once, so a hash map would cost more than it saves.
#[derive(Debug)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// The values of the fields of this name, in the order in which they were sent.
    pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        let named = move |(other, _): &&(String, Vec<u8>)| other.eq_ignore_ascii_case(name);
        self.0.iter().filter(named).map(|(_, value)| value.as_slice())
    }

    /// The elements of the fields of this name, which are one list (RFC 9110, 5.6.1). A comma in quotes is part of an
    /// element.
    pub(crate) fn elements(&self, name: &'static str) -> Vec<&[u8]> {
        let mut elements = Vec::new();
        for value in self.all(name) {
            let mut quoted = false;
            let mut rest = value;
            while !rest.is_empty() {
                let end = rest.iter().position(|byte| {
                    quoted ^= *byte == b'"';
                    *byte == b',' && !quoted
                });
                let (element, more) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or_default();
                if !element.trim_ascii().is_empty() {
                    elements.push(element.trim_ascii());
                }
                rest = more.get(1..).unwrap_or_default();
            }
        }
        elements
    }

    /// The value of the field of this name, of which there may be one.
    pub(crate) fn only(&self, name: &'static str) -> Option<&[u8]> {
        let mut all = self.all(name);
        all.next().filter(|_| all.next().is_none())
    }

    /// Refuses fields whose value is not UTF-8, whatever their names: what reads them next may take them for other text.
    pub(crate) fn require_text(&self) -> Result<(), Problem> {
        let broken = self.0.iter().find(|(_, value)| str::from_utf8(value).is_err());
        broken.map_or(Ok(()), |(name, _)| Err(Problem::malformed_header(name)))
    }

    /// The value of the first field of this name.
    pub(crate) fn first(&self, name: &'static str) -> Option<&[u8]> {
        self.all(name).next()
    }
}

impl From<Vec<(String, Vec<u8>)>> for Headers {
    fn from(fields: Vec<(String, Vec<u8>)>) -> Self {
        Self(fields)
    }
}

/// The body of a request, or why it was not read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The complete body.
    Whole(Vec<u8>),
    /// The body has more than [`MAX_BODY_BYTES`]; reading stopped there.
    TooLarge,
    /// The client stopped sending before the end.
    Incomplete,
    /// The body took longer than [`BODY_TIMEOUT`].
    Late,
}

/// Whether any operation with this method reads a body.
pub fn wants_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT)
}

/// A request whose path and method are in the contract.
#[derive(Debug)]
pub struct RequestContext<'a> {
    /// The route of its path.
    pub route: Route<'a>,
    /// The verb of its method.
    pub verb: Verb,
    pub(crate) query: &'a str,
    pub(crate) config: &'a Config,
    pub(crate) headers: &'a Headers,
    pub(crate) body: &'a Body,
}

impl<'a> RequestContext<'a> {
    /// Refuses a request that does not have the operator's token.
    pub(crate) fn require_operator(&self) -> Result<(), Problem> {
        match self.config.operator(self.headers.only(header::AUTHORIZATION)) {
            Auth::Granted => Ok(()),
            Auth::Denied => Err(Problem::unauthorized()),
            Auth::Disabled => Err(Problem::operator_disabled()),
            Auth::TooShort => Err(Problem::misconfigured(&Config::token_too_short())),
        }
    }

    /// The values of these query parameters, each given at most once; other parameters are refused.
    pub(crate) fn parameters<const N: usize>(&self, names: [&str; N]) -> Result<[Option<String>; N], Problem> {
        let mut values = [const { None }; N];
        let mut errors = Vec::new();
        for parameter in self.query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            // Split before it is decoded (RFC 3986, 2.4). A name that there is not is told as it was sent.
            let (meant, value) = (decoded(name), decoded(value));
            let place = names.iter().position(|known| *known == meant).and_then(|index| values.get_mut(index));
            match place {
                Some(place @ None) => *place = Some(value),
                Some(Some(_)) => errors.push(FieldError::parameter(name, "must be given at most once")),
                None => errors.push(FieldError::parameter(name, format!("must be one of {}", names.join(", ")))),
            }
        }
        if errors.is_empty() { Ok(values) } else { Err(Problem::invalid(errors)) }
    }

    /// The body, whose content type must be JSON.
    pub(crate) fn json(&self) -> Result<&'a [u8], Problem> {
        let bytes = self.bytes()?;
        let content_type = self.headers.only(header::CONTENT_TYPE).unwrap_or_default();
        let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
        if media_type.trim_ascii().eq_ignore_ascii_case(b"application/json") {
            Ok(bytes)
        } else {
            Err(Problem::unsupported_media_type())
        }
    }

    /// The body, whose content type must be JSON; `None` if it is empty.
    pub(crate) fn json_or_nothing(&self) -> Result<Option<&'a [u8]>, Problem> {
        if self.bytes()?.is_empty() { Ok(None) } else { self.json().map(Some) }
    }

    /// What the client expects of the thing that it changes, whose tag `tag` gives.
    pub(crate) fn condition<T>(&self, tag: impl Fn(&T) -> String + 'static) -> Result<Condition<T>, Problem> {
        Ok(Preconditions::of_change(self.headers)?.condition(tag))
    }

    /// Refuses a client that expects a tag of what has none.
    pub(crate) fn expect_untagged(&self) -> Result<(), Problem> {
        let allowed = Preconditions::of_change(self.headers)?.allow(Current::Untagged);
        if allowed { Ok(()) } else { Err(Problem::precondition_failed()) }
    }

    /// Refuses a part of what is to be put.
    pub(crate) fn require_whole(&self) -> Result<(), Problem> {
        self.headers.first(header::CONTENT_RANGE).map_or(Ok(()), |_| Err(Problem::no_parts()))
    }

    /// The body as it came, of whatever type.
    pub(crate) fn bytes(&self) -> Result<&'a [u8], Problem> {
        let codings = self.headers.elements(header::CONTENT_ENCODING);
        if !codings.iter().all(|coding| coding.eq_ignore_ascii_case(b"identity")) {
            return Err(Problem::unsupported_content_coding());
        }
        match self.body {
            Body::Whole(bytes) => Ok(bytes),
            Body::TooLarge => Err(Problem::body_too_large()),
            Body::Incomplete => Err(Problem::body_incomplete()),
            Body::Late => Err(Problem::body_late()),
        }
    }

    /// As [`Self::idempotency_key`] of the operator's requests that have to have one.
    pub(crate) fn required_idempotency_key(&self, scope: &str) -> Result<KeyDigest, Problem> {
        self.idempotency_key(scope, MIN_ADJUSTMENT_KEY_LEN)?.ok_or_else(required_idempotency_key)
    }

    /// The digest of the `Idempotency-Key`, if there is one. `scope` separates the keys of different operations, and
    /// `min_len` is how many characters they have at least.
    pub(crate) fn idempotency_key(&self, scope: &str, min_len: usize) -> Result<Option<KeyDigest>, Problem> {
        let mut values = self.headers.all(IDEMPOTENCY_KEY);
        let key = match (values.next(), values.next()) {
            (None, _) => return Ok(None),
            (Some(value), None) => str::from_utf8(value).ok().and_then(idempotency_key),
            (Some(_), Some(_)) => None,
        };
        let key = key.filter(|key| (min_len..=MAX_KEY_LEN).contains(&key.len()));
        Ok(Some(KeyDigest::new(scope, &key.ok_or_else(|| invalid_idempotency_key(min_len))?)))
    }
}

/// A part of a path or of a query as it is meant (RFC 3986, 2.1). What is no text then means as little as an empty one.
pub(crate) fn decoded(text: &str) -> String {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        let mut byte = *first;
        if let (b'%', [high, low, after @ ..]) = (byte, more)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            byte = high << 4 | low;
            rest = after;
        }
        bytes.push(byte);
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// A text as the value of a parameter: what means something in a URL is encoded, and what is no ASCII.
pub(crate) fn encoded(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            value.push(char::from(byte));
        } else {
            value.push_str(&format!("%{byte:02X}"));
        }
    }
    value
}

/// 422 for a key that is too long or too short, not visible ASCII, badly quoted or given twice.
fn invalid_idempotency_key(min_len: usize) -> Problem {
    let random = if min_len > 1 { ": a new random one for each order, such as a UUID" } else { "" };
    let reason =
        format!("must be sent once, with {min_len} to {MAX_KEY_LEN} visible characters, bare or quoted{random}");
    Problem::invalid(vec![FieldError::header(IDEMPOTENCY_KEY, reason)])
}

/// 422 for a request without a key that has to have one.
pub(crate) fn required_idempotency_key() -> Problem {
    Problem::invalid(vec![FieldError::header(
        IDEMPOTENCY_KEY,
        "is required: without it a repeat would be another request",
    )])
}

/// Examples of what is wrong with an idempotency key, for the operations that take one.
#[cfg(feature = "openapi")]
pub(crate) fn idempotency_key_problems(min_len: usize) -> serde_json::Result<[Example; 2]> {
    let reused = domain::Error::IdempotencyKeyReused;
    Ok([
        Example::problem("IdempotencyKeyInvalid", "A key of two words", invalid_idempotency_key(min_len))?,
        Example::problem("IdempotencyKeyReused", "Another request under the same key", reused)?,
    ])
}

/// The key in a header value: a structured-field string as in the IETF draft (`"…"`, with `\"` and `\\`), or a bare
/// key.
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
    key.chars().all(|character| character.is_ascii_graphic()).then_some(key)
}

#[cfg(test)]
mod tests {

    use super::{Headers, decoded, encoded, idempotency_key};
    use crate::header;

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
    fn a_header_field_that_is_no_text_is_named() {
        let headers = |value: &[u8]| {
            Headers::from(vec![("accept".to_owned(), b"a".to_vec()), ("X-Odd".to_owned(), value.to_vec())])
        };
        assert!(headers("件".as_bytes()).require_text().is_ok());
        for value in [b"\xff".as_slice(), b"a\xc3\x28", b"\xed\xa0\x80", b"\xe4\xbb"] {
            let reply = headers(value).require_text().unwrap_err().into_reply();
            let problem: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!(
                (&problem["code"], &problem["errors"][0]["header"]),
                (&"malformed_header".into(), &"X-Odd".into())
            );
        }
    }

    #[test]
    fn a_part_of_a_path_is_decoded_once() {
        for (text, meant) in [
            ("item1", "item1"),
            ("%69tem%31", "item1"),
            ("%E4%bb%B6", "\u{4ef6}"),
            ("%2561", "%61"),
            ("a%2Fb", "a/b"),
            ("a%", "a%"),
            ("a%6", "a%6"),
            ("a%zz%+1", "a%zz%+1"),
            ("%ff", ""),
        ] {
            assert_eq!(decoded(text), meant, "{text}");
        }
    }

    #[test]
    fn what_is_encoded_is_what_it_was_once_it_is_decoded() {
        assert_eq!(encoded("Anna-1._~"), "Anna-1._~");
        assert_eq!(encoded("a b&c=d>+%\u{e9}\""), "a%20b%26c%3Dd%3E%2B%25%C3%A9%22");
        for text in ["", "item1", "\u{5b89}\u{5a1c} & \"co\"; 100%25>", "\r\n", "+"] {
            assert_eq!(decoded(&encoded(text)), text, "{text:?}");
        }
    }

    #[test]
    fn a_key_in_quotes_is_the_same_as_the_bare_one() {
        for (value, key) in [("k", "k"), (r#""k""#, "k"), (r#""a\"b\\c""#, r#"a"b\c"#), (r#"a"b"#, r#"a"b"#)] {
            assert_eq!(idempotency_key(value).as_deref(), Some(key), "{value}");
        }
    }

    #[test]
    fn an_invalid_key_is_refused() {
        for value in [r#"""#, r#""k"#, r#""a"b""#, r#""a\b""#, r#""a\"#, "a b", r#""k";p=1"#, "ключ"] {
            assert_eq!(idempotency_key(value), None, "{value}");
        }
    }
}

//! Which pages of other origins may use the shop (the CORS protocol of the Fetch standard).
//!
//! They may do what customers do. What is the operator's or the payment provider's they may not, so that no answer to
//! such a request, and no preflight for one, names an origin.

use std::net::Ipv6Addr;

use http::Method;

use crate::header;
use crate::reply::Reply;
use crate::request::Request;
use crate::route::Route;

/// The header fields that a page may send, beyond those that every page may.
pub(crate) const SENT: &str = "content-type, idempotency-key, if-match, if-none-match, traceparent, x-request-id";

/// The header fields that a page may read, beyond those that every page may.
pub(crate) const EXPOSED: &str = "etag, idempotent-replayed, link, location, retry-after, x-request-id";

/// For how many seconds a browser may remember the answer to a preflight.
pub(crate) const MAX_AGE: &str = "600";

/// The origins of the variable `allowed_origins`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins(Vec<String>);

impl Origins {
    /// Reads the variable. Origins stand in it with spaces or commas between them.
    pub(crate) fn parse(variable: &str) -> Result<Self, String> {
        let mut origins = Vec::new();
        for text in variable.replace(',', " ").split_ascii_whitespace() {
            match origin(text) {
                Some(origin) => origins.push(origin),
                None => {
                    return Err(format!(
                        "must have origins like https://shop.example, with spaces or commas between them; {text} is none"
                    ));
                }
            }
        }
        Ok(Self(origins))
    }

    /// All of them, as browsers write them.
    pub(crate) fn all(&self) -> &[String] {
        &self.0
    }

    /// Adds to an answer what a browser wants to know before it gives it to a page of another origin.
    pub(crate) fn told(&self, request: &Request, reply: Reply) -> Reply {
        if self.0.is_empty() {
            return reply;
        }
        let route = Route::parse(request.path());
        let preflight = request.headers.first(header::ACCESS_CONTROL_REQUEST_METHOD);
        let preflight = preflight.filter(|_| request.method == Method::OPTIONS && route.is_some());
        let method = match preflight {
            Some(b"GET") => &Method::GET,
            Some(b"HEAD") => &Method::HEAD,
            Some(b"POST") => &Method::POST,
            Some(_) => &Method::OPTIONS,
            None => &request.method,
        };
        let verb = route.and_then(|route| route.verb(method));
        // What a page may not do, the browser refuses if the answer to its preflight does not name it.
        let permitted = match (route, verb) {
            (Some(route), Some(verb)) => !route.is_operators(verb) && !route.is_providers(),
            _ => preflight.is_none(),
        };
        if !permitted {
            return reply;
        }
        let reply = reply.with(header::VARY, "origin");
        let origin = request.headers.only(header::ORIGIN);
        let Some(origin) = self.0.iter().find(|known| Some(known.as_bytes()) == origin) else { return reply };
        let reply = reply.with(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        match preflight.and_then(|method| str::from_utf8(method).ok()) {
            None => reply.with(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED),
            Some(method) => reply
                .with(header::ACCESS_CONTROL_ALLOW_METHODS, method)
                .with(header::ACCESS_CONTROL_ALLOW_HEADERS, SENT)
                .with(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        }
    }
}

/// The origin that a text names, as browsers write it (RFC 6454, 6.2): in lower case, an address of IPv6 in its
/// shortest form, and without the usual port.
fn origin(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (scheme, authority) = text.split_once("://")?;
    let among = |text: &str, also: &[u8]| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || also.contains(&byte));
    // An address of IPv6 has colons of its own.
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (format!("[{}]", address.parse::<Ipv6Addr>().ok()?), port),
        None => {
            let (host, port) = authority.split_at_checked(authority.find(':').unwrap_or(authority.len()))?;
            let sound = host.split('.').all(|label| !label.is_empty() && among(label, b"-_"));
            (Some(host.to_owned()).filter(|_| sound)?, port)
        }
    };
    let scheme_sound = scheme.bytes().next().is_some_and(|first| first.is_ascii_lowercase()) && among(scheme, b"+-.");
    let port_sound = match port.strip_prefix(':') {
        Some(digits) => {
            let sound = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
            sound && digits.parse::<u16>().is_ok()
        }
        None => port.is_empty(),
    };
    let port = if matches!((scheme, port), ("http", ":80") | ("https", ":443")) { "" } else { port };
    (scheme_sound && port_sound).then(|| format!("{scheme}://{host}{port}"))
}

#[cfg(test)]
mod tests {
    use http::{Method, StatusCode};

    use super::{Origins, origin};
    use crate::reply::Reply;
    use crate::request::{Body, Request};

    #[test]
    fn an_origin_is_read_as_browsers_write_it() {
        for (text, read) in [
            ("https://shop.example", "https://shop.example"),
            ("HTTPS://Shop.Example", "https://shop.example"),
            ("https://shop.example:443", "https://shop.example"),
            ("http://shop.example:80", "http://shop.example"),
            ("http://shop.example:443", "http://shop.example:443"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://[::1]", "http://[::1]"),
            ("http://[0:0::1]:3000", "http://[::1]:3000"),
            ("https://[2001:DB8::0A]:443", "https://[2001:db8::a]"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("https://xn--caf-dma.example", "https://xn--caf-dma.example"),
        ] {
            assert_eq!(origin(text).as_deref(), Some(read), "{text}");
        }
    }

    #[test]
    fn what_is_no_origin_is_named() {
        for text in [
            "*",
            "null",
            "shop.example",
            "//shop.example",
            "https://",
            "https:shop.example",
            "://shop.example",
            "https://shop.example/",
            "https://shop.example/path",
            "https://shop.example?x",
            "https://shop.example#x",
            "https://user@shop.example",
            "https://*.example",
            "https://caf\u{e9}.example",
            "https://shop.example:",
            "https://shop.example:0",
            "https://shop.example:65536",
            "https://shop.example:port",
            "https://shop..example",
            "https://[::1",
            "https://[]",
            "https://[1]",
            "https://[::1::2]",
            "https://[::1]x",
            "1s://shop.example",
            "\"https://shop.example\"",
        ] {
            let variable = format!("https://sound.example, {text}");
            let error = Origins::parse(&variable).unwrap_err();
            assert!(error.contains(&format!("; {text} is none")), "{error}");
        }
    }

    /// The headers that an answer to this request has more.
    fn told(variable: &str, method: Method, target: &str, fields: &[(&str, &str)]) -> Vec<(String, String)> {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        let headers = fields.collect::<Vec<_>>().into();
        let request = Request { method, target: target.to_owned(), headers, body: Body::Whole(Vec::new()) };
        let reply = Origins::parse(variable).unwrap().told(&request, Reply::empty(StatusCode::OK));
        reply.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
        headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    const SHOP: &str = "https://shop.example";

    #[test]
    fn a_shop_without_origins_says_nothing() {
        assert_eq!(told("", Method::GET, "/inventory", &[("origin", SHOP)]), []);
        assert_eq!(told(" ,\n", Method::GET, "/inventory", &[("origin", SHOP)]), []);
    }

    #[test]
    fn an_origin_that_is_named_may_read_answers_to_customers() {
        let variable = "http://other.example\nhttps://Shop.example:443";
        for (method, target) in [
            (Method::GET, "/inventory"),
            (Method::GET, "/inventory/item1"),
            (Method::POST, "/orders"),
            (Method::GET, "/orders/a"),
            (Method::POST, "/orders/a/pay"),
            (Method::DELETE, "/orders"),
            (Method::GET, "/nowhere"),
            (Method::OPTIONS, "/orders"),
        ] {
            let headers = told(variable, method.clone(), target, &[("origin", SHOP)]);
            assert_eq!(value(&headers, "access-control-allow-origin"), Some(SHOP), "{method} {target}");
            assert!(value(&headers, "access-control-expose-headers").is_some_and(|names| names.contains("location")));
            assert_eq!(value(&headers, "vary"), Some("origin"));
        }
        for other in ["https://shop.example:8443", "http://shop.example", "null", "", "https://evil.example"] {
            let headers = told(variable, Method::GET, "/inventory", &[("origin", other)]);
            assert_eq!(headers, [("vary".to_owned(), "origin".to_owned())], "{other}");
        }
        let twice = told(variable, Method::GET, "/inventory", &[("origin", SHOP), ("origin", SHOP)]);
        assert_eq!(value(&twice, "access-control-allow-origin"), None);
    }

    #[test]
    fn a_preflight_is_answered_for_what_customers_do_and_for_nothing_else() {
        let ask = |target: &str, method: &str| {
            let fields = [("origin", SHOP), ("access-control-request-method", method)];
            told(SHOP, Method::OPTIONS, target, &fields)
        };
        let headers = ask("/orders", "POST");
        assert_eq!(value(&headers, "access-control-allow-origin"), Some(SHOP));
        assert_eq!(value(&headers, "access-control-allow-methods"), Some("POST"));
        assert!(value(&headers, "access-control-allow-headers").is_some_and(|names| names.contains("idempotency-key")));
        for (target, method) in [
            ("/orders", "GET"),
            ("/inventory/item1", "PUT"),
            ("/inventory/item1/adjustments", "POST"),
            ("/inventory/item1/history", "GET"),
            ("/books", "GET"),
            ("/metrics", "GET"),
            ("/orders", "DELETE"),
            ("/orders", "no method"),
        ] {
            assert_eq!(ask(target, method), [], "{method} {target}");
        }
    }

    #[test]
    fn an_answer_to_the_operator_names_no_origin() {
        for (method, target) in [
            (Method::GET, "/orders"),
            (Method::PUT, "/inventory/item1"),
            (Method::GET, "/books"),
            (Method::HEAD, "/metrics"),
        ] {
            assert_eq!(told(SHOP, method.clone(), target, &[("origin", SHOP)]), [], "{method} {target}");
        }
    }
}

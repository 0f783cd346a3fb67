//! Reading URLs.

use domain::url::Url;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test(unsupported = test)]
fn a_url_is_read_into_its_parts() {
    for (text, origin, private, rest) in [
        ("https://api.stripe.com", "https://api.stripe.com", true, ""),
        ("HTTPS://API.Stripe.com:443/", "https://api.stripe.com", true, "/"),
        ("http://localhost:3001/a?b=c", "http://localhost:3001", true, "/a?b=c"),
        ("http://127.0.0.1:80", "http://127.0.0.1", true, ""),
        ("http://127.1.2.3?x", "http://127.1.2.3", true, "?x"),
        ("http://[::1]:3000/", "http://[::1]:3000", true, "/"),
        ("http://[0:0::1]", "http://[::1]", true, ""),
        ("http://[::2]:3000", "http://[::2]:3000", false, ""),
        ("http://shop.example/", "http://shop.example", false, "/"),
        ("http://localhost.example", "http://localhost.example", false, ""),
        ("http://127.0.0.1.example", "http://127.0.0.1.example", false, ""),
        ("http://10.0.0.1:65535", "http://10.0.0.1:65535", false, ""),
        ("https://shop.example/pay@home", "https://shop.example", true, "/pay@home"),
    ] {
        let url = Url::parse(text).unwrap();
        assert_eq!((url.origin.as_str(), url.is_private(), url.rest), (origin, private, rest), "{text}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn what_is_no_such_url_is_refused() {
    for text in [
        "",
        "api.stripe.com",
        "//api.stripe.com",
        "https:api.stripe.com",
        "https://",
        "https:///path",
        "ftp://api.stripe.com",
        "javascript://api.stripe.com",
        "https://user@api.stripe.com",
        "https://user:word@api.stripe.com",
        "https://api.stripe.com#top",
        "https://api.stripe.com/#top",
        "https://api..stripe.com",
        "https://.stripe.com",
        "https://api.stripe.com.",
        "https://api.stripe.com:",
        "https://api.stripe.com:0",
        "https://api.stripe.com:0443",
        "https://api.stripe.com:65536",
        "https://api.stripe.com:+443",
        "https://api.stripe.com:port",
        "https://[::1",
        "https://[]",
        "https://[::1]x",
        "https://[127.0.0.1]",
        "https://caf\u{e9}.example",
        "https://shop.example/a b",
        "https://shop.example/\n",
        "https://shop.example/{CHECKOUT_SESSION_ID}",
        "https://shop.example\\@evil.example",
    ] {
        assert_eq!(Url::parse(text), None, "{text:?}");
    }
}

//! Headers of any content.

use http::{HeaderName, HeaderValue, Method, Request};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::property::check;
use memory_shop::{World, request, with_key};

const ORDER: &[u8] = br#"{"item_id":"item1","quantity":1}"#;

/// All that can stand in a header.
fn bytes() -> impl Strategy<Value = HeaderValue> {
    let bytes = prop_oneof![
        vec(any::<u8>(), 0..300),
        vec(32..127_u8, 0..300),
        vec(select(&b"ab1 \"\\;=,"[..]), 0..24),
        any::<String>().prop_map(String::into_bytes),
    ];
    bytes.prop_filter_map("no header has this", |bytes| HeaderValue::from_bytes(&bytes).ok())
}

fn is_text(value: &HeaderValue) -> bool {
    std::str::from_utf8(value.as_bytes()).is_ok()
}

/// All texts that can stand in a header.
fn value() -> impl Strategy<Value = HeaderValue> {
    bytes().prop_filter("the shop reads texts", is_text)
}

/// A key, and how it may be sent.
fn key() -> impl Strategy<Value = (String, Vec<String>)> {
    vec(b'!'..=b'~', 16..=255).prop_map(|bytes| {
        let key = String::from_utf8(bytes).expect("ASCII");
        let quoted = format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
        // What begins with a quote can only be sent in quotes.
        let bare = (!key.starts_with('"')).then(|| key.clone());
        (key, [quoted].into_iter().chain(bare).collect())
    })
}

/// The key that a header stands for, read by the letter: visible characters, or a string in quotes with escapes.
fn key_of(value: &[u8]) -> Option<Vec<u8>> {
    let key = match value {
        [b'"', inner @ .., b'"'] => {
            let escapes = String::from_utf8_lossy(inner).replace("\\\\", "\x01").replace("\\\"", "\x02");
            if escapes.contains(['"', '\\']) {
                return None;
            }
            escapes.replace('\x01', "\\").replace('\x02', "\"").into_bytes()
        }
        [b'"', ..] => return None,
        bare => bare.to_vec(),
    };
    ((16..=255).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic)).then_some(key)
}

fn order_with(name: &'static str, value: &HeaderValue) -> Request<Vec<u8>> {
    let mut request = request(Method::POST, "/orders", ORDER);
    request.headers_mut().insert(HeaderName::from_static(name), value.clone());
    request
}

#[test]
fn an_idempotency_key_is_taken_or_named_as_the_mistake() {
    check(4_000, value(), |value| {
        let world = World::preset();
        let answer = world.send(order_with("idempotency-key", &value));
        if key_of(value.as_bytes()).is_some() {
            assert_eq!(answer.status, 201, "{answer:?}");
            let again = world.send(order_with("idempotency-key", &value));
            assert_eq!((again.replayed(), &again.body), (true, &answer.body));
        } else {
            assert_eq!(answer.outcome(), (422, "invalid_request"));
            assert_eq!(answer.body["errors"][0]["header"], "idempotency-key");
        }
    });
}

#[test]
fn however_a_key_is_written_it_is_the_same_key_and_another_is_another() {
    check(1_000, (key(), key()), |((key, forms), (other, other_forms))| {
        let world = World::preset();
        let send = |form: &String| world.send(with_key(request(Method::POST, "/orders", ORDER), form));
        let first = send(&forms[0]);
        assert_eq!((first.status, first.replayed()), (201, false));
        for form in &forms {
            let again = send(form);
            assert_eq!((again.status, again.replayed(), &again.body), (201, true, &first.body));
        }
        assert_eq!(send(&other_forms[0]).replayed(), key == other);
    });
}

#[test]
fn two_keys_are_none() {
    check(200, (key(), key()), |((_, one), (_, other))| {
        let order = with_key(with_key(request(Method::POST, "/orders", ORDER), &one[0]), &other[0]);
        assert_eq!(World::preset().send(order).outcome(), (422, "invalid_request"));
    });
}

#[test]
fn a_request_id_comes_back_if_it_is_fit_for_a_log() {
    check(2_000, value(), |value| {
        let answer = World::preset().send(order_with("x-request-id", &value));
        let fit = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        let bytes = value.as_bytes();
        let fit = (1..=128).contains(&bytes.len()) && bytes.iter().all(fit);
        assert_eq!((answer.status, answer.headers["x-request-id"] == value), (201, fit));
    });
}

#[test]
fn the_token_of_the_operator_is_not_guessed() {
    check(2_000, value(), |value| {
        let mut put = request(Method::PUT, "/inventory/item1", br#"{"unit_price":1}"#);
        put.headers_mut().insert("authorization", value);
        assert_eq!(World::preset().send(put).outcome(), (401, "unauthorized"));
    });
}

#[test]
fn a_content_type_is_json_or_refused() {
    check(2_000, value(), |value| {
        let answer = World::preset().send(order_with("content-type", &value));
        assert_eq!(answer.outcome(), (415, "unsupported_media_type"));
    });
    for json in ["application/json", "APPLICATION/JSON;charset=x", " application/json ; a=b"] {
        let value = HeaderValue::from_str(json).expect("a header");
        assert_eq!(World::preset().send(order_with("content-type", &value)).status, 201);
    }
}

#[test]
fn a_tag_is_known_or_the_item_is_sent() {
    check(2_000, value(), |value| {
        let mut get = request(Method::GET, "/inventory/item1", b"");
        get.headers_mut().insert("if-none-match", value.clone());
        let answer = World::preset().send(get);
        // A comma in quotes is part of a tag.
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut unquoted: String = text.split('"').step_by(2).collect::<Vec<_>>().join("\"");
        // What begins with a quote and does not end with one is no tag.
        if text.matches('"').count() % 2 == 1 {
            unquoted.push('"');
        }
        let star = unquoted.split(',').any(|tag| tag.trim_matches([' ', '\t']) == "*");
        assert_eq!(answer.status, if star { 304 } else { 200 });
    });
}

#[test]
fn a_condition_on_a_change_holds_or_nothing_is_changed() {
    let name = select(&["if-match", "if-none-match"]);
    check(4_000, (name, value()), |(name, value)| {
        let world = World::preset();
        let before = world.records();
        let mut put = request(Method::PUT, "/inventory/item1", br#"{"unit_price":7}"#);
        put.headers_mut().insert(name, value.clone());
        let answer = world.send(put);
        match (name, answer.outcome()) {
            ("if-match", (200, _)) => assert_eq!(value.as_bytes().trim_ascii_end().trim_ascii_start(), b"*"),
            ("if-none-match", (200, _)) => {}
            (_, outcome) => {
                let refused = [(412, "precondition_failed"), (422, "invalid_request")];
                assert!(refused.contains(&outcome), "{answer:?}");
                assert_eq!(world.records(), before);
            }
        }
    });
}

#[test]
fn a_header_that_is_no_text_is_named_and_nothing_is_done() {
    const NAMES: [&str; 6] = ["x-odd", "x-request-id", "authorization", "idempotency-key", "accept", "traceparent"];
    check(2_000, (select(&NAMES), bytes()), |(name, value)| {
        let world = World::preset();
        let answer = world.send(order_with(name, &value));
        assert_eq!(answer.outcome() == (400, "malformed_header"), !is_text(&value), "{answer:?}");
        if !is_text(&value) {
            assert_eq!(answer.body["errors"][0]["header"], name);
            assert_eq!(world.records(), World::preset().records());
        }
    });
}

#[test]
fn no_header_makes_a_shop_fail() {
    const NAMES: [&str; 8] =
        ["accept", "accept-encoding", "expect", "content-encoding", "content-range", "origin", "range", "te"];
    let methods = vec![Method::GET, Method::PUT, Method::OPTIONS];
    check(4_000, (select(&NAMES), bytes(), select(methods)), |(name, value, method)| {
        let mut asked = request(method, "/inventory/item1", br#"{"unit_price":7}"#);
        asked.headers_mut().insert(name, value);
        let answer = World::preset().send(asked);
        assert!([200, 204, 400, 406, 415, 417].contains(&answer.status), "{answer:?}");
    });
}

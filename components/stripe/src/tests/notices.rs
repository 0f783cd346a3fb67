//! Webhooks.

use domain::{InvalidNotice, Notice, Provider};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{INTENT, KEY, ORDER, OTHER_SECRET, SECRET, SESSION, Script, settings};
use crate::{Settings, Variables, events};

/// When the vectors were signed.
const SIGNED: u64 = 1_700_000_000;

/// Bodies, and their signatures under [`SECRET`] and [`OTHER_SECRET`]. They were made by the official library for Python,
/// version 16.1.0: `stripe.WebhookSignature.generate_signature_header(body, secret, timestamp=1700000000)`.
const VECTORS: [(&str, &str, &str); 5] = [
    (
        "{}",
        "954cb3133c146d18dc81404d61926ec031a4ef9fccf1e3ba16dfd7854fb97d42",
        "7bdab27f9ed32e7c40a5f80db76bb4256908ab7152e22efd706c790aa1f05509",
    ),
    (
        r#"{"id":"evt_1","object":"event","type":"payment_intent.created","livemode":false,"data":{"object":{"object":"payment_intent","id":"pi_1"}}}"#,
        "ad1ff4a936b018e585f4030b7366902e02530aca3029222cfea9621723aee69b",
        "404db186ca7b4053f26422ebefac27679a181c948e9c835dfa017ed7cb39775f",
    ),
    (
        r#"{"id":"evt_2","object":"event","type":"checkout.session.completed","livemode":false,"data":{"object":{"id":"cs_test_a1","object":"checkout.session","client_reference_id":"4be0643f-1d98-473b-97cd-ca98a65347dd","metadata":{"order_id":"4be0643f-1d98-473b-97cd-ca98a65347dd","made_by":"order-system-for-spin"}}}}"#,
        "7bf4bd8e8bac77a3b65f88acc43065f6a180d21f2ecae394c2ff5c7a8788c9c5",
        "4eafee20710720b79d2e6cba95d2478276b2348198981cabe294cd15ca69e25a",
    ),
    (
        "{\"text\":\"\u{8ba2}\u{5355} \u{e9} \u{1f600}\"}\n",
        "a1ab9df7e302ad9b98a06cbee79aa45487083b47560894863c5739c5c8f9ecaf",
        "cd4bd4472bcb4f7a2e909eb6531861890526cdc7f4d2acab13e2b308c1d38630",
    ),
    (
        "",
        "a6ef0b8993c8f7049a665e9c52595414354e40458cda2d13d8ff5c3aeb040798",
        "6071048405c961d46555f286ba3f0529d284254d11556eacd23ed85e478f8f03",
    ),
];

fn read_at(settings: Settings, signature: &str, body: &[u8], millis: u64) -> Result<Notice, InvalidNotice> {
    Script::default().stripe(settings).read_notice(signature, body, millis.into())
}

fn read(signature: &str, body: &[u8]) -> Result<Notice, InvalidNotice> {
    read_at(settings(), signature, body, SIGNED * 1000)
}

/// A message, signed as Stripe does.
fn signed(body: &str) -> Result<Notice, InvalidNotice> {
    use hmac::{Hmac, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{SIGNED}.{body}").as_bytes());
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    read(&format!("t={SIGNED},v1={digits}"), body.as_bytes())
}

/// An event about the session of the order.
fn event(kind: &str) -> Value {
    json!({"id": "evt_1", "object": "event", "type": kind, "livemode": false, "api_version": "2026-08-26.dahlia",
        "data": {"object": {"id": SESSION, "object": "checkout.session", "client_reference_id": ORDER,
            "payment_status": "paid", "metadata": {"order_id": ORDER, "made_by": "order-system-for-spin"}}}})
}

#[test]
fn a_message_that_was_signed_with_one_of_the_secrets_is_believed() {
    for (body, first, second) in VECTORS {
        for header in [
            format!("t={SIGNED},v1={first}"),
            format!("t={SIGNED},v1={second}"),
            format!("v1={first},t={SIGNED}"),
            format!("t={SIGNED},v1={},v1={first}", "0".repeat(64)),
            format!("t={SIGNED},v1={first},v0={first},v2=,scheme=a=b"),
            format!("t={SIGNED},v1=short,v1={second},v1=\u{e9}"),
        ] {
            assert_ne!(read(&header, body.as_bytes()), Err(InvalidNotice::Signature), "{header}");
        }
    }
}

#[test]
fn what_the_official_library_has_signed_is_read() {
    let [none, other, ours, text, empty] =
        VECTORS.map(|(body, first, _)| read(&format!("t={SIGNED},v1={first}"), body.as_bytes()));
    assert_eq!(none, Err(InvalidNotice::Unreadable));
    assert_eq!(other, Ok(Notice::NotOurs));
    let expected = Notice::Session { order: ORDER.parse().unwrap(), session: "cs_test_a1".parse().unwrap() };
    assert_eq!(ours, Ok(expected));
    assert_eq!(text, Err(InvalidNotice::Unreadable));
    assert_eq!(empty, Err(InvalidNotice::Unreadable));
}

#[test]
fn a_signature_that_is_not_sound_is_refused() {
    let (body, first, _) = VECTORS[2];
    let changed = format!("{}3", first.strip_suffix('5').unwrap());
    for header in [
        String::new(),
        "t".to_owned(),
        format!("t={SIGNED}"),
        format!("v1={first}"),
        format!("t=,v1={first}"),
        format!("t={SIGNED},v1="),
        format!("t={SIGNED},v1={changed}"),
        format!("t={SIGNED},v1={}", first.to_ascii_uppercase()),
        format!("t={SIGNED},v1={first}0"),
        format!("t={SIGNED},v1={}", first.strip_suffix("c5").unwrap()),
        format!("t={SIGNED},v0={first}"),
        format!("t={},v1={first}", SIGNED + 1),
        format!("t={SIGNED},t={SIGNED},v1={first}"),
        format!("t={},t={SIGNED},v1={first}", SIGNED + 1),
        format!("t={SIGNED}, v1={first}"),
        format!(" t={SIGNED},v1={first}"),
        format!("t=+{SIGNED},v1={first}"),
        format!("t=0{SIGNED},v1={first}"),
        format!("t={SIGNED},v1={first},"),
        format!("t={SIGNED};v1={first}"),
        format!("T={SIGNED},V1={first}"),
    ] {
        assert_eq!(read(&header, body.as_bytes()), Err(InvalidNotice::Signature), "{header}");
    }
    let header = format!("t={SIGNED},v1={first}");
    for other in [body.replace("a1", "a2"), format!("{body} "), body.to_owned() + "\n", String::new()] {
        assert_eq!(read(&header, other.as_bytes()), Err(InvalidNotice::Signature), "{other}");
    }
}

#[test]
fn a_moment_that_is_no_number_is_refused_under_a_right_signature() {
    use hmac::{Hmac, Mac};
    for moment in ["", "x", "+1700000000", "-1700000000", "1700000000.0", " 1700000000", "99999999999999999999"] {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("{moment}.{{}}").as_bytes());
        let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(read(&format!("t={moment},v1={digits}"), b"{}"), Err(InvalidNotice::Signature), "{moment}");
    }
}

#[test]
fn an_old_signature_and_one_of_the_future_are_refused() {
    let (body, first, _) = VECTORS[1];
    let header = format!("t={SIGNED},v1={first}");
    for (millis, believed) in [
        (SIGNED * 1000 - 300_000, true),
        (SIGNED * 1000 + 300_000, true),
        (SIGNED * 1000 - 300_001, false),
        (SIGNED * 1000 + 300_001, false),
        (0, false),
    ] {
        let read = read_at(settings(), &header, body.as_bytes(), millis);
        assert_eq!(read.is_ok(), believed, "{millis}");
        assert_eq!(read == Err(InvalidNotice::Signature), !believed, "{millis}");
    }
}

#[test]
fn a_secret_that_was_rolled_out_signs_nothing_more() {
    let (body, first, second) = VECTORS[1];
    let with = |webhook_secret| {
        let variables = Variables { secret_key: KEY, webhook_secret, api: "", return_url: "https://shop.example" };
        Settings::new(&variables, &"CNY".to_owned().try_into().unwrap(), &[]).unwrap().unwrap()
    };
    for (secret, by_first, by_second) in [(SECRET, true, false), (OTHER_SECRET, false, true), ("", false, false)] {
        for (digits, believed) in [(first, by_first), (second, by_second)] {
            let read = read_at(with(secret), &format!("t={SIGNED},v1={digits}"), body.as_bytes(), SIGNED * 1000);
            assert_eq!(read.is_ok(), believed, "{secret} {digits}");
        }
    }
}

#[test]
fn the_events_of_a_session_say_which_to_look_at() {
    let expected = Notice::Session { order: ORDER.parse().unwrap(), session: SESSION.parse().unwrap() };
    for kind in events().filter(|kind| kind.starts_with("checkout.session.")) {
        assert_eq!(signed(&event(kind).to_string()), Ok(expected.clone()), "{kind}");
    }
}

#[test]
fn the_documentation_names_each_event_that_has_an_effect() {
    let page = include_str!("../../../../docs/payments.md");
    for kind in events() {
        assert!(page.contains(&format!("`{kind}`")), "{kind}");
    }
}

#[test]
fn the_events_of_a_dispute_say_which_to_look_at() {
    let kinds: Vec<_> = events().filter(|kind| kind.starts_with("charge.dispute.")).collect();
    assert_eq!(kinds.len(), 5, "those of Stripe's");
    for kind in kinds {
        let mut event = event(kind);
        // A dispute does not say of which order it is.
        event["data"]["object"] = json!({"id": "du_1", "object": "dispute", "payment_intent": INTENT, "metadata": {}});
        assert_eq!(signed(&event.to_string()), Ok(Notice::Dispute("du_1".parse().unwrap())), "{kind}");
        for (path, value) in [
            ("/livemode", json!(true)),
            ("/data/object", Value::Null),
            ("/data/object/object", json!("charge")),
            ("/data/object/id", Value::Null),
            ("/data/object/id", json!("../1")),
            ("/data/object/id", json!({"id": "du_1"})),
        ] {
            let mut other = event.clone();
            *other.pointer_mut(path).unwrap() = value;
            assert_eq!(signed(&other.to_string()), Ok(Notice::NotOurs), "{kind} {path}");
        }
        event["account"] = json!("acct_1");
        assert_eq!(signed(&event.to_string()), Ok(Notice::NotOurs));
    }
}

/// An event about a refund of the order's charge, or about the charge.
fn refund_event(kind: &str) -> Value {
    let mut event = event(kind);
    let object = if kind == "charge.refunded" { "charge" } else { "refund" };
    event["data"]["object"] = json!({"id": "re_1", "object": object, "payment_intent": INTENT, "status": "failed",
        "metadata": {"order_id": ORDER, "made_by": "order-system-for-spin", "refund_id": "late-1"}});
    event
}

#[test]
fn the_events_of_a_refund_say_which_charge_to_look_at() {
    let expected = Notice::Refund { order: ORDER.parse().unwrap(), charge: INTENT.parse().unwrap() };
    let of_others = |kind: &&str| kind.starts_with("checkout.session.") || kind.starts_with("charge.dispute.");
    let kinds: Vec<_> = events().filter(|kind| !of_others(kind)).collect();
    assert_eq!(kinds, ["charge.refund.updated", "charge.refunded", "refund.failed", "refund.updated"]);
    for kind in kinds {
        assert_eq!(signed(&refund_event(kind).to_string()), Ok(expected.clone()), "{kind}");
        for (path, value) in [
            ("/livemode", json!(true)),
            ("/data/object", Value::Null),
            ("/data/object/object", json!("checkout.session")),
            ("/data/object/payment_intent", Value::Null),
            ("/data/object/payment_intent", json!("../1")),
            ("/data/object/payment_intent", json!({"id": INTENT})),
            ("/data/object/metadata", Value::Null),
            ("/data/object/metadata", json!({})),
            ("/data/object/metadata/made_by", json!("another shop")),
            ("/data/object/metadata/order_id", json!("4be0643f")),
        ] {
            let mut changed = refund_event(kind);
            *changed.pointer_mut(path).unwrap() = value.clone();
            assert_eq!(signed(&changed.to_string()), Ok(Notice::NotOurs), "{kind} {path} {value}");
        }
    }
    // Of an event the type and the object have to agree.
    for (kind, object) in [("charge.refunded", "refund"), ("refund.failed", "charge")] {
        let mut other = refund_event(kind);
        other["data"]["object"]["object"] = json!(object);
        assert_eq!(signed(&other.to_string()), Ok(Notice::NotOurs), "{kind} {object}");
    }
}

#[test]
fn what_is_about_something_else_is_not_ours() {
    for kind in ["payment_intent.succeeded", "charge.refunded", "checkout.session.other", "", "completed"] {
        assert_eq!(signed(&event(kind).to_string()), Ok(Notice::NotOurs), "{kind}");
    }
    let completed = event("checkout.session.completed");
    for (path, value) in [
        ("/object", json!("v2.core.event")),
        ("/livemode", json!(true)),
        ("/livemode", Value::Null),
        ("/data", Value::Null),
        ("/data", json!([])),
        ("/data/object", json!("cs_test_a1")),
        ("/data/object/object", json!("payment_intent")),
        ("/data/object/id", json!("../1")),
        ("/data/object/id", json!(7)),
        ("/data/object/client_reference_id", Value::Null),
        ("/data/object/client_reference_id", json!("4be0643f")),
        ("/data/object/client_reference_id", json!("4BE0643F-1D98-473B-97CD-CA98A65347DD")),
        ("/data/object/client_reference_id", json!("4be0643f-1d98-473b-97cd-ca98a65347de")),
        ("/data/object/metadata", Value::Null),
        ("/data/object/metadata", json!({})),
        ("/data/object/metadata/made_by", json!("another shop")),
        ("/data/object/metadata/order_id", json!("4be0643f-1d98-473b-97cd-ca98a65347de")),
    ] {
        let mut changed = completed.clone();
        *changed.pointer_mut(path).unwrap() = value.clone();
        assert_eq!(signed(&changed.to_string()), Ok(Notice::NotOurs), "{path} {value}");
    }
    let mut connected = completed.clone();
    connected["account"] = json!("acct_1");
    assert_eq!(signed(&connected.to_string()), Ok(Notice::NotOurs));
    connected["account"] = Value::Null;
    assert_ne!(signed(&connected.to_string()), Ok(Notice::NotOurs));
}

#[test]
fn a_message_under_a_right_signature_may_be_unreadable() {
    let twice = r#"{"object":"event","object":"event","type":"a"}"#;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let in_data = format!(r#"{{"object":"event","type":"a","data":{deep}}}"#);
    for body in ["null", "[]", "7", "\"event\"", "{", "{}x", "{\"object\":\"event\"}", twice, &deep, &in_data] {
        assert_eq!(signed(body), Err(InvalidNotice::Unreadable), "{body:.40}");
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_is_read_without_a_panic(header in ".*", body in vec(any::<u8>(), 0..200), now: u64) {
        let _ = read_at(settings(), &header, &body, now);
    }

    #[test]
    fn what_looks_like_a_signature_is_believed_only_if_it_is_one(
        moment in "[0-9]{0,20}", digits in "[0-9a-f]{0,65}", body in vec(any::<u8>(), 0..50), now: u64,
    ) {
        let read = read_at(settings(), &format!("t={moment},v1={digits}"), &body, now);
        prop_assert_eq!(read, Err(InvalidNotice::Signature));
    }

    #[test]
    fn whatever_is_signed_is_read_without_a_panic(body in "[\\[\\]{}\",:a-z0-9 ]{0,100}") {
        prop_assert_ne!(signed(&body), Err(InvalidNotice::Signature));
    }
}

//! Webhooks that no honest provider sends, or not about this order.

use std::time::{SystemTime, UNIX_EPOCH};

use harness::{Request, provider};
use money::Till;
use serde_json::{Value, json};
use stripe_stand_in::{WEBHOOK_SECRET, signature};

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

fn sign(body: &[u8]) -> String {
    signature(&[WEBHOOK_SECRET], now(), body)
}

fn event(signature: &str, body: &[u8]) -> Request {
    Request::post(provider::EVENTS).header("stripe-signature", signature).body("application/json", body)
}

/// An order whose buyer has paid, of which the shop does not know; and the event that says so.
fn charged(till: &Till) -> (String, Vec<u8>) {
    till.set_faults(&["never"]);
    let (order, session) = till.at_provider();
    till.provider.pay(&session).unwrap();
    let event = till.provider.event("checkout.session.completed", &session).unwrap();
    (order, event.to_string().into_bytes())
}

/// The event with something else in it.
fn with(body: &[u8], pointer: &str, value: Value) -> Vec<u8> {
    let mut event: Value = serde_json::from_slice(body).unwrap();
    *event.pointer_mut(pointer).unwrap_or_else(|| panic!("there is no {pointer}")) = value;
    event.to_string().into_bytes()
}

#[test]
fn a_signature_that_proves_nothing_is_refused() {
    let till = Till::open(crate::TARGET);
    let (order, body) = charged(&till);
    let good = sign(&body);
    let forged = signature(&["whsec_another_secret_of_another"], now(), &body);
    let of_another = sign(b"{}");
    for signature in [
        "",
        "t=,v1=",
        "nonsense",
        &forged,
        &of_another,
        // Five minutes are allowed. The edge itself is a unit test: here time passes until the shop reads its clock.
        &signature(&[WEBHOOK_SECRET], now() - 3600, &body),
        &signature(&[WEBHOOK_SECRET], now() + 3600, &body),
        &good.to_uppercase(),
        &format!("t={},{good}", now() - 1),
    ] {
        till.must(&event(signature, &body), 400, "invalid_signature");
    }
    let doubled = event(&good, &body).header("stripe-signature", &forged);
    till.must(&doubled, 400, "invalid_signature");
    let missing = Request::post(provider::EVENTS).body("application/json", body.clone());
    till.must(&missing, 400, "invalid_signature");
    assert_eq!(till.status(&order), "pending", "nothing was done");
    // Under one of two secrets, while one is rolled.
    let two = signature(&["whsec_another_secret_of_another", WEBHOOK_SECRET], now(), &body);
    till.must(&event(&two, &body), 200, "");
    assert_eq!((till.status(&order).as_str(), till.audit()), ("paid", vec![]));
}

#[test]
fn a_body_that_is_no_event_is_refused_though_it_is_signed() {
    let till = Till::open(crate::TARGET);
    let (order, body) = charged(&till);
    for body in [b"".as_slice(), b"{", b"[]", b"null", b"\xff", &body[..body.len() - 1]] {
        let answer = till.send(&event(&sign(body), body));
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    let long = [b"{\"a\":\"".as_slice(), &vec![b'a'; 1 << 20], b"\"}"].concat();
    let answer = till.send(&event(&sign(&long), &long));
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert_eq!(till.status(&order), "pending");
    till.must(&event(&sign(&body), &body), 200, "");
    assert_eq!((till.status(&order).as_str(), till.audit()), ("paid", vec![]));
}

#[test]
fn an_event_about_something_else_is_taken_and_does_nothing() {
    let till = Till::open(crate::TARGET);
    let (order, body) = charged(&till);
    let other = till.order();
    let nobody = "00000000-0000-4000-8000-000000000000";
    let renamed = |order: &str| {
        let body = with(&body, "/data/object/client_reference_id", order.into());
        with(&body, "/data/object/metadata/order_id", order.into())
    };
    let mut of_account: Value = serde_json::from_slice(&body).unwrap();
    of_account["account"] = "acct_other".into();
    for body in [
        of_account.to_string().into_bytes(),
        with(&body, "/livemode", true.into()),
        with(&body, "/type", "invoice.paid".into()),
        with(&body, "/data/object", json!({ "id": "cs_test_a", "object": "checkout.session" })),
        with(&body, "/data/object/id", "cs_test_of_another".into()),
        with(&body, "/data/object/id", "../../v1/charges".into()),
        with(&body, "/data/object/client_reference_id", other.as_str().into()),
        renamed(nobody),
        // A session that is on the record of another order than the one that it names.
        renamed(&other),
    ] {
        till.must(&event(&sign(&body), &body), 200, "");
    }
    assert_eq!((till.status(&order), till.status(&other)), ("pending".to_owned(), "pending".to_owned()));
    assert_eq!(till.provider.refunds(), []);
    // What the body claims is not believed: only that there is something to look at.
    let cheap =
        with(&with(&body, "/data/object/amount_total", 1.into()), "/data/object/payment_status", "unpaid".into());
    for _ in 0..3 {
        till.must(&event(&sign(&cheap), &cheap), 200, "");
    }
    assert_eq!((till.status(&order).as_str(), till.audit()), ("paid", vec![]));
}

#[test]
fn an_event_that_claims_a_payment_pays_nothing() {
    let till = Till::open(crate::TARGET);
    let (order, session) = till.at_provider();
    let body = till.provider.event("checkout.session.completed", &session).unwrap().to_string().into_bytes();
    let body =
        with(&with(&body, "/data/object/payment_status", "paid".into()), "/data/object/status", "complete".into());
    till.must(&event(&sign(&body), &body), 200, "");
    assert_eq!((till.status(&order).as_str(), till.audit()), ("pending", vec![]));
}

#[test]
fn an_event_comes_again_where_the_provider_cannot_be_asked() {
    let till = Till::open(crate::TARGET);
    let (order, body) = charged(&till);
    till.set_faults(&["never", "unavailable"]);
    till.must(&event(&sign(&body), &body), 503, "payment_provider_unavailable");
    till.set_faults(&["never"]);
    till.must(&event(&sign(&body), &body), 200, "");
    assert_eq!((till.status(&order).as_str(), till.audit()), ("paid", vec![]));
}

//! Disputes.

use domain::dispute::{DisputeStatus, FoundDispute};
use domain::{DisputeId, Provider, ProviderError};
use serde_json::{Value, json};

use super::{INTENT, ORDER, Script, error, reply, run, settings};

const DISPUTE: &str = "du_3Ab";

fn id() -> DisputeId {
    DISPUTE.parse().unwrap()
}

/// A dispute with its payment, as Stripe answers it.
fn dispute(status: &str) -> Value {
    json!({
        "id": DISPUTE, "object": "dispute", "amount": 1200, "currency": "cny", "status": status, "livemode": false,
        "created": 1_700_000_100, "charge": "ch_3Ab", "reason": "product_not_received", "metadata": {},
        "payment_intent": {
            "id": INTENT, "object": "payment_intent",
            "metadata": {"order_id": ORDER, "made_by": "order-system-for-spin"},
        },
    })
}

fn changed(name: &str, value: Value) -> Value {
    let mut dispute = dispute("needs_response");
    dispute[name] = value;
    dispute
}

fn find(answer: &Value) -> Result<Option<FoundDispute>, ProviderError> {
    run(Script::default().answers(200, answer).stripe(settings()).find_dispute(&id()))
}

#[test]
fn a_dispute_is_looked_up_with_the_payment_that_says_which_order_it_is() {
    let script = Script::default().answers(200, &dispute("needs_response"));
    let found = run(script.stripe(settings()).find_dispute(&id()));
    let expected = FoundDispute {
        order: ORDER.parse().unwrap(),
        charge: INTENT.parse().unwrap(),
        amount: 1200.try_into().unwrap(),
        currency: "CNY".to_owned().try_into().unwrap(),
        status: DisputeStatus::Open,
        opened_at: 1_700_000_100_000.into(),
    };
    assert_eq!(found, Ok(Some(expected)));
    assert_eq!(script.lines(), ["Get https://api.stripe.com/v1/disputes/du_3Ab?expand%5B%5D=payment_intent"]);
}

#[test]
fn a_dispute_has_come_as_far_as_its_status_says() {
    for (status, expected) in [
        ("needs_response", DisputeStatus::Open),
        ("under_review", DisputeStatus::Open),
        ("warning_needs_response", DisputeStatus::Open),
        ("warning_under_review", DisputeStatus::Open),
        ("warning_closed", DisputeStatus::Won),
        ("won", DisputeStatus::Won),
        ("lost", DisputeStatus::Lost),
        ("prevented", DisputeStatus::Lost),
    ] {
        assert_eq!(find(&dispute(status)).unwrap().unwrap().status, expected, "{status}");
    }
}

#[test]
fn a_dispute_is_counted_in_the_unit_of_its_currency() {
    let mut other = changed("currency", json!("isk"));
    other["amount"] = json!(120_000);
    let found = find(&other).unwrap().unwrap();
    assert_eq!((found.amount.get(), found.currency.as_str()), (1200, "ISK"));
}

#[test]
fn a_dispute_about_the_payment_of_another_program_is_not_ours() {
    let of = |metadata: Value| {
        changed("payment_intent", json!({"id": INTENT, "object": "payment_intent", "metadata": metadata}))
    };
    for other in [
        changed("payment_intent", Value::Null),
        of(json!({})),
        of(Value::Null),
        of(json!({"order_id": ORDER})),
        of(json!({"order_id": ORDER, "made_by": "another"})),
        of(json!({"order_id": "17", "made_by": "order-system-for-spin"})),
    ] {
        assert_eq!(find(&other), Ok(None), "{other}");
    }
    let missing = error("invalid_request_error", "resource_missing", "dispute");
    let script = Script::default().answers(404, &missing);
    assert_eq!(run(script.stripe(settings()).find_dispute(&id())), Ok(None));
}

#[test]
fn an_answer_that_is_not_this_dispute_makes_no_sense() {
    for answer in [
        changed("id", json!("du_other")),
        changed("object", json!("charge")),
        changed("status", json!("later")),
        changed("amount", json!(-1)),
        changed("currency", json!("CNY")),
        changed("currency", json!("xxx")),
        changed("created", Value::Null),
        changed("payment_intent", json!(INTENT)),
        json!({}),
        json!([]),
    ] {
        assert!(matches!(find(&answer), Err(ProviderError::Nonsense(_))), "{answer}");
    }
}

#[test]
fn a_dispute_that_cannot_be_looked_at_is_not_taken_for_none() {
    let script = Script::default();
    let script = (0..3).fold(script, |script, _| script.then(reply(503, &[], "")));
    assert!(matches!(run(script.stripe(settings()).find_dispute(&id())), Err(ProviderError::Unavailable(_))));
    let denied = error("invalid_request_error", "", "");
    let script = Script::default().answers(403, &denied);
    assert!(matches!(run(script.stripe(settings()).find_dispute(&id())), Err(ProviderError::Refused(_))));
    // No id of Stripe's is sent on as a path.
    let script = Script::default();
    let odd: DisputeId = "../refunds".parse().unwrap();
    assert!(matches!(run(script.stripe(settings()).find_dispute(&odd)), Err(ProviderError::Refused(_))));
    assert_eq!(script.sent(), []);
}

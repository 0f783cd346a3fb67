//! Refunds.

use domain::{ChargeId, Currency, Provider, ProviderError, RefundId, RefundState, Repayment};
use serde_json::{Value, json};

use super::{INTENT, ORDER, Script, error, lost, reply, run, settings};

const NAME: &str = "late:cs_test_a1B2";
const FIND: &str = "Get https://api.stripe.com/v1/refunds?payment_intent=pi_3Ab&limit=100";

fn charge() -> ChargeId {
    INTENT.parse().unwrap()
}

fn name() -> RefundId {
    NAME.parse().unwrap()
}

fn refund(status: &str) -> Value {
    json!({"id": "re_1", "object": "refund", "amount": 2550, "currency": "cny", "status": status,
        "payment_intent": INTENT, "metadata": {"refund_id": NAME, "made_by": "order-system-for-spin"}})
}

fn changed(name: &str, value: Value) -> Value {
    let mut refund = refund("succeeded");
    refund[name] = value;
    refund
}

fn page(refunds: &[Value], has_more: bool) -> Value {
    json!({"object": "list", "url": "/v1/refunds", "data": refunds, "has_more": has_more})
}

fn ask(script: &Script) -> Result<RefundState, ProviderError> {
    ask_for(script, 2550, "CNY", &name())
}

fn ask_for(script: &Script, amount: u64, currency: &str, refund: &RefundId) -> Result<RefundState, ProviderError> {
    let (charge, order, amount) = (charge(), ORDER.parse().unwrap(), amount.try_into().unwrap());
    let currency: Currency = currency.to_owned().try_into().unwrap();
    let repayment = Repayment { order, charge: &charge, amount, currency: &currency, refund };
    run(script.stripe(settings()).refund(repayment))
}

#[test]
fn a_refund_is_asked_for_once_under_its_name() {
    let script = Script::default().then(lost()).answers(200, &refund("succeeded"));
    assert_eq!(ask(&script), Ok(RefundState::Succeeded));
    let expected = "Post https://api.stripe.com/v1/refunds payment_intent=pi_3Ab&amount=2550&\
         metadata%5Border_id%5D=4be0643f-1d98-473b-97cd-ca98a65347dd&metadata%5Brefund_id%5D=late%3Acs_test_a1B2&metadata%5Bmade_by%5D=order-system-for-spin";
    assert_eq!(script.lines(), [expected; 2]);
    let sent = script.sent();
    assert_eq!(sent[0].headers, sent[1].headers);
    let key = sent[0].headers.iter().find(|(name, _)| *name == "idempotency-key").unwrap().1.clone();
    // SHA-256 of the name, by another program.
    assert_eq!(key, "refund-ff5e0e32db5dd56c962fbd5c9af93a83b20aaed619f42473cf8f9458b13301aa");
    let long: RefundId = "x".repeat(255).parse().unwrap();
    let script = Script::default().answers(200, &changed("metadata", json!({"refund_id": long.as_str()})));
    assert!(ask_for(&script, 2550, "CNY", &long).is_ok());
    let other = script.sent()[0].headers.iter().find(|(name, _)| *name == "idempotency-key").unwrap().1.clone();
    assert!(other.len() <= 255 && other != key);
}

#[test]
fn a_refund_is_made_in_the_unit_of_stripe() {
    let mut made = changed("amount", json!(500));
    made["currency"] = json!("isk");
    let script = Script::default().answers(200, &made);
    // Whatever the shop's own is.
    let refunded = ask_for(&script, 5, "ISK", &name());
    assert_eq!(refunded, Ok(RefundState::Succeeded));
    assert!(script.lines()[0].contains("&amount=500&"));
    let script = Script::default();
    let refused = ask_for(&script, 5, "KWD", &name());
    assert_eq!(refused, Err(ProviderError::Refused("Stripe cannot count 5 minor units of KWD".to_owned())));
    assert_eq!(script.sent(), []);
}

#[test]
fn a_refund_has_come_as_far_as_its_status_says() {
    for (status, state) in [
        ("pending", RefundState::Pending),
        ("requires_action", RefundState::Pending),
        ("succeeded", RefundState::Succeeded),
        ("failed", RefundState::Failed),
        ("canceled", RefundState::Failed),
    ] {
        assert_eq!(ask(&Script::default().answers(200, &refund(status))), Ok(state), "{status}");
        let found = Script::default().answers(200, &page(&[refund(status)], false));
        assert_eq!(run(found.stripe(settings()).find_refund(&charge(), &name())), Ok(Some(state)), "{status}");
    }
}

#[test]
fn an_answer_that_is_not_this_refund_makes_no_sense() {
    for answer in [
        changed("object", json!("charge")),
        changed("status", json!("later")),
        changed("status", Value::Null),
        changed("amount", json!(2549)),
        changed("payment_intent", json!("pi_other")),
        changed("payment_intent", Value::Null),
        changed("metadata", json!({"refund_id": "another"})),
        changed("metadata", Value::Null),
        json!({}),
        json!([]),
    ] {
        let script = Script::default().answers(200, &answer);
        let made = ask(&script);
        assert!(matches!(made, Err(ProviderError::Nonsense(_))), "{answer} {made:?}");
        assert_eq!(script.sent().len(), 1);
    }
}

#[test]
fn what_was_refunded_already_is_found_by_its_name() {
    for code in ["charge_already_refunded", "idempotency_error", ""] {
        let refused = error("invalid_request_error", code, "");
        let script = Script::default().answers(400, &refused).answers(200, &page(&[refund("pending")], false));
        assert_eq!(ask(&script), Ok(RefundState::Pending), "{code}");
        assert_eq!(script.lines()[1], FIND);
    }
}

#[test]
fn a_refund_that_is_refused_and_not_there_is_refused() {
    let refused = error("invalid_request_error", "charge_already_refunded", "");
    let other = changed("metadata", json!({"refund_id": "another"}));
    let script = Script::default().answers(400, &refused).answers(200, &page(&[other], false));
    let expected = "it will not do this (status 400, invalid_request_error, charge_already_refunded)";
    assert_eq!(ask(&script), Err(ProviderError::Refused(expected.to_owned())));
    let script = Script::default().answers(400, &refused).then(lost()).then(lost()).then(lost());
    assert!(matches!(ask(&script), Err(ProviderError::Unavailable(_))));
    let script = Script::default().answers(403, &refused);
    assert!(matches!(ask(&script), Err(ProviderError::Refused(_))));
    assert_eq!(script.sent().len(), 1);
}

#[test]
fn a_remembered_answer_is_looked_up_since_it_may_be_true_no_more() {
    let replayed = || reply(200, &[("idempotent-replayed", "true")], &refund("succeeded").to_string());
    let script = Script::default().then(replayed()).answers(200, &page(&[refund("failed")], false));
    assert_eq!(ask(&script), Ok(RefundState::Failed));
    assert_eq!(script.lines()[1], FIND);
    let script = Script::default().then(replayed()).answers(200, &page(&[], false));
    assert_eq!(ask(&script), Ok(RefundState::Succeeded));
}

#[test]
fn a_remembered_failure_is_looked_up_too() {
    let failed = reply(500, &[("idempotent-replayed", "true")], &error("api_error", "", "").to_string());
    let script = Script::default().then(failed.clone()).answers(200, &page(&[refund("succeeded")], false));
    assert_eq!(ask(&script), Ok(RefundState::Succeeded));
    let script = Script::default().then(failed).answers(200, &page(&[], false));
    assert!(matches!(ask(&script), Err(ProviderError::Refused(_))));
}

fn find(script: &Script) -> Result<Option<RefundState>, ProviderError> {
    run(script.stripe(settings()).find_refund(&charge(), &name()))
}

#[test]
fn a_refund_is_looked_for_on_all_pages() {
    let other = |id: &str| {
        let mut other = changed("metadata", json!({"refund_id": "another"}));
        other["id"] = json!(id);
        other
    };
    let script = Script::default()
        .answers(200, &page(&[other("re_8"), other("re_7")], true))
        .answers(200, &page(&[other("re_6"), refund("succeeded")], false));
    assert_eq!(find(&script), Ok(Some(RefundState::Succeeded)));
    assert_eq!(script.lines(), [FIND.to_owned(), format!("{FIND}&starting_after=re_7")]);
    let script = Script::default().answers(200, &page(&[changed("metadata", Value::Null)], false));
    assert_eq!(find(&script), Ok(None));
    let endless = (0..10).fold(Script::default(), |script, _| script.answers(200, &page(&[other("re_1")], true)));
    assert!(matches!(find(&endless), Err(ProviderError::Nonsense(_))));
    assert_eq!(endless.sent().len(), 10);
}

#[test]
fn of_refunds_of_one_name_the_one_that_came_furthest_counts() {
    for (statuses, state) in [
        (["failed", "succeeded"], RefundState::Succeeded),
        (["succeeded", "failed"], RefundState::Succeeded),
        (["failed", "pending"], RefundState::Pending),
        (["pending", "succeeded"], RefundState::Succeeded),
    ] {
        let script = Script::default().answers(200, &page(&statuses.map(refund), false));
        assert_eq!(find(&script), Ok(Some(state)), "{statuses:?}");
    }
}

#[test]
fn a_list_that_makes_no_sense_says_nothing() {
    for answer in [
        page(&[], true),
        page(&[changed("id", json!("a/b"))], true),
        page(&[changed("status", json!("later"))], false),
        page(&[changed("payment_intent", json!("pi_other"))], false),
        json!({"object": "refund", "data": [], "has_more": false}),
        json!({"object": "list", "data": [], "has_more": null}),
        refund("succeeded"),
    ] {
        let script = Script::default().answers(200, &answer);
        assert!(matches!(find(&script), Err(ProviderError::Nonsense(_))), "{answer}");
    }
}

#[test]
fn a_charge_that_would_lead_elsewhere_is_not_sent() {
    let script = Script::default();
    let stripe = script.stripe(settings());
    let charge: ChargeId = "pi_1&amount=1".parse().unwrap();
    assert!(matches!(run(stripe.find_refund(&charge, &name())), Err(ProviderError::Refused(_))));
    let (order, currency, refund) = (ORDER.parse().unwrap(), "CNY".to_owned().try_into().unwrap(), name());
    let amount = 1.try_into().unwrap();
    let repayment = Repayment { order, charge: &charge, amount, currency: &currency, refund: &refund };
    let refused = run(stripe.refund(repayment));
    assert!(matches!(refused, Err(ProviderError::Refused(_))));
    assert_eq!(script.sent(), []);
}

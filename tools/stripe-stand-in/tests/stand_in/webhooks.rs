//! Webhooks: what is told of, how it is signed, and what faults make of it.

use std::time::Duration;

use serde_json::Value;
use stripe_stand_in::{Options, Retries, Rule, WEBHOOK_SECRET, WebhookDelivery, signature};

use crate::support::{Hooks, Provider, eventually, now, post, soon};

fn provider(hooks: &Hooks, rules: &[&str]) -> Provider {
    let faults = rules.iter().map(|rule| rule.parse::<Rule>().unwrap()).collect();
    Provider::with(Options { webhook_url: Some(hooks.url.clone()), faults, retries: soon(), ..Options::default() })
}

fn delivered(provider: &Provider, expected: WebhookDelivery) {
    let all = || provider.stand_in.events().iter().all(|event| event.delivery == expected);
    eventually("all webhooks are where they should be", all);
}

#[test]
fn what_happens_to_a_session_is_told_with_a_signature() {
    let hooks = Hooks::new();
    let provider = provider(&hooks, &[]);
    let (id, _) = provider.paid("o-1");
    let told = hooks.next();
    assert!(told.signed_at(WEBHOOK_SECRET).unwrap().abs_diff(now()) < 100);
    assert_eq!(told.signed_at("whsec_other"), None);
    let event = told.event();
    assert_eq!((told.kind().as_str(), &event["object"]), ("checkout.session.completed", &"event".into()));
    let session = &event["data"]["object"];
    assert_eq!((&session["id"], &session["client_reference_id"]), (&id.as_str().into(), &"o-1".into()));
    assert!(session["payment_intent"].is_string());
    let later = provider.open("o-2");
    provider.stand_in.pay_later(&later).unwrap();
    assert_eq!(hooks.next().event()["data"]["object"]["payment_status"], "unpaid");
    provider.stand_in.settle(&later, true).unwrap();
    assert_eq!(hooks.next().kind(), "checkout.session.async_payment_succeeded");
    let fails = provider.open("o-3");
    provider.stand_in.pay_later(&fails).unwrap();
    hooks.next();
    provider.stand_in.settle(&fails, false).unwrap();
    assert_eq!(hooks.next().kind(), "checkout.session.async_payment_failed");
    delivered(&provider, WebhookDelivery::Taken);
}

#[test]
fn what_a_request_causes_names_the_request_and_its_key() {
    let hooks = Hooks::new();
    let provider = provider(&hooks, &[]);
    let id = provider.open("o-1");
    let answer = provider.send(&post(&format!("/v1/checkout/sessions/{id}/expire"), &[]).key("k-1"));
    let told = hooks.next();
    assert_eq!(told.kind(), "checkout.session.expired");
    assert_eq!(told.event()["request"]["id"].as_str(), answer.header("request-id"));
    assert_eq!(told.event()["request"]["idempotency_key"], "k-1");
    provider.paid("o-2");
    assert_eq!(hooks.next().event()["request"]["id"], Value::Null);
}

#[test]
fn a_refund_is_told() {
    let hooks = Hooks::new();
    let provider = provider(&hooks, &[]);
    let (_, intent) = provider.paid("o-1");
    hooks.next();
    let refund = provider.refund(&intent, 2000).json()["id"].as_str().unwrap().to_owned();
    let mut kinds = [hooks.next().kind(), hooks.next().kind()];
    kinds.sort();
    assert_eq!(kinds, ["charge.refunded", "refund.created"]);
    provider.stand_in.settle_refund(&refund, false).unwrap();
    let mut kinds = [hooks.next().kind(), hooks.next().kind(), hooks.next().kind()];
    kinds.sort();
    assert_eq!(kinds, ["charge.refund.updated", "refund.failed", "refund.updated"]);
}

#[test]
fn a_session_that_expires_by_itself_is_told_without_a_request() {
    let hooks = Hooks::new();
    let provider = provider(&hooks, &[]);
    provider.open("o-1");
    provider.stand_in.set_clock_ahead(Duration::from_secs(25 * 3600));
    let told = hooks.next();
    assert_eq!(told.kind(), "checkout.session.expired");
    assert!(told.signed_at(WEBHOOK_SECRET).unwrap() > now() + 24 * 3600, "signed by the clock of the stand-in");
}

#[test]
fn a_webhook_that_is_not_taken_comes_again_until_it_is() {
    let hooks = Hooks::new();
    hooks.answer(503);
    let provider = provider(&hooks, &[]);
    provider.paid("o-1");
    let first = hooks.next();
    assert_eq!(hooks.next().body, first.body);
    assert_eq!(provider.stand_in.events()[0].delivery, WebhookDelivery::Pending);
    hooks.answer(204);
    delivered(&provider, WebhookDelivery::Taken);
}

#[test]
fn a_webhook_that_is_never_taken_is_given_up() {
    let hooks = Hooks::new();
    hooks.answer(400);
    let retries = Retries { stop: Duration::from_millis(100), ..soon() };
    let provider = Provider::with(Options { webhook_url: Some(hooks.url.clone()), retries, ..Options::default() });
    provider.paid("o-1");
    delivered(&provider, WebhookDelivery::Ended);
    // That it is tried again is a test of its own: here the first try may take all of the time.
    let tries = hooks.all().len();
    assert!((1..20).contains(&tries), "{tries}");
}

#[test]
fn webhooks_wait_for_an_address_and_a_shop_that_is_gone_gets_them_later() {
    let provider = Provider::new();
    provider.paid("o-1");
    // Long enough for its webhook to find that there is no address.
    std::thread::sleep(Duration::from_millis(200));
    // Nothing listens there, and no other test ever will.
    provider.stand_in.set_webhook_url(Some("http://127.0.0.1:1/events")).unwrap();
    provider.paid("o-2");
    let hooks = Hooks::new();
    provider.stand_in.set_webhook_url(Some(&hooks.url)).unwrap();
    let mut orders =
        [hooks.next(), hooks.next()].map(|told| told.event()["data"]["object"]["client_reference_id"].clone());
    orders.sort_by_key(Value::to_string);
    assert_eq!(orders, ["o-1", "o-2"]);
    provider.stand_in.set_webhook_url(Some("https://shop.example/events")).unwrap_err();
}

#[test]
fn two_secrets_sign_while_one_is_rolled() {
    let hooks = Hooks::new();
    let provider = provider(&hooks, &[]);
    provider.stand_in.set_webhook_secrets(&["whsec_old", "whsec_new"]);
    provider.paid("o-1");
    let told = hooks.next();
    assert!(told.signed_at("whsec_old").is_some() && told.signed_at("whsec_new").is_some());
    assert_eq!(told.signed_at(WEBHOOK_SECRET), None);
}

#[test]
fn early_is_delivered_before_anything_is_answered() {
    let hooks = Hooks::new();
    let provider = provider(&hooks, &["early"]);
    provider.paid("o-1");
    assert_eq!(hooks.all().len(), 1, "of a buyer");
    let id = provider.open("o-2");
    provider.expire(&id);
    assert_eq!(hooks.all().len(), 1, "of a request");
    let page = harness::Request::post(format!("/pay/{}/pay", provider.open("o-3"))).bare_body("");
    assert_eq!(provider.send(&page).status, 303);
    assert_eq!(hooks.all().len(), 1, "of a page");
    hooks.answer(503);
    provider.paid("o-4");
    hooks.answer(200);
    delivered(&provider, WebhookDelivery::Taken);
}

#[test]
fn thrice_is_delivered_three_times() {
    let hooks = Hooks::new();
    let provider = provider(&hooks, &["thrice*1"]);
    provider.paid("o-1");
    let bodies: Vec<_> = (0..3).map(|_| hooks.next().body).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    delivered(&provider, WebhookDelivery::Taken);
    provider.paid("o-2");
    hooks.next();
    delivered(&provider, WebhookDelivery::Taken);
    assert_eq!(hooks.all().len(), 0);
}

#[test]
fn delayed_is_overtaken() {
    let hooks = Hooks::new();
    let provider = provider(&hooks, &["delayed=500@checkout.session.completed*1"]);
    let id = provider.open("o-1");
    provider.stand_in.pay_later(&id).unwrap();
    provider.stand_in.settle(&id, true).unwrap();
    let kinds = [hooks.next().kind(), hooks.next().kind()];
    assert_eq!(kinds, ["checkout.session.async_payment_succeeded", "checkout.session.completed"]);
}

#[test]
fn never_is_not_delivered_and_held_waits() {
    let hooks = Hooks::new();
    let provider = provider(&hooks, &["never@checkout.session.completed*1"]);
    provider.paid("o-1");
    provider.fault("held*1");
    provider.paid("o-2");
    provider.paid("o-3");
    assert_eq!(hooks.next().event()["data"]["object"]["client_reference_id"], "o-3");
    let deliveries: Vec<_> = provider.stand_in.events().iter().map(|event| event.delivery).collect();
    assert_eq!(deliveries[..2], [WebhookDelivery::Ended, WebhookDelivery::Held]);
    // A day later.
    provider.stand_in.set_clock_ahead(Duration::from_secs(24 * 3600));
    provider.stand_in.release_webhooks();
    let late = hooks.next();
    assert_eq!(late.event()["data"]["object"]["client_reference_id"], "o-2");
    assert!(late.signed_at(WEBHOOK_SECRET).unwrap() > late.event()["created"].as_u64().unwrap() + 24 * 3600 - 60);
    assert_eq!(hooks.all().len(), 0);
}

#[test]
fn signatures_are_old_wrong_or_missing() {
    let hooks = Hooks::new();
    let provider = provider(&hooks, &["old-timestamp*1"]);
    provider.paid("o-1");
    let old = hooks.next().signed_at(WEBHOOK_SECRET).unwrap();
    assert!(now() - old >= 24 * 3600);
    provider.fault("wrong-secret*1");
    provider.paid("o-2");
    let wrong = hooks.next();
    assert!(wrong.signature.is_some() && wrong.signed_at(WEBHOOK_SECRET).is_none());
    provider.fault("unsigned*1");
    provider.paid("o-3");
    assert_eq!(hooks.next().signature, None);
}

#[test]
fn bodies_are_about_something_else() {
    let hooks = Hooks::new();
    let provider = provider(&hooks, &[]);
    let tell = |rule: &str, order: &str| {
        provider.fault(rule);
        let (id, _) = provider.paid(order);
        let told = hooks.next();
        assert!(told.signed_at(WEBHOOK_SECRET).is_some(), "{rule} is signed");
        (id, told)
    };
    let (id, unknown) = tell("unknown-session*1", "o-1");
    assert_ne!(unknown.event()["data"]["object"]["id"], id.as_str());
    let (id, other) = tell("other-account*1", "o-2");
    assert_ne!(other.event()["data"]["object"]["id"], id.as_str());
    assert!(other.event()["account"].as_str().unwrap().starts_with("acct_"));
    let (id, not_ours) = tell("not-ours*1", "o-3");
    let session = &not_ours.event()["data"]["object"];
    assert_eq!((&session["id"], &session["client_reference_id"]), (&id.as_str().into(), &Value::Null));
    let (id, mixed) = tell("other-order*1", "o-4");
    let session = &mixed.event()["data"]["object"];
    assert_eq!(session["id"], id.as_str());
    assert!(["o-1", "o-2", "o-3"].contains(&session["client_reference_id"].as_str().unwrap()));
    assert_eq!(session["metadata"]["order_id"], session["client_reference_id"]);
    let (_, no_json) = tell("no-json*1", "o-5");
    assert!(serde_json::from_str::<Value>(&no_json.body).is_err());
}

#[test]
fn a_test_can_send_what_stripe_would_not() {
    let hooks = Hooks::new();
    let provider = provider(&hooks, &[]);
    let id = provider.open("o-1");
    let body = provider.stand_in.event("checkout.session.completed", &id).unwrap().to_string();
    let signed = signature(&[WEBHOOK_SECRET], now() as i64, body.as_bytes());
    hooks.answer(418);
    assert_eq!(provider.stand_in.send_webhook(body.as_bytes(), Some(&format!("{signed},{signed}"))).unwrap(), 418);
    assert_eq!(hooks.next().body, body);
    assert!(provider.stand_in.events().is_empty());
    assert_eq!(provider.stand_in.event("checkout.session.completed", "cs_test_1"), None);
}

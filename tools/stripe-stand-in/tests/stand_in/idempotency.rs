//! Idempotency keys: what is remembered, and for how long.

use std::time::Duration;

use harness::at_once;

use crate::support::{Provider, SESSIONS, post, session_form, with};

#[test]
fn a_repeat_gets_the_first_answer_and_does_nothing() {
    let provider = Provider::new();
    let request = post(SESSIONS, &session_form("o-1")).key("k-1");
    let first = provider.send(&request);
    // The same parameters in another order.
    let mut reversed = session_form("o-1");
    reversed.reverse();
    let again = provider.send(&post(SESSIONS, &reversed).key("k-1"));
    assert_eq!((first.status, first.header("idempotent-replayed")), (200, None));
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(again.value(), first.value());
    assert_eq!(provider.stand_in.sessions().len(), 1);
    provider.stand_in.pay(first.value()["id"].as_str().unwrap()).unwrap();
    assert_eq!(provider.send(&request).value()["status"], "open", "the answer of then");
}

#[test]
fn a_key_is_of_one_request() {
    let provider = Provider::new();
    provider.told(200, &post(SESSIONS, &session_form("o-1")).key("k-1"));
    let other = provider.told(400, &post(SESSIONS, &session_form("o-2")).key("k-1"));
    assert_eq!(other["error"]["type"], "idempotency_error");
    let refund = provider.told(400, &post("/v1/refunds", &[("charge".into(), "ch_1".into())]).key("k-1"));
    assert_eq!(refund["error"]["type"], "idempotency_error");
    assert_eq!(provider.stand_in.sessions().len(), 1);
    // The same parameters, and another path.
    let [first, second] = ["o-3", "o-4"].map(|order| provider.open(order));
    let expire = |id: &str| post(&format!("{SESSIONS}/{id}/expire"), &[]).key("k-2");
    provider.told(200, &expire(&first));
    assert_eq!(provider.told(400, &expire(&second))["error"]["type"], "idempotency_error");
    assert_eq!(provider.look(&second)["status"], "open");
}

#[test]
fn of_requests_with_one_key_at_once_one_is_done() {
    let provider = Provider::hostile("late=300");
    let request = post(SESSIONS, &session_form("o-1")).key("k-1");
    let answers = at_once(4, |_| provider.send(&request));
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    let in_use: Vec<_> = answers.iter().filter(|answer| answer.status == 409).collect();
    assert_eq!((done, in_use.len()), (1, 3));
    for answer in in_use {
        assert_eq!(answer.value()["error"]["code"], "idempotency_key_in_use");
        assert_eq!(answer.header("stripe-should-retry"), Some("true"));
    }
    assert_eq!(provider.stand_in.sessions().len(), 1);
    assert_eq!(provider.send(&request).status, 200);
}

#[test]
fn what_is_not_valid_is_not_remembered() {
    let provider = Provider::new();
    provider.told(400, &post(SESSIONS, &with(session_form("o-1"), "mode", "gift")).key("k-1"));
    provider.told(200, &post(SESSIONS, &session_form("o-1")).key("k-1"));
    provider.fault("rate-limit*1");
    provider.told(429, &post(SESSIONS, &session_form("o-2")).key("k-2"));
    provider.told(200, &post(SESSIONS, &session_form("o-2")).key("k-2"));
}

#[test]
fn a_refusal_that_was_begun_is_remembered() {
    let provider = Provider::new();
    let id = provider.open("o-1");
    let (_, intent) = provider.paid("o-2");
    let more = [("payment_intent".to_owned(), intent), ("amount".to_owned(), "2001".to_owned())];
    provider.told(400, &post("/v1/refunds", &more).key("k-1"));
    assert_eq!(provider.send(&post("/v1/refunds", &more).key("k-1")).header("idempotent-replayed"), Some("true"));
    provider.stand_in.close(&id).unwrap();
    let expire = post(&format!("{SESSIONS}/{id}/expire"), &[]).key("k-2");
    provider.told(400, &expire);
    assert_eq!(provider.send(&expire).header("idempotent-replayed"), Some("true"));
}

#[test]
fn a_key_is_forgotten_after_a_day() {
    let provider = Provider::new();
    let request = post(SESSIONS, &session_form("o-1")).key("k-1");
    let first = provider.told(200, &request);
    provider.stand_in.set_clock_ahead(Duration::from_secs(24 * 3600 - 60));
    assert_eq!(provider.told(200, &request), first);
    provider.stand_in.set_clock_ahead(Duration::from_secs(24 * 3600 + 60));
    let second = provider.told(200, &request);
    assert_ne!(second["id"], first["id"], "a new request");
    provider.stand_in.forget_keys();
    assert_ne!(provider.told(200, &request)["id"], second["id"]);
}

#[test]
fn a_key_has_at_most_255_characters() {
    let provider = Provider::new();
    assert_eq!(provider.send(&post(SESSIONS, &session_form("o-1")).key("k".repeat(255))).status, 200);
    assert_eq!(provider.send(&post(SESSIONS, &session_form("o-1")).key("k".repeat(256))).status, 400);
}

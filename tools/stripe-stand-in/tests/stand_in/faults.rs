//! Each fault of a call or a charge does what it says.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Provider, SESSIONS, eventually, get, post, session_form};

#[test]
fn drop_after_does_it_and_does_not_answer() {
    let provider = Provider::hostile("drop-after@create*1");
    let request = post(SESSIONS, &session_form("o-1")).key("k-1");
    provider.client.send(&request).unwrap_err();
    assert_eq!(provider.stand_in.sessions().len(), 1);
    let again = provider.send(&request);
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(provider.stand_in.sessions().len(), 1);
}

#[test]
fn drop_before_does_nothing_and_does_not_answer() {
    let provider = Provider::hostile("drop-before@create*1");
    let request = post(SESSIONS, &session_form("o-1")).key("k-1");
    provider.client.send(&request).unwrap_err();
    assert!(provider.stand_in.sessions().is_empty());
    assert_eq!(provider.send(&request).header("idempotent-replayed"), None);
}

#[test]
fn errors_are_500_done_or_not_and_are_remembered() {
    for (rule, done) in [("error-after*1", 1), ("error-before*1", 0)] {
        let provider = Provider::hostile(rule);
        let request = post(SESSIONS, &session_form("o-1")).key("k-1");
        let answer = provider.send(&request);
        assert_eq!((answer.status, answer.header("stripe-should-retry")), (500, Some("false")));
        assert_eq!(answer.value()["error"]["type"], "api_error");
        assert_eq!(provider.stand_in.sessions().len(), done, "{rule}");
        let again = provider.send(&request);
        assert_eq!((again.status, again.header("idempotent-replayed")), (500, Some("true")), "{rule}");
        assert_eq!(provider.stand_in.sessions().len(), done, "{rule}");
    }
}

#[test]
fn unavailable_and_429_do_nothing_and_are_not_remembered() {
    for (rule, status, should_retry) in
        [("unavailable*1", 503, "true"), ("rate-limit*1", 429, "false"), ("lock-timeout*1", 429, "true")]
    {
        let provider = Provider::hostile(rule);
        let request = post(SESSIONS, &session_form("o-1")).key("k-1");
        let answer = provider.send(&request);
        assert_eq!((answer.status, answer.header("stripe-should-retry")), (status, Some(should_retry)), "{rule}");
        assert!(provider.stand_in.sessions().is_empty(), "{rule}");
        assert_eq!(provider.send(&request).status, 200, "{rule}");
    }
}

#[test]
fn slow_does_it_at_once_and_answers_later() {
    let provider = Provider::hostile("slow=1500@create");
    let began = Instant::now();
    provider.open("o-1");
    assert!(began.elapsed() >= Duration::from_millis(1500));
    // Of a client that does not wait, the session is there before any answer can be.
    let provider = Provider::hostile("slow=3600000@create");
    provider.client.send_and_leave(&post(SESSIONS, &session_form("o-1")), Duration::from_millis(100));
    eventually("the session is there", || !provider.stand_in.sessions().is_empty());
}

#[test]
fn late_does_it_after_the_client_has_given_up() {
    let provider = Provider::hostile("late=3000@create");
    provider.client.send_and_leave(&post(SESSIONS, &session_form("o-1")), Duration::from_millis(100));
    assert!(provider.stand_in.sessions().is_empty());
    eventually("the session is there", || provider.stand_in.sessions().len() == 1);
}

#[test]
fn cut_off_breaks_off_in_the_middle_of_the_body() {
    let provider = Provider::hostile("cut-off@create*1");
    let mut connection = provider.client.connect().unwrap();
    connection.send(&provider.client.bytes_of(&post(SESSIONS, &session_form("o-1")))).unwrap();
    let answer = connection.receive(false).unwrap().unwrap();
    assert_eq!((answer.status, answer.complete), (200, false));
    let announced: usize = answer.header("content-length").unwrap().parse().unwrap();
    assert!(!answer.body.is_empty() && answer.body.len() < announced);
    assert_eq!(provider.stand_in.sessions().len(), 1);
}

#[test]
fn nonsense_is_a_page_with_the_status_200() {
    let provider = Provider::hostile("nonsense*1");
    let answer = provider.send(&post(SESSIONS, &session_form("o-1")));
    assert_eq!(answer.status, 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_err());
}

#[test]
fn unknown_is_404_for_what_is_there() {
    let provider = Provider::new();
    let id = provider.open("o-1");
    provider.fault("unknown*1");
    let look = get(&format!("{SESSIONS}/{id}"));
    assert_eq!(provider.told(404, &look)["error"]["code"], "resource_missing");
    assert_eq!(provider.told(200, &look)["id"], id.as_str());
}

#[test]
fn other_object_answers_with_another_session() {
    let provider = Provider::new();
    let id = provider.open("o-1");
    provider.fault("other-object@look");
    let alone = provider.look(&id);
    assert_ne!(alone["id"], id.as_str());
    assert_ne!(alone["client_reference_id"], "o-1");
    let second = provider.open("o-2");
    assert_eq!(provider.look(&id)["id"], second.as_str());
}

#[test]
fn closed_yet_payable_says_expired_and_lets_the_buyer_pay() {
    let provider = Provider::hostile("closed-yet-payable");
    let id = provider.open("o-1");
    assert_eq!(provider.expire(&id).json()["status"], "expired");
    assert_eq!(provider.look(&id)["status"], "expired");
    provider.stand_in.set_clock_ahead(Duration::from_secs(2 * 24 * 3600));
    provider.stand_in.pay(&id).unwrap();
    let session = provider.look(&id);
    assert_eq!((&session["status"], &session["payment_status"]), (&json!("complete"), &json!("paid")));
    assert_eq!(provider.stand_in.charges().len(), 1);
    provider.stand_in.set_faults([]);
    let id = provider.open("o-2");
    provider.fault("closed-yet-payable@look*1");
    assert_eq!(provider.look(&id)["status"], "expired");
    assert_eq!(provider.look(&id)["status"], "expired", "it stays so");
    provider.stand_in.pay(&id).unwrap();
    assert_eq!(provider.look(&id)["payment_status"], "paid");
}

#[test]
fn another_amount_and_another_currency_are_charged() {
    let provider = Provider::hostile("other-amount*1");
    provider.paid("o-1");
    provider.fault("other-currency*1");
    let (id, _) = provider.paid("o-2");
    provider.paid("o-3");
    let charged: Vec<_> = provider.stand_in.charges().into_iter().map(|one| (one.amount, one.currency)).collect();
    assert_eq!(charged, [(2001, "cny".to_owned()), (2000, "usd".to_owned()), (2000, "cny".to_owned())]);
    let session = provider.look(&id);
    assert_eq!((&session["currency"], &session["payment_intent"]["currency"]), (&json!("cny"), &json!("usd")));
}

#[test]
fn a_refund_stays_pending_or_fails() {
    let provider = Provider::hostile("refund-pending*1");
    let (_, intent) = provider.paid("o-1");
    let pending = provider.refund(&intent, 2000).json();
    assert_eq!(pending["status"], "pending");
    assert_eq!(provider.refund(&intent, 1).status, 400, "what is pending is not refunded again");
    provider.stand_in.settle_refund(pending["id"].as_str().unwrap(), true).unwrap();
    assert_eq!(
        provider.told(200, &get(&format!("/v1/refunds/{}", pending["id"].as_str().unwrap())))["status"],
        "succeeded"
    );
    let (_, intent) = provider.paid("o-2");
    provider.fault("refund-fails*1");
    assert_eq!(provider.refund(&intent, 2000).json()["status"], "failed");
    assert_eq!(provider.stand_in.charges()[1].refunded, 0);
}

#[test]
fn faults_can_be_taken_back() {
    let provider = Provider::hostile("unavailable");
    assert_eq!(provider.send(&get(SESSIONS)).status, 503);
    provider.stand_in.set_faults([]);
    assert_eq!(provider.send(&get(SESSIONS)).status, 200);
}

#[test]
fn a_request_without_the_key_uses_up_no_fault() {
    let provider = Provider::hostile("unavailable*1");
    assert_eq!(provider.send(&harness::Request::get(SESSIONS)).status, 401);
    assert_eq!(provider.send(&get(SESSIONS)).status, 503);
}

//! Which answers are asked for again, how often and for how long; and what is made of those that are no answer.

use std::time::Duration;

use domain::{Checkout, Provider, ProviderError, SessionState};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::{
    KEY, OTHER_SECRET, SECRET, Script, Step, error, lost, open_session, order, paid_session, reply, run, session,
    session_id, settings,
};
use crate::{HEADERS, Patience, Response, TransportError};

fn look(script: &Script) -> Result<SessionState, ProviderError> {
    run(script.stripe(settings()).look(&session_id()))
}

fn closed() -> Step {
    reply(200, &[], &session(&json!({"status": "expired"})).to_string())
}

fn not_sent() -> Step {
    Step { result: Err(TransportError::NotSent("the name is not known".to_owned())), takes: Duration::ZERO }
}

fn hangs() -> Step {
    Step { takes: Duration::MAX, ..closed() }
}

fn failed(status: u16, code: &str, headers: &[(&str, &str)]) -> Step {
    reply(status, headers, &error("api_error", code, "").to_string())
}

#[test]
fn what_may_pass_is_asked_for_again() {
    for step in [
        not_sent(),
        lost(),
        failed(500, "", &[]),
        failed(502, "", &[]),
        failed(503, "", &[]),
        reply(504, &[], "<html>a gateway</html>"),
        failed(409, "idempotency_key_in_use", &[]),
        failed(409, "lock_timeout", &[]),
        failed(429, "rate_limit", &[]),
        failed(429, "lock_timeout", &[]),
        failed(400, "", &[("stripe-should-retry", "true")]),
        // Of a request without a name nothing is remembered.
        failed(500, "", &[("idempotent-replayed", "true")]),
        reply(200, &[], ""),
        reply(200, &[], "{\"id\": \"cs_test_a1B2\", \"obj"),
    ] {
        let script = Script::default().then(step.clone()).then(step.clone()).then(closed());
        assert_eq!(look(&script), Ok(SessionState::Closed), "{step:?}");
        assert_eq!(script.sent().len(), 3);
        let script = Script::default().then(step.clone()).then(step.clone()).then(step.clone());
        let error = look(&script).unwrap_err();
        assert!(matches!(error, ProviderError::Unavailable(_)), "{step:?} {error:?}");
        assert_eq!(script.sent().len(), 3);
    }
}

#[test]
fn what_stripe_says_not_to_ask_again_is_asked_once() {
    for status in [409, 429, 500, 503] {
        let script = Script::default().then(failed(status, "", &[("stripe-should-retry", "false")]));
        let error = look(&script).unwrap_err();
        assert!(matches!(error, ProviderError::Unavailable(_)), "{status} {error:?}");
        assert_eq!(script.sent().len(), 1);
    }
}

#[test]
fn what_was_refused_is_asked_once() {
    for (status, code) in [
        (400, "parameter_missing"),
        (400, "amount_too_small"),
        (400, "amount_too_large"),
        (400, "idempotency_error"),
        (402, "card_declined"),
        (404, "url_invalid"),
        (405, ""),
        (422, ""),
    ] {
        let answer = error("invalid_request_error", code, "line_items[0][price_data]");
        let script = Script::default().then(reply(status, &[("request-id", "req_Ab1")], &answer.to_string()));
        let error = look(&script).unwrap_err();
        let code = if code.is_empty() { String::new() } else { format!(", {code}") };
        let expected = format!(
            "it will not do this (status {status}, invalid_request_error{code}, line_items[0][price_data], req_Ab1)"
        );
        assert_eq!(error, ProviderError::Refused(expected));
        assert_eq!(script.sent().len(), 1);
    }
}

#[test]
fn a_key_that_is_not_accepted_is_named_and_not_shown() {
    for status in [401, 403] {
        for headers in [&[][..], &[("stripe-should-retry", "true")][..]] {
            let script = Script::default().then(failed(status, "", headers));
            let error = look(&script).unwrap_err();
            let expected = format!("its secret key is not accepted, or may not do this (status {status}, api_error)");
            assert_eq!(error, ProviderError::Refused(expected));
            assert_eq!(script.sent().len(), 1);
        }
    }
}

#[test]
fn what_is_no_answer_of_stripes_makes_no_sense() {
    for step in [
        reply(200, &[], "<html></html>"),
        reply(200, &[], "null"),
        reply(200, &[], "{\"id\": 7}"),
        reply(200, &[], "{}"),
        reply(200, &[], "\u{0}"),
        reply(204, &[], "x"),
        reply(302, &[], ""),
        reply(101, &[], ""),
        reply(0, &[], ""),
        reply(600, &[], ""),
        reply(404, &[], "not here"),
        reply(400, &[], "{\"error\": \"a text\"}"),
        Step {
            result: Ok(Response { status: 200, headers: Vec::new(), body: vec![b'"', 0xff, b'"'] }),
            takes: Duration::ZERO,
        },
    ] {
        let script = Script::default().then(step.clone());
        let error = look(&script).unwrap_err();
        assert!(matches!(error, ProviderError::Nonsense(_)), "{step:?} {error:?}");
        assert_eq!(script.sent().len(), 1);
    }
}

#[test]
fn an_answer_that_was_cut_off_anywhere_is_unknown() {
    let whole = paid_session().to_string();
    for end in 0..whole.len() {
        let step = reply(200, &[], whole.get(..end).unwrap());
        let script = Script::default().then(step.clone()).then(step.clone()).then(step);
        let error = look(&script).unwrap_err();
        assert_eq!(error, ProviderError::Unavailable("its answer was cut off".to_owned()), "{end}");
    }
}

proptest! {
    #[test]
    fn whatever_is_answered_is_understood_without_a_panic(
        status in prop_oneof![Just(200_u16), any::<u16>()], body in vec(any::<u8>(), 0..200), header in ".*",
    ) {
        let headers = HEADERS.map(|name| (name.to_owned(), header.clone())).to_vec();
        let step = Step { result: Ok(Response { status, headers, body }), takes: Duration::ZERO };
        let script = Script::default().then(step.clone()).then(step.clone()).then(step);
        prop_assert!(look(&script).is_err());
    }
}

#[test]
fn a_failure_that_is_remembered_wants_another_name() {
    let remembered = failed(500, "", &[("idempotent-replayed", "true"), ("stripe-should-retry", "true")]);
    let script = Script::default().then(failed(500, "", &[])).then(remembered);
    let error = run(script.stripe(settings()).open(Checkout { order: &order(), attempt: 0 })).unwrap_err();
    let expected = "it failed under this name, and remembers that (status 500, api_error)";
    assert_eq!(error, ProviderError::Refused(expected.to_owned()));
    assert_eq!(script.sent().len(), 2);
}

#[test]
fn a_header_that_comes_twice_says_nothing() {
    let twice = [("stripe-should-retry", "false"), ("stripe-should-retry", "true")];
    let script = Script::default().then(failed(500, "", &twice)).then(closed());
    assert_eq!(look(&script), Ok(SessionState::Closed));
}

#[test]
fn pauses_grow_and_depend_on_chance() {
    for (random, pauses) in [(0, [250, 500]), (0x7f, [374, 749]), (0xff, [500, 1000])] {
        let script = Script::default().then(lost()).then(lost()).then(lost());
        script.0.random.set(random);
        assert!(look(&script).is_err());
        assert_eq!(script.slept(), pauses);
    }
}

#[test]
fn all_requests_of_a_call_share_its_time() {
    let script = Script::default().then(hangs()).then(hangs());
    script.0.random.set(0xff);
    assert!(matches!(look(&script), Err(ProviderError::Unavailable(_))));
    let timeouts: Vec<_> = script.sent().iter().map(|request| request.timeout.as_millis()).collect();
    assert_eq!(timeouts, [10_000, 4500]);
    assert_eq!(script.0.monotonic.get(), Duration::from_secs(15));

    // The second request of a call has what the first has left.
    let slow = Step { takes: Duration::from_secs(9), ..failed(400, "", &[]) };
    let script = Script::default().then(slow).then(hangs());
    let error = run(script.stripe(settings()).close(&session_id())).unwrap_err();
    assert_eq!(error, ProviderError::Unavailable("no whole answer: it took too long".to_owned()));
    let timeouts: Vec<_> = script.sent().iter().map(|request| request.timeout.as_millis()).collect();
    assert_eq!(timeouts, [10_000, 6000]);
}

#[test]
fn a_call_without_time_left_asks_nothing_more() {
    let patience = Patience { one: Duration::from_secs(5), all: Duration::from_secs(2), ..Patience::default() };
    let slow = Step { takes: Duration::from_secs(2), ..failed(400, "", &[]) };
    let script = Script::default().then(slow);
    let error = run(script.stripe(settings()).with_patience(patience).close(&session_id())).unwrap_err();
    assert_eq!(error, ProviderError::Unavailable("there was no time left to ask it".to_owned()));
    assert_eq!(script.sent()[0].timeout, Duration::from_secs(2));
}

#[test]
fn all_calls_together_take_no_longer_than_they_may() {
    let [one, together] = [1, 2].map(Duration::from_secs);
    let patience = Patience { one, all: one, together: Some(together), tries: 1, ..Patience::default() };
    let after = |milliseconds| Step { takes: Duration::from_millis(milliseconds), ..closed() };
    let script = Script::default().then(after(900)).then(after(900)).then(hangs());
    let stripe = script.stripe(settings()).with_patience(patience);
    // The time is counted from the first call on.
    script.0.pass(Duration::from_secs(60));
    for _ in 0..2 {
        assert_eq!(run(stripe.close(&session_id())), Ok(SessionState::Closed));
    }
    for expected in ["no whole answer: it took too long", "there was no time left to ask it"] {
        let error = run(stripe.close(&session_id())).unwrap_err();
        assert_eq!(error, ProviderError::Unavailable(expected.to_owned()));
    }
    let timeouts: Vec<_> = script.sent().iter().map(|request| request.timeout.as_millis()).collect();
    assert_eq!(timeouts, [1000, 1000, 200]);
    assert_eq!(script.0.monotonic.get(), Duration::from_secs(62));
}

#[test]
fn a_patience_of_one_try_asks_once() {
    let patience = Patience { tries: 1, ..Patience::default() };
    let script = Script::default().then(lost());
    assert!(run(script.stripe(settings()).with_patience(patience).look(&session_id())).is_err());
    assert_eq!((script.sent().len(), script.slept().len()), (1, 0));
}

#[test]
fn no_secret_is_in_an_error_whatever_is_answered() {
    let long = "x".repeat(65);
    for secret in [KEY, SECRET, OTHER_SECRET] {
        for text in [secret, &format!("a{secret}b"), "two words", "a\nb", "\u{202e}", &long] {
            let body = json!({"error": {"type": text, "code": text, "param": text, "message": text}}).to_string();
            for status in [302, 400, 401, 500] {
                let headers = [("request-id", text), ("stripe-should-retry", "false")];
                let error = look(&Script::default().then(reply(status, &headers, &body))).unwrap_err();
                let shown = format!("{error} {error:?}");
                assert!(shown.contains(&format!("(status {status})")), "{shown}");
            }
            for lost in [TransportError::NotSent(text.to_owned()), TransportError::NoAnswer(text.repeat(100))] {
                let step = Step { result: Err(lost), takes: Duration::ZERO };
                let error = look(&Script::default().then(step.clone()).then(step.clone()).then(step)).unwrap_err();
                let shown = error.to_string();
                assert!(!shown.contains(secret) && !shown.contains('\n') && shown.len() < 900, "{shown}");
            }
        }
    }
}

#[test]
fn no_secret_is_in_what_can_be_printed() {
    let script = Script::default().answers(200, &open_session());
    let stripe = script.stripe(settings());
    run(stripe.open(Checkout { order: &order(), attempt: 0 })).unwrap();
    let response = Response { status: 200, headers: Vec::new(), body: KEY.as_bytes().to_vec() };
    for shown in [format!("{stripe:?}"), format!("{:?}", script.sent()), format!("{response:?}")] {
        assert!(!shown.contains("Hidden") && !shown.contains("Other"), "{shown}");
    }
}

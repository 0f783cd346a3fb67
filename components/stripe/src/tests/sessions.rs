//! Opening, looking at and closing a session.

use domain::{Charge, Checkout, Provider, ProviderError, SessionState};
use serde_json::{Value, json};

use super::{
    INTENT, KEY, ORDER, SESSION, Script, error, intent, lost, open_session, order, paid_session, run, session,
    session_id, settings,
};
use crate::{Settings, Variables};

const LOOK: &str = "Get https://api.stripe.com/v1/checkout/sessions/cs_test_a1B2?expand%5B%5D=payment_intent&\
     expand%5B%5D=payment_intent.latest_charge";
const CLOSE: &str = "Post https://api.stripe.com/v1/checkout/sessions/cs_test_a1B2/expire expand%5B%5D=payment_intent&\
     expand%5B%5D=payment_intent.latest_charge";

fn look(answer: &Value) -> Result<SessionState, ProviderError> {
    let script = Script::default().answers(200, answer);
    let state = run(script.stripe(settings()).look(&session_id()));
    assert_eq!(script.lines(), [LOOK]);
    state
}

fn is_nonsense<T>(result: Result<T, ProviderError>) -> bool {
    matches!(result, Err(ProviderError::Nonsense(_)))
}

fn charge() -> Charge {
    Charge {
        id: INTENT.parse().unwrap(),
        order: Some(ORDER.parse().unwrap()),
        amount: 2550.try_into().unwrap(),
        currency: "CNY".to_owned().try_into().unwrap(),
        method: "wechat_pay".parse().unwrap(),
        charged_at: 1_700_000_060_000.into(),
    }
}

fn merged(one: &Value, other: &Value) -> Value {
    let mut merged = one.clone();
    for (name, value) in other.as_object().unwrap() {
        merged[name] = value.clone();
    }
    merged
}

#[test]
fn a_session_is_opened_with_what_the_order_says() {
    let script = Script::default().answers(200, &open_session());
    let opened = run(script.stripe(settings()).open(Checkout { order: &order(), attempt: 0 })).unwrap();
    assert_eq!(opened.id.as_str(), SESSION);
    assert!(opened.url.starts_with("https://checkout.stripe.com/c/pay/cs_test_a1B2#"));
    assert_eq!(u64::from(opened.expires_at), 1_700_002_760_000);
    let body = [
        "mode=payment",
        "client_reference_id=4be0643f-1d98-473b-97cd-ca98a65347dd",
        "success_url=https%3A%2F%2Fshop.example%2Fconsole%3Flang%3Dzh%26order%3D4be0643f-1d98-473b-97cd-ca98a65347dd\
         %26payment%3Dreturned",
        "cancel_url=https%3A%2F%2Fshop.example%2Fconsole%3Flang%3Dzh%26order%3D4be0643f-1d98-473b-97cd-ca98a65347dd\
         %26payment%3Dleft",
        "metadata%5Border_id%5D=4be0643f-1d98-473b-97cd-ca98a65347dd",
        "metadata%5Bmade_by%5D=order-system-for-spin",
        "payment_intent_data%5Bmetadata%5D%5Border_id%5D=4be0643f-1d98-473b-97cd-ca98a65347dd",
        "payment_intent_data%5Bmetadata%5D%5Bmade_by%5D=order-system-for-spin",
        "adaptive_pricing%5Benabled%5D=false",
        "payment_method_options%5Bwechat_pay%5D%5Bclient%5D=web",
        // 15 minutes to pay, and 31 more.
        "expires_at=1700002760",
        "line_items%5B0%5D%5Bprice_data%5D%5Bcurrency%5D=cny",
        "line_items%5B0%5D%5Bprice_data%5D%5Bproduct_data%5D%5Bname%5D=item1",
        "line_items%5B0%5D%5Bprice_data%5D%5Bunit_amount%5D=1000",
        "line_items%5B0%5D%5Bquantity%5D=2",
        "line_items%5B1%5D%5Bprice_data%5D%5Bcurrency%5D=cny",
        "line_items%5B1%5D%5Bprice_data%5D%5Bproduct_data%5D%5Bname%5D=tea.set-2",
        "line_items%5B1%5D%5Bprice_data%5D%5Bunit_amount%5D=550",
        "line_items%5B1%5D%5Bquantity%5D=1",
    ];
    assert_eq!(script.lines(), [format!("Post https://api.stripe.com/v1/checkout/sessions {}", body.join("&"))]);
    let headers = &script.sent()[0].headers;
    let key = headers.iter().find(|(name, _)| *name == "idempotency-key").unwrap().1.clone();
    let expected = [
        ("accept", "application/json".to_owned()),
        ("authorization", format!("Bearer {KEY}")),
        ("stripe-version", "2026-08-26.dahlia".to_owned()),
        ("idempotency-key", key),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
    ];
    assert_eq!(*headers, expected);
}

/// The name under which the session of an attempt is opened.
fn key(settings: Settings, attempt: u32) -> String {
    let script = Script::default().answers(200, &open_session());
    run(script.stripe(settings).open(Checkout { order: &order(), attempt })).unwrap();
    let headers = script.sent()[0].headers.clone();
    headers.into_iter().find(|(name, _)| *name == "idempotency-key").unwrap().1
}

#[test]
fn a_session_is_opened_under_a_name_of_the_order_the_attempt_and_the_parameters() {
    let first = key(settings(), 0);
    assert!(first.starts_with("order-4be0643f-1d98-473b-97cd-ca98a65347dd-0-") && first.len() == 61, "{first}");
    assert_eq!(key(settings(), 0), first);
    assert!(key(settings(), 12).starts_with("order-4be0643f-1d98-473b-97cd-ca98a65347dd-12-"));
    let variables = Variables { secret_key: KEY, webhook_secret: "", api: "", return_url: "https://new.example" };
    let moved = Settings::new(&variables, &"CNY".to_owned().try_into().unwrap(), &[]).unwrap().unwrap();
    assert_ne!(key(moved, 0), first);
}

#[test]
fn a_request_for_a_session_that_got_no_answer_is_sent_again_as_it_was() {
    let script = Script::default().then(lost()).answers(200, &open_session());
    run(script.stripe(settings()).open(Checkout { order: &order(), attempt: 3 })).unwrap();
    let sent = script.sent();
    assert_eq!((&sent[0].headers, &sent[0].body), (&sent[1].headers, &sent[1].body));
}

#[test]
fn an_opened_session_is_one_to_pay_this_order_in() {
    for (changes, sound) in [
        (json!({}), true),
        (json!({"url": "https://pay.shop.example/c/pay/1"}), true),
        (json!({"id": "cs_test_a/../b"}), false),
        (json!({"id": ""}), false),
        (json!({"id": null}), false),
        (json!({"object": "payment_intent"}), false),
        (json!({"mode": "setup"}), false),
        (json!({"livemode": true}), false),
        (json!({"status": "complete"}), false),
        (json!({"status": null}), false),
        (json!({"payment_status": "paid"}), false),
        (json!({"payment_status": "no_payment_required"}), false),
        (json!({"amount_total": 2551}), false),
        (json!({"amount_total": null}), false),
        (json!({"amount_total": -2550}), false),
        (json!({"amount_total": "2550"}), false),
        (json!({"amount_total": 2550.5}), false),
        (json!({"currency": "usd"}), false),
        (json!({"currency": "CNY"}), false),
        (json!({"currency": null}), false),
        (json!({"client_reference_id": "4be0643f-1d98-473b-97cd-ca98a65347de"}), false),
        (json!({"client_reference_id": null}), false),
        (json!({"url": null}), false),
        (json!({"url": ""}), false),
        (json!({"url": "http://checkout.stripe.com/c/pay/1"}), false),
        (json!({"url": "http://localhost/c/pay/1"}), false),
        (json!({"url": "javascript:alert(1)"}), false),
        (json!({"url": "//checkout.stripe.com/"}), false),
        (json!({"url": "https://user@evil.example/"}), false),
        (json!({"url": "https://checkout.stripe.com/#a\"b"}), false),
        (json!({"url": "https://checkout.stripe.com/\n"}), false),
        (json!({"url": format!("https://checkout.stripe.com/{}", "a".repeat(5000))}), false),
    ] {
        let script = Script::default().answers(200, &session(&changes));
        let opened = run(script.stripe(settings()).open(Checkout { order: &order(), attempt: 0 }));
        assert_eq!(opened.is_ok(), sound, "{changes} {opened:?}");
        assert_eq!(is_nonsense(opened), !sound, "{changes}");
    }
}

#[test]
fn a_stand_in_without_encryption_may_have_pages_on_this_machine() {
    let variables =
        Variables { secret_key: KEY, webhook_secret: "", api: "http://localhost:3001", return_url: "http://localhost" };
    let settings = Settings::new(&variables, &"CNY".to_owned().try_into().unwrap(), &[]).unwrap().unwrap();
    for (url, sound) in [("http://127.0.0.1:3001/c/pay/1", true), ("http://checkout.stripe.com/c/pay/1", false)] {
        let script = Script::default().answers(200, &session(&json!({"url": url})));
        let opened = run(script.stripe(settings.clone()).open(Checkout { order: &order(), attempt: 0 }));
        assert_eq!(opened.is_ok(), sound, "{url}");
        assert!(script.lines()[0].starts_with("Post http://localhost:3001/v1/checkout/sessions "));
    }
}

#[test]
fn an_open_session_can_be_paid() {
    for intent in
        [Value::Null, intent("requires_payment_method"), intent("requires_confirmation"), intent("requires_action")]
    {
        let state = look(&session(&json!({"payment_intent": intent}))).unwrap();
        let SessionState::Open(open) = state else { panic!("{state:?}") };
        assert_eq!(open.id, session_id());
        assert!(open.url.starts_with("https://checkout.stripe.com/c/pay/cs_test_a1B2"));
    }
}

#[test]
fn a_session_that_was_paid_says_what_was_charged() {
    assert_eq!(look(&paid_session()), Ok(SessionState::Paid(charge())));
}

#[test]
fn a_payment_that_has_succeeded_counts_whatever_its_session_says() {
    for status in ["open", "complete", "expired"] {
        for payment_status in ["paid", "unpaid"] {
            let changes =
                json!({"status": status, "payment_status": payment_status, "payment_intent": intent("succeeded")});
            assert_eq!(look(&session(&changes)), Ok(SessionState::Paid(charge())), "{status} {payment_status}");
        }
    }
}

#[test]
fn a_payment_that_takes_a_while_may_still_fail() {
    for (status, of_intent) in [
        ("complete", "processing"),
        ("complete", "requires_action"),
        ("complete", "requires_confirmation"),
        ("open", "processing"),
        ("expired", "processing"),
    ] {
        let changes = json!({"status": status, "url": null, "payment_intent": intent(of_intent)});
        assert_eq!(look(&session(&changes)), Ok(SessionState::Processing), "{status} {of_intent}");
    }
}

#[test]
fn a_session_that_nobody_can_pay_any_more_is_closed() {
    for (status, intent) in [
        ("expired", Value::Null),
        ("expired", intent("requires_payment_method")),
        ("expired", intent("requires_confirmation")),
        ("expired", intent("requires_action")),
        ("expired", intent("canceled")),
        // Not every version of the API says the amount of a payment that has not been made.
        ("expired", json!({"id": INTENT, "object": "payment_intent", "status": "canceled", "created": 1})),
        ("complete", intent("requires_payment_method")),
        ("complete", intent("canceled")),
    ] {
        let changes = json!({"status": status, "url": null, "payment_intent": intent});
        assert_eq!(look(&session(&changes)), Ok(SessionState::Closed), "{changes}");
    }
}

#[test]
fn answers_that_contradict_each_other_are_believed_in_nothing() {
    for changes in [
        json!({"id": "cs_test_other"}),
        json!({"object": "checkout.other"}),
        json!({"mode": "subscription"}),
        json!({"livemode": true}),
        json!({"status": null}),
        json!({"status": "gone"}),
        json!({"status": "gone", "payment_intent": intent("succeeded")}),
        json!({"payment_status": "paid"}),
        json!({"status": "expired", "payment_status": "paid"}),
        json!({"status": "complete", "payment_status": "paid", "payment_intent": intent("processing")}),
        json!({"status": "complete", "payment_status": "paid", "payment_intent": null}),
        json!({"status": "complete", "payment_intent": null}),
        json!({"status": "complete", "payment_status": "no_payment_required"}),
        json!({"status": "complete", "payment_status": "no_payment_required", "payment_intent": intent("succeeded")}),
        json!({"status": "complete", "payment_intent": intent("requires_capture")}),
        json!({"status": "expired", "payment_intent": intent("requires_capture")}),
        json!({"payment_intent": intent("canceled")}),
        json!({"payment_intent": intent("later")}),
        json!({"payment_intent": INTENT}),
        json!({"url": null}),
        json!({"payment_intent": merged(&intent("processing"), &json!({"object": "setup_intent"}))}),
    ] {
        let state = look(&session(&changes));
        assert!(is_nonsense(state.clone()), "{changes} {state:?}");
    }
}

#[test]
fn what_was_charged_is_told_whatever_its_session_is_of() {
    // What differs is the rules' matter: it goes back to the buyer.
    for of_session in
        [json!({"amount_total": 2549, "currency": "usd"}), json!({"amount_total": null, "currency": null})]
    {
        let state = look(&merged(&paid_session(), &of_session));
        assert_eq!(state, Ok(SessionState::Paid(charge())), "{of_session}");
    }
    let other = merged(&intent("succeeded"), &json!({"amount_received": 2549, "currency": "usd"}));
    let expected =
        Charge { amount: 2549.try_into().unwrap(), currency: "USD".to_owned().try_into().unwrap(), ..charge() };
    let state = look(&merged(&paid_session(), &json!({"payment_intent": other})));
    assert_eq!(state, Ok(SessionState::Paid(expected)));
}

#[test]
fn what_was_charged_has_to_make_sense() {
    for (of_session, of_intent) in [
        (json!({}), json!({"id": "pi/../3"})),
        (json!({}), json!({"amount_received": -1})),
        (json!({"amount_total": null}), json!({"amount_received": null})),
        (json!({"currency": null}), json!({"currency": null})),
        (json!({"currency": "CNY"}), json!({"currency": "CNY"})),
        (json!({"currency": "yuan"}), json!({"currency": "yuan"})),
        (json!({"currency": "irr"}), json!({"currency": "irr"})),
        (json!({"currency": "isk"}), json!({"currency": "isk"})),
        (json!({}), json!({"latest_charge": {"object": "charge", "status": "failed", "created": 1}})),
        (json!({}), json!({"latest_charge": {"object": "refund", "status": "succeeded", "created": 1}})),
    ] {
        let changed = merged(&intent("succeeded"), &of_intent);
        let state = look(&merged(&merged(&paid_session(), &of_session), &json!({"payment_intent": changed})));
        assert!(is_nonsense(state.clone()), "{of_session} {of_intent} {state:?}");
    }
}

#[test]
fn another_amount_currency_or_order_is_told_as_it_was_charged() {
    let paid = merged(&intent("succeeded"), &json!({"amount_received": 999, "currency": "isk"}));
    let paid = merged(&paid, &json!({"amount_received": 900}));
    let changes = json!({"amount_total": 900, "currency": "isk", "client_reference_id": "x", "payment_intent": paid});
    let state = look(&merged(&paid_session(), &changes));
    let expected = Charge {
        order: None,
        amount: 9.try_into().unwrap(),
        currency: "ISK".to_owned().try_into().unwrap(),
        ..charge()
    };
    assert_eq!(state, Ok(SessionState::Paid(expected)));
}

#[test]
fn a_means_of_payment_that_is_not_told_is_unspecified() {
    for latest in [
        Value::Null,
        json!("ch_3Ab"),
        json!({"object": "charge", "status": "succeeded", "created": 1_700_000_050, "payment_method_details": null}),
        json!({"object": "charge", "status": "succeeded", "created": 1_700_000_050,
            "payment_method_details": {"type": "A new one"}}),
    ] {
        let changed = merged(&intent("succeeded"), &json!({"latest_charge": latest}));
        let state = look(&merged(&paid_session(), &json!({"payment_intent": changed})));
        let expected =
            Charge { method: "unspecified".parse().unwrap(), charged_at: 1_700_000_050_000.into(), ..charge() };
        assert_eq!(state, Ok(SessionState::Paid(expected)), "{latest}");
    }
}

#[test]
fn a_session_that_stripe_does_not_know_is_lost() {
    let missing = error("invalid_request_error", "resource_missing", "session");
    let expected = ProviderError::Lost(
        "this is not there (status 404, invalid_request_error, resource_missing, session)".to_owned(),
    );
    let script = Script::default().answers(404, &missing);
    assert_eq!(run(script.stripe(settings()).look(&session_id())), Err(expected.clone()));
    let script = Script::default().answers(404, &missing).answers(404, &missing);
    assert_eq!(run(script.stripe(settings()).close(&session_id())), Err(expected));
}

#[test]
fn a_session_about_which_stripe_does_not_answer_is_not_lost() {
    for (status, code) in [(401, ""), (403, ""), (404, ""), (400, "resource_missing"), (404, "url_invalid")] {
        let script = Script::default().answers(status, &error("invalid_request_error", code, ""));
        let refused = run(script.stripe(settings()).look(&session_id()));
        assert!(matches!(refused, Err(ProviderError::Refused(_))), "{status} {code}: {refused:?}");
    }
}

#[test]
fn an_id_that_would_lead_elsewhere_is_not_sent() {
    for id in ["..", "a/b", "a?b", "a%2Fb", "a#b", "a.b"] {
        let script = Script::default();
        let stripe = script.stripe(settings());
        assert!(matches!(run(stripe.look(&id.parse().unwrap())), Err(ProviderError::Refused(_))), "{id}");
        assert!(matches!(run(stripe.close(&id.parse().unwrap())), Err(ProviderError::Refused(_))), "{id}");
        assert_eq!(script.sent(), []);
    }
}

#[test]
fn a_session_is_closed_once_stripe_has_said_so() {
    let expired = session(&json!({"status": "expired", "url": null}));
    let script = Script::default().answers(200, &expired);
    assert_eq!(run(script.stripe(settings()).close(&session_id())), Ok(SessionState::Closed));
    assert_eq!(script.lines(), [CLOSE]);
    assert!(script.sent()[0].headers.iter().all(|(name, _)| *name != "idempotency-key"));
}

#[test]
fn a_session_that_is_not_open_any_more_is_what_a_look_says() {
    let not_open = error("invalid_request_error", "", "");
    for (answer, state) in [
        (paid_session(), SessionState::Paid(charge())),
        (session(&json!({"status": "expired"})), SessionState::Closed),
        (session(&json!({"status": "complete", "payment_intent": intent("processing")})), SessionState::Processing),
    ] {
        let script = Script::default().answers(400, &not_open).answers(200, &answer);
        assert_eq!(run(script.stripe(settings()).close(&session_id())), Ok(state));
        assert_eq!(script.lines(), [CLOSE, LOOK]);
    }
}

#[test]
fn a_session_that_was_paid_while_it_was_closed_is_paid() {
    let paid = session(&json!({"status": "expired", "url": null, "payment_intent": intent("succeeded")}));
    let script = Script::default().answers(200, &paid);
    assert_eq!(run(script.stripe(settings()).close(&session_id())), Ok(SessionState::Paid(charge())));
}

#[test]
fn a_closed_session_without_its_payment_is_looked_at() {
    let bare = session(&json!({"status": "expired", "payment_intent": INTENT}));
    let script = Script::default().answers(200, &bare).answers(200, &paid_session());
    assert_eq!(run(script.stripe(settings()).close(&session_id())), Ok(SessionState::Paid(charge())));
    assert_eq!(script.lines(), [CLOSE, LOOK]);
}

#[test]
fn a_session_is_not_closed_by_an_error() {
    let script = Script::default().then(lost()).then(lost()).then(lost());
    let error = run(script.stripe(settings()).close(&session_id())).unwrap_err();
    assert_eq!(error, ProviderError::Unavailable("no whole answer: the connection broke".to_owned()));
    let script = Script::default()
        .answers(400, &super::error("invalid_request_error", "", ""))
        .then(lost())
        .then(lost())
        .then(lost());
    let error = run(script.stripe(settings()).close(&session_id())).unwrap_err();
    assert!(matches!(error, ProviderError::Unavailable(_)), "{error:?}");
    let script = Script::default().answers(401, &super::error("invalid_request_error", "", ""));
    let error = run(script.stripe(settings()).close(&session_id())).unwrap_err();
    assert!(matches!(error, ProviderError::Refused(_)), "{error:?}");
    assert_eq!(script.lines(), [CLOSE]);
}

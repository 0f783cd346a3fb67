//! Each way in which the provider can be hostile. While it is, buyers pay, decline and cancel; then it is honest again,
//! everything is sent once more, and what was charged is what is paid.

use std::sync::Mutex;

use harness::{Request, at_once};
use money::Till;
use records::reconcile::Kind;
use serde_json::{Value, json};
use stripe_stand_in::RefundStatus;

/// How many faults are tried at once, each with a shop of its own: most of the time they wait.
const AT_ONCE: usize = 8;

/// Faults after which all is well.
const HARMLESS: [&[&str]; 31] = [
    &["drop-before"],
    &["drop-after"],
    &["drop-after@create*2"],
    &["error-before"],
    &["error-after"],
    &["error-after@create*1"],
    &["unavailable"],
    &["rate-limit"],
    &["lock-timeout"],
    &["slow=300"],
    &["late=300"],
    &["cut-off"],
    &["nonsense"],
    &["unknown"],
    &["other-object"],
    &["closed-yet-payable"],
    &["closed-yet-payable@expire", "drop-after@refund"],
    &["closed-yet-payable@expire", "error-after@refund"],
    &["early"],
    &["thrice"],
    &["delayed=300"],
    &["held"],
    &["never"],
    &["old-timestamp"],
    &["wrong-secret"],
    &["unsigned"],
    &["no-json"],
    &["unknown-session"],
    &["other-account"],
    &["not-ours"],
    &["other-order"],
];

/// What buyers do while the provider is like this, and what is sent again when it is not.
fn try_out(rules: &[&str]) -> Till {
    let till = Till::open(crate::TARGET);
    till.set_faults(rules);
    let orders = [(); 3].map(|()| till.order());
    let [pays, cancels, declines] = &orders;
    let tolerated = |answer: harness::Answer| {
        assert!([200, 202, 409, 502, 503].contains(&answer.status), "{rules:?}: {answer:?}");
    };
    for order in &orders {
        tolerated(till.send(&Request::pay(order)));
    }
    let buyers = |act: &dyn Fn(&str), order: &str| till.sessions(order).iter().for_each(|session| act(&session.id));
    // One that nobody was told of may be refused: no buyer is in it.
    buyers(&|session| _ = till.provider.pay(session), pays);
    buyers(&|session| _ = till.provider.decline(session), declines);
    tolerated(till.send(&Request::cancel(cancels)));
    // A buyer who was on the page before it was cancelled.
    buyers(&|session| _ = till.provider.pay(session), cancels);
    tolerated(till.send(&Request::pay(pays)));

    till.set_faults(&[]);
    till.provider.release_webhooks();
    // A request that had no answer is sent again, until there is one.
    till.eventually("it can be paid", || {
        let answer = till.send(&Request::pay(pays));
        if answer.status == 202 {
            buyers(&|session| _ = till.provider.pay(session), pays);
        }
        answer.status == 200
    });
    till.eventually("it is cancelled, or its buyer was faster", || {
        [200, 409].contains(&till.send(&Request::cancel(cancels)).status)
    });
    assert!(["cancelled", "paid"].contains(&till.status(cancels).as_str()), "{rules:?}");
    till.must(&Request::cancel(declines), 200, "");
    // What no webhook has told and no request has asked, the provider's next one does.
    for session in till.provider.sessions() {
        let told = till.send(&till.event("checkout.session.completed", &session.id));
        assert_eq!(told.status, 200, "{rules:?}: {told:?}");
    }
    till
}

#[test]
fn whatever_the_provider_does_what_was_charged_is_what_is_paid() {
    let left = Mutex::new(HARMLESS.iter());
    at_once(AT_ONCE, |_| {
        while let Some(rules) = { left.lock().expect("no test panics here").next() } {
            let till = try_out(rules);
            till.eventually(&format!("after {rules:?} they agree"), || till.audit().is_empty());
        }
    });
}

#[test]
fn a_wrong_charge_pays_nothing_and_goes_back() {
    for rule in ["other-amount", "other-currency"] {
        let till = Till::open(crate::TARGET);
        // What the shop learns is by requests of this test.
        till.set_faults(&[rule, "never"]);
        let item = till.item(2);
        let order = till.place(&item, 2);
        let session = till.sent_to(&order);
        till.provider.pay(&session).unwrap();
        assert!(!till.audit().is_empty(), "{rule}");
        till.set_faults(&["never"]);
        let next = till.sent_to(&order);
        assert_ne!(next, session);
        let charge = &till.provider.charges()[0];
        assert_eq!((charge.refunded, till.provider.refunds().len()), (charge.amount, 1), "{rule}");
        assert_eq!(till.available(&item), 0, "it is held for the buyer, who can pay again");
        till.provider.pay(&next).unwrap();
        till.must(&Request::pay(&order), 200, "");
        assert_eq!(till.audit(), [], "{rule}");
    }
}

#[test]
fn a_session_that_the_provider_has_lost_is_given_up_by_the_operator_alone() {
    let till = Till::open(crate::TARGET);
    let item = till.item(2);
    let order = till.place(&item, 2);
    let session = till.sent_to(&order);
    let abandon = Request::post(format!("/orders/{order}/abandon"));
    till.set_faults(&["unknown", "never"]);
    till.must(&Request::pay(&order), 502, "payment_provider_error");
    till.must(&Request::cancel(&order), 502, "payment_provider_error");
    till.must(&abandon, 401, "unauthorized");
    assert_eq!((till.status(&order).as_str(), till.available(&item)), ("pending", 0));
    till.must(&abandon.clone().operator(), 200, "");
    assert_eq!((till.status(&order).as_str(), till.available(&item)), ("cancelled", 2));
    // It was not lost after all.
    till.set_faults(&["never"]);
    till.provider.pay(&session).unwrap();
    till.must(&till.event("checkout.session.completed", &session), 200, "");
    assert_eq!((till.provider.refunds().len(), till.audit()), (1, vec![]));
}

/// A charge in a session that the provider has said to be closed.
fn late_charge(till: &Till) -> (String, String) {
    let (order, session) = till.at_provider();
    till.must(&Request::cancel(&order), 200, "");
    till.provider.pay(&session).unwrap();
    (order, session)
}

#[test]
fn a_refund_that_takes_a_while_is_unfinished_until_it_is_made() {
    let till = Till::open(crate::TARGET);
    // No message tells anything but the one that is sent here.
    till.set_faults(&["closed-yet-payable", "refund-pending", "never"]);
    let (order, session) = late_charge(&till);
    till.must(&till.event("checkout.session.completed", &session), 200, "");
    assert_eq!(till.provider.refunds().len(), 1);
    assert_eq!(till.status(&order), "cancelled");
    let differs = || till.audit().iter().map(|difference| difference.kind).collect::<Vec<_>>();
    assert_eq!(differs(), [Kind::RefundUnfinished]);
    till.provider.settle_refund(&till.provider.refunds()[0].id, true).unwrap();
    assert_eq!(differs(), [Kind::RefundNotRecorded]);
    till.sweep();
    assert_eq!(till.audit(), []);
    assert_eq!(till.provider.refunds().len(), 1);
}

#[test]
fn a_refund_that_fails_after_it_has_succeeded_is_noticed_and_made_again() {
    let till = Till::open(crate::TARGET);
    till.set_faults(&["closed-yet-payable"]);
    let (order, _) = late_charge(&till);
    till.agrees();
    assert_eq!(till.provider.refunds().len(), 1);
    till.provider.settle_refund(&till.provider.refunds()[0].id, false).unwrap();
    let refunds = Request::get(format!("/orders/{order}/refunds")).operator();
    let states = || {
        let listed = till.send(&refunds).value()["refunds"].clone();
        let listed = listed.as_array().cloned().unwrap_or_default();
        listed.iter().map(|refund| refund["status"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    till.eventually("the shop knows that it has failed", || states() == ["failed"]);
    till.must(&Request::post(format!("/orders/{order}/refunds/retry")).operator(), 200, "");
    assert_eq!(states(), ["failed", "succeeded"]);
    assert_eq!(till.provider.charges()[0].refunded, till.provider.charges()[0].amount);
    till.must(&Request::post(format!("/orders/{order}/refunds/retry")).operator(), 200, "");
    assert_eq!((states().len(), till.provider.refunds().len()), (2, 2), "what has succeeded is not made again");
    assert_eq!(till.audit(), []);
    let other = till.order();
    till.must(&Request::post(format!("/orders/{other}/refunds/retry")).operator(), 409, "order_not_refundable");
}

#[test]
fn a_refund_that_fails_is_named() {
    let till = Till::open(crate::TARGET);
    till.set_faults(&["closed-yet-payable", "refund-fails"]);
    let (order, _) = late_charge(&till);
    till.eventually("it is tried", || till.provider.refunds().len() == 1);
    assert_eq!(till.status(&order), "cancelled");
    let kinds = || till.audit().iter().map(|difference| difference.kind).collect::<Vec<_>>();
    till.eventually("it is named", || kinds() == [Kind::VoidAndCharged, Kind::RefundUnfinished]);
}

/// A paid order of two units, which costs 2000.
fn paid(till: &Till) -> String {
    let (order, session) = till.at_provider();
    till.provider.pay(&session).unwrap();
    till.must(&Request::pay(&order), 200, "");
    order
}

/// Gives back so much of what was paid.
fn give_back(order: &str, amount: u64, key: &str) -> Request {
    Request::post(format!("/orders/{order}/refunds")).operator().key(key).json(json!({ "amount": amount }))
}

/// Each refund of an order, as the shop tells it: how much, and how far it has come.
fn refunds(till: &Till, order: &str) -> Vec<(u64, String)> {
    let listed = till.send(&Request::get(format!("/orders/{order}/refunds")).operator()).value()["refunds"].clone();
    let listed = listed.as_array().cloned().unwrap_or_default();
    let of = |one: &Value| {
        (one["amount"].as_u64().unwrap_or_default(), one["status"].as_str().unwrap_or_default().to_owned())
    };
    listed.iter().map(of).collect()
}

/// What of its charges the provider has given back.
fn given_back(till: &Till) -> Vec<i64> {
    till.provider.refunds().iter().filter(|one| one.status != RefundStatus::Failed).map(|one| one.amount).collect()
}

/// Faults of calls that have to do with refunds.
const FAULTS_OF_REFUNDS: [&[&str]; 16] = [
    &[],
    &["drop-before@refund*1"],
    &["drop-after@refund*1"],
    &["drop-after@refund*5"],
    &["error-before@refund*2"],
    &["error-after@refund*1"],
    &["error-after@refund*5"],
    &["unavailable@refund*3"],
    &["rate-limit@refund*1"],
    &["lock-timeout@refund*1"],
    &["cut-off@refund*1"],
    &["nonsense@refund*1"],
    &["other-object@refund*1"],
    &["refund-pending"],
    &["thrice"],
    &["drop-after"],
];

#[test]
fn whatever_the_provider_does_no_more_goes_back_than_was_paid_and_each_refund_is_made_once() {
    let left = Mutex::new(FAULTS_OF_REFUNDS.iter());
    at_once(AT_ONCE, |_| {
        while let Some(rules) = { left.lock().expect("no test panics here").next() } {
            let till = Till::open(crate::TARGET);
            let order = paid(&till);
            till.set_faults(rules);
            for key in ["a", "b", "c", "a"] {
                // Where one has failed, there is room for the third.
                let answer = till.send(&give_back(&order, 700, key));
                assert!([201, 409].contains(&answer.status), "{rules:?} {key}: {answer:?}");
            }
            till.set_faults(&[]);
            till.provider.release_webhooks();
            for refund in till.provider.refunds().iter().filter(|one| one.status == RefundStatus::Pending) {
                till.provider.settle_refund(&refund.id, true).unwrap();
            }
            for key in ["a", "b"] {
                till.must(&give_back(&order, 700, key), 201, "");
            }
            till.sweep();
            till.eventually(&format!("after {rules:?} they agree"), || till.audit().is_empty());
            // An error that Stripe remembers is its answer for good: such a refund has failed.
            let told = refunds(&till, &order);
            let made: Vec<_> = told.iter().filter(|(_, state)| state == "succeeded").collect();
            assert_eq!(
                (given_back(&till), made.len()),
                (vec![700; made.len()], made.len().min(2)),
                "{rules:?}: {told:?}"
            );
            assert!(told.iter().all(|(_, state)| state == "succeeded" || state == "failed"), "{rules:?}: {told:?}");
            assert!(made.len() == 2 || rules[0].starts_with("error-"), "{rules:?}: {told:?}");
            let rest = Request::post(format!("/orders/{order}/refunds")).operator().key("rest").json(json!({}));
            till.must(&rest, 201, "");
            assert_eq!((given_back(&till).iter().sum(), till.status(&order).as_str()), (2000, "refunded"), "{rules:?}");
            till.agrees();
        }
    });
}

#[test]
fn a_refund_of_a_payment_that_fails_days_later_frees_its_amount() {
    let till = Till::open(crate::TARGET);
    let order = paid(&till);
    till.must(&give_back(&order, 2000, "a"), 201, "");
    assert_eq!(till.status(&order), "refunded");
    till.agrees();
    till.provider.settle_refund(&till.provider.refunds()[0].id, false).unwrap();
    till.becomes(&order, "paid");
    assert_eq!(refunds(&till, &order), [(2000, "failed".to_owned())]);
    till.agrees();
    let history = till.send(&Request::get(format!("/orders/{order}/history"))).value().to_string();
    assert!(history.contains(r#""refunded""#) && history.contains(r#""refund_failed""#), "{history}");
    assert_eq!(till.must(&give_back(&order, 2000, "a"), 201, "").value()["status"], "failed", "the key stands for it");
    assert_eq!(till.must(&give_back(&order, 1500, "b"), 201, "").value()["status"], "succeeded");
    till.must(&give_back(&order, 501, "c"), 409, "refund_exceeds_payment");
    till.agrees();
    assert_eq!(given_back(&till), [1500]);
}

#[test]
fn a_refund_of_a_payment_that_fails_at_once_is_failed() {
    let till = Till::open(crate::TARGET);
    let order = paid(&till);
    till.set_faults(&["refund-fails"]);
    assert_eq!(till.must(&give_back(&order, 500, "a"), 201, "").value()["status"], "failed");
    till.set_faults(&[]);
    assert_eq!(till.must(&give_back(&order, 2000, "b"), 201, "").value()["status"], "succeeded");
    till.agrees();
    assert_eq!(given_back(&till), [2000]);
}

#[test]
fn a_refund_is_made_once_though_the_provider_has_forgotten_its_key() {
    let till = Till::open(crate::TARGET);
    let order = paid(&till);
    // No message tells of it.
    till.set_faults(&["drop-after@refund", "never"]);
    assert_eq!(till.must(&give_back(&order, 700, "a"), 201, "").value()["status"], "pending");
    assert_eq!(given_back(&till), [700]);
    till.set_faults(&["never"]);
    till.provider.forget_keys();
    assert_eq!(till.must(&give_back(&order, 700, "a"), 201, "").value()["status"], "succeeded");
    assert_eq!((given_back(&till), till.audit()), (vec![700], vec![]));

    // The same of a charge that did not pay its order.
    let till = Till::open(crate::TARGET);
    till.set_faults(&["closed-yet-payable", "drop-after@refund", "never"]);
    let (_, session) = late_charge(&till);
    let event = till.event("checkout.session.completed", &session);
    till.must(&event, 503, "payment_provider_unavailable");
    assert_eq!(given_back(&till), [2000]);
    till.set_faults(&["never"]);
    till.provider.forget_keys();
    till.must(&till.event("checkout.session.completed", &session), 200, "");
    assert_eq!((given_back(&till), till.audit()), (vec![2000], vec![]));
}

#[test]
fn a_sweep_carries_on_with_what_the_provider_did_not_give_back() {
    let till = Till::open(crate::TARGET);
    let order = paid(&till);
    till.set_faults(&["unavailable@refund", "never"]);
    assert_eq!(till.must(&give_back(&order, 700, "a"), 201, "").value()["status"], "pending");
    assert_eq!(given_back(&till), [0; 0]);
    till.set_faults(&["closed-yet-payable", "unavailable@refund", "never"]);
    let (_, session) = late_charge(&till);
    till.must(&till.event("checkout.session.completed", &session), 503, "payment_provider_unavailable");
    till.set_faults(&["never"]);
    till.sweep();
    let mut back = given_back(&till);
    back.sort_unstable();
    assert_eq!((back, till.audit()), (vec![700, 2000], vec![]));
    assert_eq!(refunds(&till, &order), [(700, "succeeded".to_owned())]);
}

#[test]
fn an_order_keeps_its_goods_until_the_provider_says_that_its_session_is_closed() {
    let till = Till::open(crate::TARGET);
    let item = till.item(2);
    let order = till.place(&item, 2);
    let session = till.sent_to(&order);
    for fault in ["unavailable", "drop-before"] {
        till.set_faults(&[fault, "never"]);
        let answer = till.send(&Request::cancel(&order));
        assert_eq!(answer.status, 503, "{fault}: {answer:?}");
        assert_eq!((till.status(&order).as_str(), till.available(&item)), ("pending", 0), "{fault}");
    }
    till.set_faults(&["never"]);
    till.provider.pay(&session).unwrap();
    till.must(&Request::cancel(&order), 409, "order_not_cancellable");
    assert_eq!((till.status(&order).as_str(), till.audit()), ("paid", vec![]));
    assert_eq!(till.provider.refunds(), []);
}

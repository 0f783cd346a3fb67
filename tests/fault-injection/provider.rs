//! Every kind of request that has to do with money, cut off at every call: of the store, and of the payment provider. It
//! is sent again, and then what was charged is what is paid.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::Request;
use harness::server::Settings;
use host::{Call, CallOutcome, Operation, StoreHook};
use money::Till;
use serde_json::json;

use crate::TARGET;
use crate::stops::{Context, FATES, Stop};

/// Longer than the payment window.
const OVERDUE: Duration = Duration::from_secs(901);

/// Cuts off whatever it is told to, one request after another.
#[derive(Debug, Default)]
struct Switch(Mutex<Option<Arc<Stop>>>);

impl Switch {
    fn set(&self, stop: Option<Arc<Stop>>) {
        *self.0.lock().expect("no test panics here") = stop;
    }
}

impl StoreHook for Switch {
    fn outcome(&self, call: &Call<'_>) -> CallOutcome {
        let stop = self.0.lock().expect("no test panics here").clone();
        stop.map_or(CallOutcome::Done, |stop| stop.outcome(call))
    }
}

/// An order and its session, where it has one.
struct Subject {
    order: String,
    session: String,
}

/// A request about an order.
struct Case {
    /// What happened before it.
    prepare: fn(&Till, &Subject),
    /// Whether the order is at the provider before.
    at_provider: bool,
    request: fn(&Till, &Subject) -> Request,
    /// How it is answered when it is sent again.
    again: u16,
    /// What the order is then.
    status: &'static str,
    /// How often its buyer was charged, and how much of that went back.
    charges: usize,
    refunds: usize,
    /// How many requests to the provider it makes.
    asks: usize,
}

fn cut_off_everywhere(case: &Case) {
    let switch = Arc::new(Switch::default());
    let settings = Settings { hook: Some(switch.clone()), ..Settings::default() };
    let till = Till::open_with(TARGET, settings);
    // Each thing that the shop learns is by a request of this test.
    till.set_faults(&["never", "closed-yet-payable@expire"]);
    let reached = |stop| cut_off(case, &till, &switch, stop).is_some();
    for fate in FATES {
        // What an earlier request goes on with after its answer counts among these calls.
        let _ = (1..).take_while(|number| reached(Stop::at(*number, fate))).count();
        // So those to the provider are counted by themselves: only the request makes them.
        let asks = (1..).take_while(|number| reached(Stop::at_operation(Operation::Send, *number, fate))).count();
        // What fails is asked for again by itself.
        assert!(asks >= case.asks, "{fate:?}: of {} requests to the provider {asks} were cut off", case.asks);
    }
}

/// One run; the call that was cut off, or none if the request ended before it.
fn cut_off(case: &Case, till: &Till, switch: &Switch, stop: Arc<Stop>) -> Option<String> {
    let order = till.order();
    let session = if case.at_provider { till.sent_to(&order) } else { String::new() };
    let subject = Subject { order, session };
    (case.prepare)(till, &subject);
    let request = (case.request)(till, &subject);
    let (charges, refunds) = (till.provider.charges().len(), till.provider.refunds().len());
    switch.set(Some(stop.clone()));
    let cut = till.client().send(&request);
    switch.set(None);
    let reached = stop.reached();
    let _context = Context(format!("{stop:?}: {reached:?}; the answer was {cut:?}"));

    let mut again = till.send(&request);
    if let 202 = again.status {
        // Only now its buyer pays.
        let session = till.sent_to(&subject.order);
        till.provider.pay(&session).expect("the session is open");
        again = till.send(&request);
    }
    assert_eq!(again.status, case.again, "sent again: {again:?}");
    assert_eq!(till.status(&subject.order), case.status);
    assert_eq!(till.sessions(&subject.order).len(), 1);
    assert_eq!(till.audit(), []);
    let of_order = till.provider.charges();
    let of_order = of_order.iter().filter(|charge| charge.order.as_deref() == Some(&subject.order)).count();
    assert_eq!(of_order, case.charges);
    assert!(till.provider.charges().len() - charges <= case.charges);
    assert_eq!(till.provider.refunds().len() - refunds, case.refunds);
    reached
}

#[test]
fn paying_opens_one_session() {
    cut_off_everywhere(&Case {
        prepare: |_, _| {},
        at_provider: false,
        request: |_, subject| Request::pay(&subject.order),
        again: 200,
        status: "paid",
        charges: 1,
        refunds: 0,
        asks: 1,
    });
}

fn charged(till: &Till, subject: &Subject) {
    till.provider.pay(&subject.session).expect("the session is open");
}

#[test]
fn paying_again_sees_that_the_buyer_was_charged() {
    cut_off_everywhere(&Case {
        prepare: charged,
        at_provider: true,
        request: |_, subject| Request::pay(&subject.order),
        again: 200,
        status: "paid",
        charges: 1,
        refunds: 0,
        asks: 1,
    });
}

#[test]
fn a_webhook_says_that_the_buyer_was_charged() {
    cut_off_everywhere(&Case {
        prepare: charged,
        at_provider: true,
        request: |till, subject| till.event("checkout.session.completed", &subject.session),
        again: 200,
        status: "paid",
        charges: 1,
        refunds: 0,
        asks: 1,
    });
}

#[test]
fn cancelling_closes_the_session() {
    cut_off_everywhere(&Case {
        prepare: |_, _| {},
        at_provider: true,
        request: |_, subject| Request::cancel(&subject.order),
        again: 200,
        status: "cancelled",
        charges: 0,
        refunds: 0,
        asks: 1,
    });
}

#[test]
fn cancelling_after_the_charge_is_refused() {
    cut_off_everywhere(&Case {
        prepare: charged,
        at_provider: true,
        request: |_, subject| Request::cancel(&subject.order),
        again: 409,
        status: "paid",
        charges: 1,
        refunds: 0,
        asks: 1,
    });
}

#[test]
fn a_charge_that_comes_too_late_goes_back_once() {
    cut_off_everywhere(&Case {
        prepare: |till, subject| {
            till.must(&Request::cancel(&subject.order), 200, "");
            charged(till, subject);
        },
        at_provider: true,
        request: |till, subject| till.event("checkout.session.completed", &subject.session),
        again: 200,
        status: "cancelled",
        charges: 1,
        refunds: 1,
        asks: 2,
    });
}

#[test]
fn a_wrong_charge_goes_back_once_and_the_order_can_be_paid_again() {
    cut_off_everywhere(&Case {
        prepare: |till, subject| {
            till.set_faults(&["never", "closed-yet-payable@expire", "other-amount*1"]);
            charged(till, subject);
        },
        at_provider: true,
        request: |till, subject| till.event("checkout.session.completed", &subject.session),
        again: 200,
        status: "pending",
        charges: 1,
        refunds: 1,
        asks: 2,
    });
}

#[test]
fn an_operators_retry_gives_back_once_more_what_has_failed() {
    cut_off_everywhere(&Case {
        prepare: |till, subject| {
            till.set_faults(&["never", "closed-yet-payable@expire", "refund-fails*1"]);
            till.must(&Request::cancel(&subject.order), 200, "");
            charged(till, subject);
            till.must(&till.event("checkout.session.completed", &subject.session), 200, "");
        },
        at_provider: true,
        request: |_, subject| Request::post(format!("/orders/{}/refunds/retry", subject.order)).operator(),
        again: 200,
        status: "cancelled",
        charges: 1,
        refunds: 1,
        asks: 2,
    });
}

fn paid(till: &Till, subject: &Subject) {
    charged(till, subject);
    till.must(&Request::pay(&subject.order), 200, "");
}

#[test]
fn a_dispute_is_put_on_record() {
    cut_off_everywhere(&Case {
        prepare: |till, subject| {
            paid(till, subject);
            till.provider.dispute(&subject.session, Some(300), false).expect("the buyer was charged");
        },
        at_provider: true,
        request: |till, subject| {
            let disputes = till.provider.disputes();
            let dispute = disputes.iter().find(|dispute| dispute.session == subject.session).expect("it is there");
            till.event("charge.dispute.created", &dispute.id)
        },
        again: 200,
        status: "paid",
        charges: 1,
        refunds: 0,
        asks: 2,
    });
}

/// Gives back some of what was paid for the order, and takes back what that was for.
fn give_back(subject: &Subject, quantity: u64, item: &str) -> Request {
    let lines = json!([{ "item_id": item, "quantity": quantity }]);
    let request = Request::post(format!("/orders/{}/refunds", subject.order)).operator().key("give-it-back");
    request.json(json!({ "items": lines, "restock": true }))
}

fn item_of(till: &Till, subject: &Subject) -> String {
    let order = till.send(&Request::show_order(&subject.order)).value();
    order["items"][0]["item_id"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn an_operators_refund_gives_back_once_what_was_paid() {
    cut_off_everywhere(&Case {
        prepare: paid,
        at_provider: true,
        request: |till, subject| give_back(subject, 1, &item_of(till, subject)),
        again: 201,
        status: "paid",
        charges: 1,
        refunds: 1,
        asks: 1,
    });
}

#[test]
fn an_operators_refund_of_all_of_it_after_another_gives_back_no_more_than_was_paid() {
    cut_off_everywhere(&Case {
        prepare: |till, subject| {
            paid(till, subject);
            let first = Request::post(format!("/orders/{}/refunds", subject.order)).operator().key("first");
            till.must(&first.json(json!({ "amount": 300 })), 201, "");
        },
        at_provider: true,
        request: |_, subject| {
            Request::post(format!("/orders/{}/refunds", subject.order)).operator().key("all-of-it").json(json!({}))
        },
        again: 201,
        status: "refunded",
        charges: 1,
        refunds: 1,
        asks: 1,
    });
}

#[test]
fn sweeping_closes_the_sessions_of_overdue_orders() {
    let switch = Arc::new(Switch::default());
    let settings = Settings { hook: Some(switch.clone()), ..Settings::default() };
    let till = Till::open_with(TARGET, settings);
    till.set_faults(&["never"]);
    let mut ahead = Duration::ZERO;
    for fate in FATES {
        for number in 1.. {
            let (order, session) = till.at_provider();
            ahead += OVERDUE;
            till.set_clock_ahead(ahead);
            // A sweep makes more calls of the store with each order that there is.
            let stop = Stop::at_operation(Operation::Send, number, fate);
            switch.set(Some(stop.clone()));
            let cut = till.client().send(&Request::post("/sweep").operator());
            switch.set(None);
            let reached = stop.reached();
            let _context = Context(format!("call {number} was {fate:?}: {reached:?}; the answer was {cut:?}"));
            till.sweep();
            assert_eq!(till.status(&order), "expired");
            assert!(till.provider.pay(&session).is_err());
            assert_eq!(till.audit(), []);
            if reached.is_none() {
                assert!(number > 1, "the provider was not asked");
                break;
            }
        }
    }
    assert_eq!(till.provider.charges(), []);
}

//! The life of an order: which events can happen in which state.

use domain::order::Order;
use domain::order_state::{
    Event, Illegal, LateRefund, MAX_LATE_REFUNDS, MAX_REFUSED_ATTEMPTS, OrderState, Payment, State,
};
use domain::session::{ClosedSession, Finding, LateCharge, PaidSession};
use domain::{Charge, Money, PaymentMethod, RefundId, RefundState, SessionId, SessionState, Status, Timestamp, status};
use wasm_bindgen_test::wasm_bindgen_test;

/// From this moment on an order cannot be paid, unless it is at the provider.
const EXPIRES_AT: u64 = 100;

fn payment(paid_at: u64) -> Event {
    let method = PaymentMethod::unspecified();
    Event::Pay(Payment { amount: Money::ZERO, method, paid_at: paid_at.into(), reference: None })
}

fn after(events: impl IntoIterator<Item = Event>) -> Result<OrderState, Illegal> {
    events.into_iter().try_fold(OrderState::NEW, |state, event| state.apply(event, EXPIRES_AT.into()))
}

fn session(name: &str) -> SessionId {
    name.parse().unwrap()
}

fn order() -> Order {
    serde_json::from_value(serde_json::json!({
        "order_id": "a51dee89-7e11-4f02-a419-92ca47ab279f",
        "lines": [{ "item_id": "item1", "quantity": 2, "unit_price": 1000 }],
        "total": 2000, "currency": "CNY", "placed_at": 0, "expires_at": EXPIRES_AT
    }))
    .unwrap()
}

fn charge() -> Charge {
    Charge {
        id: "charge".parse().unwrap(),
        order: Some(order().order_id),
        amount: 2000.try_into().unwrap(),
        currency: "CNY".to_owned().try_into().unwrap(),
        method: "card".parse().unwrap(),
        charged_at: 150.into(),
    }
}

fn paid(name: &str) -> PaidSession {
    match Finding::of(&session(name), SessionState::Paid(charge()), &order()) {
        Ok(Finding::Paid(paid)) => paid,
        other => panic!("{other:?}"),
    }
}

fn closed(name: &str) -> ClosedSession {
    match Finding::of(&session(name), SessionState::Closed, &order()) {
        Ok(Finding::Closed(closed)) => closed,
        other => panic!("{other:?}"),
    }
}

fn open(name: &str, at: u64) -> Event {
    Event::Open { session: session(name), at: at.into() }
}

fn close(name: &str, at: u64, cancelled: bool) -> Event {
    Event::Close { closed: closed(name), at: at.into(), cancelled }
}

fn claim(name: &str) -> Event {
    let late = LateCharge::of(&session(name), SessionState::Paid(charge()), &order()).unwrap();
    Event::ClaimRefund { late, at: 200.into() }
}

fn wrong(name: &str, at: u64, cancelled: bool) -> Event {
    let charge = Charge { amount: 2001.try_into().unwrap(), ..charge() };
    match Finding::of(&session(name), SessionState::Paid(charge), &order()) {
        Ok(Finding::Wrong(wrong)) => Event::ChargeWrongly { wrong, at: at.into(), cancelled },
        other => panic!("{other:?}"),
    }
}

fn abandon(name: &str, at: u64) -> Event {
    Event::Abandon { session: session(name), at: at.into() }
}

/// The name of the first refund of a charge in this session.
fn first(name: &str) -> RefundId {
    let record = serde_json::json!({ "session": name, "charge": "charge", "amount": 1, "at": 1 });
    serde_json::from_value::<LateRefund>(record).unwrap().refund_id()
}

fn refund(name: &str, refund: RefundState) -> Event {
    Event::Refund { id: first(name), refund, at: 250.into() }
}

fn retry(failed: RefundId) -> Event {
    Event::RetryRefund { failed, at: 300.into() }
}

/// Each event, in time and late. The session on record is `a`.
fn events() -> Vec<(&'static str, Event)> {
    let late: Timestamp = EXPIRES_AT.into();
    vec![
        ("confirm", Event::Confirm),
        ("pay", payment(99)),
        ("pay late", payment(100)),
        ("cancel", Event::Cancel { at: 99.into() }),
        ("cancel late", Event::Cancel { at: late }),
        ("expire early", Event::Expire { at: 99.into() }),
        ("expire", Event::Expire { at: late }),
        ("reject", Event::Reject { at: 99.into() }),
        ("reject late", Event::Reject { at: late }),
        ("open a", open("a", 99)),
        ("open a late", open("a", 100)),
        ("refuse", Event::Refuse),
        ("charge a", Event::Charge(paid("a"))),
        ("charge b", Event::Charge(paid("b"))),
        ("close a", close("a", 99, false)),
        ("close a late", close("a", 100, false)),
        ("close a to cancel", close("a", 99, true)),
        ("close a to cancel late", close("a", 100, true)),
        ("close b", close("b", 99, false)),
        ("wrong a", wrong("a", 99, false)),
        ("wrong b", wrong("b", 99, false)),
        ("abandon a", abandon("a", 99)),
        ("abandon b", abandon("b", 99)),
        ("claim a", claim("a")),
        ("claim b", claim("b")),
        ("retry a", retry(first("a"))),
        ("refund a", refund("a", RefundState::Pending)),
        ("refund b", refund("b", RefundState::Pending)),
    ]
}

/// The events that can happen after these.
fn possible(before: &[Event]) -> Vec<&'static str> {
    let possible = |event: &Event| after(before.iter().cloned().chain([event.clone()])).is_ok();
    events().into_iter().filter(|(_, event)| possible(event)).map(|(name, _)| name).collect()
}

#[wasm_bindgen_test(unsupported = test)]
fn an_unpaid_order_is_paid_or_cancelled_in_time_or_expires_or_is_rejected() {
    let expected =
        ["confirm", "pay", "cancel", "expire", "reject", "reject late", "open a", "refuse", "claim a", "claim b"];
    assert_eq!(possible(&[]), expected);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_confirmed_order_is_never_rejected() {
    let expected = ["confirm", "pay", "cancel", "expire", "open a", "refuse", "claim a", "claim b"];
    assert_eq!(possible(&[Event::Confirm]), expected);
    assert_eq!(possible(&[Event::Refuse]), expected, "its payer has seen every line held");
    assert_eq!(possible(&[open("b", 1), close("b", 2, false)]), expected);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_at_the_provider_is_what_the_provider_says_of_its_session_at_any_time() {
    let expected = [
        "charge a",
        "close a",
        "close a late",
        "close a to cancel",
        "close a to cancel late",
        "wrong a",
        "abandon a",
        "claim b",
    ];
    assert_eq!(possible(&[open("a", 1)]), expected);
    for (event, becomes) in [
        (Event::Charge(paid("a")), Status::Paid),
        (close("a", 99, true), Status::Cancelled),
        (close("a", 99, false), Status::Pending),
        (close("a", 100, true), Status::Expired),
        (close("a", 100, false), Status::Expired),
        (wrong("a", 99, true), Status::Cancelled),
        (wrong("a", 99, false), Status::Pending),
        (wrong("a", 100, false), Status::Expired),
        (abandon("a", 99), Status::Cancelled),
        (abandon("a", 100), Status::Expired),
    ] {
        let state = after([open("a", 1), event]).unwrap();
        assert_eq!(status(&state, true), becomes, "{state:?}");
        assert_eq!(state.session(), None, "{state:?}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn each_attempt_to_pay_has_a_number_that_is_not_used_again() {
    let attempt = |state: &OrderState| match state.get() {
        State::Unpaid { attempt, .. } | State::AtProvider { attempt, .. } => Some(*attempt),
        State::Paid(_) | State::Closed { .. } => None,
    };
    let mut state = OrderState::NEW;
    for number in 0..5 {
        assert_eq!(attempt(&state), Some(number));
        state = state.apply(open("a", 1), EXPIRES_AT.into()).unwrap();
        assert_eq!(attempt(&state), Some(number));
        state = state.apply(close("a", 2, false), EXPIRES_AT.into()).unwrap();
    }
    assert_eq!(attempt(&after([Event::Refuse]).unwrap()), Some(1));
    assert_eq!(attempt(&after([claim("b")]).unwrap()), Some(1), "the session may be that of the attempt");
    assert_eq!(attempt(&after([open("a", 1), claim("b")]).unwrap()), Some(0));
    let refused = usize::try_from(MAX_REFUSED_ATTEMPTS).unwrap();
    assert!(after(vec![Event::Refuse; refused]).is_ok());
    assert_eq!(after(vec![Event::Refuse; refused + 1]), Err(Illegal));
}

#[wasm_bindgen_test(unsupported = test)]
fn nothing_happens_to_an_order_that_is_decided_but_that_late_money_goes_back() {
    for name in ["pay", "cancel", "expire", "reject"] {
        let (_, event) = events().into_iter().find(|(other, _)| *other == name).unwrap();
        assert_eq!(possible(&[event]), ["claim a", "claim b"], "{name}");
    }
    assert_eq!(possible(&[open("a", 1), Event::Charge(paid("a"))]), ["claim b"], "not what has paid it");
    assert_eq!(possible(&[open("a", 1), close("a", 1, true)]), ["claim a", "claim b"]);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_late_charge_is_claimed_once_and_its_refund_is_what_was_last_said() {
    let claimed = [open("a", 1), close("a", 1, true), claim("a")];
    assert_eq!(possible(&claimed), ["claim b", "refund a"]);
    let [new] = after(claimed.clone()).unwrap().late_refunds().to_vec().try_into().unwrap();
    assert_eq!((new.refund, new.amount.get()), (None, 2000));
    for refunds in [
        vec![RefundState::Pending],
        vec![RefundState::Pending, RefundState::Succeeded],
        vec![RefundState::Succeeded, RefundState::Failed],
    ] {
        let events = claimed.iter().cloned().chain(refunds.iter().map(|state| refund("a", *state)));
        let [late] = after(events).unwrap().late_refunds().to_vec().try_into().unwrap();
        assert_eq!(late.refund, refunds.last().copied());
        assert_eq!(late.refund_id(), new.refund_id());
    }
    let failed: Vec<_> = claimed.iter().cloned().chain([refund("a", RefundState::Failed)]).collect();
    assert_eq!(possible(&failed), ["claim b", "retry a", "refund a"]);
    let many = |count: usize| after((0..count).map(|number| claim(&format!("late-{number}"))));
    assert!(many(MAX_LATE_REFUNDS).is_ok());
    assert_eq!(many(MAX_LATE_REFUNDS + 1), Err(Illegal));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refund_that_has_failed_is_made_again_under_another_name_and_stays_on_record() {
    let mut state = after([open("a", 1), close("a", 1, true), claim("a")]).unwrap();
    let mut names = vec![first("a")];
    for tried in 1.. {
        let last = names.last().unwrap().clone();
        assert_eq!(state.apply(retry(last.clone()), EXPIRES_AT.into()), Err(Illegal), "it has not failed");
        let failed = Event::Refund { id: last.clone(), refund: RefundState::Failed, at: 250.into() };
        state = state.apply(failed, EXPIRES_AT.into()).unwrap();
        assert_eq!(state.failed_refunds().map(LateRefund::refund_id).collect::<Vec<_>>(), std::slice::from_ref(&last));
        let Ok(next) = state.apply(retry(last.clone()), EXPIRES_AT.into()) else {
            assert_eq!(tried, MAX_LATE_REFUNDS);
            break;
        };
        assert_eq!(next.apply(retry(last), EXPIRES_AT.into()), Err(Illegal), "once");
        let text = serde_json::to_string(&next).unwrap();
        assert_eq!(serde_json::from_str::<OrderState>(&text).unwrap(), next, "{text}");
        let new = next.late_refunds().last().unwrap();
        assert_eq!((new.refund, new.at, &new.charge), (None, 300.into(), &charge().id));
        assert!(!names.contains(&new.refund_id()) && next.late_refunds().len() == tried + 1);
        names.push(new.refund_id());
        state = next;
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_wrong_charge_goes_on_record_with_what_becomes_of_the_order() {
    let state = after([open("a", 1), wrong("a", 2, false)]).unwrap();
    assert!(matches!(state.get(), State::Unpaid { confirmed: true, attempt: 1 }));
    let [late] = state.late_refunds().to_vec().try_into().unwrap();
    assert_eq!((late.session, late.amount.get(), late.currency, late.refund), (session("a"), 2001, None, None));
    let other = Charge { currency: "EUR".to_owned().try_into().unwrap(), ..charge() };
    let Ok(Finding::Wrong(wrong)) = Finding::of(&session("a"), SessionState::Paid(other), &order()) else { panic!() };
    assert_eq!(wrong.currency().unwrap().as_str(), "EUR");
    let other = Charge { order: Some(domain::OrderId::from_random([1; 16])), ..charge() };
    assert!(Finding::of(&session("a"), SessionState::Paid(other), &order()).is_err(), "another order's money");
}

#[wasm_bindgen_test(unsupported = test)]
fn a_late_charge_of_another_order_or_of_none_is_not_given_back() {
    let order = order();
    let of = |answer: SessionState| LateCharge::of(&session("a"), answer, &order);
    assert!(of(SessionState::Paid(charge())).is_some());
    let other = Some(domain::OrderId::from_random([1; 16]));
    assert_eq!(of(SessionState::Paid(Charge { order: other, ..charge() })), None);
    assert_eq!(of(SessionState::Paid(Charge { order: None, ..charge() })), None);
    assert_eq!((of(SessionState::Processing), of(SessionState::Closed)), (None, None));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_payment_has_what_was_charged() {
    let state = after([open("a", 1), Event::Charge(paid("a"))]).unwrap();
    let payment = state.payment().unwrap();
    let reference = payment.reference.clone().unwrap();
    assert_eq!((payment.amount, &payment.method, payment.paid_at), (charge().amount, &charge().method, 150.into()));
    assert_eq!((reference.session, reference.charge), (session("a"), charge().id));
}

#[wasm_bindgen_test(unsupported = test)]
fn what_is_held_for_an_order_at_the_provider_stays_held_after_its_time() {
    let (unpaid, waits) = (OrderState::NEW, after([open("a", 1)]).unwrap());
    let (now, expires_at) = (Timestamp::from(1000), Timestamp::from(EXPIRES_AT));
    assert!(unpaid.is_overdue(now, expires_at) && unpaid.settlement_at(now, expires_at).is_some());
    assert!(!waits.is_overdue(now, expires_at) && waits.settlement_at(now, expires_at).is_none());
    assert!(waits.is_confirmed() && waits.settlement().is_none());
    assert_eq!(waits.removable_at(expires_at, std::time::Duration::ZERO), None);
}

#[wasm_bindgen_test(unsupported = test)]
fn the_status_follows_from_the_state_and_the_holds() {
    let at = Timestamp::from(EXPIRES_AT);
    for (events, all_held, expected) in [
        (vec![], false, Status::Placing),
        (vec![], true, Status::Pending),
        (vec![Event::Confirm], true, Status::Pending),
        (vec![open("a", 1)], true, Status::Pending),
        (vec![payment(1)], false, Status::Paid),
        (vec![Event::Cancel { at: 1.into() }], true, Status::Cancelled),
        (vec![Event::Expire { at }], true, Status::Expired),
        (vec![Event::Reject { at }], true, Status::Rejected),
    ] {
        let state = after(events).unwrap();
        assert_eq!(status(&state, all_held), expected, "{state:?}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_state_is_read_as_it_was_written_and_from_no_other_fields() {
    let mut states: Vec<_> = events().into_iter().filter_map(|(_, event)| after([event]).ok()).collect();
    for event in [Event::Charge(paid("a")), close("a", 1, false), close("a", 1, true), claim("b")] {
        states.push(after([open("a", 1), event.clone()]).unwrap());
        let refunded = [open("a", 1), event, claim("c"), refund("c", RefundState::Failed)];
        states.push(after(refunded).unwrap());
    }
    for state in states {
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<OrderState>(&text).unwrap(), state, "{text}");
    }
    for text in [
        "{}",
        r#"{"state":"paid"}"#,
        r#"{"state":"paid","amount":1,"method":"card"}"#,
        r#"{"state":"unpaid","reason":"expired","at":1}"#,
        r#"{"state":"void","reason":"expired"}"#,
        r#"{"state":"void","confirmed":true,"reason":"expired","at":1}"#,
        r#"{"state":"unpaid","more":1}"#,
        r#"{"state":"unpaid","session":"a"}"#,
        r#"{"state":"unpaid","attempt":-1}"#,
        r#"{"state":"at_provider"}"#,
        r#"{"state":"at_provider","session":""}"#,
        r#"{"state":"at_provider","session":"a","charge":"b"}"#,
        r#"{"state":"at_provider","session":"a","confirmed":true}"#,
        r#"{"state":"paid","amount":1,"method":"card","paid_at":1,"session":"a"}"#,
        r#"{"state":"paid","amount":1,"method":"card","paid_at":1,"charge":"a"}"#,
        r#"{"state":"paid","amount":1,"method":"card","paid_at":1,"attempt":1}"#,
        r#"{"state":"void","reason":"expired","at":1,"charge":"a"}"#,
        r#"{"state":"unpaid","fulfilment":{"fulfilled_at":1}}"#,
        r#"{"state":"void","reason":"expired","at":1,"fulfilment":{"fulfilled_at":1}}"#,
        r#"{"state":"at_provider","session":"a","returns":[{"id":"00000000000000000000000000000001","lines":[["a",1]],"to":"stock","at":1}]}"#,
        r#"{"state":"unpaid","late":[{"session":"a","charge":"b","amount":1}]}"#,
        r#"{"state":"unpaid","late":[{"session":"a","charge":"b","amount":1,"at":1,"refund":"lost"}]}"#,
        r#"{"state":"unpaid","late":[{"session":"a","charge":"b","amount":1,"at":1},{"session":"a","charge":"c","amount":1,"at":1}]}"#,
        r#"{"state":"unpaid","late":[{"session":"a","charge":"b","amount":1,"id":"r","at":1}]}"#,
        r#"{"state":"unpaid","late":[{"session":"a","charge":"b","amount":1,"at":1},{"session":"a","charge":"b","amount":1,"id":"r","at":1},{"session":"a","charge":"b","amount":1,"id":"r","at":1}]}"#,
        r#"{"state":"unpaid","late":[{"session":"a","charge":"b","amount":1,"currency":"","at":1}]}"#,
        r#"{"state":"unpaid","late":[{"session":"a","charge":"b","amount":1,"at":1,"more":1}]}"#,
        r#"{"state":"unpaid","late":null}"#,
        r#"{"state":"unpaid","late":{}}"#,
        r#"{"state":"unpaid","state":"unpaid"}"#,
        r#"{"state":"unpaid","confirmed":null}"#,
        r#"{"state":"unpaid","confirmed":1}"#,
        r#"{"state":"unpaid","attempt":1.0}"#,
        r#"{"state":"unpaid","attempt":1e0}"#,
        r#"{"state":"unpaid","attempt":4294967296}"#,
        r#"{"state":"Unpaid"}"#,
        r#"{"state":null}"#,
        "\u{feff}{\"state\":\"unpaid\"}",
    ] {
        assert!(serde_json::from_str::<OrderState>(text).is_err(), "{text}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn every_form_of_the_record_that_was_ever_written_is_read_and_stays_as_it_is() {
    for text in [
        // Since the first version.
        r#"{"state":"unpaid"}"#,
        r#"{"state":"unpaid","confirmed":true}"#,
        r#"{"state":"paid","amount":1,"method":"card","paid_at":1}"#,
        r#"{"state":"void","reason":"cancelled","at":1}"#,
        r#"{"state":"void","reason":"expired","at":1}"#,
        r#"{"state":"void","reason":"rejected","at":1}"#,
        // With a provider.
        r#"{"state":"unpaid","confirmed":true,"attempt":1}"#,
        r#"{"state":"at_provider","session":"a"}"#,
        r#"{"state":"at_provider","attempt":3,"session":"a"}"#,
        r#"{"state":"paid","amount":1,"method":"card","paid_at":1,"session":"a","charge":"b"}"#,
        r#"{"state":"void","reason":"cancelled","at":1,"session":"a"}"#,
        r#"{"state":"void","reason":"expired","at":1,"late":[{"session":"a","charge":"b","amount":1,"at":1}]}"#,
        r#"{"state":"unpaid","late":[{"session":"a","charge":"b","amount":1,"at":1,"refund":"succeeded"}]}"#,
        // With what was charged wrongly, and refunds that are made again.
        r#"{"state":"unpaid","late":[{"session":"a","charge":"b","amount":1,"currency":"EUR","at":1,"refund":"failed"},{"session":"a","charge":"b","amount":1,"currency":"EUR","id":"r","at":2}]}"#,
        // With goods that go out and come back.
        r#"{"state":"paid","amount":1,"method":"card","paid_at":1,"fulfilment":{"fulfilled_at":2}}"#,
        r#"{"state":"paid","amount":1,"method":"card","paid_at":1,"fulfilment":{"shipment":{"carrier":"a"},"fulfilled_at":2,"delivered_at":3}}"#,
        r#"{"state":"paid","amount":1,"method":"card","paid_at":1,"returns":[{"id":"00000000000000000000000000000001","lines":[["a",1],["b",2]],"to":"stock","at":2}]}"#,
        r#"{"state":"paid","amount":1,"method":"card","paid_at":1,"returns":[{"id":"00000000000000000000000000000001","lines":[["a",1]],"to":"written_off","reason":"broken","at":2,"done":true}],"fulfilment":{"fulfilled_at":2}}"#,
    ] {
        let state: OrderState = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&state).unwrap(), text);
    }
}

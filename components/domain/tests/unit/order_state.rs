//! The life of an order: which events can happen in which state.

use domain::order_state::{Event, Illegal, OrderState, Payment};
use domain::{Money, PaymentMethod, Status, Timestamp, status};
use wasm_bindgen_test::wasm_bindgen_test;

/// From this moment on an order cannot be paid.
const EXPIRES_AT: u64 = 100;

fn payment(paid_at: u64) -> Event {
    Event::Pay(Payment { amount: Money::ZERO, method: PaymentMethod::unspecified(), paid_at: paid_at.into() })
}

fn after(events: impl IntoIterator<Item = Event>) -> Result<OrderState, Illegal> {
    events.into_iter().try_fold(OrderState::NEW, |state, event| state.apply(event, EXPIRES_AT.into()))
}

/// Each event, in time and late.
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
    ]
}

/// The events that can happen after these.
fn possible(before: &[Event]) -> Vec<&'static str> {
    let possible = |event: &Event| after(before.iter().cloned().chain([event.clone()])).is_ok();
    events().into_iter().filter(|(_, event)| possible(event)).map(|(name, _)| name).collect()
}

#[wasm_bindgen_test(unsupported = test)]
fn an_unpaid_order_is_paid_or_cancelled_in_time_or_expires_or_is_rejected() {
    assert_eq!(possible(&[]), ["confirm", "pay", "cancel", "expire", "reject", "reject late"]);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_confirmed_order_is_never_rejected() {
    assert_eq!(possible(&[Event::Confirm]), ["confirm", "pay", "cancel", "expire"]);
}

#[wasm_bindgen_test(unsupported = test)]
fn nothing_happens_to_an_order_that_is_decided() {
    for name in ["pay", "cancel", "expire", "reject"] {
        let (_, event) = events().into_iter().find(|(other, _)| *other == name).unwrap();
        assert_eq!(possible(&[event]), [""; 0], "{name}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn the_status_follows_from_the_state_and_the_holds() {
    let at = Timestamp::from(EXPIRES_AT);
    for (events, all_held, expected) in [
        (vec![], false, Status::Placing),
        (vec![], true, Status::Pending),
        (vec![Event::Confirm], true, Status::Pending),
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
    for (name, event) in events() {
        let Ok(state) = after([event]) else { continue };
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<OrderState>(&text).unwrap(), state, "{name}");
    }
    for text in [
        "{}",
        r#"{"state":"paid"}"#,
        r#"{"state":"paid","amount":1,"method":"card"}"#,
        r#"{"state":"unpaid","reason":"expired","at":1}"#,
        r#"{"state":"void","reason":"expired"}"#,
        r#"{"state":"void","confirmed":true,"reason":"expired","at":1}"#,
        r#"{"state":"unpaid","more":1}"#,
    ] {
        assert!(serde_json::from_str::<OrderState>(text).is_err(), "{text}");
    }
}

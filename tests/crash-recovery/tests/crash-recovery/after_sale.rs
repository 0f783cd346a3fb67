//! What may be told about what operators do, and what not.

use crash_recovery::after_sale::{AfterSale, Asked, Kind, Outcome, Progress, body};
use harness::Answer;
use serde_json::{Value, json};
use stripe_stand_in::{RefundStatus, Refunded};

fn answer(status: u16, body: &Value) -> Answer {
    Answer { status, headers: http::HeaderMap::new(), body: body.to_string().into_bytes(), complete: true }
}

fn asked(kind: Kind, body: Value) -> Asked {
    Asked { order: 0, kind, key: "key".to_owned(), body }
}

fn refund(id: &str, amount: u64, status: &str) -> Value {
    json!({ "refund_id": id, "amount": amount, "status": status, "provider": "stripe" })
}

fn returned(id: &str, quantity: u64, to: &str) -> Value {
    json!({ "return_id": id, "items": [{ "item_id": "item-00", "quantity": quantity }], "to": to, "done": true })
}

/// Of which 500 of 2000 were given back as "a", one of two came back as "b", and which went out as "n".
fn told() -> AfterSale {
    let mut told = AfterSale::default();
    let mut tell = |asked: &Asked, code: u16, body: &Value| {
        told.asks(asked.kind);
        assert!(matches!(told.answered(asked, None, &answer(code, body)), Ok(Outcome::Done)), "{body}");
    };
    tell(&asked(Kind::Refund, body::amount(500)), 201, &refund("a", 500, "succeeded"));
    tell(&asked(Kind::Return, body::goods("item-00", 1, "stock")), 201, &returned("b", 1, "stock"));
    let shipped = json!({ "status": "fulfilled", "fulfilment": { "tracking_number": "n" } });
    tell(&asked(Kind::Fulfilment, body::shipment("n", false)), 200, &shipped);
    told
}

/// The order that is as that.
fn order() -> Value {
    json!({
        "status": "fulfilled", "total": 2000, "items": [{ "item_id": "item-00", "quantity": 2 }], "refunded": 500,
        "refunds": [refund("a", 500, "succeeded")], "returns": [returned("b", 1, "stock")],
        "fulfilment": { "tracking_number": "n" }
    })
}

#[test]
fn an_order_is_as_operators_were_told_to_the_letter() {
    assert_eq!(told().compare(&order()), Ok(()));
    for (pointer, wrong) in [
        ("/refunds", json!([])),
        ("/refunds", json!([refund("a", 500, "succeeded"), refund("c", 1, "succeeded")])),
        ("/refunds/0/refund_id", json!("c")),
        ("/refunds/0/amount", json!(501)),
        ("/refunds/0/status", json!("pending")),
        ("/refunded", json!(0)),
        ("/total", json!(499)),
        ("/returns", json!([])),
        ("/returns", json!([returned("b", 1, "stock"), returned("c", 1, "stock")])),
        ("/returns/0/items/0/quantity", json!(2)),
        ("/returns/0/to", json!("written_off")),
        ("/returns/0/done", json!(false)),
        ("/items/0/quantity", json!(0)),
        ("/fulfilment", Value::Null),
        ("/fulfilment/tracking_number", json!("m")),
        ("/status", json!("paid")),
        ("/status", json!("refunded")),
    ] {
        let mut order = order();
        *order.pointer_mut(pointer).unwrap() = wrong.clone();
        assert!(told().compare(&order).is_err(), "{pointer} is {wrong}");
    }
    let mut without_provider = order();
    without_provider["refunds"][0] = json!({ "refund_id": "a", "amount": 500, "status": "failed" });
    without_provider["refunded"] = json!(0);
    assert!(told().compare(&without_provider).is_err(), "no provider has said that");
}

#[test]
fn a_repeat_gets_the_refund_or_the_return_that_its_key_stands_for() {
    let of = asked(Kind::Refund, body::amount(500));
    let tell = |body: &Value| told().answered(&of, Some(Progress::Succeeded), &answer(201, body)).is_ok();
    assert!(tell(&refund("a", 500, "succeeded")));
    assert!(tell(&refund("a", 500, "failed")), "the provider has to say so");
    for wrong in [refund("c", 500, "succeeded"), refund("a", 400, "succeeded"), refund("a", 500, "pending"), json!({})]
    {
        assert!(!tell(&wrong), "{wrong}");
    }
    let of = asked(Kind::Return, body::goods("item-00", 1, "stock"));
    let tell = |body: &Value| told().answered(&of, None, &answer(201, body)).is_ok();
    assert!(tell(&returned("b", 1, "stock")));
    for wrong in [returned("c", 1, "stock"), returned("b", 2, "stock"), returned("b", 1, "written_off")] {
        assert!(!tell(&wrong), "{wrong}");
    }
}

#[test]
fn what_was_done_is_not_refused_afterwards() {
    let refused = |told: &mut AfterSale, kind, body, code: &str| {
        told.answered(&asked(kind, body), None, &answer(409, &json!({ "code": code })))
    };
    for (kind, body, code) in [
        (Kind::Refund, body::amount(500), "refund_exceeds_payment"),
        (Kind::Return, body::goods("item-00", 1, "stock"), "return_exceeds_sale"),
        (Kind::Fulfilment, body::shipment("n", false), "order_not_fulfillable"),
    ] {
        assert!(refused(&mut told(), kind, body.clone(), code).is_err(), "{kind:?}");
        let mut nothing = AfterSale::default();
        assert!(matches!(refused(&mut nothing, kind, body.clone(), code), Ok(Outcome::Refused)), "{kind:?}");
        assert!(refused(&mut nothing, kind, body, "order_not_payable").is_err(), "{kind:?}");
    }
}

#[test]
fn a_refund_is_at_the_provider_once_and_fails_where_that_says_so() {
    let made = |status, amount| Refunded {
        id: "re".to_owned(),
        charge: "ch".to_owned(),
        order: Some("order".to_owned()),
        amount,
        currency: "cny".to_owned(),
        status,
        metadata: [("refund_id".to_owned(), "a".to_owned())].into(),
    };
    let [succeeded, failed, pending] =
        [RefundStatus::Succeeded, RefundStatus::Failed, RefundStatus::Pending].map(|status| made(status, 500));
    let fits = |told: &AfterSale, made: &[&Refunded]| {
        told.compare_with("order", &made.iter().copied().cloned().collect::<Vec<_>>()).is_ok()
    };
    let of_another = Refunded { order: Some("other".to_owned()), ..succeeded.clone() };
    assert!(fits(&told(), &[&succeeded]) && fits(&told(), &[&failed, &succeeded]));
    for wrong in [[].as_slice(), &[&succeeded, &succeeded], &[&pending], &[&failed], &[&of_another]] {
        assert!(!fits(&told(), wrong), "{wrong:?}");
    }
    assert!(!fits(&told(), &[&made(RefundStatus::Succeeded, 499)]));

    let mut order = order();
    (order["refunds"][0]["status"], order["refunded"]) = (json!("failed"), json!(0));
    let mut told = told();
    assert_eq!(told.compare(&order), Ok(()));
    assert!(fits(&told, &[&failed]));
    assert!(!fits(&told, &[]) && !fits(&told, &[&failed, &succeeded]), "the provider has said nothing of the kind");
}

//! Buyers who ask their bank, and not the shop, for what they were charged.

use harness::Request;
use money::Till;
use serde_json::{Value, json};

/// An order that is paid at the provider, and its session.
fn paid(till: &Till) -> (String, String) {
    let (order, session) = till.at_provider();
    till.provider.pay(&session).unwrap();
    till.becomes(&order, "paid");
    (order, session)
}

/// The order as the operator's list has it.
fn listed(till: &Till, order: &str) -> Value {
    let list = till.send(&Request::get("/orders?limit=100").operator()).value();
    let orders = list["orders"].as_array().unwrap();
    orders.iter().find(|one| one["order_id"] == order).unwrap().clone()
}

/// The events of an order, with their amounts.
fn told(till: &Till, order: &str) -> Vec<(String, Value)> {
    let history = till.send(&Request::get(format!("/orders/{order}/history"))).value();
    let events = history["events"].as_array().unwrap();
    events.iter().map(|event| (event["event"].as_str().unwrap().to_owned(), event["amount"].clone())).collect()
}

fn refund(order: &str, key: &str) -> Request {
    Request::post(format!("/orders/{order}/refunds")).operator().key(key).json(json!({ "amount": 100 }))
}

#[test]
fn a_dispute_is_in_the_list_the_exports_and_the_history_from_its_beginning_to_its_end() {
    let till = Till::open(crate::TARGET);
    let (order, session) = paid(&till);
    let dispute = till.provider.dispute(&session, Some(500), false).unwrap();
    till.agrees();
    let shown = listed(&till, &order);
    let [one] = &shown["disputes"].as_array().unwrap()[..] else { panic!("{shown}") };
    assert_eq!((&one["dispute_id"], &one["charge_id"]), (&json!(dispute), &shown["payment"]["charge_id"]));
    assert_eq!((&one["status"], &one["amount"], &one["currency"]), (&json!("open"), &json!(500), &json!("CNY")));
    assert!(one["opened_at"].is_string() && one["closed_at"].is_null(), "{one}");
    assert_eq!(told(&till, &order).last(), Some(&("disputed".to_owned(), json!(500))));
    let csv = till.send(&Request::get("/orders?format=csv").operator());
    assert!(String::from_utf8(csv.body).unwrap().lines().any(|row| row.starts_with(&order) && row.ends_with(",,500")));
    // No customer is told the names that the provider has for it.
    let public = till.send(&Request::show_order(&order));
    assert!(!String::from_utf8(public.body).unwrap().contains("dispute"));

    till.provider.close_dispute(&dispute, false).unwrap();
    till.agrees();
    let shown = listed(&till, &order);
    assert_eq!(shown["disputes"][0]["status"], "lost");
    assert!(shown["disputes"][0]["closed_at"].is_string(), "{shown}");
    assert_eq!(told(&till, &order).last(), Some(&("dispute_lost".to_owned(), json!(500))));
    assert_eq!(shown["status"], "paid", "the goods are what they were");
}

#[test]
fn a_disputed_charge_is_refunded_as_far_as_the_provider_lets_it_be() {
    let till = Till::open(crate::TARGET);
    let (order, session) = paid(&till);
    let inquiry = till.provider.dispute(&session, None, true).unwrap();
    till.agrees();
    let made = |key: &str| till.must(&refund(&order, key), 201, "").value()["status"].clone();
    assert_eq!(made("while-the-bank-asks"), "succeeded", "an inquiry takes no money");
    till.provider.escalate_dispute(&inquiry).unwrap();
    assert_eq!(made("while-the-bank-has-it"), "failed");
    till.provider.close_dispute(&inquiry, true).unwrap();
    till.agrees();
    assert_eq!(listed(&till, &order)["disputes"][0]["status"], "won");
    assert_eq!(made("when-it-is-back"), "succeeded");
    till.agrees();
}

#[test]
fn what_is_told_of_a_dispute_in_any_order_and_often_comes_to_what_it_is() {
    let till = Till::open(crate::TARGET);
    till.set_faults(&["held@charge.dispute.created", "thrice@charge.dispute.closed"]);
    let (order, session) = paid(&till);
    let dispute = till.provider.dispute(&session, None, false).unwrap();
    till.provider.close_dispute(&dispute, true).unwrap();
    till.agrees();
    // What was told at the beginning comes after the end.
    till.provider.release_webhooks();
    till.must(&till.event("charge.dispute.created", &dispute), 200, "");
    assert_eq!(listed(&till, &order)["disputes"][0]["status"], "won");
    till.agrees();
}

#[test]
fn a_dispute_comes_with_a_charge_of_which_the_shop_has_not_heard() {
    let till = Till::open(crate::TARGET);
    till.set_faults(&["never"]);
    let (order, session) = till.at_provider();
    till.provider.pay(&session).unwrap();
    let dispute = till.provider.dispute(&session, None, false).unwrap();
    assert_eq!(till.status(&order), "pending");
    till.must(&till.event("charge.dispute.created", &dispute), 200, "");
    assert_eq!((till.status(&order).as_str(), till.audit()), ("paid", vec![]));
    // One of a charge that came too late.
    till.set_faults(&["never", "closed-yet-payable@expire"]);
    let (order, session) = till.at_provider();
    till.must(&Request::cancel(&order), 200, "");
    till.provider.pay(&session).unwrap();
    let dispute = till.provider.dispute(&session, Some(10), true).unwrap();
    till.must(&till.event("charge.dispute.created", &dispute), 200, "");
    assert_eq!(listed(&till, &order)["disputes"][0]["amount"], 10);
    till.sweep();
    assert_eq!((till.status(&order).as_str(), till.audit()), ("cancelled", vec![]), "it has gone back");
}

#[test]
fn a_message_about_a_dispute_is_believed_only_as_to_which() {
    let till = Till::open(crate::TARGET);
    till.set_faults(&["never"]);
    let (order, session) = till.at_provider();
    till.provider.pay(&session).unwrap();
    till.must(&Request::pay(&order), 200, "");
    let dispute = till.provider.dispute(&session, Some(300), false).unwrap();
    let event = till.provider.event("charge.dispute.created", &dispute).unwrap();
    let send = |pointer: &str, value: Value| {
        let mut event = event.clone();
        *event.pointer_mut(pointer).unwrap() = value;
        till.must(&money::signed(&event.to_string().into_bytes()), 200, "");
    };
    send("/data/object/id", json!("du_of_another_account"));
    send("/data/object/id", json!("../refunds"));
    send("/livemode", json!(true));
    send("/data/object/object", json!("charge"));
    assert!(listed(&till, &order)["disputes"].is_null());
    till.set_faults(&["never", "unavailable"]);
    till.must(&money::signed(&event.to_string().into_bytes()), 503, "payment_provider_unavailable");
    till.set_faults(&["never"]);
    send("/data/object/amount", json!(1_999));
    send("/data/object/status", json!("lost"));
    let disputes = listed(&till, &order)["disputes"].clone();
    assert_eq!((&disputes[0]["amount"], &disputes[0]["status"]), (&json!(300), &json!("open")));
    assert_eq!((disputes.as_array().unwrap().len(), till.audit()), (1, vec![]));
}

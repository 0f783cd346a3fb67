//! Money that goes back to buyers, over HTTP. Each answer is also held against what is true of every one: its header
//! fields, and the form of a problem.

// A test fails by panicking; clippy knows that only of the test functions themselves, not of what they share.
#![allow(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing)]

use http::{HeaderValue, Method};
use memory_shop::stripe::{Became, Mood, VARIABLES};
use memory_shop::{Answer, World, request, with_key};
use serde_json::{Value, json};

/// A paid order of two `item1`, which costs 2000, and its id.
fn sold(world: &World) -> String {
    let placed = world.post("/orders", json!({ "item_id": "item1", "quantity": 2 }).to_string());
    let order = placed.body["order_id"].as_str().expect("it is placed").to_owned();
    world.post(&format!("/orders/{order}/pay"), "");
    order
}

/// As [`sold`], charged at the provider, which refuses each refund.
fn charged(world: &World) -> String {
    let order = sold(world);
    world.stripe().set(&order, Became::Paid(0));
    assert_eq!(world.post(&format!("/orders/{order}/pay"), "").body["status"], "paid");
    order
}

fn refund(world: &World, order: &str, body: &str, key: &str) -> Answer {
    refund_if(world, order, body, key, None)
}

fn refund_if(world: &World, order: &str, body: &str, key: &str, tag: Option<&str>) -> Answer {
    let mut request = with_key(request(Method::POST, &format!("/orders/{order}/refunds"), body.as_bytes()), key);
    if let Some(tag) = tag {
        request.headers_mut().insert("if-match", HeaderValue::from_str(tag).expect("a header"));
    }
    world.send(request)
}

fn show(world: &World, order: &str) -> Value {
    world.get(&format!("/orders/{order}")).body
}

#[test]
fn money_goes_back_and_the_order_says_how_much() {
    let world = World::preset();
    let order = sold(&world);
    let one =
        refund(&world, &order, r#"{"items":[{"item_id":"item1","quantity":1}],"restock":true,"reason":"small"}"#, "a");
    assert_eq!((one.status, &one.body["status"], &one.body["amount"]), (201, &json!("succeeded"), &json!(1000)));
    assert_eq!((&one.body["of"], &one.body["items"][0]["quantity"]), (&json!("payment"), &json!(1)));
    assert_eq!((&one.body["reason"], one.body.get("provider")), (&json!("small"), None), "no money has moved");
    let shown = show(&world, &order);
    assert_eq!((&shown["status"], &shown["refunded"]), (&json!("paid"), &json!(1000)));
    assert_eq!(shown["refunds"][0]["return_id"], shown["returns"][0]["return_id"]);
    assert_eq!((shown["refunds"][0].get("reason"), shown["returns"][0].get("reason")), (None, None));
    assert_eq!(world.get("/inventory/item1").body["available"], 99);

    let replayed =
        refund(&world, &order, r#"{"items":[{"item_id":"item1","quantity":1}],"restock":true,"reason":"small"}"#, "a");
    assert_eq!((replayed.status, replayed.replayed(), &replayed.body), (201, true, &one.body));
    assert_eq!(refund(&world, &order, r#"{"amount":1000}"#, "a").outcome(), (422, "idempotency_key_reused"));
    let more = refund(&world, &order, r#"{"amount":1001}"#, "b");
    assert_eq!(more.outcome(), (409, "refund_exceeds_payment"));
    assert_eq!((&more.body["refundable"], &more.body["requested"]), (&json!(1000), &json!(1001)));
    let twice = refund(&world, &order, r#"{"items":[{"item_id":"item1","quantity":2}]}"#, "b");
    assert_eq!(twice.outcome(), (409, "refund_exceeds_sale"));
    assert_eq!((&twice.body["refundable"], &twice.body["sold"]), (&json!(1), &json!(2)));

    let rest = refund(&world, &order, "", "b");
    assert_eq!((rest.status, &rest.body["amount"], rest.body.get("items")), (201, &json!(1000), None));
    let refunded = show(&world, &order);
    assert_eq!((&refunded["status"], &refunded["refunded"]), (&json!("refunded"), &json!(2000)));
    let none = refund(&world, &order, "{}", "c");
    assert_eq!((none.outcome(), &none.body["order_status"]), ((409, "order_not_refundable"), &json!("refunded")));
    let listed = world.get(&format!("/orders/{order}/refunds")).body;
    assert_eq!((listed["refunds"].as_array().map(Vec::len), &listed["refunded"]), (Some(2), &json!(2000)));
    let list = world.get("/orders?status=refunded").body;
    assert_eq!(
        (&list["orders"][0]["refunded"], &list["orders"][0]["refunds"][0]["reason"]),
        (&json!(2000), &json!("small"))
    );
    assert!(world.get("/orders?status=paid").body["orders"].as_array().is_some_and(Vec::is_empty));
    let history = world.get(&format!("/orders/{order}/history")).body;
    let events = history["events"].as_array().expect("events");
    assert_eq!((&events[2]["event"], &events[2]["amount"]), (&json!("refunded"), &json!(1000)), "{history}");
    assert_eq!(events[2]["text"], "Given back: 1000 of 2000.");
    let send = request(Method::PUT, &format!("/orders/{order}/fulfilment"), b"{}");
    assert_eq!(world.send(send).outcome(), (409, "order_not_fulfillable"));
}

#[test]
fn a_refund_that_is_badly_written_is_refused_with_its_place() {
    let world = World::preset();
    let order = sold(&world);
    let too_many = format!(r#"{{"items":[{}]}}"#, vec![r#"{"item_id":"item1","quantity":1}"#; 51].join(","));
    for (body, pointer) in [
        (r#"{"amount":0}"#, "/amount"),
        (r#"{"amount":-1}"#, "/amount"),
        (r#"{"amount":1.5}"#, "/amount"),
        (r#"{"amount":"1"}"#, "/amount"),
        (r#"{"amount":null}"#, "/amount"),
        (r#"{"amount":9223372036854775808}"#, "/amount"),
        (r#"{"items":null}"#, "/items"),
        (r#"{"items":[]}"#, "/items"),
        (r#"{"items":{}}"#, "/items"),
        (r#"{"items":[{"item_id":"item1"}]}"#, "/items/0/quantity"),
        (r#"{"items":[{"item_id":"item1","quantity":0}]}"#, "/items/0/quantity"),
        (r#"{"items":[{"item_id":"no item","quantity":1}]}"#, "/items/0/item_id"),
        (r#"{"items":[{"item_id":"item1","quantity":1,"unit_price":1}]}"#, "/items/0/unit_price"),
        (too_many.as_str(), "/items"),
        (r#"{"amount":1,"items":[{"item_id":"item1","quantity":1}]}"#, "/items"),
        (r#"{"amount":1,"restock":true}"#, "/restock"),
        (r#"{"restock":1}"#, "/restock"),
        (r#"{"reason":"a\nb"}"#, "/reason"),
        (r#"{"retry_failed":true}"#, "/retry_failed"),
    ] {
        let refused = refund(&world, &order, body, "k");
        assert_eq!(refused.outcome(), (422, "invalid_request"), "{body}");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{body}: {refused:?}");
    }
    assert_eq!(refund(&world, &order, "{", "k").outcome(), (400, "malformed_json"));
    let without_key = world.post(&format!("/orders/{order}/refunds"), r#"{"amount":1}"#);
    assert_eq!(
        (without_key.outcome(), &without_key.body["errors"][0]["header"]),
        ((422, "invalid_request"), &json!("idempotency-key"))
    );
    assert_eq!(
        refund(&world, &order, r#"{"items":[{"item_id":"other","quantity":1}]}"#, "k").outcome(),
        (409, "refund_exceeds_sale")
    );
    let shown = show(&world, &order);
    assert_eq!((shown.get("refunds"), shown.get("refunded")), (None, None));
    let mut stranger = request(Method::POST, &format!("/orders/{order}/refunds"), b"");
    stranger.headers_mut().remove("authorization");
    assert_eq!(world.send(stranger).outcome(), (401, "unauthorized"));
}

#[test]
fn a_refund_is_made_of_the_order_that_was_seen() {
    let world = World::preset();
    let order = sold(&world);
    let tag = |world: &World| {
        let shown = world.get(&format!("/orders/{order}"));
        shown.headers["etag"].to_str().expect("a tag").to_owned()
    };
    let seen = tag(&world);
    assert_eq!(refund_if(&world, &order, r#"{"amount":1}"#, "a", Some(&seen)).status, 201);
    assert_ne!(tag(&world), seen);
    assert_eq!(refund_if(&world, &order, r#"{"amount":1}"#, "b", Some(&seen)).outcome(), (412, "precondition_failed"));
    assert!(refund_if(&world, &order, r#"{"amount":1}"#, "a", Some(&seen)).replayed());
}

#[test]
fn a_refund_that_the_provider_refuses_is_failed_and_frees_its_amount() {
    let world = World::preset().with_variables(&VARIABLES);
    let order = charged(&world);
    let refused = refund(&world, &order, "", "a");
    assert_eq!(
        (refused.status, &refused.body["status"], &refused.body["amount"]),
        (201, &json!("failed"), &json!(2000))
    );
    assert_eq!((&refused.body["provider"], &refused.body["charge_id"]), (&json!("stripe"), &json!("pi_0")));
    let shown = show(&world, &order);
    assert_eq!(
        (&shown["status"], &shown["refunded"], &shown["refunds"][0]["status"]),
        (&json!("paid"), &json!(0), &json!("failed"))
    );
    assert_eq!((shown["refunds"][0].get("charge_id"), shown["refunds"][0].get("session_id")), (None, None));
    assert!(shown["refunds"][0]["failed_at"].is_string());
    let again = refund(&world, &order, "", "b");
    assert_eq!((again.status, &again.body["amount"]), (201, &json!(2000)));
    let retried = world.post(&format!("/orders/{order}/refunds/retry"), "");
    assert_eq!((retried.status, retried.body["refunds"].as_array().map(Vec::len)), (200, Some(2)), "under another key");
}

#[test]
fn a_refund_about_which_the_provider_says_nothing_is_pending_and_the_log_says_why() {
    for (mood, why) in [(Mood::Silent, "no whole answer"), (Mood::Locked, "401"), (Mood::Mad, "makes no sense")] {
        let world = World::preset().with_variables(&VARIABLES);
        let order = charged(&world);
        world.stripe().set_mood(mood);
        let pending = refund(&world, &order, r#"{"amount":500}"#, "a");
        assert_eq!((pending.status, &pending.body["status"]), (201, &json!("pending")), "{mood:?}");
        assert!(pending.log.clone().unwrap_or_default().contains(why), "{mood:?}: {pending:?}");
        assert_eq!(show(&world, &order)["refunded"], 500, "it counts");
        let history = world.get(&format!("/orders/{order}/history")).body;
        assert!(history.to_string().contains("Is being given back: 500 of 2000."), "{history}");
        // A repeat carries on with it.
        world.stripe().set_mood(Mood::Well);
        let repeat = refund(&world, &order, r#"{"amount":500}"#, "a");
        assert_eq!((repeat.replayed(), &repeat.body["status"]), (true, &json!("failed")), "{mood:?}");
    }
}

//! Orders that came to nothing are removed once they have been kept long enough.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Shop, fresh};
use crate::server::{with_own_server, with_shop};
use crate::shapes::Status;

/// As short as both may be.
const SHORT: &[(&str, &str)] = &[("payment_window_seconds", "1"), ("closed_orders_kept_seconds", "10")];

fn sweep(shop: &Shop) -> Value {
    shop.post("/sweep").operator().send().expect(200).value()
}

#[test]
fn orders_that_came_to_nothing_are_removed_with_their_keys_and_paid_ones_stay() {
    with_own_server(SHORT, |server| {
        let shop = &server.shop;
        let key = fresh("key");
        let order = || shop.order(json!({"item_id": "item1", "quantity": 1})).key(&key).send().order(201);
        let (cancelled, expired, paid) = (order(), shop.place("item2", 2), shop.place_paid("item3", 3));
        shop.cancel(&cancelled.order_id).send().order(200);
        assert_eq!(sweep(shop)["removed_orders"], 0);
        assert_eq!(order().order_id, cancelled.order_id);

        let mut removed = 0;
        for _ in 0..600 {
            removed += sweep(shop)["removed_orders"].as_u64().expect("it is a number");
            if removed == 2 {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        assert_eq!(removed, 2);
        for gone in [&cancelled, &expired] {
            shop.get(format!("/orders/{}", gone.order_id)).send().problem(404, "order_not_found");
            shop.get(format!("/orders/{}/history", gone.order_id)).send().problem(404, "order_not_found");
            shop.pay(&gone.order_id).send().problem(404, "order_not_found");
            shop.cancel(&gone.order_id).send().problem(404, "order_not_found");
        }
        assert_eq!(shop.order_now(&paid.order_id).status, Status::Paid);
        let listed = shop.listed("", |_| false);
        assert_eq!(listed.iter().map(|order| &order.order_id).collect::<Vec<_>>(), [&paid.order_id]);
        assert_ne!(order().order_id, cancelled.order_id);
        let books = shop.get("/books").operator().send().expect(200).value();
        assert_eq!(books["balanced"], true, "{books}");
    });
}

#[test]
fn a_sweep_gives_back_what_expired_orders_hold() {
    with_own_server(SHORT, |server| {
        let shop = &server.shop;
        for _ in 0..3 {
            shop.place("item1", 30);
        }
        sleep(Duration::from_millis(1100));
        // Without a payment provider there is nobody to ask.
        let nothing = json!({
            "settled_items": 0, "decided_payments": 0, "unanswered": 0, "failed_refunds": 0, "unfinished_returns": 0,
            "removed_orders": 0,
            "more": false
        });
        let mut settled = nothing.clone();
        settled["settled_items"] = json!(1);
        assert_eq!(sweep(shop), settled);
        assert_eq!(sweep(shop), nothing);
        assert_eq!(shop.available("item1"), 100);
    });
}

#[test]
fn only_the_operator_sweeps() {
    with_shop(|shop| {
        shop.post("/sweep").send().problem(401, "unauthorized");
        shop.get("/sweep").operator().send().problem(405, "method_not_allowed");
        let swept = sweep(&shop);
        assert_eq!(swept["removed_orders"], 0, "{swept}");
    });
}

//! What requests cost in calls of the store: commits are what an order system waits for.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::Shop;

fn one_line() -> Value {
    json!({ "item_id": "item1", "quantity": 1 })
}

/// A shop that has its preset items.
fn open() -> Shop {
    let shop = Shop::open(&[]);
    shop.get("/inventory");
    shop
}

#[test]
fn showing_an_item_takes_at_most_three_reads_and_no_commit() {
    let shop = open();
    shop.post("/orders", &one_line(), None);
    let (_, cost) = shop.cost(|| shop.get("/inventory/item1"));
    assert_eq!((cost.reads() <= 3, cost.commits()), (true, 0), "{cost:?}");
}

#[test]
fn showing_an_item_with_expired_holds_takes_at_most_three_reads_and_no_commit() {
    let shop = Shop::open(&[("payment_window_seconds", "1")]);
    for _ in 0..3 {
        shop.post("/orders", &one_line(), None);
    }
    sleep(Duration::from_millis(1100));
    let (item, cost) = shop.cost(|| shop.get("/inventory/item1"));
    assert_eq!(item["available"], 100);
    assert_eq!((cost.reads(), cost.commits()), (3, 0), "{cost:?}");
}

#[test]
fn an_order_of_one_line_takes_two_commits_with_a_key_or_without_and_the_first_of_an_instance_one_more() {
    let shop = open();
    let mut two = [false; 2];
    for number in 0..50 {
        let key = format!("a-key-that-is-long-{number}");
        let key = Some(key.as_str()).filter(|_| number % 2 == 1);
        let ((status, _), cost) = shop.cost(|| shop.post("/orders", &one_line(), key));
        // An instance that is still busy when the next request comes leaves it to a new one.
        let new = cost.components["orders"].instances;
        assert_eq!((status, cost.commits()), (201, 2 + new), "{cost:?}");
        two[usize::from(key.is_some())] |= new == 0;
    }
    assert_eq!(two, [true; 2], "an instance places many orders");
}

#[test]
fn paying_takes_one_commit_and_paying_again_none() {
    let shop = open();
    let (_, order) = shop.post("/orders", &one_line(), None);
    let path = format!("/orders/{}/pay", order["order_id"].as_str().expect("an order has an id"));
    for commits in [1, 0] {
        let ((status, _), cost) = shop.cost(|| shop.post(&path, &json!({}), None));
        assert_eq!((status, cost.commits()), (200, commits), "{cost:?}");
    }
}

#[test]
fn the_first_repeat_of_a_keyed_order_takes_at_most_one_commit_and_later_ones_none() {
    let shop = open();
    let (_, order) = shop.post("/orders", &one_line(), Some("a-key-that-is-long"));
    for most in [1, 0, 0] {
        let ((status, again), cost) = shop.cost(|| shop.post("/orders", &one_line(), Some("a-key-that-is-long")));
        assert_eq!((status, &again["order_id"]), (201, &order["order_id"]));
        assert!(cost.commits() <= most, "{cost:?}");
    }
}

#[test]
fn refusals_take_no_commit() {
    let shop = open();
    shop.post("/orders", &one_line(), Some("a-key-that-is-long"));
    let refused = [
        (json!({ "item_id": "item1", "quantity": 101 }), None, 409),
        (json!({ "item_id": "nothing", "quantity": 1 }), None, 404),
        (json!({ "item_id": "item1", "quantity": 0 }), None, 422),
        (json!({ "item_id": "item1", "quantity": 2 }), Some("a-key-that-is-long"), 422),
    ];
    for (order, key, expected) in refused {
        let ((status, _), cost) = shop.cost(|| shop.post("/orders", &order, key));
        assert_eq!((status, cost.commits()), (expected, 0), "{order}: {cost:?}");
    }
}

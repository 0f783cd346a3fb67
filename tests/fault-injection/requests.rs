//! The requests of these tests, and what was answered.

use harness::Request;
use serde_json::{Value, json};

/// By how much every adjustment changes stock. One number, since an item remembers that it was adjusted, not by how
/// much.
pub const DELTA: i64 = -1;

/// An idempotency key, as long as that of an order has to be.
pub fn key(name: &str) -> String {
    format!("{name:->16}")
}

pub fn pay(order: &str) -> Request {
    Request::pay(order).json(json!({ "method": "card" }))
}

pub fn cancel(order: &str) -> Request {
    Request::cancel(order).json(json!({}))
}

/// Takes one of each of these items back, under a key.
pub fn take_back(order: &str, items: &[&str], name: &str) -> Request {
    let lines: Vec<_> = items.iter().map(|item| json!({ "item_id": item, "quantity": 1 })).collect();
    Request::post(format!("/orders/{order}/returns")).operator().json(json!({ "items": lines })).key(key(name))
}

/// Gives back what one of each of these items has cost, and takes it back, under a key.
pub fn give_back(order: &str, items: &[&str], name: &str) -> Request {
    let lines: Vec<_> = items.iter().map(|item| json!({ "item_id": item, "quantity": 1 })).collect();
    let body = json!({ "items": lines, "restock": true });
    Request::post(format!("/orders/{order}/refunds")).operator().json(body).key(key(name))
}

pub fn fulfil(order: &str, carrier: &str, delivered: bool) -> Request {
    let body = json!({ "carrier": carrier, "delivered": delivered });
    Request::put(format!("/orders/{order}/fulfilment")).operator().json(body)
}

pub fn adjust(item: &str) -> Request {
    let body = json!({ "delta": DELTA, "reason": "damaged" });
    Request::post(format!("/inventory/{item}/adjustments")).operator().json(body)
}

pub fn create(item: &str, on_hand: u64) -> Request {
    Request::create(item, 700, on_hand)
}

pub fn price(item: &str, unit_price: u64) -> Request {
    Request::put_item(item, json!({ "unit_price": unit_price }))
}

pub fn name(item: &str, name: &str, image: &str) -> Request {
    Request::put_item(item, json!({ "unit_price": 1000, "name": name, "image": image }))
}

#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// Null where there is no body.
    pub body: Value,
}

impl Answer {
    /// What a client sees of a request whose instance ended.
    pub const NONE: Self = Self { status: 500, body: Value::Null };

    /// The id of the order that was answered.
    pub fn order(&self) -> &str {
        self.body["order_id"].as_str().unwrap_or_else(|| panic!("no order in {self:?}"))
    }

    /// The code of a problem.
    pub fn problem(&self) -> String {
        self.body["code"].as_str().unwrap_or_default().to_owned()
    }
}

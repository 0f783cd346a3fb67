//! Requests as values, so that they can be sent again, and what was answered.

use serde_json::{Value, json};

/// By how much every adjustment changes stock. One number, since an item remembers that it was adjusted, not by how much.
pub const DELTA: i64 = -1;

#[derive(Clone, Debug)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub body: Value,
    pub key: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// Null where there is no body.
    pub body: Value,
}

impl Request {
    fn new(method: &'static str, path: impl Into<String>, body: Value) -> Self {
        Self { method, path: path.into(), body, key: None }
    }

    pub fn place(lines: &[(&str, u64)]) -> Self {
        let items: Vec<_> =
            lines.iter().map(|(item, quantity)| json!({ "item_id": item, "quantity": quantity })).collect();
        Self::new("POST", "/orders", json!({ "items": items }))
    }

    pub fn pay(order: &str) -> Self {
        Self::new("POST", format!("/orders/{order}/pay"), json!({ "method": "card" }))
    }

    pub fn cancel(order: &str) -> Self {
        Self::new("POST", format!("/orders/{order}/cancel"), json!({}))
    }

    pub fn adjust(item: &str) -> Self {
        Self::new("POST", format!("/inventory/{item}/adjustments"), json!({ "delta": DELTA, "reason": "damaged" }))
    }

    pub fn create(item: &str, on_hand: u64) -> Self {
        Self::new("PUT", format!("/inventory/{item}"), json!({ "unit_price": 700, "on_hand": on_hand }))
    }

    pub fn price(item: &str, unit_price: u64) -> Self {
        Self::new("PUT", format!("/inventory/{item}"), json!({ "unit_price": unit_price }))
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path, Value::Null)
    }

    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

impl Answer {
    /// What a client sees of a request whose instance ended.
    pub const NONE: Self = Self { status: 500, body: Value::Null };

    /// The id of the order that was answered.
    pub fn order(&self) -> &str {
        self.body["order_id"].as_str().unwrap_or_else(|| panic!("no order in {self:?}"))
    }

    /// The code of a problem, the reason that a store is refused for included.
    pub fn problem(&self) -> String {
        let code = self.body["code"].as_str().unwrap_or_default();
        match code {
            "store_unsuitable" => self.body["detail"].as_str().unwrap_or_default().to_owned(),
            code => code.to_owned(),
        }
    }
}

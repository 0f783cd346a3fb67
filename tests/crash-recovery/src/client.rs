//! A client of the shop over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http;

use crate::books::{ITEMS, Line};

/// The operator's token.
pub const TOKEN: &str = "the-token-of-these-kills";

/// Turns a hang into an unknown outcome.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Asks servers of one shop, any of them. Where there is no answer, or one that says that the server failed, what became of the request is
/// unknown: that is None.
pub struct Client {
    agent: Agent,
    urls: Vec<String>,
}

/// Status and body.
pub type Answer = Option<(u16, Value)>;

impl Client {
    pub(crate) fn new(urls: Vec<String>) -> Self {
        let agent = Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT)).build().into();
        Self { agent, urls }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None, None)
    }

    pub fn pay(&self, order_id: &str) -> Answer {
        self.ask("POST", &format!("/orders/{order_id}/pay"), None, None)
    }

    pub fn cancel(&self, order_id: &str) -> Answer {
        self.ask("POST", &format!("/orders/{order_id}/cancel"), None, None)
    }

    pub fn place(&self, lines: &[Line], key: Option<&str>) -> Answer {
        let line = |line: &Line| json!({ "item_id": ITEMS[line.item], "quantity": line.quantity });
        let lines: Vec<_> = lines.iter().map(line).collect();
        self.ask("POST", "/orders", Some(json!({ "items": lines })), key)
    }

    pub fn show_order(&self, order_id: &str) -> Answer {
        self.get(&format!("/orders/{order_id}"))
    }

    pub fn show_item(&self, item: usize) -> Answer {
        self.get(&format!("/inventory/{}", ITEMS[item]))
    }

    pub fn create(&self, item: usize, on_hand: u64) -> Answer {
        let body = json!({ "unit_price": 1, "on_hand": on_hand });
        self.ask("PUT", &format!("/inventory/{}", ITEMS[item]), Some(body), None)
    }

    pub fn adjust(&self, item: usize, delta: i64, key: &str) -> Answer {
        let path = format!("/inventory/{}/adjustments", ITEMS[item]);
        self.ask("POST", &path, Some(json!({ "delta": delta })), Some(key))
    }

    fn ask(&self, method: &str, path: &str, body: Option<Value>, key: Option<&str>) -> Answer {
        let url = fastrand::choice(&self.urls)?;
        let request = http::Request::builder().method(method).uri(format!("{url}{path}"));
        let request = request.header("authorization", format!("Bearer {TOKEN}"));
        let request = if body.is_some() { request.header("content-type", "application/json") } else { request };
        let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
        let body = body.as_ref().map(Value::to_string).unwrap_or_default();
        let mut answer = self.agent.run(request.body(body).ok()?).ok()?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().read_json().ok()?;
        (status < 500).then_some((status, body))
    }
}

//! A client for everything that is not measured: preparing, and looking whether a server answers as it should.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http;

/// The operator's token.
pub const TOKEN: &str = "the-token-of-this-bench";

/// Requests that prepare are sent over so many connections.
const CONNECTIONS: usize = 32;

/// Turns a hang into an error.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A request for the shop.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    /// JSON, or nothing.
    pub body: String,
}

impl Request {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), body: String::new() }
    }

    pub fn post(path: impl Into<String>) -> Self {
        Self { method: "POST", path: path.into(), body: String::new() }
    }

    /// An order of one of each of these items. The slash at the end makes no difference to the shop, and does to others.
    pub fn order(items: &[usize]) -> Self {
        let line = |item: &usize| json!({ "item_id": item_id(*item), "quantity": 1 });
        let body = match items {
            [item] => line(item),
            items => json!({ "items": items.iter().map(line).collect::<Vec<_>>() }),
        };
        Self { body: body.to_string(), ..Self::post("/orders/") }
    }

    pub fn pay(order: &str) -> Self {
        Self::post(format!("/orders/{order}/pay"))
    }
}

/// The name of an item that is there for measuring.
pub fn item_id(item: usize) -> String {
    format!("bench-{item}")
}

/// Asks one server, over as many connections as are needed.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    url: String,
}

impl Client {
    pub fn new(url: &str) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections_per_host(CONNECTIONS)
            .timeout_global(Some(TIMEOUT))
            .build()
            .into();
        Self { agent, url: url.trim_end_matches('/').to_owned() }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Status and body of the answer.
    pub fn send(&self, request: &Request) -> Result<(u16, String)> {
        let Request { method, path, body } = request;
        let builder = http::Request::builder().method(*method).uri(format!("{}{path}", self.url));
        let builder = builder.header("authorization", format!("Bearer {TOKEN}"));
        let builder = if body.is_empty() { builder } else { builder.header("content-type", "application/json") };
        let mut answer = self.agent.run(builder.body(body.clone())?)?;
        Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
    }

    /// The body of an answer that says that all is well.
    pub fn ask(&self, request: &Request) -> Result<Value> {
        let (status, body) = self.send(request).with_context(|| format!("{} is not answered", request.path))?;
        if !(200..300).contains(&status) {
            bail!("{} {} is answered with {status}: {body}", request.method, request.path);
        }
        Ok(serde_json::from_str(&body)?)
    }

    /// The answers to many requests, in their order.
    ///
    /// # Errors
    /// The first that was refused; what comes after it is not sent.
    pub fn ask_all(&self, requests: &[Request]) -> Result<Vec<Value>> {
        let next = AtomicUsize::new(0);
        let answers = Mutex::new(vec![None; requests.len()]);
        let ask = || -> Result<()> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = requests.get(number) else { return Ok(()) };
                let answer = self.ask(request).inspect_err(|_| next.store(requests.len(), Ordering::Relaxed))?;
                answers.lock().unwrap_or_else(PoisonError::into_inner)[number] = Some(answer);
            }
        };
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CONNECTIONS.min(requests.len())).map(|_| scope.spawn(ask)).collect();
            clients.into_iter().try_for_each(|client| client.join().expect("no client panics"))
        })?;
        let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(answers.into_iter().flatten().collect())
    }

    /// Places orders; answers with their ids.
    pub fn place(&self, orders: &[Request]) -> Result<Vec<String>> {
        let id = |answer: Value| Ok(answer["order_id"].as_str().context("an order has an id")?.to_owned());
        self.ask_all(orders)?.into_iter().map(id).collect()
    }
}

//! Everything that is asked and not measured: preparing, and looking whether a server answers as it should.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};
use harness::{Client, Request};
use serde_json::{Value, json};

/// The connections over which requests that prepare are sent.
const CONNECTIONS: usize = 32;

/// The name of an item that is there for measuring.
pub fn item_id(item: usize) -> String {
    format!("bench-{item}")
}

/// An order of one of each of these items. The slash at the end makes no difference to the shop, and does to others.
pub fn order(items: &[usize]) -> Request {
    let line = |item: &usize| json!({ "item_id": item_id(*item), "quantity": 1 });
    let body = match items {
        [item] => line(item),
        items => json!({ "items": items.iter().map(line).collect::<Vec<_>>() }),
    };
    Request::post("/orders/").json(body)
}

/// The body of an answer that says that all is well.
pub fn ask(client: &Client, request: &Request) -> Result<Value> {
    let answer = client.send(request).with_context(|| format!("{request:?} is not answered"))?;
    if !(200..300).contains(&answer.status) {
        bail!("{request:?} is answered with {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
    Ok(serde_json::from_slice(&answer.body)?)
}

/// The answers to many requests, in their order.
///
/// # Errors
/// The first that was refused; what comes after it is not sent.
pub fn ask_all(client: &Client, requests: &[Request]) -> Result<Vec<Value>> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(vec![None; requests.len()]);
    let ask = || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = requests.get(number) else { return Ok(()) };
            let answer = ask(client, request).inspect_err(|_| next.store(requests.len(), Ordering::Relaxed))?;
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
pub fn place(client: &Client, orders: &[Request]) -> Result<Vec<String>> {
    let id = |answer: Value| Ok(answer["order_id"].as_str().context("an order has an id")?.to_owned());
    ask_all(client, orders)?.into_iter().map(id).collect()
}

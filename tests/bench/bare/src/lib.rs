//! Answers the shop's requests with only those calls of the store that they cannot do without, in records and answers
//! of the size that the shop's have. It checks nothing and tries nothing again: the limit for a component that commits
//! each request for itself, and no shop.

mod bindings {
    #![allow(clippy::all, clippy::pedantic, reason = "generated")]
    wit_bindgen::generate!({ world: "keyvalue", path: "../../../components/keyvalue-store/wit", generate_all });
}

use std::fmt::Debug;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spin_sdk::http::{Error, IntoResponse, Request};
use spin_sdk::http_service;
use spin_sdk::wasip3::clocks::system_clock;
use spin_sdk::wasip3::random::random::get_random_u64;

use bindings::wasi::keyvalue::atomics::{self, Cas};
use bindings::wasi::keyvalue::batch;
use bindings::wasi::keyvalue::store::{self, Bucket};

#[http_service]
async fn serve(request: Request) -> Result<impl IntoResponse, Error> {
    let (parts, body) = request.into_parts();
    let segments: Vec<_> = parts.uri.path().trim_matches('/').split('/').collect();
    let (status, answer) = match (&parts.method, segments.as_slice()) {
        (&Method::GET, ["health"]) => (StatusCode::OK, br#"{"status":"ok"}"#.to_vec()),
        (&Method::GET, ["inventory", item]) => (StatusCode::OK, show_item(item)?),
        (&Method::PUT, ["inventory", item]) => (StatusCode::CREATED, put_item(item)?),
        (&Method::GET, ["orders", order]) => (StatusCode::OK, show_order(order)?),
        (&Method::POST, ["orders"]) => (StatusCode::CREATED, place(&body.collect().await?.to_bytes())?),
        (&Method::POST, ["orders", order, "pay"]) => (StatusCode::OK, pay(order)?),
        _ => (StatusCode::NOT_FOUND, Vec::new()),
    };
    let length = answer.len();
    let mut response = Response::new(Full::new(Bytes::from(answer)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Or else the answer would be chunked, which takes longer.
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    Ok(response)
}

#[derive(Serialize, Deserialize)]
struct Item {
    item_id: String,
    version: u64,
    on_hand: u64,
    reserved: u64,
    available: u64,
    unit_price: u64,
    currency: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NewOrder {
    Lines { items: Vec<NewLine> },
    Line(NewLine),
}

#[derive(Deserialize)]
struct NewLine {
    item_id: String,
    quantity: u64,
}

#[derive(Serialize, Deserialize)]
struct Order {
    order_id: String,
    status: String,
    items: Vec<Line>,
    total: u64,
    currency: String,
    placed_at: u64,
    expires_at: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    item_id: String,
    quantity: u64,
    unit_price: u64,
}

const UNPAID: &[u8] = br#"{"state":"unpaid"}"#;

fn show_item(item: &str) -> Result<Vec<u8>, Error> {
    get(&open()?, &item_key(item))
}

/// An item that does not run out.
fn put_item(item: &str) -> Result<Vec<u8>, Error> {
    let on_hand = 1_000_000_000;
    let record = Item {
        item_id: item.to_owned(),
        version: 0,
        on_hand,
        reserved: 0,
        available: on_hand,
        unit_price: 1000,
        currency: "CNY".to_owned(),
    };
    let record = encode(&record)?;
    open()?.set(&item_key(item), &record).map_err(failed)?;
    Ok(record)
}

/// Order and payment are read, and the items, since whether the order is pending depends on them.
fn show_order(order: &str) -> Result<Vec<u8>, Error> {
    let store = open()?;
    let (answer, _) = read_order(&store, order)?;
    let order: Order = decode(&answer)?;
    get_items(&store, order.items.iter().map(|line| line.item_id.as_str()))?;
    Ok(answer)
}

/// One commit writes the order and its payment, and another each item.
fn place(body: &[u8]) -> Result<Vec<u8>, Error> {
    let lines = match decode(body)? {
        NewOrder::Lines { items } => items,
        NewOrder::Line(line) => vec![line],
    };
    let store = open()?;
    let items = get_items(&store, lines.iter().map(|line| line.item_id.as_str()))?;
    let price = |line: &NewLine| items.iter().find(|item| item.item_id == line.item_id).map(|item| item.unit_price);
    let lines: Vec<_> = lines
        .into_iter()
        .map(|line| Line {
            unit_price: price(&line).unwrap_or_default(),
            item_id: line.item_id,
            quantity: line.quantity,
        })
        .collect();
    let now = system_clock::now().seconds.unsigned_abs() * 1000;
    let order = Order {
        order_id: format!("{:016x}{:016x}", get_random_u64(), get_random_u64()),
        status: "pending".to_owned(),
        total: lines.iter().map(|line| line.quantity * line.unit_price).sum(),
        items: lines,
        currency: "CNY".to_owned(),
        placed_at: now,
        expires_at: now + 900_000,
    };
    let answer = encode(&order)?;
    let records = [(order_key(&order.order_id), answer.clone()), (payment_key(&order.order_id), UNPAID.to_vec())];
    batch::set_many(&store, &records).map_err(failed)?;
    for line in &order.items {
        swap(&store, &item_key(&line.item_id), |item| {
            let mut item: Item = decode(item)?;
            item.version += 1;
            item.reserved += line.quantity;
            item.available -= line.quantity;
            encode(&item)
        })?;
    }
    Ok(answer)
}

fn pay(order: &str) -> Result<Vec<u8>, Error> {
    let store = open()?;
    let (answer, _) = read_order(&store, order)?;
    let paid = br#"{"state":"paid","amount":1000,"method":"unspecified","paid_at":1790000000000}"#;
    swap(&store, &payment_key(order), |_| Ok(paid.to_vec()))?;
    Ok(answer)
}

fn open() -> Result<Bucket, Error> {
    store::open("default").map_err(failed)
}

fn get(store: &Bucket, key: &str) -> Result<Vec<u8>, Error> {
    store.get(key).map_err(failed)?.ok_or_else(|| Error::other(format!("there is no {key}")))
}

fn get_many(store: &Bucket, keys: &[String]) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let found = batch::get_many(store, keys).map_err(failed)?;
    let found: Vec<_> = found.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    if found.len() == keys.len() { Ok(found) } else { Err(Error::other(format!("one of {keys:?} is not there"))) }
}

fn get_items<'a>(store: &Bucket, items: impl Iterator<Item = &'a str>) -> Result<Vec<Item>, Error> {
    let keys: Vec<_> = items.map(item_key).collect();
    match keys.as_slice() {
        [key] => Ok(vec![decode(&get(store, key)?)?]),
        keys => get_many(store, keys)?.iter().map(|(_, value)| decode(value)).collect(),
    }
}

/// The records of an order and its payment.
fn read_order(store: &Bucket, order: &str) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let key = order_key(order);
    let mut found = get_many(store, &[key.clone(), payment_key(order)])?.into_iter();
    match (found.next(), found.next()) {
        (Some((first, one)), Some((_, other))) => Ok(if first == key { (one, other) } else { (other, one) }),
        _ => Err(Error::other("two records are two")),
    }
}

/// Tries once to swap a record. Whether it was swapped makes no difference here.
fn swap(store: &Bucket, key: &str, change: impl FnOnce(&[u8]) -> Result<Vec<u8>, Error>) -> Result<(), Error> {
    let cas = Cas::new(store, key).map_err(failed)?;
    let current = cas.current().map_err(failed)?.ok_or_else(|| Error::other(format!("there is no {key}")))?;
    match atomics::swap(cas, &change(&current)?) {
        Ok(()) | Err(atomics::CasError::CasFailed(_)) => Ok(()),
        Err(atomics::CasError::StoreError(error)) => Err(failed(error)),
    }
}

fn item_key(item: &str) -> String {
    format!("inventory:{item}")
}

fn order_key(order: &str) -> String {
    format!("order:{order}")
}

fn payment_key(order: &str) -> String {
    format!("payment:{order}")
}

fn decode<T: DeserializeOwned>(record: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(record).map_err(|error| Error::other(error.to_string()))
}

fn encode(record: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(record).map_err(|error| Error::other(error.to_string()))
}

fn failed(error: impl Debug) -> Error {
    Error::other(format!("{error:?}"))
}

//! Clients that place orders of many lines and cancel them, again and again, until the store has no room.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::Result;
use harness::{Answer, Client, Request};

use super::Held;
use crate::honest::{Order, Seen};
use crate::shop::{HONEST, flooded};
use crate::{Shop, Sizes};

/// The clients that share the work.
const CLIENTS: usize = 8;

/// The flood ends after this number of answers in a row which say that nothing can be written.
const FULL: usize = 20;

/// The most time that a flood takes, in bursts: a store that does not fill up is flooded no longer.
const BURSTS: u32 = 5;

/// The room that a full Redis has, in kB: below nothing, by more than what ends meanwhile gives back.
const FULL_BY: i64 = -256;

pub(super) fn run(sizes: &Sizes, client: &Client, shop: &Shop) -> Result<Held> {
    shop.leave_room(sizes.room)?;
    let begun = Instant::now();
    let (next, in_a_row, over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let placed = AtomicUsize::new(0);
    let refused: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let flood = || -> Result<()> {
        let client = Client::new(&client.url(), None)?;
        let lines: Vec<_> = (0..sizes.lines).map(|line| (flooded(line), 1)).collect();
        while !over.load(Ordering::Relaxed) {
            let is_late = begun.elapsed() > sizes.burst * BURSTS;
            if next.fetch_add(1, Ordering::Relaxed) >= sizes.orders || is_late {
                break;
            }
            let answer = client.send(&Request::place(&lines));
            if let Some(order) = answer.as_ref().ok().and_then(Order::acknowledged) {
                placed.fetch_add(1, Ordering::Relaxed);
                in_a_row.store(0, Ordering::Relaxed);
                let _ = client.send(&Request::cancel(&order.id));
                continue;
            }
            let why = answer.as_ref().map_or_else(ToString::to_string, told);
            let is_busy = why.ends_with(" busy");
            *refused.lock().unwrap_or_else(PoisonError::into_inner).entry(why).or_default() += 1;
            if !is_busy && in_a_row.fetch_add(1, Ordering::Relaxed) >= FULL {
                over.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(flood)).collect();
        clients.into_iter().try_for_each(|client| client.join().expect("no client panics"))
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let mut done = vec![format!(
        "{} orders of {} lines placed and cancelled in {seconds:.1} s; refused: {:?}",
        placed.into_inner(),
        sizes.lines,
        refused.into_inner().unwrap_or_else(PoisonError::into_inner)
    )];
    if let Some((used, limit)) = shop.redis_memory()? {
        done.push(format!("the Redis has {} of {} kB", used >> 10, limit >> 10));
    }
    Ok(Held { done, keeper: None })
}

/// Status and code.
fn told(answer: &Answer) -> String {
    let body = answer.value();
    let part = |name: &str| body[name].as_str().unwrap_or("-").to_owned();
    let what = if body["code"].is_null() { part("status") } else { part("code") };
    format!("{} {what}", answer.status)
}

/// What a shop does when the flood is over and the store is full. Answers with what was found, and with what of it is a
/// fault.
pub(crate) fn full_store(client: &Client, shop: &Shop, seen: &Seen) -> Result<(Vec<String>, Vec<String>)> {
    // The flood may have been too slow to fill it, and what has ended since has given back some of it.
    shop.leave_room(FULL_BY)?;
    let mut found = Vec::new();
    let mut faults = Vec::new();
    let mut judge = |what: &str, request: &Request, expected: &[&str]| {
        let answer = client.send(request);
        let told = answer.as_ref().map_or_else(ToString::to_string, told);
        let is_right = expected.iter().any(|expected| told.starts_with(expected));
        found.push(format!("afterwards, {what}: {told}"));
        if !is_right {
            faults.push(format!("on a full store, {what}: {told}"));
        }
        // What is done at all is tried again, and not judged by how fast it is.
        sleep(Duration::from_millis(10));
    };
    judge("an item is shown", &Request::show_item(HONEST), &["200 "]);
    let mut unpaid = seen.orders.iter().filter(|order| order.status == "pending");
    if let Some(order) = unpaid.next() {
        judge("an order is shown", &Request::show_order(&order.id), &["200 "]);
        judge("an order is paid", &Request::pay(&order.id), &["200 paid"]);
    }
    if let Some(order) = unpaid.next() {
        judge("an order is cancelled", &Request::cancel(&order.id), &["200 cancelled"]);
    }
    judge("an order is placed", &Request::place(&[(HONEST, 1)]), &["507 store_full"]);
    judge("GET /ready", &Request::get("/ready"), &["200 cannot_sell"]);
    judge("POST /sweep", &Request::post("/sweep").operator(), &["200 "]);
    // However full the store is, none of these may be gone or changed.
    let decided = seen.orders.iter().filter(|order| order.status == "paid");
    faults.extend(decided.filter_map(|order| order.lost(client)));
    Ok((found, faults))
}

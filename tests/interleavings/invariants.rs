//! The invariants of the domain, read from the records.

use std::collections::BTreeMap;

use domain::Status;
use serde_json::Value;

use crate::world::{Answer, Choice, Faults, Request, World, first_order, order_id};

type Records = BTreeMap<String, Value>;

/// What the invariants are checked against: how a case began.
pub struct Case {
    pub items: &'static [(&'static str, u64)],
    pub requests: &'static [Request],
    /// What comes before the search: so many calls of this request, then of that one.
    pub before: &'static [(usize, usize)],
}

impl Case {
    /// Where the search begins.
    pub fn begin(&self, faults: Faults) -> World {
        let mut world = World::new(self.items, self.requests, faults);
        for (request, calls) in self.before {
            (0..*calls).for_each(|_| world.choose(Choice::Call(*request)));
        }
        world
    }
}

/// The first invariant that does not hold, if any.
pub fn violation(case: &Case, world: &World) -> Option<String> {
    let records = world.records();
    let orders: Vec<_> = records.iter().filter(|(key, _)| key.starts_with("order:")).map(|(_, order)| order).collect();
    for (item, initial) in case.items {
        let record = &records[&format!("inventory:{item}")];
        if let Some(broken) = books(case, &records, &orders, item, *initial, record) {
            return Some(broken);
        }
    }
    told_is_true(case, &records, world).or_else(|| one_order_a_key(case, &records, &orders))
}

/// No oversell, conservation, and paid means held: what is on hand is the beginning, plus adjustments, less the goods
/// of paid orders whose hold was settled.
fn books(
    case: &Case,
    records: &Records,
    orders: &[&Value],
    item: &str,
    initial: u64,
    record: &Value,
) -> Option<String> {
    let held = |order: &str| record["holds"].get(order).is_some();
    let reserved: u64 =
        record["holds"].as_object().into_iter().flatten().map(|(_, hold)| number(hold, "quantity")).sum();
    let on_hand = number(record, "on_hand");
    if reserved > on_hand {
        return Some(format!("{item}: {reserved} promised, {on_hand} on hand"));
    }
    let made = record["adjustments"].as_array().map_or(0, Vec::len);
    let deltas: Vec<_> = case
        .requests
        .iter()
        .filter_map(|request| match request {
            Request::Adjust(of, delta) if *of == item => Some(*delta),
            _ => None,
        })
        .collect();
    if made > deltas.len() {
        return Some(format!("{item}: adjusted {made} times"));
    }
    // The item remembers that adjustments were made, not by how much: a case has one delta an item.
    let mut expected = i64::try_from(initial).expect("small") + deltas.iter().take(made).sum::<i64>();
    for order in orders {
        let id = order["order_id"].as_str().expect("an id");
        let paid = records[&format!("payment:{id}")]["state"] == "paid";
        for line in order["lines"].as_array().expect("lines").iter().filter(|line| line["item_id"] == item) {
            if paid && !held(id) {
                expected -= i64::try_from(number(line, "quantity")).expect("small");
            }
        }
    }
    (expected != i64::try_from(on_hand).expect("small"))
        .then(|| format!("{item}: {on_hand} on hand where the books say {expected}"))
}

/// Nobody was told of an order that it is placed, paid or cancelled, and it is not.
fn told_is_true(case: &Case, records: &Records, world: &World) -> Option<String> {
    world.answers().find_map(|(number, answer)| {
        let request = case.requests.get(number)?;
        let order = match (request, answer) {
            (_, Answer::Placed(order, _)) => order.to_string(),
            (Request::Pay(of) | Request::Cancel(of), _) => first_order(*of).to_string(),
            _ => return None,
        };
        let payment = records.get(&format!("payment:{order}"));
        let is = |field: &str, value: &str| payment.is_some_and(|payment| payment[field] == value);
        let true_still = match answer {
            Answer::Placed(_, Status::Paid) | Answer::Paid => is("state", "paid"),
            Answer::Placed(_, Status::Cancelled) | Answer::Cancelled => is("reason", "cancelled"),
            // "Expired" may still be followed by a payment that was under way before: it says what time it is.
            Answer::Placed(_, _) => payment.is_some() && !is("reason", "rejected"),
            Answer::Adjusted | Answer::Refused(_) => true,
        };
        (!true_still).then(|| format!("request {number} was told {answer:?}; the payment is {payment:?}"))
    })
}

/// A key stands for one order: of those that were placed under it, one at most is held, paid, cancelled or expired.
fn one_order_a_key(case: &Case, records: &Records, orders: &[&Value]) -> Option<String> {
    // The ids that the requests with a key can have given to their orders, with a few attempts each.
    let keyed: Vec<_> = case
        .requests
        .iter()
        .enumerate()
        .filter(|(_, request)| matches!(request, Request::Place(_, Some(_))))
        .flat_map(|(number, _)| (0..4).map(move |count| order_id(number, count).to_string()))
        .collect();
    let placed: Vec<_> = orders
        .iter()
        .filter_map(|order| order["order_id"].as_str())
        .filter(|id| keyed.iter().any(|keyed| keyed == id))
        .filter(|id| {
            let payment = &records[&format!("payment:{id}")];
            let held =
                case.items.iter().any(|(item, _)| records[&format!("inventory:{item}")]["holds"].get(id).is_some());
            payment["reason"] != "rejected" && (held || payment["state"] != "unpaid")
        })
        .collect();
    (placed.len() > 1).then(|| format!("one key, {} orders: {placed:?}", placed.len()))
}

/// Whether ordinary requests clear away what a run has left: no hold of an order that was not paid, and no hold at all
/// after everything was settled.
pub fn stuck(case: &Case, world: &mut World) -> Option<String> {
    world.after_expiry();
    for (item, _) in case.items {
        for _ in 0..4 {
            if let Answer::Refused(error) = world.run(Request::Adjust(item, 1)) {
                return Some(format!("{item} cannot be adjusted: {error}"));
            }
        }
        let record = &world.records()[&format!("inventory:{item}")];
        if record.get("holds").is_some() {
            return Some(format!("{item} still has holds: {record}"));
        }
    }
    None
}

fn number(record: &Value, field: &str) -> u64 {
    record[field].as_u64().expect("a number")
}

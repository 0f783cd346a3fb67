//! All records of a store that is not under load any more: whether they are what clients were told.

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;
use harness::observed::Status;
use records::location::{Location, Source};
use records::{Books, Faults};
use uuid::Uuid;

use crate::store::PLENTY;
use crate::told::Told;

/// Reads a store from beginning to end.
pub fn read(place: &Location) -> Result<Books> {
    let mut all = Vec::new();
    Source::open(place)?.each_raw("", |key, value| {
        all.push((key.to_owned(), value));
        Ok(())
    })?;
    Ok(Books::of_store(all)?)
}

/// What contradicts what clients were told of their orders.
pub fn contradictions(books: &Books, told: &Told, items: &[String]) -> Faults {
    let status = |order: &Uuid| books.states().get(order).and_then(|state| Status::named(state.name()));
    let mut faults = Faults::default();
    let mut known = HashSet::with_capacity(told.orders.len());
    for order in &told.orders {
        if !known.insert(order.id) {
            faults.add("orders that were acknowledged twice", order.id);
        }
        let (Some(lines), Some(is)) = (books.orders().get(&order.id), status(&order.id)) else {
            faults.add("acknowledged orders that are not there", order.id);
            continue;
        };
        let mut asked: Vec<_> =
            order.lines.iter().map(|(item, quantity)| (items[*item as usize].as_str(), *quantity)).collect();
        asked.sort_unstable();
        if !lines.iter().map(|line| (line.item_id.as_str(), line.quantity)).eq(asked) {
            faults.add("orders of something else than was asked for", order.id);
        }
        let fits = match (order.status, is) {
            (_, Status::Rejected) => false,
            (told, is) if told == is => true,
            // Its expiry is written down when an item is changed.
            (Status::Pending, Status::Expired) | (Status::Expired, Status::Pending) => true,
            (Status::Pending, _) => order.unsure,
            _ => false,
        };
        if !fits {
            faults.add("orders that are not what was told", format!("{}: {:?}, not {is:?}", order.id, order.status));
        }
    }
    for order in books.states().keys().filter(|order| books.is_paid(order) && !known.contains(*order)) {
        faults.add("paid orders that no client was told of", order);
    }
    faults
}

/// What does not add up.
pub fn imbalances(books: &Books, told: &Told, items: &[String]) -> Faults {
    let mut faults = Faults::default();
    let mut paid: BTreeMap<&str, u64> = BTreeMap::new();
    for line in books.orders().iter().filter(|(order, _)| books.is_paid(order)).flat_map(|(_, lines)| lines) {
        *paid.entry(&line.item_id).or_default() += line.quantity;
    }
    let unsure: HashSet<_> = told.orders.iter().filter(|order| order.unsure).flat_map(|o| &o.lines).collect();
    let unsure: HashSet<_> = unsure.into_iter().map(|(item, _)| *item).collect();
    let told_paid = told.paid();
    for (number, id) in (0..).zip(items) {
        let Some(item) = books.items().get(id) else {
            faults.add("items that are not there", id);
            continue;
        };
        let (received, sold) = (item.received.unwrap_or(item.on_hand), item.sold.unwrap_or(0));
        if !item.is_balanced() {
            faults.add("items whose books do not add up", format!("{id}: {}", item.account()));
        }
        let adjusted = PLENTY.checked_add_signed(told.adjusted.get(&number).copied().unwrap_or(0));
        if adjusted != Some(received) && !told.unsure.contains(&number) {
            let is = format!("{id}: {received} received, {adjusted:?} acknowledged");
            faults.add("items that have received something else than was acknowledged", is);
        }
        let held = item.holds.iter().filter(|(order, _)| books.is_paid(order)).map(|(_, hold)| hold.quantity);
        let leaving = sold + held.sum::<u64>();
        let recorded = paid.get(id.as_str()).copied().unwrap_or(0);
        if leaving != recorded {
            let is = format!("{id}: {leaving} sold or held by paid orders, {recorded} in paid orders");
            faults.add("items that have sold something else than was paid", is);
        }
        let acknowledged = told_paid.get(&number).copied().unwrap_or(0);
        if acknowledged != recorded && !unsure.contains(&number) {
            let is = format!("{id}: {recorded} in paid orders, {acknowledged} in those acknowledged as paid");
            faults.add("items of which something else is paid than was acknowledged", is);
        }
    }
    faults
}

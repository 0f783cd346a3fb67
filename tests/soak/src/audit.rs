//! All records of a store that is not under load any more: whether each is named by another, and whether they are what
//! clients were told.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result};
use harness::observed::Status;
use records::place::{Place, Source};
use records::{Adjustment, Item};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::store::PLENTY;
use crate::told::{Faults, Told};

/// What is in the store.
#[derive(Debug, Default)]
pub struct Records {
    catalog: Catalog,
    ledger: Option<Ledger>,
    items: BTreeMap<String, Item>,
    orders: HashMap<Uuid, Vec<Line>>,
    payments: HashMap<Uuid, Payment>,
    /// How often each order is named in the list of orders.
    placed: HashMap<Uuid, u64>,
    /// The highest number of the list that has a record.
    last_placed: Option<u64>,
    mapped: Vec<(String, Uuid)>,
    /// The names of their records.
    adjustments: HashSet<String>,
    /// The tokens that claim cells have, and those of the records that are kept under a token, by the name of the record.
    cells: BTreeMap<String, Option<String>>,
    claimed: Vec<(String, String, Vec<u8>)>,
    /// What does not belong into a store that is not in use.
    foreign: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Catalog {
    items: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Ledger {
    next: u64,
}

#[derive(Debug, Deserialize)]
struct Line {
    item_id: String,
    quantity: u64,
}

#[derive(Debug, Deserialize)]
struct Order {
    lines: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Payment {
    state: String,
    #[serde(default)]
    reason: String,
}

impl Payment {
    /// What the order has come to; none where it was rejected.
    fn status(&self) -> Option<Status> {
        match (self.state.as_str(), self.reason.as_str()) {
            ("unpaid", _) => Some(Status::Pending),
            ("paid", _) => Some(Status::Paid),
            (_, "cancelled") => Some(Status::Cancelled),
            (_, "expired") => Some(Status::Expired),
            _ => None,
        }
    }
}

/// Under which names the record of an adjustment may be kept: that of its key alone, or that of its key and what was asked
/// for.
fn names(adjustment: &Adjustment) -> [String; 2] {
    let mut hash = Sha256::new();
    for part in [adjustment.key.to_string(), adjustment.request.to_string()] {
        hash.update(part);
        hash.update([0]);
    }
    let both = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    [adjustment.key.to_string(), both]
}

impl Records {
    /// Reads a store from beginning to end.
    ///
    /// # Errors
    /// Says which record cannot be read.
    pub fn read(place: &Place) -> Result<Self> {
        let mut records = Self::default();
        Source::open(place)?.each_raw("", |key, value| records.enter(key, value))?;
        records.find_claimed()?;
        Ok(records)
    }

    /// These records, with the keys that the store has for them.
    ///
    /// # Errors
    /// Says which record cannot be read.
    pub fn of(all: Vec<(String, Vec<u8>)>) -> Result<Self> {
        let mut records = Self::default();
        all.into_iter().try_for_each(|(key, value)| records.enter(&key, value))?;
        records.find_claimed()?;
        Ok(records)
    }

    fn enter(&mut self, key: &str, value: Vec<u8>) -> Result<()> {
        self.try_to_enter(key, value).with_context(|| format!("{key} cannot be read"))
    }

    fn try_to_enter(&mut self, key: &str, value: Vec<u8>) -> Result<()> {
        match (key.split_once('~'), key.split_once(':')) {
            (Some((name, "")), _) => {
                let token = records::read(key, &value)?.as_str().map(str::to_owned);
                self.cells.insert(name.to_owned(), token);
            }
            (Some((name, token)), _) => self.claimed.push((name.to_owned(), token.to_owned(), value)),
            (None, None) if key == "catalog" => self.catalog = serde_json::from_slice(&value)?,
            (None, None) if key == "ledger" => self.ledger = Some(serde_json::from_slice(&value)?),
            (None, Some(("inventory", item))) => _ = self.items.insert(item.to_owned(), Item::decode(&value)?),
            (None, Some(("order", id))) => {
                let Order { lines } = serde_json::from_slice(&value)?;
                self.orders.insert(id.parse()?, lines);
            }
            (None, Some(("payment", id))) => {
                self.payments.insert(id.parse()?, serde_json::from_slice(&value)?);
            }
            (None, Some(("placed", number))) => {
                self.last_placed = self.last_placed.max(Some(number.parse()?));
                for order in serde_json::from_slice::<Vec<Uuid>>(&value)? {
                    *self.placed.entry(order).or_default() += 1;
                }
            }
            (None, Some(("idempotency", digest))) => {
                self.mapped.push((digest.to_owned(), serde_json::from_slice(&value)?));
            }
            (None, Some(("adjustment", name))) => _ = self.adjustments.insert(name.to_owned()),
            _ => self.foreign.push(key.to_owned()),
        }
        Ok(())
    }

    /// Enters what is claimed under the name that the rules know it by.
    fn find_claimed(&mut self) -> Result<()> {
        for (name, token, value) in std::mem::take(&mut self.claimed) {
            match self.cells.get(&name) {
                Some(Some(claim)) if *claim == token => {
                    self.enter(&name, value)?;
                }
                _ => self.foreign.push(format!("{name}~{token}")),
            }
        }
        Ok(())
    }

    /// How many orders there are.
    pub fn orders(&self) -> usize {
        self.orders.len()
    }

    /// How many orders are listed whose records were withdrawn: who places an order under an idempotency key and finds
    /// another order there takes its own records back. The list keeps the name, since its records never change.
    pub fn withdrawn(&self) -> usize {
        self.placed
            .keys()
            .filter(|order| !self.orders.contains_key(order) && !self.payments.contains_key(order))
            .count()
    }

    /// Records that no other record names, and names of records that are not there.
    pub fn unnamed(&self) -> Faults {
        let mut faults = Faults::default();
        for (order, lines) in &self.orders {
            if !self.payments.contains_key(order) {
                faults.add("orders without a payment", order);
            }
            match self.placed.get(order) {
                Some(1) => {}
                Some(_) => faults.add("orders that are listed twice", order),
                None => faults.add("orders that are not listed", order),
            }
            if let Some(line) = lines.iter().find(|line| !self.items.contains_key(&line.item_id)) {
                faults.add("orders of an item that is not there", format!("{order}: {}", line.item_id));
            }
        }
        for order in self.payments.keys().filter(|order| !self.orders.contains_key(order)) {
            faults.add("payments without an order", order);
        }
        let given = self.ledger.as_ref().map_or(0, |ledger| ledger.next);
        if let Some(number) = self.last_placed.filter(|number| *number >= given) {
            faults.add("lists of orders that the ledger does not know", format!("placed:{number}"));
        }
        for (item, record) in &self.items {
            for (order, hold) in &record.holds {
                let lines = self.orders.get(order).into_iter().flatten();
                let mut line = lines.filter(|line| line.item_id == *item);
                if !line.any(|line| line.quantity == hold.quantity) {
                    faults.add("holds of what no order asks for", format!("inventory:{item}, order {order}"));
                }
            }
            for order in record.settled_keys.values().filter(|order| !self.orders.contains_key(order)) {
                faults.add("settled keys without an order", format!("inventory:{item}, order {order}"));
            }
            if self.catalog.items.binary_search(item).is_err() {
                faults.add("items that are not listed", item);
            }
        }
        for item in self.catalog.items.iter().filter(|item| !self.items.contains_key(*item)) {
            faults.add("listed items that are not there", item);
        }
        for (digest, order) in self.mapped.iter().filter(|(_, order)| !self.orders.contains_key(order)) {
            faults.add("mapped keys without an order", format!("idempotency:{digest}, order {order}"));
        }
        let remembered: HashSet<_> = self.items.values().flat_map(|item| &item.adjustments).flat_map(names).collect();
        for name in self.adjustments.difference(&remembered) {
            faults.add("adjustments that no item remembers", format!("adjustment:{name}"));
        }
        for (name, _) in self.cells.iter().filter(|(name, token)| {
            let item = name.strip_prefix("inventory:").is_some_and(|item| self.items.contains_key(item));
            token.is_none() || !(item || ["catalog", "ledger"].contains(&name.as_str()))
        }) {
            faults.add("claim cells without a record", format!("{name}~"));
        }
        self.foreign.iter().for_each(|key| faults.add("records of no known kind, or that no claim cell names", key));
        faults
    }

    /// What contradicts what clients were told of their orders.
    pub fn contradictions(&self, told: &Told, items: &[String]) -> Faults {
        let mut faults = Faults::default();
        let mut known = HashSet::with_capacity(told.orders.len());
        for order in &told.orders {
            if !known.insert(order.id) {
                faults.add("orders that were acknowledged twice", order.id);
            }
            let (Some(lines), Some(payment)) = (self.orders.get(&order.id), self.payments.get(&order.id)) else {
                faults.add("acknowledged orders that are not there", order.id);
                continue;
            };
            let mut asked: Vec<_> =
                order.lines.iter().map(|(item, quantity)| (items[*item as usize].as_str(), *quantity)).collect();
            asked.sort_unstable();
            if !lines.iter().map(|line| (line.item_id.as_str(), line.quantity)).eq(asked) {
                faults.add("orders of something else than was asked for", order.id);
            }
            let is = payment.status();
            let fits = match (order.status, is) {
                (told, Some(is)) if told == is => true,
                // Its expiry is written down when an item is changed.
                (Status::Pending, Some(Status::Expired)) | (Status::Expired, Some(Status::Pending)) => true,
                (Status::Pending, Some(_)) => order.unsure,
                _ => false,
            };
            if !fits {
                faults
                    .add("orders that are not what was told", format!("{}: {:?}, not {is:?}", order.id, order.status));
            }
        }
        for (order, payment) in &self.payments {
            if payment.status() == Some(Status::Paid) && !known.contains(order) {
                faults.add("paid orders that nobody was told of", order);
            }
        }
        faults
    }

    /// What does not add up.
    pub fn books(&self, told: &Told, items: &[String]) -> Faults {
        let mut faults = Faults::default();
        let mut paid: HashMap<&str, u64> = HashMap::new();
        let is_paid = |order: &Uuid| self.payments.get(order).is_some_and(|p| p.status() == Some(Status::Paid));
        for line in self.orders.iter().filter(|(order, _)| is_paid(order)).flat_map(|(_, lines)| lines) {
            *paid.entry(&line.item_id).or_default() += line.quantity;
        }
        let unsure: HashSet<_> = told.orders.iter().filter(|order| order.unsure).flat_map(|o| &o.lines).collect();
        let unsure: HashSet<_> = unsure.into_iter().map(|(item, _)| *item).collect();
        let told_paid = told.paid();
        for (number, id) in (0..).zip(items) {
            let Some(item) = self.items.get(id) else {
                faults.add("items that are not there", id);
                continue;
            };
            let (received, sold) = (item.received.unwrap_or(item.on_hand), item.sold.unwrap_or(0));
            if received != item.on_hand + sold {
                let is = format!("{id}: {received} received, {sold} sold, {} on hand", item.on_hand);
                faults.add("items whose books do not add up", is);
            }
            let adjusted = PLENTY.checked_add_signed(told.adjusted.get(&number).copied().unwrap_or(0));
            if adjusted != Some(received) && !told.unsure.contains(&number) {
                let is = format!("{id}: {received} received, {adjusted:?} acknowledged");
                faults.add("items that have received something else than was acknowledged", is);
            }
            let held = item.holds.iter().filter(|(order, _)| is_paid(order)).map(|(_, hold)| hold.quantity);
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
}

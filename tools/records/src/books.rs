//! The books of a shop: whether its records are consistent, and their totals.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use uuid::Uuid;

use crate::{Item, Unreadable};

/// The totals of a shop's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// The number of items.
    pub items: u64,
    /// The units in stock, reserved ones included.
    pub on_hand: u64,
    /// The units that are reserved.
    pub reserved: u64,
    /// Orders that can still be paid, or expire.
    pub unpaid: u64,
    /// Orders that are paid.
    pub paid: u64,
    /// Orders that are cancelled or expired.
    pub void: u64,
    /// The units in paid orders.
    pub sold: u64,
    /// Idempotency keys that are mapped to an order.
    pub keys: u64,
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { items, on_hand, reserved, unpaid, paid, void, sold, keys } = self;
        write!(f, "{items} items, {on_hand} on hand, {reserved} of them reserved; ")?;
        write!(f, "{unpaid} orders unpaid, {paid} paid with {sold} sold, {void} void; {keys} keys")
    }
}

/// An inconsistency between records.
#[derive(Debug, thiserror::Error)]
pub enum Imbalance {
    /// A record that is no such record.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, Unreadable),
    /// A key that no record of a shop has.
    #[error("{0} is no record of a shop")]
    Foreign(String),
    /// More of an item is reserved than is in stock.
    #[error("{reserved} of {item} are reserved, and {on_hand} are there")]
    Oversold {
        /// Which item.
        item: String,
        /// How much is reserved.
        reserved: u64,
        /// How much is there.
        on_hand: u64,
    },
    /// The units in stock and sold are not those that were received.
    #[error("{received} of {item} were received, {sold} are sold, and {on_hand} are there")]
    Lost {
        /// Which item.
        item: String,
        /// How much was put in.
        received: u64,
        /// How much has left.
        sold: u64,
        /// How much is there.
        on_hand: u64,
    },
    /// One record needs another.
    #[error("{0} is there, and {1} is not")]
    Missing(String, String),
    /// An item that cannot be found.
    #[error("inventory:{0} is there, and the catalog does not list it")]
    Unlisted(String),
    /// An item has a hold that its order does not ask for.
    #[error("inventory:{0} holds what order:{1} does not ask for")]
    Hold(String, Uuid),
    /// A customer was told that all of an order is held, and it is not.
    #[error("order:{0} is confirmed, and inventory:{1} does not hold it")]
    NotHeld(Uuid, String),
}

/// The records of a shop, one after another.
#[derive(Debug, Default)]
pub struct Books {
    listed: Option<BTreeSet<String>>,
    /// The stock and the holds of each item.
    items: BTreeMap<String, (u64, BTreeMap<Uuid, u64>)>,
    orders: BTreeMap<Uuid, Vec<Line>>,
    payments: BTreeMap<Uuid, State>,
    mapped: BTreeMap<String, Uuid>,
}

#[derive(Debug, Deserialize)]
struct Catalog {
    items: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "that it is there is all that is asked of it")]
struct Ledger {
    id: String,
    next: u64,
    by: String,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "that it is there is all that is asked of it")]
struct Made {
    at: u64,
    delta: i64,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Order {
    lines: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Line {
    item_id: String,
    quantity: u64,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum State {
    Unpaid {
        #[serde(default)]
        confirmed: bool,
    },
    Paid {},
    Void {},
}

/// The id in the name of a record.
fn id(key: &str, id: &str) -> Result<Uuid, Imbalance> {
    id.parse().map_err(|_| Imbalance::Foreign(key.to_owned()))
}

fn json<'a, T: Deserialize<'a>>(key: &str, bytes: &'a [u8]) -> Result<T, Imbalance> {
    serde_json::from_slice(bytes).map_err(|error| Imbalance::Unreadable(key.to_owned(), error.into()))
}

impl Books {
    /// Enters a record, under the key that the rules know it by.
    ///
    /// # Errors
    /// Explains why it is not a record of a shop.
    pub fn enter(&mut self, key: &str, bytes: &[u8]) -> Result<(), Imbalance> {
        match key.split_once(':') {
            None if key == "catalog" => self.listed = Some(json::<Catalog>(key, bytes)?.items),
            Some(("inventory", item)) => {
                let read = Item::decode(bytes).map_err(|error| Imbalance::Unreadable(key.to_owned(), error))?;
                if let (Some(received), Some(sold)) = (read.received, read.sold)
                    && received != read.on_hand + sold
                {
                    let (item, on_hand) = (item.to_owned(), read.on_hand);
                    return Err(Imbalance::Lost { item, received, sold, on_hand });
                }
                let holds = read.holds.into_iter().map(|(order, hold)| (order, hold.quantity)).collect();
                self.items.insert(item.to_owned(), (read.on_hand, holds));
            }
            Some(("order", order)) => _ = self.orders.insert(id(key, order)?, json::<Order>(key, bytes)?.lines),
            Some(("payment", order)) => _ = self.payments.insert(id(key, order)?, json(key, bytes)?),
            None if key == "ledger" => _ = json::<Ledger>(key, bytes)?,
            Some(("placed", number)) if number.bytes().all(|digit| digit.is_ascii_digit()) => {
                _ = json::<Vec<Uuid>>(key, bytes)?;
            }
            Some(("adjustment", _)) => _ = json::<Made>(key, bytes)?,
            Some(("idempotency", digest)) => _ = self.mapped.insert(digest.to_owned(), json(key, bytes)?),
            _ => return Err(Imbalance::Foreign(key.to_owned())),
        }
        Ok(())
    }

    /// Adds all up, once everything is entered.
    ///
    /// # Errors
    /// Names the inconsistency.
    pub fn balance(&self) -> Result<Balance, Imbalance> {
        let missing = |there: String, absent: String| Err(Imbalance::Missing(there, absent));
        let mut balance = Balance { keys: self.mapped.len() as u64, ..Balance::default() };
        for (item, (on_hand, holds)) in &self.items {
            // An item is listed before it is made; those that come with a new shop are made first, all of them.
            if self.listed.as_ref().is_some_and(|listed| !listed.contains(item)) {
                return Err(Imbalance::Unlisted(item.clone()));
            }
            let reserved = holds.values().sum();
            if reserved > *on_hand {
                return Err(Imbalance::Oversold { item: item.clone(), reserved, on_hand: *on_hand });
            }
            for (order, quantity) in holds {
                let Some(lines) = self.orders.get(order) else {
                    return missing(format!("inventory:{item}"), format!("order:{order}"));
                };
                if !lines.iter().any(|line| line.item_id == *item && line.quantity == *quantity) {
                    return Err(Imbalance::Hold(item.clone(), *order));
                }
            }
            balance.items += 1;
            balance.on_hand += on_hand;
            balance.reserved += reserved;
        }
        for (order, lines) in &self.orders {
            match self.payments.get(order) {
                None => return missing(format!("order:{order}"), format!("payment:{order}")),
                Some(State::Unpaid { confirmed }) => {
                    balance.unpaid += 1;
                    let is_held = |line: &&Line| {
                        self.items.get(&line.item_id).is_some_and(|(_, holds)| holds.contains_key(order))
                    };
                    match lines.iter().find(|line| !is_held(line)) {
                        Some(line) if *confirmed => return Err(Imbalance::NotHeld(*order, line.item_id.clone())),
                        _ => {}
                    }
                }
                Some(State::Paid {}) => {
                    balance.paid += 1;
                    balance.sold += lines.iter().map(|line| line.quantity).sum::<u64>();
                }
                Some(State::Void {}) => balance.void += 1,
            }
        }
        if let Some(order) = self.payments.keys().find(|order| !self.orders.contains_key(order)) {
            return missing(format!("payment:{order}"), format!("order:{order}"));
        }
        if let Some((digest, order)) = self.mapped.iter().find(|(_, order)| !self.orders.contains_key(order)) {
            return missing(format!("idempotency:{digest}"), format!("order:{order}"));
        }
        Ok(balance)
    }
}

//! What clients were told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use harness::observed::Status;
use uuid::Uuid;

/// An order that a client was told is placed. No other client knows it.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its id.
    pub id: Uuid,
    /// Which items, by their number, and how many of each.
    pub lines: Box<[(u32, u64)]>,
    /// The latest that is known.
    pub status: Status,
    /// Whether a request to pay or cancel it has no answer: it may be done.
    pub unsure: bool,
    /// It does not expire before that.
    pub expires: Instant,
}

impl Order {
    /// Takes what the shop says of this order.
    pub fn told(&mut self, status: &str) -> Result<(), String> {
        // One that was acknowledged is never rejected.
        let told = Status::named(status).filter(|told| ![Status::Placing, Status::Rejected].contains(told));
        let possible = match (self.status, told) {
            (Status::Pending, Some(Status::Expired)) => Instant::now() >= self.expires,
            // A client that pays or cancels it says so with `decided`.
            (known, Some(told)) => known == told || (self.unsure && known == Status::Pending),
            (_, None) => false,
        };
        match told {
            Some(told) if possible => {
                self.status = told;
                self.unsure &= told == Status::Pending;
                Ok(())
            }
            _ => Err(format!("order {} was {:?} and is now {status:?}", self.id, self.status)),
        }
    }

    /// Takes that a request to pay or cancel this order has succeeded, or had before.
    pub fn decided(&mut self, status: Status) -> Result<(), String> {
        if ![Status::Pending, status].contains(&self.status) {
            return Err(format!("order {} was {:?} and is now {status:?}", self.id, self.status));
        }
        (self.status, self.unsure) = (status, false);
        Ok(())
    }
}

/// Everything that was told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Orders that were acknowledged.
    pub orders: Vec<Order>,
    /// By how much stock was adjusted, as far as that was acknowledged, by the number of the item.
    pub adjusted: BTreeMap<u32, i64>,
    /// Items with an adjustment that was not answered.
    pub unsure: BTreeSet<u32>,
}

impl Told {
    /// Adds what another client was told.
    pub fn add(&mut self, other: Self) {
        self.orders.extend(other.orders);
        other.adjusted.into_iter().for_each(|(item, delta)| *self.adjusted.entry(item).or_default() += delta);
        self.unsure.extend(other.unsure);
    }

    /// How many of each item are paid, by the number of the item.
    pub fn paid(&self) -> BTreeMap<u32, u64> {
        let mut paid = BTreeMap::new();
        for (item, quantity) in self.orders.iter().filter(|order| order.status == Status::Paid).flat_map(|o| &o.lines) {
            *paid.entry(*item).or_default() += quantity;
        }
        paid
    }
}

//! The holds of an item: stock that is promised to orders.

use crate::model::amounts::Quantity;
use crate::model::ids::{KeyDigest, OrderId};
use crate::model::time::Timestamp;

/// Stock promised to one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// How much.
    pub quantity: Quantity,
    /// When an unpaid order loses it.
    pub expires_at: Timestamp,
    /// The idempotency key that the order was placed with; only on the first line of an order.
    pub key: Option<KeyDigest>,
}

/// The holds of one item, at most one an order. There may be tens of thousands, and every change of an item reads and
/// writes them all: so they are one list, sorted by order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holds {
    list: Vec<(OrderId, Hold)>,
    reserved: u64,
    /// How many of them carry a key.
    keyed: usize,
}

impl Holds {
    /// These holds, if they are sorted by order and there is one an order.
    pub(crate) fn from_sorted(list: Vec<(OrderId, Hold)>) -> Option<Self> {
        let reserved = list.iter().try_fold(0_u64, |sum, (_, hold)| sum.checked_add(hold.quantity.get()))?;
        let keyed = list.iter().filter(|(_, hold)| hold.key.is_some()).count();
        list.is_sorted_by(|(one, _), (next, _)| one < next).then_some(Self { list, reserved, keyed })
    }

    /// What is promised in all.
    pub fn reserved(&self) -> u64 {
        self.reserved
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether one of them carries a key.
    pub fn has_keys(&self) -> bool {
        self.keyed > 0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, once around from a place that `turn` picks: each place comes as often as any other.
    pub fn from_turn(&self, turn: u64) -> impl Iterator<Item = &(OrderId, Hold)> {
        let count = u64::try_from(self.list.len()).unwrap_or(u64::MAX);
        let start = turn.checked_rem(count).and_then(|start| usize::try_from(start).ok()).unwrap_or(0);
        let (before, rest) = self.list.split_at_checked(start).unwrap_or((&[], &self.list));
        rest.iter().chain(before)
    }

    /// All of them, sorted by order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &(OrderId, Hold)> + Clone {
        self.list.iter()
    }

    /// The hold of an order.
    pub fn get(&self, order: OrderId) -> Option<&Hold> {
        let index = self.find(order).ok()?;
        self.list.get(index).map(|(_, hold)| hold)
    }

    /// Adds the hold of an order that has none. Answers false, and does nothing, where it has one.
    pub(crate) fn insert(&mut self, order: OrderId, hold: Hold) -> bool {
        let Err(index) = self.find(order) else { return false };
        self.list.insert(index, (order, hold));
        self.reserved = self.reserved.saturating_add(hold.quantity.get());
        self.keyed = self.keyed.saturating_add(usize::from(hold.key.is_some()));
        true
    }

    /// Takes out the hold of an order.
    pub(crate) fn remove(&mut self, order: OrderId) -> Option<Hold> {
        let index = self.find(order).ok()?;
        let (_, hold) = self.list.remove(index);
        self.reserved = self.reserved.saturating_sub(hold.quantity.get());
        self.keyed = self.keyed.saturating_sub(usize::from(hold.key.is_some()));
        Some(hold)
    }

    /// Where the hold of an order is, or would be.
    fn find(&self, order: OrderId) -> Result<usize, usize> {
        self.list.binary_search_by(|(other, _)| other.cmp(&order))
    }
}

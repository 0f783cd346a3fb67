//! The record of an item, and everything that can happen to it. Pure: what is decided here is written elsewhere.

use crate::amounts::{Delta, Money, Stock};
use crate::environment::Timestamp;
pub use crate::holds::{Hold, Holds};
use crate::ids::{KeyDigest, OrderId, digest};
pub use crate::item_record::NoItem;

/// How many adjustments an item remembers, so that repeating one of them is seen to be a repeat.
pub const REMEMBERED_ADJUSTMENTS: usize = 64;

/// How many keys of settled orders an item carries before their mappings are written, all in one call.
pub const MAPPINGS_A_CALL: usize = 16;

/// Expired holds that a swap of the item settles besides its own purpose: enough that they cannot pile up, few
/// enough that nobody waits long for the sake of others.
pub const EXPIRED_A_SWAP: usize = 8;

/// Expired holds that are settled before anybody is told that there is too little.
pub const EXPIRED_WHEN_SHORT: usize = 64;

/// Other holds that a swap looks at, to settle what was paid or cancelled. With two, settling outruns placing.
const OTHERS_A_SWAP: usize = 2;

/// Stock, price and holds of one item: the record that decides who gets the last unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Grows with every swap, so that no two states of an item have the same bytes: a swap succeeds only if really
    /// nothing happened since the read. It also picks the holds whose turn it is to be settled.
    pub version: u64,
    /// What is there, holds included.
    pub on_hand: Stock,
    /// The price of one.
    pub unit_price: Money,
    /// What was ever put in, less what was taken out: the initial stock and all adjustments.
    pub received: u64,
    /// What has left with paid orders that are settled. Kept apart from what is on hand, so that anybody can see that
    /// nothing is missing: see [`Self::is_balanced`].
    pub sold: u64,
    /// Stock that is promised to orders. A hold leaves only when it is settled, never by its expiry alone: an
    /// expired hold may belong to a paid order whose goods still count as on hand.
    pub holds: Holds,
    /// Orders that were settled here and whose idempotency key has no mapping yet, sorted by key.
    pub settled_keys: Vec<(KeyDigest, OrderId)>,
    /// The latest adjustments, oldest first.
    pub adjustments: Vec<Adjustment>,
}

/// An adjustment that was made, as far as it is needed to know it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adjustment {
    /// Its idempotency key, the client's or one made up for it.
    pub key: KeyDigest,
    /// Digest of what was asked for.
    pub request: [u8; 8],
}

impl Adjustment {
    /// The adjustment by `delta` for `reason` under `key`.
    pub fn new(key: KeyDigest, delta: Delta, reason: &str) -> Self {
        Self { key, request: digest([delta.get().to_string().as_str(), reason]) }
    }

    /// Under which name it is kept what the adjustment was: one for each request under a key.
    pub(crate) fn name(&self) -> KeyDigest {
        let request = u64::from_be_bytes(self.request);
        KeyDigest::from_bytes(digest([self.key.to_string().as_str(), format!("{request:016x}").as_str()]))
    }
}

/// What a settled hold turns into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The order was paid: the goods leave.
    Sold,
    /// The order came to nothing: the goods are free again.
    Released,
    /// The order was refused: the goods are free again, and its key may be used anew.
    Forgotten,
}

/// There is less than is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// What there is for newcomers.
    pub available: u64,
}

impl Item {
    /// A new item without holds.
    pub fn new(on_hand: Stock, unit_price: Money) -> Self {
        Self {
            version: 0,
            on_hand,
            unit_price,
            received: on_hand.get(),
            sold: 0,
            holds: Holds::default(),
            settled_keys: Vec::new(),
            adjustments: Vec::new(),
        }
    }

    /// What is promised to orders.
    pub fn reserved(&self) -> u64 {
        self.holds.reserved()
    }

    /// What a newcomer can have.
    pub fn available(&self) -> u64 {
        self.on_hand.get().saturating_sub(self.reserved())
    }

    /// Whether what was received is what is on hand and what was sold, and no more is promised than is there.
    pub fn is_balanced(&self) -> bool {
        self.on_hand.get().checked_add(self.sold) == Some(self.received) && self.reserved() <= self.on_hand.get()
    }

    /// Promises stock to an order that has none of it yet.
    pub fn hold(&mut self, order: OrderId, hold: Hold) -> Result<(), Shortage> {
        let available = self.available();
        if hold.quantity.get() > available {
            return Err(Shortage { available });
        }
        self.holds.insert(order, hold);
        Ok(())
    }

    /// Ends the hold of an order whose fate is decided. Does nothing where it has none.
    pub fn settle(&mut self, order: OrderId, settlement: Settlement) {
        let Some(hold) = self.holds.remove(order) else { return };
        if settlement == Settlement::Sold {
            // Never less than nothing: what is held is on hand (checked when a record is read and in `hold`).
            self.on_hand = self.on_hand.checked_sub(hold.quantity.get()).unwrap_or(self.on_hand);
            self.sold = self.sold.saturating_add(hold.quantity.get());
        }
        if let (Some(key), Settlement::Sold | Settlement::Released) = (hold.key, settlement) {
            let place = self.settled_keys.binary_search_by(|(settled, _)| settled.cmp(&key));
            if let Err(index) = place {
                self.settled_keys.insert(index, (key, order));
            }
        }
    }

    /// The order that `key` was used for, as far as this record knows.
    pub fn order_of(&self, key: &KeyDigest) -> Option<OrderId> {
        let held = self.holds.iter().find(|(_, hold)| hold.key == Some(*key)).map(|(order, _)| *order);
        let settled = || self.settled_keys.iter().find(|(settled, _)| settled == key).map(|(_, order)| *order);
        held.or_else(settled)
    }

    /// The holds that the next swap of this record should try to settle: up to `expired` of those past their expiry,
    /// and two others. Which two follows from the version, so that every hold has its turn.
    pub fn due(&self, now: Timestamp, expired: usize) -> Vec<OrderId> {
        let past = |hold: &Hold| hold.expires_at <= now;
        let expired = self.holds.iter().filter(|(_, hold)| past(hold)).take(expired);
        let others = self.holds.iter().filter(|(_, hold)| !past(hold));
        let count = u64::try_from(others.clone().count()).unwrap_or(u64::MAX);
        let turn = self.version.wrapping_mul(OTHERS_A_SWAP as u64).checked_rem(count).unwrap_or(0);
        let others = others.cycle().skip(usize::try_from(turn).unwrap_or(0));
        let others = others.take(OTHERS_A_SWAP.min(usize::try_from(count).unwrap_or(0)));
        expired.chain(others).map(|(order, _)| *order).collect()
    }

    /// Changes what is on hand, unless less than what is promised would be left or more than an item may have.
    pub fn adjust(&mut self, adjustment: Adjustment, delta: Delta) -> Result<(), AdjustError> {
        let shortage = AdjustError::Shortage(Shortage { available: self.available() });
        let on_hand = self.on_hand.adjusted(delta).ok_or(match delta.get() {
            ..0 => shortage,
            _ => AdjustError::TooMuch,
        })?;
        if on_hand.get() < self.reserved() {
            return Err(shortage);
        }
        self.on_hand = on_hand;
        self.received = self.received.saturating_add_signed(delta.get());
        self.adjustments.push(adjustment);
        let forgotten = self.adjustments.len().saturating_sub(REMEMBERED_ADJUSTMENTS);
        self.adjustments.drain(..forgotten);
        Ok(())
    }

    /// The adjustment that was made under `key`, while it is remembered.
    pub fn adjustment(&self, key: &KeyDigest) -> Option<&Adjustment> {
        self.adjustments.iter().find(|adjustment| adjustment.key == *key)
    }
}

/// Why an adjustment is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdjustError {
    /// Less than what is promised would be left.
    Shortage(Shortage),
    /// More than [`Stock::MOST`] would be on hand.
    TooMuch,
}

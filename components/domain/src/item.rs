//! The record of an item, and everything that can happen to it. Pure: what is decided here is written elsewhere.

use crate::amounts::{Delta, Money, Stock};
use crate::environment::Timestamp;
pub use crate::holds::{Hold, Holds};
use crate::ids::{KeyDigest, OrderId, digest};
pub use crate::item_record::DecodeError;

/// How many adjustments an item remembers, so that repeating one of them is seen to be a repeat.
pub const REMEMBERED_ADJUSTMENTS: usize = 64;

/// The most bytes that a record grows by with a hold: its order, quantity, expiry and key, each as long as it can be, and what
/// the next hold's expiry grows by, which is written as the time since this one's.
const HOLD_BYTES: usize = 16 + 5 + 9 + 17 + 8;

/// What an adjustment takes in a record that is remembered.
const ADJUSTMENT_BYTES: usize = 1 + 17 + 9;

/// What the key of a settled order takes in a record.
const SETTLED_KEY_BYTES: usize = 1 + 17 + 17;

/// How many holds a change of an item looks at besides its own purpose, to settle those whose orders are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Of those past their expiry.
    pub expired: usize,
    /// Of the others, to find those of orders that were paid or cancelled.
    pub others: usize,
    /// How many orders may be decided that are neither paid nor void, and late. Each costs a swap of its payment.
    pub decisions: usize,
}

impl Look {
    /// What is looked at before a request is refused for want of stock, or of room for another hold.
    pub const SHORT: Self = Self { expired: 64, others: 64, decisions: 64 };

    /// What a swap looks at that adds this number of holds.
    ///
    /// More than it adds, so that settling keeps up with placing however many orders are placed at once. With two looks a hold,
    /// half of the holds that are looked at have to be of decided orders for as many to go as come: so a record has at most
    /// twice as many holds as it has pending orders, and fewer where payments settle too.
    pub fn beside(added: usize) -> Self {
        let decisions = added.saturating_mul(2).max(16);
        Self { expired: decisions.saturating_mul(4), others: added.max(1).saturating_mul(2), decisions }
    }

    /// Looks at these numbers of holds, and decides no order.
    pub fn at(expired: usize, others: usize) -> Self {
        Self { expired, others, decisions: 0 }
    }
}

/// Stock, price and holds of one item: the record that decides who gets the last unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Grows with every swap, so that no two states of an item have the same bytes: a swap succeeds only if really
    /// nothing happened since the read.
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

    /// Under which name an earlier version kept what the adjustment was. Two items whose adjustments had the same key, delta
    /// and reason shared a record.
    pub(crate) fn earlier_name(&self) -> KeyDigest {
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
    pub fn order_for_key(&self, key: &KeyDigest) -> Option<OrderId> {
        let held = self.holds.iter().find(|(_, hold)| hold.key == Some(*key)).map(|(order, _)| *order);
        let settled = || self.settled_keys.iter().find(|(settled, _)| settled == key).map(|(_, order)| *order);
        held.or_else(settled)
    }

    /// The holds that are looked at next. They are taken from a place that `turn` picks: with another one each time, also where
    /// nothing was written in between, every hold is looked at sooner or later.
    pub fn due(&self, now: Timestamp, turn: u64, look: Look) -> Vec<OrderId> {
        let (mut due, mut expired, mut others) = (Vec::new(), look.expired, look.others);
        for (order, hold) in self.holds.from_turn(turn) {
            let left = if hold.expires_at <= now { &mut expired } else { &mut others };
            if let Some(less) = left.checked_sub(1) {
                *left = less;
                due.push(*order);
            }
            if expired == 0 && others == 0 {
                break;
            }
        }
        due
    }

    /// How many bytes the record takes besides its holds and what is always there: what is bounded by number.
    pub fn bytes_beside_holds(&self) -> usize {
        let adjustments = self.adjustments.len().saturating_mul(ADJUSTMENT_BYTES);
        adjustments.saturating_add(self.settled_keys.len().saturating_mul(SETTLED_KEY_BYTES))
    }

    /// The most bytes that the record grows by with this hold.
    pub fn bytes_of(&self, hold: &Hold) -> usize {
        // With the first key comes a column of them: a byte for each hold that has none.
        let column = if hold.key.is_some() && !self.holds.has_keys() { self.holds.len().saturating_add(16) } else { 0 };
        HOLD_BYTES.saturating_add(column)
    }

    /// What would be on hand after an adjustment.
    ///
    /// # Errors
    /// If less than what is promised would be left, or more than an item may have.
    pub fn adjusted(&self, delta: Delta) -> Result<Stock, AdjustError> {
        let shortage = AdjustError::Shortage(Shortage { available: self.available() });
        let on_hand = self.on_hand.adjusted(delta).ok_or(match delta.get() {
            ..0 => shortage,
            _ => AdjustError::TooMuch,
        })?;
        if on_hand.get() < self.reserved() { Err(shortage) } else { Ok(on_hand) }
    }

    /// Changes what is on hand, if [`Self::adjusted`] allows it. Answers with the adjustments that are not remembered any
    /// more.
    pub fn adjust(&mut self, adjustment: Adjustment, delta: Delta) -> Result<Vec<Adjustment>, AdjustError> {
        self.on_hand = self.adjusted(delta)?;
        self.received = self.received.saturating_add_signed(delta.get());
        self.adjustments.push(adjustment);
        let forgotten = self.adjustments.len().saturating_sub(REMEMBERED_ADJUSTMENTS);
        Ok(self.adjustments.drain(..forgotten).collect())
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
    /// More than [`Stock::MAX`] would be on hand.
    TooMuch,
}

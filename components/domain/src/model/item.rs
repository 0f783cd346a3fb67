//! The record of an item: its stock, its price, its holds, and what it is called. This is the record that decides who gets the last unit.
//!
//! Its fields are private. What is available is stored and what is on hand is the sum of it and of the holds, so an
//! item that promises more than it has cannot be written down.

use crate::model::after_sale::Destination;
use crate::model::amounts::{Delta, Money, Quantity, Stock};
pub use crate::model::holds::{Hold, Holds};
use crate::model::ids::{KeyDigest, OrderId, ReturnId, digest};
pub use crate::model::item_codec::DecodeError;
use crate::model::label::{ImageUrl, ItemName};
use crate::model::time::Timestamp;

/// How many adjustments an item remembers, so that a repeat of one of them is recognised.
// Rule: adjustments-are-remembered.
pub const REMEMBERED_ADJUSTMENTS: usize = 64;

/// The most bytes that a record grows by with a hold: its order, quantity, expiry and key, each as long as it can be,
/// and what the next hold's expiry grows by, which is written as the time since this one's.
const HOLD_BYTES: usize = 16 + 5 + 9 + 17 + 8;

/// The bytes of an adjustment in the record.
const ADJUSTMENT_BYTES: usize = 1 + 17 + 9;

/// The bytes of a settled order's key in the record.
const UNMAPPED_KEY_BYTES: usize = 1 + 17 + 17;

/// How many returns an item remembers, of which the orders' records do not say yet that they are done. There are as many
/// only where requests keep being stopped half way.
pub const REMEMBERED_RETURNS: usize = 64;

/// The bytes of a return in the record.
const RETURN_BYTES: usize = 1 + 17 + 17;

/// How many holds a change of an item reads the orders of besides its own purpose, to settle those that are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Of those past their expiry.
    pub expired: usize,
    /// Of the others, to find those of orders that were paid or cancelled.
    pub others: usize,
    /// How many orders may be decided that are unpaid and past their expiry. Each costs a swap of its state.
    pub decisions: usize,
}

impl Look {
    /// Before a request is refused for want of stock, or of room for another hold.
    // Rule: short-requests-look-at-others.
    pub const SHORT: Self = Self { expired: 64, others: 64, decisions: 64 };

    /// For a swap that adds this number of holds.
    ///
    /// More than it adds, so that settling keeps up with placing however many orders are placed at once. With two looks
    /// a hold, half of the holds that are looked at have to be of decided orders for as many to go as come: so a record
    /// has at most twice as many holds as it has pending orders, and fewer where payments settle too.
    pub fn beside(added: usize) -> Self {
        let decisions = added.saturating_mul(2).max(16);
        Self { expired: decisions.saturating_mul(4), others: added.max(1).saturating_mul(2), decisions }
    }

    /// At these numbers of holds, without deciding an order.
    pub fn at(expired: usize, others: usize) -> Self {
        Self { expired, others, decisions: 0 }
    }
}

/// Stock, price and holds of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Grows with every swap, so that no two states of an item have the same bytes: a swap succeeds only if nothing
    /// happened since the read.
    pub(super) version: u64,
    /// The units that no hold promises.
    pub(super) available: u64,
    pub(super) unit_price: Money,
    /// The most of it in one order, where the item has a limit of its own.
    pub(super) own_max_per_order: Option<Quantity>,
    /// What people call it.
    pub(super) name: Option<ItemName>,
    /// Where there is a picture of it.
    pub(super) image: Option<ImageUrl>,
    /// The initial stock and the sum of all adjustments.
    pub(super) received: u64,
    /// The units that left with settled orders. Kept apart from what is on hand, so that [`Self::is_balanced`] can tell
    /// whether any are missing.
    pub(super) sold: u64,
    /// The units of those that came back.
    pub(super) returned: u64,
    /// The units of those that were written off. The others are in stock again.
    pub(super) written_off: u64,
    /// Stock that is promised to orders. A hold leaves only when it is settled, never by its expiry alone: an expired
    /// hold may belong to a paid order whose goods still count as on hand.
    pub(super) holds: Holds,
    /// Settled orders whose idempotency keys have no mapping yet, sorted by key.
    pub(super) unmapped_keys: Vec<(KeyDigest, OrderId)>,
    /// The latest adjustments, oldest first.
    pub(super) adjustments: Vec<Adjustment>,
    /// Returns whose goods are back, oldest first, until the records of their orders say that they are done: so none is
    /// put back twice.
    pub(super) returns: Vec<(ReturnId, OrderId)>,
}

/// An adjustment that was made, as far as a repeat of it needs to be recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adjustment {
    /// Its idempotency key: the client's, or a random one.
    pub key: KeyDigest,
    /// Digest of the request.
    pub request: [u8; 8],
}

impl Adjustment {
    /// The adjustment by `delta` for `reason` under `key`.
    pub fn new(key: KeyDigest, delta: Delta, reason: &str) -> Self {
        Self { key, request: digest([delta.get().to_string().as_str(), reason]) }
    }

    /// The name under which an earlier version kept the adjustment's record. Two items whose adjustments had the same
    /// key, delta and reason shared a record.
    pub(crate) fn earlier_name(&self) -> KeyDigest {
        let request = u64::from_be_bytes(self.request);
        KeyDigest::from_bytes(digest([self.key.to_string().as_str(), format!("{request:016x}").as_str()]))
    }
}

/// What becomes of something that an item may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Change<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// The item has none any more.
    Remove,
    /// The item has this one from now on.
    Set(T),
}

impl<T: Clone + PartialEq> Change<T> {
    /// Makes the change, and answers whether it makes a difference.
    fn make(&self, of: &mut Option<T>) -> bool {
        let value = match self {
            Self::Keep => return false,
            Self::Remove => None,
            Self::Set(value) => Some(value.clone()),
        };
        let differs = *of != value;
        *of = value;
        differs
    }
}

/// What an operator sets of an item. It is for orders from now on: those that were placed keep what they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The price of one unit.
    pub unit_price: Money,
    /// The item's own limit of what one order may have of it.
    pub max_per_order: Change<Quantity>,
    /// What people call it.
    pub name: Change<ItemName>,
    /// Where there is a picture of it.
    pub image: Change<ImageUrl>,
}

impl Offer {
    /// Another price, and all else as it is.
    pub fn at(unit_price: Money) -> Self {
        Self { unit_price, max_per_order: Change::Keep, name: Change::Keep, image: Change::Keep }
    }
}

/// What becomes of the hold of a decided order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The order was paid: the goods leave.
    Sold,
    /// The order was closed: the goods are available again.
    Released {
        /// Whether its idempotency key may be used for another order. So it is where the order was rejected.
        key_reusable: bool,
    },
}

/// There is less than was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// The units that no hold promises.
    pub available: u64,
}

/// Why an order cannot hold stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldError {
    /// There is too little.
    Shortage(Shortage),
    /// The order has a hold on this item already.
    AlreadyHeld,
}

/// A record contradicts itself: its numbers do not add up to any that an item can have. It is refused and left as it
/// is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its numbers are more than an item can have")]
pub struct OutOfBounds;

/// Why an adjustment is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdjustError {
    /// Less than what is promised would be left.
    Shortage(Shortage),
    /// More than [`Stock::MAX`] would be on hand.
    TooMuch,
}

/// Why goods cannot come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeBackError {
    /// More than [`Stock::MAX`] would be on hand.
    TooMuch,
    /// [`REMEMBERED_RETURNS`] returns are remembered, which have to be done first.
    Busy,
    /// More would have come back than a number can say.
    OutOfBounds(OutOfBounds),
}

impl Item {
    /// A new item without holds.
    pub fn new(on_hand: Stock, unit_price: Money) -> Self {
        Self {
            version: 0,
            available: on_hand.get(),
            unit_price,
            own_max_per_order: None,
            name: None,
            image: None,
            received: on_hand.get(),
            sold: 0,
            returned: 0,
            written_off: 0,
            holds: Holds::default(),
            unmapped_keys: Vec::new(),
            adjustments: Vec::new(),
            returns: Vec::new(),
        }
    }

    /// The units that an order can have.
    pub fn available(&self) -> u64 {
        self.available
    }

    /// The units that are promised to orders.
    pub fn reserved(&self) -> u64 {
        self.holds.reserved()
    }

    /// The units that are there, promised ones included. At most [`Stock::MAX`]: every change keeps this sum or checks
    /// it.
    pub fn on_hand(&self) -> u64 {
        // Rule: on-hand-is-a-sum.
        self.available.saturating_add(self.reserved())
    }

    /// The price of one unit.
    pub fn unit_price(&self) -> Money {
        self.unit_price
    }

    /// The most of the item that one order may have: its own limit, or else that of all items. An item's own takes the
    /// place of the other, whether it is lower or higher: the operator means the one that is set for this item.
    pub fn max_per_order(&self, of_all_items: Option<Quantity>) -> Option<Quantity> {
        self.own_max_per_order.or(of_all_items)
    }

    /// What people call it.
    pub fn name(&self) -> Option<&ItemName> {
        self.name.as_ref()
    }

    /// Where there is a picture of it.
    pub fn image(&self) -> Option<&ImageUrl> {
        self.image.as_ref()
    }

    /// The initial stock and the sum of all adjustments.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The units that left with settled orders.
    pub fn sold(&self) -> u64 {
        self.sold
    }

    /// The units of those sold that came back.
    pub fn returned(&self) -> u64 {
        self.returned
    }

    /// The units of those returned that were written off.
    pub fn written_off(&self) -> u64 {
        self.written_off
    }

    /// Returns that the item remembers, each with its order, oldest first.
    pub fn returns(&self) -> &[(ReturnId, OrderId)] {
        &self.returns
    }

    /// The holds of orders.
    pub fn holds(&self) -> &Holds {
        &self.holds
    }

    /// The latest adjustments, oldest first, at most [`REMEMBERED_ADJUSTMENTS`].
    pub fn adjustments(&self) -> &[Adjustment] {
        &self.adjustments
    }

    /// Settled orders whose idempotency keys have no mapping yet, sorted by key.
    pub fn unmapped_keys(&self) -> &[(KeyDigest, OrderId)] {
        &self.unmapped_keys
    }

    /// Whether the units on hand are those received, less those sold, and those of them that came back into stock.
    pub fn is_balanced(&self) -> bool {
        let gone = self.sold.checked_add(self.written_off);
        let is = gone.and_then(|gone| gone.checked_add(self.on_hand()));
        is.is_some() && is == self.received.checked_add(self.returned)
    }

    /// Promises stock to an order. This is the rule against overselling: a hold takes from what is available, and where
    /// that is too little there is no hold.
    ///
    /// # Errors
    /// If there is too little, or the order has a hold already.
    pub fn hold(&mut self, order: OrderId, hold: Hold) -> Result<(), HoldError> {
        if self.holds.get(order).is_some() {
            return Err(HoldError::AlreadyHeld);
        }
        let shortage = HoldError::Shortage(Shortage { available: self.available });
        // Rule: hold-takes-from-available.
        let left = self.available.checked_sub(hold.quantity.get()).ok_or(shortage)?;
        if !self.holds.insert(order, hold) {
            return Err(HoldError::AlreadyHeld);
        }
        self.available = left;
        Ok(())
    }

    /// Ends the hold of a decided order. Answers whether it had one.
    ///
    /// # Errors
    /// If more would be sold than a number can say: then nothing is changed.
    pub fn settle(&mut self, order: OrderId, settlement: Settlement) -> Result<bool, OutOfBounds> {
        let Some(hold) = self.holds.get(order).copied() else { return Ok(false) };
        let quantity = hold.quantity.get();
        let (available, sold) = match settlement {
            // Rule: sales-are-counted.
            Settlement::Sold => (self.available, self.sold.checked_add(quantity).ok_or(OutOfBounds)?),
            Settlement::Released { .. } => (self.available.checked_add(quantity).ok_or(OutOfBounds)?, self.sold),
        };
        self.holds.remove(order);
        (self.available, self.sold) = (available, sold);
        // Rule: settled-keys-stay-until-mapped.
        let keeps_key = settlement != (Settlement::Released { key_reusable: true });
        if let Some(key) = hold.key.filter(|_| keeps_key)
            && let Err(index) = self.unmapped_keys.binary_search_by(|(settled, _)| settled.cmp(&key))
        {
            self.unmapped_keys.insert(index, (key, order));
        }
        Ok(true)
    }

    /// Takes goods of a sold order back, once: the return is remembered.
    ///
    /// # Errors
    /// If they cannot come back now.
    pub fn take_back(
        &mut self,
        id: ReturnId,
        order: OrderId,
        quantity: Quantity,
        to: Destination,
    ) -> Result<(), TakeBackError> {
        if self.returns.len() >= REMEMBERED_RETURNS {
            return Err(TakeBackError::Busy);
        }
        let quantity = quantity.get();
        let add = |sum: u64| sum.checked_add(quantity).ok_or(TakeBackError::OutOfBounds(OutOfBounds));
        let returned = add(self.returned)?;
        let (available, written_off) = match to {
            Destination::Stock => (add(self.available)?, self.written_off),
            Destination::WrittenOff => (self.available, add(self.written_off)?),
        };
        if available.saturating_add(self.reserved()) > Stock::MAX {
            return Err(TakeBackError::TooMuch);
        }
        (self.available, self.returned, self.written_off) = (available, returned, written_off);
        self.returns.push((id, order));
        Ok(())
    }

    /// Whether goods of this return are back, as far as the item remembers.
    pub fn remembers_return(&self, id: ReturnId) -> bool {
        self.returns.iter().any(|(other, _)| *other == id)
    }

    /// Forgets returns that are `done`. Answers whether there are any.
    pub fn forget_returns(&mut self, done: impl Fn(ReturnId, OrderId) -> bool) -> bool {
        let before = self.returns.len();
        self.returns.retain(|(id, order)| !done(*id, *order));
        self.returns.len() < before
    }

    /// Forgets a closed order whose records are being removed: its hold, and its key, which may be used for another
    /// order. Answers whether there was anything of it.
    ///
    /// # Errors
    /// As [`Self::settle`].
    pub fn forget(&mut self, order: OrderId) -> Result<bool, OutOfBounds> {
        let had_hold = self.settle(order, Settlement::Released { key_reusable: true })?;
        let keys = self.unmapped_keys.len();
        self.unmapped_keys.retain(|(_, other)| *other != order);
        Ok(had_hold || self.unmapped_keys.len() < keys)
    }

    /// Whether there is anything of an order: a hold, or a key without a mapping.
    pub fn has_traces_of(&self, order: OrderId) -> bool {
        self.holds.get(order).is_some() || self.unmapped_keys.iter().any(|(_, other)| *other == order)
    }

    /// Takes out the keys of settled orders. To be called once their mappings are written.
    pub fn take_unmapped_keys(&mut self) -> Vec<(KeyDigest, OrderId)> {
        std::mem::take(&mut self.unmapped_keys)
    }

    /// Offers the item as an operator says, and answers whether that makes a difference.
    pub fn offer(&mut self, offer: &Offer) -> bool {
        let differs = [
            self.unit_price != offer.unit_price,
            offer.max_per_order.make(&mut self.own_max_per_order),
            offer.name.make(&mut self.name),
            offer.image.make(&mut self.image),
        ];
        self.unit_price = offer.unit_price;
        differs.contains(&true)
    }

    /// Another number for each state of the item.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Makes this the next version of the item, which is what is to be written.
    pub fn advance_version(&mut self) {
        // Rule: versions-differ.
        self.version = self.version.wrapping_add(1);
    }

    /// The order that `key` was used for, as far as this record knows.
    pub fn order_for_key(&self, key: &KeyDigest) -> Option<OrderId> {
        let held = self.holds.iter().find(|(_, hold)| hold.key == Some(*key)).map(|(order, _)| *order);
        let settled = || self.unmapped_keys.iter().find(|(settled, _)| settled == key).map(|(_, order)| *order);
        held.or_else(settled)
    }

    /// The holds whose orders are read next. They are taken from a place that `turn` picks: with another one each time,
    /// also where nothing was written in between, every hold is looked at sooner or later.
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

    /// How many bytes of new holds fit into a record that has `record_bytes` now and may have `hold_bytes` of holds.
    pub fn room(&self, record_bytes: usize, hold_bytes: usize) -> usize {
        let adjustments = self.adjustments.len().saturating_mul(ADJUSTMENT_BYTES);
        let returns = self.returns.len().saturating_mul(RETURN_BYTES);
        let keys = self.unmapped_keys.len().saturating_mul(UNMAPPED_KEY_BYTES);
        let bounded = adjustments.saturating_add(returns).saturating_add(keys);
        hold_bytes.saturating_sub(record_bytes.saturating_sub(bounded))
    }

    /// The most bytes that the record grows by with this hold.
    pub fn bytes_of(&self, hold: &Hold) -> usize {
        // With the first key comes a column of them: a byte for each hold that has none.
        let column = if hold.key.is_some() && !self.holds.has_keys() { self.holds.len().saturating_add(16) } else { 0 };
        HOLD_BYTES.saturating_add(column)
    }

    /// Whether an adjustment by `delta` is possible.
    ///
    /// # Errors
    /// If less than what is promised would be left, or more than an item may have.
    pub fn check_adjustment(&self, delta: Delta) -> Result<(), AdjustError> {
        self.adjusted(delta).map(drop)
    }

    /// What would be available and received after an adjustment.
    fn adjusted(&self, delta: Delta) -> Result<(u64, u64), AdjustError> {
        let shortage = AdjustError::Shortage(Shortage { available: self.available });
        let error = if delta.get() < 0 { shortage } else { AdjustError::TooMuch };
        let available = self.available.checked_add_signed(delta.get()).ok_or(error)?;
        let received = self.received.checked_add_signed(delta.get()).ok_or(error)?;
        let on_hand = available.checked_add(self.reserved()).ok_or(error)?;
        if on_hand > Stock::MAX { Err(AdjustError::TooMuch) } else { Ok((available, received)) }
    }

    /// Changes what is on hand, if [`Self::check_adjustment`] allows it. Answers with the adjustments that are no
    /// longer remembered.
    ///
    /// # Errors
    /// As [`Self::check_adjustment`].
    pub fn adjust(&mut self, adjustment: Adjustment, delta: Delta) -> Result<Vec<Adjustment>, AdjustError> {
        (self.available, self.received) = self.adjusted(delta)?;
        self.adjustments.push(adjustment);
        let forgotten = self.adjustments.len().saturating_sub(REMEMBERED_ADJUSTMENTS);
        Ok(self.adjustments.drain(..forgotten).collect())
    }

    /// The adjustment that was made under `key`, while it is remembered.
    pub fn adjustment(&self, key: &KeyDigest) -> Option<&Adjustment> {
        self.adjustments.iter().find(|adjustment| adjustment.key == *key)
    }
}

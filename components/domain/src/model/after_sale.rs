//! What happens to an order after it is paid: its goods go out to the buyer, and may come back.
//!
//! It is a part of the order's state, so that each change of it is one compare-and-swap. Goods that come back are put
//! on record here before an item is changed: the record says how many of each line may still come back.

use serde::Serialize;

use crate::model::fulfilment::{Fulfilment, Shipment};
use crate::model::ids::{ItemId, ReturnId};
use crate::model::order::{Lines, Order};
use crate::model::order_state::Illegal;
use crate::model::text::Reason;
use crate::model::time::Timestamp;

/// The most returns that an order's record keeps.
pub const MAX_RETURNS: usize = 64;

/// What happened to a paid order since it was paid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AfterSale {
    /// Oldest first. Of no line more than was sold.
    returns: Vec<Return>,
    fulfilment: Option<Fulfilment>,
}

/// Goods that come back from the buyer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Return {
    /// Its name.
    pub id: ReturnId,
    /// What comes back.
    pub lines: Lines,
    /// Where it goes.
    pub to: Destination,
    /// Why, in the operator's words.
    #[serde(skip_serializing_if = "Reason::is_empty")]
    pub reason: Reason,
    /// When it was put on record.
    pub at: Timestamp,
    /// Whether all items have it. Only then do they forget it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
}

/// Where goods go that come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// Into stock: they can be sold again.
    Stock,
    /// They cannot be sold again.
    WrittenOff,
}

/// Goods that are to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedGoods {
    /// What comes back.
    pub lines: Lines,
    /// Where it goes.
    pub to: Destination,
    /// Why, in the operator's words.
    pub reason: Reason,
}

/// Why goods cannot come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReturnError {
    /// More of an item than was sold, less what has come back before.
    MoreThanSold {
        /// The item.
        item_id: ItemId,
        /// How many of it the order has.
        sold: u64,
        /// How many of these can still come back.
        left: u64,
        /// How many were to come back.
        requested: u64,
    },
    /// The record has [`MAX_RETURNS`] returns.
    TooMany,
}

/// What can happen to a paid order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterSaleEvent {
    /// Goods come back. No item has them yet.
    ClaimReturn {
        /// The name of the return.
        id: ReturnId,
        /// What comes back, and where it goes.
        goods: ReturnedGoods,
        /// What was sold.
        sold: Lines,
        /// Now.
        at: Timestamp,
    },
    /// All items have the goods of this return.
    FinishReturn(ReturnId),
    /// The goods are on their way, or with the buyer.
    Fulfil {
        /// How they are sent.
        shipment: Shipment,
        /// Whether the buyer has them.
        delivered: bool,
        /// What was sold.
        sold: Lines,
        /// Now.
        at: Timestamp,
    },
}

impl Return {
    /// Whether it is what a request asks for.
    pub(crate) fn is_of(&self, goods: &ReturnedGoods) -> bool {
        let ReturnedGoods { lines, to, reason } = goods;
        (&self.lines, &self.to, &self.reason) == (lines, to, reason)
    }
}

impl AfterSale {
    /// Nothing.
    pub const NONE: &Self = &Self { returns: Vec::new(), fulfilment: None };

    /// Read from a record, where it can be that of an order.
    pub(super) fn from_record(returns: Vec<Return>, fulfilment: Option<Fulfilment>) -> Option<Self> {
        let ids: Vec<_> = returns.iter().map(|one| one.id).collect();
        let is_new = |(place, id): (usize, &ReturnId)| !ids.iter().take(place).any(|earlier| earlier == id);
        let is_valid = ids.len() <= MAX_RETURNS && ids.iter().enumerate().all(is_new);
        is_valid.then_some(Self { returns, fulfilment })
    }

    /// What is stored of it.
    pub(super) fn into_record(self) -> (Vec<Return>, Option<Fulfilment>) {
        (self.returns, self.fulfilment)
    }

    /// Goods that came back, oldest first.
    pub fn returns(&self) -> &[Return] {
        &self.returns
    }

    /// How its goods went out, if they did.
    pub fn fulfilment(&self) -> Option<&Fulfilment> {
        self.fulfilment.as_ref()
    }

    /// The return with this name.
    pub(crate) fn find_return(&self, id: ReturnId) -> Option<&Return> {
        self.returns.iter().find(|one| one.id == id)
    }

    /// How many of an item are on record as coming back.
    fn returned(&self, item_id: &ItemId) -> u64 {
        let of_item = |one: &Return| one.lines.get(item_id).map_or(0, u64::from);
        self.returns.iter().map(of_item).fold(0, u64::saturating_add)
    }

    /// Whether these goods can come back, of what was `sold`: each line at most as often as it was sold, over all
    /// returns.
    ///
    /// # Errors
    /// If not.
    pub fn check_return(&self, lines: &Lines, sold: &Lines) -> Result<(), ReturnError> {
        for (item_id, quantity) in lines.iter() {
            let sold = sold.get(item_id).map_or(0, u64::from);
            // Rule: no-more-comes-back-than-was-sold.
            let left = sold.saturating_sub(self.returned(item_id));
            let requested = quantity.get();
            if requested > left {
                return Err(ReturnError::MoreThanSold { item_id: item_id.clone(), sold, left, requested });
            }
        }
        if self.returns.len() < MAX_RETURNS { Ok(()) } else { Err(ReturnError::TooMany) }
    }

    /// Whether the buyer has anything of what was `sold`, or is to have it: not where all of it is on record as coming
    /// back before any of it was sent.
    pub(crate) fn has_goods_to_send(&self, sold: &Lines) -> bool {
        self.fulfilment.is_some() || sold.iter().any(|(item_id, quantity)| self.returned(item_id) < quantity.get())
    }

    /// As it is after `event`.
    ///
    /// # Errors
    /// If that cannot happen now.
    pub(super) fn apply(&self, event: AfterSaleEvent) -> Result<Self, Illegal> {
        let mut next = self.clone();
        match event {
            AfterSaleEvent::ClaimReturn { id, goods, sold, at } => {
                if self.find_return(id).is_some() {
                    return Err(Illegal);
                }
                self.check_return(&goods.lines, &sold).map_err(|_| Illegal)?;
                let ReturnedGoods { lines, to, reason } = goods;
                next.returns.push(Return { id, lines, to, reason, at, done: false });
            }
            AfterSaleEvent::FinishReturn(id) => {
                next.returns.iter_mut().find(|one| one.id == id && !one.done).ok_or(Illegal)?.done = true;
            }
            AfterSaleEvent::Fulfil { shipment, delivered, sold, at } => {
                let is_delivered = self.fulfilment().is_some_and(Fulfilment::is_delivered);
                if is_delivered || !self.has_goods_to_send(&sold) {
                    return Err(Illegal);
                }
                let fulfilled_at = self.fulfilment().map_or(at, |before| before.fulfilled_at);
                next.fulfilment = Some(Fulfilment { shipment, fulfilled_at, delivered_at: delivered.then_some(at) });
            }
        }
        Ok(next)
    }
}

impl Order {
    /// How many of each item were ordered.
    pub fn quantities(&self) -> Lines {
        Lines::of_order(self)
    }
}

//! What happens to an order after it is paid: its goods go out to the buyer, and may come back, and so may the money.
//!
//! It is a part of the order's state, so that each change of it is one compare-and-swap. Goods that come back are put
//! on record here before an item is changed: the record says how many of each line may still come back. So is money
//! before the provider is asked: see [`crate::model::refund`].

use serde::Serialize;

use crate::model::amounts::{Money, Quantity};
use crate::model::fulfilment::{Fulfilment, Shipment};
use crate::model::ids::{ItemId, RefundId, ReturnId};
use crate::model::order::{Line, Lines, Order};
use crate::model::order_state::{Illegal, Payment};
use crate::model::refund::{Claim, MAX_REFUNDS, NewRefund, Refund, RefundError, RefundOf, Refunds, restocked};
use crate::model::session::RefundState;
use crate::model::text::Reason;
use crate::model::time::Timestamp;

/// The most returns that an order's record keeps.
pub const MAX_RETURNS: usize = 64;

/// What happened to a paid order since it was paid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AfterSale {
    /// Oldest first. Those that have not failed were no more than was paid when each was put on record.
    refunds: Vec<Refund>,
    /// Oldest first. Of no line more than was sold.
    returns: Vec<Return>,
    fulfilment: Option<Fulfilment>,
    given_up: u32,
}

/// What is stored of it.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) refunds: Vec<Refund>,
    pub(super) returns: Vec<Return>,
    pub(super) fulfilment: Option<Fulfilment>,
    pub(super) given_up: u32,
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
    /// Money goes back to the buyer, and goods may come back with it. The provider was not asked yet, and no item has
    /// them.
    ClaimRefund {
        /// The name of the refund.
        id: RefundId,
        /// What was asked for.
        request: NewRefund,
        /// What was sold.
        sold: Vec<Line>,
        /// Now.
        at: Timestamp,
    },
    /// A refund that was listed is not on record, and its request may be stopped. Whatever that was about to write is
    /// given up: it has to read the record again.
    GiveUp,
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
    pub const NONE: &Self = &Self { refunds: Vec::new(), returns: Vec::new(), fulfilment: None, given_up: 0 };

    /// Read from a record, where it can be that of an order.
    pub(super) fn from_record(stored: Stored) -> Option<Self> {
        let Stored { refunds, returns, fulfilment, given_up } = stored;
        let of_returns: Vec<_> = returns.iter().map(|one| one.id).collect();
        let of_refunds: Vec<_> = refunds.iter().map(|one| &one.id).collect();
        let is_valid = are_names(&of_returns, MAX_RETURNS)
            && are_names(&of_refunds, MAX_REFUNDS)
            && refunds.iter().all(Refund::is_valid);
        is_valid.then_some(Self { refunds, returns, fulfilment, given_up })
    }

    /// What is stored of it.
    pub(super) fn into_record(self) -> Stored {
        let Self { refunds, returns, fulfilment, given_up } = self;
        Stored { refunds, returns, fulfilment, given_up }
    }

    /// Refunds of the payment, oldest first.
    pub fn refunds(&self) -> &[Refund] {
        &self.refunds
    }

    /// The refund of the payment with this name.
    pub fn find_refund(&self, id: &RefundId) -> Option<&Refund> {
        self.refunds.iter().find(|one| one.id == *id)
    }

    /// How much of the payment was given back, or is on its way: all refunds that have not failed.
    pub fn refunded(&self) -> u64 {
        Refunds { all: &self.refunds, paid: Money::ZERO }.sum()
    }

    /// Whether all that was `paid` was given back, or is on its way.
    pub(crate) fn is_refunded(&self, paid: Money) -> bool {
        let refunded = self.refunded();
        refunded > 0 && refunded >= paid.get()
    }

    /// What a refund of what was `sold` and `paid` comes to.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn claim(&self, request: &NewRefund, sold: &[Line], paid: Money) -> Result<Claim, RefundError> {
        let amount = Refunds { all: &self.refunds, paid }.amount(&request.of, sold)?;
        let sold = Lines::of_order(sold);
        let left = |(item_id, quantity): (&ItemId, Quantity)| {
            let left = quantity.get().saturating_sub(self.returned(item_id));
            Quantity::try_from(left).ok().map(|left| (item_id.clone(), left))
        };
        let lines = match &request.of {
            RefundOf::Items { lines, restock: true } => Some(lines.clone()),
            RefundOf::Rest { restock: true } => Lines::new(sold.iter().filter_map(left)).ok(),
            RefundOf::Amount(_) | RefundOf::Items { .. } | RefundOf::Rest { .. } => None,
        };
        if let Some(lines) = &lines {
            self.check_return(lines, &sold).map_err(RefundError::Return)?;
        }
        Ok(Claim { amount, goods: lines.map(|lines| restocked(lines, &request.reason)) })
    }

    /// With how far a refund of the payment has come; none if there is no such refund.
    pub(super) fn come(&self, id: &RefundId, state: RefundState, at: Timestamp) -> Option<Self> {
        let mut next = self.clone();
        next.refunds.iter_mut().find(|one| one.id == *id)?.come(state, at);
        Some(next)
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
    /// back, or all that was `paid` as given back, before any of it was sent.
    pub(crate) fn has_goods_to_send(&self, sold: &Lines, paid: Money) -> bool {
        let is_out = |(item_id, quantity): (&ItemId, Quantity)| self.returned(item_id) < quantity.get();
        self.fulfilment.is_some() || !self.is_refunded(paid) && sold.iter().any(is_out)
    }

    /// As it is after `event`.
    ///
    /// # Errors
    /// If that cannot happen now.
    pub(super) fn apply(&self, event: AfterSaleEvent, payment: &Payment) -> Result<Self, Illegal> {
        let mut next = self.clone();
        match event {
            AfterSaleEvent::ClaimRefund { id, request, sold, at } => {
                if self.find_refund(&id).is_some() {
                    return Err(Illegal);
                }
                let Claim { amount, goods } = self.claim(&request, &sold, payment.amount).map_err(|_| Illegal)?;
                let (lines, rest, restock) = match request.of {
                    RefundOf::Amount(_) => (None, false, false),
                    RefundOf::Items { lines, restock } => (Some(lines), false, restock),
                    RefundOf::Rest { restock } => (None, true, restock),
                };
                if let Some(ReturnedGoods { lines, to, reason }) = goods {
                    let id = ReturnId::of_refund(&id);
                    next.returns.push(Return { id, lines, to, reason, at, done: false });
                }
                let (reason, state, succeeded_at, failed_at) = (request.reason, None, None, None);
                let mut refund =
                    Refund { id, amount, lines, rest, restock, reason, at, state, succeeded_at, failed_at };
                if payment.reference.is_none() {
                    // No money has moved, and none does now.
                    refund.come(RefundState::Succeeded, at);
                }
                next.refunds.push(refund);
            }
            AfterSaleEvent::GiveUp => next.given_up = self.given_up.checked_add(1).ok_or(Illegal)?,
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
                if is_delivered || !self.has_goods_to_send(&sold, payment.amount) {
                    return Err(Illegal);
                }
                let fulfilled_at = self.fulfilment().map_or(at, |before| before.fulfilled_at);
                next.fulfilment = Some(Fulfilment { shipment, fulfilled_at, delivered_at: delivered.then_some(at) });
            }
        }
        Ok(next)
    }
}

/// Whether these are names of different things, and no more than `most`.
fn are_names<T: PartialEq>(names: &[T], most: usize) -> bool {
    let is_new = |(place, name): (usize, &T)| !names.iter().take(place).any(|earlier| earlier == name);
    names.len() <= most && names.iter().enumerate().all(is_new)
}

impl Order {
    /// How many of each item were ordered.
    pub fn quantities(&self) -> Lines {
        Lines::of_order(self.lines())
    }
}

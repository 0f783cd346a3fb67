//! Refunds of a payment: what the operator gives back to a buyer who has paid.
//!
//! A refund is put on record before the provider is asked for it. The record says how much is left to be given back: a
//! refund counts from the moment at which it is on record, until it has failed.

use serde::Serialize;

use crate::model::after_sale::{Destination, ReturnError, ReturnedGoods};
use crate::model::amounts::{Currency, Money};
use crate::model::ids::{ChargeId, ItemId, RefundId, ReturnId, SessionId};
use crate::model::order::{Line, Lines};
use crate::model::order_state::{LateRefund, PaymentReference};
use crate::model::session::RefundState;
use crate::model::text::Reason;
use crate::model::time::Timestamp;

/// The most refunds of its payment that an order's record keeps.
pub const MAX_REFUNDS: usize = 64;

/// A refund of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refund {
    /// Its name, at the provider too.
    pub id: RefundId,
    /// How much goes back. Never nothing.
    pub amount: Money,
    /// What was asked for, where that was some of the goods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Lines>,
    /// Whether all that was left was asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rest: bool,
    /// Whether the goods were to come back into stock with it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub restock: bool,
    /// Why, in the operator's words.
    #[serde(skip_serializing_if = "Reason::is_empty")]
    pub reason: Reason,
    /// When it was put on record. The provider is asked for it only after that.
    pub at: Timestamp,
    /// How far it has come, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<RefundState>,
    /// When it was put on record that it has succeeded. It may have failed since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub succeeded_at: Option<Timestamp>,
    /// When it was put on record that it has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
}

/// A refund that the operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRefund {
    /// How much is to go back.
    pub of: RefundOf,
    /// Why, in the operator's words.
    pub reason: Reason,
}

/// How much is to go back to the buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundOf {
    /// This much.
    Amount(Money),
    /// What these goods have cost.
    Items {
        /// The goods.
        lines: Lines,
        /// Whether they come back into stock.
        restock: bool,
    },
    /// All that is left.
    Rest {
        /// Whether the goods that have not come back do so now, into stock.
        restock: bool,
    },
}

/// Why money cannot be given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundError {
    /// There is nothing to be given back.
    Nothing,
    /// More than was paid, less what was given back before.
    MoreThanPaid {
        /// How much can still be given back.
        left: u64,
        /// How much was to be.
        requested: u64,
    },
    /// More of an item than was sold, less what was given back for before.
    MoreThanSold {
        /// The item.
        item_id: ItemId,
        /// How many of it the order has.
        sold: u64,
        /// For how many of these money can still be given back.
        left: u64,
        /// For how many it was to be.
        requested: u64,
    },
    /// The record has [`MAX_REFUNDS`] refunds.
    TooMany,
    /// The goods cannot come back.
    Return(ReturnError),
}

/// What a refund comes to that is about to be put on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// How much goes back.
    pub(crate) amount: Money,
    /// What comes back with it.
    pub(crate) goods: Option<ReturnedGoods>,
}

impl Refund {
    /// The name of the return of its goods, if they were to come back with it.
    pub fn return_id(&self) -> Option<ReturnId> {
        self.restock.then(|| ReturnId::of_refund(&self.id))
    }

    /// Whether it is what a request asks for.
    pub(crate) fn is_of(&self, request: &NewRefund) -> bool {
        let is_same = match &request.of {
            RefundOf::Amount(amount) => self.lines.is_none() && !self.rest && self.amount == *amount,
            RefundOf::Items { lines, restock } => self.lines.as_ref() == Some(lines) && self.restock == *restock,
            RefundOf::Rest { restock } => self.rest && self.restock == *restock,
        };
        is_same && self.reason == request.reason
    }

    /// Whether it counts: the money is on its way to the buyer, or may be.
    pub(crate) fn counts(&self) -> bool {
        self.state != Some(RefundState::Failed)
    }

    /// With how far it has come.
    pub(super) fn come(&mut self, state: RefundState, at: Timestamp) {
        match state {
            RefundState::Pending => {}
            RefundState::Succeeded => self.succeeded_at = Some(at),
            RefundState::Failed => self.failed_at = Some(at),
        }
        self.state = Some(state);
    }

    /// Whether it is one that a record can have.
    pub(super) fn is_valid(&self) -> bool {
        let of_goods = self.lines.is_some() || self.rest;
        let is_dated = match self.state {
            None | Some(RefundState::Pending) => true,
            Some(RefundState::Succeeded) => self.succeeded_at.is_some(),
            Some(RefundState::Failed) => self.failed_at.is_some(),
        };
        self.amount > Money::ZERO && !(self.lines.is_some() && self.rest) && (of_goods || !self.restock) && is_dated
    }
}

/// The refunds of a payment, and how much of it there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refunds<'a> {
    pub(crate) all: &'a [Refund],
    pub(crate) paid: Money,
}

impl Refunds<'_> {
    /// How much was given back, or is on its way.
    pub(crate) fn sum(self) -> u64 {
        self.all.iter().filter(|one| one.counts()).fold(0, |sum, one| sum.saturating_add(one.amount.get()))
    }

    /// How much can still be given back.
    fn left(self) -> u64 {
        self.paid.get().saturating_sub(self.sum())
    }

    /// For how many of an item money was given back.
    fn units(self, item_id: &ItemId) -> u64 {
        let of_item = |one: &Refund| one.lines.as_ref().and_then(|lines| lines.get(item_id)).map_or(0, u64::from);
        self.all.iter().filter(|one| one.counts()).map(of_item).fold(0, u64::saturating_add)
    }

    /// How much a refund comes to, of what was `sold`: no more than is left, and for each line at most as often as it
    /// was sold, over all refunds by items.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn amount(self, of: &RefundOf, sold: &[Line]) -> Result<Money, RefundError> {
        let left = self.left();
        let requested = match of {
            RefundOf::Amount(amount) => amount.get(),
            RefundOf::Rest { .. } => left,
            RefundOf::Items { lines, .. } => {
                let mut sum = 0_u64;
                for (item_id, quantity) in lines.iter() {
                    let line = sold.iter().find(|line| line.item_id == *item_id);
                    let sold = line.map_or(0, |line| line.quantity.get());
                    let left = sold.saturating_sub(self.units(item_id));
                    let requested = quantity.get();
                    if requested > left {
                        return Err(RefundError::MoreThanSold { item_id: item_id.clone(), sold, left, requested });
                    }
                    let price = line.map_or(0, |line| line.unit_price.get());
                    sum = sum.saturating_add(price.saturating_mul(requested));
                }
                sum
            }
        };
        // Rule: no-more-is-refunded-than-was-paid.
        if requested > left {
            return Err(RefundError::MoreThanPaid { left, requested });
        }
        if requested == 0 {
            return Err(RefundError::Nothing);
        }
        if self.all.len() >= MAX_REFUNDS {
            return Err(RefundError::TooMany);
        }
        Money::try_from(requested).map_err(|_| RefundError::MoreThanPaid { left, requested })
    }
}

/// What comes back into stock for this reason.
pub(super) fn restocked(lines: Lines, reason: &Reason) -> ReturnedGoods {
    ReturnedGoods { lines, to: Destination::Stock, reason: reason.clone() }
}

/// A refund on an order's record that the provider makes: of its payment, or of a charge that did not pay it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProviderRefund<'a> {
    /// Its name at the provider.
    pub(crate) id: RefundId,
    /// In which session the buyer was charged.
    pub(crate) session: &'a SessionId,
    /// What was charged.
    pub(crate) charge: &'a ChargeId,
    /// How much goes back.
    pub(crate) amount: Money,
    /// In which currency, where that is not the order's.
    pub(crate) currency: Option<&'a Currency>,
    /// How far it has come, as far as is known.
    pub(crate) state: Option<RefundState>,
}

impl<'a> ProviderRefund<'a> {
    pub(super) fn of_payment(one: &'a Refund, reference: &'a PaymentReference) -> Self {
        let PaymentReference { session, charge } = reference;
        Self { id: one.id.clone(), session, charge, amount: one.amount, currency: None, state: one.state }
    }

    /// Whether the provider has said how it ended.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.state, Some(RefundState::Succeeded | RefundState::Failed))
    }
}

impl<'a> From<&'a LateRefund> for ProviderRefund<'a> {
    fn from(late: &'a LateRefund) -> Self {
        let LateRefund { session, charge, amount, currency, refund, .. } = late;
        let (amount, currency) = (*amount, currency.as_ref());
        Self { id: late.refund_id(), session, charge, amount, currency, state: *refund }
    }
}

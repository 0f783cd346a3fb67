//! The state of an order: unpaid, paid or closed. It has a record of its own, beside the order's, that is changed by
//! compare-and-swap; [`OrderState::apply`] is the only way to make a new state of an old one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::amounts::Money;
use crate::model::ids::PaymentMethod;
use crate::model::item::Settlement;
use crate::model::time::Timestamp;

/// The state of an order. It begins as [`Self::NEW`], is read from its record, or is made by [`Self::apply`]: nothing
/// else can write down, for example, a payment that was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Record", into = "Record")]
pub struct OrderState(State);

/// What an order can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not decided yet.
    Unpaid {
        /// A request other than the one that placed the order has seen every line held, and may have told so to the
        /// client: from then on the order cannot be rejected.
        confirmed: bool,
    },
    /// Paid, for ever.
    Paid(Payment),
    /// Closed without payment, for ever.
    Closed {
        /// Why.
        reason: CloseReason,
        /// When this was decided.
        at: Timestamp,
    },
}

/// A payment that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// In minor units of the shop's currency: the total of the order.
    pub amount: Money,
    /// The means of payment, in the client's words.
    pub method: PaymentMethod,
    /// When the payment was asked for.
    pub paid_at: Timestamp,
}

/// Why an order was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// A client cancelled it.
    Cancelled,
    /// It was not paid in time.
    Expired,
    /// There was too little stock for one of its lines.
    Rejected,
}

/// What can happen to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request other than the one that placed it has seen every line held.
    Confirm,
    /// It is paid.
    Pay(Payment),
    /// A client cancels it.
    Cancel {
        /// Now.
        at: Timestamp,
    },
    /// Its time to pay is over.
    Expire {
        /// Now.
        at: Timestamp,
    },
    /// The request that placed it found too little stock.
    Reject {
        /// Now.
        at: Timestamp,
    },
}

/// An event that cannot happen to an order in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this cannot happen to an order in its state")]
pub struct Illegal;

impl OrderState {
    /// The state of an order that was just placed.
    pub const NEW: Self = Self(State::Unpaid { confirmed: false });

    /// What it is.
    pub fn get(&self) -> &State {
        &self.0
    }

    /// The state after `event`, of an order that can be paid before `expires_at`. The whole life of an order is in this
    /// match: an unpaid order is paid in time, or closed; what is paid or closed stays so.
    ///
    /// # Errors
    /// If that cannot happen now.
    pub fn apply(&self, event: Event, expires_at: Timestamp) -> Result<Self, Illegal> {
        let closed = |reason, at| Ok(Self(State::Closed { reason, at }));
        match (&self.0, event) {
            (State::Unpaid { .. }, Event::Confirm) => Ok(Self(State::Unpaid { confirmed: true })),
            (State::Unpaid { .. }, Event::Pay(payment)) if payment.paid_at < expires_at => {
                Ok(Self(State::Paid(payment)))
            }
            (State::Unpaid { .. }, Event::Cancel { at }) if at < expires_at => closed(CloseReason::Cancelled, at),
            (State::Unpaid { .. }, Event::Expire { at }) if at >= expires_at => closed(CloseReason::Expired, at),
            (State::Unpaid { confirmed: false }, Event::Reject { at }) => closed(CloseReason::Rejected, at),
            (State::Unpaid { .. } | State::Paid(_) | State::Closed { .. }, _) => Err(Illegal),
        }
    }

    /// What becomes of the order's holds; none while it is unpaid.
    pub fn settlement(&self) -> Option<Settlement> {
        match self.0 {
            State::Unpaid { .. } => None,
            State::Paid(_) => Some(Settlement::Sold),
            // A refusal is not remembered: the same request may succeed later.
            State::Closed { reason, .. } => {
                Some(Settlement::Released { key_reusable: reason == CloseReason::Rejected })
            }
        }
    }

    /// When the records of a closed order may be removed, if closed orders are kept for this long; none of an order that
    /// is unpaid or paid. An order that was not paid in time is closed at its expiry, whenever that is decided.
    pub fn removable_at(&self, expires_at: Timestamp, kept: Duration) -> Option<Timestamp> {
        match self.0 {
            State::Unpaid { .. } | State::Paid(_) => None,
            State::Closed { reason: CloseReason::Expired, .. } => Some(expires_at.after(kept)),
            State::Closed { reason: CloseReason::Cancelled | CloseReason::Rejected, at } => Some(at.after(kept)),
        }
    }

    /// Whether the order is to expire: it is unpaid and its time is over.
    pub fn is_overdue(&self, now: Timestamp, expires_at: Timestamp) -> bool {
        matches!(self.0, State::Unpaid { .. }) && now >= expires_at
    }

    /// Whether it is unpaid and cannot be rejected any more.
    pub fn is_confirmed(&self) -> bool {
        matches!(self.0, State::Unpaid { confirmed: true })
    }

    /// Whether it was closed as if it had never been placed.
    pub fn is_rejected(&self) -> bool {
        matches!(self.0, State::Closed { reason: CloseReason::Rejected, .. })
    }

    /// The payment, once it was made.
    pub fn payment(&self) -> Option<&Payment> {
        match &self.0 {
            State::Paid(payment) => Some(payment),
            State::Unpaid { .. } | State::Closed { .. } => None,
        }
    }
}

/// The state as it is stored. Flat, since serde reads an enum with a tag by way of a copy of whatever is there, which
/// is a lot of code for a component.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Record {
    state: Tag,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    confirmed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<PaymentMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<CloseReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tag {
    #[default]
    #[serde(skip)]
    Missing,
    Unpaid,
    Paid,
    Void,
}

impl From<OrderState> for Record {
    fn from(state: OrderState) -> Self {
        match state.0 {
            State::Unpaid { confirmed } => Self { state: Tag::Unpaid, confirmed, ..Self::default() },
            State::Paid(Payment { amount, method, paid_at }) => Self {
                state: Tag::Paid,
                amount: Some(amount),
                method: Some(method),
                paid_at: Some(paid_at),
                ..Self::default()
            },
            State::Closed { reason, at } => {
                Self { state: Tag::Void, reason: Some(reason), at: Some(at), ..Self::default() }
            }
        }
    }
}

impl TryFrom<Record> for OrderState {
    type Error = &'static str;

    fn try_from(record: Record) -> Result<Self, Self::Error> {
        let Record { state, confirmed, amount, method, paid_at, reason, at } = record;
        Ok(Self(match (state, confirmed, amount, method, paid_at, reason, at) {
            (Tag::Unpaid, confirmed, None, None, None, None, None) => State::Unpaid { confirmed },
            (Tag::Paid, false, Some(amount), Some(method), Some(paid_at), None, None) => {
                State::Paid(Payment { amount, method, paid_at })
            }
            (Tag::Void, false, None, None, None, Some(reason), Some(at)) => State::Closed { reason, at },
            _ => return Err("no order has a state with just these fields"),
        }))
    }
}

//! The record of a payment, which is the fate of its order. It leaves `unpaid` once, by a compare-and-swap.

use serde::{Deserialize, Serialize};

use crate::amounts::Money;
use crate::environment::Timestamp;
use crate::ids::Method;
use crate::item::Settlement;

/// The fate of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Record", into = "Record")]
pub enum Payment {
    /// Not decided yet.
    Unpaid {
        /// Somebody other than the order's creator has seen every line held, and may have said so to the client:
        /// from then on the order cannot be rejected any more.
        confirmed: bool,
    },
    /// Paid, for ever.
    Paid(Paid),
    /// Come to nothing, for ever.
    Void {
        /// Why.
        reason: Void,
        /// When.
        at: Timestamp,
    },
}

/// A payment that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// How much.
    pub amount: Money,
    /// By which means.
    pub method: Method,
    /// When.
    pub paid_at: Timestamp,
}

/// Why an order came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Void {
    /// Somebody cancelled it.
    Cancelled,
    /// Nobody paid in time.
    Expired,
    /// There was too little for one of its lines.
    Rejected,
}

impl Payment {
    /// The payment of an order that was just placed.
    pub const NEW: Self = Self::Unpaid { confirmed: false };

    /// What becomes of the order's holds; none while nothing is decided.
    pub fn settlement(&self) -> Option<Settlement> {
        match self {
            Self::Unpaid { .. } => None,
            Self::Paid(_) => Some(Settlement::Sold),
            // A refusal is not remembered: the same request may succeed later.
            Self::Void { reason: Void::Rejected, .. } => Some(Settlement::Forgotten),
            Self::Void { reason: Void::Cancelled | Void::Expired, .. } => Some(Settlement::Released),
        }
    }
}

/// A payment as it is stored. Flat, since serde reads an enum with a tag by way of a copy of whatever is there, which is a lot
/// of code for a component.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Record {
    state: State,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    confirmed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<Method>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Void>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    #[default]
    #[serde(skip)]
    Missing,
    Unpaid,
    Paid,
    Void,
}

impl From<Payment> for Record {
    fn from(payment: Payment) -> Self {
        match payment {
            Payment::Unpaid { confirmed } => Self { state: State::Unpaid, confirmed, ..Self::default() },
            Payment::Paid(Paid { amount, method, paid_at }) => Self {
                state: State::Paid,
                amount: Some(amount),
                method: Some(method),
                paid_at: Some(paid_at),
                ..Self::default()
            },
            Payment::Void { reason, at } => {
                Self { state: State::Void, reason: Some(reason), at: Some(at), ..Self::default() }
            }
        }
    }
}

impl TryFrom<Record> for Payment {
    type Error = &'static str;

    fn try_from(record: Record) -> Result<Self, Self::Error> {
        match record {
            Record {
                state: State::Unpaid,
                confirmed,
                amount: None,
                method: None,
                paid_at: None,
                reason: None,
                at: None,
            } => Ok(Self::Unpaid { confirmed }),
            Record {
                state: State::Paid,
                confirmed: false,
                amount: Some(amount),
                method: Some(method),
                paid_at: Some(paid_at),
                reason: None,
                at: None,
            } => Ok(Self::Paid(Paid { amount, method, paid_at })),
            Record {
                state: State::Void,
                confirmed: false,
                amount: None,
                method: None,
                paid_at: None,
                reason: Some(reason),
                at: Some(at),
            } => Ok(Self::Void { reason, at }),
            _ => Err("no payment has just these fields"),
        }
    }
}

//! The record of a payment, which is the fate of its order. It leaves `unpaid` once, by a compare-and-swap.

use serde::{Deserialize, Serialize};

use crate::amounts::Money;
use crate::environment::Timestamp;
use crate::ids::Method;
use crate::item::Settlement;

/// The fate of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum Payment {
    /// Not decided yet.
    Unpaid {
        /// Somebody other than the order's creator has seen every line held, and may have said so to the client:
        /// from then on the order cannot be rejected any more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

//! What a client is told an order is. Computed from the records, never stored.

use std::fmt;

use serde::Serialize;

use crate::payment::{Payment, Void};

/// The status of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not every line is held yet.
    Placing,
    /// Every line is held; it waits for payment.
    Pending,
    /// Paid.
    Paid,
    /// Cancelled before it was paid.
    Cancelled,
    /// Not paid in time.
    Expired,
    /// Refused for lack of stock.
    Rejected,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Placing => "placing",
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
        })
    }
}

/// The status of an order with this payment. `all_held` says whether each of its lines is held; it matters only while the
/// order is unpaid. No clock has a part in it: an order is expired once its payment says so.
pub fn status(payment: &Payment, all_held: bool) -> Status {
    match payment {
        Payment::Paid(_) => Status::Paid,
        Payment::Void { reason: Void::Cancelled, .. } => Status::Cancelled,
        Payment::Void { reason: Void::Expired, .. } => Status::Expired,
        Payment::Void { reason: Void::Rejected, .. } => Status::Rejected,
        Payment::Unpaid { .. } if all_held => Status::Pending,
        Payment::Unpaid { .. } => Status::Placing,
    }
}

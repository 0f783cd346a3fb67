//! What a client is told an order is. Computed from the records, never stored.

use std::fmt;

use serde::Serialize;

use crate::model::after_sale::AfterSale;
use crate::model::dispute::Dispute;
use crate::model::ids::SessionId;
use crate::model::order::Order;
use crate::model::order_state::{CloseReason, LateRefund, OrderState, Payment, State};

/// The status of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not every line is held yet.
    Placing,
    /// Every line is held; it waits for payment.
    Pending,
    /// Paid. Its goods are to go out.
    Paid,
    /// Paid, and its goods went out.
    Fulfilled,
    /// Paid, and all of that was given back or is on its way, whether its goods went out or not.
    Refunded,
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
            Self::Fulfilled => "fulfilled",
            Self::Refunded => "refunded",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
        })
    }
}

/// The status of an order in this state. `all_held` says whether each of its lines is held; it matters only while the
/// order is unpaid: of one that is at the provider every line is. No clock has a part in it: an order is expired once
/// its state says so.
pub fn status(state: &OrderState, all_held: bool) -> Status {
    match state.get() {
        State::Paid(payment) if state.after_sale().is_refunded(payment.amount) => Status::Refunded,
        State::Paid(_) if state.after_sale().fulfilment().is_some() => Status::Fulfilled,
        State::Paid(_) => Status::Paid,
        State::Closed { reason: CloseReason::Cancelled, .. } => Status::Cancelled,
        State::Closed { reason: CloseReason::Expired, .. } => Status::Expired,
        State::Closed { reason: CloseReason::Rejected, .. } => Status::Rejected,
        State::AtProvider { .. } => Status::Pending,
        State::Unpaid { .. } if all_held => Status::Pending,
        State::Unpaid { .. } => Status::Placing,
    }
}

/// An order as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderView {
    /// What was ordered.
    pub order: Order,
    /// Its status.
    pub status: Status,
    /// The payment, once it was made.
    pub payment: Option<Payment>,
    /// The session of the payment provider, who decides, in which a buyer may be paying it. For the operator alone.
    pub session: Option<SessionId>,
    /// Charges that did not pay it, and their refunds, oldest first. For the operator alone.
    pub late_refunds: Vec<LateRefund>,
    /// Disputes about charges of it.
    pub disputes: Vec<Dispute>,
    /// What happened to it since it was paid.
    pub after_sale: AfterSale,
}

impl OrderView {
    /// The view of an order in this state, where `all_held` says whether each line is held.
    pub(crate) fn new(order: Order, state: &OrderState, all_held: bool) -> Self {
        Self {
            order,
            status: status(state, all_held),
            payment: state.payment().cloned(),
            session: state.session().cloned(),
            late_refunds: state.late_refunds().to_vec(),
            disputes: state.disputes().to_vec(),
            after_sale: state.after_sale().clone(),
        }
    }

    /// Whether a buyer may be paying it at the payment provider.
    pub fn at_provider(&self) -> bool {
        self.session.is_some()
    }
}

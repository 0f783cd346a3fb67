//! The histories of orders and items.

use crate::engine::codec::decode;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::flows::adjust::AdjustmentRecord;
use crate::model::after_sale::{Destination, Return};
use crate::model::dispute::{Dispute, DisputeStatus};
use crate::model::ids::{DisputeId, ItemId, OrderId, RefundId, ReturnId};
use crate::model::item::Adjustment;
use crate::model::order_state::{CloseReason, LateRefund, State};
use crate::model::refund::Refund;
use crate::model::session::RefundState;
use crate::model::status::{OrderView, Status};
use crate::model::time::Timestamp;
use crate::provider::Provider;
use crate::store::{Key, Store};

/// What can happen to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderEvent {
    /// It was asked for.
    Placed,
    /// It was paid.
    Paid,
    /// A client cancelled it.
    Cancelled,
    /// It was not paid in time.
    Expired,
    /// There was too little stock for one of its lines.
    Rejected,
    /// The payment provider has charged what does not pay the order: too late, or something else than it costs. It goes
    /// back to the buyer, and how that ended is not known yet.
    RefundingLate,
    /// Such a charge went back to the buyer.
    RefundedLate,
    /// Such a charge could not be given back.
    LateRefundFailed,
    /// Some of what was paid is being given back. The order's view says how much.
    Refunding(RefundId),
    /// Some of what was paid was given back. The order's view says how much.
    Refunded(RefundId),
    /// A refund of the payment has failed. The order's view says of how much.
    RefundFailed(RefundId),
    /// Its goods went out.
    Fulfilled,
    /// The buyer has its goods.
    Delivered,
    /// Goods of it came back, into stock. The order's view says which.
    Returned(ReturnId),
    /// Goods of it came back, and were written off. The order's view says which.
    WrittenOff(ReturnId),
    /// The buyer has asked the bank for what was charged. The order's view says for how much.
    Disputed(DisputeId),
    /// A dispute was decided, and the money stays with the shop.
    DisputeWon(DisputeId),
    /// A dispute was decided, and the money is with the buyer.
    DisputeLost(DisputeId),
}

impl OrderEvent {
    /// Its name. It never changes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::RefundingLate => "refunding_late",
            Self::RefundedLate => "refunded_late",
            Self::LateRefundFailed => "late_refund_failed",
            Self::Refunding(_) => "refunding",
            Self::Refunded(_) => "refunded",
            Self::RefundFailed(_) => "refund_failed",
            Self::Fulfilled => "fulfilled",
            Self::Delivered => "delivered",
            Self::Returned(_) => "returned",
            Self::WrittenOff(_) => "written_off",
            Self::Disputed(_) => "disputed",
            Self::DisputeWon(_) => "dispute_won",
            Self::DisputeLost(_) => "dispute_lost",
        }
    }
}

/// The history of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderHistory {
    /// The order as it is now.
    pub view: OrderView,
    /// What happened, oldest first.
    pub events: Vec<(Timestamp, OrderEvent)>,
}

/// The history of an item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemHistory {
    /// The latest adjustments, newest first.
    pub adjustments: Vec<AdjustmentRecord>,
    /// How many of them cannot be read.
    pub unreadable: usize,
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// The history of an order.
    ///
    /// # Errors
    /// If there is no such order, or a record that it needs cannot be read.
    pub async fn order_history(&self, order_id: OrderId) -> Result<OrderHistory, Error> {
        let shown = self.show_order(order_id).await?;
        // It may have been decided in the meantime.
        let state = self.read_state(order_id).await?.record;
        let view = OrderView::new(shown.order, &state, shown.status != Status::Placing);
        let decided = match state.get() {
            State::Paid(payment) => Some((payment.paid_at, OrderEvent::Paid)),
            State::Closed { reason: CloseReason::Cancelled, at, .. } => Some((*at, OrderEvent::Cancelled)),
            State::Closed { reason: CloseReason::Rejected, at, .. } => Some((*at, OrderEvent::Rejected)),
            // It was decided later, but this is when.
            State::Closed { reason: CloseReason::Expired, .. } => Some((view.order.expires_at, OrderEvent::Expired)),
            State::Unpaid { .. } | State::AtProvider { .. } => None,
        };
        let late = |late: &LateRefund| {
            let event = match late.refund {
                None | Some(RefundState::Pending) => OrderEvent::RefundingLate,
                Some(RefundState::Succeeded) => OrderEvent::RefundedLate,
                Some(RefundState::Failed) => OrderEvent::LateRefundFailed,
            };
            (late.at, event)
        };
        let late = state.late_refunds().iter().map(late);
        // One that has succeeded and failed later is told as both: it was told that it has succeeded.
        let refunded = |one: &Refund| {
            let begun = match one.succeeded_at {
                Some(at) => (at, OrderEvent::Refunded(one.id.clone())),
                None => (one.at, OrderEvent::Refunding(one.id.clone())),
            };
            let failed = one.failed_at.map(|at| (at, OrderEvent::RefundFailed(one.id.clone())));
            [Some(begun), failed].into_iter().flatten()
        };
        let refunded = state.after_sale().refunds().iter().flat_map(refunded);
        let returned = |one: &Return| match one.to {
            Destination::Stock => (one.at, OrderEvent::Returned(one.id)),
            Destination::WrittenOff => (one.at, OrderEvent::WrittenOff(one.id)),
        };
        let returned = state.after_sale().returns().iter().map(returned);
        let fulfilment = state.after_sale().fulfilment();
        let fulfilled = fulfilment.map(|out| (out.fulfilled_at, OrderEvent::Fulfilled));
        let delivered = fulfilment.and_then(|out| Some((out.delivered_at?, OrderEvent::Delivered)));
        let disputed = |one: &Dispute| {
            let decided = match one.status {
                DisputeStatus::Open => None,
                DisputeStatus::Won => Some(OrderEvent::DisputeWon(one.id.clone())),
                DisputeStatus::Lost => Some(OrderEvent::DisputeLost(one.id.clone())),
            };
            let opened = (one.opened_at, OrderEvent::Disputed(one.id.clone()));
            [Some(opened), one.closed_at.zip(decided)].into_iter().flatten()
        };
        let disputed = state.disputes().iter().flat_map(disputed);
        let after_sale = fulfilled.into_iter().chain(delivered).chain(refunded).chain(returned).chain(disputed);
        // A late charge may be older than what decided the order.
        let mut later: Vec<_> = decided.into_iter().chain(late).chain(after_sale).collect();
        later.sort_by_key(|(at, _)| *at);
        let events = [(view.order.placed_at, OrderEvent::Placed)].into_iter().chain(later).collect();
        Ok(OrderHistory { view, events })
    }

    /// The latest adjustments of an item, newest first: those that it remembers
    /// ([`crate::item::REMEMBERED_ADJUSTMENTS`]).
    ///
    /// # Errors
    /// If there is no such item, its record cannot be read, or the store fails.
    pub async fn item_history(&self, item_id: &ItemId) -> Result<ItemHistory, Error> {
        let item = self.item(item_id).await?.record;
        let names = |adjustment: &Adjustment| [adjustment.key, adjustment.earlier_name()].map(Key::Adjustment);
        let keys: Vec<_> = item.adjustments().iter().rev().flat_map(names).collect();
        let mut found = if keys.is_empty() { Vec::new() } else { self.store.get(&keys).await? }.into_iter();
        let mut history = ItemHistory::default();
        for adjustment in item.adjustments().iter().rev() {
            let mut made = None;
            let mut unreadable = false;
            for found in found.by_ref().take(2) {
                match found.map_err(Error::from).and_then(|entry| entry.map(decode::<AdjustmentRecord>).transpose()) {
                    Ok(read) => {
                        let record = read.map(|read| read.record).filter(|record| record.is(item_id, adjustment));
                        made = made.or(record);
                    }
                    Err(_) => unreadable = true,
                }
            }
            // None of both: adjustments that were made before there were such records.
            history.unreadable = history.unreadable.saturating_add(usize::from(made.is_none() && unreadable));
            history.adjustments.extend(made);
        }
        Ok(history)
    }
}

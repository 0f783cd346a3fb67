//! What became of an order or an item, and when.

use serde::{Deserialize, Serialize};

use crate::amounts::Delta;
use crate::environment::{Environment, Timestamp};
use crate::error::Error;
use crate::ids::{ItemId, OrderId};
use crate::item::Adjustment;
use crate::orders::OrderView;
use crate::payment::{Payment, Void};
use crate::shop::{Shop, decode, encode};
use crate::status::Status;
use crate::store::{Key, Store};

/// What can become of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderEvent {
    /// It was asked for.
    Placed,
    /// It was paid.
    Paid,
    /// Somebody cancelled it.
    Cancelled,
    /// Nobody paid in time.
    Expired,
    /// There was too little for one of its lines.
    Rejected,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderHistory {
    /// The order as it is now.
    pub view: OrderView,
    /// What happened, oldest first.
    pub events: Vec<(Timestamp, OrderEvent)>,
}

/// An adjustment that was made, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdjustmentMade {
    /// When it was asked for.
    pub at: Timestamp,
    /// By how much stock was changed.
    pub delta: i64,
    /// What the operator said about it.
    pub reason: String,
}

impl<S: Store, E: Environment> Shop<S, E> {
    /// What became of an order.
    pub async fn order_history(&self, order_id: OrderId) -> Result<OrderHistory, Error> {
        let shown = self.show_order(order_id).await?;
        // It may have been decided in the meantime.
        let payment = self.read_payment(order_id).await?.record;
        let view = self.view(shown.order, payment.clone(), shown.status != Status::Placing);
        let mut events = vec![(view.order.placed_at, OrderEvent::Placed)];
        events.extend(match payment {
            Payment::Paid(paid) => Some((paid.paid_at, OrderEvent::Paid)),
            Payment::Void { reason: Void::Cancelled, at } => Some((at, OrderEvent::Cancelled)),
            Payment::Void { reason: Void::Rejected, at } => Some((at, OrderEvent::Rejected)),
            // It may be written down later, but this is when.
            Payment::Void { reason: Void::Expired, .. } => Some((view.order.expires_at, OrderEvent::Expired)),
            Payment::Unpaid { .. } if view.status == Status::Expired => {
                Some((view.order.expires_at, OrderEvent::Expired))
            }
            Payment::Unpaid { .. } => None,
        });
        Ok(OrderHistory { view, events })
    }

    /// The latest adjustments of an item, newest first: those that it remembers
    /// ([`crate::item::REMEMBERED_ADJUSTMENTS`]).
    pub async fn item_history(&self, item_id: &ItemId) -> Result<Vec<AdjustmentMade>, Error> {
        let item = self.item(item_id).await?.record;
        let mut keys = Vec::with_capacity(item.adjustments.len());
        keys.extend(item.adjustments.iter().rev().map(|adjustment| Key::Adjustment(adjustment.name())));
        let found = if keys.is_empty() { Vec::new() } else { self.store.get(&keys).await? };
        // Before adjustments were written down, items remembered them all the same.
        found.into_iter().flatten().map(|entry| Ok(decode(entry)?.record)).collect()
    }

    /// Writes down what an adjustment is going to be, before it is made.
    pub(crate) async fn write_down(&self, adjustment: &Adjustment, delta: Delta, reason: &str) -> Result<(), Error> {
        let made = AdjustmentMade { at: self.environment.now(), delta: delta.get(), reason: reason.to_owned() };
        Ok(self.store.put(vec![(Key::Adjustment(adjustment.name()), encode(&made)?)]).await?)
    }
}

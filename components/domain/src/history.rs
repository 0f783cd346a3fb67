//! What became of an order or an item, and when.

use serde::{Deserialize, Serialize};

use crate::amounts::Delta;
use crate::environment::{Environment, Timestamp};
use crate::error::Error;
use crate::ids::{ItemId, KeyDigest, OrderId};
use crate::item::Adjustment;
use crate::orders::OrderView;
use crate::payment::{Payment, Void};
use crate::shop::{Read, Shop, decode, encode};
use crate::status::Status;
use crate::store::{Key, Store, Swap};

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
pub struct AdjustmentRecord {
    /// When it was asked for.
    pub at: Timestamp,
    /// By how much stock was changed.
    pub delta: i64,
    /// What the operator said about it.
    pub reason: String,
    /// The item. Records of an earlier version do not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_id: Option<ItemId>,
}

impl AdjustmentRecord {
    /// Whether this is what an item remembers as `adjustment`.
    fn is(&self, item_id: &ItemId, adjustment: &Adjustment) -> bool {
        let same = |delta| Adjustment::new(adjustment.key, delta, &self.reason) == *adjustment;
        self.item_id.as_ref().is_none_or(|of| of == item_id) && Delta::try_from(self.delta).is_ok_and(same)
    }
}

/// The history of an item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemHistory {
    /// The latest adjustments, newest first.
    pub adjustments: Vec<AdjustmentRecord>,
    /// How many of them cannot be read.
    pub unreadable: usize,
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
            // It was written down later, but this is when.
            Payment::Void { reason: Void::Expired, .. } => Some((view.order.expires_at, OrderEvent::Expired)),
            Payment::Unpaid { .. } => None,
        });
        Ok(OrderHistory { view, events })
    }

    /// The latest adjustments of an item, newest first: those that it remembers
    /// ([`crate::item::REMEMBERED_ADJUSTMENTS`]).
    pub async fn item_history(&self, item_id: &ItemId) -> Result<ItemHistory, Error> {
        let item = self.item(item_id).await?.record;
        let names = |adjustment: &Adjustment| [adjustment.key, adjustment.earlier_name()].map(Key::Adjustment);
        let keys: Vec<_> = item.adjustments.iter().rev().flat_map(names).collect();
        let mut found = if keys.is_empty() { Vec::new() } else { self.store.get(&keys).await? }.into_iter();
        let mut history = ItemHistory::default();
        for adjustment in item.adjustments.iter().rev() {
            let mut made = None;
            let mut unreadable = false;
            for found in found.by_ref().take(2) {
                match found.map_err(Error::from).and_then(|entry| entry.map(decode::<AdjustmentRecord>).transpose()) {
                    Ok(read) => {
                        made = made.or(read.map(|read| read.record).filter(|made| made.is(item_id, adjustment)))
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

    /// Writes down what the adjustment under a key is going to be, before it is made. What an adjustment that was refused had
    /// written under the same key is replaced.
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyReused`] if the key stands for an adjustment that was made to another item.
    pub(crate) async fn record_adjustment(&self, key: KeyDigest, made: &AdjustmentRecord) -> Result<(), Error> {
        let name = Key::Adjustment(key);
        let value = encode(made)?;
        let mut attempts = self.attempts();
        loop {
            let outcome = match self.read_one(name.clone()).await? {
                Some(entry) if entry.value == value => return Ok(()),
                Some(entry) => {
                    let Read { entry, record: other } = decode::<AdjustmentRecord>(entry)?;
                    if self.is_made_elsewhere(key, made, &other).await? {
                        return Err(Error::IdempotencyKeyReused);
                    }
                    self.store.swap(&entry, value.clone()).await
                }
                // Another request with this key may write first: the next read tells.
                None => self.store.put(vec![(name.clone(), value.clone())]).await.map(|()| Swap::Swapped),
            };
            match outcome {
                Ok(Swap::Swapped) => attempts.count()?,
                outcome => attempts.again(outcome).await?,
            }
        }
    }

    /// Removes what was written down of an adjustment that was not made, if it still is that: another request with the same
    /// key may have written since, and be making it. If one does so in this very moment, its adjustment is made and has no
    /// record, so that histories leave it out.
    pub(crate) async fn erase(&self, key: KeyDigest, written: Option<AdjustmentRecord>) {
        let Some(value) = written.and_then(|made| encode(&made).ok()) else { return };
        if let Ok(Some(entry)) = self.read_one(Key::Adjustment(key)).await
            && entry.value == value
        {
            let _ = self.store.remove(&[Key::Adjustment(key)]).await;
        }
    }

    /// Whether the adjustment that was written down under a key was made to another item.
    async fn is_made_elsewhere(
        &self,
        key: KeyDigest,
        made: &AdjustmentRecord,
        other: &AdjustmentRecord,
    ) -> Result<bool, Error> {
        let Some(item_id) = other.item_id.as_ref().filter(|item_id| made.item_id.as_ref() != Some(item_id)) else {
            return Ok(false);
        };
        Ok(self.find_item(item_id).await?.is_some_and(|item| item.record.adjustment(&key).is_some()))
    }
}

//! The one way in which an item changes: read it, decide, settle what is due, swap.

use crate::environment::{Environment, Timestamp};
use crate::error::Error;
use crate::ids::{ItemId, KeyDigest, OrderId};
use crate::item::{EXPIRED_A_SWAP, EXPIRED_WHEN_SHORT, Item, MAPPINGS_A_CALL, Settlement};
use crate::payment::{Payment, Void};
use crate::shop::{Read, Shop, decode, encode};
use crate::store::{Entry, Key, Store, StoreError, Swap};

/// The largest an item or the catalog may be, in bytes: the smallest limit that a platform sets on a value, less
/// some room for settling.
pub(crate) const MOST_BYTES: usize = 1_000_000;

/// What a request wants of an item that it has read.
pub(crate) enum Change<T> {
    /// The item was changed and is to be written.
    Write(T),
    /// There is nothing to write.
    Leave(T),
}

impl<S: Store, E: Environment> Shop<S, E> {
    /// Reads an item, lets `change` decide and swaps it, again and again until nothing came in between.
    ///
    /// Everything that `change` reads is read after the item. That order is what the protocol rests on: a hold is
    /// dropped only after its payment was decided, and a key leaves the record only after its mapping was written. So
    /// a payment that is still unpaid after the item was read, and a mapping that is still absent, show that neither
    /// had happened before that read; and the swap shows that nothing happened since.
    ///
    /// `change` leaves the item alone when it fails. Where it fails for lack of stock it is asked once more after
    /// expired holds were settled.
    pub(crate) async fn update_item<T>(
        &self,
        item_id: &ItemId,
        mut change: impl AsyncFnMut(&mut Item) -> Result<Change<T>, Error>,
    ) -> Result<T, Error> {
        let mut attempts = self.attempts();
        loop {
            let now = self.environment.now();
            let Read { entry, record: mut item } = self.item(item_id).await?;
            let due = item.due(now, EXPIRED_A_SWAP);
            let result = match change(&mut item).await {
                Ok(Change::Leave(result)) => return Ok(result),
                Ok(Change::Write(result)) => {
                    self.settle(&mut item, &due, now).await?;
                    Ok(result)
                }
                Err(Error::InsufficientStock { .. }) => {
                    let due = item.due(now, EXPIRED_WHEN_SHORT);
                    let released = self.settle(&mut item, &due, now).await?;
                    match change(&mut item).await {
                        Ok(Change::Leave(result) | Change::Write(result)) => Ok(result),
                        // Written although it did not help: the refusal says how much is available, which then has to be
                        // so for everybody, and the next one need not settle the same holds again.
                        Err(error) if released > 0 => Err(error),
                        Err(error) => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            };
            match self.write(&entry, item).await? {
                Ok(Swap::Swapped) => return result,
                outcome => attempts.again(outcome).await?,
            }
        }
    }

    /// Swaps an item for its next version. The inner result is the swap's own, which may be tried again.
    async fn write(&self, read: &Entry, mut item: Item) -> Result<Result<Swap, StoreError>, Error> {
        self.write_mappings(&mut item).await?;
        item.version = item.version.wrapping_add(1);
        let value = encode(&item)?;
        if value.len() > MOST_BYTES && value.len() > read.value.len() {
            return Err(Error::Busy);
        }
        Ok(self.store.swap(read, value).await)
    }

    /// Settles in `item`, which is not written yet, those of `orders` whose fate is decided; an unpaid one past its
    /// expiry is decided here. Answers how many gave back what they held.
    async fn settle(&self, item: &mut Item, orders: &[OrderId], now: Timestamp) -> Result<usize, Error> {
        let mut released = 0_usize;
        for (order, payment) in self.payments(orders).await? {
            let expired = item.holds.get(&order).is_some_and(|hold| hold.expires_at <= now);
            let settlement = match payment.record.settlement() {
                None if expired => {
                    let void = Payment::Void { reason: Void::Expired, at: now };
                    match self.store.swap(&payment.entry, encode(&void)?).await? {
                        Swap::Swapped => void.settlement(),
                        // Paid or cancelled this moment: the next swap of the item sees it.
                        Swap::Conflict => None,
                    }
                }
                settlement => settlement,
            };
            if let Some(settlement) = settlement {
                item.settle(order, settlement);
                released = released.saturating_add(usize::from(settlement != Settlement::Sold));
            }
        }
        Ok(released)
    }

    /// The item as it would be if its expired holds were settled, without writing: what a reader is shown.
    pub(crate) async fn preview(&self, item: &mut Item, now: Timestamp) -> Result<(), Error> {
        let expired = item.holds.iter().filter(|(_, hold)| hold.expires_at <= now);
        let expired: Vec<_> = expired.map(|(order, _)| *order).take(EXPIRED_A_SWAP).collect();
        for (order, payment) in self.payments(&expired).await? {
            item.settle(order, payment.record.settlement().unwrap_or(Settlement::Released));
        }
        Ok(())
    }

    /// The payments of these orders. One that is missing or cannot be read is left out, and so its hold is left
    /// alone: that may keep stock from being sold, but never sells it twice.
    async fn payments(&self, orders: &[OrderId]) -> Result<Vec<(OrderId, Read<Payment>)>, Error> {
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = orders.iter().copied().map(Key::Payment).collect();
        let found = self.store.get(&keys).await?;
        let payments = orders.iter().zip(found);
        Ok(payments.filter_map(|(order, entry)| Some((*order, decode(entry?).ok()?))).collect())
    }

    /// Writes the mappings of settled orders, before the swap that drops their keys from the item. Many in one call:
    /// so a key costs next to no write of its own.
    async fn write_mappings(&self, item: &mut Item) -> Result<(), Error> {
        if item.settled_keys.len() < MAPPINGS_A_CALL {
            return Ok(());
        }
        let keys = std::mem::take(&mut item.settled_keys);
        let mapping = |(key, order)| Ok((Key::Idempotency(key), encode(&order)?));
        let mappings = keys.into_iter().map(mapping).collect::<Result<_, Error>>()?;
        Ok(self.store.put(mappings).await?)
    }

    /// The order that `key` was used for, according to the item and to the mapping, which is read after it.
    pub(crate) async fn order_of(&self, key: &KeyDigest, item: &Item) -> Result<Option<OrderId>, Error> {
        if let Some(order) = item.order_of(key) {
            return Ok(Some(order));
        }
        let mapping = self.store.get(&[Key::Idempotency(key.clone())]).await?.into_iter().next().flatten();
        mapping.map(|entry| Ok(decode(entry)?.record)).transpose()
    }

    /// Ends the hold that a decided order still has on an item.
    pub(crate) async fn release(&self, item: &ItemId, order: OrderId, settlement: Settlement) -> Result<(), Error> {
        self.update_item(item, async |item| {
            if !item.holds.contains_key(&order) {
                return Ok(Change::Leave(()));
            }
            item.settle(order, settlement);
            Ok(Change::Write(()))
        })
        .await
    }
}

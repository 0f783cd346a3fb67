//! The one way in which an item changes: read it, decide, settle what is due, swap.

use crate::environment::{Environment, Timestamp};
use crate::error::Error;
use crate::ids::{ItemId, OrderId};
use crate::item::{EXPIRED_A_SWAP, EXPIRED_WHEN_SHORT, Item, MAPPINGS_A_CALL, Settlement};
use crate::payment::{Payment, Void};
use crate::shop::{Attempts, Read, Shop, decode, encode};
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
    /// There is less than was wanted. What to say if settling expired holds does not help, and whether anything was changed
    /// all the same.
    Short(T, bool),
}

/// Payments that were read, of these orders.
type Payments = Vec<(OrderId, Read<Payment>)>;

impl<S: Store, E: Environment> Shop<S, E> {
    /// Reads an item, lets `change` decide and swaps it, again and again until nothing came in between.
    ///
    /// Where there is less than `change` wants it is asked once more, after expired holds were settled.
    pub(crate) async fn update_item<T>(
        &self,
        item_id: &ItemId,
        mut change: impl FnMut(&mut Item) -> Result<Change<T>, Error>,
    ) -> Result<T, Error> {
        self.update_read_item(item_id, None, &[], self.attempts(), |item, _| change(item)).await
    }

    /// As [`Self::update_item`], beginning with what was `read` of the item already. `change` is also shown the records
    /// `beside` it.
    ///
    /// Those are read after the item, each time. That order is what the protocol rests on: a hold is dropped only after its
    /// payment was decided, and a key leaves the record only after its mapping was written. So a payment that is still
    /// unpaid after the item was read, and a mapping that is still absent, show that neither had happened before that
    /// read; and the swap shows that nothing happened since.
    pub(crate) async fn update_read_item<T>(
        &self,
        item_id: &ItemId,
        mut read: Option<Read<Item>>,
        beside: &[Key],
        mut attempts: Attempts<'_, E>,
        mut change: impl FnMut(&mut Item, &[Option<Entry>]) -> Result<Change<T>, Error>,
    ) -> Result<T, Error> {
        loop {
            let now = self.environment.now();
            let Read { entry, record: mut item } = match read.take() {
                Some(read) => read,
                None => self.item(item_id).await?,
            };
            let mut due = item.due(now, EXPIRED_A_SWAP);
            due.retain(|order| !beside.contains(&Key::Payment(*order)));
            let (found, payments) = self.read_beside(beside, &due).await?;
            let result = match change(&mut item, &found)? {
                Change::Leave(result) => return Ok(result),
                Change::Write(result) => {
                    self.settle(&mut item, payments, now).await?;
                    result
                }
                Change::Short(_, changed) => {
                    let (_, payments) = self.read_beside(&[], &item.due(now, EXPIRED_WHEN_SHORT)).await?;
                    let released = self.settle(&mut item, payments, now).await?;
                    match change(&mut item, &found)? {
                        Change::Leave(result) | Change::Write(result) => result,
                        // Written although it did not help: the refusal says how much is available, which then has to be
                        // so for everybody, and the next one need not settle the same holds again.
                        Change::Short(result, more) if changed || more || released > 0 => result,
                        Change::Short(result, _) => return Ok(result),
                    }
                }
            };
            match self.write(&entry, item).await? {
                Ok(Swap::Swapped) => return Ok(result),
                outcome => attempts.again(outcome).await?,
            }
        }
    }

    /// Swaps an item for its next version. The inner result is the swap's own, which may be tried again.
    async fn write(&self, read: &Entry, mut item: Item) -> Result<Result<Swap, StoreError>, Error> {
        self.write_mappings(&mut item).await?;
        item.version = item.version.wrapping_add(1);
        let value = item.to_bytes();
        if value.len() > MOST_BYTES && value.len() > read.value.len() {
            return Err(Error::Busy);
        }
        Ok(self.store.swap(read, value).await)
    }

    /// Settles in `item`, which is not written yet, those orders whose fate is decided by their payments; an unpaid one
    /// past its expiry is decided here. Answers how many gave back what they held.
    async fn settle(&self, item: &mut Item, payments: Payments, now: Timestamp) -> Result<usize, Error> {
        let mut released = 0_usize;
        for (order, payment) in payments {
            let expired = item.holds.get(order).is_some_and(|hold| hold.expires_at <= now);
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
        let (_, payments) = self.read_beside(&[], &expired).await?;
        for (order, payment) in payments {
            item.settle(order, payment.record.settlement().unwrap_or(Settlement::Released));
        }
        Ok(())
    }

    /// Reads records, one answer a key, and the payments of orders, in one call. A payment that is missing or cannot be read
    /// is left out, and so its hold is left alone: that may keep stock from being sold, but never sells it twice.
    async fn read_beside(&self, keys: &[Key], orders: &[OrderId]) -> Result<(Vec<Option<Entry>>, Payments), Error> {
        if keys.is_empty() && orders.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let payments = orders.iter().copied().map(Key::Payment);
        let mut found = self.store.get(&keys.iter().cloned().chain(payments).collect::<Vec<_>>()).await?;
        let payments = found.split_off(keys.len().min(found.len()));
        let payment = |(order, entry): (&OrderId, Option<Entry>)| Some((*order, decode(entry?).ok()?));
        Ok((found, orders.iter().zip(payments).filter_map(payment).collect()))
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

    /// Ends the hold that a decided order still has on an item.
    pub(crate) async fn release(&self, item: &ItemId, order: OrderId, settlement: Settlement) -> Result<(), Error> {
        self.update_item(item, |item| {
            if item.holds.get(order).is_none() {
                return Ok(Change::Leave(()));
            }
            item.settle(order, settlement);
            Ok(Change::Write(()))
        })
        .await
    }
}

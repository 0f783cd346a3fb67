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
pub const MOST_BYTES: usize = 1_000_000;

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

/// Records that were read after an item.
///
/// That order is what the protocol rests on: a hold is dropped only after its payment was decided, and a key leaves the
/// item only after its mapping was written. So a payment that is still unpaid here, and a mapping that is still absent, show
/// that neither had happened before the item was read; and the swap shows that nothing happened since.
#[derive(Debug)]
pub(crate) struct Beside(Vec<(Key, Option<Entry>)>);

impl Beside {
    /// The record with this key, where it was looked for and is there.
    pub(crate) fn get(&self, key: &Key) -> Option<&Entry> {
        self.0.iter().find(|(found, _)| found == key)?.1.as_ref()
    }

    /// What was found of payments, with their orders.
    fn payments_mut(&mut self) -> impl Iterator<Item = (OrderId, &mut Option<Entry>)> {
        self.0.iter_mut().filter_map(|(key, entry)| match key {
            Key::Payment(order) => Some((*order, entry)),
            _ => None,
        })
    }
}

/// The payment that was found. If it is missing or cannot be read it is passed over, and so its hold is left alone: that may
/// keep stock from being sold, but never sells it twice.
fn payment(found: &Option<Entry>) -> Option<Read<Payment>> {
    decode(found.clone()?).ok()
}

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

    /// As [`Self::update_item`], beginning with what was `read` already: the item, and then records beside it. `change` is
    /// also shown those with the keys `wanted`, which are read again after the item whenever that is.
    pub(crate) async fn update_read_item<T>(
        &self,
        item_id: &ItemId,
        mut read: Option<(Read<Item>, &mut Beside)>,
        wanted: &[Key],
        mut attempts: Attempts<'_, E>,
        mut change: impl FnMut(&mut Item, &Beside) -> Result<Change<T>, Error>,
    ) -> Result<T, Error> {
        loop {
            let now = self.environment.now();
            let mut fresh;
            let (Read { entry, record: mut item }, beside) = match read.take() {
                Some(read) => read,
                None => {
                    let item = self.item(item_id).await?;
                    fresh = self.read_beside(&mut [&item.record].into_iter(), wanted, now).await?;
                    (item, &mut fresh)
                }
            };
            let result = match change(&mut item, beside)? {
                Change::Leave(result) => return Ok(result),
                Change::Write(result) => {
                    self.settle(&mut item, beside, wanted, now).await?;
                    result
                }
                Change::Short(_, changed) => {
                    let mut payments = self.read_payments(&item.due(now, EXPIRED_WHEN_SHORT)).await?;
                    let released = self.settle(&mut item, &mut payments, wanted, now).await?;
                    match change(&mut item, beside)? {
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

    /// Reads, after these items, what is `wanted` beside them and the payments of the holds whose turn it is, in one call.
    pub(crate) async fn read_beside(
        &self,
        items: &mut dyn Iterator<Item = &Item>,
        wanted: &[Key],
        now: Timestamp,
    ) -> Result<Beside, Error> {
        let mut keys = wanted.to_vec();
        for order in items.flat_map(|item| item.due(now, EXPIRED_A_SWAP)) {
            let key = Key::Payment(order);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        self.read_records(keys).await
    }

    async fn read_payments(&self, orders: &[OrderId]) -> Result<Beside, Error> {
        self.read_records(orders.iter().copied().map(Key::Payment).collect()).await
    }

    async fn read_records(&self, keys: Vec<Key>) -> Result<Beside, Error> {
        let found = if keys.is_empty() { Vec::new() } else { self.store.get(&keys).await? };
        Ok(Beside(keys.into_iter().zip(found).collect()))
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

    /// Settles in `item`, which is not written yet, those orders whose fate is decided by their payments; an unpaid one past
    /// its expiry is decided here. Answers how many gave back what they held.
    ///
    /// Not those whose payments are `wanted`: they may be held by this very change, which is not written. Their keys would
    /// be mapped before anybody could see them used.
    async fn settle(
        &self,
        item: &mut Item,
        payments: &mut Beside,
        wanted: &[Key],
        now: Timestamp,
    ) -> Result<usize, Error> {
        let mut released = 0_usize;
        for (order, found) in payments.payments_mut() {
            if wanted.contains(&Key::Payment(order)) {
                continue;
            }
            let Some(payment) = payment(found) else { continue };
            let Some(hold) = item.holds.get(order) else { continue };
            let settlement = match payment.record.settlement() {
                None if hold.expires_at <= now => {
                    let void = Payment::Void { reason: Void::Expired, at: now };
                    let bytes = encode(&void)?;
                    match self.store.swap(&payment.entry, bytes.clone()).await? {
                        Swap::Swapped => {
                            // It may have a hold on the next item too.
                            *found = Some(Entry::new(payment.entry.location, bytes));
                            void.settlement()
                        }
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
        let mut payments = self.read_payments(&expired).await?;
        for (order, found) in payments.payments_mut() {
            if let Some(payment) = payment(found) {
                item.settle(order, payment.record.settlement().unwrap_or(Settlement::Released));
            }
        }
        Ok(())
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

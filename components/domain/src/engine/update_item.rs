//! The one way in which an item changes: read it, decide, settle what is due, swap; from the start if anything came in
//! between.

use crate::engine::codec::{Read, decode, decode_state, encode};
use crate::engine::retry::{Attempts, Retry};
use crate::engine::settle::Settled;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::ids::{ItemId, KeyDigest, OrderId};
use crate::model::item::{Item, Look};
use crate::model::order_state::OrderState;
use crate::model::time::Timestamp;
use crate::provider::Provider;
use crate::store::{Entry, Found, Key, Store};

/// How often a request settles what is due and then looks again whether that was enough: up to 64 expired holds each
/// time. What is left after that is for the next request.
const MAX_ROUNDS: u32 = 64;

/// What a request wants of an item that it has read.
pub(crate) enum Update<T> {
    /// The item was changed and is to be written.
    Write(T),
    /// There is nothing to write.
    Unchanged(T),
    /// There is less than was requested, and more may be there once holds are settled.
    Short(Short<T>),
}

/// The result of a request that did not find what it wanted.
pub(crate) struct Short<T> {
    /// The answer if settling does not help.
    pub(crate) result: T,
    /// What there is too little of.
    pub(crate) of: Lack,
    /// Whether the item was changed all the same.
    pub(crate) changed: bool,
}

/// An [`Update`] without its answer.
enum Step {
    Write,
    Unchanged,
    Short { of: Lack, changed: bool },
}

/// An update, asked as often as it takes.
type Steps<'a> = &'a mut dyn FnMut(&mut Item, &Guards, usize) -> Result<Step, Error>;

/// What there can be too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// Goods. Holds of closed orders give them back.
    Stock,
    /// Room in the record for another hold. Every hold that goes gives some back.
    Room,
}

/// How a write of an item ended.
enum Written {
    Done,
    Retry(Retry),
    /// Nothing was written: the record would be larger than a record may be.
    TooLarge,
}

/// Records that were read after an item, and that guard its swap.
///
/// The protocol rests on that sequence: a hold is dropped only after its order was decided, and a key leaves the item
/// only after its mapping was written. So an order that is still unpaid here, and a mapping that is still absent, show
/// that neither had happened before the item was read; and the swap shows that nothing happened since.
#[derive(Debug)]
pub(crate) struct Guards(Vec<(Key, Found)>);

// Rule: guards.
impl Guards {
    /// The record with this key, where it was looked for and is there.
    pub(crate) fn get(&self, key: &Key) -> Result<Option<&Entry>, Error> {
        match self.found(key) {
            Some(Ok(entry)) => Ok(entry.as_ref()),
            Some(Err(damaged)) => Err(damaged.clone().into()),
            None => Ok(None),
        }
    }

    /// What was found under this key, where it was looked for.
    pub(crate) fn found(&self, key: &Key) -> Option<&Found> {
        self.0.iter().find(|(found, _)| found == key).map(|(_, found)| found)
    }

    /// The orders whose states were looked for and are not there.
    pub(crate) fn without_state(&self) -> impl Iterator<Item = OrderId> {
        self.0.iter().filter_map(|(key, entry)| match (key, entry) {
            (Key::OrderState(order), Ok(None)) => Some(*order),
            _ => None,
        })
    }

    /// What was found of the states of orders.
    pub(crate) fn states_mut(&mut self) -> impl Iterator<Item = (OrderId, &mut Found)> {
        self.0.iter_mut().filter_map(|(key, entry)| match key {
            Key::OrderState(order) => Some((*order, entry)),
            _ => None,
        })
    }
}

/// The state that was found, if it can be read. Without it the order's hold is not settled. That may keep stock from being
/// sold, but never sells it twice.
pub(crate) fn readable_state(found: &Found) -> Option<Read<OrderState>> {
    decode_state(found.clone().ok()??).ok()
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// Reads an item, lets `change` decide and swaps it, again and again until nothing came in between. `change` is
    /// told for how many bytes of new holds the record has room.
    ///
    /// Where there is less than `change` wants it is asked once more, after holds were settled.
    pub(crate) async fn update_item<T>(
        &self,
        item_id: &ItemId,
        mut change: impl FnMut(&mut Item, usize) -> Result<Update<T>, Error>,
    ) -> Result<T, Error> {
        let read = None::<(Read<Item>, &mut Guards)>;
        self.update_read_item(item_id, read, &[], 0, &mut self.attempts(), |item, _, room| change(item, room)).await
    }

    /// As [`Self::update_item`], beginning with what was `read` already: the item, and then its guards. `change` is
    /// also shown the guards with these keys, which are read again after the item whenever that is. It adds up to
    /// `adds` holds.
    pub(crate) async fn update_read_item<T>(
        &self,
        item_id: &ItemId,
        read: Option<(Read<Item>, &mut Guards)>,
        guard_keys: &[Key],
        adds: usize,
        attempts: &mut Attempts<'_, E>,
        mut change: impl FnMut(&mut Item, &Guards, usize) -> Result<Update<T>, Error>,
    ) -> Result<T, Error> {
        let mut latest = None;
        let mut steps = |item: &mut Item, guards: &Guards, room| {
            let (result, step) = match change(item, guards, room)? {
                Update::Write(result) => (result, Step::Write),
                Update::Unchanged(result) => (result, Step::Unchanged),
                Update::Short(Short { result, of, changed }) => (result, Step::Short { of, changed }),
            };
            latest = Some(result);
            Ok(step)
        };
        self.update(item_id, read, guard_keys, adds, attempts, &mut steps).await?;
        // Not reached without: an update that ends well has asked.
        latest.ok_or(Error::Contended)
    }

    /// What [`Self::update_read_item`] does, without its answer: once in a component, and not once for each kind of
    /// change.
    async fn update(
        &self,
        item_id: &ItemId,
        mut read: Option<(Read<Item>, &mut Guards)>,
        guard_keys: &[Key],
        adds: usize,
        attempts: &mut Attempts<'_, E>,
        change: Steps<'_>,
    ) -> Result<(), Error> {
        let mut rounds = 0_u32;
        loop {
            let now = self.environment.now();
            let mut fresh;
            let (Read { entry, record: mut item }, guards) = match read.take() {
                Some(read) => read,
                None => {
                    let item = self.item(item_id).await?;
                    fresh = self.read_guards(&mut [(&item.record, adds)].into_iter(), guard_keys, now).await?;
                    (item, &mut fresh)
                }
            };
            // Whether to look again, since more may be due.
            let mut again = false;
            let room = self.room(&item, &entry);
            match change(&mut item, guards, room)? {
                Step::Unchanged => return Ok(()),
                Step::Write => {
                    let decisions = Look::beside(adds).decisions;
                    self.settle(item_id, &mut item, guards, guard_keys, now, decisions).await?;
                }
                Step::Short { of, changed } => {
                    let settled = self.settle_when_short(item_id, &mut item, guard_keys, now).await?;
                    let room = match of {
                        Lack::Stock => room,
                        Lack::Room => {
                            self.write_mappings(&mut item, 1).await?;
                            self.room_in(&item, item.to_bytes().len())
                        }
                    };
                    if let Step::Short { of, changed: more } = change(&mut item, guards, room)? {
                        again = settled.helps(of);
                        // Written although it did not help: the refusal says how much is available, which then has to
                        // be so for every request, and the next one need not settle the same holds again.
                        // Rule: holds-of-a-short-batch-are-written.
                        let nothing_changed = !changed && !more && settled.dropped == 0;
                        if nothing_changed {
                            return Ok(());
                        }
                    }
                }
            }
            match self.write(&entry, item).await? {
                Written::Done if !again => return Ok(()),
                Written::Done => {
                    rounds = rounds.saturating_add(1);
                    if rounds >= MAX_ROUNDS {
                        return Err(Error::Contended);
                    }
                }
                Written::Retry(retry) => attempts.again(retry).await?,
                Written::TooLarge => {
                    rounds = rounds.saturating_add(1);
                    // Rule: full-records-settle-alone.
                    let helped = rounds < MAX_ROUNDS && self.settle_alone(item_id).await?;
                    if !helped {
                        return Err(Error::ItemFull(item_id.clone()));
                    }
                }
            }
        }
    }

    /// For how many bytes of new holds an item has room that was read from this entry.
    pub(crate) fn room(&self, item: &Item, entry: &Entry) -> usize {
        self.room_in(item, entry.value.len())
    }

    fn room_in(&self, item: &Item, record_bytes: usize) -> usize {
        item.room(record_bytes, self.settings.limits.hold_bytes())
    }

    /// Looks at as many holds as a request does that is short, and settles them in `item`, which is not written yet.
    async fn settle_when_short(
        &self,
        item_id: &ItemId,
        item: &mut Item,
        guard_keys: &[Key],
        now: Timestamp,
    ) -> Result<Settled, Error> {
        let mut states = self.read_states(&item.due(now, self.turn(), Look::SHORT)).await?;
        self.settle(item_id, item, &mut states, guard_keys, now, Look::SHORT.decisions).await
    }

    /// Settles what is due in a swap of its own. That always has room: a hold takes more bytes than its order's mapping
    /// leaves in the record, which is none. Answers whether anything is gone.
    pub(crate) async fn settle_alone(&self, item_id: &ItemId) -> Result<bool, Error> {
        let mut attempts = self.attempts();
        loop {
            let Read { entry, record: mut item } = self.item(item_id).await?;
            let now = self.environment.now();
            let settled = self.settle_when_short(item_id, &mut item, &[], now).await?;
            if settled.dropped == 0 && item.unmapped_keys().is_empty() {
                return Ok(false);
            }
            self.write_mappings(&mut item, 1).await?;
            match self.write(&entry, item).await? {
                Written::Done => return Ok(true),
                Written::Retry(retry) => attempts.again(retry).await?,
                Written::TooLarge => return Ok(false),
            }
        }
    }

    /// Writes what was settled in an item that this request does not need. If another swap came first, that one has
    /// settled some too.
    pub(crate) async fn write_settled(&self, entry: &Entry, item: Item) {
        let _ = self.write(entry, item).await;
    }

    /// Reads, after these items, their guards and the states of the orders whose holds are looked at, in one call. With
    /// each item comes how many holds are to be added to it.
    pub(crate) async fn read_guards(
        &self,
        items: &mut dyn Iterator<Item = (&Item, usize)>,
        guard_keys: &[Key],
        now: Timestamp,
    ) -> Result<Guards, Error> {
        let mut keys = guard_keys.to_vec();
        for (item, adds) in items {
            // Rule: remembered-returns-are-looked-up.
            let returns = item.returns().iter().map(|(_, order)| *order);
            for order in item.due(now, self.turn(), Look::beside(adds)).into_iter().chain(returns) {
                let key = Key::OrderState(order);
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        self.read_records(keys).await
    }

    pub(crate) async fn read_states(&self, orders: &[OrderId]) -> Result<Guards, Error> {
        self.read_records(orders.iter().copied().map(Key::OrderState).collect()).await
    }

    async fn read_records(&self, keys: Vec<Key>) -> Result<Guards, Error> {
        let found = if keys.is_empty() { Vec::new() } else { self.store.get(&keys).await? };
        Ok(Guards(keys.into_iter().zip(found).collect()))
    }

    /// Swaps an item for its next version.
    async fn write(&self, read: &Entry, mut item: Item) -> Result<Written, Error> {
        let limits = self.settings.limits;
        // Rule: full-records-map-every-key.
        let mappings = if read.value.len() > limits.hold_bytes() { 1 } else { limits.mappings_per_write };
        self.write_mappings(&mut item, mappings).await?;
        item.advance_version();
        let value = item.to_bytes();
        if value.len() > limits.record_bytes && value.len() > read.value.len() {
            return Ok(Written::TooLarge);
        }
        Ok(match Retry::after(self.store.swap(read, value).await) {
            Ok(()) => Written::Done,
            Err(retry) => Written::Retry(retry),
        })
    }

    /// Writes the mappings of settled orders, before the swap that drops their keys from the item, once there are `min`
    /// of them. Many in one call: so a key costs next to no write of its own.
    async fn write_mappings(&self, item: &mut Item, min: usize) -> Result<(), Error> {
        if item.unmapped_keys().len() < min || item.unmapped_keys().is_empty() {
            return Ok(());
        }
        let mapping = |(key, order): (KeyDigest, OrderId)| Ok((Key::Idempotency(key), encode(&order)?));
        let mappings = item.take_unmapped_keys().into_iter().map(mapping).collect::<Result<Vec<_>, Error>>()?;
        // Rule: mappings-before-keys-go.
        self.map_keys(mappings).await?;
        Ok(())
    }

    /// Writes these mappings. One of another order stays, unless the records of that order are removed: then its key is
    /// free, and the mapping was written by a request that had read the item long before.
    async fn map_keys(&self, mut mappings: Vec<(Key, Vec<u8>)>) -> Result<(), Error> {
        let mut attempts = self.attempts();
        loop {
            let there = self.store.put(mappings.clone()).await?;
            mappings.retain(|(key, _)| there.contains(key));
            // Rule: mappings-of-removed-orders-are-replaced.
            let freed = self.free_mappings(&mappings).await?;
            if freed.is_empty() {
                return Ok(());
            }
            mappings.retain(|(key, _)| freed.contains(key));
            attempts.count()?;
        }
    }

    /// Removes those mappings that stand in the way of these and are of removed orders. Answers with their keys.
    async fn free_mappings(&self, mappings: &[(Key, Vec<u8>)]) -> Result<Vec<Key>, Error> {
        let mut freed = Vec::new();
        if mappings.is_empty() {
            return Ok(freed);
        }
        let keys: Vec<_> = mappings.iter().map(|(key, _)| key.clone()).collect();
        for ((key, value), found) in mappings.iter().zip(self.store.get(&keys).await?) {
            // One that was removed in this moment is written now.
            let Ok(Some(entry)) = found else {
                freed.push(key.clone());
                continue;
            };
            if entry.value == *value {
                continue;
            }
            let Ok(Read { entry, record: other }) = decode::<OrderId>(entry) else { continue };
            if self.is_removed(other).await? {
                let _ = self.store.remove_unchanged(&entry).await?;
                freed.push(key.clone());
            }
        }
        Ok(freed)
    }
}

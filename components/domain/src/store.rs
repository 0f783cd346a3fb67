//! What the domain needs from a store. Everything that is known about a particular store lives behind this trait.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use crate::model::ids::{ItemId, KeyDigest, OrderId};

/// The name of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The list of all items.
    Catalog,
    /// An item: its stock, price and holds.
    Item(ItemId),
    /// What was ordered. Never changes.
    Order(OrderId),
    /// The state of an order: unpaid, paid or closed.
    OrderState(OrderId),
    /// Which order an idempotency key stands for. Never changes while the order is there.
    Idempotency(KeyDigest),
    /// Which numbers of the order index are allocated.
    Sequence,
    /// The orders that were written under an allocated number. Never changes.
    OrderIndex(u64),
    /// What the adjustment under a key was, and when it was made.
    Adjustment(KeyDigest),
    /// Up to which number of the order index closed orders are removed.
    SweepPosition,
    /// The refunds of which the payment provider has not said how they ended.
    UnfinishedRefunds,
    /// When the store was last probed.
    LastProbe,
}

impl Key {
    /// Whether records of this kind come into being through [`Store::create`]. The others are written under a name
    /// that is fresh, or with a value that is the same for every request that writes it.
    pub fn is_created(&self) -> bool {
        matches!(self, Key::Catalog | Key::Item(_) | Key::Sequence | Key::SweepPosition | Key::UnfinishedRefunds)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Catalog => f.write_str("catalog"),
            Key::Item(id) => write!(f, "inventory:{id}"),
            Key::Order(id) => write!(f, "order:{id}"),
            Key::OrderState(id) => write!(f, "payment:{id}"),
            Key::Idempotency(digest) => write!(f, "idempotency:{digest}"),
            Key::Sequence => f.write_str("ledger"),
            // In the order of the numbers.
            Key::OrderIndex(number) => write!(f, "placed:{number:016}"),
            Key::Adjustment(digest) => write!(f, "adjustment:{digest}"),
            Key::SweepPosition => f.write_str("swept"),
            Key::UnfinishedRefunds => f.write_str("refunding"),
            // Of no more worth than the scratch records of a probe, among which it is.
            Key::LastProbe => f.write_str("probe:last"),
        }
    }
}

/// A record as it was read, and the only thing that can be swapped: what was never seen cannot be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where the store keeps the record; of no meaning outside it.
    pub physical_key: String,
    /// The bytes of the record.
    pub value: Vec<u8>,
    /// What the store keeps of having read it, see [`Store::get_for_update`].
    pub cas: CasHandle,
}

impl Entry {
    /// A record with nothing to remember.
    pub fn new(physical_key: String, value: Vec<u8>) -> Self {
        Self { physical_key, value, cas: CasHandle::default() }
    }
}

/// What was found under a key: a record, or none. An error concerns this record alone: the others that were read with
/// it are as good as ever.
pub type Found = Result<Option<Entry>, Damaged>;

/// A record that the store has and cannot hand over, or one that it should have and has lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record {physical_key} cannot be read: {reason}")]
pub struct Damaged {
    /// Where the store keeps the record, or should.
    pub physical_key: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Something that a store keeps with an entry, for one swap of it. It makes no difference to what an entry is.
#[derive(Clone, Default)]
pub struct CasHandle(Option<Rc<dyn Any>>);

impl CasHandle {
    /// Keeps this.
    pub fn new<T: 'static>(kept: T) -> Self {
        Self(Some(Rc::new(Cell::new(Some(kept)))))
    }

    /// What is kept, once: not again, nor from a copy.
    pub fn take<T: 'static>(&self) -> Option<T> {
        self.0.as_ref()?.downcast_ref::<Cell<Option<T>>>()?.take()
    }
}

impl PartialEq for CasHandle {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for CasHandle {}

impl fmt::Debug for CasHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CasHandle")
    }
}

/// How a [`Store::swap`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Swap {
    /// The new value is in place.
    Swapped,
    /// The record was no longer what had been read; nothing was written.
    Conflict,
}

/// How a [`Store::create`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Creation {
    /// The record is there now, with this value.
    Created,
    /// It was there already; nothing was written.
    Exists,
}

/// A store that did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It did not answer, or answered with an error. Whether a write took place is unknown.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// It has no room for another record. Nothing was written.
    #[error("the store is full: {0}")]
    Full(String),
    /// It answers, but is not what it says: selling from it could sell twice.
    #[error("the store cannot be used: {0}")]
    ContractViolation(String),
}

/// A durable store of records with an atomic create and an atomic compare-and-swap.
#[allow(async_fn_in_trait, reason = "a component has one thread, so the futures need not be Send")]
pub trait Store {
    /// Reads records: one answer a key, in the order of `keys`, of which none is there twice. A key's answer may be
    /// older than the next key's, but none is older than the call.
    async fn get(&self, keys: &[Key]) -> Result<Vec<Found>, StoreError>;

    /// As [`Store::get`], for items that are likely to be swapped next: what it takes to swap them may be read with
    /// them. The others are read after the items.
    async fn get_for_update(&self, keys: &[Key]) -> Result<Vec<Found>, StoreError> {
        self.get(keys).await
    }

    /// Writes records under names that no other request can know yet, all or none where the store can.
    /// Answers with the entries, as if they had been read.
    async fn insert(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Entry>, StoreError>;

    /// Removes records whose names are never used again, all or none where the store can.
    async fn remove(&self, keys: &[Key]) -> Result<(), StoreError>;

    /// Removes the record that was read, if it still has the same bytes: compare-and-delete. Its name may be used again.
    /// Not for records that are [created](Key::is_created). After an error it may have been removed.
    async fn remove_unchanged(&self, read: &Entry) -> Result<Swap, StoreError>;

    /// Writes those of these records that are not there yet. One that is there stays as it is. Answers with the keys of
    /// those that were there.
    ///
    /// Where the store can, each is written by one atomic step. The key-value store of Spin cannot: there, of two that
    /// are written under one key within a millisecond the later one stays.
    async fn put(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Key>, StoreError>;

    /// Writes a record unless it exists; of several at once exactly one creates it.
    async fn create(&self, key: &Key, value: Vec<u8>) -> Result<Creation, StoreError>;

    /// Replaces the record that was read, if it still has the same bytes. After an error the swap may have been made.
    async fn swap(&self, read: &Entry, value: Vec<u8>) -> Result<Swap, StoreError>;

    /// Makes sure that what was read so far is not lost where the store goes on from a copy that lags behind. To be
    /// called before a client is told anything that rests on a read alone. A store without such copies has nothing to
    /// do.
    async fn confirm(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Tries on scratch records whether the store is there and really is atomic.
    async fn probe(&self) -> Result<(), StoreError>;
}

//! A store whose calls are counted.

use std::cell::Cell;

use crate::store::{Creation, Entry, Found, Key, Store, StoreError, Swap};

/// What was asked of a store.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct StoreStats {
    /// Calls of [`Store`]. A store may make several of one.
    pub calls: u32,
    /// Swaps that were not made, since another request had been faster.
    pub conflicts: u32,
}

#[derive(Debug)]
pub(crate) struct CountingStore<S> {
    store: S,
    stats: Cell<StoreStats>,
}

impl<S> CountingStore<S> {
    pub(crate) fn new(store: S) -> Self {
        Self { store, stats: Cell::default() }
    }

    pub(crate) fn stats(&self) -> StoreStats {
        self.stats.get()
    }

    fn count(&self) -> &S {
        let stats = self.stats.get();
        self.stats.set(StoreStats { calls: stats.calls.saturating_add(1), ..stats });
        &self.store
    }
}

impl<S: Store> Store for CountingStore<S> {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Found>, StoreError> {
        self.count().get(keys).await
    }

    async fn get_for_update(&self, keys: &[Key]) -> Result<Vec<Found>, StoreError> {
        self.count().get_for_update(keys).await
    }

    async fn insert(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Entry>, StoreError> {
        self.count().insert(records).await
    }

    async fn remove(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.count().remove(keys).await
    }

    async fn remove_unchanged(&self, read: &Entry) -> Result<Swap, StoreError> {
        self.count().remove_unchanged(read).await
    }

    async fn put(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Key>, StoreError> {
        self.count().put(records).await
    }

    async fn create(&self, key: &Key, value: Vec<u8>) -> Result<Creation, StoreError> {
        self.count().create(key, value).await
    }

    async fn swap(&self, read: &Entry, value: Vec<u8>) -> Result<Swap, StoreError> {
        let outcome = self.count().swap(read, value).await;
        if outcome == Ok(Swap::Conflict) {
            let stats = self.stats.get();
            self.stats.set(StoreStats { conflicts: stats.conflicts.saturating_add(1), ..stats });
        }
        outcome
    }

    /// Not counted: most stores have nothing to do.
    async fn confirm(&self) -> Result<(), StoreError> {
        self.store.confirm().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.count().probe().await
    }
}

//! The store on a bucket in memory that behaves as Spin's does, with no host in between.

// A test fails by panicking; clippy knows that only of the test functions themselves, not of what they share.
#![allow(clippy::expect_used)]

use std::cell::RefCell;
use std::collections::BTreeMap;

use domain::{Creation, Entry, Found, Key, Store, StoreError};
use keyvalue_store::{Bucket, InstanceCache, KeyValueStore};
use store_contract::{Storage, TestEnvironment, item, now, sound, store_contract};

/// A bucket with the behaviour of Spin's, or with a fault.
#[derive(Default)]
struct InMemory {
    records: RefCell<BTreeMap<String, Vec<u8>>>,
    fault: Option<Fault>,
}

/// A way in which a bucket is not what the store needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// A swap is made and reports failure, as on Spin's Redis.
    SwapsAndDeniesIt,
    /// A swap reports success and is not made.
    SwapsNothing,
    /// A swap replaces what its handle has not read.
    SwapsBlindly,
    /// A swap is not made and reports failure.
    NeverSwaps,
    /// An increment answers with the old number.
    CountsWrong,
}

/// A handle for one swap: a key, and the value that `current` has returned.
struct Cas {
    key: String,
    read: RefCell<Option<Vec<u8>>>,
}

impl Bucket for &InMemory {
    type Cas = Cas;

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.records.borrow().get(key).cloned())
    }

    /// Leaves out absent keys, and answers in an order of its own.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<(String, Option<Vec<u8>>)>, StoreError> {
        let records = self.records.borrow();
        let found = records.iter().rev().filter(|(key, _)| keys.contains(key));
        Ok(found.map(|(key, value)| (key.clone(), Some(value.clone()))).collect())
    }

    async fn set_many(&self, records: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        self.records.borrow_mut().extend(records.iter().cloned());
        Ok(())
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), StoreError> {
        self.records.borrow_mut().retain(|key, _| !keys.contains(key));
        Ok(())
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        let mut records = self.records.borrow_mut();
        let old = match records.get(key) {
            Some(value) => i64::from_le_bytes(value.as_slice().try_into().expect("what is incremented has 8 bytes")),
            None => 0,
        };
        let sum = old.wrapping_add(delta);
        records.insert(key.to_owned(), sum.to_le_bytes().to_vec());
        Ok(if self.fault == Some(Fault::CountsWrong) { old } else { sum })
    }

    async fn cas(&self, key: &str) -> Result<Cas, StoreError> {
        Ok(Cas { key: key.to_owned(), read: RefCell::default() })
    }

    async fn current(&self, cas: &Cas) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.get(&cas.key).await?;
        cas.read.replace(value.clone());
        Ok(value)
    }

    /// A swap from nothing overwrites.
    async fn swap(&self, cas: Cas, value: &[u8]) -> Result<Result<(), Cas>, StoreError> {
        let current = self.get(&cas.key).await?;
        let same = cas.read.borrow().as_ref().is_none_or(|read| Some(read) == current.as_ref());
        let (swaps, succeeds) = match self.fault {
            Some(Fault::SwapsAndDeniesIt) => (same, false),
            Some(Fault::SwapsNothing) => (false, same),
            Some(Fault::SwapsBlindly) => (true, true),
            Some(Fault::NeverSwaps) => (false, false),
            Some(Fault::CountsWrong) | None => (same, same),
        };
        if swaps {
            self.records.borrow_mut().insert(cas.key.clone(), value.to_vec());
        }
        Ok(if succeeds { Ok(()) } else { Err(Cas { key: cas.key, read: RefCell::default() }) })
    }
}

/// An empty bucket, and what an instance remembers of it.
struct Fresh {
    bucket: InMemory,
    cache: InstanceCache,
}

impl Storage for Fresh {
    type Store<'a> = KeyValueStore<'a, &'a InMemory, TestEnvironment>;

    fn empty() -> Self {
        Self { bucket: InMemory::default(), cache: InstanceCache::new() }
    }

    fn store(&self) -> Self::Store<'_> {
        store(&self.bucket, &self.cache)
    }

    fn count(&self) -> usize {
        self.bucket.records.borrow().len()
    }
}

store_contract!(Fresh);

fn store<'a>(bucket: &'a InMemory, cache: &'a InstanceCache) -> KeyValueStore<'a, &'a InMemory, TestEnvironment> {
    KeyValueStore::new(bucket, TestEnvironment { time_passes: false }, cache)
}

fn is_unsuitable<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::ContractViolation(_)))
}

/// The contract again, where no request of an instance finds what another has remembered.
mod each_request_in_an_instance_of_its_own {
    use super::*;

    struct Forgetful {
        bucket: InMemory,
        caches: [InstanceCache; 16],
        used: std::cell::Cell<usize>,
    }

    impl Storage for Forgetful {
        type Store<'a> = KeyValueStore<'a, &'a InMemory, TestEnvironment>;

        fn empty() -> Self {
            let caches = std::array::from_fn(|_| InstanceCache::new());
            Self { bucket: InMemory::default(), caches, used: std::cell::Cell::default() }
        }

        fn store(&self) -> Self::Store<'_> {
            let used = self.used.replace(self.used.get().wrapping_add(1));
            store(&self.bucket, self.caches.get(used).expect("no clause has more requests"))
        }

        fn count(&self) -> usize {
            self.bucket.records.borrow().len()
        }
    }

    store_contract!(Forgetful);
}

#[test]
fn a_bucket_that_fails_the_self_test_is_refused_and_nothing_is_left_in_it() {
    for fault in
        [Fault::SwapsAndDeniesIt, Fault::SwapsNothing, Fault::SwapsBlindly, Fault::NeverSwaps, Fault::CountsWrong]
    {
        let bucket = InMemory { fault: Some(fault), ..InMemory::default() };
        let cache = InstanceCache::new();
        assert!(is_unsuitable(&now(store(&bucket, &cache).probe())), "{fault:?}");
        assert!(is_unsuitable(&now(store(&bucket, &cache).create(&item("a"), b"1".to_vec()))), "{fault:?}");
        // Nothing is left, not even of the self-test.
        assert_eq!(*bucket.records.borrow(), BTreeMap::new(), "{fault:?}");
    }
}

#[test]
fn a_record_that_its_cell_names_and_that_is_not_there_is_damaged_and_stays_created() {
    let (bucket, cache) = (InMemory::default(), InstanceCache::new());
    let store = store(&bucket, &cache);
    for name in ["a", "b"] {
        assert_eq!(now(store.create(&item(name), b"1".to_vec())), Ok(Creation::Created));
    }
    bucket.records.borrow_mut().retain(|key, _| !key.starts_with("inventory:a~") || key == "inventory:a~");
    let mut found = now(store.get(&[item("a"), item("b")])).expect("the bucket answers");
    assert_eq!(sound(found.split_off(1)).len(), 1, "the other is as it was");
    let damaged = found.remove(0).expect_err("the record is gone");
    assert_eq!(damaged.reason, "the store has lost it");
    assert_eq!(now(store.create(&item("a"), b"2".to_vec())), Ok(Creation::Exists));
}

#[test]
fn a_cell_of_another_length_is_damaged_and_left_alone() {
    let (bucket, cache) = (InMemory::default(), InstanceCache::new());
    bucket.records.borrow_mut().insert("inventory:a~".to_owned(), b"short".to_vec());
    let store = store(&bucket, &cache);
    let damaged = |found: Found| found.expect_err("it is not a cell").reason;
    let found = now(store.get(&[item("a")])).expect("the bucket answers");
    assert_eq!(found.into_iter().map(damaged).collect::<Vec<_>>(), ["it is not a cell of 8 bytes"]);
    assert!(is_unsuitable(&now(store.create(&item("a"), b"1".to_vec()))));
    assert_eq!(bucket.records.borrow().get("inventory:a~").map(Vec::as_slice), Some(&b"short"[..]));
}

#[test]
fn the_winner_of_a_cell_is_remembered_and_the_loser_leaves_nothing_behind() {
    let bucket = InMemory::default();
    let (ours, theirs) = (InstanceCache::new(), InstanceCache::new());
    let (one, other) = (store(&bucket, &ours), store(&bucket, &theirs));
    assert_eq!(now(one.create(&Key::Catalog, b"1".to_vec())), Ok(Creation::Created));
    assert_eq!(now(other.create(&Key::Catalog, b"2".to_vec())), Ok(Creation::Exists));
    assert_eq!(bucket.records.borrow().len(), 2, "a cell and the record that it names");
    let value = |entry: Option<Entry>| entry.map(|entry| entry.value);
    let found = now(one.get(&[Key::Catalog])).map(sound).expect("the bucket answers");
    assert_eq!(found.into_iter().map(value).collect::<Vec<_>>(), [Some(b"1".to_vec())]);
}

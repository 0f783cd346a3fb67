//! What every store has to do for the domain, as tests that each store runs: [`store_contract!`] makes them for one.
//! What only one store does (its commands, its errors) is tested beside it.

use std::fmt::Debug;
use std::future::{pending, poll_fn};
use std::mem::replace;
use std::pin::pin;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use domain::{
    Creation, Entry, Environment, Found, ItemId, Key, KeyDigest, OrderId, Store, StoreError, Swap, Timestamp,
};

/// Empty storage of one kind, for one test.
pub trait Storage {
    /// The store on it.
    type Store<'a>: Store
    where
        Self: 'a;

    /// Storage with nothing in it.
    fn empty() -> Self;

    /// The store of a request. Each call stands for another request.
    fn store(&self) -> Self::Store<'_>;

    /// How many records of any kind there are, as the storage itself counts them.
    fn count(&self) -> usize;
}

/// Makes a test of each clause of the contract, for the kind of storage that is named.
#[macro_export]
macro_rules! store_contract {
    ($storage:ty) => {
        $crate::store_contract!($storage:
            one_of_two_requests_creates_a_record,
            a_record_is_swapped_only_from_the_bytes_that_were_read,
            an_entry_is_swapped_once,
            a_record_that_is_gone_is_not_swapped,
            what_is_inserted_can_be_swapped_as_if_it_had_been_read,
            records_are_read_in_the_order_of_their_keys_and_absent_ones_are_none,
            what_is_put_leaves_alone_what_is_there,
            only_what_is_removed_is_gone,
            a_record_is_removed_only_while_it_has_the_bytes_that_were_read,
            what_was_removed_is_put_anew,
            a_value_may_be_empty_or_have_a_megabyte,
            a_call_for_nothing_does_nothing,
            a_probe_passes_and_leaves_nothing_behind,
        );
    };
    ($storage:ty: $($clause:ident,)*) => {
        $(
            #[test]
            fn $clause() {
                $crate::$clause(&<$storage as $crate::Storage>::empty());
            }
        )*
    };
}

/// Time that stands still, or passes at once, and random bytes that no other call gets.
#[derive(Debug, Clone, Copy)]
pub struct TestEnvironment {
    /// Whether a wait is over at once, instead of never.
    pub time_passes: bool,
}

impl Environment for TestEnvironment {
    fn now(&self) -> Timestamp {
        0.into()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn random(&self, bytes: &mut [u8]) {
        static CALLS: AtomicU64 = AtomicU64::new(1);
        let call = CALLS.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        bytes.iter_mut().zip(call.into_iter().cycle()).for_each(|(byte, random)| *byte = random);
    }

    async fn sleep(&self, _: Duration) {
        if !self.time_passes {
            pending().await
        }
    }

    async fn wait_until(&self, ready: impl Fn() -> bool) {
        while !ready() {
            yield_now().await;
        }
    }

    async fn linger(&self, _: Duration) {}
}

/// Lets the futures that are run together with this one go on.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|_| if replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// Runs a future that waits for nothing but others which are run with it.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..1000 {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return result;
        }
    }
    panic!("it waits for ever")
}

/// Records that can be read, all of them.
pub fn sound(found: Vec<Found>) -> Vec<Option<Entry>> {
    found.into_iter().map(|found| found.expect("it can be read")).collect()
}

/// The key of an item.
pub fn item(name: &str) -> Key {
    Key::Item(name.parse::<ItemId>().expect("an item's name"))
}

fn order(number: u8) -> Key {
    Key::Order(OrderId::from_random([number; 16]))
}

fn done<T: Debug>(call: impl Future<Output = Result<T, StoreError>>) -> T {
    now(call).unwrap_or_else(|error| panic!("the store is well, but: {error}"))
}

/// The records under these keys.
fn read(store: &impl Store, keys: &[Key]) -> Vec<Option<Entry>> {
    sound(done(store.get(keys)))
}

/// The values under these keys.
fn values(store: &impl Store, keys: &[Key]) -> Vec<Option<Vec<u8>>> {
    read(store, keys).into_iter().map(|entry| entry.map(|entry| entry.value)).collect()
}

fn entry(store: &impl Store, key: &Key) -> Entry {
    read(store, slice::from_ref(key)).remove(0).expect("it is there")
}

fn some(value: &[u8]) -> Option<Vec<u8>> {
    Some(value.to_vec())
}

/// All kinds of records that come into being through `create`.
fn created_keys() -> [Key; 3] {
    [Key::Catalog, item("a"), Key::Sequence]
}

#[doc(hidden)]
pub fn one_of_two_requests_creates_a_record(storage: &impl Storage) {
    for key in created_keys() {
        assert!(key.is_created());
        assert_eq!(done(storage.store().create(&key, b"1".to_vec())), Creation::Created, "{key}");
        assert_eq!(done(storage.store().create(&key, b"2".to_vec())), Creation::Exists, "{key}");
        assert_eq!(values(&storage.store(), &[key]), [some(b"1")]);
    }
}

#[doc(hidden)]
pub fn a_record_is_swapped_only_from_the_bytes_that_were_read(storage: &impl Storage) {
    let store = storage.store();
    for key in created_keys() {
        let _ = done(store.create(&key, b"\0\xff1".to_vec()));
        let read = entry(&store, &key);
        // A part of it, more than it, and another one of the same length.
        for other in [&b"\0\xff"[..], b"\0\xff12", b"\0\xff2", b""] {
            let other = Entry { value: other.to_vec(), ..read.clone() };
            assert_eq!(done(store.swap(&other, b"2".to_vec())), Swap::Conflict, "{key} {other:?}");
        }
        assert_eq!(values(&store, slice::from_ref(&key)), [some(b"\0\xff1")]);
        assert_eq!(done(store.swap(&read, b"2".to_vec())), Swap::Swapped, "{key}");
        assert_eq!(done(store.swap(&read, b"3".to_vec())), Swap::Conflict, "{key}");
        assert_eq!(values(&storage.store(), &[key]), [some(b"2")]);
    }
}

#[doc(hidden)]
pub fn an_entry_is_swapped_once(storage: &impl Storage) {
    let (one, other) = (storage.store(), storage.store());
    let keys = [item("a"), order(1)];
    done(one.put(vec![(order(1), b"order".to_vec())]));
    let _ = done(one.create(&item("a"), b"0".to_vec()));
    let read = |store: &_| sound(done(Store::get_for_update(store, &keys))).remove(0).expect("it is there");
    let (ours, theirs) = (read(&one), read(&other));
    assert_eq!((&ours.value[..], &theirs.value[..]), (&b"0"[..], &b"0"[..]));
    assert_eq!(done(one.swap(&ours, b"1".to_vec())), Swap::Swapped);
    assert_eq!(done(other.swap(&theirs, b"2".to_vec())), Swap::Conflict);
    // What was lost once stays lost, and so does what was won.
    assert_eq!(done(other.swap(&theirs, b"2".to_vec())), Swap::Conflict);
    assert_eq!(done(one.swap(&ours, b"3".to_vec())), Swap::Conflict);
    assert_eq!(values(&one, &keys), [some(b"1"), some(b"order")]);
}

#[doc(hidden)]
pub fn a_record_that_is_gone_is_not_swapped(storage: &impl Storage) {
    let store = storage.store();
    let inserted = done(store.insert(vec![(order(1), Vec::new())])).remove(0);
    done(store.remove(&[order(1)]));
    assert_eq!(done(store.swap(&inserted, b"2".to_vec())), Swap::Conflict);
    assert_eq!((values(&store, &[order(1)]), storage.count()), (vec![None], 0));
}

#[doc(hidden)]
pub fn what_is_inserted_can_be_swapped_as_if_it_had_been_read(storage: &impl Storage) {
    let store = storage.store();
    let keys = [order(1), order(2), Key::OrderIndex(7)];
    let inserted = done(store.insert(keys.iter().map(|key| (key.clone(), key.to_string().into_bytes())).collect()));
    let read = read(&store, &keys);
    assert_eq!(inserted.iter().cloned().map(Some).collect::<Vec<_>>(), read);
    assert_eq!(done(store.swap(&inserted[1], b"2".to_vec())), Swap::Swapped);
    assert_eq!(values(&store, &[order(2)]), [some(b"2")]);
    assert_eq!(storage.count(), 3);
}

#[doc(hidden)]
pub fn records_are_read_in_the_order_of_their_keys_and_absent_ones_are_none(storage: &impl Storage) {
    let store = storage.store();
    let keys = [item("none"), order(2), item("b"), Key::Sequence, item("a"), order(1), Key::Catalog];
    assert_eq!(values(&store, &keys), vec![None; 7]);
    for name in ["a", "b"] {
        let _ = done(store.create(&item(name), name.as_bytes().to_vec()));
    }
    done(store.put(vec![(order(1), b"1".to_vec()), (order(2), b"2".to_vec())]));
    let expected = [None, some(b"2"), some(b"b"), None, some(b"a"), some(b"1"), None];
    assert_eq!(values(&store, &keys), expected);
    let for_update = sound(done(store.get_for_update(&keys)));
    assert_eq!(for_update.into_iter().map(|entry| entry.map(|entry| entry.value)).collect::<Vec<_>>(), expected);
    for (key, value) in keys.iter().zip(expected) {
        assert_eq!(values(&storage.store(), slice::from_ref(key)), [value], "{key}");
    }
}

#[doc(hidden)]
pub fn what_is_put_leaves_alone_what_is_there(storage: &impl Storage) {
    let store = storage.store();
    let key = |name: &str| Key::Adjustment(KeyDigest::new("adjustments", name));
    assert_eq!(done(store.put(vec![(key("a"), b"1".to_vec())])), []);
    assert_eq!(done(store.put(vec![(key("a"), b"2".to_vec()), (key("b"), b"3".to_vec())])), [key("a")]);
    assert_eq!(done(store.put(vec![(key("b"), b"3".to_vec()), (key("a"), b"4".to_vec())])), [key("b"), key("a")]);
    assert_eq!(values(&store, &[key("a"), key("b")]), [some(b"1"), some(b"3")]);
    assert_eq!(storage.count(), 2);
}

#[doc(hidden)]
pub fn only_what_is_removed_is_gone(storage: &impl Storage) {
    let store = storage.store();
    done(store.insert((1..=3).map(|number| (order(number), vec![number])).collect()));
    done(store.remove(&[order(1), order(3), order(4)]));
    assert_eq!(values(&store, &[order(1), order(2), order(3)]), [None, some(&[2]), None]);
    assert_eq!(storage.count(), 1);
}

#[doc(hidden)]
pub fn a_record_is_removed_only_while_it_has_the_bytes_that_were_read(storage: &impl Storage) {
    let store = storage.store();
    let mapping = |number: u8| Key::Idempotency(KeyDigest::new("orders", &number.to_string()));
    for number in 1..=2 {
        done(store.put(vec![(mapping(number), vec![number])]));
    }
    let stale = entry(&store, &mapping(1));
    assert_eq!(done(store.swap(&entry(&store, &mapping(1)), b"other".to_vec())), Swap::Swapped);
    assert_eq!(done(store.remove_unchanged(&stale)), Swap::Conflict);
    assert_eq!(values(&store, &[mapping(1), mapping(2)]), [some(b"other"), some(&[2])]);
    let read = entry(&store, &mapping(1));
    assert_eq!(done(store.remove_unchanged(&read)), Swap::Swapped);
    assert_eq!(done(store.remove_unchanged(&read)), Swap::Conflict);
    assert_eq!(values(&store, &[mapping(1), mapping(2)]), [None, some(&[2])]);
}

#[doc(hidden)]
pub fn what_was_removed_is_put_anew(storage: &impl Storage) {
    let store = storage.store();
    let mapping = Key::Idempotency(KeyDigest::new("orders", "a"));
    assert_eq!(done(store.put(vec![(mapping.clone(), b"1".to_vec())])), []);
    let first = entry(&store, &mapping);
    assert_eq!(done(store.remove_unchanged(&first)), Swap::Swapped);
    assert_eq!(done(store.swap(&first, b"2".to_vec())), Swap::Conflict);
    assert_eq!(done(store.put(vec![(mapping.clone(), b"3".to_vec())])), []);
    assert_eq!(done(store.put(vec![(mapping.clone(), b"4".to_vec())])), slice::from_ref(&mapping));
    // A request that still has the first entry cannot remove the record that came after it.
    assert_eq!(done(store.remove_unchanged(&first)), Swap::Conflict);
    assert_eq!(values(&store, &[mapping]), [some(b"3")]);
}

#[doc(hidden)]
pub fn a_value_may_be_empty_or_have_a_megabyte(storage: &impl Storage) {
    let store = storage.store();
    let large: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    assert_eq!(done(store.create(&item("a"), Vec::new())), Creation::Created);
    let empty = entry(&store, &item("a"));
    assert_eq!(empty.value, b"");
    assert_eq!(done(store.swap(&empty, large.clone())), Swap::Swapped);
    let read = entry(&store, &item("a"));
    assert!(read.value == large, "every byte is as it was written");
    assert_eq!(done(store.swap(&read, Vec::new())), Swap::Swapped);
    assert_eq!(values(&store, &[item("a")]), [some(b"")]);
}

#[doc(hidden)]
pub fn a_call_for_nothing_does_nothing(storage: &impl Storage) {
    let store = storage.store();
    assert_eq!(read(&store, &[]), []);
    assert_eq!(sound(done(store.get_for_update(&[]))), []);
    done(store.remove(&[]));
    assert_eq!(storage.count(), 0);
}

#[doc(hidden)]
pub fn a_probe_passes_and_leaves_nothing_behind(storage: &impl Storage) {
    done(storage.store().probe());
    assert_eq!(storage.count(), 0);
    let _ = done(storage.store().create(&item("a"), b"1".to_vec()));
    let before = storage.count();
    done(storage.store().probe());
    assert_eq!((values(&storage.store(), &[item("a")]), storage.count()), (vec![some(b"1")], before));
}

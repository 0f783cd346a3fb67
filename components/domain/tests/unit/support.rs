//! A shop in memory whose store, clock and chance a test has in its hands.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use domain::item::Item;
use domain::order::{Lines, NewOrder};
use domain::{
    Creation, CustomerId, Damaged, Entry, Environment, Error, Found, InstanceState, ItemId, Key, KeyDigest, Limits,
    OrderView, PaymentMethod, Placed, Settings, Shop, Store, StoreError, Swap, Timestamp,
};

/// Limits that most tests do not meet.
pub const LIMITS: Limits = Limits {
    record_bytes: 1_000_000,
    reserved_bytes: 16_000,
    mappings_per_write: 16,
    requests_per_batch: 16,
    records_per_read: 100,
};

/// How long an order can be paid in these tests.
pub const WINDOW: Duration = Duration::from_secs(900);

/// Runs a future that never waits, as all do on a store in memory.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a store in memory has nothing to wait for"),
    }
}

/// What happens at a swap instead of just the swap.
pub enum AtSwap {
    /// Somebody else does this first.
    Meanwhile(Box<dyn FnOnce()>),
    /// The swap is made, but its answer is lost.
    LoseAnswer,
    /// Nothing out of the ordinary.
    Nothing,
}

#[derive(Default)]
pub struct Memory {
    pub records: RefCell<BTreeMap<String, Vec<u8>>>,
    pub writes: Cell<usize>,
    pub at_swaps: RefCell<VecDeque<AtSwap>>,
    /// After so many more writes the store is gone, and with it whoever uses it: a crash.
    pub writes_left: Cell<Option<usize>>,
    pub always_conflict: Cell<bool>,
    pub always_fail: Cell<bool>,
    /// Records that the store has lost.
    pub lost: RefCell<BTreeSet<String>>,
}

impl Memory {
    fn write(&self) -> Result<(), StoreError> {
        match self.writes_left.get() {
            Some(0) => return Err(StoreError::Unavailable("gone".to_owned())),
            Some(left) => self.writes_left.set(Some(left - 1)),
            None => {}
        }
        self.writes.set(self.writes.get() + 1);
        Ok(())
    }
}

/// The store, shared by all shops on it.
#[derive(Clone, Default)]
pub struct MemoryStore(pub Rc<Memory>);

impl Store for MemoryStore {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Found>, StoreError> {
        if self.0.always_fail.get() {
            return Err(StoreError::Unavailable("down".to_owned()));
        }
        let once = |number: usize, key| !keys[..number].contains(key);
        assert!(keys.iter().enumerate().all(|(number, key)| once(number, key)), "a key is asked for once: {keys:?}");
        let records = self.0.records.borrow();
        let entry = |key: &Key| {
            let physical_key = key.to_string();
            if self.0.lost.borrow().contains(&physical_key) {
                return Err(Damaged { physical_key, reason: "it is lost".to_owned() });
            }
            Ok(records.get(&physical_key).map(|value| Entry::new(physical_key, value.clone())))
        };
        Ok(keys.iter().map(entry).collect())
    }

    async fn insert(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Entry>, StoreError> {
        self.0.write()?;
        let entries: Vec<_> = records.into_iter().map(|(key, value)| Entry::new(key.to_string(), value)).collect();
        for entry in entries.clone() {
            let before = self.0.records.borrow_mut().insert(entry.physical_key.clone(), entry.value);
            assert_eq!(before, None, "{} was not fresh", entry.physical_key);
        }
        Ok(entries)
    }

    async fn remove(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.0.write()?;
        self.0.records.borrow_mut().retain(|name, _| !keys.iter().any(|key| key.to_string() == *name));
        Ok(())
    }

    async fn put(&self, records: Vec<(Key, Vec<u8>)>) -> Result<(), StoreError> {
        self.0.write()?;
        for (key, value) in records {
            self.0.records.borrow_mut().entry(key.to_string()).or_insert(value);
        }
        Ok(())
    }

    async fn create(&self, key: &Key, value: Vec<u8>) -> Result<Creation, StoreError> {
        if self.0.records.borrow().contains_key(&key.to_string()) {
            return Ok(Creation::Exists);
        }
        self.0.write()?;
        self.0.records.borrow_mut().insert(key.to_string(), value);
        Ok(Creation::Created)
    }

    async fn swap(&self, read: &Entry, value: Vec<u8>) -> Result<Swap, StoreError> {
        let at_swap = self.0.at_swaps.borrow_mut().pop_front().unwrap_or(AtSwap::Nothing);
        let lost = matches!(at_swap, AtSwap::LoseAnswer);
        if let AtSwap::Meanwhile(other) = at_swap {
            other();
        }
        if self.0.always_conflict.get() || self.0.records.borrow().get(&read.physical_key) != Some(&read.value) {
            return Ok(Swap::Conflict);
        }
        self.0.write()?;
        self.0.records.borrow_mut().insert(read.physical_key.clone(), value);
        if lost { Err(StoreError::Unavailable("the answer was lost".to_owned())) } else { Ok(Swap::Swapped) }
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A clock that stands still until it is set, and numbers in place of chance.
#[derive(Clone)]
pub struct Fixed {
    pub now: Rc<Cell<u64>>,
    count: Rc<Cell<u64>>,
    /// Whether whoever leads a group lets others come before it goes to work.
    pub waits_for_batch: Rc<Cell<bool>>,
}

impl Environment for Fixed {
    fn now(&self) -> Timestamp {
        self.now.get().into()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn random(&self, bytes: &mut [u8]) {
        self.count.set(self.count.get() + 1);
        if let Ok(number) = <&mut [u8; 8]>::try_from(&mut *bytes) {
            // What is picked by a number is to be picked evenly: a step of SplitMix64.
            let mixed = self.count.get().wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *number = (mixed ^ mixed >> 27).to_le_bytes();
            return;
        }
        let count = self.count.get().to_be_bytes();
        bytes.iter_mut().rev().zip(count.iter().rev().chain(std::iter::repeat(&7))).for_each(|(to, from)| *to = *from);
    }

    async fn sleep(&self, _: Duration) {}

    async fn wait_until(&self, ready: impl Fn() -> bool) {
        std::future::poll_fn(|_| if ready() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Lets others come.
    async fn linger(&self, _: Duration) {
        let waited = Cell::new(!self.waits_for_batch.get());
        std::future::poll_fn(|_| if waited.replace(true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

pub type TestShop = Shop<MemoryStore, Fixed>;

/// Shops on one store, at one time.
#[derive(Clone)]
pub struct World {
    pub store: MemoryStore,
    pub environment: Fixed,
    pub instance: Rc<InstanceState>,
    /// The numbers that no instance has yet.
    pub numbers: Rc<Cell<u64>>,
    pub limits: Limits,
}

/// An instance that has placed orders before: what the tests count is what an order costs it.
fn warm(numbers: &Cell<u64>) -> Rc<InstanceState> {
    let first = numbers.get();
    numbers.set(first + 1000);
    Rc::new(InstanceState::with_sequence(first..first + 1000))
}

impl World {
    /// A shop that already has the preset items: what the tests count starts here.
    pub fn new() -> Self {
        let world = Self::empty();
        run(world.shop().list_items()).unwrap();
        world.store.0.writes.set(0);
        world
    }

    /// A shop whose store is empty.
    pub fn empty() -> Self {
        let now = Rc::new(Cell::new(1_700_000_000_000));
        let numbers = Rc::default();
        Self {
            instance: warm(&numbers),
            numbers,
            limits: LIMITS,
            store: MemoryStore::default(),
            environment: Fixed { now, count: Rc::default(), waits_for_batch: Rc::default() },
        }
    }

    pub fn shop(&self) -> TestShop {
        let currency = "CNY".to_owned().try_into().unwrap();
        let settings = Settings { payment_window: WINDOW, currency, limits: self.limits };
        Shop::new(self.store.clone(), self.environment.clone(), settings, self.instance.clone())
    }

    /// Another instance on the same store.
    pub fn elsewhere(&self) -> Self {
        let environment = Fixed { waits_for_batch: Rc::default(), ..self.environment.clone() };
        let numbers = self.numbers.clone();
        Self { instance: warm(&numbers), numbers, environment, store: self.store.clone(), limits: self.limits }
    }

    /// Does these requests at the same time in one instance.
    pub fn together<T>(&self, requests: Vec<impl Future<Output = T>>) -> Vec<T> {
        self.environment.waits_for_batch.set(true);
        let mut requests: Vec<_> = requests.into_iter().map(|request| (Box::pin(request), None)).collect();
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..100 {
            for (request, answer) in requests.iter_mut().filter(|(_, answer)| answer.is_none()) {
                if let Poll::Ready(ready) = request.as_mut().poll(&mut context) {
                    *answer = Some(ready);
                }
            }
        }
        self.environment.waits_for_batch.set(false);
        requests.into_iter().map(|(_, answer)| answer.expect("everybody is answered")).collect()
    }

    /// Lets so many seconds pass.
    pub fn wait(&self, seconds: u64) {
        self.environment.now.set(self.environment.now.get() + seconds * 1000);
    }

    /// The writes that `request` makes.
    pub fn writes<T>(&self, request: impl FnOnce() -> T) -> (T, usize) {
        let before = self.store.0.writes.get();
        let result = request();
        (result, self.store.0.writes.get() - before)
    }

    pub fn at_next_swap(&self, at_swap: AtSwap) {
        self.store.0.at_swaps.borrow_mut().push_back(at_swap);
    }

    /// Does `other` between the next request's read and its swap.
    pub fn meanwhile(&self, other: impl FnOnce(&World) + 'static) {
        let world = self.elsewhere();
        self.at_next_swap(AtSwap::Meanwhile(Box::new(move || other(&world))));
    }

    pub fn place(&self, lines: &[(&str, u64)]) -> Result<Placed, Error> {
        run(self.shop().place(order(lines), None))
    }

    pub fn place_with_key(&self, lines: &[(&str, u64)], key: &str) -> Result<Placed, Error> {
        run(self.shop().place(order(lines), Some(KeyDigest::new("orders", key))))
    }

    /// Places an order, with a key, and is gone after so many writes.
    pub fn crash_while_placing(&self, lines: &[(&str, u64)], key: &str, writes: usize) {
        self.store.0.writes_left.set(Some(writes));
        assert!(self.place_with_key(lines, key).is_err());
        self.store.0.writes_left.set(None);
    }

    pub fn pay(&self, placed: &Placed) -> Result<OrderView, Error> {
        run(self.shop().pay(placed.view.order.order_id, PaymentMethod::unspecified(), None))
    }

    pub fn cancel(&self, placed: &Placed) -> Result<OrderView, Error> {
        run(self.shop().cancel(placed.view.order.order_id))
    }

    pub fn show(&self, placed: &Placed) -> OrderView {
        run(self.shop().show_order(placed.view.order.order_id)).unwrap()
    }

    /// Places these many orders of one unit at the same time in one instance.
    pub fn place_together(&self, item: &str, count: usize) -> Vec<Result<Placed, Error>> {
        let shops: Vec<_> = (0..count).map(|_| self.shop()).collect();
        self.together(shops.iter().map(|shop| shop.place(order(&[(item, 1)]), None)).collect())
    }

    /// Pays these orders at the same time in one instance.
    pub fn pay_together(&self, placed: &[Placed]) {
        let shops: Vec<_> = placed.iter().map(|_| self.shop()).collect();
        let ids = placed.iter().map(|placed| placed.view.order.order_id);
        let requests: Vec<_> =
            shops.iter().zip(ids).map(|(shop, id)| shop.pay(id, PaymentMethod::unspecified(), None)).collect();
        for paid in self.together(requests) {
            paid.unwrap();
        }
    }

    pub fn adjust(&self, item: &str, delta: i64) -> Result<(), Error> {
        run(self.shop().adjust_item(&id(item), delta.try_into().unwrap(), "", None)).map(drop)
    }

    /// (on hand, reserved, available) as a client is shown them.
    pub fn stock(&self, item: &str) -> (u64, u64, u64) {
        let view = run(self.shop().show_item(&id(item))).unwrap();
        (view.on_hand, view.reserved, view.available)
    }

    /// The record under `key`, which is no item: as JSON.
    pub fn record(&self, key: &str) -> serde_json::Value {
        serde_json::from_slice(&self.store.0.records.borrow()[key]).unwrap()
    }

    /// The record of an item.
    pub fn item(&self, item: &str) -> Item {
        Item::from_bytes(&self.store.0.records.borrow()[&format!("inventory:{item}")]).unwrap()
    }

    /// How many holds the record of an item carries.
    pub fn holds(&self, item: &str) -> usize {
        self.item(item).holds().len()
    }

    /// Has the list of orders show what is under these numbers, as if instances had taken them out of the ledger.
    pub fn list_numbers_below(&self, next: u64) {
        let ledger = serde_json::json!({ "id": "here", "next": next, "by": "" });
        self.store.0.records.borrow_mut().insert("ledger".to_owned(), ledger.to_string().into_bytes());
    }

    /// How many records have names that begin like this.
    pub fn count(&self, beginning: &str) -> usize {
        self.store.0.records.borrow().keys().filter(|key| key.starts_with(beginning)).count()
    }

    /// How many orders are in the store.
    pub fn orders(&self) -> usize {
        self.store.0.records.borrow().keys().filter(|key| key.starts_with("order:")).count()
    }
}

/// The bytes of an item whose record says another number on hand than its holds and sales add up to: both from 24 to 255.
pub fn with_on_hand(item: &Item, on_hand: u8) -> Vec<u8> {
    let said = |number: u8| [b"\x67on_hand\x18".as_slice(), &[number]].concat();
    let (bytes, from) = (item.to_bytes(), said(item.on_hand().try_into().unwrap()));
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], &said(on_hand), &bytes[at + from.len()..]].concat()
}

pub fn id(item: &str) -> ItemId {
    item.parse().unwrap()
}

pub fn order(lines: &[(&str, u64)]) -> NewOrder {
    let lines = lines.iter().map(|(item, quantity)| (id(item), (*quantity).try_into().unwrap()));
    let customer_id: Option<CustomerId> = Some("anna".parse().unwrap());
    NewOrder { lines: Lines::new(lines).unwrap(), customer_id }
}

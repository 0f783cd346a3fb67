//! A shop in memory whose store, clock and chance a test has in its hands.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use domain::item::Item;
use domain::order::{ExpectedPrices, Lines, NewOrder};
use domain::{
    CustomerId, Error, InstanceState, ItemId, KeyDigest, Limits, OrderView, PayResult, PaymentMethod, Placed, Settings,
    Shop,
};
use memory_store::{FakeEnvironment, MemoryStore};

pub use memory_store::{AtSwap, run};

/// Limits that most tests do not meet.
pub const LIMITS: Limits = Limits {
    record_bytes: 1_000_000,
    reserved_bytes: 16_000,
    mappings_per_write: 16,
    requests_per_batch: 16,
    records_per_read: 100,
    queued_requests: 64,
    place_patience: Duration::from_secs(1),
    pay_patience: Duration::from_secs(2),
    overdue_at_once: 8,
    overdue_patience: Duration::from_secs(2),
};

/// How long an order can be paid in these tests.
pub const WINDOW: Duration = Duration::from_secs(900);

pub type TestShop = Shop<MemoryStore, FakeEnvironment>;

/// Shops on one store, at one time.
#[derive(Clone)]
pub struct World {
    pub store: MemoryStore,
    pub environment: FakeEnvironment,
    pub instance: Rc<InstanceState>,
    /// The numbers that no instance has yet.
    pub numbers: Rc<Cell<u64>>,
    pub limits: Limits,
    pub closed_orders_kept: Option<Duration>,
    /// The most of an item in one order.
    pub max_per_order: Option<u64>,
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
        world.store.forget_writes();
        world
    }

    /// A shop whose store is empty.
    pub fn empty() -> Self {
        let numbers = Rc::default();
        Self {
            instance: warm(&numbers),
            numbers,
            limits: LIMITS,
            closed_orders_kept: None,
            max_per_order: None,
            store: MemoryStore::default(),
            environment: FakeEnvironment::counting(),
        }
    }

    pub fn shop(&self) -> TestShop {
        let currency = "CNY".to_owned().try_into().unwrap();
        let settings = Settings {
            payment_window: WINDOW,
            closed_orders_kept: self.closed_orders_kept,
            currency,
            max_per_order: self.max_per_order.and_then(|most| most.try_into().ok()),
            limits: self.limits,
        };
        Shop::new(self.store.clone(), self.environment.clone(), settings, self.instance.clone())
    }

    /// Another instance on the same store.
    pub fn elsewhere(&self) -> Self {
        let environment = self.environment.of_another_instance();
        let numbers = self.numbers.clone();
        Self { instance: warm(&numbers), numbers, environment, ..self.clone() }
    }

    /// Does these requests at the same time in one instance.
    pub fn together<T>(&self, requests: Vec<impl Future<Output = T>>) -> Vec<T> {
        self.environment.set_waits_for_batch(true);
        let mut requests: Vec<_> = requests.into_iter().map(|request| (Box::pin(request), None)).collect();
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..100 {
            for (request, answer) in requests.iter_mut().filter(|(_, answer)| answer.is_none()) {
                if let Poll::Ready(ready) = request.as_mut().poll(&mut context) {
                    *answer = Some(ready);
                }
            }
        }
        self.environment.set_waits_for_batch(false);
        requests.into_iter().map(|(_, answer)| answer.expect("every request is answered")).collect()
    }

    /// Lets this number of seconds pass.
    pub fn wait(&self, seconds: u64) {
        self.environment.wait(seconds);
    }

    /// The writes that `request` makes.
    pub fn writes<T>(&self, request: impl FnOnce() -> T) -> (T, usize) {
        let before = self.store.writes();
        let result = request();
        (result, self.store.writes() - before)
    }

    pub fn at_next_swap(&self, at_swap: AtSwap) {
        self.store.at_next_swap(at_swap);
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

    /// Places an order, with a key, and is cut off after this number of writes.
    pub fn crash_while_placing(&self, lines: &[(&str, u64)], key: &str, writes: usize) {
        self.store.fail_after_writes(Some(writes));
        assert!(self.place_with_key(lines, key).is_err());
        self.store.fail_after_writes(None);
    }

    pub fn pay(&self, placed: &Placed) -> Result<OrderView, Error> {
        run(self.shop().pay(placed.view.order.order_id, PaymentMethod::unspecified(), None)).map(paid)
    }

    pub fn cancel(&self, placed: &Placed) -> Result<OrderView, Error> {
        run(self.shop().cancel(placed.view.order.order_id))
    }

    pub fn show(&self, placed: &Placed) -> OrderView {
        run(self.shop().show_order(placed.view.order.order_id)).unwrap()
    }

    /// Places this number of orders of one unit at the same time in one instance.
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
        serde_json::from_slice(&self.store.records()[key]).unwrap()
    }

    /// The record of an item.
    pub fn item(&self, item: &str) -> Item {
        Item::from_bytes(&self.store.records()[&format!("inventory:{item}")]).unwrap()
    }

    /// How many holds the record of an item carries.
    pub fn holds(&self, item: &str) -> usize {
        self.item(item).holds().len()
    }

    /// Has the list of orders show what is under these numbers, as if instances had taken them out of the ledger.
    pub fn list_numbers_below(&self, next: u64) {
        let ledger = serde_json::json!({ "id": "here", "next": next, "by": "" });
        self.store.records_mut().insert("ledger".to_owned(), ledger.to_string().into_bytes());
    }

    /// How many records have names that begin like this.
    pub fn count(&self, beginning: &str) -> usize {
        self.store.records().keys().filter(|key| key.starts_with(beginning)).count()
    }

    /// How many orders are in the store.
    pub fn orders(&self) -> usize {
        self.store.records().keys().filter(|key| key.starts_with("order:")).count()
    }
}

/// The bytes of an item whose record says another number on hand than its holds and sales add up to: both from 24 to
/// 255.
pub fn with_on_hand(item: &Item, on_hand: u8) -> Vec<u8> {
    let said = |number: u8| [b"\x67on_hand\x18".as_slice(), &[number]].concat();
    let (bytes, from) = (item.to_bytes(), said(item.on_hand().try_into().unwrap()));
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], &said(on_hand), &bytes[at + from.len()..]].concat()
}

/// The order that was paid at once, without a provider.
pub fn paid(result: PayResult) -> OrderView {
    let PayResult::Paid(view) = result else { panic!("it is paid at once: {result:?}") };
    view
}

pub fn id(item: &str) -> ItemId {
    item.parse().unwrap()
}

pub fn order(lines: &[(&str, u64)]) -> NewOrder {
    let lines = lines.iter().map(|(item, quantity)| (id(item), (*quantity).try_into().unwrap()));
    let customer_id: Option<CustomerId> = Some("anna".parse().unwrap());
    NewOrder { lines: Lines::new(lines).unwrap(), customer_id, expected: ExpectedPrices::default() }
}

/// An order that is expected to cost this.
pub fn order_at(lines: &[(&str, u64)], units: &[(&str, u64)], total: Option<u64>) -> NewOrder {
    let units = units.iter().map(|(item, price)| (id(item), (*price).try_into().unwrap())).collect();
    NewOrder { expected: ExpectedPrices { units, total: total.map(|total| total.try_into().unwrap()) }, ..order(lines) }
}

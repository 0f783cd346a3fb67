//! A store, a clock, and the requests that run on them, one call at a time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use domain::order::{Lines, NewOrder};
use domain::{
    Creation, Entry, Environment, Error, Key, KeyDigest, Method, OrderId, Settings, Shop, Status, Store, StoreError,
    Swap, Timestamp,
};

const START: u64 = 1_700_000_000_000;
const WINDOW: Duration = Duration::from_secs(900);

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Places an order for one of each of these items, under a key where there is one.
    Place(&'static [&'static str], Option<&'static str>),
    /// Pays the first order of the request with this number.
    Pay(usize),
    /// Cancels the first order of the request with this number.
    Cancel(usize),
    /// Adjusts an item. Like every swap of an item it also settles.
    Adjust(&'static str, i64),
}

/// What somebody was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Placed(OrderId, Status),
    Paid,
    Cancelled,
    Adjusted,
    Refused(Error),
}

/// One choice of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The next call of this request is made.
    Call(usize),
    /// The next call of this request is made, but its answer is lost.
    CallUnheard(usize),
    /// This request stops for ever.
    Crash(usize),
    /// The clock passes the expiry of all orders.
    Expire,
}

/// How many choices of the rare kinds a run may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Faults {
    pub crashes: usize,
    pub lost_answers: usize,
    pub expiries: usize,
}

#[derive(Default)]
struct Shared {
    records: RefCell<BTreeMap<String, Vec<u8>>>,
    now: Cell<u64>,
}

/// The state of one request as seen from outside.
#[derive(Default)]
struct Progress {
    /// Everything that the request was answered by the store and the clock: it is deterministic, so this is its state.
    history: RefCell<DefaultHasher>,
    /// Whether it may make its next call, and whether it hears the answer.
    permit: Cell<Option<bool>>,
    /// Whether its next call is a swap, whose answer can be lost with a difference.
    at_swap: Cell<bool>,
    number: usize,
    ids: Cell<u8>,
}

#[derive(Clone)]
struct Caller {
    shared: Rc<Shared>,
    progress: Rc<Progress>,
}

impl Caller {
    /// Waits for its turn; answers whether the answer will be heard.
    async fn turn(&self, swap: bool) -> bool {
        self.progress.at_swap.set(swap);
        std::future::poll_fn(|_| self.progress.permit.take().map_or(Poll::Pending, Poll::Ready)).await
    }

    fn heard(&self, what: impl Hash) {
        what.hash(&mut *self.progress.history.borrow_mut());
    }
}

impl Store for Caller {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        self.turn(false).await;
        let records = self.shared.records.borrow();
        let found = keys.iter().map(|key| {
            let location = key.to_string();
            records.get(&location).map(|value| Entry { value: value.clone(), location })
        });
        let found: Vec<_> = found.collect();
        for entry in &found {
            self.heard(entry.as_ref().map(|entry| (&entry.location, &entry.value)));
        }
        Ok(found)
    }

    async fn insert(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Entry>, StoreError> {
        self.turn(false).await;
        self.heard("insert");
        let entry = |(key, value): (Key, _)| Entry { location: key.to_string(), value };
        let entries: Vec<_> = records.into_iter().map(entry).collect();
        for Entry { location, value } in entries.clone() {
            assert_eq!(self.shared.records.borrow_mut().insert(location, value), None, "inserted under a fresh name");
        }
        Ok(entries)
    }

    async fn remove(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.turn(false).await;
        self.heard("remove");
        self.shared.records.borrow_mut().retain(|name, _| !keys.iter().any(|key| key.to_string() == *name));
        Ok(())
    }

    async fn put(&self, records: Vec<(Key, Vec<u8>)>) -> Result<(), StoreError> {
        self.turn(false).await;
        self.heard("put");
        for (key, value) in records {
            let before = self.shared.records.borrow_mut().insert(key.to_string(), value.clone());
            assert!(before.is_none_or(|before| before == value), "{key} was put with another value");
        }
        Ok(())
    }

    async fn create(&self, key: &Key, value: Vec<u8>) -> Result<Creation, StoreError> {
        self.turn(false).await;
        let exists = self.shared.records.borrow().contains_key(&key.to_string());
        self.heard(exists);
        if exists {
            return Ok(Creation::Exists);
        }
        self.shared.records.borrow_mut().insert(key.to_string(), value);
        Ok(Creation::Created)
    }

    async fn swap(&self, read: &Entry, value: Vec<u8>) -> Result<Swap, StoreError> {
        let hears = self.turn(true).await;
        let same = self.shared.records.borrow().get(&read.location) == Some(&read.value);
        if same {
            self.shared.records.borrow_mut().insert(read.location.clone(), value);
        }
        self.heard((same, hears));
        match (hears, same) {
            (false, _) => Err(StoreError::Unavailable("the answer was lost".to_owned())),
            (true, true) => Ok(Swap::Swapped),
            (true, false) => Ok(Swap::Conflict),
        }
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Environment for Caller {
    fn now(&self) -> Timestamp {
        let now = self.shared.now.get();
        self.heard(now);
        now.into()
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn random_id(&self) -> [u8; 16] {
        let count = self.progress.ids.get();
        self.progress.ids.set(count + 1);
        id_bytes(self.progress.number, count)
    }

    async fn pause(&self, _: Duration) {}
}

fn id_bytes(request: usize, count: u8) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[0] = u8::try_from(request).expect("few requests");
    bytes[1] = count;
    bytes
}

/// The id of the order that a request makes with its attempt `count`.
pub fn order_id(request: usize, count: u8) -> OrderId {
    OrderId::from_random(id_bytes(request, count))
}

/// The id of the first order that a request makes.
pub fn first_order(request: usize) -> OrderId {
    order_id(request, 0)
}

fn shop(caller: Caller) -> Shop<Caller, Caller> {
    let currency = "CNY".to_owned().try_into().expect("a currency");
    Shop::new(caller.clone(), caller, Settings { payment_window: WINDOW, currency })
}

/// Does a request from beginning to end.
async fn perform(request: Request, caller: Caller) -> Answer {
    let shop = shop(caller);
    let answer = match request {
        Request::Place(items, key) => {
            let lines = items.iter().map(|item| (item.parse().expect("an id"), 1.try_into().expect("a quantity")));
            let order = NewOrder { lines: Lines::new(lines).expect("lines"), customer_id: None };
            let key = key.map(|key| KeyDigest::new("orders", key));
            let placed = shop.place(&order, key.as_ref()).await;
            placed.map(|placed| Answer::Placed(placed.view.order.order_id, placed.view.status))
        }
        Request::Pay(of) => shop.pay(first_order(of), &Method::unspecified(), None).await.map(|_| Answer::Paid),
        Request::Cancel(of) => shop.cancel(first_order(of)).await.map(|_| Answer::Cancelled),
        Request::Adjust(item, delta) => {
            let (item, delta) = (item.parse().expect("an id"), delta.try_into().expect("a delta"));
            shop.adjust_item(&item, delta, "", None).await.map(|_| Answer::Adjusted)
        }
    };
    answer.unwrap_or_else(Answer::Refused)
}

enum Running {
    Yes(Pin<Box<dyn Future<Output = Answer>>>),
    Done(Answer),
    Crashed,
}

/// One state of the search.
pub struct World {
    shared: Rc<Shared>,
    requests: Vec<(Rc<Progress>, Running)>,
    faults: Faults,
}

impl World {
    /// The beginning: items with their stock, and requests that have not made a call yet.
    pub fn new(items: &[(&str, u64)], requests: &[Request], faults: Faults) -> Self {
        let shared = Rc::new(Shared::default());
        shared.now.set(START);
        for (item, on_hand) in items {
            let record = serde_json::json!({ "version": 0, "on_hand": on_hand, "unit_price": 1 });
            let record = serde_json::to_vec(&record).expect("JSON");
            shared.records.borrow_mut().insert(format!("inventory:{item}"), record);
        }
        let mut world = Self { shared, requests: Vec::new(), faults };
        requests.iter().for_each(|request| world.start(*request));
        world
    }

    fn start(&mut self, request: Request) {
        let progress = Rc::new(Progress { number: self.requests.len(), ..Progress::default() });
        let caller = Caller { shared: self.shared.clone(), progress: progress.clone() };
        self.requests.push((progress, Running::Yes(Box::pin(perform(request, caller)))));
        self.poll(self.requests.len() - 1);
    }

    fn poll(&mut self, number: usize) {
        let (_, running) = &mut self.requests[number];
        let Running::Yes(future) = running else { panic!("request {number} has ended") };
        if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            *running = Running::Done(answer);
        }
    }

    /// What can happen next.
    pub fn choices(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        for (number, (progress, running)) in self.requests.iter().enumerate() {
            if !matches!(running, Running::Yes(_)) {
                continue;
            }
            choices.push(Choice::Call(number));
            if self.faults.lost_answers > 0 && progress.at_swap.get() {
                choices.push(Choice::CallUnheard(number));
            }
            if self.faults.crashes > 0 {
                choices.push(Choice::Crash(number));
            }
        }
        if self.faults.expiries > 0 && !choices.is_empty() {
            choices.push(Choice::Expire);
        }
        choices
    }

    /// Lets it happen.
    pub fn choose(&mut self, choice: Choice) {
        match choice {
            Choice::Call(number) => {
                self.requests[number].0.permit.set(Some(true));
                self.poll(number);
            }
            Choice::CallUnheard(number) => {
                self.faults.lost_answers -= 1;
                self.requests[number].0.permit.set(Some(false));
                self.poll(number);
            }
            Choice::Crash(number) => {
                self.faults.crashes -= 1;
                self.requests[number].1 = Running::Crashed;
            }
            Choice::Expire => {
                self.faults.expiries -= 1;
                self.expire();
            }
        }
    }

    fn expire(&self) {
        self.shared.now.set(self.shared.now.get() + 1_000_000);
    }

    /// What tells this state from every other: two states that are alike here go on alike.
    pub fn fingerprint(&self) -> u128 {
        let half = |salt: u64| {
            let mut hash = DefaultHasher::new();
            salt.hash(&mut hash);
            self.faults.hash(&mut hash);
            self.shared.now.get().hash(&mut hash);
            self.shared.records.borrow().hash(&mut hash);
            for (progress, running) in &self.requests {
                matches!(running, Running::Crashed).hash(&mut hash);
                progress.history.borrow().finish().hash(&mut hash);
            }
            u128::from(hash.finish())
        };
        half(1) << 64 | half(2)
    }

    /// The answers so far.
    pub fn answers(&self) -> impl Iterator<Item = (usize, &Answer)> {
        self.requests.iter().enumerate().filter_map(|(number, (_, running))| match running {
            Running::Done(answer) => Some((number, answer)),
            Running::Yes(_) | Running::Crashed => None,
        })
    }

    pub fn records(&self) -> BTreeMap<String, serde_json::Value> {
        let records = self.shared.records.borrow();
        records.iter().map(|(key, value)| (key.clone(), serde_json::from_slice(value).expect("JSON"))).collect()
    }

    /// Runs one more request to its end, with nothing in between.
    pub fn run(&mut self, request: Request) -> Answer {
        self.start(request);
        let number = self.requests.len() - 1;
        while matches!(self.requests[number].1, Running::Yes(_)) {
            self.choose(Choice::Call(number));
        }
        match &self.requests[number].1 {
            Running::Done(answer) => answer.clone(),
            Running::Yes(_) | Running::Crashed => unreachable!("it was run to its end"),
        }
    }

    /// Lets every order expire.
    pub fn after_expiry(&mut self) {
        self.expire();
    }
}

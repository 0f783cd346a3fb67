//! Clients that order, pay, cancel, let orders expire and adjust stock, each over a connection of its own.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::json;
use uuid::Uuid;

use crate::client::{Answer, Client};
use crate::told::{Fate, Faults, Order, Told};

const MAX_LINES: usize = 3;
const MAX_PER_LINE: u64 = 3;
const MAX_ADJUSTED: i64 = 5;

/// How many are left of the item that is nearly sold out.
const FEW: i64 = 20;

/// Each client asks for one of its latest so many orders.
const RECENT: usize = 32;

/// A request that the shop was too busy for is sent again so many times.
const REPEATS: u32 = 20;

/// The phases take turns in so long, or in the time that there is. A minute has all of them, twice.
const CYCLE: Duration = Duration::from_secs(30);

/// What is asked for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Everything, mostly on hot items.
    Mixed,
    /// All order one hot item, and pay at once.
    PayAtOnce,
    /// Everything, mostly on a hot item of which there are few.
    NearlySoldOut,
}

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::PayAtOnce => "order and pay",
            Self::NearlySoldOut => "nearly sold out",
        }
    }
}

/// What was answered so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) answers: AtomicU64,
    pub(crate) orders: AtomicU64,
    pub(crate) pays: AtomicU64,
    pub(crate) cancels: AtomicU64,
    pub(crate) expired: AtomicU64,
    pub(crate) adjustments: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) busy: AtomicU64,
}

/// Adds one.
fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// What all clients share.
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    /// The hot ones first.
    pub(crate) items: Vec<String>,
    pub(crate) hot: usize,
    /// The payment window.
    pub(crate) window: Duration,
    pub(crate) begun: Instant,
    pub(crate) length: Duration,
    pub(crate) counts: Counts,
    faults: Mutex<Faults>,
}

impl Load {
    pub(crate) fn new(address: SocketAddr, items: Vec<String>, hot: usize, window: Duration, length: Duration) -> Self {
        let (counts, faults) = (Counts::default(), Mutex::default());
        Self { address, items, hot, window, begun: Instant::now(), length, counts, faults }
    }

    /// What is asked for so long after the beginning.
    pub(crate) fn phase(&self, elapsed: Duration) -> Phase {
        let cycle = self.length.min(CYCLE).as_secs_f64();
        match elapsed.as_secs_f64() % cycle / cycle {
            ..0.5 => Phase::Mixed,
            ..0.75 => Phase::PayAtOnce,
            _ => Phase::NearlySoldOut,
        }
    }

    /// The item that is nearly sold out now and then.
    fn scarce(&self) -> usize {
        self.hot - 1
    }

    pub(crate) fn fault(&self, kind: &str, example: impl std::fmt::Display) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).add(kind, example);
    }

    /// What was answered that may not be.
    pub(crate) fn faults(&self) -> Faults {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An answer that contradicts an earlier one.
pub(crate) const CONTRADICTION: &str = "contradictions";

/// A client and what it was told.
pub(crate) struct Buyer {
    load: Arc<Load>,
    client: Client,
    rng: Rng,
    pub(crate) told: Told,
    /// The latest orders with idempotency keys: key, body, and number of the order.
    keyed: VecDeque<(String, String, usize)>,
}

impl Buyer {
    pub(crate) fn new(load: Arc<Load>, rng: Rng) -> Self {
        let client = Client::new(load.address);
        Self { load, client, rng, told: Told::default(), keyed: VecDeque::new() }
    }

    /// Sends requests until the time is over.
    pub(crate) async fn run(mut self) -> Told {
        while self.load.begun.elapsed() < self.load.length {
            match self.load.phase(self.load.begun.elapsed()) {
                Phase::PayAtOnce => {
                    if let Some(order) = self.place(vec![(0, 1)], false).await {
                        self.pay(order).await;
                    }
                }
                phase => self.anything(phase).await,
            }
        }
        self.told
    }

    /// Takes one item down to a few when that is its turn, and fills it up again, until the time is over.
    pub(crate) async fn run_down(mut self) -> Told {
        let (scarce, mut taken) = (self.load.scarce(), 0_i64);
        while self.load.begun.elapsed() < self.load.length {
            let is_down = self.load.phase(self.load.begun.elapsed()) == Phase::NearlySoldOut;
            if is_down && taken == 0 {
                let available = self.show_item(scarce).await.unwrap_or(0);
                let delta = FEW - available;
                if delta < 0 && self.adjust(scarce, delta, true).await {
                    taken = -delta;
                }
            } else if !is_down && taken > 0 && self.adjust(scarce, taken, true).await {
                taken = 0;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if taken > 0 {
            self.adjust(scarce, taken, true).await;
        }
        self.told
    }

    async fn anything(&mut self, phase: Phase) {
        let recent = self.recent();
        match (self.rng.u32(..100), recent) {
            (50..58, Some(order)) => self.pay(order).await,
            (58..63, Some(order)) => self.cancel(order).await,
            (63..73, Some(order)) => self.show(order).await,
            (73..80, _) => self.repeat().await,
            (80..88, _) => {
                let item = self.item(phase);
                self.show_item(item).await;
            }
            (88.., _) => {
                let item = self.rng.usize(..self.load.hot);
                let size = self.rng.i64(1..=MAX_ADJUSTED);
                let (delta, keyed) = (if self.rng.bool() { size } else { -size }, self.rng.bool());
                self.adjust(item, delta, keyed).await;
            }
            _ => {
                let mut items: Vec<_> = (0..self.rng.usize(1..=MAX_LINES)).map(|_| self.item(phase)).collect();
                items.sort_unstable();
                items.dedup();
                let lines = items.into_iter().map(|item| (item, self.rng.u64(1..=MAX_PER_LINE))).collect();
                let keyed = self.rng.bool();
                if let Some(order) = self.place(lines, keyed).await {
                    match self.rng.u32(..100) {
                        ..50 => self.pay(order).await,
                        50..65 => self.cancel(order).await,
                        // It is left to expire, unless it is picked before.
                        _ => {}
                    }
                }
            }
        }
    }

    /// One of the items, mostly a hot one.
    fn item(&mut self, phase: Phase) -> usize {
        let (hot, all) = (self.load.hot, self.load.items.len());
        match self.rng.u32(..10) {
            ..6 if phase == Phase::NearlySoldOut => self.load.scarce(),
            9.. if all > hot => self.rng.usize(hot..all),
            _ => self.rng.usize(..hot),
        }
    }

    /// One of the latest orders of this client.
    fn recent(&mut self) -> Option<usize> {
        let count = self.told.orders.len();
        (count > 0).then(|| self.rng.usize(count.saturating_sub(RECENT)..count))
    }

    fn fresh_key(&mut self) -> String {
        format!("{:032x}", self.rng.u128(..))
    }

    /// Sends a request; where that is `safe`, again while the shop is busy. None where it is not known what was done.
    async fn ask(&mut self, method: &str, path: &str, body: &str, key: Option<&str>, safe: bool) -> Option<Answer> {
        for repeat in 0..=REPEATS {
            let answer = match self.client.ask(method, path, body, key).await {
                Ok(answer) => answer,
                Err(reason) => {
                    self.load.fault("requests without an answer", reason);
                    return None;
                }
            };
            count(&self.load.counts.answers);
            if answer.status < 500 {
                return Some(answer);
            }
            if !answer.is_busy() {
                self.load.fault("errors of the server", format!("{method} {path}: {} {}", answer.status, answer.body));
                return None;
            }
            count(&self.load.counts.busy);
            if !safe {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(10) * (repeat + 1)).await;
        }
        None
    }

    /// Places an order; answers with its number.
    pub(crate) async fn place(&mut self, lines: Vec<(usize, u64)>, keyed: bool) -> Option<usize> {
        let json = |(item, quantity): &(usize, u64)| json!({ "item_id": self.load.items[*item], "quantity": quantity });
        let body = json!({ "items": lines.iter().map(json).collect::<Vec<_>>() }).to_string();
        let key = keyed.then(|| self.fresh_key());
        let expires = Instant::now() + self.load.window;
        let answer = self.ask("POST", "/orders", &body, key.as_deref(), keyed).await?;
        match (answer.status, answer.code()) {
            (201, _) => {
                let Ok(id) = answer.text("order_id").parse::<Uuid>() else {
                    self.load.fault("orders without an id", answer.body);
                    return None;
                };
                let lines = lines.into_iter().map(|(item, quantity)| (item as u32, quantity)).collect();
                let mut order = Order { id, lines, fate: Fate::Pending, unsure: false, expires };
                if let Err(contradiction) = order.told(answer.text("status")) {
                    self.load.fault(CONTRADICTION, format!("a new {contradiction}"));
                }
                count(&self.load.counts.orders);
                self.told.orders.push(order);
                let number = self.told.orders.len() - 1;
                if let Some(key) = key {
                    self.keyed.push_back((key, body, number));
                    if self.keyed.len() > RECENT {
                        self.keyed.pop_front();
                    }
                }
                Some(number)
            }
            (409, "insufficient_stock") if answer.text("item_id") == self.load.items[self.load.scarce()] => {
                count(&self.load.counts.refused);
                None
            }
            _ => {
                self.load.fault("orders that are refused", format!("{body}: {} {}", answer.status, answer.body));
                None
            }
        }
    }

    /// Places an order where there is enough, or answers with the refusal.
    pub(crate) async fn place_if_there(&mut self, item: usize, quantity: u64) -> Result<(), String> {
        let body = json!({ "item_id": self.load.items[item], "quantity": quantity }).to_string();
        let expires = Instant::now() + self.load.window;
        let answer = self.ask("POST", "/orders", &body, None, false).await.ok_or("no answer")?;
        let id = answer.text("order_id").parse().map_err(|_| answer.body.to_string())?;
        let lines = [(item as u32, quantity)].into();
        self.told.orders.push(Order { id, lines, fate: Fate::Pending, unsure: false, expires });
        Ok(())
    }

    /// Sends a request for an order again, with its key: it is the same order.
    async fn repeat(&mut self) {
        let Some((key, body, number)) = self.rng.choice(self.keyed.iter()).cloned() else { return };
        let Some(answer) = self.ask("POST", "/orders", &body, Some(&key), true).await else { return };
        let order = &mut self.told.orders[number];
        let same = answer.status == 201 && answer.text("order_id") == order.id.to_string();
        let told = if same { order.told(answer.text("status")) } else { Err(answer.body.to_string()) };
        if let Err(contradiction) = told {
            let what = format!("the repeat of order {}: {} {contradiction}", order.id, answer.status);
            self.load.fault(CONTRADICTION, what);
        }
    }

    async fn show(&mut self, number: usize) {
        let path = format!("/orders/{}", self.told.orders[number].id);
        let Some(answer) = self.ask("GET", &path, "", None, true).await else { return };
        let told = match answer.status {
            200 => self.told.orders[number].told(answer.text("status")),
            status => Err(format!("{path}: {status} {}", answer.body)),
        };
        told.unwrap_or_else(|contradiction| self.load.fault(CONTRADICTION, contradiction));
    }

    pub(crate) async fn pay(&mut self, number: usize) {
        self.decide(number, Fate::Paid, "pay", "order_not_payable").await;
    }

    pub(crate) async fn cancel(&mut self, number: usize) {
        self.decide(number, Fate::Cancelled, "cancel", "order_not_cancellable").await;
    }

    async fn decide(&mut self, number: usize, fate: Fate, verb: &str, code: &str) {
        let path = format!("/orders/{}/{verb}", self.told.orders[number].id);
        let answer = self.ask("POST", &path, "", None, true).await;
        let order = &mut self.told.orders[number];
        let Some(answer) = answer else {
            order.unsure = true;
            return;
        };
        let before = order.fate;
        let told = match answer.status {
            200 => order.decided(fate).and_then(|()| order.told(answer.text("status"))),
            409 if answer.code() == code && answer.text("order_status") != "pending" => {
                order.told(answer.text("order_status"))
            }
            status => Err(format!("{path}: {status} {}", answer.body)),
        };
        let counts = &self.load.counts;
        match (before, order.fate) {
            (Fate::Pending, Fate::Paid) => count(&counts.pays),
            (Fate::Pending, Fate::Cancelled) => count(&counts.cancels),
            (Fate::Pending, Fate::Expired) => count(&counts.expired),
            _ => {}
        }
        told.unwrap_or_else(|contradiction| self.load.fault(CONTRADICTION, contradiction));
    }

    /// What is available of an item.
    pub(crate) async fn show_item(&mut self, item: usize) -> Option<i64> {
        let path = format!("/inventory/{}", self.load.items[item]);
        let answer = self.ask("GET", &path, "", None, true).await?;
        let amount = |name: &str| answer.body[name].as_i64();
        let amounts = amount("on_hand").zip(amount("reserved")).zip(amount("available"));
        match amounts {
            Some(((on_hand, reserved), available)) if answer.status == 200 && on_hand == reserved + available => {
                Some(available)
            }
            _ => {
                self.load.fault("items that do not add up", format!("{path}: {} {}", answer.status, answer.body));
                None
            }
        }
    }

    /// Adjusts the stock of an item; false where that was not done, or it is not known.
    pub(crate) async fn adjust(&mut self, item: usize, delta: i64, keyed: bool) -> bool {
        let path = format!("/inventory/{}/adjustments", self.load.items[item]);
        let key = keyed.then(|| self.fresh_key());
        let body = json!({ "delta": delta, "reason": "soak" }).to_string();
        let Some(answer) = self.ask("POST", &path, &body, key.as_deref(), keyed).await else {
            self.told.unsure.insert(item as u32);
            return false;
        };
        match (answer.status, answer.code()) {
            (200, _) => {
                count(&self.load.counts.adjustments);
                *self.told.adjusted.entry(item as u32).or_default() += delta;
                true
            }
            (409, "insufficient_stock") if item == self.load.scarce() => {
                count(&self.load.counts.refused);
                false
            }
            _ => {
                self.load.fault("adjustments that are refused", format!("{body}: {} {}", answer.status, answer.body));
                false
            }
        }
    }
}

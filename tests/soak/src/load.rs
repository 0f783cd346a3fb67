//! Clients that order, pay, cancel, let orders expire and adjust stock, each over a connection of its own.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;
use harness::observed::Status;
use harness::{Client, Request, TOKEN};
use records::Faults;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::told::{Order, Told};

const MAX_LINES: usize = 3;
const MAX_PER_LINE: u64 = 3;
const MAX_ADJUSTED: i64 = 5;

/// How many are left of the item that is nearly sold out.
const FEW: i64 = 20;

/// Each client asks for one of this number of its latest orders.
const RECENT: usize = 32;

/// How often a request is sent again that the shop was too busy for.
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

/// What a server says.
struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    /// The error's name, where it is one.
    fn code(&self) -> &str {
        self.text("code")
    }

    fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }

    /// Whether the shop had no time for this: it may have been done.
    fn is_busy(&self) -> bool {
        self.status == 503 && self.code() == "busy"
    }
}

/// What all clients share.
pub(crate) struct Load {
    url: String,
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
    pub(crate) fn new(url: String, items: Vec<String>, hot: usize, window: Duration, length: Duration) -> Self {
        let (counts, faults) = (Counts::default(), Mutex::default());
        Self { url, items, hot, window, begun: Instant::now(), length, counts, faults }
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
    /// The requests for the latest orders with idempotency keys, and the number of each order.
    keyed: VecDeque<(Request, usize)>,
}

impl Buyer {
    pub(crate) fn new(load: Arc<Load>, rng: Rng) -> Self {
        // Each has a connection of its own.
        let client = Client::new(&load.url, Some(TOKEN)).expect("a server has a URL");
        Self { load, client, rng, told: Told::default(), keyed: VecDeque::new() }
    }

    /// Sends requests until the time is over.
    pub(crate) fn run(mut self) -> Told {
        while self.load.begun.elapsed() < self.load.length {
            match self.load.phase(self.load.begun.elapsed()) {
                Phase::PayAtOnce => {
                    if let Some(order) = self.place(vec![(0, 1)], false) {
                        self.pay(order);
                    }
                }
                phase => self.anything(phase),
            }
        }
        self.told
    }

    /// Takes one item down to a few when that is its turn, and fills it up again, until the time is over.
    pub(crate) fn run_down(mut self) -> Told {
        let (scarce, mut taken) = (self.load.scarce(), 0_i64);
        while self.load.begun.elapsed() < self.load.length {
            let is_down = self.load.phase(self.load.begun.elapsed()) == Phase::NearlySoldOut;
            if is_down && taken == 0 {
                let available = self.show_item(scarce).unwrap_or(0);
                let delta = FEW - available;
                if delta < 0 && self.adjust(scarce, delta, true) {
                    taken = -delta;
                }
            } else if !is_down && taken > 0 && self.adjust(scarce, taken, true) {
                taken = 0;
            }
            sleep(Duration::from_millis(20));
        }
        if taken > 0 {
            self.adjust(scarce, taken, true);
        }
        self.told
    }

    fn anything(&mut self, phase: Phase) {
        let recent = self.recent();
        match (self.rng.u32(..100), recent) {
            (50..58, Some(order)) => self.pay(order),
            (58..63, Some(order)) => self.cancel(order),
            (63..73, Some(order)) => self.show(order),
            (73..80, _) => self.repeat(),
            (80..88, _) => {
                let item = self.item(phase);
                self.show_item(item);
            }
            (88.., _) => {
                let item = self.rng.usize(..self.load.hot);
                let size = self.rng.i64(1..=MAX_ADJUSTED);
                let (delta, keyed) = (if self.rng.bool() { size } else { -size }, self.rng.bool());
                self.adjust(item, delta, keyed);
            }
            _ => {
                let mut items: Vec<_> = (0..self.rng.usize(1..=MAX_LINES)).map(|_| self.item(phase)).collect();
                items.sort_unstable();
                items.dedup();
                let lines = items.into_iter().map(|item| (item, self.rng.u64(1..=MAX_PER_LINE))).collect();
                let keyed = self.rng.bool();
                if let Some(order) = self.place(lines, keyed) {
                    match self.rng.u32(..100) {
                        ..50 => self.pay(order),
                        50..65 => self.cancel(order),
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
    fn ask(&mut self, request: &Request, safe: bool) -> Option<Answer> {
        for repeat in 0..=REPEATS {
            let answer = match self.client.send(request) {
                Ok(answer) => Answer { status: answer.status, body: answer.value() },
                Err(reason) => {
                    self.load.fault("requests without an answer", format!("{request:?}: {reason}"));
                    return None;
                }
            };
            count(&self.load.counts.answers);
            if answer.status < 500 {
                return Some(answer);
            }
            if !answer.is_busy() {
                self.load.fault("errors of the server", format!("{request:?}: {} {}", answer.status, answer.body));
                return None;
            }
            count(&self.load.counts.busy);
            if !safe {
                return None;
            }
            sleep(Duration::from_millis(10) * (repeat + 1));
        }
        None
    }

    /// Places an order; answers with its number.
    pub(crate) fn place(&mut self, lines: Vec<(usize, u64)>, keyed: bool) -> Option<usize> {
        let named: Vec<_> = lines.iter().map(|(item, quantity)| (&self.load.items[*item], *quantity)).collect();
        let request = Request::place(&named);
        let request = if keyed { request.key(self.fresh_key()) } else { request };
        let expires = Instant::now() + self.load.window;
        let answer = self.ask(&request, keyed)?;
        match (answer.status, answer.code()) {
            (201, _) => {
                let Ok(id) = answer.text("order_id").parse::<Uuid>() else {
                    self.load.fault("orders without an id", answer.body);
                    return None;
                };
                let lines = lines.into_iter().map(|(item, quantity)| (item as u32, quantity)).collect();
                let mut order = Order { id, lines, status: Status::Pending, unsure: false, expires };
                if let Err(contradiction) = order.told(answer.text("status")) {
                    self.load.fault(CONTRADICTION, format!("a new {contradiction}"));
                }
                count(&self.load.counts.orders);
                self.told.orders.push(order);
                let number = self.told.orders.len() - 1;
                if keyed {
                    self.keyed.push_back((request, number));
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
                self.load.fault("orders that are refused", format!("{request:?}: {} {}", answer.status, answer.body));
                None
            }
        }
    }

    /// Places an order where there is enough, or answers with the refusal.
    pub(crate) fn place_if_there(&mut self, item: usize, quantity: u64) -> Result<(), String> {
        let request = Request::place(&[(&self.load.items[item], quantity)]);
        let expires = Instant::now() + self.load.window;
        let answer = self.ask(&request, false).ok_or("no answer")?;
        let id = answer.text("order_id").parse().map_err(|_| answer.body.to_string())?;
        let lines = [(item as u32, quantity)].into();
        self.told.orders.push(Order { id, lines, status: Status::Pending, unsure: false, expires });
        Ok(())
    }

    /// Sends a request for an order again, with its key: it is the same order.
    fn repeat(&mut self) {
        let Some((request, number)) = self.rng.choice(self.keyed.iter()).cloned() else { return };
        let Some(answer) = self.ask(&request, true) else { return };
        let order = &mut self.told.orders[number];
        let same = answer.status == 201 && answer.text("order_id") == order.id.to_string();
        let told = if same { order.told(answer.text("status")) } else { Err(answer.body.to_string()) };
        if let Err(contradiction) = told {
            let what = format!("the repeat of order {}: {} {contradiction}", order.id, answer.status);
            self.load.fault(CONTRADICTION, what);
        }
    }

    fn show(&mut self, number: usize) {
        let request = Request::show_order(&self.told.orders[number].id.to_string());
        let Some(answer) = self.ask(&request, true) else { return };
        let told = match answer.status {
            200 => self.told.orders[number].told(answer.text("status")),
            status => Err(format!("{request:?}: {status} {}", answer.body)),
        };
        told.unwrap_or_else(|contradiction| self.load.fault(CONTRADICTION, contradiction));
    }

    pub(crate) fn pay(&mut self, number: usize) {
        self.decide(number, Status::Paid);
    }

    pub(crate) fn cancel(&mut self, number: usize) {
        self.decide(number, Status::Cancelled);
    }

    /// Pays an order, or cancels it.
    fn decide(&mut self, number: usize, status: Status) {
        let id = self.told.orders[number].id.to_string();
        let (request, code) = match status {
            Status::Paid => (Request::pay(&id), "order_not_payable"),
            _ => (Request::cancel(&id), "order_not_cancellable"),
        };
        let answer = self.ask(&request, true);
        let order = &mut self.told.orders[number];
        let Some(answer) = answer else {
            order.unsure = true;
            return;
        };
        let before = order.status;
        let told = match answer.status {
            200 => order.decided(status).and_then(|()| order.told(answer.text("status"))),
            409 if answer.code() == code && answer.text("order_status") != "pending" => {
                order.told(answer.text("order_status"))
            }
            status => Err(format!("{request:?}: {status} {}", answer.body)),
        };
        let counts = &self.load.counts;
        match (before, order.status) {
            (Status::Pending, Status::Paid) => count(&counts.pays),
            (Status::Pending, Status::Cancelled) => count(&counts.cancels),
            (Status::Pending, Status::Expired) => count(&counts.expired),
            _ => {}
        }
        told.unwrap_or_else(|contradiction| self.load.fault(CONTRADICTION, contradiction));
    }

    /// What is available of an item.
    pub(crate) fn show_item(&mut self, item: usize) -> Option<i64> {
        let request = Request::show_item(&self.load.items[item]);
        let answer = self.ask(&request, true)?;
        let amount = |name: &str| answer.body[name].as_i64();
        let amounts = amount("on_hand").zip(amount("reserved")).zip(amount("available"));
        match amounts {
            Some(((on_hand, reserved), available)) if answer.status == 200 && on_hand == reserved + available => {
                Some(available)
            }
            _ => {
                self.load.fault("items that do not add up", format!("{request:?}: {} {}", answer.status, answer.body));
                None
            }
        }
    }

    /// Adjusts the stock of an item; false where that was not done, or it is not known.
    pub(crate) fn adjust(&mut self, item: usize, delta: i64, keyed: bool) -> bool {
        let path = format!("/inventory/{}/adjustments", self.load.items[item]);
        let request = Request::post(path).operator().json(json!({ "delta": delta, "reason": "soak" }));
        let request = if keyed { request.key(self.fresh_key()) } else { request };
        let Some(answer) = self.ask(&request, keyed) else {
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
                self.load
                    .fault("adjustments that are refused", format!("{request:?}: {} {}", answer.status, answer.body));
                false
            }
        }
    }
}

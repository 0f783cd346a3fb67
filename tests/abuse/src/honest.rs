//! Clients that do what the shop is for: look, order, pay or cancel, and read what they were told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::{Answer, Client, Request};

use crate::shop::HONEST;
use crate::{Figures, Sizes};

/// A client reads what it got before it asks again.
const PAUSE: Duration = Duration::from_millis(10);

/// How often an order is looked for that was acknowledged.
const ATTEMPTS: u32 = 20;

/// An order that was acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: String,
    /// What its client was told last.
    pub(crate) status: String,
    /// Whether a request was not answered that may have changed it.
    unsure: bool,
}

/// What clients saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) orders: Vec<Order>,
    times: Vec<Duration>,
    busy: usize,
    /// Refusals because the store is full, which is the flood's to judge.
    pub(crate) full: usize,
    /// How often something was wrong, by kind, with the first of it.
    faults: BTreeMap<String, (usize, String)>,
}

/// Clients at work.
pub(crate) struct Crowd {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Seen>>,
}

impl Crowd {
    pub(crate) fn start(client: &Client, count: usize) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |number: usize| {
            // Each has a connection of its own.
            let client = Client::new(&client.url(), client.token.as_deref())?;
            let stop = stop.clone();
            Ok(thread::spawn(move || shop(&client, number, &stop)))
        };
        let clients = (0..count).map(start).collect::<Result<_>>()?;
        Ok(Self { stop, clients })
    }

    /// Waits until each has the answer that it waits for.
    pub(crate) fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for client in self.clients {
            all.add(client.join().expect("no client panics"));
        }
        all
    }
}

/// Clients for as long as a burst lasts, without one.
pub(crate) fn alone(client: &Client, sizes: &Sizes) -> Result<Seen> {
    let crowd = Crowd::start(client, sizes.honest)?;
    sleep(sizes.burst);
    Ok(crowd.stop())
}

fn shop(client: &Client, number: usize, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    for turn in number.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        seen.ask(client, &Request::show_item(HONEST));
        let Some(answer) = seen.ask(client, &Request::place(&[(HONEST, 1)])) else { continue };
        let Some(mut order) = Order::acknowledged(&answer) else {
            seen.fault("orders that are refused", &answer.value());
            continue;
        };
        let (request, decided) = match turn % 3 {
            0 => (Some(Request::pay(&order.id)), "paid"),
            1 => (Some(Request::cancel(&order.id)), "cancelled"),
            _ => (None, ""),
        };
        if let Some(request) = request {
            match seen.ask(client, &request) {
                Some(answer) if answer.status == 200 => order.status = decided.to_owned(),
                Some(answer) => seen.fault("payments and cancellations that are refused", &answer.value()),
                None => order.unsure = true,
            }
        }
        if let Some(answer) = seen.ask(client, &Request::show_order(&order.id))
            && let Some(wrong) = order.differs(&answer)
        {
            seen.fault("orders that are not as they were told", &wrong);
        }
        seen.orders.push(order);
    }
    seen
}

impl Order {
    /// The one that this answer is about.
    pub(crate) fn acknowledged(answer: &Answer) -> Option<Self> {
        let body = answer.value();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        (answer.status == 201).then_some(())?;
        Some(Self { id: text("order_id")?, status: text("status")?, unsure: false })
    }

    fn differs(&self, answer: &Answer) -> Option<String> {
        let told = answer.value()["status"].as_str().map(str::to_owned);
        let is_same = answer.status == 200 && (self.unsure || told.as_deref() == Some(&self.status));
        (!is_same).then(|| format!("{} was {}, and is {} {told:?}", self.id, self.status, answer.status))
    }

    /// How it is not as it was told to be, after a while.
    pub(crate) fn lost(&self, client: &Client) -> Option<String> {
        let mut answer = client.send(&Request::show_order(&self.id));
        for attempt in 0..ATTEMPTS {
            if answer.as_ref().is_ok_and(|answer| answer.status != 503) {
                break;
            }
            sleep(PAUSE * attempt);
            answer = client.send(&Request::show_order(&self.id));
        }
        match answer {
            // What came to nothing may be removed after a while.
            Ok(answer) if answer.status == 404 && self.status == "cancelled" => None,
            Ok(answer) => self.differs(&answer),
            Err(error) => Some(format!("{} is not shown: {error}", self.id)),
        }
    }
}

impl Seen {
    /// The answer, where it is neither missing nor an error of the server.
    fn ask(&mut self, client: &Client, request: &Request) -> Option<Answer> {
        sleep(PAUSE);
        let begun = Instant::now();
        let answer = client.send(request);
        self.times.push(begun.elapsed());
        match answer {
            Ok(answer) if answer.status < 500 => Some(answer),
            Ok(answer) => {
                let body = answer.value();
                match body["code"].as_str() {
                    Some("busy") if answer.status == 503 => self.busy += 1,
                    Some("store_unavailable" | "store_full") if [503, 507].contains(&answer.status) => self.full += 1,
                    _ => self.fault("errors of the server", &format!("{request:?}: {} {body}", answer.status)),
                }
                None
            }
            Err(error) => {
                self.fault("requests without an answer", &format!("{request:?}: {error}"));
                None
            }
        }
    }

    fn fault(&mut self, kind: &str, example: &impl ToString) {
        let (count, _) = self.faults.entry(kind.to_owned()).or_insert_with(|| (0, example.to_string()));
        *count += 1;
    }

    /// What was wrong, a line for each kind.
    pub(crate) fn faults(&self) -> impl Iterator<Item = String> {
        self.faults.iter().map(|(kind, (count, example))| format!("{kind}: {count}, such as {example}"))
    }

    fn add(&mut self, other: Self) {
        self.orders.extend(other.orders);
        self.times.extend(other.times);
        self.busy += other.busy;
        self.full += other.full;
        for (kind, (count, example)) in other.faults {
            self.faults.entry(kind).or_insert((0, example)).0 += count;
        }
    }

    pub(crate) fn figures(mut self, elapsed: Duration) -> Figures {
        self.times.sort_unstable();
        let share = |hundredths: usize| {
            let place = self.times.len().saturating_sub(1) * hundredths / 100;
            self.times.get(place).copied().unwrap_or_default()
        };
        Figures {
            answers: self.times.len(),
            busy: self.busy,
            per_second: self.times.len() as f64 / elapsed.as_secs_f64(),
            p50: share(50),
            p99: share(99),
            longest: share(100),
        }
    }
}

/// Places, pays and shows an order.
pub(crate) fn a_whole_order(client: &Client) -> Result<()> {
    let ask = |request: &Request| client.send(request).with_context(|| format!("{request:?}"));
    let placed = ask(&Request::place(&[(HONEST, 1)]))?;
    let order = Order::acknowledged(&placed).with_context(|| format!("{} {}", placed.status, placed.value()))?;
    for request in [Request::pay(&order.id), Request::show_order(&order.id)] {
        let answer = ask(&request)?;
        let body = answer.value();
        ensure!(answer.status == 200 && body["status"] == "paid", "{request:?}: {} {body}", answer.status);
    }
    Ok(())
}

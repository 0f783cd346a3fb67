//! A soak: for minutes, many clients order, pay, cancel, let orders expire and adjust stock, mostly on a few hot items
//! among many cold ones. Meanwhile and afterwards it is watched that dead holds do not pile up, that no answer
//! contradicts another, that no record is left that no other names, and that the shop does not slow down.

#![deny(missing_docs)]

pub mod audit;
mod load;
mod store;
pub mod told;
pub mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fastrand::Rng;
use harness::Target;
use harness::observed::Status;
use harness::process::{Process, Program, Settings};
use records::Faults;

use crate::load::{Buyer, Load};
pub use crate::store::Journal;
use crate::store::{PLENTY, Store};
use crate::told::Told;
use crate::watch::{Bound, Holds, SPARE_HOLDS};

/// So often the holds of hot items are looked at.
const SAMPLE: Duration = Duration::from_millis(250);

/// So often a line is said.
const LINE: Duration = Duration::from_secs(5);

/// What is compared: the speed of the first so long and of the last.
const MINUTE: Duration = Duration::from_secs(60);

/// The last minute has to be as fast as this much of the first.
const MIN_SPEED: f64 = 0.9;

/// Clients that have not ended so long after the time was over never will.
const TIMEOUT: Duration = Duration::from_secs(180);

/// After the load, an item that no request changes any more keeps what it has. From then on each change of it decides
/// 16 late orders: a request for each 16 of its holds, and these few more, have to clear it.
const CLEARED_A_REQUEST: usize = 16;
const A_FEW: usize = 3;

/// The most that are sent to find out how many it takes.
const MAX_REQUESTS: u32 = 2000;

/// The most units of an item in an order.
const MAX_PER_LINE: u64 = 1_000_000;

/// The targets, one for each kind of store: Spin's key-value store, its SQLite database, and a Redis.
pub const TARGETS: [Target; 3] = [Target::Local, Target::FermyonCloud, Target::SpinKube];

/// One soak.
pub struct Options {
    /// What serves.
    pub program: Program,
    /// What is served.
    pub target: Target,
    /// How SQLite files make sure of their commits.
    pub journal: Journal,
    /// How long the load lasts.
    pub length: Duration,
    /// How many clients there are, each over a connection of its own.
    pub connections: usize,
    /// How many items nearly all orders are for.
    pub hot: usize,
    /// How many more items there are.
    pub cold: usize,
    /// The payment window, in seconds.
    pub window: u64,
    /// Which requests are made.
    pub seed: u64,
}

/// Whether one rule was kept.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The rule.
    pub rule: &'static str,
    /// How it is broken, where it is.
    pub broken: Option<String>,
    /// What was measured.
    pub figures: String,
}

impl Verdict {
    fn of(rule: &'static str, faults: &Faults, figures: String) -> Self {
        Self { rule, broken: (!faults.is_empty()).then(|| faults.to_string()), figures }
    }
}

/// The rule of [`Verdict`] that depends on what else the machine does.
pub const SPEED: &str = "speed of the last minute >= 0.9 of the first";

/// Fills a store, puts load on a server, and says how it goes now and then; answers with a verdict a rule.
/// A rule that is broken is no error.
pub fn run(options: Options, mut say: impl FnMut(String)) -> Result<Vec<Verdict>> {
    let Options { program, target, journal, length, connections, hot, cold, window, seed } = options;
    ensure!(hot > 0 && connections > 0, "there is nothing to soak");
    let items: Vec<_> = (0..hot).map(|item| format!("hot-{item}")).collect();
    let items: Vec<_> = items.into_iter().chain((0..cold).map(|item| format!("cold-{item:05}"))).collect();
    let begun = Instant::now();
    let store = Store::fill(target, journal, &items)?;
    say(format!("{} items are there after {:.1?}", items.len(), begun.elapsed()));
    let settings = Settings {
        manifest: &target.manifest(),
        state: store.state(),
        payment_window: window,
        variables: store
            .redis
            .iter()
            .map(|redis| ("redis_host", redis.address()))
            .chain([harness::patient()])
            .collect(),
        cache: None,
    };
    let server = Process::start(&program, &settings)?;

    let window = Duration::from_secs(window);
    let load = Arc::new(Load::new(server.client().url(), items, hot, window, length));
    let mut rng = Rng::with_seed(seed);
    let (mut told, watched) = under_load(&load, &store, connections, &mut rng, &mut say)?;

    // Now all that is not paid is dead.
    sleep(window + Duration::from_millis(500));
    let mut buyer = Buyer::new(load.clone(), rng);
    let mut aftermath = Faults::default();
    let mut figures = Vec::new();
    for item in 0..hot {
        let took = clear_away(&store, &told, &mut buyer, item, &mut aftermath)?;
        figures.push(format!("{}: {took}", load.items[item]));
    }
    told.add(buyer.told);

    let books = audit::read(&store.location)?;
    let mut contradictions = load.faults();
    contradictions.extend(audit::contradictions(&books, &told, &load.items));
    let counts = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let of = &load.counts;
    let mut verdicts = vec![
        watched.holds(&load.items),
        Verdict::of(
            "no 5xx but busy, and no answer that contradicts another",
            &contradictions,
            format!(
                "{} answers: {} orders, {} paid, {} cancelled, {} told expired, {} adjustments, {} refused, {} busy",
                counts(&of.answers),
                counts(&of.orders),
                counts(&of.pays),
                counts(&of.cancels),
                counts(&of.expired),
                counts(&of.adjustments),
                counts(&of.refused),
                counts(&of.busy)
            ),
        ),
        Verdict::of(
            "no record that no other names",
            &books.unnamed(),
            format!("{} orders, {} listed that were withdrawn", books.orders().len(), books.withdrawn()),
        ),
        Verdict::of(
            "the books are what was acknowledged",
            &audit::imbalances(&books, &told, &load.items),
            String::new(),
        ),
        Verdict::of(
            "a few requests clear away what is dead, and all stock can be sold",
            &aftermath,
            figures.join("; "),
        ),
    ];
    verdicts.extend(watched.speed(length));
    Ok(verdicts)
}

/// What was seen while the load lasted.
struct Watched {
    bounds: Vec<Bound>,
    /// How many answers there were, and when.
    answers: Vec<(Duration, u64)>,
}

/// Lets the clients loose, and watches until the last of them has ended.
fn under_load(
    load: &Arc<Load>,
    store: &Store,
    connections: usize,
    rng: &mut Rng,
    say: &mut impl FnMut(String),
) -> Result<(Told, Watched)> {
    let buyer = |rng: &mut Rng| Buyer::new(load.clone(), rng.fork());
    let runs_down = buyer(rng);
    let mut buyers = vec![thread::spawn(|| runs_down.run_down())];
    for buyer in (0..connections).map(|_| buyer(rng)).collect::<Vec<_>>() {
        buyers.push(thread::spawn(|| buyer.run()));
    }
    let mut watched =
        Watched { bounds: (0..load.hot).map(|_| Bound::default()).collect(), answers: vec![(Duration::ZERO, 0)] };
    let counts = || {
        let of = &load.counts;
        [&of.answers, &of.orders, &of.pays].map(|counter| counter.load(Ordering::Relaxed))
    };
    let mut last = (Duration::ZERO, counts());
    while buyers.iter().any(|buyer| !buyer.is_finished()) {
        let elapsed = load.begun.elapsed();
        ensure!(elapsed < load.length + TIMEOUT, "clients have not ended {} s after the end", TIMEOUT.as_secs());
        let mut worst = (String::new(), Holds::default());
        for (item, bound) in load.items.iter().zip(&mut watched.bounds) {
            let holds = Holds::read(&store.location, item)?;
            bound.sample(Instant::now(), holds);
            if worst.0.is_empty() || holds.excess() > worst.1.excess() {
                worst = (item.clone(), holds);
            }
        }
        let now = counts();
        if elapsed <= load.length {
            watched.answers.push((elapsed, now[0]));
        }
        if elapsed >= last.0 + LINE {
            let seconds = (elapsed - last.0).as_secs_f64();
            let [answers, orders, pays] = [0, 1, 2].map(|which| (now[which] - last.1[which]) as f64 / seconds);
            let (item, Holds { all, pending, .. }) = worst;
            say(format!(
                "{:>4.0} s {:15} {answers:>6.0} answers/s {orders:>6.0} orders/s {pays:>6.0} pays/s   {item}: {all:>6} \
                 holds, {pending:>5} pending   {} busy",
                elapsed.as_secs_f64(),
                load.phase(last.0).name(),
                load.counts.busy.load(Ordering::Relaxed),
            ));
            last = (elapsed, now);
        }
        sleep(SAMPLE);
    }
    let mut told = Told::default();
    for buyer in buyers {
        told.add(buyer.join().expect("no client panics"));
    }
    Ok((told, watched))
}

impl Watched {
    fn holds(&self, items: &[String]) -> Verdict {
        let mut faults = Faults::default();
        let mut figures = Vec::new();
        for (item, bound) in items.iter().zip(&self.bounds) {
            let Holds { all, pending, .. } = bound.most;
            figures.push(format!("{item}: at most {all} with {pending} pending"));
            if let Some(Holds { all, pending, .. }) = bound.broken {
                faults.add("items with dead holds", format!("{item}: {all} holds, {pending} pending"));
            }
        }
        Verdict::of("holds <= 2 x pending + 16, within a second", &faults, figures.join("; "))
    }

    /// The speed at the end against that at the beginning, where the two do not overlap.
    fn speed(&self, length: Duration) -> Option<Verdict> {
        if length < 2 * MINUTE {
            return None;
        }
        let at = |moment: Duration| {
            let (after, count) = self.answers.iter().rev().find(|(elapsed, _)| *elapsed <= moment)?;
            Some((after.as_secs_f64(), *count as f64))
        };
        let rate = |from: Duration, to: Duration| {
            let ((from, before), (to, after)) = (at(from)?, at(to)?);
            Some((after - before) / (to - from))
        };
        let first = rate(Duration::ZERO, MINUTE)?;
        let last = rate(length - MINUTE, length)?;
        let ratio = last / first;
        let figures = format!("{first:.0} answers/s in the first minute, {last:.0} in the last: {ratio:.2}");
        Some(Verdict { rule: SPEED, broken: (ratio < MIN_SPEED).then(|| figures.clone()), figures })
    }
}

/// Sends a few ordinary requests for a hot item, and then orders all of it that is not sold. Answers how many requests
/// it took until the dead holds were gone.
fn clear_away(store: &Store, told: &Told, buyer: &mut Buyer, item: usize, faults: &mut Faults) -> Result<String> {
    let id = format!("hot-{item}");
    let adjust = |buyer: &mut Buyer, number: u32| {
        let delta = if number.is_multiple_of(2) { 1 } else { -1 };
        buyer.adjust(item, delta, false);
    };
    let requests = u32::try_from(Holds::read(&store.location, &id)?.all / CLEARED_A_REQUEST + A_FEW)?;
    (0..requests).for_each(|number| adjust(buyer, number));
    let left = Holds::read(&store.location, &id)?.all;
    if left > SPARE_HOLDS {
        faults.add("items with dead holds", format!("{id}: {left} holds after {requests} requests"));
    }

    let number = u32::try_from(item)?;
    let adjusted = [told, &buyer.told].map(|told| told.adjusted.get(&number).copied().unwrap_or(0));
    let sold = told.paid().get(&number).copied().unwrap_or(0);
    let unsold = PLENTY.saturating_add_signed(adjusted.iter().sum()).saturating_sub(sold);
    let mut rest = unsold;
    let unsure = told.unsure.contains(&number) || told.orders.iter().any(|order| order.unsure);
    while rest > 0 && !unsure {
        let quantity = rest.min(MAX_PER_LINE);
        match buyer.place_if_there(item, quantity) {
            Ok(()) => {
                rest -= quantity;
                // One order takes all of the rest: then all that is there is in orders.
                if rest == 0 && buyer.place_if_there(item, 1).is_ok() {
                    faults.add(
                        "items of which more can be ordered than there is",
                        format!("{id}: {unsold} and one more"),
                    );
                }
            }
            Err(answer) => {
                let refused = format!("{id}: of the last {rest} of {unsold} {quantity} are refused: {answer}");
                faults.add("items that cannot be sold out", refused);
                break;
            }
        }
    }
    for order in 0..buyer.told.orders.len() {
        if buyer.told.orders[order].status == Status::Pending {
            buyer.cancel(order);
        }
    }

    let figures = format!("{left} holds left after {requests} requests");
    if left <= SPARE_HOLDS {
        return Ok(figures);
    }
    // Orders that were short of stock meanwhile have settled some of them, too.
    for number in 0..MAX_REQUESTS {
        if Holds::read(&store.location, &id)?.all <= SPARE_HOLDS {
            return Ok(format!("{figures}, few after all was ordered and {number} requests more"));
        }
        adjust(buyer, number);
    }
    Ok(format!("{figures}, too many after {MAX_REQUESTS} more"))
}

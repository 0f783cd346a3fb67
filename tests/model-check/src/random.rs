//! Larger runs, drawn at random: a seed stands for the requests, the faults and the order of every step.
//!
//! Half of the runs are scheduled by priorities that change at a few random moments (probabilistic concurrency testing,
//! Burckhardt et al. 2010): a fault that needs few steps in a particular order is found with a probability that does
//! not shrink with the number of steps, as it does for a random walk. The others are random walks.

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;

use domain::after_sale::Destination;

use crate::invariants::{Violation, check, close};
use crate::request::{Level, Name, Request, Rules};
use crate::store::Turn;
use crate::world::{Case, Faults, Step, World};

const ITEMS: [Name; 4] = ["a", "b", "c", "d"];
const KEYS: [Name; 2] = ["k", "l"];

/// About as many steps as a request takes.
const STEPS_A_REQUEST: usize = 12;

/// How a run went.
#[derive(Debug)]
pub struct Run {
    /// Steps taken.
    pub steps: usize,
    /// What tells the end of this run from that of another.
    pub end: u128,
    /// What happened, a line an event, where it was to be written down.
    pub log: Vec<String>,
    pub violation: Option<Violation>,
}

/// Runs what a seed stands for.
pub fn run(seed: u64) -> Run {
    run_in(seed, World::new)
}

/// Runs what a seed stands for once more, and writes down what happens.
pub fn replay(seed: u64) -> Run {
    run_in(seed, World::logged)
}

fn run_in(seed: u64, begin: impl FnOnce(&Case) -> World) -> Run {
    let mut random = Rng::with_seed(seed);
    let case = case(&mut random);
    let mut world = begin(&case);
    let mut scheduler = Scheduler::new(&mut random, case.requests.len());
    let mut steps = 0;
    let violation = loop {
        let before = world.events();
        let Some(step) = scheduler.next(&world, steps) else {
            if world.faults().failovers > 0 {
                world.take(Step::FailOver);
                steps += 1;
                if let Err(violation) = check(&case, &world) {
                    break Some(violation);
                }
            }
            break close(&case, &mut world).err();
        };
        world.take(step);
        steps += 1;
        // What was not written and not said breaks nothing.
        if world.events() != before
            && let Err(violation) = check(&case, &world)
        {
            break Some(violation);
        }
    };
    Run { steps, end: world.fingerprint(), log: world.log(), violation }
}

fn case(random: &mut Rng) -> Case {
    // Few items more often than many: it is those who want the same that get in each other's way.
    let items = &ITEMS[..random.usize(1..=ITEMS.len()).min(random.usize(1..=ITEMS.len()))];
    let stock = items.iter().map(|item| (*item, random.u64(0..=4))).collect();
    let carts = KEYS.map(|_| cart(random, items));
    // In some worlds closed orders are removed at once.
    let closed_orders_kept = (random.u8(..4) == 0).then_some(Duration::ZERO);
    let count = random.usize(3..=8);
    let places = random.usize(1..count);
    let requests = (0..count)
        .map(|number| {
            if number < places {
                place(random, items, &carts)
            } else if closed_orders_kept.is_some() && random.u8(..3) == 0 {
                Request::Sweep
            } else {
                follow(random, items, places)
            }
        })
        .collect();
    let level = if random.u8(..4) == 0 { Level::KeyValue } else { Level::Domain };
    let rules = Rules { claims: if random.bool() { 1 } else { 10_000 }, closed_orders_kept, ..Rules::of(level) };
    let faults = Faults {
        crashes: random.usize(0..=2),
        errors: random.usize(0..=2),
        expiries: random.usize(0..=2),
        // Only the domain's own store has a replica.
        failovers: usize::from(level == Level::Domain && random.u8(..4) == 0),
        ..Faults::default()
    };
    let behind = (0..count).filter(|_| random.u8(..4) == 0).collect();
    let together = (0..count).filter(|_| random.bool()).collect();
    let together = if random.bool() { together } else { Vec::new() };
    let cold = random.u8(..4) == 0;
    let case = Case {
        rules,
        stock,
        requests,
        together,
        cold,
        behind,
        before: Vec::new(),
        before_pays: false,
        before_limits: false,
        faults,
    };
    if random.u8(..3) == 0 { at_provider(random, case, items) } else { case }
}

/// A case in which buyers pay at a provider: with fewer orders, of which more is asked.
fn at_provider(random: &mut Rng, case: Case, items: &[Name]) -> Case {
    let places = random.usize(1..=2);
    let carts = KEYS.map(|_| cart(random, items));
    let mut requests: Vec<_> = (0..places).map(|_| place(random, items, &carts)).collect();
    for _ in 0..random.usize(3..=6) {
        requests.push(match random.u8(..11) {
            8 => Request::Abandon(random.usize(..places)),
            9 => Request::Retry(random.usize(..places)),
            10 => Request::RefundNotice(random.usize(..places), random.usize(..2)),
            0..3 => Request::Pay(random.usize(..places)),
            3 => Request::Cancel(random.usize(..places)),
            4..6 => Request::Notice(random.usize(..places), random.usize(..2)),
            6 => Request::Sweep,
            _ => Request::Place(cart(random, items), None),
        });
    }
    // Mostly the orders are there.
    let before = (0..places).filter(|_| random.u8(..4) > 0).map(|number| (number, usize::MAX)).collect();
    let stock = case.stock.iter().map(|(item, _)| (*item, random.u64(1..=4))).collect();
    let is_one = |number: &usize| *number < requests.len();
    let together = case.together.into_iter().filter(is_one).collect();
    let behind = case.behind.into_iter().filter(is_one).collect();
    let rules = Rules { provider: true, ..case.rules };
    let faults = Faults {
        closes: random.usize(0..=2),
        slow: random.usize(0..=2),
        forgets: random.usize(0..=2),
        refusals: random.usize(0..=1),
        // A provider that lies is rarer than one that keeps its word.
        charges_all_the_same: usize::from(random.u8(..4) == 0),
        wrong_charges: usize::from(random.u8(..16) == 0),
        losses: usize::from(random.u8(..16) == 0),
        refund_failures: usize::from(random.u8(..4) == 0),
        ..case.faults
    };
    Case { rules, stock, requests, together, behind, before, faults, ..case }
}

/// A request that places an order, under a key or not.
fn place(random: &mut Rng, items: &[Name], carts: &[Cart; 2]) -> Request {
    if random.bool() {
        return Request::Place(cart(random, items), None);
    }
    let which = random.usize(..KEYS.len());
    let mut lines = carts[which].clone();
    // Now and then a key is used for something else: for more of an item.
    if random.u8(..16) == 0 {
        lines.push(lines[0]);
    }
    Request::Place(lines, Some(KEYS[which]))
}

/// A request that has to do with one of the first `places`, or with an item.
fn follow(random: &mut Rng, items: &[Name], places: usize) -> Request {
    let of = random.usize(..places);
    let item = items[random.usize(..items.len())];
    match random.u8(..20) {
        0..5 => Request::Pay(of),
        5..9 => Request::Cancel(of),
        9..12 => Request::Adjust(item, [-2, -1, 1, 2][random.usize(..4)], None),
        // One delta a key.
        12..14 => Request::Adjust(items[0], 1, Some("adjustment")),
        14 => Request::Show(of),
        15 => Request::Look(item),
        // What one key stands for is mostly one return.
        16..18 => Request::TakeBack(of, vec![(items[0], 1)], KEYS[0], Destination::Stock),
        18 => {
            let to = if random.bool() { Destination::Stock } else { Destination::WrittenOff };
            Request::TakeBack(of, vec![(item, random.u64(1..=2))], KEYS[random.usize(..KEYS.len())], to)
        }
        _ if random.bool() => Request::Returns(of),
        _ => Request::Send(of, KEYS[random.usize(..KEYS.len())], random.bool()),
    }
}

type Cart = Vec<(Name, u64)>;

fn cart(random: &mut Rng, items: &[Name]) -> Cart {
    let lines = random.usize(1..=items.len().min(3));
    random.choose_multiple(items.iter().copied(), lines).into_iter().map(|item| (item, random.u64(1..=2))).collect()
}

/// Decides whose step is next.
struct Scheduler {
    random: Rng,
    /// The request with the highest goes on; none for a random walk.
    priorities: Option<Vec<u64>>,
    /// The steps before which the request with the highest priority gets the lowest.
    changes: Vec<usize>,
    lowest: u64,
}

impl Scheduler {
    fn new(random: &mut Rng, requests: usize) -> Self {
        let walk = random.bool();
        let priorities = (0..requests).map(|_| random.u64(1 << 32..)).collect();
        let changes = (0..random.usize(0..=6)).map(|_| random.usize(..requests * STEPS_A_REQUEST)).collect();
        Self { random: random.fork(), priorities: (!walk).then_some(priorities), changes, lowest: 1 << 32 }
    }

    fn next(&mut self, world: &World, at: usize) -> Option<Step> {
        let running: Vec<_> = world.running().collect();
        let outside = world.outside_steps();
        // Buyers are slower than requests.
        let of_eight = if running.is_empty() { 6 } else { 2 };
        if !outside.is_empty() && self.random.u8(..8) < of_eight {
            return self.random.choice(outside);
        }
        let number = self.choose(&running, at)?;
        let faults = world.faults();
        let rarely = |random: &mut Rng, left: usize| left > 0 && random.u8(..32) == 0;
        if rarely(&mut self.random, faults.expiries) {
            return Some(Step::Expire);
        }
        if rarely(&mut self.random, faults.failovers) {
            return Some(Step::FailOver);
        }
        if rarely(&mut self.random, faults.crashes) {
            return Some(Step::Crash(number));
        }
        let errors = world.errors(number);
        if !errors.is_empty() && self.random.u8(..24) == 0 {
            return Some(Step::Call(number, errors[self.random.usize(..errors.len())]));
        }
        Some(Step::Call(number, Turn::Made))
    }

    fn choose(&mut self, running: &[usize], at: usize) -> Option<usize> {
        let Some(priorities) = &mut self.priorities else { return self.random.choice(running.iter().copied()) };
        let highest = |priorities: &[u64]| running.iter().copied().max_by_key(|number| priorities[*number]);
        if self.changes.contains(&at)
            && let Some(number) = highest(priorities)
        {
            self.lowest -= 1;
            priorities[number] = self.lowest;
        }
        highest(priorities)
    }
}

/// Runs all these seeds on all cores, or until one has led to a violation. Shows each run to `done`.
pub fn first_violation(seeds: std::ops::Range<u64>, done: impl Fn(&Run) + Sync) -> Option<u64> {
    let next = AtomicU64::new(seeds.start);
    let found = AtomicU64::new(u64::MAX);
    let work = || {
        while found.load(Ordering::Relaxed) == u64::MAX {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let run = run(seed);
            done(&run);
            if run.violation.is_some() {
                found.fetch_min(seed, Ordering::Relaxed);
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    Some(found.into_inner()).filter(|seed| *seed != u64::MAX)
}

/// The command that runs a seed again.
pub fn command(seed: u64) -> String {
    format!("cargo run -p model-check -- replay {seed}")
}

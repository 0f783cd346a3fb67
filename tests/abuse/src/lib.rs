//! Bounded bursts of what no honest client does: readers that read nothing, orders that are taken back before they are
//! done, orders that are cancelled until a store is full, connections that say nothing. Meanwhile honest clients order
//! and read. It is measured what these get, and how much memory the server takes: before, at most, and a while later.
//!
//! Rules that do not depend on how fast the machine is are for tests. How long honest clients wait, and whether the
//! memory comes back, only the long form judges.

#![deny(missing_docs)]

mod attack;
mod honest;
mod memory;
mod shop;

use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use harness::Client;

use crate::attack::Held;
use crate::honest::{Crowd, Seen};
use crate::memory::Watch;
pub use crate::shop::{Place, Shop};

/// The longest time in which honest clients are to be answered, but for one in a hundred of their requests.
const SOON: Duration = Duration::from_secs(2);

/// As much of the memory at the beginning may a server have in the end, in hundredths.
const BACK_IN_PERCENT: u64 = 120;

/// The most lines of the server's log that are shown.
const EXAMPLES: usize = 3;

/// What is done to a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Burst {
    /// Files are asked for, over HTTP/2 and HTTP/1.1, and not taken
    Readers,
    /// Orders are sent over HTTP/2 and taken back at once
    Resets,
    /// Orders of many lines are placed and cancelled until a small Redis is full
    Flood,
    /// Connections are opened on which nothing, or half of a head, is sent
    Idle,
}

impl Burst {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Readers, Self::Resets, Self::Flood, Self::Idle];

    /// As it is called in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Readers => "readers",
            Self::Resets => "resets",
            Self::Flood => "flood",
            Self::Idle => "idle",
        }
    }
}

/// How much of it.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// The honest clients, each with a connection of its own.
    pub honest: usize,
    /// How long a burst lasts. What is held is held longer, until the memory was looked at in the end.
    pub burst: Duration,
    /// How long after the burst the memory is looked at again.
    pub after: Duration,
    /// Files that are asked for over one connection of HTTP/2.
    pub streams: usize,
    /// Connections of HTTP/1.1 that ask for a file and do not read.
    pub readers: usize,
    /// Orders that are sent and taken back in a second.
    pub resets: u32,
    /// The most orders of the flood.
    pub orders: usize,
    /// Lines of each of them.
    pub lines: usize,
    /// How much room the Redis of the flood has besides what is in it, in kB.
    pub room: i64,
    /// Connections on which nothing is sent, and as many with half of a head.
    pub connections: usize,
}

impl Sizes {
    /// What is meant to hurt.
    pub fn long() -> Self {
        Self {
            honest: 8,
            burst: Duration::from_secs(8),
            after: Duration::from_secs(60),
            streams: 200,
            readers: 100,
            resets: 5000,
            orders: 20_000,
            lines: 50,
            room: 4000,
            connections: 400,
        }
    }

    /// What a test has time for.
    pub fn short() -> Self {
        Self {
            honest: 4,
            burst: Duration::from_secs(1),
            after: Duration::from_secs(1),
            streams: 50,
            readers: 20,
            resets: 300,
            orders: 3000,
            lines: 50,
            room: 200,
            connections: 50,
        }
    }
}

/// What came of a burst.
#[derive(Debug)]
pub struct Report {
    /// Which.
    pub burst: Burst,
    /// What was done, and what came of it.
    pub done: Vec<String>,
    /// What honest clients got before it, and while it lasted.
    pub before: Figures,
    /// See there.
    pub meanwhile: Figures,
    /// Bytes of memory: before, at most, at the end of the burst, and a while after it. None of a server whose process
    /// is not known.
    pub memory: Option<[u64; 4]>,
    /// How rules are broken, whatever the machine.
    pub broken: Vec<String>,
    /// How rules are broken that a slow machine breaks, too.
    pub slow: Vec<String>,
}

/// What honest clients got.
#[derive(Debug, Default)]
pub struct Figures {
    /// Answers in all.
    pub answers: usize,
    /// Those that were 503 `busy`.
    pub busy: usize,
    /// Answers of all in a second.
    pub per_second: f64,
    /// Half of them came within.
    pub p50: Duration,
    /// All but a hundredth of them came within.
    pub p99: Duration,
    /// The last came after.
    pub longest: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answers, busy, per_second, p50, p99, longest } = self;
        let [p50, p99, longest] = [p50, p99, longest].map(|time| time.as_secs_f64() * 1000.0);
        write!(f, "{answers:>6} {busy:>5} {per_second:>6.0} {p50:>7.1} {p99:>8.1} {longest:>8.1}")
    }
}

/// The head of the lines that reports are printed in.
pub const HEAD: &str =
    "burst     clients       answers  busy     /s  p50 ms   p99 ms  longest   MB before   most  end  after";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.burst.name();
        writeln!(f, "{name:9} {:12} {}", "before", self.before)?;
        write!(f, "{name:9} {:12} {}", "meanwhile", self.meanwhile)?;
        if let Some(memory) = self.memory {
            let [before, most, end, after] = memory.map(|bytes| bytes >> 20);
            write!(f, "   {before:>9} {most:>6} {end:>4} {after:>6}")?;
        }
        self.done.iter().try_for_each(|done| write!(f, "\n          {done}"))?;
        self.broken.iter().try_for_each(|broken| write!(f, "\n          BROKEN: {broken}"))?;
        self.slow.iter().try_for_each(|slow| write!(f, "\n          TOO SLOW, OR TOO LARGE: {slow}"))
    }
}

/// Does this to the shop, and says what came of it. A rule that is broken is no error.
pub fn run(burst: Burst, sizes: &Sizes, place: &Place) -> Result<Report> {
    let shop = Shop::open(place, burst)?;
    let client = shop.client().clone();
    shop::stock(&client, sizes)?;
    // Honest clients alone: they also bring the server to what it takes without a burst.
    let before = honest::alone(&client, sizes)?;
    let watch = Watch::start(shop.process());
    let crowd = Crowd::start(&client, sizes.honest)?;
    let begun = Instant::now();
    let Held { mut done, mut keeper } = attack::run(burst, sizes, &client, &shop)?;
    sleep(sizes.burst.saturating_sub(begun.elapsed()));
    let elapsed = begun.elapsed();
    let end = watch.now();
    let meanwhile = crowd.stop();
    if burst == Burst::Idle {
        // What is open takes memory, and may. What the other bursts hold, a server has to give up by itself.
        done.extend(keeper.take().map(|keeper| keeper.end()).transpose()?.into_iter().flatten());
    }
    sleep(sizes.after);
    let after = watch.now();
    let most = watch.stop();
    done.extend(keeper.map(|keeper| keeper.end()).transpose()?.into_iter().flatten());

    let mut broken = Vec::new();
    let mut slow = Vec::new();
    broken.extend(meanwhile.faults().chain(before.faults()));
    if burst == Burst::Flood {
        let (found, faults) = attack::full_store(&client, &shop, &meanwhile)?;
        done.extend(found);
        broken.extend(faults);
    } else {
        let full = before.full + meanwhile.full;
        broken.extend((full > 0).then(|| format!("{full} requests are told that the store cannot be reached")));
        broken.extend(lost(&client, &[&before, &meanwhile]));
        broken.extend(still_answers(&client).err().map(|error| format!("afterwards: {error:#}")));
    }
    done.extend(shop.said().into_iter().take(EXAMPLES).map(|line| format!("the server says: {line}")));
    let memory = watch_of(&most).map(|(before, most)| [before, most, end.unwrap_or(0), after.unwrap_or(0)]);
    if let Some([before, most, _, after]) = memory
        && after > before * BACK_IN_PERCENT / 100
    {
        let [before, most, after] = [before, most, after].map(|bytes| bytes >> 20);
        slow.push(format!("memory is at {after} MB after {:?}, {most} at most, {before} before", sizes.after));
    }
    let (before, meanwhile) = (before.figures(sizes.burst), meanwhile.figures(elapsed));
    if meanwhile.p99 > SOON {
        slow.push(format!("one in a hundred honest requests takes {:.1?} and longer", meanwhile.p99));
    }
    Ok(Report { burst, done, before, meanwhile, memory, broken, slow })
}

/// The memory before the burst, and the most.
fn watch_of(seen: &[u64]) -> Option<(u64, u64)> {
    Some((*seen.first()?, seen.iter().copied().max()?))
}

/// Acknowledged orders that are not there any more, or not as they were told to be.
fn lost(client: &Client, seen: &[&Seen]) -> Vec<String> {
    seen.iter().flat_map(|seen| seen.orders.iter()).filter_map(|order| order.lost(client)).collect()
}

/// One more order, from its beginning to its end.
fn still_answers(client: &Client) -> Result<()> {
    honest::a_whole_order(client).context("an order is not placed, paid and shown")
}

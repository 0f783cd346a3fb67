//! Measures servers in turn, so that what else the machine does hits them alike.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use harness::process::Program;
use harness::{Client, Request};
use host::{Operation, Stats};
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::Value;
use soak::watch::Holds;

use crate::client::ask;
use crate::load::Load;
use crate::server::{Application, Server, Settings};
use crate::store::{Stock, Template};
use crate::wrk::{Measured, Pick, Wrk};

/// Before anything is measured, this number of requests is made for each connection: an instance serves as many and is then
/// replaced. Fresh connections get an instance each; only what replaces those serves several requests at once.
pub const WARM_UP_A_CONNECTION: usize = 128;

/// How it is measured.
pub struct Bench {
    pub wrk: Wrk,
    /// A directory on the disk that is measured.
    pub scratch: PathBuf,
    /// How long a round takes.
    pub seconds: u64,
    pub rounds: u64,
    pub settings: Settings,
    pub progress: ProgressBar,
}

/// What is measured.
#[derive(Clone)]
pub enum Subject<'a> {
    /// Served anew for each round, on a copy of a store.
    Served { program: &'a Program, application: Application, template: &'a Template },
    /// Is there and keeps what it has.
    Peer { client: &'a Client, stock: &'a Stock },
}

impl Subject<'_> {
    /// What there is to measure it with.
    pub fn stock(&self) -> &Stock {
        match self {
            Self::Served { template, .. } => &template.stock,
            Self::Peer { stock, .. } => stock,
        }
    }
}

/// What was measured, in all rounds together.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub per_second: f64,
    /// The median of the rounds', as are the other percentiles.
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub longest_ms: f64,
    /// Requests in all.
    pub requests: u64,
    /// Requests that were answered with an error.
    pub refused: u64,
    /// Requests that were not answered.
    pub unanswered: u64,
    /// Requests that were to be sent once and were sent again, since too few orders were there to be paid.
    pub repeated: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Orders that an item held at the end of a round, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_holds: Option<u64>,
    /// At the end of a round, the holds of the item that has most of them beyond its pending orders: with those of
    /// orders that are decided an item grows slow. See [`Holds::are_bounded`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_holds: Option<Holds>,
    /// Bytes of memory of an instance at most, by component.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub memory: BTreeMap<String, u64>,
    /// Requests per second of each round.
    pub rounds: Vec<f64>,
}

/// What a request costs the store.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    /// Calls that read.
    pub reads: f64,
    /// Calls that committed.
    pub commits: f64,
    /// Attempts at a swap that came to nothing, since another had come first.
    pub conflicts: f64,
}

/// How the throughputs of two relate: all rounds together, and the least and the most of a round.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ratio {
    pub ratio: f64,
    pub least: f64,
    pub most: f64,
}

struct Round {
    measured: Measured,
    stats: Option<Stats>,
    most_holds: Option<u64>,
    dead_holds: Option<Holds>,
}

impl Bench {
    /// Measures these, one after the other, again and again.
    pub fn in_turn(&self, subjects: &[(Subject<'_>, &Load)], connections: usize) -> Result<Vec<Figure>> {
        let mut rounds: Vec<Vec<Round>> = subjects.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.rounds {
            for ((subject, load), rounds) in subjects.iter().zip(&mut rounds) {
                rounds.push(self.round(subject, load, connections)?);
                self.progress.inc(1);
            }
        }
        Ok(rounds.iter().map(|rounds| Figure::new(rounds)).collect())
    }

    fn round(&self, subject: &Subject<'_>, load: &Load, connections: usize) -> Result<Round> {
        match subject {
            Subject::Served { program, application, template } => {
                let state = tempfile::tempdir_in(&self.scratch)?;
                template.copy(state.path())?;
                let settings = Settings { state: state.path().to_owned(), ..self.settings.clone() };
                let mut server = Server::start(program, *application, &settings)?;
                let client = server.client().clone();
                self.warm_up(&client, &server.urls(), &template.stock, load, connections)?;
                let before = server.stats()?;
                let measure = || self.measure(&server.urls(), &template.stock, load, connections);
                let measured = match load.beside {
                    Some(slow) => slow.beside_buyers(&client, &template.stock.unpaid, measure)?,
                    None => measure()?,
                };
                let stats = server.stats()?.zip(before).map(|(after, before)| after.since(&before));
                let counted = *application != Application::Bare && load.holds();
                let most_holds = if counted { Some(most_holds(&client)?) } else { None };
                let dead_holds = if counted { Some(server.most_dead_holds(template.stock.items)?) } else { None };
                Ok(Round { measured, stats, most_holds, dead_holds })
            }
            Subject::Peer { client, stock } => {
                self.warm_up(client, &[client.url()], stock, load, connections)?;
                let measured = self.measure(&[client.url()], stock, load, connections)?;
                Ok(Round { measured, stats: None, most_holds: None, dead_holds: None })
            }
        }
    }

    /// Also looks whether what is to be measured is answered as it should: wrk tells only what was refused.
    fn warm_up(&self, client: &Client, urls: &[String], stock: &Stock, load: &Load, connections: usize) -> Result<()> {
        let (script, warm_up) = (load.script(stock), load.warm_up(stock));
        let once = (script.pick != Pick::Once).then_some(&script.requests);
        for request in once.into_iter().chain([&warm_up.requests]).filter_map(|requests| requests.first()) {
            ask(client, request)?;
        }
        self.wrk.send(urls, &warm_up, connections, (WARM_UP_A_CONNECTION + 1) * connections)
    }

    fn measure(&self, urls: &[String], stock: &Stock, load: &Load, connections: usize) -> Result<Measured> {
        self.wrk.measure(urls, &load.script(stock), connections, self.seconds)
    }
}

fn most_holds(client: &Client) -> Result<u64> {
    let items = ask(client, &Request::get("/inventory"))?;
    let reserved = |item: &Value| item["reserved"].as_u64();
    Ok(items["items"].as_array().into_iter().flatten().filter_map(reserved).max().unwrap_or(0))
}

impl Figure {
    fn new(rounds: &[Round]) -> Self {
        let sum = |of: fn(&Measured) -> u64| rounds.iter().map(|round| of(&round.measured)).sum::<u64>();
        let millis =
            |of: fn(&Measured) -> u64| median(rounds.iter().map(|round| of(&round.measured) as f64 / 1000.0).collect());
        let mut memory = BTreeMap::new();
        for stats in rounds.iter().filter_map(|round| round.stats.as_ref()) {
            for (id, component) in &stats.components {
                let most: &mut u64 = memory.entry(id.clone()).or_default();
                *most = component.largest_memory.max(*most);
            }
        }
        Self {
            per_second: per_second(sum(|round| round.requests), sum(|round| round.micros)),
            p50_ms: millis(|round| round.p50),
            p99_ms: millis(|round| round.p99),
            longest_ms: rounds.iter().map(|round| round.measured.longest).max().unwrap_or(0) as f64 / 1000.0,
            requests: sum(|round| round.requests),
            refused: sum(|round| round.refused),
            unanswered: sum(|round| round.unanswered),
            repeated: sum(|round| round.repeated),
            cost: Cost::new(rounds.iter().filter_map(|round| round.stats.as_ref())),
            most_holds: rounds.iter().filter_map(|round| round.most_holds).max(),
            dead_holds: rounds.iter().filter_map(|round| round.dead_holds).max_by_key(Holds::excess),
            memory,
            rounds: rounds.iter().map(|round| per_second(round.measured.requests, round.measured.micros)).collect(),
        }
    }

    /// Whether each request was answered, and as it should.
    pub fn is_valid(&self) -> bool {
        self.refused + self.unanswered + self.repeated == 0 && self.requests > 0
    }

    /// How this one's throughput relates to another's; none where one of them is not valid.
    pub fn ratio(&self, other: &Self) -> Option<Ratio> {
        if !self.is_valid() || !other.is_valid() {
            return None;
        }
        let rounds = self.rounds.iter().zip(&other.rounds).map(|(this, other)| this / other);
        Some(Ratio {
            ratio: self.per_second / other.per_second,
            least: rounds.clone().fold(f64::INFINITY, f64::min),
            most: rounds.fold(0.0, f64::max),
        })
    }
}

impl Cost {
    fn new<'a>(stats: impl Iterator<Item = &'a Stats> + Clone) -> Option<Self> {
        let sum = |of: fn(&Stats) -> u64| stats.clone().map(of).sum::<u64>() as f64;
        let requests = sum(Stats::requests);
        let swaps = sum(|stats| {
            let calls = stats.components.values().filter_map(|component| component.calls.get(&Operation::Swap));
            calls.map(|calls| calls.commits).sum()
        });
        (requests > 0.0).then(|| Self {
            reads: sum(Stats::reads) / requests,
            commits: sum(Stats::commits) / requests,
            conflicts: (sum(|stats| stats.total(Operation::CasNew)) - swaps).max(0.0) / requests,
        })
    }
}

fn per_second(requests: u64, micros: u64) -> f64 {
    requests as f64 * 1e6 / micros.max(1) as f64
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

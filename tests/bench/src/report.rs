//! Tables for people, and the same as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use soak::watch::Holds;

use crate::growth::Grown;
use crate::hot::Hot;
use crate::measure::{Figure, Ratio};
use crate::provider::BesideBuyers;
use crate::start::Start;
use crate::store::Journal;
use crate::stores::OnStores;

/// Everything that was measured.
#[derive(Default, Serialize)]
pub struct Report {
    pub machine: Option<Machine>,
    pub settings: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<Start>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<Row>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub growth: Vec<Grown>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hot: Vec<Hot>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<OnStores>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub provider: Vec<BesideBuyers>,
}

/// Where it was measured.
#[derive(Serialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    /// How busy it was when this began: the load average of a minute.
    pub load_average: Option<f64>,
}

impl Machine {
    pub fn this() -> Self {
        let read = |file| std::fs::read_to_string(file).unwrap_or_default();
        let processor = read("/proc/cpuinfo");
        let processor = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            processor: processor.map_or("unknown processor", |(_, name)| name.trim()).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load_average: read("/proc/loadavg").split(' ').next().and_then(|average| average.parse().ok()),
        }
    }
}

/// One kind of request, over one number of connections.
#[derive(Serialize)]
pub struct Row {
    pub journal: Journal,
    pub request: &'static str,
    pub connections: usize,
    pub items: Option<usize>,
    pub lines: Option<usize>,
    pub ours: Figure,
    pub bare: Figure,
    /// Ours by bare.
    pub ratio: Option<Ratio>,
    /// By URL.
    pub peers: BTreeMap<String, Beside>,
}

/// Another system, measured in turn with ours.
#[derive(Serialize)]
pub struct Beside {
    pub figure: Figure,
    /// Ours by this one.
    pub ratio: Option<Ratio>,
}

impl Row {
    pub fn heads(peers: usize) -> [String; 2] {
        let mut heads = [
            format!("{:25} {:>4} {:>5} {:>5}  {:^23}  {:^23}  {:^16}", "", "", "", "", "ours", "bare", "ours / bare"),
            format!("{:25} {:>4} {:>5} {:>5}  {FIGURE}  {FIGURE}  {RATIO}", "request", "conn", "items", "lines"),
        ];
        for number in 1..=peers {
            heads[0] += &format!("  {:^23}  {:^16}", format!("peer {number}"), format!("ours / peer {number}"));
            heads[1] += &format!("  {FIGURE}  {RATIO}");
        }
        heads[0] += "  of ours, per request";
        heads[1] += "  reads commits conflicts most holds holds/pending";
        heads
    }

    pub fn line(&self) -> String {
        let count = |count: Option<usize>| count.map_or("-".to_owned(), |count| count.to_string());
        let mut line = format!(
            "{:25} {:>4} {:>5} {:>5}  {}  {}  {}",
            self.request,
            self.connections,
            count(self.items),
            count(self.lines),
            figure(&self.ours),
            figure(&self.bare),
            ratio(self.ratio)
        );
        for Beside { figure: theirs, ratio: to_ours } in self.peers.values() {
            line += &format!("  {}  {}", figure(theirs), ratio(*to_ours));
        }
        line + costs(&self.ours).as_str()
    }

    /// What makes a figure worthless.
    pub fn faults(&self) -> Vec<String> {
        let peers = self.peers.iter().map(|(url, peer)| (url.as_str(), &peer.figure));
        let faults = [("ours", &self.ours), ("bare", &self.bare)].into_iter().chain(peers).filter_map(fault);
        faults.map(|fault| format!("  ! {} over {}: {fault}", self.request, self.connections)).collect()
    }
}

pub const FIGURE: &str = "     /s   p50 ms   p99 ms";
const RATIO: &str = "  (least to most)";

pub fn figure(figure: &Figure) -> String {
    format!("{:>7.0} {:>8.2} {:>8.2}", figure.per_second, figure.p50_ms, figure.p99_ms)
}

pub fn ratio(ratio: Option<Ratio>) -> String {
    ratio.map_or(format!("{:>17}", "not valid"), |Ratio { ratio, least, most }| {
        format!("{ratio:>5.2} ({least:.2}-{most:.2})")
    })
}

/// What ours cost the store, where that is known.
pub fn costs(figure: &Figure) -> String {
    let mut line = String::new();
    if let Some(cost) = &figure.cost {
        line += &format!("  {:>5.2} {:>7.2} {:>9.3}", cost.reads, cost.commits, cost.conflicts);
    }
    if let Some(most) = figure.most_holds {
        line += &format!(" {most:>10}");
    }
    if let Some(Holds { all, pending, .. }) = figure.dead_holds {
        line += &format!(" {:>13}", format!("{all}/{pending}"));
    }
    line
}

/// What makes a figure worthless, and whose it is.
pub fn fault((whose, figure): (&str, &Figure)) -> Option<String> {
    let Figure { requests, refused, unanswered, repeated, .. } = figure;
    let fault = || {
        format!(
            "of {requests} requests to {whose} {refused} were refused, {unanswered} not answered, {repeated} repeated"
        )
    };
    (!figure.is_valid()).then(fault)
}

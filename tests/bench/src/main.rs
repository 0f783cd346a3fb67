//! Measures the shop beside components that do only the necessary calls of the store, and beside others.

mod client;
mod growth;
mod hot;
mod load;
mod measure;
mod provider;
mod report;
mod server;
mod start;
mod store;
mod stores;
mod wrk;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};
use harness::process::{NEVER, Program, serve_if_told};
use harness::{Client, TOKEN};
use indicatif::{ProgressBar, ProgressStyle};

use crate::growth::{Amounts, Grown, Growth};
use crate::hot::Hot;
use crate::load::{Asks, Load, ORDERS_A_TURN, Spread};
use crate::measure::{Bench, Subject, WARM_UP_A_CONNECTION};
use crate::provider::{BesideBuyers, Slow};
use crate::report::{Beside, Machine, Report, Row, fault};
use crate::server::{Application, Settings};
use crate::start::Start;
use crate::store::{Journal, Stock, Template};
use crate::stores::{OnStore, OnStores};
use crate::wrk::Wrk;

/// As many items as there are to choose from.
const MANY: usize = 100;

/// For this number of payments a second orders are prepared.
const MAX_PAID_PER_SECOND: u64 = 5000;

/// Builds the shop and, to compare it with, bare components that do only the necessary calls of the store; puts load on
/// both in turn; and prints how many requests each answers, and how fast.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// Serve with this `spin` instead of this program
    #[arg(long, value_name = "PATH", global = true)]
    spin: Option<PathBuf>,

    /// Also measure what runs there: a system with the same paths that makes stock with
    /// POST /bench/restock/{item}/{quantity}; may be given several times
    #[arg(long = "peer", value_name = "URL")]
    peers: Vec<String>,

    /// How long a round takes; there are several, in turn with those of the others
    #[arg(long, default_value_t = 1, global = true)]
    seconds: u64,

    /// How many rounds to measure
    #[arg(long, default_value_t = 3, global = true)]
    rounds: u64,

    /// Over how many connections at once [default: 1,8,32,128; growth, stores: 1,32; hot: 128; provider: 32]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', global = true)]
    connections: Option<Vec<usize>>,

    /// How the store's file makes sure of its commits
    #[arg(long, value_enum, default_value_t = Journals::Both, global = true)]
    journal: Journals,

    /// How long unpaid orders hold their stock, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = NEVER, global = true)]
    payment_window: u64,

    /// Measure only what has this name, or else what has this in its name
    #[arg(long, value_name = "PATTERN", global = true)]
    only: Option<String>,

    /// Also write the figures to this file
    #[arg(long, value_name = "FILE", global = true)]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// What an order costs, against how much there is
    Growth(Amounts),
    /// How many orders for one item are taken, against those for many
    Hot,
    /// The same on SQLite, on a Redis, and from two servers on one Redis, beside the key-value store
    Stores,
    /// What a slow payment provider costs those who want nothing of it
    Provider(Slow),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Journals {
    Delete,
    Wal,
    Both,
}

impl Journals {
    fn each(self) -> &'static [Journal] {
        match self {
            Self::Delete => &[Journal::Delete],
            Self::Wal => &[Journal::Wal],
            Self::Both => &[Journal::Delete, Journal::Wal],
        }
    }
}

fn main() -> Result<ExitCode> {
    serve_if_told();
    let mut run = Run::new(Arguments::parse())?;
    for journal in run.arguments.journal.each() {
        match &run.arguments.command {
            Some(Command::Growth(_)) => run.growth(*journal)?,
            Some(Command::Hot) => run.hot(*journal)?,
            Some(Command::Stores) => run.stores(*journal)?,
            Some(Command::Provider(slow)) => run.provider(*journal, *slow)?,
            None => run.requests(*journal)?,
        }
    }
    run.finish()
}

/// One run of this program.
struct Run {
    arguments: Arguments,
    program: Program,
    bench: Bench,
    /// On the disk that is measured; gone at the end.
    scratch: tempfile::TempDir,
    report: Report,
    faults: usize,
}

impl Run {
    fn new(arguments: Arguments) -> Result<Self> {
        // Not the system's directory for such things, which may be in memory.
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
        // What a run has left that was interrupted.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory)?;
        let scratch = tempfile::tempdir_in(directory.canonicalize()?)?;
        let wrk = Wrk::find(scratch.path())?;
        let applications = match arguments.command {
            Some(Command::Stores) => Application::STORES.as_slice(),
            _ => Application::ALL.as_slice(),
        };
        applications.iter().try_for_each(|application| application.build())?;

        let Arguments { seconds, rounds, payment_window, .. } = arguments;
        let style = "{bar:30} {pos}/{len} rounds, {eta} left: {msg}";
        let progress = ProgressBar::new(0).with_style(ProgressStyle::with_template(style)?);
        progress.enable_steady_tick(Duration::from_secs(1));
        let settings = Settings { state: PathBuf::new(), payment_window, cache: None, provider: None };
        let bench = Bench { wrk, scratch: scratch.path().to_owned(), seconds, rounds, settings, progress };
        let program = Program::new(arguments.spin.clone())?;
        let run = Self { arguments, program, bench, scratch, report: Report::default(), faults: 0 };
        Ok(run.introduce())
    }

    fn introduce(mut self) -> Self {
        let machine = Machine::this();
        let Bench { seconds, rounds, .. } = self.bench;
        let payment_window = self.arguments.payment_window;
        let served = match &self.program {
            Program::Host(_) => "this program's host".to_owned(),
            Program::Spin(path) => path.display().to_string(),
        };
        println!("{} with {} cores, served by {served}, load from wrk beside it.", machine.processor, machine.cores);
        if let Some(busy) = machine.load_average {
            println!("The load average of the minute before was {busy}: what else runs takes from all figures.");
        }
        println!(
            "Each figure is of {rounds} rounds of {seconds} s, in turn. Each round begins with a fresh process on a fresh \
             copy of the same store of {MANY} items,\nand with {WARM_UP_A_CONNECTION} requests a connection to the same \
             components that change nothing: so long an instance lives, and those that\nfresh connections get serve one \
             request at a time. Unpaid orders hold their stock for {payment_window} s. \"POST /orders\" for 1 item is for\n\
             one item at a time, and for the next after {ORDERS_A_TURN} orders."
        );
        self.report.machine = Some(machine);
        self.report.settings = BTreeMap::from([
            ("served_by", served),
            ("seconds", seconds.to_string()),
            ("rounds", rounds.to_string()),
            ("payment_window_seconds", payment_window.to_string()),
        ]);
        self
    }

    /// Each kind of request, ours beside others.
    fn requests(&mut self, journal: Journal) -> Result<()> {
        let loads: Vec<_> = loads().into_iter().filter(|load| self.is_wanted(load.name())).collect();
        let connections = self.arguments.connections.clone().unwrap_or(vec![1, 8, 32, 128]);
        let pays = loads.iter().any(|load| load.asks == Asks::Pay);
        let unpaid = (self.bench.seconds * MAX_PAID_PER_SECOND) as usize;
        self.prepare((loads.len() * connections.len() * 2) as u64 * self.bench.rounds, journal);

        let template = |application: Application, unpaid: usize| {
            let directory = self.scratch.path().join(format!("{} {} {unpaid}", application.name(), journal.name()));
            Template::make(&directory, journal, &self.program, application, MANY, unpaid)
        };
        let plain = (template(Application::Ours, 0)?, template(Application::Bare, 0)?);
        let to_be_paid = if pays {
            (template(Application::Ours, unpaid)?, template(Application::Bare, unpaid)?)
        } else {
            plain.clone()
        };
        let mut peers = Vec::new();
        for url in &self.arguments.peers {
            let client = Client::new(url, Some(TOKEN))?;
            let stock = Stock::restock(&client, MANY, if pays { unpaid } else { 0 });
            peers.push((client, stock.with_context(|| format!("{url} cannot be measured"))?));
        }

        if self.is_wanted("first answer") && self.report.starts.is_empty() {
            for (application, template) in [(Application::Ours, &plain.0), (Application::Bare, &plain.1)] {
                self.bench.progress.set_message("first answers");
                let start = Start::measure(&self.bench, &self.program, application, template)?;
                self.say(start.lines());
                self.report.starts.push(start);
            }
        }
        self.say([format!("\njournal: {}", journal.name())]);
        self.say(Row::heads(peers.len()));
        for load in &loads {
            let (ours, bare) = if load.asks == Asks::Pay { &to_be_paid } else { &plain };
            for connections in &connections {
                let row = self.row(journal, load, *connections, (ours, bare), &peers)?;
                self.say([row.line()]);
                let faults = row.faults();
                self.faults += faults.len();
                self.say(faults);
                self.report.requests.push(row);
            }
        }
        Ok(())
    }

    fn row(
        &self,
        journal: Journal,
        load: &Load,
        connections: usize,
        (ours, bare): (&Template, &Template),
        peers: &[(Client, Stock)],
    ) -> Result<Row> {
        self.bench.progress.set_message(format!("{} over {connections}", load.name()));
        let served = |application, template| Subject::Served { program: &self.program, application, template };
        let mut subjects = vec![(served(Application::Ours, ours), load), (served(Application::Bare, bare), load)];
        let understood = if load.is_plain() { peers } else { &[] };
        subjects.extend(understood.iter().map(|(client, stock)| (Subject::Peer { client, stock }, load)));
        self.bench.progress.inc_length(understood.len() as u64 * self.bench.rounds);
        let mut figures = self.bench.in_turn(&subjects, connections)?.into_iter();
        let mut next = || figures.next().context("each subject has a figure");
        let (ours_figure, bare) = (next()?, next()?);
        let mut beside = BTreeMap::new();
        for (client, _) in understood {
            let figure = next()?;
            beside.insert(client.url(), Beside { ratio: ours_figure.ratio(&figure), figure });
        }
        Ok(Row {
            journal,
            request: load.name(),
            connections,
            items: load.items(&ours.stock),
            lines: load.lines(),
            ratio: ours_figure.ratio(&bare),
            ours: ours_figure,
            bare,
            peers: beside,
        })
    }

    fn growth(&mut self, journal: Journal) -> Result<()> {
        let Some(Command::Growth(amounts)) = &self.arguments.command else { return Ok(()) };
        let connections = self.arguments.connections.clone().unwrap_or(vec![1, 32]);
        let directory = self.scratch.path().join(format!("growth {}", journal.name()));
        let (bench, program) = (&self.bench, &self.program);
        let growth = Growth { bench, program, journal, directory: &directory, connections: &connections };
        let mut grown = Vec::new();
        let mut say = |row: Grown| {
            bench.progress.suspend(|| println!("{}", row.line()));
            grown.push(row);
        };
        self.say([format!("\njournal: {}", journal.name()), Grown::head()]);
        type Measure<'a> = fn(&Growth<'a>, &[usize], &mut dyn FnMut(Grown)) -> Result<()>;
        let measures: [(&str, Measure<'_>, &[usize]); 4] = [
            (growth::ORDERS, Growth::orders, &amounts.orders),
            (growth::HOLDS, Growth::holds, &amounts.holds),
            (growth::ITEMS, Growth::items, &amounts.items),
            (growth::LINES, Growth::lines, &amounts.lines),
        ];
        for (what, measure, amounts) in measures {
            if self.is_wanted(what) {
                self.prepare(growth.rounds(amounts.len()), journal);
                measure(&growth, amounts, &mut say)?;
                // A million orders take up some space.
                fs::remove_dir_all(&directory)?;
            }
        }
        self.faults += grown.iter().filter(|row| !row.figure.is_valid()).count();
        let faults: Vec<_> = grown.iter().filter_map(|row| fault((row.what, &row.figure))).collect();
        self.say(faults);
        self.report.growth.extend(grown);
        Ok(())
    }

    fn hot(&mut self, journal: Journal) -> Result<()> {
        let connections = self.arguments.connections.clone().unwrap_or(vec![128]);
        self.prepare((hot::LOADS.len() * connections.len() * 2) as u64 * self.bench.rounds, journal);
        let directory = self.scratch.path().join(format!("hot {}", journal.name()));
        let template = Template::make(&directory, journal, &self.program, Application::Ours, MANY, 0)?;
        let subject = Subject::Served { program: &self.program, application: Application::Ours, template: &template };
        self.say([format!("\njournal: {}", journal.name()), Hot::head()]);
        for asks in hot::LOADS {
            for connections in &connections {
                let hot = Hot::measure(&self.bench, journal, &subject, asks, *connections)?;
                self.say(hot.lines(MANY));
                let faults: Vec<_> = [("one item", &hot.one_item), ("many items", &hot.many_items)]
                    .into_iter()
                    .filter_map(fault)
                    .collect();
                self.faults += faults.len();
                self.say(faults);
                self.report.hot.push(hot);
            }
        }
        Ok(())
    }

    /// The shop on each store.
    fn stores(&mut self, journal: Journal) -> Result<()> {
        let applications = Application::STORES;
        let loads: Vec<_> = stores::loads().into_iter().filter(|load| self.is_wanted(load.name())).collect();
        let connections = self.arguments.connections.clone().unwrap_or(vec![1, 32]);
        self.prepare((loads.len() * connections.len() * applications.len()) as u64 * self.bench.rounds, journal);
        let template = |application: Application| {
            let directory = self.scratch.path().join(format!("{} {}", application.name(), journal.name()));
            Template::make(&directory, journal, &self.program, application, MANY, 0)
        };
        let templates = applications.map(template).into_iter().collect::<Result<Vec<_>>>()?;
        self.say([
            format!("\njournal of SQLite files: {}; Redis: appendfsync always", journal.name()),
            OnStores::head(),
        ]);
        for load in &loads {
            for connections in &connections {
                self.bench.progress.set_message(format!("{} over {connections}", load.name()));
                let subjects = applications.into_iter().zip(&templates).map(|(application, template)| {
                    (Subject::Served { program: &self.program, application, template }, load)
                });
                let figures = self.bench.in_turn(&subjects.collect::<Vec<_>>(), *connections)?;
                let key_value = figures.first().context("each subject has a figure")?.clone();
                let stores = applications.into_iter().zip(figures).map(|(application, figure)| OnStore {
                    store: if application == Application::Ours { "key-value" } else { application.name() },
                    ratio: figure.ratio(&key_value),
                    figure,
                });
                let row = OnStores {
                    request: load.name(),
                    connections: *connections,
                    items: load.items(&templates[0].stock),
                    lines: load.lines(),
                    stores: stores.collect(),
                };
                self.say(row.lines());
                let faults = row.stores.iter().filter_map(|on| fault((on.store, &on.figure))).collect::<Vec<_>>();
                self.faults += faults.len();
                self.say(faults);
                self.report.stores.push(row);
            }
        }
        Ok(())
    }

    /// The shop while buyers wait for the provider, and while none does.
    fn provider(&mut self, journal: Journal, slow: Slow) -> Result<()> {
        let loads: Vec<_> = provider::loads().into_iter().filter(|load| self.is_wanted(load.name())).collect();
        let connections = self.arguments.connections.clone().unwrap_or(vec![32]);
        self.prepare((loads.len() * connections.len() * 2) as u64 * self.bench.rounds, journal);
        let directory = self.scratch.path().join(format!("provider {}", journal.name()));
        let template = Template::make(&directory, journal, &self.program, Application::Ours, MANY, slow.waiting)?;
        // Only now: what the store begins with is paid at once.
        let stand_in = slow.start()?;
        self.bench.settings.provider = Some(stand_in.url());
        let subject = Subject::Served { program: &self.program, application: Application::Ours, template: &template };
        self.say([
            format!("\njournal: {}; each answer of the provider after {} ms", journal.name(), slow.answers_after),
            BesideBuyers::head(),
        ]);
        for load in &loads {
            for connections in &connections {
                let row = BesideBuyers::measure(&self.bench, journal, &subject, load, *connections, slow)?;
                self.say(row.lines());
                let faults: Vec<_> =
                    [("alone", &row.alone), ("beside buyers", &row.beside)].into_iter().filter_map(fault).collect();
                self.faults += faults.len();
                self.say(faults);
                self.report.provider.push(row);
            }
        }
        self.bench.settings.provider = None;
        Ok(())
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.arguments.only.as_ref().is_none_or(|only| {
            let named = loads().iter().any(|load| load.name() == only);
            if named { name == only } else { name.contains(only) }
        })
    }

    /// Says how many more rounds are coming.
    fn prepare(&self, rounds: u64, journal: Journal) {
        self.bench.progress.inc_length(rounds);
        self.bench.progress.set_message(format!("preparing a store with journal {}", journal.name()));
    }

    fn say(&self, lines: impl IntoIterator<Item = String>) {
        self.bench.progress.suspend(|| lines.into_iter().for_each(|line| println!("{line}")));
    }

    fn finish(self) -> Result<ExitCode> {
        self.bench.progress.finish_and_clear();
        let mut memory: BTreeMap<&str, u64> = BTreeMap::new();
        for (id, bytes) in self.report.requests.iter().flat_map(|row| &row.ours.memory) {
            let most = memory.entry(id).or_default();
            *most = (*most).max(*bytes);
        }
        for (id, bytes) in memory.into_iter().filter(|(_, bytes)| *bytes > 0) {
            println!("an instance of {id} has taken {bytes} bytes of memory at most");
        }
        if let Some(file) = &self.arguments.json {
            fs::write(file, serde_json::to_vec_pretty(&self.report)?)?;
        }
        if self.faults > 0 {
            println!("{} figures are not valid", self.faults);
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What is asked of each.
fn loads() -> Vec<Load> {
    let place = |lines, keyed| Asks::Place { lines, keyed };
    vec![
        Load::new(Asks::Health, Spread::One),
        Load::new(Asks::ShowItem, Spread::One),
        Load::new(Asks::ShowItem, Spread::All),
        Load::new(Asks::ShowOrder, Spread::One),
        Load::new(Asks::ShowOrder, Spread::All),
        Load::new(place(1, false), Spread::OneAtATime),
        Load::new(place(1, false), Spread::All),
        Load::new(place(5, false), Spread::All),
        Load::new(place(1, true), Spread::All),
        Load::new(Asks::Pay, Spread::All),
        Load::new(Asks::PlaceAndPay, Spread::One),
        Load::new(Asks::PlaceAndPay, Spread::All),
    ]
}

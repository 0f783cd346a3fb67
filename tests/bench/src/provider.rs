//! Buyers who wait for a slow payment provider, and what that costs those who want nothing of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use clap::Args;
use harness::{Client, Request, provider};
use serde::Serialize;
use stripe_stand_in::StandIn;

use crate::load::{Asks, Load, Spread};
use crate::measure::{Bench, Figure, Ratio, Subject};
use crate::report::{FIGURE, costs, figure, ratio};
use crate::store::Journal;

/// How slow the provider is, and how many wait for it.
#[derive(Args, Clone, Copy, Debug)]
pub struct Slow {
    /// How many buyers wait for the provider at any time
    #[arg(long, default_value_t = 32)]
    pub waiting: usize,

    /// How long it takes for each answer, in milliseconds
    #[arg(long, default_value_t = 2000)]
    pub answers_after: u64,
}

impl Slow {
    /// Starts a provider that is as slow.
    pub fn start(self) -> Result<StandIn> {
        let stand_in = provider::start()?;
        stand_in.set_faults([format!("slow={}", self.answers_after).parse()?]);
        Ok(stand_in)
    }

    /// Does something while buyers wait to pay these orders, one an order. One that is answered asks again.
    ///
    /// # Errors
    /// If it fails, or a buyer is answered with an error or without waiting.
    pub fn beside_buyers<T>(self, client: &Client, orders: &[String], act: impl FnOnce() -> Result<T>) -> Result<T> {
        ensure!(orders.len() == self.waiting, "there is not an order for each buyer");
        let over = AtomicBool::new(false);
        let wait = |order: &String| -> Result<()> {
            while !over.load(Ordering::Relaxed) {
                let asked = Instant::now();
                let answer = client.send(&Request::pay(order))?;
                ensure!(answer.status == 202, "a buyer is answered with {}", answer.status);
                ensure!(asked.elapsed() >= Duration::from_millis(self.answers_after), "a buyer did not wait");
            }
            Ok(())
        };
        thread::scope(|scope| {
            let buyers: Vec<_> = orders.iter().map(|order| scope.spawn(|| wait(order))).collect();
            let done = act();
            over.store(true, Ordering::Relaxed);
            for buyer in buyers {
                buyer.join().map_err(|_| anyhow!("a buyer panicked"))??;
            }
            done
        })
    }
}

/// One kind of request while buyers wait for the provider, and while none does.
#[derive(Serialize)]
pub struct BesideBuyers {
    pub journal: Journal,
    pub request: &'static str,
    pub connections: usize,
    pub items: Option<usize>,
    pub waiting: usize,
    pub alone: Figure,
    pub beside: Figure,
    /// Beside buyers by alone.
    pub ratio: Option<Ratio>,
}

/// What is asked by those who want nothing of the provider.
pub fn loads() -> [Load; 4] {
    let place = Asks::Place { lines: 1, keyed: false };
    [
        Load::new(Asks::ShowItem, Spread::All),
        Load::new(Asks::ShowOrder, Spread::All),
        Load::new(place, Spread::OneAtATime),
        Load::new(place, Spread::All),
    ]
}

impl BesideBuyers {
    pub fn measure(
        bench: &Bench,
        journal: Journal,
        subject: &Subject<'_>,
        load: &Load,
        connections: usize,
        slow: Slow,
    ) -> Result<Self> {
        let beside = Load { beside: Some(slow), ..load.clone() };
        let mut figures = bench.in_turn(&[(subject.clone(), load), (subject.clone(), &beside)], connections)?;
        let (beside, alone) = (figures.remove(1), figures.remove(0));
        let (request, ratio) = (load.name(), beside.ratio(&alone));
        let items = load.items(subject.stock());
        Ok(Self { journal, request, connections, items, waiting: slow.waiting, alone, beside, ratio })
    }

    pub fn head() -> String {
        format!(
            "{:25} {:>4} {:>5} {:>7}  {FIGURE}  {:^16}  reads commits conflicts most holds holds/pending",
            "request", "conn", "items", "waiting", "beside / alone"
        )
    }

    pub fn lines(&self) -> [String; 2] {
        let items = self.items.map_or("-".to_owned(), |items| items.to_string());
        let line = |waiting: usize, of: &Figure, ratio: &str| {
            let Self { request, connections, .. } = self;
            let (figure, costs) = (figure(of), costs(of));
            format!("{request:25} {connections:>4} {items:>5} {waiting:>7}  {figure}  {ratio:16}{costs}")
        };
        [line(0, &self.alone, ""), line(self.waiting, &self.beside, &ratio(self.ratio))]
    }
}

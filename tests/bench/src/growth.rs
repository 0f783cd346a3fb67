//! What an order costs, against how much there is.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use harness::process::Program;
use serde::Serialize;

use crate::load::{Asks, Load, Spread};
use crate::measure::{Bench, Figure, Subject};
use crate::report::{FIGURE, costs, figure};
use crate::server::Application;
use crate::store::{Journal, Template};

/// How much there is.
#[derive(Args)]
pub struct Amounts {
    /// Orders that were ever placed, and paid
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "1000,10000,100000,1000000")]
    pub orders: Vec<usize>,

    /// Orders that are waiting for payment, on one item
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "1,1000,5000,20000")]
    pub holds: Vec<usize>,

    /// Items
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "3,100,10000")]
    pub items: Vec<usize>,

    /// Lines of the order
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "1,5,50")]
    pub lines: Vec<usize>,
}

/// What an order costs where there is so much of something.
#[derive(Serialize)]
pub struct Grown {
    pub journal: Journal,
    pub what: &'static str,
    pub amount: usize,
    pub connections: usize,
    pub micros_an_order: f64,
    /// By that of the least amount.
    pub ratio: f64,
    pub figure: Figure,
}

pub const ORDERS: &str = "orders ever placed";
pub const HOLDS: &str = "holds on the item";
pub const ITEMS: &str = "items";
pub const LINES: &str = "lines of the order";

impl Grown {
    pub fn head() -> String {
        format!(
            "{:18} {:>8} {:>4}  {:>11} {:>14}  {FIGURE}  reads commits conflicts most holds holds/pending",
            "what there is", "amount", "conn", "us an order", "by the least's"
        )
    }

    pub fn line(&self) -> String {
        format!(
            "{:18} {:>8} {:>4}  {:>11.0} {:>14.2}  {}{}",
            self.what,
            self.amount,
            self.connections,
            self.micros_an_order,
            self.ratio,
            figure(&self.figure),
            costs(&self.figure)
        )
    }
}

/// What is measured with what there is.
pub struct Growth<'a> {
    pub bench: &'a Bench,
    pub program: &'a Program,
    pub journal: Journal,
    /// A directory for the stores.
    pub directory: &'a Path,
    pub connections: &'a [usize],
}

impl Growth<'_> {
    /// How many rounds there are for this number of amounts.
    pub fn rounds(&self, amounts: usize) -> u64 {
        (amounts * self.connections.len()) as u64 * self.bench.rounds
    }

    pub fn orders(&self, amounts: &[usize], say: &mut dyn FnMut(Grown)) -> Result<()> {
        let template = self.template("orders", 100)?;
        let load = Load::new(Asks::Place { lines: 1, keyed: false }, Spread::All);
        let grow = |amount| template.with_orders(&self.below(ORDERS, amount), self.journal, amount);
        self.measure(ORDERS, amounts, grow, |_| load.clone(), say)
    }

    /// Each order is cancelled again, so that the number of holds stays.
    pub fn holds(&self, amounts: &[usize], say: &mut dyn FnMut(Grown)) -> Result<()> {
        let mut template = self.template("holds", 1)?;
        let mut held = 1;
        let load = Load::new(Asks::PlaceAndCancel, Spread::One);
        let grow = |amount: usize| {
            let more = amount.saturating_sub(held);
            held += more;
            template = template.with_holds(&self.below(HOLDS, amount), self.program, Application::Ours, more)?;
            Ok(template.clone())
        };
        self.measure(HOLDS, amounts, grow, |_| load.clone(), say)
    }

    pub fn items(&self, amounts: &[usize], say: &mut dyn FnMut(Grown)) -> Result<()> {
        let load = Load::new(Asks::Place { lines: 1, keyed: false }, Spread::All);
        let grow = |amount| self.template(&format!("{amount} {ITEMS}"), amount);
        self.measure(ITEMS, amounts, grow, |_| load.clone(), say)
    }

    pub fn lines(&self, amounts: &[usize], say: &mut dyn FnMut(Grown)) -> Result<()> {
        let template = self.template("lines", 100)?;
        let load = |lines| Load::new(Asks::Place { lines, keyed: false }, Spread::All);
        self.measure(LINES, amounts, |_| Ok(template.clone()), load, say)
    }

    fn measure(
        &self,
        what: &'static str,
        amounts: &[usize],
        mut grow: impl FnMut(usize) -> Result<Template>,
        load: impl Fn(usize) -> Load,
        say: &mut dyn FnMut(Grown),
    ) -> Result<()> {
        let mut grown = Vec::new();
        for amount in amounts {
            self.bench.progress.set_message(format!("preparing {amount} {what}"));
            match grow(*amount) {
                Ok(template) => grown.push((*amount, template, load(*amount))),
                Err(refused) => println!("{what}: {amount} cannot be had: {refused:#}"),
            }
        }
        self.bench.progress.set_message(what);
        let subject = |template| Subject::Served { program: self.program, application: Application::Ours, template };
        let subjects: Vec<_> = grown.iter().map(|(_, template, load)| (subject(template), load)).collect();
        for connections in self.connections {
            let figures = self.bench.in_turn(&subjects, *connections)?;
            let micros = |figure: &Figure, load: &Load| 1e6 * load.requests_an_order() as f64 / figure.per_second;
            let Some(least) = figures.first().zip(grown.first()).map(|(figure, (.., load))| micros(figure, load))
            else {
                continue;
            };
            for ((amount, _, load), figure) in grown.iter().zip(figures) {
                let micros_an_order = micros(&figure, load);
                let (amount, connections) = (*amount, *connections);
                let (journal, ratio) = (self.journal, micros_an_order / least);
                say(Grown { journal, what, amount, connections, micros_an_order, ratio, figure });
            }
        }
        Ok(())
    }

    fn template(&self, name: &str, items: usize) -> Result<Template> {
        Template::make(&self.directory.join(name), self.journal, self.program, Application::Ours, items, 0)
    }

    fn below(&self, what: &str, amount: usize) -> std::path::PathBuf {
        self.directory.join(format!("{amount} {what}"))
    }
}

//! Everybody wants the same item.

use anyhow::Result;
use serde::Serialize;

use crate::load::{Asks, Load, Spread};
use crate::measure::{Bench, Figure, Ratio, Subject};
use crate::report::{FIGURE, costs, figure};
use crate::store::Journal;

/// One item beside many.
#[derive(Serialize)]
pub struct Hot {
    pub journal: Journal,
    pub request: &'static str,
    pub connections: usize,
    pub one_item: Figure,
    pub many_items: Figure,
    /// One item's by many items'.
    pub ratio: Option<Ratio>,
}

pub const LOADS: [Asks; 2] = [Asks::Place { lines: 1, keyed: false }, Asks::PlaceAndPay];

impl Hot {
    pub fn measure(
        bench: &Bench,
        journal: Journal,
        subject: &Subject<'_>,
        asks: Asks,
        connections: usize,
    ) -> Result<Self> {
        let (one, many) = (Load::new(asks, Spread::One), Load::new(asks, Spread::All));
        let mut figures = bench.in_turn(&[(subject.clone(), &one), (subject.clone(), &many)], connections)?;
        let many_items = figures.remove(1);
        let one_item = figures.remove(0);
        let ratio = one_item.ratio(&many_items);
        Ok(Self { journal, request: one.name(), connections, one_item, many_items, ratio })
    }

    pub fn head() -> String {
        format!(
            "{:25} {:>4} {:>5}  {FIGURE} {:>10} {:>10}  reads commits conflicts most holds holds/pending",
            "request", "conn", "items", "longest ms", "one / many"
        )
    }

    pub fn lines(&self, items: usize) -> [String; 2] {
        let ratio = self.ratio.map_or("not valid".to_owned(), |ratio| format!("{:.2}", ratio.ratio));
        let line = |items: usize, of: &Figure, ratio: &str| {
            let Self { request, connections, .. } = self;
            let (figure, longest) = (figure(of), of.longest_ms);
            format!("{request:25} {connections:>4} {items:>5}  {figure} {longest:>10.0} {ratio:>10}{}", costs(of))
        };
        [line(1, &self.one_item, &ratio), line(items, &self.many_items, "")]
    }
}

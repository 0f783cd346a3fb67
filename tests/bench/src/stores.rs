//! The shop on each store that it can be kept in.

use serde::Serialize;

use crate::load::{Asks, Load, Spread};
use crate::measure::{Figure, Ratio};
use crate::report::{FIGURE, costs, figure, ratio};

/// One kind of request, on each store.
#[derive(Serialize)]
pub struct OnStores {
    pub request: &'static str,
    pub connections: usize,
    pub items: Option<usize>,
    pub lines: Option<usize>,
    pub stores: Vec<OnStore>,
}

/// The same on one store.
#[derive(Serialize)]
pub struct OnStore {
    pub store: &'static str,
    pub figure: Figure,
    /// This store's by the key-value store's.
    pub ratio: Option<Ratio>,
}

/// What is asked.
pub fn loads() -> [Load; 6] {
    let place = |lines| Asks::Place { lines, keyed: false };
    [
        Load::new(Asks::ShowItem, Spread::All),
        Load::new(Asks::ShowOrder, Spread::All),
        Load::new(place(1), Spread::OneAtATime),
        Load::new(place(1), Spread::All),
        Load::new(place(5), Spread::All),
        Load::new(Asks::PlaceAndPay, Spread::All),
    ]
}

impl OnStores {
    pub fn head() -> String {
        format!(
            "{:25} {:>4} {:>5} {:>5}  {:18}  {FIGURE}  {:^16}  reads commits conflicts most holds holds/pending",
            "request", "conn", "items", "lines", "store", "/ key-value"
        )
    }

    pub fn lines(&self) -> Vec<String> {
        let count = |count: Option<usize>| count.map_or("-".to_owned(), |count| count.to_string());
        let line = |OnStore { store, figure: on, ratio: to_key_value }: &OnStore| {
            let Self { request, connections, items, lines, .. } = self;
            let (items, lines) = (count(*items), count(*lines));
            let (figure, ratio, costs) = (figure(on), ratio(*to_key_value), costs(on));
            format!("{request:25} {connections:>4} {items:>5} {lines:>5}  {store:18}  {figure}  {ratio}{costs}")
        };
        self.stores.iter().map(line).collect()
    }
}

//! What is asked of a server while it is measured.

use fastrand::Rng;
use harness::Request;

use crate::client::{item_id, order};
use crate::provider::Slow;
use crate::store::Stock;
use crate::wrk::{Pick, Script};

/// After this number of orders on an item it is the next one's turn. So the holds of an item are about as many as they
/// would be if orders were also paid, which is what happens to them in a shop.
pub const ORDERS_A_TURN: usize = 100;

/// The number of different orders of several lines.
const BASKETS: usize = 1000;

/// One kind of load.
#[derive(Clone, Debug)]
pub struct Load {
    pub asks: Asks,
    pub spread: Spread,
    /// Buyers who wait for the payment provider meanwhile.
    pub beside: Option<Slow>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    Health,
    ShowItem,
    ShowOrder,
    /// Order, and leave it at that.
    Place {
        lines: usize,
        keyed: bool,
    },
    /// Pay orders that were placed before, each once.
    Pay,
    /// Order, then pay that.
    PlaceAndPay,
    /// Order, then cancel that.
    PlaceAndCancel,
}

/// How many items that is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// One.
    One,
    /// One at a time: after [`ORDERS_A_TURN`] orders the next.
    OneAtATime,
    /// All that there are, at random.
    All,
}

impl Load {
    pub const fn new(asks: Asks, spread: Spread) -> Self {
        Self { asks, spread, beside: None }
    }

    pub fn name(&self) -> &'static str {
        match self.asks {
            Asks::Health => "GET /health",
            Asks::ShowItem => "GET /inventory/{item}",
            Asks::ShowOrder => "GET /orders/{order}",
            Asks::Place { keyed: false, .. } => "POST /orders",
            Asks::Place { keyed: true, .. } => "POST /orders, keyed",
            Asks::Pay => "POST /orders/{order}/pay",
            Asks::PlaceAndPay => "POST /orders, then pay",
            Asks::PlaceAndCancel => "POST /orders, then cancel",
        }
    }

    pub fn lines(&self) -> Option<usize> {
        match self.asks {
            Asks::Health | Asks::ShowItem => None,
            Asks::Place { lines, .. } => Some(lines),
            Asks::ShowOrder | Asks::Pay | Asks::PlaceAndPay | Asks::PlaceAndCancel => Some(1),
        }
    }

    /// How many items that is about at once.
    pub fn items(&self, stock: &Stock) -> Option<usize> {
        match (self.asks, self.spread) {
            (Asks::Health, _) => None,
            (_, Spread::One | Spread::OneAtATime) => Some(1),
            (_, Spread::All) => Some(stock.items),
        }
    }

    /// How many requests are made for one order.
    pub fn requests_an_order(&self) -> u64 {
        match self.asks {
            Asks::PlaceAndPay | Asks::PlaceAndCancel => 2,
            _ => 1,
        }
    }

    /// Whether it leaves orders behind that hold stock.
    pub fn holds(&self) -> bool {
        matches!(self.asks, Asks::Place { .. } | Asks::PlaceAndPay | Asks::PlaceAndCancel)
    }

    /// Whether a system that knows nothing but orders of one line understands it.
    pub fn is_plain(&self) -> bool {
        !matches!(self.asks, Asks::Health | Asks::PlaceAndCancel | Asks::Place { keyed: true, .. })
            && self.lines().is_none_or(|lines| lines == 1)
    }

    pub fn script(&self, stock: &Stock) -> Script {
        let items = match self.spread {
            Spread::One => 1,
            Spread::OneAtATime | Spread::All => stock.items,
        };
        let requests = match self.asks {
            Asks::Health => vec![Request::get("/health")],
            Asks::ShowItem => (0..items).map(show_item).collect(),
            Asks::ShowOrder => stock.pending.iter().take(items).map(|order| Request::show_order(order)).collect(),
            Asks::Place { lines: 1, .. } | Asks::PlaceAndPay | Asks::PlaceAndCancel => {
                (0..items).map(|item| order(&[item])).collect()
            }
            Asks::Place { lines, .. } => {
                // The same baskets every time.
                let mut rng = Rng::with_seed(1);
                let basket = |_| order(&rng.choose_multiple(0..items, lines));
                (0..BASKETS).map(basket).collect()
            }
            Asks::Pay => stock.unpaid.iter().map(|order| Request::pay(order)).collect(),
        };
        let pick = match (self.asks, self.spread) {
            (Asks::Pay, _) => Pick::Once,
            (_, Spread::OneAtATime) => Pick::Each(ORDERS_A_TURN),
            (_, Spread::One | Spread::All) => Pick::Any,
        };
        let follow = match self.asks {
            Asks::PlaceAndPay => Some("pay"),
            Asks::PlaceAndCancel => Some("cancel"),
            _ => None,
        };
        Script { requests, pick, keyed: matches!(self.asks, Asks::Place { keyed: true, .. }), follow }
    }

    /// Requests to the same components that change nothing.
    pub fn warm_up(&self, stock: &Stock) -> Script {
        let pay = || Request::pay(&stock.paid);
        let requests = match self.asks {
            Asks::Health => vec![Request::get("/health")],
            Asks::ShowItem => vec![show_item(0)],
            Asks::ShowOrder | Asks::Place { .. } | Asks::PlaceAndCancel => vec![Request::show_order(&stock.paid)],
            Asks::Pay => vec![pay()],
            Asks::PlaceAndPay => vec![Request::show_order(&stock.paid), pay()],
        };
        Script { requests, pick: Pick::Any, keyed: false, follow: None }
    }
}

fn show_item(item: usize) -> Request {
    Request::show_item(&item_id(item))
}

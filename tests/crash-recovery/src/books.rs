//! What clients were told, and whether what is there is the same.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use crate::client::Answer;

/// What is sold, in the order in which the lines of an order are held.
pub const ITEMS: [&str; 4] = ["plenty-1", "plenty-2", "plenty-3", "scarce"];

/// The one of which there is too little for all.
pub const SCARCE: usize = 3;

/// One line of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which of [`ITEMS`].
    pub item: usize,
    /// How many.
    pub quantity: u64,
}

/// What became of an order that was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It can be paid.
    Pending,
    /// It was paid.
    Paid,
    /// It was cancelled.
    Cancelled,
}

/// What a client may do about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Pay it.
    Pay,
    /// Cancel it.
    Cancel,
}

/// An order that was placed, or may have been.
#[derive(Clone, Debug)]
pub struct Order {
    /// What was ordered, sorted by item.
    pub lines: Vec<Line>,
    /// The idempotency key that it was sent with.
    pub key: Option<String>,
    /// Its id; none while it is not known whether it was placed.
    pub id: Option<String>,
    /// The latest that is known.
    pub status: Status,
    /// What was asked for and not answered.
    pub unsure: Vec<Decision>,
}

/// An adjustment of which it is not known whether it was made.
#[derive(Clone, Debug)]
pub struct Adjustment {
    /// Of which item.
    pub item: usize,
    /// By how much.
    pub delta: i64,
    /// The idempotency key that it was sent with.
    pub key: String,
}

/// Everything that was told.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// What each item started with, and acknowledged adjustments.
    pub supply: [i64; ITEMS.len()],
    /// Orders that were acknowledged or may be there.
    pub orders: Vec<Order>,
    /// Adjustments that may have been made.
    pub unsure: Vec<Adjustment>,
    /// What does not fit together.
    pub contradictions: Vec<String>,
    ids: HashSet<String>,
    /// What is held, of each item, by orders whose client has no id and no key for them.
    lost: [i64; ITEMS.len()],
    /// The requests for such orders since the last look at the stock.
    cut_off: Vec<Vec<Line>>,
}

impl Books {
    /// Books of a shop that has so many of each item.
    pub fn new(supply: i64) -> Self {
        Self { supply: [supply; ITEMS.len()], ..Self::default() }
    }

    /// Notes what a request for an order was answered.
    pub fn placed(&mut self, lines: Vec<Line>, key: Option<String>, answer: &Answer) {
        let id = match answer {
            Some((201, order)) => match self.pending(order) {
                Some(id) => Some(id),
                None => return self.contradiction(format!("a new order is {order}")),
            },
            Some((409, problem)) if problem["code"] == "insufficient_stock" => return,
            Some(answer) => return self.contradiction(format!("an order was answered with {answer:?}")),
            None if key.is_none() => return self.cut_off.push(lines),
            None => None,
        };
        self.orders.push(Order { lines, key, id, status: Status::Pending, unsure: Vec::new() });
    }

    /// The id of an order that nobody else has, and that can be paid.
    fn pending(&mut self, order: &Value) -> Option<String> {
        let id = order["order_id"].as_str()?.to_owned();
        (order["status"] == "pending" && self.ids.insert(id.clone())).then_some(id)
    }

    /// Notes what the repeat of a request for an order was answered: with that one order.
    pub fn repeated(&mut self, order: usize, answer: &Answer) {
        let known = self.orders[order].clone();
        match answer {
            Some((201, _)) if known.id.is_some() => self.unchanged(order, answer),
            Some((201, placed)) => match self.pending(placed) {
                Some(id) => self.orders[order].id = Some(id),
                None => self.contradiction(format!("{known:?} is {placed}")),
            },
            _ => self.contradiction(format!("the repeat of {known:?} was answered with {answer:?}")),
        }
    }

    /// Compares an order with what is known of it.
    pub fn unchanged(&mut self, order: usize, answer: &Answer) {
        let known = &self.orders[order];
        let now = answer.as_ref().map(|(_, order)| (order["order_id"].as_str(), status(order)));
        if now != Some((known.id.as_deref(), Some(known.status))) {
            self.contradiction(format!("{known:?} is now {answer:?}"));
        }
    }

    /// Notes what a decision about an order was answered.
    pub fn decided(&mut self, order: usize, decision: Decision, answer: &Answer) {
        let (done, code) = match decision {
            Decision::Pay => (Status::Paid, "order_not_payable"),
            Decision::Cancel => (Status::Cancelled, "order_not_cancellable"),
        };
        let told = match answer {
            Some((200, body)) => status(body).filter(|status| *status == done),
            Some((409, problem)) if problem["code"] == code => {
                named(&problem["order_status"]).filter(|status| ![Status::Pending, done].contains(status))
            }
            None => return self.orders[order].unsure.push(decision),
            Some(_) => None,
        };
        let known = &mut self.orders[order];
        match told {
            Some(told) if [Status::Pending, told].contains(&known.status) => known.status = told,
            _ => {
                let contradiction = format!("{decision:?} of {known:?} was answered with {answer:?}");
                self.contradiction(contradiction);
            }
        }
    }

    /// Notes what an order looked like that was known to have `before` when somebody asked to see it.
    pub fn seen(&mut self, order: usize, before: Status, answer: &Answer) {
        let seen = match answer {
            Some((200, body)) => status(body),
            Some(_) => None,
            None => return,
        };
        // It can be pending only if nothing had been decided by then; what is decided is decided for ever.
        let known = &mut self.orders[order];
        match seen {
            Some(Status::Pending) if before == Status::Pending => {}
            Some(seen) if seen != Status::Pending && [Status::Pending, seen].contains(&known.status) => {
                known.status = seen;
            }
            _ => {
                let contradiction = format!("{known:?}, which was {before:?}, is now {answer:?}");
                self.contradiction(contradiction);
            }
        }
    }

    /// Notes what an adjustment was answered.
    pub fn adjusted(&mut self, adjustment: Adjustment, answer: &Answer) {
        match answer {
            Some((200, _)) => self.supply[adjustment.item] += adjustment.delta,
            Some((409, problem)) if problem["code"] == "insufficient_stock" => {}
            Some(answer) => self.contradiction(format!("{adjustment:?} was answered with {answer:?}")),
            None => self.unsure.push(adjustment),
        }
    }

    /// Compares the stock with everything that was told, when nothing is unsure any more but orders without a key.
    pub fn compare(&mut self, stock: &[Answer]) {
        match self.missing(stock) {
            Ok(missing) => {
                self.lost = missing;
                self.cut_off.clear();
            }
            Err(contradiction) => self.contradiction(contradiction),
        }
    }

    /// Whether all is there but what was missing when somebody looked last.
    pub fn is_nothing_more_missing(&self, stock: &[Answer]) -> bool {
        self.missing(stock).is_ok_and(|missing| missing == self.lost)
    }

    /// What is missing of each item beyond what is in orders that clients can name, or what does not fit.
    ///
    /// What is available is what was supplied, less what is in orders that are pending or paid, less what is held by
    /// orders that were cut off and that nobody can name: each of those holds none of its lines, or the first few.
    ///
    /// # Errors
    /// Says what does not fit. That is a contradiction unless a change of the item mends it: an order that was cut off
    /// while its lines were given back leaves holds, which are settled in their turn.
    pub fn missing(&self, stock: &[Answer]) -> Result<[i64; ITEMS.len()], String> {
        let mut missing = self.lost;
        for (item, answer) in stock.iter().enumerate() {
            let Some(Stock { available, reserved, on_hand }) = Stock::shown(answer) else {
                return Err(format!("{} is {answer:?}", ITEMS[item]));
            };
            let of = |status| {
                let orders = self.orders.iter().filter(|order| order.status == status && order.id.is_some());
                let lines = orders.flat_map(|order| &order.lines).filter(|line| line.item == item);
                lines.map(|line| line.quantity).sum::<u64>().cast_signed()
            };
            let (pending, paid) = (of(Status::Pending), of(Status::Paid));
            missing[item] = self.supply[item] - pending - paid - available;
            // Paid goods leave when the item is next changed, and count as reserved until then.
            let held = pending + missing[item];
            if on_hand != available + reserved || !(held..=held + paid).contains(&reserved) {
                let is = format!("{on_hand} on hand, {reserved} reserved and {available} available");
                let told = format!("{} supplied, {pending} pending and {paid} paid", self.supply[item]);
                return Err(format!("{}: {is}, but {told}", ITEMS[item]));
            }
        }
        let mut possible = BTreeSet::from([self.lost]);
        for lines in &self.cut_off {
            for before in possible.clone() {
                let mut after = before;
                for line in lines {
                    after[line.item] += line.quantity.cast_signed();
                    possible.insert(after);
                }
            }
        }
        if possible.contains(&missing) {
            Ok(missing)
        } else {
            Err(format!("{missing:?} of {ITEMS:?} is missing, which can only be one of {possible:?}"))
        }
    }

    fn contradiction(&mut self, what: String) {
        self.contradictions.push(what);
    }
}

/// The status of an order that can be there in the end.
fn status(order: &Value) -> Option<Status> {
    named(&order["status"])
}

fn named(status: &Value) -> Option<Status> {
    match status.as_str()? {
        "pending" => Some(Status::Pending),
        "paid" => Some(Status::Paid),
        "cancelled" => Some(Status::Cancelled),
        _ => None,
    }
}

/// How much there is of an item.
pub(crate) struct Stock {
    pub(crate) available: i64,
    pub(crate) reserved: i64,
    on_hand: i64,
}

impl Stock {
    pub(crate) fn shown(answer: &Answer) -> Option<Self> {
        let Some((200, item)) = answer else { return None };
        let amount = |name: &str| item[name].as_i64();
        Some(Self { available: amount("available")?, reserved: amount("reserved")?, on_hand: amount("on_hand")? })
    }
}

//! What clients were told, and whether what is there is the same.

use std::collections::{BTreeSet, HashSet};

use harness::Answer;
use harness::observed::{ItemNo, Items, Line, Observed, Reply, Status, Stock};

use crate::after_sale::{AfterSale, Asked, Kind, Outcome, Progress, Tally};

/// How many items are sold.
pub const ITEMS: usize = 4;

/// The one of which there is too little for all.
pub const SCARCE: ItemNo = 3;

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
    /// The page of the payment provider where its buyer was sent to last.
    pub page: Option<String>,
    /// What operators did since it was paid.
    pub after_sale: AfterSale,
}

/// An adjustment of which it is not known whether it was made.
#[derive(Clone, Debug)]
pub struct Adjustment {
    /// Of which item.
    pub item: ItemNo,
    /// By how much.
    pub delta: i64,
    /// The idempotency key that it was sent with.
    pub key: String,
}

/// Everything that was told.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// What each item started with, and acknowledged adjustments.
    pub supply: [i64; ITEMS],
    /// Orders that were acknowledged or may be there.
    pub orders: Vec<Order>,
    /// Adjustments that may have been made.
    pub unsure: Vec<Adjustment>,
    /// What does not fit together.
    pub contradictions: Vec<String>,
    /// Whether orders are paid at a payment provider, who may make one paid at any time. Those that are not paid expire.
    pub with_provider: bool,
    /// The pages of the provider on which it has told a buyer that the payment was made.
    pub paid_on: Vec<String>,
    /// What operators asked for and was not answered.
    pub open: Vec<Asked>,
    /// Refunds and returns of this round that are on record.
    pub made: Vec<Asked>,
    ids: HashSet<String>,
    /// What is held, of each item, by orders whose client has no id and no key for them.
    lost: [i64; ITEMS],
    /// The requests for such orders since the last look at the stock.
    cut_off: Vec<Vec<Line>>,
}

impl Books {
    /// Books of a shop that has this quantity of each item.
    pub fn new(supply: i64) -> Self {
        Self { supply: [supply; ITEMS], ..Self::default() }
    }

    /// Notes what a request for an order was answered.
    pub fn placed(&mut self, lines: Vec<Line>, key: Option<String>, reply: &Option<Reply>) {
        let id = match reply {
            Some(Reply { code: 201, .. }) => match self.pending(reply) {
                Some(id) => Some(id),
                None => return self.contradiction(format!("a new order is {reply:?}")),
            },
            Some(Reply { observed: Observed::Short { .. }, .. }) => return,
            Some(reply) => return self.contradiction(format!("an order was answered with {reply:?}")),
            None if key.is_none() => return self.cut_off.push(lines),
            None => None,
        };
        let (status, unsure) = (Status::Pending, Vec::new());
        let after_sale = AfterSale::default();
        self.orders.push(Order { lines, key, id, status, unsure, page: None, after_sale });
    }

    /// The id of a new order that no other order has, and that can be paid or could have been.
    fn pending(&mut self, reply: &Option<Reply>) -> Option<String> {
        let id = reply.as_ref()?.order_id.clone()?;
        let is_new = match self.status(reply)? {
            Status::Pending => true,
            Status::Expired => self.with_provider,
            _ => false,
        };
        (is_new && self.ids.insert(id.clone())).then_some(id)
    }

    /// Notes what the repeat of a request for an order was answered: with that one order.
    pub fn repeated(&mut self, order: usize, reply: &Option<Reply>) {
        let known = self.orders[order].clone();
        match reply {
            Some(Reply { code: 201, .. }) if known.id.is_some() => {
                if self.with_provider {
                    self.seen(order, known.status, reply);
                }
                self.unchanged(order, reply);
            }
            Some(Reply { code: 201, .. }) => match self.pending(reply) {
                Some(id) => self.orders[order].id = Some(id),
                None => self.contradiction(format!("{known:?} is {reply:?}")),
            },
            _ => self.contradiction(format!("the repeat of {known:?} was answered with {reply:?}")),
        }
    }

    /// Compares an order with what is known of it.
    pub fn unchanged(&mut self, order: usize, reply: &Option<Reply>) {
        let known = &self.orders[order];
        let now = reply.as_ref().map(|reply| (reply.order_id.as_deref(), self.status(&Some(reply.clone()))));
        if now != Some((known.id.as_deref(), Some(known.status))) {
            self.contradiction(format!("{known:?} is now {reply:?}"));
        }
    }

    /// Notes what a decision was answered about an order that was known to have `before` when a client asked for it.
    pub fn asked(&mut self, order: usize, before: Status, decision: Decision, reply: &Option<Reply>) {
        match reply.as_ref().map(|reply| &reply.observed) {
            // As with what is seen, nothing had been decided by then.
            Some(Observed::AtProvider { page }) if self.with_provider && before == Status::Pending => {
                let known = &mut self.orders[order];
                known.page = page.clone().or(known.page.take());
            }
            _ => self.decided(order, decision, reply),
        }
    }

    /// Notes what a decision about an order was answered, if that has decided it.
    pub fn decided(&mut self, order: usize, decision: Decision, reply: &Option<Reply>) {
        let done = match decision {
            Decision::Pay => Status::Paid,
            Decision::Cancel => Status::Cancelled,
        };
        let told = match (reply.as_ref().map(|reply| &reply.observed), decision) {
            (Some(Observed::Order(status)), _) => Some(fate(*status)).filter(|status| *status == done),
            (Some(Observed::NotPayable(status)), Decision::Pay)
            | (Some(Observed::NotCancellable(status)), Decision::Cancel) => {
                Some(fate(*status)).filter(|status| ![Status::Pending, done].contains(status))
            }
            (Some(_), _) => None,
            (None, _) => return self.orders[order].unsure.push(decision),
        };
        let told = told.filter(|status| self.can_stay(*status));
        let known = &mut self.orders[order];
        match told {
            Some(told) if [Status::Pending, told].contains(&known.status) => known.status = told,
            _ => {
                let contradiction = format!("{decision:?} of {known:?} was answered with {reply:?}");
                self.contradiction(contradiction);
            }
        }
    }

    /// Notes what an order looked like that was known to have `before` when a client asked to see it.
    pub fn seen(&mut self, order: usize, before: Status, reply: &Option<Reply>) {
        if reply.is_none() {
            return;
        }
        // It can be pending only if nothing had been decided by then; what is decided is decided for ever.
        let seen = self.status(reply);
        let known = &mut self.orders[order];
        match seen {
            Some(Status::Pending) if before == Status::Pending => {}
            Some(seen) if seen != Status::Pending && [Status::Pending, seen].contains(&known.status) => {
                known.status = seen;
            }
            _ => {
                let contradiction = format!("{known:?}, which was {before:?}, is now {reply:?}");
                self.contradiction(contradiction);
            }
        }
    }

    /// Notes what an adjustment was answered.
    pub fn adjusted(&mut self, adjustment: Adjustment, reply: &Option<Reply>) {
        match reply.as_ref().map(|reply| &reply.observed) {
            Some(Observed::Item(_)) => self.supply[adjustment.item] += adjustment.delta,
            Some(Observed::Short { .. }) => {}
            Some(_) => self.contradiction(format!("{adjustment:?} was answered with {reply:?}")),
            None => self.unsure.push(adjustment),
        }
    }

    /// Compares the stock with everything that was told, when nothing is unsure any more but orders without a key.
    pub fn compare(&mut self, stock: &[Option<Reply>]) {
        if self.with_provider {
            // What no client can name is not paid, and has expired.
            self.cut_off.clear();
        }
        match self.missing(stock) {
            Ok(missing) => {
                self.lost = missing;
                self.cut_off.clear();
            }
            Err(contradiction) => self.contradiction(contradiction),
        }
    }

    /// Whether all is there but what was missing at the last look.
    pub fn is_nothing_more_missing(&self, stock: &[Option<Reply>]) -> bool {
        self.missing(stock).is_ok_and(|missing| missing == self.lost)
    }

    /// What is missing of each item beyond what is in orders that clients can name, or what does not fit.
    ///
    /// What is available is what was supplied, less what is in orders that are pending or paid, less what is held by
    /// orders that were cut off and that no client can name: each of those holds none of its lines, or the first few.
    ///
    /// # Errors
    /// Says what does not fit. That is a contradiction unless a change of the item mends it: an order that was cut off
    /// while its lines were given back leaves holds, which are settled in their turn.
    pub fn missing(&self, stock: &[Option<Reply>]) -> Result<[i64; ITEMS], String> {
        let mut missing = self.lost;
        for (item, reply) in stock.iter().enumerate() {
            let Some(stock) = shown(reply) else {
                return Err(format!("item {item} is {reply:?}"));
            };
            let of = |status| {
                let orders = self.orders.iter().filter(|order| order.status == status && order.id.is_some());
                let lines = orders.flat_map(|order| &order.lines).filter(|line| line.item == item);
                lines.map(|line| line.quantity).sum::<u64>()
            };
            let (pending, paid) = (of(Status::Pending), of(Status::Paid));
            let supplied = self.supply[item] + self.back(item, true).cast_signed();
            missing[item] = stock.missing(supplied, pending, paid).ok_or_else(|| {
                format!("item {item}: {stock:?}, but {supplied} supplied, {pending} pending and {paid} paid")
            })?;
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
            Err(format!("{missing:?} is missing of the items, which can only be one of {possible:?}"))
        }
    }

    /// Notes what an operator was answered. `before` is how far the refund was known to have come when it was asked for.
    pub fn operated(&mut self, asked: Asked, before: Option<Progress>, answer: &Option<Answer>) {
        let Some(answer) = answer else { return self.open.push(asked) };
        match self.orders[asked.order].after_sale.answered(&asked, before, answer) {
            // A fulfilment that is said again would take the place of a later one.
            Ok(Outcome::Done) if asked.kind == Kind::Fulfilment => {}
            Ok(Outcome::Done) => self.made.push(asked),
            Ok(Outcome::Refused) => {}
            Err(why) => {
                let known = &self.orders[asked.order];
                let said = format!("{asked:?} about {known:?} was answered with {}: {why}", shown_as(answer));
                self.contradiction(said);
            }
        }
    }

    /// Compares a paid order, as it is, with what operators were told.
    pub fn compare_after_sale(&mut self, order: usize, answer: &Option<Answer>) {
        let Some(answer) = answer else { return };
        if let Err(why) = self.orders[order].after_sale.compare(&answer.value()) {
            let contradiction = format!("{:?} is now {}: {why}", self.orders[order], shown_as(answer));
            self.contradiction(contradiction);
        }
    }

    /// Compares the books of the shop with what was told of its items.
    pub fn compare_books(&mut self, items: &Items, answer: &Option<Answer>) {
        let books = answer.as_ref().map(Answer::value).unwrap_or_default();
        for item in 0..ITEMS {
            let name = items.name(item);
            let account = books["items"].as_array().and_then(|all| all.iter().find(|one| one["item_id"] == *name));
            let Some(account) = account else {
                self.contradiction(format!("{name} is not in the books: {books}"));
                continue;
            };
            let paid = self.orders.iter().filter(|order| order.status == Status::Paid);
            let lines = paid.flat_map(|order| &order.lines).filter(|line| line.item == item);
            let sold: u64 = lines.map(|line| line.quantity).sum();
            let [restocked, written_off] = [true, false].map(|to_stock| self.back(item, to_stock));
            let received = self.supply[item].unsigned_abs();
            let on_hand = received + restocked - sold;
            let told = [received, sold, restocked + written_off, written_off, on_hand];
            let is = ["received", "sold", "returned", "written_off", "on_hand"].map(|name| account[name].as_u64());
            if is != told.map(Some) || account["balanced"] != true {
                self.contradiction(format!("{account} is not what was told: {told:?}"));
            }
        }
    }

    /// How many of an item came back, into stock or written off.
    fn back(&self, item: ItemNo, to_stock: bool) -> u64 {
        let name = Items::default().name(item);
        self.orders.iter().map(|order| order.after_sale.back(&name, to_stock)).sum()
    }

    /// How much operators have done.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        self.orders.iter().for_each(|order| tally += order.after_sale.tally());
        tally
    }

    /// Notes a contradiction.
    pub fn contradiction(&mut self, what: String) {
        self.contradictions.push(what);
    }

    /// The status of the order in a reply, if an order can have it in the end.
    fn status(&self, reply: &Option<Reply>) -> Option<Status> {
        match reply.as_ref()?.observed {
            Observed::Order(status) => Some(fate(status)).filter(|status| self.can_stay(*status)),
            _ => None,
        }
    }

    /// Whether an acknowledged order can have this fate.
    fn can_stay(&self, status: Status) -> bool {
        match status {
            Status::Pending | Status::Paid | Status::Cancelled => true,
            Status::Expired => self.with_provider,
            Status::Placing | Status::Rejected | Status::Fulfilled | Status::Refunded => false,
        }
    }
}

/// What an order with this status has come to. What operators do with one that is paid is another question.
fn fate(status: Status) -> Status {
    match status {
        Status::Fulfilled | Status::Refunded => Status::Paid,
        other => other,
    }
}

fn shown_as(answer: &Answer) -> String {
    format!("{} {}", answer.status, answer.value())
}

/// The stock in a reply.
pub(crate) fn shown(reply: &Option<Reply>) -> Option<Stock> {
    match reply.as_ref()?.observed {
        Observed::Item(stock) => Some(stock),
        _ => None,
    }
}

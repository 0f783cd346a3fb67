//! The books of a shop: whether its records are consistent, and their totals.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{Adjustment, Item, Unreadable};

/// The totals of a shop's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// The number of items.
    pub items: u64,
    /// The units in stock, reserved ones included.
    pub on_hand: u64,
    /// The units that are reserved.
    pub reserved: u64,
    /// Orders that can still be paid, or expire.
    pub unpaid: u64,
    /// Orders that are paid.
    pub paid: u64,
    /// Orders that are cancelled or expired.
    pub void: u64,
    /// The units in paid orders.
    pub sold: u64,
    /// The units of these that came back.
    pub returned: u64,
    /// What was given back of the money that was paid for these, in minor units.
    pub refunded: u64,
    /// Idempotency keys that are mapped to an order.
    pub keys: u64,
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { items, on_hand, reserved, unpaid, paid, void, sold, returned, refunded, keys } = self;
        write!(f, "{items} items, {on_hand} on hand, {reserved} of them reserved; ")?;
        write!(f, "{unpaid} orders unpaid, {paid} paid with {sold} sold")?;
        if *returned > 0 {
            write!(f, " and {returned} returned")?;
        }
        if *refunded > 0 {
            write!(f, ", {refunded} of the money given back")?;
        }
        write!(f, ", {void} void; {keys} keys")
    }
}

/// An inconsistency between records.
#[derive(Debug, thiserror::Error)]
pub enum Imbalance {
    /// A record that is no such record.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, Unreadable),
    /// A key that no record of a shop has.
    #[error("{0} is no record of a shop")]
    Foreign(String),
    /// More of an item is reserved than is in stock.
    #[error("{reserved} of {item} are reserved, and {on_hand} are there")]
    Oversold {
        /// Which item.
        item: String,
        /// How much is reserved.
        reserved: u64,
        /// How much is there.
        on_hand: u64,
    },
    /// The units in stock are not those received, less those sold, and those of them that came back.
    #[error("the books of {0} do not add up: {1}")]
    Lost(String, String),
    /// Of an item other goods have come back than the records of orders say, or more than were sold.
    #[error("{returned} of {item} came back, and orders say {recorded}")]
    Returned {
        /// Which item.
        item: String,
        /// How many the item says.
        returned: u64,
        /// How many the orders say.
        recorded: u64,
    },
    /// More of an item is on record as coming back than an order has.
    #[error("of order:{0} more of {1} is to come back than was sold")]
    MoreThanSold(Uuid, String),
    /// More money is on record as given back than was paid for an order.
    #[error("of order:{order} {refunded} is given back, and {paid} was paid")]
    MoreThanPaid {
        /// Which order.
        order: Uuid,
        /// How much is given back.
        refunded: u64,
        /// How much was paid.
        paid: u64,
    },
    /// One record needs another.
    #[error("{0} is there, and {1} is not")]
    Missing(String, String),
    /// An item that cannot be found.
    #[error("inventory:{0} is there, and the catalog does not list it")]
    Unlisted(String),
    /// An item has a hold that its order does not ask for.
    #[error("inventory:{0} holds what order:{1} does not ask for")]
    Hold(String, Uuid),
    /// A buyer can be charged for an order, and not all of it is held.
    #[error("order:{0} is at the payment provider, and inventory:{1} does not hold it")]
    NotHeldAtProvider(Uuid, String),
    /// A customer was told that all of an order is held, and it is not.
    #[error("order:{0} is confirmed, and inventory:{1} does not hold it")]
    NotHeld(Uuid, String),
}

/// Faults: how many of each kind, and one for example.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(BTreeMap<String, (u64, String)>);

impl Faults {
    /// Notes a fault of this kind.
    pub fn add(&mut self, kind: &str, example: impl fmt::Display) {
        match self.0.get_mut(kind) {
            Some((count, _)) => *count += 1,
            None => _ = self.0.insert(kind.to_owned(), (1, example.to_string())),
        }
    }

    /// Adds those of another.
    pub fn extend(&mut self, other: Self) {
        for (kind, (count, example)) in other.0 {
            self.0.entry(kind).or_insert((0, example)).0 += count;
        }
    }

    /// How many faults of a kind there are.
    pub fn of(&self, kind: &str) -> u64 {
        self.0.get(kind).map_or(0, |(count, _)| *count)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (kind, (count, example))) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(f, "{separator}{kind}: {count}, e. g. {example}")?;
        }
        Ok(())
    }
}

/// How many of an item come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coming {
    /// The item has them.
    pub back: u64,
    /// Those of them that are written off.
    pub written_off: u64,
    /// They are on record in their orders, and the item does not have them yet.
    pub claimed: u64,
}

/// The records of a shop.
#[derive(Clone, Debug, Default)]
pub struct Books {
    listed: Option<BTreeSet<String>>,
    /// How many numbers of the list of orders were given out.
    given: u64,
    items: BTreeMap<String, Item>,
    orders: BTreeMap<Uuid, Vec<Line>>,
    states: BTreeMap<Uuid, State>,
    /// How often each order is named in the list of orders.
    placed: BTreeMap<Uuid, u64>,
    /// The highest number of the list that has a record.
    last_placed: Option<u64>,
    /// Whether closed orders are removed.
    swept: bool,
    mapped: BTreeMap<String, Uuid>,
    /// The names of their records.
    adjustments: BTreeSet<String>,
    /// What is no record of a shop, or what no claim cell names.
    foreign: Vec<String>,
    /// Claim cells, and whether each is claimed.
    cells: BTreeMap<String, bool>,
}

#[derive(Debug, Deserialize)]
struct Catalog {
    items: BTreeSet<String>,
}

/// The refunds that are not finished.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refunding {
    #[serde(rename = "version")]
    _version: u64,
    #[serde(rename = "refunds")]
    _refunds: Vec<serde::de::IgnoredAny>,
}

/// How far closed orders are removed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Swept {
    #[serde(rename = "below")]
    _below: u64,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "that it is there is all that is asked of some of it")]
struct Ledger {
    id: String,
    next: u64,
    by: String,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "that it is there is all that is asked of it")]
struct Made {
    at: u64,
    delta: i64,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Order {
    lines: Vec<Line>,
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Line {
    /// Which item.
    pub item_id: String,
    /// How many.
    pub quantity: u64,
}

/// What an order has come to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It can be paid, or expires.
    Unpaid {
        /// Whether its client was told that all of it is held.
        #[serde(default)]
        confirmed: bool,
    },
    /// Its buyer may be paying at the payment provider, who decides. All of it is held.
    AtProvider {
        /// The provider's name of the session in which the buyer can pay.
        session: String,
    },
    /// It is paid.
    Paid {
        /// How much, in minor units.
        #[serde(default)]
        amount: u64,
        /// What of that was given back.
        #[serde(default)]
        refunds: Vec<Refund>,
        /// What came back of it.
        #[serde(default)]
        returns: Vec<Return>,
        /// How its goods went out.
        #[serde(default)]
        fulfilment: Option<serde_json::Value>,
    },
    /// It has come to nothing.
    Void {
        /// `cancelled`, `expired` or `rejected`.
        #[serde(default)]
        reason: String,
    },
}

/// A refund of what was paid for an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Refund {
    /// Its name.
    pub id: String,
    /// How much, in minor units.
    pub amount: u64,
    /// How far it has come, as far as is known.
    #[serde(default)]
    pub state: Option<String>,
}

impl Refund {
    /// Whether it counts: it has not failed.
    pub fn counts(&self) -> bool {
        self.state.as_deref() != Some("failed")
    }
}

/// Goods of an order that come back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Return {
    /// Its name.
    pub id: String,
    /// How many of each item.
    pub lines: Vec<(String, u64)>,
    /// Whether they go into `stock`, or are `written_off`.
    pub to: String,
    /// Whether all items have them.
    #[serde(default)]
    pub done: bool,
}

impl State {
    /// What was given back of what was paid for it.
    pub fn refunds(&self) -> &[Refund] {
        match self {
            Self::Paid { refunds, .. } => refunds,
            Self::Unpaid { .. } | Self::AtProvider { .. } | Self::Void { .. } => &[],
        }
    }

    /// What came back of it.
    pub fn returns(&self) -> &[Return] {
        match self {
            Self::Paid { returns, .. } => returns,
            Self::Unpaid { .. } | Self::AtProvider { .. } | Self::Void { .. } => &[],
        }
    }

    /// The name of it: that of the reason where it came to nothing.
    pub fn name(&self) -> &str {
        match self {
            Self::Unpaid { .. } | Self::AtProvider { .. } => "pending",
            Self::Paid { .. } => "paid",
            Self::Void { reason } => reason,
        }
    }
}

/// The id in the name of a record.
fn id(key: &str, id: &str) -> Result<Uuid, Imbalance> {
    id.parse().map_err(|_| Imbalance::Foreign(key.to_owned()))
}

fn json<'a, T: Deserialize<'a>>(key: &str, bytes: &'a [u8]) -> Result<T, Imbalance> {
    serde_json::from_slice(bytes).map_err(|error| Imbalance::Unreadable(key.to_owned(), error.into()))
}

/// Under which names the record of an adjustment may be kept: that of its key alone, or that of its key and what was
/// asked for.
fn names(adjustment: &Adjustment) -> [String; 2] {
    let mut hash = Sha256::new();
    for part in [adjustment.key.to_string(), adjustment.request.to_string()] {
        hash.update(part);
        hash.update([0]);
    }
    let both = hex::encode(&hash.finalize()[..16]);
    [adjustment.key.to_string(), both]
}

impl Books {
    /// The books of a store with these records, under the keys that the store has for them: what is claimed is entered
    /// under the key that the rules know it by. What does not belong into a store is among the faults.
    ///
    /// # Errors
    /// Says which record cannot be read.
    pub fn of_store(raw: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Self, Imbalance> {
        let mut books = Self::default();
        let mut claims = BTreeMap::new();
        let mut claimed = Vec::new();
        for (key, value) in raw {
            match key.split_once('~') {
                Some((name, "")) => {
                    let token = crate::token(&value).map_err(|error| Imbalance::Unreadable(key.clone(), error))?;
                    books.cells.insert(name.to_owned(), token.is_some());
                    claims.insert(name.to_owned(), token.map(|token| token.to_string()));
                }
                Some((name, token)) => claimed.push((name.to_owned(), Some(token.to_owned()), value)),
                None => books.enter_all(&key, &value)?,
            }
        }
        for (name, token, value) in claimed {
            match claims.get(&name) {
                Some(claim) if *claim == token => books.enter_all(&name, &value)?,
                _ => books.foreign.push(format!("{name}~{}", token.unwrap_or_default())),
            }
        }
        Ok(books)
    }

    /// Enters a record, or notes that it is none of a shop.
    fn enter_all(&mut self, key: &str, bytes: &[u8]) -> Result<(), Imbalance> {
        match self.enter(key, bytes) {
            Err(Imbalance::Foreign(key)) => self.foreign.push(key),
            entered => entered?,
        }
        Ok(())
    }

    /// Enters a record, under the key that the rules know it by.
    ///
    /// # Errors
    /// Explains why it is not a record of a shop.
    pub fn enter(&mut self, key: &str, bytes: &[u8]) -> Result<(), Imbalance> {
        match key.split_once(':') {
            None if key == "catalog" => self.listed = Some(json::<Catalog>(key, bytes)?.items),
            None if key == "swept" => {
                json::<Swept>(key, bytes)?;
                self.swept = true;
            }
            None if key == "refunding" => drop(json::<Refunding>(key, bytes)?),
            None if key == "ledger" => self.given = json::<Ledger>(key, bytes)?.next,
            Some(("inventory", item)) => {
                let read = Item::decode(bytes).map_err(|error| Imbalance::Unreadable(key.to_owned(), error))?;
                self.items.insert(item.to_owned(), read);
            }
            Some(("order", order)) => _ = self.orders.insert(id(key, order)?, json::<Order>(key, bytes)?.lines),
            Some(("payment", order)) => _ = self.states.insert(id(key, order)?, json(key, bytes)?),
            Some(("placed", number)) => {
                let number = number.parse().map_err(|_| Imbalance::Foreign(key.to_owned()))?;
                self.last_placed = self.last_placed.max(Some(number));
                for order in json::<Vec<Uuid>>(key, bytes)? {
                    *self.placed.entry(order).or_default() += 1;
                }
            }
            Some(("adjustment", name)) => {
                json::<Made>(key, bytes)?;
                self.adjustments.insert(name.to_owned());
            }
            Some(("idempotency", _)) if crate::is_removed(key, bytes) => {}
            Some(("idempotency", digest)) => _ = self.mapped.insert(digest.to_owned(), json(key, bytes)?),
            // When the store was last tried: of no account, and known.
            Some(("probe", "last")) => {}
            _ => return Err(Imbalance::Foreign(key.to_owned())),
        }
        Ok(())
    }

    /// All items, by their ids.
    pub fn items(&self) -> &BTreeMap<String, Item> {
        &self.items
    }

    /// The lines of each order.
    pub fn orders(&self) -> &BTreeMap<Uuid, Vec<Line>> {
        &self.orders
    }

    /// What each order has come to.
    pub fn states(&self) -> &BTreeMap<Uuid, State> {
        &self.states
    }

    /// Which order each idempotency key is mapped to, by the digest of the key.
    pub fn mapped(&self) -> &BTreeMap<String, Uuid> {
        &self.mapped
    }

    /// Whether an order is paid.
    pub fn is_paid(&self, order: &Uuid) -> bool {
        matches!(self.states.get(order), Some(State::Paid { .. }))
    }

    /// How many of an item are in paid orders that `counts`.
    pub fn paid(&self, item: &str, counts: impl Fn(&Uuid) -> bool) -> u64 {
        let paid = self.orders.iter().filter(|(order, _)| self.is_paid(order) && counts(order));
        let lines = paid.flat_map(|(_, lines)| lines).filter(|line| line.item_id == item);
        lines.map(|line| line.quantity).sum()
    }

    /// How many of an item are on record as coming back: what is back, and what may not be back yet. Of the first, how
    /// many are written off.
    pub fn returned(&self, item: &str) -> Coming {
        let remembered: BTreeSet<_> =
            self.items.get(item).into_iter().flat_map(|item| &item.returns).map(|one| one.id.to_string()).collect();
        let mut coming = Coming::default();
        for one in self.states.values().flat_map(State::returns) {
            let quantity: u64 = one.lines.iter().filter(|(other, _)| other == item).map(|(_, quantity)| quantity).sum();
            if one.done || remembered.contains(&one.id) {
                coming.back += quantity;
                coming.written_off += if one.to == "written_off" { quantity } else { 0 };
            } else {
                coming.claimed += quantity;
            }
        }
        coming
    }

    /// How many orders are listed whose records were withdrawn: a request that places an order under an idempotency key
    /// and finds another order there takes its own records back. The list keeps the name, since its records never
    /// change.
    pub fn withdrawn(&self) -> usize {
        let is_there = |order: &&Uuid| self.orders.contains_key(order) || self.states.contains_key(order);
        self.placed.keys().filter(|order| !is_there(order)).count()
    }

    /// Records that no other record names, and names of records that are not there: none in a store that is not in use.
    pub fn unnamed(&self) -> Faults {
        let mut faults = Faults::default();
        for (order, lines) in &self.orders {
            if !self.states.contains_key(order) {
                faults.add("orders without a payment", order);
            }
            match self.placed.get(order) {
                Some(1) => {}
                Some(_) => faults.add("orders that are listed twice", order),
                None => faults.add("orders that are not listed", order),
            }
            if let Some(line) = lines.iter().find(|line| !self.items.contains_key(&line.item_id)) {
                faults.add("orders of an item that is not there", format!("{order}: {}", line.item_id));
            }
        }
        for order in self.states.keys().filter(|order| !self.orders.contains_key(order)) {
            faults.add("payments without an order", order);
        }
        if let Some(number) = self.last_placed.filter(|number| *number >= self.given) {
            faults.add("lists of orders that the ledger does not know", format!("placed:{number}"));
        }
        let none = BTreeSet::new();
        let listed = self.listed.as_ref().unwrap_or(&none);
        for (item, record) in &self.items {
            for order in record.holds.keys().filter(|order| !self.may_hold(order, item, record)) {
                faults.add("holds of what no order asks for", format!("inventory:{item}, order {order}"));
            }
            for order in record.settled_keys.values().filter(|order| !self.may_be_named(order)) {
                faults.add("settled keys without an order", format!("inventory:{item}, order {order}"));
            }
            if !listed.contains(item) {
                faults.add("items that are not listed", item);
            }
        }
        for item in listed.iter().filter(|item| !self.items.contains_key(*item)) {
            faults.add("listed items that are not there", item);
        }
        for (digest, order) in self.mapped.iter().filter(|(_, order)| !self.may_be_named(order)) {
            faults.add("mapped keys without an order", format!("idempotency:{digest}, order {order}"));
        }
        let remembered: BTreeSet<_> = self.items.values().flat_map(|item| &item.adjustments).flat_map(names).collect();
        for name in self.adjustments.difference(&remembered) {
            faults.add("adjustments that no item remembers", format!("adjustment:{name}"));
        }
        for (name, is_claimed) in &self.cells {
            let is_item = name.strip_prefix("inventory:").is_some_and(|item| self.items.contains_key(item));
            if !is_claimed || !(is_item || ["catalog", "ledger", "refunding", "swept"].contains(&name.as_str())) {
                faults.add("claim cells without a record", format!("{name}~"));
            }
        }
        self.foreign.iter().for_each(|key| faults.add("records of no known kind, or that no claim cell names", key));
        faults
    }

    /// Whether an order is there, or may have been removed. A request that was stopped for long may write a hold or a key
    /// of a removed order. It is passed over, and goes when it is met.
    fn may_be_named(&self, order: &Uuid) -> bool {
        let is_there = self.orders.contains_key(order) || self.states.contains_key(order);
        is_there || self.swept
    }

    /// Whether a hold is as it should be, or of an order that may have been removed.
    fn may_hold(&self, order: &Uuid, item: &str, record: &Item) -> bool {
        self.asks_for(order, item, record) || !self.orders.contains_key(order) && self.may_be_named(order)
    }

    /// Whether the order of a hold asks for what is held.
    fn asks_for(&self, order: &Uuid, item: &str, record: &Item) -> bool {
        let quantity = record.holds.get(order).map(|hold| hold.quantity);
        let lines = self.orders.get(order).into_iter().flatten();
        lines.filter(|line| line.item_id == item).any(|line| Some(line.quantity) == quantity)
    }

    /// Adds all up, once everything is entered.
    ///
    /// # Errors
    /// Names the inconsistency.
    pub fn balance(&self) -> Result<Balance, Imbalance> {
        let missing = |there: String, absent: String| Err(Imbalance::Missing(there, absent));
        let mut balance = Balance { keys: self.mapped.len() as u64, ..Balance::default() };
        for (item, record) in &self.items {
            let on_hand = record.on_hand;
            if !record.is_balanced() {
                return Err(Imbalance::Lost(item.clone(), record.account()));
            }
            let (returned, coming) = (record.returned.unwrap_or_default(), self.returned(item));
            if (returned, record.written_off.unwrap_or_default()) != (coming.back, coming.written_off) {
                return Err(Imbalance::Returned { item: item.clone(), returned, recorded: coming.back });
            }
            balance.returned += returned;
            // An item is listed before it is made; those that come with a new shop are made first, all of them.
            if self.listed.as_ref().is_some_and(|listed| !listed.contains(item)) {
                return Err(Imbalance::Unlisted(item.clone()));
            }
            let reserved = record.holds.values().map(|hold| hold.quantity).sum();
            if reserved > on_hand {
                return Err(Imbalance::Oversold { item: item.clone(), reserved, on_hand });
            }
            if let Some(order) = record.holds.keys().find(|order| !self.may_hold(order, item, record)) {
                if !self.orders.contains_key(order) {
                    return missing(format!("inventory:{item}"), format!("order:{order}"));
                }
                return Err(Imbalance::Hold(item.clone(), *order));
            }
            balance.items += 1;
            balance.on_hand += on_hand;
            balance.reserved += reserved;
        }
        for (order, lines) in &self.orders {
            match self.states.get(order) {
                None => return missing(format!("order:{order}"), format!("payment:{order}")),
                Some(state @ (State::Unpaid { .. } | State::AtProvider { .. })) => {
                    balance.unpaid += 1;
                    let is_held =
                        |line: &&Line| self.items.get(&line.item_id).is_some_and(|item| item.holds.contains_key(order));
                    let missing = lines.iter().find(|line| !is_held(line)).map(|line| line.item_id.clone());
                    match (state, missing) {
                        (State::AtProvider { .. }, Some(item)) => {
                            return Err(Imbalance::NotHeldAtProvider(*order, item));
                        }
                        (State::Unpaid { confirmed: true }, Some(item)) => {
                            return Err(Imbalance::NotHeld(*order, item));
                        }
                        _ => {}
                    }
                }
                Some(State::Paid { amount, refunds, returns, .. }) => {
                    let refunded = refunds.iter().filter(|one| one.counts()).map(|one| one.amount).sum();
                    if refunded > *amount {
                        return Err(Imbalance::MoreThanPaid { order: *order, refunded, paid: *amount });
                    }
                    balance.refunded += refunded;
                    for line in lines {
                        let of_line =
                            returns.iter().flat_map(|one| &one.lines).filter(|(item, _)| *item == line.item_id);
                        if of_line.map(|(_, quantity)| quantity).sum::<u64>() > line.quantity {
                            return Err(Imbalance::MoreThanSold(*order, line.item_id.clone()));
                        }
                    }
                    balance.paid += 1;
                    balance.sold += lines.iter().map(|line| line.quantity).sum::<u64>();
                }
                Some(State::Void { .. }) => balance.void += 1,
            }
        }
        if let Some(order) = self.states.keys().find(|order| !self.orders.contains_key(order)) {
            return missing(format!("payment:{order}"), format!("order:{order}"));
        }
        if let Some((digest, order)) = self.mapped.iter().find(|(_, order)| !self.may_be_named(order)) {
            return missing(format!("idempotency:{digest}"), format!("order:{order}"));
        }
        Ok(balance)
    }
}

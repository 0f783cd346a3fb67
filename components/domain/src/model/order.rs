//! The record of an order: what was asked for, at which prices. It never changes; the order's state has a record of its
//! own.

use serde::Serialize;

use crate::model::amounts::{Currency, Money, Quantity};
use crate::model::holds::Hold;
use crate::model::ids::{CustomerId, ItemId, KeyDigest, OrderId};
use crate::model::item::Item;
use crate::model::label::ItemName;
use crate::model::plan::PlaceRequest;
use crate::model::time::Timestamp;

/// The most lines that a request may have.
pub const MAX_LINES: usize = 50;

/// What a customer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// Which items, and how many of each.
    pub lines: Lines,
    /// Who asks.
    pub customer_id: Option<CustomerId>,
    /// What it is expected to cost.
    pub expected: ExpectedPrices,
}

/// The prices that the customer has seen. Those that are not said may be any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedPrices {
    /// The price of one unit of an item, for any of the lines.
    pub units: Vec<(ItemId, Money)>,
    /// The sum of the order.
    pub total: Option<Money>,
}

impl ExpectedPrices {
    /// Whether an order has to have any of its prices.
    pub(crate) fn are_said(&self) -> bool {
        !self.units.is_empty() || self.total.is_some()
    }

    /// Whether the order has these prices.
    pub(crate) fn are_those_of(&self, order: &Order) -> bool {
        let differs = |(item_id, price): &(ItemId, Money)| {
            order.lines.iter().any(|line| line.item_id == *item_id && line.unit_price != *price)
        };
        self.total.is_none_or(|total| total == order.total) && !self.units.iter().any(differs)
    }
}

/// Items and quantities: at least one, each item once, in the order of their ids. All requests go through the items of
/// an order in this one sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lines(Vec<(ItemId, Quantity)>);

/// Lines that no order can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinesError {
    /// No line at all.
    #[error("must have at least one line")]
    Empty,
    /// More than [`MAX_LINES`].
    #[error("must have at most {MAX_LINES} lines")]
    TooMany,
    /// The lines of one item add up to more than a quantity can be.
    #[error("the lines of this item add up to more than {most}", most = Quantity::MAX)]
    TooMuch {
        /// The line that was too much, counted from 0.
        line: usize,
    },
}

impl Lines {
    /// Adds up the lines of the same item and sorts them.
    pub fn new(lines: impl IntoIterator<Item = (ItemId, Quantity)>) -> Result<Self, LinesError> {
        let mut sums = Vec::<(ItemId, Quantity)>::new();
        for (line, (item, quantity)) in lines.into_iter().enumerate() {
            if line >= MAX_LINES {
                return Err(LinesError::TooMany);
            }
            let index = sums.binary_search_by(|(other, _)| other.cmp(&item));
            match index.map(|index| sums.get_mut(index)) {
                Ok(Some((_, sum))) => *sum = sum.checked_add(quantity).ok_or(LinesError::TooMuch { line })?,
                Ok(None) => {}
                Err(index) => sums.insert(index, (item, quantity)),
            }
        }
        if sums.is_empty() { Err(LinesError::Empty) } else { Ok(Self(sums)) }
    }

    /// Those of an order.
    pub(super) fn of_order(lines: &[Line]) -> Self {
        Self(lines.iter().map(|line| (line.item_id.clone(), line.quantity)).collect())
    }

    /// How many of an item there are, if there is a line of it.
    pub fn get(&self, item_id: &ItemId) -> Option<Quantity> {
        let index = self.0.binary_search_by(|(other, _)| other.cmp(item_id)).ok()?;
        self.0.get(index).map(|(_, quantity)| *quantity)
    }

    /// The lines, in the order of their items.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ItemId, Quantity)> + Clone {
        self.0.iter().map(|(item, quantity)| (item, *quantity))
    }
}

/// Lines as records have them.
impl TryFrom<Vec<(ItemId, Quantity)>> for Lines {
    type Error = &'static str;

    fn try_from(lines: Vec<(ItemId, Quantity)>) -> Result<Self, Self::Error> {
        let is_sorted = lines.is_sorted_by(|(one, _), (next, _)| one < next);
        let is_valid = is_sorted && (1..=MAX_LINES).contains(&lines.len());
        if is_valid { Ok(Self(lines)) } else { Err("lines are of each item one, in the order of the items") }
    }
}

/// An order as it was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// Its id.
    pub order_id: OrderId,
    pub(super) lines: Vec<Line>,
    pub(super) total: Money,
    /// The currency of every price in it.
    pub currency: Currency,
    /// The customer, in the client's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// From this moment on it can no longer be paid.
    pub expires_at: Timestamp,
    /// The idempotency key that it was placed under, whose mapping goes when the order does. Orders of earlier versions
    /// do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<KeyDigest>,
}

/// One item of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The item.
    pub item_id: ItemId,
    /// The units ordered.
    pub quantity: Quantity,
    /// The price of one unit when the order was placed.
    pub unit_price: Money,
    /// What the item was called then. A payment provider is told it, and has to be told the same whenever it is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<ItemName>,
}

/// When an order is placed, until when it can be paid, in which currency, and how much it may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Now.
    pub placed_at: Timestamp,
    /// From this moment on it can no longer be paid.
    pub expires_at: Timestamp,
    /// The currency of every price.
    pub currency: Currency,
    /// The most of an item in one order, for items that have no limit of their own.
    pub max_per_order: Option<Quantity>,
}

/// An item holds more or less for an order than the order's line says. Neither is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not hold what the order says")]
pub struct HoldMismatch;

/// The price of these lines, if it fits.
fn total(lines: &[Line]) -> Option<Money> {
    lines.iter().try_fold(Money::ZERO, |sum, line| sum.checked_add(line.unit_price.times(line.quantity)?))
}

impl Order {
    /// The order for these lines, in the order of their items; none if its total is more than money can be.
    pub(super) fn new(request: &PlaceRequest, lines: Vec<Line>, terms: &Terms) -> Option<Self> {
        let PlaceRequest { request, key, order_id } = request;
        let Terms { placed_at, expires_at, currency, .. } = terms.clone();
        let (order_id, key, customer_id) = (*order_id, *key, request.customer_id.clone());
        Some(Self { order_id, total: total(&lines)?, lines, currency, customer_id, placed_at, expires_at, key })
    }

    /// What was ordered, in the order of the items; at least one line, and each item once.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The idempotency key that it was placed under, where it says so.
    pub fn key(&self) -> Option<KeyDigest> {
        self.key
    }

    /// The sum of quantity times price.
    pub fn total(&self) -> Money {
        self.total
    }

    /// Whether this is how `order_id` can have been placed: each item once, in order, and the total their sum.
    pub(crate) fn is_valid(&self, order_id: OrderId) -> bool {
        self.order_id == order_id
            && !self.lines.is_empty()
            && self.lines.is_sorted_by(|one, next| one.item_id < next.item_id)
            && total(&self.lines) == Some(self.total)
    }

    /// What it holds of the item of this line while it is unpaid. The first line's hold carries the idempotency key.
    pub(crate) fn hold(&self, line: &Line, key: Option<KeyDigest>) -> Hold {
        Hold { quantity: line.quantity, expires_at: self.expires_at, key }
    }

    /// What it holds of each item.
    pub(crate) fn holds(&self, key: Option<KeyDigest>) -> impl Iterator<Item = (&ItemId, Hold)> {
        let keys = std::iter::once(key).chain(std::iter::repeat(None));
        self.lines.iter().zip(keys).map(move |(line, key)| (&line.item_id, self.hold(line, key)))
    }

    /// Whether an item holds a line of this order.
    ///
    /// # Errors
    /// If it holds more or less.
    pub(crate) fn is_held(&self, line: &Line, item: &Item) -> Result<bool, HoldMismatch> {
        match item.holds().get(self.order_id) {
            None => Ok(false),
            Some(hold) if hold.quantity == line.quantity => Ok(true),
            Some(_) => Err(HoldMismatch),
        }
    }

    /// Whether `request` asks for what this order was placed for, at no other price: what an idempotency key stands for.
    pub fn matches(&self, request: &NewOrder) -> bool {
        let lines = self.lines.iter().map(|line| (&line.item_id, line.quantity));
        let same = self.customer_id == request.customer_id && lines.eq(request.lines.iter());
        same && request.expected.are_those_of(self)
    }
}

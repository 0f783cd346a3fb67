//! The record of an order: what was asked for, at which prices. It never changes; its fate is its payment's record.

use serde::{Deserialize, Serialize};

use crate::amounts::{Currency, Money, Quantity};
use crate::environment::Timestamp;
use crate::holds::Hold;
use crate::ids::{CustomerId, ItemId, KeyDigest, OrderId};

/// The most lines that a request may have.
pub const MAX_LINES: usize = 50;

/// What a customer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// Which items, and how many of each.
    pub lines: Lines,
    /// Who asks.
    pub customer_id: Option<CustomerId>,
}

/// Items and quantities: at least one, each item once, in the order of their ids. All executors of all orders go
/// through the items in this one order.
#[derive(Debug, Clone, PartialEq, Eq)]
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

    /// The lines, in the order of their items.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ItemId, Quantity)> + Clone {
        self.0.iter().map(|(item, quantity)| (item, *quantity))
    }
}

/// An order as it was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Its name.
    pub order_id: OrderId,
    /// What was ordered, in the order of the items.
    pub lines: Vec<Line>,
    /// The sum of quantity times price.
    pub total: Money,
    /// The currency of every price in it.
    pub currency: Currency,
    /// Who ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// Until when it can be paid.
    pub expires_at: Timestamp,
}

/// One item of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Which item.
    pub item_id: ItemId,
    /// How many.
    pub quantity: Quantity,
    /// What one cost when the order was placed.
    pub unit_price: Money,
}

/// What so many of each cost at these prices, if it fits.
pub(crate) fn total(mut lines: impl Iterator<Item = (Money, Quantity)>) -> Option<Money> {
    lines.try_fold(Money::ZERO, |sum, (unit_price, quantity)| sum.checked_add(unit_price.times(quantity)?))
}

impl Order {
    /// Whether this is how `order_id` can have been placed: each item once, in order, and the total their sum.
    pub(crate) fn is_valid(&self, order_id: OrderId) -> bool {
        let total = total(self.lines.iter().map(|line| (line.unit_price, line.quantity)));
        self.order_id == order_id
            && !self.lines.is_empty()
            && self.lines.is_sorted_by(|one, next| one.item_id < next.item_id)
            && total == Some(self.total)
    }

    /// What it holds of each item while it is not decided. The first hold carries its idempotency key.
    pub(crate) fn holds(&self, key: Option<KeyDigest>) -> impl Iterator<Item = (&ItemId, Hold)> {
        let keys = std::iter::once(key).chain(std::iter::repeat(None));
        let hold = |(line, key): (&Line, _)| Hold { quantity: line.quantity, expires_at: self.expires_at, key };
        self.lines.iter().zip(keys).map(move |(line, key)| (&line.item_id, hold((line, key))))
    }

    /// Whether `request` asks for what this order was placed for: what an idempotency key stands for.
    pub fn matches(&self, request: &NewOrder) -> bool {
        let lines = self.lines.iter().map(|line| (&line.item_id, line.quantity));
        self.customer_id == request.customer_id && lines.eq(request.lines.iter())
    }
}

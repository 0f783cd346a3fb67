//! Which orders a list has, and which of them come first.

use std::time::Duration;

use crate::model::ids::{CustomerId, ItemId};
use crate::model::order::Order;
use crate::model::status::Status;
use crate::model::time::{Day, Timestamp};

/// By how much the time of an order may differ from its place in the list, for a list of some days to have it.
///
/// Orders are placed within [`BLOCK_TTL`](crate::engine::sequence) of the moment at which their numbers were allocated.
/// The rest is for clocks of servers that differ, and for orders of earlier versions, which read the clock before they
/// had a number. An hour costs a list of one day a twelfth more reading.
const MARGIN: Duration = Duration::from_secs(60 * 60);

/// Which orders come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    /// The newest.
    #[default]
    NewestFirst,
    /// The oldest.
    OldestFirst,
}

/// A range of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    first: Timestamp,
    last: Timestamp,
}

/// A range of days that ends before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must not be before the first day")]
pub struct EmptyPeriod;

impl Default for Period {
    fn default() -> Self {
        Self { first: Timestamp::FIRST, last: Timestamp::LAST }
    }
}

impl From<Day> for Period {
    fn from(day: Day) -> Self {
        Self { first: day.first(), last: day.last() }
    }
}

impl Period {
    /// The days from the first to the last, both included. One that is not given is not limited there.
    pub fn new(first: Option<Day>, last: Option<Day>) -> Result<Self, EmptyPeriod> {
        let all = Self::default();
        let (first, last) = (first.map_or(all.first, Day::first), last.map_or(all.last, Day::last));
        if first <= last { Ok(Self { first, last }) } else { Err(EmptyPeriod) }
    }

    fn contains(&self, moment: Timestamp) -> bool {
        (self.first..=self.last).contains(&moment)
    }

    /// Whether there are moments that are listed before those of the period.
    pub(crate) fn has_outside(&self, direction: Direction) -> bool {
        let all = Self::default();
        match direction {
            Direction::NewestFirst => self.last < all.last,
            Direction::OldestFirst => self.first > all.first,
        }
    }

    /// Whether what is listed before an order of this moment was placed outside of the period.
    pub(crate) fn is_ahead_of(&self, moment: Timestamp, direction: Direction) -> bool {
        match direction {
            Direction::NewestFirst => self.is_before(moment),
            Direction::OldestFirst => self.is_after(moment),
        }
    }

    /// Whether what is listed after an order of this moment was placed outside of the period.
    pub(crate) fn is_behind(&self, moment: Timestamp, direction: Direction) -> bool {
        match direction {
            Direction::NewestFirst => self.is_after(moment),
            Direction::OldestFirst => self.is_before(moment),
        }
    }

    /// Whether no order from this one's place on to newer ones is in the period.
    fn is_before(&self, moment: Timestamp) -> bool {
        self.last.after(MARGIN) < moment
    }

    /// Whether no order from this one's place on to older ones is in the period.
    fn is_after(&self, moment: Timestamp) -> bool {
        moment.after(MARGIN) < self.first
    }
}

/// Which orders are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderQuery {
    /// Those with this status.
    pub status: Option<Status>,
    /// Those of this customer.
    pub customer_id: Option<CustomerId>,
    /// Those that have a line with this item.
    pub item_id: Option<ItemId>,
    /// Those that were placed on these days.
    pub placed: Period,
    /// Which of them come first.
    pub direction: Direction,
}

impl OrderQuery {
    /// Whether this leaves out some orders.
    pub(crate) fn leaves_out(&self) -> bool {
        *self != Self { direction: self.direction, ..Self::default() }
    }

    /// Whether an order is wanted, as far as its status has no part in it.
    pub(crate) fn wants(&self, order: &Order) -> bool {
        let has_item = |item_id: &ItemId| order.lines().iter().any(|line| line.item_id == *item_id);
        self.placed.contains(order.placed_at)
            && self.customer_id.as_ref().is_none_or(|customer| order.customer_id.as_ref() == Some(customer))
            && self.item_id.as_ref().is_none_or(has_item)
    }
}

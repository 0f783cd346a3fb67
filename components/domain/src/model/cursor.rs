//! Where a page of the list of orders begins.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::model::listing::Direction;

/// A place in the list: where the next page begins.
///
/// As text it has the id of the sequence, the number and how many orders under it are listed: `id-65-1`. A list that
/// begins with the oldest orders also has its end, so that it does not grow while it is read: `id-64-1-128`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The id of the sequence that the numbers belong to.
    pub(crate) sequence: String,
    /// The numbers that are not listed yet, and the one of which some orders are.
    pub(crate) numbers: Range<u64>,
    /// From which end of them the list goes on.
    pub(crate) direction: Direction,
    /// How many orders under the first of them are listed.
    pub(crate) listed: usize,
}

/// A text that is no place in the list, or one in another list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a cursor that this shop has given out, for a list in this order")]
pub struct InvalidCursor;

impl Cursor {
    /// In which order the list is.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Whether it is a place in a list that goes this way, in the sequence with this id that has given out this many numbers.
    pub(crate) fn is_of(&self, sequence: &str, next: u64, direction: Direction) -> bool {
        let Range { start, end } = self.numbers;
        self.sequence == sequence && self.direction == direction && start <= end && end <= next
    }

    /// The number that is read after this many others.
    pub(crate) fn number(&self, others: u64) -> Option<u64> {
        let number = match self.direction {
            Direction::NewestFirst => self.numbers.end.checked_sub(1)?.checked_sub(others)?,
            Direction::OldestFirst => self.numbers.start.checked_add(others)?,
        };
        Some(number).filter(|number| self.numbers.contains(number))
    }

    /// How many numbers are left.
    pub(crate) fn left(&self) -> u64 {
        self.numbers.end.saturating_sub(self.numbers.start)
    }

    /// The place after this many numbers.
    pub(crate) fn after(&self, numbers: u64) -> Self {
        let Range { start, end } = self.numbers;
        let numbers = match self.direction {
            Direction::NewestFirst => start..end.saturating_sub(numbers).max(start),
            Direction::OldestFirst => start.saturating_add(numbers).min(end)..end,
        };
        Self { numbers, listed: 0, ..self.clone() }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, numbers: Range { start, end }, direction, listed } = self;
        match direction {
            Direction::NewestFirst => write!(f, "{sequence}-{end}-{listed}"),
            Direction::OldestFirst => write!(f, "{sequence}-{start}-{listed}-{end}"),
        }
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let mut parts = text.split('-');
        let (Some(sequence), Some(number), Some(listed), end, None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidCursor);
        };
        let read = |text: &str| text.parse::<u64>().map_err(|_| InvalidCursor);
        let (number, listed) = (read(number)?, listed.parse().map_err(|_| InvalidCursor)?);
        let (numbers, direction) = match end {
            None => (0..number, Direction::NewestFirst),
            Some(end) => (number..read(end)?, Direction::OldestFirst),
        };
        let cursor = Self { sequence: sequence.to_owned(), numbers, direction, listed };
        // One place has one name.
        if cursor.to_string() == text { Ok(cursor) } else { Err(InvalidCursor) }
    }
}

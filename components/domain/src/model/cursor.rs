//! Where a page of the list of orders begins.

use std::fmt;
use std::str::FromStr;

/// A place in the list: where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The id of the sequence that the numbers belong to.
    pub(crate) sequence: String,
    /// The numbers from this one on are listed.
    pub(crate) below: u64,
    /// How many orders under the number before that are listed too.
    pub(crate) listed: usize,
}

/// A text that is no place in the list, or one in another list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a cursor that this shop has given out")]
pub struct InvalidCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, below, listed } = self;
        write!(f, "{sequence}-{below}-{listed}")
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let mut parts = text.split('-');
        let (Some(sequence), Some(below), Some(listed), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidCursor);
        };
        let below = below.parse().map_err(|_| InvalidCursor)?;
        let listed = listed.parse().map_err(|_| InvalidCursor)?;
        let cursor = Self { sequence: sequence.to_owned(), below, listed };
        // One place has one name.
        if cursor.to_string() == text { Ok(cursor) } else { Err(InvalidCursor) }
    }
}

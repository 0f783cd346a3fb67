//! The list of all orders, newest first.
//!
//! A key-value store lists nothing, or everything. So orders are written together with a record that names them, under a
//! number that only they have: one call, no commit more. Numbers come from the sequence, a record that says which are given
//! away. An instance takes [`BLOCK_SIZE`] of them at once, by compare-and-swap, and gives back none: a number without a record
//! is passed over. Whoever lists goes down the numbers.

use std::cell::Cell;
use std::cmp::Reverse;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::error::Error;
use crate::ids::OrderId;
use crate::orders::OrderView;
use crate::shop::{OrderRead, Read, Shop, decode, encode};
use crate::status::Status;
use crate::store::{Key, Store, StoreError, Swap};

/// The most orders on a page.
pub const MAX_LISTED: usize = 100;

/// How many numbers an instance takes at once. It lives for at most 128 requests, and most of these are no orders.
const BLOCK_SIZE: u64 = 64;

/// How long an instance goes on with the numbers that it took. By so much the order of the list may differ from that in which
/// orders were placed. Under load an instance hardly lives longer, and so takes numbers once.
const BLOCK_TTL: Duration = Duration::from_secs(5);

/// How many numbers, and how many orders, are read in one call.
const NUMBERS_PER_READ: usize = 128;

/// How many numbers are read for one page: in a quiet shop each order uses up a block.
const MAX_READS: usize = 32;

/// How many orders are looked at for one page, each unpaid one with its items.
const MAX_LOOKED_AT: usize = 1000;

/// The numbers that an instance may still use.
#[derive(Debug)]
pub(crate) struct Block {
    numbers: Cell<Numbers>,
    /// How many are taken at once.
    size: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Numbers {
    next: u64,
    end: u64,
    /// By the clock of the instance.
    until: Duration,
}

impl Default for Block {
    fn default() -> Self {
        Self { numbers: Cell::default(), size: BLOCK_SIZE }
    }
}

impl Block {
    /// These numbers, for ever.
    pub(crate) fn of(numbers: Range<u64>) -> Self {
        let numbers = Numbers { next: numbers.start, end: numbers.end, until: Duration::MAX };
        Self { numbers: Cell::new(numbers), size: BLOCK_SIZE }
    }

    /// For an instance that serves one request: it has no use for more than one number.
    pub(crate) fn of_one() -> Self {
        Self { numbers: Cell::default(), size: 1 }
    }

    /// A number that nobody else has, if there is one left.
    fn take(&self, now: Duration) -> Option<u64> {
        let numbers = self.numbers.get();
        let number = Some(numbers.next).filter(|next| *next < numbers.end && now < numbers.until)?;
        self.numbers.set(Numbers { next: number.saturating_add(1), ..numbers });
        Some(number)
    }
}

/// Which numbers are given away.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sequence {
    /// Tells the sequence of this shop from any other, so that a cursor means something only here.
    id: String,
    /// All numbers below it are given away.
    next: u64,
    /// Who took the last of them: so whoever is not answered sees whether it was done.
    by: String,
}

/// A place in the list: where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    sequence: String,
    /// The numbers from this one on are listed.
    below: u64,
    /// So many orders under the number before that are listed too.
    listed: usize,
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

/// A page of the list.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct OrderPage {
    /// Orders, newest first.
    pub orders: Vec<OrderView>,
    /// Orders that belong here and cannot be shown, since a record that they need cannot be read.
    pub unreadable: Vec<OrderId>,
    /// How many entries of the list cannot be read. Each names the orders of one moment.
    pub unreadable_entries: usize,
    /// Where the next page begins, where there may be one.
    pub next: Option<Cursor>,
}

/// An order that is listed, and its place.
struct Listed {
    id: OrderId,
    /// What a cursor says that comes after it.
    below: u64,
    listed: usize,
}

impl<S: Store, E: Environment> Shop<S, E> {
    /// Lists up to `most` orders, newest first to within [`BLOCK_TTL`], of one status or of all. Goes on where `cursor` says.
    ///
    /// The cost is bounded, by the numbers and orders that are looked at: a page may have less than `most` and yet not be the
    /// last.
    pub async fn list_orders(
        &self,
        cursor: Option<Cursor>,
        status: Option<Status>,
        most: usize,
    ) -> Result<OrderPage, Error> {
        let mut page = self.read_page(cursor, status, most).await?;
        page.orders.sort_by_key(|view| Reverse(view.order.placed_at));
        Ok(page)
    }

    async fn read_page(&self, cursor: Option<Cursor>, status: Option<Status>, most: usize) -> Result<OrderPage, Error> {
        let sequence = self.sequence().await?.map(|read| read.record);
        let mut page = OrderPage::default();
        let mut next = match (sequence, cursor) {
            (None, None) => return Ok(page),
            (Some(sequence), None) => Cursor { sequence: sequence.id, below: sequence.next, listed: 0 },
            (Some(sequence), Some(cursor)) if cursor.sequence == sequence.id && cursor.below <= sequence.next => cursor,
            (_, Some(_)) => return Err(InvalidCursor.into()),
        };
        let mut looked_at = 0_usize;
        for _ in 0..MAX_READS {
            let numbers = numbers(next.below);
            if numbers.is_empty() {
                return Ok(page);
            }
            let mut all = self.listed(&numbers, next.listed, &mut page).await?.into_iter().peekable();
            while all.peek().is_some() {
                // Not more than have a place, unless some are left out.
                let wanted = if status.is_some() {
                    NUMBERS_PER_READ
                } else {
                    most.saturating_sub(page.orders.len()).min(NUMBERS_PER_READ)
                };
                let some: Vec<_> = all.by_ref().take(wanted).collect();
                let ids: Vec<_> = some.iter().map(|listed| listed.id).collect();
                for (place, found) in some.iter().zip(self.read_orders(&ids).await?) {
                    (next.below, next.listed) = (place.below, place.listed);
                    match self.list_one(found, status).await {
                        Ok(view) => page.orders.extend(view),
                        Err(Error::Unreadable { .. }) => page.unreadable.push(place.id),
                        Err(error) => return Err(error),
                    }
                    looked_at = looked_at.saturating_add(1);
                    if page.orders.len() >= most || looked_at >= MAX_LOOKED_AT {
                        page.next = Some(next);
                        return Ok(page);
                    }
                }
            }
            (next.below, next.listed) = (numbers.last().copied().unwrap_or(0), 0);
        }
        page.next = Some(next).filter(|next| next.below > 0);
        Ok(page)
    }

    /// An order that the list names, as it is shown there; none where its status is not wanted, or where it came to nothing
    /// before anybody was told of it.
    async fn list_one(
        &self,
        found: Result<Option<OrderRead>, Error>,
        wanted: Option<Status>,
    ) -> Result<Option<OrderView>, Error> {
        let Some((order, payment)) = found? else { return Ok(None) };
        // An expiry is decided only where it is going to be told.
        let is_late = payment.record.settlement().is_none() && self.environment.now() >= order.expires_at;
        if is_late && wanted.is_some_and(|wanted| wanted != Status::Expired) {
            return Ok(None);
        }
        match self.to_view(order, payment).await {
            Err(Error::OrderNotFound) => Ok(None),
            view => Ok(Some(view?).filter(|view| wanted.is_none_or(|wanted| wanted == view.status))),
        }
    }

    /// The orders under these numbers, of which so many are listed already.
    async fn listed(&self, numbers: &[u64], mut already: usize, page: &mut OrderPage) -> Result<Vec<Listed>, Error> {
        let keys: Vec<_> = numbers.iter().copied().map(Key::OrderIndex).collect();
        let mut all = Vec::new();
        for (number, found) in numbers.iter().zip(self.store.get(&keys).await?) {
            let skipped = std::mem::take(&mut already);
            let ids = match found.map(|entry| entry.map(decode::<Vec<OrderId>>)) {
                Ok(None) => continue,
                Ok(Some(Ok(read))) => read.record,
                Ok(Some(Err(_))) | Err(_) => {
                    page.unreadable_entries = page.unreadable_entries.saturating_add(1);
                    continue;
                }
            };
            let places = ids.into_iter().rev().enumerate().skip(skipped);
            all.extend(places.map(|(index, id)| Listed {
                id,
                below: number.saturating_add(1),
                listed: index.saturating_add(1),
            }));
        }
        Ok(all)
    }

    /// A number for orders that are about to be written, which nobody else has.
    pub(crate) async fn number(&self) -> Result<u64, Error> {
        let block = &self.instance.block;
        if let Some(number) = block.take(self.environment.monotonic()) {
            return Ok(number);
        }
        let first = self.take_numbers().await?;
        let until = self.environment.monotonic().saturating_add(BLOCK_TTL);
        block.numbers.set(Numbers { next: first.saturating_add(1), end: first.saturating_add(block.size), until });
        Ok(first)
    }

    /// Takes the next numbers of a block out of the sequence, and answers with the first of them. A swap that was not answered
    /// is looked up and not tried again: nothing of the order is written yet.
    async fn take_numbers(&self) -> Result<u64, Error> {
        let (by, size) = (self.environment.random_name(), self.instance.block.size);
        let mut attempts = self.attempts();
        let mut failed = None;
        loop {
            let (entry, sequence) = match self.sequence().await? {
                Some(Read { entry, record }) => (entry, record),
                // A shop that is older than its sequence.
                None => {
                    self.open_sequence().await?;
                    attempts.again(Ok(Swap::Conflict)).await?;
                    continue;
                }
            };
            if sequence.by == by {
                return Ok(sequence.next.saturating_sub(size));
            }
            if let Some(error) = failed {
                return Err(StoreError::into(error));
            }
            let (id, first) = (sequence.id, sequence.next);
            let next = first.checked_add(size).ok_or(Error::Busy)?;
            match self.store.swap(&entry, encode(&Sequence { id, next, by: by.clone() })?).await {
                Ok(Swap::Swapped) => return Ok(first),
                Ok(Swap::Conflict) => attempts.again(Ok(Swap::Conflict)).await?,
                Err(error) => failed = Some(error),
            }
        }
    }

    /// Makes the sequence of a new shop.
    pub(crate) async fn open_sequence(&self) -> Result<(), Error> {
        let new = Sequence { id: self.environment.random_name(), next: 0, by: String::new() };
        let _ = self.store.create(&Key::Sequence, encode(&new)?).await?;
        Ok(())
    }

    async fn sequence(&self) -> Result<Option<Read<Sequence>>, Error> {
        self.read_one(Key::Sequence).await?.map(decode).transpose()
    }
}

/// The next numbers to be read: those right below, the highest first.
fn numbers(below: u64) -> Vec<u64> {
    (0..below).rev().take(NUMBERS_PER_READ).collect()
}

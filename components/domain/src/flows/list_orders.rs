//! The list of all orders, newest or oldest first, whole or some of them.
//!
//! A key-value store lists nothing, or everything. So orders are written together with a record of the order index that
//! names them, under a number of the [sequence](crate::engine::sequence): one call, no commit more. A page is read by
//! going down the numbers, or up.
//!
//! Numbers are in the sequence of time to within moments. So a list of some days begins where a binary search finds
//! them, and ends behind them.

use crate::engine::codec::decode;
use crate::engine::read::OrderRead;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::cursor::{Cursor, InvalidCursor};
use crate::model::ids::OrderId;
use crate::model::listing::{Direction, OrderQuery};
use crate::model::status::{OrderView, Status};
use crate::provider::Provider;
use crate::store::{Key, Store};

/// The most orders on a page.
pub const MAX_LISTED: usize = 100;

/// How many numbers, and how many orders, are read in one call. Their records are small.
const NUMBERS_PER_READ: usize = 128;

/// How many such calls are made for one page: in a quiet shop each order uses up a block of numbers.
const MAX_READS: usize = 32;

/// How many orders are looked at for one page, each unpaid one with its items.
const MAX_LOOKED_AT: usize = 1000;

/// How many orders in a row have to be on one side of the days that are wanted before the rest is taken to be there,
/// too. A single one may have been placed by a server whose clock was wrong.
const ENOUGH: usize = 16;

/// How many calls are made to find where the days begin that are wanted.
const MAX_SEARCH_READS: usize = 128;

/// How many of these calls are made at one place: in a quiet shop one finds two orders.
const MAX_PROBE_READS: usize = 8;

/// So few numbers are read one after another rather than searched.
const FEW_NUMBERS: u64 = 512;

/// A page of the list.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct OrderPage {
    /// Orders, in the order that was asked for.
    pub orders: Vec<OrderView>,
    /// Orders that belong here and cannot be shown, since a record that they need cannot be read.
    pub unreadable: Vec<OrderId>,
    /// How many entries of the list cannot be read. Each names the orders of one moment.
    pub unreadable_entries: usize,
    /// Where the next page begins, where there may be one.
    pub next: Option<Cursor>,
}

impl OrderPage {
    /// Inserts an order where it belongs by its time. It is near the end: numbers are in that sequence to within moments.
    fn insert(&mut self, view: OrderView, direction: Direction) {
        let (at, orders) = (view.order.placed_at, &self.orders);
        let index = match direction {
            Direction::NewestFirst => orders.partition_point(|other| other.order.placed_at >= at),
            Direction::OldestFirst => orders.partition_point(|other| other.order.placed_at <= at),
        };
        self.orders.insert(index, view);
    }
}

/// An order that is listed, and its place.
struct Listed {
    id: OrderId,
    /// How many numbers come before its own.
    numbers: u64,
    /// How many orders under its number are listed after it.
    listed: usize,
}

/// The orders under some numbers.
#[derive(Default)]
struct Numbered {
    orders: Vec<Listed>,
    /// How many numbers were read.
    numbers: u64,
    unreadable_entries: usize,
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// Lists up to `most` of the orders that `query` wants, by their time to within
    /// [`BLOCK_TTL`](crate::engine::sequence). Goes on where `cursor` says.
    ///
    /// The cost is bounded, by the numbers and orders that are looked at: a page may have less than `most` and yet not
    /// be the last.
    pub async fn list_orders(
        &self,
        cursor: Option<Cursor>,
        query: &OrderQuery,
        most: usize,
    ) -> Result<OrderPage, Error> {
        let sequence = self.sequence().await?.map(|read| read.record);
        let mut page = OrderPage::default();
        let direction = query.direction;
        let mut next = match (sequence, cursor) {
            (None, None) => return Ok(page),
            (Some(sequence), None) => {
                let all = Cursor { sequence: sequence.id, numbers: 0..sequence.next, direction, listed: 0 };
                self.skip_other_days(all, query).await?
            }
            (Some(sequence), Some(cursor)) if cursor.is_of(&sequence.id, sequence.next, direction) => cursor,
            (_, Some(_)) => return Err(InvalidCursor.into()),
        };
        let (mut looked_at, mut behind) = (0_usize, 0_usize);
        for _ in 0..MAX_READS {
            let Numbered { orders, numbers, unreadable_entries } = self.numbered(&next).await?;
            if numbers == 0 {
                return Ok(page);
            }
            page.unreadable_entries = page.unreadable_entries.saturating_add(unreadable_entries);
            let begin = next.clone();
            let mut all = orders.into_iter().peekable();
            while all.peek().is_some() {
                // Not more than have a place, unless some are left out.
                let wanted = if query.leaves_out() {
                    NUMBERS_PER_READ
                } else {
                    most.saturating_sub(page.orders.len()).min(NUMBERS_PER_READ)
                };
                let some: Vec<_> = all.by_ref().take(wanted).collect();
                let ids: Vec<_> = some.iter().map(|listed| listed.id).collect();
                for (place, found) in some.iter().zip(self.read_orders(&ids).await?) {
                    next = Cursor { listed: place.listed, ..begin.after(place.numbers) };
                    if let Ok(Some((order, _))) = &found {
                        let is_behind = query.placed.is_behind(order.placed_at, direction);
                        behind = if is_behind { behind.saturating_add(1) } else { 0 };
                        if behind >= ENOUGH {
                            return Ok(page);
                        }
                    }
                    match self.list_one(found, query).await {
                        Ok(view) => view.into_iter().for_each(|view| page.insert(view, direction)),
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
            next = begin.after(numbers);
        }
        page.next = Some(next).filter(|next| next.left() > 0);
        Ok(page)
    }

    /// The page that has this order alone, if there is one and it is wanted; whether the list names it does not
    /// matter.
    pub async fn list_order(&self, id: OrderId, query: &OrderQuery) -> Result<OrderPage, Error> {
        let mut page = OrderPage::default();
        match self.list_one(self.read_order(id).await, query).await {
            Ok(view) => page.orders.extend(view),
            Err(Error::Unreadable { .. }) => page.unreadable.push(id),
            Err(error) => return Err(error),
        }
        Ok(page)
    }

    /// The place where the days begin that are wanted, or one before it: a binary search. Where it finds no orders, since
    /// they are removed or few, it looks further on.
    async fn skip_other_days(&self, all: Cursor, query: &OrderQuery) -> Result<Cursor, Error> {
        if !query.placed.has_outside(query.direction) {
            return Ok(all);
        }
        let (mut skipped, mut end, mut reads) = (0_u64, all.left(), MAX_SEARCH_READS);
        while end.saturating_sub(skipped) > FEW_NUMBERS {
            let middle = skipped.midpoint(end);
            let (mut place, mut unknown, mut until) = (middle, middle, end);
            loop {
                match self.is_ahead(&all.after(place), query, &mut reads).await? {
                    Some(true) => {
                        (skipped, end) = (place, until);
                        break;
                    }
                    Some(false) => until = place,
                    None => unknown = place,
                }
                if until.saturating_sub(unknown) <= FEW_NUMBERS || reads == 0 {
                    end = middle;
                    break;
                }
                place = unknown.midpoint(until);
            }
            if reads == 0 {
                break;
            }
        }
        Ok(all.after(skipped))
    }

    /// Whether the days that are wanted are all after this place: whether the next [`ENOUGH`] orders are all too new, or
    /// all too old. None where that many are not found nearby.
    async fn is_ahead(&self, from: &Cursor, query: &OrderQuery, reads: &mut usize) -> Result<Option<bool>, Error> {
        let (mut next, mut seen) = (from.clone(), 0_usize);
        for _ in 0..MAX_PROBE_READS {
            let Some(left) = reads.checked_sub(1) else { break };
            *reads = left;
            let Numbered { mut orders, numbers, .. } = self.numbered(&next).await?;
            orders.truncate(ENOUGH.saturating_sub(seen));
            let ids: Vec<_> = orders.iter().map(|listed| listed.id).collect();
            for found in self.read_orders(&ids).await? {
                let Ok(Some((order, _))) = found else { continue };
                if !query.placed.is_ahead_of(order.placed_at, query.direction) {
                    return Ok(Some(false));
                }
                seen = seen.saturating_add(1);
            }
            if seen >= ENOUGH {
                return Ok(Some(true));
            }
            if orders.is_empty() {
                break;
            }
            next = next.after(numbers);
        }
        Ok(None)
    }

    /// An order that the list names, as it is shown there; none where its status is not wanted, or where it came to
    /// nothing before a client was told of it.
    async fn list_one(
        &self,
        found: Result<Option<OrderRead>, Error>,
        query: &OrderQuery,
    ) -> Result<Option<OrderView>, Error> {
        let Some((order, state)) = found? else { return Ok(None) };
        if !query.wants(&order) {
            return Ok(None);
        }
        // An expiry is decided only where it is going to be told.
        let is_overdue = state.record.is_overdue(self.environment.now(), order.expires_at);
        if is_overdue && query.status.is_some_and(|wanted| wanted != Status::Expired) {
            return Ok(None);
        }
        match self.to_view(order, state).await {
            Err(Error::OrderNotFound) => Ok(None),
            view => Ok(Some(view?).filter(|view| query.status.is_none_or(|wanted| wanted == view.status))),
        }
    }

    /// The orders under the next numbers from this place on, without those that are listed.
    async fn numbered(&self, from: &Cursor) -> Result<Numbered, Error> {
        let numbers: Vec<_> = (0..).map_while(|others| from.number(others)).take(NUMBERS_PER_READ).collect();
        if numbers.is_empty() {
            return Ok(Numbered::default());
        }
        let keys: Vec<_> = numbers.iter().copied().map(Key::OrderIndex).collect();
        let mut read = Numbered::default();
        let mut already = from.listed;
        for found in self.store.get(&keys).await? {
            let (skipped, number) = (std::mem::take(&mut already), read.numbers);
            read.numbers = number.saturating_add(1);
            let mut ids = match found.map(|entry| entry.map(decode::<Vec<OrderId>>)) {
                Ok(None) => continue,
                Ok(Some(Ok(found))) => found.record,
                Ok(Some(Err(_))) | Err(_) => {
                    read.unreadable_entries = read.unreadable_entries.saturating_add(1);
                    continue;
                }
            };
            if from.direction() == Direction::NewestFirst {
                ids.reverse();
            }
            let places = ids.into_iter().enumerate().skip(skipped);
            read.orders.extend(places.map(|(index, id)| Listed {
                id,
                numbers: number,
                listed: index.saturating_add(1),
            }));
        }
        Ok(read)
    }
}

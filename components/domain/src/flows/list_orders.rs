//! The list of all orders, newest first.
//!
//! A key-value store lists nothing, or everything. So orders are written together with a record of the order index that
//! names them, under a number of the [sequence](crate::engine::sequence): one call, no commit more. A page is read by
//! going down the numbers.

use crate::engine::codec::decode;
use crate::engine::read::OrderRead;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::cursor::{Cursor, InvalidCursor};
use crate::model::ids::OrderId;
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

impl OrderPage {
    /// Inserts an order where it belongs by its time. It is near the end: numbers are in that sequence to within moments.
    fn insert(&mut self, view: OrderView) {
        let newer = |other: &OrderView| other.order.placed_at >= view.order.placed_at;
        let at = self.orders.partition_point(newer);
        self.orders.insert(at, view);
    }
}

/// An order that is listed, and its place.
struct Listed {
    id: OrderId,
    /// What a cursor says that comes after it.
    below: u64,
    listed: usize,
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// Lists up to `most` orders, newest first to within [`BLOCK_TTL`](crate::engine::sequence), of one status or of
    /// all. Goes on where `cursor` says.
    ///
    /// The cost is bounded, by the numbers and orders that are looked at: a page may have less than `most` and yet not
    /// be the last.
    pub async fn list_orders(
        &self,
        cursor: Option<Cursor>,
        status: Option<Status>,
        most: usize,
    ) -> Result<OrderPage, Error> {
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
                        Ok(view) => view.into_iter().for_each(|view| page.insert(view)),
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

    /// The page that has this order alone, if there is one and it has the status; whether the list names it does not
    /// matter.
    pub async fn list_order(&self, id: OrderId, status: Option<Status>) -> Result<OrderPage, Error> {
        let mut page = OrderPage::default();
        match self.list_one(self.read_order(id).await, status).await {
            Ok(view) => page.orders.extend(view),
            Err(Error::Unreadable { .. }) => page.unreadable.push(id),
            Err(error) => return Err(error),
        }
        Ok(page)
    }

    /// An order that the list names, as it is shown there; none where its status is not wanted, or where it came to
    /// nothing before a client was told of it.
    async fn list_one(
        &self,
        found: Result<Option<OrderRead>, Error>,
        wanted: Option<Status>,
    ) -> Result<Option<OrderView>, Error> {
        let Some((order, state)) = found? else { return Ok(None) };
        // An expiry is decided only where it is going to be told.
        let is_overdue = state.record.is_overdue(self.environment.now(), order.expires_at);
        if is_overdue && wanted.is_some_and(|wanted| wanted != Status::Expired) {
            return Ok(None);
        }
        match self.to_view(order, state).await {
            Err(Error::OrderNotFound) => Ok(None),
            view => Ok(Some(view?).filter(|view| wanted.is_none_or(|wanted| wanted == view.status))),
        }
    }

    /// The orders under these numbers, of which the first `already` are listed.
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
}

/// The next numbers to be read: those right below, the highest first.
fn numbers(below: u64) -> Vec<u64> {
    (0..below).rev().take(NUMBERS_PER_READ).collect()
}

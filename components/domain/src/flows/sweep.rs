//! Sweeping: what came to nothing is removed after a time, with all that belongs to it.
//!
//! A cancelled, expired or rejected order is of no use for long, and placing and cancelling costs a client nothing. So
//! its records are removed some time after it was closed: its holds, its key in the first item, the mapping of the key,
//! and then the order and its state. Each step can be made again, by this sweep or another one, and after the last there
//! is nothing left to do.
//!
//! An order whose buyer may be paying at the payment provider is undecided, however late it is: its session is ended
//! there before it is closed. An order whose buyer was charged too late stays, as a paid one does: money has moved. Refunds
//! that are not finished have a list of their own (see [`crate::engine::refund`]): however many orders there are, and
//! wherever these stand, a sweep reads that list and looks at those orders.
//!
//! Orders are found by the order index, oldest first. A record says how far a sweep has come. It never goes past an order
//! that has to be looked at again: below it there are only paid orders.
//!
//! A request that was stopped for a long time may still write something of a removed order: a hold, or the mapping of
//! its key. Neither is believed. A hold whose order is removed is dropped like that of a cancelled one, and a mapping to
//! a removed order frees its key.

use std::collections::BTreeSet;
use std::time::Duration;

use plain_json::Json;
use serde::Serialize;

use crate::engine::codec::{Read, decode, decode_order, encode};
use crate::engine::payment::MAX_LOOKED_UP;
use crate::engine::read::OrderRead;
use crate::engine::refund::Followed;
use crate::engine::shop::Shop;
use crate::engine::side_by_side::side_by_side;
use crate::engine::update_item::Update;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::fields::{Fields, FromJson, number};
use crate::model::ids::{ItemId, KeyDigest, OrderId};
use crate::model::item::Item;
use crate::model::order::Order;
use crate::model::session::RefundState;
use crate::provider::Provider;
use crate::store::{Key, Store, StoreError};

/// How many numbers of the order index are read in one call.
const NUMBERS_PER_READ: usize = 128;

/// How many of them are read to see whether a pass is worth its while.
const NUMBERS_LOOKED_AT: u64 = 8;

/// How many calls with [`NUMBERS_PER_READ`] are made in one pass. Between two orders there may be many unused numbers.
const MAX_READS: usize = 32;

/// About how many orders are looked at in one pass.
const ORDERS_PER_PASS: usize = 128;

/// How many passes one request to sweep makes.
const MAX_PASSES: usize = 32;

/// How many refunds one request to sweep carries on with.
const MAX_REFUNDS: usize = 128;

/// How many swaps one request to sweep settles overdue holds with, up to 64 holds each.
const MAX_SETTLING_SWAPS: usize = 64;

/// Of how many items one request to sweep finishes the returns that they remember.
const MAX_ITEMS_WITH_RETURNS: usize = 64;

/// For how long one request to sweep asks the payment provider.
const MAX_ASKING: Duration = Duration::from_secs(10);

/// Orders that are placed for each pass that is made in passing: fewer than a pass removes.
const ORDERS_PLACED_PER_PASS: u64 = 64;

/// What a sweep has done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Items whose overdue holds were settled. Their goods are available again.
    pub settled_items: usize,
    /// Overdue payments that the payment provider was asked to end, and that are decided now.
    pub decided_payments: usize,
    /// Payments and refunds about which the payment provider did not answer in time, or nothing that makes sense. The
    /// next sweep asks again.
    pub unanswered: usize,
    /// Orders whose returns could not be finished, once for each item that remembers some. The next sweep tries again.
    pub unfinished_returns: usize,
    /// Refunds of late charges that have failed. A person has to see to each.
    pub failed_refunds: usize,
    /// Orders that were removed.
    pub removed_orders: usize,
    /// Whether more is due: the work of one sweep is bounded.
    pub more: bool,
}

/// How far sweeps have come.
#[derive(Debug, Clone, Copy, Serialize)]
struct Position {
    /// Of the orders under lower numbers only paid ones are left.
    below: u64,
}

/// What there is to do about an order.
enum Due {
    /// It is too early: a sweep goes no further.
    Later,
    /// It is closed and was kept long enough.
    Removal(Box<Order>),
    /// Nothing. `stays` says whether it is there.
    Nothing { stays: bool },
}

/// Numbers of the order index that have orders, with those.
struct Numbers {
    numbers: Vec<(u64, Vec<OrderId>)>,
    /// Where to go on if there are none.
    end: u64,
    /// Whether these are the last.
    is_last: bool,
}

/// What one pass has come to.
struct Pass {
    removed: usize,
    /// Whether it has come to an order for which it is too early, or to the end.
    is_last: bool,
}

impl FromJson for Position {
    fn from_json(json: &mut Json) -> Option<Self> {
        let mut fields = Fields::of(json)?;
        let position = Self { below: fields.required("below", number)? };
        fields.end(position)
    }
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// Asks the payment provider to end overdue payments, settles overdue holds, carries on with refunds that are not
    /// finished, and removes closed orders that have been kept long enough. Bounded: a shop where much is due is swept by
    /// several requests.
    ///
    /// # Errors
    /// If the store fails. What was done stays done.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        let until = self.environment.monotonic().saturating_add(MAX_ASKING);
        let (ids, mut settled, mut with_returns) = (self.item_ids().await?, BTreeSet::new(), BTreeSet::new());
        swept.more = !self.settle_items(&ids, &mut settled, &mut with_returns).await?;
        if self.provider.is_some() {
            let mut decided = BTreeSet::new();
            swept.more |= !self.decide_overdue_payments(&ids, until, &mut decided, &mut swept).await?;
            // The others have no hold that can be settled now and could not before.
            let decided: Vec<_> = decided.into_iter().collect();
            swept.more |= !self.settle_items(&decided, &mut settled, &mut with_returns).await?;
            swept.more |= !self.carry_on_refunds(until, &mut swept).await?;
        }
        swept.settled_items = settled.len();
        swept.more |= !self.finish_returns(&with_returns, &mut swept).await?;
        for _ in 0..MAX_PASSES {
            let pass = self.remove_closed_orders().await?;
            swept.removed_orders = swept.removed_orders.saturating_add(pass.removed);
            if pass.is_last {
                return Ok(swept);
            }
        }
        swept.more = true;
        Ok(swept)
    }

    /// Asks the provider to end overdue payments of these items' orders, and adds the items of those that are `decided`
    /// now. Answers whether it was asked about all.
    async fn decide_overdue_payments(
        &self,
        ids: &[ItemId],
        until: Duration,
        decided: &mut BTreeSet<ItemId>,
        swept: &mut Swept,
    ) -> Result<bool, Error> {
        let mut all = true;
        for item_id in ids {
            loop {
                // One whose record cannot be read is left as it is.
                let Ok(Some(item)) = self.find_item(item_id).await else { break };
                let left = until.saturating_sub(self.environment.monotonic());
                let asked = self.close_overdue(&item.record, MAX_LOOKED_UP, left).await?;
                swept.decided_payments = swept.decided_payments.saturating_add(asked.decided);
                swept.unanswered = swept.unanswered.saturating_add(asked.unanswered);
                decided.extend(asked.items);
                if asked.orders < MAX_LOOKED_UP {
                    break;
                }
                if asked.decided == 0 || self.environment.monotonic() >= until {
                    all = false;
                    break;
                }
                // Those that are decided make room for others to be looked up.
                self.settle_alone(item_id).await?;
            }
        }
        Ok(all)
    }

    /// Carries on with refunds that are not finished, a few at a time side by side, from another place of their list each
    /// time. Answers whether there was time for all.
    async fn carry_on_refunds(&self, until: Duration, swept: &mut Swept) -> Result<bool, Error> {
        let Some(list) = self.unfinished_refunds().await? else { return Ok(true) };
        let mut refunds = list.record.refunds.clone();
        let first = usize::try_from(self.turn()).unwrap_or(0).checked_rem(refunds.len()).unwrap_or(0);
        refunds.rotate_left(first);
        let (due, rest) = refunds.split_at_checked(MAX_REFUNDS).unwrap_or((&refunds, &[]));
        let (mut all, mut unchanged) = (rest.is_empty(), Some(list));
        for refunds in due.chunks(self.settings.limits.overdue_at_once.max(1)) {
            let left = until.saturating_sub(self.environment.monotonic());
            if left.is_zero() {
                all = false;
                break;
            }
            let following = refunds.iter().map(|listed| self.follow_refund(listed));
            let followed = side_by_side(&self.environment, left, following).await;
            let (mut done, mut finished) = (Vec::new(), Vec::new());
            for (listed, followed) in refunds.iter().zip(followed) {
                match followed {
                    Some(Ok(Followed::Pending)) => {}
                    Some(Ok(Followed::Finished(refund))) => {
                        let has_failed = usize::from(refund == RefundState::Failed);
                        swept.failed_refunds = swept.failed_refunds.saturating_add(has_failed);
                        finished.push(listed);
                        done.push(listed.clone());
                    }
                    Some(Ok(Followed::Vain)) => done.push(listed.clone()),
                    Some(Err(error @ Error::Store(_))) => return Err(error),
                    Some(Err(_)) | None => swept.unanswered = swept.unanswered.saturating_add(1),
                }
            }
            if done.is_empty() {
                continue;
            }
            unchanged = match unchanged {
                Some(list) => self.unlist_refunds(list, &done).await?,
                None => None,
            };
            if unchanged.is_none() {
                // What is finished is not put on record again, whatever is listed meanwhile.
                for listed in finished {
                    self.unlist_refund(listed).await;
                }
            }
        }
        Ok(all)
    }

    /// Removes some closed orders, now and then, on behalf of these that were `placed`: so a shop without an operator's
    /// sweeps does not grow by orders that came to nothing. Errors are not the customer's business.
    pub(crate) async fn sweep_in_passing(&self, placed: usize) {
        let Some(kept) = self.settings.closed_orders_kept.filter(|_| placed > 0) else { return };
        let chosen = self.turn().checked_rem(ORDERS_PLACED_PER_PASS);
        if chosen.is_some_and(|chosen| chosen < u64::try_from(placed).unwrap_or(u64::MAX))
            && self.may_be_due(kept).await.is_ok_and(|may_be_due| may_be_due)
        {
            let _ = self.remove_closed_orders().await;
        }
    }

    /// Whether the next order that a pass looks at was placed so long ago that it may be due. Where it was not, neither
    /// were the later ones, and a pass would read a lot of records for nothing.
    async fn may_be_due(&self, kept: Duration) -> Result<bool, Error> {
        let from = self.sweep_position().await?.map_or(0, |position| position.record.below);
        let keys: Vec<_> = (from..from.saturating_add(NUMBERS_LOOKED_AT)).map(Key::OrderIndex).collect();
        let mut indexed = self.store.get(&keys).await?.into_iter().flatten().flatten().map(decode::<Vec<OrderId>>);
        let first = indexed.find_map(|ids| ids.ok()?.record.first().copied());
        // What is further on is for a pass to find.
        let Some(id) = first else { return Ok(true) };
        let Some(entry) = self.read_one(Key::Order(id)).await? else { return Ok(true) };
        Ok(decode_order(entry, id)?.placed_at.after(kept) <= self.environment.now())
    }

    /// Settles overdue holds of these items, and adds to `settled` those that had some, and to `with_returns` those that
    /// remember returns. Answers whether no overdue hold is left.
    async fn settle_items(
        &self,
        ids: &[ItemId],
        settled: &mut BTreeSet<ItemId>,
        with_returns: &mut BTreeSet<ItemId>,
    ) -> Result<bool, Error> {
        let mut swaps = 0_usize;
        for ids in ids.chunks(self.settings.limits.records_per_read.max(1)) {
            let now = self.environment.now();
            let is_overdue = |item: &Item| item.holds().iter().any(|(_, hold)| hold.expires_at <= now);
            for (item_id, found) in ids.iter().zip(self.find_items(ids).await?) {
                // One whose record cannot be read is left as it is.
                let Ok(Some(read)) = found else { continue };
                if !read.record.returns().is_empty() {
                    with_returns.insert(item_id.clone());
                }
                let mut overdue = is_overdue(&read.record);
                if overdue {
                    settled.insert(item_id.clone());
                }
                while overdue {
                    if swaps >= MAX_SETTLING_SWAPS {
                        return Ok(false);
                    }
                    swaps = swaps.saturating_add(1);
                    let has_settled = self.settle_alone(item_id).await?;
                    overdue = has_settled && is_overdue(&self.item(item_id).await?.record);
                }
            }
        }
        Ok(true)
    }

    /// Finishes the returns that these items remember, since the requests that made them were stopped. Answers whether it
    /// has looked at all.
    async fn finish_returns(&self, ids: &BTreeSet<ItemId>, swept: &mut Swept) -> Result<bool, Error> {
        for item_id in ids.iter().take(MAX_ITEMS_WITH_RETURNS) {
            let item = self.item(item_id).await?.record;
            let unfinished = self.finish_returns_of(item_id, &item).await?;
            swept.unfinished_returns = swept.unfinished_returns.saturating_add(unfinished);
        }
        Ok(ids.len() <= MAX_ITEMS_WITH_RETURNS)
    }

    /// Goes on from where the last sweep has come to, over about [`ORDERS_PER_PASS`] orders.
    async fn remove_closed_orders(&self) -> Result<Pass, Error> {
        let nothing = Pass { removed: 0, is_last: true };
        let Some(kept) = self.settings.closed_orders_kept else { return Ok(nothing) };
        let Some(sequence) = self.sequence().await? else { return Ok(nothing) };
        let position = self.sweep_position().await?;
        let from = position.as_ref().map_or(0, |position| position.record.below);
        let Numbers { numbers, end, is_last } = self.numbers_with_orders(from, sequence.record.next).await?;
        let all: Vec<_> = numbers.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
        let mut found = self.read_orders(&all).await?.into_iter();
        // A long way without orders is passed over.
        let mut below = if numbers.is_empty() { end } else { from };
        let (mut closed, mut emptied, mut too_early) = (Vec::new(), Vec::new(), false);
        for (number, ids) in numbers {
            let (mut due, mut stays) = (Vec::new(), false);
            for found in found.by_ref().take(ids.len()) {
                match self.due(found, kept).await? {
                    Due::Later => too_early = true,
                    Due::Removal(order) => due.push(*order),
                    Due::Nothing { stays: left } => stays |= left,
                }
                if too_early {
                    break;
                }
            }
            if too_early {
                break;
            }
            closed.append(&mut due);
            if !stays {
                emptied.push(number);
            }
            below = number.saturating_add(1);
        }
        let removed = closed.len();
        self.remove_orders(&closed, &emptied).await?;
        if below > from {
            self.record_position(position, Position { below }).await?;
        }
        Ok(Pass { removed, is_last: is_last || too_early })
    }

    async fn sweep_position(&self) -> Result<Option<Read<Position>>, Error> {
        self.read_one(Key::SweepPosition).await?.map(decode).transpose()
    }

    /// Records how far this sweep has come. Where another one was faster, its position is as good.
    async fn record_position(&self, before: Option<Read<Position>>, position: Position) -> Result<(), Error> {
        let value = encode(&position)?;
        let recorded = match before {
            Some(Read { entry, .. }) => self.store.swap(&entry, value).await.map(drop),
            None => self.store.create(&Key::SweepPosition, value).await.map(drop),
        };
        match recorded {
            // The next sweep comes this way again, and by then there is room.
            Ok(()) | Err(StoreError::Full(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The next numbers from here to the end that have orders, with those, up to about [`ORDERS_PER_PASS`].
    async fn numbers_with_orders(&self, from: u64, end: u64) -> Result<Numbers, Error> {
        let (mut numbers, mut orders, mut next) = (Vec::new(), 0_usize, from);
        for _ in 0..MAX_READS {
            let read: Vec<_> = (next..end).take(NUMBERS_PER_READ).collect();
            let Some(last) = read.last() else {
                // What is behind the last order may be about to be written.
                return Ok(Numbers { numbers, end: from, is_last: true });
            };
            next = last.saturating_add(1);
            let keys: Vec<_> = read.iter().copied().map(Key::OrderIndex).collect();
            for (number, found) in read.into_iter().zip(self.store.get(&keys).await?) {
                // A record that cannot be read is left as it is, and so are its orders.
                let Ok(Some(Ok(ids))) = found.map(|entry| entry.map(decode::<Vec<OrderId>>)) else { continue };
                orders = orders.saturating_add(ids.record.len());
                numbers.push((number, ids.record));
                if orders >= ORDERS_PER_PASS {
                    return Ok(Numbers { numbers, end: from, is_last: false });
                }
            }
        }
        Ok(Numbers { numbers, end: next, is_last: false })
    }

    /// What there is to do about an order that was found in the index.
    async fn due(&self, found: Result<Option<OrderRead>, Error>, kept: Duration) -> Result<Due, Error> {
        let (order, state) = match found {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(Due::Nothing { stays: false }),
            Err(Error::Unreadable { .. }) => return Ok(Due::Nothing { stays: true }),
            Err(error) => return Err(error),
        };
        let state = match self.expire(&order, state).await {
            Err(Error::OrderNotFound) => return Ok(Due::Nothing { stays: false }),
            state => state?.record,
        };
        let is_refunded = !state.late_refunds().is_empty();
        Ok(match state.removable_at(order.expires_at, kept) {
            // Rule: paid-orders-are-not-removed.
            None if state.payment().is_some() => Due::Nothing { stays: true },
            // Money has moved.
            Some(_) if is_refunded => Due::Nothing { stays: true },
            Some(at) if at <= self.environment.now() => Due::Removal(Box::new(order)),
            None | Some(_) => Due::Later,
        })
    }

    /// Removes these closed orders with all that belongs to them, and the index records that name no others.
    async fn remove_orders(&self, orders: &[Order], emptied: &[u64]) -> Result<(), Error> {
        let mut ids: Vec<_> = orders.iter().flat_map(Order::lines).map(|line| &line.item_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let ids: Vec<_> = ids.into_iter().cloned().collect();
        let all: Vec<_> = orders.iter().map(|order| order.order_id).collect();
        for ids in ids.chunks(self.settings.limits.records_per_read.max(1)) {
            for (item_id, found) in ids.iter().zip(self.find_items(ids).await?) {
                // In an item that cannot be read, holds of removed orders are dropped once it can be.
                let Ok(Some(read)) = found else { continue };
                if all.iter().any(|order| read.record.has_traces_of(*order)) {
                    self.forget_in(item_id, &all).await?;
                }
            }
        }
        let keyed: Vec<_> = orders.iter().filter_map(|order| Some((order.key()?, order.order_id))).collect();
        self.remove_mappings(&keyed).await?;
        let mut keys: Vec<_> = all.iter().flat_map(|id| [Key::Order(*id), Key::OrderState(*id)]).collect();
        keys.extend(emptied.iter().copied().map(Key::OrderIndex));
        if !keys.is_empty() {
            self.store.remove(&keys).await?;
        }
        Ok(())
    }

    /// Forgets removed or closed orders in an item: their holds and keys.
    pub(crate) async fn forget_in(&self, item_id: &ItemId, orders: &[OrderId]) -> Result<(), Error> {
        self.update_item(item_id, |item, _| {
            let mut changed = false;
            for order in orders {
                changed |= item.forget(*order).map_err(|error| Error::damaged_item(item_id, error))?;
            }
            Ok(if changed { Update::Write(()) } else { Update::Unchanged(()) })
        })
        .await
    }

    /// Removes the mappings of these keys, as far as they are to these orders.
    pub(crate) async fn remove_mappings(&self, keyed: &[(KeyDigest, OrderId)]) -> Result<(), Error> {
        let mut keys: Vec<_> = keyed.iter().map(|(key, _)| Key::Idempotency(*key)).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(());
        }
        for found in self.store.get(&keys).await? {
            // A mapping that cannot be read is left as it is.
            let Ok(Some(Ok(Read { entry, record: order }))) = found.map(|entry| entry.map(decode::<OrderId>)) else {
                continue;
            };
            // Rule: mappings-of-other-orders-stay.
            let is_own = keyed.iter().any(|(_, id)| *id == order);
            if is_own {
                let _ = self.store.remove_unchanged(&entry).await?;
            }
        }
        Ok(())
    }
}

//! Placing orders, each by itself or many in a batch.
//!
//! Orders that are asked for within a moment in one instance are placed together (see [`crate::engine::batch`]): their
//! items are read in one call, the orders are written in one, and each item is swapped once for all of them. What holds
//! for one order holds for each of many, since a line is held by the same steps: read the item, look whether the key
//! was used, see the order unpaid, swap the item. One order's trouble is its own: a request that cannot go on in a
//! batch is handed back what was done so far and goes on alone.
//!
//! Where a customer expects a price, the plan compares it with what it has read, and each hold once more with the item
//! that its swap replaces. So there is no moment between the price and the hold.

use std::rc::Rc;
use std::time::Duration;

use crate::engine::batch::Batch;
use crate::engine::codec::{Read, decode, decode_state, encode};
use crate::engine::instance::{HoldOutcome, NotPlaced, PendingOrder, PlaceOutcome};
use crate::engine::order_state::Transition;
use crate::engine::read::is_held;
use crate::engine::retry::{Attempts, Retry};
use crate::engine::shop::Shop;
use crate::engine::update_item::{Guards, Lack, Short, Update};
use crate::environment::Environment;
use crate::error::Error;
use crate::model::holds::Hold;
use crate::model::ids::{ItemId, KeyDigest, OrderId};
use crate::model::item::{HoldError, Item, Settlement, Shortage};
use crate::model::order::{Line, NewOrder, Order, Terms};
use crate::model::order_state::{Event, OrderState};
use crate::model::plan::{ItemSnapshot, NotPlanned, PlaceRequest, Snapshot, plan};
use crate::model::status::OrderView;
use crate::provider::Provider;
use crate::store::{Entry, Found, Key, Store};

/// An order that is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The order as it is now.
    pub view: OrderView,
    /// Whether an earlier request with the same key had placed it.
    pub replayed: bool,
}

/// How an attempt to place an order ended.
enum Attempt {
    Placed(Box<Placed>),
    /// What was read is stale, or may be: start from the beginning.
    Retry(Retry),
}

/// A line that is to be held, and the result.
struct HoldRequest<'a> {
    order: &'a Order,
    line: &'a Line,
    /// Only on the first line, and only where its own request holds it: then another order that was placed under the
    /// key takes precedence.
    key: Option<KeyDigest>,
    /// Whether it is held at the order's price only.
    at_price: bool,
    outcome: Result<HoldOutcome, Error>,
}

/// What was read for a batch, which the snapshot is of.
struct BatchRead {
    /// The items, sorted by their ids.
    items: Vec<(ItemId, Result<Read<Item>, Error>)>,
    /// The mappings of the keys of the batch.
    mappings: Vec<(KeyDigest, Result<OrderId, Error>)>,
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// Places an order: holds each of its lines, or none for long. With a `key`, repeats answer with the one order
    /// that was placed, also while the first request still runs or after it stopped half way.
    ///
    /// # Errors
    /// If an item is unknown or short, if the key was used for another request, or if the store fails.
    pub async fn place(&self, request: NewOrder, key: Option<KeyDigest>) -> Result<Placed, Error> {
        let mut request = PlaceRequest { request: Rc::new(request), key, order_id: self.fresh_id() };
        let mut attempts = self.attempts();
        let (mut arrived, mut has_asked) = (self.arrived, false);
        loop {
            match self.try_to_place(&mut request, arrived).await {
                Ok(Attempt::Placed(placed)) => return Ok(*placed),
                Ok(Attempt::Retry(retry)) => attempts.again(retry).await?,
                Err(Error::InsufficientStock { item_id, .. } | Error::ItemFull(item_id))
                    if !has_asked && self.frees_overdue(&item_id).await =>
                {
                    has_asked = true;
                    attempts.count()?;
                    // It has waited for the provider, and not among other requests.
                    arrived = self.environment.monotonic();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks the payment provider to end overdue payments of orders that hold some of an item which is short. Answers
    /// whether that may have freed some. Errors are not the customer's business, who is refused then.
    async fn frees_overdue(&self, item_id: &ItemId) -> bool {
        if self.provider.is_none() {
            return false;
        }
        let limits = self.settings.limits;
        let Ok(Some(item)) = self.find_item(item_id).await else { return false };
        let asked = self.close_overdue(&item.record, limits.overdue_at_once, limits.overdue_patience).await;
        asked.is_ok_and(|asked| asked.decided > 0)
    }

    fn fresh_id(&self) -> OrderId {
        OrderId::from_random(self.environment.random_id())
    }

    async fn try_to_place(&self, request: &mut PlaceRequest, arrived: Duration) -> Result<Attempt, Error> {
        let (batcher, limits) = (&self.instance.placing, self.settings.limits);
        let work = async |all: Vec<PlaceRequest>, batch: Batch| self.place_all(all, &batch).await;
        // Where the request that led the batch was stopped, whether the order was placed is as unknown as after a crash.
        match batcher.submit(&self.environment, limits, (request.clone(), arrived), work).await? {
            Ok(pending) => {
                // This id is used up.
                request.order_id = self.fresh_id();
                self.finish(*pending, &request.request).await
            }
            Err(NotPlaced::Refused(error)) => Err(error),
            Err(NotPlaced::Insufficient(item_id, hold)) => {
                let Err(refused) = self.reclaim(&item_id, &hold).await else {
                    return Ok(Attempt::Retry(Retry::Stale));
                };
                // Since the batch was planned, another request may have placed the order under the key.
                // Rule: keys-are-looked-up-before-a-refusal.
                let other = self.order_for_key(request).await?;
                match other {
                    Some(other) => self.resume(other, request.key, &request.request).await,
                    None => Err(refused),
                }
            }
            Err(NotPlaced::DuplicateKey(order)) => self.resume(order, request.key, &request.request).await,
            Err(NotPlaced::KeyInSameBatch) => Ok(Attempt::Retry(Retry::Stale)),
        }
    }

    /// The order that was placed under the key of a request, which the first item carries until it is mapped.
    async fn order_for_key(&self, request: &PlaceRequest) -> Result<Option<OrderId>, Error> {
        let first_item = request.request.lines.iter().next().map(|(item_id, _)| item_id.clone());
        let (Some(key), Some(first_item)) = (request.key, first_item) else { return Ok(None) };
        let (items, mappings) = self.find_items_for_update(&[first_item], vec![Key::Idempotency(key)]).await?;
        let item = items.into_iter().next().unwrap_or(Ok(None))?;
        if let Some(order) = item.and_then(|item| item.record.order_for_key(&key)) {
            return Ok(Some(order));
        }
        let mapping = mappings.into_iter().next().unwrap_or(Ok(None))?;
        mapping.map(|entry| Ok(decode(entry)?.record)).transpose()
    }

    /// Places these orders together, as far as that goes.
    async fn place_all(&self, all: Vec<PlaceRequest>, batch: &Batch) -> Vec<PlaceOutcome> {
        let read = match self.read_batch(&all).await {
            Ok(read) => read,
            Err(error) => return all.iter().map(|_| Err(NotPlaced::Refused(error.clone()))).collect(),
        };
        let too_late = batch.too_late(self.environment.monotonic());
        let in_time: Vec<_> =
            all.into_iter().zip(&too_late).filter_map(|(request, late)| (!late).then_some(request)).collect();
        let mut placed = self.place_read(&in_time, read).await.into_iter();
        let refused = || Err(NotPlaced::Refused(Error::Overloaded));
        let outcome = |late: bool| if late { refused() } else { placed.next().unwrap_or_else(refused) };
        too_late.into_iter().map(outcome).collect()
    }

    /// Places these orders together, from what was read.
    async fn place_read(&self, all: &[PlaceRequest], read: BatchRead) -> Vec<PlaceOutcome> {
        let planned = plan(&self.snapshot(&read), all, &self.terms());
        let planned = planned.into_iter().map(|order| order.map_err(|reason| read.explain(reason))).collect();
        let mut orders = self.write_orders(all, planned).await;
        match self.read_batch_guards(&read, &orders).await {
            Ok(mut guards) => {
                for (item_id, item) in read.items {
                    if let Ok(item) = item {
                        self.hold_all(&item_id, item, &mut guards, &mut orders).await;
                    }
                }
            }
            Err(error) => orders.iter_mut().flatten().for_each(|order| order.outcome = Err(error.clone())),
        }
        self.sweep_in_passing(orders.iter().flatten().count()).await;
        orders.into_iter().map(|order| order.map(Box::new)).collect()
    }

    fn terms(&self) -> Terms {
        let placed_at = self.environment.now();
        let expires_at = placed_at.after(self.settings.payment_window);
        let max_per_order = self.settings.max_per_order;
        Terms { placed_at, expires_at, currency: self.settings.currency.clone(), max_per_order }
    }

    /// Reads the items of these orders, and after them the mappings of their keys.
    async fn read_batch(&self, all: &[PlaceRequest]) -> Result<BatchRead, Error> {
        let mut ids = Vec::<ItemId>::new();
        for (id, _) in all.iter().flat_map(|request| request.request.lines.iter()) {
            if let Err(index) = ids.binary_search(id) {
                ids.insert(index, id.clone());
            }
        }
        let mut keys = Vec::new();
        for key in all.iter().filter_map(|request| request.key) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let mappings = keys.iter().copied().map(Key::Idempotency).collect();
        let (items, mappings) = self.find_items_for_update(&ids, mappings).await?;
        let items = ids.into_iter().zip(items).map(|(id, item)| {
            let item = item.and_then(|item| item.ok_or_else(|| Error::ItemNotFound(id.clone())));
            (id, item)
        });
        let mapping = |(key, found): (KeyDigest, Found)| match found {
            Ok(entry) => Some((key, decode(entry?).map(|read| read.record))),
            Err(damaged) => Some((key, Err(damaged.into()))),
        };
        let mappings = keys.into_iter().zip(mappings).filter_map(mapping);
        Ok(BatchRead { items: items.collect(), mappings: mappings.collect() })
    }

    fn snapshot<'a>(&self, read: &'a BatchRead) -> Snapshot<'a> {
        let item = |(item_id, item): &'a (ItemId, Result<Read<Item>, Error>)| {
            let Read { entry, record } = item.as_ref().ok()?;
            Some(ItemSnapshot { item_id, item: record, room: self.room(record, entry) })
        };
        let mapping = |(key, order): &(KeyDigest, Result<OrderId, Error>)| (*key, order.as_ref().ok().copied());
        Snapshot {
            items: read.items.iter().filter_map(item).collect(),
            mappings: read.mappings.iter().map(mapping).collect(),
        }
    }

    /// Reads, for all items of these orders, what has to be seen before their lines are held.
    async fn read_batch_guards(
        &self,
        read: &BatchRead,
        orders: &[Result<PendingOrder, NotPlaced>],
    ) -> Result<Guards, Error> {
        let pending = || orders.iter().flatten();
        let keys: Vec<_> = pending().flat_map(|pending| guard_keys(&pending.order, pending.key)).collect();
        let adds = |item_id: &ItemId| {
            pending().filter(|pending| pending.order.lines().iter().any(|line| line.item_id == *item_id)).count()
        };
        let items = read.items.iter().filter_map(|(item_id, item)| Some((&item.as_ref().ok()?.record, adds(item_id))));
        self.read_guards(&mut items.filter(|(_, adds)| *adds > 0), &keys, self.environment.now()).await
    }

    /// Writes these orders, unpaid, and their record of the order index, in one call.
    async fn write_orders(
        &self,
        all: &[PlaceRequest],
        mut orders: Vec<Result<Order, NotPlaced>>,
    ) -> Vec<Result<PendingOrder, NotPlaced>> {
        let mut planned: Vec<_> = orders.iter_mut().flatten().collect();
        let written = if planned.is_empty() { Ok(Vec::new()) } else { self.insert_orders(&mut planned).await };
        let mut written = written.map(Vec::into_iter);
        let pending = |(request, order): (&PlaceRequest, Result<Order, NotPlaced>)| {
            let order = order?;
            let state = match &mut written {
                Ok(states) => states.next().ok_or_else(|| Error::inconsistent_order(order.order_id)),
                Err(error) => Err(error.clone()),
            };
            let state = Read { entry: state.map_err(NotPlaced::Refused)?, record: OrderState::NEW };
            let (key, at_price) = (request.key, request.request.expected.are_said());
            Ok(PendingOrder { order, key, at_price, state, held: 0, outcome: Ok(HoldOutcome::Held) })
        };
        all.iter().zip(orders).map(pending).collect()
    }

    /// Answers with the entry of each order's state.
    async fn insert_orders(&self, orders: &mut [&mut Order]) -> Result<Vec<Entry>, Error> {
        let number = self.number().await?;
        // An order is listed by its number: it is placed when it has one, however long it has waited for that.
        let Terms { placed_at, expires_at, .. } = self.terms();
        let mut records = Vec::new();
        let mut ids = Vec::new();
        for order in orders {
            (order.placed_at, order.expires_at) = (placed_at, expires_at);
            let state = (Key::OrderState(order.order_id), encode(&OrderState::NEW)?);
            records.extend([(Key::Order(order.order_id), encode(order)?), state]);
            ids.push(order.order_id);
        }
        records.push((Key::OrderIndex(number), encode(&ids)?));
        let is_state: Vec<_> = records.iter().map(|(key, _)| matches!(key, Key::OrderState(_))).collect();
        let entries = self.store.insert(records).await?;
        Ok(entries.into_iter().zip(is_state).filter_map(|(entry, is_state)| is_state.then_some(entry)).collect())
    }

    /// Holds the lines of one item, for those of these orders whose lines so far are held.
    async fn hold_all(
        &self,
        item_id: &ItemId,
        item: Read<Item>,
        guards: &mut Guards,
        orders: &mut [Result<PendingOrder, NotPlaced>],
    ) {
        let on_the_way = orders.iter_mut().flatten().filter(|order| matches!(order.outcome, Ok(HoldOutcome::Held)));
        let (mut held, mut outcomes, mut requests) = (Vec::new(), Vec::new(), Vec::new());
        for PendingOrder { order, key, at_price, held: lines, outcome, .. } in on_the_way {
            if let Some(line) = order.lines().get(*lines).filter(|line| line.item_id == *item_id) {
                let key = if *lines == 0 { *key } else { None };
                let at_price = *at_price;
                requests.push(HoldRequest { order, line, key, at_price, outcome: Ok(HoldOutcome::Contended) });
                held.push(lines);
                outcomes.push(outcome);
            }
        }
        self.hold_lines(item_id, Some((item, guards)), self.attempts_in_batch(), &mut requests).await;
        for ((lines, to), HoldRequest { outcome, .. }) in held.into_iter().zip(outcomes).zip(requests) {
            *lines = lines.saturating_add(usize::from(matches!(outcome, Ok(HoldOutcome::Held))));
            *to = outcome;
        }
    }

    /// Goes on with an order that was written, from where it is.
    async fn finish(&self, pending: PendingOrder, request: &NewOrder) -> Result<Attempt, Error> {
        let PendingOrder { order, key, at_price, state, held, mut outcome } = pending;
        let order = &order;
        let placed = |state: &OrderState| {
            Attempt::Placed(Box::new(Placed { view: OrderView::new(order.clone(), state, true), replayed: false }))
        };
        let mut attempts = self.attempts();
        let mut lines = order.lines().iter().enumerate().skip(held);
        loop {
            let is_first = lines.clone().next().is_some_and(|(number, _)| number == 0);
            let other = if let Ok(HoldOutcome::KeyTaken(other)) = outcome { Some(other) } else { None };
            if other.is_some() || is_first && matches!(outcome, Ok(HoldOutcome::Repriced)) {
                self.withdraw(order, &state).await;
                return match other {
                    Some(other) => self.resume(other, key, request).await,
                    // What it costs now, the next plan says.
                    None => Ok(Attempt::Retry(Retry::Stale)),
                };
            }
            match outcome {
                Ok(HoldOutcome::Held | HoldOutcome::Contended | HoldOutcome::KeyTaken(_)) => {}
                Ok(HoldOutcome::Removed) => {
                    self.release_all(order, Settlement::Released { key_reusable: true }).await;
                    return Ok(Attempt::Retry(Retry::Stale));
                }
                Ok(HoldOutcome::Decided(state)) => {
                    // A closed order gives back what it held so far: the request that closed it saw only what was held
                    // by then.
                    // Rule: closed-order-releases-what-it-holds.
                    let released = state.settlement().filter(|settlement| *settlement != Settlement::Sold);
                    if let Some(released) = released {
                        self.release_all(order, released).await;
                    }
                    return Ok(if state.is_rejected() { Attempt::Retry(Retry::Stale) } else { placed(&state) });
                }
                refused @ (Ok(HoldOutcome::Repriced) | Err(_)) => {
                    let rejected = self.reject(order, &state).await?;
                    match refused {
                        // A contended request has had its attempts: they are not to be multiplied.
                        Err(error) if rejected || matches!(error, Error::Contended) => return Err(error),
                        Ok(_) if rejected => return Ok(Attempt::Retry(Retry::Stale)),
                        _ => attempts.again(Retry::Stale).await?,
                    }
                }
            }
            let Some((number, line)) = lines.clone().next() else { return Ok(placed(&OrderState::NEW)) };
            outcome = self.hold(order, line, if number == 0 { key } else { None }, at_price).await;
            if let Ok(HoldOutcome::Held) = outcome {
                lines.next();
            }
        }
    }

    /// Settles holds of an item until there is enough of it, and room, for this one; or refuses.
    async fn reclaim(&self, item_id: &ItemId, hold: &Hold) -> Result<(), Error> {
        self.update_item(item_id, |item, room| {
            let (available, wanted) = (item.available(), hold.quantity.get());
            let (of, error) = if available < wanted {
                (Lack::Stock, Error::insufficient_stock(item_id, Shortage { available }, wanted))
            } else if room < item.bytes_of(hold) {
                (Lack::Room, Error::ItemFull(item_id.clone()))
            } else {
                return Ok(Update::Unchanged(Ok(())));
            };
            Ok(Update::Short(Short { result: Err(error), of, changed: false }))
        })
        .await?
    }

    /// Takes back an order that holds nothing: its key turned out to be another one's, or its price has changed. Its records are removed once it is rejected, from
    /// the state that its own request wrote: if anything was decided since, a client may have been told, and it stays.
    /// It stays too if an answer is lost, and is closed all the same: it holds nothing.
    async fn withdraw(&self, order: &Order, state: &Read<OrderState>) {
        // Rule: told-orders-are-not-withdrawn.
        let rejected = self.swap_rejected(order, state).await;
        if matches!(rejected, Ok(Transition::Done(_))) {
            let _ = self.store.remove(&[Key::Order(order.order_id), Key::OrderState(order.order_id)]).await;
        }
    }

    async fn swap_rejected(&self, order: &Order, state: &Read<OrderState>) -> Result<Transition, Error> {
        let at = self.environment.now();
        self.transition(state, Event::Reject { at }, order.expires_at).await
    }

    /// Rejects an order that could not be placed, and releases what it holds. Only its own request does so, and only
    /// from the state that it wrote itself: if another request confirmed the order since, that is, saw every line held,
    /// that state is gone, and the line that was short has to be looked at again. Answers false in that case.
    async fn reject(&self, order: &Order, state: &Read<OrderState>) -> Result<bool, Error> {
        Ok(match self.swap_rejected(order, state).await? {
            Transition::Done(_) => {
                self.release_all(order, Settlement::Released { key_reusable: true }).await;
                true
            }
            Transition::Retry(Retry::Stale) | Transition::Illegal => false,
            // What is held is released when the order expires, if not before.
            Transition::Retry(Retry::Unknown(_)) => true,
        })
    }

    /// Frees a key that stood for an order whose records are removed: in the first item, which may have its hold, and in
    /// the mapping.
    async fn free_key(&self, removed: OrderId, key: Option<KeyDigest>, request: &NewOrder) -> Result<(), Error> {
        let first_item = request.lines.iter().next();
        let (Some(key), Some((item_id, _))) = (key, first_item) else { return Ok(()) };
        self.forget_in(item_id, &[removed]).await?;
        self.remove_mappings(&[(key, removed)]).await
    }

    /// Carries on with an order that was placed under the same key, wherever its own request is or stopped.
    async fn resume(&self, order_id: OrderId, key: Option<KeyDigest>, request: &NewOrder) -> Result<Attempt, Error> {
        let Some((order, state)) = self.read_order(order_id).await? else {
            // Rule: keys-of-removed-orders-are-free.
            self.free_key(order_id, key, request).await?;
            return Ok(Attempt::Retry(Retry::Stale));
        };
        // Its own request may still be about to reject it: decide before a client is told.
        let state = self.expire(&order, state).await?;
        let replayed = |state: &OrderState| {
            let view = OrderView::new(order.clone(), state, true);
            Ok(Attempt::Placed(Box::new(Placed { view, replayed: true })))
        };
        if state.record.is_rejected() {
            // Its key is free again once its hold is gone.
            self.release_all(&order, Settlement::Released { key_reusable: true }).await;
            return Ok(Attempt::Retry(Retry::Stale));
        }
        if !order.matches(request) {
            return Err(Error::IdempotencyKeyReused);
        }
        if state.record.settlement().is_some() {
            return replayed(&state.record);
        }
        for line in self.missing_lines(&order).await? {
            // At the order's price, whatever it is now: what the first request was about is not decided again.
            // Rule: helpers-do-not-reject.
            let outcome = self.hold(&order, line, None, false).await;
            match outcome? {
                HoldOutcome::Held => {}
                HoldOutcome::Contended
                | HoldOutcome::Repriced
                | HoldOutcome::Decided(_)
                | HoldOutcome::KeyTaken(_)
                | HoldOutcome::Removed => return Ok(Attempt::Retry(Retry::Stale)),
            }
        }
        // Rule: helpers-confirm.
        let confirmed = state.record.is_confirmed();
        if confirmed {
            return replayed(&state.record);
        }
        Ok(match self.transition(&state, Event::Confirm, order.expires_at).await? {
            Transition::Done(state) => return replayed(&state.record),
            Transition::Retry(retry) => Attempt::Retry(retry),
            Transition::Illegal => Attempt::Retry(Retry::Stale),
        })
    }

    /// Holds one line of an order; `at_price` only at the order's price.
    async fn hold(
        &self,
        order: &Order,
        line: &Line,
        key: Option<KeyDigest>,
        at_price: bool,
    ) -> Result<HoldOutcome, Error> {
        let mut request = [HoldRequest { order, line, key, at_price, outcome: Ok(HoldOutcome::Contended) }];
        self.hold_lines(&line.item_id, None, self.attempts(), &mut request).await;
        let [HoldRequest { outcome, .. }] = request;
        // By itself it has had all the attempts that there are.
        if let Ok(HoldOutcome::Contended) = outcome { Err(Error::Contended) } else { outcome }
    }

    /// Holds one line of each of these orders, all of one item, in one swap; or as many of them as can be held. Begins
    /// with what was `read` of the item before the orders were written.
    async fn hold_lines(
        &self,
        item_id: &ItemId,
        read: Option<(Read<Item>, &mut Guards)>,
        mut attempts: Attempts<'_, E>,
        requests: &mut [HoldRequest<'_>],
    ) {
        if requests.is_empty() {
            return;
        }
        let keys: Vec<_> = requests.iter().flat_map(|request| guard_keys(request.order, request.key)).collect();
        let adds = requests.len();
        // Rule: guards-are-read-after-the-item.
        let outcomes = self
            .update_read_item(item_id, read, &keys, adds, &mut attempts, |item, guards, mut room| {
                let (mut result, mut changed, mut lack) = (Vec::with_capacity(adds), false, None);
                for request in requests.iter() {
                    let before = item.holds().len();
                    // Rule: guards-decide.
                    let outcome = request.hold(item, guards, &mut room);
                    changed |= item.holds().len() > before;
                    match outcome {
                        Err(Error::InsufficientStock { .. }) => lack = lack.or(Some(Lack::Stock)),
                        Err(Error::ItemFull(_)) => lack = Some(Lack::Room),
                        Ok(_) | Err(_) => {}
                    }
                    result.push(outcome);
                }
                Ok(match lack {
                    Some(of) => Update::Short(Short { result, of, changed }),
                    None if changed => Update::Write(result),
                    None => Update::Unchanged(result),
                })
            })
            .await;
        match outcomes {
            Ok(outcomes) => requests.iter_mut().zip(outcomes).for_each(|(request, outcome)| request.outcome = outcome),
            Err(Error::Contended) => {}
            Err(error) => requests.iter_mut().for_each(|request| request.outcome = Err(error.clone())),
        }
    }
}

impl BatchRead {
    /// The reason of the plan in the words of the shop: an item or a mapping that could not be read has an error of its
    /// own.
    fn explain(&self, reason: NotPlanned) -> NotPlaced {
        match reason {
            NotPlanned::UnknownItem(item_id) => {
                let found = self.items.iter().find(|(id, _)| *id == item_id).and_then(|(_, item)| item.as_ref().err());
                NotPlaced::Refused(found.cloned().unwrap_or(Error::ItemNotFound(item_id)))
            }
            NotPlanned::KeyUnreadable(key) => {
                let found = self.mappings.iter().find(|(mapped, _)| *mapped == key);
                let error = found.and_then(|(_, order)| order.as_ref().err()).cloned();
                NotPlaced::Refused(error.unwrap_or(Error::Contended))
            }
            NotPlanned::AboveLimit { item_id, max_per_order, requested } => {
                NotPlaced::Refused(Error::QuantityAboveLimit { item_id, max_per_order, requested })
            }
            NotPlanned::TotalTooLarge => NotPlaced::Refused(Error::TotalTooLarge),
            NotPlanned::PriceChanged(order) => NotPlaced::Refused(Error::PriceChanged(order)),
            NotPlanned::Insufficient(item_id, hold) => NotPlaced::Insufficient(item_id, hold),
            NotPlanned::KeyUsed(order) => NotPlaced::DuplicateKey(order),
            NotPlanned::KeyInSameBatch => NotPlaced::KeyInSameBatch,
        }
    }
}

/// The records that guard a hold of an order: its state, which has to be unpaid, and the mapping of its key, which must
/// not be of another order.
fn guard_keys(order: &Order, key: Option<KeyDigest>) -> impl Iterator<Item = Key> {
    [Key::OrderState(order.order_id)].into_iter().chain(key.map(Key::Idempotency))
}

impl HoldRequest<'_> {
    /// Holds the line in `item`, which is not written yet and has `room` for this number of bytes of holds.
    fn hold(&self, item: &mut Item, guards: &Guards, room: &mut usize) -> Result<HoldOutcome, Error> {
        let (order_id, item_id) = (self.order.order_id, &self.line.item_id);
        if is_held(self.order, self.line, item)? {
            return Ok(HoldOutcome::Held);
        }
        if let Some(key) = &self.key {
            let used = item.order_for_key(key).map_or_else(|| mapped(guards, key), |order| Ok(Some(order)))?;
            // Rule: keys-are-looked-up-before-the-hold.
            let taken = used.filter(|other| *other != order_id);
            if let Some(other) = taken {
                return Ok(HoldOutcome::KeyTaken(other));
            }
        }
        let Some(state) = guards.get(&Key::OrderState(order_id))? else { return Ok(HoldOutcome::Removed) };
        let state = decode_state(state.clone())?.record;
        if state.settlement().is_some() {
            return Ok(HoldOutcome::Decided(state));
        }
        // Rule: prices-are-looked-at-with-the-hold.
        let repriced = self.at_price && item.unit_price() != self.line.unit_price;
        if repriced {
            return Ok(HoldOutcome::Repriced);
        }
        let hold = self.order.hold(self.line, self.key);
        let bytes = item.bytes_of(&hold);
        // Rule: holds-need-room.
        let is_full = bytes > *room && hold.quantity.get() <= item.available();
        if is_full {
            return Err(Error::ItemFull(item_id.clone()));
        }
        item.hold(order_id, hold).map_err(|error| match error {
            HoldError::Shortage(shortage) => Error::insufficient_stock(item_id, shortage, hold.quantity.get()),
            HoldError::AlreadyHeld => Error::inconsistent_order(order_id),
        })?;
        *room = room.saturating_sub(bytes);
        Ok(HoldOutcome::Held)
    }
}

/// The order that a key is mapped to.
fn mapped(guards: &Guards, key: &KeyDigest) -> Result<Option<OrderId>, Error> {
    guards.get(&Key::Idempotency(*key))?.map(|entry| Ok(decode(entry.clone())?.record)).transpose()
}

//! Placing orders, each by itself or many together.
//!
//! Orders that are asked for within a moment in one instance are placed together (see [`crate::group`]): their items are
//! read in one call, the orders are written in one, and each item is swapped once for all of them. What holds for one
//! order holds for each of many, since a line is held by the same steps: read the item, look whether the key was used, see
//! the payment unpaid, swap the item. One order's trouble is its own: whoever cannot go on in company is handed back what
//! was done so far and goes on alone.

use std::rc::Rc;

use crate::environment::Environment;
use crate::error::Error;
use crate::group::Work;
use crate::ids::{ItemId, KeyDigest, OrderId};
use crate::inventory::FoundItem;
use crate::item::{Hold, Item, Settlement, Shortage};
use crate::order::{Line, NewOrder, Order, total};
use crate::orders::{OrderView, is_held};
use crate::payment::{Payment, Void};
use crate::settlement::{Beside, Change, Lack, Short};
use crate::shop::{Attempts, Read, Shop, decode, encode};
use crate::store::{Entry, Found, Key, Store, StoreError, Swap};

/// An order that is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The order as it is now.
    pub view: OrderView,
    /// Whether an earlier request with the same key had placed it.
    pub replayed: bool,
}

/// What one request asks for.
#[derive(Debug, Clone)]
pub(crate) struct PlaceRequest {
    request: Rc<NewOrder>,
    key: Option<KeyDigest>,
    /// What its order will be called.
    order_id: OrderId,
}

impl Work for PlaceRequest {
    fn weight(&self) -> usize {
        self.request.lines.iter().len()
    }
}

/// What became of a request in company, from where its owner goes on.
pub(crate) type PlaceOutcome = Result<Box<Creation>, NotPlaced>;

/// Why no order was written.
#[derive(Debug)]
pub(crate) enum NotPlaced {
    /// There is none to be placed.
    Refused(Error),
    /// A hold of so much is wanted of an item, and there is too little of it, or too little room for the hold, unless holds
    /// are settled.
    Short(ItemId, Hold),
    /// Another order was placed under its key.
    Repeat(OrderId),
    /// Somebody in the same company has the same key. What comes of that is to be seen.
    Again,
}

/// How an attempt to place an order ended.
enum Attempt {
    Placed(Placed),
    /// What it went by has changed, or may have, by a swap with this outcome: start from the beginning.
    StartOver(Result<Swap, StoreError>),
}

/// How an attempt to hold a line ended.
#[derive(Debug, Clone)]
pub(crate) enum HoldOutcome {
    /// The line is held.
    Held,
    /// The line is not held: others were faster every time.
    NotYet,
    /// The order's fate was decided meanwhile.
    Decided(Payment),
    /// Another order was placed under the same key.
    Other(OrderId),
}

/// A line that is to be held, and what became of it.
struct HoldRequest<'a> {
    order: &'a Order,
    line: &'a Line,
    /// Only on the first line of a creator: then another order that was placed under it takes precedence.
    key: Option<KeyDigest>,
    outcome: Result<HoldOutcome, Error>,
}

/// An order that was written and is on its way to be held.
#[derive(Debug)]
pub(crate) struct Creation {
    order: Order,
    key: Option<KeyDigest>,
    /// The payment as its creator has written it.
    payment: Entry,
    /// How many of its lines are held.
    held: usize,
    /// What became of the line that was to be held last.
    outcome: Result<HoldOutcome, Error>,
}

/// What was read for a group.
struct Snapshot {
    /// The items, sorted by their ids.
    items: Vec<ItemSnapshot>,
    /// The orders that keys are mapped to.
    mapped: Vec<(KeyDigest, Result<OrderId, Error>)>,
    /// The keys of this group's own orders.
    keys: Vec<KeyDigest>,
}

/// An item on the shelf.
struct ItemSnapshot {
    id: ItemId,
    item: Result<Read<Item>, Error>,
    /// How much the group takes of it.
    taken: u64,
    /// How many bytes the group's holds take in its record, at most.
    bytes: usize,
    /// How many holds those are.
    holds: usize,
}

impl Snapshot {
    fn find(&mut self, id: &ItemId) -> Option<&mut ItemSnapshot> {
        let index = self.items.binary_search_by(|shelved| shelved.id.cmp(id)).ok()?;
        self.items.get_mut(index)
    }

    fn mapped(&self, key: &KeyDigest) -> Option<Result<OrderId, Error>> {
        self.mapped.iter().find(|(mapped, _)| mapped == key).map(|(_, order)| order.clone())
    }
}

impl<S: Store, E: Environment> Shop<S, E> {
    /// Places an order: holds each of its lines, or none for long. With a `key`, repeats answer with the one order
    /// that was placed, also while the first request still runs or after it stopped half way.
    pub async fn place(&self, request: NewOrder, key: Option<KeyDigest>) -> Result<Placed, Error> {
        let mut wanted = PlaceRequest { request: Rc::new(request), key, order_id: self.fresh_id() };
        let mut attempts = self.attempts();
        loop {
            match self.try_to_place(&mut wanted).await? {
                Attempt::Placed(placed) => return Ok(placed),
                Attempt::StartOver(outcome) => attempts.again(outcome).await?,
            }
        }
    }

    fn fresh_id(&self) -> OrderId {
        OrderId::from_random(self.environment.random_id())
    }

    async fn try_to_place(&self, wanted: &mut PlaceRequest) -> Result<Attempt, Error> {
        let group = &self.instance.placing;
        let met = group.join(&self.environment, wanted.clone(), async |all| self.place_all(&all).await).await;
        // Whoever led the group was stopped: whether the order was placed is as unknown as after a crash.
        match met.ok_or(Error::Busy)? {
            Ok(creation) => {
                // This id is used up.
                wanted.order_id = self.fresh_id();
                self.go_on(*creation, &wanted.request).await
            }
            Err(NotPlaced::Refused(error)) => Err(error),
            Err(NotPlaced::Short(item_id, hold)) => {
                self.make_room(&item_id, &hold).await?;
                Ok(Attempt::StartOver(Ok(Swap::Conflict)))
            }
            Err(NotPlaced::Repeat(order)) => self.resume(order, &wanted.request).await,
            Err(NotPlaced::Again) => Ok(Attempt::StartOver(Ok(Swap::Conflict))),
        }
    }

    /// Places these orders together, as far as that goes.
    async fn place_all(&self, all: &[PlaceRequest]) -> Vec<PlaceOutcome> {
        let mut shelf = match self.look(all).await {
            Ok(shelf) => shelf,
            Err(error) => return all.iter().map(|_| Err(NotPlaced::Refused(error.clone()))).collect(),
        };
        let orders: Vec<_> = all.iter().map(|wanted| self.take(wanted, &mut shelf)).collect();
        let mut written = self.write_orders(all, orders).await;
        match self.look_beside(&shelf, &written).await {
            Ok(mut beside) => {
                for ItemSnapshot { id, item, .. } in shelf.items {
                    if let Ok(item) = item {
                        self.hold_all(&id, item, &mut beside, &mut written).await;
                    }
                }
            }
            Err(error) => written.iter_mut().flatten().for_each(|order| order.outcome = Err(error.clone())),
        }
        written.into_iter().map(|order| order.map(Box::new)).collect()
    }

    /// Reads, for all items of these orders, what has to be seen before their lines are held.
    async fn look_beside(&self, shelf: &Snapshot, orders: &[Result<Creation, NotPlaced>]) -> Result<Beside, Error> {
        let written = || orders.iter().flatten();
        let wanted: Vec<_> = written().flat_map(|written| beside(&written.order, written.key)).collect();
        let items = shelf.items.iter().filter(|shelved| shelved.holds > 0);
        let mut items = items.filter_map(|shelved| Some((&shelved.item.as_ref().ok()?.record, shelved.holds)));
        self.read_beside(&mut items, &wanted, self.environment.now()).await
    }

    /// Reads the items of these orders, and after them the mappings of their keys.
    async fn look(&self, all: &[PlaceRequest]) -> Result<Snapshot, Error> {
        let mut ids = Vec::<ItemId>::new();
        for (id, _) in all.iter().flat_map(|wanted| wanted.request.lines.iter()) {
            if let Err(index) = ids.binary_search(id) {
                ids.insert(index, id.clone());
            }
        }
        let mut keys = Vec::new();
        for key in all.iter().filter_map(|wanted| wanted.key) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let mappings = keys.iter().copied().map(Key::Idempotency).collect();
        let (items, mappings) = self.find_items_for_update(&ids, mappings).await?;
        let shelved = |(id, item): (ItemId, FoundItem)| {
            let item = item.and_then(|item| item.ok_or_else(|| Error::ItemNotFound(id.clone())));
            ItemSnapshot { id, item, taken: 0, bytes: 0, holds: 0 }
        };
        let mapped = |(key, found): (KeyDigest, Found)| match found {
            Ok(entry) => Some((key, decode(entry?).map(|read| read.record))),
            Err(damaged) => Some((key, Err(damaged.into()))),
        };
        Ok(Snapshot {
            items: ids.into_iter().zip(items).map(shelved).collect(),
            mapped: keys.into_iter().zip(mappings).filter_map(mapped).collect(),
            keys: Vec::new(),
        })
    }

    /// Takes what an order wants from the shelf, or says why not. Nothing is written yet, as for most refusals it never is.
    fn take(&self, wanted: &PlaceRequest, shelf: &mut Snapshot) -> Result<Order, NotPlaced> {
        let mut lines = Vec::with_capacity(wanted.request.lines.iter().len());
        let mut key = wanted.key;
        for (item_id, quantity) in wanted.request.lines.iter() {
            let item = match shelf.find(item_id).map(|shelved| &shelved.item) {
                Some(Ok(item)) => &item.record,
                Some(Err(error)) => return Err(NotPlaced::Refused(error.clone())),
                None => return Err(NotPlaced::Refused(Error::ItemNotFound(item_id.clone()))),
            };
            lines.push(Line { item_id: item_id.clone(), quantity, unit_price: item.unit_price });
            // The first item carries the key, until its mapping is written.
            if let Some(key) = key.take() {
                let order = item.order_for_key(&key).map(Ok);
                if let Some(order) = order.or_else(|| shelf.mapped(&key)) {
                    return Err(order.map_or_else(NotPlaced::Refused, NotPlaced::Repeat));
                }
                if shelf.keys.contains(&key) {
                    return Err(NotPlaced::Again);
                }
            }
        }
        let total = total(lines.iter().map(|line| (line.unit_price, line.quantity)));
        let total = total.ok_or(NotPlaced::Refused(Error::TotalTooLarge))?;
        let placed_at = self.environment.now();
        let order = Order {
            order_id: wanted.order_id,
            lines,
            total,
            currency: self.settings.currency.clone(),
            customer_id: wanted.request.customer_id.clone(),
            placed_at,
            expires_at: placed_at.after(self.settings.payment_window),
        };
        let holds = || order.holds(wanted.key);
        for (item_id, hold) in holds() {
            let (available, room) = match shelf.find(item_id) {
                Some(ItemSnapshot { item: Ok(item), taken, bytes, .. }) => {
                    let room = self.room(&item.record, item.entry.value.len()).saturating_sub(*bytes);
                    (item.record.available().saturating_sub(*taken), room.checked_sub(item.record.bytes_of(&hold)))
                }
                Some(ItemSnapshot { item: Err(_), .. }) | None => (0, None),
            };
            if available < hold.quantity.get() || room.is_none() {
                return Err(NotPlaced::Short(item_id.clone(), hold));
            }
        }
        for (item_id, hold) in holds() {
            if let Some(shelved) = shelf.find(item_id) {
                let bytes = shelved.item.as_ref().map_or(0, |item| item.record.bytes_of(&hold));
                shelved.taken = shelved.taken.saturating_add(hold.quantity.get());
                shelved.bytes = shelved.bytes.saturating_add(bytes);
                shelved.holds = shelved.holds.saturating_add(1);
            }
        }
        shelf.keys.extend(wanted.key);
        Ok(order)
    }

    /// Writes these orders, unpaid, and their number in the list, in one call.
    async fn write_orders(
        &self,
        all: &[PlaceRequest],
        orders: Vec<Result<Order, NotPlaced>>,
    ) -> Vec<Result<Creation, NotPlaced>> {
        let mut records = Vec::new();
        let mut ids = Vec::new();
        for order in orders.iter().flatten() {
            match (encode(order), encode(&Payment::NEW)) {
                (Ok(written), Ok(payment)) => {
                    records.extend([(Key::Order(order.order_id), written), (Key::OrderState(order.order_id), payment)]);
                    ids.push(order.order_id);
                }
                (Err(error), _) | (_, Err(error)) => {
                    return all.iter().map(|_| Err(NotPlaced::Refused(error.clone()))).collect();
                }
            }
        }
        let inserted = if ids.is_empty() { Ok(Vec::new()) } else { self.insert_listed(records, &ids).await };
        let mut payments = inserted.map(|entries| entries.into_iter().skip(1).step_by(2));
        let written = |(wanted, order): (&PlaceRequest, Result<Order, NotPlaced>)| {
            let order = order?;
            let payment = match &mut payments {
                Ok(payments) => payments.next().ok_or_else(|| Error::inconsistent_order(order.order_id)),
                Err(error) => Err(error.clone()),
            };
            let payment = payment.map_err(NotPlaced::Refused)?;
            Ok(Creation { order, key: wanted.key, payment, held: 0, outcome: Ok(HoldOutcome::Held) })
        };
        all.iter().zip(orders).map(written).collect()
    }

    async fn insert_listed(&self, mut records: Vec<(Key, Vec<u8>)>, ids: &[OrderId]) -> Result<Vec<Entry>, Error> {
        // Last, so that orders and payments take turns.
        records.push((Key::OrderIndex(self.number().await?), encode(&ids)?));
        Ok(self.store.insert(records).await?)
    }

    /// Holds the lines of one item, for those of these orders whose lines so far are held.
    async fn hold_all(
        &self,
        item_id: &ItemId,
        item: Read<Item>,
        beside: &mut Beside,
        orders: &mut [Result<Creation, NotPlaced>],
    ) {
        let on_the_way = orders.iter_mut().flatten().filter(|order| matches!(order.outcome, Ok(HoldOutcome::Held)));
        let (mut held, mut outcomes, mut holders) = (Vec::new(), Vec::new(), Vec::new());
        for Creation { order, key, held: lines, outcome, .. } in on_the_way {
            if let Some(line) = order.lines.get(*lines).filter(|line| line.item_id == *item_id) {
                let key = if *lines == 0 { *key } else { None };
                holders.push(HoldRequest { order, line, key, outcome: Ok(HoldOutcome::NotYet) });
                held.push(lines);
                outcomes.push(outcome);
            }
        }
        self.hold_lines(item_id, Some((item, beside)), self.attempts_in_batch(), &mut holders).await;
        for ((lines, to), HoldRequest { outcome, .. }) in held.into_iter().zip(outcomes).zip(holders) {
            *lines = lines.saturating_add(usize::from(matches!(outcome, Ok(HoldOutcome::Held))));
            *to = outcome;
        }
    }

    /// Goes on with an order that was written, from where it is.
    async fn go_on(&self, creation: Creation, request: &NewOrder) -> Result<Attempt, Error> {
        let Creation { order, key, payment, held, mut outcome } = creation;
        let order = &order;
        let mut attempts = self.attempts();
        let mut lines = order.lines.iter().enumerate().skip(held);
        loop {
            match outcome {
                Ok(HoldOutcome::Held | HoldOutcome::NotYet) => {}
                Ok(HoldOutcome::Decided(payment)) => {
                    // What came to nothing gives back what it held so far: its decider saw only what was held by then.
                    let settlement = payment.settlement();
                    if let Some(settlement @ (Settlement::Released | Settlement::Forgotten)) = settlement {
                        self.release_all(order, settlement).await;
                    }
                    return Ok(match settlement {
                        Some(Settlement::Forgotten) => Attempt::StartOver(Ok(Swap::Conflict)),
                        _ => {
                            let view = self.view(order.clone(), payment, true);
                            Attempt::Placed(Placed { view, replayed: false })
                        }
                    });
                }
                Ok(HoldOutcome::Other(other)) => {
                    self.withdraw(order, &payment).await;
                    return self.resume(other, request).await;
                }
                Err(error) => {
                    let rejected = self.reject(order, &payment).await;
                    // Busy has had its attempts: they are not to be multiplied.
                    if rejected || matches!(error, Error::Busy) {
                        return Err(error);
                    }
                    attempts.again(Ok(Swap::Conflict)).await?;
                }
            }
            let Some((number, line)) = lines.clone().next() else {
                return Ok(Attempt::Placed(Placed {
                    view: self.view(order.clone(), Payment::NEW, true),
                    replayed: false,
                }));
            };
            outcome = self.hold(order, line, if number == 0 { key } else { None }).await;
            if let Ok(HoldOutcome::Held) = outcome {
                lines.next();
            }
        }
    }

    /// Settles holds of an item until there is enough of it, and room, for this one; or refuses.
    async fn make_room(&self, item_id: &ItemId, hold: &Hold) -> Result<(), Error> {
        self.update_item(item_id, |item, room| {
            let (available, wanted) = (item.available(), hold.quantity.get());
            let (of, error) = if available < wanted {
                (Lack::Stock, Error::insufficient_stock(item_id, Shortage { available }, wanted))
            } else if room < item.bytes_of(hold) {
                (Lack::Room, Error::ItemFull(item_id.clone()))
            } else {
                return Ok(Change::Leave(Ok(())));
            };
            Ok(Change::Short(Short { result: Err(error), of, changed: false }))
        })
        .await?
    }

    /// Takes back an order whose key turned out to be another one's. Its records are removed once its payment says that it is
    /// rejected, from the bytes that its creator wrote: if anything was decided about it since, a client may have been told,
    /// and it stays. It stays too if an answer is lost, and came to nothing all the same: it holds nothing.
    async fn withdraw(&self, order: &Order, payment: &Entry) {
        if self.swap_rejected(payment).await == Some(Swap::Swapped) {
            let _ = self.store.remove(&[Key::Order(order.order_id), Key::OrderState(order.order_id)]).await;
        }
    }

    /// Rejects the order that has this payment, if it still is what its creator wrote; nothing if that is unknown.
    async fn swap_rejected(&self, payment: &Entry) -> Option<Swap> {
        let void = encode(&Payment::Void { reason: Void::Rejected, at: self.environment.now() }).ok()?;
        self.store.swap(payment, void).await.ok()
    }

    /// Rejects an order that could not be placed, and releases what it holds. Only its creator does so, and only from
    /// the bytes that it wrote itself: if anyone confirmed the order since, that is, saw every line held, those bytes
    /// are gone, and the line that was short has to be looked at again. Answers false in that case.
    async fn reject(&self, order: &Order, payment: &Entry) -> bool {
        match self.swap_rejected(payment).await {
            Some(Swap::Swapped) => {
                self.release_all(order, Settlement::Forgotten).await;
                true
            }
            Some(Swap::Conflict) => false,
            // Unknown. Whatever is held is released when the order expires, if not before.
            None => true,
        }
    }

    /// Carries on with an order that was placed under the same key, wherever its creator is or stopped.
    async fn resume(&self, order_id: OrderId, request: &NewOrder) -> Result<Attempt, Error> {
        let Some((order, payment)) = self.read_order(order_id).await? else {
            return Err(Error::inconsistent_order(order_id));
        };
        // Its creator may still be about to reject it: decide before anyone is told.
        let payment = self.expire(&order, payment).await?;
        let replayed =
            |payment| Ok(Attempt::Placed(Placed { view: self.view(order.clone(), payment, true), replayed: true }));
        let settlement = payment.record.settlement();
        if settlement == Some(Settlement::Forgotten) {
            // It was refused: its key is free again once its hold is gone.
            self.release_all(&order, Settlement::Forgotten).await;
            return Ok(Attempt::StartOver(Ok(Swap::Conflict)));
        }
        if !order.matches(request) {
            return Err(Error::IdempotencyKeyReused);
        }
        if settlement.is_some() {
            return replayed(payment.record);
        }
        for line in self.missing_lines(&order).await? {
            match self.hold(&order, line, None).await? {
                HoldOutcome::Held => {}
                HoldOutcome::NotYet | HoldOutcome::Decided(_) | HoldOutcome::Other(_) => {
                    return Ok(Attempt::StartOver(Ok(Swap::Conflict)));
                }
            }
        }
        let next = Payment::Unpaid { confirmed: true };
        if payment.record == next {
            return replayed(next);
        }
        match self.store.swap(&payment.entry, encode(&next)?).await {
            Ok(Swap::Swapped) => replayed(next),
            outcome => Ok(Attempt::StartOver(outcome)),
        }
    }

    /// Holds one line of an order.
    async fn hold(&self, order: &Order, line: &Line, key: Option<KeyDigest>) -> Result<HoldOutcome, Error> {
        let mut holder = [HoldRequest { order, line, key, outcome: Ok(HoldOutcome::NotYet) }];
        self.hold_lines(&line.item_id, None, self.attempts(), &mut holder).await;
        let [HoldRequest { outcome, .. }] = holder;
        // By itself it has had all the attempts that there are.
        if let Ok(HoldOutcome::NotYet) = outcome { Err(Error::Busy) } else { outcome }
    }

    /// Holds one line of each of these orders, all of one item, in one swap; or as many of them as can be held. Begins with
    /// what was `read` of the item before the orders were written.
    async fn hold_lines(
        &self,
        item_id: &ItemId,
        read: Option<(Read<Item>, &mut Beside)>,
        attempts: Attempts<'_, E>,
        holders: &mut [HoldRequest<'_>],
    ) {
        if holders.is_empty() {
            return;
        }
        let wanted: Vec<_> = holders.iter().flat_map(|holder| beside(holder.order, holder.key)).collect();
        let outcomes = self
            .update_read_item(item_id, read, &wanted, holders.len(), attempts, |item, beside, mut room| {
                let (mut result, mut changed, mut lack) = (Vec::with_capacity(holders.len()), false, None);
                for holder in holders.iter() {
                    let before = item.holds.len();
                    let outcome = holder.hold(item, beside, &mut room);
                    changed |= item.holds.len() > before;
                    match outcome {
                        Err(Error::InsufficientStock { .. }) => lack = lack.or(Some(Lack::Stock)),
                        Err(Error::ItemFull(_)) => lack = Some(Lack::Room),
                        Ok(_) | Err(_) => {}
                    }
                    result.push(outcome);
                }
                Ok(match lack {
                    Some(of) => Change::Short(Short { result, of, changed }),
                    None if changed => Change::Write(result),
                    None => Change::Leave(result),
                })
            })
            .await;
        match outcomes {
            Ok(outcomes) => holders.iter_mut().zip(outcomes).for_each(|(holder, outcome)| holder.outcome = outcome),
            Err(Error::Busy) => {}
            Err(error) => holders.iter_mut().for_each(|holder| holder.outcome = Err(error.clone())),
        }
    }
}

/// What has to be seen of an order after an item, before a line of it is held there: that it is unpaid, and that no other
/// was placed under its key.
fn beside(order: &Order, key: Option<KeyDigest>) -> impl Iterator<Item = Key> {
    [Key::OrderState(order.order_id)].into_iter().chain(key.map(Key::Idempotency))
}

impl HoldRequest<'_> {
    /// Holds the line in `item`, which is not written yet and has `room` for this number of bytes of holds.
    fn hold(&self, item: &mut Item, beside: &Beside, room: &mut usize) -> Result<HoldOutcome, Error> {
        let order_id = self.order.order_id;
        if is_held(self.order, self.line, item)? {
            return Ok(HoldOutcome::Held);
        }
        if let Some(key) = &self.key
            && let Some(other) = item.order_for_key(key).map_or_else(|| mapped(beside, key), |order| Ok(Some(order)))?
            && other != order_id
        {
            return Ok(HoldOutcome::Other(other));
        }
        let payment = beside.get(&Key::OrderState(order_id))?.ok_or_else(|| Error::inconsistent_order(order_id))?;
        let payment: Payment = decode(payment.clone())?.record;
        if payment.settlement().is_some() {
            return Ok(HoldOutcome::Decided(payment));
        }
        let hold = Hold { quantity: self.line.quantity, expires_at: self.order.expires_at, key: self.key };
        let short = |shortage| Error::insufficient_stock(&self.line.item_id, shortage, self.line.quantity.get());
        let bytes = item.bytes_of(&hold);
        if bytes > *room && hold.quantity.get() <= item.available() {
            return Err(Error::ItemFull(self.line.item_id.clone()));
        }
        item.hold(order_id, hold).map_err(short)?;
        *room = room.saturating_sub(bytes);
        Ok(HoldOutcome::Held)
    }
}

/// The order that a key is mapped to.
fn mapped(beside: &Beside, key: &KeyDigest) -> Result<Option<OrderId>, Error> {
    beside.get(&Key::Idempotency(*key))?.map(|entry| Ok(decode(entry.clone())?.record)).transpose()
}

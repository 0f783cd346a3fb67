//! Requests about orders: place, show, cancel.

use crate::environment::Environment;
use crate::error::Error;
use crate::ids::{KeyDigest, OrderId};
use crate::item::{Hold, Item, Settlement};
use crate::order::{Line, NewOrder, Order, total};
use crate::payment::{Paid, Payment, Void};
use crate::settlement::Change;
use crate::shop::{Shop, encode};
use crate::status::{Status, status};
use crate::store::{Entry, Key, Store, StoreError, Swap};

/// An order as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderView {
    /// What was ordered.
    pub order: Order,
    /// What it is now.
    pub status: Status,
    /// The payment, once it was made.
    pub paid: Option<Paid>,
}

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
    Placed(Placed),
    /// What it went by has changed, or may have, by a swap with this outcome: start from the beginning.
    StartOver(Result<Swap, StoreError>),
}

/// How an attempt to hold a line ended.
enum Holding {
    /// The line is held.
    Held,
    /// The order's fate was decided meanwhile.
    Decided(Payment),
    /// Another order was placed under the same key.
    Other(OrderId),
}

impl<S: Store, E: Environment> Shop<S, E> {
    /// Places an order: holds each of its lines, or none for long. With a `key`, repeats answer with the one order
    /// that was placed, also while the first request still runs or after it stopped half way.
    pub async fn place(&self, request: &NewOrder, key: Option<&KeyDigest>) -> Result<Placed, Error> {
        let mut attempts = self.attempts();
        loop {
            match self.try_to_place(request, key).await? {
                Attempt::Placed(placed) => return Ok(placed),
                Attempt::StartOver(outcome) => attempts.again(outcome).await?,
            }
        }
    }

    /// Shows an order.
    pub async fn show_order(&self, order_id: OrderId) -> Result<OrderView, Error> {
        let (order, payment) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
        let mut view = self.view(order, payment.record, true);
        if view.status == Status::Pending && !self.all_held(&view.order).await? {
            // A hold may be missing because it was settled since: then the payment says so by now.
            let payment = self.read_payment(order_id).await?;
            view = self.view(view.order, payment.record, false);
        }
        Ok(view)
    }

    /// Cancels an order that is not paid. Repeating it is safe.
    pub async fn cancel(&self, order_id: OrderId) -> Result<OrderView, Error> {
        let mut attempts = self.attempts();
        loop {
            let (order, payment) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
            let now = self.environment.now();
            match status(&payment.record, true, now, order.expires_at) {
                Status::Cancelled => {
                    // Its first cancellation may have stopped before the holds were released.
                    self.release_all(&order, Settlement::Released).await;
                    return Ok(self.view(order, payment.record, true));
                }
                Status::Pending | Status::Placing => {}
                decided => return Err(Error::OrderNotCancellable(decided)),
            }
            let void = Payment::Void { reason: Void::Cancelled, at: now };
            match self.store.swap(&payment.entry, encode(&void)?).await {
                Ok(Swap::Swapped) => {
                    self.release_all(&order, Settlement::Released).await;
                    return Ok(self.view(order, void, true));
                }
                outcome => attempts.again(outcome).await?,
            }
        }
    }

    /// The order as a client sees it, where `all_held` says whether each line is held.
    pub(crate) fn view(&self, order: Order, payment: Payment, all_held: bool) -> OrderView {
        let status = status(&payment, all_held, self.environment.now(), order.expires_at);
        let paid = match payment {
            Payment::Paid(paid) => Some(paid),
            Payment::Unpaid { .. } | Payment::Void { .. } => None,
        };
        OrderView { order, status, paid }
    }

    /// Whether each line of an order is held.
    pub(crate) async fn all_held(&self, order: &Order) -> Result<bool, Error> {
        Ok(self.missing_lines(order).await?.is_empty())
    }

    async fn missing_lines<'a>(&self, order: &'a Order) -> Result<Vec<&'a Line>, Error> {
        let ids: Vec<_> = order.lines.iter().map(|line| line.item_id.clone()).collect();
        let items = self.find_items(&ids).await?;
        let mut missing = Vec::new();
        for (line, item) in order.lines.iter().zip(items) {
            if !item.map_or(Ok(false), |item| is_held(order, line, &item.record))? {
                missing.push(line);
            }
        }
        Ok(missing)
    }

    async fn try_to_place(&self, request: &NewOrder, key: Option<&KeyDigest>) -> Result<Attempt, Error> {
        let ids: Vec<_> = request.lines.iter().map(|(item, _)| item.clone()).collect();
        let mut items = Vec::with_capacity(ids.len());
        for (id, item) in ids.iter().zip(self.find_items(&ids).await?) {
            items.push(item.ok_or_else(|| Error::ItemNotFound(id.clone()))?.record);
        }
        if let (Some(key), Some(first)) = (key, items.first())
            && let Some(order) = self.order_of(key, first).await?
        {
            return self.resume(order, request).await;
        }
        let lines = request.lines.iter().zip(&items);
        let total = total(lines.clone().map(|((_, quantity), item)| (item.unit_price, quantity)));
        let total = total.ok_or(Error::TotalTooLarge)?;
        for ((item_id, quantity), item) in lines.clone() {
            // Refused before anything is written, as most refusals are.
            if item.available() < quantity.get() {
                self.make_room(item_id, quantity.get()).await?;
            }
        }
        let placed_at = self.environment.now();
        let order = Order {
            order_id: OrderId::from_random(self.environment.random_id()),
            lines: lines
                .map(|((item_id, quantity), item)| Line {
                    item_id: item_id.clone(),
                    quantity,
                    unit_price: item.unit_price,
                })
                .collect(),
            total,
            currency: self.settings.currency.clone(),
            customer_id: request.customer_id.clone(),
            placed_at,
            expires_at: placed_at.after(self.settings.payment_window),
        };
        self.create(order, request, key).await
    }

    /// Settles expired holds of an item until `wanted` is available, or refuses.
    async fn make_room(&self, item_id: &crate::ids::ItemId, wanted: u64) -> Result<(), Error> {
        self.update_item(item_id, async |item| {
            let available = item.available();
            if available < wanted {
                return Err(Error::InsufficientStock { item_id: item_id.clone(), available, requested: wanted });
            }
            Ok(Change::Leave(()))
        })
        .await
    }

    /// Writes a new order and holds its lines, one after the other.
    async fn create(&self, order: Order, request: &NewOrder, key: Option<&KeyDigest>) -> Result<Attempt, Error> {
        let order_id = order.order_id;
        let keys = [Key::Order(order_id), Key::Payment(order_id)];
        let [order_key, payment_key] = keys.clone();
        let records = vec![(order_key, encode(&order)?), (payment_key, encode(&Payment::NEW)?)];
        let payment = self.store.insert(records).await?.into_iter().nth(1);
        let payment = payment.ok_or_else(|| Error::half_an_order(order_id))?;

        let mut attempts = self.attempts();
        let mut lines = order.lines.iter();
        let mut key = key;
        while let Some(line) = lines.as_slice().first() {
            match self.hold(&order, line, key).await {
                Ok(Holding::Held) => {
                    lines.next();
                    key = None; // The first line alone carries it.
                }
                Ok(Holding::Decided(payment)) => {
                    return match payment.settlement() {
                        Some(Settlement::Forgotten) => {
                            self.release_all(&order, Settlement::Forgotten).await;
                            Ok(Attempt::StartOver(Ok(Swap::Conflict)))
                        }
                        _ => Ok(Attempt::Placed(Placed { view: self.view(order, payment, true), replayed: false })),
                    };
                }
                Ok(Holding::Other(other)) => {
                    self.store.remove(&keys).await?;
                    return self.resume(other, request).await;
                }
                Err(error) => {
                    let rejected = self.reject(&order, &payment).await;
                    // Busy has had its attempts: they are not to be multiplied.
                    if rejected || matches!(error, Error::Busy) {
                        return Err(error);
                    }
                    attempts.again(Ok(Swap::Conflict)).await?;
                }
            }
        }
        Ok(Attempt::Placed(Placed { view: self.view(order, Payment::NEW, true), replayed: false }))
    }

    /// Rejects an order that could not be placed, and releases what it holds. Only its creator does so, and only from
    /// the bytes that it wrote itself: if anyone confirmed the order since, that is, saw every line held, those bytes
    /// are gone, and the line that was short has to be looked at again. Answers false in that case.
    async fn reject(&self, order: &Order, payment: &Entry) -> bool {
        let void = Payment::Void { reason: Void::Rejected, at: self.environment.now() };
        let Ok(void) = encode(&void) else { return true };
        match self.store.swap(payment, void).await {
            Ok(Swap::Swapped) => {
                self.release_all(order, Settlement::Forgotten).await;
                true
            }
            Ok(Swap::Conflict) => false,
            // Unknown. Whatever is held is released when the order expires, if not before.
            Err(_) => true,
        }
    }

    /// Carries on with an order that was placed under the same key, wherever its creator is or stopped.
    async fn resume(&self, order_id: OrderId, request: &NewOrder) -> Result<Attempt, Error> {
        let Some((order, payment)) = self.read_order(order_id).await? else {
            return Err(Error::half_an_order(order_id));
        };
        let replayed =
            |payment| Ok(Attempt::Placed(Placed { view: self.view(order.clone(), payment, true), replayed: true }));
        let settlement = payment.record.settlement();
        if settlement == Some(Settlement::Forgotten) {
            // It was refused: its key is free again once its hold is gone.
            self.release_all(&order, Settlement::Forgotten).await;
            return Ok(Attempt::StartOver(Ok(Swap::Conflict)));
        }
        if !order.answers(request) {
            return Err(Error::IdempotencyKeyReused);
        }
        if settlement.is_some() {
            return replayed(payment.record);
        }
        let now = self.environment.now();
        let next = if now >= order.expires_at {
            // Its creator may still be about to reject it: decide before anyone is told.
            Payment::Void { reason: Void::Expired, at: now }
        } else {
            for line in self.missing_lines(&order).await? {
                match self.hold(&order, line, None).await? {
                    Holding::Held => {}
                    Holding::Decided(_) | Holding::Other(_) => return Ok(Attempt::StartOver(Ok(Swap::Conflict))),
                }
            }
            Payment::Unpaid { confirmed: true }
        };
        if payment.record == next {
            return replayed(next);
        }
        match self.store.swap(&payment.entry, encode(&next)?).await {
            Ok(Swap::Swapped) => replayed(next),
            outcome => Ok(Attempt::StartOver(outcome)),
        }
    }

    /// Holds one line of an order. With a `key`, which only a creator's first line has, another order that was placed
    /// under it takes precedence.
    async fn hold(&self, order: &Order, line: &Line, key: Option<&KeyDigest>) -> Result<Holding, Error> {
        let order_id = order.order_id;
        self.update_item(&line.item_id, async |item| {
            if is_held(order, line, item)? {
                return Ok(Change::Leave(Holding::Held));
            }
            if let Some(key) = key
                && let Some(other) = self.order_of(key, item).await?
                && other != order_id
            {
                return Ok(Change::Leave(Holding::Other(other)));
            }
            let payment = self.read_payment(order_id).await?.record;
            if payment.settlement().is_some() {
                return Ok(Change::Leave(Holding::Decided(payment)));
            }
            let hold = Hold { quantity: line.quantity, expires_at: order.expires_at, key: key.cloned() };
            item.hold(order_id, hold).map_err(|shortage| Error::InsufficientStock {
                item_id: line.item_id.clone(),
                available: shortage.available,
                requested: line.quantity.get(),
            })?;
            Ok(Change::Write(Holding::Held))
        })
        .await
    }

    /// Releases what a decided order holds, as far as that goes: its fate is recorded, so whoever uses the item next
    /// settles what is left.
    async fn release_all(&self, order: &Order, settlement: Settlement) {
        for line in &order.lines {
            if self.release(&line.item_id, order.order_id, settlement).await.is_err() {
                return;
            }
        }
    }
}

/// Whether an item holds a line of an order. A hold of more or less than the line is not believed.
fn is_held(order: &Order, line: &Line, item: &Item) -> Result<bool, Error> {
    match item.holds.get(&order.order_id) {
        None => Ok(false),
        Some(hold) if hold.quantity == line.quantity => Ok(true),
        Some(_) => {
            let reason = format!("it does not hold what order:{} says", order.order_id);
            Err(Error::Unreadable { key: Key::Item(line.item_id.clone()).to_string(), reason })
        }
    }
}

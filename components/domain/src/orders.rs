//! Requests about orders that are there: show, cancel.

use crate::environment::Environment;
use crate::error::Error;
use crate::ids::OrderId;
use crate::item::{Item, Settlement};
use crate::order::{Line, Order};
use crate::payment::{Paid, Payment, Void};
use crate::shop::{Read, Shop, encode};
use crate::status::{Status, status};
use crate::store::{Key, Store, Swap};

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

impl<S: Store, E: Environment> Shop<S, E> {
    /// Shows an order.
    pub async fn show_order(&self, order_id: OrderId) -> Result<OrderView, Error> {
        let (order, payment) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
        self.to_view(order, payment).await
    }

    /// An order that was read, as a client sees it. An expiry is decided before it is shown.
    pub(crate) async fn to_view(&self, order: Order, payment: Read<Payment>) -> Result<OrderView, Error> {
        let payment = self.expire(&order, payment).await?;
        let view = self.view(order, payment.record, true);
        if view.status != Status::Pending || self.all_held(&view.order).await? {
            return Ok(view);
        }
        // A hold may be missing because it was settled since: then the payment says so by now.
        let payment = self.read_payment(view.order.order_id).await?;
        Ok(self.view(view.order, payment.record, false))
    }

    /// Cancels an order that is not paid. Repeating it is safe.
    pub async fn cancel(&self, order_id: OrderId) -> Result<OrderView, Error> {
        let mut attempts = self.attempts();
        loop {
            let (order, payment) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
            let payment = self.expire(&order, payment).await?;
            match status(&payment.record, true) {
                Status::Cancelled => {
                    // Its first cancellation may have stopped before the holds were released.
                    self.release_all(&order, Settlement::Released).await;
                    return Ok(self.view(order, payment.record, true));
                }
                Status::Pending | Status::Placing => {}
                decided => return Err(Error::OrderNotCancellable(decided)),
            }
            let void = Payment::Void { reason: Void::Cancelled, at: self.environment.now() };
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
        let status = status(&payment, all_held);
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

    pub(crate) async fn missing_lines<'a>(&self, order: &'a Order) -> Result<Vec<&'a Line>, Error> {
        let ids: Vec<_> = order.lines.iter().map(|line| line.item_id.clone()).collect();
        let items = self.find_items(&ids).await?;
        let mut missing = Vec::new();
        for (line, item) in order.lines.iter().zip(items) {
            if !item?.map_or(Ok(false), |item| is_held(order, line, &item.record))? {
                missing.push(line);
            }
        }
        Ok(missing)
    }

    /// Releases what a decided order holds, as far as that goes. Its fate is recorded: what is left after an error is settled
    /// by later requests for the item, and by those first that find too little of it.
    pub(crate) async fn release_all(&self, order: &Order, settlement: Settlement) {
        for line in &order.lines {
            let _ = self.release(&line.item_id, order.order_id, settlement).await;
        }
    }
}

/// Whether an item holds a line of an order. A hold of more or less than the line is not believed.
pub(crate) fn is_held(order: &Order, line: &Line, item: &Item) -> Result<bool, Error> {
    match item.holds.get(order.order_id) {
        None => Ok(false),
        Some(hold) if hold.quantity == line.quantity => Ok(true),
        Some(_) => {
            let reason = format!("it does not hold what order:{} says", order.order_id);
            Err(Error::Unreadable { key: Key::Item(line.item_id.clone()).to_string(), reason })
        }
    }
}

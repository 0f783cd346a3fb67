//! Requests about payment: pay.

use std::rc::Rc;

use crate::amounts::Money;
use crate::environment::Environment;
use crate::error::Error;
use crate::group::Work;
use crate::ids::{ItemId, Method, OrderId};
use crate::inventory::{FoundItem, MAX_ITEMS_PER_READ};
use crate::order::Order;
use crate::orders::{OrderView, is_held};
use crate::payment::{Paid, Payment};
use crate::shop::{OrderRead, Read, Shop, encode};
use crate::status::{Status, status};
use crate::store::{Store, StoreError, Swap};

/// What one request asks for.
#[derive(Debug, Clone)]
pub(crate) struct PayRequest {
    order_id: OrderId,
    method: Rc<Method>,
    amount: Option<Money>,
}

impl Work for PayRequest {
    /// Its order and its payment.
    fn weight(&self) -> usize {
        2
    }
}

/// What became of a request in company.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The order is paid.
    Paid(Box<OrderView>),
    /// It is not, and nothing was written.
    Refused(Error),
    /// What it went by has changed, or may have, by a swap with this outcome: look again.
    Again(Result<Swap, StoreError>),
    /// Its time has passed, which is to be decided before it is told.
    Late(Box<OrderRead>),
}

/// An order that can be paid if all of its lines are held.
struct Payable {
    order: Order,
    payment: Read<Payment>,
    paid: Paid,
}

/// Items that were read, sorted by their ids.
type Items = Vec<(ItemId, FoundItem)>;

impl<S: Store, E: Environment> Shop<S, E> {
    /// Pays an order. Repeating it is safe. An `amount` that is given must be the total.
    ///
    /// The swap of the payment is the moment of sale: it succeeds only while the payment is what was read before the
    /// holds were seen, and a hold is dropped only after the payment was decided. So every line is held at that moment.
    ///
    /// Orders that are paid within a moment in one instance are looked up together, and then paid one by one.
    pub async fn pay(&self, order_id: OrderId, method: Method, amount: Option<Money>) -> Result<OrderView, Error> {
        let payer = PayRequest { order_id, method: Rc::new(method), amount };
        let group = &self.instance.paying;
        let mut attempts = self.attempts();
        loop {
            let outcome = group.join(&self.environment, payer.clone(), async |all| self.pay_all(&all).await).await;
            // Whoever led the group was stopped: whether the order was paid is as unknown as after a crash.
            match outcome.ok_or(Error::Busy)? {
                Outcome::Paid(view) => return Ok(*view),
                Outcome::Refused(error) => return Err(error),
                Outcome::Again(outcome) => attempts.again(outcome).await?,
                Outcome::Late(read) => {
                    let (order, payment) = *read;
                    let _ = self.expire(&order, payment).await?;
                    attempts.again(Ok(Swap::Conflict)).await?;
                }
            }
        }
    }

    async fn pay_all(&self, all: &[PayRequest]) -> Vec<Outcome> {
        // Of two who pay the same order one looks on until the other is done.
        let mut ids = Vec::with_capacity(all.len());
        for payer in all {
            if !ids.contains(&payer.order_id) {
                ids.push(payer.order_id);
            }
        }
        let mut orders = match self.read_orders(&ids).await {
            Ok(orders) => ids.into_iter().zip(orders).collect::<Vec<_>>(),
            Err(error) => return all.iter().map(|_| Outcome::Refused(error.clone())).collect(),
        };
        let mut payable = |payer: &PayRequest| match orders.iter().position(|(id, _)| *id == payer.order_id) {
            Some(index) => self.payable(payer, orders.swap_remove(index).1),
            None => Err(Outcome::Again(Ok(Swap::Conflict))),
        };
        let payable: Vec<_> = all.iter().map(&mut payable).collect();
        // The items after the payments.
        let items = match self.items_of(payable.iter().flatten()).await {
            Ok(items) => items,
            Err(error) => return all.iter().map(|_| Outcome::Refused(error.clone())).collect(),
        };
        let mut outcomes = Vec::with_capacity(all.len());
        for payable in payable {
            outcomes.push(match payable {
                Ok(payable) => self.pay_one(payable, &items).await.unwrap_or_else(Outcome::Refused),
                Err(outcome) => outcome,
            });
        }
        for (item_id, item) in items {
            let holds = |view: &OrderView| view.order.lines.iter().any(|line| line.item_id == item_id);
            let paid = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Paid(view) if holds(view))).count();
            if let (Ok(Some(item)), 1..) = (item, paid) {
                self.settle_after_payment(item, paid).await;
            }
        }
        outcomes
    }

    /// What has to be done to pay an order, or what there is to say instead.
    fn payable(&self, payer: &PayRequest, order: Result<Option<OrderRead>, Error>) -> Result<Payable, Outcome> {
        let (order, payment) = order.map_err(Outcome::Refused)?.ok_or(Outcome::Refused(Error::OrderNotFound))?;
        if let Some(given) = payer.amount
            && given != order.total
        {
            return Err(Outcome::Refused(Error::AmountMismatch { total: order.total, given }));
        }
        let now = self.environment.now();
        if payment.record.settlement().is_none() && now >= order.expires_at {
            return Err(Outcome::Late(Box::new((order, payment))));
        }
        match status(&payment.record, true) {
            Status::Pending | Status::Placing => {}
            Status::Paid => return Err(Outcome::Paid(Box::new(self.view(order, payment.record, true)))),
            void => return Err(Outcome::Refused(Error::OrderNotPayable(void))),
        }
        let paid = Paid { amount: order.total, method: Method::clone(&payer.method), paid_at: now };
        Ok(Payable { order, payment, paid })
    }

    /// Reads the items of these orders.
    async fn items_of(&self, payable: impl Iterator<Item = &Payable>) -> Result<Items, Error> {
        let mut ids = Vec::<ItemId>::new();
        for Payable { order, .. } in payable {
            for line in &order.lines {
                if let Err(index) = ids.binary_search(&line.item_id) {
                    ids.insert(index, line.item_id.clone());
                }
            }
        }
        let mut items = Items::with_capacity(ids.len());
        for ids in ids.chunks(MAX_ITEMS_PER_READ) {
            items.extend(ids.iter().cloned().zip(self.find_items(ids).await?));
        }
        Ok(items)
    }

    async fn pay_one(&self, payable: Payable, items: &Items) -> Result<Outcome, Error> {
        let Payable { order, payment, paid } = payable;
        for line in &order.lines {
            let index = items.binary_search_by(|(id, _)| id.cmp(&line.item_id)).ok();
            let held = match index.and_then(|index| items.get(index)) {
                Some((_, Ok(Some(item)))) => is_held(&order, line, &item.record)?,
                Some((_, Err(error))) => return Err(error.clone()),
                Some((_, Ok(None))) | None => false,
            };
            if !held {
                // Either not yet, or not any more: then the payment was decided since.
                let same = self.read_payment(order.order_id).await?.entry == payment.entry;
                let placing = || Outcome::Refused(Error::OrderNotPayable(Status::Placing));
                return Ok(if same { placing() } else { Outcome::Again(Ok(Swap::Conflict)) });
            }
        }
        let paid = Payment::Paid(paid);
        Ok(match self.store.swap(&payment.entry, encode(&paid)?).await {
            Ok(Swap::Swapped) => Outcome::Paid(Box::new(self.view(order, paid, true))),
            outcome => Outcome::Again(outcome),
        })
    }
}

//! Paying an order.

use std::rc::Rc;

use crate::engine::batch::Batch;
use crate::engine::codec::Read;
use crate::engine::condition::Condition;
use crate::engine::instance::{PayOutcome, PayRequest};
use crate::engine::order_state::Transition;
use crate::engine::payment::Answered;
use crate::engine::read::{FoundItem, OrderRead, is_held};
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::amounts::Money;
use crate::model::ids::{ItemId, OrderId, PaymentMethod};
use crate::model::order::Order;
use crate::model::order_state::{Event, OrderState, Payment, State};
use crate::model::session::OpenSession;
use crate::model::status::{OrderView, Status, status};
use crate::model::time::Timestamp;
use crate::provider::{Checkout, Provider, ProviderError};
use crate::store::Store;

/// The result of a request to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayResult {
    /// The order is paid.
    Paid(OrderView),
    /// It is undecided: its buyer pays at the payment provider.
    AtProvider(OrderView, PaymentProgress),
}

/// How far a payment at the payment provider has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentProgress {
    /// The buyer can pay.
    Open {
        /// The page where the buyer pays.
        url: String,
        /// Until when the provider lets the buyer pay there.
        expires_at: Timestamp,
    },
    /// The buyer has paid by a means that takes a while. It may still fail.
    Processing,
}

/// An order that can be paid if all of its lines are held.
struct Payable {
    order: Order,
    state: Read<OrderState>,
    payment: Payment,
    condition: Condition<OrderView>,
}

/// How an attempt to pay at the provider ended.
enum Attempt {
    Done(Box<PayResult>),
    /// What was read is stale, or may be.
    Retry(Retry),
    /// The order has another state by this request.
    Changed,
}

/// Items that were read, sorted by their ids.
type Items = Vec<(ItemId, FoundItem)>;

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// As [`Self::pay_if`], whatever there is.
    ///
    /// # Errors
    /// As [`Self::pay_if`].
    pub async fn pay(
        &self,
        order_id: OrderId,
        method: PaymentMethod,
        amount: Option<Money>,
    ) -> Result<PayResult, Error> {
        self.pay_if(Condition::default(), order_id, method, amount).await
    }

    /// Pays an order, if it is what is expected. Repeating it is safe. An `amount` that is given must be the total.
    ///
    /// With a payment provider this sends the buyer there, to the one session in which the order can be paid; repeating
    /// it asks the provider whether it was. What `method` says is not believed then.
    ///
    /// The swap of the state is the moment of sale: it succeeds only while the state is what was read before the holds
    /// were seen, and a hold is dropped only after the order was decided. So every line is held at that moment.
    ///
    /// Orders that are paid within a moment in one instance are looked up together, and then paid one by one.
    ///
    /// # Errors
    /// If there is no such order, it is not what is expected, it cannot be paid, or the amount is not its total; or if
    /// the store or the payment provider fails.
    pub async fn pay_if(
        &self,
        condition: Condition<OrderView>,
        order_id: OrderId,
        method: PaymentMethod,
        amount: Option<Money>,
    ) -> Result<PayResult, Error> {
        let mut request = PayRequest { order_id, method: Rc::new(method), amount, condition, unclear: false };
        let (batcher, limits) = (&self.instance.paying, self.settings.limits);
        let (mut attempts, mut arrived) = (self.attempts(), self.arrived);
        loop {
            let work = async |all: Vec<PayRequest>, batch: Batch| self.pay_all(&all, &batch).await;
            // Where the request that led the batch was stopped, whether the order was paid is as unknown as after a crash.
            match batcher.submit(&self.environment, limits, (request.clone(), arrived), work).await? {
                PayOutcome::Paid(paid) => {
                    let (order, state) = *paid;
                    return Ok(PayResult::Paid(OrderView::new(order, &state, true)));
                }
                PayOutcome::Refused(error) => return Err(error),
                PayOutcome::Retry(retry) => {
                    attempts.again(retry).await?;
                    request.unclear = attempts.is_unclear();
                }
                PayOutcome::Overdue(read) => {
                    let (order, state) = *read;
                    let _ = self.expire(&order, state).await?;
                    attempts.again(Retry::Stale).await?;
                }
                // The provider is asked here, and not while others of the batch wait.
                PayOutcome::AtProvider(read) => {
                    match self.pay_at_provider(*read).await? {
                        Attempt::Done(result) => return Ok(*result),
                        Attempt::Retry(retry) => {
                            attempts.again(retry).await?;
                            request.unclear = attempts.is_unclear();
                        }
                        // This request has changed it itself: what was expected of it was so.
                        Attempt::Changed => {
                            attempts.count()?;
                            request.condition = Condition::default();
                        }
                    }
                    // It has waited for the provider, and not among other requests.
                    arrived = self.environment.monotonic();
                }
            }
        }
    }

    /// Sends the buyer to the session on record. Where there is none, opens one and puts it on record before the buyer
    /// is told of it: one that is not put on record is told to no buyer.
    async fn pay_at_provider(&self, (order, state): (Order, Read<OrderState>)) -> Result<Attempt, Error> {
        if let Some(session) = state.record.session() {
            let finding = self.look(&order, session).await?;
            return Ok(match self.answered(&order, &state, finding, false).await? {
                // Rule: open-sessions-are-used.
                Answered::Open(open) => Attempt::Done(Box::new(at_provider(order, &state.record, open))),
                Answered::Processing => {
                    let view = OrderView::new(order, &state.record, true);
                    Attempt::Done(Box::new(PayResult::AtProvider(view, PaymentProgress::Processing)))
                }
                Answered::Changed(Transition::Done(state)) if state.record.payment().is_some() => {
                    self.settle_after_charge(&order).await;
                    Attempt::Done(Box::new(PayResult::Paid(OrderView::new(order, &state.record, true))))
                }
                Answered::Changed(Transition::Done(_)) => Attempt::Changed,
                Answered::ChargedWrongly(_, wrong) => {
                    self.give_back(&wrong).await?;
                    Attempt::Changed
                }
                Answered::Changed(Transition::Retry(retry)) => Attempt::Retry(retry),
                Answered::Changed(Transition::Illegal) => Attempt::Retry(Retry::Stale),
            });
        }
        let State::Unpaid { attempt, .. } = *state.record.get() else { return Ok(Attempt::Retry(Retry::Stale)) };
        let open = match self.provider()?.open(Checkout { order: &order, attempt }).await {
            Ok(open) => open,
            Err(ProviderError::Refused(reason)) => {
                // A repeat of this attempt would be refused too. Where this is not written, the next request writes it.
                let _ = self.transition(&state, Event::Refuse, order.expires_at).await?;
                return Err(Error::ProviderRefused(reason));
            }
            Err(error) => return Err(error.into()),
        };
        let event = Event::Open { session: open.id.clone(), at: self.environment.now() };
        // Rule: sessions-are-recorded-first.
        let recorded = self.transition(&state, event, order.expires_at).await?;
        Ok(match recorded {
            Transition::Done(state) => Attempt::Done(Box::new(at_provider(order, &state.record, open))),
            Transition::Retry(retry) => Attempt::Retry(retry),
            // Its time ended in this moment.
            Transition::Illegal => Attempt::Retry(Retry::Stale),
        })
    }

    async fn pay_all(&self, all: &[PayRequest], batch: &Batch) -> Vec<PayOutcome> {
        // Of two requests to pay one order the second looks again once the first is done.
        let mut ids = Vec::with_capacity(all.len());
        for request in all {
            if !ids.contains(&request.order_id) {
                ids.push(request.order_id);
            }
        }
        let mut orders = match self.read_orders(&ids).await {
            Ok(orders) => ids.into_iter().zip(orders).collect::<Vec<_>>(),
            Err(error) => return all.iter().map(|_| PayOutcome::Refused(error.clone())).collect(),
        };
        let too_late = batch.too_late(self.environment.monotonic());
        let mut payable =
            |(request, late): (&PayRequest, bool)| match orders.iter().position(|(id, _)| *id == request.order_id) {
                // One that may have paid the order, and not heard of it, has to find out.
                _ if late && !request.unclear => Err(PayOutcome::Refused(Error::Overloaded)),
                Some(index) => self.payable(request, orders.swap_remove(index).1),
                None => Err(PayOutcome::Retry(Retry::Stale)),
            };
        let payable: Vec<_> = all.iter().zip(too_late).map(&mut payable).collect();
        // The items after the states.
        let items = match self.items_of(payable.iter().flatten()).await {
            Ok(items) => items,
            Err(error) => return all.iter().map(|_| PayOutcome::Refused(error.clone())).collect(),
        };
        let mut outcomes = Vec::with_capacity(all.len());
        for payable in payable {
            outcomes.push(match payable {
                Ok(payable) => self.pay_one(payable, &items).await.unwrap_or_else(PayOutcome::Refused),
                Err(outcome) => outcome,
            });
        }
        for (item_id, item) in items {
            let is_paid = |outcome: &&PayOutcome| match outcome {
                PayOutcome::Paid(paid) => paid.0.lines().iter().any(|line| line.item_id == item_id),
                PayOutcome::Refused(_) | PayOutcome::AtProvider(_) | PayOutcome::Retry(_) | PayOutcome::Overdue(_) => {
                    false
                }
            };
            if let (Ok(Some(item)), paid @ 1..) = (item, outcomes.iter().filter(is_paid).count()) {
                self.settle_after_payment(&item_id, item, paid).await;
            }
        }
        outcomes
    }

    /// What has to be done to pay an order, or the outcome if that is nothing.
    fn payable(&self, request: &PayRequest, read: Result<Option<OrderRead>, Error>) -> Result<Payable, PayOutcome> {
        let read = read.map_err(PayOutcome::Refused)?;
        let (order, state) = read.ok_or(PayOutcome::Refused(Error::OrderNotFound))?;
        if let Some(given) = request.amount
            && given != order.total()
        {
            return Err(PayOutcome::Refused(Error::AmountMismatch { total: order.total(), given }));
        }
        let now = self.environment.now();
        if state.record.is_overdue(now, order.expires_at) {
            return Err(PayOutcome::Overdue(Box::new((order, state))));
        }
        match status(&state.record, true) {
            Status::Pending | Status::Placing => {
                if state.record.session().is_some() {
                    if !request.unclear {
                        expect(&request.condition, &order, &state.record, true).map_err(PayOutcome::Refused)?;
                    }
                    return Err(PayOutcome::AtProvider(Box::new((order, state))));
                }
            }
            Status::Paid | Status::Fulfilled | Status::Refunded => {
                if !request.unclear {
                    expect(&request.condition, &order, &state.record, true).map_err(PayOutcome::Refused)?;
                }
                return Err(PayOutcome::Paid(Box::new((order, state.record))));
            }
            closed @ (Status::Cancelled | Status::Expired | Status::Rejected) => {
                expect(&request.condition, &order, &state.record, true).map_err(PayOutcome::Refused)?;
                return Err(PayOutcome::Refused(Error::OrderNotPayable(closed)));
            }
        }
        let method = PaymentMethod::clone(&request.method);
        let payment = Payment { amount: order.total(), method, paid_at: now, reference: None };
        Ok(Payable { order, state, payment, condition: request.condition.clone() })
    }

    /// Reads the items of these orders.
    async fn items_of(&self, payable: impl Iterator<Item = &Payable>) -> Result<Items, Error> {
        let mut ids = Vec::<ItemId>::new();
        for Payable { order, .. } in payable {
            for line in order.lines() {
                if let Err(index) = ids.binary_search(&line.item_id) {
                    ids.insert(index, line.item_id.clone());
                }
            }
        }
        let mut items = Items::with_capacity(ids.len());
        for ids in ids.chunks(self.settings.limits.records_per_read.max(1)) {
            items.extend(ids.iter().cloned().zip(self.find_items(ids).await?));
        }
        Ok(items)
    }

    async fn pay_one(&self, payable: Payable, items: &Items) -> Result<PayOutcome, Error> {
        let Payable { order, state, payment, condition } = payable;
        for line in order.lines() {
            let index = items.binary_search_by(|(id, _)| id.cmp(&line.item_id)).ok();
            // Rule: payment-needs-every-hold.
            let held = match index.and_then(|index| items.get(index)) {
                Some((_, Ok(Some(item)))) => is_held(&order, line, &item.record)?,
                Some((_, Err(error))) => return Err(error.clone()),
                Some((_, Ok(None))) | None => false,
            };
            if !held {
                // Either not yet, or not any more: then the order was decided since.
                let same = self.read_state(order.order_id).await?.entry == state.entry;
                if !same {
                    return Ok(PayOutcome::Retry(Retry::Stale));
                }
                expect(&condition, &order, &state.record, false)?;
                return Err(Error::OrderNotPayable(Status::Placing));
            }
        }
        // The swap is from this state, so it holds at that moment.
        expect(&condition, &order, &state.record, true)?;
        if self.charges(&order) {
            return Ok(PayOutcome::AtProvider(Box::new((order, state))));
        }
        Ok(match self.transition(&state, Event::Pay(payment), order.expires_at).await? {
            Transition::Done(state) => PayOutcome::Paid(Box::new((order, state.record))),
            Transition::Retry(retry) => PayOutcome::Retry(retry),
            Transition::Illegal => PayOutcome::Retry(Retry::Stale),
        })
    }
}

/// The answer to a buyer who can pay in this session, which is on record.
fn at_provider(order: Order, state: &OrderState, session: OpenSession) -> PayResult {
    let OpenSession { id: _, url, expires_at } = session;
    PayResult::AtProvider(OrderView::new(order, state, true), PaymentProgress::Open { url, expires_at })
}

/// Whether an order in this state is what a request expects.
fn expect(condition: &Condition<OrderView>, order: &Order, state: &OrderState, all_held: bool) -> Result<(), Error> {
    if condition.is_some() { condition.check(Some(&OrderView::new(order.clone(), state, all_held))) } else { Ok(()) }
}

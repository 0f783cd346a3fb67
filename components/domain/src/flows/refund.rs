//! Refunds: what the operator gives back of a payment, and what goes back since it did not pay its order.

use crate::engine::codec::Read;
use crate::engine::condition::Condition;
use crate::engine::order_state::Transition;
use crate::engine::refund::Listed;
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::after_sale::AfterSaleEvent;
use crate::model::ids::{KeyDigest, OrderId, RefundId};
use crate::model::order::Order;
use crate::model::order_state::{Event, LateRefund, OrderState};
use crate::model::refund::{Claim, NewRefund, Refund};
use crate::model::session::RefundState;
use crate::model::status::{OrderView, status};
use crate::provider::Provider;
use crate::store::Store;

/// The result of a request for a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refunded {
    /// The refund.
    pub made: Refund,
    /// The order as it is now.
    pub view: OrderView,
    /// Whether an earlier request with the same key has put it on record.
    pub replayed: bool,
    /// Why it is not finished, or its goods are not back, where something is in the way. A repeat carries on with it.
    pub unfinished: Option<Error>,
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// As [`Self::refund_if`], whatever there is.
    ///
    /// # Errors
    /// As [`Self::refund_if`].
    pub async fn refund(&self, order_id: OrderId, request: NewRefund, key: KeyDigest) -> Result<Refunded, Error> {
        self.refund_if(&Condition::default(), order_id, request, key).await
    }

    /// Gives some of what was paid for an order back, if the order is what is expected: no more than was paid, over all
    /// refunds that have not failed. A repeat with the same `key` does nothing more, or what the first request left
    /// undone.
    ///
    /// The refund is put on record before the payment provider is asked for it. If it is then cut off, it is carried on
    /// with by a repeat, by the provider's messages about it, and by a sweep. A payment that was recorded without a
    /// provider is refunded without one: no money moves.
    ///
    /// # Errors
    /// If there is no such order, it is not what is expected or not paid; more would go back than was paid, or for more
    /// goods than were sold; there is no room for another refund, or for the goods that come back with it; the key was
    /// used for another request; or the store fails. Once the refund is on record, its answer says how far it has come.
    pub async fn refund_if(
        &self,
        condition: &Condition<OrderView>,
        order_id: OrderId,
        request: NewRefund,
        key: KeyDigest,
    ) -> Result<Refunded, Error> {
        let id = RefundId::new(order_id, key);
        let (mut claimed, mut looked_at) = (false, Vec::new());
        let mut attempts = self.attempts();
        loop {
            let (order, state) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
            if let Some(found) = state.record.after_sale().find_refund(&id) {
                if !found.is_of(&request) {
                    return Err(Error::IdempotencyKeyReused);
                }
                // Its own claim may be one of which it has not heard.
                let replayed = !claimed && !attempts.is_unclear();
                return self.finish_refund(order, state, &id, claimed, replayed).await;
            }
            let state = self.expire(&order, state).await?;
            let view = OrderView::new(order.clone(), &state.record, true);
            // The swap below is from this state, so what is seen of it holds at that moment.
            condition.check(Some(&view))?;
            let Some(payment) = state.record.payment() else {
                return Err(Error::OrderNotRefundable(view.status));
            };
            // What has failed may have been made by a request that was slow: then it counts.
            if self.looks_at_failed(&order, &state, &mut looked_at).await? {
                attempts.count()?;
                continue;
            }
            let claim = state.record.after_sale().claim(&request, order.lines(), payment.amount);
            let Claim { goods, .. } = claim.map_err(|error| Error::of_refund(error, view.status))?;
            if let Some(goods) = &goods {
                self.check_room(order_id, goods).await?;
            }
            let listed = payment.reference.as_ref().map(|reference| Listed {
                order: order_id,
                session: reference.session.clone(),
                refund: id.clone(),
            });
            if let Some(listed) = &listed {
                self.provider()?;
                // Rule: refunds-of-payments-are-listed-first.
                self.list_refund(listed).await?;
            }
            let (request, sold) = (request.clone(), order.lines().to_vec());
            let event = AfterSaleEvent::ClaimRefund { id: id.clone(), request, sold, at: self.environment.now() };
            // Rule: refunds-of-payments-are-claimed-first.
            match self.transition(&state, Event::AfterSale(event), order.expires_at).await? {
                Transition::Done(_) => {
                    claimed = true;
                    attempts.count()?;
                }
                Transition::Retry(retry) => attempts.again(retry).await?,
                Transition::Illegal => attempts.again(Retry::Stale).await?,
            }
        }
    }

    /// Looks at the refunds of the payment that have failed and were not looked at yet. Answers whether that has changed
    /// the record, or may have.
    async fn looks_at_failed(
        &self,
        order: &Order,
        state: &Read<OrderState>,
        looked_at: &mut Vec<RefundId>,
    ) -> Result<bool, Error> {
        let after_sale = state.record.after_sale();
        let failed = state.record.provider_refunds().filter(|refund| {
            let is_failed = refund.state == Some(RefundState::Failed);
            is_failed && after_sale.find_refund(&refund.id).is_some()
        });
        for failed in failed {
            if looked_at.contains(&failed.id) {
                continue;
            }
            match self.look_at_failed(order, state, &failed).await? {
                None => looked_at.push(failed.id),
                Some((listed, Transition::Done(_))) => {
                    let _ = self.carry_on(&listed, false).await?;
                    return Ok(true);
                }
                Some((_, Transition::Retry(_) | Transition::Illegal)) => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Carries on with a refund that is on record, and with the goods that come back with it.
    async fn finish_refund(
        &self,
        order: Order,
        state: Read<OrderState>,
        id: &RefundId,
        is_new: bool,
        replayed: bool,
    ) -> Result<Refunded, Error> {
        let listed = state.record.provider_refund(id).filter(|refund| !refund.is_finished());
        let listed = listed.map(|refund| Listed::of(order.order_id, &refund));
        let (mut state, mut unfinished) = (state, None);
        if let Some(listed) = listed {
            unfinished = self.carry_on(&listed, is_new).await.err();
            state = self.read_state(order.order_id).await?;
        }
        // Whatever the money does, the goods are back.
        match self.carry_on_returns(order.order_id, state.clone()).await {
            Ok(after) => state = after,
            Err(error) => {
                unfinished = unfinished.or(Some(error));
                state = self.read_state(order.order_id).await?;
            }
        }
        if let Some(error @ Error::Store(_)) = unfinished {
            return Err(error);
        }
        let made = state.record.after_sale().find_refund(id).cloned().ok_or(Error::Contended)?;
        let view = OrderView::new(order, &state.record, true);
        Ok(Refunded { made, view, replayed, unfinished })
    }

    /// The order with its refunds.
    ///
    /// # Errors
    /// If there is no such order, or the store fails.
    pub async fn refunds(&self, order_id: OrderId) -> Result<OrderView, Error> {
        let (order, state) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
        Ok(OrderView::new(order, &state.record, true))
    }

    /// Carries on with the refunds of an order that are not finished, and makes those again that have failed and are of a
    /// charge that did not pay it, each under a new name. The failed ones stay on record. Answers with the order as it
    /// then is. Repeating it is safe: what has succeeded stays.
    ///
    /// # Errors
    /// If there is no such order, or it has no refund; or if the store or the payment provider fails.
    pub async fn retry_refunds(&self, order_id: OrderId) -> Result<OrderView, Error> {
        let (_, state) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
        let unfinished = state.record.provider_refunds().filter(|refund| !refund.is_finished());
        let unfinished: Vec<_> = unfinished.map(|refund| Listed::of(order_id, &refund)).collect();
        let failed: Vec<_> = state.record.failed_refunds().map(LateRefund::refund_id).collect();
        if state.record.late_refunds().is_empty() && state.record.after_sale().refunds().is_empty() {
            return Err(Error::OrderNotRefundable(status(&state.record, true)));
        }
        for listed in unfinished {
            let _ = self.carry_on(&listed, false).await?;
        }
        for failed in failed {
            let _ = self.retry_refund(order_id, &failed).await?;
        }
        self.refunds(order_id).await
    }
}

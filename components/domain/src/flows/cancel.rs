//! Cancelling an order.

use crate::engine::condition::Condition;
use crate::engine::order_state::Transition;
use crate::engine::payment::Answered;
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::ids::OrderId;
use crate::model::item::Settlement;
use crate::model::order_state::Event;
use crate::model::status::{OrderView, Status, status};
use crate::provider::Provider;
use crate::store::Store;

/// The operator's word that no buyer can pay in the session on record, nor has.
#[derive(Debug, Clone, Copy)]
struct Abandoned;

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// As [`Self::cancel_if`], whatever there is.
    ///
    /// # Errors
    /// As [`Self::cancel_if`].
    pub async fn cancel(&self, order_id: OrderId) -> Result<OrderView, Error> {
        self.cancel_if(&Condition::default(), order_id).await
    }

    /// Cancels an order that is not paid, if it is what is expected. Repeating it is safe.
    ///
    /// Where its buyer may be paying at the payment provider, that is ended there first. If the buyer was charged
    /// before, the order becomes paid, and the cancellation is refused.
    ///
    /// # Errors
    /// If there is no such order, it is not what is expected, or it is decided otherwise; if its payment is being
    /// processed; or if the store or the payment provider fails.
    pub async fn cancel_if(&self, condition: &Condition<OrderView>, order_id: OrderId) -> Result<OrderView, Error> {
        self.close_order(condition, order_id, None).await
    }

    /// Cancels an order although the payment provider has no answer that helps about its session: it does not know it, or
    /// answers nonsense. The operator says by this that no buyer can pay in it, nor has. If one is charged all the same,
    /// that goes back as late money does. Repeating it is safe.
    ///
    /// # Errors
    /// As [`Self::cancel_if`].
    pub async fn abandon(&self, condition: &Condition<OrderView>, order_id: OrderId) -> Result<OrderView, Error> {
        self.close_order(condition, order_id, Some(Abandoned)).await
    }

    async fn close_order(
        &self,
        condition: &Condition<OrderView>,
        order_id: OrderId,
        abandoned: Option<Abandoned>,
    ) -> Result<OrderView, Error> {
        let released = Settlement::Released { key_reusable: false };
        let mut attempts = self.attempts();
        loop {
            let (order, state) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
            let state = self.expire(&order, state).await?;
            if condition.is_some() {
                // The swap below is from this state, so what is seen of it holds at that moment.
                let view = self.to_view(order.clone(), state.clone()).await?;
                // This request may have cancelled the order itself, and not heard of it.
                let done = attempts.is_unclear() && view.status == Status::Cancelled;
                if !done {
                    condition.check(Some(&view))?;
                }
            }
            match status(&state.record, true) {
                Status::Cancelled => {
                    // The first cancellation may have stopped before the holds were released.
                    self.release_all(&order, released).await;
                    return Ok(OrderView::new(order, &state.record, true));
                }
                Status::Expired if abandoned.is_some() => return Ok(OrderView::new(order, &state.record, true)),
                Status::Pending | Status::Placing => {}
                decided
                @ (Status::Paid | Status::Fulfilled | Status::Refunded | Status::Expired | Status::Rejected) => {
                    return Err(Error::OrderNotCancellable(decided));
                }
            }
            let transition = match state.record.session() {
                Some(session) => {
                    // Rule: sessions-are-closed-first.
                    let answered = match self.close(&order, session).await {
                        // Rule: only-what-helps-nobody-is-abandoned.
                        Err(Error::SessionLost(_) | Error::ProviderNonsense(_) | Error::WrongCharge(_))
                            if abandoned.is_some() =>
                        {
                            let event = Event::Abandon { session: session.clone(), at: self.environment.now() };
                            Answered::Changed(self.transition(&state, event, order.expires_at).await?)
                        }
                        finding => self.answered(&order, &state, finding?, true).await?,
                    };
                    match answered {
                        Answered::Changed(transition) => transition,
                        Answered::ChargedWrongly(state, wrong) => {
                            self.give_back(&wrong).await?;
                            Transition::Done(state)
                        }
                        Answered::Processing => return Err(Error::PaymentProcessing),
                        Answered::Open(_) => {
                            let reason = "it was asked to end a session, and has not".to_owned();
                            return Err(Error::ProviderUnavailable(reason));
                        }
                    }
                }
                None => {
                    // Rule: decided-before-released.
                    let cancelled = Event::Cancel { at: self.environment.now() };
                    self.transition(&state, cancelled, order.expires_at).await?
                }
            };
            match transition {
                Transition::Done(state) => {
                    let status = status(&state.record, true);
                    let is_closed = status == Status::Cancelled || status == Status::Expired && abandoned.is_some();
                    if !is_closed {
                        // The buyer was charged before, or its time is over.
                        return Err(Error::OrderNotCancellable(status));
                    }
                    self.release_all(&order, released).await;
                    return Ok(OrderView::new(order, &state.record, true));
                }
                Transition::Retry(retry) => attempts.again(retry).await?,
                // Its time ended in this moment.
                Transition::Illegal => attempts.again(Retry::Stale).await?,
            }
        }
    }
}

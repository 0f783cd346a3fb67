//! Cancelling an order.

use crate::engine::condition::Condition;
use crate::engine::order_state::Transition;
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::ids::OrderId;
use crate::model::item::Settlement;
use crate::model::order_state::Event;
use crate::model::status::{OrderView, Status, status};
use crate::store::Store;

impl<S: Store, E: Environment> Shop<S, E> {
    /// As [`Self::cancel_if`], whatever there is.
    ///
    /// # Errors
    /// As [`Self::cancel_if`].
    pub async fn cancel(&self, order_id: OrderId) -> Result<OrderView, Error> {
        self.cancel_if(&Condition::default(), order_id).await
    }

    /// Cancels an order that is not paid, if it is what is expected. Repeating it is safe.
    ///
    /// # Errors
    /// If there is no such order, it is not what is expected, or it is decided otherwise; or if the store fails.
    pub async fn cancel_if(&self, condition: &Condition<OrderView>, order_id: OrderId) -> Result<OrderView, Error> {
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
                Status::Pending | Status::Placing => {}
                decided @ (Status::Paid | Status::Expired | Status::Rejected) => {
                    return Err(Error::OrderNotCancellable(decided));
                }
            }
            // Rule: decided-before-released.
            let cancelled = Event::Cancel { at: self.environment.now() };
            match self.transition(&state, cancelled, order.expires_at).await? {
                Transition::Done(state) => {
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

//! Cancelling an order.

use crate::engine::order_state::Transition;
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::flows::show::OrderView;
use crate::model::ids::OrderId;
use crate::model::item::Settlement;
use crate::model::order_state::Event;
use crate::model::status::{Status, status};
use crate::store::Store;

impl<S: Store, E: Environment> Shop<S, E> {
    /// Cancels an order that is not paid. Repeating it is safe.
    ///
    /// # Errors
    /// If there is no such order, or it is decided otherwise; or if the store fails.
    pub async fn cancel(&self, order_id: OrderId) -> Result<OrderView, Error> {
        let released = Settlement::Released { key_reusable: false };
        let mut attempts = self.attempts();
        loop {
            let (order, state) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
            let state = self.expire(&order, state).await?;
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

//! The one place where the state of an order is swapped.

use crate::engine::codec::{Read, encode};
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::order::Order;
use crate::model::order_state::{Event, OrderState};
use crate::model::time::Timestamp;
use crate::provider::Provider;
use crate::store::{Entry, Store};

/// How an attempt to change the state of an order ended.
#[derive(Debug)]
pub(crate) enum Transition {
    /// The order is in this state now.
    Done(Read<OrderState>),
    /// What was read has changed since, or may have.
    Retry(Retry),
    /// That cannot happen to an order in this state. Nothing was written.
    Illegal,
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// Lets `event` happen to an order, if it is allowed in the state that was read and nothing has changed it since.
    pub(crate) async fn transition(
        &self,
        state: &Read<OrderState>,
        event: Event,
        expires_at: Timestamp,
    ) -> Result<Transition, Error> {
        let Ok(next) = state.record.apply(event, expires_at) else { return Ok(Transition::Illegal) };
        let value = encode(&next)?;
        let swap = self.store.swap(&state.entry, value.clone()).await;
        Ok(match Retry::after(swap) {
            Ok(()) => {
                Transition::Done(Read { entry: Entry::new(state.entry.physical_key.clone(), value), record: next })
            }
            Err(retry) => Transition::Retry(retry),
        })
    }

    /// Decides an order whose time is over, and answers with its state. No client is told of an expiry before it is
    /// decided: another server's clock, or this one's after it was put back, may say that there is time left.
    pub(crate) async fn expire(&self, order: &Order, mut state: Read<OrderState>) -> Result<Read<OrderState>, Error> {
        let mut attempts = self.attempts();
        loop {
            let at = self.environment.now();
            // Rule: expiry-is-decided.
            match self.transition(&state, Event::Expire { at }, order.expires_at).await? {
                Transition::Illegal => return Ok(state),
                Transition::Done(state) => return Ok(state),
                Transition::Retry(retry) => attempts.again(retry).await?,
            }
            state = self.read_state(order.order_id).await?;
        }
    }
}

//! Putting goods back: what was claimed in the record of an order is done in its items, once each.
//!
//! A return is on record in its order before an item is changed, and an item remembers it from the swap that puts its
//! goods back until the order's record says that the return is done. So a request reads the item, and then the order's
//! record. If the return is not done there, no item had forgotten it when the item was read; and the swap of the item
//! shows that nothing has happened to it since.

use crate::engine::codec::{Read, decode_state};
use crate::engine::order_state::Transition;
use crate::engine::shop::Shop;
use crate::engine::update_item::{Guards, Update, readable_state};
use crate::environment::Environment;
use crate::error::Error;
use crate::model::after_sale::{AfterSaleEvent, Return};
use crate::model::amounts::Quantity;
use crate::model::ids::{ItemId, OrderId, ReturnId};
use crate::model::item::{Item, Settlement, TakeBackError};
use crate::model::order_state::{Event, OrderState};
use crate::provider::Provider;
use crate::store::{Key, Store};

/// Forgets the returns of which the records of their orders, read after the item, say that they are done. Answers
/// whether there are any.
pub(crate) fn forget_returns(item: &mut Item, guards: &Guards) -> bool {
    item.forget_returns(|id, order| {
        let found = guards.found(&Key::OrderState(order));
        let state = found.and_then(readable_state);
        // Rule: returns-are-forgotten-once-done.
        state.and_then(|state| Some(state.record.after_sale().find_return(id)?.done)).unwrap_or(false)
    })
}

/// Whether a return is done, as the record of its order says that was read after an item.
fn is_done(guards: &Guards, order: OrderId, id: ReturnId) -> Result<bool, Error> {
    let state = guards.get(&Key::OrderState(order))?.cloned().ok_or(Error::inconsistent_order(order))?;
    let state = decode_state(state)?.record;
    Ok(state.after_sale().find_return(id).is_none_or(|one| one.done))
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// Carries on with all returns of an order that are on record and not done. Answers with the order's state after
    /// that.
    ///
    /// # Errors
    /// If goods could not be put back. All others are.
    pub(crate) async fn carry_on_returns(
        &self,
        order: OrderId,
        mut state: Read<OrderState>,
    ) -> Result<Read<OrderState>, Error> {
        let unfinished = state.record.after_sale().returns().iter().filter(|one| !one.done);
        let mut result = Ok(());
        for one in unfinished.cloned().collect::<Vec<_>>() {
            // Rule: returns-are-done-once-they-are-back.
            match self.put_back(order, &one).await {
                Ok(()) => state = self.finish_return(order, one.id, state).await?,
                Err(error) => result = result.and(Err(error)),
            }
        }
        result.map(|()| state)
    }

    /// Puts the goods of a return back into all of its items.
    async fn put_back(&self, order: OrderId, one: &Return) -> Result<(), Error> {
        let mut result = Ok(());
        for (item_id, quantity) in one.lines.iter() {
            let put = self.put_back_line(order, one, item_id, quantity).await;
            result = result.and(put);
        }
        result
    }

    async fn put_back_line(
        &self,
        order: OrderId,
        one: &Return,
        item_id: &ItemId,
        quantity: Quantity,
    ) -> Result<(), Error> {
        let guard = [Key::OrderState(order)];
        let mut attempts = self.attempts();
        self.update_read_item(item_id, None, &guard, 0, &mut attempts, |item, guards, _| {
            // Rule: returns-are-looked-up-after-the-item.
            let done = is_done(guards, order, one.id)?;
            // Rule: returns-are-put-back-once.
            let is_back = done || item.remembers_return(one.id);
            if is_back {
                return Ok(Update::Unchanged(()));
            }
            // What comes back was sold.
            item.settle(order, Settlement::Sold).map_err(|error| Error::damaged_item(item_id, error))?;
            forget_returns(item, guards);
            match item.take_back(one.id, order, quantity, one.to) {
                Ok(()) => Ok(Update::Write(())),
                Err(TakeBackError::TooMuch) => Err(Error::TooMuchStock),
                Err(TakeBackError::Busy) => Err(Error::Contended),
                Err(TakeBackError::OutOfBounds(error)) => Err(Error::damaged_item(item_id, error)),
            }
        })
        .await
    }

    /// Writes down that all items have the goods of a return.
    async fn finish_return(
        &self,
        order: OrderId,
        id: ReturnId,
        mut state: Read<OrderState>,
    ) -> Result<Read<OrderState>, Error> {
        let mut attempts = self.attempts();
        loop {
            let event = Event::AfterSale(AfterSaleEvent::FinishReturn(id));
            // No expiry has a part in it.
            match self.transition(&state, event, self.environment.now()).await? {
                Transition::Done(state) => return Ok(state),
                // Another request has written it.
                Transition::Illegal => return Ok(state),
                Transition::Retry(retry) => attempts.again(retry).await?,
            }
            state = self.read_state(order).await?;
        }
    }

    /// Carries on with the returns that an item remembers, and has it forget those that are done. Answers with how many
    /// of them could not be finished.
    pub(crate) async fn finish_returns_of(&self, item_id: &ItemId, item: &Item) -> Result<usize, Error> {
        let mut orders: Vec<_> = item.returns().iter().map(|(_, order)| *order).collect();
        orders.sort_unstable();
        orders.dedup();
        let mut unfinished = 0_usize;
        for order in orders {
            let carried_on = match self.read_state(order).await {
                Ok(state) => self.carry_on_returns(order, state).await.map(drop),
                Err(error) => Err(error),
            };
            match carried_on {
                Ok(()) => {}
                Err(error @ Error::Store(_)) => return Err(error),
                // What stands in its way is for a person to see to.
                Err(_) => unfinished = unfinished.saturating_add(1),
            }
        }
        let mut attempts = self.attempts();
        self.update_read_item(item_id, None, &[], 0, &mut attempts, |item, guards, _| {
            Ok(if forget_returns(item, guards) { Update::Write(()) } else { Update::Unchanged(()) })
        })
        .await?;
        Ok(unfinished)
    }
}

//! Goods that come back from buyers.

use crate::engine::condition::Condition;
use crate::engine::order_state::Transition;
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::after_sale::{AfterSaleEvent, Destination, Return, ReturnedGoods};
use crate::model::amounts::Stock;
use crate::model::ids::{KeyDigest, OrderId, ReturnId};
use crate::model::item::Settlement;
use crate::model::order_state::Event;
use crate::model::status::{OrderView, status};
use crate::provider::Provider;
use crate::store::Store;

/// The result of a request to take goods back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// The return.
    pub made: Return,
    /// Whether an earlier request with the same key has made it.
    pub replayed: bool,
}

/// The returns of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderReturns {
    /// The order as it is now.
    pub view: OrderView,
    /// Why some of them are not done, where that is so. They are carried on with when they are asked for again.
    pub unfinished: Option<Error>,
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// As [`Self::return_goods_if`], whatever there is.
    ///
    /// # Errors
    /// As [`Self::return_goods_if`].
    pub async fn return_goods(
        &self,
        order_id: OrderId,
        goods: ReturnedGoods,
        key: KeyDigest,
    ) -> Result<Returned, Error> {
        self.return_goods_if(&Condition::default(), order_id, goods, key).await
    }

    /// Takes goods of a paid order back, if the order is what is expected: each line at most as often as it was sold,
    /// over all returns. A repeat with the same `key` does nothing more, or what the first request left undone.
    ///
    /// The return is put on record in the order before any item is changed. If it is then cut off, it is carried on with
    /// by a repeat, by whatever asks for the order's returns, and by a sweep where an item has some of the goods.
    ///
    /// # Errors
    /// If there is no such order, it is not what is expected or not paid; more would come back than was sold; there is
    /// no room for the goods or for another return; the key was used for another request; or the store fails.
    pub async fn return_goods_if(
        &self,
        condition: &Condition<OrderView>,
        order_id: OrderId,
        goods: ReturnedGoods,
        key: KeyDigest,
    ) -> Result<Returned, Error> {
        let id = ReturnId::new(order_id, key);
        let mut claimed = false;
        let mut attempts = self.attempts();
        loop {
            let (order, state) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
            if let Some(found) = state.record.after_sale().find_return(id) {
                if !found.is_of(&goods) {
                    return Err(Error::IdempotencyKeyReused);
                }
                // Its own claim may be one of which it has not heard.
                let replayed = !claimed && !attempts.is_unclear();
                let state = self.carry_on_returns(order_id, state).await?;
                let made = state.record.after_sale().find_return(id).cloned();
                return made.map(|made| Returned { made, replayed }).ok_or(Error::Contended);
            }
            let state = self.expire(&order, state).await?;
            let view = OrderView::new(order.clone(), &state.record, true);
            // The swap below is from this state, so what is seen of it holds at that moment.
            condition.check(Some(&view))?;
            if state.record.payment().is_none() {
                return Err(Error::OrderNotReturnable(status(&state.record, true)));
            }
            let sold = order.quantities();
            state.record.after_sale().check_return(&goods.lines, &sold)?;
            self.check_room(order_id, &goods).await?;
            let event = AfterSaleEvent::ClaimReturn { id, goods: goods.clone(), sold, at: self.environment.now() };
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

    /// Whether the items can take these goods, as far as that can be said before the return is on record.
    pub(crate) async fn check_room(&self, order: OrderId, goods: &ReturnedGoods) -> Result<(), Error> {
        let ids: Vec<_> = goods.lines.iter().map(|(item_id, _)| item_id.clone()).collect();
        for ((item_id, quantity), item) in goods.lines.iter().zip(self.find_items(&ids).await?) {
            let mut item = item?.ok_or_else(|| Error::ItemNotFound(item_id.clone()))?.record;
            // What comes back was sold, also where its hold is still there.
            item.settle(order, Settlement::Sold).map_err(|error| Error::damaged_item(item_id, error))?;
            let into_stock = if goods.to == Destination::Stock { quantity.get() } else { 0 };
            if item.on_hand().saturating_add(into_stock) > Stock::MAX {
                return Err(Error::TooMuchStock);
            }
        }
        Ok(())
    }

    /// The returns of an order. Those that are not done are carried on with.
    ///
    /// # Errors
    /// If there is no such order, or a record that it needs cannot be read.
    pub async fn order_returns(&self, order_id: OrderId) -> Result<OrderReturns, Error> {
        let (order, state) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
        let state = self.expire(&order, state).await?;
        match self.carry_on_returns(order_id, state).await {
            Ok(state) => Ok(OrderReturns { view: OrderView::new(order, &state.record, true), unfinished: None }),
            Err(error) => {
                let state = self.read_state(order_id).await?;
                let view = OrderView::new(order, &state.record, true);
                Ok(OrderReturns { view, unfinished: Some(error) })
            }
        }
    }
}

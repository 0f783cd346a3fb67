//! Goods that go out to buyers.

use crate::engine::condition::Condition;
use crate::engine::order_state::Transition;
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::after_sale::AfterSaleEvent;
use crate::model::fulfilment::{Fulfilment, Shipment};
use crate::model::ids::OrderId;
use crate::model::order_state::Event;
use crate::model::status::{OrderView, status};
use crate::provider::Provider;
use crate::store::Store;

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// Says how the goods of a paid order go out, and whether they are delivered. It can be said otherwise until they
    /// are. Repeating it is safe.
    ///
    /// # Errors
    /// If there is no such order, it is not what is expected, not paid or has nothing to be sent; if its goods are
    /// delivered, otherwise than this says; or if the store fails.
    pub async fn fulfil_if(
        &self,
        condition: &Condition<OrderView>,
        order_id: OrderId,
        shipment: &Shipment,
        delivered: bool,
    ) -> Result<OrderView, Error> {
        let mut attempts = self.attempts();
        loop {
            let (order, state) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
            let state = self.expire(&order, state).await?;
            let view = OrderView::new(order.clone(), &state.record, true);
            let fulfilment = state.record.after_sale().fulfilment();
            let is_done = fulfilment.is_some_and(|before| before.is_of(shipment, delivered));
            // This request may have written it itself, and not heard of it.
            if !(is_done && attempts.is_unclear()) {
                condition.check(Some(&view))?;
            }
            if is_done {
                return Ok(view);
            }
            let is_delivered = fulfilment.is_some_and(Fulfilment::is_delivered);
            if is_delivered {
                return Err(Error::OrderDelivered);
            }
            let sold = order.quantities();
            if !state.record.has_goods_to_send(&sold) {
                return Err(Error::OrderNotFulfillable(status(&state.record, true)));
            }
            let (shipment, at) = (shipment.clone(), self.environment.now());
            let event = Event::AfterSale(AfterSaleEvent::Fulfil { shipment, delivered, sold, at });
            match self.transition(&state, event, order.expires_at).await? {
                Transition::Done(state) => return Ok(OrderView::new(order, &state.record, true)),
                Transition::Retry(retry) => attempts.again(retry).await?,
                Transition::Illegal => attempts.again(Retry::Stale).await?,
            }
        }
    }
}

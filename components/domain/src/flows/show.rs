//! An order as a client sees it.

use crate::engine::codec::Read;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::ids::OrderId;
use crate::model::order::Order;
use crate::model::order_state::OrderState;
use crate::model::status::OrderView;
use crate::provider::Provider;
use crate::store::Store;

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// Shows an order, as its record says: a payment provider is not asked.
    ///
    /// # Errors
    /// If there is no such order, or a record that it needs cannot be read.
    pub async fn show_order(&self, order_id: OrderId) -> Result<OrderView, Error> {
        let (order, state) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
        self.to_view(order, state).await
    }

    /// An order that was read, as a client sees it. An expiry is decided before it is shown.
    pub(crate) async fn to_view(&self, order: Order, state: Read<OrderState>) -> Result<OrderView, Error> {
        let state = self.expire(&order, state).await?;
        // Of an order that is at the provider every line is held.
        let is_settled = state.record.settlement().is_some() || state.record.session().is_some();
        if is_settled || self.missing_lines(&order).await?.is_empty() {
            return Ok(OrderView::new(order, &state.record, true));
        }
        // A hold may be missing because it was settled since: then the state says so by now.
        let state = self.read_state(order.order_id).await?;
        Ok(OrderView::new(order, &state.record, false))
    }
}

//! Refunds of charges that did not pay an order, for the operator.

use crate::engine::refund::Listed;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::amounts::{Currency, Money};
use crate::model::ids::{ChargeId, OrderId, RefundId, SessionId};
use crate::model::order::Order;
use crate::model::order_state::LateRefund;
use crate::model::session::RefundState;
use crate::model::time::Timestamp;
use crate::provider::Provider;
use crate::store::Store;

/// A refund, as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundView {
    /// Its name, at the provider too.
    pub refund_id: RefundId,
    /// In which session the buyer was charged.
    pub session: SessionId,
    /// What is given back.
    pub charge: ChargeId,
    /// How much.
    pub amount: Money,
    /// In which currency.
    pub currency: Currency,
    /// When it was put on record.
    pub at: Timestamp,
    /// How far it has come. One that the provider was not heard about is pending.
    pub state: RefundState,
}

impl RefundView {
    fn new(order: &Order, late: &LateRefund) -> Self {
        Self {
            refund_id: late.refund_id(),
            session: late.session.clone(),
            charge: late.charge.clone(),
            amount: late.amount,
            currency: late.currency.as_ref().unwrap_or(&order.currency).clone(),
            at: late.at,
            state: late.refund.unwrap_or(RefundState::Pending),
        }
    }
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// The refunds of an order, oldest first.
    ///
    /// # Errors
    /// If there is no such order, or the store fails.
    pub async fn refunds(&self, order_id: OrderId) -> Result<Vec<RefundView>, Error> {
        let (order, state) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
        Ok(state.record.late_refunds().iter().map(|late| RefundView::new(&order, late)).collect())
    }

    /// Gives back what a buyer was charged without paying the order, as far as that is not done: carries on with refunds
    /// that are not finished, and makes those again that have failed, each under a new name. The failed ones stay on
    /// record. Answers with all refunds of the order, oldest first. Repeating it is safe: what has succeeded stays.
    ///
    /// # Errors
    /// If there is no such order, or it has no refund; or if the store or the payment provider fails.
    pub async fn retry_refunds(&self, order_id: OrderId) -> Result<Vec<RefundView>, Error> {
        let (_, state) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
        let unfinished: Vec<_> = state.record.unfinished_refunds().map(|late| Listed::of(order_id, late)).collect();
        let failed: Vec<_> = state.record.failed_refunds().map(LateRefund::refund_id).collect();
        if state.record.late_refunds().is_empty() {
            return Err(Error::NothingToRefund);
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

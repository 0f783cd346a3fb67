//! Requests about payment: pay.

use crate::amounts::Money;
use crate::environment::Environment;
use crate::error::Error;
use crate::ids::{Method, OrderId};
use crate::orders::OrderView;
use crate::payment::{Paid, Payment};
use crate::shop::{Shop, encode};
use crate::status::{Status, status};
use crate::store::{Store, Swap};

impl<S: Store, E: Environment> Shop<S, E> {
    /// Pays an order. Repeating it is safe. An `amount` that is given must be the total.
    ///
    /// The swap of the payment is the moment of sale: it succeeds only while the payment is what was read before the
    /// holds were seen, and a hold is dropped only after the payment was decided. So every line is held at that moment.
    pub async fn pay(&self, order_id: OrderId, method: &Method, amount: Option<Money>) -> Result<OrderView, Error> {
        let mut attempts = self.attempts();
        loop {
            let (order, payment) = self.read_order(order_id).await?.ok_or(Error::OrderNotFound)?;
            if let Some(given) = amount
                && given != order.total
            {
                return Err(Error::AmountMismatch { total: order.total, given });
            }
            let now = self.environment.now();
            match status(&payment.record, true, now, order.expires_at) {
                Status::Pending | Status::Placing => {}
                Status::Paid => return Ok(self.view(order, payment.record, true)),
                void => return Err(Error::OrderNotPayable(void)),
            }
            let outcome = if self.all_held(&order).await? {
                let paid = Payment::Paid(Paid { amount: order.total, method: method.clone(), paid_at: now });
                match self.store.swap(&payment.entry, encode(&paid)?).await {
                    Ok(Swap::Swapped) => return Ok(self.view(order, paid, true)),
                    outcome => outcome,
                }
            } else if self.read_payment(order_id).await?.entry == payment.entry {
                return Err(Error::OrderNotPayable(Status::Placing));
            } else {
                Ok(Swap::Conflict) // Decided since, which is why a hold is missing.
            };
            attempts.again(outcome).await?;
        }
    }
}

//! What the payment provider is asked, and what becomes of an order by its answers.
//!
//! The provider is asked outside of batches: one that is slow costs other requests nothing.

use std::time::Duration;

use crate::engine::codec::Read;
use crate::engine::order_state::Transition;
use crate::engine::read::OrderRead;
use crate::engine::shop::Shop;
use crate::engine::side_by_side::side_by_side;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::amounts::Money;
use crate::model::ids::{OrderId, SessionId};
use crate::model::item::{Item, Look};
use crate::model::order::Order;
use crate::model::order_state::{Event, LateRefund, OrderState};
use crate::model::session::{Finding, OpenSession, RefundState, SessionState};
use crate::provider::{Provider, ProviderError};
use crate::store::Store;

/// How many overdue orders of an item are looked up at once, to find those that are at the provider.
pub(crate) const MAX_LOOKED_UP: usize = 64;

/// What the provider's answer about the session on record has made of an order.
pub(crate) enum Answered {
    /// The session is open.
    Open(OpenSession),
    /// The buyer has paid by a means that takes a while.
    Processing,
    /// The order was to change.
    Changed(Transition),
}

/// What came of asking about overdue orders.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    /// How many orders the provider was asked about.
    pub(crate) orders: usize,
    /// How many of them are decided now.
    pub(crate) decided: usize,
    /// Of how many there was no answer, or none that makes sense.
    pub(crate) unanswered: usize,
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// Whether the buyer of this order has to pay at a provider. Not where payments are recorded at once, nor where the
    /// order costs nothing: then there is nothing to charge.
    pub(crate) fn charges(&self, order: &Order) -> bool {
        self.provider.is_some() && order.total() > Money::ZERO
    }

    /// The provider. There has to be one, since an order is there.
    pub(crate) fn provider(&self) -> Result<&P, Error> {
        self.provider.as_ref().ok_or_else(|| Error::ProviderUnavailable("the shop has none".to_owned()))
    }

    /// Asks the provider what the session on record is.
    pub(crate) async fn look(&self, order: &Order, session: &SessionId) -> Result<Finding, Error> {
        // Rule: paid-is-what-the-provider-says.
        let answer = self.provider()?.look(session).await?;
        finding(order, session, answer)
    }

    /// Asks the provider to end the session on record.
    pub(crate) async fn close(&self, order: &Order, session: &SessionId) -> Result<Finding, Error> {
        // Rule: an-error-is-not-closed.
        let answer = self.provider()?.close(session).await?;
        finding(order, session, answer)
    }

    /// Lets happen to an order what follows from the provider's answer about the session on record.
    pub(crate) async fn answered(
        &self,
        order: &Order,
        state: &Read<OrderState>,
        finding: Finding,
        cancelled: bool,
    ) -> Result<Answered, Error> {
        let event = match finding {
            Finding::Open(open) => return Ok(Answered::Open(open)),
            Finding::Processing => return Ok(Answered::Processing),
            Finding::Paid(paid) => Event::Charge(paid),
            Finding::Closed(closed) => Event::Close { closed, at: self.environment.now(), cancelled },
        };
        Ok(Answered::Changed(self.transition(state, event, order.expires_at).await?))
    }

    /// Settles where the payment of an order may have left many holds of decided orders, as payments without a provider
    /// do. Errors are not the payer's business.
    pub(crate) async fn settle_after_charge(&self, order: &Order) {
        let ids: Vec<_> = order.lines().iter().map(|line| line.item_id.clone()).collect();
        let Ok(items) = self.find_items(&ids).await else { return };
        for (item_id, item) in ids.iter().zip(items) {
            if let Ok(Some(item)) = item {
                self.settle_after_payment(item_id, item, 1).await;
            }
        }
    }

    /// Asks the provider to end the sessions of up to `most` overdue orders that hold some of an item, a few at a time side
    /// by side and no longer than `limit`. Decides those of which it says that they are closed or paid.
    ///
    /// Those that are asked about begin at another place each time: a few that the provider does not decide do not stand
    /// in the way of the others.
    pub(crate) async fn close_overdue(&self, item: &Item, most: usize, limit: Duration) -> Result<Asked, Error> {
        let mut asked = Asked::default();
        if self.provider.is_none() {
            return Ok(asked);
        }
        let until = self.environment.monotonic().saturating_add(limit);
        let overdue = item.due(self.environment.now(), self.turn(), Look::at(MAX_LOOKED_UP, 0));
        let at_provider = |read: Result<Option<OrderRead>, Error>| {
            let (order, state) = read.ok()??;
            let session = state.record.session()?.clone();
            Some((order, state, session))
        };
        let due: Vec<_> = self.read_orders(&overdue).await?.into_iter().filter_map(at_provider).take(most).collect();
        asked.orders = due.len();
        for due in due.chunks(self.settings.limits.overdue_at_once.max(1)) {
            let left = until.saturating_sub(self.environment.monotonic());
            let closing = due.iter().map(|(order, _, session)| self.close(order, session));
            let answers = side_by_side(&self.environment, left, closing).await;
            for ((order, state, _), answer) in due.iter().zip(answers) {
                let Some(Ok(finding)) = answer else {
                    asked.unanswered = asked.unanswered.saturating_add(1);
                    continue;
                };
                match self.answered(order, state, finding, false).await? {
                    // What another request has decided meanwhile is as good.
                    Answered::Changed(_) => asked.decided = asked.decided.saturating_add(1),
                    // Asked to end it, the provider says that it has not.
                    Answered::Open(_) | Answered::Processing => {}
                }
            }
        }
        Ok(asked)
    }

    /// Asks the provider to give back what was charged too late, once. Answers with how far that has come.
    ///
    /// A refund that another request has put on record may be made already: then it is looked for first, since the
    /// provider may have forgotten its name.
    async fn refund_late(&self, late: &LateRefund, is_new: bool) -> Result<RefundState, Error> {
        let provider = self.provider()?;
        // Rule: refunds-have-one-name.
        let name = late.refund_id();
        // Rule: refunds-are-looked-for.
        let made = if is_new { None } else { provider.find_refund(&late.charge, &name).await? };
        if let Some(refund) = made {
            return Ok(refund);
        }
        match provider.refund(&late.charge, late.amount, &name).await {
            // Another request may have made it in this moment. If not, a person has to see to it: a repeat would be refused
            // too.
            Err(ProviderError::Refused(_)) => {
                let made = provider.find_refund(&late.charge, &name).await?;
                Ok(made.unwrap_or(RefundState::Failed))
            }
            refund => Ok(refund?),
        }
    }

    /// Carries on with the refund of a late charge that is on record, and writes down how far it has come. Answers with
    /// that; none where there is nothing to do any more. The refund is on record before the provider is asked for it.
    pub(crate) async fn carry_on_refund(
        &self,
        order: OrderId,
        session: &SessionId,
        is_new: bool,
    ) -> Result<Option<RefundState>, Error> {
        let mut attempts = self.attempts();
        let Some((_, mut state)) = self.read_order(order).await? else { return Ok(None) };
        let Some(late) = state.record.late_refund(session).cloned() else { return Ok(None) };
        if late.is_finished() {
            return Ok(late.refund);
        }
        let refund = self.refund_late(&late, is_new).await?;
        loop {
            let Some(late) = state.record.late_refund(session) else { return Ok(None) };
            if late.refund == Some(refund) || late.is_finished() {
                return Ok(late.refund);
            }
            // No expiry has a part in it.
            let event = Event::Refund { session: session.clone(), refund };
            match self.transition(&state, event, self.environment.now()).await? {
                Transition::Done(written) => state = written,
                Transition::Retry(retry) => {
                    attempts.again(retry).await?;
                    state = self.read_state(order).await?;
                }
                Transition::Illegal => return Ok(None),
            }
        }
    }
}

/// What the provider's answer means for the order on whose record the session is.
fn finding(order: &Order, session: &SessionId, answer: SessionState) -> Result<Finding, Error> {
    Finding::of(session, answer, order).map_err(Error::WrongCharge)
}

//! What the payment provider is asked, and what becomes of an order by its answers.
//!
//! The provider is asked outside of batches: one that is slow costs other requests nothing.

use std::time::Duration;

use crate::engine::codec::Read;
use crate::engine::order_state::Transition;
use crate::engine::read::OrderRead;
use crate::engine::refund::Listed;
use crate::engine::shop::Shop;
use crate::engine::side_by_side::side_by_side;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::amounts::Money;
use crate::model::ids::{ItemId, SessionId};
use crate::model::item::{Item, Look};
use crate::model::order::Order;
use crate::model::order_state::{Event, OrderState};
use crate::model::session::{Finding, OpenSession, RefundState, SessionState};
use crate::provider::Provider;
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
    /// The buyer was charged something else than the order costs. The session is not on record any more, and this refund
    /// is. It has yet to be asked for.
    ChargedWrongly(Read<OrderState>, Listed),
}

/// What came of asking about overdue orders.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// How many orders the provider was asked about.
    pub(crate) orders: usize,
    /// How many of them are decided now.
    pub(crate) decided: usize,
    /// What these hold, or held.
    pub(crate) items: Vec<ItemId>,
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
            Finding::Wrong(wrong) => {
                let listed = Listed::first(order.order_id, wrong.session());
                // Rule: wrong-charges-are-listed-first.
                self.list_refund(&listed).await?;
                let session = wrong.session().clone();
                let event = Event::ChargeWrongly { wrong, at: self.environment.now(), cancelled };
                return match self.transition(state, event, order.expires_at).await? {
                    Transition::Done(state) => Ok(Answered::ChargedWrongly(state, listed)),
                    // Its record has no room for another refund.
                    Transition::Illegal => Err(Error::TooManyLateCharges(session)),
                    retry @ Transition::Retry(_) => Ok(Answered::Changed(retry)),
                };
            }
            Finding::Closed(closed) => Event::Close { closed, at: self.environment.now(), cancelled },
        };
        Ok(Answered::Changed(self.transition(state, event, order.expires_at).await?))
    }

    /// Gives back what was charged wrongly, for a request that has more to do. Where that is not finished, the provider's
    /// next message or a sweep carries on.
    pub(crate) async fn give_back(&self, wrong: &Listed) -> Result<(), Error> {
        match self.carry_on(wrong, true).await {
            Ok(Some(RefundState::Failed)) => Err(Error::RefundFailed(wrong.order)),
            Ok(_) | Err(_) => Ok(()),
        }
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

    /// Asks the provider to end the sessions of up to `most` overdue orders that hold some of an item, a few at a time
    /// side by side and no longer than `limit`. Decides those of which it says that they are closed or paid.
    ///
    /// Those that are asked about begin at another place each time: a few that the provider does not decide do not
    /// stand in the way of the others.
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
                    Answered::Changed(_) | Answered::ChargedWrongly(..) => {
                        asked.decided = asked.decided.saturating_add(1);
                        asked.items.extend(order.lines().iter().map(|line| line.item_id.clone()));
                    }
                    // Asked to end it, the provider says that it has not.
                    Answered::Open(_) | Answered::Processing => {}
                }
            }
        }
        Ok(asked)
    }
}

/// What the provider's answer means for the order on whose record the session is.
fn finding(order: &Order, session: &SessionId, answer: SessionState) -> Result<Finding, Error> {
    Finding::of(session, answer, order).map_err(Error::WrongCharge)
}

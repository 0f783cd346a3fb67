//! Messages of the payment provider: something has happened to a session, a refund or a dispute. What that is, the
//! provider is asked.

use crate::engine::order_state::Transition;
use crate::engine::payment::Answered;
use crate::engine::refund::Listed;
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::dispute::{Dispute, DisputeStatus};
use crate::model::ids::{DisputeId, OrderId, SessionId};
use crate::model::order_state::Event;
use crate::model::session::RefundState;
use crate::provider::{Notice, Provider};
use crate::store::Store;

/// The result of a message of the payment provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noticed {
    /// It was about an order of this shop, whose record says now what the provider says.
    Understood,
    /// It was about a charge of this order, and a refund of it has failed. A person has to see to it.
    RefundFailed(OrderId),
    /// It was about a dispute about a charge of this order, which has come this far. A person has to see to one that is
    /// open.
    Disputed(OrderId, DisputeStatus),
    /// It was about something else. Nothing was done.
    NotOurs,
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// Takes a message that claims to be the payment provider's: the value of the header that carries its signature,
    /// and its body as it came. It says that there is something to look at, and nothing else of it is believed. It may
    /// come again and again, and in any order.
    ///
    /// # Errors
    /// [`Error::InvalidNotice`] where it is not believed. Where the store or the provider fails, the message has to
    /// come again.
    pub async fn notice(&self, signature: &str, body: &[u8]) -> Result<Noticed, Error> {
        let notice = self.provider()?.read_notice(signature, body, self.environment.now())?;
        match notice {
            Notice::Session { order, session } => self.look_at_session(order, session).await,
            Notice::Refund { order, charge } => Ok(match self.look_at_refunds(order, &charge).await? {
                Some(true) => Noticed::RefundFailed(order),
                Some(false) => Noticed::Understood,
                None => Noticed::NotOurs,
            }),
            Notice::Dispute(dispute) => self.look_at_dispute(dispute).await,
            Notice::NotOurs => Ok(Noticed::NotOurs),
        }
    }

    /// Asks what a session is, and lets happen to its order what follows from that.
    async fn look_at_session(&self, order: OrderId, session: SessionId) -> Result<Noticed, Error> {
        let mut attempts = self.attempts();
        loop {
            // An order is there before a session of it is opened: one that is not there is another shop's, or was
            // removed.
            let Some((order, state)) = self.read_order(order).await? else { return Ok(Noticed::NotOurs) };
            if state.record.session() == Some(&session) {
                let finding = self.look(&order, &session).await?;
                match self.answered(&order, &state, finding, false).await? {
                    Answered::Open(_) | Answered::Processing => return Ok(Noticed::Understood),
                    Answered::Changed(Transition::Done(state)) => {
                        if state.record.payment().is_some() {
                            self.settle_after_charge(&order).await;
                        }
                        return Ok(Noticed::Understood);
                    }
                    Answered::ChargedWrongly(_, wrong) => {
                        let refund = self.carry_on(&wrong, true).await?;
                        return Ok(refunded(order.order_id, refund));
                    }
                    Answered::Changed(Transition::Retry(retry)) => attempts.again(retry).await?,
                    Answered::Changed(Transition::Illegal) => attempts.again(Retry::Stale).await?,
                }
                continue;
            }
            if state.record.has_session(&session) {
                return Ok(Noticed::Understood);
            }
            if let Some(late) = state.record.late_refund(&session) {
                let refund = self.carry_on(&Listed::of(order.order_id, &late.into()), false).await?;
                return Ok(refunded(order.order_id, refund));
            }
            let Some(late) = self.late_charge(&order, &session).await? else { return Ok(Noticed::NotOurs) };
            // Rule: refunds-are-claimed-first.
            match self.claim_refund(&order, &state, late).await? {
                Transition::Done(_) => {
                    let refund = self.carry_on(&Listed::first(order.order_id, &session), true).await?;
                    return Ok(refunded(order.order_id, refund));
                }
                Transition::Retry(retry) => attempts.again(retry).await?,
                Transition::Illegal => return Err(Error::TooManyLateCharges(session)),
            }
        }
    }

    /// Asks what a dispute is, and writes that down. It is written over no state but that which was read before the
    /// provider was asked: what was written meanwhile may be newer.
    async fn look_at_dispute(&self, id: DisputeId) -> Result<Noticed, Error> {
        let provider = self.provider()?;
        let Some(first) = provider.find_dispute(&id).await? else { return Ok(Noticed::NotOurs) };
        let mut looked_at = None;
        let mut attempts = self.attempts();
        loop {
            let Some((order, state)) = self.read_order(first.order).await? else { return Ok(Noticed::NotOurs) };
            if !state.record.has_charge(&first.charge) {
                // The message that says that it was charged may be lost.
                let last = state.record.last_session().filter(|last| looked_at.as_ref() != Some(*last)).cloned();
                let Some(last) = last else { return Ok(Noticed::NotOurs) };
                self.look_at_session(order.order_id, last.clone()).await?;
                looked_at = Some(last);
                attempts.count()?;
                continue;
            }
            // What was answered before the state was read may be older than what the state says.
            let Some(found) = provider.find_dispute(&id).await? else { return Ok(Noticed::NotOurs) };
            let (before, status) = (state.record.dispute(&id), found.status);
            let dispute = Dispute::new(id.clone(), found, &order, before, self.environment.now());
            if before == Some(&dispute) {
                return Ok(Noticed::Understood);
            }
            match self.transition(&state, Event::Dispute(dispute), order.expires_at).await? {
                // Where the record has no room for it, at least the log has it.
                Transition::Done(_) | Transition::Illegal => return Ok(Noticed::Disputed(order.order_id, status)),
                Transition::Retry(retry) => attempts.again(retry).await?,
            }
        }
    }
}

/// The result of a message about a late charge, whose refund has come as far as this.
fn refunded(order: OrderId, refund: Option<RefundState>) -> Noticed {
    match refund {
        Some(RefundState::Failed) => Noticed::RefundFailed(order),
        Some(RefundState::Pending | RefundState::Succeeded) | None => Noticed::Understood,
    }
}

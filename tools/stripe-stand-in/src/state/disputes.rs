//! How disputes begin, and how they end.

use serde_json::Value;

use super::{BuyerError, Cause, Row, State, new_id};
use crate::objects::{Charge, ChargeStatus, Dispute, DisputeStatus, Movement};

/// What happens to a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DisputeAct {
    /// The merchant answers the bank.
    Answer,
    /// An inquiry becomes a formal dispute.
    Escalate,
    /// The bank decides for the merchant. It may do so after it has decided for the buyer.
    Win,
    /// The bank decides for the buyer.
    Lose,
    /// The buyer is given the money before anything else happens.
    Prevent,
}

impl DisputeAct {
    /// Where a dispute stands after it, if it can happen.
    fn leads_to(self, from: DisputeStatus) -> Option<DisputeStatus> {
        use DisputeStatus as S;
        match (self, from) {
            (Self::Answer, S::WarningNeedsResponse) => Some(S::WarningUnderReview),
            (Self::Answer, S::NeedsResponse) => Some(S::UnderReview),
            (Self::Escalate, S::WarningNeedsResponse | S::WarningUnderReview) => Some(S::NeedsResponse),
            (Self::Win, S::WarningNeedsResponse | S::WarningUnderReview) => Some(S::WarningClosed),
            (Self::Win, S::NeedsResponse | S::UnderReview | S::Lost) => Some(S::Won),
            (Self::Lose, S::NeedsResponse | S::UnderReview) => Some(S::Lost),
            (Self::Prevent, S::WarningNeedsResponse | S::NeedsResponse) => Some(S::Prevented),
            _ => None,
        }
    }
}

impl State {
    fn disputes_of(&self, charge: &str) -> impl Iterator<Item = &Dispute> {
        self.disputes_of.get(charge).into_iter().flatten().filter_map(|id| self.disputes.get(id))
    }

    /// Whether a charge was ever disputed.
    pub(crate) fn is_disputed(&self, charge: &str) -> bool {
        self.disputes_of(charge).next().is_some()
    }

    /// Whether no dispute keeps a charge from being refunded. An inquiry does not.
    pub(crate) fn is_refundable(&self, charge: &str) -> bool {
        self.disputes_of(charge).all(|one| one.status.is_inquiry() || one.status == DisputeStatus::Won)
    }

    pub(crate) fn dispute_json(&self, dispute: &Dispute) -> Value {
        dispute.json(self.is_refundable(&dispute.charge))
    }

    /// A buyer disputes the charge of a session: an amount of it, or what is not disputed yet. What was refunded can be
    /// disputed all the same. Answers with the id of the dispute.
    pub(crate) fn dispute(
        &mut self,
        session: &str,
        amount: Option<u64>,
        inquiry: bool,
        now: i64,
    ) -> Result<String, BuyerError> {
        let charge = self.charge_of(session)?;
        let standing = self.disputes_of(&charge.id).filter(|one| !one.status.is_over_for_nothing());
        let rest = charge.amount - standing.map(|one| one.amount).sum::<i64>();
        let amount = amount.map_or(rest, |amount| i64::try_from(amount).unwrap_or(i64::MAX));
        if amount < 1 || amount > rest {
            return Err(BuyerError::Amount { charge: charge.id, rest });
        }
        let dispute = Dispute {
            id: new_id("du_1", 23),
            number: self.next(),
            created: now,
            charge: charge.id,
            intent: charge.intent,
            amount,
            currency: charge.currency,
            method: charge.method,
            status: if inquiry { DisputeStatus::WarningNeedsResponse } else { DisputeStatus::NeedsResponse },
            answers: 0,
            withdrawn: (!inquiry).then(|| movement(now)),
            reinstated: None,
        };
        self.put(Row::Dispute(dispute.clone()));
        let withdrawn = (!inquiry).then_some("charge.dispute.funds_withdrawn");
        let kinds = ["charge.dispute.created"].into_iter().chain(withdrawn);
        self.dispute_events(kinds, &dispute, now, &Cause::default());
        Ok(dispute.id)
    }

    /// The charge that was made in a session.
    fn charge_of(&self, session: &str) -> Result<Charge, BuyerError> {
        let intent = self.session(session)?.intent.as_ref().and_then(|id| self.intents.get(id));
        let charge = intent.and_then(|intent| self.charges.get(intent.charge.as_ref()?));
        let charge = charge.filter(|charge| charge.status == ChargeStatus::Succeeded).cloned();
        charge.ok_or_else(|| BuyerError::State(format!("session {session}"), "not charged"))
    }

    /// Something happens to a dispute.
    pub(crate) fn act_on_dispute(&mut self, id: &str, act: DisputeAct, now: i64) -> Result<(), BuyerError> {
        let found = self.disputes.get(id).cloned();
        let mut dispute = found.ok_or_else(|| BuyerError::Unknown(format!("dispute {id}")))?;
        let state = || BuyerError::State(format!("dispute {id}"), dispute.status.as_str());
        dispute.status = act.leads_to(dispute.status).ok_or_else(state)?;
        let mut kinds = Vec::new();
        if matches!(act, DisputeAct::Answer | DisputeAct::Escalate) {
            kinds.push("charge.dispute.updated");
        }
        if act == DisputeAct::Answer {
            dispute.answers += 1;
        } else if dispute.status == DisputeStatus::Won {
            dispute.reinstated = Some(movement(now));
            kinds.push("charge.dispute.funds_reinstated");
        } else if !dispute.status.is_inquiry() && dispute.withdrawn.is_none() {
            dispute.withdrawn = Some(movement(now));
            kinds.push("charge.dispute.funds_withdrawn");
        }
        if matches!(act, DisputeAct::Win | DisputeAct::Lose | DisputeAct::Prevent) {
            kinds.push("charge.dispute.closed");
        }
        self.put(Row::Dispute(dispute.clone()));
        self.dispute_events(kinds, &dispute, now, &Cause::default());
        Ok(())
    }

    /// The inquiries about a charge that was refunded whole come to nothing.
    pub(super) fn close_inquiries(&mut self, charge: &str, now: i64, cause: &Cause) {
        let open = |one: &&Dispute| DisputeAct::Escalate.leads_to(one.status).is_some();
        let inquiries: Vec<_> = self.disputes_of(charge).filter(open).cloned().collect();
        for inquiry in inquiries {
            let inquiry = Dispute { status: DisputeStatus::WarningClosed, ..inquiry };
            self.put(Row::Dispute(inquiry.clone()));
            self.dispute_events(["charge.dispute.closed"], &inquiry, now, cause);
        }
    }

    fn dispute_events(
        &mut self,
        kinds: impl IntoIterator<Item = &'static str>,
        dispute: &Dispute,
        now: i64,
        cause: &Cause,
    ) {
        let object = self.dispute_json(dispute);
        kinds.into_iter().for_each(|kind| self.emit(kind, object.clone(), now, cause));
    }
}

/// Money that moves now.
fn movement(now: i64) -> Movement {
    Movement { id: new_id("txn_1", 23), at: now }
}

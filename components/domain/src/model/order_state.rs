//! The state of an order: unpaid, at the payment provider, paid or closed. It has a record of its own, beside the
//! order's, that is changed by compare-and-swap; [`OrderState::apply`] is the only way to make a new state of an old
//! one.

use std::time::Duration;

use serde::Serialize;

use crate::model::after_sale::{AfterSale, AfterSaleEvent, Return, Stored};
use crate::model::amounts::{Currency, Money};
use crate::model::dispute::{Dispute, MAX_DISPUTES};
use crate::model::fulfilment::Fulfilment;
use crate::model::ids::{ChargeId, DisputeId, PaymentMethod, RefundId, SessionId};
use crate::model::item::Settlement;
use crate::model::order::Lines;
use crate::model::refund::{ProviderRefund, Refund};
use crate::model::session::{ClosedSession, LateCharge, PaidSession, RefundState};
use crate::model::time::Timestamp;

/// The most refunds of charges that did not pay it that an order's record keeps. A provider that keeps its word needs
/// none.
pub const MAX_LATE_REFUNDS: usize = 16;

/// The most attempts that end because the provider refuses to open a session. After these its refusal stands.
pub const MAX_REFUSED_ATTEMPTS: u32 = 16;

/// The state of an order. It begins as [`Self::NEW`], is read from its record, or is made by [`Self::apply`]: nothing
/// else can write down, for example, a payment that was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "Record")]
pub struct OrderState {
    state: State,
    /// Refunds of charges that did not pay the order, oldest first. Of one session each but the last has failed.
    late: Vec<LateRefund>,
    /// Disputes about charges that are on record, oldest first by when they were put there.
    disputes: Vec<Dispute>,
    /// Only of a paid order is there any. Most have none: it is apart, so that a state is not large.
    after_sale: Option<Box<AfterSale>>,
}

/// What an order can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not decided yet.
    Unpaid {
        /// A request other than the one that placed the order has seen every line held, and may have told so to the
        /// client: from then on the order cannot be rejected.
        confirmed: bool,
        /// Which attempt to pay it at the provider is the next one, counted from 0.
        attempt: u32,
    },
    /// Not decided yet: a buyer may be in this session of the payment provider, who decides. Every line is held.
    AtProvider {
        /// Which attempt to pay it this is, counted from 0.
        attempt: u32,
        /// The session.
        session: SessionId,
    },
    /// Paid, for ever.
    Paid(Payment),
    /// Closed without payment, for ever.
    Closed {
        /// Why.
        reason: CloseReason,
        /// When this was decided.
        at: Timestamp,
        /// The session of the provider that was on record until then.
        session: Option<SessionId>,
    },
}

/// A payment that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// In minor units of the shop's currency: the total of the order.
    pub amount: Money,
    /// The means of payment: in the provider's words, or in the client's where no money was moved.
    pub method: PaymentMethod,
    /// When the buyer was charged; where no money was moved, when the payment was asked for.
    pub paid_at: Timestamp,
    /// What it is at the provider. None of a payment that was recorded without one.
    pub reference: Option<PaymentReference>,
}

/// What a payment is at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentReference {
    /// The session in which the buyer has paid.
    pub session: SessionId,
    /// What the buyer was charged.
    pub charge: ChargeId,
}

/// The refund of a charge that did not pay the order: it was made in a session that is not, or not any more, the one on
/// record, or took something else than the order costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LateRefund {
    /// In which session.
    pub session: SessionId,
    /// Which charge.
    pub charge: ChargeId,
    /// What was charged.
    pub amount: Money,
    /// In which currency, where that is not the order's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// The name of the refund at the provider, where an earlier one of the same charge has failed. The first has a name
    /// that follows from the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<RefundId>,
    /// When the refund was put on record. It is asked for only after that.
    pub at: Timestamp,
    /// How far it has come, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundState>,
}

impl LateRefund {
    /// The name of the refund at the provider.
    pub fn refund_id(&self) -> RefundId {
        self.id.clone().unwrap_or_else(|| RefundId::of_late_charge(&self.session))
    }
}

/// Why an order was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// A client cancelled it.
    Cancelled,
    /// It was not paid in time.
    Expired,
    /// There was too little stock for one of its lines.
    Rejected,
}

/// What can happen to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request other than the one that placed it has seen every line held.
    Confirm,
    /// It is paid, without a provider.
    Pay(Payment),
    /// A client cancels it.
    Cancel {
        /// Now.
        at: Timestamp,
    },
    /// Its time to pay is over.
    Expire {
        /// Now.
        at: Timestamp,
    },
    /// The request that placed it found too little stock.
    Reject {
        /// Now.
        at: Timestamp,
    },
    /// A session was opened in which the buyer can pay it. Every line was seen held.
    Open {
        /// The session.
        session: SessionId,
        /// Now.
        at: Timestamp,
    },
    /// The provider has refused to open a session, for good. Every line was seen held.
    Refuse,
    /// The buyer has paid in the session on record.
    Charge(PaidSession),
    /// The buyer was charged something else than the order costs in the session on record, in which nothing more can be
    /// charged. That goes back to the buyer.
    ChargeWrongly {
        /// The charge.
        wrong: LateCharge,
        /// Now.
        at: Timestamp,
        /// Whether a client cancels the order.
        cancelled: bool,
    },
    /// The operator says that no buyer can pay in the session on record any more, about which the provider has no answer
    /// that helps.
    Abandon {
        /// The session.
        session: SessionId,
        /// Now.
        at: Timestamp,
    },
    /// The session on record is closed.
    Close {
        /// The session.
        closed: ClosedSession,
        /// Now.
        at: Timestamp,
        /// Whether a client cancels the order.
        cancelled: bool,
    },
    /// A charge came too late. It goes back to the buyer.
    ClaimRefund {
        /// The charge.
        late: LateCharge,
        /// Now.
        at: Timestamp,
    },
    /// A refund that has failed is to be made again, under another name.
    RetryRefund {
        /// The one that has failed.
        failed: RefundId,
        /// Now.
        at: Timestamp,
    },
    /// The provider says how far a refund has come.
    Refund {
        /// Which refund.
        id: RefundId,
        /// How far it has come.
        refund: RefundState,
        /// Now.
        at: Timestamp,
    },
    /// The provider says what a dispute about a charge on record is.
    Dispute(Dispute),
    /// Something happens to a paid order.
    AfterSale(AfterSaleEvent),
}

/// An event that cannot happen to an order in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this cannot happen to an order in its state")]
pub struct Illegal;

impl OrderState {
    /// The state of an order that was just placed.
    pub const NEW: Self = Self {
        state: State::Unpaid { confirmed: false, attempt: 0 },
        late: Vec::new(),
        disputes: Vec::new(),
        after_sale: None,
    };

    /// What it is.
    pub fn get(&self) -> &State {
        &self.state
    }

    /// Refunds of charges that did not pay the order, oldest first.
    pub fn late_refunds(&self) -> &[LateRefund] {
        &self.late
    }

    /// Disputes about charges of it.
    pub fn disputes(&self) -> &[Dispute] {
        &self.disputes
    }

    /// The dispute of this name.
    pub(crate) fn dispute(&self, id: &DisputeId) -> Option<&Dispute> {
        self.disputes.iter().find(|dispute| dispute.id == *id)
    }

    /// What happened to it since it was paid.
    pub fn after_sale(&self) -> &AfterSale {
        self.after_sale.as_deref().unwrap_or(AfterSale::NONE)
    }

    /// The state after `event`, of an order that can be paid before `expires_at`. The whole life of an order is in this
    /// match. An unpaid order is paid in time, or closed. One that is at the provider is what the provider says, at any
    /// time. What is paid or closed stays so; goods of a paid one go out and come back.
    ///
    /// # Errors
    /// If that cannot happen now.
    pub fn apply(&self, event: Event, expires_at: Timestamp) -> Result<Self, Illegal> {
        let closed = |reason, at| Ok(State::Closed { reason, at, session: None });
        let state = match (&self.state, event) {
            (_, Event::ClaimRefund { late, at }) => return self.claim(&late, at),
            (_, Event::RetryRefund { failed, at }) => return self.retried(&failed, at),
            (_, Event::Refund { id, refund, at }) => return self.refunded(&id, refund, at),
            (_, Event::Dispute(dispute)) => return self.disputed(dispute),
            (State::Paid(payment), Event::AfterSale(event)) => {
                let after_sale = self.after_sale().apply(event, payment)?;
                return Ok(Self { after_sale: Some(Box::new(after_sale)), ..self.clone() });
            }
            (State::AtProvider { attempt, session }, Event::ChargeWrongly { wrong, at, cancelled })
                if wrong.session() == session =>
            {
                let state = after_session(*attempt, session, (at, expires_at), cancelled)?;
                // Rule: wrong-charges-are-claimed-as-the-session-ends.
                return Self { state, ..self.clone() }.with_refund(&wrong, at);
            }
            (State::AtProvider { attempt, session: on_record }, Event::Abandon { session, at })
                if session == *on_record =>
            {
                after_session(*attempt, on_record, (at, expires_at), true)
            }
            (State::Unpaid { attempt, .. }, Event::Confirm) => Ok(State::Unpaid { confirmed: true, attempt: *attempt }),
            (State::Unpaid { .. }, Event::Pay(payment)) if payment.paid_at < expires_at => Ok(State::Paid(payment)),
            (State::Unpaid { .. }, Event::Cancel { at }) if at < expires_at => closed(CloseReason::Cancelled, at),
            // Rule: only-unpaid-orders-expire-by-the-clock.
            (State::Unpaid { .. }, Event::Expire { at }) if at >= expires_at => closed(CloseReason::Expired, at),
            (State::Unpaid { confirmed: false, attempt: 0 }, Event::Reject { at }) => closed(CloseReason::Rejected, at),
            (State::Unpaid { attempt, .. }, Event::Open { session, at }) if at < expires_at => {
                Ok(State::AtProvider { attempt: *attempt, session })
            }
            (State::Unpaid { attempt, .. }, Event::Refuse) if *attempt < MAX_REFUSED_ATTEMPTS => next_attempt(*attempt),
            (State::AtProvider { session, .. }, Event::Charge(paid)) if paid.session() == session => {
                Ok(State::Paid(Payment::of(&paid)))
            }
            (State::AtProvider { attempt, session }, Event::Close { closed, at, cancelled })
                if closed.session() == session =>
            {
                after_session(*attempt, session, (at, expires_at), cancelled)
            }
            (State::Unpaid { .. } | State::AtProvider { .. } | State::Paid(_) | State::Closed { .. }, _) => {
                Err(Illegal)
            }
        };
        Ok(Self { state: state?, ..self.clone() })
    }

    /// Puts the refund of a late charge on record. Not of a session that is on record, nor twice.
    fn claim(&self, late: &LateCharge, at: Timestamp) -> Result<Self, Illegal> {
        if self.has_session(late.session()) {
            return Err(Illegal);
        }
        let state = match &self.state {
            // A session that is opened for this attempt may be this one. It is not to be put on record any more.
            // Rule: attempts-with-a-refund-are-over.
            State::Unpaid { confirmed, attempt } => {
                State::Unpaid { confirmed: *confirmed, attempt: attempt.checked_add(1).ok_or(Illegal)? }
            }
            state => state.clone(),
        };
        Self { state, ..self.clone() }.with_refund(late, at)
    }

    /// With the first refund of this charge.
    fn with_refund(mut self, charge: &LateCharge, at: Timestamp) -> Result<Self, Illegal> {
        if self.late.len() >= MAX_LATE_REFUNDS || self.late_refund(charge.session()).is_some() {
            return Err(Illegal);
        }
        self.late.push(LateRefund {
            session: charge.session().clone(),
            charge: charge.charge().clone(),
            amount: charge.amount(),
            currency: charge.currency().cloned(),
            id: None,
            at,
            refund: None,
        });
        Ok(self)
    }

    /// Puts another refund on record of a charge whose last one has failed.
    fn retried(&self, failed: &RefundId, at: Timestamp) -> Result<Self, Illegal> {
        let before = self.failed_refunds().find(|late| late.refund_id() == *failed).ok_or(Illegal)?;
        if self.late.len() >= MAX_LATE_REFUNDS {
            return Err(Illegal);
        }
        // Rule: retries-have-names-of-their-own.
        let id = Some(self.retry_id(before));
        let next = LateRefund { id, at, refund: None, ..before.clone() };
        let mut late = self.late.clone();
        late.push(next);
        Ok(Self { late, ..self.clone() })
    }

    /// Writes down how far a refund has come.
    fn refunded(&self, id: &RefundId, refund: RefundState, at: Timestamp) -> Result<Self, Illegal> {
        if let Some(after_sale) = self.after_sale().come(id, refund, at) {
            return Ok(Self { after_sale: Some(Box::new(after_sale)), ..self.clone() });
        }
        let mut late = self.late.clone();
        late.iter_mut().find(|late| late.refund_id() == *id).ok_or(Illegal)?.refund = Some(refund);
        Ok(Self { late, ..self.clone() })
    }

    /// Writes down what a dispute is now.
    fn disputed(&self, dispute: Dispute) -> Result<Self, Illegal> {
        let mut next = self.clone();
        match next.disputes.iter_mut().find(|before| before.id == dispute.id) {
            Some(before) => *before = dispute,
            None => next.disputes.push(dispute),
        }
        if next.has_valid_disputes() { Ok(next) } else { Err(Illegal) }
    }

    /// Whether its disputes are those of one order: no more than are kept, each once and about a charge on record.
    fn has_valid_disputes(&self) -> bool {
        let is_one = |(place, dispute): (usize, &Dispute)| {
            let is_new = self.disputes.iter().take(place).all(|earlier| earlier.id != dispute.id);
            is_new && dispute.is_valid() && self.has_charge(&dispute.charge)
        };
        self.disputes.len() <= MAX_DISPUTES && self.disputes.iter().enumerate().all(is_one)
    }

    /// What becomes of the order's holds; none while it is undecided.
    pub fn settlement(&self) -> Option<Settlement> {
        match self.state {
            // Rule: undecided-orders-keep-their-holds.
            State::Unpaid { .. } | State::AtProvider { .. } => None,
            State::Paid(_) => Some(Settlement::Sold),
            // A refusal is not remembered: the same request may succeed later.
            State::Closed { reason, .. } => {
                Some(Settlement::Released { key_reusable: reason == CloseReason::Rejected })
            }
        }
    }

    /// What becomes of the order's holds once it has expired, if it is to.
    pub fn settlement_at(&self, now: Timestamp, expires_at: Timestamp) -> Option<Settlement> {
        let expired = self.is_overdue(now, expires_at).then_some(Settlement::Released { key_reusable: false });
        self.settlement().or(expired)
    }

    /// When the records of a closed order may be removed, if closed orders are kept for this long; none of an order that
    /// is undecided or paid. An order that was not paid in time is closed at its expiry, whenever that is decided.
    pub fn removable_at(&self, expires_at: Timestamp, kept: Duration) -> Option<Timestamp> {
        match self.state {
            State::Unpaid { .. } | State::AtProvider { .. } | State::Paid(_) => None,
            State::Closed { reason: CloseReason::Expired, .. } => Some(expires_at.after(kept)),
            State::Closed { reason: CloseReason::Cancelled | CloseReason::Rejected, at, .. } => Some(at.after(kept)),
        }
    }

    /// Whether the order is to expire: it is unpaid and its time is over. One that is at the provider does not expire
    /// by the clock.
    pub fn is_overdue(&self, now: Timestamp, expires_at: Timestamp) -> bool {
        // Rule: only-unpaid-orders-are-overdue.
        let expires = matches!(self.state, State::Unpaid { .. });
        expires && now >= expires_at
    }

    /// Whether it is undecided and cannot be rejected any more.
    pub fn is_confirmed(&self) -> bool {
        matches!(self.state, State::Unpaid { confirmed: true, .. } | State::AtProvider { .. })
    }

    /// Whether it was closed as if it had never been placed.
    pub fn is_rejected(&self) -> bool {
        matches!(self.state, State::Closed { reason: CloseReason::Rejected, .. })
    }

    /// The session in which a buyer may be paying it.
    pub fn session(&self) -> Option<&SessionId> {
        match &self.state {
            State::AtProvider { session, .. } => Some(session),
            State::Unpaid { .. } | State::Paid(_) | State::Closed { .. } => None,
        }
    }

    /// The payment, once it was made.
    pub fn payment(&self) -> Option<&Payment> {
        match &self.state {
            State::Paid(payment) => Some(payment),
            State::Unpaid { .. } | State::AtProvider { .. } | State::Closed { .. } => None,
        }
    }

    /// Whether this is the session in which the order is being paid, or was.
    pub(crate) fn has_session(&self, session: &SessionId) -> bool {
        let reference = self.payment().and_then(|payment| payment.reference.as_ref());
        self.session().or(reference.map(|reference| &reference.session)) == Some(session)
    }

    /// Whether this charge is on record: it has paid the order, or goes back.
    pub(crate) fn has_charge(&self, charge: &ChargeId) -> bool {
        let reference = self.payment().and_then(|payment| payment.reference.as_ref());
        reference.is_some_and(|reference| reference.charge == *charge)
            || self.late.iter().any(|late| late.charge == *charge)
    }

    /// The session that was the last one on record, also of an order that is closed.
    pub(crate) fn last_session(&self) -> Option<&SessionId> {
        match &self.state {
            State::AtProvider { session, .. } | State::Closed { session: Some(session), .. } => Some(session),
            State::Unpaid { .. } | State::Paid(_) | State::Closed { session: None, .. } => None,
        }
    }

    /// The last refund of the charge that was made in this session and did not pay the order.
    pub(crate) fn late_refund(&self, session: &SessionId) -> Option<&LateRefund> {
        self.late.iter().rfind(|late| late.session == *session)
    }

    /// The refunds that the provider makes, oldest first of each kind: of charges that did not pay the order, and of its
    /// payment.
    pub(crate) fn provider_refunds(&self) -> impl Iterator<Item = ProviderRefund<'_>> {
        let reference = self.payment().and_then(|payment| payment.reference.as_ref());
        let of_payment = reference.into_iter().flat_map(|reference| {
            self.after_sale().refunds().iter().map(move |one| ProviderRefund::of_payment(one, reference))
        });
        self.late.iter().map(ProviderRefund::from).chain(of_payment)
    }

    /// The refund of this name that the provider makes.
    pub(crate) fn provider_refund(&self, id: &RefundId) -> Option<ProviderRefund<'_>> {
        self.provider_refunds().find(|one| one.id == *id)
    }

    /// Whether the goods of the order, of which these were `sold`, are to go out or are out.
    pub(crate) fn has_goods_to_send(&self, sold: &Lines) -> bool {
        self.payment().is_some_and(|payment| self.after_sale().has_goods_to_send(sold, payment.amount))
    }

    /// The refunds of charges that did not pay the order that have failed, and that were not tried again.
    pub fn failed_refunds(&self) -> impl Iterator<Item = &LateRefund> {
        let is_last = |late: &&LateRefund| self.late_refund(&late.session).is_some_and(|last| last.id == late.id);
        self.late.iter().filter(is_last).filter(|late| late.refund == Some(RefundState::Failed))
    }

    /// The name of the refund that follows one that has failed.
    pub(crate) fn retry_id(&self, failed: &LateRefund) -> RefundId {
        let tries = self.late.iter().filter(|late| late.session == failed.session).count();
        RefundId::of_retry(&failed.session, tries)
    }
}

/// The state of an order whose session is over and has not paid it.
fn after_session(
    attempt: u32,
    session: &SessionId,
    (at, expires_at): (Timestamp, Timestamp),
    cancelled: bool,
) -> Result<State, Illegal> {
    let session = Some(session.clone());
    match cancelled {
        _ if at >= expires_at => Ok(State::Closed { reason: CloseReason::Expired, at, session }),
        true => Ok(State::Closed { reason: CloseReason::Cancelled, at, session }),
        false => next_attempt(attempt),
    }
}

/// The state of an order whose last attempt to pay came to nothing. Each attempt is another state: what was read before
/// is never there again.
fn next_attempt(attempt: u32) -> Result<State, Illegal> {
    // Rule: attempts-are-counted.
    let attempt = attempt.checked_add(1).ok_or(Illegal)?;
    Ok(State::Unpaid { confirmed: true, attempt })
}

impl Payment {
    /// The payment that was made in this session.
    fn of(paid: &PaidSession) -> Self {
        let charge = paid.charge();
        let reference = PaymentReference { session: paid.session().clone(), charge: charge.id.clone() };
        Self {
            amount: charge.amount,
            method: charge.method.clone(),
            paid_at: charge.charged_at,
            reference: Some(reference),
        }
    }
}

/// The state as it is stored.
#[derive(Default, Serialize)]
pub(super) struct Record {
    pub(super) state: Tag,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) confirmed: bool,
    #[serde(skip_serializing_if = "is_first")]
    pub(super) attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amount: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<PaymentMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) paid_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<CloseReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) charge: Option<ChargeId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) late: Vec<LateRefund>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) refunds: Vec<Refund>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) returns: Vec<Return>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fulfilment: Option<Fulfilment>,
    #[serde(skip_serializing_if = "is_first")]
    pub(super) given_up: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) disputes: Vec<Dispute>,
}

#[derive(Clone, Copy, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tag {
    #[default]
    #[serde(skip)]
    Missing,
    Unpaid,
    AtProvider,
    Paid,
    Void,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_first(attempt: &u32) -> bool {
    *attempt == 0
}

impl From<OrderState> for Record {
    fn from(OrderState { state, late, disputes, after_sale }: OrderState) -> Self {
        let Stored { refunds, returns, fulfilment, given_up } =
            after_sale.map_or_else(Default::default, |after_sale| after_sale.into_record());
        let record = Self { late, refunds, returns, fulfilment, given_up, disputes, ..Self::default() };
        match state {
            State::Unpaid { confirmed, attempt } => Self { state: Tag::Unpaid, confirmed, attempt, ..record },
            State::AtProvider { attempt, session } => {
                Self { state: Tag::AtProvider, attempt, session: Some(session), ..record }
            }
            State::Paid(Payment { amount, method, paid_at, reference }) => {
                let (session, charge) = reference.map(|reference| (reference.session, reference.charge)).unzip();
                Self {
                    state: Tag::Paid,
                    amount: Some(amount),
                    method: Some(method),
                    paid_at: Some(paid_at),
                    session,
                    charge,
                    ..record
                }
            }
            State::Closed { reason, at, session } => {
                Self { state: Tag::Void, reason: Some(reason), at: Some(at), session, ..record }
            }
        }
    }
}

impl TryFrom<Record> for OrderState {
    type Error = &'static str;

    fn try_from(record: Record) -> Result<Self, Self::Error> {
        let Record { state, confirmed, attempt, amount, method, paid_at, reason, at, session, charge, .. } = record;
        let paid = (amount, method, paid_at);
        let state = match (state, confirmed, attempt, paid, (reason, at), (session, charge)) {
            (Tag::Unpaid, confirmed, attempt, (None, None, None), (None, None), (None, None)) => {
                State::Unpaid { confirmed, attempt }
            }
            (Tag::AtProvider, false, attempt, (None, None, None), (None, None), (Some(session), None)) => {
                State::AtProvider { attempt, session }
            }
            (Tag::Paid, false, 0, (Some(amount), Some(method), Some(paid_at)), (None, None), reference) => {
                let reference = match reference {
                    (Some(session), Some(charge)) => Some(PaymentReference { session, charge }),
                    (None, None) => None,
                    _ => return Err("a payment has a session and a charge, or neither"),
                };
                State::Paid(Payment { amount, method, paid_at, reference })
            }
            (Tag::Void, false, 0, (None, None, None), (Some(reason), Some(at)), (session, None)) => {
                State::Closed { reason, at, session }
            }
            _ => return Err("no order has a state with just these fields"),
        };
        let Record { late, refunds, returns, fulfilment, given_up, disputes, .. } = record;
        // Each has a name of its own: the first of a session that which follows from it.
        let wrong = |(number, one): (usize, &LateRefund)| {
            let before = late.get(..number).unwrap_or_default();
            let is_first = before.iter().all(|other| other.session != one.session);
            is_first == one.id.is_some() || before.iter().any(|other| other.refund_id() == one.refund_id())
        };
        if late.len() > MAX_LATE_REFUNDS || late.iter().enumerate().any(wrong) {
            return Err("no order has these late charges");
        }
        let stored = Stored { refunds, returns, fulfilment, given_up };
        let after_sale = AfterSale::from_record(stored).ok_or("no order has these refunds and returns")?;
        let after_sale = (after_sale != *AfterSale::NONE).then(|| Box::new(after_sale));
        if after_sale.is_some() && !matches!(state, State::Paid(_)) {
            return Err("only of a paid order do goods and money go out or come back");
        }
        let read = Self { state, late, disputes, after_sale };
        if read.has_valid_disputes() { Ok(read) } else { Err("no order has these disputes") }
    }
}

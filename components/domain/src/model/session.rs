//! Sessions in which a buyer can pay, as the payment provider says they are, and what that means for an order.
//!
//! The provider is believed about its own sessions and nothing else. What an order may become because of its word is
//! shown by a value of [`PaidSession`], [`ClosedSession`] or [`LateCharge`]: each is made of the provider's answer
//! here, and nowhere else.

use serde::{Deserialize, Serialize};

use crate::model::amounts::{Currency, Money};
use crate::model::ids::{ChargeId, OrderId, PaymentMethod, SessionId};
use crate::model::order::Order;
use crate::model::time::Timestamp;

/// A session in which the buyer can pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Its name.
    pub id: SessionId,
    /// The page where the buyer pays.
    pub url: String,
    /// Until when the provider lets the buyer pay there.
    pub expires_at: Timestamp,
}

/// What a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionState {
    /// The buyer can pay.
    Open(OpenSession),
    /// The buyer has paid by a means that takes a while. It may still fail.
    Processing,
    /// The buyer was charged.
    Paid(Charge),
    /// The buyer was not charged, nor can be in this session.
    Closed,
}

/// What a buyer was charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Its name.
    pub id: ChargeId,
    /// For which order, if the provider knows.
    pub order: Option<OrderId>,
    /// In minor units of the currency.
    pub amount: Money,
    /// In which currency.
    pub currency: Currency,
    /// By which means.
    pub method: PaymentMethod,
    /// When.
    pub charged_at: Timestamp,
}

/// How far a refund has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// It is under way.
    Pending,
    /// The money is on its way to the buyer.
    Succeeded,
    /// It was not made. It may have said that it succeeded before.
    Failed,
}

/// What the provider's answer about the session on record means for the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The buyer can pay.
    Open(OpenSession),
    /// The buyer has paid by a means that takes a while. It may still fail.
    Processing,
    /// The buyer has paid the order.
    Paid(PaidSession),
    /// The buyer was charged something else than the order costs, and cannot be charged more.
    Wrong(LateCharge),
    /// The buyer has not paid, and cannot any more.
    Closed(ClosedSession),
}

/// Proof that the provider has charged in this session just what the order costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidSession {
    session: SessionId,
    charge: Charge,
}

/// Proof that the provider has said that this session is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedSession(SessionId);

/// Proof that the provider has charged a buyer of this order in this session, and that this does not pay the order: it
/// came too late, or is something else than the order costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateCharge {
    session: SessionId,
    charge: ChargeId,
    amount: Money,
    currency: Option<Currency>,
}

/// The provider says that the session on record is another order's. The order is neither paid nor closed by that, and
/// nothing is given back: a person has to decide.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("in session {session} charge {charge} is for another order than the one on whose record the session is")]
pub struct WrongCharge {
    /// In which session.
    pub session: SessionId,
    /// Which charge.
    pub charge: ChargeId,
}

impl Finding {
    /// What it means for `order`, on whose record `session` is, that the provider answers this.
    ///
    /// # Errors
    /// If the provider has charged for another order.
    pub fn of(session: &SessionId, answer: SessionState, order: &Order) -> Result<Self, Box<WrongCharge>> {
        let session = session.clone();
        Ok(match answer {
            SessionState::Open(open) => Self::Open(open),
            SessionState::Processing => Self::Processing,
            SessionState::Closed => Self::Closed(ClosedSession(session)),
            SessionState::Paid(charge) => {
                if charge.order.is_some_and(|id| id != order.order_id) {
                    return Err(Box::new(WrongCharge { session, charge: charge.id }));
                }
                // Rule: charges-are-compared.
                let is_right = charge.amount == order.total() && charge.currency == order.currency;
                if is_right {
                    Self::Paid(PaidSession { session, charge })
                } else {
                    Self::Wrong(LateCharge::new(session, charge, order))
                }
            }
        })
    }
}

impl PaidSession {
    /// Which session.
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// What was charged.
    pub fn charge(&self) -> &Charge {
        &self.charge
    }
}

impl ClosedSession {
    /// Which session.
    pub fn session(&self) -> &SessionId {
        &self.0
    }
}

impl LateCharge {
    fn new(session: SessionId, charge: Charge, order: &Order) -> Self {
        let currency = Some(charge.currency).filter(|currency| *currency != order.currency);
        Self { session, charge: charge.id, amount: charge.amount, currency }
    }

    /// What it means for an order, on whose record `session` is not, that the provider answers this about the session:
    /// nothing where it is no charge of this order.
    pub fn of(session: &SessionId, answer: SessionState, order: &Order) -> Option<Self> {
        match answer {
            SessionState::Paid(charge) if charge.order == Some(order.order_id) => {
                Some(Self::new(session.clone(), charge, order))
            }
            SessionState::Open(_) | SessionState::Processing | SessionState::Paid(_) | SessionState::Closed => None,
        }
    }

    /// In which session.
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// Which charge.
    pub fn charge(&self) -> &ChargeId {
        &self.charge
    }

    /// What was charged.
    pub fn amount(&self) -> Money {
        self.amount
    }

    /// In which currency, where that is not the order's.
    pub fn currency(&self) -> Option<&Currency> {
        self.currency.as_ref()
    }
}

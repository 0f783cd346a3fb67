//! What the domain needs from a payment provider. Everything that is known about a particular one lives behind this
//! trait.
//!
//! A provider is a world of its own: it answers late, twice or not at all, and it can charge a buyer at any moment until
//! it has said that it will not. So each call can be repeated, and an error says nothing about what was done.

use crate::model::amounts::{Currency, Money};
use crate::model::dispute::FoundDispute;
use crate::model::ids::{ChargeId, DisputeId, OrderId, RefundId, SessionId};
use crate::model::order::Order;
use crate::model::session::{OpenSession, RefundState, SessionState};
use crate::model::time::Timestamp;

/// What a buyer is to pay.
#[derive(Debug, Clone, Copy)]
pub struct Checkout<'a> {
    /// The order: its lines, total, currency and id.
    pub order: &'a Order,
    /// Which attempt to pay it this is, counted from 0. Each has a session of its own.
    pub attempt: u32,
}

/// What a buyer is to get back.
#[derive(Debug, Clone, Copy)]
pub struct Repayment<'a> {
    /// The order, by which a message about the refund finds it again.
    pub order: OrderId,
    /// Of which charge.
    pub charge: &'a ChargeId,
    /// How much.
    pub amount: Money,
    /// In which currency.
    pub currency: &'a Currency,
    /// The shop's name of the refund.
    pub refund: &'a RefundId,
}

/// A message of the provider, whose sender is proven. It says that there is something to look at, and nothing else of
/// it is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something has happened to a session of this order.
    Session {
        /// The order.
        order: OrderId,
        /// The session.
        session: SessionId,
    },
    /// Something has happened to a refund of a charge of this order.
    Refund {
        /// The order.
        order: OrderId,
        /// The charge.
        charge: ChargeId,
    },
    /// Something has happened to this dispute, perhaps about a charge of this shop.
    Dispute(DisputeId),
    /// It is about something else.
    NotOurs,
}

/// Why a message that claims to be the provider's is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNotice {
    /// Its signature is missing, wrong or too old.
    #[error("the signature is missing, wrong or too old")]
    Signature,
    /// The signature is right, and it cannot be read.
    #[error("the message cannot be read")]
    Unreadable,
}

/// A provider that did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It did not answer in time, or answered that it cannot now. Whether it was done is unknown.
    #[error("the payment provider is not available: {0}")]
    Unavailable(String),
    /// It has answered, for good, that it will not do this. A repeat under the same name gets the same answer.
    #[error("the payment provider refuses: {0}")]
    Refused(String),
    /// It does not know the session. It may be one of another account, or the provider has lost it.
    #[error("the payment provider does not know the session: {0}")]
    Lost(String),
    /// Its answer makes no sense. Whether it was done is unknown.
    #[error("the payment provider's answer makes no sense: {0}")]
    Nonsense(String),
}

/// A payment provider with hosted pages.
#[allow(async_fn_in_trait, reason = "a component has one thread, so the futures need not be Send")]
pub trait Provider {
    /// Opens a session in which the buyer can pay the order. The same order and attempt get the same session, for as
    /// long as the provider remembers; after that, another one.
    async fn open(&self, checkout: Checkout<'_>) -> Result<OpenSession, ProviderError>;

    /// Looks at a session.
    async fn look(&self, session: &SessionId) -> Result<SessionState, ProviderError>;

    /// Asks the provider to end a session, and answers with what it is then. An error is not "closed".
    async fn close(&self, session: &SessionId) -> Result<SessionState, ProviderError>;

    /// Gives back what a charge has taken. Once for each name of a refund, for as long as the provider remembers.
    async fn refund(&self, repayment: Repayment<'_>) -> Result<RefundState, ProviderError>;

    /// Looks for a refund of a charge: what [`Self::refund`] has come to, after the provider has forgotten its name.
    async fn find_refund(&self, charge: &ChargeId, refund: &RefundId) -> Result<Option<RefundState>, ProviderError>;

    /// Looks at a dispute; none where it is not about a charge of an order, or the provider does not know it.
    async fn find_dispute(&self, dispute: &DisputeId) -> Result<Option<FoundDispute>, ProviderError>;

    /// Reads a message that claims to be the provider's: the value of the header that carries its signature, and its
    /// body as it came.
    fn read_notice(&self, signature: &str, body: &[u8], now: Timestamp) -> Result<Notice, InvalidNotice>;
}

/// No provider: no money moves. There is no value of this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoProvider {}

impl Provider for NoProvider {
    async fn open(&self, _: Checkout<'_>) -> Result<OpenSession, ProviderError> {
        match *self {}
    }

    async fn look(&self, _: &SessionId) -> Result<SessionState, ProviderError> {
        match *self {}
    }

    async fn close(&self, _: &SessionId) -> Result<SessionState, ProviderError> {
        match *self {}
    }

    async fn refund(&self, _: Repayment<'_>) -> Result<RefundState, ProviderError> {
        match *self {}
    }

    async fn find_refund(&self, _: &ChargeId, _: &RefundId) -> Result<Option<RefundState>, ProviderError> {
        match *self {}
    }

    async fn find_dispute(&self, _: &DisputeId) -> Result<Option<FoundDispute>, ProviderError> {
        match *self {}
    }

    fn read_notice(&self, _: &str, _: &[u8], _: Timestamp) -> Result<Notice, InvalidNotice> {
        match *self {}
    }
}

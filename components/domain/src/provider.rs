//! What the domain needs from a payment provider. Everything that is known about a particular one lives behind this
//! trait.
//!
//! A provider is a world of its own: it answers late, twice or not at all, and it can charge a buyer at any moment until
//! it has said that it will not. So each call can be repeated, and an error says nothing about what was done.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::amounts::{Currency, Money};
use crate::model::ids::{InvalidId, OrderId, PaymentMethod};
use crate::model::order::Order;
use crate::model::time::Timestamp;

/// Makes a newtype over a name that the provider gave: 1 to 255 printable ASCII characters without spaces, quotation
/// marks, `<`, `>` and `\`.
macro_rules! provider_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                check(&text)?;
                Ok(Self(text))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

fn check(text: &str) -> Result<(), InvalidId> {
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'<' | b'>');
    if (1..=255).contains(&text.len()) && text.bytes().all(plain) {
        Ok(())
    } else {
        Err(InvalidId::expected("1 to 255 printable ASCII characters"))
    }
}

provider_id! {
    /// The provider's name of a session: of one place where a buyer can pay one order.
    SessionId
}

provider_id! {
    /// The provider's name of a charge: what a refund is made of.
    ChargeId
}

provider_id! {
    /// The shop's own name of a refund. The provider makes one refund a name.
    RefundId
}

/// What a buyer is to pay.
#[derive(Debug, Clone, Copy)]
pub struct Checkout<'a> {
    /// The order: its lines, total, currency and id.
    pub order: &'a Order,
    /// Which attempt to pay it this is, counted from 0. Each has a session of its own.
    pub attempt: u32,
}

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
    /// Nobody was charged, nor can be in this session.
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

    /// Gives back what a charge has taken, all of it. Once for each name of a refund, for as long as the provider
    /// remembers.
    async fn refund(&self, charge: &ChargeId, amount: Money, refund: &RefundId) -> Result<RefundState, ProviderError>;

    /// Looks for a refund of a charge: what [`Self::refund`] has come to, after the provider has forgotten its name.
    async fn find_refund(&self, charge: &ChargeId, refund: &RefundId) -> Result<Option<RefundState>, ProviderError>;

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

    async fn refund(&self, _: &ChargeId, _: Money, _: &RefundId) -> Result<RefundState, ProviderError> {
        match *self {}
    }

    async fn find_refund(&self, _: &ChargeId, _: &RefundId) -> Result<Option<RefundState>, ProviderError> {
        match *self {}
    }

    fn read_notice(&self, _: &str, _: &[u8], _: Timestamp) -> Result<Notice, InvalidNotice> {
        match *self {}
    }
}

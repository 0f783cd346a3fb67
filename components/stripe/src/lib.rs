//! The domain's payment provider on Stripe: the one place that knows Stripe. It has no I/O of its own: a shell
//! sends its requests, and has a [`Transport`] of its platform for it.
//!
//! A buyer pays an order in a Checkout Session, on a page of Stripe's. What the session is, `look` asks; a webhook only
//! says when to look. What was charged is said by the session's PaymentIntent.
//!
//! | call | request |
//! |---|---|
//! | `open` | `POST /v1/checkout/sessions`, under a name made of order, attempt and parameters |
//! | `look` | `GET /v1/checkout/sessions/{id}`, with its PaymentIntent and charge |
//! | `close` | `POST /v1/checkout/sessions/{id}/expire`; where that is refused, a look |
//! | `refund` | `POST /v1/refunds`, under a name made of the refund's; where that is refused, `find_refund` |
//! | `find_refund` | `GET /v1/refunds`, by the name in the metadata |
//! | `find_dispute` | `GET /v1/disputes/{id}`, with its PaymentIntent |
//!
//! No error and no `Debug` of this crate has a secret in it, nor a text of Stripe's that might.

mod answer;
mod client;
mod currency;
mod dispute;
mod notice;
mod provider;
mod refund;
mod session;
mod settings;
mod transport;

#[cfg(test)]
mod tests;

pub use client::{API_VERSION, Patience};
pub use currency::AmountUnsupported;
pub use notice::events;
pub use provider::Stripe;
pub use settings::{InvalidSettings, STRIPE_API, Settings, Variables};
pub use transport::{Failure, HEADERS, MAX_BODY, Method, Request, Response, Target, Transport, TransportError};

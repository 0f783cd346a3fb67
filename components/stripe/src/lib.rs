//! The domain's payment provider on Stripe: the one place that knows Stripe. It has no I/O of its own: a shell sends its
//! requests.

mod transport;

pub use transport::{HEADERS, MAX_BODY, Method, Request, Response, Transport, TransportError};

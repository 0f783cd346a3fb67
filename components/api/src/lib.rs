//! The HTTP contract: requests into calls of the domain, its answers into responses. Knows no SDK and no store.
//!
//! [`respond`] does what is the same for every request. A component passes it a handler: [`orders::handle`],
//! [`inventory::handle`], [`payments::handle`], [`after_sale::handle`], [`reports::handle`] or [`sweep::handle`].
//! [`respond_with_files`] serves files.
//!
//! Two tables say what there is: [`Route`] has the paths and methods, [`Code`] the errors. With the feature `openapi`,
//! which no component enables, `openapi::document` makes the OpenAPI document of both, of the types that are served,
//! and of the description of each operation next to its handler.

pub mod after_sale;
mod body;
mod code;
mod conditional;
mod config;
mod csv;
mod currency;
mod files;
mod header;
pub mod inventory;
mod listing;
mod log;
mod negotiation;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod orders;
mod origins;
pub mod payments;
mod problem;
mod reply;
pub mod reports;
mod request;
mod respond;
mod route;
pub mod sweep;

pub use code::Code;
pub use config::{Config, ConfigError, LIMITS, Variables, trimmed};
pub use files::{File, FilePieces, PIECE_BYTES};
pub use problem::Problem;
pub use reply::{Reply, SEND_TIMEOUT};
pub use request::{BODY_TIMEOUT, Body, Headers, MAX_BODY_BYTES, Request, RequestContext, wants_body};
pub use respond::{End, Response, Rest, respond, respond_with_files};
pub use route::{Route, Verb};

//! The HTTP contract: requests into calls of the domain, its answers into responses. Knows no SDK and no store.
//!
//! [`respond`] does what is the same for every request. What a component serves is its handler: [`orders::handle`],
//! [`inventory::handle`], [`payments::handle`] or [`reports::handle`]; or files, by [`respond_with_files`]. Which paths and methods there are is said once, in [`Resource`].

mod body;
mod config;
mod files;
pub mod inventory;
mod json;
mod listing;
mod log;
pub mod orders;
pub mod payments;
mod problem;
mod reply;
pub mod reports;
mod request;
mod resource;
mod respond;

pub use config::{Config, ConfigError, LIMITS};
pub use files::File;
pub use log::Log;
pub use problem::Problem;
pub use reply::Reply;
pub use request::{BODY_TIMEOUT, Body, Call, Headers, MAX_BODY_BYTES, Request, wants_body};
pub use resource::{Resource, Verb};
pub use respond::{Response, respond, respond_with_files};

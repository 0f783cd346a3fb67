//! The black-box suite: HTTP in, HTTP out, and nothing else.
//!
//! By default the suite serves the workspace's components itself, through the host library. With `BASE_URL` (and
//! `OPERATOR_TOKEN`) it runs against any server that speaks the contract; tests that need a server of their own are
//! skipped then, and say so. Every test makes its own items, so none of them disturbs another or the preset stock.

/// What the suite serves, unless `BASE_URL` says otherwise; `fermyon_cloud.rs` has another.
#[allow(dead_code, reason = "the one of the whole program counts")]
const TARGET: harness::Target = harness::Target::Local;

// The tools: what is known about every answer, and the bookkeeping over many of them.
pub mod books;
pub mod client;
pub mod contract;
pub mod envelope;
pub mod server;
pub mod shapes;

// The tests.
mod after_sale;
mod conditions;
mod contention;
mod errors;
mod expiry;
mod flash_sale;
mod health;
mod http;
mod idempotency;
mod inventory;
mod listing;
mod operator;
mod orders;
mod origins;
mod pages;
mod payments;
mod preset;
mod restart;
mod settings;
mod stalled;
mod standards;
mod sweep;

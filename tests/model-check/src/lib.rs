//! Searches the interleavings, crashes and failures of requests, on the rules as they ship.
//!
//! A request is a future that stops before each call of the store. At every point the search decides whose call comes
//! next, whether it fails or its answer is lost, whether a request stops there for ever, and whether the clock passes
//! the expiry of all orders. After every step the promises of the system are checked, and in the end that repeating
//! what was acknowledged changes nothing and that ordinary requests clear away all that was left.
//!
//! Small cases are searched completely ([`search`]), larger ones at random ([`random`]).

pub mod cases;
mod database;
pub mod exhaustive;
mod goods;
mod instance;
pub mod invariants;
mod money;
mod provider;
pub mod random;
mod record;
mod request;
pub mod search;
mod store;
mod world;

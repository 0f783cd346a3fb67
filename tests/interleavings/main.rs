//! Searches every interleaving and every crash of small cases, on the rules as they ship.
//!
//! A request is a future that stops before each call of the store. At every point the search chooses whose call comes
//! next, whether its answer is lost, whether somebody stops there for ever, and whether the clock passes the expiry of
//! all orders. After every choice the invariants of the domain are checked, and at the end that ordinary requests clear
//! away whatever was left.

mod cases;
mod invariants;
mod search;
mod world;

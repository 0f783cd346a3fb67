//! Linearizability: whether what concurrent clients were told could have been told by a shop that does one thing after
//! another.
//!
//! Histories of concurrent requests over HTTP are recorded and held against a sequential model by a checker. Some
//! requests are sent and not waited for, as when a client or a network fails: those may have been done, or not, or may
//! be done later.
//!
//! What is claimed: each order has one fate, decided in one moment, and every look at it agrees; each item's
//! `available` is at every moment what was supplied less what is held and sold, for every look at it and every refusal.
//! What is not: that several items change in the same moment, or an order and its items. [`model`] says where that
//! shows.

pub mod history;
pub mod load;
pub mod model;

//! Linearizability: whether what concurrent clients were told could have been told by a shop that does one thing after
//! another.
//!
//! Histories of concurrent requests over HTTP are recorded and held against a sequential model by a checker. Some
//! requests are sent and not waited for, as when a client or a network fails: those may have been done, or not, or may
//! be done later. What the model takes for one moment, and what not, is said in [`model`].

pub mod history;
pub mod load;
pub mod model;
pub mod server;

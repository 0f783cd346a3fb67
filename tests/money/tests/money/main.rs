//! Buyers who pay, or do not, at a provider that may be hostile. Whatever happens, in the end what was charged is what is
//! paid.

/// What is served; `fermyon_cloud.rs` and `spinkube.rs` have others.
#[allow(dead_code, reason = "the one of the whole program counts")]
const TARGET: harness::Target = harness::Target::Local;

mod buyers;
mod disputes;
mod hostile;
mod notices;
mod reconciling;
mod together;

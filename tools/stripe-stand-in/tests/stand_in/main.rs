//! What the stand-in does, as a shop and its buyers see it over HTTP.

mod calls;
mod control;
mod disputes;
mod faults;
mod idempotency;
mod page;
mod state;
mod support;
mod webhooks;

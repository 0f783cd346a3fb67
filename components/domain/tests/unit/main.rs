//! The rules of the shop, each on a store in memory. Every test runs natively and, through wasm-bindgen-test, on
//! wasm32-unknown-unknown under Node.

// A test fails by panicking; clippy knows that only of the test functions themselves, not of what they share.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod after_sale;
mod batch;
mod conditions;
mod disputes;
mod inventory;
mod item;
mod item_record;
mod label;
mod ledger;
mod limits;
mod listing;
mod most_per_order;
mod order_state;
mod orders;
mod payments;
mod plan;
mod prices;
mod probe;
mod provider;
mod provider_payments;
mod refunds;
mod returns;
mod support;
mod sweep;
mod url;

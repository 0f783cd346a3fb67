//! The rules of the shop, each on a store in memory. Every test runs natively and, through wasm-bindgen-test, on
//! wasm32-unknown-unknown under Node.

mod inventory;
mod orders;
mod payments;
mod support;

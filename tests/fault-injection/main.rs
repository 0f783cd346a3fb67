//! The components as they are served, under faults that no test could wait for: an instance that dies at any one of its
//! calls of the store, an answer of the store that is lost, and stores that are not what they say.
//!
//! What must hold is read from the raw records, by a checker that shares no code with the shop.

/// Which of the application's targets is served; `fermyon_cloud.rs` has another.
const TARGET: harness::Target = harness::Target::Local;

mod books;
mod books_notice;
mod crashes;
mod exports;
mod faulty_stores;
mod fixture;
mod pairs;
mod provider;
mod race;
mod requests;
mod shop;
mod stops;
mod together;

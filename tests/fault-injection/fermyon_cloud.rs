//! What is built for Fermyon Cloud, cut off at every call of its store, and on a database that is in trouble.

#![allow(dead_code, reason = "the tests of the other target use more of the tools")]

const TARGET: harness::Target = harness::Target::FermyonCloud;

mod books;
mod crashes;
mod exports;
mod fixture;
mod provider;
mod race;
mod requests;
mod shop;
mod sqlite;
mod stops;

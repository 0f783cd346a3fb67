//! The suite, on what is built for Fermyon Cloud: components of WASI 0.2 on a SQLite database.

#[path = "main.rs"]
mod suite;

const TARGET: harness::Target = harness::Target::FermyonCloud;

//! The suite, on what is built for Fermyon Cloud: components of WASI 0.2 on a SQLite database.

#[path = "main.rs"]
mod suite;

// The modules of the suite find each other at the root.
use suite::{books, client, contract, envelope, server, shapes};

const TARGET: harness::Target = harness::Target::FermyonCloud;

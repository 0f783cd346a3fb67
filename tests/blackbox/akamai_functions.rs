//! The suite, on what is built for Akamai Functions and SpinKube: components of WASI 0.3 on a Redis.

#[path = "main.rs"]
mod suite;

// The modules of the suite find each other at the root.
use suite::{books, client, contract, envelope, server, shapes};

const TARGET: harness::Target = harness::Target::AkamaiFunctions;

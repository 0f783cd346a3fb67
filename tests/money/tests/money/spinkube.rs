//! The suite, on what is built for SpinKube: components of WASI 0.3 on a Redis.

#[path = "main.rs"]
mod suite;

const TARGET: harness::Target = harness::Target::SpinKube;

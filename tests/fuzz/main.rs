//! What nobody should send and nobody should store: random bodies, headers, paths and records, and nearly right ones.
//!
//! Whatever comes in, the answer is the one that a second, simpler reading of docs/api.md expects; whatever is stored, no
//! request panics, overwrites what it cannot read, or sells what is not there.
//!
//! Every run tries the same cases. `PROPTEST_RNG_SEED=7 PROPTEST_CASES=100000 cargo test -p fuzz` tries others, and more.

// The tools.
mod contract;
mod damage;
mod property;
mod shop;

// The tests.
mod bodies;
mod cells;
mod headers;
mod paths;
mod records;

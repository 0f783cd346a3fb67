//! Broken and hostile requests, and broken records: random bodies, headers, paths and records, and nearly right ones.
//!
//! Every request gets the answer that a second, simpler reading of docs/api.md expects. On any records no request
//! panics, overwrites what it cannot read, or sells what is not there.
//!
//! Every run tries the same cases. `PROPTEST_RNG_SEED=7 PROPTEST_CASES=100000 cargo test -p fuzz` tries others, and
//! more.

// The tools.
mod damage;
mod property;

// The tests.
mod bodies;
mod cells;
mod earlier;
mod headers;
mod paths;
mod payments;
mod queries;
mod records;

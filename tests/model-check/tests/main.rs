//! The searches as `cargo test` runs them, and proof that they can fail.

mod exhaustive;
mod labels;
mod mutants;
mod random;

//! The searches as `cargo test` runs them, and proof that they can fail.

mod exhaustive;
mod mutants;
mod random;

//! Runs a property on random values.

use std::fmt::Debug;
use std::{env, thread};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestRunner};

const CASES: &str = "PROPTEST_CASES";
const SEED: &str = "PROPTEST_RNG_SEED";

/// Runs `property`, which fails by panicking, on this many values; on others, or more, where the environment says so.
/// Fails with the simplest value that was found to fail, and with what to run to see it again.
pub fn check<T: Debug>(cases: u32, values: impl Strategy<Value = T>, property: impl Fn(T)) {
    // Both are read by `Config` itself where they are set.
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if env::var_os(CASES).is_none() {
        config.cases = cases;
    }
    if env::var_os(SEED).is_none() {
        config.rng_seed = RngSeed::Fixed(1);
    }
    let again = format!("{SEED}={} {CASES}={} cargo test -p fuzz", config.rng_seed, config.cases);
    let outcome = TestRunner::new(config).run(&values, |value| {
        property(value);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}\nto see it again: {again} {}", thread::current().name().unwrap_or_default());
    }
}

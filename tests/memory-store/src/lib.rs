//! A store, a clock and chance in memory. A test has all three in its hands: what is stored, what time it is, and what
//! goes wrong.
//!
//! The unit tests of the rules and the fuzzing suite run on it. The model checker has a store of its own, in which
//! every call waits for its turn.

mod environment;
mod store;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub use environment::FakeEnvironment;
pub use store::{AtSwap, MemoryStore, Records};

/// Runs a future that never waits, as all do on a store in memory.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a store in memory has nothing to wait for"),
    }
}

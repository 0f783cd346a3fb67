//! A place for tests to step in between a component and its store. Nothing here happens unless it is asked for: without an
//! [`Interference`] the store is Spin's.

use std::fmt::Debug;

use crate::lies::Lie;
use crate::stats::Operation;

/// A key-value call that a component is about to make.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Which component, by its id in the manifest.
    pub component: &'a str,
    /// What it calls.
    pub operation: Operation,
    /// What it calls it with: the keys, or the label of the store that it opens.
    pub keys: &'a [String],
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// What becomes of it on Spin.
    Done,
    /// The component gets an error: `done` tells whether the work was done all the same, and only its answer was lost.
    Failed {
        /// Whether the store has done it.
        done: bool,
    },
    /// The component's instance ends here, with all its requests, as by a crash before or after the call.
    Killed {
        /// Whether the store has done it.
        done: bool,
    },
    /// The store does, or answers, something else.
    Lied(Lie),
}

/// Decides what becomes of key-value calls, and of waits.
pub trait Interference: Debug + Send + Sync {
    /// What becomes of this call. It may block: so does the component, and its whole instance.
    fn fate(&self, call: &Call<'_>) -> Fate;

    /// What a read answers that has found `value`.
    fn answer(&self, _key: &str, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        value
    }

    /// Whether a component goes on waiting, in an instance that was given so many requests so far, although the time is
    /// over that it wanted to wait on the monotonic clock. It is asked again and again.
    fn prolongs(&self, _requests: usize) -> bool {
        false
    }
}

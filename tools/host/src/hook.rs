//! Lets a test intervene between a component and its store, or another server. Without an [`StoreHook`] they behave as on
//! Spin.

use std::fmt::Debug;

use crate::faults::StoreFault;
use crate::stats::Operation;

/// A call that a component is about to make.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Which component, by its id in the manifest.
    pub component: &'a str,
    /// What it calls.
    pub operation: Operation,
    /// What it calls it with: the keys, the label of the store that it opens, or the method and the URL of a request.
    pub keys: &'a [String],
}

/// The outcome that a test chooses for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// The outcome that it has on Spin.
    Done,
    /// The component gets an error. `done` tells whether the store executed the call and only the answer was lost.
    Failed {
        /// Whether the store has executed the call.
        done: bool,
    },
    /// The component's instance ends here, with all its requests, as by a crash before or after the call.
    Killed {
        /// Whether the store has executed the call.
        done: bool,
    },
    /// The store does, or answers, something else.
    Faulty(StoreFault),
}

/// Decides the outcome of store calls and of waits.
pub trait StoreHook: Debug + Send + Sync {
    /// The outcome of this call. It may block, which blocks the component's whole instance.
    fn outcome(&self, call: &Call<'_>) -> CallOutcome;

    /// The answer to a read that has found `value`.
    fn answer(&self, _key: &str, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        value
    }

    /// Whether a component goes on waiting after the time that it asked the monotonic clock for. `requests` counts the
    /// requests that its instance was given. The host asks again until the answer is no.
    fn prolongs(&self, _requests: usize) -> bool {
        false
    }
}

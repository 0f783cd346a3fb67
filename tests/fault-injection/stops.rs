//! What is done to one call of a request, the n-th.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use host::{Call, CallOutcome, Operation, StoreHook};

/// How a call can end. The first two end the instance, and the request with it.
pub const FATES: [CallOutcome; 4] = [
    CallOutcome::Killed { done: false },
    CallOutcome::Killed { done: true },
    CallOutcome::Failed { done: false },
    CallOutcome::Failed { done: true },
];

/// Gives the n-th call its fate, and leaves all others alone.
pub struct Stop {
    /// Which of the calls that count.
    number: usize,
    state: Mutex<State>,
}

struct State {
    /// Which calls count; all, or those of one operation.
    only: Option<Operation>,
    /// The calls up to that one; zero once it was reached.
    left: usize,
    fate: CallOutcome,
    /// What the call was.
    reached: Option<String>,
    /// Where to wait before the call is given its fate.
    gate: Option<(Sender<()>, Receiver<CallOutcome>)>,
}

/// The other side of a request that waits at its n-th call.
pub struct Gate {
    arrived: Receiver<()>,
    go: Sender<CallOutcome>,
}

impl Stop {
    /// `number` counts from 1.
    pub fn at(number: usize, fate: CallOutcome) -> Arc<Self> {
        Self::new(None, number, fate)
    }

    /// The n-th call of one operation.
    pub fn at_operation(operation: Operation, number: usize, fate: CallOutcome) -> Arc<Self> {
        Self::new(Some(operation), number, fate)
    }

    fn new(only: Option<Operation>, number: usize, fate: CallOutcome) -> Arc<Self> {
        let state = State { only, left: number, fate, reached: None, gate: None };
        Arc::new(Self { number, state: Mutex::new(state) })
    }

    /// Lets a request wait at its n-th call.
    pub fn waiting_at(number: usize) -> (Arc<Self>, Gate) {
        let (arrive, arrived) = channel();
        let (go, gone) = channel();
        let stop = Self::at(number, CallOutcome::Done);
        stop.state.lock().expect("no test panics here").gate = Some((arrive, gone));
        (stop, Gate { arrived, go })
    }

    /// The call that was given its fate, if the request came so far.
    pub fn reached(&self) -> Option<String> {
        self.state.lock().expect("no test panics here").reached.clone()
    }

    /// No request is to wait any more.
    pub fn end(&self) {
        let mut state = self.state.lock().expect("no test panics here");
        state.left = 0;
        state.gate = None;
    }
}

impl StoreHook for Stop {
    fn outcome(&self, call: &Call<'_>) -> CallOutcome {
        let mut state = self.state.lock().expect("no test panics here");
        if state.left == 0 || state.only.is_some_and(|only| only != call.operation) {
            return CallOutcome::Done;
        }
        state.left -= 1;
        if state.left > 0 {
            return CallOutcome::Done;
        }
        state.reached = Some(describe(call));
        let Some((arrive, gone)) = state.gate.take() else { return state.fate };
        drop(state);
        // Without a listener, the test has failed already.
        let _ = arrive.send(());
        gone.recv().unwrap_or(CallOutcome::Done)
    }
}

impl Gate {
    /// Waits until the request has come to its call; false if it has ended without.
    pub fn arrived(&self) -> bool {
        self.arrived.recv().is_ok()
    }

    /// Lets the request go on with its call, or not.
    pub fn go(self, fate: CallOutcome) {
        // Where no request waits any more, the test has failed already.
        let _ = self.go.send(fate);
    }
}

fn describe(call: &Call<'_>) -> String {
    format!("{} {:?} {}", call.component, call.operation, call.keys.join(" "))
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State { only, fate, .. } = &*self.state.lock().expect("no test panics here");
        write!(f, "call {} of {only:?} was {fate:?}", self.number)
    }
}

/// Says what was done when a check fails.
pub struct Context(pub String);

impl Drop for Context {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

//! Stores that break their contract, for tests and for trying out by hand how an application deals with them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use clap::ValueEnum;

use crate::hook::{Call, CallOutcome, StoreHook};
use crate::keyvalue::{Bucket, Cas, Failure, Swap};
use crate::stats::Operation;

/// How long a slow store takes for each call.
const SLOW: Duration = Duration::from_secs(1);
/// The time between the two halves of an increment that is not atomic.
const TORN: Duration = Duration::from_millis(20);
/// With random errors one call in this number fails.
const ERROR_RATE: u64 = 10;

/// A way in which a store breaks its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StoreFault {
    /// Swaps are made, and all are reported as lost to another: Spin's key-value on Redis
    SwapDenied,
    /// Swaps are made whatever is there: nothing is compared
    SwapBlind,
    /// Swaps compare as they should, and those that were lost are reported as made too
    SwapBoasted,
    /// Swaps are reported as made, and none is
    SwapIgnored,
    /// Swaps are reported as lost to another, and none is made
    SwapRefused,
    /// An increment takes every key for an absent one: it overwrites what is there
    IncrementResets,
    /// An increment answers with the sum, and writes nothing
    IncrementLost,
    /// An increment is not atomic: it reads, and writes a moment later
    IncrementTorn,
    /// Writes are reported as made, and none is
    WritesLost,
    /// A read of what another server wrote answers with what the read before it has found
    StaleReads,
    /// One call in ten fails, and half of those were done all the same
    Errors,
    /// Each call takes a second
    Slow,
    /// Whatever writes fails
    DiskFull,
    /// Every call fails
    Down,
}

impl StoreFault {
    pub(crate) fn swap(self, cas: Cas, value: &[u8]) -> Result<Swap, Failure> {
        match self {
            Self::SwapDenied => {
                cas.replace(value)?;
                cas.conflict()
            }
            Self::SwapRefused => cas.conflict(),
            Self::SwapBlind => cas.overwrite(value).map(|()| Swap::Done),
            Self::SwapBoasted => cas.replace(value).map(|_| Swap::Done),
            _ => Ok(Swap::Done),
        }
    }

    pub(crate) fn increment(self, bucket: &Bucket, key: &str, delta: i64) -> Result<i64, Failure> {
        if self == Self::IncrementResets {
            bucket.set(key, &delta.to_le_bytes())?;
            return Ok(delta);
        }
        let number = bucket.get(key)?.map_or(Ok([0; 8]), <[u8; 8]>::try_from).map_err(|_| Failure::Dead)?;
        let sum = i64::from_le_bytes(number).wrapping_add(delta);
        if self == Self::IncrementTorn {
            tokio::task::block_in_place(|| sleep(TORN));
            bucket.set(key, &sum.to_le_bytes())?;
        }
        Ok(sum)
    }
}

/// Applies one fault to all calls.
#[derive(Debug)]
pub struct FaultyStore {
    fault: StoreFault,
    calls: AtomicU64,
    /// What reads have found, of keys that were not written here since. Only for [`StoreFault::StaleReads`].
    found: Mutex<BTreeMap<String, Option<Vec<u8>>>>,
}

impl FaultyStore {
    /// A store with this fault.
    pub fn new(fault: StoreFault) -> Self {
        Self { fault, calls: AtomicU64::new(0), found: Mutex::default() }
    }
}

impl StoreHook for FaultyStore {
    fn outcome(&self, call: &Call<'_>) -> CallOutcome {
        let operation = call.operation;
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let is_faulty = match self.fault {
            StoreFault::Down => return CallOutcome::Failed { done: false },
            StoreFault::DiskFull if operation.writes() => return CallOutcome::Failed { done: false },
            StoreFault::DiskFull => false,
            StoreFault::Errors => return error(number),
            StoreFault::Slow => {
                sleep(SLOW);
                false
            }
            StoreFault::StaleReads => {
                if operation.writes() {
                    // A server reads what it has written itself.
                    let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.retain(|key, _| !call.keys.contains(key));
                }
                false
            }
            StoreFault::WritesLost => matches!(operation, Operation::Set | Operation::SetMany),
            StoreFault::SwapDenied
            | StoreFault::SwapBlind
            | StoreFault::SwapBoasted
            | StoreFault::SwapIgnored
            | StoreFault::SwapRefused => operation == Operation::Swap,
            StoreFault::IncrementResets | StoreFault::IncrementLost | StoreFault::IncrementTorn => {
                operation == Operation::Increment
            }
        };
        if is_faulty { CallOutcome::Faulty(self.fault) } else { CallOutcome::Done }
    }

    fn answer(&self, key: &str, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        if self.fault != StoreFault::StaleReads {
            return value;
        }
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(key.to_owned(), value.clone()).unwrap_or(value)
    }
}

/// The outcome of a call with random errors. It is the same in every run.
fn error(number: u64) -> CallOutcome {
    let mut hasher = DefaultHasher::new();
    number.hash(&mut hasher);
    let random = hasher.finish();
    match random % ERROR_RATE {
        0 => CallOutcome::Failed { done: (random / ERROR_RATE).is_multiple_of(2) },
        _ => CallOutcome::Done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_one_call_in_ten_fails_and_about_half_of_those_were_done() {
        let outcomes: Vec<_> = (0..10_000).map(error).collect();
        let count = |outcome| outcomes.iter().filter(|other| **other == outcome).count();
        for done in [false, true] {
            let failed = count(CallOutcome::Failed { done });
            assert!((400..600).contains(&failed), "{failed} with done: {done}");
        }
    }

    #[test]
    fn late_reads_answer_with_what_the_read_before_has_found_unless_it_was_written_here() {
        let liar = FaultyStore::new(StoreFault::StaleReads);
        let key = "a".to_owned();
        let one = Some(b"1".to_vec());
        let two = Some(b"2".to_vec());
        assert_eq!(liar.answer(&key, None), None);
        assert_eq!(liar.answer(&key, one.clone()), None);
        assert_eq!(liar.answer(&key, two.clone()), one);
        let write = Call { component: "orders", operation: Operation::Swap, keys: std::slice::from_ref(&key) };
        assert_eq!(liar.outcome(&write), CallOutcome::Done);
        assert_eq!(liar.answer(&key, two.clone()), two);
    }
}

//! Attempts: counted, so that they are bounded, and spaced out.

use std::time::Duration;

use crate::environment::Environment;
use crate::error::Error;
use crate::store::{StoreError, Swap};

/// With pauses of 0 to 64 ms, a request gives up after about a second of bad luck.
const MAX_ATTEMPTS: u32 = 40;

/// A batch gives up after some tens of milliseconds: several batches at one item come in each other's way, and their
/// requests go on by themselves.
const MAX_ATTEMPTS_IN_BATCH: u32 = 12;

/// The longest pause is 1 ms times two to this power.
const MAX_PAUSE_EXPONENT: u32 = 6;

/// Why to read again and decide anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Retry {
    /// What was read has changed since.
    Stale,
    /// A swap may have been made: its answer is lost.
    Unknown(StoreError),
}

impl Retry {
    /// What to do after a swap: nothing where it was made.
    pub(crate) fn after(swap: Result<Swap, StoreError>) -> Result<(), Self> {
        match swap {
            Ok(Swap::Swapped) => Ok(()),
            Ok(Swap::Conflict) => Err(Self::Stale),
            Err(error) => Err(Self::Unknown(error)),
        }
    }
}

/// Counts the attempts of a request. Bounded: a store whose swaps never succeed must not be asked for ever.
pub(crate) struct Attempts<'a, E> {
    environment: &'a E,
    made: u32,
    max: u32,
    unclear: bool,
}

impl<'a, E: Environment> Attempts<'a, E> {
    /// Those of a request by itself.
    pub(crate) fn new(environment: &'a E) -> Self {
        Self { environment, made: 0, max: MAX_ATTEMPTS, unclear: false }
    }

    /// Those of a batch. They are few: a request without luck in a batch goes on by itself and does not delay the
    /// others.
    pub(crate) fn in_batch(environment: &'a E) -> Self {
        Self { environment, made: 0, max: MAX_ATTEMPTS_IN_BATCH, unclear: false }
    }

    /// Counts one that needs no pause after it.
    pub(crate) fn count(&mut self) -> Result<(), Error> {
        self.made = self.made.saturating_add(1);
        if self.made >= self.max { Err(Error::Contended) } else { Ok(()) }
    }

    /// Whether an earlier attempt may have been made: the answer to its swap is lost.
    pub(crate) fn is_unclear(&self) -> bool {
        self.unclear
    }

    /// Waits before the next attempt. In either case the caller reads again what is there.
    ///
    /// # Errors
    /// With [`Error::Contended`], or with the store's own error, where there were enough attempts.
    pub(crate) async fn again(&mut self, why: Retry) -> Result<(), Error> {
        self.made = self.made.saturating_add(1);
        self.unclear |= matches!(why, Retry::Unknown(_));
        match why {
            Retry::Unknown(error @ StoreError::ContractViolation(_)) => return Err(error.into()),
            Retry::Unknown(error) if self.made >= self.max => return Err(error.into()),
            Retry::Stale if self.made >= self.max => return Err(Error::Contended),
            Retry::Stale | Retry::Unknown(_) => {}
        }
        // Full jitter: requests that collided once do not collide again in step.
        let longest = 1000_u32 << self.made.min(MAX_PAUSE_EXPONENT);
        let mut random = [0; 4];
        self.environment.random(&mut random);
        let pause = u32::from_le_bytes(random).checked_rem(longest).unwrap_or(0);
        self.environment.sleep(Duration::from_micros(pause.into())).await;
        Ok(())
    }
}

//! Time and chance, passed in: the domain asks for both and has neither.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// What the domain needs from the world beside its store.
#[allow(async_fn_in_trait, reason = "a component has one thread, so the futures need not be Send")]
pub trait Environment {
    /// The time of day. It may jump and differ between machines: it decides when an unpaid order counts as expired,
    /// never what is in stock.
    fn now(&self) -> Timestamp;

    /// The time since some moment. It only grows.
    fn monotonic(&self) -> Duration;

    /// Fills `bytes` with randomness that nobody can guess.
    fn random(&self, bytes: &mut [u8]);

    /// Waits; other requests run meanwhile.
    async fn sleep(&self, duration: Duration);

    /// Waits until another request of this instance has made `ready` come true.
    async fn wait_until(&self, ready: impl Fn() -> bool);

    /// Waits for so long, in which other requests of this instance may come.
    async fn linger(&self, patience: Duration);

    /// Sixteen random bytes: what an id is made of.
    fn random_id(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.random(&mut bytes);
        bytes
    }

    /// A name that nobody else has: [`Self::random_id`] in hexadecimal.
    fn random_name(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.random_id()))
    }
}

/// A moment, in milliseconds since 1970 in UTC. Shown as RFC 3339 with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last moment of the year 9999: RFC 3339 has no later one.
    const LAST: u64 = 253_402_300_799_999;

    /// The moment `window` later.
    pub fn after(self, window: Duration) -> Self {
        self.0.saturating_add(u64::try_from(window.as_millis()).unwrap_or(u64::MAX)).into()
    }
}

impl From<u64> for Timestamp {
    fn from(millis: u64) -> Self {
        Self(millis.min(Self::LAST))
    }
}

impl From<Timestamp> for u64 {
    fn from(moment: Timestamp) -> u64 {
        moment.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(self.0)) {
            Some(time) => humantime::format_rfc3339_millis(time).fmt(f),
            None => Err(fmt::Error),
        }
    }
}

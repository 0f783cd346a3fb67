//! Moments.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

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

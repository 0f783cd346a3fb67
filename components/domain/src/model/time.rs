//! Moments.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since 1970 in UTC. Shown as RFC 3339 with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last moment of the year 9999: RFC 3339 has no later one.
    pub(crate) const LAST: Self = Self(253_402_300_799_999);

    /// The beginning of 1970: no moment is earlier.
    pub(crate) const FIRST: Self = Self(0);

    /// The moment `window` later.
    pub fn after(self, window: Duration) -> Self {
        self.0.saturating_add(u64::try_from(window.as_millis()).unwrap_or(u64::MAX)).into()
    }
}

impl From<u64> for Timestamp {
    fn from(millis: u64) -> Self {
        Self(millis.min(Self::LAST.0))
    }
}

impl From<Timestamp> for u64 {
    fn from(moment: Timestamp) -> u64 {
        moment.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNIX_EPOCH.checked_add(Duration::from_millis(self.0)) {
            Some(time) => humantime::format_rfc3339_millis(time).fmt(f),
            None => Err(fmt::Error),
        }
    }
}

/// A day in UTC, from 1970-01-01 to 9999-12-31.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(Timestamp);

/// A text that is no day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a day like 2026-11-28, from 1970 to 9999")]
pub struct InvalidDay;

impl Day {
    const MILLIS: u64 = 24 * 60 * 60 * 1000;

    /// The first moment of the day.
    pub(crate) fn first(self) -> Timestamp {
        self.0
    }

    /// The last moment of the day.
    pub(crate) fn last(self) -> Timestamp {
        let Timestamp(first) = self.0;
        first.saturating_add(Self::MILLIS.saturating_sub(1)).into()
    }
}

impl FromStr for Day {
    type Err = InvalidDay;

    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        let midnight = humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).map_err(|_| InvalidDay)?;
        let since = midnight.duration_since(UNIX_EPOCH).map_err(|_| InvalidDay)?;
        u64::try_from(since.as_millis()).map(|millis| Self(millis.into())).map_err(|_| InvalidDay)
    }
}

//! The time of day that components see: the machine's, which tests can set ahead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use wasmtime_wasi::HostWallClock;

/// Shared by all instances of a server's components.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    ahead_millis: Arc<AtomicU64>,
}

impl Clock {
    pub(crate) fn set_ahead(&self, ahead: Duration) {
        self.ahead_millis.store(u64::try_from(ahead.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now + Duration::from_millis(self.ahead_millis.load(Ordering::Relaxed))
    }
}

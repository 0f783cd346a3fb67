//! The holds of an item, against the orders that really wait for payment.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use records::Item;
use records::location::{Location, Source};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An item may hold this multiple of the orders that are pending.
pub const HOLDS_A_PENDING_ORDER: usize = 2;

/// And this number more.
pub const SPARE_HOLDS: usize = 16;

/// More than that is a fault once it has lasted so long...
const TIMEOUT: Duration = Duration::from_secs(1);

/// ...and through this number of changes of the item's record. Dead holds leave an item only when it is changed: so the
/// bound does not depend on how fast the machine is.
const CHANGES: u64 = 128;

/// The holds of an item at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Holds {
    /// How often the item was changed.
    pub version: u64,
    /// The holds in the item's record.
    pub all: usize,
    /// Those whose order waits for payment: it is unpaid, and has not expired.
    pub pending: usize,
}

#[derive(Deserialize)]
struct Payment {
    state: String,
}

impl Holds {
    /// The holds of an item that is there, out of the store. The server may run.
    pub fn read(place: &Location, item: &str) -> Result<Self> {
        let key = format!("inventory:{item}");
        let mut source = Source::open(place)?;
        let decode = |bytes: Option<Option<Vec<u8>>>| -> Result<Item> {
            let bytes = bytes.flatten().with_context(|| format!("{key} is not there"))?;
            Item::decode(&bytes).with_context(|| format!("{key} cannot be read"))
        };
        let first = decode(source.get(std::slice::from_ref(&key))?.pop())?;
        // The item once more, at the same moment as the payments: what is paid between two reads must not count as
        // dead. A SQLite file is seen as it was at the first read anyway.
        let orders: Vec<_> = first.holds.keys().copied().collect();
        let payments = orders.iter().map(|order| format!("payment:{order}"));
        let mut found = source.get(&payments.chain([key.clone()]).collect::<Vec<_>>())?;
        let item = decode(found.pop())?;
        let payments: HashMap<Uuid, _> = orders.into_iter().zip(found).collect();
        let now = now_millis();
        let mut holds = Self { version: item.version, all: item.holds.len(), pending: 0 };
        for (order, hold) in &item.holds {
            let unpaid = match payments.get(order) {
                // The order was placed between the two reads.
                None => true,
                // Its records were withdrawn.
                Some(None) => false,
                Some(Some(payment)) => serde_json::from_slice::<Payment>(payment)?.state == "unpaid",
            };
            holds.pending += usize::from(unpaid && hold.expires_at > now);
        }
        Ok(holds)
    }

    /// Whether there are no more holds than there may be for this number of pending orders.
    pub fn are_bounded(&self) -> bool {
        self.excess() <= SPARE_HOLDS
    }

    /// How many holds there are beyond those that there may be for this number of pending orders, the spare ones not
    /// counted.
    pub fn excess(&self) -> usize {
        self.all.saturating_sub(HOLDS_A_PENDING_ORDER * self.pending)
    }
}

/// The time of day as records have it, in milliseconds since 1970.
pub(crate) fn now_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Watches the holds of one item for as long as the load lasts.
#[derive(Debug, Default)]
pub struct Bound {
    /// The first of the samples that were all too many.
    since: Option<(Instant, u64)>,
    /// The worst sample of a stretch that has lasted for too long.
    pub broken: Option<Holds>,
    /// The most holds that were seen, with the pending orders of that moment.
    pub most: Holds,
}

impl Bound {
    /// Takes a sample. The bound is broken where each sample of a stretch is too many, and the stretch is long: a
    /// single one may be, since holds of many orders die at once.
    pub fn sample(&mut self, at: Instant, holds: Holds) {
        if holds.all >= self.most.all {
            self.most = holds;
        }
        if holds.are_bounded() {
            self.since = None;
            return;
        }
        let (since, version) = *self.since.get_or_insert((at, holds.version));
        let is_long = at.duration_since(since) >= TIMEOUT && holds.version.saturating_sub(version) >= CHANGES;
        if is_long && self.broken.is_none_or(|worst| holds.all > worst.all) {
            self.broken = Some(holds);
        }
    }
}

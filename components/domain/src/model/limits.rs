//! The limits of the platform and its store, passed in by the program that runs the rules.

use std::time::Duration;

/// How large records and calls may become, and how long requests wait. The rules know no platform: its numbers are given to them here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a record.
    pub record_bytes: usize,
    /// The bytes of these that are kept free of holds, for what else a record has to take: adjustments that it
    /// remembers, keys of settled orders, longer numbers. So settling and adjusting always have room.
    pub reserved_bytes: usize,
    /// How many keys of settled orders an item carries before their mappings are written, all in one call. A record
    /// that is full carries none.
    pub mappings_per_write: usize,
    /// The most requests that are done in one batch: as many as an instance serves at once.
    pub requests_per_batch: usize,
    /// The most records that are read in one call, each of up to `record_bytes`.
    pub records_per_read: usize,
    /// The most requests of a kind that wait in one instance.
    pub queued_requests: usize,
    /// How long a request to place an order may wait among others before it is begun.
    pub place_patience: Duration,
    /// The same of a request to pay, which is refused last: its goods are held for it.
    pub pay_patience: Duration,
    /// How many orders with an overdue payment the provider is asked about side by side, where an item is short of
    /// stock.
    pub overdue_at_once: usize,
    /// How long a request that is short of stock waits for these answers.
    pub overdue_patience: Duration,
}

impl Limits {
    /// The most bytes of an item's record, without adjustments and keys of settled orders, that takes another hold.
    pub fn hold_bytes(&self) -> usize {
        // Rule: holds-leave-a-reserve.
        self.record_bytes.saturating_sub(self.reserved_bytes)
    }
}

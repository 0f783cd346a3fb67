//! The numbers of the order index. A record says up to which number they are allocated. An instance allocates a block
//! of them at once, by compare-and-swap, and gives back none: a number without a record is passed over.

use std::cell::Cell;
use std::ops::Range;
use std::time::Duration;

use plain_json::Json;
use serde::Serialize;

use crate::engine::codec::{Read, decode, encode};
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::fields::{Fields, FromJson, number, text};
use crate::provider::Provider;
use crate::store::{Key, Store, StoreError, Swap};

/// How many numbers an instance allocates at once. It serves a bounded number of requests, and most of these are no
/// orders.
const BLOCK_SIZE: u64 = 64;

/// How long an instance uses the numbers that it allocated. By as much the order of the list may differ from that in
/// which orders were placed. Under load an instance hardly lives longer, and so allocates once.
pub(crate) const BLOCK_TTL: Duration = Duration::from_secs(5);

/// The numbers that an instance may still use.
#[derive(Debug)]
pub(crate) struct Block {
    numbers: Cell<Numbers>,
    /// How many are allocated at once.
    size: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Numbers {
    next: u64,
    end: u64,
    /// By the monotonic clock of the instance.
    until: Duration,
}

impl Default for Block {
    fn default() -> Self {
        Self { numbers: Cell::default(), size: BLOCK_SIZE }
    }
}

impl Block {
    /// These numbers, for ever.
    pub(crate) fn of(numbers: Range<u64>) -> Self {
        let numbers = Numbers { next: numbers.start, end: numbers.end, until: Duration::MAX };
        Self { numbers: Cell::new(numbers), size: BLOCK_SIZE }
    }

    /// For an instance that serves one request: it has no use for more than one number.
    pub(crate) fn of_one() -> Self {
        Self { numbers: Cell::default(), size: 1 }
    }

    /// A number that no other order has, if there is one left.
    fn take(&self, now: Duration) -> Option<u64> {
        let numbers = self.numbers.get();
        let number = Some(numbers.next).filter(|next| *next < numbers.end && now < numbers.until)?;
        self.numbers.set(Numbers { next: number.checked_add(1)?, ..numbers });
        Some(number)
    }
}

/// Which numbers are allocated.
#[derive(Debug, Serialize)]
pub(crate) struct Sequence {
    /// Tells the sequence of this shop from any other, so that a cursor means something only here.
    pub(crate) id: String,
    /// All numbers below it are allocated.
    pub(crate) next: u64,
    /// A name of the allocation that was made last: it tells a request whose swap was not answered whether it was made.
    by: String,
}

impl FromJson for Sequence {
    fn from_json(json: &mut Json) -> Option<Self> {
        let mut fields = Fields::of(json)?;
        let sequence = Self {
            id: fields.required("id", text)?,
            next: fields.required("next", number)?,
            by: fields.required("by", text)?,
        };
        fields.end(sequence)
    }
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// A number for orders that are about to be written, which no others have.
    pub(crate) async fn number(&self) -> Result<u64, Error> {
        let block = &self.instance.block;
        if let Some(number) = block.take(self.environment.monotonic()) {
            return Ok(number);
        }
        let Range { start, end } = self.allocate(block.size).await?;
        let until = self.environment.monotonic().saturating_add(BLOCK_TTL);
        block.numbers.set(Numbers { next: start, end, until });
        block.take(Duration::ZERO).ok_or(Error::Contended)
    }

    /// Allocates the next numbers. A swap that was not answered is looked up and not tried again: nothing of the order
    /// is written yet.
    async fn allocate(&self, size: u64) -> Result<Range<u64>, Error> {
        let by = self.environment.random_name();
        let mut attempts = self.attempts();
        let mut failed = None;
        loop {
            let Some(Read { entry, record: sequence }) = self.sequence().await? else {
                // A shop that is older than its order index.
                self.create_sequence().await?;
                attempts.again(Retry::Stale).await?;
                continue;
            };
            let Sequence { id, next: first, by: last } = sequence;
            if last == by {
                return Ok(first.saturating_sub(size)..first);
            }
            if let Some(error) = failed {
                return Err(StoreError::into(error));
            }
            let Some(next) = first.checked_add(size) else {
                let reason = "all numbers are allocated".to_owned();
                return Err(Error::Unreadable { key: entry.physical_key, reason });
            };
            match self.store.swap(&entry, encode(&Sequence { id, next, by: by.clone() })?).await {
                Ok(Swap::Swapped) => return Ok(first..next),
                // Rule: numbers-are-allocated-once.
                Ok(Swap::Conflict) => attempts.again(Retry::Stale).await?,
                Err(error) => failed = Some(error),
            }
        }
    }

    /// Makes the sequence of a new shop.
    pub(crate) async fn create_sequence(&self) -> Result<(), Error> {
        let new = Sequence { id: self.environment.random_name(), next: 0, by: String::new() };
        let _ = self.store.create(&Key::Sequence, encode(&new)?).await?;
        Ok(())
    }

    pub(crate) async fn sequence(&self) -> Result<Option<Read<Sequence>>, Error> {
        self.read_one(Key::Sequence).await?.map(decode).transpose()
    }
}

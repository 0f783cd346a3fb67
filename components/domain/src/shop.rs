//! The shop: a store, an environment and settings, and how records are read and attempts are counted.

use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::amounts::Currency;
use crate::counted::{CountingStore, StoreStats};
use crate::environment::Environment;
use crate::error::Error;
use crate::group::Group;
use crate::ids::OrderId;
use crate::ledger::Block;
use crate::order::Order;
use crate::payment::{Payment, Void};
use crate::payments::{Outcome, PayRequest};
use crate::placing::{PlaceOutcome, PlaceRequest};
use crate::store::{Entry, Key, Store, StoreError, Swap};

/// What the owner of the shop decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long an unpaid order holds its stock.
    pub payment_window: Duration,
    /// The currency of every price.
    pub currency: Currency,
    /// How large records may become.
    pub limits: Limits,
}

/// How large records may become, and how much is done in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a record: the smallest limit that a platform sets on a value.
    pub record_bytes: usize,
    /// The bytes of these that are kept free of holds, for what else a record has to take: adjustments that it remembers,
    /// keys of orders that it has settled, longer numbers. So settling and adjusting always have room.
    pub reserved_bytes: usize,
    /// How many keys of settled orders an item carries before their mappings are written, all in one call. A record that is
    /// full carries none.
    pub mappings_per_write: usize,
}

impl Limits {
    /// The most bytes of an item's record, without adjustments and keys of settled orders, that takes another hold.
    pub fn hold_bytes(&self) -> usize {
        self.record_bytes.saturating_sub(self.reserved_bytes)
    }
}

impl Default for Limits {
    /// What every platform takes. 64 adjustments and 16 keys take 2.3 kB of the reserve.
    fn default() -> Self {
        Self { record_bytes: 1_000_000, reserved_bytes: 16_000, mappings_per_write: 16 }
    }
}

/// Takes orders, holds stock and takes payment, on a store.
#[derive(Debug)]
pub struct Shop<S, E> {
    pub(crate) store: CountingStore<S>,
    pub(crate) environment: E,
    pub(crate) settings: Settings,
    pub(crate) instance: Rc<InstanceState>,
}

/// The requests of one instance of a component that are done together. Whatever serves requests side by side has one of
/// these, and all its shops share it.
#[derive(Debug, Default)]
pub struct InstanceState {
    pub(crate) placing: Group<PlaceRequest, PlaceOutcome>,
    pub(crate) paying: Group<PayRequest, Outcome>,
    pub(crate) block: Block,
}

impl InstanceState {
    /// An instance that has placed orders before, and took these numbers out of the ledger then. Nobody else may have them.
    pub fn with_sequence(numbers: Range<u64>) -> Self {
        Self { block: Block::of(numbers), ..Self::default() }
    }

    /// An instance that serves one request.
    pub fn single_request() -> Self {
        Self { block: Block::of_one(), ..Self::default() }
    }

    /// Whether requests that come here would have more company in another instance: this one should take no more.
    pub fn should_shed_load(&self) -> bool {
        self.placing.should_shed_load() || self.paying.should_shed_load()
    }
}

/// A record together with the bytes that it was read from.
#[derive(Debug)]
pub(crate) struct Read<T> {
    pub(crate) entry: Entry,
    pub(crate) record: T,
}

/// An order with its payment.
pub(crate) type OrderRead = (Order, Read<Payment>);

impl<S: Store, E: Environment> Shop<S, E> {
    /// A shop. It keeps nothing of its own: any number of them may share a store.
    pub fn new(store: S, environment: E, settings: Settings, instance: Rc<InstanceState>) -> Self {
        Self { store: CountingStore::new(store), environment, settings, instance }
    }

    /// What it has asked of the store so far.
    pub fn stats(&self) -> StoreStats {
        self.store.stats()
    }

    /// The currency of every price.
    pub fn currency(&self) -> &Currency {
        &self.settings.currency
    }

    /// Makes sure that what a client is about to be told is not undone when the store fails over, nor what it rests on. To be
    /// called before an answer is given that has to stay true.
    pub async fn confirm(&self) -> Result<(), Error> {
        Ok(self.store.confirm().await?)
    }

    /// Tries on scratch records whether the store is there and really is atomic.
    pub async fn probe(&self) -> Result<(), Error> {
        Ok(self.store.probe().await?)
    }

    /// The order and its payment; none if there is no such order.
    pub(crate) async fn read_order(&self, id: OrderId) -> Result<Option<OrderRead>, Error> {
        self.read_orders(&[id]).await?.into_iter().next().unwrap_or(Ok(None))
    }

    /// As [`Self::read_order`], several in one call: one answer an id.
    pub(crate) async fn read_orders(&self, ids: &[OrderId]) -> Result<Vec<Result<Option<OrderRead>, Error>>, Error> {
        let keys: Vec<_> = ids.iter().flat_map(|id| [Key::Order(*id), Key::OrderState(*id)]).collect();
        let mut found = self.store.get(&keys).await?.into_iter();
        let mut next = || found.next().unwrap_or(Ok(None));
        let order = |id: &OrderId| match (next()?, next()?) {
            (None, None) => Ok(None),
            (Some(order), Some(payment)) => Ok(Some((decode_order(order, *id)?, decode(payment)?))),
            _ => Err(Error::inconsistent_order(*id)),
        };
        Ok(ids.iter().map(order).collect())
    }

    /// The record under a key.
    pub(crate) async fn read_one(&self, key: Key) -> Result<Option<Entry>, Error> {
        Ok(self.store.get(&[key]).await?.into_iter().next().unwrap_or(Ok(None))?)
    }

    /// The payment of an order that was there a moment ago.
    ///
    /// # Errors
    /// [`Error::OrderNotFound`] where its creator has withdrawn it since, because another order has its key.
    pub(crate) async fn read_payment(&self, id: OrderId) -> Result<Read<Payment>, Error> {
        decode(self.read_one(Key::OrderState(id)).await?.ok_or(Error::OrderNotFound)?)
    }

    /// Decides the payment of an order whose time has passed, and answers with what it is now. No client is told of an expiry
    /// before it is decided: another server's clock, or this one's after it was put back, may say that there is time left.
    pub(crate) async fn expire(&self, order: &Order, mut payment: Read<Payment>) -> Result<Read<Payment>, Error> {
        let mut attempts = self.attempts();
        loop {
            let now = self.environment.now();
            if payment.record.settlement().is_some() || now < order.expires_at {
                return Ok(payment);
            }
            let record = Payment::Void { reason: Void::Expired, at: now };
            let value = encode(&record)?;
            match self.store.swap(&payment.entry, value.clone()).await {
                Ok(Swap::Swapped) => {
                    return Ok(Read { entry: Entry::new(payment.entry.physical_key, value), record });
                }
                outcome => attempts.again(outcome).await?,
            }
            payment = self.read_payment(order.order_id).await?;
        }
    }

    /// A number for one look at the holds of an item: where it begins, so that each look is at others.
    pub(crate) fn turn(&self) -> u64 {
        let mut random = [0; 8];
        self.environment.random(&mut random);
        u64::from_le_bytes(random)
    }

    /// Starts to count attempts.
    pub(crate) fn attempts(&self) -> Attempts<'_, E> {
        Attempts { environment: &self.environment, made: 0, most: MAX_ATTEMPTS }
    }

    /// Starts to count the attempts of a group. They are few: whoever has no luck in company goes on alone, and does not
    /// keep the others waiting.
    pub(crate) fn attempts_in_batch(&self) -> Attempts<'_, E> {
        Attempts { most: MAX_ATTEMPTS_IN_BATCH, ..self.attempts() }
    }
}

/// A record out of its bytes.
pub(crate) fn decode<T: DeserializeOwned>(entry: Entry) -> Result<Read<T>, Error> {
    match serde_json::from_slice(&entry.value) {
        Ok(record) => Ok(Read { entry, record }),
        Err(error) => Err(Error::Unreadable { key: entry.physical_key, reason: error.to_string() }),
    }
}

/// An order out of its bytes; one that cannot have been placed like this is not believed. Its holds are found by what
/// it says.
fn decode_order(entry: Entry, id: OrderId) -> Result<Order, Error> {
    let Read { entry, record: order } = decode::<Order>(entry)?;
    if order.is_valid(id) {
        Ok(order)
    } else {
        Err(Error::Unreadable { key: entry.physical_key, reason: "no order was placed like this".to_owned() })
    }
}

/// The bytes of a record other than an item: JSON, so that a person can read it.
pub(crate) fn encode(record: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(record)
        .map_err(|error| Error::Unreadable { key: "(to be written)".to_owned(), reason: error.to_string() })
}

/// Counts the attempts of a request at one swap, and spaces them out. Bounded: a store whose swaps never succeed
/// must not be asked for ever.
pub(crate) struct Attempts<'a, E> {
    environment: &'a E,
    made: u32,
    most: u32,
}

/// With pauses of 0 to 64 ms, a request gives up after about a second of bad luck.
const MAX_ATTEMPTS: u32 = 40;

/// A group gives up after some tens of milliseconds: where the store answers while others are at work, several groups at
/// one item come in each other's way, and all of them alone would do so more.
const MAX_ATTEMPTS_IN_BATCH: u32 = 12;

impl<E: Environment> Attempts<'_, E> {
    /// Counts one that needs no pause after it.
    pub(crate) fn count(&mut self) -> Result<(), Error> {
        self.made = self.made.saturating_add(1);
        if self.made >= self.most { Err(Error::Busy) } else { Ok(()) }
    }

    /// The longest pause is this power of two, in milliseconds.
    const MAX_PAUSE: u32 = 6;

    /// Waits before the next attempt, after a swap that was not made or whose outcome is unknown. In either case the
    /// caller reads again what is there. Gives up with [`Error::Busy`], or with the store's own error.
    pub(crate) async fn again(&mut self, outcome: Result<Swap, StoreError>) -> Result<(), Error> {
        self.made = self.made.saturating_add(1);
        match outcome {
            Err(error @ StoreError::ContractViolation(_)) => return Err(error.into()),
            Err(error) if self.made >= self.most => return Err(error.into()),
            Ok(_) if self.made >= self.most => return Err(Error::Busy),
            Ok(_) | Err(_) => {}
        }
        // Full jitter: those who collided once do not collide again in step.
        let longest = 1000_u32 << self.made.min(Self::MAX_PAUSE);
        let mut random = [0; 4];
        self.environment.random(&mut random);
        let pause = u32::from_le_bytes(random).checked_rem(longest).unwrap_or(0);
        self.environment.sleep(Duration::from_micros(pause.into())).await;
        Ok(())
    }
}

//! What the requests of one instance of a component share, and the questions and answers that they pass to each other
//! in a batch.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use crate::engine::batch::{Batchable, Batcher};
use crate::engine::codec::Read;
use crate::engine::condition::Condition;
use crate::engine::retry::Retry;
use crate::engine::sequence::Block;
use crate::error::Error;
use crate::model::amounts::Money;
use crate::model::holds::Hold;
use crate::model::ids::{ItemId, KeyDigest, OrderId, PaymentMethod};
use crate::model::limits::Limits;
use crate::model::order::Order;
use crate::model::order_state::OrderState;
use crate::model::plan::PlaceRequest;
use crate::model::status::OrderView;

/// What the requests of one instance share. A server that serves requests side by side has one of these, and all its
/// shops share it.
#[derive(Debug, Default)]
pub struct InstanceState {
    pub(crate) placing: Batcher<PlaceRequest, PlaceOutcome>,
    pub(crate) paying: Batcher<PayRequest, PayOutcome>,
    pub(crate) block: Block,
    pub(crate) probing: Batcher<ProbeRequest, Result<(), Error>>,
    /// The last probe of the store: when it was, on the monotonic clock, and how it ended.
    pub(crate) probed: RefCell<Option<(Duration, Result<(), Error>)>>,
}

impl InstanceState {
    /// An instance that has placed orders before and allocated these numbers of the order index then. No other may have
    /// them.
    pub fn with_sequence(numbers: Range<u64>) -> Self {
        Self { block: Block::of(numbers), ..Self::default() }
    }

    /// An instance that serves one request.
    pub fn single_request() -> Self {
        Self { block: Block::of_one(), ..Self::default() }
    }

    /// Whether requests that come here would find larger batches in another instance: this one should take no more.
    pub fn should_shed_load(&self) -> bool {
        self.placing.should_shed_load() || self.paying.should_shed_load()
    }
}

impl Batchable for PlaceRequest {
    fn patience(limits: Limits) -> Duration {
        limits.place_patience
    }

    fn cost(&self) -> usize {
        self.request.lines.iter().len()
    }
}

/// The result of a batch for one request to place an order: the order that was written, or why none was.
pub(crate) type PlaceOutcome = Result<Box<PendingOrder>, NotPlaced>;

/// Why no order was written.
#[derive(Debug)]
pub(crate) enum NotPlaced {
    /// The request is refused.
    Refused(Error),
    /// There is too little of an item for this hold, or too little room in its record, unless other holds are settled.
    Insufficient(ItemId, Hold),
    /// Another order was placed under its key.
    DuplicateKey(OrderId),
    /// Another request of the batch has the same key: start over once that is decided.
    KeyInSameBatch,
}

/// An order that was written, and whose lines are being held.
#[derive(Debug)]
pub(crate) struct PendingOrder {
    pub(crate) order: Order,
    pub(crate) key: Option<KeyDigest>,
    /// Whether its prices are those that the customer expects, so that it is held at no others.
    pub(crate) at_price: bool,
    /// The state as this request has written it.
    pub(crate) state: Read<OrderState>,
    /// How many of its lines are held.
    pub(crate) held: usize,
    /// How the last attempt to hold a line ended; held where none was made.
    pub(crate) outcome: Result<HoldOutcome, Error>,
}

/// How an attempt to hold a line ended.
#[derive(Debug, Clone)]
pub(crate) enum HoldOutcome {
    /// The line is held.
    Held,
    /// The line is not held: other requests were faster every time.
    Contended,
    /// The line is not held: the item has another price than the order, whose customer expects that of the order.
    Repriced,
    /// The order was decided meanwhile.
    Decided(OrderState),
    /// Another order was placed under the same key.
    KeyTaken(OrderId),
    /// The order was closed meanwhile, and its records are removed.
    Removed,
}

/// One request to pay an order.
#[derive(Debug, Clone)]
pub(crate) struct PayRequest {
    pub(crate) order_id: OrderId,
    pub(crate) method: Rc<PaymentMethod>,
    pub(crate) amount: Option<Money>,
    pub(crate) condition: Condition<OrderView>,
    /// Whether this request may have paid the order, and not heard of it.
    pub(crate) unclear: bool,
}

impl Batchable for PayRequest {
    fn patience(limits: Limits) -> Duration {
        limits.pay_patience
    }

    /// The order and its state.
    fn cost(&self) -> usize {
        2
    }
}

/// The result of a batch for one request to pay an order.
#[derive(Debug)]
pub(crate) enum PayOutcome {
    /// The order is paid.
    Paid(Box<(Order, OrderState)>),
    /// It is not, and nothing was written.
    Refused(Error),
    /// Every line is held, and its buyer pays at the provider, who has to be asked.
    AtProvider(Box<(Order, Read<OrderState>)>),
    /// What was read is stale, or may be.
    Retry(Retry),
    /// Its time is over, which has to be decided before it is told.
    Overdue(Box<(Order, Read<OrderState>)>),
}

/// One request to probe the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProbeRequest;

impl Batchable for ProbeRequest {
    /// All wait for one probe, however long it takes.
    fn patience(_: Limits) -> Duration {
        Duration::MAX
    }

    /// However many ask, the store is probed once.
    fn cost(&self) -> usize {
        0
    }
}

//! Why a request was not done.

use std::rc::Rc;

use crate::model::after_sale::ReturnError;
use crate::model::amounts::{Money, Quantity};
use crate::model::cursor::InvalidCursor;
use crate::model::ids::{ItemId, OrderId, SessionId};
use crate::model::item::{OutOfBounds, Shortage};
use crate::model::order::Order;
use crate::model::refund::RefundError;
use crate::model::session::WrongCharge;
use crate::model::status::Status;
use crate::provider::{InvalidNotice, ProviderError};
use crate::store::{Damaged, Key, StoreError};

/// Why a request was not done. Whatever the reason, nothing of it remains that later requests do not clear away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such item.
    #[error("there is no item {0}")]
    ItemNotFound(ItemId),
    /// There is no such order.
    #[error("there is no such order")]
    OrderNotFound,
    /// There is too little of an item.
    #[error("{available} of {item_id} are available, {requested} were requested")]
    InsufficientStock {
        /// The item.
        item_id: ItemId,
        /// The units that no hold promises.
        available: u64,
        /// The units that were requested.
        requested: u64,
    },
    /// There is more of an item in the order than one order may have.
    #[error("an order may have at most {max_per_order} of {item_id}, {requested} were requested")]
    QuantityAboveLimit {
        /// The item.
        item_id: ItemId,
        /// The most of it in one order.
        max_per_order: Quantity,
        /// The units that were requested, in all lines of the item.
        requested: Quantity,
    },
    /// The total of the order is more than 64 bits can hold.
    #[error("the total is more than can be paid")]
    TotalTooLarge,
    /// The order is expected to cost something else. This is what it costs now; it is not placed.
    #[error("the order costs something else than expected")]
    PriceChanged(Rc<Order>),
    /// More would be on hand than an item may have.
    #[error("more would be on hand than an item may have")]
    TooMuchStock,
    /// The idempotency key was used before, for something else.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// Only a pending order can be paid.
    #[error("the order is {0}; only a pending order can be paid")]
    OrderNotPayable(Status),
    /// Only an unpaid order can be cancelled.
    #[error("the order is {0}; it can no longer be cancelled")]
    OrderNotCancellable(Status),
    /// Goods of a paid order come back, and of no other.
    #[error("the order is {0}; only goods of a paid order come back")]
    OrderNotReturnable(Status),
    /// More of an item is to come back than was sold in the order, less what has come back before.
    #[error("of {item_id} {sold} were sold in the order, and {left} of them can come back; {requested} were to")]
    ReturnExceedsSale {
        /// The item.
        item_id: ItemId,
        /// The units of it that the order has.
        sold: u64,
        /// The units that can still come back.
        left: u64,
        /// The units that were to come back.
        requested: u64,
    },
    /// The record of the order has as many returns, or refunds, as it takes.
    #[error("goods or money of the order have come back as often as its record can say")]
    OrderFull,
    /// The goods of a paid order go out, and of no other; and not where all of them have come back, or all that was paid
    /// has been given back.
    #[error("the order is {0}, or has nothing to be sent; only goods of a paid order are")]
    OrderNotFulfillable(Status),
    /// The buyer has the goods of the order: how they went out stays as it is.
    #[error("the goods of the order are delivered")]
    OrderDelivered,
    /// The amount given is not the total of the order.
    #[error("the total is {total}, the amount given is {given}")]
    AmountMismatch {
        /// What the order costs.
        total: Money,
        /// What was given.
        given: Money,
    },
    /// The buyer has paid by a means that takes a while. Until the payment provider has said how it ended, the order is
    /// not to be cancelled.
    #[error("the payment of the order is being processed")]
    PaymentProcessing,
    /// The payment provider did not answer in time, or answered that it cannot now. What it was asked may have been
    /// done, and a repeat is safe.
    #[error("the payment provider is not available: {0}")]
    ProviderUnavailable(String),
    /// The payment provider has answered, for good, that it will not do this. The order is as it was.
    #[error("the payment provider refuses: {0}")]
    ProviderRefused(String),
    /// The payment provider's answer makes no sense. The order is as it was, and a repeat is safe.
    #[error("the payment provider's answer makes no sense: {0}")]
    ProviderNonsense(String),
    /// The payment provider does not know the session on record. The order is as it was, and stays undecided until the
    /// provider knows the session again, or the operator says that no buyer can pay in it.
    #[error("the payment provider does not know the session: {0}")]
    SessionLost(String),
    /// The payment provider says that the session on record is another order's. The order keeps its goods and stays
    /// undecided: it is neither paid nor closed until the operator abandons the session.
    #[error("the payment provider has charged for another order: {0}")]
    WrongCharge(Box<WrongCharge>),
    /// What a buyer was charged without paying the order could not be given back. The operator can try again.
    #[error("a charge of order {0} could not be given back")]
    RefundFailed(OrderId),
    /// Money of a paid order goes back, and of no other; and not where all of it has.
    #[error("the order is {0}, or has nothing to be given back; only what was paid is")]
    OrderNotRefundable(Status),
    /// More money is to go back than was paid, less what has gone back before.
    #[error("{left} of what was paid can still be given back, {requested} were to be")]
    RefundExceedsPayment {
        /// How much can still be given back.
        left: u64,
        /// How much was to be.
        requested: u64,
    },
    /// Money is to go back for more of an item than was sold in the order, less what it went back for before.
    #[error(
        "of {item_id} {sold} were sold in the order, and money can be given back for {left} of them; it was to be for {requested}"
    )]
    RefundExceedsSale {
        /// The item.
        item_id: ItemId,
        /// The units of it that the order has.
        sold: u64,
        /// The units for which money can still be given back.
        left: u64,
        /// The units for which it was to be.
        requested: u64,
    },
    /// The payment provider has charged the buyer of an order in more sessions than are kept on record.
    #[error("the payment provider has charged the buyer of one order too often, at last in session {0}")]
    TooManyLateCharges(SessionId),
    /// A message that claims to be the payment provider's is not believed. Nothing was done.
    #[error(transparent)]
    InvalidNotice(#[from] InvalidNotice),
    /// The item that was to be created is there already.
    #[error("the item {0} exists already")]
    ItemExists(ItemId),
    /// The item or the order is not what the request expects it to be. It is as it was.
    #[error("it is not what the request expects it to be")]
    PreconditionFailed,
    /// There is no such place in the list of orders.
    #[error(transparent)]
    InvalidCursor(#[from] InvalidCursor),
    /// Too many requests changed the same record at once.
    #[error("too many requests for the same item or order at once")]
    Contended,
    /// More requests came at once than can be done in time. Nothing was done for this one.
    #[error("too many requests at once")]
    Overloaded,
    /// The request was done in a batch whose leader was stopped. Whether it was done is unknown; a repeat tells.
    #[error("the request was given up half way")]
    Abandoned,
    /// The record of an item has no room for another hold: as many orders wait for their payment as it can take. It has
    /// room again once some of them are paid, cancelled or expired.
    #[error("{0} has as many unpaid orders as it can take")]
    ItemFull(ItemId),
    /// The list of all items has no room for another one.
    #[error("the shop has as many items as it can list")]
    CatalogFull,
    /// A record is not what this version of the program writes. It is left as it is.
    #[error("the record {key} cannot be read: {reason}")]
    Unreadable {
        /// Which record.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Damaged> for Error {
    fn from(Damaged { physical_key, reason }: Damaged) -> Self {
        Self::Unreadable { key: physical_key, reason }
    }
}

impl From<ReturnError> for Error {
    fn from(error: ReturnError) -> Self {
        match error {
            ReturnError::MoreThanSold { item_id, sold, left, requested } => {
                Self::ReturnExceedsSale { item_id, sold, left, requested }
            }
            ReturnError::TooMany => Self::OrderFull,
        }
    }
}

impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Unavailable(reason) => Self::ProviderUnavailable(reason),
            ProviderError::Refused(reason) => Self::ProviderRefused(reason),
            ProviderError::Lost(reason) => Self::SessionLost(reason),
            ProviderError::Nonsense(reason) => Self::ProviderNonsense(reason),
        }
    }
}

impl Error {
    /// Money of an order with this status cannot go back.
    pub(crate) fn of_refund(error: RefundError, status: Status) -> Self {
        match error {
            RefundError::Nothing => Self::OrderNotRefundable(status),
            RefundError::MoreThanPaid { left, requested } => Self::RefundExceedsPayment { left, requested },
            RefundError::MoreThanSold { item_id, sold, left, requested } => {
                Self::RefundExceedsSale { item_id, sold, left, requested }
            }
            RefundError::TooMany => Self::OrderFull,
            RefundError::Return(error) => error.into(),
        }
    }

    /// There is less of an item than was requested.
    pub(crate) fn insufficient_stock(item_id: &ItemId, shortage: Shortage, requested: u64) -> Self {
        Self::InsufficientStock { item_id: item_id.clone(), available: shortage.available, requested }
    }

    /// The record of an item contradicts itself.
    pub(crate) fn damaged_item(item_id: &ItemId, error: OutOfBounds) -> Self {
        Self::Unreadable { key: Key::Item(item_id.clone()).to_string(), reason: error.to_string() }
    }

    /// An order without its state, or a state without its order; or a hold that contradicts both.
    pub(crate) fn inconsistent_order(order: OrderId) -> Self {
        Self::Unreadable { key: format!("order:{order}"), reason: "half of the order is missing".to_owned() }
    }
}

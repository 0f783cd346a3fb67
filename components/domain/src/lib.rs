//! The rules of orders, stock and payment: a protocol on a small store trait, without I/O.
//!
//! Any number of executors run at once and any of them may stop for ever at any instruction. Under all of that:
//!
//! 1. **No oversell.** What is promised to unpaid and paid orders never exceeds what is on hand.
//! 2. **Conservation.** On hand + settled sales = initial stock + adjustments + goods that came back into stock, at every
//!    moment, for every item.
//! 3. **One fate.** An order is paid, cancelled, expired or rejected: at most one of them, once, for ever.
//! 4. **Paid means held.** An order becomes paid only while stock is held for every one of its lines.
//! 5. **Nothing stuck.** After any crash, later requests alone bring every item back to a state without dead holds.
//! 6. **Retry is safe.** Sending any request again, at once or after a crash, never does its work twice.
//! 7. **Told is true.** An order that was acknowledged as placed is never rejected afterwards; a payment, cancel or
//!    adjustment that was acknowledged is never undone.
//!
//! With a payment [`Provider`], which answers late, twice or not at all, also:
//!
//! 8. **Charged once.** However often an order is paid or its payment is repeated, at most one charge of it stays.
//! 9. **Charged means sold.** An order whose buyer was charged becomes paid, and its stock was held all the while.
//!    Where an order came to nothing its buyer was not charged, or the money goes back, once.
//! 10. **Refunds add up.** No more goes back than was charged, each refund is made once, and what goes back is on record
//!     before. Goods come back at most as often as they were sold, and what came back is put back once.
//!
//! | Promise | The function that keeps it | The test that attacks it |
//! |---|---|---|
//! | 1 | [`item::Item::hold`], and the swap in `engine/update_item.rs` | `tests/model-check`: `NoOversell` |
//! | 2 | [`item::Item::settle`], [`item::Item::adjust`] | `tests/model-check`: `Conservation` |
//! | 3 | [`order_state::OrderState::apply`], and the swap in `engine/order_state.rs` | `tests/model-check`: `OneFate` |
//! | 4 | [`Shop::pay`]: state, then holds, then the swap of the state | `tests/model-check`: `PaidMeansHeld` |
//! | 5 | `settle` in `engine/settle.rs`, at every swap of an item | `tests/model-check`: `NothingStuck`; `tests/soak` |
//! | 6 | [`Shop::place`], by the key's digest in the first item and then in a mapping | `tests/model-check`: `RetryIsSafe` |
//! | 7 | `resume` in `flows/place.rs` confirms; [`Shop::confirm`] | `tests/model-check`: `ToldIsTrue`; `tests/crash-recovery` |
//! | 8 | [`Shop::pay`]: one session on record at a time; [`order_state::OrderState::apply`] | `tests/model-check`: `ChargedOnce` |
//! | 9 | [`Shop::cancel`], [`Shop::sweep`]: closed at the provider, then in the record; [`session::Finding::of`] | `tests/model-check`: `ChargedMeansSold` |
//! | 10 | [`Shop::notice`]: the refund is claimed, then asked for | `tests/model-check`: `RefundsAddUp` |
//! | 10 | [`Shop::refund`]: the refund is claimed, then asked for | `tests/model-check`: `RefundsAddUp` |
//! | 10 | [`Shop::return_goods`]: the return is claimed, then put back | `tests/model-check`: `ReturnsAddUp` |
//!
//! The rules are in [`model`], pure: no store, no clock, no chance. The requests are methods of [`Shop`], one file each
//! in `flows`; what they share is in `engine`. Each layer uses only those below it: flows, engine, store and
//! environment, model.

mod engine;
mod environment;
mod error;
mod flows;
mod model;
mod provider;
mod store;

pub use engine::catalog::PRESET;
pub use engine::condition::Condition;
pub use engine::instance::InstanceState;
pub use engine::settle::HoldCount;
pub use engine::shop::{Settings, Shop};
pub use engine::stats::StoreStats;
pub use environment::Environment;
pub use error::Error;
pub use flows::adjust::{AdjustOutcome, AdjustmentRecord};
pub use flows::history::{ItemHistory, OrderEvent, OrderHistory};
pub use flows::list_orders::{MAX_LISTED, OrderPage};
pub use flows::notice::Noticed;
pub use flows::pay::{PayResult, PaymentProgress};
pub use flows::place::Placed;
pub use flows::put_item::PutOutcome;
pub use flows::refund::Refunded;
pub use flows::returns::{OrderReturns, Returned};
pub use flows::stock_report::{ItemList, ItemView, StockReport};
pub use flows::sweep::Swept;
pub use model::amounts::{Currency, Delta, InvalidCurrency, InvalidDelta, Money, OutOfRange, Quantity, Stock};
pub use model::cursor::{Cursor, InvalidCursor};
pub use model::ids::{
    ChargeId, CustomerId, DisputeId, InvalidId, ItemId, KeyDigest, OrderId, PaymentMethod, RefundId, ReturnId,
    SessionId,
};
pub use model::label::{ImageUrl, ItemName};
pub use model::limits::Limits;
pub use model::listing::{Direction, EmptyPeriod, OrderQuery, Period};
pub use model::session::{Charge, OpenSession, RefundState, SessionState, WrongCharge};
pub use model::status::{OrderView, Status, status};
pub use model::time::{Day, InvalidDay, Timestamp};
pub use model::{after_sale, dispute, fulfilment, item, order, order_state, plan, refund, session, text, url};
pub use provider::{Checkout, InvalidNotice, NoProvider, Notice, Provider, ProviderError, Repayment};
pub use store::{CasHandle, Creation, Damaged, Entry, Found, Key, Store, StoreError, Swap};

//! The rules of orders, stock and payment: a protocol on a small store trait, without I/O.
//!
//! Any number of executors run at once and any of them may stop for ever at any instruction. Under all of that:
//!
//! 1. **No oversell.** What is promised to unpaid and paid orders never exceeds what is on hand.
//! 2. **Conservation.** On hand + settled sales = initial stock + adjustments, at every moment, for every item.
//! 3. **One fate.** An order is paid, cancelled, expired or rejected: at most one of them, once, for ever.
//! 4. **Paid means held.** An order becomes paid only while stock is held for every one of its lines.
//! 5. **Nothing stuck.** After any crash, later requests alone bring every item back to a state without dead holds.
//! 6. **Retry is safe.** Sending any request again, at once or after a crash, never does its work twice.
//! 7. **Told is true.** An order that was acknowledged as placed is never rejected afterwards; a payment, cancel or
//!    adjustment that was acknowledged is never undone.
//!
//! The records are in [`item`], [`order`] and [`payment`], pure and without a thought of where they are kept. The
//! requests are methods of [`Shop`]: `inventory`, `placing`, `orders`, `payments`, `ledger` and `history` hold them. They share one way of
//! changing an item, in `settlement`, and one way of being done together, in `group`.

mod amounts;
mod counted;
mod environment;
mod error;
mod group;
mod history;
mod holds;
mod ids;
mod inventory;
pub mod item;
mod item_record;
mod ledger;
pub mod order;
mod orders;
pub mod payment;
mod payments;
mod placing;
mod settlement;
mod shop;
mod status;
mod store;

pub use amounts::{Currency, Delta, InvalidCurrency, InvalidDelta, Money, OutOfRange, Quantity, Stock};
pub use counted::StoreStats;
pub use environment::{Environment, Timestamp};
pub use error::Error;
pub use history::{AdjustmentRecord, ItemHistory, OrderEvent, OrderHistory};
pub use ids::{CustomerId, InvalidId, ItemId, KeyDigest, Method, OrderId};
pub use inventory::{Adjusted, HoldCount, ItemList, ItemView, PRESET, PutOutcome, StockReport};
pub use ledger::{Cursor, InvalidCursor, MAX_LISTED, OrderPage};
pub use orders::OrderView;
pub use placing::Placed;
pub use shop::{InstanceState, Limits, Settings, Shop};
pub use status::{Status, status};
pub use store::{CasHandle, Creation, Damaged, Entry, Found, Key, Store, StoreError, Swap};

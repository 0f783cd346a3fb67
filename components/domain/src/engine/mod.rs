//! What the flows share: the shop and its instance, how records are read and written, how attempts are counted, how
//! requests are done in batches, and the one way in which an item changes.

pub mod batch;
pub mod catalog;
pub mod codec;
pub mod condition;
pub mod instance;
pub mod order_state;
pub mod payment;
pub mod read;
pub mod refund;
pub mod retry;
pub mod returns;
pub mod sequence;
pub mod settle;
pub mod shop;
pub mod side_by_side;
pub mod stats;
pub mod update_item;

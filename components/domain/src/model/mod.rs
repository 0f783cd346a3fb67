//! The rules, without a store, a clock or chance: what an item, an order and its state are, and every change that they
//! allow.

pub mod after_sale;
pub mod amounts;
pub mod cursor;
pub mod dispute;
pub(crate) mod fields;
pub mod fulfilment;
pub mod holds;
pub mod ids;
pub mod item;
pub mod item_codec;
pub mod label;
pub mod limits;
pub mod listing;
pub mod order;
pub mod order_state;
pub mod plan;
pub mod refund;
pub mod session;
pub mod status;
pub mod text;
pub mod time;
pub mod url;

//! The requests: each reads, asks the model, calls the store, and starts over where something came in between. No rule
//! is here.

pub mod adjust;
pub mod cancel;
pub mod fulfil;
pub mod history;
pub mod list_orders;
pub mod notice;
pub mod pay;
pub mod place;
pub mod probe;
pub mod put_item;
pub mod refund;
pub mod returns;
pub mod show;
pub mod stock_report;
pub mod sweep;

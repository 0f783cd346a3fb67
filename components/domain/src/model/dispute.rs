//! Disputes: the buyer has asked the bank, and not the shop, for what was charged.
//!
//! Whether there is one, and how it ended, is what the payment provider says. The shop writes that down and tells it:
//! the operator answers a dispute at the provider. Whether a disputed charge can still be refunded the provider says
//! too, when it is asked for a refund.

use serde::Serialize;

use crate::model::amounts::{Currency, Money};
use crate::model::ids::{ChargeId, DisputeId, OrderId};
use crate::model::order::Order;
use crate::model::time::Timestamp;

/// The most disputes that an order's record keeps. A charge has one, or a few of parts of it.
pub const MAX_DISPUTES: usize = 16;

/// A dispute about a charge of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dispute {
    /// Its name.
    pub id: DisputeId,
    /// About which charge: that of the payment, or one that did not pay the order.
    pub charge: ChargeId,
    /// How much the buyer asks for.
    pub amount: Money,
    /// In which currency, where that is not the order's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// How far it has come, as far as is known.
    pub status: DisputeStatus,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was put on record that it is decided. None while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
}

/// How far a dispute has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStatus {
    /// It is not decided.
    Open,
    /// The money stays with the shop.
    Won,
    /// The money is with the buyer.
    Lost,
}

/// A dispute, as the payment provider says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundDispute {
    /// Of which order the charge is.
    pub order: OrderId,
    /// About which charge.
    pub charge: ChargeId,
    /// How much the buyer asks for, in minor units of the currency.
    pub amount: Money,
    /// In which currency.
    pub currency: Currency,
    /// How far it has come.
    pub status: DisputeStatus,
    /// When it was opened.
    pub opened_at: Timestamp,
}

impl Dispute {
    /// What is to be on record of a dispute that the provider says is `found`, where this was `before`.
    pub(crate) fn new(
        id: DisputeId,
        found: FoundDispute,
        order: &Order,
        before: Option<&Self>,
        now: Timestamp,
    ) -> Self {
        let FoundDispute { charge, amount, currency, status, opened_at, .. } = found;
        let closed_before = before.filter(|before| before.status == status).and_then(|before| before.closed_at);
        let closed_at = (status != DisputeStatus::Open).then(|| closed_before.unwrap_or(now));
        let currency = Some(currency).filter(|currency| *currency != order.currency);
        Self { id, charge, amount, currency, status, opened_at, closed_at }
    }

    /// Whether it is one that a record can have.
    pub(super) fn is_valid(&self) -> bool {
        self.closed_at.is_some() == (self.status != DisputeStatus::Open)
    }
}

/// How much buyers ask for, or have got, by these disputes, in the currency of the order. What was won does not count,
/// nor what is asked for in another currency.
pub fn disputed(disputes: &[Dispute]) -> u64 {
    let counts = |one: &&Dispute| one.status != DisputeStatus::Won && one.currency.is_none();
    disputes.iter().filter(counts).fold(0, |sum, one| sum.saturating_add(one.amount.get()))
}

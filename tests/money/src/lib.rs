//! A shop that is paid at a stand-in for Stripe, and the one rule that all of its tests end with: what was charged is
//! what is paid, order by order.

#![deny(missing_docs)]

mod till;

use std::collections::{BTreeMap, BTreeSet};

use records::reconcile::{Accounts, Charge, Difference, Dispute, Made, Reading, differences};
use stripe_stand_in::{Charged, DisputeStatus, Disputed, RefundStatus, Refunded};

pub use till::{Till, signed};

/// How the records of a shop and the books of its provider differ: by nothing, once all is settled.
///
/// Both are read from below. The shop's are its raw records; the provider's are what it did, whatever it has answered.
///
/// # Panics
/// A record cannot be read.
pub fn audit(
    shop: impl IntoIterator<Item = (String, Vec<u8>)>,
    charged: &[Charged],
    refunded: &[Refunded],
    disputed: &[Disputed],
) -> Vec<Difference> {
    let mut accounts = Accounts::default();
    for (key, value) in shop {
        accounts.enter(&key, &value).unwrap_or_else(|error| panic!("{key}: {error}"));
    }
    let mut back: BTreeMap<&str, Vec<Made>> = BTreeMap::new();
    for refund in refunded.iter().filter(|refund| refund.status != RefundStatus::Failed) {
        back.entry(&refund.charge).or_default().push(Made {
            name: refund.metadata.get("refund_id").cloned(),
            amount: refund.amount.unsigned_abs(),
            has_succeeded: refund.status == RefundStatus::Succeeded,
        });
    }
    let dispute = |one: &Disputed| Dispute {
        id: one.id.clone(),
        charge: one.intent.clone(),
        amount: one.amount.unsigned_abs(),
        status: match one.status {
            DisputeStatus::Won | DisputeStatus::WarningClosed => "won",
            DisputeStatus::Lost | DisputeStatus::Prevented => "lost",
            _ => "open",
        }
        .to_owned(),
    };
    let charge = |charged: &Charged| {
        let refunds = back.get(charged.id.as_str()).cloned().unwrap_or_default();
        let sum = |done: bool| refunds.iter().filter(|one| one.has_succeeded == done).map(|one| one.amount).sum();
        Some(Charge {
            id: charged.intent.clone(),
            order: Some(charged.order.as_deref()?.parse().ok()?),
            amount: charged.amount.unsigned_abs(),
            currency: charged.currency.to_uppercase(),
            refunded: sum(true),
            refunding: sum(false),
            refunds,
            disputes: disputed.iter().filter(|one| one.charge == charged.id).map(dispute).collect(),
        })
    };
    let charges: Vec<_> = charged.iter().filter_map(charge).collect();
    // An order that was cut off while it was written is none: whatever was charged for it is a difference all the same.
    let shop = Reading { unreadable: BTreeSet::new(), ..accounts.finish() };
    differences(&shop, &charges, &BTreeSet::new())
}

//! Disputes, and of which order the charge is.

use std::collections::BTreeMap;

use domain::dispute::{DisputeStatus, FoundDispute};
use domain::{ChargeId, DisputeId, ProviderError};
use plain_json::Json;

use crate::answer::{Answer, Expandable, Members, nonsense};
use crate::currency::Unit;
use crate::session::{MADE_BY, ORDER_ID, THIS_SHOP, is_object_id, moment, read_currency};

/// The path of all disputes.
pub(crate) const DISPUTES: &str = "/v1/disputes";

/// What Stripe is asked to add to a dispute, which does not say by itself of which order it is.
pub(crate) const EXPANDED: &str = "payment_intent";

/// A dispute as Stripe answers it.
#[derive(Debug)]
pub(crate) struct Dispute {
    id: String,
    object: String,
    amount: u64,
    currency: String,
    status: String,
    created: u64,
    payment_intent: Option<Expandable<Intent>>,
}

/// The payment that a dispute is about.
#[derive(Debug)]
pub(crate) struct Intent {
    id: String,
    metadata: Option<BTreeMap<String, String>>,
}

impl Answer for Dispute {
    fn read(json: &Json) -> Option<Self> {
        let members = Members::of(json)?;
        Some(Self {
            id: members.required("id")?,
            object: members.required("object")?,
            amount: members.required("amount")?,
            currency: members.required("currency")?,
            status: members.required("status")?,
            created: members.required("created")?,
            payment_intent: members.optional("payment_intent")?,
        })
    }
}

impl Answer for Intent {
    fn read(json: &Json) -> Option<Self> {
        let members = Members::of(json)?;
        Some(Self { id: members.required("id")?, metadata: members.optional("metadata")? })
    }
}

impl Dispute {
    /// What the dispute is, which was asked for as `asked`; none where it is not about a payment of this program's.
    ///
    /// # Errors
    /// If it is another one, or cannot be read.
    pub(crate) fn found(self, asked: &DisputeId) -> Result<Option<FoundDispute>, ProviderError> {
        if self.object != "dispute" || self.id != asked.as_str() {
            return Err(nonsense("this is another dispute than the one that was asked for"));
        }
        let intent = match self.payment_intent {
            None => return Ok(None),
            Some(Expandable::Id(_)) => return Err(nonsense("the payment of the dispute is left out")),
            Some(Expandable::Whole(intent)) => intent,
        };
        let metadata = intent.metadata.unwrap_or_default();
        let order = metadata.get(ORDER_ID).and_then(|order| order.parse().ok());
        let is_ours = metadata.get(MADE_BY).is_some_and(|by| by == THIS_SHOP);
        let Some(order) = order.filter(|_| is_ours) else { return Ok(None) };
        let charge = ChargeId::try_from(intent.id).ok().filter(|id| is_object_id(id.as_str()));
        let charge = charge.ok_or_else(|| nonsense("the id of the payment is none"))?;
        let status = match self.status.as_str() {
            "needs_response" | "under_review" | "warning_needs_response" | "warning_under_review" => {
                DisputeStatus::Open
            }
            // An inquiry that came to nothing.
            "won" | "warning_closed" => DisputeStatus::Won,
            // The second one was given back at once, by a rule that the merchant has agreed to.
            "lost" | "prevented" => DisputeStatus::Lost,
            _ => return Err(nonsense("the status of the dispute is not known")),
        };
        let currency = read_currency(&self.currency).ok_or_else(|| nonsense("the currency is none"))?;
        let unit = Unit::of(&currency).ok_or_else(|| nonsense("the currency is not known"))?;
        let amount = unit.minor(self.amount);
        let amount = amount.ok_or_else(|| nonsense("the amount is no whole number of minor units"))?;
        Ok(Some(FoundDispute { order, charge, amount, currency, status, opened_at: moment(self.created) }))
    }
}

//! A dispute: a buyer has asked the bank for the money of a charge.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;
/// How long the merchant has for an answer, in whole days.
const DAYS_TO_ANSWER: i64 = 8;
/// What Stripe takes for a dispute in which money moves, in minor units.
const FEE: i64 = 1500;

/// What a merchant can answer with. The stand-in takes none of it.
const EVIDENCE: [&str; 27] = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
];

/// Where a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStatus {
    /// The bank inquires, and waits for an answer. No money has moved.
    WarningNeedsResponse,
    /// The bank inquires, and has an answer.
    WarningUnderReview,
    /// The inquiry came to nothing.
    WarningClosed,
    /// The money is withdrawn, and the bank waits for an answer.
    NeedsResponse,
    /// The money is withdrawn, and the bank has an answer.
    UnderReview,
    /// The money is back.
    Won,
    /// The buyer keeps the money.
    Lost,
    /// The buyer was given the money before it became a formal dispute.
    Prevented,
}

impl DisputeStatus {
    /// Stripe's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WarningNeedsResponse => "warning_needs_response",
            Self::WarningUnderReview => "warning_under_review",
            Self::WarningClosed => "warning_closed",
            Self::NeedsResponse => "needs_response",
            Self::UnderReview => "under_review",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Prevented => "prevented",
        }
    }

    /// Whether it ended without taking anything.
    pub(crate) fn is_over_for_nothing(self) -> bool {
        matches!(self, Self::WarningClosed | Self::Won)
    }

    /// Whether it is an inquiry, in which no money moves.
    pub(crate) fn is_inquiry(self) -> bool {
        matches!(self, Self::WarningNeedsResponse | Self::WarningUnderReview | Self::WarningClosed)
    }
}

/// Money that a dispute has moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Movement {
    /// The balance transaction.
    pub(crate) id: String,
    pub(crate) at: i64,
}

/// A dispute of a charge, or of a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dispute {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) created: i64,
    pub(crate) charge: String,
    pub(crate) intent: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    /// The means by which the charge was paid.
    pub(crate) method: String,
    pub(crate) status: DisputeStatus,
    /// How often the merchant has answered.
    pub(crate) answers: u32,
    pub(crate) withdrawn: Option<Movement>,
    pub(crate) reinstated: Option<Movement>,
}

impl Dispute {
    /// The object; `refundable` is whether the charge can be refunded.
    pub(crate) fn json(&self, refundable: bool) -> Value {
        let mut evidence: Map<_, _> = EVIDENCE.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
        evidence.insert("enhanced_evidence".to_owned(), json!({}));
        let withdrawal = self.withdrawn.as_ref().map(|movement| {
            let fees = json!([{
                "amount": FEE,
                "application": null,
                "currency": self.currency,
                "description": "Dispute fee",
                "type": "stripe_fee",
            }]);
            self.movement(movement, -self.amount, FEE, fees, "withdrawal", "dispute")
        });
        let reversal = self
            .reinstated
            .as_ref()
            .map(|movement| self.movement(movement, self.amount, 0, json!([]), "reversal", "dispute_reversal"));
        let movements: Vec<_> = withdrawal.into_iter().chain(reversal).collect();
        let mut dispute = json!({
            "id": self.id,
            "object": "dispute",
            "amount": self.amount,
            "balance_transactions": movements,
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "enhanced_eligibility_types": [],
            "evidence": evidence,
            "evidence_details": {
                "due_by": (self.created / DAY + DAYS_TO_ANSWER + 1) * DAY - 1,
                "enhanced_eligibility": {},
                "has_evidence": self.answers > 0,
                "past_due": false,
                "submission_count": self.answers,
            },
            "is_charge_refundable": refundable,
            "livemode": false,
            "metadata": {},
            "payment_intent": self.intent,
            "reason": "fraudulent",
            "status": self.status,
        });
        // Of the other means that the stand-in has, Stripe gives no details.
        if self.method == "card" {
            let (case_type, code) = match self.status {
                DisputeStatus::Prevented => ("resolution", "10.4"),
                status if status.is_inquiry() => ("inquiry", "10"),
                _ => ("chargeback", "10.4"),
            };
            let card = json!({
                "brand": "visa",
                "case_type": case_type,
                "network": "visa",
                "network_reason_code": code,
            });
            dispute["payment_method_details"] = json!({ "card": card, "type": "card" });
        }
        dispute
    }

    /// A balance transaction.
    fn movement(&self, of: &Movement, amount: i64, fee: i64, fees: Value, what: &str, category: &str) -> Value {
        json!({
            "id": of.id,
            "object": "balance_transaction",
            "amount": amount,
            "available_on": of.at,
            "balance_type": "payments",
            "created": of.at,
            "currency": self.currency,
            "description": format!("Chargeback {what} for {}", self.charge),
            "exchange_rate": null,
            "fee": fee,
            "fee_details": fees,
            "net": amount - fee,
            "reporting_category": category,
            "source": self.id,
            "status": "available",
            "type": "adjustment",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_called_what_it_is_written_as() {
        use DisputeStatus as S;
        let all = [
            S::WarningNeedsResponse,
            S::WarningUnderReview,
            S::WarningClosed,
            S::NeedsResponse,
            S::UnderReview,
            S::Won,
            S::Lost,
            S::Prevented,
        ];
        for status in all {
            assert_eq!(json!(status), status.as_str());
            assert_eq!(status.is_inquiry(), status.as_str().starts_with("warning_"));
        }
    }
}

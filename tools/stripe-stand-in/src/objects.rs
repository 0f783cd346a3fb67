//! What the stand-in keeps, and how it looks in an answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

mod dispute;

pub use dispute::DisputeStatus;
pub(crate) use dispute::{Dispute, Movement};

/// The version of the API whose shapes these are.
pub(crate) const API_VERSION: &str = "2026-08-26.dahlia";

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// The buyer can pay.
    Open,
    /// The buyer has paid, or has begun to by a means that takes a while.
    Complete,
    /// The buyer can no longer pay.
    Expired,
}

impl SessionStatus {
    /// Stripe's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Complete => "complete",
            Self::Expired => "expired",
        }
    }
}

/// A checkout session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) created: i64,
    pub(crate) expires_at: i64,
    pub(crate) status: SessionStatus,
    pub(crate) paid: bool,
    pub(crate) intent: Option<String>,
    pub(crate) lines: Vec<Line>,
    pub(crate) currency: String,
    pub(crate) amount: i64,
    /// The `client_reference_id`.
    pub(crate) order: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) intent_metadata: BTreeMap<String, String>,
    pub(crate) intent_description: Option<String>,
    pub(crate) success_url: String,
    pub(crate) cancel_url: Option<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) locale: Option<String>,
    pub(crate) customer_email: Option<String>,
    pub(crate) submit_type: Option<String>,
    /// It says that it is expired, and the buyer can pay all the same: a fault.
    pub(crate) says_closed: bool,
    /// When a payment that is processing comes to an end by itself, and whether it succeeds.
    pub(crate) settles: Option<(i64, bool)>,
}

/// What a buyer buys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) unit_amount: i64,
    pub(crate) quantity: i64,
}

impl Session {
    /// What it says of itself.
    pub(crate) fn said_status(&self) -> SessionStatus {
        if self.says_closed && self.status == SessionStatus::Open { SessionStatus::Expired } else { self.status }
    }

    /// The object. `base` is the address of the hosted pages.
    pub(crate) fn json(&self, base: &str) -> Value {
        let status = self.said_status();
        let open = status == SessionStatus::Open;
        json!({
            "id": self.id,
            "object": "checkout.session",
            "adaptive_pricing": { "enabled": false },
            "after_expiration": null,
            "allow_promotion_codes": null,
            "amount_subtotal": self.amount,
            "amount_total": self.amount,
            "automatic_tax": { "enabled": false, "liability": null, "provider": null, "status": null },
            "billing_address_collection": null,
            "cancel_url": self.cancel_url,
            "client_reference_id": self.order,
            "client_secret": null,
            "collected_information": null,
            "consent": null,
            "consent_collection": null,
            "created": self.created,
            "currency": self.currency,
            "currency_conversion": null,
            "custom_fields": [],
            "custom_text": {
                "after_submit": null,
                "shipping_address": null,
                "submit": null,
                "terms_of_service_acceptance": null,
            },
            "customer": null,
            "customer_account": null,
            "customer_creation": "if_required",
            "customer_details": null,
            "customer_email": self.customer_email,
            "discounts": [],
            "expires_at": self.expires_at,
            "invoice": null,
            "invoice_creation": null,
            "livemode": false,
            "locale": self.locale,
            "metadata": self.metadata,
            "mode": "payment",
            "origin_context": null,
            "payment_intent": self.intent,
            "payment_link": null,
            "payment_method_collection": "if_required",
            "payment_method_configuration_details": null,
            "payment_method_options": {},
            "payment_method_types": self.methods,
            "payment_status": if self.paid { "paid" } else { "unpaid" },
            "permissions": null,
            "phone_number_collection": { "enabled": false },
            "recovered_from": null,
            "saved_payment_method_options": null,
            "setup_intent": null,
            "shipping_address_collection": null,
            "shipping_cost": null,
            "shipping_options": [],
            "status": status.as_str(),
            "submit_type": self.submit_type,
            "subscription": null,
            "success_url": self.success_url,
            "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 },
            "ui_mode": "hosted_page",
            "url": open.then(|| self.page(base)),
            "wallet_options": null,
        })
    }

    /// The address of the page where the buyer pays.
    pub(crate) fn page(&self, base: &str) -> String {
        format!("{base}/pay/{}", self.id)
    }

    /// The lines, as `expand[]=line_items` shows them.
    pub(crate) fn line_items(&self) -> Value {
        let lines: Vec<_> = self.lines.iter().map(|line| line.json(&self.currency)).collect();
        let url = format!("/v1/checkout/sessions/{}/line_items", self.id);
        json!({ "object": "list", "data": lines, "has_more": false, "url": url })
    }
}

impl Line {
    fn json(&self, currency: &str) -> Value {
        let amount = self.unit_amount * self.quantity;
        json!({
            "id": self.id,
            "object": "item",
            "adjustable_quantity": null,
            "amount_discount": 0,
            "amount_subtotal": amount,
            "amount_tax": 0,
            "amount_total": amount,
            "currency": currency,
            "description": self.name,
            "metadata": {},
            "price": null,
            "quantity": self.quantity,
        })
    }
}

/// Where a payment intent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IntentStatus {
    RequiresPaymentMethod,
    Processing,
    Succeeded,
    Canceled,
}

/// A payment intent: all that was tried in one session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) created: i64,
    pub(crate) session: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) status: IntentStatus,
    pub(crate) methods: Vec<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) description: Option<String>,
    /// The latest charge.
    pub(crate) charge: Option<String>,
    pub(crate) canceled_at: Option<i64>,
}

impl Intent {
    pub(crate) fn json(&self) -> Value {
        let succeeded = self.status == IntentStatus::Succeeded;
        let failed = self.status == IntentStatus::RequiresPaymentMethod && self.charge.is_some();
        let error = failed.then(|| {
            json!({
                "charge": self.charge,
                "code": "card_declined",
                "decline_code": "generic_decline",
                "doc_url": "https://stripe.com/docs/error-codes/card-declined",
                "message": "Your card has been declined.",
                "type": "card_error",
            })
        });
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": 0,
            "amount_details": { "tip": {} },
            "amount_received": if succeeded { self.amount } else { 0 },
            "application": null,
            "application_fee_amount": null,
            "automatic_payment_methods": null,
            "canceled_at": self.canceled_at,
            "cancellation_reason": self.canceled_at.map(|_| "automatic"),
            "capture_method": "automatic_async",
            "client_secret": null,
            "confirmation_method": "automatic",
            "created": self.created,
            "currency": self.currency,
            "customer": null,
            "customer_account": null,
            "description": self.description,
            "last_payment_error": error,
            "latest_charge": self.charge,
            "livemode": false,
            "metadata": self.metadata,
            "next_action": null,
            "on_behalf_of": null,
            "payment_method": null,
            "payment_method_configuration_details": null,
            "payment_method_options": {},
            "payment_method_types": self.methods,
            "processing": null,
            "receipt_email": null,
            "review": null,
            "setup_future_usage": null,
            "shipping": null,
            "statement_descriptor": null,
            "statement_descriptor_suffix": null,
            "status": self.status,
            "transfer_data": null,
            "transfer_group": null,
        })
    }
}

/// Where a charge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChargeStatus {
    Pending,
    Succeeded,
    Failed,
}

/// A charge, or an attempt at one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) created: i64,
    pub(crate) intent: String,
    pub(crate) session: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) method: String,
    pub(crate) status: ChargeStatus,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Charge {
    /// The object; `refunded` is what went back of it, and `disputed` whether a buyer has ever disputed it.
    pub(crate) fn json(&self, refunded: i64, disputed: bool) -> Value {
        let paid = self.status == ChargeStatus::Succeeded;
        let failed = self.status == ChargeStatus::Failed;
        let details = match self.method.as_str() {
            "card" => json!({
                "brand": "visa",
                "checks": null,
                "country": "US",
                "exp_month": 12,
                "exp_year": 2040,
                "funding": "credit",
                "installments": null,
                "last4": if failed { "0002" } else { "4242" },
                "mandate": null,
                "network": "visa",
                "three_d_secure": null,
                "wallet": null,
            }),
            "alipay" => json!({ "buyer_id": "2088", "fingerprint": null, "transaction_id": null }),
            _ => json!({}),
        };
        json!({
            "id": self.id,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": if paid { self.amount } else { 0 },
            "amount_refunded": refunded,
            "application": null,
            "application_fee": null,
            "application_fee_amount": null,
            "balance_transaction": null,
            "billing_details": { "address": null, "email": null, "name": null, "phone": null, "tax_id": null },
            "calculated_statement_descriptor": null,
            "captured": paid,
            "created": self.created,
            "currency": self.currency,
            "customer": null,
            "description": null,
            "disputed": disputed,
            "failure_balance_transaction": null,
            "failure_code": failed.then_some("card_declined"),
            "failure_message": failed.then_some("Your card was declined."),
            "fraud_details": {},
            "livemode": false,
            "metadata": self.metadata,
            "on_behalf_of": null,
            "outcome": null,
            "paid": paid,
            "payment_intent": self.intent,
            "payment_method": null,
            "payment_method_details": { "type": self.method, self.method.as_str(): details },
            "receipt_email": null,
            "receipt_number": null,
            "receipt_url": null,
            "refunded": paid && refunded == self.amount,
            "review": null,
            "shipping": null,
            "source_transfer": null,
            "statement_descriptor": null,
            "statement_descriptor_suffix": null,
            "status": self.status,
            "transfer_data": null,
            "transfer_group": null,
        })
    }
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// It is under way.
    Pending,
    /// The money is on its way to the buyer.
    Succeeded,
    /// It was not made, even if it has said that it succeeded.
    Failed,
}

/// A refund.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) created: i64,
    pub(crate) charge: String,
    pub(crate) intent: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) status: RefundStatus,
    pub(crate) reason: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Refund {
    pub(crate) fn json(&self) -> Value {
        let mut refund = json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "balance_transaction": null,
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "customer": null,
            "customer_account": null,
            "metadata": self.metadata,
            "payment_intent": self.intent,
            "payment_method": null,
            "reason": self.reason,
            "receipt_number": null,
            "source_transfer_reversal": null,
            "status": self.status,
            "transfer_reversal": null,
        });
        match self.status {
            RefundStatus::Pending => refund["pending_reason"] = "processing".into(),
            RefundStatus::Succeeded => {}
            RefundStatus::Failed => refund["failure_reason"] = "lost_or_stolen_card".into(),
        }
        refund
    }
}

/// How an event is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Delivery {
    /// It is tried, and tried again.
    Pending,
    /// It waits until it is released.
    Held,
    /// It was taken.
    Done,
    /// It is not tried any more, or never was.
    Ended,
}

/// How a webhook is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Signature {
    Good,
    OldTimestamp,
    WrongSecret,
    Missing,
}

/// An event, as it was when it happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) created: i64,
    pub(crate) kind: String,
    /// The event itself.
    pub(crate) object: Value,
    /// What is delivered of it, where a fault makes that something else.
    pub(crate) body: Option<String>,
    pub(crate) delivery: Delivery,
    pub(crate) signature: Signature,
    pub(crate) copies: u32,
    /// The pause before the first attempt, in milliseconds.
    pub(crate) delay: u64,
    pub(crate) early: bool,
}

/// An answer that is remembered under an idempotency key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    pub(crate) key: String,
    pub(crate) method_and_path: String,
    pub(crate) params: String,
    pub(crate) status: u16,
    /// As text, which takes a fraction of the memory.
    pub(crate) body: String,
    pub(crate) at: i64,
}

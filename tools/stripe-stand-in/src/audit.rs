//! What the stand-in tells an auditor who compares it with a shop, and what buyers and merchants do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::objects::{ChargeStatus, Delivery, DisputeStatus, Event, IntentStatus, RefundStatus, SessionStatus};
use crate::state::{BuyerError, Cause, DisputeAct, State};

/// What a buyer was charged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charged {
    /// The charge.
    pub id: String,
    /// Its payment intent.
    pub intent: String,
    /// The session in which it was made.
    pub session: String,
    /// The session's `client_reference_id`.
    pub order: Option<String>,
    /// The session's metadata.
    pub metadata: BTreeMap<String, String>,
    /// In minor units.
    pub amount: i64,
    /// In lower case.
    pub currency: String,
    /// `card`, `alipay` or `wechat_pay`.
    pub method: String,
    /// When, in seconds since 1970.
    pub at: i64,
    /// What went back of it, or is on its way.
    pub refunded: i64,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refunded {
    /// The refund.
    pub id: String,
    /// Of which charge.
    pub charge: String,
    /// The `client_reference_id` of the charge's session.
    pub order: Option<String>,
    /// In minor units.
    pub amount: i64,
    /// In lower case.
    pub currency: String,
    /// Where it stands.
    pub status: RefundStatus,
    /// The refund's own metadata.
    pub metadata: BTreeMap<String, String>,
}

/// A dispute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disputed {
    /// The dispute.
    pub id: String,
    /// Of which charge.
    pub charge: String,
    /// The charge's payment intent.
    pub intent: String,
    /// The session in which the charge was made.
    pub session: String,
    /// The session's `client_reference_id`.
    pub order: Option<String>,
    /// The payment intent's metadata. A dispute has none of its own.
    pub metadata: BTreeMap<String, String>,
    /// In minor units.
    pub amount: i64,
    /// In lower case.
    pub currency: String,
    /// Where it stands.
    pub status: DisputeStatus,
    /// Whether the money was withdrawn, and is not back.
    pub withdrawn: bool,
    /// When it began, in seconds since 1970.
    pub at: i64,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// The session.
    pub id: String,
    /// The `client_reference_id`.
    pub order: Option<String>,
    /// Where it stands, even if it says something else.
    pub status: SessionStatus,
    /// Whether the buyer was charged.
    pub paid: bool,
    /// Whether a payment is processing.
    pub processing: bool,
    /// In minor units.
    pub amount: i64,
    /// In lower case.
    pub currency: String,
    /// The page where the buyer pays.
    pub url: String,
    /// In seconds since 1970.
    pub created: i64,
    /// In seconds since 1970.
    pub expires_at: i64,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventInfo {
    /// The event.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// The session, charge, refund or dispute that it is about.
    pub about: String,
    /// What has become of its webhook.
    pub delivery: WebhookDelivery,
}

/// What has become of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookDelivery {
    /// It is tried, or will be.
    Pending,
    /// It is kept back until it is released.
    Held,
    /// It was answered with 2xx.
    Taken,
    /// It was given up, or never sent.
    Ended,
}

/// All charges that were made, the oldest first. Attempts that were declined are none.
pub(crate) fn charges(state: &State) -> Vec<Charged> {
    let made = state.charges.values().filter(|charge| charge.status == ChargeStatus::Succeeded);
    let mut made: Vec<_> = made.collect();
    made.sort_by_key(|charge| charge.number);
    let charged = made.into_iter().map(|charge| {
        let session = state.sessions.get(&charge.session);
        Charged {
            id: charge.id.clone(),
            intent: charge.intent.clone(),
            session: charge.session.clone(),
            order: session.and_then(|session| session.order.clone()),
            metadata: session.map(|session| session.metadata.clone()).unwrap_or_default(),
            amount: charge.amount,
            currency: charge.currency.clone(),
            method: charge.method.clone(),
            at: charge.created,
            refunded: state.refunded(&charge.id),
        }
    });
    charged.collect()
}

/// All refunds, the oldest first.
pub(crate) fn refunds(state: &State) -> Vec<Refunded> {
    let mut refunds: Vec<_> = state.refunds.values().collect();
    refunds.sort_by_key(|refund| refund.number);
    let refunded = refunds.into_iter().map(|refund| {
        let session = state.charges.get(&refund.charge).and_then(|charge| state.sessions.get(&charge.session));
        Refunded {
            id: refund.id.clone(),
            charge: refund.charge.clone(),
            order: session.and_then(|session| session.order.clone()),
            amount: refund.amount,
            currency: refund.currency.clone(),
            status: refund.status,
            metadata: refund.metadata.clone(),
        }
    });
    refunded.collect()
}

/// All disputes, the oldest first.
pub(crate) fn disputes(state: &State) -> Vec<Disputed> {
    let mut disputes: Vec<_> = state.disputes.values().collect();
    disputes.sort_by_key(|dispute| dispute.number);
    let disputed = disputes.into_iter().map(|dispute| {
        let intent = state.intents.get(&dispute.intent);
        let session = intent.and_then(|intent| state.sessions.get(&intent.session));
        Disputed {
            id: dispute.id.clone(),
            charge: dispute.charge.clone(),
            intent: dispute.intent.clone(),
            session: session.map(|session| session.id.clone()).unwrap_or_default(),
            order: session.and_then(|session| session.order.clone()),
            metadata: intent.map(|intent| intent.metadata.clone()).unwrap_or_default(),
            amount: dispute.amount,
            currency: dispute.currency.clone(),
            status: dispute.status,
            withdrawn: dispute.withdrawn.is_some() && dispute.reinstated.is_none(),
            at: dispute.created,
        }
    });
    disputed.collect()
}

/// All sessions, the oldest first.
pub(crate) fn sessions(state: &State) -> Vec<SessionInfo> {
    let mut sessions: Vec<_> = state.sessions.values().collect();
    sessions.sort_by_key(|session| session.number);
    let infos = sessions.into_iter().map(|session| {
        let intent = session.intent.as_ref().and_then(|id| state.intents.get(id));
        SessionInfo {
            id: session.id.clone(),
            order: session.order.clone(),
            status: session.status,
            paid: session.paid,
            processing: intent.is_some_and(|intent| intent.status == IntentStatus::Processing),
            amount: session.amount,
            currency: session.currency.clone(),
            url: session.page(&state.base),
            created: session.created,
            expires_at: session.expires_at,
        }
    });
    infos.collect()
}

/// All events, the oldest first.
pub(crate) fn events(state: &State) -> Vec<EventInfo> {
    let mut events: Vec<&Event> = state.events.values().collect();
    events.sort_by_key(|event| event.number);
    let info = |event: &Event| EventInfo {
        id: event.id.clone(),
        kind: event.kind.clone(),
        about: event.object["data"]["object"]["id"].as_str().unwrap_or_default().to_owned(),
        delivery: match event.delivery {
            Delivery::Pending => WebhookDelivery::Pending,
            Delivery::Held => WebhookDelivery::Held,
            Delivery::Done => WebhookDelivery::Taken,
            Delivery::Ended => WebhookDelivery::Ended,
        },
    };
    events.into_iter().map(info).collect()
}

/// What a buyer, a bank or a merchant does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Pay(String),
    Decline(String),
    /// With the time from now at which it comes to an end by itself, and whether it succeeds.
    PayLater(String, Option<(i64, bool)>),
    Settle(bool),
    Close,
    SettleRefund(bool),
    Dispute(DisputeAct),
}

impl Act {
    pub(crate) fn perform(&self, state: &mut State, id: &str, now: i64) -> Result<(), BuyerError> {
        match self {
            Self::Pay(method) => state.pay(id, method, now),
            Self::Decline(method) => state.decline(id, method, now),
            Self::PayLater(method, settles) => {
                state.pay_later(id, method, settles.map(|(after, succeeds)| (now.saturating_add(after), succeeds)), now)
            }
            Self::Settle(succeeds) => state.settle(id, *succeeds, now),
            Self::Close => {
                let status = state.sessions.get(id).map(|session| session.said_status());
                let status = status.ok_or_else(|| BuyerError::Unknown(format!("session {id}")))?;
                let closed = state.expire(id, false, now, &Cause::default());
                closed.map_err(|_| BuyerError::State(format!("session {id}"), status.as_str()))
            }
            Self::SettleRefund(succeeds) => state.settle_refund(id, *succeeds, now),
            Self::Dispute(act) => state.act_on_dispute(id, *act, now),
        }
    }
}

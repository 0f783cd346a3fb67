//! Refunds, and how one of the shop's is found again.

use std::collections::BTreeMap;

use domain::{ChargeId, ProviderError, RefundId, RefundState};
use plain_json::Json;
use sha2::{Digest, Sha256};

use crate::answer::{Answer, Expandable, Members, nonsense};
use crate::session::is_object_id;

/// The path of all refunds.
pub(crate) const REFUNDS: &str = "/v1/refunds";

/// The name of a piece of metadata: the shop's own name of a refund.
pub(crate) const REFUND_ID: &str = "refund_id";

/// The most refunds that are asked for at once.
pub(crate) const PAGE: &str = "100";

/// How many pages of refunds of one charge are looked through.
pub(crate) const MAX_PAGES: usize = 10;

/// The name under which a refund is made once. A digest, since the shop's own name may be as long as Stripe's limit.
pub(crate) fn refund_key(refund: &RefundId) -> String {
    let digest = Sha256::digest(refund.as_str().as_bytes());
    digest.iter().fold("refund-".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// A refund as Stripe answers it.
#[derive(Debug)]
pub(crate) struct Refund {
    id: String,
    object: String,
    amount: u64,
    status: Option<String>,
    payment_intent: Option<Expandable<OnlyId>>,
    metadata: Option<BTreeMap<String, String>>,
}

/// An object of which only the id matters.
#[derive(Debug)]
pub(crate) struct OnlyId {
    id: String,
}

/// A page of refunds.
#[derive(Debug)]
pub(crate) struct Page {
    object: String,
    data: Vec<Refund>,
    has_more: bool,
}

impl Answer for Refund {
    fn read(json: &Json) -> Option<Self> {
        let members = Members::of(json)?;
        Some(Self {
            id: members.required("id")?,
            object: members.required("object")?,
            amount: members.required("amount")?,
            status: members.optional("status")?,
            payment_intent: members.optional("payment_intent")?,
            metadata: members.optional("metadata")?,
        })
    }
}

impl Answer for OnlyId {
    fn read(json: &Json) -> Option<Self> {
        Some(Self { id: Members::of(json)?.required("id")? })
    }
}

impl Answer for Page {
    fn read(json: &Json) -> Option<Self> {
        let members = Members::of(json)?;
        Some(Self {
            object: members.required("object")?,
            data: members.required("data")?,
            has_more: members.required("has_more")?,
        })
    }
}

impl Refund {
    fn is_named(&self, refund: &RefundId) -> bool {
        let name = self.metadata.as_ref().and_then(|metadata| metadata.get(REFUND_ID));
        name.is_some_and(|name| name == refund.as_str())
    }

    /// How far the refund has come, which was asked of this charge.
    fn state(&self, charge: &ChargeId) -> Result<RefundState, ProviderError> {
        let intent = match &self.payment_intent {
            Some(Expandable::Id(id)) => Some(id.as_str()),
            Some(Expandable::Whole(intent)) => Some(intent.id.as_str()),
            None => None,
        };
        if self.object != "refund" || intent != Some(charge.as_str()) {
            return Err(nonsense("this is no refund of the charge"));
        }
        match self.status.as_deref() {
            Some("pending" | "requires_action") => Ok(RefundState::Pending),
            Some("succeeded") => Ok(RefundState::Succeeded),
            Some("failed" | "canceled") => Ok(RefundState::Failed),
            _ => Err(nonsense("the status of the refund is not known")),
        }
    }

    /// How far the refund has come that was just made.
    pub(crate) fn made(&self, charge: &ChargeId, amount: u64, refund: &RefundId) -> Result<RefundState, ProviderError> {
        if self.amount != amount || !self.is_named(refund) {
            return Err(nonsense("this is another refund than the one that was asked for"));
        }
        self.state(charge)
    }
}

impl Page {
    /// How far the refund of this name has come, if it is on this page. If it was made more than once, the one that has
    /// come furthest counts.
    pub(crate) fn find(&self, charge: &ChargeId, refund: &RefundId) -> Result<Option<RefundState>, ProviderError> {
        if self.object != "list" {
            return Err(nonsense("this is no list of refunds"));
        }
        let mut found = None;
        for state in self.data.iter().filter(|other| other.is_named(refund)).map(|refund| refund.state(charge)) {
            found = further(found, Some(state?));
        }
        Ok(found)
    }

    /// After which refund the next page begins, if there is one.
    pub(crate) fn next(&self) -> Result<Option<&str>, ProviderError> {
        match (self.has_more, self.data.last()) {
            (false, _) => Ok(None),
            (true, Some(last)) if is_object_id(&last.id) => Ok(Some(&last.id)),
            (true, _) => Err(nonsense("the list of refunds has no end")),
        }
    }
}

/// The state of two that has come further: a refund that failed gave nothing back.
pub(crate) fn further(one: Option<RefundState>, other: Option<RefundState>) -> Option<RefundState> {
    let rank = |state: &Option<RefundState>| match state {
        None => 0,
        Some(RefundState::Failed) => 1,
        Some(RefundState::Pending) => 2,
        Some(RefundState::Succeeded) => 3,
    };
    if rank(&other) > rank(&one) { other } else { one }
}

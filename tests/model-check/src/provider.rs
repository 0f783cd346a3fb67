//! A payment provider, as a world of its own beside the store: sessions in which buyers pay, and what it remembers of
//! what it was asked under which name.
//!
//! What it is asked waits for its turn like a call of the store. What buyers, the merchant and the provider itself do
//! is a step of the search.

use std::rc::Rc;

use domain::dispute::FoundDispute;
use domain::{
    Charge, ChargeId, Checkout, DisputeId, InvalidNotice, Notice, OpenSession, OrderId, Provider, ProviderError,
    RefundId, RefundState, Repayment, SessionId, SessionState, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::database::{Database, Stored};
use crate::request::WINDOW;
use crate::store::{Caller, Next, START, Turn};

/// What a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Is {
    Open,
    Processing,
    Paid,
    Closed,
    /// The provider does not know it any more.
    Lost,
}

/// A refund, as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    pub name: String,
    pub amount: u64,
    /// It was not made after all.
    pub has_failed: bool,
}

impl Refund {
    /// Whether the operator has given it back of what was paid.
    pub fn is_of_payment(&self) -> bool {
        self.name.starts_with("refund-")
    }
}

/// A session, as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub order: String,
    /// What the buyer is to pay.
    pub amount: u64,
    pub is: Is,
    /// What the buyer was charged.
    pub charged: u64,
    /// The refunds that were made.
    pub refunds: Vec<Refund>,
}

/// What can happen to a session without the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happens {
    /// The buyer pays.
    Pays,
    /// The buyer pays, and is charged something else.
    PaysWrongly,
    /// The buyer pays by a means that takes a while.
    BeginsToPay,
    /// The payment that took a while has failed, and the buyer can try again.
    Fails,
    /// The merchant, or its time, closes it.
    Closes,
    /// The payment that took a while has failed for good.
    FailsForGood,
    /// The provider charges the buyer although it has said that the session is closed, or that it does not know it.
    ChargesAllTheSame,
    /// The provider loses it. Nothing was charged in it.
    Loses,
    /// The refund that was made has failed after all.
    RefundFails,
}

impl Session {
    /// Lets it happen, where it can.
    fn after(&self, happens: Happens) -> Option<Self> {
        if happens == Happens::RefundFails {
            let mut refunds = self.refunds.clone();
            refunds.iter_mut().find(|refund| !refund.has_failed)?.has_failed = true;
            return Some(Self { refunds, ..self.clone() });
        }
        let (is, charged) = match (self.is, happens) {
            (Is::Open | Is::Closed, Happens::Loses) => (Is::Lost, 0),
            (Is::Open | Is::Processing, Happens::Pays) | (Is::Closed | Is::Lost, Happens::ChargesAllTheSame) => {
                (Is::Paid, self.amount)
            }
            (Is::Open, Happens::PaysWrongly) => (Is::Paid, self.amount + 1),
            (Is::Open, Happens::BeginsToPay) => (Is::Processing, 0),
            (Is::Processing, Happens::Fails) => (Is::Open, 0),
            (Is::Open, Happens::Closes) | (Is::Processing, Happens::FailsForGood) => (Is::Closed, 0),
            _ => return None,
        };
        Some(Self { is, charged, ..self.clone() })
    }

    /// Whether the buyer was charged, and that does not go back as what did not pay the order.
    pub fn pays(&self) -> bool {
        self.charged > 0 && !self.made().any(|refund| !refund.is_of_payment())
    }

    /// The refunds that have not failed.
    pub fn made(&self) -> impl Iterator<Item = &Refund> {
        self.refunds.iter().filter(|refund| !refund.has_failed)
    }

    /// How far the refund of this name has come.
    fn refund(&self, name: &RefundId) -> Option<RefundState> {
        let mut named = self.refunds.iter().filter(|refund| refund.name == name.as_str()).peekable();
        named.peek()?;
        Some(if named.any(|refund| !refund.has_failed) { RefundState::Succeeded } else { RefundState::Failed })
    }
}

/// The name of the `number`th session of an order.
pub fn session_id(order: OrderId, number: usize) -> String {
    format!("{order}.{number}")
}

fn session_name(id: &str) -> String {
    format!("provider:session:{id}")
}

/// The name under which the provider remembers what came of opening a session.
fn open_key(checkout: &Checkout<'_>) -> String {
    format!("provider:key:{}:{}", checkout.order.order_id, checkout.attempt)
}

fn refund_key(refund: &RefundId) -> String {
    format!("provider:key:refund:{refund}")
}

/// What the provider remembers of a session that it has refused to open.
const REFUSED: &str = "refused";

/// All sessions with their names, in the order of these.
pub fn sessions(database: &Database) -> impl Iterator<Item = (&str, Session)> {
    database.of_kind("provider").filter_map(|(name, stored)| {
        let id = name.strip_prefix("provider:session:")?;
        Some((id, serde_json::from_slice(&stored.bytes).expect("it is a session")))
    })
}

/// Whether this session is there.
pub fn is_there(database: &Database, id: &str) -> bool {
    database.get(&session_name(id)).is_some()
}

/// Whether this can happen to a session.
pub fn can_happen(session: &Session, happens: Happens) -> bool {
    session.after(happens).is_some()
}

/// Lets it happen to a session.
pub fn happen(database: &mut Database, id: &str, happens: Happens) {
    let found = sessions(database).find(|(other, _)| *other == id).map(|(_, session)| session);
    let after = found.and_then(|session| session.after(happens)).expect("it can happen");
    let (name, bytes) = (session_name(id), serde_json::to_vec(&after).expect("it is JSON"));
    let stored = Rc::new(Stored::new(&name, bytes));
    database.set(name.into(), stored);
}

/// Whether the provider remembers anything of what it was asked.
pub fn remembers(database: &Database) -> bool {
    database.of_kind("provider").any(|(name, _)| name.starts_with("provider:key:"))
}

/// The provider forgets under which names it was asked for sessions, and where there are to be `refunds` too, for
/// those.
pub fn forget(database: &mut Database, refunds: bool) {
    let names = database.of_kind("provider").map(|(name, _)| name);
    let kept = |name: &&str| name.starts_with("provider:key:refund:") && !refunds;
    let keys = names.filter(|name| name.starts_with("provider:key:")).filter(|name| !kept(name));
    let keys: Vec<Rc<str>> = keys.map(Rc::from).collect();
    database.remove(&keys);
}

impl Caller {
    /// Waits for its turn to ask. Answers whether the answer will be heard.
    async fn ask(&self, next: Next) -> Result<bool, ProviderError> {
        match self.its_turn(next).await {
            Turn::Made => Ok(true),
            Turn::Unheard => Ok(false),
            Turn::Failed => {
                self.hear("failed");
                self.note(|| "the provider does not answer".to_owned());
                Err(ProviderError::Unavailable("it was told to fail".to_owned()))
            }
            Turn::Refused => Err(ProviderError::Refused("it was told to refuse".to_owned())),
        }
    }

    /// The answer, if it is heard.
    fn heard<T: std::fmt::Debug>(&self, is_heard: bool, answer: T) -> Result<T, ProviderError> {
        self.hear(format!("{is_heard} {answer:?}"));
        if is_heard {
            return Ok(answer);
        }
        self.note(|| "the provider's answer is lost".to_owned());
        Err(ProviderError::Unavailable("the answer was lost".to_owned()))
    }

    fn session(&self, id: &str) -> Option<Session> {
        let bytes = self.shared.read(&session_name(id))?;
        Some(serde_json::from_slice(&bytes).expect("it is a session"))
    }

    fn write_session(&self, id: &str, session: &Session) {
        self.shared.write(session_name(id), serde_json::to_vec(session).expect("it is JSON"));
    }

    fn state(&self, id: &str) -> Result<SessionState, ProviderError> {
        let lost = || {
            self.hear("lost");
            ProviderError::Lost("no such session".to_owned())
        };
        let session = self.session(id).ok_or_else(lost)?;
        Ok(match session.is {
            Is::Lost => return Err(lost()),
            Is::Open => SessionState::Open(open(id)),
            Is::Processing => SessionState::Processing,
            Is::Closed => SessionState::Closed,
            Is::Paid => SessionState::Paid(Charge {
                id: format!("charge.{id}").parse().expect("it is an id"),
                order: session.order.parse().ok(),
                amount: session.charged.try_into().expect("it is in range"),
                currency: "CNY".to_owned().try_into().expect("it is a currency"),
                method: "card".parse().expect("it is a method"),
                charged_at: START.into(),
            }),
        })
    }
}

/// The page of a session is its name.
fn open(id: &str) -> OpenSession {
    let expires_at = Timestamp::from(START).after(WINDOW);
    OpenSession { id: id.parse().expect("it is an id"), url: id.to_owned(), expires_at }
}

impl Provider for Caller {
    async fn open(&self, checkout: Checkout<'_>) -> Result<OpenSession, ProviderError> {
        let (key, order) = (open_key(&checkout), checkout.order);
        let asked = self.ask(Next::Open).await;
        let refused = || Err(ProviderError::Refused("it will not".to_owned()));
        if matches!(asked, Err(ProviderError::Refused(_))) {
            self.shared.write(key, REFUSED.as_bytes().to_vec());
            self.hear(REFUSED);
            self.note(|| "the provider refuses to open a session".to_owned());
            return refused();
        }
        let is_heard = asked?;
        let known = self.shared.read(&key).map(|known| String::from_utf8(known).expect("it is a name"));
        let id = known.clone().unwrap_or_else(|| {
            let ids = (0..).map(|number| session_id(order.order_id, number));
            ids.into_iter().find(|id| self.session(id).is_none()).expect("there are few")
        });
        self.note(|| format!("open {} attempt {}: {id}", order.order_id, checkout.attempt));
        if known.is_none() {
            let (order, amount) = (order.order_id.to_string(), order.total().get());
            self.write_session(&id, &Session { order, amount, is: Is::Open, charged: 0, refunds: Vec::new() });
            self.shared.write(key, id.clone().into_bytes());
        }
        let id = self.heard(is_heard, id)?;
        if id == REFUSED { refused() } else { Ok(open(&id)) }
    }

    async fn look(&self, session: &SessionId) -> Result<SessionState, ProviderError> {
        let is_heard = self.ask(Next::Read).await?;
        let state = self.state(session.as_str())?;
        self.note(|| format!("look at {session}: {state:?}"));
        self.heard(is_heard, state)
    }

    async fn close(&self, session: &SessionId) -> Result<SessionState, ProviderError> {
        let is_heard = self.ask(Next::Write).await?;
        if let Some(closed) = self.session(session.as_str()).and_then(|there| there.after(Happens::Closes)) {
            self.write_session(session.as_str(), &closed);
        }
        let state = self.state(session.as_str())?;
        self.note(|| format!("close {session}: {state:?}"));
        self.heard(is_heard, state)
    }

    async fn refund(&self, repayment: Repayment<'_>) -> Result<RefundState, ProviderError> {
        let Repayment { charge, refund, amount, .. } = repayment;
        let is_heard = self.ask(Next::Write).await?;
        let (key, id) = (refund_key(refund), charge.as_str().trim_start_matches("charge."));
        self.note(|| format!("refund {charge} as {refund}"));
        let mut session = self.session(id).expect("it was charged");
        if self.shared.read(&key).is_none() {
            session.refunds.push(Refund { name: refund.to_string(), amount: amount.get(), has_failed: false });
            self.write_session(id, &session);
            self.shared.write(key, id.as_bytes().to_vec());
        }
        self.heard(is_heard, session.refund(refund).unwrap_or(RefundState::Failed))
    }

    async fn find_refund(&self, charge: &ChargeId, refund: &RefundId) -> Result<Option<RefundState>, ProviderError> {
        let is_heard = self.ask(Next::Read).await?;
        let session = self.session(charge.as_str().trim_start_matches("charge.")).expect("it was charged");
        let found = session.refund(refund);
        self.note(|| format!("find the refund {refund} of {charge}: {found:?}"));
        self.heard(is_heard, found)
    }

    /// No step disputes a charge: a dispute moves nothing in the shop.
    async fn find_dispute(&self, _: &DisputeId) -> Result<Option<FoundDispute>, ProviderError> {
        Ok(None)
    }

    fn read_notice(&self, _: &str, body: &[u8], _: Timestamp) -> Result<Notice, InvalidNotice> {
        let text = std::str::from_utf8(body).map_err(|_| InvalidNotice::Unreadable)?;
        let (order, session) = text.split_once(' ').ok_or(InvalidNotice::Unreadable)?;
        let order = order.parse().map_err(|_| InvalidNotice::Unreadable)?;
        if session.starts_with("charge.") {
            return Ok(Notice::Refund { order, charge: session.parse().map_err(|_| InvalidNotice::Unreadable)? });
        }
        Ok(Notice::Session { order, session: session.parse().map_err(|_| InvalidNotice::Unreadable)? })
    }
}

//! A payment provider in memory whose answers a test has in its hands.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use domain::dispute::FoundDispute;
use domain::{
    Charge, ChargeId, Checkout, DisputeId, InvalidNotice, Money, Notice, OpenSession, OrderId, Provider, ProviderError,
    RefundId, RefundState, Repayment, SessionId, SessionState, Timestamp,
};

/// What a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Session {
    Open,
    Processing,
    Paid(Charge),
    Closed,
    /// The provider does not know it any more.
    Lost,
}

/// How the next call of the provider goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not done, and fails.
    Fails,
    /// It is done, and its answer is lost.
    AnswerLost,
    /// It is refused, for good.
    Refuses,
}

#[derive(Debug, Default)]
struct Sessions {
    /// In the sequence in which they were opened, each with its order and attempt.
    all: Vec<(OrderId, u32, Session)>,
    refunds: BTreeMap<String, (ChargeId, Money, RefundState)>,
    disputes: BTreeMap<DisputeId, FoundDispute>,
    calls: Vec<&'static str>,
    fault: Option<Fault>,
}

/// Something that happens during a call.
type Meanwhile = Box<dyn Fn()>;

/// A provider that all shops of a test share.
#[derive(Clone)]
pub struct FakeProvider {
    sessions: Rc<RefCell<Sessions>>,
    /// How far a refund comes at once.
    pub refunds_come_to: Rc<Cell<RefundState>>,
    /// In which currencies it was asked to give something back.
    pub currencies: Rc<RefCell<Vec<String>>>,
    /// Whether a call is answered at all.
    pub answers: Rc<Cell<bool>>,
    /// What else happens during a call.
    pub meanwhile: Rc<RefCell<Option<Meanwhile>>>,
}

impl Default for FakeProvider {
    fn default() -> Self {
        let refunds_come_to = Rc::new(Cell::new(RefundState::Succeeded));
        Self {
            sessions: Rc::default(),
            refunds_come_to,
            currencies: Rc::default(),
            answers: Rc::new(Cell::new(true)),
            meanwhile: Rc::default(),
        }
    }
}

/// The name of the session that was opened as this one.
pub fn session(number: usize) -> SessionId {
    format!("session-{number}").parse().unwrap()
}

fn open(number: usize) -> OpenSession {
    let expires_at = Timestamp::from(1_700_000_900_000);
    OpenSession { id: session(number), url: format!("https://pay.example/{number}"), expires_at }
}

fn number(session: &SessionId) -> Option<usize> {
    session.as_str().strip_prefix("session-")?.parse().ok()
}

impl FakeProvider {
    pub fn fails_next(&self, fault: Fault) {
        self.sessions.borrow_mut().fault = Some(fault);
    }

    /// What was asked of it since the last time.
    pub fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.sessions.borrow_mut().calls)
    }

    pub fn is(&self, number: usize) -> Session {
        self.sessions.borrow().all[number].2.clone()
    }

    pub fn set(&self, number: usize, session: Session) {
        self.sessions.borrow_mut().all[number].2 = session;
    }

    /// The buyer pays in this session.
    pub fn charge(&self, number: usize, amount: u64) -> Charge {
        let order = self.sessions.borrow().all[number].0;
        let charge = Charge {
            id: format!("charge-{number}").parse().unwrap(),
            order: Some(order),
            amount: amount.try_into().unwrap(),
            currency: "CNY".to_owned().try_into().unwrap(),
            method: "card".parse().unwrap(),
            charged_at: 1_700_000_005_000.into(),
        };
        self.set(number, Session::Paid(charge.clone()));
        charge
    }

    /// The provider says this of a dispute from now on.
    pub fn dispute(&self, id: &str, found: FoundDispute) {
        self.sessions.borrow_mut().disputes.insert(id.parse().unwrap(), found);
    }

    /// The provider forgets under which names it has opened sessions.
    pub fn forget(&self) {
        self.sessions.borrow_mut().all.iter_mut().for_each(|(_, attempt, _)| *attempt = u32::MAX);
    }

    pub fn sessions(&self) -> usize {
        self.sessions.borrow().all.len()
    }

    /// What was given back, by the names of the refunds.
    pub fn refunds(&self) -> BTreeMap<String, (ChargeId, Money)> {
        let sessions = self.sessions.borrow();
        sessions.refunds.iter().map(|(name, (charge, amount, _))| (name.clone(), (charge.clone(), *amount))).collect()
    }

    /// Those refunds come to this that are pending.
    pub fn settle_pending(&self, state: RefundState) {
        let sessions = &mut *self.sessions.borrow_mut();
        let pending = sessions.refunds.values_mut().filter(|(.., is)| *is == RefundState::Pending);
        pending.for_each(|(.., is)| *is = state);
    }

    /// All refunds come to this.
    pub fn settle_refunds(&self, state: RefundState) {
        self.refunds_come_to.set(state);
        self.sessions.borrow_mut().refunds.values_mut().for_each(|(.., is)| *is = state);
    }

    /// Does what is asked for, unless it goes wrong.
    async fn call<T>(&self, name: &'static str, what: impl FnOnce(&mut Sessions) -> T) -> Result<T, ProviderError> {
        if !self.answers.get() {
            std::future::pending::<()>().await;
        }
        if let Some(meanwhile) = &*self.meanwhile.borrow() {
            meanwhile();
        }
        let sessions = &mut *self.sessions.borrow_mut();
        sessions.calls.push(name);
        match sessions.fault.take() {
            None => Ok(what(sessions)),
            Some(Fault::Fails) => Err(ProviderError::Unavailable("it was told to fail".to_owned())),
            Some(Fault::Refuses) => Err(ProviderError::Refused("it was told to refuse".to_owned())),
            Some(Fault::AnswerLost) => {
                what(sessions);
                Err(ProviderError::Unavailable("the answer was lost".to_owned()))
            }
        }
    }

    async fn ask(
        &self,
        name: &'static str,
        session: &SessionId,
        what: impl FnOnce(&mut Session),
    ) -> Result<SessionState, ProviderError> {
        let lost = || ProviderError::Lost("no such session".to_owned());
        let number = number(session).ok_or_else(lost)?;
        let asked = self.call(name, |sessions| {
            let (_, _, session) = sessions.all.get_mut(number)?;
            what(session);
            Some(session.clone())
        });
        Ok(match asked.await?.ok_or_else(lost)? {
            Session::Lost => return Err(lost()),
            Session::Open => SessionState::Open(open(number)),
            Session::Processing => SessionState::Processing,
            Session::Paid(charge) => SessionState::Paid(charge),
            Session::Closed => SessionState::Closed,
        })
    }
}

impl Provider for FakeProvider {
    async fn open(&self, checkout: Checkout<'_>) -> Result<OpenSession, ProviderError> {
        let (order, attempt) = (checkout.order.order_id, checkout.attempt);
        let opened = self.call("open", |sessions| {
            let known = sessions.all.iter().position(|(of, as_attempt, _)| *of == order && *as_attempt == attempt);
            known.unwrap_or_else(|| {
                sessions.all.push((order, attempt, Session::Open));
                sessions.all.len() - 1
            })
        });
        opened.await.map(open)
    }

    async fn look(&self, session: &SessionId) -> Result<SessionState, ProviderError> {
        self.ask("look", session, |_| ()).await
    }

    async fn close(&self, session: &SessionId) -> Result<SessionState, ProviderError> {
        let close = |session: &mut Session| {
            if *session == Session::Open {
                *session = Session::Closed;
            }
        };
        self.ask("close", session, close).await
    }

    async fn refund(&self, repayment: Repayment<'_>) -> Result<RefundState, ProviderError> {
        let Repayment { charge, amount, refund, currency, .. } = repayment;
        self.currencies.borrow_mut().push(currency.to_string());
        let comes_to = self.refunds_come_to.get();
        let made = self.call("refund", |sessions| {
            let new = || (charge.clone(), amount, comes_to);
            sessions.refunds.entry(refund.to_string()).or_insert_with(new).2
        });
        made.await
    }

    async fn find_refund(&self, _: &ChargeId, refund: &RefundId) -> Result<Option<RefundState>, ProviderError> {
        self.call("find_refund", |sessions| sessions.refunds.get(refund.as_str()).map(|(.., state)| *state)).await
    }

    async fn find_dispute(&self, dispute: &DisputeId) -> Result<Option<FoundDispute>, ProviderError> {
        self.call("find_dispute", |sessions| sessions.disputes.get(dispute).cloned()).await
    }

    /// The body of a message has the order and the session, or the charge; or a dispute alone.
    fn read_notice(&self, signature: &str, body: &[u8], _: Timestamp) -> Result<Notice, InvalidNotice> {
        if signature != "signed" {
            return Err(InvalidNotice::Signature);
        }
        let text = std::str::from_utf8(body).map_err(|_| InvalidNotice::Unreadable)?;
        if text.starts_with("dispute-") {
            return Ok(Notice::Dispute(text.parse().map_err(|_| InvalidNotice::Unreadable)?));
        }
        let Some((order, name)) = text.split_once(' ') else { return Ok(Notice::NotOurs) };
        let order = order.parse().map_err(|_| InvalidNotice::Unreadable)?;
        if name.starts_with("charge-") {
            return Ok(Notice::Refund { order, charge: name.parse().map_err(|_| InvalidNotice::Unreadable)? });
        }
        Ok(Notice::Session { order, session: name.parse().map_err(|_| InvalidNotice::Unreadable)? })
    }
}

//! The domain's calls, as requests to Stripe.

use std::cell::OnceCell;

use domain::dispute::FoundDispute;
use domain::{
    ChargeId, Checkout, DisputeId, Environment, InvalidNotice, Notice, OpenSession, Provider, ProviderError, RefundId,
    RefundState, Repayment, SessionId, SessionState, Timestamp,
};

use crate::client::{Ask, Client, Deadline, Failure, Form, Patience, Told};
use crate::currency::Unit;
use crate::dispute::{self, DISPUTES, Dispute};
use crate::notice;
use crate::refund::{MAX_PAGES, PAGE, Page, REFUND_ID, REFUNDS, Refund, further, refund_key};
use crate::session::{EXPANDED, MADE_BY, ORDER_ID, SESSIONS, Session, THIS_SHOP, is_object_id, opening, opening_key};
use crate::settings::Settings;
use crate::transport::{Method, Transport};

/// Stripe, as a payment provider of the domain.
#[derive(Debug)]
pub struct Stripe<T, E>(Client<T, E>);

impl<T: Transport, E: Environment> Stripe<T, E> {
    /// Stripe, by these settings, over this transport.
    pub fn new(settings: Settings, transport: T, environment: E) -> Self {
        let (patience, last) = (Patience::default(), OnceCell::new());
        Self(Client { settings, transport, environment, patience, last })
    }

    /// With another patience than the usual one.
    pub fn with_patience(self, patience: Patience) -> Self {
        Self(Client { patience, ..self.0 })
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Asks for a session and all that is needed to say what it is.
    async fn session(&self, session: &SessionId, method: Method, until: Deadline) -> Result<Told<Session>, Failure> {
        let id = object_id(session.as_str())?;
        let path = match method {
            Method::Get => format!("{SESSIONS}/{id}"),
            Method::Post => format!("{SESSIONS}/{id}/expire"),
        };
        let form = EXPANDED.iter().fold(Form::default(), |form, name| form.with("expand[]", name));
        self.0.ask(Ask { method, path: &path, form: &form, idempotency_key: None }, until).await
    }

    async fn look_until(&self, session: &SessionId, until: Deadline) -> Result<SessionState, ProviderError> {
        let told = match self.session(session, Method::Get, until).await {
            // Another failure of the key or of the account is not this one.
            Err(Failure::Missing(why)) => return Err(ProviderError::Lost(why)),
            told => told?,
        };
        told.answer.state(&self.0.settings, session)
    }

    async fn find_refund_until(
        &self,
        charge: &ChargeId,
        refund: &RefundId,
        until: Deadline,
    ) -> Result<Option<RefundState>, ProviderError> {
        let charged = object_id(charge.as_str())?;
        let (mut found, mut after) = (None, None::<String>);
        for _ in 0..MAX_PAGES {
            let form = Form::default().with("payment_intent", charged).with("limit", PAGE);
            let form = match &after {
                Some(after) => form.with("starting_after", after),
                None => form,
            };
            let ask = Ask { method: Method::Get, path: REFUNDS, form: &form, idempotency_key: None };
            let page = self.0.ask::<Page>(ask, until).await?.answer;
            found = further(found, page.find(charge, refund)?);
            match page.next()? {
                Some(next) => after = Some(next.to_owned()),
                None => return Ok(found),
            }
        }
        Err(ProviderError::Nonsense("the charge has more refunds than any has".to_owned()))
    }
}

/// The id, if it can stand in a path.
fn object_id(text: &str) -> Result<&str, Failure> {
    if is_object_id(text) { Ok(text) } else { Err(Failure::Refused("this is no id of Stripe's".to_owned())) }
}

impl<T: Transport, E: Environment> Provider for Stripe<T, E> {
    async fn open(&self, checkout: Checkout<'_>) -> Result<OpenSession, ProviderError> {
        let form = opening(&self.0.settings, checkout.order)?;
        let key = opening_key(checkout, &form);
        let ask = Ask { method: Method::Post, path: SESSIONS, form: &form, idempotency_key: Some(&key) };
        let told = self.0.ask::<Session>(ask, self.0.deadline()).await?;
        told.answer.opened(&self.0.settings, checkout)
    }

    async fn look(&self, session: &SessionId) -> Result<SessionState, ProviderError> {
        self.look_until(session, self.0.deadline()).await
    }

    async fn close(&self, session: &SessionId) -> Result<SessionState, ProviderError> {
        let until = self.0.deadline();
        match self.session(session, Method::Post, until).await {
            Ok(told) if !told.answer.is_unexpanded() => told.answer.state(&self.0.settings, session),
            // It is not open any more, or was closed by a request whose answer was lost.
            Ok(_) | Err(Failure::Refused(_) | Failure::Missing(_)) => self.look_until(session, until).await,
            Err(failure) => Err(failure.into()),
        }
    }

    async fn refund(&self, repayment: Repayment<'_>) -> Result<RefundState, ProviderError> {
        let Repayment { order, charge, amount, currency, refund } = repayment;
        let until = self.0.deadline();
        let too_fine = || ProviderError::Refused(format!("Stripe cannot count {amount} minor units of {currency}"));
        let counted = Unit::of(currency).and_then(|unit| unit.exactly(amount)).ok_or_else(too_fine)?;
        let form = Form::default()
            .with("payment_intent", object_id(charge.as_str())?)
            .with("amount", &counted.to_string())
            .with(&format!("metadata[{ORDER_ID}]"), &order.to_string())
            .with(&format!("metadata[{REFUND_ID}]"), refund.as_str())
            .with(&format!("metadata[{MADE_BY}]"), THIS_SHOP);
        let key = refund_key(refund);
        let ask = Ask { method: Method::Post, path: REFUNDS, form: &form, idempotency_key: Some(&key) };
        match self.0.ask::<Refund>(ask, until).await {
            Ok(Told { answer, is_replay: false }) => answer.made(charge, counted, refund),
            // What was answered once may have changed: a refund that succeeded can fail later.
            Ok(Told { answer, is_replay: true }) => {
                let then = answer.made(charge, counted, refund)?;
                Ok(self.find_refund_until(charge, refund, until).await?.unwrap_or(then))
            }
            // It may have been made under a name that is forgotten, or before a failure that is remembered.
            Err(Failure::Refused(why) | Failure::Missing(why)) => {
                let found = self.find_refund_until(charge, refund, until).await?;
                found.ok_or(ProviderError::Refused(why))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    async fn find_refund(&self, charge: &ChargeId, refund: &RefundId) -> Result<Option<RefundState>, ProviderError> {
        self.find_refund_until(charge, refund, self.0.deadline()).await
    }

    async fn find_dispute(&self, dispute: &DisputeId) -> Result<Option<FoundDispute>, ProviderError> {
        let path = format!("{DISPUTES}/{}", object_id(dispute.as_str())?);
        let form = Form::default().with("expand[]", dispute::EXPANDED);
        let ask = Ask { method: Method::Get, path: &path, form: &form, idempotency_key: None };
        match self.0.ask::<Dispute>(ask, self.0.deadline()).await {
            Ok(told) => told.answer.found(dispute),
            Err(Failure::Missing(_)) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    fn read_notice(&self, signature: &str, body: &[u8], now: Timestamp) -> Result<Notice, InvalidNotice> {
        notice::read(&self.0.settings, signature, body, now)
    }
}

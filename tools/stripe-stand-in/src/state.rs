//! All that the stand-in has done, and how it changes: a transaction at a time, each on file before it is told.

mod disputes;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{ApiError, Error};
use crate::faults::{Fault, Faults};
use crate::objects::{
    API_VERSION, Charge, ChargeStatus, Delivery, Dispute, Event, Intent, IntentStatus, Refund, RefundStatus, Saved,
    Session, SessionStatus, Signature,
};

pub(crate) use disputes::DisputeAct;

/// How long an idempotency key is remembered, in seconds.
pub(crate) const KEY_LIFETIME: i64 = 24 * 60 * 60;

/// A change, as the file of the state has it. A line of the file is one transaction.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Row {
    Session(Session),
    Intent(Intent),
    Charge(Charge),
    Refund(Refund),
    Dispute(Dispute),
    Event(Event),
    Delivery(String, Delivery),
    Saved(Saved),
    KeysForgotten,
}

/// What caused an event: the id and the idempotency key of a request; nothing where it was a buyer or the clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cause {
    pub(crate) request: Option<String>,
    pub(crate) key: Option<String>,
}

/// Why a buyer, a bank or a merchant cannot do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuyerError {
    /// There is no such session, refund or dispute.
    #[error("there is no {0}")]
    Unknown(String),
    /// It is in another state.
    #[error("{0} is {1}")]
    State(String, &'static str),
    /// It is not this amount that can be disputed.
    #[error("of charge {charge}, between 1 and {rest} can be disputed")]
    Amount {
        /// The charge.
        charge: String,
        /// What is not disputed of it, in minor units.
        rest: i64,
    },
    /// What was done could not be written to the file of the state, so it must not be told.
    #[error("the state cannot be written: {0}")]
    File(String),
}

/// What a request wants to open.
#[derive(Clone, Debug)]
pub(crate) struct NewSession {
    pub(crate) session: Session,
    pub(crate) expand: Vec<String>,
}

/// What a request wants to refund.
#[derive(Clone, Debug)]
pub(crate) struct NewRefund {
    pub(crate) intent: Option<String>,
    pub(crate) charge: Option<String>,
    pub(crate) amount: Option<i64>,
    pub(crate) reason: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// All that the stand-in has done.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) sessions: BTreeMap<String, Session>,
    pub(crate) intents: BTreeMap<String, Intent>,
    pub(crate) charges: BTreeMap<String, Charge>,
    pub(crate) refunds: BTreeMap<String, Refund>,
    pub(crate) disputes: BTreeMap<String, Dispute>,
    pub(crate) events: BTreeMap<String, Event>,
    keys: BTreeMap<String, Saved>,
    pub(crate) faults: Faults,
    /// The address of the hosted pages.
    pub(crate) base: String,
    /// The refunds of each charge, so that none is looked for.
    refunds_of: BTreeMap<String, Vec<String>>,
    /// The disputes of each charge, likewise.
    disputes_of: BTreeMap<String, Vec<String>>,
    /// When something happens to a session by itself.
    due: BTreeSet<(i64, String)>,
    last: u64,
    journal: Option<File>,
    /// What this transaction has changed yet.
    rows: Vec<Row>,
    /// What this transaction has caused.
    caused: Vec<String>,
    /// Since when a transaction is in memory and not on file, nothing is told any more.
    broken: bool,
}

/// A random id as Stripe makes them.
pub(crate) fn new_id(prefix: &str, length: usize) -> String {
    let random: String = (0..length).map(|_| fastrand::alphanumeric()).collect();
    format!("{prefix}{random}")
}

impl State {
    /// The state that a file has, which is made if it is not there.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Error> {
        let mut state = Self::default();
        let Some(path) = path else { return Ok(state) };
        let failed = |reason: String| Error::File { path: path.to_owned(), reason };
        let open = OpenOptions::new().create(true).read(true).append(true).open(path);
        let mut file = open.map_err(|error| failed(error.to_string()))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|error| failed(error.to_string()))?;
        // A last line without its end was being written when the process was killed: nothing of it was told.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(|error| failed(error.to_string()))?;
        for (number, line) in
            text[..whole].split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty())
        {
            let rows: Vec<Row> =
                serde_json::from_slice(line).map_err(|error| failed(format!("line {}: {error}", number + 1)))?;
            rows.into_iter().for_each(|row| state.apply(row));
        }
        state.journal = Some(file);
        Ok(state)
    }

    fn apply(&mut self, row: Row) {
        match row {
            Row::Session(session) => {
                self.last = self.last.max(session.number);
                if let Some(old) = self.sessions.get(&session.id) {
                    let gone: Vec<_> = due_of(old).collect();
                    gone.iter().for_each(|due| _ = self.due.remove(due));
                }
                self.due.extend(due_of(&session));
                self.sessions.insert(session.id.clone(), session);
            }
            Row::Intent(intent) => {
                self.last = self.last.max(intent.number);
                self.intents.insert(intent.id.clone(), intent);
            }
            Row::Charge(charge) => {
                self.last = self.last.max(charge.number);
                self.charges.insert(charge.id.clone(), charge);
            }
            Row::Refund(refund) => {
                self.last = self.last.max(refund.number);
                let of_charge = self.refunds_of.entry(refund.charge.clone()).or_default();
                if !of_charge.contains(&refund.id) {
                    of_charge.push(refund.id.clone());
                }
                self.refunds.insert(refund.id.clone(), refund);
            }
            Row::Dispute(dispute) => {
                self.last = self.last.max(dispute.number);
                let of_charge = self.disputes_of.entry(dispute.charge.clone()).or_default();
                if !of_charge.contains(&dispute.id) {
                    of_charge.push(dispute.id.clone());
                }
                self.disputes.insert(dispute.id.clone(), dispute);
            }
            Row::Event(event) => {
                self.last = self.last.max(event.number);
                self.events.insert(event.id.clone(), event);
            }
            Row::Delivery(id, delivery) => {
                if let Some(event) = self.events.get_mut(&id) {
                    event.delivery = delivery;
                }
            }
            Row::Saved(saved) => _ = self.keys.insert(saved.key.clone(), saved),
            Row::KeysForgotten => self.keys.clear(),
        }
    }

    fn put(&mut self, row: Row) {
        if self.journal.is_some() {
            self.rows.push(row.clone());
        }
        self.apply(row);
    }

    /// Ends a transaction: what it has changed is on file then. Answers with the events that it caused.
    ///
    /// # Errors
    /// It is not on file, so nothing of it may be told, now or later.
    pub(crate) fn commit(&mut self) -> io::Result<Vec<String>> {
        let (rows, caused) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.caused));
        if self.broken {
            return Err(io::Error::other("the state could not be written before"));
        }
        if let Some(file) = self.journal.as_mut().filter(|_| !rows.is_empty()) {
            let mut line = serde_json::to_vec(&rows)?;
            line.push(b'\n');
            // What is written outlives this process, not the machine.
            if let Err(error) = file.write_all(&line) {
                self.broken = true;
                return Err(error);
            }
        }
        Ok(caused)
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// What happens by itself until now: sessions expire, and payments that were processing come to an end.
    pub(crate) fn pass(&mut self, now: i64) {
        while let Some((at, id)) = self.due.first().cloned() {
            if at > now {
                break;
            }
            self.due.pop_first();
            let Some(session) = self.sessions.get(&id) else { continue };
            if let Some((_, succeeds)) = session.settles {
                _ = self.settle(&id, succeeds, now);
            } else if session.status == SessionStatus::Open {
                let session = session.clone();
                self.end(session, now, &Cause::default());
            }
        }
    }

    /// The answer that is remembered under a key.
    pub(crate) fn saved(&self, key: &str, now: i64) -> Option<&Saved> {
        self.keys.get(key).filter(|saved| now < saved.at.saturating_add(KEY_LIFETIME))
    }

    pub(crate) fn save(&mut self, saved: Saved) {
        self.put(Row::Saved(saved));
    }

    pub(crate) fn forget_keys(&mut self) {
        self.put(Row::KeysForgotten);
    }

    /// Opens a session.
    pub(crate) fn create(&mut self, new: NewSession) -> Session {
        let session = Session { number: self.next(), ..new.session };
        self.put(Row::Session(session.clone()));
        session
    }

    fn session(&self, id: &str) -> Result<&Session, BuyerError> {
        self.sessions.get(id).ok_or_else(|| BuyerError::Unknown(format!("session {id}")))
    }

    /// The merchant ends a session, or only says so.
    pub(crate) fn expire(&mut self, id: &str, says_closed: bool, now: i64, cause: &Cause) -> Result<(), ApiError> {
        let found = self.sessions.get(id).cloned();
        let session = found.ok_or_else(|| ApiError::unknown("checkout.session", id, "session"))?;
        let status = session.said_status();
        if status != SessionStatus::Open {
            return Err(ApiError::invalid(format!(
                "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of \
                 `{}`.",
                status.as_str()
            )));
        }
        if says_closed {
            self.say_closed(id, now, cause);
        } else {
            self.end(session, now, cause);
        }
        Ok(())
    }

    /// An open session says from now on that it is expired, and can be paid all the same.
    pub(crate) fn say_closed(&mut self, id: &str, now: i64, cause: &Cause) {
        let open = self.sessions.get(id).filter(|session| session.said_status() == SessionStatus::Open).cloned();
        if let Some(session) = open {
            self.put(Row::Session(Session { says_closed: true, ..session }));
            self.session_event("checkout.session.expired", id, now, cause);
        }
    }

    /// A session expires, and what was tried in it is cancelled.
    fn end(&mut self, session: Session, now: i64, cause: &Cause) {
        if let Some(intent) = session.intent.as_ref().and_then(|id| self.intents.get(id)).cloned() {
            self.put(Row::Intent(Intent { status: IntentStatus::Canceled, canceled_at: Some(now), ..intent }));
        }
        let id = session.id.clone();
        self.put(Row::Session(Session { status: SessionStatus::Expired, ..session }));
        self.session_event("checkout.session.expired", &id, now, cause);
    }

    /// The buyer tries to pay.
    fn attempt(&mut self, id: &str, method: &str, status: ChargeStatus, now: i64) -> Result<(), BuyerError> {
        let session = self.session(id)?.clone();
        if session.status != SessionStatus::Open {
            return Err(BuyerError::State(format!("session {id}"), session.status.as_str()));
        }
        let (mut amount, mut currency) = (session.amount, session.currency.clone());
        if status != ChargeStatus::Failed {
            for fault in self.faults.of_charge() {
                match fault {
                    Fault::OtherAmount => amount += 1,
                    Fault::OtherCurrency => currency = if currency == "usd" { "eur" } else { "usd" }.to_owned(),
                    _ => {}
                }
            }
        }
        let tried = session.intent.as_ref().and_then(|id| self.intents.get(id)).cloned();
        let intent = tried.unwrap_or_else(|| Intent {
            id: new_id("pi_3", 23),
            number: 0,
            created: now,
            session: session.id.clone(),
            amount,
            currency: currency.clone(),
            status: IntentStatus::RequiresPaymentMethod,
            methods: session.methods.clone(),
            metadata: session.intent_metadata.clone(),
            description: session.intent_description.clone(),
            charge: None,
            canceled_at: None,
        });
        let charge = Charge {
            id: new_id("ch_3", 23),
            number: self.next(),
            created: now,
            intent: intent.id.clone(),
            session: session.id.clone(),
            amount,
            currency: currency.clone(),
            method: method.to_owned(),
            status,
            metadata: session.intent_metadata.clone(),
        };
        let number = if intent.number == 0 { self.next() } else { intent.number };
        let intent_status = match status {
            ChargeStatus::Pending => IntentStatus::Processing,
            ChargeStatus::Succeeded => IntentStatus::Succeeded,
            ChargeStatus::Failed => IntentStatus::RequiresPaymentMethod,
        };
        let intent =
            Intent { number, amount, currency, status: intent_status, charge: Some(charge.id.clone()), ..intent };
        self.put(Row::Session(Session {
            intent: Some(intent.id.clone()),
            status: if status == ChargeStatus::Failed { session.status } else { SessionStatus::Complete },
            paid: status == ChargeStatus::Succeeded,
            ..session
        }));
        self.put(Row::Intent(intent));
        self.put(Row::Charge(charge));
        if status != ChargeStatus::Failed {
            self.session_event("checkout.session.completed", id, now, &Cause::default());
        }
        Ok(())
    }

    /// The buyer pays.
    pub(crate) fn pay(&mut self, id: &str, method: &str, now: i64) -> Result<(), BuyerError> {
        self.attempt(id, method, ChargeStatus::Succeeded, now)
    }

    /// The buyer tries to pay, and is declined.
    pub(crate) fn decline(&mut self, id: &str, method: &str, now: i64) -> Result<(), BuyerError> {
        self.attempt(id, method, ChargeStatus::Failed, now)
    }

    /// The buyer pays by a means that takes a while: until this time, if it comes to an end by itself.
    pub(crate) fn pay_later(
        &mut self,
        id: &str,
        method: &str,
        settles: Option<(i64, bool)>,
        now: i64,
    ) -> Result<(), BuyerError> {
        self.attempt(id, method, ChargeStatus::Pending, now)?;
        if let Some(session) = self.sessions.get(id).cloned().filter(|_| settles.is_some()) {
            self.put(Row::Session(Session { settles, ..session }));
        }
        Ok(())
    }

    /// What was processing comes to an end.
    pub(crate) fn settle(&mut self, id: &str, succeeds: bool, now: i64) -> Result<(), BuyerError> {
        let session = self.session(id)?.clone();
        let not_processing = || BuyerError::State(format!("session {id}"), "not processing");
        let intent = session.intent.as_ref().and_then(|id| self.intents.get(id)).cloned().ok_or_else(not_processing)?;
        let charge = intent.charge.as_ref().and_then(|id| self.charges.get(id)).cloned().ok_or_else(not_processing)?;
        if intent.status != IntentStatus::Processing {
            return Err(not_processing());
        }
        let (status, charged, event) = if succeeds {
            (IntentStatus::Succeeded, ChargeStatus::Succeeded, "checkout.session.async_payment_succeeded")
        } else {
            (IntentStatus::RequiresPaymentMethod, ChargeStatus::Failed, "checkout.session.async_payment_failed")
        };
        self.put(Row::Session(Session { paid: succeeds, settles: None, ..session }));
        self.put(Row::Intent(Intent { status, ..intent }));
        self.put(Row::Charge(Charge { status: charged, ..charge }));
        self.session_event(event, id, now, &Cause::default());
        Ok(())
    }

    /// What went back of a charge, or is on its way.
    pub(crate) fn refunded(&self, charge: &str) -> i64 {
        let refunds = self.refunds_of.get(charge).into_iter().flatten().filter_map(|id| self.refunds.get(id));
        refunds.filter(|refund| refund.status != RefundStatus::Failed).map(|refund| refund.amount).sum()
    }

    /// The merchant gives money back.
    pub(crate) fn refund(
        &mut self,
        new: NewRefund,
        status: RefundStatus,
        now: i64,
        cause: &Cause,
    ) -> Result<Refund, ApiError> {
        let charge = match (&new.charge, &new.intent) {
            (Some(id), _) => self.charges.get(id).ok_or_else(|| ApiError::unknown("charge", id, "charge"))?,
            (None, Some(id)) => {
                let unknown = || ApiError::unknown("payment_intent", id, "payment_intent");
                let intent = self.intents.get(id).ok_or_else(unknown)?;
                let charge = intent.charge.as_ref().and_then(|id| self.charges.get(id));
                let charge = charge.filter(|charge| charge.status == ChargeStatus::Succeeded);
                let none = format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
                charge.ok_or_else(|| ApiError::invalid(none).code("charge_not_refundable"))?
            }
            (None, None) => return Err(ApiError::missing("charge")),
        };
        if new.intent.as_ref().is_some_and(|id| *id != charge.intent) {
            return Err(ApiError::invalid("The charge is not one of the PaymentIntent.").param("charge"));
        }
        if charge.status != ChargeStatus::Succeeded {
            let message = format!("Charge {} was not successful, so it cannot be refunded.", charge.id);
            return Err(ApiError::invalid(message).param("charge"));
        }
        if !self.is_refundable(&charge.id) {
            let message = format!("Charge {} has been charged back; cannot issue a refund.", charge.id);
            return Err(ApiError::invalid(message).code("charge_disputed"));
        }
        let rest = charge.amount - self.refunded(&charge.id);
        if rest == 0 {
            let message = format!("Charge {} has already been refunded.", charge.id);
            return Err(ApiError::invalid(message).code("charge_already_refunded"));
        }
        let amount = new.amount.unwrap_or(rest);
        if amount > rest {
            let format = |amount| crate::currency::format(amount, &charge.currency);
            let message = format!(
                "Refund amount ({}) is greater than unrefunded amount on charge ({})",
                format(amount),
                format(rest)
            );
            return Err(ApiError::invalid(message).param("amount"));
        }
        let refund = Refund {
            id: new_id("re_3", 23),
            number: 0,
            created: now,
            charge: charge.id.clone(),
            intent: charge.intent.clone(),
            amount,
            currency: charge.currency.clone(),
            status,
            reason: new.reason,
            metadata: new.metadata,
        };
        let refund = Refund { number: self.next(), ..refund };
        self.put(Row::Refund(refund.clone()));
        self.refund_event("refund.created", &refund, now, cause);
        if status == RefundStatus::Failed {
            self.refund_event("refund.failed", &refund, now, cause);
        } else if let Some(charge) = self.charges.get(&refund.charge).map(|charge| self.charge_json(charge)) {
            self.emit("charge.refunded", charge, now, cause);
            if amount == rest {
                self.close_inquiries(&refund.charge, now, cause);
            }
        }
        Ok(refund)
    }

    /// A refund that was pending comes to an end; or one that had succeeded fails after all.
    pub(crate) fn settle_refund(&mut self, id: &str, succeeds: bool, now: i64) -> Result<(), BuyerError> {
        let found = self.refunds.get(id).cloned();
        let refund = found.ok_or_else(|| BuyerError::Unknown(format!("refund {id}")))?;
        let status = if succeeds { RefundStatus::Succeeded } else { RefundStatus::Failed };
        if refund.status == RefundStatus::Failed || refund.status == status {
            return Err(BuyerError::State(format!("refund {id}"), "settled"));
        }
        let refund = Refund { status, ..refund };
        self.put(Row::Refund(refund.clone()));
        self.refund_event("refund.updated", &refund, now, &Cause::default());
        self.refund_event("charge.refund.updated", &refund, now, &Cause::default());
        if !succeeds {
            self.refund_event("refund.failed", &refund, now, &Cause::default());
        }
        Ok(())
    }

    fn session_event(&mut self, kind: &str, id: &str, now: i64, cause: &Cause) {
        let Some(object) = self.sessions.get(id).map(|session| session.json(&self.base)) else { return };
        self.emit(kind, object, now, cause);
    }

    fn refund_event(&mut self, kind: &str, refund: &Refund, now: i64, cause: &Cause) {
        self.emit(kind, refund.json(), now, cause);
    }

    /// Keeps an event, with what the faults make of its delivery.
    fn emit(&mut self, kind: &str, object: Value, now: i64, cause: &Cause) {
        let mut event = Event {
            id: new_id("evt_1", 23),
            number: self.next(),
            created: now,
            kind: kind.to_owned(),
            object: Value::Null,
            body: None,
            delivery: Delivery::Pending,
            signature: Signature::Good,
            copies: 1,
            delay: 0,
            early: false,
        };
        event.object = event_json(&event.id, kind, object, now, cause);
        for fault in self.faults.of_webhook(kind) {
            let mut other = event.object.clone();
            let about = &mut other["data"]["object"];
            match fault {
                Fault::Early => event.early = true,
                Fault::Thrice => event.copies = 3,
                Fault::Delayed(time) => event.delay = u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
                Fault::Never => event.delivery = Delivery::Ended,
                Fault::Held => event.delivery = Delivery::Held,
                Fault::OldTimestamp => event.signature = Signature::OldTimestamp,
                Fault::WrongSecret => event.signature = Signature::WrongSecret,
                Fault::Unsigned => event.signature = Signature::Missing,
                Fault::NoJson => event.body = Some("{\"id\": \"evt_1, this is cut".to_owned()),
                Fault::UnknownSession => {
                    about["id"] = another_id(about).into();
                    event.body = Some(other.to_string());
                }
                Fault::OtherAccount => {
                    about["id"] = another_id(about).into();
                    if about["object"] == "dispute" {
                        about["charge"] = new_id("ch_3", 23).into();
                        about["payment_intent"] = new_id("pi_3", 23).into();
                    }
                    other["account"] = new_id("acct_1", 15).into();
                    event.body = Some(other.to_string());
                }
                // A dispute has no metadata of the shop: its charge says what it is about.
                Fault::NotOurs if about["object"] == "dispute" => {
                    about["charge"] = new_id("ch_3", 23).into();
                    about["payment_intent"] = Value::Null;
                    event.body = Some(other.to_string());
                }
                Fault::OtherOrder if about["object"] == "dispute" => {
                    let own = about["charge"].as_str();
                    let others = self.charges.values().rev().filter(|charge| Some(charge.id.as_str()) != own);
                    let made = others.into_iter().find(|charge| charge.status == ChargeStatus::Succeeded);
                    let made = made.map(|charge| (charge.id.clone(), charge.intent.clone()));
                    let (charge, intent) = made.unwrap_or_else(|| (new_id("ch_3", 23), new_id("pi_3", 23)));
                    about["charge"] = charge.into();
                    about["payment_intent"] = intent.into();
                    event.body = Some(other.to_string());
                }
                Fault::NotOurs => {
                    about["client_reference_id"] = Value::Null;
                    about["metadata"] = json!({});
                    event.body = Some(other.to_string());
                }
                Fault::OtherOrder => {
                    let own = about["client_reference_id"].as_str();
                    let order = self.sessions.values().rev().filter_map(|session| session.order.as_deref());
                    let other_order = order.into_iter().find(|order| Some(*order) != own);
                    let other_order = other_order.unwrap_or("00000000-0000-4000-8000-000000000000").to_owned();
                    if let Some(metadata) = about["metadata"].as_object_mut() {
                        metadata.values_mut().for_each(|value| *value = other_order.as_str().into());
                    }
                    about["client_reference_id"] = other_order.into();
                    event.body = Some(other.to_string());
                }
                _ => {}
            }
        }
        self.caused.push(event.id.clone());
        self.put(Row::Event(event));
    }

    /// What has become of a delivery.
    pub(crate) fn delivered(&mut self, id: &str, delivery: Delivery) {
        self.put(Row::Delivery(id.to_owned(), delivery));
    }

    /// The webhooks that were kept back are delivered now.
    pub(crate) fn release(&mut self) {
        let held = self.events.values().filter(|event| event.delivery == Delivery::Held);
        let held: Vec<_> = held.map(|event| event.id.clone()).collect();
        for id in held {
            self.put(Row::Delivery(id.clone(), Delivery::Pending));
            self.caused.push(id);
        }
    }

    /// The events that are still to be delivered, in the order in which they happened.
    pub(crate) fn undelivered(&self) -> Vec<Event> {
        let mut pending: Vec<_> = self.events.values().filter(|event| event.delivery == Delivery::Pending).collect();
        pending.sort_by_key(|event| event.number);
        pending.into_iter().cloned().collect()
    }

    pub(crate) fn session_json(&self, session: &Session) -> Value {
        session.json(&self.base)
    }

    pub(crate) fn charge_json(&self, charge: &Charge) -> Value {
        charge.json(self.refunded(&charge.id), self.is_disputed(&charge.id))
    }

    /// The object of an id, where an answer may show it.
    fn object(&self, id: &str) -> Option<Value> {
        if let Some(intent) = self.intents.get(id) {
            return Some(intent.json());
        }
        self.charges.get(id).map(|charge| self.charge_json(charge))
    }

    /// Puts the object in place of its id, at the end of a path like `data.payment_intent.latest_charge`. What is not
    /// there yet is null, and stays so.
    pub(crate) fn expand(&self, value: &mut Value, path: &str) {
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        if name.is_empty() {
            return;
        }
        if let Some(data) = value.get_mut(name).and_then(Value::as_array_mut) {
            return data.iter_mut().for_each(|one| self.expand(one, rest));
        }
        if name == "line_items" {
            let session = value.get("id").and_then(Value::as_str).and_then(|id| self.sessions.get(id));
            if let Some(session) = session {
                value["line_items"] = session.line_items();
            }
            return;
        }
        let Some(inner) = value.get_mut(name) else { return };
        if let Some(object) = inner.as_str().and_then(|id| self.object(id)) {
            *inner = object;
        }
        self.expand(inner, rest);
    }
}

/// When something happens to a session by itself.
fn due_of(session: &Session) -> impl Iterator<Item = (i64, String)> {
    let expires = (session.status == SessionStatus::Open && !session.says_closed).then_some(session.expires_at);
    let settles = session.settles.map(|(at, _)| at);
    expires.into_iter().chain(settles).map(|at| (at, session.id.clone()))
}

/// The id of an object of the same kind that is not there.
pub(crate) fn another_id(object: &Value) -> String {
    match object["object"].as_str() {
        Some("charge") => new_id("ch_3", 23),
        Some("dispute") => new_id("du_1", 23),
        Some("refund") => new_id("re_3", 23),
        _ => new_id("cs_test_", 58),
    }
}

/// An event in Stripe's shape.
pub(crate) fn event_json(id: &str, kind: &str, object: Value, now: i64, cause: &Cause) -> Value {
    json!({
        "id": id,
        "object": "event",
        "api_version": API_VERSION,
        "created": now,
        "data": { "object": object },
        "livemode": false,
        "pending_webhooks": 1,
        "request": { "id": cause.request, "idempotency_key": cause.key },
        "type": kind,
    })
}

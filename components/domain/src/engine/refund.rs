//! Refunds: put on record, asked for, and followed until the provider has said how they ended.
//!
//! A refund that is to be made is listed first, in one small record; then it is put on record in the order's state, and
//! only then the provider is asked for it. It is taken out of the list once its outcome is on record. So a request that
//! stops anywhere leaves a refund that the next sweep finds, wherever the order is, and a sweep looks at no others.
//!
//! What is listed and not on the order's record belongs to a request that has stopped, or is slow. A sweep carries on
//! with it as that request would have. It takes out of the list only what that request cannot put on record any more:
//! its swap is from a state that is not there any more. It takes nothing out of a list that has changed since it was
//! read before the state: that may be listed once more.
//!
//! The refund of a charge that did not pay an order says by its session what it is, so that a sweep can put it on record.
//! What an operator has asked for, a sweep does not know: it changes the state instead, so that the request, if it is
//! there still, has to read it again, and lists its refund again before the next swap.

use plain_json::Json;
use serde::Serialize;

use crate::engine::codec::{Read, decode, encode};
use crate::engine::order_state::Transition;
use crate::engine::payment::Answered;
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::after_sale::AfterSaleEvent;
use crate::model::fields::{Fields, FromJson, number, text};
use crate::model::ids::{ChargeId, OrderId, RefundId, SessionId};
use crate::model::order::Order;
use crate::model::order_state::{Event, OrderState};
use crate::model::refund::ProviderRefund;
use crate::model::session::{LateCharge, RefundState};
use crate::provider::{Provider, ProviderError, Repayment};
use crate::store::{Creation, Entry, Key, Store, StoreError, Swap};

/// A refund of which the provider has not said how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Listed {
    /// Of which order.
    pub(crate) order: OrderId,
    /// In which session the charge was made.
    pub(crate) session: SessionId,
    /// Its name.
    pub(crate) refund: RefundId,
}

impl Listed {
    /// The first refund of a charge that did not pay an order.
    pub(crate) fn first(order: OrderId, session: &SessionId) -> Self {
        Self { order, session: session.clone(), refund: RefundId::of_late_charge(session) }
    }

    /// A refund that is on an order's record.
    pub(crate) fn of(order: OrderId, refund: &ProviderRefund<'_>) -> Self {
        Self { order, session: refund.session.clone(), refund: refund.id.clone() }
    }
}

/// All refunds of which the provider has not said how they ended.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct UnfinishedRefunds {
    /// Grows with each refund that is listed, also where it is there already.
    version: u64,
    pub(crate) refunds: Vec<Listed>,
}

/// How far a listed refund has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    /// The provider has yet to say how it ended.
    Pending,
    /// It has ended like this.
    Finished(RefundState),
    /// There is none, nor will there be.
    Vain,
}

impl FromJson for Listed {
    fn from_json(json: &mut Json) -> Option<Self> {
        let mut fields = Fields::of(json)?;
        let listed = Self {
            order: fields.required("order", text)?,
            session: fields.required("session", text)?,
            refund: fields.required("refund", text)?,
        };
        fields.end(listed)
    }
}

impl FromJson for UnfinishedRefunds {
    fn from_json(json: &mut Json) -> Option<Self> {
        let mut fields = Fields::of(json)?;
        let list =
            Self { version: fields.required("version", number)?, refunds: fields.required("refunds", Vec::from_json)? };
        fields.end(list)
    }
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// The list of unfinished refunds, if there ever was one.
    pub(crate) async fn unfinished_refunds(&self) -> Result<Option<Read<UnfinishedRefunds>>, Error> {
        self.read_one(Key::UnfinishedRefunds).await?.map(decode).transpose()
    }

    /// Lists a refund that is about to be put on record. To be called after the state was read from which that is
    /// swapped.
    pub(crate) async fn list_refund(&self, listed: &Listed) -> Result<(), Error> {
        let mut attempts = self.attempts();
        loop {
            let read = self.unfinished_refunds().await?;
            let (entry, mut list) = read.map_or_else(Default::default, |read| (Some(read.entry), read.record));
            list.version = list.version.saturating_add(1);
            if !list.refunds.contains(listed) {
                list.refunds.push(listed.clone());
            }
            let value = encode(&list)?;
            if value.len() > self.settings.limits.record_bytes {
                let reason = "as many refunds are unfinished as can be listed".to_owned();
                return Err(StoreError::Full(reason).into());
            }
            let written = match entry {
                Some(entry) => self.store.swap(&entry, value).await,
                None => self.store.create(&Key::UnfinishedRefunds, value).await.map(|created| match created {
                    Creation::Created => Swap::Swapped,
                    Creation::Exists => Swap::Conflict,
                }),
            };
            match Retry::after(written) {
                Ok(()) => return Ok(()),
                Err(retry) => attempts.again(retry).await?,
            }
        }
    }

    /// Takes a refund out of the list whose outcome is on record. Where that fails, the next sweep does it.
    pub(crate) async fn unlist_refund(&self, listed: &Listed) {
        let mut attempts = self.attempts();
        while let Ok(Some(Read { entry, record: mut list })) = self.unfinished_refunds().await {
            if !list.refunds.contains(listed) {
                return;
            }
            list.refunds.retain(|other| other != listed);
            let Ok(value) = encode(&list) else { return };
            let Err(retry) = Retry::after(self.store.swap(&entry, value).await) else { return };
            if attempts.again(retry).await.is_err() {
                return;
            }
        }
    }

    /// Takes refunds out of the list that are finished, or cannot be put on record any more, if it is still what was
    /// read before that was seen. Answers with the list as it is then.
    pub(crate) async fn unlist_refunds(
        &self,
        Read { entry, record: mut list }: Read<UnfinishedRefunds>,
        done: &[Listed],
    ) -> Result<Option<Read<UnfinishedRefunds>>, Error> {
        list.refunds.retain(|listed| !done.contains(listed));
        let value = encode(&list)?;
        match self.store.swap(&entry, value.clone()).await? {
            Swap::Swapped => Ok(Some(Read { entry: Entry::new(entry.physical_key, value), record: list })),
            Swap::Conflict => Ok(None),
        }
    }

    /// Puts the refund of a charge that came too late on record, of a session that is not on the record that was read.
    pub(crate) async fn claim_refund(
        &self,
        order: &Order,
        state: &Read<OrderState>,
        late: LateCharge,
    ) -> Result<Transition, Error> {
        let session = late.session().clone();
        // Rule: refunds-are-listed-first.
        self.list_refund(&Listed::first(order.order_id, &session)).await?;
        let event = Event::ClaimRefund { late, at: self.environment.now() };
        let claimed = self.transition(state, event, order.expires_at).await?;
        if matches!(claimed, Transition::Illegal) {
            self.unlist_refund(&Listed::first(order.order_id, &session)).await;
        }
        Ok(claimed)
    }

    /// What was charged in a session that is not on the order's record, if it was for that order.
    pub(crate) async fn late_charge(&self, order: &Order, session: &SessionId) -> Result<Option<LateCharge>, Error> {
        match self.provider()?.look(session).await {
            Ok(answer) => Ok(LateCharge::of(session, answer, order)),
            Err(ProviderError::Lost(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks the provider to give back what a charge has taken, once.
    ///
    /// A refund that another request has put on record may be made already: then it is looked for first, since the
    /// provider may have forgotten its name.
    async fn ask_for_refund(
        &self,
        order: &Order,
        refund: &ProviderRefund<'_>,
        is_new: bool,
    ) -> Result<RefundState, Error> {
        let provider = self.provider()?;
        let ProviderRefund { charge, amount, .. } = *refund;
        // Rule: refunds-have-one-name.
        let name = refund.id.clone();
        // Rule: refunds-are-looked-for.
        let made = if is_new { None } else { provider.find_refund(charge, &name).await? };
        if let Some(refund) = made {
            return Ok(refund);
        }
        let currency = refund.currency.unwrap_or(&order.currency);
        let order = order.order_id;
        match provider.refund(Repayment { order, charge, amount, currency, refund: &name }).await {
            // Another request may have made it in this moment. If not, a person has to see to it: a repeat would be
            // refused too.
            Err(ProviderError::Refused(_)) => {
                let made = provider.find_refund(charge, &name).await?;
                Ok(made.unwrap_or(RefundState::Failed))
            }
            refund => Ok(refund?),
        }
    }

    /// Writes down how far a refund has come.
    async fn refund_has_come(
        &self,
        order: &Order,
        state: &Read<OrderState>,
        id: RefundId,
        refund: RefundState,
    ) -> Result<Transition, Error> {
        let event = Event::Refund { id, refund, at: self.environment.now() };
        self.transition(state, event, order.expires_at).await
    }

    /// Asks for a refund that is on record, and writes down how far it has come. What the provider has said is written
    /// over no state but that which was read before: what was written meanwhile may be newer.
    async fn carry_on_refund(&self, listed: &Listed, mut is_new: bool) -> Result<Followed, Error> {
        let mut attempts = self.attempts();
        loop {
            let Some((order, state)) = self.read_order(listed.order).await? else { return Ok(Followed::Vain) };
            let Some(on_record) = state.record.provider_refund(&listed.refund) else { return Ok(Followed::Vain) };
            if let (true, Some(refund)) = (on_record.is_finished(), on_record.state) {
                return Ok(Followed::Finished(refund));
            }
            let refund = self.ask_for_refund(&order, &on_record, is_new).await?;
            is_new = false;
            let written = on_record.state == Some(refund)
                || match self.refund_has_come(&order, &state, listed.refund.clone(), refund).await? {
                    Transition::Done(_) => true,
                    Transition::Retry(retry) => {
                        attempts.again(retry).await?;
                        false
                    }
                    Transition::Illegal => return Ok(Followed::Vain),
                };
            if written {
                return Ok(if refund == RefundState::Pending { Followed::Pending } else { Followed::Finished(refund) });
            }
        }
    }

    /// Carries on with a refund that is on record. Answers with how far it has come; none where there is none.
    pub(crate) async fn carry_on(&self, listed: &Listed, is_new: bool) -> Result<Option<RefundState>, Error> {
        Ok(match self.carry_on_refund(listed, is_new).await? {
            Followed::Pending => Some(RefundState::Pending),
            Followed::Finished(refund) => {
                self.unlist_refund(listed).await;
                Some(refund)
            }
            Followed::Vain => None,
        })
    }

    /// Carries on with a listed refund, and puts it on record first where that was not done.
    pub(crate) async fn follow_refund(&self, listed: &Listed) -> Result<Followed, Error> {
        let mut attempts = self.attempts();
        loop {
            let Some((order, state)) = self.read_order(listed.order).await? else { return Ok(Followed::Vain) };
            if state.record.provider_refund(&listed.refund).is_some() {
                return self.carry_on_refund(listed, false).await;
            }
            let before = state.record.failed_refunds().find(|late| late.session == listed.session);
            let event = if let Some(before) = before {
                if state.record.retry_id(before) != listed.refund {
                    return Ok(Followed::Vain);
                }
                Event::RetryRefund { failed: before.refund_id(), at: self.environment.now() }
            } else if state.record.session() == Some(&listed.session) {
                // A wrong charge, which was about to end the session on record.
                let finding = self.look(&order, &listed.session).await?;
                match self.answered(&order, &state, finding, false).await? {
                    Answered::ChargedWrongly(_, listed) => return self.carry_on_refund(&listed, false).await,
                    Answered::Changed(Transition::Retry(retry)) => {
                        attempts.again(retry).await?;
                        continue;
                    }
                    Answered::Changed(_) | Answered::Open(_) | Answered::Processing => return Ok(Followed::Vain),
                }
            } else if state.record.has_session(&listed.session) {
                // Rule: what-a-sweep-takes-off-the-list-is-given-up.
                match self.transition(&state, Event::AfterSale(AfterSaleEvent::GiveUp), order.expires_at).await? {
                    Transition::Retry(retry) => attempts.again(retry).await?,
                    Transition::Done(_) | Transition::Illegal => return Ok(Followed::Vain),
                }
                continue;
            } else {
                if state.record.late_refund(&listed.session).is_some() {
                    return Ok(Followed::Vain);
                }
                let Some(late) = self.late_charge(&order, &listed.session).await? else { return Ok(Followed::Vain) };
                Event::ClaimRefund { late, at: self.environment.now() }
            };
            match self.transition(&state, event, order.expires_at).await? {
                Transition::Done(_) => return self.carry_on_refund(listed, false).await,
                Transition::Retry(retry) => attempts.again(retry).await?,
                Transition::Illegal => return Ok(Followed::Vain),
            }
        }
    }

    /// Looks whether a refund that has failed was made all the same, by a request that was slow, and writes that down.
    pub(crate) async fn look_at_failed(
        &self,
        order: &Order,
        state: &Read<OrderState>,
        failed: &ProviderRefund<'_>,
    ) -> Result<Option<(Listed, Transition)>, Error> {
        let made = self.provider()?.find_refund(failed.charge, &failed.id).await?;
        let Some(made @ (RefundState::Pending | RefundState::Succeeded)) = made else { return Ok(None) };
        let listed = Listed::of(order.order_id, failed);
        self.list_refund(&listed).await?;
        let written = self.refund_has_come(order, state, failed.id.clone(), made).await?;
        Ok(Some((listed, written)))
    }

    /// Tries a refund again that has failed, under another name. Answers with how far it has come; none where it was not
    /// the last one of its charge any more.
    pub(crate) async fn retry_refund(&self, order: OrderId, failed: &RefundId) -> Result<Option<RefundState>, Error> {
        let mut attempts = self.attempts();
        loop {
            let (order, state) = self.read_order(order).await?.ok_or(Error::OrderNotFound)?;
            let Some(late) = state.record.failed_refunds().find(|late| late.refund_id() == *failed) else {
                return Ok(None);
            };
            if let Some((listed, written)) = self.look_at_failed(&order, &state, &late.into()).await? {
                match written {
                    Transition::Done(_) => return self.carry_on(&listed, false).await,
                    Transition::Retry(retry) => attempts.again(retry).await?,
                    Transition::Illegal => return Ok(None),
                }
                continue;
            }
            let refund = state.record.retry_id(late);
            let (session, order_id) = (late.session.clone(), order.order_id);
            let listed = Listed { order: order_id, session: session.clone(), refund };
            self.list_refund(&listed).await?;
            let event = Event::RetryRefund { failed: failed.clone(), at: self.environment.now() };
            match self.transition(&state, event, order.expires_at).await? {
                Transition::Done(_) => return self.carry_on(&listed, true).await,
                Transition::Retry(retry) => attempts.again(retry).await?,
                Transition::Illegal => {
                    self.unlist_refund(&listed).await;
                    return Err(Error::TooManyLateCharges(session));
                }
            }
        }
    }

    /// Asks again about the refunds of a charge, the finished ones among them: one that succeeded can fail later.
    /// Answers whether one has failed now, or has failed before and has to be made again.
    pub(crate) async fn look_at_refunds(&self, order: OrderId, charge: &ChargeId) -> Result<Option<bool>, Error> {
        let Some((_, state)) = self.read_order(order).await? else { return Ok(None) };
        let of_charge = state.record.provider_refunds().filter(|refund| refund.charge == charge);
        let all: Vec<_> = of_charge.map(|refund| Listed::of(order, &refund)).collect();
        if all.is_empty() {
            return Ok(None);
        }
        let mut has_failed = false;
        for listed in &all {
            has_failed |= self.look_at_refund(listed).await? == Some(RefundState::Failed);
        }
        let state = self.read_state(order).await?;
        Ok(Some(has_failed || state.record.failed_refunds().any(|late| late.charge == *charge)))
    }

    /// Answers with how far the refund has come, where that is news.
    async fn look_at_refund(&self, listed: &Listed) -> Result<Option<RefundState>, Error> {
        let mut attempts = self.attempts();
        loop {
            let Some((order, state)) = self.read_order(listed.order).await? else { return Ok(None) };
            let Some(on_record) = state.record.provider_refund(&listed.refund) else { return Ok(None) };
            if !on_record.is_finished() {
                return self.carry_on(listed, false).await;
            }
            // Rule: finished-refunds-are-looked-at-again.
            let found = self.provider()?.find_refund(on_record.charge, &listed.refund).await?;
            let Some(refund @ (RefundState::Succeeded | RefundState::Failed)) = found else { return Ok(None) };
            if on_record.state == Some(refund) {
                return Ok(None);
            }
            match self.refund_has_come(&order, &state, listed.refund.clone(), refund).await? {
                Transition::Retry(retry) => attempts.again(retry).await?,
                Transition::Done(_) => return Ok(Some(refund)),
                Transition::Illegal => return Ok(None),
            }
        }
    }
}

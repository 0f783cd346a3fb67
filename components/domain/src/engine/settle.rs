//! Settling: what becomes of the holds of decided orders.

use crate::engine::codec::Read;
use crate::engine::order_state::Transition;
use crate::engine::retry::Retry;
use crate::engine::returns::forget_returns;
use crate::engine::shop::Shop;
use crate::engine::update_item::{Guards, Lack, Update, readable_state};
use crate::environment::Environment;
use crate::error::Error;
use crate::model::ids::{ItemId, OrderId};
use crate::model::item::{Item, Look, Settlement};
use crate::model::order::Order;
use crate::model::order_state::{Event, OrderState};
use crate::model::time::Timestamp;
use crate::provider::Provider;
use crate::store::{Found, Key, Store};

/// A record with so few holds is not worth a swap of its own.
const FEW_HOLDS: usize = 16;

/// How many holds a payer looks at, to see whether it is time for a swap that settles them.
const LOOKED_AT_AFTER_PAYMENT: usize = 48;

/// What settling has done to an item.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settled {
    /// Holds that are gone.
    pub(crate) dropped: usize,
    /// Those of them that gave their goods back.
    pub(crate) released: usize,
}

impl Settled {
    /// Whether there may be enough now.
    pub(crate) fn helps(self, lack: Lack) -> bool {
        match lack {
            Lack::Stock => self.released > 0,
            Lack::Room => self.dropped > 0,
        }
    }
}

/// The holds in a record: those of pending orders, and those of decided ones that are not settled yet. There are at
/// most about as many of the latter as of the former.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HoldCount {
    /// How many there are.
    pub all: usize,
    /// How many of them were looked at.
    pub looked_at: usize,
    /// How many of those are of orders that are decided, or overdue.
    pub decided: usize,
    /// How many of those are overdue.
    pub overdue: usize,
}

/// An item that a reader is shown as it is once its holds are settled.
pub(crate) struct Previewed<'a> {
    pub(crate) item_id: &'a ItemId,
    pub(crate) item: Item,
    pub(crate) count: HoldCount,
}

impl<'a> Previewed<'a> {
    /// An item that was read.
    pub(crate) fn new(item_id: &'a ItemId, item: Item) -> Self {
        Self { item_id, item, count: HoldCount::default() }
    }

    /// Settles the hold of an order, if it is decided or overdue. `state` is none of an order whose records are
    /// removed.
    fn settle(&mut self, order: OrderId, state: Option<&OrderState>, now: Timestamp) -> Result<(), Error> {
        let Self { item_id, item, count } = self;
        let Some(hold) = item.holds().get(order) else { return Ok(()) };
        let is_overdue = hold.expires_at <= now;
        let removed = Some(Settlement::Released { key_reusable: true });
        let settlement = state.map_or(removed, |state| state.settlement_at(now, hold.expires_at));
        let Some(settlement) = settlement else { return Ok(()) };
        item.settle(order, settlement).map_err(|error| Error::damaged_item(item_id, error))?;
        count.decided = count.decided.saturating_add(1);
        count.overdue = count.overdue.saturating_add(usize::from(is_overdue));
        Ok(())
    }
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// Settles in `item`, which was read and is not written yet, those orders that are decided. Up to `decisions` that
    /// are unpaid and past their expiry are decided here. One that is at the payment provider stays as it is, also past
    /// its expiry: its goods are held until the provider has said that the buyer cannot pay any more.
    ///
    /// Not the orders whose states are among the guards: they may be held by this very change, which is not written.
    /// Their keys would be mapped before any other request could see them used.
    pub(crate) async fn settle(
        &self,
        item_id: &ItemId,
        item: &mut Item,
        states: &mut Guards,
        guard_keys: &[Key],
        now: Timestamp,
        mut decisions: usize,
    ) -> Result<Settled, Error> {
        let mut settled = Settled::default();
        forget_returns(item, states);
        let without_state = states.without_state().filter(|order| item.holds().get(*order).is_some()).collect();
        // Rule: holds-of-removed-orders-go.
        let removed = self.removed_ones(without_state).await?;
        for (order, found) in states.states_mut() {
            // Rule: own-holds-are-not-settled.
            let is_own = guard_keys.contains(&Key::OrderState(order));
            if is_own {
                continue;
            }
            let Some(hold) = item.holds().get(order) else { continue };
            let settlement = match readable_state(found) {
                // It was closed before its records were removed.
                None if removed.contains(&order) => Some(Settlement::Released { key_reusable: true }),
                None => continue,
                Some(state) => match state.record.settlement() {
                    None if state.record.is_overdue(now, hold.expires_at) && decisions > 0 => {
                        decisions = decisions.saturating_sub(1);
                        self.settle_overdue(&state, hold.expires_at, now, found).await?
                    }
                    settlement => settlement,
                },
            };
            if let Some(settlement) = settlement {
                item.settle(order, settlement).map_err(|error| Error::damaged_item(item_id, error))?;
                settled.dropped = settled.dropped.saturating_add(1);
                settled.released = settled.released.saturating_add(usize::from(settlement != Settlement::Sold));
            }
        }
        Ok(settled)
    }

    /// Decides an order whose hold is overdue.
    async fn settle_overdue(
        &self,
        state: &Read<OrderState>,
        expires_at: Timestamp,
        now: Timestamp,
        found: &mut Found,
    ) -> Result<Option<Settlement>, Error> {
        // Rule: overdue-holds-are-decided.
        match self.transition(state, Event::Expire { at: now }, expires_at).await? {
            Transition::Done(expired) => {
                // It may have a hold on the next item too.
                *found = Ok(Some(expired.entry));
                Ok(expired.record.settlement())
            }
            // Rule: conflict-at-expiry-is-left-alone.
            // Paid or cancelled this moment: the next swap of the item sees it.
            Transition::Retry(Retry::Stale) | Transition::Illegal => Ok(None),
            Transition::Retry(Retry::Unknown(error)) => Err(error.into()),
        }
    }

    /// Settles holds of an item that `paid` orders were just paid on, where more than a third of those that are looked
    /// at are of decided orders: without this, holds would stay where orders are paid and no new ones come. Errors are
    /// not the payer's business: the orders are paid.
    pub(crate) async fn settle_after_payment(&self, item_id: &ItemId, item: Read<Item>, paid: usize) {
        let holds = item.record.holds().len();
        // Of a record with many holds only some payers look at some, as many as it takes to keep up with the payments.
        let looks = LOOKED_AT_AFTER_PAYMENT;
        let chance = u64::try_from(looks).unwrap_or(u64::MAX);
        let weight = u64::try_from(paid.saturating_mul(4)).unwrap_or(u64::MAX);
        let turn = self.turn();
        let skipped = holds > looks && turn.checked_rem(chance).is_some_and(|chosen| chosen >= weight);
        if holds <= FEW_HOLDS || skipped {
            return;
        }
        let now = self.environment.now();
        let Read { entry, record: mut item } = item;
        let due = item.due(now, turn, Look::at(looks, looks));
        let due = due.get(..looks).unwrap_or(&due);
        let Ok(mut states) = self.read_states(due).await else { return };
        let Ok(settled) = self.settle(item_id, &mut item, &mut states, &[], now, 0).await else { return };
        // A third is more than placing leaves where it settles too, and less than may be there.
        if settled.dropped.saturating_mul(3) > due.len() {
            self.write_settled(&entry, item).await;
        }
    }

    /// The items as they are once their holds are settled, without writing them: what a reader is shown. All overdue
    /// holds are looked at, and of the rest up to `others`, which is what is left of them afterwards.
    ///
    /// The orders of all items are read together, each once: the calls grow with the holds and not with the items.
    pub(crate) async fn preview(&self, items: &mut [Previewed<'_>], others: &mut usize) -> Result<(), Error> {
        let now = self.environment.now();
        // Most readers look at no others: they need no place to begin at either.
        let turn = if *others == 0 { 0 } else { self.turn() };
        let mut due = Vec::new();
        for (index, Previewed { item, count, .. }) in items.iter_mut().enumerate() {
            let orders = item.due(now, turn, Look::at(usize::MAX, *others));
            let is_other = |order: &&OrderId| item.holds().get(**order).is_some_and(|hold| hold.expires_at > now);
            *others = others.saturating_sub(orders.iter().filter(is_other).count());
            *count = HoldCount { all: item.holds().len(), looked_at: orders.len(), ..HoldCount::default() };
            due.extend(orders.into_iter().map(|order| (order, index)));
        }
        // An order may hold some of several items.
        due.sort_unstable();
        let same_order: Vec<_> = due.chunk_by(|(one, _), (next, _)| one == next).collect();
        for orders in same_order.chunks(self.settings.limits.records_per_read.max(1)) {
            let ids: Vec<_> = orders.iter().filter_map(|holds| Some(holds.first()?.0)).collect();
            let mut states = self.read_states(&ids).await?;
            let removed = self.removed_ones(states.without_state().collect()).await?;
            for ((order, found), holds) in states.states_mut().zip(orders) {
                let state = readable_state(found).map(|state| state.record);
                if state.is_none() && !removed.contains(&order) {
                    continue;
                }
                for (_, index) in *holds {
                    if let Some(previewed) = items.get_mut(*index) {
                        previewed.settle(order, state.as_ref(), now)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// As [`Self::preview`], of one item and without others.
    pub(crate) async fn preview_one(&self, item_id: &ItemId, item: Item) -> Result<(Item, HoldCount), Error> {
        let mut previewed = [Previewed::new(item_id, item)];
        self.preview(&mut previewed, &mut 0).await?;
        let [Previewed { item, count, .. }] = previewed;
        Ok((item, count))
    }

    /// Settles overdue holds of an item that a reader has looked at, if there are many: the next reader should not have
    /// to look at them all again. Answers whether there were many. Errors are not the reader's business.
    pub(crate) async fn settle_after_reading(&self, item_id: &ItemId, seen: HoldCount) -> bool {
        let many = seen.overdue > Look::SHORT.expired;
        if many {
            let _ = self.settle_alone(item_id).await;
        }
        many
    }

    /// Ends the hold that a decided order still has on an item.
    async fn release(&self, item_id: &ItemId, order: OrderId, settlement: Settlement) -> Result<(), Error> {
        self.update_item(item_id, |item, _| match item.settle(order, settlement) {
            Ok(true) => Ok(Update::Write(())),
            Ok(false) => Ok(Update::Unchanged(())),
            Err(error) => Err(Error::damaged_item(item_id, error)),
        })
        .await
    }

    /// Releases what a decided order holds, as far as that goes. Its state is recorded: what is left after an error is
    /// settled by later requests for the item, and by those first that find too little of it.
    pub(crate) async fn release_all(&self, order: &Order, settlement: Settlement) {
        for line in order.lines() {
            let _ = self.release(&line.item_id, order.order_id, settlement).await;
        }
    }
}

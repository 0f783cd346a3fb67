//! The one way in which an item changes: read it, decide, settle what is due, swap.

use crate::environment::{Environment, Timestamp};
use crate::error::Error;
use crate::ids::{ItemId, KeyDigest, OrderId};
use crate::inventory::HoldCount;
use crate::item::{Item, Look, Settlement};
use crate::payment::{Payment, Void};
use crate::shop::{Attempts, Read, Shop, decode, encode};
use crate::store::{Entry, Found, Key, Store, StoreError, Swap};

/// How often a request settles what is due and then looks again whether that was enough: up to 64 expired holds each time.
/// What is left after that is for the next request.
const MAX_ROUNDS: u32 = 16;

/// A record with so few holds is not worth a swap of its own.
const FEW_HOLDS: usize = 16;

/// How many holds a payer looks at, to see whether it is time for a swap that settles them.
const LOOKED_AT_AFTER_PAYMENT: usize = 48;

/// How many holds of one item are looked at to count those of pending orders.
const LOOKED_AT_TO_COUNT: usize = 100;

/// What a request wants of an item that it has read.
pub(crate) enum Change<T> {
    /// The item was changed and is to be written.
    Write(T),
    /// There is nothing to write.
    Leave(T),
    /// There is less than was wanted, and more may be there once holds are settled.
    Short(Short<T>),
}

/// What a request says that did not find what it wanted.
pub(crate) struct Short<T> {
    /// What to answer if settling does not help.
    pub(crate) result: T,
    /// What there is too little of.
    pub(crate) of: Lack,
    /// Whether the item was changed all the same.
    pub(crate) changed: bool,
}

/// What a change has done, without what is to be answered.
enum Step {
    Write,
    Leave,
    Short { of: Lack, changed: bool },
}

/// A change, asked as often as it takes.
type Steps<'a> = &'a mut dyn FnMut(&mut Item, &Beside, usize) -> Result<Step, Error>;

/// What there can be too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// Goods. Holds of orders that came to nothing give them back.
    Stock,
    /// Room in the record for another hold. Every hold that goes gives some back.
    Room,
}

/// What settling has done to an item.
#[derive(Debug, Clone, Copy, Default)]
struct Settled {
    /// Holds that are gone.
    dropped: usize,
    /// Those of them that gave their goods back.
    released: usize,
}

impl Settled {
    /// Whether there may be enough now.
    fn helps(self, lack: Lack) -> bool {
        match lack {
            Lack::Stock => self.released > 0,
            Lack::Room => self.dropped > 0,
        }
    }
}

/// How a write of an item went.
enum Written {
    /// The swap was tried, with this outcome.
    Tried(Result<Swap, StoreError>),
    /// Nothing was written: the record would be larger than a record may be.
    TooLarge,
}

/// Records that were read after an item.
///
/// That order is what the protocol rests on: a hold is dropped only after its payment was decided, and a key leaves the
/// item only after its mapping was written. So a payment that is still unpaid here, and a mapping that is still absent, show
/// that neither had happened before the item was read; and the swap shows that nothing happened since.
#[derive(Debug)]
pub(crate) struct Beside(Vec<(Key, Found)>);

impl Beside {
    /// The record with this key, where it was looked for and is there.
    pub(crate) fn get(&self, key: &Key) -> Result<Option<&Entry>, Error> {
        match self.0.iter().find(|(found, _)| found == key) {
            Some((_, Ok(entry))) => Ok(entry.as_ref()),
            Some((_, Err(damaged))) => Err(damaged.clone().into()),
            None => Ok(None),
        }
    }

    /// What was found of payments, with their orders.
    fn payments_mut(&mut self) -> impl Iterator<Item = (OrderId, &mut Found)> {
        self.0.iter_mut().filter_map(|(key, entry)| match key {
            Key::OrderState(order) => Some((*order, entry)),
            _ => None,
        })
    }
}

/// The payment that was found. If it is missing or cannot be read it is passed over, and so its hold is left alone: that may
/// keep stock from being sold, but never sells it twice.
fn payment(found: &Found) -> Option<Read<Payment>> {
    decode(found.clone().ok()??).ok()
}

impl<S: Store, E: Environment> Shop<S, E> {
    /// Reads an item, lets `change` decide and swaps it, again and again until nothing came in between.
    ///
    /// Where there is less than `change` wants it is asked once more, after holds were settled.
    pub(crate) async fn update_item<T>(
        &self,
        item_id: &ItemId,
        mut change: impl FnMut(&mut Item, usize) -> Result<Change<T>, Error>,
    ) -> Result<T, Error> {
        let read = None::<(Read<Item>, &mut Beside)>;
        self.update_read_item(item_id, read, &[], 0, self.attempts(), |item, _, room| change(item, room)).await
    }

    /// As [`Self::update_item`], beginning with what was `read` already: the item, and then records beside it. `change` is
    /// also shown those with the keys `wanted`, which are read again after the item whenever that is, and told for how many
    /// bytes of new holds the record has room. It adds up to `adds` of them.
    pub(crate) async fn update_read_item<T>(
        &self,
        item_id: &ItemId,
        read: Option<(Read<Item>, &mut Beside)>,
        wanted: &[Key],
        adds: usize,
        attempts: Attempts<'_, E>,
        mut change: impl FnMut(&mut Item, &Beside, usize) -> Result<Change<T>, Error>,
    ) -> Result<T, Error> {
        let mut latest = None;
        let mut steps = |item: &mut Item, beside: &Beside, room| {
            let (result, step) = match change(item, beside, room)? {
                Change::Write(result) => (result, Step::Write),
                Change::Leave(result) => (result, Step::Leave),
                Change::Short(Short { result, of, changed }) => (result, Step::Short { of, changed }),
            };
            latest = Some(result);
            Ok(step)
        };
        self.update(item_id, read, wanted, adds, attempts, &mut steps).await?;
        // Not reached without: whatever ends well has asked.
        latest.ok_or(Error::Busy)
    }

    /// What [`Self::update_read_item`] does, whatever is to be answered: once in a component, and not once for each kind of
    /// change.
    async fn update(
        &self,
        item_id: &ItemId,
        mut read: Option<(Read<Item>, &mut Beside)>,
        wanted: &[Key],
        adds: usize,
        mut attempts: Attempts<'_, E>,
        change: Steps<'_>,
    ) -> Result<(), Error> {
        let mut rounds = 0_u32;
        loop {
            let now = self.environment.now();
            let mut fresh;
            let (Read { entry, record: mut item }, beside) = match read.take() {
                Some(read) => read,
                None => {
                    let item = self.item(item_id).await?;
                    fresh = self.read_beside(&mut [(&item.record, adds)].into_iter(), wanted, now).await?;
                    (item, &mut fresh)
                }
            };
            // Whether to look again, since more may be due.
            let mut again = false;
            let room = self.room(&item, entry.value.len());
            match change(&mut item, beside, room)? {
                Step::Leave => return Ok(()),
                Step::Write => {
                    self.settle(&mut item, beside, wanted, now, Look::beside(adds).decisions).await?;
                }
                Step::Short { of, changed } => {
                    let settled = self.settle_when_short(&mut item, wanted, now).await?;
                    let room = match of {
                        Lack::Stock => room,
                        Lack::Room => {
                            self.write_mappings(&mut item, 1).await?;
                            self.room(&item, item.to_bytes().len())
                        }
                    };
                    if let Step::Short { of, changed: more } = change(&mut item, beside, room)? {
                        again = settled.helps(of);
                        // Written although it did not help: the refusal says how much is available, which then has to be so
                        // for every request, and the next one need not settle the same holds again.
                        if !changed && !more && settled.dropped == 0 {
                            return Ok(());
                        }
                    }
                }
            }
            match self.write(&entry, item).await? {
                Written::Tried(Ok(Swap::Swapped)) if !again => return Ok(()),
                Written::Tried(Ok(Swap::Swapped)) => {
                    rounds = rounds.saturating_add(1);
                    if rounds >= MAX_ROUNDS {
                        return Err(Error::Busy);
                    }
                }
                Written::Tried(outcome) => attempts.again(outcome).await?,
                Written::TooLarge => {
                    rounds = rounds.saturating_add(1);
                    if rounds >= MAX_ROUNDS || !self.settle_alone(item_id).await? {
                        return Err(Error::ItemFull(item_id.clone()));
                    }
                }
            }
        }
    }

    /// For how many bytes of new holds an item has room whose record is so long.
    pub(crate) fn room(&self, item: &Item, bytes: usize) -> usize {
        self.settings.limits.hold_bytes().saturating_sub(bytes.saturating_sub(item.bytes_beside_holds()))
    }

    /// Looks at as many holds as a request does that is short, and settles them in `item`, which is not written yet.
    async fn settle_when_short(&self, item: &mut Item, wanted: &[Key], now: Timestamp) -> Result<Settled, Error> {
        let mut payments = self.read_payments(&item.due(now, self.turn(), Look::SHORT)).await?;
        self.settle(item, &mut payments, wanted, now, Look::SHORT.decisions).await
    }

    /// Settles what is due in a swap of its own. That always has room: a hold takes more bytes than its order's mapping
    /// leaves in the record, which is none. Answers whether anything is gone.
    async fn settle_alone(&self, item_id: &ItemId) -> Result<bool, Error> {
        let mut attempts = self.attempts();
        loop {
            let Read { entry, record: mut item } = self.item(item_id).await?;
            let now = self.environment.now();
            let settled = self.settle_when_short(&mut item, &[], now).await?;
            if settled.dropped == 0 && item.settled_keys.is_empty() {
                return Ok(false);
            }
            self.write_mappings(&mut item, 1).await?;
            match self.write(&entry, item).await? {
                Written::Tried(Ok(Swap::Swapped)) => return Ok(true),
                Written::Tried(outcome) => attempts.again(outcome).await?,
                Written::TooLarge => return Ok(false),
            }
        }
    }

    /// Settles holds of an item that `paid` orders were just paid on, where more than a third of those that are looked at are of
    /// decided orders: without this, holds would stay where orders are paid and no new ones come. Whatever goes wrong here is
    /// not the payer's business: their orders are paid.
    pub(crate) async fn settle_after_payment(&self, item: Read<Item>, paid: usize) {
        let holds = item.record.holds.len();
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
        let Ok(mut payments) = self.read_payments(due).await else { return };
        let Ok(settled) = self.settle(&mut item, &mut payments, &[], now, 0).await else { return };
        // A third is more than placing leaves where it settles too, and less than may be there.
        if settled.dropped.saturating_mul(3) > due.len() {
            // If another swap came first, that one has settled some too.
            let _ = self.write(&entry, item).await;
        }
    }

    /// Reads, after these items, what is `wanted` beside them and the payments of the holds that are looked at, in one call.
    /// With each item comes how many holds are to be added to it.
    pub(crate) async fn read_beside(
        &self,
        items: &mut dyn Iterator<Item = (&Item, usize)>,
        wanted: &[Key],
        now: Timestamp,
    ) -> Result<Beside, Error> {
        let mut keys = wanted.to_vec();
        for (item, adds) in items {
            for order in item.due(now, self.turn(), Look::beside(adds)) {
                let key = Key::OrderState(order);
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        self.read_records(keys).await
    }

    async fn read_payments(&self, orders: &[OrderId]) -> Result<Beside, Error> {
        self.read_records(orders.iter().copied().map(Key::OrderState).collect()).await
    }

    async fn read_records(&self, keys: Vec<Key>) -> Result<Beside, Error> {
        let found = if keys.is_empty() { Vec::new() } else { self.store.get(&keys).await? };
        Ok(Beside(keys.into_iter().zip(found).collect()))
    }

    /// Swaps an item for its next version.
    async fn write(&self, read: &Entry, mut item: Item) -> Result<Written, Error> {
        let limits = self.settings.limits;
        let full = read.value.len() > limits.hold_bytes();
        self.write_mappings(&mut item, if full { 1 } else { limits.mappings_per_write }).await?;
        item.version = item.version.wrapping_add(1);
        let value = item.to_bytes();
        if value.len() > limits.record_bytes && value.len() > read.value.len() {
            return Ok(Written::TooLarge);
        }
        Ok(Written::Tried(self.store.swap(read, value).await))
    }

    /// Settles in `item`, which is not written yet, those orders whose fate is decided by their payments. Up to `decisions` that
    /// are unpaid and past their expiry are decided here.
    ///
    /// Not those whose payments are `wanted`: they may be held by this very change, which is not written. Their keys would
    /// be mapped before anybody could see them used.
    async fn settle(
        &self,
        item: &mut Item,
        payments: &mut Beside,
        wanted: &[Key],
        now: Timestamp,
        mut decisions: usize,
    ) -> Result<Settled, Error> {
        let mut settled = Settled::default();
        for (order, found) in payments.payments_mut() {
            if wanted.contains(&Key::OrderState(order)) {
                continue;
            }
            let Some(payment) = payment(found) else { continue };
            let Some(hold) = item.holds.get(order) else { continue };
            let settlement = match payment.record.settlement() {
                None if hold.expires_at <= now && decisions > 0 => {
                    decisions = decisions.saturating_sub(1);
                    let void = Payment::Void { reason: Void::Expired, at: now };
                    let bytes = encode(&void)?;
                    match self.store.swap(&payment.entry, bytes.clone()).await? {
                        Swap::Swapped => {
                            // It may have a hold on the next item too.
                            *found = Ok(Some(Entry::new(payment.entry.physical_key, bytes)));
                            void.settlement()
                        }
                        // Paid or cancelled this moment: the next swap of the item sees it.
                        Swap::Conflict => None,
                    }
                }
                settlement => settlement,
            };
            if let Some(settlement) = settlement {
                item.settle(order, settlement);
                settled.dropped = settled.dropped.saturating_add(1);
                settled.released = settled.released.saturating_add(usize::from(settlement != Settlement::Sold));
            }
        }
        Ok(settled)
    }

    /// The item as it would be if its expired holds were settled, without writing: what a reader is shown.
    pub(crate) async fn preview(&self, item: &mut Item, now: Timestamp) -> Result<(), Error> {
        let expired = item.due(now, 0, Look::at(Look::SHORT.expired, 0));
        let mut payments = self.read_payments(&expired).await?;
        for (order, found) in payments.payments_mut() {
            if let Some(payment) = payment(found) {
                item.settle(order, payment.record.settlement().unwrap_or(Settlement::Released));
            }
        }
        Ok(())
    }

    /// Counts the holds of an item, and looks at some of them.
    pub(crate) async fn count_holds(&self, item: &Item, look: usize) -> Result<HoldCount, Error> {
        let all = item.holds.len();
        if look == 0 {
            // Most reports do not look: they need no place to begin at either.
            return Ok(HoldCount { all, ..HoldCount::default() });
        }
        let now = self.environment.now();
        let look = look.min(LOOKED_AT_TO_COUNT);
        let orders = item.due(now, self.turn(), Look::at(look, look));
        let orders: Vec<_> = orders.into_iter().take(look).collect();
        let mut payments = self.read_payments(&orders).await?;
        let is_decided = |(order, found): &(OrderId, &mut Found)| {
            let is_late = item.holds.get(*order).is_some_and(|hold| hold.expires_at <= now);
            payment(found).is_some_and(|payment| is_late || payment.record.settlement().is_some())
        };
        let decided = payments.payments_mut().filter(is_decided).count();
        Ok(HoldCount { all, looked_at: orders.len(), decided })
    }

    /// Writes the mappings of settled orders, before the swap that drops their keys from the item, once there are `least` of them.
    /// Many in one call: so a key costs next to no write of its own.
    async fn write_mappings(&self, item: &mut Item, least: usize) -> Result<(), Error> {
        if item.settled_keys.len() < least || item.settled_keys.is_empty() {
            return Ok(());
        }
        let keys = std::mem::take(&mut item.settled_keys);
        let mapping = |(key, order): (KeyDigest, OrderId)| Ok((Key::Idempotency(key), encode(&order)?));
        let mappings = keys.into_iter().map(mapping).collect::<Result<_, Error>>()?;
        Ok(self.store.put(mappings).await?)
    }

    /// Ends the hold that a decided order still has on an item.
    pub(crate) async fn release(&self, item: &ItemId, order: OrderId, settlement: Settlement) -> Result<(), Error> {
        self.update_item(item, |item, _| {
            if item.holds.get(order).is_none() {
                return Ok(Change::Leave(()));
            }
            item.settle(order, settlement);
            Ok(Change::Write(()))
        })
        .await
    }
}

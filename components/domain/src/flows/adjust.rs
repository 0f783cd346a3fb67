//! Adjusting stock: an operator adds to what is on hand, or takes from it.
//!
//! An adjustment has a record of its own, for the history. It is written before the item is changed, so that every
//! adjustment that was made has one; what is written of an adjustment that is then refused is removed.

use plain_json::Json;
use serde::Serialize;

use crate::engine::codec::{Read, decode, encode};
use crate::engine::condition::Condition;
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::engine::update_item::{Lack, Short, Update};
use crate::environment::Environment;
use crate::error::Error;
use crate::flows::stock_report::ItemView;
use crate::model::amounts::Delta;
use crate::model::fields::{Fields, FromJson, number, readable, text};
use crate::model::ids::{ItemId, KeyDigest};
use crate::model::item::{AdjustError, Adjustment};
use crate::model::time::Timestamp;
use crate::provider::Provider;
use crate::store::{Key, Store};

/// The result of an adjustment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdjustOutcome {
    /// The item as it is now.
    pub view: ItemView,
    /// Whether the adjustment had been made before, under the same key.
    pub replayed: bool,
}

/// An adjustment, as it is kept for the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdjustmentRecord {
    /// When it was asked for.
    pub at: Timestamp,
    /// The units that were added, or taken out if negative.
    pub delta: i64,
    /// The operator's reason.
    pub reason: String,
    /// The item. Records of an earlier version do not name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_id: Option<ItemId>,
}

impl FromJson for AdjustmentRecord {
    fn from_json(json: &mut Json) -> Option<Self> {
        let mut fields = Fields::of(json)?;
        let record = Self {
            at: fields.required("at", number)?,
            delta: fields.required("delta", |json| json.as_signed())?,
            reason: fields.required("reason", text)?,
            item_id: fields.optional("item_id", text)?,
        };
        fields.end(record)
    }
}

readable!(AdjustmentRecord, |json| Self::from_json(json).ok_or("no adjustment was recorded like this"));

impl AdjustmentRecord {
    /// Whether this is what an item remembers as `adjustment`.
    pub(crate) fn is(&self, item_id: &ItemId, adjustment: &Adjustment) -> bool {
        let same = |delta| Adjustment::new(adjustment.key, delta, &self.reason) == *adjustment;
        self.item_id.as_ref().is_none_or(|of| of == item_id) && Delta::try_from(self.delta).is_ok_and(same)
    }
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// As [`Self::adjust_item_if`], whatever there is.
    ///
    /// # Errors
    /// As [`Self::adjust_item_if`].
    pub async fn adjust_item(
        &self,
        item_id: &ItemId,
        delta: Delta,
        reason: &str,
        key: Option<KeyDigest>,
    ) -> Result<AdjustOutcome, Error> {
        self.adjust_item_if(&Condition::default(), item_id, delta, reason, key).await
    }

    /// Adds to what is on hand, or takes from it, if the item is what is expected. A repeat with the same `key` does
    /// nothing and expects nothing, while the item remembers it ([`crate::item::REMEMBERED_ADJUSTMENTS`]).
    ///
    /// # Errors
    /// If there is no such item or it is not what is expected, less than what is promised would be left or too much on
    /// hand, the key was used for another request, or the store fails.
    pub async fn adjust_item_if(
        &self,
        condition: &Condition<ItemView>,
        item_id: &ItemId,
        delta: Delta,
        reason: &str,
        key: Option<KeyDigest>,
    ) -> Result<AdjustOutcome, Error> {
        let keyed = key.is_some();
        // Without a key it gets one all the same: if the swap's answer is lost, the key tells whether it was made.
        let key = key.unwrap_or_else(|| KeyDigest::from_random(self.environment.random_id()));
        let adjustment = Adjustment::new(key, delta, reason);
        let mut item = self.item(item_id).await?;
        let mut written = None;
        if item.record.adjustment(&key).is_none() {
            self.check_item(item_id, &item.record, condition).await?;
            if item.record.check_adjustment(delta).is_err() {
                // Nothing is written of what is refused.
                let checked = self.update_item(item_id, |item, _| match item.check_adjustment(delta) {
                    Ok(()) => Ok(Update::Unchanged(Ok(()))),
                    Err(error) => short(item_id, delta, error),
                });
                checked.await??;
                item = self.item(item_id).await?;
            }
            let (at, reason) = (self.environment.now(), reason.to_owned());
            let record = AdjustmentRecord { at, delta: delta.get(), reason, item_id: Some(item_id.clone()) };
            if keyed {
                self.record_adjustment(key, &record).await?;
            } else {
                self.store.put(vec![(Key::Adjustment(key), encode(&record)?)]).await?;
            }
            written = Some(record);
        }
        let mut attempts = self.attempts();
        let mut read = Some(item);
        let outcome = loop {
            let item = match read.take() {
                Some(item) => item,
                None => self.item(item_id).await?,
            };
            let version = item.record.version();
            if item.record.adjustment(&key).is_none()
                && let Err(error) = self.check_item(item_id, &item.record, condition).await
            {
                break Err(error);
            }
            let now = self.environment.now();
            let mut guards = self.read_guards(&mut [(&item.record, 0)].into_iter(), &[], now).await?;
            let read = Some((item, &mut guards));
            let updated = self.update_read_item(item_id, read, &[], 0, &mut attempts, |item, _, _| {
                // Rule: adjustments-are-made-once.
                let made = item.adjustment(&key);
                match made {
                    Some(made) if *made == adjustment => {
                        return Ok(Update::Unchanged(Ok(Some((item.clone(), true, Vec::new())))));
                    }
                    Some(_) => return Err(Error::IdempotencyKeyReused),
                    None => {}
                }
                // What was expected was another state of the item.
                if condition.is_some() && item.version() != version {
                    return Ok(Update::Unchanged(Ok(None)));
                }
                match item.adjust(adjustment, delta) {
                    Ok(forgotten) => Ok(Update::Write(Ok(Some((item.clone(), false, forgotten))))),
                    Err(error) => short(item_id, delta, error),
                }
            });
            match updated.await {
                Ok(Ok(Some(adjusted))) => break Ok(Ok(adjusted)),
                Ok(Ok(None)) => attempts.again(Retry::Stale).await?,
                Ok(Err(error)) => break Ok(Err(error)),
                Err(error) => break Err(error),
            }
        };
        let refused = matches!(outcome, Err(Error::TooMuchStock | Error::ItemFull(_) | Error::PreconditionFailed));
        if refused || matches!(outcome, Ok(Err(_))) {
            // Nothing was made. If its record stays, nothing names it.
            if keyed {
                self.erase_adjustment(key, written).await;
            } else {
                let _ = self.store.remove(&[Key::Adjustment(key)]).await;
            }
        }
        let (item, made_before, forgotten) = outcome??;
        if !forgotten.is_empty() {
            // The item was what named them. If this fails, they stay.
            let keys: Vec<_> = forgotten.iter().map(|adjustment| Key::Adjustment(adjustment.key)).collect();
            let _ = self.store.remove(&keys).await;
        }
        Ok(AdjustOutcome { view: self.view_item(item_id, item).await?, replayed: keyed && made_before })
    }

    /// Writes the record of the adjustment under a key, before it is made. What an adjustment that was refused had
    /// written under the same key is replaced.
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyReused`] if the key stands for an adjustment that was made to another item.
    async fn record_adjustment(&self, key: KeyDigest, record: &AdjustmentRecord) -> Result<(), Error> {
        let name = Key::Adjustment(key);
        let value = encode(record)?;
        let mut attempts = self.attempts();
        loop {
            let written = match self.read_one(name.clone()).await? {
                Some(entry) if entry.value == value => return Ok(()),
                Some(entry) => {
                    let Read { entry, record: other } = decode::<AdjustmentRecord>(entry)?;
                    if self.is_made_elsewhere(key, record, &other).await? {
                        return Err(Error::IdempotencyKeyReused);
                    }
                    Retry::after(self.store.swap(&entry, value.clone()).await)
                }
                // Another request with this key may write first: the next read tells.
                None => self.store.put(vec![(name.clone(), value.clone())]).await.map(drop).map_err(Retry::Unknown),
            };
            match written {
                Ok(()) => attempts.count()?,
                Err(retry) => attempts.again(retry).await?,
            }
        }
    }

    /// Removes the record of an adjustment that was not made, if it still is that: another request with the same key
    /// may have written since, and be making it. If one does so in this very moment, its adjustment is made and has no
    /// record, so that histories leave it out.
    async fn erase_adjustment(&self, key: KeyDigest, written: Option<AdjustmentRecord>) {
        let Some(value) = written.and_then(|record| encode(&record).ok()) else { return };
        if let Ok(Some(entry)) = self.read_one(Key::Adjustment(key)).await
            && entry.value == value
        {
            let _ = self.store.remove(&[Key::Adjustment(key)]).await;
        }
    }

    /// Whether the adjustment that has a record under a key was made to another item.
    async fn is_made_elsewhere(
        &self,
        key: KeyDigest,
        record: &AdjustmentRecord,
        other: &AdjustmentRecord,
    ) -> Result<bool, Error> {
        let Some(item_id) = other.item_id.as_ref().filter(|item_id| record.item_id.as_ref() != Some(item_id)) else {
            return Ok(false);
        };
        Ok(self.find_item(item_id).await?.is_some_and(|item| item.record.adjustment(&key).is_some()))
    }
}

/// The answer to an adjustment that is not possible, unless settling holds makes it so.
fn short<T>(item_id: &ItemId, delta: Delta, error: AdjustError) -> Result<Update<Result<T, Error>>, Error> {
    match error {
        AdjustError::TooMuch => Err(Error::TooMuchStock),
        AdjustError::Shortage(shortage) => {
            let result = Err(Error::insufficient_stock(item_id, shortage, delta.get().unsigned_abs()));
            Ok(Update::Short(Short { result, of: Lack::Stock, changed: false }))
        }
    }
}

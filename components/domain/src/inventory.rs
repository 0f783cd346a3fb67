//! Requests about items: show, list, create, price, adjust.

use serde::{Deserialize, Serialize};

use crate::amounts::{Delta, Money, Stock};
use crate::environment::Environment;
use crate::error::Error;
use crate::history::AdjustmentRecord;
use crate::ids::{ItemId, KeyDigest};
use crate::item::{AdjustError, Adjustment, Item};
use crate::settlement::{Change, Lack, Short};
use crate::shop::{Read, Shop, decode, encode};
use crate::store::{Creation, Entry, Found, Key, Store, StoreError, Swap};

/// What a new shop has: item, stock, price. Sorted by item.
pub const PRESET: [(&str, u64, u64); 3] = [("item1", 100, 1000), ("item2", 50, 2000), ("item3", 75, 1500)];

/// What was found of an item.
pub(crate) type FoundItem = Result<Option<Read<Item>>, Error>;

/// How many items are read in one call: each has up to 1 MB, and Spin reads up to 128 MiB in one call.
pub(crate) const MAX_ITEMS_PER_READ: usize = 100;

/// An item as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemView {
    /// Which item.
    pub item_id: ItemId,
    /// What is there, promised goods included.
    pub on_hand: u64,
    /// What is promised to orders.
    pub reserved: u64,
    /// What a newcomer can have.
    pub available: u64,
    /// The price of one.
    pub unit_price: Money,
}

/// The account of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockReport {
    /// The item.
    pub view: ItemView,
    /// What was ever put in, less what was taken out.
    pub received: u64,
    /// What has left with paid orders that are settled.
    pub sold: u64,
    /// Whether the two differ by what is on hand, and no more is promised than that.
    pub balanced: bool,
    /// The holds in its record.
    pub holds: HoldCount,
}

/// The holds in a record: those of pending orders, and those of decided ones that are not settled yet. There are at most about
/// as many of the latter as of the former.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HoldCount {
    /// How many there are.
    pub all: usize,
    /// How many of them were looked at.
    pub looked_at: usize,
    /// How many of those are of orders that are decided, or late.
    pub decided: usize,
}

/// What is known of all items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemList<T> {
    /// In the order of their ids.
    pub items: Vec<T>,
    /// Those whose records cannot be read.
    pub unreadable: Vec<ItemId>,
}

/// What became of a request to put an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// The item is new.
    Created,
    /// The item was there and has the price now.
    Priced,
}

/// What became of an adjustment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjusted {
    /// The item as it is now.
    pub view: ItemView,
    /// Whether the adjustment had been made before, under the same key.
    pub replayed: bool,
}

/// All items, sorted by id. An item is entered here before it is created, so that no item is missing from the list.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalog {
    items: Vec<ItemId>,
}

impl<S: Store, E: Environment> Shop<S, E> {
    /// Shows an item.
    pub async fn show_item(&self, item_id: &ItemId) -> Result<ItemView, Error> {
        let item = self.find_item(item_id).await?.ok_or_else(|| Error::ItemNotFound(item_id.clone()))?;
        self.view_item(item_id, item.record).await
    }

    /// Shows all items, in the order of their ids.
    pub async fn list_items(&self) -> Result<ItemList<ItemView>, Error> {
        let ItemList { items, unreadable } = self.accounts(0).await?;
        Ok(ItemList { items: items.into_iter().map(|account| account.view).collect(), unreadable })
    }

    /// The accounts of all items, in the order of their ids. Looks at up to `look` holds in all, to tell those of pending orders
    /// from the others.
    pub async fn accounts(&self, mut look: usize) -> Result<ItemList<StockReport>, Error> {
        let ids = self.catalog().await?.record.items;
        let mut list = ItemList { items: Vec::with_capacity(ids.len()), unreadable: Vec::new() };
        for ids in ids.chunks(MAX_ITEMS_PER_READ) {
            for (item_id, item) in ids.iter().zip(self.find_items(ids).await?) {
                let mut item = match item {
                    Ok(Some(item)) => item.record,
                    // Listed, but not there: its creation was cut short.
                    Ok(None) => continue,
                    Err(Error::Unreadable { .. }) => {
                        list.unreadable.push(item_id.clone());
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let holds = self.count_holds(&item, look).await?;
                look = look.saturating_sub(holds.looked_at);
                self.preview(&mut item, self.environment.now()).await?;
                let (received, sold, balanced) = (item.received, item.sold, item.is_balanced());
                list.items.push(StockReport { view: view(item_id, &item), received, sold, balanced, holds });
            }
        }
        Ok(list)
    }

    /// Creates an item, or changes the price of one that is there. `on_hand` is for a new item only.
    pub async fn put_item(
        &self,
        item_id: &ItemId,
        unit_price: Money,
        on_hand: Option<Stock>,
    ) -> Result<(ItemView, PutOutcome), Error> {
        let new = Item::new(on_hand.unwrap_or(Stock::ZERO), unit_price);
        if self.find_item(item_id).await?.is_none() {
            self.enter(item_id).await?;
            let view = view(item_id, &new);
            match self.store.create(&Key::Item(item_id.clone()), new.to_bytes()).await? {
                Creation::Created => return Ok((view, PutOutcome::Created)),
                Creation::Exists => {}
            }
        }
        if on_hand.is_some() {
            return Err(Error::ItemExists(item_id.clone()));
        }
        let item = self
            .update_item(item_id, |item, _| {
                if item.unit_price == unit_price {
                    return Ok(Change::Leave(item.clone()));
                }
                item.unit_price = unit_price;
                Ok(Change::Write(item.clone()))
            })
            .await?;
        Ok((self.view_item(item_id, item).await?, PutOutcome::Priced))
    }

    /// Adds to what is on hand, or takes from it. A repeat with the same `key` does nothing, while the item remembers
    /// it ([`crate::item::REMEMBERED_ADJUSTMENTS`]).
    pub async fn adjust_item(
        &self,
        item_id: &ItemId,
        delta: Delta,
        reason: &str,
        key: Option<KeyDigest>,
    ) -> Result<Adjusted, Error> {
        let keyed = key.is_some();
        // Without a key it gets one all the same: if the swap's answer is lost, the key tells whether it was made.
        let key = key.unwrap_or_else(|| KeyDigest::from_random(self.environment.random_id()));
        let adjustment = Adjustment::new(key, delta, reason);
        let mut item = self.item(item_id).await?;
        let mut written = None;
        if item.record.adjustment(&key).is_none() {
            if item.record.adjusted(delta).is_err() {
                // Nothing is written down of what is refused.
                let checked = self.update_item(item_id, |item, _| match item.adjusted(delta) {
                    Ok(_) => Ok(Change::Leave(Ok(()))),
                    Err(error) => short_of(item_id, delta, error),
                });
                checked.await??;
                item = self.item(item_id).await?;
            }
            let (at, reason) = (self.environment.now(), reason.to_owned());
            let made = AdjustmentRecord { at, delta: delta.get(), reason, item_id: Some(item_id.clone()) };
            if keyed {
                self.record_adjustment(key, &made).await?;
            } else {
                self.store.put(vec![(Key::Adjustment(key), encode(&made)?)]).await?;
            }
            written = Some(made);
        }
        let mut beside = self.read_beside(&mut [(&item.record, 0)].into_iter(), &[], self.environment.now()).await?;
        let outcome = self
            .update_read_item(item_id, Some((item, &mut beside)), &[], 0, self.attempts(), |item, _, _| {
                match item.adjustment(&key) {
                    Some(made) if *made == adjustment => {
                        return Ok(Change::Leave(Ok((item.clone(), true, Vec::new()))));
                    }
                    Some(_) => return Err(Error::IdempotencyKeyReused),
                    None => {}
                }
                match item.adjust(adjustment, delta) {
                    Ok(forgotten) => Ok(Change::Write(Ok((item.clone(), false, forgotten)))),
                    Err(error) => short_of(item_id, delta, error),
                }
            })
            .await;
        if matches!(outcome, Ok(Err(_)) | Err(Error::TooMuchStock | Error::ItemFull(_))) {
            // Nothing was made. If its record stays, nothing names it.
            if keyed {
                self.erase(key, written).await;
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
        Ok(Adjusted { view: self.view_item(item_id, item).await?, replayed: keyed && made_before })
    }

    /// An item that has to be there, and is likely to be swapped next.
    pub(crate) async fn item(&self, item_id: &ItemId) -> Result<Read<Item>, Error> {
        let (items, _) = self.find_items_for_update(std::slice::from_ref(item_id), Vec::new()).await?;
        items.into_iter().next().unwrap_or(Ok(None))?.ok_or_else(|| Error::ItemNotFound(item_id.clone()))
    }

    pub(crate) async fn find_item(&self, item_id: &ItemId) -> FoundItem {
        self.find_items(std::slice::from_ref(item_id)).await?.into_iter().next().unwrap_or(Ok(None))
    }

    /// Reads items, one answer an id, as they are at one moment.
    pub(crate) async fn find_items(&self, ids: &[ItemId]) -> Result<Vec<FoundItem>, Error> {
        let (items, _) = self.find(ids, Vec::new(), false).await?;
        Ok(items)
    }

    /// Reads items that are likely to be swapped next, one answer an id, and after them other records.
    pub(crate) async fn find_items_for_update(
        &self,
        ids: &[ItemId],
        others: Vec<Key>,
    ) -> Result<(Vec<FoundItem>, Vec<Found>), Error> {
        self.find(ids, others, true).await
    }

    async fn get(&self, keys: &[Key], for_update: bool) -> Result<Vec<Found>, StoreError> {
        if for_update { self.store.get_for_update(keys).await } else { self.store.get(keys).await }
    }

    /// Brings in the preset items when one of them is asked for and not there yet.
    async fn find(
        &self,
        ids: &[ItemId],
        others: Vec<Key>,
        for_update: bool,
    ) -> Result<(Vec<FoundItem>, Vec<Found>), Error> {
        let mut keys: Vec<_> = ids.iter().cloned().map(Key::Item).collect();
        keys.extend(others);
        let mut found = self.get(&keys, for_update).await?;
        let preset = |id: &ItemId| PRESET.iter().any(|(preset, ..)| id.as_str() == *preset);
        if ids.iter().zip(&found).any(|(id, entry)| *entry == Ok(None) && preset(id)) {
            self.seed().await?;
            found = self.get(&keys, for_update).await?;
        }
        let others = found.split_off(ids.len().min(found.len()));
        Ok((found.into_iter().map(|entry| entry?.map(decode_item).transpose()).collect(), others))
    }

    /// Makes the ledger, the preset items, and then the catalog that lists them. Of several at once each item is created once; and
    /// since items are never removed, one that was there keeps what has become of it.
    async fn seed(&self) -> Result<(), Error> {
        self.open_sequence().await?;
        let mut catalog = Catalog::default();
        for (id, on_hand, unit_price) in PRESET {
            let (Ok(id), Ok(on_hand), Ok(unit_price)) = (id.parse(), on_hand.try_into(), unit_price.try_into()) else {
                continue;
            };
            let item = Item::new(on_hand, unit_price).to_bytes();
            let _ = self.store.create(&Key::Item(ItemId::clone(&id)), item).await?;
            catalog.items.push(id);
        }
        let _ = self.store.create(&Key::Catalog, encode(&catalog)?).await?;
        Ok(())
    }

    async fn catalog(&self) -> Result<Read<Catalog>, Error> {
        if let Some(entry) = self.read_one(Key::Catalog).await? {
            return decode_catalog(entry);
        }
        self.seed().await?;
        decode_catalog(self.read_one(Key::Catalog).await?.ok_or(Error::Busy)?)
    }

    /// Enters an item in the catalog.
    async fn enter(&self, item_id: &ItemId) -> Result<(), Error> {
        let mut attempts = self.attempts();
        loop {
            let Read { entry, record: mut catalog } = self.catalog().await?;
            match catalog.items.binary_search(item_id) {
                Ok(_) => return Ok(()),
                Err(index) => catalog.items.insert(index, item_id.clone()),
            }
            let value = encode(&catalog)?;
            if value.len() > self.settings.limits.record_bytes {
                return Err(Error::CatalogFull);
            }
            match self.store.swap(&entry, value).await {
                Ok(Swap::Swapped) => return Ok(()),
                outcome => attempts.again(outcome).await?,
            }
        }
    }

    async fn view_item(&self, item_id: &ItemId, mut item: Item) -> Result<ItemView, Error> {
        self.preview(&mut item, self.environment.now()).await?;
        Ok(view(item_id, &item))
    }
}

/// What to say of an adjustment that is not possible, unless settling holds makes it so.
fn short_of<T>(item_id: &ItemId, delta: Delta, error: AdjustError) -> Result<Change<Result<T, Error>>, Error> {
    match error {
        AdjustError::TooMuch => Err(Error::TooMuchStock),
        AdjustError::Shortage(shortage) => {
            let result = Err(Error::insufficient_stock(item_id, shortage, delta.get().unsigned_abs()));
            Ok(Change::Short(Short { result, of: Lack::Stock, changed: false }))
        }
    }
}

fn view(item_id: &ItemId, item: &Item) -> ItemView {
    ItemView {
        item_id: item_id.clone(),
        on_hand: item.on_hand.get(),
        reserved: item.reserved(),
        available: item.available(),
        unit_price: item.unit_price,
    }
}

/// The catalog out of its bytes; one that is not sorted is not believed.
fn decode_catalog(entry: Entry) -> Result<Read<Catalog>, Error> {
    let read: Read<Catalog> = decode(entry)?;
    if read.record.items.is_sorted_by(|one, next| one < next) {
        return Ok(read);
    }
    Err(Error::Unreadable { key: read.entry.physical_key, reason: "it is not sorted".to_owned() })
}

/// An item out of its bytes; one that promises more than it has is not believed.
fn decode_item(entry: Entry) -> Result<Read<Item>, Error> {
    let unreadable = |key, reason: &str| Err(Error::Unreadable { key, reason: reason.to_owned() });
    match Item::from_bytes(&entry.value) {
        Ok(record) if record.reserved() <= record.on_hand.get() => Ok(Read { entry, record }),
        Ok(_) => unreadable(entry.physical_key, "more is reserved than on hand"),
        Err(error) => unreadable(entry.physical_key, &error.to_string()),
    }
}

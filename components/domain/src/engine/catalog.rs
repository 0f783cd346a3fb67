//! The list of all items, and the items that a new shop has.

use plain_json::Json;
use serde::Serialize;

use crate::engine::codec::{Read, decode, encode};
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::fields::{Fields, FromJson, list, text};
use crate::model::ids::ItemId;
use crate::model::item::Item;
use crate::provider::Provider;
use crate::store::{Entry, Key, Store};

/// What a new shop has: item, units, price of one. Sorted by item.
pub const PRESET: [(&str, u64, u64); 3] = [("item1", 100, 1000), ("item2", 50, 2000), ("item3", 75, 1500)];

/// All items, sorted by id. An item is entered here before it is created, so that no item is missing from the list.
#[derive(Debug, Default, Serialize)]
struct Catalog {
    items: Vec<ItemId>,
}

impl FromJson for Catalog {
    fn from_json(json: &mut Json) -> Option<Self> {
        let mut fields = Fields::of(json)?;
        let catalog = Self { items: fields.required("items", |json| list(json, text))? };
        fields.end(catalog)
    }
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    pub(crate) fn is_preset(item_id: &ItemId) -> bool {
        PRESET.iter().any(|(preset, ..)| item_id.as_str() == *preset)
    }

    /// Makes the sequence of the order index, the preset items, and then the catalog that lists them. Of several
    /// requests at once each item is created once; and since items are never removed, one that is there stays as it is.
    pub(crate) async fn seed(&self) -> Result<(), Error> {
        self.create_sequence().await?;
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

    /// The ids of all items, sorted.
    pub(crate) async fn item_ids(&self) -> Result<Vec<ItemId>, Error> {
        Ok(self.catalog().await?.record.items)
    }

    async fn catalog(&self) -> Result<Read<Catalog>, Error> {
        if let Some(entry) = self.read_one(Key::Catalog).await? {
            return decode_catalog(entry);
        }
        self.seed().await?;
        decode_catalog(self.read_one(Key::Catalog).await?.ok_or(Error::Contended)?)
    }

    /// Enters an item in the catalog.
    pub(crate) async fn add_to_catalog(&self, item_id: &ItemId) -> Result<(), Error> {
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
            match Retry::after(self.store.swap(&entry, value).await) {
                Ok(()) => return Ok(()),
                Err(retry) => attempts.again(retry).await?,
            }
        }
    }
}

/// Decodes the catalog. One that is not sorted is refused as damaged.
fn decode_catalog(entry: Entry) -> Result<Read<Catalog>, Error> {
    let read: Read<Catalog> = decode(entry)?;
    if read.record.items.is_sorted_by(|one, next| one < next) {
        return Ok(read);
    }
    Err(Error::Unreadable { key: read.entry.physical_key, reason: "it is not sorted".to_owned() })
}

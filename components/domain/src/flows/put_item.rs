//! Creating an item, and setting its price.

use crate::engine::shop::Shop;
use crate::engine::update_item::Update;
use crate::environment::Environment;
use crate::error::Error;
use crate::flows::stock_report::ItemView;
use crate::model::amounts::{Money, Stock};
use crate::model::ids::ItemId;
use crate::model::item::Item;
use crate::store::{Creation, Key, Store};

/// The result of a request to put an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// The item is new.
    Created,
    /// The item was there and has the price now.
    Priced,
}

impl<S: Store, E: Environment> Shop<S, E> {
    /// Creates an item, or changes the price of one that is there. `on_hand` is for a new item only.
    ///
    /// # Errors
    /// If stock is given for an item that is there, the catalog is full, or the store fails.
    pub async fn put_item(
        &self,
        item_id: &ItemId,
        unit_price: Money,
        on_hand: Option<Stock>,
    ) -> Result<(ItemView, PutOutcome), Error> {
        let new = Item::new(on_hand.unwrap_or(Stock::ZERO), unit_price);
        if self.find_item(item_id).await?.is_none() {
            self.add_to_catalog(item_id).await?;
            let view = ItemView::new(item_id, &new);
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
                if item.unit_price() == unit_price {
                    return Ok(Update::Unchanged(item.clone()));
                }
                item.set_price(unit_price);
                Ok(Update::Write(item.clone()))
            })
            .await?;
        Ok((self.view_item(item_id, item).await?, PutOutcome::Priced))
    }
}

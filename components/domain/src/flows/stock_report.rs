//! Items as clients and operators see them.

use crate::engine::codec::Read;
use crate::engine::condition::Condition;
use crate::engine::settle::{HoldCount, Previewed};
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::amounts::{Money, Quantity};
use crate::model::ids::ItemId;
use crate::model::item::Item;
use crate::model::label::{ImageUrl, ItemName};
use crate::provider::Provider;
use crate::store::Store;

/// An item as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemView {
    /// Its id.
    pub item_id: ItemId,
    /// The units that are there, promised ones included.
    pub on_hand: u64,
    /// The units that are promised to orders.
    pub reserved: u64,
    /// The units that an order can have.
    pub available: u64,
    /// The price of one unit, in minor units of the shop's currency.
    pub unit_price: Money,
    /// The most of it that one order may have: none where there is no limit.
    pub max_per_order: Option<Quantity>,
    /// What people call it.
    pub name: Option<ItemName>,
    /// Where there is a picture of it.
    pub image: Option<ImageUrl>,
}

/// What the operator is told about the stock of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockReport {
    /// The item.
    pub view: ItemView,
    /// The initial stock and the sum of all adjustments.
    pub received: u64,
    /// The units that left with paid orders.
    pub sold: u64,
    /// The units of those that came back.
    pub returned: u64,
    /// The units of those that were written off.
    pub written_off: u64,
    /// Whether received - sold + returned - written off = on hand.
    pub balanced: bool,
    /// The holds in its record. Where not all were looked at, units of paid orders may be among those reserved.
    pub holds: HoldCount,
}

/// What is known of all items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemList<T> {
    /// In the order of their ids.
    pub items: Vec<T>,
    /// Those whose records cannot be read.
    pub unreadable: Vec<ItemId>,
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// Shows an item.
    ///
    /// # Errors
    /// If there is no such item, or its record cannot be read.
    pub async fn show_item(&self, item_id: &ItemId) -> Result<ItemView, Error> {
        let item = self.find_item(item_id).await?.ok_or_else(|| Error::ItemNotFound(item_id.clone()))?;
        let (item, seen) = self.preview_one(item_id, item.record).await?;
        self.settle_after_reading(item_id, seen).await;
        Ok(self.view(item_id, &item))
    }

    /// Shows all items, in the order of their ids.
    ///
    /// # Errors
    /// If the catalog cannot be read, or the store fails.
    pub async fn list_items(&self) -> Result<ItemList<ItemView>, Error> {
        let ItemList { items, unreadable } = self.stock_report(0).await?;
        Ok(ItemList { items: items.into_iter().map(|report| report.view).collect(), unreadable })
    }

    /// Reports on all items, in the order of their ids. Looks at all overdue holds, and at up to `look` others, to tell
    /// those of pending orders from those of paid ones.
    ///
    /// # Errors
    /// If the catalog cannot be read, or the store fails.
    pub async fn stock_report(&self, mut look: usize) -> Result<ItemList<StockReport>, Error> {
        let ids = self.item_ids().await?;
        let mut settled = false;
        let mut list = ItemList { items: Vec::with_capacity(ids.len()), unreadable: Vec::new() };
        for ids in ids.chunks(self.settings.limits.records_per_read.max(1)) {
            let mut items = Vec::with_capacity(ids.len());
            for (item_id, item) in ids.iter().zip(self.find_items(ids).await?) {
                match item {
                    Ok(Some(Read { record, .. })) => items.push(Previewed::new(item_id, record)),
                    // Listed, but not there: its creation was cut short.
                    Ok(None) => {}
                    Err(Error::Unreadable { .. }) => list.unreadable.push(item_id.clone()),
                    Err(error) => return Err(error),
                }
            }
            self.preview(&mut items, &mut look).await?;
            for Previewed { item_id, item, count: holds } in items {
                // One item a report: a report of many items is no long sequence of swaps.
                settled = settled || self.settle_after_reading(item_id, holds).await;
                list.items.push(StockReport {
                    view: self.view(item_id, &item),
                    received: item.received(),
                    sold: item.sold(),
                    returned: item.returned(),
                    written_off: item.written_off(),
                    balanced: item.is_balanced(),
                    holds,
                });
            }
        }
        Ok(list)
    }

    /// Whether an item that was read is what a request expects.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] if it is not.
    pub(crate) async fn check_item(
        &self,
        item_id: &ItemId,
        item: &Item,
        condition: &Condition<ItemView>,
    ) -> Result<(), Error> {
        if condition.is_some() { condition.check(Some(&self.view_item(item_id, item.clone()).await?)) } else { Ok(()) }
    }

    pub(crate) async fn view_item(&self, item_id: &ItemId, item: Item) -> Result<ItemView, Error> {
        let (item, _) = self.preview_one(item_id, item).await?;
        Ok(self.view(item_id, &item))
    }

    /// An item as its record says.
    pub(crate) fn view(&self, item_id: &ItemId, item: &Item) -> ItemView {
        ItemView {
            item_id: item_id.clone(),
            on_hand: item.on_hand(),
            reserved: item.reserved(),
            available: item.available(),
            unit_price: item.unit_price(),
            max_per_order: item.max_per_order(self.settings.max_per_order),
            name: item.name().cloned(),
            image: item.image().cloned(),
        }
    }
}

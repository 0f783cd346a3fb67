//! How records are read: orders with their states, and items.

use crate::engine::codec::{Read, decode_item, decode_order, decode_state};
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::ids::{ItemId, OrderId};
use crate::model::item::Item;
use crate::model::order::{Line, Order};
use crate::model::order_state::OrderState;
use crate::provider::Provider;
use crate::store::{Entry, Found, Key, Store, StoreError};

/// An order with its state.
pub(crate) type OrderRead = (Order, Read<OrderState>);

/// An item that was looked for: none if it is not there, an error if its record cannot be read.
pub(crate) type FoundItem = Result<Option<Read<Item>>, Error>;

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// The record under a key.
    pub(crate) async fn read_one(&self, key: Key) -> Result<Option<Entry>, Error> {
        Ok(self.store.get(&[key]).await?.into_iter().next().unwrap_or(Ok(None))?)
    }

    /// The order and its state; none if there is no such order.
    pub(crate) async fn read_order(&self, id: OrderId) -> Result<Option<OrderRead>, Error> {
        self.read_orders(&[id]).await?.into_iter().next().unwrap_or(Ok(None))
    }

    /// As [`Self::read_order`], several in one call: one answer an id.
    pub(crate) async fn read_orders(&self, ids: &[OrderId]) -> Result<Vec<Result<Option<OrderRead>, Error>>, Error> {
        let keys: Vec<_> = ids.iter().flat_map(|id| [Key::Order(*id), Key::OrderState(*id)]).collect();
        let found = if keys.is_empty() { Vec::new() } else { self.store.get(&keys).await? };
        let mut found = found.into_iter();
        let mut next = || found.next().unwrap_or(Ok(None));
        let order = |id: &OrderId| match (next()?, next()?) {
            (None, None) => Ok(None),
            (Some(order), Some(state)) => Ok(Some((decode_order(order, *id)?, decode_state(state)?))),
            _ => Err(Error::inconsistent_order(*id)),
        };
        Ok(ids.iter().map(order).collect())
    }

    /// Whether the records of an order that was there are removed: it was closed before. A state alone that is missing is
    /// damage.
    pub(crate) async fn is_removed(&self, id: OrderId) -> Result<bool, Error> {
        let found = self.store.get(&[Key::Order(id), Key::OrderState(id)]).await?;
        Ok(found.iter().all(|found| *found == Ok(None)))
    }

    /// Those of these orders whose records are removed; none of them has a state.
    pub(crate) async fn removed_ones(&self, orders: Vec<OrderId>) -> Result<Vec<OrderId>, Error> {
        if orders.is_empty() {
            return Ok(orders);
        }
        let found = self.store.get(&orders.iter().copied().map(Key::Order).collect::<Vec<_>>()).await?;
        Ok(orders.into_iter().zip(found).filter(|(_, found)| *found == Ok(None)).map(|(order, _)| order).collect())
    }

    /// The state of an order that was there a moment ago.
    ///
    /// # Errors
    /// [`Error::OrderNotFound`] where the request that placed it has withdrawn it since, because another order has its
    /// key.
    pub(crate) async fn read_state(&self, id: OrderId) -> Result<Read<OrderState>, Error> {
        // Rule: withdrawn-is-not-damage.
        let missing = || Error::OrderNotFound;
        decode_state(self.read_one(Key::OrderState(id)).await?.ok_or_else(missing)?)
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

    /// Seeds the shop when a preset item is asked for and not there yet.
    async fn find(
        &self,
        ids: &[ItemId],
        others: Vec<Key>,
        for_update: bool,
    ) -> Result<(Vec<FoundItem>, Vec<Found>), Error> {
        let mut keys: Vec<_> = ids.iter().cloned().map(Key::Item).collect();
        keys.extend(others);
        let mut found = self.get(&keys, for_update).await?;
        if ids.iter().zip(&found).any(|(id, entry)| *entry == Ok(None) && Self::is_preset(id)) {
            self.seed().await?;
            found = self.get(&keys, for_update).await?;
        }
        let others = found.split_off(ids.len().min(found.len()));
        Ok((found.into_iter().map(|entry| entry?.map(decode_item).transpose()).collect(), others))
    }

    /// The lines of an order that are not held.
    pub(crate) async fn missing_lines<'a>(&self, order: &'a Order) -> Result<Vec<&'a Line>, Error> {
        let ids: Vec<_> = order.lines().iter().map(|line| line.item_id.clone()).collect();
        let items = self.find_items(&ids).await?;
        let mut missing = Vec::new();
        for (line, item) in order.lines().iter().zip(items) {
            if !item?.map_or(Ok(false), |item| is_held(order, line, &item.record))? {
                missing.push(line);
            }
        }
        Ok(missing)
    }
}

/// Whether an item holds a line of an order. A hold of more or less than the line is reported as damage of the item.
pub(crate) fn is_held(order: &Order, line: &Line, item: &Item) -> Result<bool, Error> {
    order.is_held(line, item).map_err(|_| {
        let reason = format!("it does not hold what order:{} says", order.order_id);
        Error::Unreadable { key: Key::Item(line.item_id.clone()).to_string(), reason }
    })
}

//! Creating an item, and setting its price, its limit, and what it is called.

use crate::engine::codec::Read;
use crate::engine::condition::Condition;
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::engine::update_item::{Guards, Update};
use crate::environment::Environment;
use crate::error::Error;
use crate::flows::stock_report::ItemView;
use crate::model::amounts::{Money, Stock};
use crate::model::ids::ItemId;
use crate::model::item::{Item, Offer};
use crate::provider::Provider;
use crate::store::{Creation, Key, Store};

/// The result of a request to put an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// The item is new.
    Created,
    /// The item was there and is offered so now.
    Priced,
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// As [`Self::put_item_if`], whatever there is, and without a word on anything but the price.
    ///
    /// # Errors
    /// As [`Self::put_item_if`].
    pub async fn put_item(
        &self,
        item_id: &ItemId,
        unit_price: Money,
        on_hand: Option<Stock>,
    ) -> Result<(ItemView, PutOutcome), Error> {
        self.put_item_if(&Condition::default(), item_id, &Offer::at(unit_price), on_hand).await
    }

    /// Creates an item, or changes how one is offered that is there, if it is what is expected. `on_hand` is for a new
    /// item only.
    ///
    /// # Errors
    /// If it is not what is expected, stock is given for an item that is there, the catalog is full, or the store
    /// fails.
    pub async fn put_item_if(
        &self,
        condition: &Condition<ItemView>,
        item_id: &ItemId,
        offer: &Offer,
        on_hand: Option<Stock>,
    ) -> Result<(ItemView, PutOutcome), Error> {
        let mut new = Item::new(on_hand.unwrap_or(Stock::ZERO), offer.unit_price);
        new.offer(offer);
        if self.find_item(item_id).await?.is_none() {
            condition.check(None)?;
            self.add_to_catalog(item_id).await?;
            let view = self.view(item_id, &new);
            match self.store.create(&Key::Item(item_id.clone()), new.to_bytes()).await? {
                Creation::Created => return Ok((view, PutOutcome::Created)),
                Creation::Exists => {}
            }
        }
        let mut attempts = self.attempts();
        loop {
            let mut checked = None;
            if condition.is_some() {
                let item = self.item(item_id).await?.record;
                match self.check_item(item_id, &item, condition).await {
                    Ok(()) => checked = Some(item.version()),
                    // This request may have made the change itself, and not heard of it.
                    Err(Error::PreconditionFailed) if attempts.is_unclear() => {
                        let done = !item.clone().offer(offer);
                        let view = self.view_item(item_id, item).await?;
                        return if done { Ok((view, PutOutcome::Priced)) } else { Err(Error::Abandoned) };
                    }
                    Err(error) => return Err(error),
                }
            }
            if on_hand.is_some() {
                return Err(Error::ItemExists(item_id.clone()));
            }
            let read = None::<(Read<Item>, &mut Guards)>;
            let updated = self.update_read_item(item_id, read, &[], 0, &mut attempts, |item, _, _| {
                // What was expected was another state of the item.
                if checked.is_some_and(|version| version != item.version()) {
                    return Ok(Update::Unchanged(None));
                }
                let changed = item.offer(offer);
                Ok(if changed { Update::Write(Some(item.clone())) } else { Update::Unchanged(Some(item.clone())) })
            });
            match updated.await? {
                Some(item) => return Ok((self.view_item(item_id, item).await?, PutOutcome::Priced)),
                None => attempts.again(Retry::Stale).await?,
            }
        }
    }
}

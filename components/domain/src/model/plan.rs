//! Which orders of a batch can be placed, and which cannot. Decided from a snapshot, before anything is written.
//!
//! A plan is a forecast and not a promise: other instances sell at the same time. The promise is made by
//! [`Item::hold`](super::item::Item::hold) and the swap that writes it. What a plan refuses for want of stock is looked
//! at once more, after expired holds are settled.

use std::rc::Rc;

use crate::model::amounts::Quantity;
use crate::model::holds::Hold;
use crate::model::ids::{ItemId, KeyDigest, OrderId};
use crate::model::item::Item;
use crate::model::order::{Line, NewOrder, Order, Terms};

/// One request to place an order.
#[derive(Debug, Clone)]
pub struct PlaceRequest {
    /// What the customer asks for.
    pub request: Rc<NewOrder>,
    /// Its idempotency key.
    pub key: Option<KeyDigest>,
    /// The id that its order gets.
    pub order_id: OrderId,
}

/// What was read for a batch.
#[derive(Debug)]
pub struct Snapshot<'a> {
    /// The items that could be read, sorted by id.
    pub items: Vec<ItemSnapshot<'a>>,
    /// The idempotency keys that are mapped, and their orders: none where the mapping cannot be read.
    pub mappings: Vec<(KeyDigest, Option<OrderId>)>,
}

/// An item as it was read.
#[derive(Debug)]
pub struct ItemSnapshot<'a> {
    /// Its id.
    pub item_id: &'a ItemId,
    /// Its record.
    pub item: &'a Item,
    /// How many bytes of new holds fit into the record.
    pub room: usize,
}

/// Why an order is not placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotPlanned {
    /// An item is not in the snapshot.
    UnknownItem(ItemId),
    /// There is more of an item in the order than one order may have.
    AboveLimit {
        /// The item.
        item_id: ItemId,
        /// The most that it may have.
        max_per_order: Quantity,
        /// What was requested.
        requested: Quantity,
    },
    /// The total is more than money can be.
    TotalTooLarge,
    /// The customer expects other prices than this order has.
    PriceChanged(Rc<Order>),
    /// There is too little of an item for this hold, or too little room in its record, unless other holds are settled.
    Insufficient(ItemId, Hold),
    /// Another order was placed under the key.
    KeyUsed(OrderId),
    /// It cannot be read which order was placed under the key.
    KeyUnreadable(KeyDigest),
    /// An earlier request of the batch has the same key. Its outcome decides.
    KeyInSameBatch,
}

/// What the batch takes of an item.
#[derive(Debug, Default, Clone, Copy)]
struct Allocated {
    units: u64,
    bytes: usize,
}

/// The orders that are placed for `requests`, in the same sequence. Each takes what the ones before have left.
pub fn plan(snapshot: &Snapshot<'_>, requests: &[PlaceRequest], terms: &Terms) -> Vec<Result<Order, NotPlanned>> {
    let mut planning =
        Planning { snapshot, allocated: vec![Allocated::default(); snapshot.items.len()], keys: Vec::new() };
    requests.iter().map(|request| planning.order(request, terms)).collect()
}

/// A plan that is being made.
struct Planning<'a> {
    snapshot: &'a Snapshot<'a>,
    /// One entry an item of the snapshot.
    allocated: Vec<Allocated>,
    /// The keys of the orders planned so far.
    keys: Vec<KeyDigest>,
}

impl<'a> Planning<'a> {
    fn find(&self, item_id: &ItemId) -> Result<(usize, &'a ItemSnapshot<'a>), NotPlanned> {
        let items = &self.snapshot.items;
        let index = items.binary_search_by(|item| item.item_id.cmp(item_id)).ok();
        let found = index.and_then(|index| Some((index, items.get(index)?)));
        found.ok_or_else(|| NotPlanned::UnknownItem(item_id.clone()))
    }

    fn order(&mut self, request: &PlaceRequest, terms: &Terms) -> Result<Order, NotPlanned> {
        let PlaceRequest { request: asked, key, .. } = request;
        let mut lines = Vec::with_capacity(asked.lines.iter().len());
        let (mut first_key, mut above_limit) = (*key, None);
        for (item_id, quantity) in asked.lines.iter() {
            let (_, ItemSnapshot { item, .. }) = self.find(item_id)?;
            // The first item carries the key, until its mapping is written.
            if let Some(key) = first_key.take() {
                self.check_key(&key, item)?;
            }
            if let Some(max_per_order) = item.max_per_order(terms.max_per_order).filter(|most| quantity > *most) {
                let item_id = item_id.clone();
                above_limit =
                    above_limit.or(Some(NotPlanned::AboveLimit { item_id, max_per_order, requested: quantity }));
            }
            let (unit_price, name) = (item.unit_price(), item.name().cloned());
            lines.push(Line { item_id: item_id.clone(), quantity, unit_price, name });
        }
        // Looked at here and not again with the hold, as prices are: no customer was promised another limit, so it does
        // no harm if an order that was planned under the limit of before is held a moment later. After the key: a repeat
        // is answered with its order whatever the limit is now.
        if let Some(above_limit) = above_limit {
            return Err(above_limit);
        }
        let order = Order::new(request, lines, terms).ok_or(NotPlanned::TotalTooLarge)?;
        // Rule: orders-are-planned-at-the-expected-price.
        let as_expected = asked.expected.are_those_of(&order);
        if !as_expected {
            return Err(NotPlanned::PriceChanged(Rc::new(order)));
        }
        let mut allocations = Vec::with_capacity(order.lines().len());
        for (item_id, hold) in order.holds(*key) {
            allocations.push(self.allocate(item_id, hold)?);
        }
        for (index, after) in allocations {
            if let Some(allocated) = self.allocated.get_mut(index) {
                *allocated = after;
            }
        }
        self.keys.extend(*key);
        Ok(order)
    }

    /// Whether no order was placed under the key whose first line is of `item`.
    fn check_key(&self, key: &KeyDigest, item: &Item) -> Result<(), NotPlanned> {
        if let Some(order) = item.order_for_key(key) {
            return Err(NotPlanned::KeyUsed(order));
        }
        match self.snapshot.mappings.iter().find(|(mapped, _)| mapped == key) {
            Some((_, Some(order))) => Err(NotPlanned::KeyUsed(*order)),
            Some((_, None)) => Err(NotPlanned::KeyUnreadable(*key)),
            None if self.keys.contains(key) => Err(NotPlanned::KeyInSameBatch),
            None => Ok(()),
        }
    }

    /// What the batch takes of an item, with this hold.
    fn allocate(&self, item_id: &ItemId, hold: Hold) -> Result<(usize, Allocated), NotPlanned> {
        let (index, ItemSnapshot { item, room, .. }) = self.find(item_id)?;
        let insufficient = || NotPlanned::Insufficient(item_id.clone(), hold);
        let before = self.allocated.get(index).copied().unwrap_or_default();
        let units = before.units.checked_add(hold.quantity.get()).ok_or_else(insufficient)?;
        let bytes = before.bytes.checked_add(item.bytes_of(&hold)).ok_or_else(insufficient)?;
        // Rule: plan-within-stock-and-room.
        let fits = units <= item.available() && bytes <= *room;
        if fits { Ok((index, Allocated { units, bytes })) } else { Err(insufficient()) }
    }
}

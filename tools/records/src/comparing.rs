//! Compares shops with the account that they share at their provider.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};
use uuid::Uuid;

use crate::reconcile::{Charge, Difference, Reading, differences, lasting};
use crate::shop::Shop;
use crate::stripe::Account;

/// The most orders that are read again one by one. Where more differ, everything is read again.
const MAX_ONE_BY_ONE: usize = 1000;

/// What was found.
pub struct Compared {
    /// How many orders were compared.
    pub orders: usize,
    /// With how many charges.
    pub charges: usize,
    /// What differs.
    pub found: Vec<Difference>,
    /// How many entries of the lists of orders cannot be read. Their orders were compared only where they were charged.
    pub unreadable_entries: u64,
}

/// What is compared.
pub struct Sides {
    /// Shops that share the account.
    pub shops: Vec<Shop>,
    /// What has charged their buyers.
    pub account: Account,
}

impl Sides {
    /// What differs, and goes on to differ. Each side is read whole; then what differs is read again, at once and after a
    /// while, the provider before the shops: so what was under way, or was seen before and after a change, is not told.
    ///
    /// # Errors
    /// If one side cannot be read, or two shops are one.
    pub fn compare(&self, wait: Duration) -> Result<Compared> {
        let (mut shop, unreadable_entries) = self.orders()?;
        let mut charges = self.account.all(&on_record(&shop))?;
        let mut found = self.differences(&shop, &charges)?;
        let (orders, all) = (shop.orders.len() + shop.unreadable.len(), charges.len());
        for pause in [Duration::ZERO, wait] {
            if found.is_empty() {
                break;
            }
            sleep(pause);
            let ids: BTreeSet<_> = found.iter().map(|difference| difference.order).collect();
            let before = shop;
            if ids.len() > MAX_ONE_BY_ONE {
                charges = self.account.all(&on_record(&before))?;
                shop = self.orders()?.0;
            } else {
                charges = self.account.some(&names(&before, &charges, &ids))?;
                shop = self.some(&ids)?;
            }
            found = lasting(found, &self.differences(&shop, &charges)?);
        }
        Ok(Compared { orders, charges: all, found, unreadable_entries })
    }

    /// The orders of all shops.
    fn orders(&self) -> Result<(Reading, u64)> {
        let (mut all, mut unreadable_entries) = (Reading::default(), 0);
        for shop in &self.shops {
            let read = shop.all()?;
            unreadable_entries += read.unreadable_entries;
            add(&mut all, read.reading)?;
        }
        Ok((all, unreadable_entries))
    }

    /// These orders, of whichever shop.
    fn some(&self, ids: &BTreeSet<Uuid>) -> Result<Reading> {
        let mut some = Reading::default();
        for shop in &self.shops {
            add(&mut some, shop.some(ids)?)?;
        }
        Ok(some)
    }

    fn differences(&self, shop: &Reading, charges: &[Charge]) -> Result<Vec<Difference>> {
        let mut missing = BTreeSet::new();
        for session in shop.orders.values().filter_map(|account| account.session()) {
            if !self.account.has_session(session)? {
                missing.insert(session.to_owned());
            }
        }
        Ok(differences(shop, charges, &missing))
    }
}

/// Adds the orders of another shop. No two shops have the same.
fn add(all: &mut Reading, other: Reading) -> Result<()> {
    if let Some(twice) = other.orders.keys().find(|order| all.orders.contains_key(order)) {
        bail!("order {twice} is in two of the shops: name each shop once, and no copy of one");
    }
    all.orders.extend(other.orders);
    all.unreadable.extend(other.unreadable);
    Ok(())
}

/// The provider's names of all charges that shops have on record.
fn on_record(shop: &Reading) -> BTreeSet<String> {
    shop.orders.values().flat_map(|account| account.charges()).map(str::to_owned).collect()
}

/// The provider's names of the charges of these orders, by what either side says.
fn names(shop: &Reading, charges: &[Charge], ids: &BTreeSet<Uuid>) -> BTreeSet<String> {
    let accounts = ids.iter().filter_map(|order| shop.orders.get(order));
    let on_record = accounts.flat_map(|account| account.charges()).map(str::to_owned);
    let charged = charges.iter().filter(|charge| charge.order.is_some_and(|order| ids.contains(&order)));
    on_record.chain(charged.map(|charge| charge.id.clone())).collect()
}

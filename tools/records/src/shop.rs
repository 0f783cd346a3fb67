//! The orders of a shop, as far as money is concerned: read from its store, or over HTTP from its operator's list.

use std::collections::BTreeSet;

use crate::location::{Location, Source};
use crate::reconcile::{Account, Accounts, Listed, Reading};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use uuid::Uuid;

use crate::http::Api;

/// How many orders are asked for at once: the most that a shop gives.
const PER_PAGE: usize = 100;

/// The most pages of a list, so that a shop which never comes to an end is an error.
const MAX_PAGES: usize = 1_000_000;

/// How many records are read from a store in one call.
const AT_ONCE: usize = 64;

/// A shop whose orders can be read.
pub enum Shop {
    /// In its store.
    Stored(Location),
    /// By its operator's list.
    Served(Api),
}

/// How a shop takes payment.
#[derive(Deserialize)]
struct Payments {
    provider: String,
    test_mode: bool,
}

/// A page of the operator's list.
#[derive(Deserialize)]
struct Page {
    orders: Vec<Listed>,
    next: Option<String>,
    #[serde(default)]
    unreadable_orders: Vec<Uuid>,
    #[serde(default)]
    unreadable_entries: u64,
}

/// What all orders are, and what of them is not known.
#[derive(Default)]
pub struct All {
    /// The orders.
    pub reading: Reading,
    /// How many entries of the list of orders cannot be read. Their orders are not known.
    pub unreadable_entries: u64,
}

impl Shop {
    /// A shop at this address, with its operator's token. The key of its provider is in this mode.
    ///
    /// # Errors
    /// If it cannot be asked, or is not paid at Stripe in this mode.
    pub fn served(url: &str, token: &str, test_mode: bool) -> Result<Self> {
        let api = Api::new(url, token).context("the shop cannot be asked")?;
        let url = api.base();
        let payments: Option<Payments> = api.get("/payments")?;
        let Payments { provider, test_mode: shop_mode } =
            payments.with_context(|| format!("{url} is no shop of this kind"))?;
        ensure!(
            provider != "none",
            "{url} has no payment provider: no money moves there, and there is nothing to compare"
        );
        ensure!(provider == "stripe", "{url} is paid at another provider than Stripe");
        let mode = |test| if test { "test" } else { "live" };
        ensure!(
            shop_mode == test_mode,
            "{url} is in {} mode, and the key of {} mode",
            mode(shop_mode),
            mode(test_mode)
        );
        Ok(Self::Served(api))
    }

    /// All orders. One that is placed or changes meanwhile is as it was when its part was read, or is not there.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn all(&self) -> Result<All> {
        match self {
            Self::Stored(location) => stored(location, None).map(|reading| All { reading, unreadable_entries: 0 }),
            Self::Served(api) => {
                let (mut all, mut cursor) = (All::default(), None);
                for _ in 0..MAX_PAGES {
                    let after = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
                    let page = page(api, &format!("/orders?limit={PER_PAGE}{after}"))?;
                    let next = page.next.clone();
                    all.unreadable_entries += page.unreadable_entries;
                    enter(&mut all.reading, page);
                    match next {
                        None => return Ok(all),
                        Some(next) => {
                            let moves = next.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                            ensure!(
                                moves && cursor.as_ref() != Some(&next),
                                "the list of {} leads nowhere",
                                api.base()
                            );
                            cursor = Some(next);
                        }
                    }
                }
                bail!("the list of {} has more than {MAX_PAGES} pages", api.base())
            }
        }
    }

    /// These orders as they are now. One that the shop does not have is left out.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn some(&self, orders: &BTreeSet<Uuid>) -> Result<Reading> {
        match self {
            Self::Stored(location) => stored(location, Some(orders)),
            Self::Served(api) => {
                let mut reading = Reading::default();
                for order in orders {
                    enter(&mut reading, page(api, &format!("/orders?order_id={order}"))?);
                }
                Ok(reading)
            }
        }
    }
}

fn page(api: &Api, path: &str) -> Result<Page> {
    api.get(path)?.with_context(|| format!("{} has no list of orders", api.base()))
}

fn enter(reading: &mut Reading, page: Page) {
    reading.orders.extend(page.orders.into_iter().map(<(Uuid, Account)>::from));
    reading.unreadable.extend(page.unreadable_orders);
}

/// The orders in a store: these, or all.
fn stored(location: &Location, orders: Option<&BTreeSet<Uuid>>) -> Result<Reading> {
    let mut accounts = Accounts::default();
    let mut source = Source::open(location)?;
    let keys: Vec<_> = match orders {
        None => {
            let is_about_money = |key: &String| key.starts_with("order:") || key.starts_with("payment:");
            source.keys()?.into_iter().filter(is_about_money).collect()
        }
        Some(orders) => orders.iter().flat_map(|id| [format!("order:{id}"), format!("payment:{id}")]).collect(),
    };
    for keys in keys.chunks(AT_ONCE) {
        for (key, value) in keys.iter().zip(source.get(keys)?) {
            // A record that is gone was removed meanwhile. What cannot be read is told as such.
            if let Some(value) = value {
                let _ = accounts.enter(key, &value);
            }
        }
    }
    Ok(accounts.finish())
}

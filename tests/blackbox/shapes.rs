//! The contract's documents, read strictly: an unknown member, a fraction where an integer belongs, a sum that is not
//! the sum, or a time in another format fails the test that read it.

use std::time::{Duration, SystemTime};

pub use harness::observed::Status;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

/// RFC 3339 in UTC with milliseconds: `2026-01-31T23:59:59.123Z` and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(SystemTime);

impl Time {
    /// Its day in UTC.
    pub fn day(self) -> String {
        humantime::format_rfc3339(self.0).to_string().chars().take(10).collect()
    }

    pub fn since(self, earlier: Time) -> Option<Duration> {
        self.0.duration_since(earlier.0).ok()
    }

    /// How long until then, by this machine's clock: only of use where the server shares it.
    pub fn until(self) -> Duration {
        self.0.duration_since(SystemTime::now()).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        if shape != "0000-00-00T00:00:00.000Z" {
            return Err(D::Error::custom(format!("{text:?} is not UTC with milliseconds")));
        }
        humantime::parse_rfc3339(&text).map(Time).map_err(|e| D::Error::custom(format!("{text:?}: {e}")))
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub item_id: String,
    pub quantity: u64,
    pub unit_price: u64,
    pub name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    pub status: String,
    /// Without a payment provider no buyer is.
    pub charged: bool,
    pub amount: u64,
    pub method: String,
    pub paid_at: Time,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub order_id: String,
    pub status: Status,
    pub items: Vec<Line>,
    pub total: u64,
    pub currency: String,
    pub currency_digits: u8,
    pub customer_id: Option<String>,
    pub placed_at: Time,
    pub expires_at: Time,
    pub payment: Option<Payment>,
    pub refunded: Option<u64>,
    #[serde(default)]
    pub refunds: Vec<Refund>,
    pub fulfilment: Option<Fulfilment>,
    #[serde(default)]
    pub returns: Vec<Return>,
}

/// Money of an order that goes back.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    pub refund_id: String,
    pub of: String,
    pub status: String,
    pub amount: u64,
    pub currency: String,
    #[serde(default)]
    pub items: Vec<ReturnedLine>,
    pub return_id: Option<String>,
    pub reason: Option<String>,
    pub created_at: Time,
    pub failed_at: Option<Time>,
}

/// How the goods of an order went out.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fulfilment {
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    pub tracking_url: Option<String>,
    pub fulfilled_at: Time,
    pub delivered_at: Option<Time>,
}

/// Goods of an order that came back.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Return {
    pub return_id: String,
    pub items: Vec<ReturnedLine>,
    pub to: String,
    pub reason: Option<String>,
    pub at: Time,
    pub done: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnedLine {
    pub item_id: String,
    pub quantity: u64,
}

impl Order {
    pub fn parse(body: &[u8]) -> Result<Order, String> {
        let order: Order = parse(body)?;
        order.check()?;
        Ok(order)
    }

    fn check(&self) -> Result<(), String> {
        if self.items.is_empty() {
            return Err("an order without lines".to_owned());
        }
        let mut items: Vec<_> = self.items.iter().map(|line| &line.item_id).collect();
        items.sort();
        items.dedup();
        if items.len() != self.items.len() {
            return Err("an item on several lines".to_owned());
        }
        let total: u128 = self.items.iter().map(|line| u128::from(line.quantity) * u128::from(line.unit_price)).sum();
        if u128::from(self.total) != total {
            return Err(format!("the lines add up to {total}"));
        }
        currency(&self.currency)?;
        if self.expires_at <= self.placed_at {
            return Err("it expired before it was placed".to_owned());
        }
        if self.status != Status::Refunded && self.fulfilment.is_some() != (self.status == Status::Fulfilled) {
            return Err(format!("{:?}, and it went out: {:?}", self.status, self.fulfilment));
        }
        let refunded = self.refunds.iter().filter(|one| one.status != "failed").map(|one| one.amount).sum::<u64>();
        if self.refunded.unwrap_or_default() != refunded || self.refunded.is_some() == self.refunds.is_empty() {
            return Err(format!("{:?} is refunded, by {:?}", self.refunded, self.refunds));
        }
        if refunded > self.total || (refunded > 0 && refunded == self.total) != (self.status == Status::Refunded) {
            return Err(format!("{:?}, and {refunded} of {} is refunded", self.status, self.total));
        }
        for line in &self.items {
            let of_line = self.returns.iter().flat_map(|one| &one.items).filter(|one| one.item_id == line.item_id);
            if of_line.map(|one| one.quantity).sum::<u64>() > line.quantity {
                return Err(format!("more of {} came back than was sold", line.item_id));
            }
        }
        match (&self.payment, self.status) {
            (Some(payment), Status::Paid | Status::Fulfilled | Status::Refunded) => {
                if payment.amount != self.total {
                    return Err("it was paid with another amount".to_owned());
                }
                if payment.paid_at < self.placed_at || payment.paid_at > self.expires_at {
                    return Err("it was paid outside its window".to_owned());
                }
                if payment.status != "paid" || payment.charged {
                    return Err(format!("it is {:?}, charged: {}", payment.status, payment.charged));
                }
                if payment.method.is_empty() {
                    return Err("it was paid by no method".to_owned());
                }
                Ok(())
            }
            (Some(_), status) => Err(format!("a payment on a {status:?} order")),
            (None, Status::Paid | Status::Fulfilled | Status::Refunded) => Err("paid, and no payment".to_owned()),
            (None, _) if !self.returns.is_empty() => Err("not paid, and goods came back".to_owned()),
            (None, _) if !self.refunds.is_empty() => Err("not paid, and money went back".to_owned()),
            (None, _) => Ok(()),
        }
    }

    /// The quantity of an item in this order.
    pub fn quantity(&self, item_id: &str) -> u64 {
        self.items.iter().filter(|line| line.item_id == item_id).map(|line| line.quantity).sum()
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    pub item_id: String,
    pub on_hand: u64,
    pub reserved: u64,
    pub available: u64,
    pub unit_price: u64,
    pub currency: String,
    pub currency_digits: u8,
    pub max_per_order: Option<u64>,
    pub name: Option<String>,
    pub image: Option<String>,
}

impl Item {
    pub fn parse(body: &[u8]) -> Result<Item, String> {
        let item: Item = parse(body)?;
        item.check()?;
        Ok(item)
    }

    fn check(&self) -> Result<(), String> {
        if self.on_hand.checked_sub(self.reserved) != Some(self.available) {
            return Err(format!("{} on hand less {} is not {}", self.on_hand, self.reserved, self.available));
        }
        currency(&self.currency)
    }
}

/// The answer to `GET /inventory`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    pub items: Vec<Item>,
}

impl Inventory {
    pub fn parse(body: &[u8]) -> Result<Inventory, String> {
        let inventory: Inventory = parse(body)?;
        for item in &inventory.items {
            item.check()?;
        }
        if !inventory.items.is_sorted_by(|a, b| a.item_id < b.item_id) {
            return Err("not in the order of item_id, or an item twice".to_owned());
        }
        Ok(inventory)
    }
}

/// The answer to `GET /orders`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderPage {
    pub orders: Vec<Order>,
    pub next: Option<String>,
}

impl OrderPage {
    pub fn parse(body: &[u8]) -> Result<OrderPage, String> {
        let page: OrderPage = parse(body)?;
        page.orders.iter().try_for_each(Order::check)?;
        Ok(page)
    }
}

/// What is said of an order or an item in the answer to `GET …/history`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub at: Time,
    pub event: String,
    pub delta: Option<i64>,
    pub reason: Option<String>,
    pub text: String,
}

/// The answer to `GET /orders/{order_id}/history` and to `GET /inventory/{item_id}/history`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    pub order_id: Option<String>,
    pub status: Option<Status>,
    pub item_id: Option<String>,
    pub events: Vec<Event>,
}

/// An item's account in the answer to `GET /books`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub item_id: String,
    pub received: u64,
    pub sold: u64,
    pub returned: u64,
    pub written_off: u64,
    pub on_hand: u64,
    pub reserved: u64,
    pub available: u64,
    pub balanced: bool,
    #[serde(default)]
    pub orders_not_looked_up: u64,
}

/// The answer to `GET /books`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    pub items: Vec<Account>,
    pub balanced: bool,
}

impl Accounts {
    pub fn parse(body: &[u8]) -> Result<Accounts, String> {
        let accounts: Accounts = parse(body)?;
        for account in &accounts.items {
            let gone = account.sold + account.written_off;
            let sum = account.on_hand + gone == account.received + account.returned;
            if account.on_hand.checked_sub(account.reserved) != Some(account.available) || account.balanced != sum {
                return Err(format!("{account:?} does not add up"));
            }
        }
        if accounts.balanced != accounts.items.iter().all(|account| account.balanced) {
            return Err("the whole is not what its parts are".to_owned());
        }
        Ok(accounts)
    }
}

fn currency(code: &str) -> Result<(), String> {
    if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(())
    } else {
        Err(format!("{code:?} is no ISO 4217 code"))
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// How many bits vary in these ids, estimated from the samples: the entropy of each position, added up. It cannot tell
/// a hash of a counter from chance, but sees ids that share a clock, a counter or a node with their neighbours.
pub fn varying_bits(ids: &[String]) -> f64 {
    let count = ids.len() as f64;
    let longest = ids.iter().map(String::len).max().unwrap_or(0);
    (0..longest)
        .map(|position| {
            let mut seen = [0_u32; 257];
            for id in ids {
                seen[id.as_bytes().get(position).map_or(256, |byte| usize::from(*byte))] += 1;
            }
            let share = |n: &u32| f64::from(*n) / count;
            seen.iter().filter(|n| **n > 0).map(|n| -share(n) * share(n).log2()).sum::<f64>()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PENDING: &str = r#"{"order_id":"o","status":"pending","items":[{"item_id":"a","quantity":2,"unit_price":5}],
        "total":10,"currency":"CNY","currency_digits":2,"placed_at":"2026-01-01T00:00:00.000Z","expires_at":"2026-01-01T00:15:00.000Z"}"#;
    const PAYMENT: &str = r#","payment":{"status":"paid","charged":false,"amount":10,"method":"card","paid_at":"2026-01-01T00:01:00.000Z"}}"#;

    fn paid() -> String {
        PENDING.replace("pending", "paid").replace("00.000Z\"}", &format!("00.000Z\"{PAYMENT}"))
    }

    #[test]
    fn sound_orders_and_items_pass() {
        Order::parse(PENDING.as_bytes()).unwrap();
        Order::parse(paid().as_bytes()).unwrap();
        Item::parse(ITEM.as_bytes()).unwrap();
    }

    #[test]
    fn an_unsound_order_is_caught() {
        let broken = [
            PENDING.replace("\"total\":10", "\"total\":11"),
            PENDING.replace("\"total\":10", "\"total\":10.0"),
            PENDING.replace("\"total\":10", "\"total\":10,\"secret\":1"),
            PENDING.replace("CNY", "yuan"),
            PENDING.replace("pending", "lost"),
            PENDING.replace("pending", "paid"),
            PENDING.replace("00:15:00.000Z", "00:15:00Z"),
            PENDING.replace("00:15:00.000Z", "00:15:00.000+00:00"),
            PENDING.replace("00:15:00.000Z", "00:00:00.000Z"),
            PENDING.replace("01-01T00:15", "02-30T00:15"),
            PENDING.replace("\"order_id\":\"o\",", ""),
            PENDING.replace("}],", "},{\"item_id\":\"a\",\"quantity\":0,\"unit_price\":5}],"),
            PENDING.replace("[{\"item_id\":\"a\",\"quantity\":2,\"unit_price\":5}]", "[]"),
            paid().replace("\"amount\":10", "\"amount\":9"),
            paid().replace("00:01:00", "00:16:00"),
            paid().replace("\"method\":\"card\",", ""),
            paid().replace("\"paid\"", "\"cancelled\""),
        ];
        for order in broken {
            assert!(order != PENDING && order != paid(), "a replacement that replaces nothing");
            assert!(Order::parse(order.as_bytes()).is_err(), "{order}");
        }
    }

    const ITEM: &str =
        r#"{"item_id":"a","on_hand":5,"reserved":2,"available":3,"unit_price":1,"currency":"CNY","currency_digits":2}"#;

    #[test]
    fn an_unsound_item_is_caught() {
        for item in [
            ITEM.replace("\"available\":3", "\"available\":4"),
            ITEM.replace("\"reserved\":2", "\"reserved\":6"),
            ITEM.replace("\"on_hand\":5", "\"on_hand\":-5"),
            ITEM.replace("CNY", ""),
            ITEM.replace("\"unit_price\":1,", ""),
        ] {
            assert!(Item::parse(item.as_bytes()).is_err(), "{item}");
        }
        for items in [format!("{ITEM},{ITEM}"), format!("{},{ITEM}", ITEM.replace("\"a\"", "\"b\""))] {
            assert!(Inventory::parse(format!("{{\"items\":[{items}]}}").as_bytes()).is_err(), "{items}");
        }
    }

    #[test]
    fn guessable_ids_are_caught() {
        let mut random = fastrand::Rng::with_seed(1);
        let uuid4 = |r: u128| format!("{:032x}", r & !(0xf << 76) & !(0xc << 60) | (0x4 << 76) | (0x8 << 60));
        let good: Vec<_> = (0..200).map(|_| uuid4(random.u128(..))).collect();
        assert!(varying_bits(&good) > 115.0, "{}", varying_bits(&good));
        // A clock in front, as in version 7, leaves 74 bits to chance.
        let clock: Vec<_> =
            (0..200).map(|n| format!("{:012x}{:020x}", 0x0198_0000_0000_u64 + n, random.u128(..) >> 54)).collect();
        assert!(varying_bits(&clock) < 100.0, "{}", varying_bits(&clock));
        let counter: Vec<_> = (0..200).map(|n| format!("{n:032x}")).collect();
        assert!(varying_bits(&counter) < 20.0);
    }
}

//! What clients ask for, and what they are told.

use std::time::Duration;

use domain::after_sale::{Destination, ReturnedGoods};
use domain::fulfilment::Shipment;
use domain::order::{ExpectedPrices, Lines, NewOrder};
use domain::refund::{NewRefund, RefundOf};
use domain::text::Reason;
use domain::{
    Condition, Error, ItemId, KeyDigest, Limits, Money, OrderId, OrderQuery, PayResult, PaymentMethod, PaymentProgress,
    Settings, Shop, Status, Store,
};
use keyvalue_store::{InstanceCache, KeyValueStore};

use crate::provider;
use crate::store::{Caller, id_bytes};

/// How long an order can be paid.
pub const WINDOW: Duration = Duration::from_secs(900);

/// The name of an item or a key.
pub type Name = &'static str;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Places an order of these quantities, under a key where there is one.
    Place(Vec<(Name, u64)>, Option<Name>),
    /// The same, each unit expected to cost this.
    PlaceAt(Vec<(Name, u64)>, Option<Name>, u64),
    /// Pays the first order of the request with this number.
    Pay(usize),
    /// Cancels the first order of the request with this number.
    Cancel(usize),
    /// Shows the first order of the request with this number.
    Show(usize),
    /// Takes these back of the first order of the request with this number, under a key.
    TakeBack(usize, Vec<(Name, u64)>, Name, Destination),
    /// Shows what came back of the first order of the request with this number, and carries on with it.
    Returns(usize),
    /// Says with whom the goods of the first order of the request with this number go out, and whether they are
    /// delivered.
    Send(usize, Name, bool),
    /// Adjusts an item, under a key where there is one. Like every swap of an item it also settles.
    Adjust(Name, i64, Option<Name>),
    /// Lists all orders.
    List,
    /// Shows an item.
    Look(Name),
    /// Makes an item, with this number on hand.
    Put(Name, u64),
    /// Gives an item another price.
    Price(Name, u64),
    /// Removes closed orders.
    Sweep,
    /// The provider says that something has happened to a session of the first order of the request with this number.
    Notice(usize, usize),
    /// The provider says that something has happened to the refund of the charge in that session.
    RefundNotice(usize, usize),
    /// The operator gives so much back of what was paid for the first order of the request with this number, under a key.
    Refund(usize, u64, Name),
    /// The operator gives up the first order of the request with this number, whose session is lost.
    Abandon(usize),
    /// The operator has refunds made again that have failed, of the first order of the request with this number.
    Retry(usize),
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Placed(OrderId, Status),
    Paid,
    Cancelled,
    Shown(Status),
    /// This return is done.
    TakenBack(String),
    /// Whether all returns are done.
    ReturnsDone(bool),
    /// With whom the goods go out, and whether they are delivered.
    Sent(Name, bool),
    Adjusted,
    Looked,
    Priced,
    /// The orders of the list, as far as they are decided.
    Listed(Vec<(OrderId, Status)>),
    Put,
    Swept,
    /// The buyer can pay in this session.
    SentTo(String),
    /// The buyer has paid by a means that takes a while.
    Processing,
    Noticed,
    Abandoned,
    Retried,
    /// This refund is on record.
    Refunded(String),
    Refused(Error),
}

/// Limits so large that no small case meets them.
pub const LIMITS: Limits = Limits {
    record_bytes: 1_000_000,
    reserved_bytes: 16_000,
    mappings_per_write: 16,
    requests_per_batch: 16,
    records_per_read: 100,
    queued_requests: 64,
    place_patience: Duration::from_secs(1),
    pay_patience: Duration::from_secs(2),
    overdue_at_once: 8,
    overdue_patience: Duration::from_secs(2),
};

/// What the requests of a case run on.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub level: Level,
    pub limits: Limits,
    /// How many claims an instance remembers, on the key-value store.
    pub claims: usize,
    /// How long closed orders are kept; none for ever.
    pub closed_orders_kept: Option<Duration>,
    /// Whether buyers pay at a provider.
    pub provider: bool,
}

impl Rules {
    /// Those of a store of this kind.
    pub fn of(level: Level) -> Self {
        Self { level, limits: LIMITS, claims: 10_000, closed_orders_kept: None, provider: false }
    }
}

/// Which store the requests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// One whose create and swap are atomic, as the domain asks for.
    Domain,
    /// The shipped one, on the calls of `wasi:keyvalue`.
    KeyValue,
}

/// The first order that a request makes.
pub fn first_order(request: usize) -> OrderId {
    OrderId::from_random(id_bytes(request, 0))
}

/// The key under which an item remembers the adjustment of request `number`.
pub fn adjustment_key(number: usize, key: Option<Name>) -> KeyDigest {
    key.map_or_else(|| KeyDigest::from_random(id_bytes(number, 0)), |key| KeyDigest::new("adjustments", key))
}

/// Does a request from beginning to end.
pub async fn perform(request: Request, rules: Rules, caller: Caller) -> Answer {
    let number = caller.progress.number;
    caller.step("comes").await;
    caller.shared.note(|| format!("#{number}: {request:?}"));
    let answer = match rules.level {
        Level::Domain => answer(&request, &shop(caller.clone(), caller.clone(), rules)).await,
        Level::KeyValue => {
            // Nothing is remembered from one request to the next: each is the first of its instance.
            let cache = InstanceCache::of(rules.claims);
            let store = KeyValueStore::new(caller.clone(), caller.clone(), &cache);
            answer(&request, &shop(store, caller.clone(), rules)).await
        }
    };
    let answer = answer.unwrap_or_else(Answer::Refused);
    caller.shared.note(|| format!("#{number} is told {answer:?}"));
    answer
}

/// Does what is asked for, and makes sure of it before the client is told.
async fn answer<S: Store>(request: &Request, shop: &Shop<S, Caller, Caller>) -> Result<Answer, Error> {
    let answer = ask(request, shop).await;
    shop.confirm().await?;
    answer
}

fn shop<S: Store>(store: S, caller: Caller, rules: Rules) -> Shop<S, Caller, Caller> {
    let currency = "CNY".to_owned().try_into().expect("it is a currency");
    let state = caller.instance.state.clone();
    let settings = Settings {
        payment_window: WINDOW,
        closed_orders_kept: rules.closed_orders_kept,
        currency,
        max_per_order: None,
        limits: rules.limits,
    };
    let provider = rules.provider.then(|| caller.clone());
    Shop::new(store, caller, settings, state).with_provider(provider)
}

async fn place<S: Store>(
    shop: &Shop<S, Caller, Caller>,
    lines: &[(Name, u64)],
    key: Option<Name>,
    price: Option<u64>,
) -> Result<Answer, Error> {
    let item = |name: Name| name.parse::<ItemId>().expect("it is an id");
    let expected = |(name, _): &(Name, _)| Some((item(name), price?.try_into().expect("it is in range")));
    let expected = ExpectedPrices { units: lines.iter().filter_map(expected).collect(), total: None };
    let lines = lines.iter().map(|(name, quantity)| (item(name), (*quantity).try_into().expect("some")));
    let order = NewOrder { lines: Lines::new(lines).expect("there are lines"), customer_id: None, expected };
    let placed = shop.place(order, key.map(|key| KeyDigest::new("orders", key))).await?;
    Ok(Answer::Placed(placed.view.order.order_id, placed.view.status))
}

async fn ask<S: Store>(request: &Request, shop: &Shop<S, Caller, Caller>) -> Result<Answer, Error> {
    let item = |name: Name| name.parse().expect("it is an id");
    Ok(match request {
        Request::Place(lines, key) => place(shop, lines, *key, None).await?,
        Request::PlaceAt(lines, key, price) => place(shop, lines, *key, Some(*price)).await?,
        Request::Pay(of) => match shop.pay(first_order(*of), PaymentMethod::unspecified(), None).await? {
            PayResult::Paid(_) => Answer::Paid,
            PayResult::AtProvider(_, PaymentProgress::Open { url, .. }) => Answer::SentTo(url),
            PayResult::AtProvider(_, PaymentProgress::Processing) => Answer::Processing,
        },
        Request::Notice(of, number) => {
            let order = first_order(*of);
            let _ = shop.notice("", format!("{order} {}", provider::session_id(order, *number)).as_bytes()).await?;
            Answer::Noticed
        }
        Request::RefundNotice(of, number) => {
            let order = first_order(*of);
            let body = format!("{order} charge.{}", provider::session_id(order, *number));
            let _ = shop.notice("", body.as_bytes()).await?;
            Answer::Noticed
        }
        Request::Abandon(of) => {
            shop.abandon(&Condition::default(), first_order(*of)).await?;
            Answer::Abandoned
        }
        Request::Refund(of, amount, key) => {
            let of_what = RefundOf::Amount((*amount).try_into().expect("it is in range"));
            let request = NewRefund { of: of_what, reason: Reason::default() };
            let refunded = shop.refund(first_order(*of), request, KeyDigest::new("refunds", key)).await?;
            Answer::Refunded(refunded.made.id.to_string())
        }
        Request::Retry(of) => {
            let _ = shop.retry_refunds(first_order(*of)).await?;
            Answer::Retried
        }
        Request::Cancel(of) => {
            shop.cancel(first_order(*of)).await?;
            Answer::Cancelled
        }
        Request::Show(of) => Answer::Shown(shop.show_order(first_order(*of)).await?.status),
        Request::TakeBack(of, lines, key, to) => {
            let lines = lines.iter().map(|(name, quantity)| (item(name), (*quantity).try_into().expect("some")));
            let lines = Lines::new(lines).expect("there are lines");
            let goods = ReturnedGoods { lines, to: *to, reason: Reason::default() };
            let returned = shop.return_goods(first_order(*of), goods, KeyDigest::new("returns", key)).await?;
            Answer::TakenBack(returned.made.id.to_string())
        }
        Request::Returns(of) => {
            let returns = shop.order_returns(first_order(*of)).await?;
            Answer::ReturnsDone(returns.view.after_sale.returns().iter().all(|one| one.done))
        }
        Request::Send(of, carrier, delivered) => {
            let shipment = Shipment { carrier: Some(carrier.parse().expect("it is one")), ..Shipment::default() };
            shop.fulfil_if(&Condition::default(), first_order(*of), &shipment, *delivered).await?;
            Answer::Sent(carrier, *delivered)
        }
        Request::Adjust(name, delta, key) => {
            let key = key.map(|key| KeyDigest::new("adjustments", key));
            shop.adjust_item(&item(name), (*delta).try_into().expect("not 0"), "", key).await?;
            Answer::Adjusted
        }
        Request::List => {
            let page = shop.list_orders(None, &OrderQuery::default(), 100).await?;
            if !page.unreadable.is_empty() || page.unreadable_entries > 0 {
                return Err(Error::Unreadable { key: "the list".to_owned(), reason: format!("{page:?}") });
            }
            Answer::Listed(page.orders.into_iter().map(|view| (view.order.order_id, view.status)).collect())
        }
        Request::Look(name) => {
            shop.show_item(&item(name)).await?;
            Answer::Looked
        }
        Request::Put(name, on_hand) => {
            let on_hand = (*on_hand).try_into().expect("it is in range");
            shop.put_item(&item(name), Money::ZERO, Some(on_hand)).await?;
            Answer::Put
        }
        Request::Sweep => {
            let _ = shop.sweep().await?;
            Answer::Swept
        }
        Request::Price(name, price) => {
            shop.put_item(&item(name), (*price).try_into().expect("it is in range"), None).await?;
            Answer::Priced
        }
    })
}

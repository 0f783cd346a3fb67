//! The inventory component's part: show and change items, and say whether the shop is ready.

use domain::{Currency, Environment, ItemId, ItemView, Money, PutOutcome, Shop, Store};
use http::{StatusCode, header};
use serde::Serialize;
use serde_json::json;

use crate::body;
use crate::orders::REPLAYED;
use crate::problem::{Invalid, Problem};
use crate::reply::Reply;
use crate::request::Call;
use crate::resource::{Resource, Verb};

/// Answers what the inventory component serves.
pub async fn handle<S: Store, E: Environment>(call: &Call<'_>, shop: &Shop<S, E>) -> Result<Reply, Problem> {
    match (call.resource, call.verb) {
        (Resource::Items, Verb::Get) => {
            let list = shop.list_items().await?;
            let items = list.items.iter().map(|view| item(view, shop.currency())).collect();
            Ok(Reply::tagged(&ItemsJson { items, unreadable_items: &list.unreadable }))
        }
        (Resource::Item(id), Verb::Get) => {
            let view = shop.show_item(&item_id(id)?).await?;
            Ok(Reply::tagged(&item(&view, shop.currency())))
        }
        (Resource::Item(id), Verb::Put) => put(call, shop, id).await,
        (Resource::Adjustments(id), Verb::Post) => adjust(call, shop, id).await,
        (Resource::Ready, Verb::Get) => {
            shop.probe().await?;
            Ok(Reply::json(StatusCode::OK, &json!({ "status": "ready" })))
        }
        _ => Err(Problem::not_found()),
    }
}

async fn put<S: Store, E: Environment>(call: &Call<'_>, shop: &Shop<S, E>, id: &str) -> Result<Reply, Problem> {
    call.require_operator()?;
    let new = body::item(call.json()?)?;
    // A name that no item can have: not "not found", since this is where items come from.
    let id: ItemId = id.parse().map_err(|error| Problem::invalid(vec![Invalid::parameter("item_id", error)]))?;
    let (view, outcome) = shop.put_item(&id, new.unit_price, new.on_hand).await?;
    let status = match outcome {
        PutOutcome::Created => StatusCode::CREATED,
        PutOutcome::Priced => StatusCode::OK,
    };
    let reply = Reply::json(status, &item(&view, shop.currency()));
    Ok(match outcome {
        PutOutcome::Created => reply.with(header::LOCATION, &format!("/inventory/{id}")),
        PutOutcome::Priced => reply,
    })
}

async fn adjust<S: Store, E: Environment>(call: &Call<'_>, shop: &Shop<S, E>, id: &str) -> Result<Reply, Problem> {
    call.require_operator()?;
    let adjustment = body::adjustment(call.json()?)?;
    let key = call.idempotency_key("adjustments")?;
    let adjusted = shop.adjust_item(&item_id(id)?, adjustment.delta, &adjustment.reason, key).await?;
    let reply = Reply::json(StatusCode::OK, &item(&adjusted.view, shop.currency()));
    Ok(if adjusted.replayed { reply.with(REPLAYED, "true") } else { reply })
}

/// The item id in a path. What is no id names no item.
pub(crate) fn item_id(text: &str) -> Result<ItemId, Problem> {
    text.parse().map_err(|_| Problem::no_such_item())
}

/// An item as JSON.
#[derive(Serialize)]
struct ItemJson<'a> {
    item_id: &'a ItemId,
    on_hand: u64,
    reserved: u64,
    available: u64,
    unit_price: Money,
    currency: &'a Currency,
}

/// All items as JSON.
#[derive(Serialize)]
struct ItemsJson<'a> {
    items: Vec<ItemJson<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unreadable_items: &'a [ItemId],
}

fn item<'a>(view: &'a ItemView, currency: &'a Currency) -> ItemJson<'a> {
    ItemJson {
        item_id: &view.item_id,
        on_hand: view.on_hand,
        reserved: view.reserved,
        available: view.available,
        unit_price: view.unit_price,
        currency,
    }
}

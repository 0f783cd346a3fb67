//! The handler of the component `inventory`: show and change items, health and readiness.

use domain::{Currency, Environment, ItemId, ItemView, Money, PutOutcome, Shop, Store};
use http::{StatusCode, header};
use serde::Serialize;
use serde_json::json;

use crate::body;
use crate::orders::REPLAYED;
use crate::problem::{FieldError, Problem};
use crate::reply::Reply;
use crate::request::RequestContext;
use crate::route::{Route, Verb};

/// Answers the routes of the component `inventory`.
pub async fn handle<S: Store, E: Environment>(
    context: &RequestContext<'_>,
    shop: &Shop<S, E>,
) -> Result<Reply, Problem> {
    match (context.route, context.verb) {
        (Route::Items, Verb::Get) => {
            let list = shop.list_items().await?;
            let items = list.items.iter().map(|view| item(view, shop.currency())).collect();
            Ok(Reply::tagged(&ItemsJson { items, unreadable_items: &list.unreadable }))
        }
        (Route::Item(id), Verb::Get) => {
            let view = shop.show_item(&item_id(id)?).await?;
            Ok(Reply::tagged(&item(&view, shop.currency())))
        }
        (Route::Item(id), Verb::Put) => put(context, shop, id).await,
        (Route::Adjustments(id), Verb::Post) => adjust(context, shop, id).await,
        (Route::Ready, Verb::Get) => {
            shop.probe().await?;
            Ok(Reply::json(StatusCode::OK, &json!({ "status": "ready" })))
        }
        _ => Err(Problem::not_found()),
    }
}

async fn put<S: Store, E: Environment>(
    context: &RequestContext<'_>,
    shop: &Shop<S, E>,
    id: &str,
) -> Result<Reply, Problem> {
    context.require_operator()?;
    let new = body::item(context.json()?)?;
    // Invalid rather than not found: this request is to create the item.
    let id = new_item_id(id)?;
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

async fn adjust<S: Store, E: Environment>(
    context: &RequestContext<'_>,
    shop: &Shop<S, E>,
    id: &str,
) -> Result<Reply, Problem> {
    context.require_operator()?;
    let adjustment = body::adjustment(context.json()?)?;
    let key = context.idempotency_key("adjustments")?;
    let adjusted = shop.adjust_item(&item_id(id)?, adjustment.delta, &adjustment.reason, key).await?;
    let reply = Reply::json(StatusCode::OK, &item(&adjusted.view, shop.currency()));
    Ok(if adjusted.replayed { reply.with(REPLAYED, "true") } else { reply })
}

/// The id of an item that may be new.
fn new_item_id(text: &str) -> Result<ItemId, Problem> {
    text.parse().map_err(|error| Problem::invalid(vec![FieldError::parameter("item_id", error)]))
}

/// The item id in a path. No item has an invalid id, so it is not found.
pub(crate) fn item_id(text: &str) -> Result<ItemId, Problem> {
    text.parse().map_err(|_| Problem::no_such_item())
}

/// An item as it is now.
#[derive(Serialize)]
struct ItemJson<'a> {
    item_id: &'a ItemId,
    /// Units in stock, those reserved for orders included.
    on_hand: u64,
    /// Units held for orders.
    reserved: u64,
    /// Units that can be ordered.
    available: u64,
    /// The price of one unit, in minor units of the currency.
    unit_price: Money,
    currency: &'a Currency,
}

/// All items, in the order of their ids.
#[derive(Serialize)]
struct ItemsJson<'a> {
    items: Vec<ItemJson<'a>>,
    /// Items whose records cannot be read. Absent if there are none.
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

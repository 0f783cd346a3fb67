//! The handler of the component `inventory`: show and change items, health and readiness.

use std::rc::Rc;

use domain::{
    Currency, Environment, Error, ImageUrl, ItemId, ItemName, ItemView, Money, Provider, PutOutcome, Quantity, Shop,
    Store, StoreError,
};
use http::StatusCode;
#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::body;
use crate::currency::minor_digits;
use crate::header;
#[cfg(feature = "openapi")]
use crate::openapi::schema;
use crate::orders::REPLAYED;
use crate::problem::{FieldError, Problem};
use crate::reply::Reply;
use crate::request::{MIN_ADJUSTMENT_KEY_LEN, RequestContext, decoded};
use crate::route::{Route, Verb};

/// Answers the routes of the component `inventory`.
pub async fn handle<S: Store, E: Environment, P: Provider>(
    context: &RequestContext<'_>,
    shop: &Rc<Shop<S, E, P>>,
) -> Result<Reply, Problem> {
    match (context.route, context.verb) {
        (Route::Items, Verb::Get) => {
            let list = shop.list_items().await?;
            let items = list.items.iter().map(|view| item(view, shop.currency())).collect();
            Ok(Reply::json(StatusCode::OK, &ItemsJson { items, unreadable_items: &list.unreadable }))
        }
        (Route::Item(id), Verb::Get) => {
            let view = shop.show_item(&item_id(id)?).await?;
            Ok(Reply::json(StatusCode::OK, &item(&view, shop.currency())))
        }
        (Route::Item(id), Verb::Put) => put(context, shop, id).await,
        (Route::Adjustments(id), Verb::Post) => adjust(context, shop, id).await,
        (Route::Ready, Verb::Get) => {
            match shop.probe().await {
                Ok(()) => Ok(Reply::state("ready")),
                // Not taken out of service: what was sold is to be paid for.
                Err(Error::Store(StoreError::Full(_))) => Ok(Reply::state("cannot_sell")),
                Err(error) => Err(error.into()),
            }
        }
        _ => Err(Problem::not_found()),
    }
}

async fn put<S: Store, E: Environment, P: Provider>(
    context: &RequestContext<'_>,
    shop: &Shop<S, E, P>,
    id: &str,
) -> Result<Reply, Problem> {
    context.require_operator()?;
    context.require_whole()?;
    let new = body::item(context.json()?)?;
    // Invalid rather than not found: this request is to create the item.
    let id = new_item_id(id)?;
    let (offer, on_hand) = new.offer();
    let condition = context.condition(tag(shop))?;
    let (view, outcome) = shop.put_item_if(&condition, &id, &offer, on_hand).await?;
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

async fn adjust<S: Store, E: Environment, P: Provider>(
    context: &RequestContext<'_>,
    shop: &Shop<S, E, P>,
    id: &str,
) -> Result<Reply, Problem> {
    context.require_operator()?;
    let adjustment = body::adjustment(context.json()?)?;
    let key = context.idempotency_key("adjustments", MIN_ADJUSTMENT_KEY_LEN)?;
    let (condition, id) = (context.condition(tag(shop))?, item_id(id)?);
    let adjusted = shop.adjust_item_if(&condition, &id, adjustment.delta, &adjustment.reason, key).await?;
    let reply = Reply::json(StatusCode::OK, &item(&adjusted.view, shop.currency()));
    Ok(if adjusted.replayed { reply.with(REPLAYED, "true") } else { reply })
}

/// The id of an item that may be new.
fn new_item_id(text: &str) -> Result<ItemId, Problem> {
    decoded(text).parse().map_err(|error| Problem::invalid(vec![FieldError::parameter("item_id", error)]))
}

/// The item id in a path. No item has an invalid id, so it is not found.
pub(crate) fn item_id(text: &str) -> Result<ItemId, Problem> {
    decoded(text).parse().map_err(|_| Problem::no_such_item())
}

/// What gives the tag of the answer that shows an item.
fn tag<S: Store, E: Environment, P: Provider>(shop: &Shop<S, E, P>) -> impl Fn(&ItemView) -> String + 'static {
    let currency = shop.currency().clone();
    move |view| Reply::json(StatusCode::OK, &item(view, &currency)).tag()
}

/// An item as it is now.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Item"))]
struct ItemJson<'a> {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::ItemId"))]
    item_id: &'a ItemId,
    /// Units in stock, those reserved for orders included.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Stock"))]
    on_hand: u64,
    /// Units held for orders.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Stock"))]
    reserved: u64,
    /// Units that can be ordered.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Stock"))]
    available: u64,
    /// The price of one unit, in minor units of the currency.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Money"))]
    unit_price: Money,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Currency"))]
    currency: &'a Currency,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::CurrencyDigits"))]
    currency_digits: Option<u8>,
    /// The most of the item that one order may have. Absent if there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Quantity"))]
    max_per_order: Option<Quantity>,
    /// What people call the item. Absent if it has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::ItemName"))]
    name: Option<&'a ItemName>,
    /// Where there is a picture of the item. Absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::ImageUrl"))]
    image: Option<&'a ImageUrl>,
}

/// All items, in the order of their ids.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "ItemList"))]
struct ItemsJson<'a> {
    items: Vec<ItemJson<'a>>,
    /// Items whose records cannot be read. Absent if there are none.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(with = "Vec<schema::ItemId>", length(min = 1)))]
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
        currency_digits: minor_digits(currency),
        max_per_order: view.max_per_order,
        name: view.name.as_ref(),
        image: view.image.as_ref(),
    }
}

/// The operations that this module serves, and health, which `respond` answers, for the OpenAPI document.
#[cfg(feature = "openapi")]
pub(crate) fn operations() -> serde_json::Result<Vec<crate::openapi::operation::Operation>> {
    use domain::Error;
    use serde_json::{from_value, json};

    use crate::code::Code;
    use crate::openapi::operation::{Answer, Example, Operation};
    use crate::request::idempotency_key_problems;

    let currency: Currency = from_value("CNY".into())?;
    let view = |id: &str, on_hand: u64, unit_price: u64| {
        let (item_id, unit_price) = (from_value(id.into())?, from_value(unit_price.into())?);
        Ok::<_, serde_json::Error>(ItemView {
            item_id,
            on_hand,
            reserved: 0,
            available: on_hand,
            unit_price,
            max_per_order: None,
            name: None,
            image: None,
        })
    };
    let example = |name, summary, view: ItemView| Example::new(name, summary, item(&view, &currency));
    let preset = [view("item1", 100, 1000)?, view("item2", 50, 2000)?, view("item3", 75, 1500)?];
    let all = preset.iter().map(|view| item(view, &currency)).collect();
    let new_item = |body: &[u8]| body::item(body).err().unwrap_or_else(Problem::body_incomplete);
    let adjustment = |body: &[u8]| body::adjustment(body).err().unwrap_or_else(Problem::body_incomplete);
    let teapot = || from_value::<ItemId>("teapot".into());
    let list = Operation::new(
        Route::Items,
        Verb::Get,
        "listItems",
        "inventory",
        ["List all items", "What there is, what can be ordered, and what it costs."],
    )
    .answers(
        Answer::new(200, "All items.")
            .json::<ItemsJson<'static>>([Example::new(
                "Items",
                "A new shop",
                ItemsJson { items: all, unreadable_items: &[] },
            )?])
            .links(["GetFirstItem"]),
    )
    .writes();
    let show =
        Operation::new(Route::Item(""), Verb::Get, "getItem", "inventory", ["Show an item", "The item as it now is."])
            .answers(Answer::new(200, "The item.").json::<ItemJson<'static>>([example(
                "Item1",
                "An item",
                view("item1", 100, 1000)?,
            )?]))
            .shared([(404, "ItemNotFound")])
            .reads();
    let put = Operation::new(
        Route::Item(""),
        Verb::Put,
        "putItem",
        "inventory",
        [
            "Create an item, or give it another price, limit, name or image",
            "Creates the item if it is not there. Otherwise the price, the limit and the name are for orders from now on; those \
             that are placed keep theirs. It can be sent again without `on_hand`.",
        ],
    )
    .operator()
    .body::<body::NewItem>(
        true,
        [
            Example::new("NewItem", "A new item with stock", json!({ "unit_price": 8800, "on_hand": 12 }))?,
            Example::new("NewPrice", "A new price", json!({ "unit_price": 9900 }))?,
            Example::new("NewLimit", "At most two in one order", json!({ "unit_price": 9900, "max_per_order": 2 }))?,
            Example::new("NoLimit", "No limit of its own", json!({ "unit_price": 9900, "max_per_order": null }))?,
            Example::new(
                "NewName",
                "A name and a picture",
                json!({ "unit_price": 9900, "name": "Teapot, blue", "image": "https://shop.example/teapot.jpg" }),
            )?,
            Example::new("NoName", "No name and no picture", json!({ "unit_price": 9900, "name": null, "image": null }))?,
        ],
    )
    .answers(Answer::new(200, "The item is offered so now.").json::<ItemJson<'static>>([
        example("ItemPriced", "With another price", view("teapot", 12, 9900)?)?,
        example(
            "ItemLimited",
            "With a limit",
            ItemView { max_per_order: Some(from_value(2.into())?), ..view("teapot", 12, 9900)? },
        )?,
        example(
            "ItemNamed",
            "With a name and a picture",
            ItemView {
                name: Some(from_value("Teapot, blue".into())?),
                image: Some(from_value("https://shop.example/teapot.jpg".into())?),
                ..view("teapot", 12, 9900)?
            },
        )?,
    ]))
    .answers(
        Answer::new(201, "The item is new.")
            .headers(["ItemLocation"])
            .json::<ItemJson<'static>>([example("ItemNew", "A new item", view("teapot", 12, 8800)?)?])
            .links(["GetItem", "PutItem", "AdjustItem", "GetItemHistory"]),
    )
    .answers(Answer::problem(
        "The item is there already, and `on_hand` was given.",
        &[Code::ItemExists],
        [Example::problem("ItemExists", "Stock for an item that is there", Error::ItemExists(teapot()?))?],
    ))
    .answers(Answer::problem(
        "The item is wrong, or its id.",
        &[Code::InvalidRequest],
        [
            Example::problem("ItemInvalid", "An item without a price", new_item(b"{}"))?,
            Example::problem(
                "ItemIdInvalid",
                "A name that no item can have",
                new_item_id("no item").err().unwrap_or_else(Problem::no_such_item),
            )?,
        ],
    ))
    .adds();
    let adjust = Operation::new(
        Route::Adjustments(""),
        Verb::Post,
        "adjustItem",
        "inventory",
        [
            "Adjust the stock of an item",
            "Adds to what is on hand, or takes from it, but never what is promised to orders. With an idempotency key the \
             request can be sent again, while it is among the last 64 adjustments of the item.",
        ],
    )
    .operator()
    .parameters(["IdempotencyKey"])
    .body::<body::Adjustment>(
        true,
        [
            Example::new("Loss", "Three are taken", json!({ "delta": -3, "reason": "damaged" }))?,
            Example::new("Delivery", "Five are added", json!({ "delta": 5, "reason": "delivery" }))?,
        ],
    )
    .answers(
        Answer::new(200, "The item as it now is.")
            .headers(["IdempotentReplayed"])
            .json::<ItemJson<'static>>([example("ItemAdjusted", "Three were taken", view("teapot", 9, 9900)?)?])
            .links(["GetItem", "GetItemHistory"]),
    )
    .shared([(404, "ItemNotFound")])
    .answers(Answer::problem(
        "Less would be left than is promised to orders.",
        &[Code::InsufficientStock],
        [Example::problem(
            "AdjustmentInsufficientStock",
            "More is taken than is there",
            Error::InsufficientStock { item_id: teapot()?, available: 9, requested: 100 },
        )?],
    ))
    .answers(Answer::problem(
        "The adjustment or the idempotency key is wrong.",
        &[Code::InvalidRequest, Code::IdempotencyKeyReused],
        [
            Example::problem("AdjustmentInvalid", "By nothing", adjustment(br#"{"delta":0}"#))?,
        ]
        .into_iter()
        .chain(idempotency_key_problems(MIN_ADJUSTMENT_KEY_LEN)?),
    ))
    .adds();
    let health = Operation::new(
        Route::Health,
        Verb::Get,
        "getHealth",
        "operations",
        ["Whether the process answers", "It does. Nothing else is looked at."],
    )
    .answers(Answer::new(200, "The process answers.").json::<schema::Health>([Example::new(
        "HealthOk",
        "The process answers",
        json!({ "status": "ok" }),
    )?]));
    let ready = Operation::new(
        Route::Ready,
        Verb::Get,
        "getReadiness",
        "operations",
        [
            "Whether the shop can serve, and sell",
            "Tries on scratch keys whether the store is there and really is atomic. `cannot_sell` says that the store has \
             no room for another order, while what is there can be paid, cancelled and read; 503 that it cannot serve.",
        ],
    )
    .answers(Answer::new(200, "The shop can serve.").json::<schema::Readiness>([
        Example::new("Ready", "The store is in order", json!({ "status": "ready" }))?,
        Example::new("CannotSell", "The store is full", json!({ "status": "cannot_sell" }))?,
    ]))
    .shared([(503, "StoreUnavailable")]);
    Ok(vec![list, show, put, adjust, health, ready])
}

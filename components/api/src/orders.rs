//! The handler of the component `orders`: place, show, cancel and list orders.

use std::rc::Rc;

use domain::order::Line;
#[cfg(feature = "openapi")]
use domain::order::MAX_LINES;
use domain::{
    Currency, CustomerId, Environment, Error, Money, OrderId, OrderView, PaymentMethod, Provider, Shop, Status, Store,
};
use http::StatusCode;
#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
#[cfg(feature = "openapi")]
use serde_json::json;

use crate::body;
#[cfg(feature = "openapi")]
use crate::conditional::Preconditions;
use crate::currency::minor_digits;
use crate::header;
use crate::listing;
#[cfg(feature = "openapi")]
use crate::openapi::schema;
use crate::problem::Problem;
use crate::reply::Reply;
#[cfg(feature = "openapi")]
use crate::request::idempotency_key_problems;
use crate::request::{MIN_ORDER_KEY_LEN, RequestContext, decoded};
use crate::route::{Route, Verb};

/// Present, and `true`, if an earlier request with the same idempotency key did the work.
pub(crate) const REPLAYED: &str = "idempotent-replayed";

/// Answers the routes of the component `orders`.
pub async fn handle<S: Store + 'static, E: Environment + 'static, P: Provider + 'static>(
    context: &RequestContext<'_>,
    shop: &Rc<Shop<S, E, P>>,
) -> Result<Reply, Problem> {
    match (context.route, context.verb) {
        (Route::Orders, Verb::Post) => place(context, shop).await,
        (Route::Orders, Verb::Get) => listing::list(context, shop).await,
        (Route::Order(id), Verb::Get) => {
            let view = shop.show_order(order_id(id)?).await?;
            Ok(reply(&view))
        }
        (Route::Cancel(id), Verb::Post) => {
            let view = shop.cancel_if(&context.condition(tag)?, order_id(id)?).await?;
            Ok(reply(&view))
        }
        _ => Err(Problem::not_found()),
    }
}

async fn place<S: Store, E: Environment, P: Provider>(
    context: &RequestContext<'_>,
    shop: &Shop<S, E, P>,
) -> Result<Reply, Problem> {
    let request = body::order(context.json()?)?;
    let key = context.idempotency_key("orders", MIN_ORDER_KEY_LEN)?;
    context.expect_untagged()?;
    let placed = shop.place(request, key).await?;
    let location = format!("/orders/{}", placed.view.order.order_id);
    let reply = Reply { status: StatusCode::CREATED, ..reply(&placed.view) }.with(header::LOCATION, &location);
    Ok(if placed.replayed { reply.with(REPLAYED, "true") } else { reply })
}

/// The order id in a path, in upper or lower case (RFC 9562, 4). No order has an invalid id, so it is not found.
pub(crate) fn order_id(text: &str) -> Result<OrderId, Problem> {
    decoded(text).to_ascii_lowercase().parse().map_err(|_| Error::OrderNotFound.into())
}

/// The answer that shows an order.
pub(crate) fn reply(view: &OrderView) -> Reply {
    Reply::json(StatusCode::OK, &OrderJson::from(view))
}

/// The tag of the answer that shows an order.
pub(crate) fn tag(view: &OrderView) -> String {
    reply(view).tag()
}

/// An order as it is now. It has a `payment` exactly when it is paid.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Order", extend(
    "if" = { "properties": { "status": { "const": "paid" } } },
    "then" = { "required": ["payment"] },
    "else" = { "properties": { "payment": false } },
)))]
pub(crate) struct OrderJson<'a> {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::OrderId"))]
    order_id: OrderId,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::OrderStatus"))]
    status: Status,
    /// Each item once, in the order of their ids.
    #[cfg_attr(feature = "openapi", schemars(with = "Vec<schema::OrderLine>", extend("minItems" = 1, "maxItems" = MAX_LINES)))]
    items: &'a [Line],
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Money"))]
    total: Money,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Currency"))]
    currency: &'a Currency,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::CurrencyDigits"))]
    currency_digits: Option<u8>,
    /// The customer, if the request named one.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<schema::RecordedCustomerId>"))]
    customer_id: Option<&'a CustomerId>,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    placed_at: String,
    /// The end of the time in which it can be paid.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "PaymentJson<'static>"))]
    payment: Option<PaymentJson<'a>>,
}

/// How and when an order was paid.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Payment"))]
struct PaymentJson<'a> {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Money"))]
    amount: Money,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::PaymentMethod"))]
    method: &'a PaymentMethod,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    paid_at: String,
}

impl<'a> From<&'a OrderView> for OrderJson<'a> {
    fn from(OrderView { order, status, payment, .. }: &'a OrderView) -> Self {
        let payment = payment.as_ref().map(|payment| PaymentJson {
            amount: payment.amount,
            method: &payment.method,
            paid_at: payment.paid_at.to_string(),
        });
        Self {
            order_id: order.order_id,
            status: *status,
            items: order.lines(),
            total: order.total(),
            currency: &order.currency,
            currency_digits: minor_digits(&order.currency),
            customer_id: order.customer_id.as_ref(),
            placed_at: order.placed_at.to_string(),
            expires_at: order.expires_at.to_string(),
            payment,
        }
    }
}

/// Orders for the examples of the OpenAPI document.
#[cfg(feature = "openapi")]
pub(crate) mod examples {
    use domain::order::Order;
    use domain::order_state::Payment;
    use domain::{OrderView, Status};
    use serde_json::{Value, from_value, json};

    use super::OrderJson;
    use crate::openapi::operation::Example;

    type Examples<T> = serde_json::Result<T>;

    fn view(order: Value, status: Status) -> Examples<OrderView> {
        Ok(OrderView { order: from_value(order)?, status, payment: None, at_provider: false })
    }

    fn at_price(unit_price: u64) -> Value {
        json!({
            "order_id": "a51dee89-7e11-4f02-a419-92ca47ab279f",
            "lines": [{ "item_id": "item1", "quantity": 2, "unit_price": unit_price }],
            "total": unit_price.saturating_mul(2),
            "currency": "CNY",
            "placed_at": 1_795_644_185_493_u64,
            "expires_at": 1_795_645_085_493_u64
        })
    }

    pub(crate) fn pending(status: Status) -> Examples<OrderView> {
        view(at_price(1000), status)
    }

    /// The same order at another price.
    pub(crate) fn dearer() -> Examples<Order> {
        from_value(at_price(1200))
    }

    pub(crate) fn paid() -> Examples<OrderView> {
        let paid_at = 1_795_644_185_642_u64.into();
        let payment =
            Payment { amount: from_value(2000.into())?, method: from_value("card".into())?, paid_at, reference: None };
        Ok(OrderView { payment: Some(payment), ..pending(Status::Paid)? })
    }

    pub(crate) fn of_anna(status: Status) -> Examples<OrderView> {
        let order = json!({
            "order_id": "01df499d-6bbe-47d9-a927-6033269f7062",
            "lines": [
                { "item_id": "item2", "quantity": 1, "unit_price": 2000 },
                { "item_id": "item3", "quantity": 4, "unit_price": 1500 }
            ],
            "total": 8000,
            "currency": "CNY",
            "customer_id": "anna",
            "placed_at": 1_795_644_185_728_u64,
            "expires_at": 1_795_645_085_728_u64
        });
        view(order, status)
    }

    fn expired() -> Examples<OrderView> {
        let order = json!({
            "order_id": "ab3ba284-6e35-4868-a382-9f5f03b604cc",
            "lines": [{ "item_id": "item1", "quantity": 2, "unit_price": 1000 }],
            "total": 2000,
            "currency": "CNY",
            "placed_at": 1_795_644_186_429_u64,
            "expires_at": 1_795_644_188_429_u64
        });
        view(order, Status::Expired)
    }

    fn example(name: &'static str, summary: &'static str, view: &OrderView) -> Examples<Example> {
        Example::new(name, summary, OrderJson::from(view))
    }

    pub(crate) fn order_pending() -> Examples<Example> {
        example("OrderPending", "Waits for payment", &pending(Status::Pending)?)
    }

    pub(crate) fn order_of_anna() -> Examples<Example> {
        example("OrderOfAnna", "Two lines", &of_anna(Status::Pending)?)
    }

    pub(crate) fn order_paid() -> Examples<Example> {
        example("OrderPaid", "Paid", &paid()?)
    }

    pub(crate) fn order_cancelled() -> Examples<Example> {
        example("OrderCancelled", "Cancelled", &of_anna(Status::Cancelled)?)
    }

    pub(crate) fn order_expired() -> Examples<Example> {
        example("OrderExpired", "Not paid in time", &expired()?)
    }
}

/// The operations that this module serves, for the OpenAPI document.
#[cfg(feature = "openapi")]
pub(crate) fn operations() -> serde_json::Result<Vec<crate::openapi::operation::Operation>> {
    use crate::code::Code;
    use crate::openapi::operation::{Answer, Example, Operation};

    let few =
        Error::InsufficientStock { item_id: serde_json::from_value("item2".into())?, available: 50, requested: 51 };
    let many = Error::QuantityAboveLimit {
        item_id: serde_json::from_value("item2".into())?,
        max_per_order: serde_json::from_value(5.into())?,
        requested: serde_json::from_value(6.into())?,
    };
    let dearer = Error::PriceChanged(Rc::new(examples::dearer()?));
    let no_item = Error::ItemNotFound(serde_json::from_value("no-such-item".into())?);
    let wrong = |body: &[u8]| body::order(body).err().unwrap_or_else(Problem::body_incomplete);
    let place = Operation::new(
        Route::Orders,
        Verb::Post,
        "placeOrder",
        "orders",
        [
            "Place an order",
            "Holds all lines of the order, or none: the goods are the customer's until `expires_at`. With a `unit_price` or a \
             `total` the order is placed at that price or not at all. With an idempotency key the request can be sent \
             again without ordering twice.",
        ],
    )
    .parameters(["OrderIdempotencyKey"])
    .body::<body::OrderRequest>(
        true,
        [
            Example::new("OrderShort", "Two of one item", json!({ "item_id": "item1", "quantity": 2 }))?,
            Example::new(
                "OrderLong",
                "Two lines, and who orders",
                json!({
                    "items": [{ "item_id": "item2", "quantity": 1 }, { "item_id": "item3", "quantity": 4 }],
                    "customer_id": "anna"
                }),
            )?,
            Example::new(
                "OrderAtAPrice",
                "At the prices that were shown, or not at all",
                json!({ "items": [{ "item_id": "item1", "quantity": 2, "unit_price": 1000 }], "total": 2000 }),
            )?,
        ],
    )
    .answers(
        Answer::new(201, "The order is placed. A repeat answers with the order as it now is.")
            .headers(["OrderLocation", "IdempotentReplayed"])
            .json::<OrderJson<'static>>([examples::order_pending()?, examples::order_of_anna()?])
            .links(["GetOrder", "PayOrder", "CancelOrder", "GetOrderHistory"]),
    )
    .answers(Answer::problem(
        "There is no such item. Nothing was ordered.",
        &[Code::ItemNotFound],
        [Example::problem("ItemNotFound", "No such item", no_item)?],
    ))
    .answers(Answer::problem(
        "There is too little of an item, or the price has changed. Nothing was ordered.",
        &[Code::InsufficientStock, Code::PriceChanged],
        [
            Example::problem("OrderInsufficientStock", "More than there is", few)?,
            Example::problem("PriceChanged", "Another price than was shown", dearer)?,
        ],
    ))
    .answers(Answer::problem(
        "The order or the idempotency key is wrong, or there is more of an item in it than one order may have. Nothing was \
         ordered.",
        &[Code::InvalidRequest, Code::IdempotencyKeyReused, Code::QuantityAboveLimit],
        [
            Example::problem("QuantityAboveLimit", "More than one order may have", many)?,
            Example::problem(
                "OrderInvalid",
                "Four errors",
                wrong(
                    br#"{"discount":1,"items":[{"item_id":"item1","quantity":0},{"item_id":"no item","quantity":1.5}]}"#,
                ),
            )?,
            Example::problem("OrderEmpty", "No lines", wrong(br#"{"items":[]}"#))?,
        ]
        .into_iter()
        .chain(idempotency_key_problems(MIN_ORDER_KEY_LEN)?),
    ))
    .adds();
    let show =
        Operation::new(Route::Order(""), Verb::Get, "getOrder", "orders", ["Show an order", "The order as it now is."])
            .answers(
                Answer::new(200, "The order.")
                    .json::<OrderJson<'static>>([
                        examples::order_pending()?,
                        examples::order_paid()?,
                        examples::order_cancelled()?,
                        examples::order_expired()?,
                    ])
                    .links(["PayOrder", "CancelOrder", "GetOrderHistory"]),
            )
            .shared([(404, "OrderNotFound")])
            .reads();
    let cancel = Operation::new(
        Route::Cancel(""),
        Verb::Post,
        "cancelOrder",
        "orders",
        [
            "Cancel an order",
            "Frees the goods at once. It can be sent again. It needs no idempotency key, and a body is not looked at.",
        ],
    )
    .answers(
        Answer::new(200, "The order is cancelled.")
            .json::<OrderJson<'static>>([examples::order_cancelled()?])
            .links(["GetOrder", "GetOrderHistory"]),
    )
    .shared([(404, "OrderNotFound")])
    .answers(Answer::problem(
        "The order is paid, expired or rejected.",
        &[Code::OrderNotCancellable],
        [Example::problem("OrderNotCancellable", "Paid", Error::OrderNotCancellable(Status::Paid))?],
    ))
    .answers(Answer::problem(
        "The header `if-none-match` is wrong.",
        &[Code::InvalidRequest],
        [Example::problem("IfNoneMatchInvalid", "A tag without quotes", Preconditions::unreadable())?],
    ))
    .writes();
    Ok(vec![place, show, cancel])
}

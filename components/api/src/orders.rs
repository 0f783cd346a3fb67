//! The handler of the component `orders`: place, show, cancel and list orders.

use domain::order::Line;
use domain::{Currency, CustomerId, Environment, Error, Money, OrderId, OrderView, PaymentMethod, Shop, Status, Store};
use http::{HeaderName, StatusCode, header};
use serde::Serialize;

use crate::body;
use crate::listing;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request::RequestContext;
use crate::route::{Route, Verb};

/// Present, and `true`, if an earlier request with the same idempotency key did the work.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Answers the routes of the component `orders`.
pub async fn handle<S: Store, E: Environment>(
    context: &RequestContext<'_>,
    shop: &Shop<S, E>,
) -> Result<Reply, Problem> {
    match (context.route, context.verb) {
        (Route::Orders, Verb::Post) => place(context, shop).await,
        (Route::Orders, Verb::Get) => listing::list(context, shop).await,
        (Route::Order(id), Verb::Get) => {
            let view = shop.show_order(order_id(id)?).await?;
            Ok(Reply::tagged(&OrderJson::from(&view)))
        }
        (Route::Cancel(id), Verb::Post) => {
            let view = shop.cancel(order_id(id)?).await?;
            Ok(Reply::json(StatusCode::OK, &OrderJson::from(&view)))
        }
        _ => Err(Problem::not_found()),
    }
}

async fn place<S: Store, E: Environment>(context: &RequestContext<'_>, shop: &Shop<S, E>) -> Result<Reply, Problem> {
    let request = body::order(context.json()?)?;
    let key = context.idempotency_key("orders")?;
    let placed = shop.place(request, key).await?;
    let location = format!("/orders/{}", placed.view.order.order_id);
    let reply = Reply::json(StatusCode::CREATED, &OrderJson::from(&placed.view)).with(header::LOCATION, &location);
    Ok(if placed.replayed { reply.with(REPLAYED, "true") } else { reply })
}

/// The order id in a path. No order has an invalid id, so it is not found.
pub(crate) fn order_id(text: &str) -> Result<OrderId, Problem> {
    text.parse().map_err(|_| Error::OrderNotFound.into())
}

/// An order as it is now. It has a `payment` exactly when it is paid.
#[derive(Serialize)]
pub(crate) struct OrderJson<'a> {
    order_id: OrderId,
    status: Status,
    /// Each item once, in the order of their ids.
    items: &'a [Line],
    total: Money,
    currency: &'a Currency,
    /// The customer, if the request named one.
    customer_id: Option<&'a CustomerId>,
    placed_at: String,
    /// The end of the time in which it can be paid.
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<PaymentJson<'a>>,
}

/// How and when an order was paid.
#[derive(Serialize)]
struct PaymentJson<'a> {
    amount: Money,
    method: &'a PaymentMethod,
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
            customer_id: order.customer_id.as_ref(),
            placed_at: order.placed_at.to_string(),
            expires_at: order.expires_at.to_string(),
            payment,
        }
    }
}

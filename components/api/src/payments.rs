//! The payments component's part: pay orders.

use domain::{Environment, PaymentMethod, Shop, Store};
use http::StatusCode;

use crate::body::{self, Payment};
use crate::orders::{OrderJson, order_id};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request::RequestContext;
use crate::route::{Route, Verb};

/// Answers what the payments component serves.
pub async fn handle<S: Store, E: Environment>(
    context: &RequestContext<'_>,
    shop: &Shop<S, E>,
) -> Result<Reply, Problem> {
    let (Route::Pay(id), Verb::Post) = (context.route, context.verb) else { return Err(Problem::not_found()) };
    let Payment { method, amount } = context.json_or_nothing()?.map(body::payment).transpose()?.unwrap_or_default();
    let view = shop.pay(order_id(id)?, method.unwrap_or_else(PaymentMethod::unspecified), amount).await?;
    Ok(Reply::json(StatusCode::OK, &OrderJson::from(&view)))
}

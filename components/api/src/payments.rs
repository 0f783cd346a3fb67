//! The payments component's part: pay orders.

use std::rc::Rc;

use domain::{
    Environment, OrderId, OrderView, PayResult, PaymentMethod, PaymentProgress, Provider, Shop, Status, Store,
};
use http::StatusCode;
use serde::Serialize;

use crate::body::{self, Payment};
#[cfg(feature = "openapi")]
use crate::orders::OrderJson;
use crate::orders::{order_id, reply, tag};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request::RequestContext;
use crate::route::{Route, Verb};

/// Answers what the payments component serves.
pub async fn handle<S: Store, E: Environment, P: Provider>(
    context: &RequestContext<'_>,
    shop: &Rc<Shop<S, E, P>>,
) -> Result<Reply, Problem> {
    let (Route::Pay(id), Verb::Post) = (context.route, context.verb) else { return Err(Problem::not_found()) };
    let Payment { method, amount } = context.json_or_nothing()?.map(body::payment).transpose()?.unwrap_or_default();
    let (condition, method) = (context.condition(tag)?, method.unwrap_or_else(PaymentMethod::unspecified));
    Ok(match shop.pay_if(condition, order_id(id)?, method, amount).await? {
        PayResult::Paid(view) => reply(&view),
        PayResult::AtProvider(view, progress) => accepted(&view, &progress),
    })
}

/// The answer to a buyer who has to pay at the payment provider, or has paid there by a means that takes a while.
fn accepted(view: &OrderView, progress: &PaymentProgress) -> Reply {
    let payment = match progress {
        PaymentProgress::Open { url, expires_at } => {
            ProgressJson { status: "open", url: Some(url), expires_at: Some(expires_at.to_string()) }
        }
        PaymentProgress::Processing => ProgressJson { status: "processing", url: None, expires_at: None },
    };
    let body = AcceptedJson { order_id: view.order.order_id, status: view.status, payment };
    Reply::json(StatusCode::ACCEPTED, &body)
}

/// An order whose payment has begun at the payment provider.
#[derive(Serialize)]
struct AcceptedJson<'a> {
    order_id: OrderId,
    status: Status,
    payment: ProgressJson<'a>,
}

/// How far a payment at the payment provider has come.
#[derive(Serialize)]
struct ProgressJson<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// The operation that this module serves, for the OpenAPI document.
#[cfg(feature = "openapi")]
pub(crate) fn operations() -> serde_json::Result<Vec<crate::openapi::operation::Operation>> {
    use domain::Error;
    use serde_json::{from_value, json};

    use crate::code::Code;
    use crate::openapi::operation::{Answer, Example, Operation};
    use crate::orders::examples::order_paid;

    let mismatch = Error::AmountMismatch { total: from_value(2000.into())?, given: from_value(1.into())? };
    let wrong = body::payment(br#"{"amount":"much"}"#).err().unwrap_or_else(Problem::body_incomplete);
    Ok(vec![
        Operation::new(
            Route::Pay(""),
            Verb::Post,
            "payOrder",
            "payments",
            [
                "Pay an order",
                "The moment of sale. It can be sent again: what is paid stays paid, once. It needs no idempotency key.",
            ],
        )
        .body::<Payment>(
            false,
            [
                Example::new("PayCard", "By card, if the total is 20.00", json!({ "method": "card", "amount": 2000 }))?,
                Example::new("PayAnything", "Whatever it costs", json!({}))?,
            ],
        )
        .answers(
            Answer::new(200, "The order is paid.")
                .json::<OrderJson<'static>>([order_paid()?])
                .links(["GetOrder", "GetOrderHistory"]),
        )
        .shared([(404, "OrderNotFound")])
        .answers(Answer::problem(
            "The order is not pending.",
            &[Code::OrderNotPayable],
            [
                Example::problem("OrderNotPayable", "Cancelled", Error::OrderNotPayable(Status::Cancelled))?,
                Example::problem("OrderNotPayableExpired", "Expired", Error::OrderNotPayable(Status::Expired))?,
            ],
        ))
        .answers(Answer::problem(
            "The payment is wrong. The order is as it was.",
            &[Code::AmountMismatch, Code::InvalidRequest],
            [
                Example::problem("AmountMismatch", "Not the total", mismatch)?,
                Example::problem("PaymentInvalid", "An amount that is none", wrong)?,
            ],
        ))
        .writes(),
    ])
}

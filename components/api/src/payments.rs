//! The payments component's part: pay orders.

use std::rc::Rc;

use domain::{Environment, PaymentMethod, Shop, Store};

use crate::body::{self, Payment};
#[cfg(feature = "openapi")]
use crate::orders::OrderJson;
use crate::orders::{order_id, reply, tag};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request::RequestContext;
use crate::route::{Route, Verb};

/// Answers what the payments component serves.
pub async fn handle<S: Store, E: Environment>(
    context: &RequestContext<'_>,
    shop: &Rc<Shop<S, E>>,
) -> Result<Reply, Problem> {
    let (Route::Pay(id), Verb::Post) = (context.route, context.verb) else { return Err(Problem::not_found()) };
    let Payment { method, amount } = context.json_or_nothing()?.map(body::payment).transpose()?.unwrap_or_default();
    let (condition, method) = (context.condition(tag)?, method.unwrap_or_else(PaymentMethod::unspecified));
    let view = shop.pay_if(condition, order_id(id)?, method, amount).await?;
    Ok(reply(&view))
}

/// The operation that this module serves, for the OpenAPI document.
#[cfg(feature = "openapi")]
pub(crate) fn operations() -> serde_json::Result<Vec<crate::openapi::operation::Operation>> {
    use domain::{Error, Status};
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

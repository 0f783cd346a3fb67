//! The handler of the component `after-sale`: what the operator does with an order that was paid or charged. Its goods go
//! out and come back, and so does its money; and what did not pay it goes back.

use std::rc::Rc;

use domain::after_sale::{Destination, Return};
use domain::fulfilment::{Carrier, Fulfilment, TrackingNumber, TrackingUrl};
use domain::order::Lines;
#[cfg(feature = "openapi")]
use domain::order::MAX_LINES;
use domain::order_state::LateRefund;
#[cfg(feature = "openapi")]
use domain::order_state::MAX_LATE_REFUNDS;
#[cfg(feature = "openapi")]
use domain::refund::MAX_REFUNDS;
use domain::refund::Refund;
use domain::{
    ChargeId, Currency, Environment, Error, ItemId, Money, OrderId, OrderReturns, OrderView, Provider, Quantity,
    RefundState, Refunded, SessionId, Shop, Status, Stock, Store,
};
use http::StatusCode;
#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::body;
#[cfg(feature = "openapi")]
use crate::openapi::schema;
use crate::orders::{REPLAYED, STRIPE, order_id, reply, tag};
use crate::problem::{FieldError, Problem};
use crate::reply::Reply;
use crate::request::RequestContext;
use crate::route::{Route, Verb};

/// Answers the routes of the component `after-sale`.
pub async fn handle<S: Store, E: Environment, P: Provider>(
    context: &RequestContext<'_>,
    shop: &Rc<Shop<S, E, P>>,
) -> Result<Reply, Problem> {
    context.require_operator()?;
    match (context.route, context.verb) {
        (Route::Returns(id), Verb::Post) => take_back(context, shop, id).await,
        (Route::Returns(id), Verb::Get) => {
            let id = order_id(id)?;
            let OrderReturns { view, unfinished } = shop.order_returns(id).await?;
            let returns = view.after_sale.returns().iter().map(ReturnJson::for_operator).collect();
            let cause = unfinished.map(|error| format!("returns of order {id} could not be finished: {error}"));
            Ok(Reply::json(StatusCode::OK, &ReturnsJson { order_id: id, status: view.status, returns }).log(cause))
        }
        (Route::Fulfilment(id), Verb::Put) => {
            context.require_whole()?;
            let body::Fulfilment { shipment, delivered } = body::fulfilment(context.json()?)?;
            let view = shop.fulfil_if(&context.condition(tag)?, order_id(id)?, &shipment, delivered).await?;
            Ok(reply(&view))
        }
        (Route::Refunds(id), Verb::Get) => {
            Ok(Reply::json(StatusCode::OK, &RefundsJson::from(&shop.refunds(order_id(id)?).await?)))
        }
        (Route::Refunds(id), Verb::Post) => give_back(context, shop, id).await,
        (Route::RetryRefunds(id), Verb::Post) => {
            Ok(Reply::json(StatusCode::OK, &RefundsJson::from(&shop.retry_refunds(order_id(id)?).await?)))
        }
        _ => Err(Problem::not_found()),
    }
}

async fn take_back<S: Store, E: Environment, P: Provider>(
    context: &RequestContext<'_>,
    shop: &Shop<S, E, P>,
    id: &str,
) -> Result<Reply, Problem> {
    let goods = body::returned_goods(context.json()?)?;
    let key = context.required_idempotency_key("returns")?;
    let returned = shop.return_goods_if(&context.condition(tag)?, order_id(id)?, goods, key).await;
    let returned = returned.map_err(|error| match error {
        Error::TooMuchStock => no_room(),
        error => error.into(),
    })?;
    let reply = Reply::json(StatusCode::CREATED, &ReturnJson::for_operator(&returned.made));
    Ok(if returned.replayed { reply.with(REPLAYED, "true") } else { reply })
}

async fn give_back<S: Store, E: Environment, P: Provider>(
    context: &RequestContext<'_>,
    shop: &Shop<S, E, P>,
    id: &str,
) -> Result<Reply, Problem> {
    let request = body::refund(context.json_or_nothing()?.unwrap_or(b"{}"))?;
    let key = context.required_idempotency_key("refunds")?;
    let refunded = shop.refund_if(&context.condition(tag)?, order_id(id)?, request, key).await;
    let Refunded { made, view, replayed, unfinished } = refunded.map_err(|error| match error {
        Error::TooMuchStock => no_room(),
        error => error.into(),
    })?;
    let cause = unfinished.map(|error| format!("a refund of order {} is not finished: {error}", view.order.order_id));
    let reply = Reply::json(StatusCode::CREATED, &RefundJson::for_operator(&made, &view)).log(cause);
    Ok(if replayed { reply.with(REPLAYED, "true") } else { reply })
}

/// 422 for goods that their item has no room for.
fn no_room() -> Problem {
    let detail = format!("the stock on hand would exceed {}", Stock::MAX);
    Problem::invalid(vec![FieldError::body("/items".to_owned(), detail)])
}

/// Goods of an order that came back.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Return"))]
pub(crate) struct ReturnJson<'a> {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::ReturnId"))]
    return_id: String,
    /// Each item once, in the order of their ids.
    #[cfg_attr(feature = "openapi", schemars(extend("minItems" = 1, "maxItems" = MAX_LINES)))]
    items: Vec<ReturnedLineJson<'a>>,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Destination"))]
    to: Destination,
    /// In the operator's words. Only the operator is told it. Absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Reason"))]
    reason: Option<&'a str>,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    at: String,
    /// Whether all of it is back in its items. If not, a request was cut off: sending it again, or asking for the returns
    /// of the order, carries on with it.
    done: bool,
}

/// How many of an item came back.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "ReturnedLine"))]
struct ReturnedLineJson<'a> {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::ItemId"))]
    item_id: &'a ItemId,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Quantity"))]
    quantity: Quantity,
}

impl<'a> ReturnJson<'a> {
    /// As all are told it who know the id of the order.
    pub(crate) fn for_all(one: &'a Return) -> Self {
        Self {
            return_id: one.id.to_string(),
            items: one.lines.iter().map(|(item_id, quantity)| ReturnedLineJson { item_id, quantity }).collect(),
            to: one.to,
            reason: None,
            at: one.at.to_string(),
            done: one.done,
        }
    }

    /// As the operator is told it.
    pub(crate) fn for_operator(one: &'a Return) -> Self {
        let reason = (!one.reason.is_empty()).then_some(one.reason.as_str());
        Self { reason, ..Self::for_all(one) }
    }
}

/// Goods of an order that came back, oldest first.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Returns"))]
struct ReturnsJson<'a> {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::OrderId"))]
    order_id: OrderId,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::OrderStatus"))]
    status: Status,
    #[cfg_attr(feature = "openapi", schemars(extend("maxItems" = domain::after_sale::MAX_RETURNS)))]
    returns: Vec<ReturnJson<'a>>,
}

/// How the goods of an order went out.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Fulfilment"))]
pub(crate) struct FulfilmentJson<'a> {
    /// Who brings them. Absent if that was not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::ShipmentText"))]
    carrier: Option<&'a Carrier>,
    /// What the carrier calls them. Absent if that was not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::ShipmentText"))]
    tracking_number: Option<&'a TrackingNumber>,
    /// Absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::TrackingUrl"))]
    tracking_url: Option<&'a TrackingUrl>,
    /// When they went out.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    fulfilled_at: String,
    /// When the buyer had them. Absent if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    delivered_at: Option<String>,
}

impl<'a> From<&'a Fulfilment> for FulfilmentJson<'a> {
    fn from(Fulfilment { shipment, fulfilled_at, delivered_at }: &'a Fulfilment) -> Self {
        Self {
            carrier: shipment.carrier.as_ref(),
            tracking_number: shipment.tracking_number.as_ref(),
            tracking_url: shipment.tracking_url.as_ref(),
            fulfilled_at: fulfilled_at.to_string(),
            delivered_at: delivered_at.map(|at| at.to_string()),
        }
    }
}

/// The refunds of an order, oldest first.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Refunds"))]
struct RefundsJson<'a> {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::OrderId"))]
    order_id: OrderId,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::OrderStatus"))]
    status: Status,
    /// What of the payment was given back, or is on its way: all refunds of it that have not failed.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Money"))]
    refunded: u64,
    #[cfg_attr(feature = "openapi", schemars(extend("maxItems" = MAX_REFUNDS + MAX_LATE_REFUNDS)))]
    refunds: Vec<RefundJson<'a>>,
}

/// Money that goes back to the buyer: of what was paid for the order, or of a charge that did not pay it since it came too
/// late or was not what the order costs.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Refund"))]
pub(crate) struct RefundJson<'a> {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::RefundId"))]
    refund_id: String,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::RefundOf"))]
    of: &'static str,
    /// How far it has come. One that has succeeded may fail later, days after it was made.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::RefundStatus"))]
    status: RefundState,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Money"))]
    amount: Money,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Currency"))]
    currency: &'a Currency,
    /// The goods whose price goes back, if it was asked for by these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(extend("minItems" = 1, "maxItems" = MAX_LINES)))]
    items: Vec<ReturnedLineJson<'a>>,
    /// The return of the goods that came back with it, if any did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::ReturnId"))]
    return_id: Option<String>,
    /// In the operator's words. Only the operator is told it. Absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Reason"))]
    reason: Option<&'a str>,
    /// When it was put on record.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    created_at: String,
    /// When it has failed. Absent if it has not, and of a late charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    failed_at: Option<String>,
    /// Who makes it. Absent of a payment that was recorded without a provider: no money moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::ProviderName"))]
    provider: Option<&'static str>,
    /// The session in which the buyer was charged. Only the operator is told it, and what was charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    session_id: Option<&'a SessionId>,
    /// What is given back, by the provider's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    charge_id: Option<&'a ChargeId>,
}

impl<'a> RefundJson<'a> {
    /// As all are told it who know the id of the order.
    pub(crate) fn for_all(one: &'a Refund, view: &'a OrderView) -> Self {
        let lines = one.lines.iter().flat_map(Lines::iter);
        let return_id = one.return_id().filter(|id| view.after_sale.returns().iter().any(|one| one.id == *id));
        let is_charged = view.payment.as_ref().is_some_and(|payment| payment.reference.is_some());
        Self {
            refund_id: one.id.to_string(),
            of: "payment",
            status: one.state.unwrap_or(RefundState::Pending),
            amount: one.amount,
            currency: &view.order.currency,
            items: lines.map(|(item_id, quantity)| ReturnedLineJson { item_id, quantity }).collect(),
            return_id: return_id.map(|id| id.to_string()),
            reason: None,
            created_at: one.at.to_string(),
            failed_at: one.failed_at.filter(|_| one.state == Some(RefundState::Failed)).map(|at| at.to_string()),
            provider: is_charged.then_some(STRIPE),
            session_id: None,
            charge_id: None,
        }
    }

    /// As the operator is told it.
    pub(crate) fn for_operator(one: &'a Refund, view: &'a OrderView) -> Self {
        let reason = (!one.reason.is_empty()).then_some(one.reason.as_str());
        let reference = view.payment.as_ref().and_then(|payment| payment.reference.as_ref());
        let session_id = reference.map(|reference| &reference.session);
        let charge_id = reference.map(|reference| &reference.charge);
        Self { reason, session_id, charge_id, ..Self::for_all(one, view) }
    }

    fn of_late_charge(late: &'a LateRefund, view: &'a OrderView) -> Self {
        Self {
            refund_id: late.refund_id().to_string(),
            of: "late_charge",
            status: late.refund.unwrap_or(RefundState::Pending),
            amount: late.amount,
            currency: late.currency.as_ref().unwrap_or(&view.order.currency),
            items: Vec::new(),
            return_id: None,
            reason: None,
            created_at: late.at.to_string(),
            failed_at: None,
            provider: Some(STRIPE),
            session_id: Some(&late.session),
            charge_id: Some(&late.charge),
        }
    }
}

impl<'a> From<&'a OrderView> for RefundsJson<'a> {
    fn from(view: &'a OrderView) -> Self {
        let late = view.late_refunds.iter().map(|late| (late.at, RefundJson::of_late_charge(late, view)));
        let of_payment = view.after_sale.refunds().iter().map(|one| (one.at, RefundJson::for_operator(one, view)));
        let mut all: Vec<_> = late.chain(of_payment).collect();
        all.sort_by_key(|(at, _)| *at);
        let refunds = all.into_iter().map(|(_, refund)| refund).collect();
        let (order_id, refunded) = (view.order.order_id, view.after_sale.refunded());
        Self { order_id, status: view.status, refunded, refunds }
    }
}

/// The operations that this module serves, for the OpenAPI document.
#[cfg(feature = "openapi")]
pub(crate) fn operations() -> serde_json::Result<Vec<crate::openapi::operation::Operation>> {
    use domain::StoreError;
    use serde_json::{from_value, json};

    use crate::code::Code;
    use crate::openapi::operation::{Answer, Example, Operation};
    use crate::orders::OrderJson;
    use crate::orders::examples;
    use crate::request::{MIN_ADJUSTMENT_KEY_LEN, idempotency_key_problems, required_idempotency_key};

    let made: Return = from_value(json!({
        "id": "6f1ed002ab5595859014ebf0951522d9",
        "lines": [["item1", 1]],
        "to": "stock",
        "reason": "too small",
        "at": 1_795_730_585_642_u64,
        "done": true
    }))?;
    let list = ReturnsJson {
        order_id: examples::paid()?.order.order_id,
        status: Status::Paid,
        returns: vec![ReturnJson::for_operator(&made)],
    };
    let fulfilled = examples::fulfilled()?;
    let wrong_goods = |body: &[u8]| body::returned_goods(body).err().unwrap_or_else(Problem::body_incomplete);
    let wrong_shipment = |body: &[u8]| body::fulfilment(body).err().unwrap_or_else(Problem::body_incomplete);
    let more = Error::ReturnExceedsSale { item_id: from_value("item1".into())?, sold: 2, left: 1, requested: 2 };
    let take_back = Operation::new(
        Route::Returns(""),
        Verb::Post,
        "returnGoods",
        "orders",
        [
            "Take goods back",
            "Goods of a paid order come back: into `stock`, where they can be sold again, or `written_off`. Each line comes \
             back at most as often as it was sold, over all returns, and what comes back is put back once. No money moves. \
             With its idempotency key the request can be sent again, and carries on where an earlier one was cut off.",
        ],
    )
    .operator()
    .parameters(["RequiredIdempotencyKey"])
    .body::<body::ReturnRequest>(
        true,
        [
            Example::new("ReturnOne", "One can be sold again", json!({ "items": [{ "item_id": "item1", "quantity": 1 }] }))?,
            Example::new(
                "ReturnBroken",
                "One cannot",
                json!({
                    "items": [{ "item_id": "item1", "quantity": 1 }], "to": "written_off", "reason": "broken on the way"
                }),
            )?,
        ],
    )
    .answers(
        Answer::new(201, "The goods are back.")
            .headers(["IdempotentReplayed"])
            .json::<ReturnJson<'static>>([Example::new(
                "ReturnMade",
                "One is back in stock",
                ReturnJson::for_operator(&made),
            )?]),
    )
    .shared([(404, "OrderNotFound")])
    .answers(Answer::problem(
        "The order is not paid, or more is to come back than was sold. Nothing was changed.",
        &[Code::OrderNotReturnable, Code::ReturnExceedsSale],
        [
            Example::problem("OrderNotReturnable", "Not paid", Error::OrderNotReturnable(Status::Pending))?,
            Example::problem("ReturnExceedsSale", "One of two is back already", more)?,
        ],
    ))
    .answers(Answer::problem(
        "The goods or the idempotency key are wrong.",
        &[Code::InvalidRequest, Code::IdempotencyKeyReused],
        [
            Example::problem("ReturnInvalid", "None of an item", wrong_goods(br#"{"items":[{"item_id":"item1","quantity":0}]}"#))?,
            Example::problem("IdempotencyKeyMissing", "No key", required_idempotency_key())?,
        ]
        .into_iter()
        .chain(idempotency_key_problems(MIN_ADJUSTMENT_KEY_LEN)?),
    ))
    .answers(Answer::problem(
        "There is no room for another return, in the record of the order or of an item, or in the store.",
        &[Code::OrderFull, Code::ItemFull, Code::StoreFull],
        [
            Example::problem("OrderFull", "64 returns", Error::OrderFull)?,
            Example::problem(
                "ItemFull",
                "As many unpaid orders as an item can have",
                Error::ItemFull(from_value("item1".into())?),
            )?,
            Example::problem("StoreFull", "The store has no room", Error::Store(StoreError::Full(String::new())))?,
        ],
    ))
    .shared([(500, "UnreadableRecord"), (503, "Unavailable")]);
    let show = Operation::new(
        Route::Returns(""),
        Verb::Get,
        "getReturns",
        "orders",
        [
            "Show what came back of an order",
            "All returns of the order, oldest first. Those that were cut off are carried on with.",
        ],
    )
    .operator()
    .answers(Answer::new(200, "The returns.").json::<ReturnsJson<'static>>([Example::new(
        "Returns",
        "One came back",
        list,
    )?]))
    .shared([(404, "OrderNotFound")])
    .writes();
    let fulfil = Operation::new(
        Route::Fulfilment(""),
        Verb::Put,
        "fulfilOrder",
        "orders",
        [
            "Say how the goods of an order go out",
            "The goods of a paid order are on their way, and with `delivered` the buyer has them. Until then it can be said \
             otherwise, and then it is as if nothing else had been said. It can be sent again.",
        ],
    )
    .operator()
    .body::<body::FulfilmentRequest>(
        true,
        [
            Example::new(
                "FulfilmentSent",
                "With a carrier",
                json!({
                    "carrier": "DHL",
                    "tracking_number": "00340434161094042557",
                    "tracking_url": "https://track.example/00340434161094042557"
                }),
            )?,
            Example::new("FulfilmentFetched", "The buyer has fetched them", json!({ "delivered": true }))?,
        ],
    )
    .answers(
        Answer::new(200, "The order as it now is.")
            .json::<OrderJson<'static>>([Example::new("OrderFulfilled", "Sent", OrderJson::from(&fulfilled))?])
            .links(["GetOrder", "GetOrderHistory"]),
    )
    .shared([(404, "OrderNotFound")])
    .answers(Answer::problem(
        "The order is not paid or has nothing to be sent, or its goods are delivered otherwise. Nothing was changed.",
        &[Code::OrderNotFulfillable, Code::OrderDelivered],
        [
            Example::problem("OrderNotFulfillable", "Not paid", Error::OrderNotFulfillable(Status::Pending))?,
            Example::problem("OrderDelivered", "Delivered by another carrier", Error::OrderDelivered)?,
        ],
    ))
    .answers(Answer::problem(
        "What is said of the shipment is wrong.",
        &[Code::InvalidRequest],
        [Example::problem(
            "FulfilmentInvalid",
            "A page without encryption",
            wrong_shipment(br#"{"tracking_url":"http://track.example"}"#),
        )?],
    ))
    .writes();
    let refunded = examples::refunded()?;
    let charged_late = examples::charged_late()?;
    let none = examples::paid()?;
    let made =
        |index: usize| refunded.after_sale.refunds().get(index).map(|one| RefundJson::for_operator(one, &refunded));
    let wrong_refund = |body: &[u8]| body::refund(body).err().unwrap_or_else(Problem::body_incomplete);
    let more = Error::RefundExceedsSale { item_id: from_value("item1".into())?, sold: 2, left: 1, requested: 2 };
    let back = Error::ReturnExceedsSale { item_id: from_value("item1".into())?, sold: 2, left: 1, requested: 2 };
    let list = |name, summary, view| Example::new(name, summary, RefundsJson::from(view));
    let refunds = Operation::new(
        Route::Refunds(""),
        Verb::Get,
        "getRefunds",
        "payments",
        [
            "List the refunds of an order",
            "What was given back of its payment, and of charges that did not pay it: those go back by themselves. This says \
             how far each has come.",
        ],
    )
    .answers(Answer::new(200, "The refunds, oldest first.").json::<RefundsJson<'static>>([
        list("RefundsNone", "None", &none)?,
        list("Refunds", "One for goods, and one that has failed", &refunded)?,
        list("RefundsLate", "Of a charge that came too late", &charged_late)?,
    ]))
    .operator()
    .shared([(404, "OrderNotFound")])
    .reads();
    let refund = Operation::new(
        Route::Refunds(""),
        Verb::Post,
        "refundOrder",
        "payments",
        [
            "Give money of a paid order back",
            "An `amount`, what `items` have cost, or all that is left where neither is given: no more than was paid, over all \
             refunds that have not failed. With `restock` the goods come back into stock. The refund is on record before the \
             payment provider is asked for it; where that has yet to say how it ended it is `pending`, and a repeat, the \
             provider's events and a sweep carry on with it. One that has failed does not count: what it was for can be given \
             back again under another key. A payment that was recorded without a provider is refunded without one, and no \
             money moves.",
        ],
    )
    .operator()
    .parameters(["RequiredIdempotencyKey"])
    .body::<body::RefundRequest>(
        false,
        [
            Example::new(
                "RefundItems",
                "One comes back",
                json!({ "items": [{ "item_id": "item1", "quantity": 1 }], "restock": true, "reason": "too small" }),
            )?,
            Example::new("RefundAmount", "Something off", json!({ "amount": 500, "reason": "came late" }))?,
            Example::new("RefundRest", "All that is left", json!({}))?,
        ],
    )
    .answers(
        Answer::new(201, "The refund is on record; `status` says how far it has come.")
            .headers(["IdempotentReplayed"])
            .json::<RefundJson<'static>>([
                Example::new("RefundMade", "For one that came back", made(0))?,
                Example::new("RefundFailed", "The payment provider has refused it", made(1))?,
            ]),
    )
    .shared([(404, "OrderNotFound")])
    .answers(Answer::problem(
        "The order is not paid or nothing of it is left, or more is to be given back than that. Nothing was changed.",
        &[
            Code::OrderNotRefundable,
            Code::RefundExceedsPayment,
            Code::RefundExceedsSale,
            Code::ReturnExceedsSale,
        ],
        [
            Example::problem("OrderNotRefundable", "Not paid", Error::OrderNotRefundable(Status::Pending))?,
            Example::problem(
                "RefundExceedsPayment",
                "Some of it was given back before",
                Error::RefundExceedsPayment { left: 500, requested: 2000 },
            )?,
            Example::problem("RefundExceedsSale", "Money was given back for one of two", more)?,
            Example::problem("RestockExceedsSale", "One of two is back already, without money", back)?,
        ],
    ))
    .answers(Answer::problem(
        "What is to be given back or the idempotency key is wrong.",
        &[Code::InvalidRequest, Code::IdempotencyKeyReused],
        [
            Example::problem("RefundInvalid", "Nothing", wrong_refund(br#"{"amount":0}"#))?,
            Example::problem("IdempotencyKeyMissing", "No key", required_idempotency_key())?,
        ]
        .into_iter()
        .chain(idempotency_key_problems(MIN_ADJUSTMENT_KEY_LEN)?),
    ))
    .answers(Answer::problem(
        "There is no room for another refund or return, in the record of the order, or in the store.",
        &[Code::OrderFull, Code::StoreFull],
        [
            Example::problem("OrderFull", "64 refunds or returns", Error::OrderFull)?,
            Example::problem("StoreFull", "The store has no room", Error::Store(StoreError::Full(String::new())))?,
        ],
    ))
    .shared([(500, "UnreadableRecord"), (502, "PaymentProviderError"), (503, "ProviderUnavailable")]);
    let retry = Operation::new(
        Route::RetryRefunds(""),
        Verb::Post,
        "retryRefunds",
        "payments",
        [
            "Carry on with the refunds of an order",
            "Carries on with refunds that are not finished. Of charges that did not pay the order it makes those again that \
             have failed, each under a new id; the failed ones stay on record. It can be sent again, and a body is not looked \
             at.",
        ],
    )
    .answers(
        Answer::new(200, "The refunds, oldest first.").json::<RefundsJson<'static>>([list(
            "RefundsLate",
            "Of a charge that came too late",
            &charged_late,
        )?]),
    )
    .operator()
    .shared([(404, "OrderNotFound")])
    .answers(Answer::problem(
        "The order has no refund.",
        &[Code::OrderNotRefundable],
        [Example::problem("OrderNotRefundable", "Not paid", Error::OrderNotRefundable(Status::Pending))?],
    ))
    .asks_provider();
    Ok(vec![take_back, show, fulfil, refunds, refund, retry])
}

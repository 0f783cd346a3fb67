//! The payments component's part: pay and cancel orders, and take the payment provider's events.

use std::rc::Rc;

use domain::dispute::DisputeStatus;
use domain::{Environment, Noticed, OrderView, PayResult, PaymentMethod, PaymentProgress, Provider, Shop, Store};
use http::StatusCode;
#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::body::{self, Payment};
use crate::header;
#[cfg(feature = "openapi")]
use crate::openapi::schema;
use crate::orders::{OrderJson, STRIPE, order_id, reply, tag};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request::RequestContext;
use crate::route::{Route, Verb};

/// After how many seconds it is worth asking again about a payment that is being processed.
const PROCESSING_RETRY_AFTER: &str = "5";

/// Answers what the payments component serves.
pub async fn handle<S: Store, E: Environment, P: Provider>(
    context: &RequestContext<'_>,
    shop: &Rc<Shop<S, E, P>>,
) -> Result<Reply, Problem> {
    match (context.route, context.verb) {
        (Route::Pay(id), Verb::Post) => {
            let body = context.json_or_nothing()?.map(body::payment).transpose()?;
            let Payment { method, amount } = body.unwrap_or_default();
            let (condition, method) = (context.condition(tag)?, method.unwrap_or_else(PaymentMethod::unspecified));
            Ok(match shop.pay_if(condition, order_id(id)?, method, amount).await? {
                PayResult::Paid(view) => reply(&view),
                PayResult::AtProvider(view, progress) => accepted(&view, &progress),
            })
        }
        (Route::Cancel(id), Verb::Post) => Ok(reply(&shop.cancel_if(&context.condition(tag)?, order_id(id)?).await?)),
        (Route::Abandon(id), Verb::Post) => {
            context.require_operator()?;
            Ok(reply(&shop.abandon(&context.condition(tag)?, order_id(id)?).await?))
        }
        (Route::Payments, Verb::Get) => Ok(Reply::json(StatusCode::OK, &PaymentsJson::of(context))),
        (Route::StripeEvents, Verb::Post) => take_event(context, shop).await,
        _ => Err(Problem::not_found()),
    }
}

/// The answer to a buyer who has to pay at the payment provider, or has paid there by a means that takes a while.
fn accepted(view: &OrderView, progress: &PaymentProgress) -> Reply {
    let reply = Reply::json(StatusCode::ACCEPTED, &OrderJson::in_progress(view, progress));
    match progress {
        PaymentProgress::Open { .. } => reply,
        PaymentProgress::Processing => reply.with(header::RETRY_AFTER, PROCESSING_RETRY_AFTER),
    }
}

/// Takes an event of the payment provider. It is signed, so it needs no token; and it says that there is something to look
/// at, so that it may come again. The signature is of the body as it came.
async fn take_event<S: Store, E: Environment, P: Provider>(
    context: &RequestContext<'_>,
    shop: &Shop<S, E, P>,
) -> Result<Reply, Problem> {
    if context.config.stripe.is_none() {
        return Err(Problem::not_found());
    }
    let body = context.bytes()?;
    let signature = context.headers.only(header::STRIPE_SIGNATURE).and_then(|value| str::from_utf8(value).ok());
    let cause = match shop.notice(signature.unwrap_or_default(), body).await? {
        Noticed::RefundFailed(order) => Some(format!("a charge of order {order} could not be given back")),
        Noticed::Disputed(order, DisputeStatus::Open) => {
            Some(format!("a charge of order {order} is disputed: answer that at the payment provider"))
        }
        Noticed::Disputed(order, DisputeStatus::Lost) => Some(format!("a dispute about order {order} was lost")),
        Noticed::Disputed(_, DisputeStatus::Won) => None,
        Noticed::Understood | Noticed::NotOurs => None,
    };
    Ok(Reply::json(StatusCode::OK, &ReceivedJson { received: true }).log(cause))
}

/// The answer to an event that need not come again.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "EventReceived"))]
struct ReceivedJson {
    /// Whether it is about an order of this shop is not told.
    #[cfg_attr(feature = "openapi", schemars(extend("const" = true)))]
    received: bool,
}

/// How the shop takes payment, for its pages.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Payments"))]
struct PaymentsJson {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::ProviderOfShop"))]
    provider: &'static str,
    /// Whether the payment provider is in its test mode: buyers go through all of it, and no real money moves.
    test_mode: bool,
}

impl PaymentsJson {
    fn of(context: &RequestContext<'_>) -> Self {
        match &context.config.stripe {
            Some(stripe) => Self { provider: STRIPE, test_mode: stripe.is_test_mode() },
            None => Self { provider: "none", test_mode: false },
        }
    }
}

/// The operations that this module serves, for the OpenAPI document.
#[cfg(feature = "openapi")]
pub(crate) fn operations() -> serde_json::Result<Vec<crate::openapi::operation::Operation>> {
    use domain::{Error, InvalidNotice, Status};
    use serde_json::{from_value, json};

    use crate::code::Code;
    use crate::conditional::Preconditions;
    use crate::openapi::operation::{Answer, Example, Operation};
    use crate::orders::examples::{order_cancelled, order_charged, order_open, order_paid, order_processing};

    let mismatch = Error::AmountMismatch { total: from_value(2000.into())?, given: from_value(1.into())? };
    let wrong = body::payment(br#"{"amount":"much"}"#).err().unwrap_or_else(Problem::body_incomplete);
    let pay = Operation::new(
        Route::Pay(""),
        Verb::Post,
        "payOrder",
        "payments",
        [
            "Pay an order",
            "Without a payment provider the payment is recorded at once, and no money moves. With one the answer is 202 and \
             says at which page the buyer pays; the order becomes paid once the provider says that the buyer was charged. \
             It can be sent again, and then looks again: there is one page at a time to pay an order, and what is paid stays \
             paid, once. It needs no idempotency key. `method` is a note where no money moves, and is not looked at \
             otherwise. `GET /payments` says whether there is a provider.",
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
            .json::<OrderJson<'static>>([order_paid()?, order_charged()?])
            .links(["GetOrder", "GetOrderHistory"]),
    )
    .answers(
        Answer::new(
            202,
            "The order is not paid yet: its buyer pays at `payment.url`, or has paid by a means that takes a while.",
        )
        .headers(["ProcessingRetryAfter"])
        .json::<OrderJson<'static>>([order_open()?, order_processing()?])
        .links(["GetOrder", "PayOrder", "CancelOrder", "GetOrderHistory"]),
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
    .asks_provider();
    let cancel = Operation::new(
        Route::Cancel(""),
        Verb::Post,
        "cancelOrder",
        "orders",
        [
            "Cancel an order",
            "Frees the goods at once. Where the buyer may be paying at the payment provider, that is ended there first; if \
             the buyer was charged before, the order is paid and not cancelled. It can be sent again. It needs no \
             idempotency key, and a body is not looked at.",
        ],
    )
    .answers(
        Answer::new(200, "The order is cancelled.")
            .json::<OrderJson<'static>>([order_cancelled()?])
            .links(["GetOrder", "GetOrderHistory"]),
    )
    .shared([(404, "OrderNotFound")])
    .answers(Answer::problem(
        "The order is paid, expired or rejected, or its payment is being processed.",
        &[Code::OrderNotCancellable, Code::PaymentProcessing],
        [
            Example::problem("OrderNotCancellable", "Paid", Error::OrderNotCancellable(Status::Paid))?,
            Example::problem("PaymentProcessing", "Perhaps paid", Error::PaymentProcessing)?,
        ],
    ))
    .answers(Answer::problem(
        "The header `if-none-match` is wrong.",
        &[Code::InvalidRequest],
        [Example::problem("IfNoneMatchInvalid", "A tag without quotes", Preconditions::unreadable())?],
    ))
    .asks_provider();
    let abandon = Operation::new(
        Route::Abandon(""),
        Verb::Post,
        "abandonOrder",
        "payments",
        [
            "Give up an order whose payment the provider has lost",
            "For an order that can be neither paid nor cancelled, since the payment provider does not know its session or has \
             no answer about it that makes sense. By this the operator says that no buyer has paid in it: look at the \
             provider's own pages first. The provider is asked once more: where it has an answer, that counts, as in \
             `cancel`. A charge that comes to light afterwards is given back. It can be sent again, and a body is not looked \
             at.",
        ],
    )
    .answers(
        Answer::new(200, "The order is cancelled, or expired where its time is over. Its goods are free.")
            .json::<OrderJson<'static>>([order_cancelled()?])
            .links(["GetOrder", "GetOrderHistory"]),
    )
    .operator()
    .shared([(404, "OrderNotFound")])
    .answers(Answer::problem(
        "The order is paid or rejected, or its payment is being processed.",
        &[Code::OrderNotCancellable, Code::PaymentProcessing],
        [
            Example::problem("AbandonPaid", "Paid", Error::OrderNotCancellable(Status::Paid))?,
            Example::problem("AbandonProcessing", "Perhaps paid", Error::PaymentProcessing)?,
        ],
    ))
    .answers(Answer::problem(
        "The header `if-none-match` is wrong.",
        &[Code::InvalidRequest],
        [Example::problem("AbandonIfNoneMatch", "A tag without quotes", Preconditions::unreadable())?],
    ))
    .asks_provider();
    let show = Operation::new(
        Route::Payments,
        Verb::Get,
        "getPayments",
        "payments",
        [
            "Say how the shop takes payment",
            "For pages: whether paying leads to a payment provider, and whether that is in its test mode.",
        ],
    )
    .answers(Answer::new(200, "How the shop takes payment.").json::<PaymentsJson>([
        Example::new("PaymentsNone", "No money moves", PaymentsJson { provider: "none", test_mode: false })?,
        Example::new("PaymentsTest", "Stripe in test mode", PaymentsJson { provider: STRIPE, test_mode: true })?,
    ]))
    .reads();
    let event = Operation::new(
        Route::StripeEvents,
        Verb::Post,
        "takeStripeEvent",
        "payments",
        [
            "Take an event of Stripe",
            "For Stripe alone: a webhook endpoint. The event says which session, charge or dispute to look at; nothing else \
             in it is believed. It may come again and in any order. Pages of other origins get no permission to send one.",
        ],
    )
    .parameters(["StripeSignature"])
    .raw_body([Example::new(
        "StripeEvent",
        "A session was completed",
        json!({ "id": "evt_1", "object": "event", "type": "checkout.session.completed", "data": { "object": {} } }),
    )?])
    .answers(
        Answer::new(200, "It is understood, or about something else, and need not come again.")
            .json::<ReceivedJson>([Example::new("EventReceived", "Taken", ReceivedJson { received: true })?]),
    )
    .answers(Answer::problem(
        "The signature is missing, wrong or too old, or the event cannot be read. Or a header is not UTF-8.",
        &[Code::InvalidSignature, Code::MalformedEvent, Code::MalformedHeader, Code::MalformedJson],
        [
            Example::problem("InvalidSignature", "No signature", Error::InvalidNotice(InvalidNotice::Signature))?,
            Example::problem("MalformedEvent", "No event", Error::InvalidNotice(InvalidNotice::Unreadable))?,
            Example::problem("EventHeader", "A header of other bytes", Problem::malformed_header("stripe-signature"))?,
            Example::problem("EventIncomplete", "Half an event", Problem::body_incomplete())?,
        ],
    ))
    .shared([(404, "NotFound")])
    .asks_provider();
    Ok(vec![pay, cancel, abandon, show, event])
}

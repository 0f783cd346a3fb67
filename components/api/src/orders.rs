//! The handler of the component `orders`: place, show, cancel and list orders.

use std::rc::Rc;

#[cfg(feature = "openapi")]
use domain::after_sale::MAX_RETURNS;
#[cfg(feature = "openapi")]
use domain::dispute::MAX_DISPUTES;
use domain::dispute::{Dispute, DisputeStatus};
use domain::order::Line;
#[cfg(feature = "openapi")]
use domain::order::MAX_LINES;
#[cfg(feature = "openapi")]
use domain::order_state::MAX_LATE_REFUNDS;
use domain::order_state::{LateRefund, Payment};
#[cfg(feature = "openapi")]
use domain::refund::MAX_REFUNDS;
use domain::{
    ChargeId, Currency, CustomerId, DisputeId, Environment, Error, Money, OrderId, OrderView, PaymentMethod,
    PaymentProgress, Provider, RefundState, SessionId, Shop, Status, Store,
};
use http::StatusCode;
#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
#[cfg(feature = "openapi")]
use serde_json::json;

use crate::after_sale::{FulfilmentJson, RefundJson, ReturnJson};
use crate::body;
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

/// The name of the payment provider that there is.
pub(crate) const STRIPE: &str = "stripe";

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

/// An order as it is now. It has a `payment` when it is paid, and while its buyer may be paying at the payment provider.
/// It has a `fulfilment` when its goods went out, and `refunds` when money was to be given back.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Order", extend(
    "if" = { "properties": { "status": { "enum": ["paid", "fulfilled", "refunded"] } } },
    "then" = {
        "required": ["payment"],
        "properties": { "payment": { "properties": { "status": { "const": "paid" } } } },
        "dependentRequired": { "refunded": ["refunds"], "refunds": ["refunded"] },
        "if": { "properties": { "status": { "const": "refunded" } } },
        "then": { "required": ["refunds"] },
        "else": {
            "if": { "properties": { "status": { "const": "fulfilled" } } },
            "then": { "required": ["fulfilment"] },
            "else": { "properties": { "fulfilment": false } }
        }
    },
    "else" = {
        "properties": { "fulfilment": false, "refunded": false, "refunds": false, "returns": false },
        "if": { "properties": { "status": { "const": "pending" } } },
        "then": {
            "properties": { "payment": { "properties": { "status": { "not": { "const": "paid" } } } } }
        },
        "else": { "properties": { "payment": false } }
    },
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
    /// What of its payment was given back, or is on its way: all refunds that have not failed. Absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Money"))]
    refunded: Option<u64>,
    /// Refunds of its payment, oldest first. Absent if there was none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(extend("minItems" = 1, "maxItems" = MAX_REFUNDS)))]
    refunds: Vec<RefundJson<'a>>,
    /// How its goods went out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "FulfilmentJson<'static>"))]
    fulfilment: Option<FulfilmentJson<'a>>,
    /// Goods of it that came back, oldest first. Absent if none did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(extend("minItems" = 1, "maxItems" = MAX_RETURNS)))]
    returns: Vec<ReturnJson<'a>>,
    /// Charges of the payment provider that did not pay the order, oldest first: they go back to the buyer. One whose
    /// refund has failed and was tried again is there once for each try. In the operator's list alone, and absent if
    /// there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(length(min = 1, max = MAX_LATE_REFUNDS)))]
    late_charges: Vec<LateChargeJson<'a>>,
    /// Disputes about its charges, in the order in which the shop has heard of them. In the operator's list alone, and
    /// absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(length(min = 1, max = MAX_DISPUTES)))]
    disputes: Vec<DisputeJson<'a>>,
}

/// A charge that did not pay its order, and how far its refund has come.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "LateCharge"))]
struct LateChargeJson<'a> {
    /// The provider's name of the session in which it was made.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    session_id: &'a SessionId,
    /// The provider's name of the charge.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    charge_id: &'a ChargeId,
    /// What was charged.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Money"))]
    amount: Money,
    /// When the shop has put it on record.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    recorded_at: String,
    /// How far its refund has come, as far as the shop knows. `pending` also before the provider has answered, `failed`
    /// where a person has to give the money back.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::RefundStatus"))]
    refund: RefundState,
}

impl<'a> From<&'a LateRefund> for LateChargeJson<'a> {
    fn from(late: &'a LateRefund) -> Self {
        Self {
            session_id: &late.session,
            charge_id: &late.charge,
            amount: late.amount,
            recorded_at: late.at.to_string(),
            refund: late.refund.unwrap_or(RefundState::Pending),
        }
    }
}

/// A buyer has asked the bank, and not the shop, for what was charged. The operator answers at the payment provider.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Dispute", extend(
    "if" = { "properties": { "status": { "const": "open" } } },
    "then" = { "properties": { "closed_at": false } },
    "else" = { "required": ["closed_at"] }
)))]
struct DisputeJson<'a> {
    /// The provider's name of it.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    dispute_id: &'a DisputeId,
    /// The provider's name of the charge.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    charge_id: &'a ChargeId,
    /// How far it has come, as far as the shop knows.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::DisputeStatus"))]
    status: DisputeStatus,
    /// How much the buyer asks for.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Money"))]
    amount: Money,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Currency"))]
    currency: &'a Currency,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    opened_at: String,
    /// When the shop has heard that it is decided. Absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    closed_at: Option<String>,
}

impl<'a> DisputeJson<'a> {
    fn new(dispute: &'a Dispute, view: &'a OrderView) -> Self {
        Self {
            dispute_id: &dispute.id,
            charge_id: &dispute.charge,
            status: dispute.status,
            amount: dispute.amount,
            currency: dispute.currency.as_ref().unwrap_or(&view.order.currency),
            opened_at: dispute.opened_at.to_string(),
            closed_at: dispute.closed_at.map(|at| at.to_string()),
        }
    }
}

/// How far the payment of an order has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum PaymentStatus {
    /// It is made.
    Paid,
    /// The buyer may be paying at the payment provider, who was not asked just now.
    AtProvider,
    /// The buyer can pay at the payment provider.
    Open,
    /// The buyer has paid by a means that takes a while. It may still fail.
    Processing,
}

/// How an order was paid, or how far its payment has come.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Payment", extend(
    "if" = { "properties": { "status": { "const": "paid" } } },
    "then" = {
        "required": ["amount", "method", "paid_at", "charged"],
        "properties": { "url": false, "expires_at": false },
        "if": { "properties": { "charged": { "const": true } } },
        "then": { "required": ["provider"] },
        "else": { "properties": { "provider": false, "session_id": false, "charge_id": false } }
    },
    "else" = {
        "required": ["provider"],
        "properties": {
            "amount": false, "method": false, "paid_at": false, "charged": false, "charge_id": false
        },
        "if": { "properties": { "status": { "const": "at_provider" } } },
        "then": { "properties": { "url": false, "expires_at": false } },
        "else": {
            "properties": { "session_id": false },
            "if": { "properties": { "status": { "const": "open" } } },
            "then": { "required": ["url", "expires_at"] },
            "else": { "properties": { "url": false, "expires_at": false } }
        }
    },
)))]
struct PaymentJson<'a> {
    /// `paid`: it is made. `at_provider`: the buyer may be paying at the payment provider; paying again says how far that
    /// is. `open`: the buyer can pay at `url`. `processing`: the buyer has paid by a means that takes a while, and it may
    /// still fail.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::PaymentStatus"))]
    status: PaymentStatus,
    /// What was paid: the total of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Money"))]
    amount: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::PaymentMethod"))]
    method: Option<&'a PaymentMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    paid_at: Option<String>,
    /// Whether the payment provider has charged the buyer. If not, the payment is on record and no money has moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "bool"))]
    charged: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::ProviderName"))]
    provider: Option<&'static str>,
    /// The provider's name of the session in which it was paid, or can be. In the operator's list alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    session_id: Option<&'a SessionId>,
    /// The provider's name of the charge. In the operator's list alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    charge_id: Option<&'a ChargeId>,
    /// The page of the payment provider where the buyer pays. Only the answer to a request to pay has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::PaymentUrl"))]
    url: Option<&'a str>,
    /// Until when the payment provider lets the buyer pay there. It may be later than the `expires_at` of the order: its
    /// goods are held all the while.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    expires_at: Option<String>,
}

impl<'a> PaymentJson<'a> {
    /// One that is not made yet.
    fn at_provider(status: PaymentStatus) -> Self {
        let (amount, method, paid_at, charged) = (None, None, None, None);
        let (session_id, charge_id, url, expires_at) = (None, None, None, None);
        let provider = Some(STRIPE);
        Self { status, amount, method, paid_at, charged, provider, session_id, charge_id, url, expires_at }
    }

    fn made(payment: &'a Payment) -> Self {
        Self {
            amount: Some(payment.amount),
            method: Some(&payment.method),
            paid_at: Some(payment.paid_at.to_string()),
            charged: Some(payment.reference.is_some()),
            provider: payment.reference.is_some().then_some(STRIPE),
            ..Self::at_provider(PaymentStatus::Paid)
        }
    }

    /// With what the payment is called at the provider.
    fn named(self, view: &'a OrderView) -> Self {
        let reference = view.payment.as_ref().and_then(|payment| payment.reference.as_ref());
        let session_id = reference.map(|reference| &reference.session).or(view.session.as_ref());
        Self { session_id, charge_id: reference.map(|reference| &reference.charge), ..self }
    }

    fn in_progress(progress: &'a PaymentProgress) -> Self {
        match progress {
            PaymentProgress::Open { url, expires_at } => Self {
                url: Some(url),
                expires_at: Some(expires_at.to_string()),
                ..Self::at_provider(PaymentStatus::Open)
            },
            PaymentProgress::Processing => Self::at_provider(PaymentStatus::Processing),
        }
    }
}

impl<'a> From<&'a OrderView> for OrderJson<'a> {
    fn from(view: &'a OrderView) -> Self {
        let payment = match &view.payment {
            Some(payment) => Some(PaymentJson::made(payment)),
            None => view.at_provider().then(|| PaymentJson::at_provider(PaymentStatus::AtProvider)),
        };
        let order = &view.order;
        Self {
            order_id: order.order_id,
            status: view.status,
            items: order.lines(),
            total: order.total(),
            currency: &order.currency,
            currency_digits: minor_digits(&order.currency),
            customer_id: order.customer_id.as_ref(),
            placed_at: order.placed_at.to_string(),
            expires_at: order.expires_at.to_string(),
            payment,
            refunded: (!view.after_sale.refunds().is_empty()).then(|| view.after_sale.refunded()),
            refunds: view.after_sale.refunds().iter().map(|one| RefundJson::for_all(one, view)).collect(),
            fulfilment: view.after_sale.fulfilment().map(FulfilmentJson::from),
            returns: view.after_sale.returns().iter().map(ReturnJson::for_all).collect(),
            late_charges: Vec::new(),
            disputes: Vec::new(),
        }
    }
}

impl<'a> OrderJson<'a> {
    /// An order as the operator sees it: with what its payment and its late charges are called at the provider, with
    /// disputes, and why goods and money came back.
    pub(crate) fn for_operator(view: &'a OrderView) -> Self {
        let json = Self::from(view);
        Self {
            payment: json.payment.map(|payment| payment.named(view)),
            refunds: view.after_sale.refunds().iter().map(|one| RefundJson::for_operator(one, view)).collect(),
            returns: view.after_sale.returns().iter().map(ReturnJson::for_operator).collect(),
            late_charges: view.late_refunds.iter().map(LateChargeJson::from).collect(),
            disputes: view.disputes.iter().map(|dispute| DisputeJson::new(dispute, view)).collect(),
            ..json
        }
    }

    /// An order as a request to pay is told, whose payment is at the provider.
    pub(crate) fn in_progress(view: &'a OrderView, progress: &'a PaymentProgress) -> Self {
        Self { payment: Some(PaymentJson::in_progress(progress)), ..Self::from(view) }
    }
}

/// Orders for the examples of the OpenAPI document.
#[cfg(feature = "openapi")]
pub(crate) mod examples {
    use domain::after_sale::AfterSale;
    use domain::order::Order;
    use domain::order_state::{LateRefund, OrderState, Payment, PaymentReference};
    use domain::{OrderView, PaymentProgress, RefundState, Status};
    use serde_json::{Value, from_value, json};

    use super::OrderJson;
    use crate::openapi::operation::Example;

    type Examples<T> = serde_json::Result<T>;

    fn view(order: Value, status: Status) -> Examples<OrderView> {
        Ok(OrderView {
            order: from_value(order)?,
            status,
            payment: None,
            session: None,
            late_refunds: Vec::new(),
            disputes: Vec::new(),
            after_sale: AfterSale::default(),
        })
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

    /// The same order, once its goods went out.
    pub(crate) fn fulfilled() -> Examples<OrderView> {
        let state: OrderState = from_value(json!({
            "state": "paid", "amount": 2000, "method": "card", "paid_at": 1_795_644_185_642_u64,
            "fulfilment": {
                "shipment": {
                    "carrier": "DHL",
                    "tracking_number": "00340434161094042557",
                    "tracking_url": "https://track.example/00340434161094042557"
                },
                "fulfilled_at": 1_795_681_852_907_u64
            }
        }))?;
        Ok(OrderView { status: Status::Fulfilled, after_sale: state.after_sale().clone(), ..paid()? })
    }

    /// The same order, paid at the payment provider, with refunds.
    pub(crate) fn refunded() -> Examples<OrderView> {
        let state: OrderState = from_value(json!({
            "state": "paid", "amount": 2000, "method": "card", "paid_at": 1_795_644_185_642_u64,
            "session": "cs_test_a1b2c3", "charge": "pi_1a2b3c",
            "refunds": [
                {
                    "id": "refund-6f1ed002ab5595859014ebf0951522d9", "amount": 1000, "lines": [["item1", 1]],
                    "restock": true, "reason": "too small", "at": 1_795_730_585_642_u64,
                    "state": "succeeded", "succeeded_at": 1_795_730_586_113_u64
                },
                {
                    "id": "refund-0d1f2a3b4c5d6e7f8091a2b3c4d5e6f7", "amount": 500, "at": 1_795_731_001_218_u64,
                    "state": "failed", "failed_at": 1_795_731_001_790_u64
                }
            ],
            "returns": [{
                "id": "6f1ed002ab5595859014ebf0951522d9", "lines": [["item1", 1]], "to": "stock",
                "reason": "too small", "at": 1_795_730_585_642_u64, "done": true
            }]
        }))?;
        Ok(OrderView { after_sale: state.after_sale().clone(), ..charged()? })
    }

    /// The same order, paid at the payment provider.
    fn charged() -> Examples<OrderView> {
        let mut view = paid()?;
        if let Some(payment) = &mut view.payment {
            let (session, charge) = (from_value("cs_test_a1b2c3".into())?, from_value("pi_1a2b3c".into())?);
            payment.reference = Some(PaymentReference { session, charge });
        }
        Ok(view)
    }

    /// The same order, while its buyer may be paying.
    fn at_provider() -> Examples<OrderView> {
        Ok(OrderView { session: Some(from_value("cs_test_a1b2c3".into())?), ..pending(Status::Pending)? })
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

    /// A cancelled order, whose buyer was charged all the same.
    pub(crate) fn charged_late() -> Examples<OrderView> {
        let late = LateRefund {
            session: from_value("cs_test_d4e5f6".into())?,
            charge: from_value("pi_4d5e6f".into())?,
            amount: from_value(8000.into())?,
            currency: None,
            at: 1_795_644_186_012_u64.into(),
            id: None,
            refund: Some(RefundState::Succeeded),
        };
        Ok(OrderView { late_refunds: vec![late], ..of_anna(Status::Cancelled)? })
    }

    /// A paid order, whose buyer has asked the bank for some of the money.
    pub(crate) fn disputed() -> Examples<OrderView> {
        let dispute = from_value(json!({
            "id": "du_1a2b3c", "charge": "pi_1a2b3c", "amount": 1000, "status": "open",
            "opened_at": 1_795_903_385_000_u64
        }))?;
        Ok(OrderView { disputes: vec![dispute], ..charged()? })
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

    pub(crate) fn order_charged() -> Examples<Example> {
        example("OrderCharged", "Paid at the payment provider", &charged()?)
    }

    pub(crate) fn order_at_provider() -> Examples<Example> {
        example("OrderAtProvider", "Its buyer may be paying", &at_provider()?)
    }

    pub(crate) fn order_open() -> Examples<Example> {
        let url = "https://checkout.stripe.com/c/pay/cs_test_a1b2c3".to_owned();
        let open = PaymentProgress::Open { url, expires_at: 1_795_646_945_493_u64.into() };
        Example::new("OrderOpen", "To be paid at this page", OrderJson::in_progress(&at_provider()?, &open))
    }

    pub(crate) fn order_processing() -> Examples<Example> {
        let processing = PaymentProgress::Processing;
        Example::new(
            "OrderProcessing",
            "Paid, and not certain yet",
            OrderJson::in_progress(&at_provider()?, &processing),
        )
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
                        examples::order_at_provider()?,
                        examples::order_paid()?,
                        examples::order_charged()?,
                        examples::order_cancelled()?,
                        examples::order_expired()?,
                    ])
                    .links(["PayOrder", "CancelOrder", "GetOrderHistory"]),
            )
            .shared([(404, "OrderNotFound")])
            .reads();
    Ok(vec![place, show])
}

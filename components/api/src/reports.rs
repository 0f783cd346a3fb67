//! The handler of the component `reports`: histories, the books and metrics.

use std::fmt::Write as _;
use std::rc::Rc;

#[cfg(feature = "openapi")]
use domain::item::REMEMBERED_ADJUSTMENTS;
use domain::order::Line;
use domain::order_state::Payment;
use domain::{
    AdjustmentRecord, DisputeId, Environment, ItemHistory, ItemId, ItemList, ItemName, Money, OrderEvent, OrderHistory,
    OrderId, Provider, RefundId, ReturnId, Shop, Status, StockReport, Store,
};
use http::StatusCode;
#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::inventory::item_id;
#[cfg(feature = "openapi")]
use crate::openapi::schema;
use crate::orders::order_id;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request::RequestContext;
use crate::route::{Route, Verb};

/// The content type of Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How many holds that are not overdue a report looks up at most: about a hundred calls of the store.
const MAX_HOLDS_LOOKED_AT: usize = 10_000;

/// Answers the routes of the component `reports`.
pub async fn handle<S: Store, E: Environment, P: Provider>(
    context: &RequestContext<'_>,
    shop: &Rc<Shop<S, E, P>>,
) -> Result<Reply, Problem> {
    match (context.route, context.verb) {
        (Route::OrderHistory(id), Verb::Get) => {
            let history = shop.order_history(order_id(id)?).await?;
            Ok(Reply::json(StatusCode::OK, &OrderHistoryJson::from(&history)))
        }
        (Route::ItemHistory(id), Verb::Get) => {
            context.require_operator()?;
            let id = item_id(id)?;
            let ItemHistory { adjustments, unreadable } = shop.item_history(&id).await?;
            let events = adjustments.into_iter().map(AdjustmentJson::from).collect();
            let unreadable_events = (unreadable > 0).then_some(unreadable);
            Ok(Reply::json(StatusCode::OK, &ItemHistoryJson { item_id: &id, events, unreadable_events }))
        }
        (Route::Books, Verb::Get) => {
            context.require_operator()?;
            let ItemList { items: accounts, unreadable } = shop.stock_report(MAX_HOLDS_LOOKED_AT).await?;
            let balanced = unreadable.is_empty() && accounts.iter().all(|account| account.balanced);
            let items = accounts.iter().map(AccountJson::from).collect();
            Ok(Reply::json(StatusCode::OK, &BooksJson { items, balanced, unreadable_items: &unreadable }))
        }
        (Route::Metrics, Verb::Get) => {
            context.require_operator()?;
            let list = shop.stock_report(MAX_HOLDS_LOOKED_AT).await?;
            Ok(Reply::of(METRICS, metrics(&list).into_bytes()))
        }
        _ => Err(Problem::not_found()),
    }
}

/// The events of an order, oldest first.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "OrderHistory"))]
struct OrderHistoryJson {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::OrderId"))]
    order_id: OrderId,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::OrderStatus"))]
    status: Status,
    #[cfg_attr(feature = "openapi", schemars(length(min = 1)))]
    events: Vec<OrderEventJson>,
}

/// An event in the life of an order.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "OrderEvent"))]
struct OrderEventJson {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    at: String,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::OrderEventName"))]
    event: &'static str,
    /// How much was given back or was to be, where it is a refund of the payment; how much the buyer asks for, where it is
    /// a dispute in the currency of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::RefundedMoney"))]
    amount: Option<Money>,
    /// The event in English, for people.
    #[cfg_attr(feature = "openapi", schemars(length(min = 1)))]
    text: String,
}

impl From<&OrderHistory> for OrderHistoryJson {
    fn from(history: &OrderHistory) -> Self {
        let returned = |id: ReturnId| {
            let all = history.view.after_sale.returns().iter();
            let lines = all.filter(|one| one.id == id).flat_map(|one| one.lines.iter());
            lines.map(|(item_id, quantity)| format!("{quantity} of {item_id}")).collect::<Vec<_>>().join(", ")
        };
        let amount = |id: &RefundId| history.view.after_sale.find_refund(id).map(|one| one.amount);
        let refunded = |id: &RefundId| {
            let amount = amount(id).unwrap_or(Money::ZERO);
            let paid = history.view.payment.as_ref().map_or(Money::ZERO, |payment| payment.amount);
            format!("{amount} of {paid}")
        };
        let dispute = |id: &DisputeId| history.view.disputes.iter().find(|one| one.id == *id);
        let disputed = |id: &DisputeId| {
            let amount = dispute(id).map_or(Money::ZERO, |one| one.amount);
            let other = dispute(id).and_then(|one| one.currency.as_ref());
            other.map_or_else(|| amount.to_string(), |currency| format!("{amount} {currency}"))
        };
        let words = |event: &OrderEvent| match event {
            OrderEvent::Placed => {
                let lines = history.view.order.lines().iter();
                let lines: Vec<_> = lines.map(sold).collect();
                format!("Placed: {}.", lines.join(", "))
            }
            OrderEvent::Paid => match &history.view.payment {
                Some(Payment { amount, method, reference: Some(_), .. }) => {
                    format!("Paid: {amount} by {method}, charged by the payment provider.")
                }
                Some(Payment { amount, method, reference: None, .. }) => {
                    format!("Paid: {amount} by {method}, recorded without a charge.")
                }
                None => "Paid.".to_owned(),
            },
            OrderEvent::Cancelled => "Cancelled.".to_owned(),
            OrderEvent::Expired => "Expired: nobody paid in time.".to_owned(),
            OrderEvent::Rejected => "Rejected: there was too little of an item, or its price had changed.".to_owned(),
            OrderEvent::RefundingLate => "Charged without paying the order: the money is being given back.".to_owned(),
            OrderEvent::RefundedLate => "Charged without paying the order: the money was given back.".to_owned(),
            OrderEvent::LateRefundFailed => {
                "Charged without paying the order: the money could not be given back.".to_owned()
            }
            OrderEvent::Fulfilled => {
                let shipment = history.view.after_sale.fulfilment().map(|out| &out.shipment);
                match shipment.map(|shipment| (&shipment.carrier, &shipment.tracking_number)) {
                    Some((Some(carrier), Some(number))) => format!("Sent with {carrier}: {number}."),
                    Some((Some(carrier), None)) => format!("Sent with {carrier}."),
                    Some((None, Some(number))) => format!("Sent: {number}."),
                    Some((None, None)) | None => "Sent.".to_owned(),
                }
            }
            OrderEvent::Delivered => "Delivered.".to_owned(),
            OrderEvent::Refunding(id) => format!("Is being given back: {}.", refunded(id)),
            OrderEvent::Refunded(id) => format!("Given back: {}.", refunded(id)),
            OrderEvent::RefundFailed(id) => format!("Could not be given back: {}.", refunded(id)),
            OrderEvent::Returned(id) => format!("Came back into stock: {}.", returned(*id)),
            OrderEvent::WrittenOff(id) => format!("Came back and was written off: {}.", returned(*id)),
            OrderEvent::Disputed(id) => format!("The buyer asks the bank for the money: {}.", disputed(id)),
            OrderEvent::DisputeWon(id) => format!("The bank leaves the money with the shop: {}.", disputed(id)),
            OrderEvent::DisputeLost(id) => format!("The bank gives the buyer the money: {}.", disputed(id)),
        };
        let events = history.events.iter().map(|(at, event)| OrderEventJson {
            at: at.to_string(),
            event: event.name(),
            amount: match event {
                OrderEvent::Refunding(id) | OrderEvent::Refunded(id) | OrderEvent::RefundFailed(id) => amount(id),
                OrderEvent::Disputed(id) | OrderEvent::DisputeWon(id) | OrderEvent::DisputeLost(id) => {
                    dispute(id).filter(|one| one.currency.is_none()).map(|one| one.amount)
                }
                _ => None,
            },
            text: words(event),
        });
        Self { order_id: history.view.order.order_id, status: history.view.status, events: events.collect() }
    }
}

/// A line in words: how many of what, with the name that the item had then.
fn sold(Line { item_id, quantity, name, .. }: &Line) -> String {
    match name {
        Some(name) => format!("{quantity} of {item_id} ({})", name.as_str()),
        None => format!("{quantity} of {item_id}"),
    }
}

/// The last adjustments of an item, newest first.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "ItemHistory"))]
struct ItemHistoryJson<'a> {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::ItemId"))]
    item_id: &'a ItemId,
    #[cfg_attr(feature = "openapi", schemars(extend("maxItems" = REMEMBERED_ADJUSTMENTS)))]
    events: Vec<AdjustmentJson>,
    /// How many of the last adjustments are missing here, since their records cannot be read. Absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::PositiveCount"))]
    unreadable_events: Option<usize>,
}

/// An adjustment of stock.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "ItemEvent"))]
struct AdjustmentJson {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Time"))]
    at: String,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Adjusted"))]
    event: &'static str,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Delta"))]
    delta: i64,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::RecordedReason"))]
    reason: String,
    /// The adjustment in English, for people.
    #[cfg_attr(feature = "openapi", schemars(length(min = 1)))]
    text: String,
}

impl From<AdjustmentRecord> for AdjustmentJson {
    fn from(AdjustmentRecord { at, delta, reason, .. }: AdjustmentRecord) -> Self {
        let what = format!("{} {}", delta.unsigned_abs(), if delta < 0 { "taken out" } else { "put in" });
        let text = if reason.is_empty() { format!("{what}.") } else { format!("{what}: {reason}.") };
        Self { at: at.to_string(), event: "adjusted", delta, reason, text }
    }
}

/// The accounts of all items.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Books"))]
struct BooksJson<'a> {
    items: Vec<AccountJson<'a>>,
    /// Whether every item is balanced and can be read.
    balanced: bool,
    /// Items whose records cannot be read. Absent if there are none.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(with = "Vec<schema::ItemId>", length(min = 1)))]
    unreadable_items: &'a [ItemId],
}

/// The account of an item.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "BooksItem"))]
struct AccountJson<'a> {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::ItemId"))]
    item_id: &'a ItemId,
    /// The initial stock and the sum of all adjustments.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Count"))]
    received: u64,
    /// Units of paid orders.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Count"))]
    sold: u64,
    /// Units of those that came back.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Count"))]
    returned: u64,
    /// Units of those that were written off. The others are on hand again.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Count"))]
    written_off: u64,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Stock"))]
    on_hand: u64,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Stock"))]
    reserved: u64,
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Stock"))]
    available: u64,
    /// Whether `on_hand` is `received` - `sold` + `returned` - `written_off`, and `reserved` at most `on_hand`.
    balanced: bool,
    /// How many orders of the item this report could not look up, since there are too many unpaid ones in all. Those of
    /// them that are paid count as reserved and not as sold until a later change of the item. Absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::PositiveCount"))]
    orders_not_looked_up: Option<usize>,
    /// What people call the item. Absent if it has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::ItemName"))]
    name: Option<&'a ItemName>,
}

impl<'a> From<&'a StockReport> for AccountJson<'a> {
    fn from(StockReport { view, received, sold, returned, written_off, balanced, holds }: &'a StockReport) -> Self {
        let not_looked_up = holds.all.saturating_sub(holds.looked_at);
        Self {
            item_id: &view.item_id,
            received: *received,
            sold: *sold,
            returned: *returned,
            written_off: *written_off,
            on_hand: view.on_hand,
            reserved: view.reserved,
            available: view.available,
            balanced: *balanced,
            orders_not_looked_up: (not_looked_up > 0).then_some(not_looked_up),
            name: view.name.as_ref(),
        }
    }
}

/// The accounts as Prometheus reads them. Names of items have nothing in them that would have to be escaped.
fn metrics(ItemList { items: accounts, unreadable }: &ItemList<StockReport>) -> String {
    type Gauge = (&'static str, &'static str, fn(&StockReport) -> u64);
    const GAUGES: [Gauge; 11] = [
        ("stock_received", "What was ever put in, less what was taken out.", |account| account.received),
        ("stock_sold", "What has left with paid orders.", |account| account.sold),
        ("stock_returned", "What of that came back.", |account| account.returned),
        ("stock_written_off", "What of that is not on hand again.", |account| account.written_off),
        ("stock_on_hand", "What is there, promised goods included.", |account| account.view.on_hand),
        ("stock_reserved", "What is promised to orders.", |account| account.view.reserved),
        ("stock_available", "What a newcomer can have.", |account| account.view.available),
        ("stock_balanced", "1 if received - sold + returned - written_off is on hand.", |account| {
            account.balanced.into()
        }),
        ("stock_holds", "Holds in the record of the item.", |account| count(account.holds.all)),
        ("stock_holds_looked_at", "Holds whose orders were looked up for this report.", |account| {
            count(account.holds.looked_at)
        }),
        (
            "stock_holds_decided",
            "Holds among those looked at whose orders are paid, cancelled, expired or late. Lasting, above a half: a fault.",
            |account| count(account.holds.decided),
        ),
    ];
    let mut text = format!(
        "# HELP stock_unreadable_items Items whose records cannot be read.\n\
         # TYPE stock_unreadable_items gauge\nstock_unreadable_items {}\n",
        unreadable.len()
    );
    for (name, help, value) in GAUGES {
        // A string takes whatever it is given.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for account in accounts {
            let _ = writeln!(text, "{name}{{item=\"{}\"}} {}", account.view.item_id, value(account));
        }
    }
    text
}

fn count(holds: usize) -> u64 {
    u64::try_from(holds).unwrap_or(u64::MAX)
}

/// The operations that this module serves, for the OpenAPI document.
#[cfg(feature = "openapi")]
pub(crate) fn operations() -> serde_json::Result<Vec<crate::openapi::operation::Operation>> {
    use domain::{HoldCount, ItemView};
    use serde_json::from_value;

    use crate::openapi::operation::{Answer, Content, Example, Operation};
    use crate::orders::examples;

    let (placed, paid) = (1_795_644_185_493_u64.into(), 1_795_644_185_642_u64.into());
    let order_events = vec![(placed, OrderEvent::Placed), (paid, OrderEvent::Paid)];
    let disputed = examples::disputed()?;
    let asked_for = disputed.disputes.iter().map(|one| (one.opened_at, OrderEvent::Disputed(one.id.clone())));
    let disputed_events = order_events.iter().cloned().chain(asked_for).collect();
    let order_history = OrderHistory { view: examples::paid()?, events: order_events };
    let disputed_history = OrderHistory { view: disputed, events: disputed_events };
    let teapot: ItemId = from_value("teapot".into())?;
    let loss = AdjustmentRecord {
        at: 1_795_644_185_119_u64.into(),
        delta: -3,
        reason: "damaged".to_owned(),
        item_id: Some(teapot.clone()),
    };
    let item_history =
        ItemHistoryJson { item_id: &teapot, events: vec![AdjustmentJson::from(loss)], unreadable_events: None };
    let report = |id: &str, [received, sold, reserved]: [u64; 3], unit_price: u64| {
        let on_hand = received.saturating_sub(sold);
        let view = ItemView {
            item_id: from_value(id.into())?,
            on_hand,
            reserved,
            available: on_hand.saturating_sub(reserved),
            unit_price: from_value(unit_price.into())?,
            max_per_order: None,
            name: None,
            image: None,
        };
        let holds =
            HoldCount { all: usize::from(reserved > 0), looked_at: usize::from(reserved > 0), ..HoldCount::default() };
        let (returned, written_off) = (0, 0);
        Ok::<_, serde_json::Error>(StockReport { view, received, sold, returned, written_off, balanced: true, holds })
    };
    let reports = vec![
        report("item1", [100, 2, 1], 1000)?,
        report("item2", [47, 0, 0], 2000)?,
        report("item3", [75, 0, 0], 1500)?,
    ];
    let list = ItemList { items: reports, unreadable: Vec::new() };
    let accounts = list.items.iter().map(AccountJson::from).collect();
    let books = BooksJson { items: accounts, balanced: true, unreadable_items: &[] };
    Ok(vec![
        Operation::new(
            Route::OrderHistory(""),
            Verb::Get,
            "getOrderHistory",
            "orders",
            [
                "Tell what happened to an order",
                "When it was placed, when it was paid or closed, when goods of it went out or came back, when money went \
                 back, and when the buyer has asked the bank for it.",
            ],
        )
        .answers(Answer::new(200, "What happened, oldest first.").json::<OrderHistoryJson>([
            Example::new("OrderHistoryPaid", "Placed, then paid", OrderHistoryJson::from(&order_history))?,
            Example::new("OrderHistoryDisputed", "Paid, then disputed", OrderHistoryJson::from(&disputed_history))?,
        ]))
        .shared([(404, "OrderNotFound")])
        .reads(),
        Operation::new(
            Route::ItemHistory(""),
            Verb::Get,
            "getItemHistory",
            "inventory",
            ["Tell how the stock of an item was adjusted", "The last 64 adjustments, newest first."],
        )
        .operator()
        .answers(Answer::new(200, "The adjustments.").json::<ItemHistoryJson<'static>>([Example::new(
            "ItemHistoryLoss",
            "One adjustment",
            item_history,
        )?]))
        .shared([(404, "ItemNotFound")])
        .reads(),
        Operation::new(
            Route::Books,
            Verb::Get,
            "getBooks",
            "operations",
            [
                "Show the books",
                "Whether all goods are accounted for: what was received is on hand or was sold, and what came back is on hand or \
                 written off.",
            ],
        )
        .operator()
        .answers(Answer::new(200, "The account of each item.").json::<BooksJson<'static>>([Example::new(
            "BooksBalanced",
            "Nothing is missing",
            books,
        )?]))
        .writes(),
        Operation::new(
            Route::Metrics,
            Verb::Get,
            "getMetrics",
            "operations",
            [
                "Show the books to Prometheus",
                "The same as `/books`, in the text format of Prometheus (`text/plain; version=0.0.4`).",
            ],
        )
        .operator()
        .answers(Answer::new(200, "The account of each item.").content(Content::new::<schema::Text>(
            "text/plain",
            [Example::new("Metrics", "The same", metrics(&list))?],
        )))
        .writes(),
    ])
}

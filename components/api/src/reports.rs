//! The handler of the component `reports`: histories, the books and metrics.

use std::fmt::Write as _;

use domain::{
    AdjustmentRecord, Environment, ItemHistory, ItemId, ItemList, OrderEvent, OrderHistory, OrderId, Shop, Status,
    StockReport, Store,
};
use http::StatusCode;
use serde::Serialize;

use crate::inventory::item_id;
use crate::orders::order_id;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request::RequestContext;
use crate::route::{Route, Verb};

/// The content type of Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How many holds a report looks up at most: about ten calls of the store.
const MAX_HOLDS_LOOKED_AT: usize = 1000;

/// Answers the routes of the component `reports`.
pub async fn handle<S: Store, E: Environment>(
    context: &RequestContext<'_>,
    shop: &Shop<S, E>,
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
            let ItemList { items: accounts, unreadable } = shop.stock_report(0).await?;
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
struct OrderHistoryJson {
    order_id: OrderId,
    status: Status,
    events: Vec<OrderEventJson>,
}

/// An event in the life of an order.
#[derive(Serialize)]
struct OrderEventJson {
    at: String,
    event: OrderEvent,
    /// The event in English, for people.
    text: String,
}

impl From<&OrderHistory> for OrderHistoryJson {
    fn from(history: &OrderHistory) -> Self {
        let words = |event| match event {
            OrderEvent::Placed => {
                let lines = history.view.order.lines().iter();
                let lines: Vec<_> = lines.map(|line| format!("{} of {}", line.quantity, line.item_id)).collect();
                format!("Placed: {}.", lines.join(", "))
            }
            OrderEvent::Paid => match &history.view.payment {
                Some(payment) => format!("Paid: {} by {}.", payment.amount, payment.method),
                None => "Paid.".to_owned(),
            },
            OrderEvent::Cancelled => "Cancelled.".to_owned(),
            OrderEvent::Expired => "Expired: nobody paid in time.".to_owned(),
            OrderEvent::Rejected => "Rejected: there was too little of an item.".to_owned(),
        };
        let events = history.events.iter();
        let events =
            events.map(|(at, event)| OrderEventJson { at: at.to_string(), event: *event, text: words(*event) });
        Self { order_id: history.view.order.order_id, status: history.view.status, events: events.collect() }
    }
}

/// The last adjustments of an item, newest first.
#[derive(Serialize)]
struct ItemHistoryJson<'a> {
    item_id: &'a ItemId,
    events: Vec<AdjustmentJson>,
    /// How many of the last adjustments are missing here, since their records cannot be read. Absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable_events: Option<usize>,
}

/// An adjustment of stock.
#[derive(Serialize)]
struct AdjustmentJson {
    at: String,
    event: &'static str,
    delta: i64,
    reason: String,
    /// The adjustment in English, for people.
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
struct BooksJson<'a> {
    items: Vec<AccountJson<'a>>,
    /// Whether every item is balanced and can be read.
    balanced: bool,
    /// Items whose records cannot be read. Absent if there are none.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unreadable_items: &'a [ItemId],
}

/// The account of an item.
#[derive(Serialize)]
struct AccountJson<'a> {
    item_id: &'a ItemId,
    /// The initial stock and the sum of all adjustments.
    received: u64,
    /// Units of paid orders.
    sold: u64,
    on_hand: u64,
    reserved: u64,
    available: u64,
    /// Whether `received` is the sum of `on_hand` and `sold`, and `reserved` at most `on_hand`.
    balanced: bool,
}

impl<'a> From<&'a StockReport> for AccountJson<'a> {
    fn from(StockReport { view, received, sold, balanced, .. }: &'a StockReport) -> Self {
        Self {
            item_id: &view.item_id,
            received: *received,
            sold: *sold,
            on_hand: view.on_hand,
            reserved: view.reserved,
            available: view.available,
            balanced: *balanced,
        }
    }
}

/// The accounts as Prometheus reads them. Names of items have nothing in them that would have to be escaped.
fn metrics(ItemList { items: accounts, unreadable }: &ItemList<StockReport>) -> String {
    type Gauge = (&'static str, &'static str, fn(&StockReport) -> u64);
    const GAUGES: [Gauge; 9] = [
        ("stock_received", "What was ever put in, less what was taken out.", |account| account.received),
        ("stock_sold", "What has left with paid orders.", |account| account.sold),
        ("stock_on_hand", "What is there, promised goods included.", |account| account.view.on_hand),
        ("stock_reserved", "What is promised to orders.", |account| account.view.reserved),
        ("stock_available", "What a newcomer can have.", |account| account.view.available),
        ("stock_balanced", "1 if received is on hand and sold.", |account| account.balanced.into()),
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

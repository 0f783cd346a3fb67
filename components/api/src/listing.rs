//! The list of all orders: as JSON page by page, as lines of JSON or CSV whole.
//!
//! A list of any length is sent from a few pages' worth of memory: each page is read when the one before it is sent.

use std::rc::Rc;

use domain::dispute::disputed;
use domain::{
    Cursor, CustomerId, Day, Direction, Environment, ItemId, MAX_LISTED, OrderId, OrderPage, OrderQuery, OrderView,
    Period, Provider, Shop, Status, Store, StoreStats,
};
#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::csv;
use crate::header;
use crate::negotiation::{self, JSON};
#[cfg(feature = "openapi")]
use crate::openapi::schema;
use crate::orders::OrderJson;
use crate::problem::{FieldError, Problem};
use crate::reply::{NextPart, Parts, Reply};
use crate::request::{RequestContext, encoded};

/// How many orders are on a page unless the client says so.
pub(crate) const USUAL_PAGE: usize = 50;

pub(crate) const STATUSES: [Status; 8] = [
    Status::Placing,
    Status::Pending,
    Status::Paid,
    Status::Fulfilled,
    Status::Refunded,
    Status::Cancelled,
    Status::Expired,
    Status::Rejected,
];

/// The values of the parameter `order`.
pub(crate) const ORDERS: [(&str, Direction); 2] =
    [("newest", Direction::NewestFirst), ("oldest", Direction::OldestFirst)];

const PARAMETERS: [&str; 11] = [
    "cursor",
    "limit",
    "status",
    "customer_id",
    "item_id",
    "placed_on",
    "placed_from",
    "placed_until",
    "order",
    "format",
    "order_id",
];

/// The byte order mark, by which Excel knows that a file is UTF-8 and not in the code page of its machine, and the names
/// of the columns.
const CSV_HEAD: &str = "\u{feff}order_id,status,placed_at,expires_at,customer_id,items,total,currency,method,paid_at,refunded,disputed\r\n";

/// Behind the id of an order that cannot be read, or behind nothing where it is not known.
const UNREADABLE_ROW: &str = ",unreadable,,,,,,,,,,\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Lines,
    Csv,
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

/// The values of the parameter `format`.
pub(crate) const FORMATS: [(&str, Format); 3] =
    [("json", Format::Json), ("csv", Format::Csv), ("ndjson", Format::Lines)];

/// Some of the orders.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "OrderPage"))]
struct PageJson<'a> {
    #[cfg_attr(feature = "openapi", schemars(extend("maxItems" = MAX_LISTED)))]
    orders: Vec<OrderJson<'a>>,
    /// The `cursor` of the next page, or null on the last one.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<schema::Cursor>"))]
    next: Option<String>,
    /// Orders of this page that cannot be shown, since one of their records cannot be read. Absent if there are none.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(with = "Vec<schema::OrderId>", length(min = 1)))]
    unreadable_orders: &'a [OrderId],
    /// How many entries of the list cannot be read; each has the orders that were placed at one moment. Absent if there
    /// are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "schema::PositiveCount"))]
    unreadable_entries: Option<usize>,
}

/// What an export cannot show.
#[derive(Serialize)]
struct UnreadableJson<'a> {
    unreadable_orders: &'a [OrderId],
    unreadable_entries: usize,
}

/// The list, from where its next page begins.
struct Listing<S, E, P> {
    shop: Rc<Shop<S, E, P>>,
    query: OrderQuery,
    /// The only order that is in it.
    only: Option<OrderId>,
    format: Format,
    page_size: usize,
    begun: bool,
    next: Option<Cursor>,
}

impl<S: Store, E: Environment, P: Provider> Parts for Listing<S, E, P> {
    fn next(&mut self) -> NextPart<'_> {
        Box::pin(async {
            // A page may be empty and yet not be the last.
            while !self.begun || self.next.is_some() {
                let page = match self.only {
                    Some(order) => self.shop.list_order(order, &self.query).await?,
                    None => self.shop.list_orders(self.next.take(), &self.query, self.page_size).await?,
                };
                if self.begun {
                    self.shop.confirm().await?;
                }
                let part = body(&page, self.format, self.begun);
                self.next = page.next;
                if !std::mem::replace(&mut self.begun, true) || !part.is_empty() {
                    return Ok(Some(part));
                }
            }
            Ok(None)
        })
    }

    fn stats(&self) -> StoreStats {
        self.shop.stats()
    }
}

/// Answers the operator with a page of the list; with all pages, where the format has no place for the next cursor and
/// no limit is given.
pub(crate) async fn list<S: Store + 'static, E: Environment + 'static, P: Provider + 'static>(
    context: &RequestContext<'_>,
    shop: &Rc<Shop<S, E, P>>,
) -> Result<Reply, Problem> {
    context.require_operator()?;
    let parameters = context.parameters(PARAMETERS)?;
    let [cursor, limit, status, customer, item, on, from, until, order, format, id] =
        parameters.each_ref().map(Option::as_deref);
    let cursor = cursor.map(str::to_ascii_lowercase);
    let next: Option<Cursor> = read(cursor.as_deref(), "cursor", str::parse)?;
    let most = read(limit, "limit", limit_of)?;
    let shape = read(format, "format", one_of(&FORMATS))?.unwrap_or(Format::Json);
    let direction = read(order, "order", one_of(&ORDERS))?;
    let query = OrderQuery {
        status: read(status, "status", status_named)?,
        customer_id: read(customer, "customer_id", |text| CustomerId::recorded(text.to_owned()))?,
        item_id: read(item, "item_id", str::parse::<ItemId>)?,
        placed: period(on, from, until)?,
        // A list goes on as it began.
        direction: direction.or(next.as_ref().map(Cursor::direction)).unwrap_or_default(),
    };
    let only = read(id, "order_id", order_id)?;
    negotiation::accept(context.headers, types(shape))?;
    let is_export = shape != Format::Json && most.is_none();
    let page_size = if is_export { MAX_LISTED } else { most.unwrap_or(USUAL_PAGE) };
    let mut listing =
        Box::new(Listing { shop: shop.clone(), query, only, format: shape, page_size, begun: false, next });
    let first = listing.next().await?.unwrap_or_default();
    let mut reply = Reply::of(shape.media_type(), first);
    if shape != Format::Json {
        let chosen = [status, on, from, until].into_iter().flatten().map(|value| format!("-{value}"));
        let (chosen, name) = (chosen.collect::<String>(), format.unwrap_or_default());
        let disposition = format!("attachment; filename=\"orders{chosen}.{name}\"");
        reply = reply.with(header::CONTENT_DISPOSITION, &disposition);
    }
    Ok(match &listing.next {
        Some(_) if is_export => Reply { rest: Some(listing), ..reply },
        Some(next) => {
            let same = PARAMETERS.into_iter().zip(&parameters).filter(|(name, _)| *name != "cursor");
            let same = same.filter_map(|(name, value)| Some(format!("&{name}={}", encoded(value.as_deref()?))));
            reply.with(header::LINK, &format!("</orders?cursor={next}{}>; rel=\"next\"", same.collect::<String>()))
        }
        None => reply,
    })
}

/// The days that are wanted: one, or those from one to another.
fn period(on: Option<&str>, from: Option<&str>, until: Option<&str>) -> Result<Period, Problem> {
    let day = |value, name| read(value, name, str::parse::<Day>);
    let (on, from, until) = (day(on, "placed_on")?, day(from, "placed_from")?, day(until, "placed_until")?);
    match on {
        Some(_) if from.is_some() || until.is_some() => Err(invalid("placed_on", ONE_DAY_OR_MORE)),
        Some(day) => Ok(day.into()),
        None => Period::new(from, until).map_err(|error| invalid("placed_until", error)),
    }
}

/// The media type of a page, and the ranges that it is in.
fn types(format: Format) -> [&'static str; 3] {
    match format {
        Format::Json => JSON,
        Format::Lines => ["application/x-ndjson", "application/*", "*/*"],
        Format::Csv => ["text/csv", "text/*", "*/*"],
    }
}

const ONE_DAY_OR_MORE: &str = "must not be given with placed_from or placed_until";

fn invalid(name: &str, detail: impl ToString) -> Problem {
    Problem::invalid(vec![FieldError::parameter(name, detail)])
}

/// The value of a parameter, if it is there.
fn read<T, X: ToString>(
    value: Option<&str>,
    name: &str,
    read: impl FnOnce(&str) -> Result<T, X>,
) -> Result<Option<T>, Problem> {
    value.map(|value| read(value).map_err(|expected| invalid(name, expected))).transpose()
}

fn limit_of(text: &str) -> Result<usize, String> {
    let limit = (1..=MAX_LISTED).find(|limit| limit.to_string() == text);
    limit.ok_or_else(|| format!("must be a whole number from 1 to {MAX_LISTED}"))
}

fn status_named(text: &str) -> Result<Status, String> {
    let status = STATUSES.into_iter().find(|status| status.to_string() == text);
    status.ok_or_else(|| must_be(&STATUSES.map(|status| status.to_string())))
}

fn order_id(text: &str) -> Result<OrderId, &'static str> {
    text.to_ascii_lowercase().parse().map_err(|_| "must be the id of an order")
}

/// Reads one of these names.
fn one_of<T: Copy, const N: usize>(all: &[(&str, T); N]) -> impl FnOnce(&str) -> Result<T, String> {
    move |text| {
        let found = all.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        found.ok_or_else(|| must_be(&all.map(|(name, _)| name.to_owned())))
    }
}

/// What a parameter must be that has a few values.
fn must_be(names: &[String]) -> String {
    match names {
        [others @ .., last] => format!("must be {} or {last}", others.join(", ")),
        [] => String::new(),
    }
}

/// The orders of a page, and what is there that cannot be shown; before the first page comes what a file begins with,
/// unless it has `begun`.
fn body(page: &OrderPage, format: Format, begun: bool) -> Vec<u8> {
    let mut text = Vec::new();
    match format {
        Format::Json => {
            let orders = page.orders.iter().map(OrderJson::for_operator).collect();
            let entries = page.unreadable_entries;
            let page = PageJson {
                orders,
                next: page.next.as_ref().map(ToString::to_string),
                unreadable_orders: &page.unreadable,
                unreadable_entries: (entries > 0).then_some(entries),
            };
            push_json(&mut text, &page);
        }
        Format::Lines => {
            for order in &page.orders {
                push_json(&mut text, &OrderJson::for_operator(order));
                text.push(b'\n');
            }
            let (unreadable_orders, unreadable_entries) = (page.unreadable.as_slice(), page.unreadable_entries);
            if !unreadable_orders.is_empty() || unreadable_entries > 0 {
                push_json(&mut text, &UnreadableJson { unreadable_orders, unreadable_entries });
                text.push(b'\n');
            }
        }
        Format::Csv => {
            if !begun {
                text.extend_from_slice(CSV_HEAD.as_bytes());
            }
            for order in &page.orders {
                text.extend(row(order).into_bytes());
            }
            for order_id in &page.unreadable {
                text.extend(format!("{order_id}{UNREADABLE_ROW}").into_bytes());
            }
            for _ in 0..page.unreadable_entries {
                text.extend_from_slice(UNREADABLE_ROW.as_bytes());
            }
        }
    }
    text
}

fn push_json(text: &mut Vec<u8>, content: &impl Serialize) {
    // What is sent is made of strings and numbers: serde_json has nothing to refuse.
    let _ = serde_json::to_writer(text, content);
}

/// An order as a row of CSV.
fn row(OrderView { order, status, payment, after_sale, disputes, .. }: &OrderView) -> String {
    // Neither a number nor a formula nor a date, whatever the ids are, and without a character that separates cells.
    let items: Vec<_> = order.lines().iter().map(|line| format!("{} x {}", line.quantity, line.item_id)).collect();
    let customer = order.customer_id.as_ref().map(|id| csv::text(id.as_str())).unwrap_or_default();
    let method = payment.as_ref().map(|payment| csv::text(&payment.method.to_string())).unwrap_or_default();
    let paid_at = payment.as_ref().map(|payment| payment.paid_at.to_string()).unwrap_or_default();
    // Empty where there was no refund, as the JSON of the order has none.
    let refunded = if after_sale.refunds().is_empty() { String::new() } else { csv::number(after_sale.refunded()) };
    let disputed = if disputes.is_empty() { String::new() } else { csv::number(disputed(disputes)) };
    let (id, placed_at, expires_at) = (order.order_id, order.placed_at, order.expires_at);
    let (items, total, currency) = (items.join(" + "), csv::number(order.total().get()), &order.currency);
    let times = format!("{placed_at},{expires_at}");
    format!(
        "{id},{status},{times},{customer},\"{items}\",{total},{currency},{method},{paid_at},{refunded},{disputed}\r\n"
    )
}

/// The operation that this module serves, for the OpenAPI document.
#[cfg(feature = "openapi")]
pub(crate) fn operations() -> serde_json::Result<Vec<crate::openapi::operation::Operation>> {
    use domain::{EmptyPeriod, InvalidCursor, InvalidDay};

    use crate::code::Code;
    use crate::openapi::operation::{Answer, Content, Example, Operation};
    use crate::orders::examples;
    use crate::route::{Route, Verb};

    let mut page = OrderPage::default();
    page.orders.extend([examples::charged_late()?, examples::disputed()?]);
    page.next = "536dcd17af9c50f30e68077823b6a66a-1-1".parse().ok();
    let text = |format| String::from_utf8_lossy(&body(&page, format, false)).into_owned();
    let json: serde_json::Value = serde_json::from_str(&text(Format::Json))?;
    Ok(vec![
        Operation::new(
            Route::Orders,
            Verb::Get,
            "listOrders",
            "orders",
            [
                "List orders",
                "All orders, or those of one status, customer, item and of some days, the newest or the oldest first. As JSON, or \
                 with a `limit`, page by page: each page costs a bounded number of reads, so it may hold fewer orders than \
                 `limit` and yet have a next one. As CSV or \
                 lines of JSON without a `limit`, all of them: the body comes in chunks while it is read, and a transfer \
                 that could not be completed is broken off. The names of sessions and charges at the payment provider, and \
                 `late_charges` and `disputes`, are in JSON and lines of JSON, and in no answer to a customer. In CSV \
                 `disputed` is the sum of the disputes that are open or lost, in the currency of the order. Unknown \
                 parameters are refused.",
            ],
        )
        .operator()
        .parameters([
            "Status",
            "OrderWanted",
            "ListedCustomer",
            "ListedItem",
            "PlacedOn",
            "PlacedFrom",
            "PlacedUntil",
            "SortOrder",
            "Limit",
            "Cursor",
            "Format",
        ])
        .answers(
            Answer::new(200, "A page of orders, or all of them, in the format that was asked for.")
                .in_parts()
                .headers(["Link", "ContentDisposition"])
                .json::<PageJson<'static>>([Example::new("OrdersJson", "A page, and there may be more", json)?])
                .content(Content::new::<schema::Text>(
                    "text/csv",
                    [Example::new("OrdersCsv", "With a line of names (RFC 4180)", text(Format::Csv))?],
                ))
                .content(Content::new::<schema::OrderLines>(
                    "application/x-ndjson",
                    [Example::new("OrdersNdjson", "An order a line", text(Format::Lines))?],
                ))
                .links(["GetFirstOrder", "ListNextOrders"]),
        )
        .answers(Answer::problem(
            "A parameter is wrong or unknown.",
            &[Code::InvalidRequest],
            [
                Example::problem("CursorInvalid", "A made-up cursor", invalid("cursor", InvalidCursor))?,
                Example::problem(
                    "LimitInvalid",
                    "No orders on a page",
                    limit_of("0").map_or_else(|expected| invalid("limit", expected), |_| Problem::not_found()),
                )?,
                Example::problem("DayInvalid", "A day that there is not", invalid("placed_on", InvalidDay))?,
                Example::problem("DaysInvalid", "Days that end before they begin", invalid("placed_until", EmptyPeriod))?,
                Example::problem(
                    "ParameterUnknown",
                    "A parameter that there is not",
                    invalid("sort", format!("must be one of {}", PARAMETERS.join(", "))),
                )?,
            ],
        ))
        .reads(),
    ])
}

#[cfg(test)]
mod tests {
    use domain::OrderPage;

    use super::{Format, body};

    #[test]
    fn what_cannot_be_read_is_named_in_every_format() {
        let id = "4be0643f-1d98-473b-97cd-ca98a65347dd";
        let page = OrderPage { unreadable: vec![id.parse().unwrap()], unreadable_entries: 1, ..OrderPage::default() };
        let text = |format| String::from_utf8(body(&page, format, true)).unwrap();
        assert_eq!(text(Format::Csv), format!("{id},unreadable,,,,,,,,,,\r\n,unreadable,,,,,,,,,,\r\n"));
        assert_eq!(text(Format::Lines), format!("{{\"unreadable_orders\":[\"{id}\"],\"unreadable_entries\":1}}\n"));
        let json = format!("{{\"orders\":[],\"next\":null,\"unreadable_orders\":[\"{id}\"],\"unreadable_entries\":1}}");
        assert_eq!(text(Format::Json), json);
    }
}

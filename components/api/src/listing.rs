//! The list of all orders: as JSON page by page, as lines of JSON or CSV whole.
//!
//! A list of any length is sent from a few pages' worth of memory: each page is read when the one before it is sent.

use std::rc::Rc;

use domain::{
    Cursor, Environment, InvalidCursor, MAX_LISTED, OrderId, OrderPage, OrderView, Provider, Shop, Status, Store,
    StoreStats,
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
use crate::request::RequestContext;

/// How many orders are on a page unless the client says so.
pub(crate) const USUAL_PAGE: usize = 50;

pub(crate) const STATUSES: [Status; 7] = [
    Status::Placing,
    Status::Pending,
    Status::Paid,
    Status::Fulfilled,
    Status::Cancelled,
    Status::Expired,
    Status::Rejected,
];

const PARAMETERS: [&str; 4] = ["cursor", "limit", "status", "format"];

/// The byte order mark, by which Excel knows that a file is UTF-8 and not in the code page of its machine, and the names
/// of the columns.
const CSV_HEAD: &str =
    "\u{feff}order_id,status,placed_at,expires_at,customer_id,items,total,currency,method,paid_at\r\n";

/// Behind the id of an order that cannot be read, or behind nothing where it is not known.
const UNREADABLE_ROW: &str = ",unreadable,,,,,,,,\r\n";

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

/// Some of the orders, newest first.
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
    status: Option<Status>,
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
                let page = self.shop.list_orders(self.next.take(), self.status, self.page_size).await?;
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
    let [cursor, limit, status, format] = context.parameters(PARAMETERS)?;
    let cursor = cursor.map(|cursor| cursor.to_ascii_lowercase());
    let next: Option<Cursor> = read(cursor.as_deref(), "cursor", |text| text.parse().ok(), InvalidCursor)?;
    let whole = |text: &str| (1..=MAX_LISTED).find(|limit| limit.to_string() == text);
    let most = read(limit.as_deref(), "limit", whole, limit_expected())?;
    let named = |text: &str| STATUSES.into_iter().find(|status| status.to_string() == text);
    let wanted =
        read(status.as_deref(), "status", named, "must be placing, pending, paid, cancelled, expired or rejected")?;
    let format_named = |text: &str| FORMATS.into_iter().find(|(name, _)| *name == text).map(|(_, format)| format);
    let shape = read(format.as_deref(), "format", format_named, "must be json, ndjson or csv")?;
    let shape = shape.unwrap_or(Format::Json);
    negotiation::accept(context.headers, types(shape))?;
    let is_export = shape != Format::Json && most.is_none();
    let page_size = if is_export { MAX_LISTED } else { most.unwrap_or(USUAL_PAGE) };
    let mut listing =
        Box::new(Listing { shop: shop.clone(), status: wanted, format: shape, page_size, begun: false, next });
    let first = listing.next().await?.unwrap_or_default();
    let mut reply = Reply::of(shape.media_type(), first);
    if shape != Format::Json {
        let status = wanted.map(|status| format!("-{status}")).unwrap_or_default();
        let name = format.as_deref().unwrap_or_default();
        let disposition = format!("attachment; filename=\"orders{status}.{name}\"");
        reply = reply.with(header::CONTENT_DISPOSITION, &disposition);
    }
    Ok(match &listing.next {
        Some(_) if is_export => Reply { rest: Some(listing), ..reply },
        Some(next) => {
            let same = [("limit", limit), ("status", status), ("format", format)];
            let same = same.into_iter().filter_map(|(name, value)| Some(format!("&{name}={}", value?)));
            reply.with(header::LINK, &format!("</orders?cursor={next}{}>; rel=\"next\"", same.collect::<String>()))
        }
        None => reply,
    })
}

/// The media type of a page, and the ranges that it is in.
fn types(format: Format) -> [&'static str; 3] {
    match format {
        Format::Json => JSON,
        Format::Lines => ["application/x-ndjson", "application/*", "*/*"],
        Format::Csv => ["text/csv", "text/*", "*/*"],
    }
}

/// What the parameter `limit` must be.
fn limit_expected() -> String {
    format!("must be a whole number from 1 to {MAX_LISTED}")
}

/// The value of a parameter, if it is there.
fn read<T>(
    value: Option<&str>,
    name: &str,
    read: impl FnOnce(&str) -> Option<T>,
    expected: impl ToString,
) -> Result<Option<T>, Problem> {
    let Some(value) = value else { return Ok(None) };
    let read = read(value);
    if read.is_none() { Err(Problem::invalid(vec![FieldError::parameter(name, expected)])) } else { Ok(read) }
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
fn row(OrderView { order, status, payment, .. }: &OrderView) -> String {
    // Neither a number nor a formula nor a date, whatever the ids are, and without a character that separates cells.
    let items: Vec<_> = order.lines().iter().map(|line| format!("{} x {}", line.quantity, line.item_id)).collect();
    let customer = order.customer_id.as_ref().map(|id| csv::text(id.as_str())).unwrap_or_default();
    let method = payment.as_ref().map(|payment| csv::text(&payment.method.to_string())).unwrap_or_default();
    let paid_at = payment.as_ref().map(|payment| payment.paid_at.to_string()).unwrap_or_default();
    let (id, placed_at, expires_at) = (order.order_id, order.placed_at, order.expires_at);
    let (items, total, currency) = (items.join(" + "), csv::number(order.total().get()), &order.currency);
    format!("{id},{status},{placed_at},{expires_at},{customer},\"{items}\",{total},{currency},{method},{paid_at}\r\n")
}

/// The operation that this module serves, for the OpenAPI document.
#[cfg(feature = "openapi")]
pub(crate) fn operations() -> serde_json::Result<Vec<crate::openapi::operation::Operation>> {
    use crate::code::Code;
    use crate::openapi::operation::{Answer, Content, Example, Operation};
    use crate::orders::examples;
    use crate::route::{Route, Verb};

    let mut page = OrderPage::default();
    page.orders.extend([examples::of_anna(Status::Cancelled)?, examples::paid()?]);
    page.next = "536dcd17af9c50f30e68077823b6a66a-1-1".parse().ok();
    let text = |format| String::from_utf8_lossy(&body(&page, format, false)).into_owned();
    let json: serde_json::Value = serde_json::from_str(&text(Format::Json))?;
    let invalid = |name: &str, detail: String| Problem::invalid(vec![FieldError::parameter(name, detail)]);
    Ok(vec![
        Operation::new(
            Route::Orders,
            Verb::Get,
            "listOrders",
            "orders",
            [
                "List orders",
                "All orders, or those of one status, newest first. As JSON, or with a `limit`, page by page: each page costs a \
                 bounded number of reads, so it may hold fewer orders than `limit` and yet have a next one. As CSV or \
                 lines of JSON without a `limit`, all of them: the body comes in chunks while it is read, and a transfer \
                 that could not be completed is broken off. Unknown parameters are refused.",
            ],
        )
        .operator()
        .parameters(["Status", "Limit", "Cursor", "Format"])
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
                Example::problem("CursorInvalid", "A made-up cursor", invalid("cursor", InvalidCursor.to_string()))?,
                Example::problem("LimitInvalid", "No orders on a page", invalid("limit", limit_expected()))?,
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
        assert_eq!(text(Format::Csv), format!("{id},unreadable,,,,,,,,\r\n,unreadable,,,,,,,,\r\n"));
        assert_eq!(text(Format::Lines), format!("{{\"unreadable_orders\":[\"{id}\"],\"unreadable_entries\":1}}\n"));
        let json = format!("{{\"orders\":[],\"next\":null,\"unreadable_orders\":[\"{id}\"],\"unreadable_entries\":1}}");
        assert_eq!(text(Format::Json), json);
    }
}

//! The list of all orders, as JSON, lines of JSON or CSV.

use domain::{Cursor, Environment, InvalidCursor, MAX_LISTED, OrderId, OrderPage, OrderView, Shop, Status, Store};
use http::StatusCode;
#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::header;
use crate::negotiation::{self, JSON};
#[cfg(feature = "openapi")]
use crate::openapi::schema;
use crate::orders::OrderJson;
use crate::problem::{FieldError, Problem};
use crate::reply::Reply;
use crate::request::RequestContext;

/// How many orders are on a page unless the client says so.
pub(crate) const USUAL_PAGE: usize = 50;

pub(crate) const STATUSES: [Status; 6] =
    [Status::Placing, Status::Pending, Status::Paid, Status::Cancelled, Status::Expired, Status::Rejected];

const PARAMETERS: [&str; 4] = ["cursor", "limit", "status", "format"];

const CSV_HEAD: &str = "order_id,status,placed_at,expires_at,customer_id,items,total,currency,method,paid_at\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Lines,
    Csv,
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

/// Answers the operator with a page of the list.
pub(crate) async fn list<S: Store, E: Environment>(
    context: &RequestContext<'_>,
    shop: &Shop<S, E>,
) -> Result<Reply, Problem> {
    context.require_operator()?;
    let [cursor, limit, status, format] = context.parameters(PARAMETERS)?;
    let cursor = cursor.map(|cursor| cursor.to_ascii_lowercase());
    let from: Option<Cursor> = read(cursor.as_deref(), "cursor", |text| text.parse().ok(), InvalidCursor)?;
    let whole = |text: &str| (1..=MAX_LISTED).find(|limit| limit.to_string() == text);
    let most = read(limit.as_deref(), "limit", whole, limit_expected())?;
    let named = |text: &str| STATUSES.into_iter().find(|status| status.to_string() == text);
    let wanted =
        read(status.as_deref(), "status", named, "must be placing, pending, paid, cancelled, expired or rejected")?;
    let format_named = |text: &str| FORMATS.into_iter().find(|(name, _)| *name == text).map(|(_, format)| format);
    let shape = read(format.as_deref(), "format", format_named, "must be json, ndjson or csv")?;
    let shape = shape.unwrap_or(Format::Json);
    negotiation::accept(context.headers, types(shape))?;
    let page = shop.list_orders(from, wanted, most.unwrap_or(USUAL_PAGE)).await?;
    let reply = reply(&page, shape);
    Ok(match &page.next {
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

fn reply(page: &OrderPage, format: Format) -> Reply {
    match format {
        Format::Json => {
            let orders = page.orders.iter().map(OrderJson::from).collect();
            let entries = page.unreadable_entries;
            let page = PageJson {
                orders,
                next: page.next.as_ref().map(ToString::to_string),
                unreadable_orders: &page.unreadable,
                unreadable_entries: (entries > 0).then_some(entries),
            };
            Reply::json(StatusCode::OK, &page)
        }
        Format::Lines => {
            let mut lines = Vec::new();
            for order in &page.orders {
                // What is sent is made of strings and numbers: serde_json has nothing to refuse.
                let _ = serde_json::to_writer(&mut lines, &OrderJson::from(order));
                lines.push(b'\n');
            }
            Reply::of("application/x-ndjson", lines)
        }
        Format::Csv => {
            let rows: String = page.orders.iter().map(row).collect();
            Reply::of("text/csv; charset=utf-8; header=present", format!("{CSV_HEAD}{rows}").into_bytes())
        }
    }
}

/// An order as a row of CSV (RFC 4180).
fn row(OrderView { order, status, payment }: &OrderView) -> String {
    let items: Vec<_> = order.lines().iter().map(|line| format!("{} {}", line.quantity, line.item_id)).collect();
    let customer = order.customer_id.as_ref().map(|id| quoted(id.as_str())).unwrap_or_default();
    let method = payment.as_ref().map(|payment| payment.method.to_string()).unwrap_or_default();
    let paid_at = payment.as_ref().map(|payment| payment.paid_at.to_string()).unwrap_or_default();
    let (id, placed_at, expires_at) = (order.order_id, order.placed_at, order.expires_at);
    let (items, total, currency) = (items.join("; "), order.total(), &order.currency);
    format!("{id},{status},{placed_at},{expires_at},{customer},{items},{total},{currency},{method},{paid_at}\r\n")
}

/// A text of a customer's as a field. A spreadsheet takes some texts for formulas, and does what they say: an
/// apostrophe before them keeps it from that.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
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
    let text = |format| String::from_utf8_lossy(&reply(&page, format).body).into_owned();
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
                "All orders, or those of one status, newest first, page by page. Each page costs a bounded number of reads: \
                 so it may hold fewer orders than `limit` and yet have a next one. Unknown parameters are refused.",
            ],
        )
        .operator()
        .parameters(["Status", "Limit", "Cursor", "Format"])
        .answers(
            Answer::new(200, "A page of orders, in the format that was asked for.")
                .headers(["Link"])
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
    use super::quoted;

    #[test]
    fn a_customers_text_stays_one_field_and_is_no_formula() {
        assert_eq!(quoted("anna, \"the first\"\r\n"), "\"anna, \"\"the first\"\"\r\n\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }
}

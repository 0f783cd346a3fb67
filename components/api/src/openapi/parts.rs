//! The parts of the document that belong to no single operation: its introduction, parameters, headers and links.

use domain::MAX_LISTED;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::operation::{Answer, Content, Example, Operation};
use super::schema::{ItemId, OrderStatus, Text};
use crate::listing::{FORMATS, ORDERS, USUAL_PAGE};
use crate::origins::EXPOSED;
use crate::request::{MAX_KEY_LEN, MIN_ADJUSTMENT_KEY_LEN, MIN_ORDER_KEY_LEN};
use crate::respond::{MAX_REQUEST_ID_LEN, NO_PAGE};
use crate::route::Route;

/// The headers of every response with a body, by the names of their components.
pub(crate) const USUAL_HEADERS: [&str; 5] =
    ["RequestId", "CacheControl", "ContentLength", "ContentSecurityPolicy", "ContentTypeOptions"];

/// What a browser is told that lets pages of other origins use the shop, beyond those.
const ORIGIN_HEADERS: [&str; 3] = ["VaryOrigin", "AllowOrigin", "ExposeHeaders"];

/// The same of a body that may come in parts.
pub(crate) const HEADERS_IN_PARTS: [&str; 5] =
    ["RequestId", "CacheControl", "LengthIfWhole", "ContentSecurityPolicy", "ContentTypeOptions"];

/// The headers of a file, beyond those.
pub(crate) const FILE_HEADERS: [&str; 5] = ["NoCache", "FileETag", "Vary", "ContentEncoding", "ReferrerPolicy"];

/// A list of tags, or the asterisk.
const TAGS: &str = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#;

/// The usual headers of an operation's own answer.
pub(crate) fn usual_headers(operation: &Operation, answer: &Answer) -> Vec<&'static str> {
    let is_customers = !operation.operator && operation.tag != "pages" && operation.path != Route::StripeEvents.path();
    let of_customers = if is_customers { ORIGIN_HEADERS.as_slice() } else { &[] };
    let tag = if answer.in_parts { "ETagIfWhole" } else { "ETag" };
    let tag = [tag].into_iter().filter(|_| operation.tagged && answer.status == 200);
    let usual = if answer.in_parts { &HEADERS_IN_PARTS } else { &USUAL_HEADERS };
    usual.iter().chain(of_customers).copied().chain(tag).collect()
}

pub(crate) fn info() -> Value {
    json!({
        "title": "Orders that hold",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "Orders, inventory and payments: never oversold, never lost.",
        "description": "Orders, stock and payments of one shop. It never sells what is not there, and never loses an order \
            that it acknowledged.\n\n**Begin here.** `GET /inventory` says what there is. `POST /orders` with \
            `{\"item_id\":\"item1\",\"quantity\":2}` holds two of them for you, for 15 minutes unless the shop \
            says otherwise: `expires_at` tells. `POST /orders/{order_id}/pay` buys them, `POST \
            /orders/{order_id}/cancel` gives them back. `GET /payments` says whether paying moves money: without a \
            payment provider it does not.\n\n**Money** is a whole number in minor units: 2000 CNY \
            is 20.00 yuan. **Times** are RFC 3339 in UTC. **Numbers** in requests are integers, however they are \
            written: `2.0` and `2e0` are 2. A field that may be left out may be null, which is the same. Unknown \
            fields and duplicate keys are refused.\n\n**Sending again is safe.** Give `POST /orders` and adjustments an `idempotency-key` of \
            their own, and send the same again when an answer is lost: it is done once. Paying, cancelling and \
            pricing need no key.\n\n**Who may do what.** A client that knows the id of an order may read, pay and \
            cancel it. What changes stock or shows all orders is for the operator, who sends `authorization: \
            Bearer TOKEN` (on the page `/docs`: Authorize).\n\n**Errors** are RFC 9457 \
            `application/problem+json`. `code` says what is wrong in a word that does not change; `detail` is for \
            people and may change; `errors`, in a 422 `invalid_request`, lists each error and where it is. A 503 has \
            `retry-after`.\n\n**Conditions.** Every 200 of a \
            `GET` has an `etag`. `if-match` and `if-none-match` work on every request: one that changes an item or an \
            order does so only if the item or the order has such a tag at that moment, and gets 412 \
            `precondition_failed` otherwise.\n\n**Pages of other origins** may do what customers do, if the shop's \
            variable `allowed_origins` names them (CORS).\n\n**Methods.** \
            `HEAD` works wherever `GET` does, with the same headers and no body. `OPTIONS` works on every path: \
            204 with `allow`. Any other method gets 405 `method_not_allowed` with `allow`, any other path 404 \
            `not_found`; both are among the responses below `components`. A slash at the end of a path does not \
            matter; a path with an empty segment, like `//ready`, is another one. A header that is not UTF-8 is 400 \
            `malformed_header`.\n\n**Each answer** carries `x-request-id`. `/health` and the pages never ask the store; \
            everything else may answer 503.",
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
    })
}

pub(crate) fn tags() -> Value {
    let tags = [
        (
            "orders",
            "Place, show and cancel orders. A client that knows the id of an order may do so; the list is for the operator.",
        ),
        ("payments", "Pay orders: at a payment provider, or on record alone."),
        ("inventory", "What there is and what it costs. Changes are for the operator."),
        ("operations", "Whether the shop is well, for those who run it."),
        ("pages", "For people: the console, this document and its pages."),
    ];
    tags.iter().map(|(name, description)| json!({ "name": name, "description": description })).collect()
}

pub(crate) fn security_schemes() -> Value {
    json!({
        "operator": {
            "type": "http",
            "scheme": "bearer",
            "description": "The shop's variable `operator_token`. A shop without one answers 403 `operator_disabled`, \
                and one whose token has fewer than 16 characters 503 `misconfigured`."
        }
    })
}

/// Name of the component, name of the header, and the rest.
fn all_headers() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        (
            "RequestId",
            "x-request-id",
            json!({
                "description": "The id of the request, for logs: the client's own `x-request-id` if it is fit for that, \
                    otherwise a random one.",
                "required": true,
                "schema": { "type": "string", "pattern": format!("^[A-Za-z0-9._-]{{1,{MAX_REQUEST_ID_LEN}}}$") },
                "example": "2540d04c2eb2b9643c86aca4e9fab05a"
            }),
        ),
        (
            "CacheControl",
            "cache-control",
            json!({
                "description": "Nothing is to be kept by caches.",
                "required": true,
                "schema": { "type": "string", "const": "no-store" },
                "example": "no-store"
            }),
        ),
        (
            "ContentLength",
            "content-length",
            json!({
                "description": "The length of the body in bytes; of a `HEAD`, of the body that `GET` would have.",
                "required": true,
                "schema": { "type": "integer", "minimum": 0 },
                "example": 259
            }),
        ),
        (
            "VaryOrigin",
            "vary",
            json!({
                "description": "There if the shop has `allowed_origins`.",
                "schema": { "type": "string", "const": "origin" },
                "example": "origin"
            }),
        ),
        (
            "AllowOrigin",
            "access-control-allow-origin",
            json!({
                "description": "The `origin` of the request, if it is one of the shop's `allowed_origins` (CORS). An answer \
                    to a preflight has also `access-control-allow-methods`, `access-control-allow-headers` and \
                    `access-control-max-age`.",
                "schema": { "type": "string" },
                "example": "https://shop.example"
            }),
        ),
        (
            "ExposeHeaders",
            "access-control-expose-headers",
            json!({
                "description": "Which headers such a page may read.",
                "schema": { "type": "string", "const": EXPOSED },
                "example": EXPOSED
            }),
        ),
        (
            "Accept",
            "accept",
            json!({
                "description": "The type that a body must have.",
                "schema": { "type": "string", "const": "application/json" },
                "example": "application/json"
            }),
        ),
        (
            "AcceptEncoding",
            "accept-encoding",
            json!({
                "description": "How a body may be coded: not at all.",
                "schema": { "type": "string", "const": "identity" },
                "example": "identity"
            }),
        ),
        (
            "LengthIfWhole",
            "content-length",
            json!({
                "description": "The length of the body in bytes, where the body is sent as a whole. One that comes in chunks \
                    has none.",
                "schema": { "type": "integer", "minimum": 0 },
                "example": 259
            }),
        ),
        (
            "ContentDisposition",
            "content-disposition",
            json!({
                "description": "The name of the file that CSV and lines of JSON are kept in (RFC 6266).",
                "schema": {
                    "type": "string",
                    "pattern": "^attachment; filename=\"orders(-[a-z]+)?\\.(csv|ndjson)\"$"
                },
                "example": "attachment; filename=\"orders-paid.csv\""
            }),
        ),
        (
            "ETag",
            "etag",
            json!({
                "description": "Changes whenever the content does. Send it as `if-none-match` to be answered only if it has \
                    changed, or as `if-match` to change only what is still the same.",
                "required": true,
                "schema": { "type": "string", "pattern": "^\"[0-9a-f]{32}\"$" },
                "example": "\"79ebb770eefc3d4ef363dd42ac4ffe40\""
            }),
        ),
        (
            "ETagIfWhole",
            "etag",
            json!({
                "description": "As elsewhere, where the body is sent as a whole. One that comes in chunks has none.",
                "schema": { "type": "string", "pattern": "^\"[0-9a-f]{32}\"$" },
                "example": "\"79ebb770eefc3d4ef363dd42ac4ffe40\""
            }),
        ),
        (
            "OrderLocation",
            "location",
            json!({
                "description": "Where the order is.",
                "required": true,
                "schema": {
                    "type": "string",
                    "format": "uri-reference",
                    "pattern": "^/orders/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
                },
                "example": "/orders/a51dee89-7e11-4f02-a419-92ca47ab279f"
            }),
        ),
        (
            "ItemLocation",
            "location",
            json!({
                "description": "Where the item is.",
                "required": true,
                "schema": {
                    "type": "string",
                    "format": "uri-reference",
                    "pattern": "^/inventory/[A-Za-z0-9._-]{1,64}$"
                },
                "example": "/inventory/teapot"
            }),
        ),
        (
            "Link",
            "link",
            json!({
                "description": "Where the next page is, while there may be one (RFC 8288).",
                "schema": {
                    "type": "string",
                    "pattern": "^</orders\\?cursor=[^&>]+(&[a-z_]+=[^&>]+)*>; rel=\"next\"$"
                },
                "example": "</orders?cursor=536dcd17af9c50f30e68077823b6a66a-1-1&limit=2>; rel=\"next\""
            }),
        ),
        (
            "RetryAfter",
            "retry-after",
            json!({
                "description": "After how many seconds it is worth trying again: 1 when `busy`, 5 when `store_unavailable` or \
                    `payment_provider_unavailable`, 60 for what the owner has to mend.",
                "required": true,
                "schema": { "type": "integer", "enum": [1, 5, 60] },
                "example": 5
            }),
        ),
        (
            "ProcessingRetryAfter",
            "retry-after",
            json!({
                "description": "There while the payment is being processed: after how many seconds it is worth asking again.",
                "schema": { "type": "integer", "const": 5 },
                "example": 5
            }),
        ),
        (
            "Allow",
            "allow",
            json!({
                "description": "The methods that the path takes.",
                "required": true,
                "schema": { "type": "string", "pattern": "^[A-Z]+(, [A-Z]+)*$" },
                "example": "GET, HEAD, PUT, OPTIONS"
            }),
        ),
        (
            "WwwAuthenticate",
            "www-authenticate",
            json!({
                "description": "What is asked for (RFC 6750).",
                "required": true,
                "schema": { "type": "string", "const": "Bearer realm=\"operator\"" },
                "example": "Bearer realm=\"operator\""
            }),
        ),
        (
            "IdempotentReplayed",
            "idempotent-replayed",
            json!({
                "description": "There, and `true`, if an earlier request with the same key did the work.",
                "schema": { "type": "string", "const": "true" },
                "example": "true"
            }),
        ),
        (
            "NoCache",
            "cache-control",
            json!({
                "description": "To be asked for again each time, with `if-none-match`.",
                "required": true,
                "schema": { "type": "string", "const": "no-cache" },
                "example": "no-cache"
            }),
        ),
        (
            "FileETag",
            "etag",
            json!({
                "description": "Changes whenever the content does, or its compression.",
                "required": true,
                "schema": { "type": "string", "pattern": "^\"[0-9a-f]{32}(-gzip)?\"$" },
                "example": "\"751c351f7f77e217104e9b9ff188f70a-gzip\""
            }),
        ),
        (
            "Vary",
            "vary",
            json!({
                "description": "Whether it is compressed depends on `accept-encoding`.",
                "required": true,
                "schema": { "type": "string", "const": "accept-encoding" },
                "example": "accept-encoding"
            }),
        ),
        (
            "ContentEncoding",
            "content-encoding",
            json!({
                "description": "There for those who accept gzip.",
                "schema": { "type": "string", "const": "gzip" },
                "example": "gzip"
            }),
        ),
        (
            "ContentSecurityPolicy",
            "content-security-policy",
            json!({
                "description": "What a browser may do with the answer. A page may load what is served here, and nothing else; \
                    what is no page may do nothing. No page may frame it.",
                "required": true,
                "schema": { "type": "string", "pattern": "^default-src 'none'; (.+; )?frame-ancestors 'none'$" },
                "example": NO_PAGE
            }),
        ),
        (
            "ContentTypeOptions",
            "x-content-type-options",
            json!({
                "description": "It is what `content-type` says.",
                "required": true,
                "schema": { "type": "string", "const": "nosniff" },
                "example": "nosniff"
            }),
        ),
        (
            "ReferrerPolicy",
            "referrer-policy",
            json!({
                "description": "The browser sends no `referer`.",
                "required": true,
                "schema": { "type": "string", "const": "no-referrer" },
                "example": "no-referrer"
            }),
        ),
    ]
}

pub(crate) fn headers() -> Value {
    all_headers().into_iter().map(|(component, _, header)| (component.to_owned(), header)).collect::<Map<_, _>>().into()
}

/// The name of the header that a component describes.
pub(crate) fn header_name(component: &str) -> String {
    let header = all_headers().into_iter().find(|(name, ..)| *name == component);
    header.map(|(_, header, _)| header.to_owned()).unwrap_or_default()
}

/// The usual headers of a response that several operations have.
pub(crate) fn headers_of(response: &str) -> &'static [&'static str] {
    match response {
        "NotModified" => &[
            "RequestId",
            "CacheControl",
            "ETag",
            "ContentSecurityPolicy",
            "ContentTypeOptions",
            "VaryOrigin",
            "AllowOrigin",
            "ExposeHeaders",
        ],
        "FileNotModified" => {
            &["RequestId", "FileETag", "NoCache", "Vary", "ContentSecurityPolicy", "ContentTypeOptions"]
        }
        "Page" => &USUAL_HEADERS,
        _ => &[
            "RequestId",
            "CacheControl",
            "ContentLength",
            "ContentSecurityPolicy",
            "ContentTypeOptions",
            "VaryOrigin",
            "AllowOrigin",
            "ExposeHeaders",
        ],
    }
}

/// The responses that several operations have and that are no problems, by the names of their components.
pub(crate) fn responses() -> serde_json::Result<Vec<(&'static str, Answer)>> {
    let same = "It is what `if-none-match` says. There is no body.";
    let page = Example::new("Page", "The beginning of a page", "<!doctype html>\n<html lang=\"en\">\n")?;
    Ok(vec![
        ("NotModified", Answer::new(304, same)),
        (
            "Page",
            Answer::new(200, "The page.").headers(FILE_HEADERS).content(Content::new::<Text>("text/html", [page])),
        ),
        ("FileNotModified", Answer::new(304, same)),
    ])
}

pub(crate) fn links() -> Value {
    let link = |name: &str, operation: &str, parameter: &str, pointer: &str, description: &str| {
        let value = format!("$response.body#{pointer}");
        let link = json!({ "operationId": operation, "parameters": { parameter: value }, "description": description });
        (name.to_owned(), link)
    };
    let links = [
        link("GetOrder", "getOrder", "order_id", "/order_id", "Shows the order."),
        link("PayOrder", "payOrder", "order_id", "/order_id", "Pays the order."),
        link("CancelOrder", "cancelOrder", "order_id", "/order_id", "Cancels the order."),
        link("GetOrderHistory", "getOrderHistory", "order_id", "/order_id", "Tells what happened to the order."),
        link("GetFirstOrder", "getOrder", "order_id", "/orders/0/order_id", "Shows the first order of the page."),
        link("ListNextOrders", "listOrders", "cursor", "/next", "Lists the next page, while there may be one."),
        link("GetItem", "getItem", "item_id", "/item_id", "Shows the item."),
        link("PutItem", "putItem", "item_id", "/item_id", "Gives the item another price."),
        link("AdjustItem", "adjustItem", "item_id", "/item_id", "Adjusts the stock of the item."),
        link(
            "GetItemHistory",
            "getItemHistory",
            "item_id",
            "/item_id",
            "Tells how the stock of the item was adjusted.",
        ),
        link("GetFirstItem", "getItem", "item_id", "/items/0/item_id", "Shows the first item of the list."),
    ];
    links.into_iter().collect::<Map<_, _>>().into()
}

pub(crate) fn parameters(generator: &mut SchemaGenerator) -> Value {
    let item_id = generator.subschema_for::<ItemId>();
    let status = generator.subschema_for::<OrderStatus>();
    json!({
        "OrderId": {
            "name": "order_id",
            "in": "path",
            "required": true,
            "description": "The id of an order, in lower or upper case. What is no id names no order: 404.",
            "schema": {
                "type": "string",
                "format": "uuid",
                "pattern": "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
                "examples": ["a51dee89-7e11-4f02-a419-92ca47ab279f"]
            }
        },
        "ItemId": {
            "name": "item_id",
            "in": "path",
            "required": true,
            "description": "The id of an item.",
            "schema": item_id,
            "example": "item1"
        },
        "RequestId": {
            "name": "x-request-id",
            "in": "header",
            "description": "An id for this request, which the answer and the log then carry: 1 to 128 of `A-Z a-z 0-9 . _ \
                -`. Any other value is passed over.",
            "schema": { "type": "string", "examples": ["from-top-to-bottom"] }
        },
        "TraceParent": {
            "name": "traceparent",
            "in": "header",
            "description": "The trace that this request belongs to (W3C Trace Context). The answer does not depend on it.",
            "schema": {
                "type": "string",
                "examples": ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]
            }
        },
        "IfMatch": {
            "name": "if-match",
            "in": "header",
            "description": "The `etag` of what this request is about, as `GET` told it, or several with commas between them, or \
                `*`. If it has another one by now, the answer is 412 and nothing is changed. A weak tag is none of them.",
            "schema": { "type": "string", "examples": ["\"79ebb770eefc3d4ef363dd42ac4ffe40\""] }
        },
        "ChangeIfNoneMatch": {
            "name": "if-none-match",
            "in": "header",
            "description": "Tags that what this request is about must not have, or `*`: it must not be there. If it has or is, \
                the answer is 412 and nothing is changed.",
            "schema": { "type": "string", "pattern": TAGS, "examples": ["*"] }
        },
        "IfNoneMatch": {
            "name": "if-none-match",
            "in": "header",
            "description": "The `etag` of an earlier answer, or several with commas between them, or `*`. If the content is \
                still that, the answer is 304 without a body.",
            "schema": { "type": "string", "examples": ["\"79ebb770eefc3d4ef363dd42ac4ffe40\""] }
        },
        "StripeSignature": {
            "name": "stripe-signature",
            "in": "header",
            "description": "Stripe's signature of the body under the variable `stripe_webhook_secret`, at most 300 seconds \
                old. Without it the answer is 400, and 404 in a shop without a payment provider.",
            "schema": { "type": "string", "examples": ["t=1795644185,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd"] }
        },
        "IdempotencyKey": idempotency_key(
            MIN_ADJUSTMENT_KEY_LEN,
            "a name for it that no other request has",
            "\"delivery-note-4711\"",
        ),
        "RequiredIdempotencyKey": required(idempotency_key(
            MIN_ADJUSTMENT_KEY_LEN,
            "a name for it that no other request for this order has",
            "\"return-4711\"",
        )),
        "OrderIdempotencyKey": idempotency_key(
            MIN_ORDER_KEY_LEN,
            "a random name, new for each order, that no other customer can guess, such as a UUID",
            "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"",
        ),
        "Status": {
            "name": "status",
            "in": "query",
            "description": "Only orders with this status.",
            "schema": status
        },
        "OrderWanted": {
            "name": "order_id",
            "in": "query",
            "description": "Only the order with this id, in lower or upper case; none where there is no such order. Whatever \
                `limit` and `cursor` say, it is on the first page, which is the last.",
            "schema": {
                "type": "string",
                "format": "uuid",
                "pattern": "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
                "examples": ["a51dee89-7e11-4f02-a419-92ca47ab279f"]
            }
        },
        "ListedCustomer": {
            "name": "customer_id",
            "in": "query",
            "description": "Only orders of this customer.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 128, "examples": ["anna"] }
        },
        "ListedItem": {
            "name": "item_id",
            "in": "query",
            "description": "Only orders that have this item. It need not be an item of the shop.",
            "schema": item_id.clone()
        },
        "PlacedOn": day("placed_on", "Only orders that were placed on this day, in UTC. Not with `placed_from` or `placed_until`."),
        "PlacedFrom": day("placed_from", "Only orders that were placed on this day, in UTC, or later."),
        "PlacedUntil": day("placed_until", "Only orders that were placed on this day, in UTC, or earlier."),
        "SortOrder": {
            "name": "order",
            "in": "query",
            "description": "Which orders come first. With a `cursor` it is that of the page before, and need not be given.",
            "schema": {
                "type": "string",
                "enum": ORDERS.map(|(name, _)| name),
                "default": "newest",
                "examples": ["oldest"]
            }
        },
        "Limit": {
            "name": "limit",
            "in": "query",
            "description": "The most orders on a page. A page may have fewer, and yet have a next one. CSV and lines of \
                JSON have pages only where a limit is given; otherwise they have all orders.",
            "schema": { "type": "integer", "minimum": 1, "maximum": MAX_LISTED, "default": USUAL_PAGE, "examples": [50] }
        },
        "Cursor": {
            "name": "cursor",
            "in": "query",
            "description": "Where to go on: `next` of the page before. Made by this shop, and of no meaning elsewhere.",
            "schema": {
                "type": "string",
                "minLength": 1,
                "examples": ["536dcd17af9c50f30e68077823b6a66a-1-1"],
                "maxLength": 128,
                "pattern": "^[A-Za-z0-9-]+$"
            }
        },
        "Format": {
            "name": "format",
            "in": "query",
            "description": "How the list is written: a page as one JSON object; all orders as CSV, in UTF-8 with a byte \
                order mark, with a line of names and one an order; or all orders as JSON, one a line. In CSV an \
                apostrophe stands before a text that a spreadsheet would take for a formula, a number or a date. What \
                cannot be read has the status `unreadable` in CSV, and is named by a line with `unreadable_orders` and \
                `unreadable_entries` in the other.",
            "schema": {
                "type": "string",
                "enum": FORMATS.map(|(name, _)| name),
                "default": "json",
                "examples": ["json"]
            }
        }
    })
}

/// A parameter that is a day.
fn day(name: &str, description: &str) -> Value {
    json!({
        "name": name,
        "in": "query",
        "description": description,
        "schema": {
            "type": "string",
            "format": "date",
            "pattern": "^(19[7-9]|[2-9][0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}$",
            "examples": ["2026-11-28"]
        }
    })
}

/// A parameter that has to be there.
fn required(mut parameter: Value) -> Value {
    if let Some(members) = parameter.as_object_mut() {
        members.insert("required".to_owned(), true.into());
    }
    parameter
}

/// The header `idempotency-key` of operations whose keys have at least this number of characters.
fn idempotency_key(min_len: usize, what: &str, example: &str) -> Value {
    json!({
        "name": "idempotency-key",
        "in": "header",
        "description": format!(
            "Makes the request safe to send again: {what}, of {min_len} to {MAX_KEY_LEN} visible ASCII characters, bare or \
             in quotes (then with `\\\"` and `\\\\` for the two). A repeat answers with what the first one made, as it \
             now is. To be sent once a request."
        ),
        "schema": {
            "type": "string",
            "minLength": min_len,
            "maxLength": MAX_KEY_LEN.saturating_mul(2).saturating_add(2),
            "pattern": format!(
                r#"^(?:[!#-~][!-~]{{{},{}}}|"(?:[!#-\[\]-~]|\\["\\]){{{min_len},{MAX_KEY_LEN}}}")$"#,
                min_len.saturating_sub(1),
                MAX_KEY_LEN.saturating_sub(1)
            ),
            "examples": [example]
        }
    })
}

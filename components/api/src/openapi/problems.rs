//! The schemas of problems, and the responses that several operations have.

use domain::{Error, StoreError};
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::operation::{Answer, Example};
use super::schema::{ItemId, Money, OrderLine, Quantity, RefundedMoney, Stock};
use crate::code::Code;
use crate::problem::{MAX_ERRORS, Problem};

/// The component that describes problems with this code.
pub(crate) fn name(code: Code) -> String {
    format!("{code:?}Problem")
}

/// The schemas of all problems, by the names of their components.
pub(crate) fn schemas(generator: &mut SchemaGenerator) -> Vec<(String, Value)> {
    let own = Code::ALL.iter().map(|code| (name(*code), schema(*code, generator)));
    std::iter::once(("FieldError".to_owned(), field_error())).chain(own).collect()
}

fn field_error() -> Value {
    let place = |name: &str, schema: Value, title: &str| {
        json!({
            "type": "object",
            "properties": { name: schema, "detail": { "type": "string", "minLength": 1 } },
            "required": [name, "detail"],
            "additionalProperties": false,
            "title": title
        })
    };
    json!({
        "description": "One error in a request, and where it is: at a JSON pointer into the body (RFC 6901; the empty one is \
            the whole body), in a header, or in a parameter of the path or the query.",
        "oneOf": [
            place("pointer", json!({ "type": "string", "format": "json-pointer" }), "Error in the body"),
            place("header", json!({ "type": "string", "minLength": 1 }), "Error in a header"),
            place("parameter", json!({ "type": "string" }), "Error in a parameter")
        ]
    })
}

/// The whole of a problem in one schema, with a `type` beside each `const`: some generators of clients make no type of
/// a schema that narrows the members of a common one, nor of a `const` alone.
fn schema(code: Code, generator: &mut SchemaGenerator) -> Value {
    let (own, own_required) = members(code, generator);
    let mut properties = json!({
        "type": { "type": "string", "const": format!("urn:problem-type:{}", code.as_str()) },
        "title": { "type": "string", "const": code.title() },
        "status": { "type": "integer", "const": code.status().as_u16() },
        "detail": { "type": "string", "minLength": 1 },
        "code": { "type": "string", "const": code.as_str() }
    });
    if let Some(properties) = properties.as_object_mut() {
        properties.extend(own);
    }
    let required = ["type", "title", "status", "detail", "code"].into_iter().chain(own_required);
    json!({
        "description": code.description().trim(),
        "type": "object",
        "properties": properties,
        "required": required.collect::<Value>(),
        "additionalProperties": false
    })
}

/// The members that only problems with this code have, and which of them are always there. `From<Error> for Problem`
/// makes them; each of the examples below is compared with its schema.
fn members(code: Code, generator: &mut SchemaGenerator) -> (Map<String, Value>, Vec<&'static str>) {
    let item_id = generator.subschema_for::<ItemId>().to_value();
    let status =
        |statuses: &[&str]| json!({ "description": "The status of the order.", "type": "string", "enum": statuses });
    let (members, required): (Vec<(&str, Value)>, Vec<&'static str>) = match code {
        Code::ItemNotFound => (vec![("item_id", item_id)], vec![]),
        Code::InsufficientStock => {
            let requested =
                json!({ "type": "integer", "format": "int64", "minimum": 1, "maximum": domain::Stock::MAX });
            let available = generator.subschema_for::<Stock>().to_value();
            let members = vec![("item_id", item_id), ("available", available), ("requested", requested)];
            (members, vec!["item_id", "available", "requested"])
        }
        Code::QuantityAboveLimit => {
            let quantity = generator.subschema_for::<Quantity>().to_value();
            let members = vec![("item_id", item_id), ("max_per_order", quantity.clone()), ("requested", quantity)];
            (members, vec!["item_id", "max_per_order", "requested"])
        }
        Code::PriceChanged => {
            let line = generator.subschema_for::<OrderLine>().to_value();
            let items = json!({
                "description": "Each item of the order once, at its price now.",
                "type": "array",
                "minItems": 1,
                "maxItems": domain::order::MAX_LINES,
                "items": line
            });
            let total = generator.subschema_for::<Money>().to_value();
            (vec![("items", items), ("total", total)], vec!["items", "total"])
        }
        Code::ItemExists | Code::ItemFull => (vec![("item_id", item_id)], vec!["item_id"]),
        Code::OrderNotPayable => {
            let status = status(&["placing", "cancelled", "expired", "rejected"]);
            (vec![("order_status", status)], vec!["order_status"])
        }
        Code::OrderNotCancellable => {
            let status = status(&["paid", "fulfilled", "refunded", "expired", "rejected"]);
            (vec![("order_status", status)], vec!["order_status"])
        }
        Code::OrderNotRefundable => {
            let status = status(&["pending", "paid", "fulfilled", "refunded", "cancelled", "expired", "rejected"]);
            (vec![("order_status", status)], vec!["order_status"])
        }
        Code::RefundExceedsPayment => {
            let money = generator.subschema_for::<Money>().to_value();
            let requested = generator.subschema_for::<RefundedMoney>().to_value();
            (vec![("requested", requested), ("refundable", money)], vec!["requested", "refundable"])
        }
        Code::RefundExceedsSale => {
            let units = json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": domain::Quantity::MAX });
            let quantity = generator.subschema_for::<Quantity>().to_value();
            let members =
                vec![("item_id", item_id), ("requested", quantity), ("refundable", units.clone()), ("sold", units)];
            (members, vec!["item_id", "requested", "refundable", "sold"])
        }
        Code::OrderNotReturnable => {
            let status = status(&["pending", "cancelled", "expired", "rejected"]);
            (vec![("order_status", status)], vec!["order_status"])
        }
        Code::OrderNotFulfillable => {
            let status = status(&["pending", "paid", "refunded", "cancelled", "expired", "rejected"]);
            (vec![("order_status", status)], vec!["order_status"])
        }
        Code::ReturnExceedsSale => {
            let units = json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": domain::Quantity::MAX });
            let quantity = generator.subschema_for::<Quantity>().to_value();
            let members =
                vec![("item_id", item_id), ("requested", quantity), ("returnable", units.clone()), ("sold", units)];
            (members, vec!["item_id", "requested", "returnable", "sold"])
        }
        Code::InvalidRequest | Code::MalformedHeader | Code::UnsupportedHeader => {
            let error = json!({ "$ref": "#/components/schemas/FieldError" });
            let errors = json!({ "type": "array", "minItems": 1, "maxItems": MAX_ERRORS, "items": error });
            (vec![("errors", errors)], vec!["errors"])
        }
        Code::AmountMismatch => {
            let total = generator.subschema_for::<Money>().to_value();
            let error = json!({
                "type": "object",
                "properties": {
                    "pointer": { "type": "string", "const": "/amount" },
                    "detail": { "type": "string", "minLength": 1 }
                },
                "required": ["pointer", "detail"],
                "additionalProperties": false
            });
            let errors = json!({ "type": "array", "minItems": 1, "maxItems": 1, "items": error });
            (vec![("total", total), ("errors", errors)], vec!["total", "errors"])
        }
        _ => (vec![], vec![]),
    };
    (members.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect(), required)
}

fn example(name: &'static str, summary: &'static str, problem: impl Into<Problem>) -> serde_json::Result<Example> {
    Example::problem(name, summary, problem)
}

/// The responses that several operations have, by the names of their components.
pub(crate) fn responses() -> serde_json::Result<Vec<(&'static str, Answer)>> {
    let malformed = |body: &[u8]| crate::body::order(body).err().unwrap_or_else(Problem::body_incomplete);
    let header = || example("MalformedHeader", "A header of other bytes", Problem::malformed_header("x-request-id"));
    let timeout = crate::BODY_TIMEOUT.as_secs();
    let unavailable = || {
        let reason = "its swap reports failure although it swaps".to_owned();
        Ok::<_, serde_json::Error>([
            example("StoreUnavailable", "The store is down", Error::Store(StoreError::Unavailable(String::new())))?,
            example(
                "StoreUnsuitable",
                "The store has no compare-and-swap",
                Error::Store(StoreError::ContractViolation(reason)),
            )?,
            example("Misconfigured", "A variable makes no sense", Problem::misconfigured(&""))?,
        ])
    };
    let of_provider = [
        example("PaymentProviderUnavailable", "No answer in time", Error::ProviderUnavailable(String::new()))?,
        example("Busy", "Too many at once", Error::Contended)?,
    ];
    let store_full = || example("StoreFull", "The store has no room", Error::Store(StoreError::Full(String::new())));
    let of_store = [Code::StoreUnavailable, Code::StoreUnsuitable, Code::Misconfigured];
    let all = [[Code::Busy].as_slice(), &of_store].concat();
    let mut of_all = vec![example("Busy", "Too many at once", Error::Contended)?];
    of_all.extend(unavailable()?);
    Ok(vec![
        (
            "PutMalformed",
            Answer::problem(
                "The body is not JSON, a header is not UTF-8, or a part of an item is to be put.",
                &[Code::MalformedJson, Code::MalformedHeader, Code::UnsupportedHeader],
                [
                    header()?,
                    example("PartOfAnItem", "With `content-range`", Problem::no_parts())?,
                    example("ItemMalformed", "The body ends in the middle", malformed(br#"{"unit_price":"#))?,
                ],
            ),
        ),
        (
            "NotAcceptable",
            Answer::problem(
                "The client does not take the type of the answer, by `accept`, or none without compression, by \
                 `accept-encoding`.",
                &[Code::NotAcceptable],
                [example("NotAcceptable", "Only HTML is accepted", Problem::not_acceptable(crate::negotiation::JSON))?],
            ),
        ),
        (
            "PreconditionFailed",
            Answer::problem(
                "What the request is about has another tag by now. Nothing was changed.",
                &[Code::PreconditionFailed],
                [example("PreconditionFailed", "An order that was paid since", Problem::precondition_failed())?],
            ),
        ),
        (
            "ExpectationFailed",
            Answer::problem(
                "The client expects something else than `100-continue`.",
                &[Code::ExpectationFailed],
                [example("ExpectationFailed", "An unknown expectation", Problem::expectation_failed())?],
            ),
        ),
        ("MalformedHeader", Answer::problem("A header is not UTF-8.", &[Code::MalformedHeader], [header()?])),
        (
            "MalformedJson",
            Answer::problem(
                "The body is not JSON, or a header is not UTF-8.",
                &[Code::MalformedJson, Code::MalformedHeader],
                [
                    header()?,
                    example(
                        "MalformedJson",
                        "The body ends in the middle",
                        malformed(br#"{"item_id":"item1","quantity":"#),
                    )?,
                    example(
                        "NameTwice",
                        "Duplicate object key",
                        malformed(br#"{"item_id":"item1","quantity":1,"quantity":2}"#),
                    )?,
                ],
            ),
        ),
        (
            "Unauthorized",
            Answer::problem(
                "The operator's token is missing or wrong.",
                &[Code::Unauthorized],
                [example("Unauthorized", "No token, or a wrong one", Problem::unauthorized())?],
            )
            .headers(["WwwAuthenticate"]),
        ),
        (
            "OperatorDisabled",
            Answer::problem(
                "The shop has no operator.",
                &[Code::OperatorDisabled],
                [example("OperatorDisabled", "The shop has no operator", Problem::operator_disabled())?],
            ),
        ),
        (
            "NotFound",
            Answer::problem(
                "Nothing is at this path. Any path that is not in this document answers so.",
                &[Code::NotFound],
                [example("NotFound", "No such path", Problem::not_found())?],
            ),
        ),
        (
            "OrderNotFound",
            Answer::problem(
                "There is no such order.",
                &[Code::OrderNotFound],
                [example("OrderNotFound", "No such order", Error::OrderNotFound)?],
            ),
        ),
        (
            "ItemNotFound",
            Answer::problem(
                "There is no such item.",
                &[Code::ItemNotFound],
                [
                    example(
                        "ItemNotFound",
                        "No such item",
                        Error::ItemNotFound(serde_json::from_value("no-such-item".into())?),
                    )?,
                    example("NoItemId", "No item has an invalid id", Problem::no_such_item())?,
                ],
            ),
        ),
        (
            "MethodNotAllowed",
            Answer::problem(
                "The path does not take this method. Any method that is not in this document answers so, `HEAD` and \
                 `OPTIONS` excepted.",
                &[Code::MethodNotAllowed],
                [example(
                    "MethodNotAllowed",
                    "Items cannot be deleted",
                    Problem::method_not_allowed(crate::Route::Item("").allow()),
                )?],
            )
            .headers(["Allow"]),
        ),
        (
            "RequestTimeout",
            Answer::problem(
                format!("The body took longer than {timeout} seconds to arrive."),
                &[Code::RequestTimeout],
                [example("RequestTimeout", "30 seconds are over", Problem::body_late())?],
            ),
        ),
        (
            "BodyTooLarge",
            Answer::problem(
                "The body has more than 65,536 bytes.",
                &[Code::BodyTooLarge],
                [example("BodyTooLarge", "70,000 bytes", Problem::body_too_large())?],
            ),
        ),
        (
            "UnsupportedMediaType",
            Answer::problem(
                "The body is not said to be JSON, or is compressed.",
                &[Code::UnsupportedMediaType, Code::UnsupportedContentCoding],
                [
                    example("UnsupportedMediaType", "Not said to be JSON", Problem::unsupported_media_type())?,
                    example("UnsupportedContentCoding", "Compressed", Problem::unsupported_content_coding())?,
                ],
            )
            .headers(["Accept", "AcceptEncoding"]),
        ),
        (
            "UnreadableRecord",
            Answer::problem(
                "A record is damaged. It was left as it is.",
                &[Code::UnreadableRecord],
                [example(
                    "UnreadableRecord",
                    "A damaged record",
                    Error::Unreadable { key: String::new(), reason: String::new() },
                )?],
            ),
        ),
        (
            "Unavailable",
            Answer::problem(
                "Not now. Sending the request again is safe, with its idempotency key if it had one.",
                &all,
                of_all,
            )
            .headers(["RetryAfter"]),
        ),
        (
            "ProviderUnavailable",
            Answer::problem(
                "Not now, or the payment provider does not answer. Sending the request again is safe.",
                &[[Code::Busy, Code::PaymentProviderUnavailable].as_slice(), &of_store].concat(),
                of_provider.into_iter().chain(unavailable()?),
            )
            .headers(["RetryAfter"]),
        ),
        (
            "PaymentProviderError",
            Answer::problem(
                "The payment provider refuses, or its answer makes no sense. The order keeps its goods. The log says more.",
                &[Code::PaymentProviderError],
                [
                    example("PaymentProviderRefuses", "It refuses", Error::ProviderRefused(String::new()))?,
                    example("PaymentProviderNonsense", "It makes no sense", Error::ProviderNonsense(String::new()))?,
                ],
            ),
        ),
        (
            "Full",
            Answer::problem(
                "A record or the store has no room for more. Nothing was changed, and a repeat is refused too.",
                &[Code::ItemFull, Code::CatalogFull, Code::StoreFull],
                [
                    example(
                        "ItemFull",
                        "As many unpaid orders as an item can have",
                        Error::ItemFull(serde_json::from_value("item1".into())?),
                    )?,
                    example("CatalogFull", "As many items as a shop can list", Error::CatalogFull)?,
                    store_full()?,
                ],
            ),
        ),
        (
            "StoreFull",
            Answer::problem(
                "The store has no room for what this request has to write. Nothing was changed.",
                &[Code::StoreFull],
                [store_full()?],
            ),
        ),
        (
            "StoreUnavailable",
            Answer::problem(
                "Not now: something is wrong with the store or the configuration.",
                &of_store,
                unavailable()?,
            )
            .headers(["RetryAfter"]),
        ),
    ])
}

//! The schemas of values: ids, amounts, times. Domain types have none of their own, since the domain knows no JSON
//! schema; their limits come from the domain's constants, or are compared with its parsers in tests/checks.

use std::borrow::Cow;

use domain::fulfilment::{MAX_SHIPMENT_TEXT, MAX_TRACKING_URL};
use domain::{
    ImageUrl as DomainImageUrl, ItemName as DomainItemName, Money as DomainMoney, OrderEvent,
    Quantity as DomainQuantity, Stock as DomainStock,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::body::MAX_REASON_LEN;
use crate::listing::STATUSES;

/// What `domain::text::is_plain` takes.
const PLAIN_TEXT: &str =
    "^[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff]*$";

/// The same with a character that `domain::text::is_blank` does not take.
const SEEN_TEXT: &str = concat!(
    "^[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff]*",
    "[^\\u0000-\\u0020\\u007f-\\u00a0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180b-\\u180f",
    "\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u2800\\u3000\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0]",
    "[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff]*$"
);

/// Makes a type for each schema. Its comment is the description.
macro_rules! schemas {
    ($($(#[doc = $description:literal])+ $name:ident = { $($json:tt)* };)+) => {$(
        $(#[doc = $description])+
        pub(crate) enum $name {}

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "description": concat!($($description),+).trim(), $($json)* })
            }
        }
    )+};
}

/// As [`schemas!`], for schemas that are written out where they are used.
macro_rules! inline_schemas {
    ($($(#[$comment:meta])+ $name:ident = { $($json:tt)* };)+) => {$(
        $(#[$comment])+
        pub(crate) enum $name {}

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ $($json)* })
            }
        }
    )+};
}

schemas! {
    /// The id of an order: a random UUID in lower case. A client that knows it may read, pay and cancel the order, so keep it
    /// as you would a password.
    OrderId = {
        "type": "string",
        "format": "uuid",
        "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        "examples": ["a51dee89-7e11-4f02-a419-92ca47ab279f"]
    };
    /// The id of an item.
    ItemId = {
        "type": "string",
        "minLength": 1,
        "maxLength": 64,
        "pattern": "^[A-Za-z0-9._-]+$",
        "not": { "enum": [".", ".."] },
        "examples": ["item1", "teapot"]
    };
    /// What people call an item. The characters are those of a `CustomerId`, and not all of them are blank.
    ItemName = {
        "type": "string",
        "minLength": 1,
        "maxLength": DomainItemName::MAX_LEN,
        "pattern": SEEN_TEXT,
        "examples": ["Teapot, blue"]
    };
    /// Where there is a picture of an item: an `https` URL of ASCII characters without a login and a fragment, or an `http`
    /// one on the same machine.
    ImageUrl = {
        "type": "string",
        "format": "uri",
        "minLength": 1,
        "maxLength": DomainImageUrl::MAX_LEN,
        "pattern": "^https?://[!$-;=?-\\[\\]_a-z~]+$",
        "examples": ["https://shop.example/teapot.jpg"]
    };
    /// Who orders, in the caller's own terms. No control characters, and none that turn the direction of text. An order of an
    /// earlier version may have them.
    CustomerId = {
        "type": "string",
        "minLength": 1,
        "maxLength": 128,
        "pattern": PLAIN_TEXT,
        "examples": ["anna"]
    };
    /// As `CustomerId`, of any characters: that is how an order of an earlier version may have it.
    RecordedCustomerId = { "type": "string", "minLength": 1, "maxLength": 128, "examples": ["anna"] };
    /// By which means an order is paid, in the caller's own terms. It is `unspecified` where the request named none.
    PaymentMethod = {
        "type": "string",
        "minLength": 1,
        "maxLength": 32,
        "pattern": "^[a-z0-9_-]+$",
        "examples": ["card"]
    };
    /// A page of the payment provider.
    PaymentUrl = {
        "type": "string",
        "format": "uri",
        "minLength": 1,
        "examples": ["https://checkout.stripe.com/c/pay/cs_test_a1b2c3"]
    };
    /// An amount in minor units (cents, fen) of the shop's currency.
    Money = {
        "type": "integer",
        "format": "int64",
        "minimum": DomainMoney::MIN,
        "maximum": DomainMoney::MAX,
        "examples": [2000]
    };
    /// An amount that is given back, in minor units of the shop's currency.
    RefundedMoney = {
        "type": "integer",
        "format": "int64",
        "minimum": 1,
        "maximum": DomainMoney::MAX,
        "examples": [1000]
    };
    /// The shop's name of a refund. The payment provider has it in its metadata.
    RefundId = { "type": "string", "minLength": 1, "maxLength": 255, "examples": ["refund-6f1ed002ab5595859014ebf0951522d9"] };
    /// What one unit is expected to cost: if it costs something else, the order is refused as `price_changed`.
    ExpectedPrice = {
        "type": "integer",
        "format": "int64",
        "minimum": DomainMoney::MIN,
        "maximum": DomainMoney::MAX,
        "examples": [1000]
    };
    /// What the order is expected to cost: if it costs something else, it is refused as `price_changed`.
    ExpectedTotal = {
        "type": "integer",
        "format": "int64",
        "minimum": DomainMoney::MIN,
        "maximum": DomainMoney::MAX,
        "examples": [2000]
    };
    /// The ISO 4217 code of the currency.
    Currency = { "type": "string", "pattern": "^[A-Z]{3}$", "examples": ["CNY"] };
    /// How many decimal places the minor unit of the currency has, by ISO 4217: with 2 an amount of 2000 is 20.00, with 0
    /// it is 2000. An order that an earlier version took in what is no currency does not say it.
    CurrencyDigits = { "type": "integer", "minimum": 0, "maximum": 4, "examples": [2] };
    /// How many units of an item.
    Quantity = {
        "type": "integer",
        "format": "int32",
        "minimum": DomainQuantity::MIN,
        "maximum": DomainQuantity::MAX,
        "examples": [2]
    };
    /// How many units of an item there are.
    Stock = {
        "type": "integer",
        "format": "int64",
        "minimum": DomainStock::MIN,
        "maximum": DomainStock::MAX,
        "examples": [100]
    };
    /// By how much stock changes: added if positive, taken if negative, never 0.
    Delta = {
        "type": "integer",
        "format": "int64",
        "minimum": i64::try_from(DomainStock::MAX).unwrap_or(i64::MAX).saturating_neg(),
        "maximum": DomainStock::MAX,
        "not": { "const": 0 },
        "examples": [-3]
    };
    /// Why stock is adjusted, or goods came back, in the operator's words. The characters are those of a `CustomerId`.
    Reason = { "type": "string", "maxLength": MAX_REASON_LEN, "pattern": PLAIN_TEXT, "examples": ["damaged"] };
    /// Why stock was adjusted, in the operator's words. One that an earlier version took has any characters.
    RecordedReason = { "type": "string", "maxLength": MAX_REASON_LEN, "examples": ["damaged"] };
    /// The name of a return. It follows from its order and idempotency key.
    ReturnId = { "type": "string", "pattern": "^[0-9a-f]{32}$", "examples": ["6f1ed002ab5595859014ebf0951522d9"] };
    /// Where goods go that come back: into `stock`, where they can be sold again, or they are `written_off`.
    Destination = { "type": "string", "enum": ["stock", "written_off"], "examples": ["stock"] };
    /// A name in the operator's words. The characters are those of a `CustomerId`.
    ShipmentText = {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_SHIPMENT_TEXT,
        "pattern": PLAIN_TEXT,
        "examples": ["DHL"]
    };
    /// The page where the buyer sees how far the goods have come: `https://`, a host, and what follows.
    TrackingUrl = {
        "type": "string",
        "maxLength": MAX_TRACKING_URL,
        "pattern": "^https://[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*(:[0-9]{1,5})?([/?#][A-Za-z0-9._~:/?#@!$&'()*+,;=%-]*)?$",
        "examples": ["https://track.example/00340434161094042557"]
    };
    /// A moment in UTC, to the millisecond.
    Time = {
        "type": "string",
        "format": "date-time",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
        "examples": ["2026-11-25T22:03:05.493Z"]
    };
    /// `placing`: not every line is held yet, for a moment. `pending`: its goods are held, it waits for payment.
    /// `paid`: sold, and its goods are to go out. `fulfilled`: paid, and its goods went out. `refunded`: paid, and all of that
    /// was given back or is on its way, whether its goods went out or not. `cancelled`, `expired` (not paid in time),
    /// `rejected` (too little stock for one of its lines, or another price): nothing is held any more.
    OrderStatus = { "type": "string", "enum": STATUSES, "examples": ["paid"] };
    /// The process answers.
    Health = {
        "type": "object",
        "properties": { "status": { "type": "string", "const": "ok" } },
        "required": ["status"]
    };
    /// The store is there and keeps its promises, or has no room for another order. Then what is there can still be paid,
    /// cancelled and read.
    Readiness = {
        "type": "object",
        "properties": { "status": { "type": "string", "enum": ["ready", "cannot_sell"] } },
        "required": ["status"]
    };
}

inline_schemas! {
    /// The cursor of a page.
    Cursor = { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9-]+$" };
    /// A count without a limit of its own.
    Count = { "type": "integer", "format": "int64", "minimum": 0 };
    /// A count that is absent instead of 0.
    PositiveCount = { "type": "integer", "minimum": 1 };
    /// The name of an order's event.
    OrderEventName = {
        "type": "string",
        "enum": [
            OrderEvent::Placed.name(), OrderEvent::Paid.name(), OrderEvent::Cancelled.name(), OrderEvent::Expired.name(),
            OrderEvent::Rejected.name(), OrderEvent::RefundingLate.name(), OrderEvent::RefundedLate.name(),
            OrderEvent::LateRefundFailed.name(), OrderEvent::Fulfilled.name(), OrderEvent::Delivered.name(),
            "refunding", "refunded", "refund_failed", "returned", "written_off", "disputed", "dispute_won",
            "dispute_lost"
        ]
    };
    /// How far the payment of an order has come.
    PaymentStatus = {
        "type": "string",
        "description": "How far the payment of an order has come.",
        "enum": ["paid", "at_provider", "open", "processing"]
    };
    /// What a refund gives back.
    RefundOf = {
        "type": "string",
        "description": "`payment`: of what was paid for the order. `late_charge`: a charge that did not pay it.",
        "enum": ["payment", "late_charge"]
    };
    /// How far a refund has come.
    RefundStatus = {
        "type": "string",
        "description": "How far a refund has come.",
        "enum": ["pending", "succeeded", "failed"],
        "examples": ["pending"]
    };
    /// How far a dispute has come.
    DisputeStatus = {
        "type": "string",
        "description": "How far a dispute has come. `won`: the money stays with the shop. `lost`: the buyer has it.",
        "enum": ["open", "won", "lost"]
    };
    /// A payment provider.
    ProviderName = { "type": "string", "description": "A payment provider.", "enum": ["stripe"] };
    /// Who takes the money.
    ProviderOfShop = {
        "type": "string",
        "description": "Who takes the money. `none`: payments are recorded, and no money moves.",
        "enum": ["none", "stripe"]
    };
    /// The name of an item's event: there is one kind.
    Adjusted = { "type": "string", "const": "adjusted" };
    /// This document.
    Document = {
        "type": "object",
        "properties": {
            "openapi": { "type": "string", "pattern": "^3\\.1\\.[0-9]+$" },
            "info": { "type": "object" },
            "paths": { "type": "object" },
            "components": { "type": "object" }
        },
        "required": ["openapi", "info", "paths", "components"]
    };
    /// A text without a form of its own.
    Text = { "type": "string" };
    /// An event of the payment provider, in its own form.
    Event = { "type": "object" };
    /// The text that has each order as JSON in a line.
    OrderLines = { "description": "An order a line, each as in the JSON; and a line with `unreadable_orders` and `unreadable_entries` \
            where some cannot be read.", "type": "string" };
}

/// One item of an order, with the price and the name that it had when the order was placed.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the schema of the domain's `Line`, which is served as it is")]
pub(crate) struct OrderLine {
    #[schemars(with = "ItemId")]
    item_id: domain::ItemId,
    #[schemars(with = "Quantity")]
    quantity: DomainQuantity,
    #[schemars(with = "Money")]
    unit_price: DomainMoney,
    #[schemars(with = "Option<ItemName>", skip_serializing_if = "Option::is_none")]
    name: Option<DomainItemName>,
}

//! Request bodies into types of the domain. All errors of a body are collected, each with its JSON pointer.

#[cfg(feature = "openapi")]
use crate::openapi::schema;
use crate::problem::{FieldError, Problem};
use domain::after_sale::{Destination, ReturnedGoods};
use domain::fulfilment::{Carrier, Shipment, TrackingNumber, TrackingUrl};
use domain::item::{Change, Offer};
use domain::order::{ExpectedPrices, Lines, LinesError, MAX_LINES, NewOrder};
use domain::refund::{NewRefund, RefundOf};
use domain::text::{Reason, is_plain};
use domain::{CustomerId, Delta, ImageUrl, InvalidDelta, ItemId, ItemName, Money, PaymentMethod, Quantity, Stock};
use plain_json::{Json, Object};
#[cfg(feature = "openapi")]
use schemars::JsonSchema;

/// The longest reason for an adjustment, in characters: at most 1,024 bytes.
pub(crate) const MAX_REASON_LEN: usize = 256;

/// What goods that come back are, of an item.
const RETURN_LINE_FIELDS: [&str; 2] = ["item_id", "quantity"];

/// What a line of an order may have.
const LINE_FIELDS: [&str; 3] = ["item_id", "quantity", "unit_price"];

/// How an order is paid. An amount, if given, must be the total of the order.
#[derive(Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "PaymentRequest"))]
pub(crate) struct Payment {
    #[cfg_attr(
        feature = "openapi",
        schemars(with = "Option<schema::PaymentMethod>", skip_serializing_if = "Option::is_none")
    )]
    pub(crate) method: Option<PaymentMethod>,
    #[cfg_attr(feature = "openapi", schemars(with = "Option<schema::Money>", skip_serializing_if = "Option::is_none"))]
    pub(crate) amount: Option<Money>,
}

/// A new item, or another price, limit, name or image for an existing one. Only a new item takes `on_hand`, which is 0 by
/// default.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "ItemRequest"))]
pub(crate) struct NewItem {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Money"))]
    pub(crate) unit_price: Money,
    #[cfg_attr(feature = "openapi", schemars(with = "Option<schema::Stock>", skip_serializing_if = "Option::is_none"))]
    pub(crate) on_hand: Option<Stock>,
    /// The most of the item in one order, in place of the limit for all items. Null takes it away; without the member it
    /// stays as it is.
    #[cfg_attr(
        feature = "openapi",
        schemars(with = "Option<schema::Quantity>", skip_serializing_if = "Option::is_none")
    )]
    pub(crate) max_per_order: Change<Quantity>,
    /// What people call the item. Null takes it away; without the member it stays as it is.
    #[cfg_attr(
        feature = "openapi",
        schemars(with = "Option<schema::ItemName>", skip_serializing_if = "Option::is_none")
    )]
    pub(crate) name: Change<ItemName>,
    /// Where there is a picture of the item. Null takes it away; without the member it stays as it is.
    #[cfg_attr(
        feature = "openapi",
        schemars(with = "Option<schema::ImageUrl>", skip_serializing_if = "Option::is_none")
    )]
    pub(crate) image: Change<ImageUrl>,
}

impl NewItem {
    /// How the item is offered, and what there is of it.
    pub(crate) fn offer(self) -> (Offer, Option<Stock>) {
        let Self { unit_price, on_hand, max_per_order, name, image } = self;
        (Offer { unit_price, max_per_order, name, image }, on_hand)
    }
}

/// A change of stock.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "AdjustmentRequest"))]
pub(crate) struct Adjustment {
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Delta"))]
    pub(crate) delta: Delta,
    /// Empty by default.
    #[cfg_attr(
        feature = "openapi",
        schemars(with = "Option<schema::Reason>", skip_serializing_if = "String::is_empty")
    )]
    pub(crate) reason: String,
}

/// One line of an order: the item, how many of it, and what one is expected to cost.
type OrderLine = (ItemId, Quantity, Option<Money>);

/// Reads the body of `POST /orders`: `{"items":[{"item_id":"item1","quantity":2}],"customer_id":"…"}`, or short, for
/// one line, `{"item_id":"item1","quantity":2,"customer_id":"…"}`. A line may have a `unit_price`, the order a `total`.
pub(crate) fn order(json: &[u8]) -> Result<NewOrder, Problem> {
    read(json, |object| {
        object.deny_unknown_fields(&["items", "item_id", "quantity", "unit_price", "total", "customer_id"]);
        let line = LINE_FIELDS.into_iter().filter(|name| object.has(name)).collect::<Vec<_>>();
        // A null is as if it were not there, but where it is all that there is, it is the mistake.
        let short = !object.has("items") && (!line.is_empty() || !object.object.contains_key("items"));
        let lines = if short {
            object.line().map(|line| vec![line])
        } else {
            line.into_iter().for_each(|name| object.error(name, "unknown field"));
            object.items(&LINE_FIELDS)
        };
        let customer_id = object.optional("customer_id", text::<CustomerId>);
        let total = object.optional("total", whole::<Money>);
        let lines = lines?;
        let units = lines.iter().filter_map(|(item_id, _, price)| Some((item_id.clone(), (*price)?))).collect();
        let lines = object.added_up(lines);
        let expected = ExpectedPrices { units, total: total? };
        Some(NewOrder { lines: lines?, customer_id: customer_id?, expected })
    })
}

/// Reads the body of `POST /orders/{order_id}/pay`.
pub(crate) fn payment(json: &[u8]) -> Result<Payment, Problem> {
    read(json, |object| {
        object.deny_unknown_fields(&["method", "amount"]);
        let method = object.optional("method", text::<PaymentMethod>);
        let amount = object.optional("amount", whole::<Money>);
        Some(Payment { method: method?, amount: amount? })
    })
}

/// Reads the body of `PUT /inventory/{item_id}`.
pub(crate) fn item(json: &[u8]) -> Result<NewItem, Problem> {
    read(json, |object| {
        object.deny_unknown_fields(&["unit_price", "on_hand", "max_per_order", "name", "image"]);
        let unit_price = object.required("unit_price", whole::<Money>);
        let on_hand = object.optional("on_hand", whole::<Stock>);
        let max_per_order = object.change("max_per_order", whole::<Quantity>);
        let name = object.change("name", text::<ItemName>);
        let image = object.change("image", text::<ImageUrl>);
        Some(NewItem {
            unit_price: unit_price?,
            on_hand: on_hand?,
            max_per_order: max_per_order?,
            name: name?,
            image: image?,
        })
    })
}

/// Reads the body of `POST /inventory/{item_id}/adjustments`.
pub(crate) fn adjustment(json: &[u8]) -> Result<Adjustment, Problem> {
    read(json, |object| {
        object.deny_unknown_fields(&["delta", "reason"]);
        let delta = object.required("delta", |value| {
            let number = value.as_signed();
            number.ok_or(InvalidDelta).and_then(Delta::try_from).map_err(|error| error.to_string())
        });
        let reason = object.optional("reason", |value| {
            let sound = |reason: &&str| reason.chars().count() <= MAX_REASON_LEN && is_plain(reason);
            value.as_text().filter(sound).map(str::to_owned).ok_or_else(|| {
                format!(
                    "must be a string of at most {MAX_REASON_LEN} characters, none of them a control character or one \
                         that turns the direction of text"
                )
            })
        });
        Some(Adjustment { delta: delta?, reason: reason?.unwrap_or_default() })
    })
}

/// How goods go out, and whether the buyer has them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fulfilment {
    pub(crate) shipment: Shipment,
    pub(crate) delivered: bool,
}

/// Reads the body of `POST /orders/{order_id}/returns`.
pub(crate) fn returned_goods(json: &[u8]) -> Result<ReturnedGoods, Problem> {
    read(json, |object| {
        object.deny_unknown_fields(&["items", "to", "reason"]);
        let lines = object.items(&RETURN_LINE_FIELDS).and_then(|lines| object.added_up(lines));
        let to = object.optional("to", |value| match value {
            Json::Text(text) if text == "stock" => Ok(Destination::Stock),
            Json::Text(text) if text == "written_off" => Ok(Destination::WrittenOff),
            _ => Err("must be stock or written_off".to_owned()),
        });
        let reason = object.optional("reason", text::<Reason>);
        let (to, reason) = (to?.unwrap_or(Destination::Stock), reason?.unwrap_or_default());
        Some(ReturnedGoods { lines: lines?, to, reason })
    })
}

/// Reads the body of `POST /orders/{order_id}/refunds`: an `amount`, or `items`, or neither for all that is left.
pub(crate) fn refund(json: &[u8]) -> Result<NewRefund, Problem> {
    read(json, |object| {
        object.deny_unknown_fields(&["amount", "items", "restock", "reason"]);
        // Null is no way to say "all that is left": a client whose amount got lost does not mean that.
        let amount = object.given("amount", |value| match whole::<Money>(value) {
            Ok(amount) if amount > Money::ZERO => Ok(amount),
            _ => Err(format!("must be a whole number from 1 to {}", Money::MAX)),
        });
        let lines = if object.object.contains_key("items") {
            object.items(&RETURN_LINE_FIELDS).and_then(|lines| object.added_up(lines)).map(Some)
        } else {
            Some(None)
        };
        let restock = object.optional("restock", flag);
        let reason = object.optional("reason", text::<Reason>);
        let (restock, reason) = (restock?.unwrap_or_default(), reason?.unwrap_or_default());
        let of = match (amount?, lines?) {
            (Some(_), Some(_)) => {
                object.error("items", "must not be given with an amount");
                return None;
            }
            (Some(_), None) if restock => {
                object.error("restock", "must not be true with an amount, which does not say what comes back");
                return None;
            }
            (Some(amount), None) => RefundOf::Amount(amount),
            (None, Some(lines)) => RefundOf::Items { lines, restock },
            (None, None) => RefundOf::Rest { restock },
        };
        Some(NewRefund { of, reason })
    })
}

/// Reads the body of `PUT /orders/{order_id}/fulfilment`.
pub(crate) fn fulfilment(json: &[u8]) -> Result<Fulfilment, Problem> {
    read(json, |object| {
        object.deny_unknown_fields(&["carrier", "tracking_number", "tracking_url", "delivered"]);
        let carrier = object.optional("carrier", text::<Carrier>);
        let tracking_number = object.optional("tracking_number", text::<TrackingNumber>);
        let tracking_url = object.optional("tracking_url", text::<TrackingUrl>);
        let delivered = object.optional("delivered", flag);
        let shipment = Shipment { carrier: carrier?, tracking_number: tracking_number?, tracking_url: tracking_url? };
        Some(Fulfilment { shipment, delivered: delivered?.unwrap_or_default() })
    })
}

/// Reads an object with `fields`, which returns `None` exactly if it has reported an error.
fn read<T>(json: &[u8], fields: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Result<T, Problem> {
    let value = Json::parse(json).map_err(|error| Problem::malformed_json(&error))?;
    let Json::Object(object) = value else {
        return Err(Problem::invalid(vec![FieldError::body(String::new(), "must be an object")]));
    };
    let mut errors = Vec::new();
    let result = fields(&mut Fields { object: &object, pointer: String::new(), errors: &mut errors });
    match result {
        Some(result) if errors.is_empty() => Ok(result),
        _ => Err(Problem::invalid(errors)),
    }
}

/// An object of the body, its JSON pointer, and the errors found so far.
struct Fields<'a> {
    object: &'a Object,
    pointer: String,
    errors: &'a mut Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// Whether a field is there: one that is null is as if it were not (the shop itself says `"customer_id":null`).
    fn has(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(|value| *value != Json::Null)
    }

    fn error(&mut self, name: &str, detail: impl ToString) {
        let name = name.replace('~', "~0").replace('/', "~1");
        self.errors.push(FieldError::body(format!("{}/{name}", self.pointer), detail));
    }

    fn deny_unknown_fields(&mut self, known: &[&str]) {
        for name in self.object.keys().filter(|name| !known.contains(&name.as_str())) {
            self.error(name, "unknown field");
        }
    }

    /// A required field; `None` if an error was reported.
    fn required<T>(&mut self, name: &str, take: impl FnOnce(&'a Json) -> Result<T, String>) -> Option<T> {
        match self.object.get(name) {
            Some(Json::Null) => {
                self.error(name, "is required, and must not be null");
                None
            }
            Some(value) => take(value).map_err(|detail| self.error(name, detail)).ok(),
            None => {
                self.error(name, "is required");
                None
            }
        }
    }

    /// An optional field, which may be null; the outer `None` if an error was reported.
    fn optional<T>(&mut self, name: &str, take: impl FnOnce(&'a Json) -> Result<T, String>) -> Option<Option<T>> {
        if self.has(name) { self.required(name, take).map(Some) } else { Some(None) }
    }

    /// An optional field, which must not be null; the outer `None` if an error was reported.
    fn given<T>(&mut self, name: &str, take: impl FnOnce(&'a Json) -> Result<T, String>) -> Option<Option<T>> {
        if self.object.contains_key(name) { self.required(name, take).map(Some) } else { Some(None) }
    }

    /// A field in which null says something, since without a way to say it what is there could not be taken away;
    /// `None` if an error was reported.
    fn change<T>(&mut self, name: &str, take: impl FnOnce(&'a Json) -> Result<T, String>) -> Option<Change<T>> {
        Some(match self.optional(name, take)? {
            Some(value) => Change::Set(value),
            None if self.object.contains_key(name) => Change::Remove,
            None => Change::Keep,
        })
    }

    fn line(&mut self) -> Option<OrderLine> {
        let item_id = self.required("item_id", text::<ItemId>);
        let quantity = self.required("quantity", whole::<Quantity>);
        let unit_price = self.optional("unit_price", whole::<Money>);
        Some((item_id?, quantity?, unit_price?))
    }

    /// The lines, of each item one.
    fn added_up(&mut self, lines: Vec<OrderLine>) -> Option<Lines> {
        let lines = Lines::new(lines.into_iter().map(|(item_id, quantity, _)| (item_id, quantity)));
        lines
            .map_err(|error| {
                let pointer = match error {
                    LinesError::Empty | LinesError::TooMany => "/items".to_owned(),
                    LinesError::TooMuch { line } => format!("/items/{line}/quantity"),
                };
                self.errors.push(FieldError::body(pointer, error));
            })
            .ok()
    }

    /// The lines, each with no other fields than these.
    fn items(&mut self, fields: &[&str]) -> Option<Vec<OrderLine>> {
        let items = self.required("items", |value| match value {
            Json::List(items) => Ok(items),
            _ => Err("must be an array".to_owned()),
        })?;
        let mut lines = Some(Vec::with_capacity(items.len().min(MAX_LINES)));
        // One more than allowed, so that `Lines` reports that there are too many.
        for (index, item) in items.iter().enumerate().take(MAX_LINES.saturating_add(1)) {
            let pointer = format!("/items/{index}");
            let line = match item {
                Json::Object(object) => {
                    let mut line = Fields { object, pointer, errors: self.errors };
                    line.deny_unknown_fields(fields);
                    line.line()
                }
                _ => {
                    self.errors.push(FieldError::body(pointer, "must be an object"));
                    None
                }
            };
            lines = lines.zip(line).map(|(mut lines, line)| {
                lines.push(line);
                lines
            });
        }
        lines
    }
}

fn flag(value: &Json) -> Result<bool, String> {
    match value {
        Json::Flag(flag) => Ok(*flag),
        _ => Err("must be true or false".to_owned()),
    }
}

/// A string that is a valid `T`.
fn text<T: TryFrom<String, Error: ToString>>(value: &Json) -> Result<T, String> {
    let text = value.as_text().ok_or("must be a string")?;
    T::try_from(text.to_owned()).map_err(|error| error.to_string())
}

/// An integer in the range of `T`.
fn whole<T: TryFrom<u64, Error: ToString>>(value: &Json) -> Result<T, String> {
    // u64::MAX is out of range for every `T`, so it stands for all values that are no u64.
    T::try_from(value.as_number().unwrap_or(u64::MAX)).map_err(|error| error.to_string())
}

/// One item of an order to be placed.
#[cfg(feature = "openapi")]
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the schema of what `order` reads")]
struct OrderRequestLine {
    #[schemars(with = "schema::ItemId")]
    item_id: ItemId,
    #[schemars(with = "schema::Quantity")]
    quantity: Quantity,
    #[schemars(with = "Option<schema::ExpectedPrice>", skip_serializing_if = "Option::is_none")]
    unit_price: Option<Money>,
}

/// An order with any number of lines. Lines of the same item are added up; the sum must be a quantity too.
#[cfg(feature = "openapi")]
#[derive(JsonSchema)]
#[schemars(title = "Order of several lines")]
#[expect(dead_code, reason = "the schema of what `order` reads")]
struct OrderRequestLong {
    #[schemars(extend("minItems" = 1, "maxItems" = MAX_LINES))]
    items: Vec<OrderRequestLine>,
    #[schemars(with = "Option<schema::ExpectedTotal>", skip_serializing_if = "Option::is_none")]
    total: Option<Money>,
    #[schemars(with = "Option<schema::CustomerId>", skip_serializing_if = "Option::is_none")]
    customer_id: Option<CustomerId>,
}

/// An order with one line, written short.
#[cfg(feature = "openapi")]
#[derive(JsonSchema)]
#[schemars(title = "Order of one line")]
#[expect(dead_code, reason = "the schema of what `order` reads")]
struct OrderRequestShort {
    #[schemars(with = "schema::ItemId")]
    item_id: ItemId,
    #[schemars(with = "schema::Quantity")]
    quantity: Quantity,
    #[schemars(with = "Option<schema::ExpectedPrice>", skip_serializing_if = "Option::is_none")]
    unit_price: Option<Money>,
    #[schemars(with = "Option<schema::ExpectedTotal>", skip_serializing_if = "Option::is_none")]
    total: Option<Money>,
    #[schemars(with = "Option<schema::CustomerId>", skip_serializing_if = "Option::is_none")]
    customer_id: Option<CustomerId>,
}

/// Goods that come back. Lines of the same item are added up.
#[cfg(feature = "openapi")]
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the schema of what `returned_goods` reads")]
pub(crate) struct ReturnRequest {
    #[schemars(extend("minItems" = 1, "maxItems" = MAX_LINES))]
    items: Vec<ReturnRequestLine>,
    /// Into stock by default.
    #[schemars(with = "Option<schema::Destination>", skip_serializing_if = "Option::is_none")]
    to: Option<Destination>,
    /// Why, in the operator's words: only the operator is told it. Empty by default.
    #[schemars(with = "Option<schema::Reason>", skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

/// Money that goes back: an `amount`, what `items` have cost, or all that is left where neither is given.
#[cfg(feature = "openapi")]
#[derive(JsonSchema)]
#[schemars(extend("not" = {
    "required": ["amount"],
    "anyOf": [
        { "required": ["items"] },
        { "required": ["restock"], "properties": { "restock": { "const": true } } }
    ]
}))]
#[expect(dead_code, reason = "the schema of what `refund` reads")]
pub(crate) struct RefundRequest {
    #[schemars(with = "schema::RefundedMoney", skip_serializing_if = "Option::is_none")]
    amount: Option<Money>,
    /// The price of each line when it was sold. Lines of the same item are added up.
    #[schemars(
        with = "Vec<ReturnRequestLine>",
        skip_serializing_if = "Option::is_none",
        extend("minItems" = 1, "maxItems" = MAX_LINES)
    )]
    items: Option<Vec<ReturnRequestLine>>,
    /// Whether the goods come back into stock with it: the `items`, or all that have not come back yet. Not with an
    /// `amount`. `false` by default.
    #[schemars(with = "Option<bool>", skip_serializing_if = "Option::is_none")]
    restock: Option<bool>,
    /// Why, in the operator's words: only the operator is told it. Empty by default.
    #[schemars(with = "Option<schema::Reason>", skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

/// How many of an item come back.
#[cfg(feature = "openapi")]
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the schema of what `returned_goods` reads")]
struct ReturnRequestLine {
    #[schemars(with = "schema::ItemId")]
    item_id: ItemId,
    #[schemars(with = "schema::Quantity")]
    quantity: Quantity,
}

/// How the goods of an order go out. What is left out is not known, or there is none.
#[cfg(feature = "openapi")]
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the schema of what `fulfilment` reads")]
pub(crate) struct FulfilmentRequest {
    /// Who brings them.
    #[schemars(with = "Option<schema::ShipmentText>", skip_serializing_if = "Option::is_none")]
    carrier: Option<Carrier>,
    /// What the carrier calls them.
    #[schemars(with = "Option<schema::ShipmentText>", skip_serializing_if = "Option::is_none")]
    tracking_number: Option<TrackingNumber>,
    #[schemars(with = "Option<schema::TrackingUrl>", skip_serializing_if = "Option::is_none")]
    tracking_url: Option<TrackingUrl>,
    /// Whether the buyer has them; `false` by default. Once it is said, the rest stays as it is.
    #[schemars(with = "Option<bool>", skip_serializing_if = "Option::is_none")]
    delivered: Option<bool>,
}

/// The body of `POST /orders`.
#[cfg(feature = "openapi")]
pub(crate) enum OrderRequest {}

#[cfg(feature = "openapi")]
impl JsonSchema for OrderRequest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OrderRequest".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let forms = [generator.subschema_for::<OrderRequestLong>(), generator.subschema_for::<OrderRequestShort>()];
        schemars::json_schema!({ "description": "What a customer wants.", "oneOf": forms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The errors of a problem, each as `pointer: detail`.
    fn errors<T: std::fmt::Debug>(result: Result<T, Problem>) -> Vec<String> {
        let reply = result.unwrap_err().into_reply();
        let problem: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        let errors = problem["errors"].as_array().unwrap().iter();
        errors
            .map(|error| format!("{}: {}", error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap()))
            .collect()
    }

    #[test]
    fn both_forms_of_an_order_are_the_same() {
        let short = order(br#"{"item_id":"a","quantity":3}"#).unwrap();
        let long = order(br#"{"items":[{"item_id":"a","quantity":1},{"item_id":"a","quantity":2}]}"#).unwrap();
        assert_eq!(short, long);
    }

    #[test]
    fn each_error_is_listed_with_its_place() {
        let body =
            br#"{"items":[{"item_id":"","quantity":1},{"item_id":"a","quantity":1.5,"a/b":0},7],"customer_id":""}"#;
        let mut errors = errors(order(body));
        errors.sort();
        assert_eq!(
            errors,
            [
                "/customer_id: must be 1 to 128 characters, none of them a control character or one that turns the direction \
                 of text",
                "/items/0/item_id: must be 1 to 64 of the characters A-Z a-z 0-9 . _ -, and not . or ..",
                "/items/1/a~1b: unknown field",
                "/items/1/quantity: must be a whole number from 1 to 1000000",
                "/items/2: must be an object",
            ]
        );
    }

    #[test]
    fn a_value_that_is_no_integer_in_range_is_refused() {
        for number in ["0", "-1", "1.5", "1e30", "1000000000000000000000000000000", "1000001", "\"1\"", "true"] {
            let body = format!(r#"{{"item_id":"a","quantity":{number}}}"#);
            let expected = ["/quantity: must be a whole number from 1 to 1000000"];
            assert_eq!(errors(order(body.as_bytes())), expected, "{number}");
        }
    }

    #[test]
    fn an_integer_is_one_however_it_is_written() {
        for number in ["2", "2.0", "2e0", "20e-1", "0.2E+1"] {
            let read = order(format!(r#"{{"item_id":"a","quantity":{number}}}"#).as_bytes()).unwrap();
            assert_eq!(read.lines.iter().next().unwrap().1.get(), 2, "{number}");
            assert_eq!(payment(format!(r#"{{"amount":{number}}}"#).as_bytes()).unwrap().amount.unwrap().get(), 2);
            let new = item(format!(r#"{{"unit_price":{number},"on_hand":{number}}}"#).as_bytes()).unwrap();
            assert_eq!((new.unit_price.get(), new.on_hand.unwrap().get()), (2, 2), "{number}");
            assert_eq!(adjustment(format!(r#"{{"delta":-{number}}}"#).as_bytes()).unwrap().delta.get(), -2);
        }
    }

    #[test]
    fn an_optional_field_that_is_null_is_as_if_it_were_not_there() {
        let plain = order(br#"{"item_id":"a","quantity":3}"#).unwrap();
        for body in [
            r#"{"item_id":"a","quantity":3,"customer_id":null}"#,
            r#"{"item_id":"a","quantity":3,"items":null}"#,
            r#"{"items":[{"item_id":"a","quantity":3}],"customer_id":null,"item_id":null,"quantity":null}"#,
        ] {
            assert_eq!(order(body.as_bytes()).unwrap(), plain, "{body}");
        }
        assert_eq!(payment(br#"{"method":null,"amount":null}"#).unwrap(), Payment::default());
        assert_eq!(item(br#"{"unit_price":1,"on_hand":null}"#).unwrap(), item(br#"{"unit_price":1}"#).unwrap());
        assert_eq!(adjustment(br#"{"delta":1,"reason":null}"#).unwrap(), adjustment(br#"{"delta":1}"#).unwrap());
    }

    #[test]
    fn a_required_field_that_is_null_is_named() {
        let detail = "is required, and must not be null";
        for (errors, places) in [
            (errors(order(br#"{"item_id":null,"quantity":1}"#)), vec!["/item_id"]),
            (errors(order(br#"{"item_id":"a","quantity":null}"#)), vec!["/quantity"]),
            (errors(order(br#"{"items":null}"#)), vec!["/items"]),
            (errors(order(br#"{"items":[{"item_id":"a","quantity":null}]}"#)), vec!["/items/0/quantity"]),
            (errors(item(br#"{"unit_price":null}"#)), vec!["/unit_price"]),
            (errors(adjustment(br#"{"delta":null}"#)), vec!["/delta"]),
        ] {
            let expected: Vec<_> = places.iter().map(|place| format!("{place}: {detail}")).collect();
            assert_eq!(errors, expected);
        }
        assert_eq!(errors(payment(br#"{"tip":null}"#)), ["/tip: unknown field"]);
    }

    #[test]
    fn a_text_of_others_has_no_characters_that_move_a_cursor_or_turn_the_direction_of_text() {
        let of_order = |text: &str| {
            let body = serde_json::json!({ "item_id": "a", "quantity": 1, "customer_id": text }).to_string();
            order(body.as_bytes()).map(drop)
        };
        let of_adjustment = |text: &str| {
            let body = serde_json::json!({ "delta": 1, "reason": text }).to_string();
            adjustment(body.as_bytes()).map(drop)
        };
        for text in [
            "Anna M\u{fc}ller",
            " \u{5f20}\u{4f1f}\u{a0}",
            "\u{6a9}\u{200c}\u{6a9}",
            "\u{1f468}\u{200d}\u{1f373}",
            "\u{e000}",
        ] {
            assert!(of_order(text).is_ok() && of_adjustment(text).is_ok(), "{text:?}");
        }
        let refused = "\0\t\n\r\u{1b}\u{7f}\u{80}\u{9b}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}\u{feff}";
        for character in refused.chars() {
            for text in [format!("a{character}b"), format!("{character}a"), character.to_string()] {
                for (errors, name) in
                    [(errors(of_order(&text)), "customer_id"), (errors(of_adjustment(&text)), "reason")]
                {
                    assert!(errors.len() == 1 && errors[0].starts_with(&format!("/{name}: must be ")), "{errors:?}");
                    assert!(errors[0].contains("none of them a control character"), "{text:?}: {errors:?}");
                }
            }
        }
        let (most, more) = ("\u{1f980}".repeat(128), "\u{1f980}".repeat(129));
        assert!(of_order(&most).is_ok() && of_order(&more).is_err() && of_order("").is_err());
        assert!(of_adjustment(&most.repeat(2)).is_ok() && of_adjustment(&format!("{}a", most.repeat(2))).is_err());
    }

    #[test]
    fn of_an_item_null_takes_away_and_what_is_not_there_stays() {
        let fields =
            |body: &str| item(body.as_bytes()).map(|item| (item.max_per_order, item.name, item.image)).unwrap();
        let (name, image) = ("Teapot".parse().unwrap(), "https://shop.example/1".parse().unwrap());
        let limit = Quantity::try_from(5).unwrap();
        assert_eq!(fields(r#"{"unit_price":1}"#), (Change::Keep, Change::Keep, Change::Keep));
        let set = r#"{"unit_price":1,"max_per_order":5,"name":"Teapot","image":"https://shop.example/1"}"#;
        assert_eq!(fields(set), (Change::Set(limit), Change::Set(name), Change::Set(image)));
        let remove = r#"{"unit_price":1,"max_per_order":null,"name":null,"image":null}"#;
        assert_eq!(fields(remove), (Change::Remove, Change::Remove, Change::Remove));
    }

    #[test]
    fn a_name_or_an_image_that_is_none_is_refused_beside_all_else_that_is_wrong() {
        let refused = |member: &str, value: serde_json::Value| {
            let mut body = serde_json::json!({ "unit_price": 1 });
            body[member] = value;
            errors(item(body.to_string().as_bytes()))
        };
        let name = "/name: must be 1 to 100 characters, not all of them blank, and none of them a control character or one \
                    that turns the direction of text";
        for value in ["", " ", "a\nb", "a\u{202e}b", "\u{200b}", &"a".repeat(101)] {
            assert_eq!(refused("name", value.into()), [name], "{value:?}");
        }
        let image = "/image: must be an https:// URL of at most 255 ASCII characters without a login and a fragment, or an \
                     http:// one on the same machine";
        for value in ["javascript:alert(1)", "data:,a", "http://shop.example/a", "//shop.example", "a.png", ""] {
            assert_eq!(refused("image", value.into()), [image], "{value:?}");
        }
        for value in ["1", "true", "[]", "{}", "1.5"] {
            let body = format!(r#"{{"on_hand":-1,"max_per_order":0,"name":{value},"image":{value},"picture":1}}"#);
            let mut found = errors(item(body.as_bytes()));
            found.sort();
            let expected = [
                "/image: must be a string",
                "/max_per_order: must be a whole number from 1 to 1000000",
                "/name: must be a string",
                "/on_hand: must be a whole number from 0 to 1000000000000",
                "/picture: unknown field",
                "/unit_price: is required",
            ];
            assert_eq!(found, expected, "{value}");
        }
    }

    #[test]
    fn a_duplicate_object_key_is_malformed_json() {
        let reply = order(br#"{"item_id":"a","quantity":1,"quantity":2}"#).unwrap_err().into_reply();
        assert_eq!(reply.status, http::StatusCode::BAD_REQUEST);
    }

    #[test]
    fn lines_are_counted_and_added_up() {
        let lines =
            |count: usize| format!(r#"{{"items":[{}]}}"#, vec![r#"{"item_id":"a","quantity":1}"#; count].join(","));
        assert!(order(lines(50).as_bytes()).is_ok());
        assert_eq!(errors(order(lines(51).as_bytes())), ["/items: must have at most 50 lines"]);
        assert_eq!(errors(order(lines(0).as_bytes())), ["/items: must have at least one line"]);
        let sum = br#"{"items":[{"item_id":"a","quantity":1000000},{"item_id":"a","quantity":1}]}"#;
        assert_eq!(errors(order(sum)), ["/items/1/quantity: the lines of this item add up to more than 1000000"]);
    }

    #[test]
    fn adjustments_are_whole_numbers_other_than_zero() {
        assert_eq!(adjustment(br#"{"delta":-3}"#).unwrap().delta.get(), -3);
        for delta in ["0", "0.5", "1e30", "1000000000001", "-9223372036854775808", "\"1\""] {
            let body = format!(r#"{{"delta":{delta}}}"#);
            assert_eq!(errors(adjustment(body.as_bytes())).len(), 1, "{delta}");
        }
        assert_eq!(errors(adjustment(b"{}")), ["/delta: is required"]);
    }
}

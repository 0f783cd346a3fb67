//! Bodies of requests into what the domain takes. Each mistake is named with the place where it was made.

use crate::json::{Json, Object};
use crate::problem::{Invalid, Problem};
use domain::order::{Lines, LinesError, MAX_LINES, NewOrder};
use domain::{CustomerId, Delta, InvalidDelta, ItemId, Money, PaymentMethod, Quantity, Stock};

/// The longest reason for an adjustment, in characters.
const MAX_REASON_LEN: usize = 256;

/// `{"method":"card","amount":2000}`, both optional.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) method: Option<PaymentMethod>,
    pub(crate) amount: Option<Money>,
}

/// `{"unit_price":1000,"on_hand":50}`, the latter optional.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NewItem {
    pub(crate) unit_price: Money,
    pub(crate) on_hand: Option<Stock>,
}

/// `{"delta":-3,"reason":"damaged"}`, the latter optional.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Adjustment {
    pub(crate) delta: Delta,
    pub(crate) reason: String,
}

/// An order: `{"items":[{"item_id":"item1","quantity":2}],"customer_id":"…"}`, or short, with one line, directly
/// `{"item_id":"item1","quantity":2}`.
pub(crate) fn order(json: &[u8]) -> Result<NewOrder, Problem> {
    read(json, |object| {
        let short = !object.has("items");
        let known: &[_] = if short { &["item_id", "quantity", "customer_id"] } else { &["items", "customer_id"] };
        object.refuse_others(known);
        let lines = if short { object.line().map(|line| vec![line]) } else { object.items() };
        let customer_id = object.optional("customer_id", text::<CustomerId>);
        let lines = Lines::new(lines?).map_err(|error| {
            let pointer = match error {
                LinesError::Empty | LinesError::TooMany => "/items".to_owned(),
                LinesError::TooMuch { line } => format!("/items/{line}/quantity"),
            };
            object.mistakes.push(Invalid::body(pointer, error));
        });
        Some(NewOrder { lines: lines.ok()?, customer_id: customer_id? })
    })
}

/// How an order is paid.
pub(crate) fn payment(json: &[u8]) -> Result<Payment, Problem> {
    read(json, |object| {
        object.refuse_others(&["method", "amount"]);
        let method = object.optional("method", text::<PaymentMethod>);
        let amount = object.optional("amount", whole::<Money>);
        Some(Payment { method: method?, amount: amount? })
    })
}

/// A new item, or a price.
pub(crate) fn item(json: &[u8]) -> Result<NewItem, Problem> {
    read(json, |object| {
        object.refuse_others(&["unit_price", "on_hand"]);
        let unit_price = object.required("unit_price", whole::<Money>);
        let on_hand = object.optional("on_hand", whole::<Stock>);
        Some(NewItem { unit_price: unit_price?, on_hand: on_hand? })
    })
}

/// An adjustment of stock.
pub(crate) fn adjustment(json: &[u8]) -> Result<Adjustment, Problem> {
    read(json, |object| {
        object.refuse_others(&["delta", "reason"]);
        let delta = object.required("delta", |value| {
            let number = if let Json::Whole(number) = value { i64::try_from(*number).ok() } else { None };
            number.ok_or(InvalidDelta).and_then(Delta::try_from).map_err(|error| error.to_string())
        });
        let reason = object.optional("reason", |value| {
            let reason = if let Json::Text(reason) = value { Some(reason.clone()) } else { None };
            reason
                .filter(|reason| reason.chars().count() <= MAX_REASON_LEN)
                .ok_or_else(|| format!("must be a text of at most {MAX_REASON_LEN} characters"))
        });
        Some(Adjustment { delta: delta?, reason: reason?.unwrap_or_default() })
    })
}

/// Reads an object with `fields`, which answers nothing exactly if it named a mistake.
fn read<T>(json: &[u8], fields: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Result<T, Problem> {
    let value = serde_json::from_slice(json).map_err(|error| Problem::malformed_json(&error))?;
    let Json::Object(object) = value else {
        return Err(Problem::invalid(vec![Invalid::body(String::new(), "must be an object")]));
    };
    let mut mistakes = Vec::new();
    let result = fields(&mut Fields { object: &object, pointer: String::new(), mistakes: &mut mistakes });
    match result {
        Some(result) if mistakes.is_empty() => Ok(result),
        _ => Err(Problem::invalid(mistakes)),
    }
}

/// An object of the body, where it is, and the mistakes found so far.
struct Fields<'a> {
    object: &'a Object,
    pointer: String,
    mistakes: &'a mut Vec<Invalid>,
}

impl Fields<'_> {
    fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    fn mistake(&mut self, name: &str, detail: impl ToString) {
        let name = name.replace('~', "~0").replace('/', "~1");
        self.mistakes.push(Invalid::body(format!("{}/{name}", self.pointer), detail));
    }

    fn refuse_others(&mut self, known: &[&str]) {
        for name in self.object.keys().filter(|name| !known.contains(&name.as_str())) {
            self.mistake(name, "is not a field of this request");
        }
    }

    /// A field that has to be there; none if a mistake was named.
    fn required<T>(&mut self, name: &str, take: impl FnOnce(&Json) -> Result<T, String>) -> Option<T> {
        match self.object.get(name) {
            Some(value) => take(value).map_err(|detail| self.mistake(name, detail)).ok(),
            None => {
                self.mistake(name, "is missing");
                None
            }
        }
    }

    /// A field that may be left out; none if a mistake was named.
    fn optional<T>(&mut self, name: &str, take: impl FnOnce(&Json) -> Result<T, String>) -> Option<Option<T>> {
        if self.has(name) { self.required(name, take).map(Some) } else { Some(None) }
    }

    fn line(&mut self) -> Option<(ItemId, Quantity)> {
        let item_id = self.required("item_id", text::<ItemId>);
        let quantity = self.required("quantity", whole::<Quantity>);
        Some((item_id?, quantity?))
    }

    fn items(&mut self) -> Option<Vec<(ItemId, Quantity)>> {
        let Some(Json::List(items)) = self.object.get("items") else {
            self.mistake("items", "must be a list");
            return None;
        };
        let mut lines = Some(Vec::with_capacity(items.len().min(MAX_LINES)));
        // One more than there may be, so that `Lines` sees that they are too many.
        for (index, item) in items.iter().enumerate().take(MAX_LINES.saturating_add(1)) {
            let pointer = format!("/items/{index}");
            let line = match item {
                Json::Object(object) => {
                    let mut line = Fields { object, pointer, mistakes: self.mistakes };
                    line.refuse_others(&["item_id", "quantity"]);
                    line.line()
                }
                _ => {
                    self.mistakes.push(Invalid::body(pointer, "must be an object"));
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

/// A text that is what `T` takes.
fn text<T: TryFrom<String, Error: ToString>>(value: &Json) -> Result<T, String> {
    let Json::Text(text) = value else { return Err("must be a text".to_owned()) };
    T::try_from(text.clone()).map_err(|error| error.to_string())
}

/// A whole number in the range of `T`.
fn whole<T: TryFrom<u64, Error: ToString>>(value: &Json) -> Result<T, String> {
    let number = if let Json::Whole(number) = value { u64::try_from(*number).ok() } else { None };
    // Whatever is no u64 is out of every range here, as the largest u64 is.
    T::try_from(number.unwrap_or(u64::MAX)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mistakes that are named, as `pointer: detail`.
    fn mistakes<T: std::fmt::Debug>(result: Result<T, Problem>) -> Vec<String> {
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
    fn each_mistake_is_named_where_it_was_made() {
        let body =
            br#"{"items":[{"item_id":"","quantity":1},{"item_id":"a","quantity":1.5,"a/b":0},7],"customer_id":""}"#;
        let mut mistakes = mistakes(order(body));
        mistakes.sort();
        assert_eq!(
            mistakes,
            [
                "/customer_id: must be 1 to 128 characters",
                "/items/0/item_id: must be 1 to 64 of the characters A-Z a-z 0-9 . _ -, and not . or ..",
                "/items/1/a~1b: is not a field of this request",
                "/items/1/quantity: must be a whole number from 1 to 1000000",
                "/items/2: must be an object",
            ]
        );
    }

    #[test]
    fn a_number_that_is_too_large_too_small_or_none_is_refused() {
        for number in ["0", "-1", "1.0", "1e30", "1000000000000000000000000000000", "1000001", "\"1\"", "null", "true"]
        {
            let body = format!(r#"{{"item_id":"a","quantity":{number}}}"#);
            let expected = ["/quantity: must be a whole number from 1 to 1000000"];
            assert_eq!(mistakes(order(body.as_bytes())), expected, "{number}");
        }
    }

    #[test]
    fn a_name_that_is_there_twice_is_not_json_to_us() {
        let reply = order(br#"{"item_id":"a","quantity":1,"quantity":2}"#).unwrap_err().into_reply();
        assert_eq!(reply.status, http::StatusCode::BAD_REQUEST);
    }

    #[test]
    fn lines_are_counted_and_added_up() {
        let lines =
            |count: usize| format!(r#"{{"items":[{}]}}"#, vec![r#"{"item_id":"a","quantity":1}"#; count].join(","));
        assert!(order(lines(50).as_bytes()).is_ok());
        assert_eq!(mistakes(order(lines(51).as_bytes())), ["/items: must have at most 50 lines"]);
        assert_eq!(mistakes(order(lines(0).as_bytes())), ["/items: must have at least one line"]);
        let sum = br#"{"items":[{"item_id":"a","quantity":1000000},{"item_id":"a","quantity":1}]}"#;
        assert_eq!(mistakes(order(sum)), ["/items/1/quantity: the lines of this item add up to more than 1000000"]);
    }

    #[test]
    fn adjustments_are_whole_numbers_other_than_zero() {
        assert_eq!(adjustment(br#"{"delta":-3}"#).unwrap().delta.get(), -3);
        for delta in ["0", "0.5", "1e30", "1000000000001", "-9223372036854775808", "\"1\""] {
            let body = format!(r#"{{"delta":{delta}}}"#);
            assert_eq!(mistakes(adjustment(body.as_bytes())).len(), 1, "{delta}");
        }
        assert_eq!(mistakes(adjustment(b"{}")), ["/delta: is missing"]);
    }
}

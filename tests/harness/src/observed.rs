//! What clients ask of a few items and the orders of them, and what they observe.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::{Answer, Client, Request};

/// What each item costs: as much as any payment provider charges.
pub const PRICE: u64 = 1000;

/// An item, by its number among those of a test.
pub type ItemNo = usize;

/// One line of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// What.
    pub item: ItemNo,
    /// How many.
    pub quantity: u64,
}

/// The status of an order, as it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not every line is held.
    #[default]
    Placing,
    /// Every line is held.
    Pending,
    /// Sold, for ever.
    Paid,
    /// Sold, and its goods went out.
    Fulfilled,
    /// Sold, and all of the money goes back.
    Refunded,
    /// Given back, for ever.
    Cancelled,
    /// Not paid in time, for ever.
    Expired,
    /// Too little was there.
    Rejected,
}

impl Status {
    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        serde_json::from_value(name.into()).ok()
    }
}

/// The stock of an item, as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Stock {
    /// What is on the shelf.
    pub on_hand: u64,
    /// What of it is promised.
    pub reserved: u64,
    /// The rest.
    pub available: u64,
}

impl Stock {
    /// What is missing of an item of which so much was supplied, beyond what is in orders that clients know: `pending`
    /// is in those that can be paid, `paid` in those that are. None where the numbers of the item contradict each
    /// other.
    pub fn missing(&self, supplied: i64, pending: u64, paid: u64) -> Option<i64> {
        let all = [self.on_hand, self.reserved, self.available, pending, paid];
        let [on_hand, reserved, available, pending, paid] = all.map(u64::cast_signed);
        let missing = supplied - pending - paid - available;
        // Paid goods leave when the item is next changed, and count as reserved until then.
        let held = pending + missing;
        (on_hand == available + reserved && (held..=held + paid).contains(&reserved)).then_some(missing)
    }
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// The order, as it is now.
    Order(Status),
    /// Its buyer pays at the payment provider, and it is undecided.
    AtProvider {
        /// The page where the buyer can pay; none while a payment is being processed.
        page: Option<String>,
    },
    /// The item, as it is now.
    Item(Stock),
    /// Too little of this item.
    Short {
        /// Which.
        item: ItemNo,
        /// What there is.
        available: u64,
    },
    /// An order with this status cannot be paid.
    NotPayable(Status),
    /// An order with this status cannot be cancelled.
    NotCancellable(Status),
    /// Anything else.
    Strange(String),
}

/// An answer, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status of HTTP.
    pub code: u16,
    /// What it says.
    pub observed: Observed,
    /// The id of the order in it.
    pub order_id: Option<String>,
}

/// The items of a test. Their names sort as their numbers do: that is the order in which a shop holds lines.
#[derive(Clone, Debug)]
pub struct Items(pub String);

impl Default for Items {
    fn default() -> Self {
        Self("item".to_owned())
    }
}

impl Items {
    /// The name of an item.
    pub fn name(&self, item: ItemNo) -> String {
        format!("{}-{item:02}", self.0)
    }

    fn number(&self, name: &str) -> Option<ItemNo> {
        name.strip_prefix(&self.0)?.strip_prefix('-')?.parse().ok()
    }

    /// The operator makes one.
    pub fn create(&self, item: ItemNo, on_hand: u64) -> Request {
        Request::create(&self.name(item), PRICE, on_hand)
    }

    /// Orders some.
    pub fn place(&self, lines: &[Line], key: Option<&str>) -> Request {
        let line = |line: &Line| json!({ "item_id": self.name(line.item), "quantity": line.quantity });
        let body = json!({ "items": lines.iter().map(line).collect::<Vec<_>>() });
        key.into_iter().fold(Request::post("/orders").json(body), Request::key)
    }

    /// The operator adds stock, or takes some.
    pub fn adjust(&self, item: ItemNo, delta: i64, key: Option<&str>) -> Request {
        key.into_iter().fold(Request::adjust(&self.name(item), delta), Request::key)
    }

    /// Shows one.
    pub fn show(&self, item: ItemNo) -> Request {
        Request::show_item(&self.name(item))
    }

    /// What an answer tells.
    pub fn read(&self, answer: &Answer) -> Reply {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Body {
            Item(Stock),
            Order { order_id: String, status: Status },
            Short { code: String, item_id: String, available: u64 },
            Decided { code: String, order_status: Status },
            Refused { code: String },
        }
        #[derive(Deserialize)]
        struct Payable {
            order_id: String,
            payment: Payment,
        }
        #[derive(Deserialize)]
        struct Payment {
            status: String,
            url: Option<String>,
        }
        let strange = || Observed::Strange(format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)));
        let mut id = None;
        if let (202, Ok(Payable { order_id, payment })) = (answer.status, serde_json::from_slice(&answer.body)) {
            let observed = match (payment.status.as_str(), payment.url) {
                ("open", page @ Some(_)) | ("processing", page @ None) => Observed::AtProvider { page },
                _ => strange(),
            };
            return Reply { code: answer.status, observed, order_id: Some(order_id) };
        }
        let observed = match (answer.status, serde_json::from_slice(&answer.body)) {
            (200 | 201, Ok(Body::Item(stock))) => Observed::Item(stock),
            (200 | 201, Ok(Body::Order { order_id, status })) => {
                id = Some(order_id);
                Observed::Order(status)
            }
            (409, Ok(Body::Short { code, item_id, available })) if code == "insufficient_stock" => {
                self.number(&item_id).map_or_else(strange, |item| Observed::Short { item, available })
            }
            (409, Ok(Body::Decided { code, order_status })) if code == "order_not_payable" => {
                Observed::NotPayable(order_status)
            }
            (409, Ok(Body::Decided { code, order_status })) if code == "order_not_cancellable" => {
                Observed::NotCancellable(order_status)
            }
            (409, Ok(Body::Refused { code })) if code == "payment_processing" => Observed::AtProvider { page: None },
            _ => strange(),
        };
        Reply { code: answer.status, observed, order_id: id }
    }
}

/// Servers of one shop, any of which is asked.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Clients of each.
    pub clients: Vec<Client>,
    /// What is asked for.
    pub items: Items,
}

impl Servers {
    /// Sends a request and waits for the answer. None where there is none, or one that says that the server has failed:
    /// then it is unknown whether the request was done.
    pub fn ask(&self, request: &Request) -> Option<Reply> {
        self.answer(request).map(|answer| self.items.read(&answer))
    }

    /// The same, with all that the answer says.
    pub fn answer(&self, request: &Request) -> Option<Answer> {
        let answer = fastrand::choice(&self.clients)?.send(request).ok()?;
        (answer.status < 500).then_some(answer)
    }

    /// Sends a request and hangs up after a while, answered or not. In any case it is unknown whether it arrived.
    pub fn ask_and_leave(&self, request: &Request, wait: Duration) {
        if let Some(client) = fastrand::choice(&self.clients) {
            client.send_and_leave(request, wait);
        }
    }
}

//! Checkout Sessions: what Stripe is asked to charge, and what a session is by its answer.

use std::time::Duration;

use domain::url::Url;
use domain::{
    Charge, ChargeId, Checkout, Currency, ItemName, Money, OpenSession, OrderId, PaymentMethod, ProviderError,
    SessionId, SessionState, Timestamp,
};
use plain_json::Json;
use sha2::{Digest, Sha256};

use crate::answer::{Answer, Expandable, Members, nonsense};
use crate::client::Form;
use crate::currency::Unit;
use crate::settings::{Return, Settings};

/// The path of all sessions.
pub(crate) const SESSIONS: &str = "/v1/checkout/sessions";

/// The name of a piece of metadata: the order.
pub(crate) const ORDER_ID: &str = "order_id";

/// The name of a piece of metadata: the program that has made the object.
pub(crate) const MADE_BY: &str = "made_by";

/// What that piece says of what this crate has made.
pub(crate) const THIS_SHOP: &str = "order-system-for-spin";

/// The most lines that a session may have.
const MAX_LINES: usize = 100;

/// The most units that a line may have.
const MAX_QUANTITY: u64 = 999_999;

/// The longest payment window with which a session is told when to expire.
const LONGEST_TOLD: u64 = 22 * 60 * 60 * 1000;

/// How long a session outlives the payment window. Stripe asks for an expiry between 30 minutes and 24 hours after the
/// session was opened. A session is opened within the payment window: so it is 31 minutes ahead at its end, and at most
/// 22 hours and 31 minutes at its beginning. The clocks may differ by a minute.
const OUTLIVES: Duration = Duration::from_secs(31 * 60);

/// The longest address of a page that is passed on to a buyer.
const MAX_PAGE: usize = 5000;

/// What Stripe is asked to add to its answers.
pub(crate) const EXPANDED: [&str; 2] = ["payment_intent", "payment_intent.latest_charge"];

/// The parameters of a session for this order. They depend on the order and the settings alone, since Stripe refuses
/// others under the same name.
///
/// # Errors
/// If Stripe would not charge its total.
pub(crate) fn opening(settings: &Settings, order: &domain::order::Order) -> Result<Form, ProviderError> {
    let refused = |text: String| ProviderError::Refused(text);
    if order.currency != settings.currency {
        return Err(refused(format!("the order is in {}, and the shop in {}", order.currency, settings.currency)));
    }
    let total = settings.unit.charged(order.total(), &order.currency).map_err(|error| refused(error.to_string()))?;
    let id = order.order_id.to_string();
    let form = Form::default()
        .with("mode", "payment")
        .with("client_reference_id", &id)
        .with("success_url", &settings.return_url(order.order_id, Return::Returned))
        .with("cancel_url", &settings.return_url(order.order_id, Return::Left))
        .with(&format!("metadata[{ORDER_ID}]"), &id)
        .with(&format!("metadata[{MADE_BY}]"), THIS_SHOP)
        .with(&format!("payment_intent_data[metadata][{ORDER_ID}]"), &id)
        .with(&format!("payment_intent_data[metadata][{MADE_BY}]"), THIS_SHOP)
        // The buyer is charged what the order says, and not its worth in another currency.
        .with("adaptive_pricing[enabled]", "false")
        // WeChat Pay wants to be told. Which means of payment there are, the account says.
        .with("payment_method_options[wechat_pay][client]", "web");
    let form = match expiry(order.placed_at, order.expires_at) {
        Some(seconds) => form.with("expires_at", &seconds.to_string()),
        None => form,
    };
    let currency = order.currency.as_str().to_ascii_lowercase();
    let line = |form: Form, index: usize, name: &str, unit_amount: u64, quantity: u64| {
        form.with(&format!("line_items[{index}][price_data][currency]"), &currency)
            .with(&format!("line_items[{index}][price_data][product_data][name]"), name)
            .with(&format!("line_items[{index}][price_data][unit_amount]"), &unit_amount.to_string())
            .with(&format!("line_items[{index}][quantity]"), &quantity.to_string())
    };
    let lines = order.lines().iter().map(|ordered| {
        let quantity = ordered.quantity.get();
        let unit_amount = settings.unit.exactly(ordered.unit_price);
        // What it was called when it was sold: that stays, so that the same is asked for each time.
        let name = ordered.name.as_ref().map_or(ordered.item_id.as_str(), ItemName::as_str);
        unit_amount.filter(|_| quantity <= MAX_QUANTITY).map(|amount| (name, amount, quantity))
    });
    let lines: Option<Vec<_>> = lines.collect();
    Ok(match lines.filter(|lines| lines.len() <= MAX_LINES) {
        Some(lines) => lines
            .into_iter()
            .enumerate()
            .fold(form, |form, (index, (name, unit_amount, quantity))| line(form, index, name, unit_amount, quantity)),
        // Stripe cannot show these lines: it shows their sum.
        None => line(form, 0, &format!("Order {id}"), total, 1),
    })
}

/// When a session should expire, in seconds, if Stripe is told.
fn expiry(placed_at: Timestamp, expires_at: Timestamp) -> Option<u64> {
    let (placed, expires) = (u64::from(placed_at), u64::from(expires_at));
    let told = expires.checked_sub(placed).is_some_and(|window| window <= LONGEST_TOLD);
    told.then(|| u64::from(expires_at.after(OUTLIVES)).div_ceil(1000))
}

/// The name under which a session is opened once. The same order, attempt and parameters have the same: other ones, as
/// after a change of `return_url`, Stripe would refuse under it.
pub(crate) fn opening_key(checkout: Checkout<'_>, form: &Form) -> String {
    let digest = Sha256::digest(form.as_str().as_bytes());
    let parameters: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("order-{}-{}-{parameters}", checkout.order.order_id, checkout.attempt)
}

/// A session as Stripe answers it.
#[derive(Debug)]
pub(crate) struct Session {
    id: String,
    object: String,
    livemode: bool,
    mode: String,
    status: Option<String>,
    payment_status: String,
    url: Option<String>,
    expires_at: u64,
    amount_total: Option<u64>,
    currency: Option<String>,
    client_reference_id: Option<String>,
    payment_intent: Option<Expandable<Intent>>,
}

/// The PaymentIntent of a session.
#[derive(Debug)]
pub(crate) struct Intent {
    id: String,
    object: String,
    status: String,
    amount_received: Option<u64>,
    currency: Option<String>,
    created: u64,
    latest_charge: Option<Expandable<LatestCharge>>,
}

#[derive(Debug)]
struct LatestCharge {
    object: String,
    status: String,
    created: u64,
    payment_method_details: Option<MethodDetails>,
}

#[derive(Debug)]
struct MethodDetails {
    kind: Option<String>,
}

impl Answer for Session {
    fn read(json: &Json) -> Option<Self> {
        let members = Members::of(json)?;
        Some(Self {
            id: members.required("id")?,
            object: members.required("object")?,
            livemode: members.required("livemode")?,
            mode: members.required("mode")?,
            status: members.optional("status")?,
            payment_status: members.required("payment_status")?,
            url: members.optional("url")?,
            expires_at: members.required("expires_at")?,
            amount_total: members.optional("amount_total")?,
            currency: members.optional("currency")?,
            client_reference_id: members.optional("client_reference_id")?,
            payment_intent: members.optional("payment_intent")?,
        })
    }
}

impl Answer for Intent {
    fn read(json: &Json) -> Option<Self> {
        let members = Members::of(json)?;
        Some(Self {
            id: members.required("id")?,
            object: members.required("object")?,
            status: members.required("status")?,
            amount_received: members.optional("amount_received")?,
            currency: members.optional("currency")?,
            created: members.required("created")?,
            latest_charge: members.optional("latest_charge")?,
        })
    }
}

impl Answer for LatestCharge {
    fn read(json: &Json) -> Option<Self> {
        let members = Members::of(json)?;
        Some(Self {
            object: members.required("object")?,
            status: members.required("status")?,
            created: members.required("created")?,
            payment_method_details: members.optional("payment_method_details")?,
        })
    }
}

impl Answer for MethodDetails {
    fn read(json: &Json) -> Option<Self> {
        Some(Self { kind: Members::of(json)?.optional("type")? })
    }
}

/// A moment that Stripe says in seconds.
pub(crate) fn moment(seconds: u64) -> Timestamp {
    seconds.saturating_mul(1000).into()
}

/// Whether a text is an id of an object of Stripe's, and can stand in a path.
pub(crate) fn is_object_id(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Session {
    /// Whether its PaymentIntent was asked for and is not there, so that it cannot be said what the session is.
    pub(crate) fn is_unexpanded(&self) -> bool {
        matches!(self.payment_intent, Some(Expandable::Id(_)))
    }

    /// Refuses what is no session to pay an order in, or of the other mode of the account.
    fn check(&self, settings: &Settings) -> Result<(), ProviderError> {
        if self.object != "checkout.session" || self.mode != "payment" {
            return Err(nonsense("this is no session to pay in"));
        }
        if self.livemode == settings.is_test_mode() {
            return Err(nonsense("the session is not of the mode of the key"));
        }
        Ok(())
    }

    /// The session as one that a buyer can pay in.
    fn as_open(&self, settings: &Settings) -> Result<OpenSession, ProviderError> {
        let id = SessionId::try_from(self.id.clone()).ok().filter(|id| is_object_id(id.as_str()));
        let id = id.ok_or_else(|| nonsense("the id of the session is none"))?;
        let page = self.url.as_deref().filter(|page| page.len() <= MAX_PAGE);
        let is_page = |page: &&str| {
            // What comes after `#` is for the page alone, and Stripe's have a lot of it.
            let address = page.split_once('#').map_or(*page, |(address, _)| address);
            let sound = page.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\".contains(&byte));
            let private = |url: Url<'_>| url.is_encrypted || !settings.is_api_encrypted && url.is_loopback;
            sound && Url::parse(address).is_some_and(private)
        };
        let url = page.filter(is_page).ok_or_else(|| nonsense("the page of the session is none"))?.to_owned();
        Ok(OpenSession { id, url, expires_at: moment(self.expires_at) })
    }

    /// The session that was opened for an order.
    ///
    /// # Errors
    /// If it is not what was asked for.
    pub(crate) fn opened(&self, settings: &Settings, checkout: Checkout<'_>) -> Result<OpenSession, ProviderError> {
        self.check(settings)?;
        let order = checkout.order;
        if self.status.as_deref() != Some("open") || self.payment_status != "unpaid" {
            return Err(nonsense("a session that was opened is not open"));
        }
        if self.order() != Some(order.order_id) {
            return Err(nonsense("the session is of another order"));
        }
        let currency = self.currency.as_deref().and_then(read_currency);
        let amount = self.amount_total.and_then(|total| settings.unit.minor(total));
        if currency.as_ref() != Some(&order.currency) || amount != Some(order.total()) {
            return Err(nonsense("the session is of another amount"));
        }
        self.as_open(settings)
    }

    /// The order that the session is of, if it is one of an order.
    fn order(&self) -> Option<OrderId> {
        self.client_reference_id.as_deref()?.parse().ok()
    }

    /// What the session is, which was asked for as `asked`.
    ///
    /// Whether the buyer was charged is said by the PaymentIntent: where it has succeeded, the buyer was, whatever the
    /// session says of itself.
    ///
    /// # Errors
    /// If its answers contradict each other.
    pub(crate) fn state(&self, settings: &Settings, asked: &SessionId) -> Result<SessionState, ProviderError> {
        self.check(settings)?;
        if self.id != asked.as_str() {
            return Err(nonsense("this is another session than the one that was asked for"));
        }
        let intent = match &self.payment_intent {
            None => None,
            Some(Expandable::Id(_)) => return Err(nonsense("the payment of the session is left out")),
            Some(Expandable::Whole(intent)) if intent.object != "payment_intent" => {
                return Err(nonsense("the payment of the session is none"));
            }
            Some(Expandable::Whole(intent)) => Some(intent),
        };
        let (status, payment_status) = (self.status.as_deref(), self.payment_status.as_str());
        let known = matches!(status, Some("open" | "complete" | "expired"));
        if let Some(intent) = intent
            && intent.status == "succeeded"
            && known
            && matches!(payment_status, "paid" | "unpaid")
        {
            return self.charge(intent).map(SessionState::Paid);
        }
        match (status, payment_status, intent.map(|intent| intent.status.as_str())) {
            (Some("open" | "complete" | "expired"), "unpaid", Some("processing")) => Ok(SessionState::Processing),
            // A voucher that the buyer has yet to pay.
            (Some("complete"), "unpaid", Some("requires_action" | "requires_confirmation")) => {
                Ok(SessionState::Processing)
            }
            (Some("complete"), "unpaid", Some("requires_payment_method" | "canceled")) => Ok(SessionState::Closed),
            (
                Some("open"),
                "unpaid",
                None | Some("requires_payment_method" | "requires_confirmation" | "requires_action"),
            ) => Ok(SessionState::Open(self.as_open(settings)?)),
            (
                Some("expired"),
                "unpaid",
                None | Some("requires_payment_method" | "requires_confirmation" | "requires_action" | "canceled"),
            ) => Ok(SessionState::Closed),
            _ => Err(nonsense("the session and its payment contradict each other")),
        }
    }

    /// What the buyer was charged. That is what the payment says: whether it is what the order costs, the rules decide.
    fn charge(&self, intent: &Intent) -> Result<Charge, ProviderError> {
        let id = ChargeId::try_from(intent.id.clone()).ok().filter(|id| is_object_id(id.as_str()));
        let id = id.ok_or_else(|| nonsense("the id of the payment is none"))?;
        let currency = intent.currency.as_deref().and_then(read_currency);
        let currency = currency.ok_or_else(|| nonsense("the currency is none"))?;
        let unit = Unit::of(&currency).ok_or_else(|| nonsense("the currency is not known"))?;
        let amount: Option<Money> = intent.amount_received.and_then(|amount| unit.minor(amount));
        let amount = amount.ok_or_else(|| nonsense("the amount is no whole number of minor units"))?;
        let charge = match &intent.latest_charge {
            Some(Expandable::Whole(charge)) if charge.object != "charge" || charge.status != "succeeded" => {
                return Err(nonsense("the payment has succeeded, and its charge has not"));
            }
            Some(Expandable::Whole(charge)) => Some(charge),
            Some(Expandable::Id(_)) | None => None,
        };
        let details = charge.and_then(|charge| charge.payment_method_details.as_ref());
        let method = details.and_then(|details| PaymentMethod::try_from(details.kind.clone()?).ok());
        Ok(Charge {
            id,
            order: self.order(),
            amount,
            currency,
            method: method.unwrap_or_else(PaymentMethod::unspecified),
            charged_at: moment(charge.map_or(intent.created, |charge| charge.created)),
        })
    }
}

/// A currency as Stripe writes it: in lower case.
pub(crate) fn read_currency(text: &str) -> Option<Currency> {
    let lower = text.bytes().all(|byte| byte.is_ascii_lowercase());
    Currency::try_from(text.to_ascii_uppercase()).ok().filter(|_| lower)
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::expiry;

    const MINUTE: u64 = 60 * 1000;

    #[test]
    fn the_expiry_is_one_that_stripe_takes_at_each_moment_of_the_payment_window() {
        let placed = 1_700_000_000_123;
        for window in [1, MINUTE, 15 * MINUTE, 6 * 60 * MINUTE, 22 * 60 * MINUTE] {
            let seconds = expiry(Timestamp::from(placed), Timestamp::from(placed + window)).unwrap();
            // With Stripe's clock up to a minute away from that of the shop.
            for opened in [placed, placed + window / 2, placed + window] {
                assert!(seconds * 1000 >= opened + MINUTE + 30 * MINUTE, "{window} {opened}");
                assert!(seconds * 1000 + MINUTE <= opened + 24 * 60 * MINUTE, "{window} {opened}");
            }
        }
    }

    #[test]
    fn a_long_payment_window_leaves_the_expiry_to_stripe() {
        let placed = Timestamp::from(1_700_000_000_123);
        assert_eq!(expiry(placed, Timestamp::from(1_700_000_000_124 + 22 * 60 * MINUTE)), None);
        assert_eq!(expiry(placed, Timestamp::from(1_700_000_000_122)), None);
        assert!(expiry(placed, Timestamp::from(1_700_000_000_123 + 22 * 60 * MINUTE)).is_some());
    }
}

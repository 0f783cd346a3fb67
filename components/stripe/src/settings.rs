//! What the variables say about Stripe. None of their secrets is in a `Debug` or in an error.

use std::fmt;

use domain::url::Url;
use domain::{Currency, Money, OrderId};

use crate::currency::{AmountUnsupported, Unit};

/// Where Stripe is.
pub const STRIPE_API: &str = "https://api.stripe.com";

/// The most characters of a secret. Those of Stripe have some 110.
const MAX_SECRET: usize = 255;

/// The fewest characters of a webhook secret, its `whsec_` included: one that could be guessed would be no proof.
const MIN_WEBHOOK_SECRET: usize = 22;

/// The most characters of the variable `return_url`.
const MAX_RETURN_URL: usize = 1000;

/// The variables about Stripe, as they are set, without white space around them.
#[derive(Clone, Copy)]
pub struct Variables<'a> {
    /// `stripe_secret_key`. Empty: there is no provider.
    pub secret_key: &'a str,
    /// `stripe_webhook_secret`: one, or two while one is rolled, with a space or a comma between them. Empty: every
    /// webhook is refused, and the shop learns of a payment by looking.
    pub webhook_secret: &'a str,
    /// `stripe_api`. Empty: [`STRIPE_API`].
    pub api: &'a str,
    /// `return_url`: where the buyer comes back to.
    pub return_url: &'a str,
}

impl fmt::Debug for Variables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables")
            .field("api", &self.api)
            .field("return_url", &self.return_url)
            .finish_non_exhaustive()
    }
}

/// A text that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a shop needs to know to be paid through Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub(crate) secret_key: Secret,
    pub(crate) webhook_secrets: Vec<Secret>,
    pub(crate) api: String,
    pub(crate) is_api_encrypted: bool,
    return_url: String,
    pub(crate) currency: Currency,
    pub(crate) unit: Unit,
}

/// Variables with which no buyer could be charged, or the wrong one would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// A webhook secret without a key.
    #[error("the variable stripe_secret_key must be set where stripe_webhook_secret is: without it no money moves")]
    SecretKeyMissing,
    /// A key for pages.
    #[error("the variable stripe_secret_key must be a secret key: this is a publishable one (pk_)")]
    PublishableKey,
    /// No key at all.
    #[error(
        "the variable stripe_secret_key must begin with sk_test_, sk_live_, rk_test_ or rk_live_, and go on with \
         letters, digits and _"
    )]
    SecretKey,
    /// A key that moves real money, for another address than Stripe's.
    #[error("the variable stripe_secret_key must be of test mode where stripe_api is not https://api.stripe.com")]
    LiveKeyElsewhere,
    /// No webhook secrets.
    #[error(
        "the variable stripe_webhook_secret must have one or two secrets of at least 22 characters that begin with \
         whsec_, with a space or a comma between them"
    )]
    WebhookSecret,
    /// No address of an API.
    #[error("the variable stripe_api must be https:// and a host, without a path; http:// is for this machine alone")]
    Api,
    /// No address to come back to.
    #[error("the variable return_url must be set where stripe_secret_key is: buyers come back to it")]
    ReturnUrlMissing,
    /// An address that no buyer should come back to.
    #[error(
        "the variable return_url must be https:// and a host, http:// on this machine alone, of at most 1000 \
         characters, without a login, a fragment and the parameters order and payment"
    )]
    ReturnUrl,
    /// An address of another site.
    #[error("the variable return_url must be on one of the origins that allowed_origins names")]
    ReturnUrlOrigin,
    /// A currency that Stripe does not charge in.
    #[error("the variable currency must be one that Stripe charges in: {0} is none")]
    CurrencyUnsupported(Currency),
}

impl InvalidSettings {
    /// Which variable it is.
    pub fn variable(&self) -> &'static str {
        match self {
            Self::SecretKeyMissing | Self::PublishableKey | Self::SecretKey | Self::LiveKeyElsewhere => {
                "stripe_secret_key"
            }
            Self::WebhookSecret => "stripe_webhook_secret",
            Self::Api => "stripe_api",
            Self::ReturnUrlMissing | Self::ReturnUrl | Self::ReturnUrlOrigin => "return_url",
            Self::CurrencyUnsupported(_) => "currency",
        }
    }
}

/// How a buyer comes back from Stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Return {
    /// By the way that follows a payment.
    Returned,
    /// By the way back without one.
    Left,
}

impl Settings {
    /// What the variables say; none if there is no key. `currency` is that of the shop. `allowed_origins` are those of
    /// the pages that may use it, as browsers write them: where there are some, the buyer comes back to one of them.
    ///
    /// # Errors
    /// If a variable cannot be meant. The error names it, and never its value where that may be a secret.
    pub fn new(
        variables: &Variables<'_>,
        currency: &Currency,
        allowed_origins: &[String],
    ) -> Result<Option<Self>, InvalidSettings> {
        let Variables { secret_key, webhook_secret, api, return_url } = *variables;
        if secret_key.is_empty() {
            return if webhook_secret.is_empty() { Ok(None) } else { Err(InvalidSettings::SecretKeyMissing) };
        }
        let secret_key = read_secret_key(secret_key)?;
        let webhook_secrets = read_webhook_secrets(webhook_secret)?;
        let api = Url::parse(if api.is_empty() { STRIPE_API } else { api });
        let api = api.filter(|api| api.is_private() && matches!(api.rest, "" | "/")).ok_or(InvalidSettings::Api)?;
        if is_live(&secret_key) && api.origin != STRIPE_API {
            return Err(InvalidSettings::LiveKeyElsewhere);
        }
        let return_url = read_return_url(return_url, allowed_origins)?;
        let unit = Unit::of(currency).ok_or_else(|| InvalidSettings::CurrencyUnsupported(currency.clone()))?;
        Ok(Some(Self {
            secret_key,
            webhook_secrets,
            is_api_encrypted: api.is_encrypted,
            api: api.origin,
            return_url,
            currency: currency.clone(),
            unit,
        }))
    }

    /// Whether no real money moves: the key is of Stripe's test mode.
    pub fn is_test_mode(&self) -> bool {
        !is_live(&self.secret_key)
    }

    /// Whether Stripe would charge this amount of the shop's currency. It may all the same refuse it when a session is
    /// opened, since the least depends on the account too.
    ///
    /// # Errors
    /// If it certainly would not.
    pub fn check_amount(&self, amount: Money) -> Result<(), AmountUnsupported> {
        self.unit.charged(amount, &self.currency).map(|_| ())
    }

    /// Where the buyer comes back to from the payment of an order.
    pub(crate) fn return_url(&self, order: OrderId, how: Return) -> String {
        let separator = if self.return_url.contains('?') { '&' } else { '?' };
        let how = match how {
            Return::Returned => "returned",
            Return::Left => "left",
        };
        format!("{}{separator}order={order}&payment={how}", self.return_url)
    }

    /// Whether a text of another party has one of the secrets in it.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        std::iter::once(&self.secret_key).chain(&self.webhook_secrets).any(|secret| text.contains(secret.expose()))
    }
}

/// Whether a key moves real money.
fn is_live(key: &Secret) -> bool {
    ["sk_live_", "rk_live_"].iter().any(|prefix| key.expose().starts_with(prefix))
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn read_secret_key(text: &str) -> Result<Secret, InvalidSettings> {
    if text.starts_with("pk_") {
        return Err(InvalidSettings::PublishableKey);
    }
    let prefixes = ["sk_test_", "sk_live_", "rk_test_", "rk_live_"];
    let rest = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
    let sound = rest.is_some_and(|rest| !rest.is_empty()) && text.len() <= MAX_SECRET && is_word(text);
    if sound { Ok(Secret(text.to_owned())) } else { Err(InvalidSettings::SecretKey) }
}

fn read_webhook_secrets(text: &str) -> Result<Vec<Secret>, InvalidSettings> {
    let texts = text.split([' ', ',', '\t', '\r', '\n']).filter(|text| !text.is_empty());
    let mut secrets = Vec::new();
    for text in texts {
        let sound = text.strip_prefix("whsec_").is_some_and(is_webhook_secret);
        if !sound || !(MIN_WEBHOOK_SECRET..=MAX_SECRET).contains(&text.len()) || secrets.len() >= 2 {
            return Err(InvalidSettings::WebhookSecret);
        }
        secrets.push(Secret(text.to_owned()));
    }
    // What is more than nothing, and has no secret in it, is not meant.
    if secrets.is_empty() && !text.is_empty() { Err(InvalidSettings::WebhookSecret) } else { Ok(secrets) }
}

fn is_webhook_secret(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte))
}

fn read_return_url(text: &str, allowed_origins: &[String]) -> Result<String, InvalidSettings> {
    if text.is_empty() {
        return Err(InvalidSettings::ReturnUrlMissing);
    }
    if text.len() > MAX_RETURN_URL {
        return Err(InvalidSettings::ReturnUrl);
    }
    let url = Url::parse(text).filter(Url::is_private).ok_or(InvalidSettings::ReturnUrl)?;
    let query = url.rest.split_once('?').map_or("", |(_, query)| query);
    if form_urlencoded::parse(query.as_bytes()).any(|(name, _)| matches!(&*name, "order" | "payment")) {
        return Err(InvalidSettings::ReturnUrl);
    }
    if !allowed_origins.is_empty() && !allowed_origins.contains(&url.origin) {
        return Err(InvalidSettings::ReturnUrlOrigin);
    }
    // The origin in one form, so that two servers whose variables differ in case ask Stripe for the same.
    let path = if url.rest.starts_with('/') { "" } else { "/" };
    Ok(format!("{}{path}{}", url.origin, url.rest))
}

#[cfg(test)]
mod tests {
    use domain::Currency;

    use super::{InvalidSettings, Return, Settings, Variables};

    const KEY: &str = "sk_test_51HiddenHiddenHidden";
    const SECRET: &str = "whsec_HiddenHiddenHiddenHidden";
    const OTHER: &str = "whsec_OtherOtherOtherOtherOther";

    const SOUND: Variables<'_> =
        Variables { secret_key: KEY, webhook_secret: SECRET, api: "", return_url: "https://shop.example/" };

    fn currency(code: &str) -> Currency {
        code.to_owned().try_into().unwrap()
    }

    fn read(variables: Variables<'_>) -> Result<Option<Settings>, InvalidSettings> {
        Settings::new(&variables, &currency("CNY"), &[])
    }

    #[test]
    fn without_a_key_there_is_no_provider() {
        let none = Variables { secret_key: "", webhook_secret: "", api: "nonsense", return_url: "nonsense" };
        assert_eq!(read(none), Ok(None));
    }

    #[test]
    fn a_webhook_secret_without_a_key_is_named() {
        assert_eq!(read(Variables { secret_key: "", ..SOUND }), Err(InvalidSettings::SecretKeyMissing));
    }

    #[test]
    fn the_mode_is_that_of_the_key() {
        for (key, test) in
            [("sk_test_a", true), ("rk_test_51Ab_c", true), ("sk_live_a", false), ("rk_live_51Ab_c", false)]
        {
            let settings = read(Variables { secret_key: key, ..SOUND }).unwrap().unwrap();
            assert_eq!(settings.is_test_mode(), test, "{key}");
        }
    }

    #[test]
    fn a_key_of_the_wrong_kind_is_named() {
        assert_eq!(read(Variables { secret_key: "pk_test_a", ..SOUND }), Err(InvalidSettings::PublishableKey));
        assert_eq!(read(Variables { secret_key: "pk_live_a", ..SOUND }), Err(InvalidSettings::PublishableKey));
        let long = format!("sk_test_{}", "a".repeat(248));
        for key in [
            "sk_test_",
            "sk_live_",
            "sk_a",
            "whsec_a",
            "SK_TEST_a",
            "xsk_test_a",
            "sk_test_a b",
            "sk_test_a\r\nhost: evil.example",
            "sk_test_a\n",
            "sk_org_live_a",
            "sk_test_\u{e9}",
            &long,
        ] {
            assert_eq!(read(Variables { secret_key: key, ..SOUND }), Err(InvalidSettings::SecretKey), "{key:?}");
        }
    }

    #[test]
    fn a_live_key_goes_to_stripe_alone() {
        let live = Variables { secret_key: "sk_live_a", ..SOUND };
        for api in ["", "https://api.stripe.com", "https://api.stripe.com/", "HTTPS://API.STRIPE.COM:443"] {
            assert!(read(Variables { api, ..live }).is_ok(), "{api}");
        }
        for api in ["http://127.0.0.1:3001", "https://stripe.example", "https://api.stripe.com.example"] {
            assert_eq!(read(Variables { api, ..live }), Err(InvalidSettings::LiveKeyElsewhere), "{api}");
            let expected = if api.starts_with("http:") { "http://127.0.0.1:3001" } else { api };
            let settings = read(Variables { api, ..SOUND }).unwrap().unwrap();
            assert_eq!(settings.api, expected);
        }
    }

    #[test]
    fn an_api_that_a_secret_must_not_travel_to_is_named() {
        for api in [
            "api.stripe.com",
            "http://api.stripe.com",
            "http://stripe.internal:3000",
            "https://api.stripe.com/v1",
            "https://api.stripe.com?x",
            "https://user@api.stripe.com",
            "https://api.stripe.com#x",
            "https://",
        ] {
            assert_eq!(read(Variables { api, ..SOUND }), Err(InvalidSettings::Api), "{api}");
        }
    }

    #[test]
    fn there_may_be_two_webhook_secrets() {
        for (text, count) in [
            (String::new(), 0),
            (SECRET.to_owned(), 1),
            (format!("{SECRET} {OTHER}"), 2),
            (format!("{SECRET},{OTHER}"), 2),
            (format!("{SECRET}, {OTHER}\n"), 2),
        ] {
            let settings = read(Variables { webhook_secret: &text, ..SOUND }).unwrap().unwrap();
            assert_eq!(settings.webhook_secrets.len(), count, "{text}");
        }
        let three = format!("{SECRET} {OTHER} {SECRET}");
        let mixed = format!("{SECRET} {KEY}");
        let long = format!("whsec_{}", "a".repeat(250));
        for text in [",", &three, &mixed, "whsec_", "whsec_short", "HiddenHiddenHiddenHidden", KEY, &long] {
            let read = read(Variables { webhook_secret: text, ..SOUND });
            assert_eq!(read, Err(InvalidSettings::WebhookSecret), "{text}");
        }
    }

    #[test]
    fn the_buyer_comes_back_with_the_order_and_how() {
        let order = "4be0643f-1d98-473b-97cd-ca98a65347dd".parse().unwrap();
        for (variable, returned) in [
            ("https://shop.example", "https://shop.example/?order=ID&payment=returned"),
            ("https://Shop.Example:443/", "https://shop.example/?order=ID&payment=returned"),
            ("https://shop.example/thanks", "https://shop.example/thanks?order=ID&payment=returned"),
            ("https://shop.example/?lang=zh", "https://shop.example/?lang=zh&order=ID&payment=returned"),
            ("https://shop.example?lang=zh", "https://shop.example/?lang=zh&order=ID&payment=returned"),
            ("http://localhost:3000/", "http://localhost:3000/?order=ID&payment=returned"),
            ("http://[::1]:3000", "http://[::1]:3000/?order=ID&payment=returned"),
        ] {
            let settings = read(Variables { return_url: variable, ..SOUND }).unwrap().unwrap();
            let expected = returned.replace("ID", "4be0643f-1d98-473b-97cd-ca98a65347dd");
            assert_eq!(settings.return_url(order, Return::Returned), expected);
            assert_eq!(settings.return_url(order, Return::Left), expected.replace("returned", "left"));
        }
    }

    #[test]
    fn an_address_that_no_buyer_should_come_back_to_is_named() {
        assert_eq!(read(Variables { return_url: "", ..SOUND }), Err(InvalidSettings::ReturnUrlMissing));
        let long = format!("https://shop.example/{}", "a".repeat(1000));
        for url in [
            "/",
            "shop.example",
            "http://shop.example",
            "https://user:word@shop.example",
            "https://shop.example/#paid",
            "https://shop.example/?order=1",
            "https://shop.example/?a&%6Frder=1",
            "https://shop.example/?payment",
            "javascript:alert(1)",
            "https://shop.example/{CHECKOUT_SESSION_ID}",
            &long,
        ] {
            assert_eq!(read(Variables { return_url: url, ..SOUND }), Err(InvalidSettings::ReturnUrl), "{url}");
        }
    }

    #[test]
    fn where_origins_are_named_the_buyer_comes_back_to_one_of_them() {
        let origins = ["https://shop.example".to_owned(), "https://other.example:8443".to_owned()];
        for (url, sound) in [
            ("https://shop.example/thanks", true),
            ("https://OTHER.example:8443", true),
            ("https://evil.example/", false),
            ("https://shop.example:8443/", false),
            ("https://shop.example.evil.example/", false),
        ] {
            let read = Settings::new(&Variables { return_url: url, ..SOUND }, &currency("CNY"), &origins);
            let expected = if sound { None } else { Some(InvalidSettings::ReturnUrlOrigin) };
            assert_eq!(read.err(), expected, "{url}");
        }
    }

    #[test]
    fn a_currency_that_stripe_does_not_charge_in_is_named() {
        let error = Settings::new(&SOUND, &currency("IRR"), &[]).unwrap_err();
        assert_eq!(error.to_string(), "the variable currency must be one that Stripe charges in: IRR is none");
    }

    #[test]
    fn no_secret_is_shown() {
        let both = format!("{SECRET} {OTHER}");
        let variables = Variables { webhook_secret: &both, ..SOUND };
        let settings = read(variables).unwrap().unwrap();
        for shown in [format!("{variables:?}"), format!("{settings:#?}")] {
            assert!(!shown.contains("Hidden") && !shown.contains("Other"), "{shown}");
        }
        for wrong in [
            Variables { secret_key: "pk_test_Hidden", ..SOUND },
            Variables { secret_key: "Hidden", ..SOUND },
            Variables { secret_key: "sk_live_Hidden", api: "http://localhost", ..SOUND },
            Variables { webhook_secret: "Hidden", ..SOUND },
            Variables { api: "Hidden", ..SOUND },
            Variables { return_url: "https://user:Hidden@shop.example", ..SOUND },
        ] {
            let error = read(wrong).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("the variable ") && !shown.contains("Hidden"), "{shown}");
        }
    }
}

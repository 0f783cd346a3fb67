//! The variables that the owner of the shop sets.

use std::ops::RangeInclusive;
use std::time::Duration;

use domain::{Limits, Quantity, Settings};
use sha2::{Digest, Sha256};
use stripe_provider::{InvalidSettings, Settings as Stripe, Variables as StripeVariables};
use subtle::ConstantTimeEq;

use crate::currency;
use crate::log::Log;
use crate::origins::Origins;

/// The longest time that an unpaid order may hold stock: a year.
const MAX_WINDOW_SECONDS: u64 = 31_536_000;

/// The least value of the variable `closed_orders_kept_seconds`: an instance uses the numbers of its orders for five
/// seconds, and a sweep has to come after that.
const MIN_KEPT_SECONDS: u64 = 10;

/// The greatest value of the variable `closed_orders_kept_seconds` that is a number: a year.
const MAX_KEPT_SECONDS: u64 = 31_536_000;

/// The value of that variable that keeps closed orders for ever.
const KEPT_FOREVER: &str = "forever";

/// The shortest operator's token, in characters. There is no limit of rates in the shop, so a token must not be guessed by
/// trying.
const MIN_TOKEN_LEN: usize = 16;

/// The limits of every platform that a shop runs on. The 64 adjustments, the 16 keys, the name and the image that an item
/// may carry take 3 kB of the reserve.
pub const LIMITS: Limits = Limits {
    // The smallest limit on a value that a platform sets.
    record_bytes: 1_000_000,
    reserved_bytes: 16_000,
    mappings_per_write: 16,
    // An instance in Spin serves this many at once.
    requests_per_batch: 16,
    // Spin reads up to 128 MiB in one call.
    records_per_read: 100,
    // Four batches.
    queued_requests: 64,
    // As the variable `busy_after_milliseconds` says by default.
    place_patience: Duration::from_millis(250),
    pay_patience: Duration::from_millis(500),
    overdue_at_once: 8,
    overdue_patience: Duration::from_secs(2),
};

/// The greatest value of the variable `busy_after_milliseconds`.
const MAX_BUSY_AFTER_MILLISECONDS: u64 = 60_000;

/// The variables, as far as they can be understood: where one cannot, requests that need a shop are answered with 503.
#[derive(Debug, Clone)]
pub struct Variables {
    /// Which requests are written down.
    pub(crate) log: Log,
    /// Which pages of other origins may do what customers do.
    pub(crate) origins: Origins,
    /// What the shop is, or which variable does not say what it should.
    pub(crate) config: Result<Config, ConfigError>,
}

/// The names of the variables, in the sequence in which [`Variables::of`] takes them.
const NAMES: [&str; 12] = [
    "log",
    "allowed_origins",
    "operator_token",
    "payment_window_seconds",
    "currency",
    "max_per_order",
    "closed_orders_kept_seconds",
    "busy_after_milliseconds",
    "stripe_secret_key",
    "stripe_webhook_secret",
    "stripe_api",
    "return_url",
];

impl Variables {
    /// Reads each variable by `get`, all in the same way: without white space around it.
    pub async fn read<E: ToString>(get: impl AsyncFn(&'static str) -> Result<String, E>) -> Self {
        let mut values = [const { Ok(String::new()) }; NAMES.len()];
        for (name, value) in NAMES.into_iter().zip(&mut values) {
            *value = match get(name).await {
                Ok(value) => Ok(trimmed(&value).to_owned()),
                Err(error) => Err(invalid(name, format!("cannot be read: {}", error.to_string()))),
            };
        }
        Self::of(values)
    }

    /// What these values of [`NAMES`] say.
    fn of(
        [
            log,
            origins,
            token,
            window,
            currency,
            most,
            kept,
            busy,
            secret_key,
            webhook_secret,
            api,
            return_url,
        ]: [Result<String, ConfigError>; NAMES.len()],
    ) -> Self {
        let expected = || invalid("log", "must be problems or requests".to_owned());
        let log = log.and_then(|log| Log::named(&log).ok_or_else(expected));
        let origins =
            origins.and_then(|origins| Origins::parse(&origins).map_err(|error| invalid("allowed_origins", error)));
        let config = token.and_then(|token| Config::new(token, &window?, &currency?, &most?, &kept?, &busy?));
        // The first that is wrong.
        let config = match (&log, &origins) {
            (Err(error), _) | (_, Err(error)) => Err(error.clone()),
            (Ok(_), Ok(origins)) => config.and_then(|config| {
                let (secret_key, webhook_secret, api, return_url) = (secret_key?, webhook_secret?, api?, return_url?);
                let variables = StripeVariables {
                    secret_key: &secret_key,
                    webhook_secret: &webhook_secret,
                    api: &api,
                    return_url: &return_url,
                };
                let stripe = Stripe::new(&variables, &config.settings.currency, origins.all())?;
                Ok(Config { stripe, ..config })
            }),
        };
        Self { log: log.unwrap_or(Log::Problems), origins: origins.unwrap_or_default(), config }
    }

    /// Whether each of them says what it should.
    pub fn are_sound(&self) -> bool {
        self.config.is_ok()
    }
}

/// The value of a variable. A secret that comes out of a file ends with a line break, and may begin with a byte order
/// mark.
pub fn trimmed(value: &str) -> &str {
    value.strip_prefix('\u{feff}').unwrap_or(value).trim_ascii()
}

/// The whole number that a variable says, within this range. `or` ends the sentence about what it may say.
fn whole(variable: &'static str, text: &str, range: RangeInclusive<u64>, or: &str) -> Result<u64, ConfigError> {
    let (least, most) = (range.start(), range.end());
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| invalid(variable, format!("must be a whole number from {least} to {most}{or}")))
}

fn invalid(variable: &'static str, reason: String) -> ConfigError {
    ConfigError::Invalid { variable, reason }
}

/// What the shop is.
#[derive(Debug, Clone)]
pub struct Config {
    /// For the domain.
    pub settings: Settings,
    /// For the payment provider. None: no money moves.
    pub stripe: Option<Stripe>,
    operator_token: String,
}

/// A variable that does not say what it should. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// One of the shop itself.
    #[error("the variable {variable} {reason}")]
    Invalid {
        /// Which.
        variable: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// One of the payment provider's.
    #[error(transparent)]
    Provider(#[from] InvalidSettings),
}

impl ConfigError {
    /// Which variable it is.
    pub fn variable(&self) -> &'static str {
        match self {
            Self::Invalid { variable, .. } => variable,
            Self::Provider(error) => error.variable(),
        }
    }
}

/// Whether a request is the operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    /// Yes.
    Granted,
    /// No: no token, or not the right one.
    Denied,
    /// There is none in this shop.
    Disabled,
    /// The one of this shop is too short, and is no one's.
    TooShort,
}

impl Config {
    /// Why no request is the operator's in a shop whose token is too short. Without the token, since it goes to the log.
    pub(crate) fn token_too_short() -> ConfigError {
        invalid(
            "operator_token",
            format!("is refused: it is too short, and must have at least {MIN_TOKEN_LEN} characters"),
        )
    }

    /// Reads the variables `operator_token` (empty: none), `payment_window_seconds`, `currency`, `max_per_order` (empty: no
    /// limit), `closed_orders_kept_seconds` and `busy_after_milliseconds`.
    fn new(
        operator_token: String,
        payment_window_seconds: &str,
        currency: &str,
        max_per_order: &str,
        closed_orders_kept: &str,
        busy_after: &str,
    ) -> Result<Self, ConfigError> {
        if operator_token.chars().any(char::is_control) {
            return Err(invalid("operator_token", "must be one line: no request could send it".to_owned()));
        }
        let window = whole("payment_window_seconds", payment_window_seconds, 1..=MAX_WINDOW_SECONDS, "")?;
        let currency = currency::parse(currency).map_err(|error| invalid("currency", error.to_string()))?;
        let max_per_order = match max_per_order {
            "" => None,
            text => {
                let limit = text.parse::<u64>().ok().and_then(|limit| Quantity::try_from(limit).ok());
                let reason = || format!("must be empty, or a whole number from {} to {}", Quantity::MIN, Quantity::MAX);
                Some(limit.ok_or_else(|| invalid("max_per_order", reason()))?)
            }
        };
        let closed_orders_kept = match closed_orders_kept {
            KEPT_FOREVER => None,
            text => {
                let range = MIN_KEPT_SECONDS..=MAX_KEPT_SECONDS;
                Some(Duration::from_secs(whole("closed_orders_kept_seconds", text, range, ", or forever")?))
            }
        };
        let busy_after = whole("busy_after_milliseconds", busy_after, 1..=MAX_BUSY_AFTER_MILLISECONDS, "")?;
        let busy_after = Duration::from_millis(busy_after);
        // An order waits for the store about four times, of which this is the first, and a payment about twice.
        let limits = Limits { place_patience: busy_after, pay_patience: busy_after.saturating_mul(2), ..LIMITS };
        let payment_window = Duration::from_secs(window);
        let settings = Settings { payment_window, closed_orders_kept, currency, max_per_order, limits };
        Ok(Self { settings, stripe: None, operator_token })
    }

    /// Whether the value of an `authorization` header is the operator's.
    pub(crate) fn operator(&self, authorization: Option<&[u8]>) -> Auth {
        if self.operator_token.is_empty() {
            return Auth::Disabled;
        }
        if self.operator_token.chars().count() < MIN_TOKEN_LEN {
            return Auth::TooShort;
        }
        let token = authorization.and_then(bearer_token).unwrap_or_default();
        // Digests are of one length, so that the time taken tells nothing about the token, not even how long it is.
        let equal = Sha256::digest(token).ct_eq(&Sha256::digest(&self.operator_token));
        if bool::from(equal) { Auth::Granted } else { Auth::Denied }
    }
}

/// The token of a header `Bearer <token>`; the scheme's name is not case-sensitive (RFC 9110, 11.1).
fn bearer_token(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::{Auth, Variables};
    use crate::log::Log;

    fn variables(named: &[(&str, &str)]) -> Variables {
        let usual = [
            ("payment_window_seconds", "900"),
            ("currency", "CNY"),
            ("log", "problems"),
            ("closed_orders_kept_seconds", "86400"),
            ("busy_after_milliseconds", "250"),
        ];
        let value = |name: &str| named.iter().chain(&usual).find(|(known, _)| *known == name).map_or("", |(_, it)| it);
        let read = Variables::read(async |name| Ok::<_, String>(value(name).to_owned()));
        match pin!(read).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(variables) => variables,
            Poll::Pending => panic!("nothing is waited for"),
        }
    }

    fn error(name: &str, value: &str) -> String {
        variables(&[(name, value)]).config.unwrap_err().to_string()
    }

    #[test]
    fn a_variable_that_makes_no_sense_is_named() {
        for (name, values) in [
            ("payment_window_seconds", &["", "0", "-1", "1.5", "31536001", "soon", "9 00"][..]),
            ("currency", &["", "cny", "CN", "YUAN", "ABC", "XXX", "CNY EUR"]),
            ("closed_orders_kept_seconds", &["", "0", "9", "-1", "10.5", "31536001", "for ever", "never"]),
            ("busy_after_milliseconds", &["", "0", "-1", "0.5", "60001", "soon"]),
            ("max_per_order", &["0", "-1", "1.5", "1000001", "many", "1 0", "none"]),
            ("log", &["", "all", "Requests", "requests,problems"]),
            ("operator_token", &["two\nlines", "a\tb", "a\0b"]),
            ("allowed_origins", &["*", "null", "shop.example", "https://shop.example/", "https://a.example https://"]),
        ] {
            for value in values {
                let error = error(name, value);
                assert!(error.starts_with(&format!("the variable {name} must ")), "{value:?}: {error}");
            }
        }
    }

    #[test]
    fn white_space_around_a_variable_does_not_count() {
        for (before, after) in [("", "\n"), (" ", " "), ("", "\r\n"), ("\u{feff}", "\n\n"), ("\n\t", "")] {
            let around = |value: &str| format!("{before}{value}{after}");
            let (token, window, currency) = (around("please-let-me-in"), around("60"), around("JPY"));
            let most = around("5");
            let (log, origins) = (around("requests"), around("https://a.example\nhttps://b.example"));
            let read = variables(&[
                ("operator_token", &token),
                ("payment_window_seconds", &window),
                ("currency", &currency),
                ("max_per_order", &most),
                ("log", &log),
                ("allowed_origins", &origins),
            ]);
            assert_eq!(read.log, Log::Requests);
            let config = read.config.unwrap();
            assert_eq!(config.operator(Some(b"Bearer please-let-me-in")), Auth::Granted, "{token:?}");
            assert_eq!(config.settings.payment_window.as_secs(), 60);
            assert_eq!(config.settings.currency.as_str(), "JPY");
            assert_eq!(config.settings.max_per_order.unwrap().get(), 5);
        }
        let empty = [("operator_token", " \n"), ("allowed_origins", "\n"), ("max_per_order", " ")];
        let empty = variables(&empty).config.unwrap();
        assert_eq!(empty.settings.max_per_order, None);
        assert_eq!(empty.operator(Some(b"Bearer ")), Auth::Disabled);
    }

    #[test]
    fn a_variable_that_cannot_be_read_is_named() {
        let read = Variables::read(async |name| if name == "currency" { Err("gone") } else { Ok("900".to_owned()) });
        let Poll::Ready(variables) = pin!(read).poll(&mut Context::from_waker(Waker::noop())) else { panic!() };
        // The first that is wrong.
        assert!(variables.config.unwrap_err().to_string().starts_with("the variable log must"));
        let value = |name| match name {
            "log" => Ok("problems".to_owned()),
            "allowed_origins" | "operator_token" => Ok(String::new()),
            _ => Err("gone"),
        };
        let read = Variables::read(async |name| value(name));
        let Poll::Ready(variables) = pin!(read).poll(&mut Context::from_waker(Waker::noop())) else { panic!() };
        let error = variables.config.unwrap_err().to_string();
        assert_eq!(error, "the variable payment_window_seconds cannot be read: gone");
    }

    #[test]
    fn only_the_whole_token_is_the_operators() {
        let shop = variables(&[("operator_token", "please-let-me-in")]).config.unwrap();
        for known in ["Bearer please-let-me-in", "bearer please-let-me-in", "Bearer  please-let-me-in "] {
            assert_eq!(shop.operator(Some(known.as_bytes())), Auth::Granted, "{known}");
        }
        for unknown in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer let-me",
            "Bearer please-let-me-in-too",
            "Basic please-let-me-in",
            "please-let-me-in",
        ] {
            assert_eq!(shop.operator(Some(unknown.as_bytes())), Auth::Denied, "{unknown}");
        }
        assert_eq!(shop.operator(None), Auth::Denied);
    }

    #[test]
    fn a_token_that_could_be_guessed_is_no_ones() {
        for short in ["x", "let-me-in", "fifteen-letters", "\u{5bc6}\u{7801}"] {
            let shop = variables(&[("operator_token", short)]).config.unwrap();
            assert_eq!(shop.operator(Some(format!("Bearer {short}").as_bytes())), Auth::TooShort);
            assert_eq!(shop.operator(None), Auth::TooShort);
        }
        let shop = variables(&[("operator_token", "sixteen-letters!")]).config.unwrap();
        assert_eq!(shop.operator(Some(b"Bearer sixteen-letters!")), Auth::Granted);
    }

    #[test]
    fn without_a_token_nobody_is_the_operator() {
        let shop = variables(&[]).config.unwrap();
        assert_eq!(shop.operator(Some(b"Bearer ")), Auth::Disabled);
        assert_eq!(shop.operator(None), Auth::Disabled);
    }
}

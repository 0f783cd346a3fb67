//! The variables that the owner of the shop sets.

use std::time::Duration;

use domain::{Limits, Settings};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::currency;

/// The longest time that an unpaid order may hold stock: a year.
const MAX_WINDOW_SECONDS: u64 = 31_536_000;

/// The limits of every platform that a shop runs on. The 64 adjustments and 16 keys that an item may carry take 2.3 kB
/// of the reserve.
pub const LIMITS: Limits = Limits {
    // The smallest limit on a value that a platform sets.
    record_bytes: 1_000_000,
    reserved_bytes: 16_000,
    mappings_per_write: 16,
    // An instance in Spin serves this many at once.
    requests_per_batch: 16,
    // Spin reads up to 128 MiB in one call.
    records_per_read: 100,
};

/// What the variables say.
#[derive(Debug, Clone)]
pub struct Config {
    /// For the domain.
    pub settings: Settings,
    operator_token: String,
}

/// A variable that does not say what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable {variable} {reason}")]
pub struct ConfigError {
    variable: &'static str,
    reason: String,
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
}

impl Config {
    /// Reads the variables `operator_token` (empty: none), `payment_window_seconds` and `currency`.
    pub fn new(operator_token: String, payment_window_seconds: &str, currency: String) -> Result<Self, ConfigError> {
        let invalid = |variable, reason: String| ConfigError { variable, reason };
        let seconds = payment_window_seconds.parse().ok().filter(|s| (1..=MAX_WINDOW_SECONDS).contains(s));
        let seconds = seconds.ok_or_else(|| {
            invalid("payment_window_seconds", format!("must be a whole number from 1 to {MAX_WINDOW_SECONDS}"))
        })?;
        let currency = currency::parse(&currency).map_err(|error| invalid("currency", error.to_string()))?;
        let settings = Settings { payment_window: Duration::from_secs(seconds), currency, limits: LIMITS };
        Ok(Self { settings, operator_token })
    }

    /// Whether the value of an `authorization` header is the operator's.
    pub(crate) fn operator(&self, authorization: Option<&[u8]>) -> Auth {
        if self.operator_token.is_empty() {
            return Auth::Disabled;
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
    use super::{Auth, Config};

    fn config(token: &str, window: &str, currency: &str) -> Result<Config, String> {
        Config::new(token.to_owned(), window, currency.to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_variable_that_makes_no_sense_is_named() {
        for window in ["", "0", "-1", "1.5", "31536001", "soon"] {
            let error = config("", window, "CNY").unwrap_err();
            assert!(error.starts_with("the variable payment_window_seconds must be"), "{error}");
        }
        for currency in ["", "cny", "CN", "YUAN", "ABC"] {
            assert!(config("", "900", currency).unwrap_err().starts_with("the variable currency must be"));
        }
    }

    #[test]
    fn only_the_whole_token_is_the_operators() {
        let shop = config("let-me-in", "900", "CNY").unwrap();
        for known in ["Bearer let-me-in", "bearer let-me-in", "Bearer  let-me-in "] {
            assert_eq!(shop.operator(Some(known.as_bytes())), Auth::Granted, "{known}");
        }
        for unknown in
            ["", "Bearer", "Bearer ", "Bearer let-me", "Bearer let-me-in-too", "Basic let-me-in", "let-me-in"]
        {
            assert_eq!(shop.operator(Some(unknown.as_bytes())), Auth::Denied, "{unknown}");
        }
        assert_eq!(shop.operator(None), Auth::Denied);
    }

    #[test]
    fn without_a_token_nobody_is_the_operator() {
        let shop = config("", "900", "CNY").unwrap();
        assert_eq!(shop.operator(Some(b"Bearer ")), Auth::Disabled);
        assert_eq!(shop.operator(None), Auth::Disabled);
    }
}

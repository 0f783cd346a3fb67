//! Counts of goods and money. Nothing here can be negative, and every sum says when it does not fit.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number outside the range of what it was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from {least} to {most}")]
pub struct OutOfRange {
    least: u64,
    most: u64,
}

/// Makes a newtype over `u64` with a range, readable from and writable to a record through its own check.
macro_rules! number {
    ($name:ident, $least:expr, $most:expr) => {
        impl $name {
            /// The smallest there is.
            pub const MIN: u64 = $least;
            /// The largest there is.
            pub const MAX: u64 = $most;

            /// The bare number.
            pub fn get(self) -> u64 {
                self.0
            }

            /// The sum, where it is in range.
            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0)?.try_into().ok()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl TryFrom<u64> for $name {
            type Error = OutOfRange;

            fn try_from(number: u64) -> Result<Self, OutOfRange> {
                if ($least..=$most).contains(&number) {
                    Ok(Self(number))
                } else {
                    Err(OutOfRange { least: $least, most: $most })
                }
            }
        }

        impl From<$name> for u64 {
            fn from(number: $name) -> u64 {
                number.0
            }
        }
    };
}

/// How many of an item an order takes: 1 to 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Quantity(u64);
number!(Quantity, 1, 1_000_000);

impl Quantity {
    /// The least that can be ordered.
    pub const ONE: Self = Self(1);
}

/// How many of an item there are: 0 to 10^12, far from where a sum of two would not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Stock(u64);
number!(Stock, 0, 1_000_000_000_000);

impl Stock {
    /// None.
    pub const ZERO: Self = Self(0);

    /// What is left when `taken` leaves, if there is that much.
    pub fn checked_sub(self, taken: u64) -> Option<Self> {
        self.0.checked_sub(taken).map(Self)
    }

    /// The stock after an adjustment by `delta`.
    pub fn adjusted(self, delta: Delta) -> Option<Self> {
        self.0.checked_add_signed(delta.get())?.try_into().ok()
    }
}

/// By how much an operator changes what is on hand: a whole number other than 0, up to 10^12 either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delta(i64);

impl Delta {
    /// The bare number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Delta {
    type Error = InvalidDelta;

    fn try_from(number: i64) -> Result<Self, InvalidDelta> {
        if number != 0 && number.unsigned_abs() <= Stock::MAX { Ok(Self(number)) } else { Err(InvalidDelta) }
    }
}

/// A number that is no adjustment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number other than 0, from -{most} to {most}", most = Stock::MAX)]
pub struct InvalidDelta;

/// An amount of money in minor units (cents, fen) of the shop's currency, 0 to 2^63 − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Money(u64);
number!(Money, 0, i64::MAX.unsigned_abs());

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The price of `quantity` at this price each, if it fits.
    pub fn times(self, quantity: Quantity) -> Option<Self> {
        self.0.checked_mul(quantity.0)?.try_into().ok()
    }
}

/// An ISO 4217 currency code: three capital letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(String);

impl Currency {
    /// The three letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be three capital letters, as in ISO 4217")]
pub struct InvalidCurrency;

impl TryFrom<String> for Currency {
    type Error = InvalidCurrency;

    fn try_from(code: String) -> Result<Self, InvalidCurrency> {
        if code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) {
            Ok(Self(code))
        } else {
            Err(InvalidCurrency)
        }
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.0
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

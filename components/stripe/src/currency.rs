//! How Stripe counts money. It does so in the minor units of ISO 4217, as the shop does, with the exceptions below.
//!
//! From Stripe's page "Supported currencies" and from the answer of its API to a code that it does not know, both as of
//! 2026. What an account may charge in depends on its country too: Stripe says it when a session is opened.

use domain::{Currency, Money};

/// The currencies of ISO 4217 that Stripe charges in.
const CHARGED: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD \
     CAD CDF CHF CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GHS GIP GMD \
     GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK \
     LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD \
     OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD SVC \
     SZL THB TJS TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XCG XOF XPF YER \
     ZAR ZMW";

/// The least that Stripe charges, in its own unit, where it says so. It holds for an account that is paid out in the
/// currency: another account may have to charge more, which Stripe says when a session is opened.
const LEAST: [(u64, &str); 9] = [
    (30, "GBP"),
    (50, "ARS AUD BRL CAD CHF COP EUR IDR ILS INR JPY KRW NZD PHP RUB SGD USD ZAR"),
    (200, "AED MYR PLN RON"),
    (250, "DKK"),
    (300, "NOK SEK"),
    (400, "HKD"),
    (1000, "MXN THB"),
    (1500, "CZK"),
    (17_500, "HUF"),
];

/// The most that Stripe charges by any means of payment, in its own unit: twelve digits. Many means take less, down to
/// eight digits, which Stripe says when a session is opened.
const MOST: u64 = 999_999_999_999;

/// How the unit of Stripe differs from the minor unit of ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// Not at all.
    Same,
    /// It is a hundredth of the minor unit: the currency had cents once.
    Hundredths,
    /// It is a hundred minor units: nothing is charged in the cents of this currency.
    Hundreds,
    /// It is the minor unit, a thousandth, of which only multiples of ten are charged.
    Tens,
}

/// How Stripe counts a currency that it charges in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unit {
    scale: Scale,
    least: u64,
}

/// An amount that Stripe does not charge. The numbers are minor units of the shop's currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountUnsupported {
    /// It is less than the least.
    #[error("Stripe charges no less than {least} minor units of {currency}, and this is {amount}")]
    TooSmall {
        /// The amount.
        amount: Money,
        /// In this currency.
        currency: Currency,
        /// The least that Stripe charges.
        least: u64,
    },
    /// It is more than the most.
    #[error("Stripe charges no amount of {currency} as large as {amount} minor units")]
    TooLarge {
        /// The amount.
        amount: Money,
        /// In this currency.
        currency: Currency,
    },
    /// Stripe counts this currency more coarsely.
    #[error("Stripe charges only multiples of {step} minor units of {currency}, and this is {amount}")]
    TooFine {
        /// The amount.
        amount: Money,
        /// In this currency.
        currency: Currency,
        /// What it has to be a multiple of.
        step: u64,
    },
}

fn lists(codes: &str, currency: &Currency) -> bool {
    codes.split(' ').any(|code| code == currency.as_str())
}

impl Unit {
    /// The unit of a currency, if Stripe charges in it.
    pub(crate) fn of(currency: &Currency) -> Option<Self> {
        if !lists(CHARGED, currency) {
            return None;
        }
        let scale = match currency.as_str() {
            "ISK" | "UGX" => Scale::Hundredths,
            "MGA" => Scale::Hundreds,
            "BHD" | "JOD" | "KWD" | "OMR" | "TND" => Scale::Tens,
            _ => Scale::Same,
        };
        let least = LEAST.iter().find(|(_, codes)| lists(codes, currency)).map_or(1, |(least, _)| *least);
        Some(Self { scale, least })
    }

    /// Of how many minor units an amount has to be a multiple.
    fn step(self) -> u64 {
        match self.scale {
            Scale::Same | Scale::Hundredths => 1,
            Scale::Hundreds => 100,
            Scale::Tens => 10,
        }
    }

    /// An amount as Stripe counts it, if it can count it.
    pub(crate) fn exactly(self, amount: Money) -> Option<u64> {
        let minor = amount.get();
        if !minor.is_multiple_of(self.step()) {
            return None;
        }
        match self.scale {
            Scale::Same | Scale::Tens => Some(minor),
            Scale::Hundredths => minor.checked_mul(100),
            Scale::Hundreds => minor.checked_div(100),
        }
    }

    /// An amount as Stripe counts it, if it can be charged.
    pub(crate) fn charged(self, amount: Money, currency: &Currency) -> Result<u64, AmountUnsupported> {
        let currency = || currency.clone();
        if !amount.get().is_multiple_of(self.step()) {
            return Err(AmountUnsupported::TooFine { amount, currency: currency(), step: self.step() });
        }
        match self.exactly(amount) {
            Some(charged) if charged < self.least => {
                let least = self.minor(self.least).map_or(self.step(), Money::get);
                Err(AmountUnsupported::TooSmall { amount, currency: currency(), least })
            }
            Some(charged) if charged <= MOST => Ok(charged),
            _ => Err(AmountUnsupported::TooLarge { amount, currency: currency() }),
        }
    }

    /// In minor units what Stripe counts so, if it is a whole number of them.
    pub(crate) fn minor(self, stripe: u64) -> Option<Money> {
        let minor = match self.scale {
            Scale::Same | Scale::Tens => stripe,
            Scale::Hundredths if stripe.is_multiple_of(100) => stripe.checked_div(100)?,
            Scale::Hundredths => return None,
            Scale::Hundreds => stripe.checked_mul(100)?,
        };
        minor.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use domain::{Currency, Money};

    use super::{AmountUnsupported, CHARGED, LEAST, Unit, lists};

    fn currency(code: &str) -> Currency {
        code.to_owned().try_into().unwrap()
    }

    fn money(minor: u64) -> Money {
        minor.try_into().unwrap()
    }

    #[test]
    fn an_amount_is_sent_in_the_unit_of_stripe() {
        for (code, minor, stripe) in [
            ("CNY", 2000, 2000),
            ("USD", 50, 50),
            ("JPY", 500, 500),
            ("KRW", 5000, 5000),
            ("HUF", 17_501, 17_501),
            ("TWD", 801, 801),
            ("ISK", 5, 500),
            ("UGX", 5, 500),
            ("MGA", 500_000, 5000),
            ("KWD", 5120, 5120),
            ("TND", 10, 10),
            ("CNY", 999_999_999_999, 999_999_999_999),
            ("ISK", 9_999_999_999, 999_999_999_900),
        ] {
            let unit = Unit::of(&currency(code)).unwrap();
            assert_eq!(unit.charged(money(minor), &currency(code)), Ok(stripe), "{code} {minor}");
            assert_eq!(unit.minor(stripe), Some(money(minor)), "{code} {stripe}");
        }
    }

    #[test]
    fn an_amount_that_stripe_does_not_charge_is_named() {
        for (code, minor, reason) in [
            ("CNY", 0, "Stripe charges no less than 1 minor units of CNY, and this is 0"),
            ("USD", 49, "Stripe charges no less than 50 minor units of USD, and this is 49"),
            ("HKD", 399, "Stripe charges no less than 400 minor units of HKD, and this is 399"),
            ("GBP", 29, "Stripe charges no less than 30 minor units of GBP, and this is 29"),
            ("HUF", 17_499, "Stripe charges no less than 17500 minor units of HUF, and this is 17499"),
            ("MGA", 0, "Stripe charges no less than 100 minor units of MGA, and this is 0"),
            ("ISK", 0, "Stripe charges no less than 1 minor units of ISK, and this is 0"),
            ("MGA", 50, "Stripe charges only multiples of 100 minor units of MGA, and this is 50"),
            ("KWD", 5124, "Stripe charges only multiples of 10 minor units of KWD, and this is 5124"),
            ("CNY", 1_000_000_000_000, "Stripe charges no amount of CNY as large as 1000000000000 minor units"),
            ("UGX", 10_000_000_000, "Stripe charges no amount of UGX as large as 10000000000 minor units"),
            ("UGX", Money::MAX, "Stripe charges no amount of UGX as large as 9223372036854775807 minor units"),
        ] {
            let unit = Unit::of(&currency(code)).unwrap();
            let error: AmountUnsupported = unit.charged(money(minor), &currency(code)).unwrap_err();
            assert_eq!(error.to_string(), reason);
        }
    }

    #[test]
    fn a_fraction_of_a_minor_unit_is_none() {
        let unit = Unit::of(&currency("ISK")).unwrap();
        assert_eq!(unit.minor(550), None);
        assert_eq!(Unit::of(&currency("MGA")).unwrap().minor(u64::MAX), None);
        assert_eq!(Unit::of(&currency("EUR")).unwrap().minor(u64::MAX), None);
    }

    #[test]
    fn a_currency_that_stripe_does_not_charge_in_has_no_unit() {
        for code in ["IRR", "CUP", "SYP", "KPW", "CLF", "UYW", "XAD", "BGN", "XXX"] {
            assert_eq!(Unit::of(&currency(code)), None, "{code}");
        }
    }

    #[test]
    fn each_currency_is_listed_once_and_in_order() {
        let charged: Vec<_> = CHARGED.split(' ').collect();
        assert!(charged.is_sorted_by(|one, next| one < next), "{charged:?}");
        let mut with_least: Vec<_> = LEAST.iter().flat_map(|(_, codes)| codes.split(' ')).collect();
        with_least.sort_unstable();
        assert!(with_least.is_sorted_by(|one, next| one < next), "{with_least:?}");
        for code in charged.iter().chain(&with_least) {
            assert!(lists(CHARGED, &currency(code)), "{code}");
        }
    }
}

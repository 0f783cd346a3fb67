//! The currencies that prices can be in, and how many decimal places the minor unit of each has (ISO 4217).

use domain::Currency;

/// The currencies in use, by the decimal places of their minor units: list one of ISO 4217 as of January 2026.
///
/// Gold, drawing rights, the codes for tests and the like have no minor unit, so that no price is in them.
const CURRENCIES: [(u8, &str); 4] = [
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
    (
        2,
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW \
         CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF \
         IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK \
         MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP \
         SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG \
         YER ZAR ZMW ZWG",
    ),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
];

/// A text that is no currency with a minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a currency of ISO 4217 that has a minor unit, like CNY")]
pub(crate) struct UnknownCurrency;

/// The currency with this code.
pub(crate) fn parse(code: &str) -> Result<Currency, UnknownCurrency> {
    let currency = Currency::try_from(code.to_owned()).map_err(|_| UnknownCurrency)?;
    minor_digits(&currency).map(|_| currency).ok_or(UnknownCurrency)
}

/// How many decimal places the minor unit of a currency has: 2 where a hundred make up one. None for a code that is no
/// currency: a shop of an earlier version took any three letters, and its orders are still shown.
pub(crate) fn minor_digits(currency: &Currency) -> Option<u8> {
    let code = currency.as_str();
    let listed = |(_, codes): &&(u8, &str)| codes.split(' ').any(|known| known == code);
    CURRENCIES.iter().find(listed).map(|(digits, _)| *digits)
}

#[cfg(test)]
mod tests {
    use super::{CURRENCIES, minor_digits, parse};

    #[test]
    fn a_currency_has_the_minor_digits_of_iso_4217() {
        for (code, digits) in [("CNY", 2), ("EUR", 2), ("JPY", 0), ("UGX", 0), ("KWD", 3), ("CLF", 4), ("HUF", 2)] {
            assert_eq!(minor_digits(&parse(code).unwrap()), Some(digits), "{code}");
        }
    }

    #[test]
    fn what_is_no_currency_with_a_minor_unit_is_refused() {
        for code in ["", "ABC", "cny", "CN", "YUAN", "XXX", "XTS", "XAU", "CNY EUR", " CNY", "DEM"] {
            assert!(parse(code).is_err(), "{code:?}");
        }
    }

    #[test]
    fn every_code_is_listed_once_and_in_order() {
        let mut all = Vec::new();
        for (_, codes) in CURRENCIES {
            let codes: Vec<_> = codes.split(' ').collect();
            assert!(codes.is_sorted_by(|one, next| one < next), "{codes:?}");
            assert!(codes.iter().all(|code| parse(code).is_ok()), "{codes:?}");
            all.extend(codes);
        }
        all.sort_unstable();
        assert!(all.is_sorted_by(|one, next| one < next), "{all:?}");
    }
}

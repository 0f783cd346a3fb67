//! The currencies that Stripe takes, in its minor units, which are not always those of ISO 4217.

/// What Stripe knows of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Currency {
    /// Decimals of an amount as Stripe counts it.
    pub(crate) digits: u32,
    /// An amount has to be a multiple of this.
    pub(crate) step: i64,
    /// The least total of a session.
    pub(crate) least: i64,
    /// The greatest total of a session.
    pub(crate) most: i64,
}

const WITHOUT_DECIMALS: &str = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf";
const THREE_DECIMALS: &str = "bhd jod kwd omr tnd";
/// Without decimals at home, and sent with two to Stripe.
const PADDED: &str = "isk ugx";
const TWO_DECIMALS: &str = "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf \
                            chf cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf \
                            idr ils inr jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn \
                            myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp \
                            sle sos srd std szl thb tjs top try ttd twd tzs uah uyu uzs wst xcd yer zar zmw";

/// The least that Stripe takes, where that is published. CNY has no figure of its own: it has to convert to 0.50 USD.
const LEAST: [(&str, i64); 28] = [
    ("usd", 50),
    ("aed", 200),
    ("aud", 50),
    ("bgn", 100),
    ("brl", 50),
    ("cad", 50),
    ("chf", 50),
    ("cny", 400),
    ("czk", 1500),
    ("dkk", 250),
    ("eur", 50),
    ("gbp", 30),
    ("hkd", 400),
    ("huf", 17500),
    ("inr", 50),
    ("jpy", 50),
    ("krw", 700),
    ("mxn", 1000),
    ("myr", 200),
    ("nok", 300),
    ("nzd", 50),
    ("pln", 200),
    ("ron", 200),
    ("sek", 300),
    ("sgd", 50),
    ("thb", 1000),
    ("twd", 1600),
    ("vnd", 13000),
];

/// The currency of a code in lower case, if Stripe takes it.
pub(crate) fn find(code: &str) -> Option<Currency> {
    let among = |list: &str| code.len() == 3 && list.split_whitespace().any(|other| other == code);
    let (digits, step) = if among(TWO_DECIMALS) {
        (2, 1)
    } else if among(WITHOUT_DECIMALS) {
        (0, 1)
    } else if among(THREE_DECIMALS) {
        (3, 10)
    } else if among(PADDED) {
        (2, 100)
    } else {
        return None;
    };
    let least = LEAST.iter().find(|(other, _)| *other == code).map_or(1, |(_, least)| *least);
    // Eight digits, and more in a currency of many units.
    let most = if code == "idr" { 999_999_999_999 } else { 99_999_999 };
    Some(Currency { digits, step, least, most })
}

/// An amount as people read it: `12.00 CNY`.
pub(crate) fn format(amount: i64, code: &str) -> String {
    let digits = find(code).map_or(2, |currency| currency.digits);
    let unit = 10_i64.pow(digits);
    let code = code.to_ascii_uppercase();
    let (whole, rest) = (amount / unit, (amount % unit).abs());
    match digits {
        0 => format!("{whole} {code}"),
        digits => format!("{whole}.{rest:0width$} {code}", width = digits as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_have_the_minor_units_of_stripe() {
        let of = |code| find(code).map(|currency| (currency.digits, currency.step));
        assert_eq!(of("cny"), Some((2, 1)));
        assert_eq!(of("jpy"), Some((0, 1)));
        assert_eq!(of("kwd"), Some((3, 10)));
        assert_eq!(of("isk"), Some((2, 100)));
        for unknown in ["xyz", "", "usd aed", "CNY", "cn"] {
            assert_eq!(of(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn an_amount_is_written_with_the_decimals_of_its_currency() {
        assert_eq!(format(1205, "cny"), "12.05 CNY");
        assert_eq!(format(1205, "jpy"), "1205 JPY");
        assert_eq!(format(1250, "kwd"), "1.250 KWD");
    }
}

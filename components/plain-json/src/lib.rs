//! JSON values as requests to the shop, answers of a payment provider and the states of orders have them. All are read
//! through this one type: a reader for each kind of object, as serde derives them, would be a large part of every component.
//!
//! A byte order mark is passed over (RFC 8259, 8.1). An integer may be written with a fraction or an exponent, as JSON
//! Schema has it: `2.0` and `20e-1` are 2. A duplicate key in an object is refused, since JSON libraries differ in
//! which of its values they keep.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The members of an object.
pub type Object = BTreeMap<String, Json>;

/// A JSON value.
#[derive(Debug, PartialEq, Eq)]
pub enum Json {
    /// An integer of at most 64 bits that is not negative.
    Whole(u64),
    /// A negative integer of at most 64 bits.
    Negative(i64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(Object),
    /// `true` or `false`.
    Flag(bool),
    /// Null.
    Null,
    /// Any other number: no field takes one.
    Other,
}

/// More digits than the largest integer of 64 bits has.
const MAX_DIGITS: usize = 20;

/// Stands for a number that no field takes.
const NO_INTEGER: &[u8] = b"0.5";

impl Json {
    /// Reads a text.
    ///
    /// # Errors
    /// If it is not JSON, or has a key twice in an object.
    pub fn parse(text: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(&with_plain_integers(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)))
    }

    /// Reads a text that this program has written: a number with a fraction or an exponent is none that a field takes.
    ///
    /// # Errors
    /// If it is not JSON, or has a key twice in an object.
    pub fn read(text: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(text)
    }

    /// The members of an object.
    pub fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The members of an object, to take values out.
    pub fn as_object_mut(&mut self) -> Option<&mut Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// Takes a string, and leaves an empty one.
    pub fn take_text(&mut self) -> Option<String> {
        if let Self::Text(text) = self { Some(std::mem::take(text)) } else { None }
    }

    /// A string.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// An integer that is not negative.
    pub fn as_number(&self) -> Option<u64> {
        if let Self::Whole(number) = self { Some(*number) } else { None }
    }

    /// An integer that may be negative.
    pub fn as_signed(&self) -> Option<i64> {
        match self {
            Self::Whole(number) => (*number).try_into().ok(),
            Self::Negative(number) => Some(*number),
            _ => None,
        }
    }

    /// `true` or `false`.
    pub fn as_flag(&self) -> Option<bool> {
        if let Self::Flag(flag) = self { Some(*flag) } else { None }
    }
}

/// The text with each number as an integer without fraction and exponent, or as [`NO_INTEGER`]. The JSON library would
/// make a floating-point number of it, which is another number than the text says: `2.00000000000000000001` is not 2.
/// What is no number of JSON stays as it is, so that the library refuses it.
fn with_plain_integers(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        let length = match first {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' => rest.iter().take_while(|byte| b"0123456789+-.eE".contains(byte)).count(),
            _ => 1,
        };
        let Some((token, after)) = rest.split_at_checked(length) else { break };
        let end = plain.len().saturating_add(length);
        match plain_integer(token) {
            Some(number) => {
                plain.extend_from_slice(&number);
                // So that an error further on is told at its place.
                plain.resize(end.max(plain.len()), b' ');
            }
            None => plain.extend_from_slice(token),
        }
        rest = after;
    }
    plain
}

/// How many bytes a string has at the beginning of `text`, with its quotes.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().skip(1).position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end.saturating_add(2))
}

/// A number of JSON (RFC 8259, 6), written as an integer or as [`NO_INTEGER`]; none if the token is no number.
fn plain_integer(token: &[u8]) -> Option<Vec<u8>> {
    let unsigned = token.strip_prefix(b"-").unwrap_or(token);
    let (mantissa, exponent) = split(unsigned, |byte| matches!(byte, b'e' | b'E')).unwrap_or((unsigned, b"0"));
    let (whole, fraction) = split(mantissa, |byte| byte == b'.').unwrap_or((mantissa, b"0"));
    let magnitude = exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+")).unwrap_or(exponent);
    let is_digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if ![whole, fraction, magnitude].into_iter().all(is_digits) || (whole.len() > 1 && whole.starts_with(b"0")) {
        return None;
    }
    let is_negative = exponent.starts_with(b"-");
    // The number is these digits, with the point this many places further to the right.
    let mut digits = [whole, fraction].concat();
    let places = magnitude
        .iter()
        .fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit.wrapping_sub(b'0'))));
    let places = if is_negative { places.saturating_neg() } else { places };
    let mut places = places.saturating_sub(i64::try_from(fraction.len()).unwrap_or(i64::MAX));
    while digits.last() == Some(&b'0') {
        digits.pop();
        places = places.saturating_add(1);
    }
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let digits = digits.get(zeros..).unwrap_or_default();
    let length = places.saturating_add(i64::try_from(digits.len()).unwrap_or(i64::MAX));
    Some(match usize::try_from(length) {
        _ if digits.is_empty() => b"0".to_vec(),
        Ok(length) if places >= 0 && length <= MAX_DIGITS => {
            let mut number = token.get(..token.len().saturating_sub(unsigned.len())).unwrap_or_default().to_vec();
            number.extend_from_slice(digits);
            number.resize(number.len().saturating_add(length).saturating_sub(digits.len()), b'0');
            number
        }
        _ => NO_INTEGER.to_vec(),
    })
}

/// What is before and after the first such byte.
fn split(text: &[u8], at: impl Fn(u8) -> bool) -> Option<(&[u8], &[u8])> {
    let (before, after) = text.split_at_checked(text.iter().position(|byte| at(*byte))?)?;
    Some((before, after.get(1..)?))
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyJson;

        impl<'de> Visitor<'de> for AnyJson {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
                Ok(Json::Whole(number))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
                Ok(u64::try_from(number).map_or(Json::Negative(number), Json::Whole))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
                Ok(Json::Other)
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
                Ok(Json::Flag(flag))
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_str<E>(self, text: &str) -> Result<Json, E> {
                Ok(Json::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(Json::List(values))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut object = Object::new();
                while let Some((name, value)) = map.next_entry()? {
                    match object.entry(name) {
                        Entry::Vacant(entry) => entry.insert(value),
                        Entry::Occupied(entry) => {
                            let name = entry.key();
                            return Err(A::Error::custom(format_args!("Duplicate object key \"{name}\"")));
                        }
                    };
                }
                Ok(Json::Object(object))
            }
        }

        deserializer.deserialize_any(AnyJson)
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    fn parse(text: &str) -> Result<Json, String> {
        Json::parse(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_integer_is_one_however_it_is_written() {
        for (text, number) in [
            ("2", 2),
            ("2.0", 2),
            ("2.000", 2),
            ("2e0", 2),
            ("2E+0", 2),
            ("20e-1", 2),
            ("0.2e1", 2),
            ("0.002e3", 2),
            ("-0", 0),
            ("0.0", 0),
            ("0e400", 0),
            ("-0.000e-99999999999999999999", 0),
            ("1e18", 1_000_000_000_000_000_000),
            ("9007199254740993.0", 9_007_199_254_740_993),
            ("18446744073709551615.0", u64::MAX),
        ] {
            assert_eq!(parse(text), Ok(Json::Whole(number)), "{text}");
            assert_eq!(parse(&format!(" [{text}]")), Ok(Json::List(vec![Json::Whole(number)])), "{text}");
        }
        for (text, number) in [("-2.0", -2), ("-2", -2), ("-9223372036854775808.0", i64::MIN)] {
            assert_eq!(parse(text), Ok(Json::Negative(number)), "{text}");
        }
        let long = format!("{}.{}e-60000", "2".to_owned() + &"0".repeat(60_000), "0".repeat(5_000));
        assert_eq!(parse(&long), Ok(Json::Whole(2)));
    }

    #[test]
    fn what_is_no_integer_of_64_bits_is_another_value_and_no_error() {
        for text in [
            "2.5",
            "25e-1",
            "1e-1",
            "2.00000000000000000001",
            "0.9999999999999999999999",
            "18446744073709551616",
            "1e20",
            "-1e19",
            "1e400",
            "-1e400",
            "1e-400",
            "1e99999999999999999999",
            "1e-99999999999999999999",
        ] {
            assert_eq!(parse(text), Ok(Json::Other), "{text}");
        }
        assert_eq!(parse(&"1".repeat(60_000)), Ok(Json::Other));
    }

    #[test]
    fn what_is_no_number_of_json_is_refused() {
        for text in [
            "01", "-01", "1.", ".5", "-.5", "+1", "1e", "1e+", "-", "--1", "1e1.5", "1.5.5", "1e5e5", "1-1", "0x1",
            "NaN",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_value_is_what_it_is_and_nothing_else() {
        let read = |text| {
            let value = parse(text).unwrap();
            let kinds = [value.as_object().is_some(), value.as_text().is_some(), value.as_number().is_some()];
            (kinds, value.as_flag())
        };
        for (text, kinds, flag) in [
            ("{}", [true, false, false], None),
            (r#""7""#, [false, true, false], None),
            ("7", [false, false, true], None),
            ("-7", [false; 3], None),
            ("18446744073709551615", [false, false, true], None),
            ("0.5", [false; 3], None),
            ("true", [false; 3], Some(true)),
            ("false", [false; 3], Some(false)),
            ("null", [false; 3], None),
            ("[]", [false; 3], None),
        ] {
            assert_eq!(read(text), (kinds, flag), "{text}");
        }
    }

    #[test]
    fn a_string_is_left_as_it_is() {
        for (text, string) in
            [(r#""2.0""#, "2.0"), (r#""a\"2.0""#, "a\"2.0"), (r#""\\""#, "\\"), (r#""é 1e400""#, "é 1e400")]
        {
            assert_eq!(parse(text), Ok(Json::Text(string.to_owned())), "{text}");
            let list = vec![Json::Text(string.to_owned()), Json::Whole(3)];
            assert_eq!(parse(&format!("[{text},3.0]")), Ok(Json::List(list)), "{text}");
        }
        for text in [r#"""#, r#""a"#, r#""a\"#, r#""a\""#] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_once_and_at_the_beginning() {
        assert_eq!(parse("\u{feff}7"), Ok(Json::Whole(7)));
        assert!(parse("\u{feff}\u{feff}7").is_err());
        assert!(parse(" \u{feff}7").is_err());
        assert!(parse("\u{feff}").is_err());
    }

    #[test]
    fn a_duplicate_key_is_named_and_an_error_is_told_at_its_place() {
        let error = parse("{\"a\":2.0,\n\"b\":2.00,\"b\":1}").unwrap_err();
        assert_eq!(error, "Duplicate object key \"b\" at line 2 column 15");
    }
}

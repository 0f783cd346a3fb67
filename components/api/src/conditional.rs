//! Preconditions: `if-match` and `if-none-match` (RFC 9110, 13).
//!
//! `if-modified-since`, `if-unmodified-since` and `if-range` are passed over, as that RFC wants where nothing has a date
//! of its last change and ranges are not served.

use domain::Condition;

use crate::header;
use crate::problem::{FieldError, Problem};
use crate::request::Headers;

/// What a request expects of the thing that it is about.
#[derive(Debug, Clone)]
pub(crate) struct Preconditions {
    matches: Option<Vec<Vec<u8>>>,
    none_match: Option<Vec<Vec<u8>>>,
}

/// What is there, as far as preconditions tell things apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Current<'a> {
    /// Nothing.
    Missing,
    /// Something without a tag.
    Untagged,
    /// Something with this strong tag.
    Tagged(&'a [u8]),
}

impl Preconditions {
    /// Those of a request that reads. What is no tag is one that nothing has.
    pub(crate) fn of(headers: &Headers) -> Self {
        Self { matches: tags(headers, header::IF_MATCH), none_match: tags(headers, header::IF_NONE_MATCH) }
    }

    /// Those of a request that changes something. A list that cannot be read is an error: without its condition the
    /// request would change what the client meant to protect.
    pub(crate) fn of_change(headers: &Headers) -> Result<Self, Problem> {
        let preconditions = Self::of(headers);
        match &preconditions.none_match {
            Some(tags) if tags.is_empty() || !tags.iter().all(|tag| is_tag(tag)) => Err(Self::unreadable()),
            _ => Ok(preconditions),
        }
    }

    /// 422 for what is no list of tags.
    pub(crate) fn unreadable() -> Problem {
        let expected = "must be * or tags in quotes, with commas between them";
        Problem::invalid(vec![FieldError::header(header::IF_NONE_MATCH, expected)])
    }

    /// Whether `if-match` allows the request (13.1.1): the comparison is strong, so that no weak tag matches.
    pub(crate) fn matches(&self, current: Current<'_>) -> bool {
        let Some(tags) = &self.matches else { return true };
        match current {
            Current::Missing => false,
            _ if is_any(tags) => true,
            Current::Untagged => false,
            Current::Tagged(tag) => tags.iter().any(|known| known == tag),
        }
    }

    /// Whether `if-none-match` finds what the client has already (13.1.2): the comparison is weak.
    pub(crate) fn is_known(&self, current: Current<'_>) -> bool {
        let Some(tags) = &self.none_match else { return false };
        let same = |known: &Vec<u8>| match current {
            Current::Tagged(tag) => known.strip_prefix(b"W/").unwrap_or(known) == tag || known == b"*",
            Current::Untagged => known == b"*",
            Current::Missing => false,
        };
        tags.iter().any(same)
    }

    /// Whether a request that changes something may do so.
    pub(crate) fn allow(&self, current: Current<'_>) -> bool {
        self.matches(current) && !self.is_known(current)
    }

    /// For the domain, which asks at the moment of the change; `tag` gives the tag of what is there.
    pub(crate) fn condition<T>(self, tag: impl Fn(&T) -> String + 'static) -> Condition<T> {
        if self.matches.is_none() && self.none_match.is_none() {
            return Condition::default();
        }
        Condition::new(move |thing: Option<&T>| match thing {
            Some(thing) => self.allow(Current::Tagged(tag(thing).as_bytes())),
            None => self.allow(Current::Missing),
        })
    }
}

fn is_any(tags: &[Vec<u8>]) -> bool {
    matches!(tags, [any] if any == b"*")
}

/// Whether this is an entity tag (8.8.3), or the asterisk.
fn is_tag(tag: &[u8]) -> bool {
    let opaque = tag.strip_prefix(b"W/").unwrap_or(tag);
    let inner = opaque.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    tag == b"*" || inner.is_some_and(|inner| inner.iter().all(|byte| !matches!(byte, b'"' | 0..=b' ' | 0x7f)))
}

/// The elements of a list of tags; none if there is no such field.
fn tags(headers: &Headers, name: &'static str) -> Option<Vec<Vec<u8>>> {
    headers.first(name)?;
    Some(headers.elements(name).into_iter().map(<[u8]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use super::{Current, Preconditions};
    use crate::request::Headers;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        fields.collect::<Vec<_>>().into()
    }

    const TAGGED: Current = Current::Tagged(b"\"a\"");

    #[test]
    fn if_match_names_what_is_there_strongly() {
        for (value, tagged, untagged) in [
            ("\"a\"", true, false),
            ("\"b\", \"a\"", true, false),
            (",\"a\" ,", true, false),
            ("*", true, true),
            ("W/\"a\"", false, false),
            ("\"b\"", false, false),
            ("a", false, false),
            ("\"b,\"a\"\"", false, false),
            ("\"b\", *", false, false),
            ("", false, false),
        ] {
            let preconditions = Preconditions::of(&headers(&[("if-match", value)]));
            assert_eq!(preconditions.allow(TAGGED), tagged, "{value}");
            assert_eq!(preconditions.allow(Current::Untagged), untagged, "{value}");
            assert!(!preconditions.allow(Current::Missing), "{value}");
        }
    }

    #[test]
    fn if_none_match_names_what_is_there_weakly() {
        for (value, tagged, untagged) in [
            ("\"a\"", false, true),
            ("W/\"a\"", false, true),
            ("\"b\",W/\"a\"", false, true),
            ("*", false, false),
            ("\"b\"", true, true),
            ("\"x,y\"", true, true),
        ] {
            let preconditions = Preconditions::of_change(&headers(&[("if-none-match", value)])).unwrap();
            assert_eq!(preconditions.allow(TAGGED), tagged, "{value}");
            assert_eq!(preconditions.allow(Current::Untagged), untagged, "{value}");
            assert!(preconditions.allow(Current::Missing), "{value}");
        }
    }

    #[test]
    fn several_fields_are_one_list_and_both_conditions_have_to_hold() {
        let of = |fields: &[(&str, &str)]| Preconditions::of(&headers(fields));
        assert!(of(&[]).allow(TAGGED) && of(&[]).allow(Current::Missing));
        assert!(of(&[("if-match", "\"b\""), ("If-Match", "\"a\"")]).allow(TAGGED));
        assert!(!of(&[("if-none-match", "\"b\""), ("if-none-match", "\"a\"")]).allow(TAGGED));
        assert!(!of(&[("if-match", "*"), ("if-none-match", "\"a\"")]).allow(TAGGED));
        assert!(of(&[("if-match", "*"), ("if-none-match", "\"b\"")]).allow(TAGGED));
    }

    #[test]
    fn a_change_with_a_condition_that_cannot_be_read_is_refused() {
        for value in ["", ",", "a", "\"a", "W/a", "w/\"a\"", "\"a\"b", "\"a\" \"b\"", "\"a b\""] {
            assert!(Preconditions::of_change(&headers(&[("if-none-match", value)])).is_err(), "{value}");
        }
    }
}

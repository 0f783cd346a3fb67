//! What Stripe answers, out of JSON. Members that are not read may be anything.

use std::collections::BTreeMap;

use domain::ProviderError;
use plain_json::{Json, Object};

/// An answer of which this is wrong.
pub(crate) fn nonsense(text: &str) -> ProviderError {
    ProviderError::Nonsense(text.to_owned())
}

/// What a value of an answer is read as.
pub(crate) trait Answer: Sized {
    /// None where it is something else.
    fn read(json: &Json) -> Option<Self>;
}

/// The members of an object.
#[derive(Clone, Copy)]
pub(crate) struct Members<'a>(&'a Object);

impl<'a> Members<'a> {
    pub(crate) fn of(json: &'a Json) -> Option<Self> {
        json.as_object().map(Self)
    }

    /// A member that is always there; none where it is not, or is something else.
    pub(crate) fn required<A: Answer>(self, name: &str) -> Option<A> {
        A::read(self.0.get(name)?)
    }

    /// A member that may be missing or null; none where it is something else.
    pub(crate) fn optional<A: Answer>(self, name: &str) -> Option<Option<A>> {
        match self.get(name) {
            None => Some(None),
            Some(value) => A::read(value).map(Some),
        }
    }

    /// A member that is not null, as it is.
    pub(crate) fn get(self, name: &str) -> Option<&'a Json> {
        self.0.get(name).filter(|value| **value != Json::Null)
    }
}

impl Answer for String {
    fn read(json: &Json) -> Option<Self> {
        json.as_text().map(str::to_owned)
    }
}

impl Answer for u64 {
    fn read(json: &Json) -> Option<Self> {
        json.as_number()
    }
}

impl Answer for bool {
    fn read(json: &Json) -> Option<Self> {
        json.as_flag()
    }
}

impl<A: Answer> Answer for Vec<A> {
    fn read(json: &Json) -> Option<Self> {
        if let Json::List(values) = json { values.iter().map(A::read).collect() } else { None }
    }
}

impl Answer for BTreeMap<String, String> {
    fn read(json: &Json) -> Option<Self> {
        json.as_object()?.iter().map(|(name, value)| Some((name.clone(), value.as_text()?.to_owned()))).collect()
    }
}

/// What Stripe answers with its id, or whole where it was asked to.
#[derive(Debug)]
pub(crate) enum Expandable<A> {
    Id(String),
    Whole(Box<A>),
}

impl<A: Answer> Answer for Expandable<A> {
    fn read(json: &Json) -> Option<Self> {
        match json.as_text() {
            Some(id) => Some(Self::Id(id.to_owned())),
            None => A::read(json).map(|whole| Self::Whole(Box::new(whole))),
        }
    }
}

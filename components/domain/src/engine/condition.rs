//! What a request expects of the thing that it changes.

use std::fmt;
use std::rc::Rc;

use crate::error::Error;

/// The question that a [`Condition`] asks; of nothing where the thing is not there.
type Test<T> = dyn Fn(Option<&T>) -> bool;

/// What a request expects of the thing that it changes, as clients see it: the change is made only if that is so at the
/// moment of the change. By default nothing is expected.
pub struct Condition<T>(Option<Rc<Test<T>>>);

impl<T> Condition<T> {
    /// The change is made only if `test` says so of the thing, or of nothing where the thing is not there.
    pub fn new(test: impl Fn(Option<&T>) -> bool + 'static) -> Self {
        Self(Some(Rc::new(test)))
    }

    /// Whether anything is expected.
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// # Errors
    /// [`Error::PreconditionFailed`] if this is not what is expected.
    pub(crate) fn check(&self, thing: Option<&T>) -> Result<(), Error> {
        match &self.0 {
            Some(test) if !test(thing) => Err(Error::PreconditionFailed),
            _ => Ok(()),
        }
    }
}

impl<T> Default for Condition<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Clone for Condition<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Condition<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_some() { "Condition(something)" } else { "Condition(nothing)" })
    }
}

//! Personal data that must not reach a log, a metric or a panic by accident.

use std::fmt;

/// Wraps a caller's number, name or location. `Debug` and `Display` print `***`; the value is
/// reached only by [`Pii::expose`], a name that shows in review.
///
/// ```
/// let caller = sip::Pii::new("+33369670015");
/// assert_eq!(format!("{caller} {caller:?}"), "*** ***");
/// assert_eq!(*caller.expose(), "+33369670015");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pii<T>(T);

impl<T> Pii<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Use it to build a SIP message or an authorised API answer, never to log.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Unwraps the value, with the same care as [`Pii::expose`].
    pub fn into_exposed(self) -> T {
        self.0
    }

    /// Applies `f` to the value inside; the result stays wrapped.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Pii<U> {
        Pii(f(self.0))
    }
}

impl<T> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T> fmt::Display for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

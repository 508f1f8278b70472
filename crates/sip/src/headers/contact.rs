//! Contact (RFC 3261 §20.10): where a party can be reached.

use std::fmt;

use crate::{HeaderName, Message, name_addr::NameAddr};

use super::{DeltaSeconds, HeaderError};

/// One Contact value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact<'a> {
    /// The address, with all parameters.
    pub address: NameAddr<'a>,
}

/// All Contacts of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Contacts<'a> {
    /// `*`, alone: every binding (RFC 3261 §10.2.2).
    Star,
    /// These addresses; perhaps none.
    List(ContactList<'a>),
}

/// The Contacts of a message that are addresses.
#[derive(Clone, Copy)]
pub struct ContactList<'a> {
    message: &'a Message,
}

/// A preference from 0 to 1, in thousandths (RFC 3261 §20.10: at most three decimals).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QValue(u16);

impl<'a> Contact<'a> {
    /// Reads one element.
    ///
    /// # Errors
    /// [`HeaderError`] when it is no name-addr or its URI is wrong.
    pub fn parse(raw: &'a [u8]) -> Result<Self, HeaderError> {
        let address = NameAddr::parse(raw)?;
        address.uri()?;
        Ok(Self { address })
    }

    /// The `expires` parameter. A malformed one is 3600 s (RFC 3261 §20.10).
    pub fn expires(&self) -> Option<DeltaSeconds> {
        let value = self.address.params.get("expires")?.value;
        Some(value.map_or(EXPIRES_MALFORMED, |value| {
            DeltaSeconds::parse(value).unwrap_or(EXPIRES_MALFORMED)
        }))
    }

    /// The `q` parameter; a malformed one is none.
    pub fn q(&self) -> Option<QValue> {
        self.address.params.value("q").and_then(QValue::parse)
    }
}

impl<'a> Contacts<'a> {
    /// The Contacts of a message.
    ///
    /// # Errors
    /// [`HeaderError::Token`] when `*` stands beside another Contact.
    pub fn of(message: &'a Message) -> Result<Self, HeaderError> {
        let stars = message
            .elements(HeaderName::Contact)
            .filter(|&one| one == b"*");
        match (stars.count(), message.elements(HeaderName::Contact).count()) {
            (0, _) => Ok(Self::List(ContactList { message })),
            (1, 1) => Ok(Self::Star),
            _ => Err(HeaderError::Token),
        }
    }
}

impl<'a> ContactList<'a> {
    /// The addresses in their order, each read on its own.
    pub fn iter(&self) -> impl Iterator<Item = Result<Contact<'a>, HeaderError>> + use<'a> {
        self.message
            .elements(HeaderName::Contact)
            .map(Contact::parse)
    }
}

impl PartialEq for ContactList<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for ContactList<'_> {}

impl fmt::Debug for ContactList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Contacts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Star => f.write_str("*"),
            Self::List(list) => fmt::Debug::fmt(list, f),
        }
    }
}

impl QValue {
    /// 1: what a Contact without `q` has.
    pub const MAX: Self = Self(1000);

    /// From thousandths; `None` above 1000.
    pub const fn new(thousandths: u16) -> Option<Self> {
        if thousandths <= 1000 {
            Some(Self(thousandths))
        } else {
            None
        }
    }

    /// Reads `0.7`, `1`, `1.000`; a fourth decimal and what follows it do not count.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (whole, decimals) = crate::lexer::split_once(value, b'.');
        let decimals = decimals.unwrap_or_default();
        if !matches!(whole, b"" | b"0" | b"1") || (whole.is_empty() && decimals.is_empty()) {
            return None;
        }
        if !decimals.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let digit = |at: usize| u16::from(decimals.get(at).map_or(0, |digit| digit - b'0'));
        let thousandths = digit(0) * 100 + digit(1) * 10 + digit(2);
        Self::new(if whole == b"1" { 1000 } else { 0 } + thousandths)
    }

    /// The preference in thousandths.
    pub const fn thousandths(self) -> u16 {
        self.0
    }
}

impl fmt::Display for QValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// RFC 3261 §20.10.
const EXPIRES_MALFORMED: DeltaSeconds = DeltaSeconds(3600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn register(contacts: &str) -> Message {
        let text = format!("REGISTER sip:h SIP/2.0\r\n{contacts}\r\n");
        Message::parse(text.into(), &Limits::default()).unwrap()
    }

    #[test]
    fn preferences_are_thousandths() {
        for (raw, thousandths) in [
            ("1", Some(1000)),
            ("0", Some(0)),
            ("0.7", Some(700)),
            (".5", Some(500)),
            ("1.000", Some(1000)),
            ("0.1239", Some(123)),
            ("1.", Some(1000)),
            ("1.1", None),
            ("2", None),
            ("", None),
            (".", None),
            ("0,5", None),
            ("-0.5", None),
        ] {
            let q = QValue::parse(raw.as_bytes()).map(QValue::thousandths);
            assert_eq!(q, thousandths, "{raw}");
        }
        assert_eq!(QValue(700).to_string(), "0.700");
        assert!(QValue::MAX > QValue(999) && QValue::new(1001).is_none());
    }

    #[test]
    fn contacts_over_lines_and_commas() {
        let message = register(
            "Contact: \"a, b\" <sip:1@h>;q=0.5;expires=60, sip:2@h;expires=x\r\nm: <sip:3@h>\r\n",
        );
        let Ok(Contacts::List(list)) = Contacts::of(&message) else {
            panic!("a list");
        };
        let read: Vec<_> = list.iter().map(Result::unwrap).collect();
        assert_eq!(read.len(), 3);
        assert_eq!(read[0].q(), QValue::new(500));
        assert_eq!(read[0].expires(), Some(DeltaSeconds(60)));
        assert_eq!(read[1].expires(), Some(DeltaSeconds(3600)));
        assert_eq!((read[2].q(), read[2].expires()), (None, None));
    }

    #[test]
    fn a_star_stands_alone() {
        assert_eq!(
            Contacts::of(&register("Contact: *\r\n")),
            Ok(Contacts::Star)
        );
        for contacts in ["Contact: *, <sip:1@h>\r\n", "Contact: *\r\nm: *\r\n"] {
            let message = register(contacts);
            assert_eq!(
                Contacts::of(&message),
                Err(HeaderError::Token),
                "{contacts}"
            );
        }
        let none = register("");
        assert!(
            matches!(Contacts::of(&none), Ok(Contacts::List(list)) if list.iter().count() == 0)
        );
    }
}

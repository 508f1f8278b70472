//! From what is dialled to the line that serves it.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use acd::{LineId, Priority};
use sip::Uri;
use sip_proxy::{NumberForm, TrunkId};

use crate::{
    codes::Code,
    config::{Config, NumberRoute},
};

/// Something that a caller can dial, in the one form in which it is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialled {
    /// A long number (`+33369670015`) or a short one (`15`), without visual separators.
    Number(String),
    /// What follows `urn:`, in lower case: `service:sos.ambulance` (RFC 5031).
    Urn(String),
}

impl fmt::Display for Dialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => f.write_str(number),
            Self::Urn(name) => write!(f, "urn:{name}"),
        }
    }
}

/// Why text is nothing that can be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialledError {
    /// Neither `+` and digits, nor digits, nor a URN.
    #[error("neither a number (digits, with or without a leading +) nor a urn:")]
    Form,
}

impl Dialled {
    /// Reads a number or a URN as a configuration writes it.
    ///
    /// # Errors
    /// [`DialledError::Form`].
    pub fn parse(text: &str) -> Result<Self, DialledError> {
        if let Some(name) = strip_prefix_without_case(text, "urn:") {
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
            return if is_name {
                Ok(Self::urn(name))
            } else {
                Err(DialledError::Form)
            };
        }
        let number = normalized(text.as_bytes());
        let digits = number.strip_prefix('+').unwrap_or(&number);
        let is_number = !digits.is_empty()
            && digits
                .bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'#'));
        if is_number {
            Ok(Self::Number(number))
        } else {
            Err(DialledError::Form)
        }
    }

    /// What a Request-URI dials, if anything.
    fn of_uri(uri: &Uri<'_>) -> Option<Self> {
        match uri {
            Uri::Urn(urn) => std::str::from_utf8(urn.name).ok().map(Self::urn),
            _ => {
                let user = uri.user_or_number()?.into_exposed();
                Some(Self::Number(normalized(&percent_decoded(user))))
            }
        }
    }

    fn urn(name: &str) -> Self {
        Self::Urn(name.to_ascii_lowercase())
    }

    /// The service above this one: `service:sos` for `service:sos.ambulance`
    /// (RFC 5031 §4.2: a service that is unknown stands for the one above it).
    fn parent(&self) -> Option<Self> {
        match self {
            Self::Urn(name) => name
                .rsplit_once('.')
                .map(|(above, _)| Self::Urn(above.to_owned())),
            Self::Number(_) => None,
        }
    }
}

/// Where a number leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineRoute {
    pub(crate) line: LineId,
    /// `None`: the line's.
    pub(crate) priority: Option<Priority>,
}

impl LineRoute {
    /// The same for a call of which this is said as well: the higher priority counts, and none is lower
    /// than `least`.
    pub(crate) fn or_said(self, said: Option<Priority>, least: Option<Priority>) -> Self {
        let floor = self.priority.or_else(|| least.filter(|_| said.is_some()));
        Self {
            priority: said.into_iter().chain(floor).min(),
            ..self
        }
    }
}

/// The dial plan: numbers of all lines.
#[derive(Clone, Debug)]
pub(crate) struct DialPlan {
    routes: BTreeMap<Dialled, Vec<(Vec<TrunkId>, LineRoute)>>,
    /// How each trunk writes numbers.
    trunks: Vec<NumberForm>,
    /// How agents do.
    agents: NumberForm,
}

impl DialPlan {
    pub(crate) fn new(config: &Config) -> Self {
        let mut routes: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for NumberRoute {
            dialled,
            line,
            priority,
            trunks,
        } in &config.numbers
        {
            routes.entry(dialled.clone()).or_default().push((
                trunks.clone(),
                LineRoute {
                    line: *line,
                    priority: *priority,
                },
            ));
        }
        Self {
            routes,
            trunks: config
                .trunks
                .iter()
                .map(|trunk| trunk.numbers.clone())
                .collect(),
            agents: NumberForm::e164(config.country.clone()),
        }
    }

    /// The feature code that an agent dials.
    pub(crate) fn code(&self, uri: &Uri<'_>) -> Option<Code> {
        match Dialled::of_uri(uri)? {
            Dialled::Number(number) => Code::parse(&number),
            Dialled::Urn(_) => None,
        }
    }

    /// The number that an agent dials, in the form in which numbers are compared.
    pub(crate) fn number(&self, uri: &Uri<'_>) -> Option<String> {
        match Dialled::of_uri(uri)? {
            Dialled::Number(number) => Some(self.agents.read(&number)),
            Dialled::Urn(_) => None,
        }
    }

    /// The telephone number of a URI as a trunk writes it, in the form in which numbers are compared.
    pub(crate) fn telephone(&self, uri: &Uri<'_>, trunk: TrunkId) -> Option<String> {
        let Dialled::Number(number) = Dialled::of_uri(uri)? else {
            return None;
        };
        let number = self.trunks.get(trunk.index())?.read(&number);
        let digits = number.strip_prefix('+').unwrap_or(&number);
        let is_telephone = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_telephone.then_some(number)
    }

    /// The line of a Request-URI for a call of this trunk (or of an agent: `None`).
    pub(crate) fn line(&self, uri: &Uri<'_>, trunk: Option<TrunkId>) -> Option<LineRoute> {
        let mut dialled = Dialled::of_uri(uri);
        if let Some(Dialled::Number(number)) = &dialled {
            let form = trunk.and_then(|trunk| self.trunks.get(trunk.index()));
            let form = form.unwrap_or(&self.agents);
            let at = |number: String| self.line_at(&Dialled::Number(number), trunk);
            // What looks like a prefix of ported numbers may as well be where a number of ours begins.
            let as_it_is = || match form.portability_prefixes.is_empty() {
                true => None,
                false => at(self.agents.read(number)),
            };
            let found = at(number.clone()).or_else(as_it_is);
            return found.or_else(|| at(form.read(number)));
        }
        while let Some(wanted) = dialled {
            if let Some(line) = self.line_at(&wanted, trunk) {
                return Some(line);
            }
            dialled = wanted.parent();
        }
        None
    }

    fn line_at(&self, wanted: &Dialled, trunk: Option<TrunkId>) -> Option<LineRoute> {
        choose(self.routes.get(wanted)?, trunk)
    }
}

/// A route that names the trunk, else one for all trunks.
fn choose(routes: &[(Vec<TrunkId>, LineRoute)], trunk: Option<TrunkId>) -> Option<LineRoute> {
    let named = routes
        .iter()
        .find(|(trunks, _)| trunk.is_some_and(|one| trunks.contains(&one)));
    named
        .or_else(|| routes.iter().find(|(trunks, _)| trunks.is_empty()))
        .map(|&(_, route)| route)
}

/// A number without visual separators (RFC 3966 §5.1.1) and without the parameters that some
/// gateways put into the user part.
fn normalized(number: &[u8]) -> String {
    let number = number
        .split(|&byte| byte == b';')
        .next()
        .unwrap_or_default();
    number
        .iter()
        .filter(|byte| !matches!(byte, b'-' | b'.' | b'(' | b')' | b' '))
        .map(|&byte| char::from(byte).to_ascii_lowercase())
        .collect()
}

fn percent_decoded(user: &[u8]) -> Cow<'_, [u8]> {
    if !user.contains(&b'%') {
        return Cow::Borrowed(user);
    }
    let mut plain = Vec::with_capacity(user.len());
    let mut rest = user;
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = match (byte, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        rest = if escaped.is_some() { &tail[2..] } else { tail };
        plain.push(escaped.unwrap_or(byte));
    }
    Cow::Owned(plain)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn strip_prefix_without_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialled(uri: &str) -> Option<Dialled> {
        Dialled::of_uri(&Uri::parse(uri.as_bytes()).unwrap())
    }

    #[test]
    fn one_number_has_one_form() {
        let number = Dialled::parse("+33369670015").unwrap();
        for uri in [
            "sip:+33369670015@h",
            "sip:+33-3.69(67)0015@h;user=phone",
            "sip:%2B33369670015@h",
            "sip:+33369670015;phone-context=x@h",
            "tel:+33-369-670-015;ext=1",
        ] {
            assert_eq!(dialled(uri), Some(number.clone()), "{uri}");
        }
        assert_eq!(dialled("sip:15@h"), Some(Dialled::Number("15".to_owned())));
        assert_eq!(
            dialled("sip:%2315%23@h"),
            Some(Dialled::Number("#15#".to_owned()))
        );
        assert_eq!(dialled("sip:h"), None);
        assert_eq!(
            dialled("sip:%zz%4@h"),
            Some(Dialled::Number("%zz%4".to_owned()))
        );
    }

    #[test]
    fn urns_fall_back_to_the_service_above() {
        let urn = dialled("urn:service:SOS.Ambulance").unwrap();
        assert_eq!(urn, Dialled::parse("URN:service:sos.ambulance").unwrap());
        assert_eq!(
            urn.parent(),
            Some(Dialled::parse("urn:service:sos").unwrap())
        );
        assert_eq!(urn.parent().unwrap().parent(), None);
    }

    #[test]
    fn what_cannot_be_dialled_is_refused() {
        for text in ["", "+", "abc", "urn:", "12a", "sip:15@h"] {
            assert_eq!(Dialled::parse(text), Err(DialledError::Form), "{text}");
        }
    }
}

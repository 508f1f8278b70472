//! When two URIs are the same: RFC 3261 §19.1.4 for `sip` and `sips`, RFC 3966 §5 for `tel`,
//! RFC 8141 §3 for `urn`.

use crate::{
    escape::{self, Unit},
    lexer::{self, Param, Params},
    uri::{SipUri, TelUri, Uri, UriHeader},
};

/// More parameters or headers than this are compared byte by byte only, so that the work stays
/// linear: each of them is looked up in the other URI.
const PARTS_MAX: usize = 32;

impl Uri<'_> {
    /// Whether two URIs are equivalent by the rules of their scheme. `==` compares what is
    /// written. The relation is not transitive (RFC 3261 §19.1.4): never use it as a key.
    pub fn is_equivalent(&self, other: &Uri<'_>) -> bool {
        match (self, other) {
            (Self::Sip(a), Uri::Sip(b)) => a.is_equivalent(b),
            (Self::Tel(a), Uri::Tel(b)) => a.is_equivalent(b),
            (Self::Urn(a), Uri::Urn(b)) => urn_equal(a.name, b.name),
            (Self::Other(a), Uri::Other(b)) => {
                a.scheme.eq_ignore_ascii_case(b.scheme) && a.rest == b.rest
            }
            _ => false,
        }
    }
}

impl SipUri<'_> {
    /// Whether two SIP URIs are equivalent (RFC 3261 §19.1.4).
    pub fn is_equivalent(&self, other: &SipUri<'_>) -> bool {
        let part = |part: Option<crate::Pii<_>>| part.map(crate::Pii::into_exposed);
        // A name that is there twice, against the grammar, would not match itself.
        if self == other {
            return true;
        }
        self.scheme == other.scheme
            && both(part(self.user), part(other.user), case_equal)
            && both(part(self.password), part(other.password), case_equal)
            && self.host.same_as(&other.host)
            && self.port == other.port
            && params_equal(self.params, other.params)
            && headers_equal(self, other)
    }
}

impl TelUri<'_> {
    /// Whether two numbers are equivalent (RFC 3966 §5): the same digits, whatever the visual
    /// separators, both global or both local, and the same parameters in any order.
    pub fn is_equivalent(&self, other: &TelUri<'_>) -> bool {
        let is_there = |one: Param<'_>, params: Params<'_>| {
            find(params, one.name).is_some_and(|param| match (one.value, param.value) {
                (Some(a), Some(b)) if is_number_param(one.name, a) => digits_equal(a, b),
                (a, b) => both(a, b, caseless_equal),
            })
        };
        let (a, b) = (self.params, other.params);
        if self == other {
            return true;
        }
        if !digits_equal(self.number.expose(), other.number.expose()) {
            return false;
        }
        if is_too_long(a.iter()) || is_too_long(b.iter()) {
            return a == b;
        }
        a.iter().count() == b.iter().count()
            && a.iter().all(|param| is_there(param, b))
            && b.iter().all(|param| is_there(param, a))
    }
}

/// `ext` is a number with separators, and so is a `phone-context` that starts with `+`.
fn is_number_param(name: &[u8], value: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"ext")
        || (name.eq_ignore_ascii_case(b"phone-context") && value.starts_with(b"+"))
}

fn digits_equal(a: &[u8], b: &[u8]) -> bool {
    let digits = |number| {
        escape::units(number)
            .map(Unit::to_ascii_lowercase)
            .filter(|unit| !matches!(unit, Unit::Plain(b'-' | b'.' | b'(' | b')')))
    };
    digits(a).eq(digits(b))
}

fn params_equal(a: Params<'_>, b: Params<'_>) -> bool {
    if is_too_long(a.iter()) || is_too_long(b.iter()) {
        return a == b;
    }
    // A parameter in both must match; in one only, these four never match and others are ignored.
    let fits = |param: Param<'_>, others: Params<'_>| match find(others, param.name) {
        Some(other) => both(param.value, other.value, caseless_equal),
        None => !MUST_BE_IN_BOTH
            .iter()
            .any(|name| caseless_equal(param.name, name)),
    };
    a.iter().all(|param| fits(param, b)) && b.iter().all(|param| fits(param, a))
}

//= https://www.rfc-editor.org/rfc/rfc3261#section-19.1.4
//# A user, ttl, or method uri-parameter appearing in only one
//# URI never matches, even if it contains the default value.
/// `maddr` and `transport` too, by the same section.
const MUST_BE_IN_BOTH: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];

/// Header components are never ignored.
fn headers_equal(a: &SipUri<'_>, b: &SipUri<'_>) -> bool {
    if is_too_long(a.uri_headers()) || is_too_long(b.uri_headers()) {
        return a.headers == b.headers;
    }
    let is_in = |one: UriHeader<'_>, uri: &SipUri<'_>| {
        uri.uri_headers().any(|other| {
            caseless_equal(one.name, other.name)
                && caseless_equal(one.value.expose(), other.value.expose())
        })
    };
    a.uri_headers().count() == b.uri_headers().count()
        && a.uri_headers().all(|header| is_in(header, b))
        && b.uri_headers().all(|header| is_in(header, a))
}

/// The namespace compares without case, the rest with it but for escapes; a service name
/// (RFC 5031 §4.1) is without case.
fn urn_equal(a: &[u8], b: &[u8]) -> bool {
    let (a_space, a_name) = lexer::split_once(a, b':');
    let (b_space, b_name) = lexer::split_once(b, b':');
    a_space.eq_ignore_ascii_case(b_space)
        && if a_space.eq_ignore_ascii_case(b"service") {
            both(a_name, b_name, caseless_equal)
        } else {
            a_name == b_name
        }
}

fn find<'a>(params: Params<'a>, name: &[u8]) -> Option<Param<'a>> {
    params.iter().find(|param| caseless_equal(param.name, name))
}

fn is_too_long<T>(mut parts: impl Iterator<Item = T>) -> bool {
    parts.nth(PARTS_MAX).is_some()
}

/// Both there and equal, or neither there.
fn both(a: Option<&[u8]>, b: Option<&[u8]>, equal: impl Fn(&[u8], &[u8]) -> bool) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => equal(a, b),
        (None, None) => true,
        _ => false,
    }
}

fn case_equal(a: &[u8], b: &[u8]) -> bool {
    escape::units(a).eq(escape::units(b))
}

fn caseless_equal(a: &[u8], b: &[u8]) -> bool {
    let lower = |raw| escape::units(raw).map(Unit::to_ascii_lowercase);
    lower(a).eq(lower(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: bool, pairs: &[(&str, &str)]) {
        for &(a, b) in pairs {
            let parse = |raw: &'static str| Uri::parse(raw.as_bytes()).unwrap();
            let leak = |raw: &str| -> &'static str { Box::leak(raw.into()) };
            let (left, right) = (parse(leak(a)), parse(leak(b)));
            assert_eq!(left.is_equivalent(&right), expected, "{a} and {b}");
            assert_eq!(right.is_equivalent(&left), expected, "{b} and {a}");
            assert!(left.is_equivalent(&left), "{a}");
        }
    }

    /// All examples of RFC 3261 §19.1.4.
    #[test]
    fn examples_of_equivalent_uris() {
        check(
            true,
            &[
                (
                    "sip:%61lice@atlanta.com;transport=TCP",
                    "sip:alice@AtLanTa.CoM;Transport=tcp",
                ),
                ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
                ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
                (
                    "sip:carol@chicago.com;newparam=5",
                    "sip:carol@chicago.com;security=on",
                ),
                (
                    "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                    "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
                ),
                (
                    "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                    "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
                ),
            ],
        );
    }

    /// All examples of RFC 3261 §19.1.4.
    #[test]
    fn examples_of_uris_that_are_not_equivalent() {
        check(
            false,
            &[
                (
                    "SIP:ALICE@AtLanTa.CoM;Transport=udp",
                    "sip:alice@AtLanTa.CoM;Transport=UDP",
                ),
                ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
                ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
                (
                    "sip:bob@biloxi.com",
                    "sip:bob@biloxi.com:6000;transport=tcp",
                ),
                (
                    "sip:carol@chicago.com",
                    "sip:carol@chicago.com?Subject=next%20meeting",
                ),
                ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
                (
                    "sip:carol@chicago.com;security=on",
                    "sip:carol@chicago.com;security=off",
                ),
            ],
        );
    }

    #[test]
    fn what_the_rules_say_beyond_the_examples() {
        check(
            true,
            &[
                ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]"),
                ("sip:a@b;lr", "sip:a@b;LR"),
                ("sip:a@b;x=1;x=2", "sip:a@b;x=1;x=2"),
                ("tel:+1;x=1;x=2", "tel:+1;x=1;x=2"),
                ("urn:service:sos.ambulance", "URN:Service:SOS.ambulance"),
                ("http://x/y", "HTTP://x/y"),
            ],
        );
        check(
            false,
            &[
                ("sip:a@b", "sips:a@b"),
                ("sip:a@b", "sip:b"),
                ("sip:a:pw@b", "sip:a@b"),
                ("sip:%2B33@b", "sip:+33@b"),
                ("sip:a@b;maddr=192.0.2.1", "sip:a@b"),
                ("sip:a@b?x=1&x=1", "sip:a@b?x=1&x=2"),
                ("sip:15@b", "tel:15"),
                ("urn:service:sos", "urn:service:sos.fire"),
            ],
        );
    }

    #[test]
    fn tel_numbers_compare_without_separators() {
        check(
            true,
            &[
                ("tel:+33-3.69(67)0015", "tel:+33369670015"),
                ("tel:15;phone-context=+33", "tel:15;Phone-Context=+3-3"),
                ("tel:+331;ext=1-2;isub=9", "tel:+331;isub=9;ext=12"),
                (
                    "tel:15;phone-context=Example.com",
                    "tel:15;phone-context=example.com",
                ),
            ],
        );
        check(
            false,
            &[
                ("tel:+15", "tel:15;phone-context=+33"),
                ("tel:15;phone-context=+33", "tel:15;phone-context=+32"),
                ("tel:+331;ext=12", "tel:+331"),
                ("tel:+331", "tel:+332"),
            ],
        );
    }

    #[test]
    fn thousands_of_parameters_are_compared_as_written() {
        let many = |from: usize| -> String {
            let params: String = (from..from + 1000).map(|n| format!(";p{n}=1")).collect();
            format!("sip:a@b{params}")
        };
        check(true, &[(&many(0), &many(0))]);
        check(false, &[(&many(0), &many(1))]);
    }
}

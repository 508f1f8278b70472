//! Overload control between neighbours (RFC 7339): what a server answers in the Via of a client that
//! offers it.

use std::time::Duration;

use crate::{lexer, via::Via};

/// How much less a client should send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverloadControl {
    /// Of a hundred requests, how many the client should not send: 0 to 100. It chooses emergencies
    /// last.
    pub loss: u8,
    /// For how long that holds.
    pub validity: Duration,
    /// A time that only grows: of two answers the later counts.
    pub sequence: Duration,
}

impl OverloadControl {
    /// Whether the client that wrote this Via can be told, by the algorithm that we know.
    pub(crate) fn is_offered(via: &Via<'_>) -> bool {
        let offers = via
            .params
            .iter()
            .any(|param| param.name.eq_ignore_ascii_case(b"oc") && param.value.is_none());
        offers
            && via.params.value("oc-algo").is_some_and(|list| {
                let list = lexer::unquote(list);
                list.split(|&byte| byte == b',')
                    .any(|one| lexer::trim(one).eq_ignore_ascii_case(b"loss"))
            })
    }

    /// The parameters of the answer.
    pub(crate) fn params(self) -> String {
        format!(
            ";oc={};oc-algo=\"loss\";oc-validity={};oc-seq={}.{:03}",
            self.loss.min(100),
            self.validity.as_millis(),
            self.sequence.as_secs(),
            self.sequence.subsec_millis()
        )
    }

    /// Whether a parameter of the client's is answered by [`Self::params`].
    pub(crate) fn answers(name: &[u8]) -> bool {
        [&b"oc"[..], b"oc-algo", b"oc-validity", b"oc-seq"]
            .iter()
            .any(|one| name.eq_ignore_ascii_case(one))
    }
}

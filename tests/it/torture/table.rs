//! What becomes of each torture message at a running node.
//!
//! The node of these tests is the registrar of `example.com` for the agents `user`, `j.user` and
//! `watson`; whoever sends is a trunk, and no agent is on duty. So an INVITE of whatever number
//! opens a call, which waits: an emergency call is refused for nothing that can be read around.

use Verdict::{Answered, Call, Closed, Dropped, Refused, Waits};

/// What the node does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Opens a call that waits: 100, 180, 182.
    Call,
    /// Answers so.
    Answered(u16),
    /// Answers so, and counts it as refused by this reason.
    Refused(u16, &'static str),
    /// Answers nothing, and counts it by this reason.
    Dropped(&'static str),
    /// Closes the connection, and counts it by this reason.
    Closed(&'static str),
    /// Waits for the rest of the body, which opens a call.
    Waits,
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Its file, without the extension.
    pub(super) name: &'static str,
    /// What becomes of it as a datagram.
    pub(super) udp: Verdict,
    /// What becomes of it on a connection.
    pub(super) tcp: Verdict,
    /// What the RFC asks, and why the node does otherwise where it does.
    pub(super) why: &'static str,
}

/// The same over both transports.
const fn both(name: &'static str, verdict: Verdict, why: &'static str) -> Row {
    each(name, verdict, verdict, why)
}

const fn each(name: &'static str, udp: Verdict, tcp: Verdict, why: &'static str) -> Row {
    Row {
        name,
        udp,
        tcp,
        why,
    }
}

/// Every message of RFC 4475 and RFC 5118, in the order of their sections.
#[rustfmt::skip]
pub(super) const TABLE: [Row; 61] = [
    // RFC 4475 §3.1.1: valid.
    both("rfc4475/wsinv", Answered(481), "Well formed; its To-tag names a dialog that we do not have (RFC 3261 §12.2.2)."),
    both("rfc4475/intmeth", Answered(501), "An endpoint answers 501 to a method that it does not know."),
    both("rfc4475/esc01", Call, "Well formed."),
    both("rfc4475/escnull", Refused(404, "unknown-source"), "Well formed; %00 does not shorten the user, who is nobody of ours (RFC 3261 §10.3 step 5)."),
    both("rfc4475/esc02", Answered(501), "% is no escape in a method: RE%47IST%45R is no REGISTER, so 501."),
    both("rfc4475/lwsdisp", Answered(480), "No white space before <: to be accepted. It is for an agent who has no phone (RFC 3261 §16.5)."),
    both("rfc4475/longreq", Call, "Well formed, however long."),
    each("rfc4475/dblreq", Answered(200), Closed("not-sip"), "As a datagram all after the REGISTER is noise. On a stream it is an INVITE whose Content-Length is 3 octets short, so that what follows is no start line."),
    both("rfc4475/semiuri", Answered(200), "Well formed."),
    both("rfc4475/transports", Answered(480), "Transports that we do not know stand below the top Via, which alone is ours. It is for an agent who has no phone."),
    both("rfc4475/mpart01", Answered(405), "Well formed; a MESSAGE outside a call has nobody here to read it, and Allow says so."),
    both("rfc4475/unreason", Dropped("stray-response"), "Well formed; it answers nothing that we asked (RFC 3261 §18.1.2)."),
    both("rfc4475/noreason", Dropped("stray-response"), "Well formed; it answers nothing that we asked."),
    // RFC 4475 §3.1.2: invalid.
    both("rfc4475/badinv01", Call, "400 is asked for. Via and Contact have one meaning only, and a caller in need is not refused for a stray semicolon."),
    each("rfc4475/clerr", Refused(400, "truncated"), Waits, "A datagram shorter than its Content-Length: 400. On a stream the rest may come."),
    each("rfc4475/ncl", Refused(400, "content-length"), Closed("length-malformed"), "400; on a stream nobody can say where the next message begins."),
    both("rfc4475/scalar02", Refused(400, "cseq"), "400: CSeq is beyond 32 bits."),
    both("rfc4475/scalarlg", Dropped("cseq"), "A response whose CSeq is out of range is discarded."),
    both("rfc4475/quotbal", Call, "400, or the quote is inferred: there is one <uri>, and a call is not refused for its callee's display name."),
    both("rfc4475/ltgtruri", Call, "400 is reasonable, ignoring <> allowed: nothing else can be meant."),
    both("rfc4475/lwsruri", Refused(400, "request-uri"), "400: a space inside the URI makes two readers see two targets."),
    both("rfc4475/lwsstart", Call, "May be rejected or ignored: nothing else can be meant."),
    both("rfc4475/trws", Answered(200), "May be rejected or ignored: nothing else can be meant."),
    both("rfc4475/escruri", Call, "400 is acceptable, ignoring them allowed, as long as they become no headers: the agent's INVITE has a Request-URI of its own."),
    both("rfc4475/baddate", Call, "Not to be rejected by who does not need the date."),
    both("rfc4475/regbadct", Answered(400), "400: the parameters could be the Contact's or the URI's."),
    both("rfc4475/badaspec", Answered(200), "400 is reasonable; the spaces may be ignored."),
    both("rfc4475/baddn", Answered(200), "400 is reasonable; the quotes may be inferred."),
    both("rfc4475/badvers", Refused(505, "version"), "505."),
    both("rfc4475/mismatch01", Refused(400, "cseq-method"), "400."),
    both("rfc4475/mismatch02", Refused(400, "cseq-method"), "501, and 400 is acceptable: whoever contradicts itself is not asked which of both it meant."),
    both("rfc4475/bigcode", Dropped("status-code"), "A response above 699 is dropped."),
    // RFC 4475 §3.2: transactions.
    both("rfc4475/badbranch", Answered(480), "A branch that is the cookie alone: matched as RFC 2543 does. It is for an agent who has no phone."),
    // RFC 4475 §3.3: what the application says.
    both("rfc4475/insuf", Refused(400, "from"), "400: From, To and Call-ID are missing."),
    both("rfc4475/unkscm", Answered(416), "416: a scheme that nobody knows."),
    both("rfc4475/novelsc", Answered(416), "416: a scheme that we do not speak."),
    both("rfc4475/unksm2", Answered(400), "A registrar answers 400: To must be a SIP URI."),
    both("rfc4475/bext01", Refused(420, "proxy-require"), "420: it is for an agent, so Proxy-Require is what we look at (RFC 3261 §16.3)."),
    both("rfc4475/invut", Call, "An endpoint that cannot read the body answers 415. We pass bodies through: the agent's phone is that endpoint."),
    both("rfc4475/regaut01", Answered(200), "Ignored, or 401: we ask nobody for credentials."),
    both("rfc4475/multi01", Refused(400, "from"), "400: two of what may be there once."),
    each("rfc4475/mcl01", Refused(400, "content-length"), Closed("length-malformed"), "400; on a stream nobody can say where the next message begins."),
    both("rfc4475/bcast", Dropped("stray-response"), "Discarded, least of all sent on to the second Via."),
    both("rfc4475/zeromf", Refused(483, "too-many-hops"), "483: it is for an agent, and would have to be forwarded (RFC 3261 §16.3)."),
    both("rfc4475/cparam01", Answered(200), "Accepted."),
    both("rfc4475/cparam02", Answered(200), "Accepted."),
    both("rfc4475/regescrt", Answered(200), "Accepted."),
    both("rfc4475/sdp01", Call, "406, or 400, from the endpoint: which is the agent's phone, and an emergency call is not refused before a person was asked."),
    // RFC 4475 §3.4: RFC 2543.
    each("rfc4475/inv2543", Call, Closed("length-missing"), "Legal in RFC 2543. On a stream nobody can say where its body ends."),
    // RFC 5118 §4: IPv6.
    both("rfc5118/ipv6-good", Answered(200), "Well formed."),
    both("rfc5118/ipv6-bad", Refused(400, "request-uri"), "400: an address without brackets."),
    both("rfc5118/port-ambiguous", Answered(200), "Well formed, although not what its sender meant."),
    both("rfc5118/port-unambiguous", Answered(200), "Well formed."),
    both("rfc5118/via-received-param-with-delim", Answered(481), "Must be read; the BYE is of no dialog that we have."),
    both("rfc5118/via-received-param-no-delim", Answered(200), "Must be read."),
    both("rfc5118/ipv6-in-sdp", Call, "Well formed."),
    both("rfc5118/mult-ip-in-header", Answered(481), "Well formed; the BYE is of no dialog that we have."),
    both("rfc5118/mult-ip-in-sdp", Call, "Well formed."),
    both("rfc5118/ipv4-mapped-ipv6", Call, "Must be read."),
    both("rfc5118/ipv6-bug-abnf-3-colons", Answered(200), "The third colon must be tolerated."),
    both("rfc5118/ipv6-correct-abnf-2-colons", Answered(200), "Well formed."),
];

//! Calls everything that reads a message, for what it might do other than return. The fuzz targets
//! use it too.

use sip::{HeaderName, Limits, Message, Request};

/// Every typed header of a message, and its body parts. The number is of no meaning: it keeps the
/// work from being optimised away.
pub(crate) fn read_all(message: &Message) -> usize {
    let lines = message.headers().map(|header| header.unfolded().len());
    lines.sum::<usize>()
        + read_identities(message)
        + read_lists(message)
        + read_singles(message)
        + read_parts(message)
        + format!("{message:?}").len()
}

/// What a valid request has.
pub(crate) fn read_request(request: &Request) -> usize {
    let uri = request.uri();
    assert!(uri.is_equivalent(&uri), "a URI is equivalent to itself");
    request.remote_target().map_or(0, <[u8]>::len)
        + request.top_via().branch().map_or(0, <[u8]>::len)
        + request.from().display().expose().len()
        + request.to().tag().map_or(0, <[u8]>::len)
        + request.call_id().len()
}

fn read_identities(message: &Message) -> usize {
    let routes = message.routes().chain(message.record_routes());
    let uris = message
        .asserted_identities()
        .chain(message.preferred_identities())
        .chain(message.diversions().map(|it| it.from))
        .chain(routes.chain(message.path()).filter_map(Result::ok));
    uris.filter(|address| address.uri().is_ok()).count()
        + message.diversions().filter_map(|it| it.reason()).count()
        + message.history().filter_map(|it| it.cause()).count()
        + message
            .history()
            .filter_map(|it| it.with_reason(|_| ()))
            .count()
}

fn read_lists(message: &Message) -> usize {
    let challenges = message.challenges(HeaderName::WwwAuthenticate);
    let credentials = message.credentials(HeaderName::Authorization);
    message
        .reasons()
        .map(|it| it.to_string().len())
        .sum::<usize>()
        + message
            .call_infos()
            .map(|it| it.to_string().len())
            .sum::<usize>()
        + message
            .warnings()
            .map(|it| it.to_string().len())
            .sum::<usize>()
        + message
            .user_to_user()
            .map(|it| it.data().expose().len())
            .sum::<usize>()
        + message
            .geolocations()
            .filter_map(|it| it.content_id())
            .count()
        + message.resource_priorities().count()
        + message.tokens(HeaderName::Supported).count()
        + challenges
            .filter(|it| it.offers_qop("auth") && it.realm().is_some())
            .count()
        + credentials.filter_map(|it| it.nonce_count()).count()
}

fn read_singles(message: &Message) -> usize {
    let singles = [
        message.content_type().is_some(),
        message
            .content_disposition()
            .map(|it| it.handling())
            .is_some(),
        message.expires().is_some(),
        message.session_expires().is_some(),
        message.min_se().is_some(),
        message
            .refer_to()
            .and_then(|it| it.with_replaces(|it| it.is_ok()))
            .is_some(),
        message.referred_by().is_some(),
        message.replaces().is_some(),
        message.event().is_some(),
        message
            .subscription_state()
            .map(|it| it.to_string())
            .is_some(),
        message.retry_after().is_some(),
        message.rseq().is_some(),
        message.rack().is_some(),
        message.timestamp().is_some(),
        format!("{:?}", message.contacts()).is_empty(),
    ];
    singles.iter().filter(|is_there| **is_there).count()
}

fn read_parts(message: &Message) -> usize {
    let limits = Limits::default();
    let Ok(parts) = message.parts(&limits) else {
        return 0;
    };
    let parts: Vec<_> = parts.filter_map(Result::ok).collect();
    parts
        .iter()
        .map(|part| part.headers().count() + part.body().len())
        .sum()
}

//! Trunks: the operators and partners, how they are known, and how much they may send.

use std::collections::BTreeMap;

use engine::{Dialled, Listener};
use sip::UriBuf;
use sip_proxy::{
    Cidr, NumberForm, NumberStyle, Topology, Trunk, TrunkId, TrunkLimits, Trunks, Trust,
};

use crate::{
    TlsFiles, reach,
    report::{Report, Span},
    table::Table,
};

/// Trunks of one node: each is looked at for each unknown source.
const TRUNKS_MAX: usize = 1000;

/// Names of trunks to their ids.
pub(crate) type TrunkNames = BTreeMap<String, (TrunkId, Span)>;

/// Reads every `[[trunk]]`.
pub(crate) fn read(
    root: &Table<'_>,
    tls: Option<&TlsFiles>,
    country: &str,
    listeners: &[Listener],
    report: &Report<'_>,
) -> (Vec<Trunk>, TrunkNames) {
    let mut trunks = Vec::new();
    let mut names = TrunkNames::new();
    let mut certified = BTreeMap::new();
    let tables = root.tables("trunk", "[[trunk]]");
    if let Some(too_many) = tables.get(TRUNKS_MAX) {
        let message = format!("there are more than {TRUNKS_MAX} trunks; merge their sources");
        report.error(too_many.span(), message);
    }
    for table in tables.iter().take(TRUNKS_MAX) {
        let name = table.required("name", "\"operator-a\"");
        let limits = read_limits(table);
        let certificates = read_certificates(table, tls, &mut certified, report);
        let sources = read_sources(table, certificates.is_empty(), report);
        let next_hops = read_next_hops(table, listeners, report);
        let prefixes = read_prefixes(table, country, next_hops.is_empty(), report);
        let numbers = read_numbers(table, country);
        let presented = read_presented(table, report);
        let trust = table.word("trust", &TRUST);
        let topology = table.word("topology", &TOPOLOGIES);
        table.finish();
        let Some(name) = name else { continue };
        let id = TrunkId::new(u16::try_from(trunks.len()).unwrap_or(u16::MAX));
        if let Some((_, before)) = names.insert(name.value.clone(), (id, name.span.clone())) {
            let line = report.line_of(&before);
            report.error(
                &name.span,
                format!("trunk `{}` is defined already ({line})", name.value),
            );
        }
        trunks.push(Trunk {
            sources,
            certificates,
            limits,
            next_hops,
            prefixes,
            numbers,
            presented,
            topology: topology.map_or_else(|| usual_topology(limits), |at| at.value),
            trust: trust.map_or(Trust::Untrusted, |at| at.value),
            name: name.value,
        });
    }
    for overlap in Trunks::new(trunks.clone()).overlaps() {
        let name = |id: TrunkId| &trunks[id.index()].name;
        let (kept, ignored) = (name(overlap.kept), name(overlap.ignored));
        if let Some((_, span)) = names.get(ignored) {
            let source = overlap.source;
            report.error(
                span,
                format!("`sources`: {source} belongs to trunk `{kept}` already"),
            );
        }
    }
    (trunks, names)
}

const TRUST: [(&str, Trust); 2] = [("untrusted", Trust::Untrusted), ("trusted", Trust::Trusted)];

const TOPOLOGIES: [(&str, Topology); 2] = [("kept", Topology::Kept), ("hidden", Topology::Hidden)];

/// Only calls of our own can be counted.
const fn usual_topology(limits: TrunkLimits) -> Topology {
    match limits.calls_max {
        Some(_) => Topology::Hidden,
        None => Topology::Kept,
    }
}

const STYLES: [(&str, NumberStyle); 2] = [
    ("e164", NumberStyle::E164),
    ("national", NumberStyle::National),
];

/// Where calls to the trunk are sent.
fn read_next_hops(table: &Table<'_>, listeners: &[Listener], report: &Report<'_>) -> Vec<UriBuf> {
    let mut next_hops = Vec::new();
    for text in table.strings("next_hops") {
        match next_hop(&text.value, listeners) {
            Ok(uri) => next_hops.push(uri),
            Err(why) => {
                let message = format!("`next_hops`: `{}` {why}", text.value);
                report.error(&text.span, message);
            }
        }
    }
    next_hops
}

fn next_hop(text: &str, listeners: &[Listener]) -> Result<UriBuf, String> {
    let uri = UriBuf::new(text.to_owned()).map_err(|error| format!("is no URI: {error}"))?;
    let read = uri.as_uri();
    let sip = read
        .as_sip()
        .ok_or("is no SIP URI; write \"sip:192.0.2.10\" or \"sip:operator.example\"")?;
    if sip.user.is_some() || sip.uri_headers().next().is_some() {
        return Err("has a user or headers; the number that is called takes that place".to_owned());
    }
    match reach::problem(sip, listeners) {
        Some(problem) => Err(problem.to_owned()),
        None => Ok(uri),
    }
}

/// The beginnings of the numbers that the trunk takes.
fn read_prefixes(
    table: &Table<'_>,
    country: &str,
    takes_none: bool,
    report: &Report<'_>,
) -> Vec<String> {
    let texts = table.strings("prefixes");
    match (texts.first(), takes_none) {
        (None, false) => table.missing("prefixes", "[\"+\"]"),
        (Some(first), true) => {
            report.error(&first.span, "`prefixes` lead nowhere without `next_hops`");
        }
        _ => {}
    }
    for text in &texts {
        let digits = text.value.strip_prefix('+').unwrap_or(&text.value);
        if text.value.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = format!(
                "`prefixes`: `{}` is neither \"+\" and digits nor the beginning of a short number",
                text.value
            );
            report.error(&text.span, message);
        } else if text.value.starts_with('0') {
            let message = format!(
                "`prefixes`: no national number begins with `{}` where prefixes are compared: it has \"+\" and its country \
                 there, as {country}",
                text.value
            );
            report.warn(&text.span, message);
        }
    }
    texts.into_iter().map(|text| text.value).collect()
}

/// The number that calls to the trunk show, without separators.
fn read_presented(table: &Table<'_>, report: &Report<'_>) -> Option<String> {
    let text = table.string("presented")?;
    if let Ok(Dialled::Number(number)) = Dialled::parse(&text.value) {
        return Some(number);
    }
    let message = format!(
        "`presented`: `{}` is no number; write \"+33388000015\"",
        text.value
    );
    report.error(&text.span, message);
    None
}

fn read_numbers(table: &Table<'_>, country: &str) -> NumberForm {
    let style = table.word("number_form", &STYLES);
    let prefixes = table.strings("portability_prefixes");
    NumberForm {
        style: style.map_or(NumberStyle::E164, |at| at.value),
        country: country.to_owned(),
        portability_prefixes: prefixes
            .into_iter()
            .map(|at| at.value.to_ascii_lowercase())
            .collect(),
    }
}

fn read_limits(table: &Table<'_>) -> TrunkLimits {
    let calls_max = table.integer("calls_max", 1, 1_000_000);
    let rate = table.integer("calls_per_second", 1, 1_000_000);
    TrunkLimits {
        calls_max: calls_max.and_then(|at| usize::try_from(at.value).ok()),
        calls_per_second: rate.and_then(|at| u32::try_from(at.value).ok()),
    }
}

fn read_sources(table: &Table<'_>, are_needed: bool, report: &Report<'_>) -> Vec<Cidr> {
    let texts = table.strings("sources");
    if texts.is_empty() && are_needed {
        table.missing("sources", "[\"192.0.2.0/24\"]");
    }
    let mut sources = Vec::new();
    for text in texts {
        match text.value.parse() {
            Ok(source) => sources.push(source),
            Err(error) => {
                let error: sip_proxy::CidrError = error;
                report.error(&text.span, format!("`sources`: `{}`: {error}", text.value));
            }
        }
    }
    sources
}

/// The names of the trunk's certificates, in lower case. `certified` has those of the trunks before.
fn read_certificates(
    table: &Table<'_>,
    tls: Option<&TlsFiles>,
    certified: &mut BTreeMap<String, Span>,
    report: &Report<'_>,
) -> Vec<String> {
    let mut certificates = Vec::new();
    for name in table.strings("certificates") {
        if tls.is_none_or(|files| files.authorities.is_none()) {
            let message = "`certificates` prove nothing without `authorities` in [tls]";
            report.error(&name.span, message);
        }
        if sip::Host::parse(name.value.as_bytes()).is_err() {
            let message = format!("`certificates`: `{}` is no host name", name.value);
            report.error(&name.span, message);
            continue;
        }
        let lower = name.value.to_ascii_lowercase();
        if let Some(before) = certified.insert(lower.clone(), name.span.clone()) {
            let line = report.line_of(&before);
            let message = format!(
                "`certificates`: `{}` is a trunk's already ({line})",
                name.value
            );
            report.error(&name.span, message);
        }
        certificates.push(lower);
    }
    certificates
}

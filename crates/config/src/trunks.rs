//! Trunks: the operators and partners, how they are known, and how much they may send.

use std::collections::BTreeMap;

use sip_proxy::{Cidr, Trunk, TrunkId, TrunkLimits, Trunks};

use crate::{
    TlsFiles,
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
            name: name.value,
            sources,
            certificates,
            limits,
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

//! Everything but sites and people: the node, its sockets, trunks, limits.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use engine::{Config, Listener, Settings};
use sip::Transport;
use sip_transaction::ListenerId;

use crate::{
    ConnectionLimits, Journal, Loaded, LogFormat, Place, Secret, authentication, numbers,
    people::{self, People},
    report::{Report, Span},
    table::{At, Table},
    tls, trunks,
};

/// Where HTTP is served when the file does not say.
const HTTP: &str = "127.0.0.1:8015";

/// Listeners of one node: each is a socket of the core's thread.
const LISTENERS_MAX: usize = 64;

/// How long a node drains when the file does not say.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// How long a broken journal is kept when the file does not say: a week.
const BROKEN_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The longest time for which a proxy before us hears nothing of a call that waits.
const ANNOUNCED_MAX: Duration = Duration::from_secs(120);

/// The least interval of a session timer (RFC 4028 §4).
const SESSION_MIN: Duration = Duration::from_secs(90);

/// France.
const COUNTRY: &str = "33";

/// Reads the whole file. `None` only where errors were reported.
pub(crate) fn read(
    root: &Table<'_>,
    path: &Path,
    report: &Report<'_>,
    seed: [u64; 4],
    secrets: &dyn Fn(&Secret) -> Result<String, String>,
) -> Option<Loaded> {
    let node = root.table("node", "[node]");
    if node.is_none() {
        root.missing_table("[node]", "name, domain and default_line");
    }
    let name = node
        .as_ref()
        .and_then(|node| node.required("name", "\"fr670-1\""));
    let domain = node
        .as_ref()
        .and_then(|node| node.required("domain", "\"samu67.example\""));
    let default_line = node
        .as_ref()
        .and_then(|node| node.required("default_line", "the id of a line"));
    let country = node.as_ref().and_then(|node| read_country(node, report));
    let country = country.unwrap_or_else(|| COUNTRY.to_owned());
    node.iter().for_each(Table::finish);
    let listeners = read_listeners(root, report);
    let http = read_http(root);
    let resource_priorities = numbers::read_importance(root, report);
    let dns = read_dns(root, report);
    let connections = read_connections(root);
    let tls = tls::read(root, path, &listeners, report);
    let (trunks, trunk_names) = trunks::read(root, tls.as_ref(), &country, &listeners, report);
    let mut settings = read_settings(root, report);
    let drain_limit = read_drain(root);
    let journal = read_journal(root, path, report);
    let log = read_log(root);
    let authentication = authentication::Section::read(root, path, report, secrets);
    let people = people::read(root, &listeners, report, &mut settings.distribution);
    let numbers = numbers::read(&people, &trunk_names, &country, report);
    if let Some(line) = &default_line {
        check_default_line(line, &people, report);
    }
    let domain = domain?;
    check_domain(&domain, report);
    let directory = people.build(report)?;
    let directory = Arc::new(directory);
    let authentication =
        authentication.map(|section| section.resolve(&domain.value, &directory, report));
    Some(Loaded {
        planning: people.planning(&directory, report),
        engine: Config {
            node: name?.value,
            domain: domain.value,
            listeners,
            trunks,
            country,
            numbers: numbers::resolve(numbers, &directory),
            resource_priorities,
            partner_lines: people.partner_lines(&directory),
            default_line: directory.line(&default_line?.value)?,
            authentication,
            contacts: people.contacts(&directory),
            settings,
            seed,
            secrets: None,
            directory,
        },
        http,
        tls,
        dns,
        connections,
        journal,
        drain_limit,
        log,
        warnings: Vec::new(),
    })
}

/// `[journal]`: where the state is written; relative to the file.
fn read_journal(root: &Table<'_>, path: &Path, report: &Report<'_>) -> Journal {
    let mut journal = Journal {
        place: Place::Unsaid,
        broken_kept: BROKEN_KEPT,
    };
    let Some(table) = root.table("journal", "[journal]") else {
        return journal;
    };
    let mode = table.word("mode", &[("on", true), ("off", false)]);
    let file = table.string("path");
    let kept = table.duration("broken_kept").map(|at| at.value);
    set(&mut journal.broken_kept, kept);
    table.finish();
    journal.place = match (mode.is_none_or(|mode| mode.value), file) {
        (true, Some(file)) => {
            let folder = path.parent().unwrap_or_else(|| Path::new(""));
            Place::At(folder.join(file.value))
        }
        (true, None) => Place::Unsaid,
        (false, None) => Place::Off,
        (false, Some(file)) => {
            let message = "`path` in [journal]: nothing is written with mode = \"off\"";
            report.error(&file.span, message);
            Place::Off
        }
    };
    journal
}

/// The country code of national numbers.
fn read_country(node: &Table<'_>, report: &Report<'_>) -> Option<String> {
    let country = node.string("country_code")?;
    let is_code = (1..=3).contains(&country.value.len())
        && country.value.bytes().all(|byte| byte.is_ascii_digit());
    if !is_code {
        let message = format!(
            "`country_code`: `{}` is no country code; write \"33\" for France",
            country.value
        );
        report.error(&country.span, message);
    }
    Some(country.value)
}

fn check_domain(domain: &At<String>, report: &Report<'_>) {
    if sip::Host::parse(domain.value.as_bytes()).is_err() {
        let message = format!(
            "`domain`: `{}` is no host name and no address",
            domain.value
        );
        report.error(&domain.span, message);
    }
}

fn check_default_line(line: &At<String>, people: &People, report: &Report<'_>) {
    if !people.has_line(&line.value) {
        let known = people.line_ids().join(", ");
        let message = format!(
            "`default_line`: line `{}` is not defined; there are: {known}",
            line.value
        );
        report.error(&line.span, message);
    }
}

fn read_listeners(root: &Table<'_>, report: &Report<'_>) -> Vec<Listener> {
    let mut listeners = Vec::new();
    let mut seen: BTreeMap<(Transport, SocketAddr), Span> = BTreeMap::new();
    let tables = root.tables("listen", "[[listen]]");
    if tables.is_empty() {
        root.missing_table("[[listen]]", "transport and address");
    }
    let words = [
        ("udp", Transport::Udp),
        ("tcp", Transport::Tcp),
        ("tls", Transport::Tls),
    ];
    if let Some(too_many) = tables.get(LISTENERS_MAX) {
        let message = format!("there are more than {LISTENERS_MAX} listeners");
        report.error(too_many.span(), message);
    }
    for (index, table) in tables.iter().take(LISTENERS_MAX).enumerate() {
        let transport = table.word("transport", &words);
        if transport.is_none() && table.string("transport").is_none() {
            table.missing("transport", "\"udp\"");
        }
        let wanted = "an address and port such as 192.0.2.1:5060 or [2001:db8::1]:5060";
        let address: Option<At<SocketAddr>> = table.parsed("address", wanted);
        if address.is_none() && table.string("address").is_none() {
            table.missing("address", "\"192.0.2.1:5060\"");
        }
        let advertised: Option<At<SocketAddr>> = table.parsed("advertise", wanted);
        table.finish();
        let (Some(transport), Some(address)) = (transport, address) else {
            continue;
        };
        if address.value.ip().is_unspecified() && advertised.is_none() {
            let message = format!(
                "`address` {} is every address of the machine: write advertise = the address and \
                 port that peers use",
                address.value
            );
            report.error(&address.span, message);
        }
        let key = (transport.value, address.value);
        if address.value.port() != 0
            && let Some(before) = seen.insert(key, address.span.clone())
        {
            let line = report.line_of(&before);
            report.error(
                &address.span,
                format!("{} is listened on already ({line})", address.value),
            );
        }
        listeners.push(Listener {
            id: ListenerId(u16::try_from(index).unwrap_or(u16::MAX)),
            transport: transport.value,
            address: address.value,
            advertised: advertised.map_or(address.value, |at| at.value),
        });
    }
    listeners
}

fn read_http(root: &Table<'_>) -> SocketAddr {
    let default = HTTP.parse().expect("it is an address");
    let Some(table) = root.table("http", "[http]") else {
        return default;
    };
    let address = table.parsed("address", "an address and port such as 127.0.0.1:8015");
    table.finish();
    address.map_or(default, |at| at.value)
}

fn read_settings(root: &Table<'_>, report: &Report<'_>) -> Settings {
    let mut settings = Settings::default();
    if let Some(table) = root.table("limits", "[limits]") {
        let count = |key, high| {
            table
                .integer(key, 1, high)
                .and_then(|at| usize::try_from(at.value).ok())
        };
        set(&mut settings.calls_max, count("calls", 1_000_000));
        set(
            &mut settings.transactions_max,
            count("transactions", 10_000_000),
        );
        set(
            &mut settings.message.message_len,
            count("message_bytes", 65_535),
        );
        set(&mut settings.message.header_count, count("headers", 1024));
        set(&mut settings.stories_max, count("stories", 1_000_000));
        table.finish();
    }
    if let Some(table) = root.table("timers", "[timers]") {
        let time = |key| table.positive_duration(key).map(|at| at.value);
        set(&mut settings.timers.t1, time("t1"));
        set(&mut settings.timers.t2, time("t2"));
        set(&mut settings.timers.t4, time("t4"));
        set(
            &mut settings.announce_interval,
            read_announcing(&table, report),
        );
        set(&mut settings.wait_max, time("wait_max"));
        set(&mut settings.call_max, time("call_max"));
        set(&mut settings.session_interval, read_session(&table, report));
        let distribution = &mut settings.distribution;
        set(
            &mut distribution.unreachable_after,
            time("unreachable_after"),
        );
        set(
            &mut distribution.unreachable_retry,
            time("unreachable_retry"),
        );
        set(&mut distribution.refusal_retry, time("refusal_retry"));
        set(&mut settings.trunk_probe, time("trunk_probe"));
        table.finish();
    }
    settings
}

/// `[connections]`: what TCP and TLS connections may cost.
fn read_connections(root: &Table<'_>) -> ConnectionLimits {
    let mut limits = ConnectionLimits::default();
    if let Some(table) = root.table("connections", "[connections]") {
        let count = |key| {
            let count = table.integer(key, 1, 1_000_000);
            count.and_then(|at| usize::try_from(at.value).ok())
        };
        set(&mut limits.connections_max, count("max"));
        set(&mut limits.per_source_max, count("max_per_source"));
        let idle = table.positive_duration("idle").map(|at| at.value);
        set(&mut limits.idle_max, idle);
        table.finish();
    }
    limits
}

/// `[dns]`: whom to ask where the names of trunks lead.
fn read_dns(root: &Table<'_>, report: &Report<'_>) -> Vec<SocketAddr> {
    let Some(table) = root.table("dns", "[dns]") else {
        return Vec::new();
    };
    let texts = table.strings("servers");
    table.finish();
    let read = texts.into_iter().filter_map(|text| {
        let address = text.value.parse::<SocketAddr>().ok();
        let address = address.or_else(|| Some((text.value.parse::<IpAddr>().ok()?, 53).into()));
        if address.is_none() {
            let message = format!(
                "`servers` in [dns]: `{}` is no address; write \"192.0.2.53\"",
                text.value
            );
            report.error(&text.span, message);
        }
        address
    });
    read.collect()
}

fn read_announcing(table: &Table<'_>, report: &Report<'_>) -> Option<Duration> {
    let interval = table.positive_duration("announce_interval")?;
    if interval.value > ANNOUNCED_MAX {
        let message = "`announce_interval` in [timers]: proxies end a call that they hear nothing of for three \
                       minutes (Timer C, RFC 3261 §16.6); write at most \"2m\"";
        report.error(&interval.span, message);
    }
    Some(interval.value)
}

fn read_session(table: &Table<'_>, report: &Report<'_>) -> Option<Duration> {
    let interval = table.positive_duration("session")?;
    if interval.value < SESSION_MIN {
        let message = "`session` in [timers]: less than 90s is allowed by no peer (RFC 4028)";
        report.error(&interval.span, message);
    }
    Some(interval.value)
}

fn set<T>(setting: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *setting = value;
    }
}

fn read_drain(root: &Table<'_>) -> Duration {
    let Some(table) = root.table("drain", "[drain]") else {
        return DRAIN_LIMIT;
    };
    let limit = table.duration("limit");
    table.finish();
    limit.map_or(DRAIN_LIMIT, |at| at.value)
}

fn read_log(root: &Table<'_>) -> LogFormat {
    let Some(table) = root.table("log", "[log]") else {
        return LogFormat::Text;
    };
    let words = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let format = table.word("format", &words);
    table.finish();
    format.map_or(LogFormat::Text, |at| at.value)
}

//! DNS, outside the core: a query leaves the engine as a value, and its answer comes back as one.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use engine::{
    Input,
    sip_proxy::{Answer, DomainName, Naptr, Query, Srv},
};
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    lookup::Lookup,
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::rr::{Name, RData, RecordType},
};
use tokio::sync::mpsc;

/// How long one query may take, with its repetitions to all servers. Shorter than the time after
/// which the engine asks again.
const ANSWER_MAX: Duration = Duration::from_secs(8);

/// How long a server has for one answer.
const SERVER_MAX: Duration = Duration::from_secs(2);

/// Asks DNS. Without a usable resolver every query fails, as it does when no server answers.
#[derive(Clone)]
pub(crate) struct Dns {
    resolver: Option<TokioResolver>,
    inbox: mpsc::Sender<Input>,
}

impl Dns {
    /// Asks these servers, or those of the system where none are named.
    pub(crate) fn new(servers: &[SocketAddr], inbox: mpsc::Sender<Input>) -> Self {
        let builder = if servers.is_empty() {
            TokioResolver::builder_tokio().ok()
        } else {
            let servers = servers.iter().map(server).collect();
            let config = ResolverConfig::from_name_servers(servers);
            let provider = TokioRuntimeProvider::default();
            Some(TokioResolver::builder_with_config(config, provider))
        };
        let resolver = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            // The engine keeps what it was told, for as long as it holds.
            options.cache_size = 0;
            options.timeout = SERVER_MAX;
            options.attempts = 2;
            builder.build().ok()
        });
        Self { resolver, inbox }
    }

    /// Asks, and tells the core the answer. It does not wait.
    ///
    /// Must be called inside the runtime that does the work.
    pub(crate) fn ask(&self, query: Query) {
        let Self { resolver, inbox } = self.clone();
        tokio::spawn(async move {
            let asked = async {
                match &resolver {
                    Some(resolver) => look_up(resolver, &query).await,
                    None => (Answer::Failed, Duration::ZERO),
                }
            };
            let (answer, ttl) = tokio::time::timeout(ANSWER_MAX, asked)
                .await
                .unwrap_or((Answer::Failed, Duration::ZERO));
            let resolved = Input::Resolved { query, answer, ttl };
            let _core_is_gone = inbox.send(resolved).await;
        });
    }
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    server.connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
        .into_iter()
        .map(|mut connection| {
            connection.port = address.port();
            connection
        })
        .collect();
    server
}

async fn look_up(resolver: &TokioResolver, query: &Query) -> (Answer, Duration) {
    let answered = match query {
        Query::Naptr(name) => records(resolver, name, RecordType::NAPTR, naptr).await,
        Query::Srv(name) => records(resolver, name, RecordType::SRV, srv).await,
        Query::Addresses(name) => addresses(resolver, name).await,
    };
    match answered {
        Ok(found) => found,
        Err(NetError::Dns(DnsError::NoRecordsFound(_))) => (Answer::None, Duration::ZERO),
        Err(_) => (Answer::Failed, Duration::ZERO),
    }
}

async fn records(
    resolver: &TokioResolver,
    name: &DomainName,
    kind: RecordType,
    read: impl Fn(&Lookup) -> Answer,
) -> Result<(Answer, Duration), NetError> {
    let found = resolver.lookup(absolute(name)?, kind).await?;
    Ok((read(&found), left(found.valid_until())))
}

async fn addresses(
    resolver: &TokioResolver,
    name: &DomainName,
) -> Result<(Answer, Duration), NetError> {
    let found = resolver.lookup_ip(absolute(name)?).await?;
    let addresses = found.iter().collect();
    Ok((Answer::Addresses(addresses), left(found.valid_until())))
}

/// Never to be completed by the system's search domains.
fn absolute(name: &DomainName) -> Result<Name, NetError> {
    Ok(Name::from_ascii(format!("{name}."))?)
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

/// A record that cannot be used is left out.
fn naptr(found: &Lookup) -> Answer {
    let records = found.answers().iter().filter_map(|record| {
        let RData::NAPTR(record) = &record.data else {
            return None;
        };
        Some(Naptr {
            order: record.order,
            preference: record.preference,
            flags: String::from_utf8_lossy(&record.flags).into_owned(),
            service: String::from_utf8_lossy(&record.services).into_owned(),
            replacement: domain(&record.replacement)?,
        })
    });
    Answer::Naptr(records.collect())
}

fn srv(found: &Lookup) -> Answer {
    let records = found.answers().iter().filter_map(|record| {
        let RData::SRV(record) = &record.data else {
            return None;
        };
        Some(Srv {
            priority: record.priority,
            weight: record.weight,
            port: record.port,
            // RFC 2782: a target of "." says that the service is not there.
            target: domain(&record.target)?,
        })
    });
    Answer::Srv(records.collect())
}

fn domain(name: &Name) -> Option<DomainName> {
    DomainName::new(name.to_ascii().as_bytes()).ok()
}

//! Who sent a request: an operator by the address, an agent by the credentials or by the address of
//! the phone, or nobody that we know.

use std::{sync::Arc, time::Instant};

use acd::{AgentId, Directory};
use sip::{Edit, HeaderName, Limits, Method, Request, StatusCode, Uri};
use sip_proxy::{
    Account, Authentication, AuthenticationSettings, ChallengeBy, TrunkId, Unproven, Verdict,
};
use sip_transaction::Flow;

use crate::{config, engine::Engine, event::DropReason, receive::aor_of, routing::LineRoute};

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Trunk(TrunkId),
    Agent(AgentId),
    Unknown,
}

impl Source {
    pub(crate) const fn trunk(self) -> Option<TrunkId> {
        match self {
            Self::Trunk(trunk) => Some(trunk),
            Self::Agent(_) | Self::Unknown => None,
        }
    }
}

impl Source {
    pub(crate) const fn agent(self) -> Option<AgentId> {
        match self {
            Self::Agent(agent) => Some(agent),
            Self::Trunk(_) | Self::Unknown => None,
        }
    }
}

/// The machine that checks credentials.
pub(crate) fn authentication(
    now: Instant,
    config: &config::Authentication,
    directory: &Directory,
    key: [u64; 2],
) -> Authentication {
    let settings = AuthenticationSettings {
        algorithms: config.algorithms.clone(),
        nonce_lifetime: config.nonce_lifetime,
        ..AuthenticationSettings::new(config.realm.clone(), key)
    };
    let accounts = config.secrets.iter().map(|(agent, secrets)| Account {
        user: directory.agent_profile(*agent).id.clone(),
        aor: aor_of(*agent),
        secrets: secrets.clone(),
    });
    Authentication::new(now, settings, accounts.collect())
}

impl Engine {
    /// Who sent a new request; `None` when it has been answered, with a challenge or a refusal.
    ///
    /// An operator is never asked for credentials: an emergency call is not refused for its
    /// identity. What is inside a dialog is known by the dialog.
    pub(crate) fn identify(
        &mut self,
        now: Instant,
        request: &Request,
        flow: Flow,
    ) -> Option<Source> {
        let is_register = *request.method() == Method::Register;
        let trunk = self.trunk_of(flow).filter(|_| !is_register);
        let Some(authentication) = &mut self.authentication else {
            return Some(self.source_of(request, flow));
        };
        if let Some(trunk) = trunk {
            return Some(Source::Trunk(trunk));
        }
        let by = if is_register {
            ChallengeBy::Server
        } else {
            ChallengeBy::Proxy
        };
        let verdict = authentication.verify(now, request, by);
        let claimed = self.claimed_agent(request);
        match verdict {
            Verdict::Proven(aor) => match claimed.filter(|&agent| aor_of(agent) == aor) {
                Some(agent) => {
                    self.guard.pardon(flow.remote.ip());
                    Some(Source::Agent(agent))
                }
                None => {
                    self.dropped(DropReason::OtherIdentity);
                    self.offend(now, flow);
                    self.answer_at_the_door(request, flow, StatusCode::FORBIDDEN, |one| one);
                    None
                }
            },
            // Whether an address-of-record exists is nobody's business.
            Verdict::Unproven(why) if is_register || claimed.is_some() => {
                self.challenge(now, request, flow, by, why);
                None
            }
            Verdict::Unproven(_) => Some(Source::Unknown),
        }
    }

    /// Asks for credentials, and keeps nothing (RFC 3261 §26.3.2.4). Who is asked often and never
    /// proves anything is a guesser; but an agent's phone that has not been asked yet counts for little: all those of a
    /// centre may come at once, from one address.
    fn challenge(
        &mut self,
        now: Instant,
        request: &Request,
        flow: Flow,
        by: ChallengeBy,
        why: Unproven,
    ) {
        match why {
            Unproven::NoCredentials if self.claimed_agent(request).is_some() => {
                self.note_asked(now, flow);
            }
            _ => self.offend(now, flow),
        }
        if why != Unproven::NoCredentials {
            self.dropped(DropReason::Unproven(why));
        }
        let status = match by {
            ChallengeBy::Server => StatusCode::UNAUTHORIZED,
            ChallengeBy::Proxy => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        };
        let Some(mut authentication) = self.authentication.take() else {
            return;
        };
        self.answer_at_the_door(request, flow, status, |response| {
            authentication.challenge(now, response, by, why)
        });
        self.authentication = Some(authentication);
    }

    /// The agent that a request says it is from: by From, and for a REGISTER by To as well, since
    /// nobody registers for another.
    pub(crate) fn claimed_agent(&self, request: &Request) -> Option<AgentId> {
        let agent = self.agent_of_aor(&request.from().uri().ok()?)?;
        let is_other =
            *request.method() == Method::Register && self.registered_agent(request) != Some(agent);
        (!is_other).then_some(agent)
    }

    /// The agent whose address-of-record a REGISTER is about.
    pub(crate) fn registered_agent(&self, register: &Request) -> Option<AgentId> {
        self.agent_of_aor(&register.to().uri().ok()?)
    }

    /// An agent by the phone's address, a trunk by its sources.
    pub(crate) fn source_of(&self, request: &Request, flow: Flow) -> Source {
        let claimed = self.claimed_agent(request);
        if let Some(agent) = claimed.filter(|&agent| self.is_phone_of(agent, flow)) {
            return Source::Agent(agent);
        }
        self.trunk_of(flow).map_or(Source::Unknown, Source::Trunk)
    }

    /// The trunk that a flow belongs to: by what its peer has proven, else by where it comes from.
    pub(crate) fn trunk_of(&self, flow: Flow) -> Option<TrunkId> {
        let proven = self.proven.trunk(flow);
        proven.or_else(|| self.trunks.by_source(flow.remote.ip()))
    }

    /// Whether messages of this flow come from where the agent's phone is.
    fn is_phone_of(&self, agent: AgentId, flow: Flow) -> bool {
        self.targets(agent)
            .iter()
            .any(|target| target.flow.remote.ip() == flow.remote.ip())
    }

    /// The agent whose address-of-record this is: `sip:AGENT@domain`, or at one of our addresses.
    pub(crate) fn agent_of_aor(&self, uri: &Uri<'_>) -> Option<AgentId> {
        self.directory().agent(self.user_here(uri)?)
    }

    /// Whether an agent's phone that sends by a flow has registered by it, and names another address as its Contact.
    pub(crate) fn is_behind_nat(&self, agent: AgentId, flow: Flow) -> bool {
        self.registrar.bindings(aor_of(agent)).any(|binding| {
            let named = self.locals.flow_to(&binding.contact.as_uri());
            let is_elsewhere = named.is_some_and(|named| named.remote != flow.remote);
            binding.flow == flow && binding.path.is_empty() && is_elsewhere
        })
    }

    /// The line whose id stands in place of an agent's in such a URI: agents send calls on to lines that have no number.
    pub(crate) fn line_of_aor(&self, uri: &Uri<'_>) -> Option<LineRoute> {
        let user = self.user_here(uri)?;
        let is_agent = self.directory().agent(user).is_some();
        let line = self.directory().line(user).filter(|_| !is_agent)?;
        let priority = None;
        Some(LineRoute { line, priority })
    }

    /// The user of a URI of our domain, or of one of our addresses.
    fn user_here<'a>(&self, uri: &Uri<'a>) -> Option<&'a str> {
        let uri = uri.as_sip()?;
        let is_here = uri.host.is(&self.config.domain) || self.locals.is_ours(&uri.host, uri.port);
        std::str::from_utf8(uri.user.filter(|_| is_here)?.into_exposed()).ok()
    }
}

impl Source {
    /// Takes off a request what its sender may not say, and what is only between the sender and us:
    /// only an operator asserts who calls (RFC 3325 §5), and the credentials for our realm go no
    /// further. `limits` are those that the request came within.
    pub(crate) fn without_claims(self, request: Arc<Request>, limits: &Limits) -> Arc<Request> {
        let is_claim = |name| request.header(name).is_some();
        if self.trunk().is_some() || !CLAIMS.into_iter().any(is_claim) {
            return request;
        }
        let mut edit = Edit::new(&request);
        for name in CLAIMS {
            edit.remove(name);
        }
        let stripped = edit.finish_request(&request, limits).map(Arc::new);
        // It never fails: what was valid stays so without these lines.
        stripped.unwrap_or_else(|_| request.clone())
    }
}

const CLAIMS: [HeaderName; 2] = [
    HeaderName::PAssertedIdentity,
    HeaderName::ProxyAuthorization,
];

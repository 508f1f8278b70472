//! Where phones can be reached, and who may send calls.
//!
//! # What it is
//! - [`Registrar`]: RFC 3261 §10. Phones bind contacts to an address-of-record for a time; who
//!   wants to ring one asks for its [`Binding`]s, the best first. Bindings expire on the caller's
//!   clock.
//! - [`Trunks`]: which configured [`Trunk`] a source address belongs to, by longest prefix.
//!
//! # What it does not do
//! It opens no socket, reads no clock, resolves no name and keeps nothing on a disk. Who a phone is
//! and whether it may register for an address-of-record is decided before
//! [`Registrar::handle_register`]: an [`Aor`] is a handle that the caller chose.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use sip::{Builder, HeaderName, Method, StatusCode, Transport};
//! use sip_proxy::{Aor, Event, Registrar, RegistrarSettings};
//! use sip_transaction::{Flow, ListenerId};
//!
//! let mut registrar = Registrar::new(RegistrarSettings::default());
//! let request = Builder::request(&Method::Register, b"sip:samu67.example")
//!     .header(HeaderName::Via, "SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bK1;rport")
//!     .header(HeaderName::From, "<sip:arm-67-1@samu67.example>;tag=1")
//!     .header(HeaderName::To, "<sip:arm-67-1@samu67.example>")
//!     .header(HeaderName::CallId, "c1")
//!     .header(HeaderName::CSeq, "1 REGISTER")
//!     .header(HeaderName::Contact, "<sip:arm-67-1@10.0.0.7>;expires=600")
//!     .finish_request()?;
//! let (agent, remote) = (Aor::new(0), "192.0.2.7:40000".parse()?);
//! let flow = Flow { transport: Transport::Udp, listener: ListenerId(0), remote };
//! # #[allow(clippy::disallowed_methods)]
//! let now = Instant::now();
//!
//! let reply = registrar.handle_register(now, agent, &request, flow);
//! assert_eq!(reply.status(), StatusCode::OK);
//! assert!(matches!(registrar.poll_output(), Some(Event::Moved { to, .. }) if to == flow));
//! assert_eq!(registrar.poll_output(), Some(Event::Bound { aor: agent }));
//! // The phone is behind a NAT: it is reached where its request came from.
//! let binding = registrar.bindings(agent).next().expect("it is bound");
//! assert_eq!(binding.flow, flow);
//! assert_eq!(registrar.poll_timeout(), Some(now + Duration::from_secs(600)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authentication;
mod binding;
mod cidr;
mod digest;
mod guard;
mod locate;
mod location;
mod next_hop;
mod numbers;
mod proxy;
mod registrar;
mod registration;
mod reply;
mod trunk;
mod trunk_hops;
mod trunk_load;

pub use authentication::{
    Account, Authentication, AuthenticationSettings, ChallengeBy, Unproven, Verdict,
};
pub use binding::{Aor, Binding};
pub use cidr::{Cidr, CidrError};
pub use digest::{Algorithm, Ha1, Ha1Error, Proof, QOP_AUTH, Quality};
pub use guard::{Guard, GuardSettings, OFFENCE, Offence};
pub use locate::{
    Answer, DomainName, DomainNameError, Hop, Located, Locator, LocatorSettings, Naptr, Query, Srv,
};
pub use numbers::{NumberForm, NumberStyle};
pub use proxy::{Group, Proxy, ProxySettings, Received, Rejection, TargetSet, TryNext, Way};
pub use registrar::{Event, Registrar, RegistrarSettings, UnboundReason};
pub use registration::Outbound;
pub use reply::{Refusal, Reply};
pub use trunk::{Overlap, Topology, Trunk, TrunkId, Trunks, Trust};
pub use trunk_hops::{Health, NextHop, TrunkHops};
pub use trunk_load::{BeyondLimit, TrunkLimits, TrunkLoads};

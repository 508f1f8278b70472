//! What the machines inside keep, as it is written.

use std::net::{IpAddr, SocketAddr};

use acd::{
    Abandoned, AbandonedId, AbandonedState, AgentId, AgentState, CallId, CallerKey, CrisisId,
    Directory, KeptAgent, KeptCall, KeptCaller, KeptOffer, KeptSeeking, LineId, NotReadyReason,
    OfferId, PauseReason, PlanId, Priority, SiteId, SiteState, StepIndex, StepRef, Want,
};
use call::{
    AttemptId, CallNumber, Kept, KeptAttempt, KeptConnected, KeptDialog, KeptEnding, KeptLeg,
    KeptOnward, KeptRefresh, KeptStage, KeptUnacked, KeptUnanswered, KeptWaiting,
    sip::{Pii, Transport},
    sip_transaction::{Flow, ListenerId, Refused},
};
use minicbor::data::Type;

use super::{Context, In, Out, WRITES, Wire, WireError, begin, expect, fields, length};
use crate::state::{KeptEntry, KeptJourney, KeptPhone, KeptPlace, KeptProcess};

/// A struct is the array of its fields in this order: a new one comes last, with a new version of the row.
macro_rules! fields_of {
    ($kind:ident: $count:literal { $($field:ident),* $(,)? }) => {
        impl Wire for $kind {
            fn put(&self, out: &mut Out, context: &Context<'_>) {
                begin(out, $count);
                $(self.$field.put(out, context);)*
            }

            fn get(input: &mut In<'_>, context: &Context<'_>) -> Result<Self, WireError> {
                fields(input, $count)?;
                Ok(Self { $($field: Wire::get(input, context)?,)* })
            }
        }
    };
}

fields_of!(Flow: 3 { transport, listener, remote });
fields_of!(Refused: 3 { invite, flow, answer });
fields_of!(KeptDialog: 12 {
    call_id, local_tag, remote_tag, local, remote, local_cseq, remote_cseq, invited, remote_target,
    route_set, flow, is_behind_nat,
});
fields_of!(KeptUnacked: 2 { ok, cseq });
fields_of!(KeptLeg: 5 { dialog, session, description, unacked, owed_ack });
fields_of!(KeptEnding: 3 { is_caller, dialog, unacked });
fields_of!(KeptAttempt: 5 { id, invite, flow, is_behind_nat, rings_until });
fields_of!(KeptWaiting: 5 { invite, flow, local_tag, ringing, gives_up_at });
fields_of!(KeptOnward: 5 { headers, refer, ringing, target, gives_up_at });
fields_of!(KeptConnected: 5 { invite, caller, agent, onward, ends_at });
fields_of!(KeptUnanswered: 7 { call, attempt, call_id, local_tag, uri, flow, is_behind_nat });
fields_of!(Kept: 5 { number, id, stage, legs_of, asked });
fields_of!(KeptOffer: 4 { offer, agent, step, ring_until });
fields_of!(KeptCall: 11 {
    line, priority, arrival, line_since, was_answered, caller, with, came_from, plan, crises, seeking,
});
fields_of!(KeptAgent: 6 { want, state, logged_in, busy, refused, last_call });
fields_of!(StepRef: 2 { plan, step });
fields_of!(KeptJourney: 9 { line, trunk, number, offered_at, answered, offers, sent_to, place, by });
fields_of!(KeptPhone: 7 { contact, q, expires_at, register, flows, path, device });
fields_of!(KeptEntry: 3 { legs, journey, distribution });
fields_of!(Abandoned: 10 {
    site, line, caller, first, last, attempts, longest_wait, calls, came_back, state,
});
fields_of!(KeptCaller: 3 { heard, last_agent, gave_up });

impl Wire for KeptProcess {
    fn put(&self, out: &mut Out, context: &Context<'_>) {
        let [a, b, c, d] = self.secrets;
        (self.epoch, (a, b, c, d)).put(out, context);
    }

    fn get(input: &mut In<'_>, context: &Context<'_>) -> Result<Self, WireError> {
        let (epoch, (a, b, c, d)) = Wire::get(input, context)?;
        let secrets = [a, b, c, d];
        Ok(Self { epoch, secrets })
    }
}

/// A newtype is its number.
macro_rules! newtype {
    ($($kind:ty: $number:ty, $of:expr, $make:expr);* $(;)?) => {$(
        impl Wire for $kind {
            fn put(&self, out: &mut Out, context: &Context<'_>) {
                let of: fn(&Self) -> $number = $of;
                of(self).put(out, context);
            }

            fn get(input: &mut In<'_>, context: &Context<'_>) -> Result<Self, WireError> {
                let make: fn($number) -> Option<Self> = $make;
                make(<$number>::get(input, context)?).ok_or(WireError::UnknownVariant {
                    kind: stringify!($kind),
                    number: u8::MAX,
                })
            }
        }
    )*};
}

newtype! {
    ListenerId: u16, |one| one.0, |number| Some(ListenerId(number));
    AttemptId: u64, |one| one.0, |number| Some(AttemptId(number));
    CallNumber: u64, |one| one.value(), |number| Some(CallNumber::from_value(number));
    CallId: u64, |one| one.value(), |number| Some(CallId::new(number));
    CallerKey: u64, |one| one.value(), |number| Some(CallerKey::new(number));
    AbandonedId: u64, |one| one.value(), |number| Some(AbandonedId::new(number));
    OfferId: u64, |one| one.value(), |number| Some(OfferId::from_value(number));
    Priority: u8, |one| one.value(), Priority::new;
    StepIndex: u8, |one| one.value(), StepIndex::from_value;
    PauseReason: String, |one| one.as_str().to_owned(), |word| PauseReason::new(&word);
    Pii<String>: String, |one| one.expose().clone(), |text| Some(Pii::new(text));
}

/// The bytes of the address and of the port. One with a scope is text; so were all once.
impl Wire for SocketAddr {
    fn put(&self, out: &mut Out, context: &Context<'_>) {
        let port = self.port().to_be_bytes();
        match self {
            Self::V4(v4) => {
                let [a, b, c, d] = v4.ip().octets();
                out.bytes(&[a, b, c, d, port[0], port[1]]).expect(WRITES);
            }
            Self::V6(v6) if v6.scope_id() == 0 => {
                let mut bytes = [0; 18];
                bytes[..16].copy_from_slice(&v6.ip().octets());
                bytes[16..].copy_from_slice(&port);
                out.bytes(&bytes).expect(WRITES);
            }
            Self::V6(_) => self.to_string().put(out, context),
        }
    }

    fn get(input: &mut In<'_>, _: &Context<'_>) -> Result<Self, WireError> {
        let unknown = || WireError::Malformed("an address that is none".to_owned());
        if input.datatype()? == Type::String {
            return input.str()?.parse().map_err(|_| unknown());
        }
        let (octets, port) = input.bytes()?.split_last_chunk().ok_or_else(unknown)?;
        let ip = match octets.len() {
            4 => <[u8; 4]>::try_from(octets).map(IpAddr::from),
            _ => <[u8; 16]>::try_from(octets).map(IpAddr::from),
        };
        Ok(Self::new(
            ip.map_err(|_| unknown())?,
            u16::from_be_bytes(*port),
        ))
    }
}

/// What the configuration names is its name.
macro_rules! named {
    ($($kind:ty: $word:literal, $name:expr, $find:expr $(, or $default:expr)?);* $(;)?) => {$(
        impl Wire for $kind {
            fn put(&self, out: &mut Out, context: &Context<'_>) {
                let name: fn(&Directory, Self) -> &str = $name;
                out.str(name(context.directory, *self)).expect(WRITES);
            }

            fn get(input: &mut In<'_>, context: &Context<'_>) -> Result<Self, WireError> {
                let find: fn(&Directory, &str) -> Option<Self> = $find;
                let name = input.str()?;
                let found = find(context.directory, name)$(.or_else(|| {
                    let default: fn(&Context<'_>, &str) -> Option<Self> = $default;
                    default(context, name)
                }))?;
                found.ok_or_else(|| WireError::UnknownName {
                    kind: $word,
                    name: name.to_owned(),
                })
            }
        }
    )*};
}

named! {
    // A call whose line is gone is not lost: it goes where one goes that matches no line.
    LineId: "line", |all, id| &all.line_profile(id).id, Directory::line,
        or |context, name| context.stand_in.map(|stand_in| stand_in.of(name));
    AgentId: "agent", |all, id| &all.agent_profile(id).id, Directory::agent;
    SiteId: "site", |all, id| &all.site_profile(id).id, Directory::site;
    CrisisId: "crisis plan", |all, id| &all.crisis_profile(id).name, Directory::crisis;
    PlanId: "overflow plan", |all, id| all.plan_name(id), Directory::plan;
}

/// What has variants without fields is a number.
macro_rules! variants {
    ($kind:ident { $($number:literal $variant:ident),* $(,)? }) => {
        impl Wire for $kind {
            fn put(&self, out: &mut Out, context: &Context<'_>) {
                let number: u8 = match self {
                    $(Self::$variant => $number,)*
                };
                number.put(out, context);
            }

            fn get(input: &mut In<'_>, context: &Context<'_>) -> Result<Self, WireError> {
                match u8::get(input, context)? {
                    $($number => Ok(Self::$variant),)*
                    number => Err(WireError::UnknownVariant { kind: stringify!($kind), number }),
                }
            }
        }
    };
}

variants!(Transport { 0 Udp, 1 Tcp, 2 Tls });
variants!(AbandonedState { 0 ToCallBack, 1 Called, 2 Resolved });
variants!(KeptRefresh { 0 Asked, 1 Update, 2 Invite });
variants!(SiteState {
    0 Normal, 1 Unstaffed, 2 ScheduledMaintenanceDown, 3 ScheduledMaintenanceAvailable,
    4 MajorIncidentInProgress, 5 Partial, 6 Overloaded, 7 GoingDown, 8 Down, 9 Unreachable,
});

/// Variants with fields: an array of a number and the fields.
macro_rules! tagged {
    ($kind:ident {
        $($number:literal $variant:ident
            $(( $($part:ident),* ))?
            $({ $($field:ident),* })?
        ),* $(,)?
    }) => {
        impl Wire for $kind {
            fn put(&self, out: &mut Out, context: &Context<'_>) {
                match self {
                    $(Self::$variant $(( $($part),* ))? $({ $($field),* })? => {
                        begin(out, 1 $($(+ one!($part))*)? $($(+ one!($field))*)?);
                        let number: u8 = $number;
                        number.put(out, context);
                        $($($part.put(out, context);)*)?
                        $($($field.put(out, context);)*)?
                    })*
                }
            }

            fn get(input: &mut In<'_>, context: &Context<'_>) -> Result<Self, WireError> {
                let count = length(input)?;
                let number = u8::get(input, context)?;
                match number {
                    $($number => {
                        expect(count, 1 $($(+ one!($part))*)? $($(+ one!($field))*)?)?;
                        $($(let $part = Wire::get(input, context)?;)*)?
                        $($(let $field = Wire::get(input, context)?;)*)?
                        Ok(Self::$variant $(( $($part),* ))? $({ $($field),* })?)
                    })*
                    number => Err(WireError::UnknownVariant { kind: stringify!($kind), number }),
                }
            }
        }
    };
}

macro_rules! one {
    ($field:ident) => {
        1
    };
}

tagged!(KeptStage { 0 Waiting(waiting), 1 Connected(connected), 2 Ending(legs) });
tagged!(KeptSeeking { 0 Nobody, 1 Place, 2 Offered { offers, stays } });
tagged!(KeptPlace { 0 InDistributor, 1 Left(standing), 2 Diverted(at) });
tagged!(Want { 0 Ready, 1 NotReady { reason }, 2 LoggedOut });
tagged!(NotReadyReason {
    0 Pause(reason), 1 NoAnswer, 2 Busy { retry_at }, 3 Declined { retry_at }, 4 DeclinedTooOften,
});
tagged!(AgentState {
    0 LoggedOut, 1 NotReady { reason, since }, 2 Ready { since }, 3 Offered { offer, call, deadline },
    4 Talking { call, since }, 5 WrapUp { until }, 6 Unreachable { retry_at },
});

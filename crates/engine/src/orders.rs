//! Orders: what people at desks and operations teams ask, by the API or from their phones.

use std::time::{Duration, Instant};

use acd::{
    AbandonedId, AbandonedState, AgentId, AgentState, CrisisId, CrisisOrder, Disposition,
    PauseReason, Priority, SiteId, SiteState, Want,
};
use call::CallNumber;

use crate::{codes::logged_in, engine::Engine, record::acd_id};

/// What somebody asks. Calls are named by their call ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// An agent wants to take calls, or not, or leaves. In a call it counts from the end of its
    /// wrap-up; during wrap-up, at once.
    SetAgent {
        /// The agent.
        agent: AgentId,
        /// What is wanted.
        want: Want,
    },
    /// An agent who had left is there, and not ready yet.
    LogIn {
        /// The agent.
        agent: AgentId,
    },
    /// An agent needs longer after a call.
    ExtendWrapUp {
        /// The agent.
        agent: AgentId,
        /// By so much.
        by: Duration,
    },
    /// An agent says how the call that is there, or was there last, was closed.
    Dispose {
        /// The agent.
        agent: AgentId,
        /// How.
        code: Disposition,
    },
    /// An agent takes a call that waits: her phone is rung for it.
    Pick {
        /// The agent.
        agent: AgentId,
        /// Which call.
        call: Picked,
    },
    /// A call is more or less urgent than it was thought to be.
    SetPriority {
        /// The call.
        call: String,
        /// Its priority, before what the steps in effect raise it by.
        priority: Priority,
    },
    /// The agent who keeps a caller company until another line answers keeps the call after all.
    Keep {
        /// The call.
        call: String,
    },
    /// A site works differently; `None`: as can be seen.
    SetSiteState {
        /// The site.
        site: SiteId,
        /// Its state.
        state: Option<SiteState>,
    },
    /// A crisis plan is switched on for some sites, or its end, author and reason are changed where it
    /// is on.
    SwitchOn {
        /// The plan.
        crisis: CrisisId,
        /// The sites, at least one.
        sites: Vec<SiteId>,
        /// For how long; `None`: until somebody switches it off.
        lasts: Option<Duration>,
        /// Who does it.
        author: String,
        /// Why.
        reason: String,
    },
    /// A crisis plan is switched off.
    SwitchOff {
        /// The plan.
        crisis: CrisisId,
        /// The sites; all that have it where the list is empty.
        sites: Vec<SiteId>,
        /// Who does it.
        author: String,
    },
    /// Somebody has dealt with an entry of the list of abandoned callers.
    HandleAbandoned {
        /// The entry.
        entry: AbandonedId,
        /// How it stands now.
        state: AbandonedState,
    },
}

/// A call that an agent takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picked {
    /// The call of this id.
    Call(String),
    /// The call at this place, from 1, among those of the agent's sites that her skills serve.
    Place(usize),
}

/// Why an order is not carried out. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// Name one of the list in `[desk] pause_reasons`.
    #[error("this reason for a pause is not in the list")]
    UnknownReason,
    /// Name one of the list in `[desk] dispositions`.
    #[error("this disposition code is not in the list")]
    UnknownDisposition,
    /// The call is over, or there never was one.
    #[error("there is no call of this id now")]
    UnknownCall,
    /// The call waits no longer: somebody is being rung, or has it.
    #[error("the call does not wait")]
    NotWaiting,
    /// The agent lacks what the call asks for now.
    #[error("the agent has not the skills that the call asks for")]
    NotQualified,
    /// So many calls do not wait.
    #[error("no call waits at this place")]
    NoCallAtPlace,
    /// The agent is in a call, is being rung, has left, or cannot be reached.
    #[error("the agent cannot be asked now")]
    AgentUnavailable,
    /// No phone of the agent is known.
    #[error("the agent has no phone")]
    NoPhone,
    /// There is no wrap-up to extend.
    #[error("the agent is not in wrap-up")]
    NotInWrapUp,
    /// The agent has had no call.
    #[error("the agent has had no call")]
    NoCallYet,
    /// No agent keeps this caller company.
    #[error("nobody keeps this caller company until another line answers")]
    NotHeld,
    /// The list has no such entry.
    #[error("there is no entry of this number")]
    UnknownEntry,
    /// A crisis plan is switched on for some sites.
    #[error("name at least one site")]
    NoSites,
    /// There is nothing to switch off.
    #[error("the crisis plan is not on there")]
    CrisisNotOn,
}

impl Engine {
    /// Carries an order out.
    ///
    /// # Errors
    /// [`OrderError`]: nothing has changed then.
    pub fn carry_out(&mut self, now: Instant, order: Order) -> Result<(), OrderError> {
        self.now = now;
        let done = self.obey(now, order);
        self.pump(now);
        done
    }

    pub(crate) fn obey(&mut self, now: Instant, order: Order) -> Result<(), OrderError> {
        let input = match order {
            Order::SetAgent { agent, want } => {
                self.check_want(&want)?;
                acd::Input::AgentWants { agent, want }
            }
            Order::LogIn { agent } => acd::Input::AgentWants {
                agent,
                want: Want::NotReady {
                    reason: logged_in(),
                },
            },
            Order::ExtendWrapUp { agent, by } => match self.acd.agent_state(agent) {
                AgentState::WrapUp { .. } => acd::Input::WrapUpExtended { agent, by },
                _ => return Err(OrderError::NotInWrapUp),
            },
            Order::Dispose { agent, code } => {
                self.check_disposition(agent, &code)?;
                acd::Input::Disposed { agent, code }
            }
            Order::Pick { agent, call } => {
                let call = self.check_pick(agent, &call)?;
                acd::Input::OfferTo { call, agent }
            }
            Order::SetPriority { call, priority } => {
                let call = self.waiting_call(&call)?;
                acd::Input::PrioritySet { call, priority }
            }
            Order::Keep { call } => {
                let number = self.known_call(&call)?;
                return match self.keep(now, number) {
                    true => Ok(()),
                    false => Err(OrderError::NotHeld),
                };
            }
            Order::SetSiteState { site, state } => acd::Input::SiteStateSet { site, state },
            Order::SwitchOn {
                crisis,
                sites,
                lasts,
                author,
                reason,
            } => {
                if sites.is_empty() {
                    return Err(OrderError::NoSites);
                }
                acd::Input::CrisisOn(CrisisOrder {
                    crisis,
                    sites,
                    until: lasts.and_then(|lasts| now.checked_add(lasts)),
                    author,
                    reason,
                })
            }
            Order::SwitchOff {
                crisis,
                sites,
                author,
            } => self.switch_off(crisis, sites, author)?,
            Order::HandleAbandoned { entry, state } => {
                if self.acd.abandoned_entry(entry).is_none() {
                    return Err(OrderError::UnknownEntry);
                }
                acd::Input::AbandonedHandled { entry, state }
            }
        };
        self.acd.handle_input(now, input);
        Ok(())
    }

    fn check_want(&self, want: &Want) -> Result<(), OrderError> {
        match want {
            Want::NotReady { reason } if !self.takes_reason(reason) => {
                Err(OrderError::UnknownReason)
            }
            _ => Ok(()),
        }
    }

    fn check_disposition(&self, agent: AgentId, code: &Disposition) -> Result<(), OrderError> {
        if !self.directory().takes_disposition(code) {
            return Err(OrderError::UnknownDisposition);
        }
        match self.acd.last_call(agent) {
            Some(_) => Ok(()),
            None => Err(OrderError::NoCallYet),
        }
    }

    fn takes_reason(&self, reason: &PauseReason) -> bool {
        self.directory().takes_reason(reason)
    }

    fn known_call(&self, id: &str) -> Result<CallNumber, OrderError> {
        self.records.by_id(id).ok_or(OrderError::UnknownCall)
    }

    fn waiting_call(&self, id: &str) -> Result<acd::CallId, OrderError> {
        let call = acd_id(self.known_call(id)?);
        match self.acd.place(call) {
            Some(_) => Ok(call),
            None => Err(OrderError::NotWaiting),
        }
    }

    /// The call that an agent picks, which she may have.
    pub(crate) fn check_pick(
        &self,
        agent: AgentId,
        picked: &Picked,
    ) -> Result<acd::CallId, OrderError> {
        let call = match picked {
            Picked::Call(id) => {
                let call = self.waiting_call(id)?;
                if !self.acd.is_able(agent, call) {
                    return Err(OrderError::NotQualified);
                }
                call
            }
            Picked::Place(place) => {
                let call = self.acd.waiting_for(agent, *place);
                call.ok_or(OrderError::NoCallAtPlace)?
            }
        };
        if !self.acd.can_be_asked(agent) {
            return Err(OrderError::AgentUnavailable);
        }
        if self.phones(agent).is_empty() {
            return Err(OrderError::NoPhone);
        }
        Ok(call)
    }

    fn switch_off(
        &self,
        crisis: CrisisId,
        sites: Vec<SiteId>,
        author: String,
    ) -> Result<acd::Input, OrderError> {
        let mut active = self.acd.active_crises();
        let is_on = active.any(|order| {
            let is_meant = sites.is_empty() || sites.iter().any(|site| order.sites.contains(site));
            order.crisis == crisis && is_meant
        });
        if !is_on {
            return Err(OrderError::CrisisNotOn);
        }
        Ok(acd::Input::CrisisOff {
            crisis,
            sites,
            author,
        })
    }
}

//! The response context of RFC 3261 §16: one forwarded request, its branches, and the best answer
//! so far.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bytes::Bytes;
use sip::{HeaderName, Method, Response, StatusCode};
use sip_transaction::{ClientTx, Flow, ServerTx};
use smallvec::SmallVec;

use super::{Group, TargetSet, TryNext, received::Received};

/// One forwarded request.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) server: ServerTx,
    pub(super) is_invite: bool,
    pub(super) branches: SmallVec<[Branch; 2]>,
    stage: Stage,
}

/// What the sender has been answered.
#[derive(Debug)]
enum Stage {
    /// Nothing final.
    Open(Box<Open>),
    /// A 2xx. Of an INVITE more may follow.
    Succeeded,
    /// Another final answer.
    Failed,
}

/// What is needed until the sender has a final answer: a context outlives that by half a minute.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) received: Received,
    pub(super) source: Flow,
    /// Groups of targets that have not been tried: one group after the other, those of a group at
    /// once.
    pub(super) groups: VecDeque<Group>,
    /// When the next of them is tried.
    pub(super) next: TryNext,
    /// Who sent it has taken it back.
    pub(super) is_cancelled: bool,
    best: Option<Answer>,
    /// WWW-Authenticate and Proxy-Authenticate of the 401 and 407 that came so far.
    challenges: Vec<(HeaderName, Bytes)>,
}

/// A client transaction of a forwarded request, until it has ended.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) tx: ClientTx,
    pub(super) state: BranchState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BranchState {
    /// No final answer. An INVITE has a Timer C.
    Pending {
        timer_c: Option<Instant>,
    },
    Answered,
}

/// A final answer other than 2xx.
#[derive(Debug)]
pub(super) enum Answer {
    /// As a target gave it.
    Received(Arc<Response>),
    /// In place of one that never came.
    Missing(StatusCode),
}

impl Answer {
    //= https://www.rfc-editor.org/rfc/rfc3263#section-4.3
    //# For SIP requests, failure occurs if the transaction layer reports a
    //# 503 error response or a transport failure of some sort
    /// Whether whoever was asked could not serve, so that another way to the same place may help.
    pub(super) fn is_not_served(&self) -> bool {
        match self {
            Self::Missing(_) => true,
            Self::Received(response) => response.status() == StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Received(response) => response.status(),
            Self::Missing(status) => *status,
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-16.7
    //# It MUST choose from the 6xx class responses if any exist in
    //# the context.  If no 6xx class responses are present, the proxy
    //# SHOULD choose from the lowest response class stored in the
    //# response context.
    /// The lower the better.
    fn rank(&self) -> (u16, u16) {
        let status = self.status().value();
        let class = match status / 100 {
            6 => 0,
            class => class,
        };
        // RFC 3261 §16.7 step 6: preference to what tells how to try again.
        let within = match status {
            401 | 407 | 415 | 420 | 484 => 0,
            // A target that answered knows more than one that was silent.
            408 => 2,
            _ => 1,
        };
        (class, within)
    }
}

impl Context {
    pub(super) fn new(
        server: ServerTx,
        received: Received,
        source: Flow,
        targets: TargetSet,
    ) -> Self {
        Self {
            server,
            is_invite: *received.request().method() == Method::Invite,
            branches: SmallVec::new(),
            stage: Stage::Open(Box::new(Open {
                received,
                source,
                groups: targets.groups.into(),
                next: targets.next,
                is_cancelled: false,
                best: None,
                challenges: Vec::new(),
            })),
        }
    }

    /// What is known until the sender has a final answer.
    pub(super) fn open(&self) -> Option<&Open> {
        match &self.stage {
            Stage::Open(open) => Some(open),
            Stage::Succeeded | Stage::Failed => None,
        }
    }

    pub(super) fn open_mut(&mut self) -> Option<&mut Open> {
        match &mut self.stage {
            Stage::Open(open) => Some(open),
            Stage::Succeeded | Stage::Failed => None,
        }
    }

    /// The sender gets a 2xx. Whether it may: not after another final answer.
    pub(super) fn succeed(&mut self) -> bool {
        if matches!(self.stage, Stage::Failed) {
            return false;
        }
        self.stage = Stage::Succeeded;
        true
    }

    /// The sender gets another final answer, if none before: what was known until then.
    pub(super) fn fail(&mut self) -> Option<Box<Open>> {
        match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Open(open) => Some(open),
            before => {
                self.stage = before;
                None
            }
        }
    }

    pub(super) fn branch_mut(&mut self, tx: ClientTx) -> Option<&mut Branch> {
        self.branches.iter_mut().find(|branch| branch.tx == tx)
    }

    /// Branches that have no final answer.
    pub(super) fn pending(&self) -> impl Iterator<Item = ClientTx> + '_ {
        self.branches
            .iter()
            .filter(|branch| matches!(branch.state, BranchState::Pending { .. }))
            .map(|branch| branch.tx)
    }
}

impl Open {
    /// Keeps an answer if none is better.
    pub(super) fn note(&mut self, answer: Answer) {
        if self.next == TryNext::WhenNotServed && !answer.is_not_served() {
            self.groups.clear();
        }
        if let Answer::Received(response) = &answer
            && matches!(
                response.status(),
                StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED
            )
        {
            for name in CHALLENGES {
                let values = response.header_values(name).map(Bytes::copy_from_slice);
                self.challenges.extend(values.map(|value| (name, value)));
            }
        }
        if self
            .best
            .as_ref()
            .is_none_or(|best| answer.rank() < best.rank())
        {
            self.best = Some(answer);
        }
    }

    /// The answer to give, and the challenges of all, now that no branch is pending.
    pub(super) fn into_best(self) -> (Answer, Vec<(HeaderName, Bytes)>) {
        let best = self
            .best
            .unwrap_or(Answer::Missing(StatusCode::TEMPORARILY_UNAVAILABLE));
        let best = match best {
            Answer::Missing(_) if self.is_cancelled => {
                Answer::Missing(StatusCode::REQUEST_TERMINATED)
            }
            best => best,
        };
        (best, self.challenges)
    }
}

/// Headers that a 401 and a 407 challenge by.
pub(super) const CHALLENGES: [HeaderName; 2] =
    [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate];

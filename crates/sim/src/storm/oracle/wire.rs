//! What goes over the wire: nothing before what it depends on is durable, an answer for whoever was told
//! to wait, and no phone in two calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use engine::sip::{HeaderName, Method, Request, Response, StatusCode};
use memchr::memmem;

use super::Verdict;
use crate::{
    host::Rows,
    laws::{Said, Sighting, text},
    storm::centre::{self, RING_MAX, TOLD_EVERY},
};

/// How long after it is due a caller who waits may hear that the call does.
const SLACK: Duration = Duration::from_secs(1);

/// How long a CANCEL is repeated.
const TOLD_WITHIN: Duration = Duration::from_secs(33);

/// How a call ends that nobody answers.
const ENDS: [StatusCode; 3] = [
    StatusCode::TEMPORARILY_UNAVAILABLE,
    StatusCode::REQUEST_TERMINATED,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// How long a BYE is repeated, and may be under way after that.
const HANGS_UP_WITHIN: Duration = Duration::from_secs(40);

/// How long an INVITE that nobody answers is there at least (Timer B is 32 s, some of which the node may have
/// waited for its disk).
const HEARD_WITHIN: Duration = Duration::from_secs(20);

/// How long what was damaged may still be on its way: Timer B of a proxy.
const CARRIED_WITHIN: Duration = Duration::from_secs(32);

/// What the node has said, and to whom.
#[derive(Debug)]
pub(super) struct Wire {
    node: SocketAddr,
    /// Callers who were told something and have no final answer, by Call-ID: when they were told last, in
    /// the node's uptime.
    told: BTreeMap<String, Duration>,
    /// What was seen to be durable.
    durable: BTreeSet<(String, Step)>,
    /// The agent that each of our INVITEs is for, by its Call-ID.
    rung: BTreeMap<String, String>,
    /// Call-IDs by which phones ring, and since when, in the node's uptime.
    ringing: BTreeMap<String, Duration>,
    /// When we sent each of our INVITEs first, by Call-ID, in the node's uptime.
    sent: BTreeMap<String, Duration>,
    /// Call-IDs by which a phone has said in time, and to this process, that it rings: one whose every word
    /// is lost cannot be told to stop.
    heard: BTreeSet<String>,
    /// Call-IDs to which a phone has given its last answer, or was told to stop: one that rings all the same
    /// does so by an INVITE that was damaged on its way.
    stopped: BTreeSet<String>,
    /// The Call-IDs of our INVITEs by their branches: an ACK with another is that of a 2xx.
    branches: BTreeMap<String, String>,
    /// Branches of our INVITEs, and their From-tags: what does not answer both answers something that was
    /// damaged on its way.
    asked: BTreeSet<(String, String)>,
    /// Call-IDs of what the node sends on: their dialogs are none of its own.
    sent_on: BTreeSet<String>,
    /// Dialogs with phones that were acknowledged and not hung up, and whose they are.
    phones: BTreeMap<Dialog, String>,
    /// Whether there are others of them since it was last looked.
    has_more: bool,
    over: BTreeSet<Dialog>,
    /// Those that we have hung up, and when we did so first, in the node's uptime.
    hung_up: BTreeMap<Dialog, Duration>,
    /// Whether messages are damaged on their way: one of which enough is left is answered for another.
    is_damaged: bool,
    /// When they were damaged last, in the node's uptime.
    damaged_until: Option<Duration>,
    /// Call-IDs of dialogs in which something was asked for then: their sides may go by tags that only one of them knows,
    /// and be reached where nobody is.
    astray: BTreeSet<String>,
    /// Branches of BYEs of ours that went out then: a proxy may have sent one on to nobody, and takes its repetitions for
    /// the same.
    damaged_byes: BTreeSet<String>,
    /// Call-IDs of dialogs that the node knows no more, and may have forgotten: whom it hangs up in one all the same, it
    /// cannot be sure to reach.
    lost: BTreeSet<String>,
    /// Callers who were refused, and when first, in the node's uptime.
    refused: BTreeMap<Dialog, Duration>,
    /// Who answered first, by Call-ID.
    answered: BTreeMap<String, String>,
    /// Who answered what we had asked.
    answers: BTreeSet<Dialog>,
    pub(super) glares: u64,
    pub(super) answered_twice: u64,
}

/// A Call-ID and a phone's tag.
type Dialog = (String, String);

/// What depends on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Provisional,
    Invite,
    Answer,
}

impl Wire {
    pub(super) fn new(node: SocketAddr) -> Self {
        Self {
            node,
            told: BTreeMap::new(),
            durable: BTreeSet::new(),
            rung: BTreeMap::new(),
            ringing: BTreeMap::new(),
            sent: BTreeMap::new(),
            heard: BTreeSet::new(),
            stopped: BTreeSet::new(),
            branches: BTreeMap::new(),
            asked: BTreeSet::new(),
            sent_on: BTreeSet::new(),
            phones: BTreeMap::new(),
            has_more: false,
            over: BTreeSet::new(),
            hung_up: BTreeMap::new(),
            is_damaged: false,
            damaged_until: None,
            astray: BTreeSet::new(),
            refused: BTreeMap::new(),
            damaged_byes: BTreeSet::new(),
            lost: BTreeSet::new(),
            answered: BTreeMap::new(),
            answers: BTreeSet::new(),
            glares: 0,
            answered_twice: 0,
        }
    }

    /// `durable` is what is on the disk, where anybody still writes on it.
    pub(super) fn see(
        &mut self,
        sightings: &[Sighting],
        durable: Option<&Rows>,
        uptime: Duration,
    ) -> Verdict {
        for Sighting { from, to, what } in sightings {
            match what {
                Said::Request(request) if *from == self.node => {
                    self.node_asks(request, *to, durable, uptime)?;
                }
                Said::Response(response) if *from == self.node => {
                    self.node_answers(response, *to, durable, uptime)?;
                }
                Said::Request(request) => self.peer_asks(request, uptime),
                Said::Response(response) => self.peer_answers(response, uptime),
            }
        }
        Ok(())
    }

    fn node_asks(
        &mut self,
        request: &Request,
        to: SocketAddr,
        durable: Option<&Rows>,
        uptime: Duration,
    ) -> Verdict {
        let call_id = text(request.call_id());
        let tag = request.to_tag().map(text).unwrap_or_default();
        let ours = request.from_tag().map(text).unwrap_or_default();
        // What is of others has their Via, too.
        if request.elements(HeaderName::Via).nth(1).is_some() {
            self.sent_on.insert(call_id.clone());
        }
        if self.sent_on.contains(&call_id) {
            return Ok(());
        }
        self.note_asked(request, uptime);
        let is_astray = self.astray.contains(&call_id);
        let branch = text(request.top_via().branch().unwrap_or_default());
        if *request.method() == Method::Bye && !is_astray {
            if self.is_damaged {
                self.damaged_byes.insert(branch.clone());
            } else if !self.damaged_byes.contains(&branch) && !self.lost.contains(&call_id) {
                let dialog = (call_id.clone(), tag.clone());
                self.hung_up.entry(dialog).or_insert(uptime);
            }
        }
        if centre::is_operator(to) {
            return Ok(());
        }
        match request.method() {
            Method::Invite => {
                if tag.is_empty() {
                    let user = request.uri().user_or_number();
                    let user = user.map(|user| text(user.expose())).unwrap_or_default();
                    self.check_durable(request.call_id(), Step::Invite, durable)?;
                    self.sent.entry(call_id.clone()).or_insert(uptime);
                    self.rung.insert(call_id.clone(), user);
                }
                self.asked.insert((branch.clone(), ours));
                self.branches.insert(branch, call_id);
            }
            Method::Ack if self.branches.get(&branch) != Some(&call_id) => {
                let user = self.rung.get(&call_id).cloned();
                let dialog = (call_id, tag);
                let is_own = self.answers.contains(&dialog) && !self.over.contains(&dialog);
                let counts = is_own && !is_astray;
                if let Some(user) = user.filter(|_| counts) {
                    self.phones.insert(dialog, user);
                    self.has_more = true;
                }
            }
            Method::Bye => self.hang_up((call_id, tag)),
            _ => {}
        }
        Ok(())
    }

    /// Something is asked for in a dialog.
    fn note_asked(&mut self, request: &Request, uptime: Duration) {
        if *request.method() == Method::Invite {
            self.note_astray(request.call_id(), uptime);
        }
    }

    /// An INVITE is on its way, or was, and its answer is.
    fn note_astray(&mut self, call_id: &[u8], uptime: Duration) {
        // A proxy sends on what was damaged before.
        let lately = self
            .damaged_until
            .is_some_and(|until| uptime < until + CARRIED_WITHIN);
        if self.is_damaged || lately {
            self.astray.insert(text(call_id));
        }
    }

    fn hang_up(&mut self, dialog: Dialog) {
        self.phones.remove(&dialog);
        self.over.insert(dialog);
    }

    fn node_answers(
        &mut self,
        response: &Response,
        to: SocketAddr,
        durable: Option<&Rows>,
        uptime: Duration,
    ) -> Verdict {
        let status = response.status();
        if response.cseq_method() == b"BYE" && status.is_success() {
            // A BYE that was damaged on its way may have been understood.
            let tag = response.from_tag().map(text).unwrap_or_default();
            self.hang_up((text(response.call_id()), tag));
        }
        if response.cseq_method() != b"INVITE" {
            return Ok(());
        }
        // One that was damaged is not seen when it comes.
        self.note_astray(response.call_id(), uptime);
        self.glares += u64::from(status.value() == 491);
        let call_id = text(response.call_id());
        if !centre::is_operator(to) {
            let tag = response.from_tag().map(text).unwrap_or_default();
            if status == StatusCode::CALL_DOES_NOT_EXIST && self.is_damaged {
                // Its question was damaged on its way: it takes the answer for the end of its call.
                self.hang_up((call_id, tag));
            }
            return Ok(());
        }
        let tag = response.from_tag().map(text).unwrap_or_default();
        let caller = (call_id.clone(), tag);
        if status.is_provisional() {
            self.refused.remove(&caller);
            self.check_durable(response.call_id(), Step::Provisional, durable)?;
            // One of a re-INVITE says nothing of waiting.
            if !self.durable.contains(&(call_id.clone(), Step::Answer)) {
                self.told.insert(call_id, uptime);
            }
            return Ok(());
        }
        self.told.remove(&call_id);
        // By others the node refuses what was damaged on its way, or came twice. A proxy may have damaged it,
        // too, and tells its caller by itself.
        let is_direct = response.elements(HeaderName::Via).nth(1).is_none();
        if ENDS.contains(&status) && is_direct && !self.is_damaged {
            self.refused.entry(caller).or_insert(uptime);
        } else if status.is_success() {
            self.refused.remove(&caller);
        }
        match status.is_success() {
            true => self.check_durable(response.call_id(), Step::Answer, durable),
            false => Ok(()),
        }
    }

    fn peer_asks(&mut self, request: &Request, uptime: Duration) {
        self.note_asked(request, uptime);
        let tag = request.from_tag().map(text).unwrap_or_default();
        let dialog = (text(request.call_id()), tag);
        if *request.method() == Method::Bye {
            self.hang_up(dialog);
        }
    }

    fn peer_answers(&mut self, response: &Response, uptime: Duration) {
        let call_id = text(response.call_id());
        let status = response.status();
        let branch = text(response.top_via().branch().unwrap_or_default());
        let is_in_time = |sent: &Duration| uptime < *sent + HEARD_WITHIN;
        if matches!(response.cseq_method(), b"INVITE" | b"CANCEL") && !status.is_provisional() {
            self.stopped.insert(call_id.clone());
            // It may answer a CANCEL of which nothing else was left.
            self.stopped.extend(self.branches.get(&branch).cloned());
        } else if self.sent.get(&call_id).is_some_and(is_in_time)
            // By another it answers an INVITE that was damaged on its way, and is a stray one here.
            && self.branches.get(&branch) == Some(&call_id)
        {
            self.heard.insert(call_id.clone());
        }
        if response.cseq_method() == b"INVITE"
            && status.is_success()
            && self.rung.contains_key(&call_id)
        {
            let tag = response.to_tag().map(text).unwrap_or_default();
            let ours = response.from_tag().map(text).unwrap_or_default();
            if self.asked.contains(&(branch, ours)) {
                self.answers.insert((call_id.clone(), tag.clone()));
            }
            let first = self.answered.entry(call_id).or_insert_with(|| tag.clone());
            self.answered_twice += u64::from(*first != tag);
        }
    }

    /// What this depends on can be found on the disk.
    fn check_durable(&mut self, call_id: &[u8], step: Step, durable: Option<&Rows>) -> Verdict {
        if !self.durable.insert((text(call_id), step)) {
            return Ok(());
        }
        let Some(rows) = durable else {
            return Ok(());
        };
        // One that is folded is written down as it came.
        let words = call_id.split(u8::is_ascii_whitespace);
        let words: Vec<_> = words.map(memmem::Finder::new).collect();
        let has_all = |body: &[u8]| words.iter().all(|word| word.find(body).is_some());
        match rows.values().any(|row| has_all(&row.body)) {
            true => Ok(()),
            false => Err(format!(
                "{step:?} of {} before it was durable",
                text(call_id)
            )),
        }
    }

    /// No phone is in two calls, when all has been said that a process had to say.
    pub(super) fn look_at_phones(&mut self) -> Verdict {
        if !std::mem::take(&mut self.has_more) {
            return Ok(());
        }
        let mut users = BTreeMap::new();
        for ((call_id, tag), user) in &self.phones {
            let dialog = format!("{call_id} ({tag})");
            if let Some(other) = users.insert(user, dialog.clone()) {
                return Err(format!("the phone of {user} is in {other} and in {dialog}"));
            }
        }
        Ok(())
    }

    /// A phone that rings and need not any more is told so.
    pub(super) fn look_who_rings<'a>(
        &mut self,
        rings: impl Iterator<Item = &'a str>,
        uptime: Duration,
    ) -> Verdict {
        let mut ringing = BTreeMap::new();
        let counts = |call_id: &&str| {
            let is_ours = self.rung.contains_key(*call_id) && self.heard.contains(*call_id);
            is_ours && !self.stopped.contains(*call_id)
        };
        for call_id in rings.filter(counts) {
            let since = self.ringing.get(call_id).copied().unwrap_or(uptime);
            if uptime > since + RING_MAX + TOLD_WITHIN {
                return Err(format!("{call_id} rings, and nobody stops it"));
            }
            ringing.insert(call_id.to_owned(), since);
        }
        self.ringing = ringing;
        Ok(())
    }

    /// Whoever is hung up hears it.
    pub(super) fn look_who_talks<'a>(
        &self,
        talks: impl Iterator<Item = (&'a str, &'a str)>,
        uptime: Duration,
    ) -> Verdict {
        for (call_id, tag) in talks {
            let dialog = (call_id.to_owned(), tag.to_owned());
            let since = self.hung_up.get(&dialog);
            if since.is_some_and(|since| uptime > *since + HANGS_UP_WITHIN) {
                return Err(format!("{call_id} ({tag}) is hung up and has not heard it"));
            }
        }
        Ok(())
    }

    /// Whoever is refused hears it.
    pub(super) fn look_who_calls<'a>(
        &self,
        calls: impl Iterator<Item = (&'a str, &'a str)>,
        uptime: Duration,
    ) -> Verdict {
        for (call_id, tag) in calls {
            let caller = (call_id.to_owned(), tag.to_owned());
            let since = self.refused.get(&caller);
            if since.is_some_and(|since| uptime > *since + HANGS_UP_WITHIN) {
                return Err(format!("{call_id} is refused and has not heard it"));
            }
        }
        Ok(())
    }

    /// Who waits is told so.
    pub(super) fn look(&self, uptime: Duration) -> Verdict {
        let latest = TOLD_EVERY + SLACK;
        let mut told = self.told.iter();
        match told.find(|(_, told)| uptime > **told + latest) {
            Some((call_id, _)) => Err(format!("{call_id} has heard nothing for a minute")),
            None => Ok(()),
        }
    }

    /// Messages are damaged on their way from now on, or no more.
    pub(super) fn note_damage(&mut self, is_damaged: bool, uptime: Duration) {
        if self.is_damaged {
            self.damaged_until = Some(uptime);
        }
        self.is_damaged = is_damaged;
        if is_damaged {
            self.hung_up.clear();
            self.refused.clear();
        }
    }

    /// Another process has begun.
    pub(super) fn begin(&mut self, uptime: Duration) {
        self.heard.clear();
        let since = self.hung_up.values_mut().chain(self.refused.values_mut());
        let since = self.told.values_mut().chain(since);
        since.for_each(|since| *since = uptime);
    }

    /// An agent whom the configuration does not know: the calls of this phone are nobody's.
    pub(super) fn let_go(&mut self, agent: &str) {
        // Some may have answered what the node has not acknowledged yet.
        let is_theirs =
            |(call_id, _): &&Dialog| self.rung.get(call_id).is_some_and(|user| user == agent);
        let dialogs = self.answers.iter().filter(is_theirs);
        self.over.extend(dialogs.cloned());
        self.phones.retain(|_, user| user != agent);
    }

    /// Nobody holds the node to dialogs of before with these Call-IDs.
    pub(super) fn forgive(&mut self, is_lost: impl Fn(&str) -> bool) {
        let known = self.durable.iter().map(|(call_id, _)| call_id);
        let known = known.filter(|call_id| is_lost(call_id));
        self.lost.extend(known.cloned());
        self.told.retain(|call_id, _| !is_lost(call_id));
        self.hung_up.retain(|(call_id, _), _| !is_lost(call_id));
        self.refused.retain(|(call_id, _), _| !is_lost(call_id));
        let lost = self.phones.keys().filter(|(call_id, _)| is_lost(call_id));
        self.over.extend(lost.cloned());
        self.phones.retain(|(call_id, _), _| !is_lost(call_id));
        // What a phone says late is not held against it either.
        self.rung.retain(|call_id, _| !is_lost(call_id));
    }

    pub(super) fn look_at_the_end(&self) -> Verdict {
        match self.told.keys().next() {
            Some(call_id) => Err(format!("{call_id} never had an answer")),
            None => Ok(()),
        }
    }
}

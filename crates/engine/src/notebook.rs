//! What changed since it was last written down: found by the notes that the machines inside take, compared
//! with what is known to be written, and told as one group of changes before anything that depends on it
//! is sent.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher as _, Hasher as _},
};

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use journal::{Change, Clock, Item, Key, Row, Scribe};
use slotmap::Key as _;

use crate::{engine::Engine, input_output::Output, receive::aor_of};

/// What is written down, and what is to be looked at again.
#[derive(Debug)]
pub(crate) struct Notebook {
    clock: Clock,
    scribe: Scribe,
    /// A digest of each row that is written. Nobody outside knows what it is made with: a row that looks like the one
    /// before is not written.
    written: HashMap<Key, u64, FixedState>,
    /// Rows that are written and mean nothing here: they are to go.
    meaningless: Vec<Change>,
    /// Everything is to be looked at.
    is_new: bool,
    /// Something may have happened since it was last looked at.
    is_open: bool,
    /// In no order, some perhaps several times.
    changed: Vec<Key>,
}

impl Engine {
    /// From now on everything that is to outlive this process is told by [`Output::Record`], before what
    /// depends on it. `written` are the rows that are there.
    pub fn keep_journal<'r>(&mut self, clock: Clock, written: impl IntoIterator<Item = &'r Row>) {
        self.layer.note_touched();
        self.calls.note_touched();
        self.acd.note_touched();
        self.records.note_touched();
        let hashing = FixedState::with_seed(self.secrets[2]);
        // A table that grows is moved, for which everybody waits.
        let room = self.config.settings.calls_max.min(ROOM_MAX);
        let mut notebook = Notebook {
            clock,
            scribe: Scribe::default(),
            written: HashMap::with_capacity_and_hasher(room, hashing),
            meaningless: Vec::new(),
            is_new: true,
            is_open: true,
            changed: Vec::new(),
        };
        for row in written {
            match Key::of_row(row, self.directory()) {
                Some(key) => {
                    let digest = digest(notebook.written.hasher(), row.version, &row.body);
                    notebook.written.insert(key, digest);
                }
                None => notebook.meaningless.push(Change::Remove {
                    kind: row.kind,
                    key: row.key.clone(),
                }),
            }
        }
        self.notebook = Some(notebook);
    }

    /// From now on nothing is told any more.
    pub(crate) fn close_journal(&mut self) {
        self.notebook = None;
        self.layer.note_nothing();
        self.calls.note_nothing();
        self.acd.note_nothing();
        self.records.note_nothing();
    }

    /// How much may have changed and was not looked at yet: nothing, when everything has been polled.
    pub fn notes(&self) -> usize {
        let machines = self.layer.notes() + self.calls.notes() + self.acd.notes();
        let collected = self.notebook.as_ref();
        machines + self.records.notes() + collected.map_or(0, |notebook| notebook.changed.len())
    }

    /// What has changed and is not written down. `None` when nothing has, or nothing is written at all.
    pub(crate) fn poll_record(&mut self) -> Option<Output> {
        if !std::mem::take(&mut self.notebook.as_mut()?.is_open) {
            return None;
        }
        self.note_touched();
        let mut notebook = self.notebook.take()?;
        let changes = self.changes(&mut notebook);
        self.notebook = Some(notebook);
        let is_awaited = self.is_awaited();
        (!changes.is_empty()).then_some(Output::Record {
            changes,
            is_awaited,
        })
    }

    /// Some phone of this address-of-record came, went or was refreshed.
    pub(crate) fn note_phones(&mut self, agent: acd::AgentId) {
        if let Some(notebook) = &mut self.notebook {
            notebook.changed.push(Key::Phones(agent));
        }
    }

    /// Collects the notes of the machines inside.
    fn note_touched(&mut self) {
        let Some(notebook) = &mut self.notebook else {
            return;
        };
        let changed = &mut notebook.changed;
        changed.extend(self.calls.drain_touched().map(Key::Call));
        changed.extend(self.records.drain_touched().map(Key::Call));
        let unanswered = self.calls.drain_touched_unanswered();
        changed.extend(unanswered.map(Key::Unanswered));
        for touched in self.layer.drain_touched() {
            match touched {
                sip_transaction::Touched::Invite(tx) => {
                    changed.extend(self.calls.rung_for(tx).map(Key::Call));
                    changed.push(Key::Withdrawn(tx.data().as_ffi()));
                }
                sip_transaction::Touched::Bye(tx) => changed.push(Key::Bye(tx.data().as_ffi())),
                sip_transaction::Touched::Refused(tx) => {
                    changed.push(Key::Refused(tx.data().as_ffi()));
                }
            }
        }
        self.acd.drain_touched(|touched| {
            changed.push(match touched {
                acd::Touched::Call(call) => Key::Call(call::CallNumber::from_value(call.value())),
                acd::Touched::Agent(agent) => Key::Agent(agent),
                acd::Touched::Abandoned(entry) => Key::Abandoned(entry),
                acd::Touched::Caller(caller) => Key::Caller(caller),
                acd::Touched::Sites => Key::Sites,
            });
        });
    }

    fn changes(&self, notebook: &mut Notebook) -> Vec<Change> {
        let directory = self.directory();
        let mut changes = std::mem::take(&mut notebook.meaningless);
        let mut keys = std::mem::take(&mut notebook.changed);
        if std::mem::take(&mut notebook.is_new) {
            // Rows that nothing stands for any more go.
            keys.extend(self.keys());
            keys.extend(notebook.written.keys().cloned());
        }
        keys.sort_unstable();
        keys.dedup();
        for key in keys.drain(..) {
            let item = self.kept_item(&key);
            changes.extend(notebook.look(&key, item.as_ref(), directory));
        }
        // The room is for the next.
        notebook.changed = keys;
        changes
    }

    /// Everything that is to outlive this process.
    pub fn rows(&self, clock: Clock) -> Vec<Row> {
        let directory = self.directory();
        let mut scribe = Scribe::default();
        let keys = self.keys().into_iter();
        let row = |key| {
            let item = self.kept_item(&key)?;
            let body = scribe.body(&item, directory, clock);
            Some(Row::new(&key, body, directory))
        };
        keys.filter_map(row).collect()
    }

    fn keys(&self) -> BTreeSet<Key> {
        let clients = self.layer.client_transactions();
        let clients = clients.flat_map(|tx| {
            let number = tx.data().as_ffi();
            [Key::Withdrawn(number), Key::Bye(number)]
        });
        let servers = self.layer.server_transactions();
        let servers = servers.map(|tx| Key::Refused(tx.data().as_ffi()));
        let agents = || self.directory().agents();
        let has_phone =
            |agent: &acd::AgentId| self.registrar.bindings(aor_of(*agent)).next().is_some();
        let abandoned = self.acd.abandoned().map(|(id, _)| Key::Abandoned(id));
        let callers = self.acd.callers().into_iter().map(Key::Caller);
        [Key::Process, Key::Sites]
            .into_iter()
            .chain(self.calls.numbers().map(Key::Call))
            .chain(self.calls.unanswered().cloned().map(Key::Unanswered))
            .chain(clients)
            .chain(servers)
            .chain(agents().map(Key::Agent))
            .chain(agents().filter(has_phone).map(Key::Phones))
            .chain(abandoned)
            .chain(callers)
            .collect()
    }
}

impl Notebook {
    /// Something happens: it is to be looked what has changed.
    pub(crate) const fn expect_changes(&mut self) {
        self.is_open = true;
    }

    /// What is to be written so that a thing stands there as it is; `None` where it does.
    fn look(
        &mut self,
        key: &Key,
        item: Option<&Item>,
        directory: &acd::Directory,
    ) -> Option<Change> {
        let Some(item) = item else {
            self.written.remove(key)?;
            let (kind, key) = (key.kind().number(), key.bytes(directory));
            return Some(Change::Remove { kind, key });
        };
        let body = self.scribe.body(item, directory, self.clock);
        let digest = digest(self.written.hasher(), journal::VERSION, body);
        let before = match self.written.get_mut(key) {
            Some(written) => Some(std::mem::replace(written, digest)),
            None => self.written.insert(key.clone(), digest),
        };
        let row = || Change::Put(Row::new(key, body, directory));
        (before != Some(digest)).then(row)
    }
}

fn digest(hashing: &FixedState, version: u16, body: &[u8]) -> u64 {
    let mut hasher = hashing.build_hasher();
    hasher.write_u16(version);
    hasher.write(body);
    hasher.finish()
}

/// For how many rows there is room from the beginning, at most.
const ROOM_MAX: usize = 1 << 17;

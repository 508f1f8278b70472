//! Calls as a file: written from a simulation, read from one or from a record of real calls.
//!
//! CSV with a line of column names. What is read: `came` (seconds since Monday at midnight, or a local
//! date and time as `2026-03-02 18:05:11`) and `line`; where they are there, `stage` (only 0 is read: a
//! call that was sent on is drawn again), `caller` (any word; the same for the same caller, best a
//! keyed hash), `outcome` with `waited` (how patient the caller has shown to be) and `talk`.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use csv::StringRecord;
use jiff::civil::{DateTime, Time};
use node::engine::acd::{CallerKey, Directory, LineId};
use sim::planning::{KnownPatience, Outcome, RecordedCall, Recording, Stage};

/// The columns that are written.
const COLUMNS: [&str; 12] = [
    "call",
    "stage",
    "attempt",
    "caller",
    "site",
    "line",
    "came",
    "outcome",
    "waited",
    "agent",
    "answered_by",
    "talk",
];

const ANSWERED: &str = "answered";
const ABANDONED: &str = "abandoned";
const REJECTED: &str = "rejected";
const WAITING: &str = "waiting";

/// Writes every call of a simulation: a row for each line that it came to.
pub(super) struct Writer<'a> {
    path: PathBuf,
    file: csv::Writer<File>,
    directory: &'a Directory,
    failed: Option<csv::Error>,
}

impl<'a> Writer<'a> {
    pub(super) fn create(path: &Path, directory: &'a Directory) -> anyhow::Result<Self> {
        let cannot = || format!("cannot write {}", path.display());
        let mut file = csv::Writer::from_path(path).with_context(cannot)?;
        file.write_record(COLUMNS).with_context(cannot)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            directory,
            failed: None,
        })
    }

    /// Writes a row. After a failure nothing more is written, and [`Writer::finish`] tells it.
    pub(super) fn write(&mut self, stage: &Stage) {
        if self.failed.is_some() {
            return;
        }
        let directory = self.directory;
        let line = directory.line_profile(stage.line);
        let site = |site| directory.site_profile(site).id.as_str();
        let (outcome, answer) = match stage.outcome {
            Outcome::Answered(answer) => (ANSWERED, Some(answer)),
            Outcome::Abandoned => (ABANDONED, None),
            Outcome::Rejected => (REJECTED, None),
            Outcome::Waiting => (WAITING, None),
        };
        let agent = answer.map(|answer| directory.agent_profile(answer.agent).id.as_str());
        let by = answer.map(|answer| site(answer.site));
        let talk = answer.map(|answer| seconds(answer.talk));
        let row = [
            &stage.call.value().to_string(),
            &stage.stage.to_string(),
            &stage.attempt.to_string(),
            &format!("{:x}", stage.caller.value()),
            site(line.site),
            &line.id,
            &seconds(stage.came),
            outcome,
            &seconds(stage.waited),
            agent.unwrap_or_default(),
            by.unwrap_or_default(),
            talk.as_deref().unwrap_or_default(),
        ];
        self.failed = self.file.write_record(row).err();
    }

    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let failed = self
            .failed
            .take()
            .map_or_else(|| self.file.flush().map_err(csv::Error::from), Err::<(), _>);
        failed.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Exactly, so that what is read again is what was written.
fn seconds(time: Duration) -> String {
    let text = format!("{}.{:09}", time.as_secs(), time.subsec_nanos());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Reads recorded calls, in any order.
///
/// # Errors
/// The file cannot be read; a column is missing; the first row that is not understood.
pub(super) fn read(path: &Path, directory: &Directory) -> anyhow::Result<Recording> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut rows = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(file);
    let at = |line: u64| format!("{}:{line}", path.display());
    let columns = Columns::of(rows.headers().with_context(|| at(1))?).with_context(|| at(1))?;
    let (mut came, mut calls, mut callers) = (Vec::new(), Vec::new(), Callers::default());
    for row in rows.records() {
        let row = row.with_context(|| path.display().to_string())?;
        let line = row.position().map_or(0, csv::Position::line);
        if let Some((when, call)) = columns
            .call(&row, directory, &mut callers)
            .with_context(|| at(line))?
        {
            came.push(when);
            calls.push(call);
        }
    }
    ensure!(!calls.is_empty(), "{} has no calls", path.display());
    let came = since_monday(&came).with_context(|| path.display().to_string())?;
    for (call, came) in calls.iter_mut().zip(came) {
        call.came = came;
    }
    calls.sort_by_key(|call| call.came);
    Ok(Recording { calls })
}

/// Where the columns are that are read.
struct Columns {
    came: usize,
    line: usize,
    others: BTreeMap<&'static str, usize>,
}

/// Callers by the word for each: numbered, and the word forgotten.
#[derive(Debug, Default)]
struct Callers {
    numbers: BTreeMap<String, u64>,
}

impl Callers {
    fn key(&mut self, word: &str) -> CallerKey {
        let next = self.numbers.len() as u64;
        let number = self.numbers.entry(word.to_owned()).or_insert(next);
        CallerKey::new(*number)
    }
}

/// When a call came, as it was written.
#[derive(Clone, Copy, Debug)]
enum Came {
    Since(Duration),
    At(DateTime),
}

impl Columns {
    fn of(names: &StringRecord) -> anyhow::Result<Self> {
        let place = |name: &str| names.iter().position(|there| there == name);
        let must = |name| {
            let told = names.iter().collect::<Vec<_>>().join(", ");
            place(name).with_context(|| format!("there is no column `{name}`, only {told}"))
        };
        let others = ["stage", "caller", "outcome", "waited", "talk"];
        Ok(Self {
            came: must("came")?,
            line: must("line")?,
            others: others
                .into_iter()
                .filter_map(|name| Some((name, place(name)?)))
                .collect(),
        })
    }

    /// A call from outside; `None` for one that was sent on to a line.
    fn call(
        &self,
        row: &StringRecord,
        directory: &Directory,
        callers: &mut Callers,
    ) -> anyhow::Result<Option<(Came, RecordedCall)>> {
        let text = |name| {
            let text = row.get(*self.others.get(name)?)?;
            (!text.is_empty()).then_some(text)
        };
        if text("stage").is_some_and(|stage| stage != "0") {
            return Ok(None);
        }
        let came = came(row.get(self.came).unwrap_or_default())?;
        let line = row.get(self.line).unwrap_or_default();
        let line = find(directory, line)?;
        let waited = text("waited")
            .map(|text| time("waited", text))
            .transpose()?;
        let patience = match (text("outcome"), waited) {
            (None, _) | (_, None) | (Some(REJECTED), _) => KnownPatience::Nothing,
            (Some(ANSWERED | WAITING), Some(waited)) => KnownPatience::AtLeast(waited),
            (Some(ABANDONED), Some(waited)) => KnownPatience::Exactly(waited),
            (Some(other), _) => {
                bail!("outcome `{other}`: write {ANSWERED}, {ABANDONED}, {REJECTED} or {WAITING}")
            }
        };
        let call = RecordedCall {
            came: Duration::ZERO,
            line,
            caller: text("caller").map(|word| callers.key(word)),
            patience,
            talk: text("talk").map(|text| time("talk", text)).transpose()?,
        };
        Ok(Some((came, call)))
    }
}

fn find(directory: &Directory, id: &str) -> anyhow::Result<LineId> {
    let found = directory.line(id);
    found.with_context(|| format!("line `{id}` is not in the configuration"))
}

fn came(text: &str) -> anyhow::Result<Came> {
    if let Ok(at) = text.parse::<DateTime>() {
        return Ok(Came::At(at));
    }
    match time("came", text) {
        Ok(since) => Ok(Came::Since(since)),
        Err(_) => bail!(
            "came `{text}`: write seconds since Monday at midnight, or a local date and time, \
             `2026-03-02 18:05:11`"
        ),
    }
}

/// Seconds with a fraction, a year at most.
fn time(name: &str, text: &str) -> anyhow::Result<Duration> {
    let wrong = || format!("{name} `{text}`: write seconds, `12.5`");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    ensure!(
        !whole.is_empty() && is_number(whole) && is_number(fraction) && fraction.len() <= 9,
        wrong()
    );
    let whole: u64 = whole.parse().with_context(wrong)?;
    let nanos: u32 = format!("{fraction:0<9}").parse().with_context(wrong)?;
    ensure!(
        whole <= SECONDS_MAX,
        "{name} `{text}` is more than ten years"
    );
    Ok(Duration::new(whole, nanos))
}

/// Ten years, as for `--days`.
const SECONDS_MAX: u64 = 3_660 * 86_400;

/// Times since Monday at midnight of the week of the first call.
fn since_monday(came: &[Came]) -> anyhow::Result<Vec<Duration>> {
    let dates = came.iter().filter_map(|came| match came {
        Came::At(at) => Some(*at),
        Came::Since(_) => None,
    });
    let monday = dates.min().map(|first| {
        let days = i64::from(first.weekday().to_monday_zero_offset());
        let midnight = first.date().to_datetime(Time::midnight());
        midnight.saturating_sub(jiff::Span::new().days(days))
    });
    let since = came.iter().map(|came| match (*came, monday) {
        (Came::At(at), Some(monday)) => {
            let since = at.duration_since(monday);
            let since = Duration::try_from(since).context("a time before the first")?;
            ensure!(
                since.as_secs() <= SECONDS_MAX,
                "{at} is ten years after the first call"
            );
            Ok(since)
        }
        (Came::Since(since), None) => Ok(since),
        _ => bail!("some calls came at a date, others at seconds since Monday: which is it?"),
    });
    since.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_both_ways() {
        for (text, nanos) in [
            ("0", 0),
            ("12.5", 12_500_000_000),
            ("3.000000007", 3_000_000_007),
        ] {
            let read = time("talk", text).unwrap();
            assert_eq!(read.as_nanos(), nanos, "{text}");
            assert_eq!(seconds(read), text);
        }
        for wrong in [
            "",
            "-1",
            "1e3",
            "1,5",
            "1.0000000001",
            "inf",
            "999999999999",
        ] {
            assert!(time("talk", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn dates_count_from_monday_of_the_first_week() {
        // Wednesday the 4th and Monday the 9th of March 2026.
        let came = ["2026-03-09 00:00:01", "2026-03-04T18:05:00.5"].map(|text| came(text).unwrap());
        let since = since_monday(&came).unwrap();
        assert_eq!(since[0], Duration::from_secs(7 * 86_400 + 1));
        assert_eq!(
            since[1],
            Duration::from_millis(((2 * 24 + 18) * 3_600 + 300) * 1_000 + 500)
        );
        let mixed = [came[0], Came::Since(Duration::ZERO)];
        assert!(since_monday(&mixed).is_err());
    }
}

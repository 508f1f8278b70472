//! What is simulated, from its files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use config::{
    Loaded,
    planning::{LineLoad, Planning},
    scenario::{Scenario, load_scenario},
};
use node::engine::acd::{Directory, LineId, Settings};
use sim::planning::{History, Recording};

use super::{calls, days};

/// A configuration, and the callers and days that it meets.
#[derive(Debug)]
pub(super) struct Country {
    /// The configuration's path.
    pub(super) name: String,
    loaded: Loaded,
    planning: Planning,
    pub(super) scenario: Scenario,
    recording: Option<Recording>,
}

/// How long, and drawn from what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) days: u32,
    pub(super) seed: u64,
}

const WEEK: u32 = 7;

impl Country {
    pub(super) fn load(
        config: &Path,
        scenario: Option<&Path>,
        replay: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let text = read(config)?;
        // Nobody signs in here: the secrets that the file names are not read.
        let mut loaded = config::load_with(config, &text, [0; 4], &|_| Ok(String::new()))?;
        let Some(planning) = loaded.planning.take() else {
            bail!(
                "{} has no [planning]: nothing is known of callers and rosters",
                config.display()
            );
        };
        let directory = &loaded.engine.directory;
        let scenario = match scenario {
            Some(path) => load_scenario(path, &read(path)?, directory)?,
            None => Scenario::default(),
        };
        let recording = replay
            .map(|path| calls::read(path, directory))
            .transpose()?;
        Ok(Self {
            name: config.display().to_string(),
            loaded,
            planning,
            scenario,
            recording,
        })
    }

    /// How many days are simulated where nobody says so: a week, or all of the recorded calls.
    pub(super) fn days(&self) -> u32 {
        let last = self.recording.as_ref().and_then(|all| all.calls.last());
        last.map_or(WEEK, |last| {
            // The last calls end, too.
            let until = last.came + Duration::from_secs(3_600);
            u32::try_from(until.as_secs().div_ceil(days(1).as_secs())).unwrap_or(u32::MAX)
        })
    }

    /// Callers and agents around the distributor as configured.
    pub(super) fn history(&self, span: Span) -> History<'_> {
        History {
            directory: self.directory().clone(),
            settings: Settings {
                calls_max: usize::MAX,
                ..self.loaded.engine.settings.distribution
            },
            planning: &self.planning,
            scenario: &self.scenario,
            recorded: self.recording.as_ref(),
            length: days(span.days),
            warm_up: Duration::ZERO,
            seed: span.seed,
        }
    }

    /// The lines that callers from outside reach.
    pub(super) fn first_lines(&self) -> BTreeSet<LineId> {
        match &self.recording {
            Some(recording) => recording.calls.iter().map(|call| call.line).collect(),
            None => {
                let lines = self.planning.lines.iter();
                let called = lines.filter(|(_, load)| load.calls_per_day > 0.0);
                called.map(|(&line, _)| line).collect()
            }
        }
    }

    /// Whether as many calls come to the lines of the same ids, and their callers are alike.
    pub(super) fn meets_the_same_callers(&self, other: &Self) -> bool {
        let loads = |country: &Self| -> BTreeMap<String, f64> {
            let lines = country.planning.lines.iter();
            let load = |(&line, load): (&LineId, &LineLoad)| {
                let id = country.directory().line_profile(line).id.clone();
                (id, load.calls_per_day)
            };
            lines.map(load).collect()
        };
        let (one, two) = (&self.planning, &other.planning);
        let alike = |one: &Planning, two: &Planning| {
            (&one.week, &one.repeat, &one.patience, &one.flows)
                == (&two.week, &two.repeat, &two.patience, &two.flows)
        };
        alike(one, two) && loads(self) == loads(other)
    }

    pub(super) fn directory(&self) -> &Arc<Directory> {
        &self.loaded.engine.directory
    }

    pub(super) const fn planning(&self) -> &Planning {
        &self.planning
    }

    pub(super) const fn is_replay(&self) -> bool {
        self.recording.is_some()
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

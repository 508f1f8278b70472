//! Overflow plans and crisis plans.

use std::time::Duration;

use acd::{
    Condition, CrisisFlow, CrisisSpec, LastResort, Level, PlanSpec, Reach, Relax, SiteState,
    StepSpec,
};

use super::Reader;
use crate::table::{At, Table};

impl Reader<'_> {
    pub(super) fn plan(&mut self, table: &Table<'_>) -> Option<PlanSpec> {
        let name = self.id(table, "name", "overflow", "\"mutual-aid\"");
        let by = format!("overflow {}", name.as_deref().unwrap_or("?"));
        let home_advantage = table.duration("home_advantage").map(|at| at.value);
        let tables = table.tables("step", "[[overflow.step]]");
        table.finish();
        if let Some(first_too_many) = tables.get(acd::STEPS_MAX) {
            let message = format!("{by} has more than {} steps", acd::STEPS_MAX);
            self.report.error(first_too_many.span(), message);
        }
        let mut steps: Vec<StepSpec> = Vec::new();
        let mut last_after = Duration::ZERO;
        for table in &tables {
            let step = self.step(table, &by);
            let after = step.when.iter().find_map(|when| match when {
                Condition::After(wait) => Some(*wait),
                _ => None,
            });
            if let Some(after) = after {
                if after < last_after {
                    let message = format!("{by}: this step comes before the one above it");
                    self.report.warn(table.span(), message);
                }
                last_after = after.max(last_after);
            }
            steps.push(step);
        }
        let home_advantage = home_advantage.unwrap_or(Duration::ZERO);
        Some(PlanSpec {
            name: name?,
            home_advantage,
            steps,
        })
    }

    fn step(&mut self, table: &Table<'_>, by: &str) -> StepSpec {
        let when = self.conditions(table);
        let widen = table.string_or_strings("widen");
        let relax = self.relax(table);
        let raise = table.integer("raise", 1, 9).map_or(0, |at| at.value);
        let announce = table.string("announce").map(|at| at.value);
        let last_resort = self.last_resort(table, by);
        table.finish();
        if when.is_empty() {
            let message = format!(
                "{by}: this step has no condition; write after = \"20s\", queue_longer_than = 5 or \
                 when = \"no-agent-on-duty\""
            );
            self.report.error(table.span(), message);
        }
        let step = StepSpec {
            when,
            widen: widen.into_iter().map(|word| self.reach(by, word)).collect(),
            relax,
            raise: u8::try_from(raise).unwrap_or(u8::MAX),
            announce,
            last_resort,
        };
        let acts = StepSpec {
            when: step.when.clone(),
            ..StepSpec::default()
        };
        if step == acts {
            let message = format!("{by}: this step does nothing; write widen = [\"neighbours\"]");
            self.report.error(table.span(), message);
        }
        step
    }

    /// What is tried outside the centres: somebody else's number, or nothing any more.
    fn last_resort(&self, table: &Table<'_>, by: &str) -> Option<LastResort> {
        let reject = table.word("last_resort", &[("reject", ())]);
        let Some(divert) = table.string("divert") else {
            return reject.map(|_| LastResort::Reject);
        };
        let uri = sip::UriBuf::new(divert.value.clone()).ok();
        let has_number = uri.is_some_and(|uri| uri.as_uri().user_or_number().is_some());
        if !has_number {
            let message = format!(
                "{by}: `divert`: `{}` is no SIP or tel URI of a number; write \
                 \"sip:+33369670015@operator\"",
                divert.value
            );
            self.report.error(&divert.span, message);
        }
        if reject.is_some() {
            let message = format!("{by}: a step diverts a call or turns it away, not both");
            self.report.error(&divert.span, message);
        }
        Some(LastResort::Divert(divert.value))
    }

    /// A reach by its word, or a site by its id.
    fn reach(&mut self, by: &str, word: At<String>) -> Reach {
        match word.value.as_str() {
            "neighbours" => Reach::Neighbours,
            "region" => Reach::Region,
            "zone" => Reach::Zone,
            "nation" => Reach::Nation,
            _ => {
                let site = word.value.clone();
                let by = format!("{by}: `widen` takes neighbours, region, zone, nation or a site");
                self.refer(&by, "site", word);
                Reach::Site(site)
            }
        }
    }

    pub(super) fn crisis(&mut self, table: &Table<'_>) -> Option<CrisisSpec> {
        let name = self.id(table, "name", "crisis", "\"plan-blanc\"");
        let by = format!("crisis {}", name.as_deref().unwrap_or("?"));
        let overflow = table.string("overflow");
        let reserve = table.integer("reserve", 0, 10_000);
        let wrap_up = table.duration("wrap_up").map(|at| at.value);
        let announcement = table.string("announcement").map(|at| at.value);
        let flows = [("open", CrisisFlow::Open), ("closed", CrisisFlow::Closed)];
        let flow = table.word("crisis_lines", &flows).map(|at| at.value);
        table.finish();
        if let Some(overflow) = &overflow {
            self.refer(&by, "overflow", overflow.clone());
        }
        let spec = CrisisSpec {
            name: name?,
            overflow: overflow.map(|at| at.value),
            reserve: reserve.and_then(|at| u32::try_from(at.value).ok()),
            wrap_up,
            announcement,
            flow: flow.unwrap_or(CrisisFlow::Closed),
        };
        let changes_nothing = spec.overflow.is_none()
            && spec.reserve.is_none()
            && spec.wrap_up.is_none()
            && spec.announcement.is_none()
            && spec.flow == CrisisFlow::Closed;
        if changes_nothing {
            let message = format!("{by} changes nothing; write overflow = \"...\" or reserve = 0");
            self.report.error(table.span(), message);
        }
        Some(spec)
    }

    /// How less is asked: a number of levels, or levels by skill, 0 for no longer asking.
    fn relax(&self, table: &Table<'_>) -> Option<Relax> {
        if table.is_table("relax") {
            let mut relax = Relax::default();
            for (skill, value) in table.entries("relax") {
                let level = self.whole_number(value).filter(|level| *level <= 10);
                let Some(level) = level else {
                    let message = format!("`relax` of skill `{}`: 0 to 10", skill.value);
                    self.report.error(&skill.span, message);
                    continue;
                };
                relax.to.insert(skill.value, Level::new(level));
            }
            return Some(relax);
        }
        let by = table.integer("relax", 1, 9)?;
        Some(Relax {
            by: u8::try_from(by.value).unwrap_or(u8::MAX),
            ..Relax::default()
        })
    }

    fn conditions(&self, table: &Table<'_>) -> Vec<Condition> {
        let mut when = Vec::new();
        when.extend(table.duration("after").map(|at| Condition::After(at.value)));
        let longer = table.integer("queue_longer_than", 0, 1_000_000);
        let longer = longer.and_then(|at| u32::try_from(at.value).ok());
        when.extend(longer.map(Condition::QueueLongerThan));
        let oldest = table.duration("oldest_wait_over");
        when.extend(oldest.map(|at| Condition::OldestWaitOver(at.value)));
        let estimated = table.duration("estimated_wait_over");
        when.extend(estimated.map(|at| Condition::EstimatedWaitOver(at.value)));
        for word in table.string_or_strings("when") {
            match word.value.as_str() {
                "no-agent-on-duty" => when.push(Condition::NoAgentOnDuty),
                other => {
                    let message = format!("`when`: `{other}` is not one of \"no-agent-on-duty\"");
                    self.report.error(&word.span, message);
                }
            }
        }
        let states = table.string_or_strings("site_state");
        let states: Vec<_> = states.iter().filter_map(|at| self.site_state(at)).collect();
        when.extend((!states.is_empty()).then_some(Condition::SiteState(states)));
        when
    }

    fn site_state(&self, word: &At<String>) -> Option<SiteState> {
        let found = SiteState::ALL
            .into_iter()
            .find(|one| one.name() == word.value);
        if found.is_none() {
            let known = SiteState::ALL.map(SiteState::name).join(", ");
            let message = format!("`site_state`: `{}` is not one of {known}", word.value);
            self.report.error(&word.span, message);
        }
        found
    }
}

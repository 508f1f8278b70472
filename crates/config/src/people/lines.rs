//! Lines: how they are reached and how their calls are served.

use acd::{HandOver, LineSpec, PARALLEL_MAX, Priority, Selection, TransferredPriority};

use super::{LineEntry, Reader, Service};
use crate::{
    planning::LinePlanning,
    table::{At, Table},
};

impl Reader<'_> {
    pub(super) fn line(&mut self, table: &Table<'_>) -> Option<LineEntry> {
        let id = self.id(table, "id", "line", "\"FR670-15-Samu-Px-F01\"");
        let by = format!("line {}", id.as_deref().unwrap_or("?"));
        let site = table.required("site", "the id of a site");
        let numbers = table.strings("numbers");
        let priorities = self.numbers_with_priority(table);
        let trunks = table.strings("trunks");
        let overflow = table.string("overflow");
        let crisis_line = table.string("crisis_line");
        let service = table.word("service", &SERVICES).map(|at| at.value);
        let mut spec = LineSpec::new(
            id.as_deref().unwrap_or_default(),
            site.as_ref().map_or("", |at| &at.value),
        );
        self.read_service(table, &mut spec);
        self.read_transfer(table, &mut spec);
        self.line_planning
            .extend(LinePlanning::read(table, &spec.id));
        table.finish();
        let named = [
            ("site", &site),
            ("overflow", &overflow),
            ("line", &crisis_line),
        ];
        for (kind, name) in named {
            if let Some(name) = name {
                self.refer(&by, kind, name.clone());
            }
        }
        spec.overflow = overflow.map(|at| at.value);
        spec.crisis_line = crisis_line.map(|at| at.value);
        id.and(site).map(|_| LineEntry {
            spec,
            numbers: numbers
                .into_iter()
                .map(|number| (number, None))
                .chain(priorities)
                .collect(),
            trunks,
            service: service.unwrap_or(Service::Emergency),
            span: table.span().clone(),
        })
    }

    /// How a line's calls are served.
    fn read_service(&self, table: &Table<'_>, spec: &mut LineSpec) {
        spec.requirement = self.requirement(table);
        let priority = table.integer("priority", 0, 9).map_or(2, |at| at.value);
        spec.priority = priority_of(priority);
        let selection = table.word("selection", &SELECTIONS).map(|at| at.value);
        spec.selection = selection.unwrap_or(spec.selection);
        let parallel = table.integer("parallel", 1, i64::from(PARALLEL_MAX));
        let parallel = parallel.and_then(|at| u8::try_from(at.value).ok());
        spec.parallel = parallel.unwrap_or(spec.parallel);
        let times = [
            ("service_level", &mut spec.service_level),
            ("wrap_up", &mut spec.wrap_up),
            ("preferred_agent", &mut spec.preferred),
            ("resume_within", &mut spec.resume_within),
        ];
        for (key, time) in times {
            *time = table.duration(key).map_or(*time, |at| at.value);
        }
        let ring_time = table.positive_duration("ring_time").map(|at| at.value);
        spec.ring_time = ring_time.unwrap_or(spec.ring_time);
    }

    /// How calls are sent on to a line.
    fn read_transfer(&self, table: &Table<'_>, spec: &mut LineSpec) {
        let ages = [
            ("since-transfer", acd::Age::New),
            ("since-arrival", acd::Age::Kept),
        ];
        let transferred = table.word("transferred_waits", &ages);
        spec.transferred = transferred.map_or(spec.transferred, |at| at.value);
        let priorities = [
            ("kept", TransferredPriority::Kept),
            ("of-the-line", TransferredPriority::Line),
        ];
        let priority = table.word("transferred_priority", &priorities);
        spec.transferred_priority = priority.map_or(spec.transferred_priority, |at| at.value);
        let up_to = table.integer("attended_up_to", 0, 9);
        let attended = HandOver::Attended {
            up_to: priority_of(up_to.as_ref().map_or(9, |at| at.value)),
        };
        let ways = [("blind", HandOver::Blind), ("attended", attended)];
        let hand_over = table.word("hand_over", &ways);
        spec.hand_over = match (hand_over, &up_to) {
            (Some(at), None) => at.value,
            (Some(At { value, .. }), Some(_)) if value == attended => attended,
            (None, Some(_)) => attended,
            (None, None) => spec.hand_over,
            (Some(_), Some(up_to)) => {
                let message = "`attended_up_to` says that agents stay, `hand_over = \"blind\"` that they do not";
                self.report.error(&up_to.span, message);
                spec.hand_over
            }
        };
    }

    /// Numbers whose calls have a priority of their own.
    fn numbers_with_priority(&self, table: &Table<'_>) -> Vec<(At<String>, Option<Priority>)> {
        let entries = table.entries("numbers_with_priority");
        let read = |(number, value): (At<String>, _)| {
            let priority = self.whole_number(value).and_then(Priority::new);
            if priority.is_none() {
                let message = format!("priority of number `{}`: 0 to 9", number.value);
                self.report.error(&number.span, message);
            }
            Some((number, Some(priority?)))
        };
        entries.into_iter().filter_map(read).collect()
    }
}

/// What a configuration calls them.
const SERVICES: [(&str, Service); 2] = [
    ("emergency", Service::Emergency),
    ("partner", Service::Partner),
];

fn priority_of(number: i64) -> Priority {
    let number = u8::try_from(number).ok().and_then(Priority::new);
    number.expect("Table::integer has kept it to 0 to 9")
}

const SELECTIONS: [(&str, Selection); 5] = [
    ("longest-idle", Selection::LongestIdle),
    ("most-skilled", Selection::MostSkilled),
    ("least-skilled", Selection::LeastSkilled),
    ("least-occupied", Selection::LeastOccupied),
    ("round-robin", Selection::RoundRobin),
];

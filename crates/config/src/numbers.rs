//! Which number leads to which line, and what is said of a call's importance.

use std::collections::BTreeMap;

use acd::{Directory, Priority};
use engine::{Dialled, Importance, NumberRoute};
use sip::headers::ResourcePriority;
use sip_proxy::{NumberForm, TrunkId};

use crate::{
    people::People,
    report::Report,
    table::{At, Table},
    trunks::TrunkNames,
};

/// A number, before the names of lines are resolved.
pub(crate) struct RawRoute {
    dialled: Dialled,
    line: String,
    priority: Option<Priority>,
    trunks: Vec<TrunkId>,
}

/// A number that leads somewhere already.
struct Seen {
    line: String,
    priority: Option<Priority>,
    written: At<String>,
}

impl Seen {
    /// Whether it leads to the same line, and is written in another form.
    fn says_the_same(&self, line: &str, priority: Option<Priority>, written: &str) -> bool {
        (self.line.as_str(), self.priority) == (line, priority) && self.written.value != written
    }
}

/// Numbers of all lines, with the trunks that they are for.
pub(crate) fn read(
    people: &People,
    trunks: &TrunkNames,
    country: &str,
    report: &Report<'_>,
) -> Vec<RawRoute> {
    let form = NumberForm::e164(country);
    let mut routes = Vec::new();
    let mut seen: BTreeMap<(Dialled, Option<TrunkId>), Seen> = BTreeMap::new();
    for line in people.lines() {
        let mut ids = Vec::new();
        for name in &line.trunks {
            match trunks.get(&name.value) {
                Some((id, _)) => ids.push(*id),
                None => {
                    let known: Vec<_> = trunks.keys().map(String::as_str).collect();
                    let known = match known.join(", ") {
                        none if none.is_empty() => "none".to_owned(),
                        known => known,
                    };
                    let message =
                        format!("trunk `{}` is not defined; there are: {known}", name.value);
                    report.error(&name.span, message);
                }
            }
        }
        for (number, priority) in &line.numbers {
            let dialled = match Dialled::parse(&number.value) {
                Ok(dialled) => dialled,
                Err(error) => {
                    report.error(&number.span, format!("`{}` is {error}", number.value));
                    continue;
                }
            };
            let dialled = in_one_form(dialled, &form);
            let scopes = if ids.is_empty() {
                vec![None]
            } else {
                ids.iter().copied().map(Some).collect()
            };
            for scope in scopes {
                let entry = Seen {
                    line: line.spec.id.clone(),
                    priority: *priority,
                    written: number.clone(),
                };
                // A line may have a number in several forms.
                if let Some(before) = seen.insert((dialled.clone(), scope), entry)
                    && !before.says_the_same(&line.spec.id, *priority, &number.value)
                {
                    let at = report.line_of(&before.written.span);
                    let (number, span, other) = (&number.value, &number.span, &before.line);
                    let message = format!("`{number}` leads to line `{other}` already ({at})");
                    report.error(span, message);
                }
            }
            routes.push(RawRoute {
                dialled,
                line: line.spec.id.clone(),
                priority: *priority,
                trunks: ids.clone(),
            });
        }
    }
    routes
}

/// A number as it is compared: a national one is the same as its international form.
fn in_one_form(dialled: Dialled, form: &NumberForm) -> Dialled {
    match dialled {
        Dialled::Number(number) => Dialled::Number(form.read(&number)),
        urn @ Dialled::Urn(_) => urn,
    }
}

/// The same with the lines themselves.
pub(crate) fn resolve(routes: Vec<RawRoute>, directory: &Directory) -> Vec<NumberRoute> {
    let routes = routes.into_iter().filter_map(|route| {
        Some(NumberRoute {
            dialled: route.dialled,
            line: directory.line(&route.line)?,
            priority: route.priority,
            trunks: route.trunks,
        })
    });
    routes.collect()
}

/// What the Resource-Priority of a call means here (RFC 4412).
pub(crate) fn read_importance(root: &Table<'_>, report: &Report<'_>) -> Vec<Importance> {
    let entries = root.entries("resource_priority").into_iter();
    let read = entries.filter_map(|(said, value)| {
        let is_said = ResourcePriority::parse(said.value.as_bytes()).is_ok();
        if !is_said {
            let message = format!(
                "[resource_priority]: `{}` is no namespace and priority; write \"esnet.4\" = 0",
                said.value
            );
            report.error(&said.span, message);
        }
        let number = value.get_ref().as_integer();
        let number = number.and_then(|one| i64::from_str_radix(one.as_str(), one.radix()).ok());
        let priority = number.and_then(|one| Priority::new(u8::try_from(one).ok()?));
        if priority.is_none() {
            let message = format!("[resource_priority]: `{}` must be 0 to 9", said.value);
            report.error(&said.span, message);
        }
        Some(Importance {
            said: said.value,
            priority: priority?,
        })
    });
    read.collect()
}

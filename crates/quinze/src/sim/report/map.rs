//! Sites at their coordinates, neighbours joined by lines: the outline of a country without its borders.
//!
//! What is drawn is circles and lines with a tooltip each, which a plotting library would not give.

use std::collections::BTreeMap;

use maud::{Markup, html};
use node::engine::acd::{Directory, SiteId};
use sim::planning::Served;

use super::super::{country::Country, text::percent};
use crate::language::Language;

/// Where each site is on the paper.
pub(super) struct Map<'a> {
    directory: &'a Directory,
    places: BTreeMap<SiteId, (f64, f64)>,
}

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 560.0;
const MARGIN: f64 = 24.0;
/// Sites further away than this from the middle, in degrees, stand beside the others, in a column.
const FAR: f64 = 12.0;
const COLUMN: f64 = 44.0;
/// Flows that are drawn.
const FLOWS_MAX: usize = 300;

/// Least level of each class, its colour (ColorBrewer's RdYlBu: told apart by everybody).
const CLASSES: [(f64, &str); 6] = [
    (0.95, "#4575b4"),
    (0.90, "#91bfdb"),
    (0.80, "#e0f3f8"),
    (0.70, "#fee090"),
    (0.50, "#fc8d59"),
    (0.0, "#d73027"),
];

impl<'a> Map<'a> {
    pub(super) fn new(country: &'a Country) -> Self {
        let positions = &country.planning().positions;
        let middle = |of: fn(&(f64, f64)) -> f64| {
            let mut all: Vec<_> = positions.values().map(of).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or_default()
        };
        let (latitude, longitude) = (middle(|at| at.0), middle(|at| at.1));
        // A degree of longitude is shorter than one of latitude, by this much in the middle.
        let shrink = latitude.to_radians().cos();
        let is_far = |at: &(f64, f64)| {
            (at.0 - latitude).abs() > FAR || (at.1 - longitude).abs() * shrink > FAR
        };
        let (far, near): (Vec<_>, Vec<_>) = positions.iter().partition(|(_, at)| is_far(at));
        let flat = near
            .into_iter()
            .map(|(&site, at)| (site, (at.1 * shrink, -at.0)));
        let flat: Vec<_> = flat.collect();
        let span = |of: fn(&(f64, f64)) -> f64| {
            let all = flat.iter().map(|(_, at)| of(at));
            let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), one| {
                (low.min(one), high.max(one))
            });
            (low, high)
        };
        let ((left, right), (top, bottom)) = (span(|at| at.0), span(|at| at.1));
        let room = (WIDTH - COLUMN - 2.0 * MARGIN, HEIGHT - 2.0 * MARGIN);
        let scale = (room.0 / (right - left).max(1e-6)).min(room.1 / (bottom - top).max(1e-6));
        let onto = |(site, at): (SiteId, (f64, f64))| {
            let x = COLUMN + MARGIN + (at.0 - left) * scale;
            (site, (x, MARGIN + (at.1 - top) * scale))
        };
        let mut places: BTreeMap<_, _> = flat.into_iter().map(onto).collect();
        for (row, (&site, _)) in far.into_iter().enumerate() {
            let y = HEIGHT - MARGIN - COLUMN * row as f64;
            places.insert(site, (MARGIN, y));
        }
        Self {
            directory: country.directory(),
            places,
        }
    }

    /// Each site by its QS30 of calls offered; the area is the number of calls.
    pub(super) fn levels(&self, sites: &[(SiteId, Served)], language: Language) -> Markup {
        let most = sites.iter().map(|(_, served)| served.offered).max();
        let most = most.unwrap_or(1).max(1) as f64;
        let circles = sites.iter().filter_map(|(site, served)| {
            let (x, y) = *self.places.get(site)?;
            let radius = 3.0 + 13.0 * (served.offered as f64 / most).sqrt();
            let qs30 = served.level_of_offered()[1];
            let tip = format!(
                "{}: QS30 {}, {} {}",
                self.name(*site),
                percent(qs30),
                served.offered,
                language.of("calls", "appels"),
            );
            Some(html! {
                circle cx=(px(x)) cy=(px(y)) r=(px(radius)) fill=(colour(qs30)) stroke="#555" { title { (tip) } }
            })
        });
        self.paper(&html! { @for circle in circles { (circle) } })
    }

    /// Curves from helpers to whom they help, as broad as there are calls: each bends to the left of its
    /// way, so that both directions are seen.
    pub(super) fn help(&self, flows: &[(SiteId, SiteId, u64)]) -> Markup {
        let most = flows.first().map_or(1, |(.., calls)| *calls).max(1) as f64;
        let curves = flows.iter().take(FLOWS_MAX).filter_map(|&(helper, helped, calls)| {
            let (from, to) = (*self.places.get(&helper)?, *self.places.get(&helped)?);
            let (dx, dy) = (to.0 - from.0, to.1 - from.1);
            let bend = ((from.0 + to.0) / 2.0 + dy * 0.18, (from.1 + to.1) / 2.0 - dx * 0.18);
            let path = format!(
                "M{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}",
                from.0, from.1, bend.0, bend.1, to.0, to.1
            );
            let share = (calls as f64 / most).sqrt();
            let tip = format!("{} → {}: {calls}", self.name(helper), self.name(helped));
            Some(html! {
                path d=(path) fill="none" stroke="#2166ac" stroke-opacity=(px(0.15 + 0.6 * share))
                    stroke-width=(px(0.5 + 4.0 * share)) { title { (tip) } }
            })
        });
        let dots = self.places.iter().map(|(&site, &(x, y))| {
            html! { circle cx=(px(x)) cy=(px(y)) r="3" fill="#333" { title { (self.name(site)) } } }
        });
        self.paper(&html! {
            @for curve in curves { (curve) }
            @for dot in dots { (dot) }
        })
    }

    /// What the colours are.
    pub(super) fn legend(&self, language: Language) -> Markup {
        let without = self.directory.sites().len() - self.places.len();
        html! {
            div.legend {
                @for (least, colour) in CLASSES {
                    span { i style={ "background:" (colour) } {} "QS30 ≥ " (format!("{:.0} %", 100.0 * least)) }
                }
                @if without > 0 {
                    span { (without) (language.of(" sites have no position", " CRRA sans position")) }
                }
            }
        }
    }

    fn paper(&self, inside: &Markup) -> Markup {
        let borders = self.directory.sites().flat_map(|site| {
            let neighbours = self.directory.site_profile(site).neighbours.iter();
            neighbours.map(move |&neighbour| (site, neighbour))
        });
        let lines = borders.filter(|(one, other)| one < other);
        let lines = lines
            .filter_map(|(one, other)| Some((self.places.get(&one)?, self.places.get(&other)?)));
        html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" {
                g stroke="#d5d5d5" stroke-width="1" {
                    @for (from, to) in lines {
                        line x1=(px(from.0)) y1=(px(from.1)) x2=(px(to.0)) y2=(px(to.1)) {}
                    }
                }
                (inside)
            }
        }
    }

    fn name(&self, site: SiteId) -> String {
        let profile = self.directory.site_profile(site);
        format!("{} {}", profile.id, profile.name)
    }
}

fn colour(level: f64) -> &'static str {
    let class = CLASSES.iter().find(|(least, _)| level >= *least);
    class.map_or(CLASSES[CLASSES.len() - 1].1, |(_, colour)| colour)
}

fn px(length: f64) -> String {
    format!("{length:.1}")
}

//! The result as one page that needs nothing else: tables, plots, maps.

mod charts;
mod map;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use node::engine::acd::SiteId;
use sim::planning::Served;

use self::map::Map;
use super::text::{Page, cells, columns, percent};

/// Pairs of sites that are listed by name.
const PAIRS_MAX: usize = 20;

/// The page.
pub(super) fn page(page: &Page<'_>) -> anyhow::Result<String> {
    let say = |en, fr| page.language.of(en, fr);
    let (aided, alone) = (page.aided, page.alone);
    let labels = [
        say("each centre alone", "chaque CRRA seul"),
        say("with mutual aid", "avec entraide"),
    ];
    let map = Map::new(page.country);
    let level = |observed: &super::Observed| {
        let sites = page.sites().into_iter();
        let served = sites.map(|(site, place)| (site, place.served(&observed.statistics)));
        served.collect::<Vec<_>>()
    };
    let markup = html! {
        (DOCTYPE)
        html lang=(say("en", "fr")) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Quinze: " (page.title()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (say("What would happen", "Ce qui se passerait")) }
                p { (page.title()) "." }
                p.small { (say(
                    "Simulated: the product's distributor on a virtual clock, callers and staff as models. \
                     Calls from outside; QS20, QS30 and QS60 are shares of calls offered that a person answered \
                     within so many seconds; waits in seconds, of calls answered.",
                    "Simulé : le distributeur du produit sur une horloge virtuelle, appelants et personnels \
                     modélisés. Appels de l'extérieur ; QS20, QS30 et QS60 : parts des appels présentés qu'une \
                     personne a décrochés en autant de secondes ; attentes en secondes, des appels décrochés."
                )) }
                h2 { (say("The nation", "La nation")) }
                (table(page, [page.nation()].iter().map(|place| (place.name.to_owned(), place))))
                h2 { (say("Waits by hour", "Attentes par heure")) }
                (by_hour(page, labels)?)
                h2 { (say("Answered within 30 s, by site", "Décrochés en 30 s, par CRRA")) }
                div.pair {
                    figure { figcaption { (labels[0]) } (map.levels(&level(alone), page.language)) }
                    figure { figcaption { (labels[1]) } (map.levels(&level(aided), page.language)) }
                }
                (map.legend(page.language))
                h2 { (say("Help between sites", "Entraide entre CRRA")) }
                (help(page, &map))
                h2 { (say("By region", "Par région")) }
                (table(page, page.regions().iter().map(|place| (place.name.to_owned(), place))))
                h2 { (say("By site", "Par CRRA")) }
                (table(page, page.sites().iter().map(|(site, place)| (named(page, *site), place))))
                h2 { (say("At work", "Au travail")) }
                (work(page))
            }
        }
    };
    Ok(markup.into_string())
}

/// Curves over the hours, each centre alone and with mutual aid.
fn by_hour(page: &Page<'_>, labels: [&str; 2]) -> anyhow::Result<Markup> {
    let say = |en, fr| page.language.of(en, fr);
    let both = |of: fn(&Served) -> f64| {
        [page.alone, page.aided].map(|observed| observed.hours.iter().map(of).collect::<Vec<_>>())
    };
    // An hour of the week comes once in each week.
    let in_one = |curve: Vec<f64>| {
        let slots = curve.len();
        let hours = page.span.days as usize * 24;
        let curve = curve.into_iter().enumerate();
        let mean = |(slot, all): (usize, f64)| all / (hours - slot).div_ceil(slots) as f64;
        curve.map(mean).collect::<Vec<_>>()
    };
    let plots = [
        (
            say(
                "mean wait of calls answered, in seconds",
                "attente moyenne des appels décrochés, en secondes",
            ),
            both(|hour| hour.waits.mean().as_secs_f64()),
        ),
        (
            say(
                "answered within 30 s, in % of calls offered",
                "décrochés en 30 s, en % des présentés",
            ),
            both(|hour| 100.0 * hour.level_of_offered()[1]),
        ),
        (
            say(
                "calls offered in an hour (with those who call again)",
                "appels présentés dans l'heure (rappels compris)",
            ),
            both(|hour| hour.offered as f64).map(in_one),
        ),
    ];
    let plots = plots
        .iter()
        .map(|(title, curves)| charts::hours(title, curves, page.language));
    let plots = plots.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(html! {
        div.legend { @for (label, colour) in labels.into_iter().zip(["alone", "aided"]) {
            span { i style={ "background:var(--" (colour) ")" } {} (label) }
        } }
        @for plot in plots { figure { (PreEscaped(plot)) } }
    })
}

/// Its id and its name for people.
fn named(page: &Page<'_>, site: SiteId) -> String {
    let profile = page.country.directory().site_profile(site);
    format!("{} {}", profile.id, profile.name)
}

/// Each place alone and with mutual aid, side by side.
fn table<'a>(
    page: &Page<'_>,
    places: impl Iterator<Item = (String, &'a super::text::Place<'a>)>,
) -> Markup {
    let say = |en, fr| page.language.of(en, fr);
    // Share of calls answered, QS30, QS60, lost, mean wait, p90, p99, longest.
    let shown = [1, 3, 4, 6, 8, 10, 11, 12];
    let names = columns(page.language);
    html! {
        div.wide { table {
            thead {
                tr {
                    th rowspan="2" {}
                    th rowspan="2" { (names[0]) }
                    th colspan=(shown.len()) .alone { (say("alone", "seul")) }
                    th colspan=(shown.len()) .aided { (say("with mutual aid", "avec entraide")) }
                    th rowspan="2" { "Δ QS30" }
                }
                tr {
                    @for _ in 0..2 { @for column in shown { th { (names[column]) } } }
                }
            }
            tbody {
                @for (name, place) in places {
                    @let [alone, aided] = [page.alone, page.aided].map(|one| place.served(&one.statistics));
                    @let gain = 100.0 * (aided.level_of_offered()[1] - alone.level_of_offered()[1]);
                    tr {
                        th { (name) }
                        td { (aided.offered) }
                        @for (served, class) in [(&alone, "alone"), (&aided, "aided")] {
                            @let cells = cells(served);
                            @for column in shown { td class=(class) { (cells[column]) } }
                        }
                        td { (format!("{gain:+.1}")) }
                    }
                }
            }
        } }
    }
}

/// Who helps whom: as a map, and the most of it by name.
fn help(page: &Page<'_>, map: &Map<'_>) -> Markup {
    let answered_by = &page.aided.statistics.answered_by;
    let directory = page.country.directory();
    let mut flows: Vec<(SiteId, SiteId, u64)> = directory
        .sites()
        .flat_map(|helped| directory.sites().map(move |helper| (helper, helped)))
        .filter(|(helper, helped)| helper != helped)
        .map(|(helper, helped)| (helper, helped, answered_by[helped.index()][helper.index()]))
        .filter(|(.., calls)| *calls > 0)
        .collect();
    flows.sort_by_key(|&(helper, helped, calls)| (std::cmp::Reverse(calls), helper, helped));
    let all: u64 = flows.iter().map(|(.., calls)| calls).sum();
    let say = |en, fr| page.language.of(en, fr);
    html! {
        p { (all) (say(
            " calls, second stages included, were answered in another centre, between ",
            " appels, seconds niveaux compris, ont été décrochés dans un autre CRRA, entre "))
            (flows.len()) (say(" pairs of centres.", " paires de CRRA.")) }
        div.pair {
            figure { (map.help(&flows)) }
            div { table {
                thead { tr {
                    th { (say("helper", "aidant")) } th { (say("helped", "aidé")) } th { (say("calls", "appels")) }
                } }
                tbody { @for (helper, helped, calls) in flows.iter().take(PAIRS_MAX) {
                    tr { th { (named(page, *helper)) } th { (named(page, *helped)) } td { (calls) } }
                } }
            } }
        }
    }
}

/// How busy agents were, and what sites did for one another.
fn work(page: &Page<'_>) -> Markup {
    let say = |en, fr| page.language.of(en, fr);
    let (aided, alone) = (&page.aided.statistics, &page.alone.statistics);
    html! {
        div.wide { table {
            thead { tr {
                th {}
                th { (say("occupancy alone", "occupation seul")) }
                th { (say("with mutual aid", "avec entraide")) }
                th { (say("help given", "aide donnée")) }
                th { (say("help taken", "aide reçue")) }
            } }
            tbody { @for site in page.country.directory().sites() {
                @let (given, taken) = aided.help_of(site);
                tr {
                    th { (named(page, site)) }
                    td { (percent(alone.occupancy_of(site))) }
                    td { (percent(aided.occupancy_of(site))) }
                    td { (given) }
                    td { (taken) }
                }
            } }
        } }
    }
}

const STYLE: &str = include_str!("report/style.css");

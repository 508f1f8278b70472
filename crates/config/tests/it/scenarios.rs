//! Scenario files: those that ship, and what is said of wrong ones.

use std::{fs, time::Duration};

use config::scenario::{Scenario, load_scenario};

use crate::{load, shipped_folder, shipped_text};

fn against(config: &str, name: &str, text: &str) -> Result<Scenario, config::Errors> {
    let loaded = load(config, &shipped_text(config)).unwrap();
    load_scenario(name.as_ref(), text, &loaded.engine.directory)
}

#[test]
fn every_scenario_of_france_loads() {
    let loaded = load("france.toml", &shipped_text("france.toml")).unwrap();
    let folder = shipped_folder().join("france/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut names = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let scenario = load_scenario(&path, &text, &loaded.engine.directory);
        let scenario = scenario.unwrap_or_else(|errors| panic!("{errors}"));
        assert!(!scenario.description.is_empty(), "{}", path.display());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    assert_eq!(
        names,
        [
            "flu-peak.toml",
            "nation-x2.toml",
            "one-centre-down.toml",
            "one-centre-x4.toml",
            "ordinary-week.toml"
        ]
    );
}

#[test]
fn a_scenario_becomes_what_it_says() {
    let scenario = against(
        "three-sites.toml",
        "s.toml",
        r#"
        name = "Night"
        demand = [{ factor = 2.5, sites = ["FR670", "FR680"], from = "1d 20:00", until = "2d 08:00" }]
        outage = [{ zones = "Est", from = "18:30", until = "24:00" }]
        "#,
    )
    .unwrap_or_else(|errors| panic!("{errors}"));
    let hours = |hours: f64| Duration::from_secs_f64(3_600.0 * hours);
    let demand = &scenario.demand[0];
    assert_eq!((demand.factor, demand.sites.len()), (2.5, 2));
    assert_eq!(
        (demand.window.from, demand.window.until),
        (hours(44.0), hours(56.0))
    );
    let outage = &scenario.outages[0];
    assert_eq!(outage.sites.len(), 3, "the whole zone");
    assert_eq!(
        (outage.window.from, outage.window.until),
        (hours(18.5), hours(24.0))
    );
}

#[test]
fn each_error_of_a_scenario_says_where_it_is_and_what_would_be_right() {
    let wrong = [
        "",
        "name = \"a\"\n[[demand]]\n",
        "name = \"a\"\nnames = 3\n[[outage]]\nsites = \"FR999\"\nfrom = \"18:00\"\nuntil = \"17:00\"\n",
        "name = \"a\"\n[[crisis]]\nplan = \"blanc\"\nregions = \"Alsace\"\nfrom = \"8 h\"\nuntil = \"2d 25:00\"\n",
        "name = \"a\"\n[[demand]]\nfactor = -1\nfrom = \"00:00\"\nuntil = \"1d 00:00\"\n",
        "name = \"a\n",
    ];
    let said = wrong.map(
        |text| match against("three-sites.toml", "wrong.toml", text) {
            Ok(scenario) => panic!("{scenario:?}"),
            Err(errors) => errors.to_string(),
        },
    );
    insta::assert_snapshot!(said.join("\n\n"));
}

//! What is said of a configuration that is right.

use config::{Doubt, Explanation};

use crate::load;

const HEAD: &str = "
[node]
name = \"n\"
domain = \"samu.example\"
default_line = \"A-15\"
[[listen]]
transport = \"udp\"
address = \"192.0.2.1:5060\"
[[site]]
id = \"A\"
[[site]]
id = \"B\"
[[line]]
id = \"A-15\"
site = \"A\"
numbers = [\"15\", \"urn:service:sos\"]
skills = { amu = 1 }
overflow = \"help\"
";

fn explained(rest: &str) -> Explanation {
    let loaded = load("explained", &format!("{HEAD}{rest}"));
    let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.warnings, Vec::<String>::new());
    Explanation::of(&loaded.engine)
}

/// The night line of B is served by agents of A.
#[test]
fn agents_serve_the_lines_of_their_second_site() {
    let said = explained(
        "
        [[line]]
        id = \"B-night\"
        site = \"B\"
        numbers = [\"16\"]
        skills = { amu = 1 }
        overflow = \"help\"
        [[agent]]
        id = \"arm-1\"
        site = \"A\"
        second_site = \"B\"
        skills = { amu = 1 }
        [[agent]]
        id = \"arm-2\"
        site = \"A\"
        second_site = \"B\"
        skills = { amu = 1 }
        [[overflow]]
        name = \"help\"
        step = [{ after = \"20s\", widen = \"nation\" }]
        ",
    );
    let night = &said.lines[1];
    assert_eq!(night.home, ["arm-1", "arm-2"]);
    assert_eq!(said.agents[0].home_lines, ["A-15", "B-night"]);
    assert_eq!(said.doubts, []);
}

/// Whoever is asked for less than before is help, at home as well.
#[test]
fn a_step_that_asks_for_less_brings_those_who_meet_that() {
    let said = explained(
        "
        [[agent]]
        id = \"arm-1\"
        site = \"A\"
        skills = { amu = 1 }
        [[agent]]
        id = \"clerk-1\"
        site = \"A\"
        [[agent]]
        id = \"clerk-2\"
        site = \"B\"
        [[overflow]]
        name = \"help\"
        step = [{ after = \"20s\", relax = { amu = 0 } }, { after = \"30s\", widen = \"nation\" }]
        ",
    );
    let line = &said.lines[0];
    let at = |site: &str, agent: &str| vec![(site.to_owned(), vec![agent.to_owned()])];
    assert_eq!(line.home, ["arm-1"]);
    assert_eq!(line.steps[0].adds, at("A", "clerk-1"));
    assert_eq!(line.steps[1].adds, at("B", "clerk-2"));
    assert_eq!(said.agents[2].helps, ["A-15"]);
    assert_eq!(said.doubts, []);
}

/// A crisis line is reached when its plan is on, and has the overflow of that plan.
#[test]
fn a_crisis_line_needs_no_number() {
    let crisis = "
        [[line]]
        id = \"A-plain\"
        site = \"A\"
        numbers = [\"16\"]
        skills = { amu = 1 }
        crisis_line = \"A-crisis\"
        overflow = \"help\"
        [[line]]
        id = \"A-crisis\"
        site = \"A\"
        skills = { amu = 1 }
        [[agent]]
        id = \"arm-1\"
        site = \"A\"
        skills = { amu = 1 }
        [[agent]]
        id = \"arm-2\"
        site = \"B\"
        skills = { amu = 1 }
        [[agent]]
        id = \"arm-3\"
        site = \"A\"
        skills = { amu = 1 }
        [[overflow]]
        name = \"help\"
        step = [{ after = \"20s\", widen = \"nation\" }]
        ";
    assert_eq!(explained(crisis).doubts, []);
    let forgotten = crisis.replace("crisis_line = \"A-crisis\"", "");
    let line = || "A-crisis".to_owned();
    assert_eq!(
        explained(&forgotten).doubts,
        [
            Doubt::LineWithoutNumber { line: line() },
            Doubt::LineWithoutHelp { line: line() }
        ]
    );
}

/// As a file of before has it, where the two were not known to be one.
#[test]
fn a_line_may_have_a_number_in_several_forms() {
    let said = explained(
        "
        [[agent]]
        id = \"arm-1\"
        site = \"A\"
        skills = { amu = 1 }
        [[overflow]]
        name = \"help\"
        step = [{ after = \"20s\", raise = 1 }]
        [[line]]
        id = \"A-more\"
        site = \"A\"
        numbers = [\"+33369670015\", \"03 69 67 00 15\", \"0033369670015\"]
        skills = { amu = 1 }
        ",
    );
    let long = said
        .numbers
        .iter()
        .filter(|one| one.dialled.starts_with('+'));
    let leads: Vec<_> = long.map(|one| one.otherwise.as_deref()).collect();
    assert_eq!(leads, [Some("A-more")]);
}

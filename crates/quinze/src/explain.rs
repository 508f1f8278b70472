//! `quinze explain`: what happened to a call, and why.

use std::{fmt::Write as _, process::ExitCode};

use clap::Args;
use serde_json::Value;

use crate::{
    client::{Client, NodeOptions, segment},
    language::Language,
    out::say,
};

/// Options of `quinze explain`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// The call id, as it is in Call-Info, in the log and in `GET /v1/calls`.
    call: String,
    /// The story as the API gives it.
    #[arg(long)]
    json: bool,
    /// The language of the text; that of LC_ALL, LC_MESSAGES or LANG when left out.
    #[arg(long, value_enum)]
    language: Option<Language>,
    #[command(flatten)]
    node: NodeOptions,
}

/// Tells it.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let path = format!("/v1/calls/{}/story", segment(&options.call));
    let story = Client::new(&options.node).get(&path)?;
    let language = options.language.unwrap_or_else(Language::of_environment);
    match options.json {
        true => say(&serde_json::to_string_pretty(&story)?)?,
        false => say(&tell(language, &story))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The story as text, a line for each thing that happened.
fn tell(language: Language, story: &Value) -> String {
    let call = text(story, "call");
    let rules = text(story, "rules");
    let mut told = format!("{call} ({} {rules})", language.of("rules", "règles"));
    for entry in story["entries"].as_array().into_iter().flatten() {
        let at = entry["at_seconds"].as_f64().unwrap_or_default();
        let _into_a_string = write!(told, "\n{at:>9.3} s  {}", line(language, entry));
    }
    if let Some(left_out @ 1..) = story["left_out"].as_u64() {
        let word = language.of("more", "de plus");
        let _into_a_string = write!(told, "\n           ... {left_out} {word}");
    }
    told
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("-")
}

/// One thing that happened.
fn line(language: Language, entry: &Value) -> String {
    let of = |en, fr| language.of(en, fr);
    let word = |key| text(entry, key);
    match word("what") {
        "call-started" => format!("{} {}", of("called", "appel sur"), word("line")),
        "call-queued" => {
            let head = format!(
                "{} {}, {} {}, {} {}",
                of("waits on", "attend sur"),
                word("line"),
                of("place", "place"),
                entry["place"],
                of("priority", "priorité"),
                entry["priority"],
            );
            let plan = match entry["plan"].as_str() {
                Some(plan) => format!(", {} {plan}", of("plan", "plan")),
                None => String::new(),
            };
            format!("{head}{plan}{}", near(language, entry))
        }
        "overflow-step-taken" => format!(
            "{} {} {}{}",
            of("step", "étape"),
            entry["overflow_step"],
            of_plan(language, entry),
            near(language, entry),
        ),
        "overflow-step-passed" => format!(
            "{} {} {}: {}{}",
            of("step", "étape"),
            entry["overflow_step"],
            of_plan(language, entry),
            of(
                "nobody is on duty there, passed",
                "personne n'y est en poste, passée"
            ),
            near(language, entry),
        ),
        "call-offered" => {
            let step = match entry["overflow_step"].as_u64() {
                Some(step) => format!(", {} {step}", of("by step", "par l'étape")),
                None => String::new(),
            };
            let rings = of("rings", "sonne chez");
            format!("{rings} {} ({}){step}", word("agent"), word("site"))
        }
        "offer-ended" => format!("{}: {}", word("agent"), outcome(language, word("outcome"))),
        "call-answered" => {
            let waited = entry["waited_seconds"].as_f64().unwrap_or_default();
            let answers = of("answers after", "répond après");
            format!("{} {answers} {waited:.1} s", word("agent"))
        }
        "call-ended" => format!(
            "{}: {} ({})",
            of("ended", "terminé"),
            outcome(language, word("outcome")),
            word("cause"),
        ),
        _ => other(language, entry),
    }
}

/// What is told more rarely.
fn other(language: Language, entry: &Value) -> String {
    let of = |en, fr| language.of(en, fr);
    let word = |key| text(entry, key);
    match word("what") {
        "agent-awaited" => format!(
            "{} {}",
            of("waits a moment for", "attend un instant"),
            word("agent"),
        ),
        "caller-came-back" => format!(
            "{} {} (n° {})",
            of(
                "the caller has given up before, times:",
                "l'appelant a déjà renoncé, fois :"
            ),
            entry["attempts"],
            entry["entry"],
        ),
        "await-ended" => format!(
            "{} {}",
            of("waits no longer for", "n'attend plus"),
            word("agent")
        ),
        "call-returned" => format!(
            "{} {}",
            of("is back at place", "revient à la place"),
            entry["place"],
        ),
        "priority-changed" => format!("{} {}", of("priority now", "priorité"), entry["priority"]),
        "plan-changed" => format!("{} {}", of("follows plan", "suit le plan"), word("plan")),
        "call-diverting" => of(
            "a number outside is rung as well",
            "un numéro extérieur sonne aussi",
        )
        .to_owned(),
        "divert-failed" => of("nobody outside took it", "personne à l'extérieur").to_owned(),
        "announcement-due" => format!("{} {}", of("announcement", "annonce"), word("announcement")),
        "call-sent-on" => format!(
            "{} {} {}",
            word("agent"),
            of("sends it to", "l'envoie vers"),
            word("line"),
        ),
        "call-kept" => format!("{} {}", word("agent"), of("keeps it", "le garde")),
        "call-handed-over" => format!("{} {}", word("agent"), of("has it now", "l'a maintenant")),
        "call-transferred" => format!("{} {}", of("transferred by", "transféré par"), word("by"),),
        "call-disposed" => format!(
            "{} {}: {}",
            of("closed by", "clos par"),
            word("agent"),
            word("code")
        ),
        "call-left" => format!(
            "{} {}",
            of("left the queues:", "quitte les files :"),
            outcome(language, word("outcome"))
        ),
        "abandoned-listed" => format!(
            "{} {}",
            of("is to be called back, entry", "est à rappeler, fiche"),
            entry["entry"],
        ),
        what => what.to_owned(),
    }
}

fn of_plan(language: Language, entry: &Value) -> String {
    format!(
        "{} {}",
        language.of("of plan", "du plan"),
        text(entry, "plan")
    )
}

/// Who was within reach, and why not.
fn near(language: Language, entry: &Value) -> String {
    let Some(counts) = entry["candidates"].as_object() else {
        return String::new();
    };
    if counts.is_empty() {
        let nobody = language.of("nobody within reach", "personne à portée");
        return format!(" [{nobody}]");
    }
    let counts: Vec<_> = counts
        .iter()
        .map(|(state, count)| format!("{count} {}", candidate(language, state)))
        .collect();
    format!(" [{}]", counts.join(", "))
}

fn candidate(language: Language, state: &str) -> &str {
    let french = match state {
        "free" => "libres",
        "reserved" => "en réserve",
        "offered" => "en sonnerie",
        "talking" => "en ligne",
        "wrap-up" => "en post-appel",
        "not-ready" => "en pause",
        "unreachable" => "injoignables",
        "logged-out" => "absents",
        "unskilled" => "sans la compétence",
        other => other,
    };
    match language {
        Language::En => state,
        Language::Fr => french,
    }
}

fn outcome(language: Language, outcome: &str) -> &str {
    let french = match outcome {
        "answered" => "répondu",
        "no-answer" => "sans réponse",
        "unreachable" => "injoignable",
        "busy" => "occupé",
        "declined" => "refusé",
        "withdrawn" => "retiré",
        "agent-left" => "agent parti",
        "answered-elsewhere" => "répondu ailleurs",
        "abandoned" => "abandonné",
        "failed" => "échoué",
        "diverted" => "dévié",
        "rejected" => "éconduit",
        "served" => "servi",
        other => other,
    };
    match language {
        Language::En => outcome,
        Language::Fr => french,
    }
}

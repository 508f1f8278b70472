//! `quinze plan`: crisis plans on and off, in one command over any set of sites.

use std::{collections::BTreeSet, env, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    client::{Client, NodeOptions, segment},
    language::Language,
    out::say,
};

/// Options of `quinze plan`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
    /// The language of the answer; that of LC_ALL, LC_MESSAGES or LANG when left out.
    #[arg(long, value_enum, global = true)]
    language: Option<Language>,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Switch a crisis plan on, or change its end, author and reason where it is on.
    On {
        /// Its name in the configuration.
        name: String,
        /// Where: ids of sites, `region:NAME`, `zone:NAME`, or `all`.
        #[arg(long, value_name = "SITE,...", value_delimiter = ',', required = true)]
        sites: Vec<String>,
        /// Why, for the others.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// For how long, such as 2h; until it is switched off when left out.
        #[arg(long = "for", value_name = "TIME", value_parser = time)]
        lasts: Option<Duration>,
        #[command(flatten)]
        by: Author,
        #[command(flatten)]
        node: NodeOptions,
    },
    /// Switch a crisis plan off: all is then as it was before.
    Off {
        /// Its name in the configuration.
        name: String,
        /// Where, as for `on`; wherever it is on when left out.
        #[arg(long, value_name = "SITE,...", value_delimiter = ',')]
        sites: Vec<String>,
        #[command(flatten)]
        by: Author,
        #[command(flatten)]
        node: NodeOptions,
    },
    /// Which there are, and where they are on.
    List {
        #[command(flatten)]
        node: NodeOptions,
    },
}

#[derive(Clone, Debug, Args)]
struct Author {
    /// Who says so; the user of this computer when left out.
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
}

impl Author {
    fn name(&self) -> anyhow::Result<String> {
        let of_computer = || env::var("USER").ok().filter(|user| !user.is_empty());
        let name = self.author.clone().or_else(of_computer);
        name.context("say who you are: --author NAME")
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let time = config::duration(text).filter(|time| !time.is_zero());
    time.ok_or_else(|| "write a number and s, m or h, such as 2h".to_owned())
}

/// Does it, and says how things are then.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let crises = match &options.action {
        Action::On {
            name,
            sites,
            reason,
            lasts,
            by,
            node,
        } => {
            let client = Client::new(node);
            let body = json!({
                "sites": resolve(&client, sites)?,
                "author": by.name()?,
                "reason": reason,
                "lasts_seconds": lasts.map(|lasts| lasts.as_secs_f64()),
            });
            client.post(&format!("/v1/crises/{}/on", segment(name)), &body)?
        }
        Action::Off {
            name,
            sites,
            by,
            node,
        } => {
            let client = Client::new(node);
            let sites = match sites.as_slice() {
                [] => Vec::new(),
                some => resolve(&client, some)?,
            };
            let body = json!({ "sites": sites, "author": by.name()? });
            client.post(&format!("/v1/crises/{}/off", segment(name)), &body)?
        }
        Action::List { node } => Client::new(node).get("/v1/crises")?,
    };
    let language = options.language.unwrap_or_else(Language::of_environment);
    for crisis in crises.as_array().into_iter().flatten() {
        for row in rows(language, crisis) {
            say(&row)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The ids of the sites that are meant, in their order.
fn resolve(client: &Client, words: &[String]) -> anyhow::Result<Vec<String>> {
    let all = client.get("/v1/sites")?;
    let all: Vec<_> = all.as_array().into_iter().flatten().collect();
    let text = |site: &Value, key: &str| site[key].as_str().unwrap_or_default().to_owned();
    let mut meant = BTreeSet::new();
    for word in words {
        let is_it = |site: &Value| match word.split_once(':') {
            Some((kind @ ("region" | "zone"), name)) => text(site, kind) == name,
            _ => word == "all" || text(site, "id") == *word,
        };
        let found: Vec<_> = all.iter().filter(|site| is_it(site)).collect();
        if found.is_empty() {
            bail!("no site is meant by `{word}`");
        }
        meant.extend(found.into_iter().map(|site| text(site, "id")));
    }
    Ok(meant.into_iter().collect())
}

/// A line for each order in force, or that there is none.
fn rows(language: Language, crisis: &Value) -> Vec<String> {
    let name = crisis["name"].as_str().unwrap_or_default();
    let orders = crisis["orders"].as_array().into_iter().flatten();
    let rows: Vec<_> = orders.map(|order| row(language, name, order)).collect();
    match rows.is_empty() {
        true => vec![format!("{name}: {}", language.of("off", "inactif"))],
        false => rows,
    }
}

fn row(language: Language, name: &str, order: &Value) -> String {
    let sites = order["sites"].as_array().into_iter().flatten();
    let sites: Vec<_> = sites.filter_map(Value::as_str).collect();
    let end = match order["until_seconds"].as_f64() {
        Some(seconds) => {
            let word = language.of("for another", "encore");
            format!(", {word} {}", in_words(seconds))
        }
        None => String::new(),
    };
    let on = language.of("on at", "actif sur");
    let by = language.of("by", "par");
    format!(
        "{name}: {on} {}{end}, {by} {}: {}",
        sites.join(", "),
        order["author"].as_str().unwrap_or("?"),
        order["reason"].as_str().unwrap_or("?"),
    )
}

/// A time for people.
fn in_words(seconds: f64) -> String {
    match seconds {
        seconds if seconds >= 5_400.0 => format!("{:.1} h", seconds / 3_600.0),
        seconds if seconds >= 90.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{seconds:.0} s"),
    }
}

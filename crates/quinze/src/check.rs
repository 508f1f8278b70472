//! `quinze check`: whether a configuration is right, and what it means.

mod json;
mod text;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};
use config::{Explanation, Loaded};

use crate::{language::Language, out::say, serve::load};

/// Options of `quinze check`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// How what the configuration means is told.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Exit 1 when something is legal and probably not meant.
    #[arg(long)]
    strict: bool,
    /// The language of the text; that of LC_ALL, LC_MESSAGES or LANG when left out.
    #[arg(long, value_enum)]
    language: Option<Language>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Says what a configuration means, or all that is wrong with it.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let Some(loaded) = load(&options.config)? else {
        return Ok(ExitCode::FAILURE);
    };
    if let Some(files) = &loaded.tls {
        node::check_certificates(files)?;
    }
    let Loaded {
        engine, warnings, ..
    } = &loaded;
    let explanation = Explanation::of(engine);
    let language = options.language.unwrap_or_else(Language::of_environment);
    say(&match options.format {
        Format::Json => json::explain(&explanation),
        Format::Text => {
            let directory = &engine.directory;
            let counts = [
                directory.sites().count(),
                directory.lines().count(),
                directory.agents().count(),
            ];
            let head = text::head(language, &options.config.display().to_string(), counts);
            format!("{head}\n\n{}", text::explain(language, &explanation))
        }
    })?;
    let is_doubtful = !explanation.doubts.is_empty() || !warnings.is_empty();
    Ok(if options.strict && is_doubtful {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

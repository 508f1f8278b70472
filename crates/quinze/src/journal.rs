//! `quinze journal`: whether a journal is whole, and what is in it. No caller's data are shown.

use std::{io, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use node::{
    engine::journal::Kind,
    journal::{look, row::Damage},
};

use crate::out::say;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Exit 1 when anything in it is damaged. A node may run beside.
    Verify {
        /// The journal.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Each row: its kind, its key, its version, its length.
    Inspect {
        /// The journal.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let is_whole = match &options.action {
        Action::Verify { file } => {
            let report = look::verify(file)?;
            for (kind, share) in &report.kinds {
                say(&format!(
                    "{}: {} rows, {} bytes",
                    name(*kind),
                    share.rows,
                    share.bytes
                ))?;
            }
            say(&format!(
                "last change {}, {} bytes in the file",
                report.last_seq, report.file_bytes
            ))?;
            tell(&report.damaged)?;
            if report.lost_groups > 0 {
                say(&format!("lost: {} groups of changes", report.lost_groups))?;
            }
            report.damaged.is_empty() && report.lost_groups == 0
        }
        Action::Inspect { file } => {
            let contents = look::inspect(file)?;
            for (seq, row) in &contents.rows {
                say(&format!(
                    "{seq} {} {} version {} {} bytes",
                    name(row.kind),
                    key(row.kind, &row.key),
                    row.version,
                    row.body.len()
                ))?;
            }
            for fault in &contents.faults {
                say(&format!("fault: {fault}"))?;
            }
            tell(&contents.damaged)?;
            contents.damaged.is_empty() && contents.faults.is_empty()
        }
    };
    Ok(match is_whole {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn tell(damaged: &[Damage]) -> io::Result<()> {
    for one in damaged {
        let key = key(one.kind, &one.key);
        say(&format!(
            "damaged: {} {key} of change {}: {}",
            name(one.kind),
            one.seq,
            one.what
        ))?;
    }
    Ok(())
}

fn name(number: u16) -> String {
    Kind::of_number(number).map_or_else(
        || format!("kind {number}"),
        |kind| format!("{kind:?}").to_lowercase(),
    )
}

/// A call's number, an agent's id.
fn key(kind: u16, key: &[u8]) -> String {
    let number = <[u8; 8]>::try_from(key).map(u64::from_be_bytes);
    match number {
        Ok(number) if kind == Kind::Call.number() => number.to_string(),
        _ => key.escape_ascii().to_string(),
    }
}

//! `quinze serve`, and how a configuration is read.

use std::{env, fs, path::Path, process::ExitCode};

use anyhow::{Context as _, bail};
use config::{Loaded, Place, Secret};
use node::{End, Inherited, Node, Signals};
use tracing::warn;

use crate::{log, out::say};

/// Runs a node until a signal ends it.
pub(crate) fn serve(path: &Path) -> anyhow::Result<ExitCode> {
    let Some(mut loaded) = load(path)? else {
        return Ok(ExitCode::FAILURE);
    };
    let _writes_the_last_lines = log::start(loaded.log);
    place_journal(path, &mut loaded);
    // Before there is a second thread.
    let inherited = Inherited::from_env();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let signals = {
        let _inside = runtime.enter();
        Signals::watch().context("cannot watch for signals")?
    };
    let node = Node::start_with(loaded, inherited)?;
    // Whoever started it need not look; calls come all the same.
    for (transport, address) in node.sip_addresses() {
        let _shown_to_nobody = say(&format!("SIP over {} on {address}", transport.as_str()));
    }
    let _shown_to_nobody = say(&format!("HTTP on http://{}", node.http_address()));
    match runtime.block_on(signals.run(node)) {
        End::Orderly => Ok(ExitCode::SUCCESS),
        End::Failed => bail!("the node has failed: calls under way are lost; start another"),
    }
}

/// Reads a configuration; prints every error of it and gives `None` when there are some.
#[expect(
    clippy::print_stderr,
    reason = "errors of a configuration are this command's output"
)]
pub(crate) fn load(path: &Path) -> anyhow::Result<Option<Loaded>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let entropy = node::entropy().context("no entropy")?;
    match config::load_with(path, &text, entropy, &read_secret) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                eprintln!("{warning}");
            }
            Ok(Some(loaded))
        }
        Err(errors) => {
            eprintln!("{errors}");
            Ok(None)
        }
    }
}

/// Reads a secret that a configuration names.
fn read_secret(secret: &Secret) -> Result<String, String> {
    match secret {
        Secret::File(path) => fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display())),
        Secret::Environment(name) => {
            env::var(name).map_err(|_| format!("the variable {name} is not set, or is no text"))
        }
    }
}

/// A journal is written unless the configuration says that none is.
fn place_journal(path: &Path, loaded: &mut Loaded) {
    match &loaded.journal.place {
        Place::Off => warn!("there is no journal: no call outlives this process"),
        Place::At(_) => {}
        Place::Unsaid => {
            // systemd gives a list where there are several; the first is ours.
            let state = env::var("STATE_DIRECTORY").ok();
            let state = state.as_deref().and_then(|list| list.split(':').next());
            let place = match state {
                Some(folder) if !folder.is_empty() => Path::new(folder).join("quinze.journal"),
                _ => path.with_extension("journal"),
            };
            loaded.journal.place = Place::At(place);
        }
    }
}

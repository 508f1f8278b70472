//! Configurations, right and wrong, as an operator writes them.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail a test")]

mod explained;
mod hostile;
mod scenarios;
mod secrets;
mod shipped;
mod wrong;

use std::{fs, path::PathBuf};

use config::{Errors, Loaded};

/// A seed, for what is not about randomness.
const SEED: [u64; 4] = [1, 2, 3, 4];

fn load(name: &str, text: &str) -> Result<Loaded, Errors> {
    config::load(name.as_ref(), text, SEED)
}

/// The folder of the configurations that ship.
fn shipped_folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../config"]
        .iter()
        .collect()
}

/// Every file that ships: its name and its text.
fn shipped() -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(shipped_folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn shipped_text(name: &str) -> String {
    fs::read_to_string(shipped_folder().join(name)).unwrap()
}

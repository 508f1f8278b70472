//! `cargo xtask france`: makes `config/france.toml` from the data of `config/france/data`.

mod data;
mod staff;
mod write;

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};

use self::{data::Data, write::Page};

/// Writes the file, or, where `check` is asked for, holds what is there against what it would be.
pub(crate) fn make(check: bool) -> anyhow::Result<()> {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let data = Data::read(&config.join("france/data"))?;
    let text = Page::new(&data).to_string();
    let file = config.join("france.toml");
    if check {
        let there = fs::read_to_string(&file).context("cannot read config/france.toml")?;
        ensure!(
            there == text,
            "config/france.toml is not what `cargo xtask france` would write"
        );
        return Ok(());
    }
    fs::write(&file, text).context("cannot write config/france.toml")
}

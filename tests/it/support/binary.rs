//! The programs that the scenarios run.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context as _, ensure};
use cargo_metadata::MetadataCommand;

/// Names a `quinze` binary to test instead of the one that would be built.
const QUINZE_BIN: &str = "QUINZE_BIN";

/// The workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the workspace")
}

/// Where the files of a run go.
pub(crate) fn runs() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenarios")
}

/// A folder below [`runs`], without anything that a run before has left: a node would take its journal up.
pub(crate) fn fresh_folder(name: &str) -> anyhow::Result<PathBuf> {
    let folder = runs().join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The `quinze` binary, built from the sources as they are: a test of yesterday's binary is none.
pub(crate) fn quinze() -> anyhow::Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = BINARY.get_or_init(|| find().map_err(|error| format!("{error:#}")));
    found.as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

fn find() -> anyhow::Result<PathBuf> {
    if let Some(path) = env::var_os(QUINZE_BIN).map(PathBuf::from) {
        ensure!(
            path.is_file(),
            "{QUINZE_BIN} names {}: no such file",
            path.display()
        );
        return Ok(path);
    }
    let manifest = root().join("Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo has told about this package: build scripts of others look at it, and would build anew.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&*name);
        }
    }
    let built = cargo
        .args([
            "build",
            "--release",
            "--package",
            "quinze",
            "--manifest-path",
        ])
        .arg(&manifest)
        .output()
        .context("cannot run cargo")?;
    ensure!(
        built.status.success(),
        "`cargo build --release --package quinze` failed:\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()?;
    let path = metadata
        .target_directory
        .join("release/quinze")
        .into_std_path_buf();
    ensure!(path.is_file(), "cargo built no {}", path.display());
    Ok(path)
}

/// SIPp must be there; a scenario is not skipped because it is missing.
pub(crate) fn check_sipp() -> anyhow::Result<()> {
    static FOUND: OnceLock<Result<(), String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        // SIPp ends with 99 after `-v`: that it runs at all is what counts.
        Command::new("sipp")
            .arg("-v")
            .output()
            .map(drop)
            .map_err(|error| error.to_string())
    });
    found.as_ref().map_err(|error| {
        anyhow::anyhow!(
            "sipp does not run ({error}); `cargo xtask test` installs it, or \
             `apt-get install sip-tester`"
        )
    })?;
    Ok(())
}

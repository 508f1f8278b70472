//! The node as it is deployed and measured: built with what calls have shown (profile-guided optimization).
//!
//! Its time is spread over so many functions that none takes more than a few hundredths. What makes all of them
//! cheaper is a compiler that knows which way they go.

use std::{
    env, fs,
    hash::{DefaultHasher, Hasher as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};

use super::{
    sipp::{Calls, Shape},
    system::{Agents, Journal, Node},
};
use crate::{install, program::Program};

/// Calls that the instrumented node is given, once with its journal and once without.
const LESSONS: [(Shape, u32, Agents); 2] = [
    (Shape::Proxied, 1_000, Agents::Called),
    (Shape::Distributed, 300, Agents::Free(1_000)),
];

/// How long each of them goes on.
const LESSON: Duration = Duration::from_secs(6);

/// Builds the node with what calls have shown. They are looked at again when the code has changed: what was counted in
/// other code fits half of it, and warns of the rest.
pub(crate) fn build() -> anyhow::Result<()> {
    let folder = folder()?;
    let sources = sources()?;
    let profile = match profile(&folder)? {
        Some(profile) if profile.sources == sources => profile.path,
        _ => train(&folder, sources)?,
    };
    let flag = format!("-Cprofile-use={}", profile.display());
    let built = cargo_build(&folder.join("build"), &flag)?;
    fs::copy(built, program()?)?;
    Ok(())
}

/// Where [`build`] leaves the node.
pub(super) fn program() -> anyhow::Result<PathBuf> {
    Ok(folder()?.join("quinze"))
}

fn folder() -> anyhow::Result<PathBuf> {
    Ok(super::target()?.join("trained"))
}

/// What calls have shown.
#[derive(Debug, PartialEq, Eq)]
struct Profile {
    path: PathBuf,
    /// Of the code that they were given to.
    sources: u64,
}

impl Profile {
    /// A profile is called by the code and by what it holds: cargo builds anew when flags change, not when a file does
    /// that they name.
    fn name(sources: u64, content: &[u8]) -> String {
        let mut hasher = DefaultHasher::new();
        hasher.write(content);
        format!("{sources:016x}-{:016x}.{PROFILE}", hasher.finish())
    }

    fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let (sources, _) = name.strip_suffix(PROFILE)?.split_once('-')?;
        let sources = u64::from_str_radix(sources, 16).ok()?;
        Some(Self { path, sources })
    }
}

/// What calls have shown here before.
fn profile(folder: &Path) -> anyhow::Result<Option<Profile>> {
    let found = folder.is_dir().then(|| fs::read_dir(folder)).transpose()?;
    for entry in found.into_iter().flatten() {
        if let Some(profile) = Profile::of(entry?.path()) {
            return Ok(Some(profile));
        }
    }
    Ok(None)
}

const PROFILE: &str = "profdata";

/// A number for all that the node is built from, its compiler included.
fn sources() -> anyhow::Result<u64> {
    let root = super::root()?;
    let mut hasher = DefaultHasher::new();
    let mut paths = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"]
        .map(|name| root.join(name))
        .to_vec();
    let mut folders = vec![root.join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("crates/xtask") {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|ending| ending == "rs" || ending == "toml")
            {
                paths.push(path);
            }
        }
    }
    paths.sort();
    for path in paths {
        hasher.write(&fs::read(path)?);
    }
    Ok(hasher.finish())
}

/// Gives an instrumented node calls of each kind; what they have shown.
fn train(folder: &Path, sources: u64) -> anyhow::Result<PathBuf> {
    install::sipp()?;
    let merge = llvm_profdata()?;
    let counts = folder.join("counts");
    if counts.exists() {
        fs::remove_dir_all(&counts)?;
    }
    fs::create_dir_all(&counts)?;
    while let Some(old) = profile(folder)? {
        fs::remove_file(old.path)?;
    }
    let flag = format!("-Cprofile-generate={}", counts.display());
    let node = cargo_build(&folder.join("instrumented"), &flag)?;
    for journal in [Journal::Off, Journal::On] {
        for (shape, rate, agents) in LESSONS {
            teach(&node, journal, agents, Calls::new(shape, rate, LESSON))?;
        }
    }
    let merged = folder.join("merged");
    let [from, to] = [&counts, &merged].map(|path| path.display().to_string());
    Program::new(merge, &["merge", "--output", &to, &from]).run()?;
    let named = folder.join(Profile::name(sources, &fs::read(&merged)?));
    fs::rename(merged, &named)?;
    Ok(named)
}

/// A node writes its counts down when it ends.
fn teach(node: &Path, journal: Journal, agents: Agents, calls: Calls) -> anyhow::Result<()> {
    let folder = super::target()?.join("bench");
    fs::create_dir_all(&folder)?;
    let pupil = Node {
        name: "instrumented",
        number: 0,
        journal,
        agents,
    };
    let pupil = pupil.start_program(node, &folder)?;
    let played = pupil.play(&calls)?;
    ensure!(
        played.failed == 0,
        "{} of {} calls failed while the node was looked at",
        played.failed,
        calls.count
    );
    Ok(())
}

/// Builds the node for this machine with a flag of the compiler, and as for a release in all else: what is counted in
/// code that was put together in another way fits nothing. The program.
fn cargo_build(folder: &Path, flag: &str) -> anyhow::Result<PathBuf> {
    let host = host()?;
    // For a target that is named: then build scripts and macros, of which nothing is deployed, are built without.
    let to = folder.display().to_string();
    let args = ["build", "--release", "--package", "quinze"];
    let args = [&args[..], &["--target", &host, "--target-dir", &to]].concat();
    // Beside the flags that somebody wants anyway, for their kind of CPU.
    let given = env::var("RUSTFLAGS").unwrap_or_default();
    let flags: Vec<_> = given.split_whitespace().chain([flag]).collect();
    Program::cargo(&args)
        .env("CARGO_ENCODED_RUSTFLAGS", &flags.join("\u{1f}"))
        .run()?;
    Ok(folder.join(host).join("release/quinze"))
}

/// The kind of machine that the compiler runs on.
fn host() -> anyhow::Result<String> {
    let version = Program::new("rustc", &["--version", "--verbose"]).words();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host
        .context("rustc does not say for which host it is")?
        .to_owned())
}

/// The tool of this very compiler that reads what its programs count: a part of the toolchain that rustup installs
/// when it is missing.
fn llvm_profdata() -> anyhow::Result<PathBuf> {
    let libraries = Program::new("rustc", &["--print", "target-libdir"]).words();
    let tool = Path::new(libraries.trim()).with_file_name("bin/llvm-profdata");
    if !tool.is_file() {
        if !Program::new("rustup", &["--version"]).succeeds() {
            bail!(
                "there is no {}, and no rustup to install llvm-tools",
                tool.display()
            );
        }
        Program::new("rustup", &["component", "add", "llvm-tools"]).run()?;
    }
    ensure!(
        tool.is_file(),
        "llvm-tools are installed without {}",
        tool.display()
    );
    Ok(tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_tells_of_which_code_it_is() {
        let name = Profile::name(15, b"counts");
        let path = Path::new("trained").join(&name);
        let profile = Profile::of(path.clone()).unwrap();
        assert_eq!(profile, Profile { path, sources: 15 });
        assert_ne!(name, Profile::name(15, b"other counts"));
        assert_eq!(Profile::of("trained/quinze".into()), None);
        assert_eq!(Profile::of("trained/15.profdata".into()), None);
    }
}

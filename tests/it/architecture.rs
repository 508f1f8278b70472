//! Who may depend on whom. The table here is the one of the design; an edge that is not in it is a
//! design decision, and this is where it is taken.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// The crates that decide. They see neither a clock nor a socket, and build on little.
const CORE: [&str; 7] = [
    "acd",
    "call",
    "engine",
    "journal",
    "sip",
    "sip-proxy",
    "sip-transaction",
];

/// Each of our crates, and which of our crates it may build on.
const EDGES: &[(&str, &[&str])] = &[
    ("sip", &[]),
    ("acd", &[]),
    ("sip-transaction", &["sip"]),
    ("sip-proxy", &["sip", "sip-transaction"]),
    ("call", &["sip", "sip-transaction"]),
    ("journal", &["acd", "call"]),
    (
        "engine",
        &[
            "sip",
            "sip-transaction",
            "sip-proxy",
            "call",
            "acd",
            "journal",
        ],
    ),
    ("metrics", &["engine"]),
    (
        "config",
        &[
            "engine",
            "sip",
            "sip-transaction",
            "sip-proxy",
            "call",
            "acd",
        ],
    ),
    ("api", &["engine", "metrics"]),
    ("sim", &["engine", "config", "metrics"]),
    ("node", &["engine", "config", "api", "metrics"]),
    ("quinze", &["node", "sim", "config"]),
    ("xtask", &[]),
];

/// What the core may build on from outside: data structures and parsers, nothing that reads a
/// clock, opens a socket, spawns a thread or logs. What serialises is for the journal alone.
const CORE_MAY_USE: [&str; 15] = [
    "base64",
    "bytes",
    "digest",
    "foldhash",
    "hashbrown",
    "md-5",
    "memchr",
    "minicbor",
    "sdp-types",
    "sha2",
    "siphasher",
    "slotmap",
    "smallvec",
    "subtle",
    "thiserror",
];

/// Packages that exist to test or to measure: they may depend on everything.
const FREE: [&str; 2] = ["tests", "benches"];

#[test]
fn our_crates_depend_on_each_other_only_as_designed() {
    let workspace = Workspace::read();
    let allowed: BTreeMap<_, _> = EDGES.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, package) in &workspace.crates {
        let Some(may) = allowed.get(name.as_str()) else {
            wrong.push(format!("{name} is not in the table"));
            continue;
        };
        for other in Workspace::normal_dependencies(package) {
            if workspace.is_ours(other) && !may.contains(&short_name(other).as_str()) {
                wrong.push(format!("{name} -> {}", short_name(other)));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "edges that the design does not know: {}.\nGo through a crate that may have the edge \
         (shells take the core's types through `engine`), or change EDGES in \
         tests/it/architecture.rs together with the table in ARCHITECTURE.md and say why there.",
        wrong.join(", ")
    );
}

#[test]
fn the_table_names_only_crates_that_exist() {
    let workspace = Workspace::read();
    let gone: Vec<_> = EDGES
        .iter()
        .flat_map(|(name, may)| [name].into_iter().chain(may.iter()))
        .filter(|name| !workspace.crates.contains_key(**name))
        .collect();
    assert!(
        gone.is_empty(),
        "remove from EDGES in tests/it/architecture.rs: {gone:?}"
    );
}

#[test]
fn the_core_builds_on_data_structures_only() {
    let workspace = Workspace::read();
    let mut wrong = Vec::new();
    for name in CORE {
        let package = &workspace.crates[name];
        for other in Workspace::normal_dependencies(package) {
            if !workspace.is_ours(other) && !CORE_MAY_USE.contains(&other) {
                wrong.push(format!("{name} -> {other}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "the core must not use: {}.\nWhat needs a clock, a socket, a thread, randomness, a log or \
         serialisation belongs to a shell crate (node, config, api, metrics). A plain data \
         structure may be added to CORE_MAY_USE in tests/it/architecture.rs with its reason in \
         ARCHITECTURE.md.",
        wrong.join(", ")
    );
}

#[test]
fn rsip_is_a_second_opinion_in_tests_only() {
    let workspace = Workspace::read();
    let users: Vec<_> = workspace
        .metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| {
            package
                .dependencies
                .iter()
                .any(|other| other.name == "rsip" && other.kind != DependencyKind::Development)
        })
        .map(|package| package.name.to_string())
        .collect();
    assert!(
        users.is_empty(),
        "{users:?} use rsip outside of tests: it misreads valid SIP. Use the `sip` crate, and keep \
         rsip under [dev-dependencies]."
    );
}

/// Faults on purpose are for the simulator's tests alone: no crate that anything else is built from asks
/// for them.
#[test]
fn nothing_but_a_test_has_faults_planted() {
    let workspace = Workspace::read();
    let packages = workspace.metadata.workspace_packages();
    let has_planted = |features: &[String]| features.iter().any(|one| one.ends_with("planted"));
    let mut wrong = Vec::new();
    for package in packages {
        for other in &package.dependencies {
            let is_test = other.kind == DependencyKind::Development && package.name == TESTS;
            if has_planted(&other.features) && !is_test {
                wrong.push(format!("{} -> {}", package.name, other.name));
            }
        }
        for (feature, needs) in &package.features {
            if feature != "planted" && has_planted(needs) {
                wrong.push(format!("feature {feature} of {}", package.name));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "the feature `planted` puts faults into the product: only {TESTS} may ask for it, not {}",
        wrong.join(", ")
    );
}

/// The package whose tests see faults that are planted.
const TESTS: &str = "quinze-tests";

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let workspace = Workspace::read();
    let without: Vec<_> = workspace
        .metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| {
            let manifest =
                std::fs::read_to_string(&package.manifest_path).expect("it was just read");
            let manifest: toml::Table = manifest.parse().expect("cargo has parsed it");
            manifest
                .get("lints")
                .and_then(|lints| lints.get("workspace"))
                != Some(&toml::Value::Boolean(true))
        })
        .map(|package| package.name.to_string())
        .collect();
    assert!(
        without.is_empty(),
        "add `[lints]` with `workspace = true` to the Cargo.toml of {without:?}"
    );
}

/// What cargo says of the workspace.
struct Workspace {
    metadata: Metadata,
    /// The crates of the product under their short names.
    crates: BTreeMap<String, Package>,
}

impl Workspace {
    fn read() -> Self {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        let metadata = MetadataCommand::new()
            .manifest_path(manifest)
            .no_deps()
            .exec()
            .expect("`cargo metadata` must work in the workspace");
        let crates = metadata
            .workspace_packages()
            .into_iter()
            .map(|package| (short_name(&package.name), package.clone()))
            .filter(|(name, _)| !FREE.contains(&name.as_str()))
            .collect();
        Self { metadata, crates }
    }

    fn is_ours(&self, package: &str) -> bool {
        self.crates
            .get(&short_name(package))
            .is_some_and(|ours| *ours.name == *package)
    }

    /// What the crate itself builds on, without what only its tests or its build script use.
    fn normal_dependencies(package: &Package) -> BTreeSet<&str> {
        package
            .dependencies
            .iter()
            .filter(|other| other.kind == DependencyKind::Normal)
            .map(|other| other.name.as_str())
            .collect()
    }
}

/// `sip` for `quinze-sip`: the name that the design and the code use.
fn short_name(package: &str) -> String {
    package
        .strip_prefix("quinze-")
        .unwrap_or(package)
        .to_owned()
}

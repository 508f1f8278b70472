//! What an operator is told whose files do not serve.

use std::{fs, path::Path, process::Command};

use super::{configuration, folder};
use crate::support::{
    binary,
    certificates::{AUTHORITIES, Authority, CERTIFICATE, KEY, loopback},
    ports::free_port,
};

/// Files that serve, and a configuration that names them.
fn right(name: &str) -> (std::path::PathBuf, Authority) {
    let folder = folder(name);
    let authority = Authority::new("operators");
    authority.write(&folder);
    authority.issue(&loopback()).write(&folder);
    let text = configuration(free_port(), free_port());
    fs::write(folder.join("node.toml"), text).unwrap();
    (folder, authority)
}

/// Both commands refuse, with all of these words.
fn refused(folder: &Path, words: &[&str]) {
    for command in ["check", "serve"] {
        let (code, said) = run(folder, command);
        assert_eq!(code, Some(1), "{command}: {said}");
        for word in words {
            assert!(said.contains(word), "{command}: {word} in\n{said}");
        }
    }
}

fn run(folder: &Path, command: &str) -> (Option<i32>, String) {
    let output = Command::new(binary::quinze().unwrap())
        .arg(command)
        .arg("--config")
        .arg(folder.join("node.toml"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn files_that_serve_are_right() {
    let (folder, _) = right("files-right");
    let (code, said) = run(&folder, "check");
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_key_that_is_not_there_is_named() {
    let (folder, _) = right("files-no-key");
    let key = folder.join(KEY);
    fs::remove_file(&key).unwrap();
    refused(&folder, &[key.to_str().unwrap(), "No such file"]);
}

#[test]
fn a_key_file_without_a_key_is_named() {
    let (folder, _) = right("files-empty-key");
    let key = folder.join(KEY);
    fs::write(&key, "not a key\n").unwrap();
    refused(&folder, &[key.to_str().unwrap()]);
}

#[test]
fn a_key_of_another_certificate_is_named_with_the_certificate() {
    let (folder, authority) = right("files-other-key");
    authority.issue(&loopback()).write_key(&folder);
    let certificate = folder.join(CERTIFICATE);
    let words = [certificate.to_str().unwrap(), "does not serve with its key"];
    refused(&folder, &words);
}

#[test]
fn a_certificate_file_without_a_certificate_is_named() {
    for file in [CERTIFICATE, AUTHORITIES] {
        let (folder, _) = right(&format!("files-empty-{file}"));
        let path = folder.join(file);
        fs::write(&path, "").unwrap();
        refused(&folder, &[path.to_str().unwrap()]);
    }
}

#[test]
fn a_trunk_known_by_certificates_needs_authorities_to_believe() {
    let (folder, _) = right("files-no-authorities");
    let path = folder.join("node.toml");
    let text = fs::read_to_string(&path).unwrap();
    let without: String = text
        .lines()
        .filter(|line| !line.starts_with("authorities"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&path, &without).unwrap();
    let line = 1 + without
        .lines()
        .position(|line| line.starts_with("certificates"))
        .unwrap();
    let place = format!("node.toml:{line}:");
    refused(&folder, &[&place, "`authorities`"]);
}

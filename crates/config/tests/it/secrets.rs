//! Secrets that a configuration names: read by whoever loads it, never shown.

use std::cell::RefCell;

use config::{Errors, Loaded, Secret};

use crate::{SEED, load, shipped_text};

const SECTION: &str = "\n[authentication]\nalgorithms = [\"SHA-256\", \"MD5\"]\n\
                       credentials = { file = \"agents.credentials\" }\n";
const PASSWORD: &str = "correct horse battery staple";

/// The single-site configuration with this section; its secret is this text.
fn with(section: &str, secret: Result<&str, &str>) -> (Result<Loaded, Errors>, Vec<Secret>) {
    let text = shipped_text("single-site.toml") + section;
    let asked = RefCell::new(Vec::new());
    let secrets = |one: &Secret| {
        asked.borrow_mut().push(one.clone());
        secret.map(str::to_owned).map_err(str::to_owned)
    };
    let loaded = config::load_with("/etc/quinze/node.toml".as_ref(), &text, SEED, &secrets);
    (loaded, asked.into_inner())
}

/// What is said, without the place.
fn said(result: &Result<Loaded, Errors>) -> Vec<String> {
    match result {
        Ok(loaded) => loaded.warnings.clone(),
        Err(errors) => errors
            .problems()
            .iter()
            .map(|one| one.message.clone())
            .collect(),
    }
}

#[test]
fn credentials_are_read_from_a_file_beside_the_configuration_or_from_the_environment() {
    let secret = format!("# phones\n\narm-67-1 password {PASSWORD}\n");
    let (loaded, asked) = with(SECTION, Ok(&secret));
    let file = Secret::File("/etc/quinze/agents.credentials".into());
    assert_eq!(asked, [file]);
    let authentication = loaded.unwrap().engine.authentication.unwrap();
    assert_eq!(authentication.realm, "samu67.example", "the domain");
    let (_, secrets) = &authentication.secrets[0];
    assert_eq!(secrets.len(), 2, "one for each algorithm");

    let section = SECTION.replace("file = \"agents.credentials\"", "env = \"QUINZE_PHONES\"");
    let (_, asked) = with(&section, Ok(&secret));
    assert_eq!(asked, [Secret::Environment("QUINZE_PHONES".to_owned())]);
}

#[test]
fn an_ha1_stands_for_its_password() {
    let (by_password, _) = with(SECTION, Ok(&format!("arm-67-1 password {PASSWORD}")));
    let by_password = by_password.unwrap().engine.authentication.unwrap();
    let lines: String = by_password.secrets[0]
        .1
        .iter()
        .map(|ha1| format!("arm-67-1 {} {}\n", ha1.algorithm().name(), ha1.expose()))
        .collect();
    let (by_ha1, _) = with(SECTION, Ok(&lines));
    let by_ha1 = by_ha1.unwrap().engine.authentication.unwrap();
    assert_eq!(by_password.secrets, by_ha1.secrets);
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_without_the_secret() {
    for (secret, problem) in [
        (
            "arm-67-1",
            "line 1: write AGENT password WORDS, or AGENT ALGORITHM HA1",
        ),
        ("\narm-67-1 SHA-1 abc", "line 2: write AGENT password WORDS"),
        ("nobody password x", "line 1: there is no agent `nobody`"),
        (
            "arm-67-1 MD5 xyz",
            "line 1: not the 32 hexadecimal digits of an HA1 by MD5",
        ),
        (
            "arm-67-1 password a\narm-67-1 password b",
            "line 2: agent `arm-67-1` has a secret for SHA-256 already",
        ),
    ] {
        let (result, _) = with(SECTION, Ok(secret));
        assert!(result.is_err());
        let said = said(&result);
        assert!(said[0].contains(problem), "{said:?}");
    }
    let (result, _) = with(SECTION, Ok(&format!("nobody password {PASSWORD}")));
    assert!(!result.unwrap_err().to_string().contains("horse"));
    let (result, _) = with(SECTION, Ok(&format!("arm-67-1 password {PASSWORD}")));
    assert!(!format!("{:?}", result.unwrap()).contains("horse"));
}

#[test]
fn a_section_that_is_wrong_says_so() {
    for (from, to, problem) in [
        (
            "\"MD5\"",
            "\"CRC-32\"",
            "`CRC-32` is not one of SHA-512-256, SHA-256, MD5",
        ),
        ("\"MD5\"", "\"SHA-256\"", "SHA-256 is there already"),
        (
            "file = \"agents.credentials\"",
            "",
            "names either a `file` or a variable by `env`",
        ),
        (
            "file = \"agents.credentials\"",
            "file = \"a\", env = \"B\"",
            "names either a `file` or a variable by `env`",
        ),
        (
            "credentials = { file = \"agents.credentials\" }",
            "",
            "has no `credentials`; write credentials = { file = \"agents.credentials\" }",
        ),
    ] {
        let (result, _) = with(&SECTION.replace(from, to), Ok(""));
        assert!(result.is_err(), "{to}");
        let said = said(&result);
        assert!(said[0].contains(problem), "{said:?}");
    }
    let (result, _) = with(SECTION, Err("cannot read it: it is not there"));
    assert!(said(&result)[0].contains("`credentials`: cannot read it: it is not there"));
}

/// Brought over from a system that knows nothing else: a phone that knows SHA-256 would answer with that.
#[test]
fn an_agent_without_credentials_for_all_that_is_offered_is_named() {
    let md5 = "arm-67-1 MD5 0123456789abcdef0123456789abcdef";
    let (result, _) = with(SECTION, Ok(md5));
    let named = |said: &[String]| {
        said.iter()
            .any(|one| one.contains("`arm-67-1` has no credentials for SHA-256:"))
    };
    assert!(named(&said(&result)), "{:?}", said(&result));
    let without = SECTION.replace("\"SHA-256\", ", "");
    let (result, _) = with(&without, Ok(md5));
    assert!(!named(&said(&result)), "{:?}", said(&result));
    // One that is not asked for any more is no error.
    let more = format!("{md5}\narm-67-1 SHA-512-256 0123456789abcdef");
    let (result, _) = with(&without, Ok(&more));
    assert!(result.is_ok());
    let unasked = "agent `arm-67-1`: phones are not asked for SHA-512-256: `algorithms` are MD5";
    assert!(
        said(&result).iter().any(|one| one.contains(unasked)),
        "{:?}",
        said(&result)
    );
}

#[test]
fn an_agent_without_credentials_is_named() {
    let (result, _) = with(SECTION, Ok(""));
    let said = said(&result);
    assert!(
        said.iter()
            .any(|one| one.contains("agent `arm-67-1` has no credentials")),
        "{said:?}"
    );
}

#[test]
fn without_a_reader_a_secret_is_an_error() {
    let text = shipped_text("single-site.toml") + SECTION;
    let errors = load("node.toml", &text).unwrap_err().to_string();
    assert!(errors.contains("no secrets can be read here"), "{errors}");
}

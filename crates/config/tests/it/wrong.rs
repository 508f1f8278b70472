//! Wrong configurations: each file of `tests/wrong` and exactly what its author reads.

use std::fs;

use crate::{load, shipped_text};

/// Every wrong file has a snapshot of what is said of it.
#[test]
fn each_error_says_where_it_is_and_what_would_be_right() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wrong");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut said = String::new();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("# INCLUDE single-site\n", &shipped_text("single-site.toml"));
        let answer = match load(&name, &text) {
            Ok(loaded) => {
                assert!(!loaded.warnings.is_empty(), "{name} is right");
                loaded.warnings.join("\n")
            }
            Err(errors) => errors.to_string(),
        };
        said += &format!("{answer}\n\n");
    }
    insta::assert_snapshot!(said);
}

#[test]
fn errors_come_in_the_order_of_the_file() {
    let text = shipped_text("three-sites.toml")
        .replace("priority = 2", "priority = 12")
        .replace("home_advantage = \"10s\"", "home_advantage = \"ten\"")
        .replace("[node]\n", "[node]\ncolour = \"red\"\n");
    let errors = load("many.toml", &text).unwrap_err();
    let places: Vec<_> = errors
        .problems()
        .iter()
        .map(|one| (one.line, one.column))
        .collect();
    assert_eq!(places.len(), 5, "{errors}");
    assert!(places.is_sorted(), "{errors}");
}

/// Nothing would ever ring there, and no number begin so.
#[test]
fn what_can_lead_nowhere_is_said() {
    let base = shipped_text("single-site.toml");
    let contact = "sip:arm-67-1@127.0.0.1:5070";
    assert!(base.contains(contact));
    for (other, problem) in [
        (
            "sip:arm-67-1@127.0.0.1:5070;transport=tls",
            "needs a transport for which there is no [[listen]]",
        ),
        (
            "sips:arm-67-1@127.0.0.1",
            "needs a transport for which there is no [[listen]]",
        ),
        ("sip:arm-67-1@[::1]:5070", "its family of addresses"),
    ] {
        let errors = load("contact.toml", &base.replace(contact, other)).unwrap_err();
        assert!(errors.to_string().contains(problem), "{other}: {errors}");
    }
    let trunk = |prefix: &str| {
        format!(
            "{base}\n[[trunk]]\nname = \"out\"\nsources = [\"192.0.2.9\"]\nnext_hops = [\"sip:192.0.2.9\"]\n\
             prefixes = [\"{prefix}\"]\n"
        )
    };
    let warnings = |prefix| load("prefix.toml", &trunk(prefix)).unwrap().warnings;
    assert_eq!(warnings("+33"), Vec::<String>::new());
    assert!(warnings("03")[0].contains("no national number begins with `03`"));
}

/// What many of a kind say, without writing the many.
#[test]
fn too_many_of_a_kind_are_refused_and_not_run_out_of() {
    let base = shipped_text("single-site.toml");
    let many = |count: usize, table: fn(usize) -> String| {
        let text: String = (0..count).map(table).collect();
        load("many.toml", &format!("{base}\n{text}"))
    };
    let trunk = |n| format!("[[trunk]]\nname = \"t{n}\"\nsources = [\"2001:db8::{n:x}\"]\n");
    assert!(many(900, trunk).is_ok());
    let errors = many(70_000, trunk).unwrap_err().to_string();
    assert!(errors.contains("more than 1000 trunks"), "{errors}");
    let listener = |n| format!("[[listen]]\ntransport = \"tcp\"\naddress = \"127.0.0.1:{n}\"\n");
    let errors = many(70, listener).unwrap_err().to_string();
    assert!(errors.contains("more than 64 listeners"), "{errors}");
}

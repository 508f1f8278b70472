//! What the fuzz targets hold true, on the stable toolchain: for every seed that is committed, every
//! torture message, and each of them cut short and with single bytes changed.

#[path = "fuzzed/framing.rs"]
mod framing;
#[path = "fuzzed/headers.rs"]
mod headers;
#[path = "fuzzed/parse.rs"]
mod parse;
mod read_all;
#[path = "fuzzed/uri.rs"]
mod uri;

use std::{
    fs, panic,
    path::{Path, PathBuf},
};

/// Bytes that mean something in SIP, or should mean nothing.
const BYTES: [u8; 10] = *b"\x00\r\n <\",:;\xff";

/// Every this many bytes, one is changed.
const STRIDE: usize = 11;

fn replay(target: &str, folders: &[&str], run: fn(&[u8])) {
    let mut count = 0;
    for folder in folders {
        for (path, bytes) in inputs(folder) {
            let check = |what: &str, bytes: &[u8]| {
                if panic::catch_unwind(|| run(bytes)).is_err() {
                    panic!(
                        "{target}: {} {what}: {}",
                        path.display(),
                        bytes.escape_ascii()
                    );
                }
            };
            check("as it is", &bytes);
            for at in (0..bytes.len()).step_by(STRIDE) {
                check("cut", &bytes[..at]);
                let mut changed = bytes.clone();
                changed[at] = BYTES[at / STRIDE % BYTES.len()];
                check("changed", &changed);
            }
            count += 1;
        }
    }
    assert!(count > 0, "{target} has no seed");
}

fn inputs(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read(&path).expect("a file")))
        .collect()
}

#[test]
fn any_datagram_is_refused_or_printed_as_it_came() {
    let folders = [
        "../../fuzz/seeds/parse",
        "tests/torture/rfc4475",
        "tests/torture/rfc5118",
    ];
    replay("parse", &folders, parse::run);
}

#[test]
fn any_stream_gives_the_same_frames_however_it_is_cut() {
    let folders = [
        "../../fuzz/seeds/framing",
        "tests/torture/rfc4475",
        "tests/torture/rfc5118",
    ];
    replay("framing", &folders, framing::run);
}

#[test]
fn any_uri_is_equivalent_to_itself() {
    replay("uri", &["../../fuzz/seeds/uri"], uri::run);
}

#[test]
fn any_value_adds_no_line() {
    replay("headers", &["../../fuzz/seeds/headers"], headers::run);
}

//! What a command prints.

use std::io::Write as _;

/// Prints a text. Standard output may be a pipe whose reader has gone: that ends nobody's call, and no other work.
pub(crate) fn write_out(text: &str) {
    let mut out = std::io::stdout().lock();
    let _reader_gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a line.
pub(crate) fn say(line: &str) {
    write_out(&format!("{line}\n"));
}

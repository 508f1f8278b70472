//! What a command prints.

use std::io::{self, ErrorKind, Write as _};

/// Prints a text. A reader that has gone, as `head` does, wants no more of it.
///
/// # Errors
/// It could not be written, as to a file on a full disk.
pub(crate) fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Prints a line.
///
/// # Errors
/// As [`write_out`].
pub(crate) fn say(line: &str) -> io::Result<()> {
    write_out(&format!("{line}\n"))
}

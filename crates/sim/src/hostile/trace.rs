//! How a run is told.

use std::fmt;

use bytes::Bytes;
use engine::sip_transaction::Flow;

/// A message on its way: its start line, and what says to which dialog it belongs.
pub(super) struct Shown<'a>(
    pub(super) &'static str,
    pub(super) Flow,
    pub(super) &'a Bytes,
);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(arrow, flow, bytes) = self;
        let Flow {
            transport, remote, ..
        } = flow;
        write!(f, "{arrow} {transport:?} {remote}")?;
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines();
        write!(f, " {}", lines.next().unwrap_or_default())?;
        for name in ["CSeq:", "Call-ID:", "From:", "To:", "Via:"] {
            let line = lines.clone().find(|line| line.starts_with(name));
            write!(f, " | {}", line.unwrap_or("-"))?;
        }
        Ok(())
    }
}

/// A whole message.
pub(super) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

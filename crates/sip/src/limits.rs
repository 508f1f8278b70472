//! How much of a message we are willing to read.

/// Limits on one message, against hostile input. All of them are checked while reading, before
/// anything is stored that grows with the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole message, start line to end of body.
    pub message_len: usize,
    /// Bytes from the start line to the empty line; never more than 65,535.
    pub head_len: usize,
    /// Header lines (a folded line counts once).
    pub header_count: usize,
    /// Bytes of one header line, its folds included, and of the start line.
    pub line_len: usize,
    /// Elements that one header's comma-joined values may have in all: Via, Route, Contact.
    pub element_count: usize,
}

impl Limits {
    /// For a message that we have written, or that was taken within a node's limits when it came: whoever reads it
    /// again reads it whole.
    pub const OURS: Self = Self {
        message_len: u32::MAX as usize,
        head_len: usize::MAX,
        header_count: usize::MAX,
        line_len: usize::MAX - 2,
        element_count: usize::MAX,
    };
}

impl Default for Limits {
    /// Wide enough for anything a dedicated network sends: 64 KiB, 256 headers of 8 KiB.
    fn default() -> Self {
        Self {
            message_len: 65_535,
            head_len: 32 * 1024,
            header_count: 256,
            line_len: 8 * 1024,
            element_count: 128,
        }
    }
}

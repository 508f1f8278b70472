//! Sets of bytes, for scanners that ask of each byte whether it belongs to one.

/// A set of bytes. Whether a byte is in it is one load, however many ranges it is made of.
pub(crate) struct ByteSet([bool; 256]);

impl ByteSet {
    /// A set of those that are `true`.
    pub(crate) const fn of(members: [bool; 256]) -> Self {
        Self(members)
    }

    pub(crate) const fn has(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }

    /// Whether the set has every byte of these.
    #[inline]
    pub(crate) fn has_all(&self, bytes: &[u8]) -> bool {
        // Nearly always it has: to look at several before asking is cheaper.
        let (words, rest) = bytes.as_chunks::<8>();
        let has_word = |word: &[u8; 8]| word.iter().fold(true, |all, &byte| all & self.has(byte));
        words.iter().all(has_word) && rest.iter().all(|&byte| self.has(byte))
    }
}

/// The set of the bytes for which a `const fn` holds.
macro_rules! byte_set {
    ($holds:expr) => {{
        let mut members = [false; 256];
        let mut byte = 0_u8;
        loop {
            members[byte as usize] = $holds(byte);
            if byte == u8::MAX {
                break;
            }
            byte += 1;
        }
        $crate::byte_set::ByteSet::of(members)
    }};
}

pub(crate) use byte_set;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_it_was_made_of() {
        static DIGITS: ByteSet = byte_set!(u8_is_digit);
        const fn u8_is_digit(byte: u8) -> bool {
            byte.is_ascii_digit()
        }
        for byte in 0..=u8::MAX {
            assert_eq!(DIGITS.has(byte), byte.is_ascii_digit());
        }
        assert!(DIGITS.has_all(b"15") && !DIGITS.has_all(b"1a") && DIGITS.has_all(b""));
    }
}

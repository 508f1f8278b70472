//! Numbers as text, without the machinery of formatting: every message that we write has some.

use std::fmt;

/// The digits of a number.
///
/// ```
/// use sip::Digits;
///
/// assert_eq!(Digits::decimal(5060).as_str(), "5060");
/// assert_eq!(Digits::hex(0xabc).as_str(), "abc");
/// assert_eq!(Digits::hex_of_16(0xabc).as_str(), "0000000000000abc");
/// ```
#[derive(Clone, Copy)]
pub struct Digits {
    /// They are at the end.
    bytes: [u8; LEN],
    start: usize,
}

/// The digits of the largest number.
const LEN: usize = 20;

impl Digits {
    /// In decimal.
    pub fn decimal(number: u64) -> Self {
        Self::of::<10>(number)
    }

    /// In lower-case hexadecimal.
    pub fn hex(number: u64) -> Self {
        Self::of::<16>(number)
    }

    /// In lower-case hexadecimal, always sixteen digits.
    pub fn hex_of_16(number: u64) -> Self {
        let mut digits = Self::of::<16>(number);
        digits.start = LEN - 16;
        digits
    }

    /// A division by what the compiler knows is none: a multiplication, or a shift.
    fn of<const BASE: u64>(mut number: u64) -> Self {
        let mut bytes = [b'0'; LEN];
        let mut start = LEN - 1;
        loop {
            bytes[start] = b"0123456789abcdef"[(number % BASE) as usize];
            number /= BASE;
            if number == 0 {
                return Self { bytes, start };
            }
            start -= 1;
        }
    }

    /// The digits.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("digits are text")
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_formatting_writes_them() {
        for shift in 0..64 {
            for number in [u64::MAX >> shift, 1 << shift, (1 << shift) - 1] {
                assert_eq!(Digits::decimal(number).as_str(), number.to_string());
                assert_eq!(Digits::hex(number).as_str(), format!("{number:x}"));
                assert_eq!(Digits::hex_of_16(number).as_str(), format!("{number:016x}"));
            }
        }
    }
}

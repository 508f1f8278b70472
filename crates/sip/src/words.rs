//! Looks for bytes eight at a time. Most parts of a header are a few words long: a search by vectors takes longer
//! to begin.

/// Where a byte is.
#[inline]
pub(crate) fn find(wanted: u8, bytes: &[u8]) -> Option<usize> {
    find_marked(bytes, |word| zeros(word ^ (ONES * u64::from(wanted))))
}

/// Where the first of two bytes is.
#[inline]
pub(crate) fn find_either(wanted: [u8; 2], bytes: &[u8]) -> Option<usize> {
    let wanted = wanted.map(|byte| ONES * u64::from(byte));
    find_marked(bytes, |word| {
        zeros(word ^ wanted[0]) | zeros(word ^ wanted[1])
    })
}

/// Where the first byte is that is `wanted` or lower than `below`, which is 128 at most.
#[inline]
pub(crate) fn find_or_below(wanted: u8, below: u8, bytes: &[u8]) -> Option<usize> {
    find_marked(bytes, |word| {
        zeros(word ^ (ONES * u64::from(wanted))) | lower(word, below)
    })
}

/// Where the first byte is that is lower than `below`, which is 128 at most.
#[inline]
pub(crate) fn find_below(below: u8, bytes: &[u8]) -> Option<usize> {
    find_marked(bytes, |word| lower(word, below))
}

/// Where the first byte is that `marks` gives a high bit. Of the bytes after the first, those bits mean nothing.
#[inline]
fn find_marked(bytes: &[u8], marks: impl Fn(u64) -> u64) -> Option<usize> {
    let place = |at: usize, word: [u8; 8]| {
        let marked = marks(u64::from_le_bytes(word));
        (marked != 0).then(|| at + marked.trailing_zeros() as usize / 8)
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        if let Some(at) = place(8 * index, *word) {
            return Some(at);
        }
    }
    match bytes.last_chunk::<8>() {
        // Nothing is marked in what it has in common with the word before.
        Some(last) if !rest.is_empty() => place(bytes.len() - 8, *last),
        Some(_) => None,
        None => rest
            .iter()
            .position(|&byte| marks(u64::from(byte)) & 0x80 != 0),
    }
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);

/// The high bit of each byte that is 0; above the first of them, of others, too.
const fn zeros(word: u64) -> u64 {
    lower(word, 1)
}

/// The high bit of each byte that is lower than `below`; above the first of them, of others, too.
const fn lower(word: u64, below: u8) -> u64 {
    word.wrapping_sub(ONES * below as u64) & !word & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte at every place of every short length, among bytes that differ from it by one bit.
    #[test]
    fn a_byte_is_found_where_it_is() {
        for len in 0..40 {
            for wanted in 0..=u8::MAX {
                for others in [wanted ^ 1, wanted ^ 0x80] {
                    let mut bytes = vec![others; len];
                    assert_eq!(find(wanted, &bytes), None, "{wanted} in {bytes:?}");
                    for at in (0..len).rev() {
                        bytes[at] = wanted;
                        assert_eq!(find(wanted, &bytes), Some(at), "{wanted} in {bytes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_first_of_two_bytes_is_found() {
        for len in 0..40 {
            for (one, other) in [(b';', b'"'), (b'"', b';'), (0, 0xff), (0xff, 0)] {
                for at in 0..len {
                    let mut bytes = vec![b'a'; len];
                    assert_eq!(find_either([one, other], &bytes), None, "{bytes:?}");
                    bytes[len - 1] = other;
                    bytes[at] = one;
                    assert_eq!(find_either([one, other], &bytes), Some(at), "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn the_first_byte_that_is_lower_is_found() {
        for len in 0..40 {
            for below in [1, b'\r' + 1, 0x80] {
                for other in below..=u8::MAX {
                    let mut bytes = vec![other; len];
                    assert_eq!(find_below(below, &bytes), None, "{bytes:?}");
                    for at in (0..len).rev() {
                        bytes[at] = below - 1;
                        assert_eq!(find_below(below, &bytes), Some(at), "{bytes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_first_byte_that_is_wanted_or_lower_is_found() {
        for len in 0..40 {
            for other in 0..=u8::MAX {
                for one in [b':', b':' + 1, 0, 0x20, 0x21, other] {
                    for at in 0..len {
                        let mut bytes = vec![other; len];
                        bytes[at] = one;
                        let expected = bytes.iter().position(|&byte| byte == b':' || byte <= b' ');
                        let found = find_or_below(b':', b' ' + 1, &bytes);
                        assert_eq!(found, expected, "{bytes:?}");
                    }
                }
            }
        }
    }
}

//! The write-ahead log of SQLite, read only to learn whether something durable was lost.
//!
//! SQLite reads its log up to the first frame that does not fit, and drops the rest. After a power
//! cut that is right: the rest is what was being written. After damage in the middle it is silent:
//! groups that had been synced are gone. The two differ. Each group is synced before the next is
//! begun, so a cut tears the last group alone; where more follows after the first misfit, something
//! durable is lost.
//!
//! The format is that of <https://www.sqlite.org/fileformat2.html#walformat>.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

/// Counts the groups that SQLite drops although they were durable. A log that is not there or that
/// was never begun has lost none.
///
/// Damage in the last group cannot be told from a group that was being written; it is not counted.
/// With a damaged header, groups are counted that may have been in the main file already.
///
/// # Errors
///
/// When the log cannot be read.
pub fn lost_groups(path: &Path) -> io::Result<u64> {
    let mut log = match File::open(path) {
        Ok(file) => BufReader::with_capacity(1 << 16, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut header = [0; HEADER];
    if !fill(&mut log, &mut header)? {
        return Ok(0);
    }
    let big_endian = header[3] & 1 == 1;
    let mut sum = Sum {
        big_endian,
        words: (0, 0),
    };
    sum.add(&header[..24]);
    let mut fits = word(&header, 0) & !1 == MAGIC && sum.words == pair(&header, 24);
    let (page, mut salts) = if fits {
        (word(&header, 8) as usize, Some(pair(&header, 16)))
    } else {
        (PAGE, None)
    };
    let mut frame = vec![0; FRAME + page];
    let mut misfits = Misfits::default();
    while fill(&mut log, &mut frame)? {
        // Without a header, the first frame tells which frames belong together.
        let salts = *salts.get_or_insert_with(|| pair(&frame, 8));
        let ours = pair(&frame, 8) == salts;
        sum.add(&frame[..8]);
        sum.add(&frame[FRAME..]);
        fits = fits && ours && sum.words == pair(&frame, 16);
        if !fits && ours {
            misfits.add(word(&frame, 4) != 0);
        }
    }
    Ok(misfits.lost())
}

/// What follows after the first frame that does not fit.
#[derive(Default)]
struct Misfits {
    groups: u64,
    /// Frames after the end of the last group.
    rest: u64,
}

impl Misfits {
    const fn add(&mut self, ends_group: bool) {
        if ends_group {
            self.groups += 1;
            self.rest = 0;
        } else {
            self.rest += 1;
        }
    }

    /// The last group may have been torn; all before it were durable.
    const fn lost(&self) -> u64 {
        if self.rest > 0 {
            self.groups
        } else {
            self.groups.saturating_sub(1)
        }
    }
}

/// The running checksum of the log.
struct Sum {
    big_endian: bool,
    words: (u32, u32),
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let (mut a, mut b) = self.words;
        let (chunks, _) = bytes.as_chunks::<4>();
        let word = |bytes: &[u8; 4]| {
            if self.big_endian {
                u32::from_be_bytes(*bytes)
            } else {
                u32::from_le_bytes(*bytes)
            }
        };
        for two in chunks.chunks_exact(2) {
            a = a.wrapping_add(word(&two[0])).wrapping_add(b);
            b = b.wrapping_add(word(&two[1])).wrapping_add(a);
        }
        self.words = (a, b);
    }
}

/// Fills the buffer; whether there was enough.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let (chunks, _) = bytes[at..].as_chunks::<4>();
    chunks.first().map_or(0, |word| u32::from_be_bytes(*word))
}

fn pair(bytes: &[u8], at: usize) -> (u32, u32) {
    (word(bytes, at), word(bytes, at + 4))
}

/// The first word of a log, but for its last bit.
const MAGIC: u32 = 0x377f_0682;

/// The length of the log's header in bytes.
const HEADER: usize = 32;

/// The length of a frame's header in bytes.
const FRAME: usize = 24;

/// The length of a page in bytes, where the header does not tell it.
const PAGE: usize = 4096;

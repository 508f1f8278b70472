//! Groups cut into blocks, and what is made of blocks that are not as they were written.

use super::*;
use crate::journal::scratch::{course, put};

/// Blocks and where they lie.
type Sealed = Vec<(u32, [u8; LEN])>;

/// The blocks of a group in the slots from `first` on.
fn sealed(first: u32, after: u64, changes: &[(u64, Change)]) -> Sealed {
    let mut content = Vec::new();
    for (seq, change) in changes {
        super::put(&mut content, *seq, change);
    }
    let chunks = content.chunks(ROOM);
    let parts = chunks.len() as u32;
    let last = changes.last().unwrap().0;
    let block = |(part, chunk)| {
        let slot = first + part;
        let mut block = [7; LEN];
        let place = Place {
            slot,
            after,
            last,
            part,
            parts,
        };
        seal(&mut block, &place, chunk);
        (slot, block)
    };
    (0..).zip(chunks).map(block).collect()
}

/// Three groups, the second of more than one block.
fn three() -> (Vec<Vec<(u64, Change)>>, Sealed) {
    let small = |seqs: std::ops::RangeInclusive<u64>| -> Vec<_> {
        seqs.map(|seq| (seq, course(seq))).collect()
    };
    let large = vec![(5, put(1, "large", &"x".repeat(9000))), (9, course(9))];
    let groups = vec![small(1..=4), large, small(10..=12)];
    let mut blocks = sealed(0, 0, &groups[0]);
    blocks.extend(sealed(10, 4, &groups[1]));
    blocks.extend(sealed(2, 9, &groups[2]));
    assert!(blocks.len() > 4);
    (groups, blocks)
}

fn taken(blocks: &[(u32, [u8; LEN])], folded: u64, last_seq: u64) -> Recent {
    let mut all = Blocks::default();
    for (slot, block) in blocks {
        all.take(i64::from(*slot), block);
    }
    all.groups(folded, last_seq)
}

#[test]
fn groups_come_back_as_they_were() {
    let (groups, blocks) = three();
    let recent = taken(&blocks, 0, 12);
    let found: Vec<_> = recent.groups.iter().map(|group| &group.changes).collect();
    assert_eq!(found, groups.iter().collect::<Vec<_>>());
    assert_eq!(recent.groups[1].slots, [10, 11, 12]);
    assert_eq!(recent.lost, 0);
    // Read in both directions, as of a file that is broken in between.
    let twice: Vec<_> = blocks.iter().chain(blocks.iter().rev()).copied().collect();
    assert_eq!(taken(&twice, 0, 12), recent);
}

#[test]
fn what_is_in_the_rows_is_not_looked_at() {
    let (_, blocks) = three();
    for (folded, left) in [(3, 3), (4, 2), (8, 2), (9, 1), (12, 0)] {
        let recent = taken(&blocks, folded, 12);
        assert_eq!((recent.groups.len(), recent.lost), (left, 0), "{folded}");
    }
    // Blocks of before that were written over in part are no loss.
    assert_eq!(taken(&blocks[2..], 9, 12).lost, 0);
}

#[test]
fn a_group_that_is_gone_is_missed() {
    let (_, blocks) = three();
    let without = |gone: std::ops::Range<usize>| {
        let left = blocks[..gone.start].iter().chain(&blocks[gone.end..]);
        taken(&left.copied().collect::<Vec<_>>(), 0, 12)
    };
    let all = blocks.len();
    assert_eq!(without(0..1).lost, 1);
    // A part is not a group.
    assert_eq!(without(2..3).lost, 1);
    assert_eq!(without(2..3).groups.len(), 2);
    // The head knows of the last, here of two blocks.
    assert_eq!(without(all - 2..all).lost, 1);
    assert_eq!(without(0..all).lost, 1);
    assert_eq!(taken(&blocks[..all - 2], 0, 9).lost, 0);
}

#[test]
fn a_blank_block_is_nothing() {
    let recent = taken(&[(0, [0; LEN]), (1, [0; LEN])], 7, 7);
    assert_eq!((recent.groups.len(), recent.lost), (0, 0));
    assert_eq!(recent.slots, BTreeSet::from([0, 1]));
}

#[test]
fn no_flipped_bit_is_believed() {
    let (groups, blocks) = three();
    for (index, (slot, block)) in blocks.iter().enumerate() {
        for at in 0..LEN {
            let mut blocks = blocks.clone();
            blocks[index].1[at] ^= 1 << (at % 8);
            // The head does not know of the last group: only the block itself can tell.
            let recent = taken(&blocks, 0, 9);
            assert_eq!(recent.lost, 1, "byte {at} of slot {slot}");
            for group in &recent.groups {
                assert!(groups.contains(&group.changes));
            }
            assert_eq!(recent.groups.len(), 2);
        }
        assert_eq!(block.len(), LEN);
    }
}

#[test]
fn a_block_elsewhere_or_of_another_length_is_not_believed() {
    let (_, blocks) = three();
    let (slot, block) = blocks[0];
    let mut all = Blocks::default();
    all.take(i64::from(slot) + 1, &block);
    assert_eq!(all.groups(0, 0).lost, 1);
    for length in [0, HEADER - 1, LEN - 1] {
        let mut all = Blocks::default();
        all.take(0, &block[..length]);
        assert_eq!(all.groups(0, 0).lost, 1, "{length} bytes");
    }
    let mut all = Blocks::default();
    all.take(-1, &block);
    assert_eq!(all.groups(0, 0).lost, 1);
}

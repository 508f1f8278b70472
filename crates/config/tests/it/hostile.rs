//! Text that nobody meant as a configuration.

use proptest::prelude::*;

use crate::{load, shipped_text};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A file with some bytes changed is read or refused; each error has a place in it.
    #[test]
    fn a_damaged_file_is_read_or_refused(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<char>(), 0_usize..3), 1..6),
    ) {
        let mut text: Vec<char> = shipped_text("three-sites.toml").chars().collect();
        for (at, character, kind) in edits {
            let at = at.index(text.len());
            match kind {
                0 => text[at] = character,
                1 => text.insert(at, character),
                _ => drop(text.remove(at)),
            }
        }
        let text: String = text.into_iter().collect();
        if let Err(errors) = load("damaged.toml", &text) {
            prop_assert!(!errors.problems().is_empty());
            let lines = text.lines().count() + 1;
            for problem in errors.problems() {
                prop_assert!((1..=lines).contains(&problem.line), "{problem:?}");
                prop_assert!(!problem.message.is_empty());
            }
        }
    }

    #[test]
    fn any_text_is_refused_without_a_panic(text in "\\PC{0,200}") {
        prop_assert!(load("noise.toml", &text).is_err());
    }
}

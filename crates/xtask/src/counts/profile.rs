//! What callgrind writes (its manual, "Callgrind Format Specification"), as far as it is summed here: with
//! names in full, so that no line means something by what came long before it.

use anyhow::{Context as _, ensure};

/// Instructions of a profile that were executed outside of the C library.
pub(super) fn instructions(text: &str) -> anyhow::Result<u64> {
    let mut instructions = 0;
    let mut is_library = false;
    // The line after a call tells what it costs inside: that is told by whom it is spent.
    let mut is_of_call = false;
    for line in text.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            is_library = is_c_library(object);
        } else if line.starts_with("calls=") {
            is_of_call = true;
        } else if is_cost(line) {
            if !std::mem::take(&mut is_of_call) && !is_library {
                instructions += cost(line)?;
            }
        } else if let Some(events) = line.strip_prefix("events: ") {
            ensure!(events.trim() == "Ir", "callgrind has counted {events}");
        }
    }
    Ok(instructions)
}

/// A line begins with where it is: absolute, relative to the line before, or as there.
fn is_cost(line: &str) -> bool {
    line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
}

/// `/usr/lib/x86_64-linux-gnu/libc.so.6`, and what it loads itself with.
fn is_c_library(object: &str) -> bool {
    let file = object.rsplit('/').next().unwrap_or(object);
    file.starts_with("libc.so") || file.starts_with("libc-") || file.starts_with("ld-linux")
}

/// The cost of `POSITION COST`; one that is left out is none.
fn cost(line: &str) -> anyhow::Result<u64> {
    let cost = line.split_whitespace().nth(1).unwrap_or("0");
    cost.parse().with_context(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_c_library_is_left_out_and_what_is_called_counts_once() {
        let text = "version: 1\npositions: line\nevents: Ir\n\n\
            ob=/target/release/counts\nfl=counts.rs\nfn=counts::counted_by_callgrind\n10 5\n\
            cob=/usr/lib/x86_64-linux-gnu/libc.so.6\ncfi=???\ncfn=malloc\ncalls=3 0\n+2 300\n\
            fi=vec.rs\n* 7\ncfn=counts::work'2\ncalls=2 40\n* 50\n\n\
            ob=/usr/lib/x86_64-linux-gnu/libc.so.6\nfl=???\nfn=realloc\n0 100\n\
            cfn=malloc\ncalls=9 0\n0 200\n\n\
            ob=/target/release/counts\nfl=counts.rs\nfn=counts::work\n-4 30\n\
            cob=/usr/lib/x86_64-linux-gnu/libc.so.6\ncfi=???\ncfn=realloc\ncalls=1 0\n+1 90\n\n\
            totals: 342\n";
        assert_eq!(instructions(text).unwrap(), 5 + 7 + 30);
    }

    #[test]
    fn other_events_are_no_instructions() {
        assert!(instructions("events: Ir Dr Dw\n").is_err());
    }
}

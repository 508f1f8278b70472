//! Waiting for a level: asked again and again until it is there or the time is over. Never for a
//! fixed time.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(10);

/// What a look found.
pub(crate) enum Look<T> {
    /// It is there.
    Done(T),
    /// Not yet; what is there instead, for the message when time is over.
    NotYet(String),
}

/// Looks until it is there. An error of the look ends the wait at once.
pub(crate) fn until<T>(
    deadline: Instant,
    what: &str,
    mut look: impl FnMut() -> anyhow::Result<Look<T>>,
) -> anyhow::Result<T> {
    loop {
        match look()? {
            Look::Done(found) => return Ok(found),
            Look::NotYet(instead) if Instant::now() >= deadline => {
                anyhow::bail!("waited in vain for {what}: {instead}")
            }
            Look::NotYet(_) => thread::sleep(INTERVAL),
        }
    }
}

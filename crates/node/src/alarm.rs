//! The core's one timer.

use std::{future::pending, pin::Pin, time::Instant};

use tokio::time::{Sleep, sleep_until};

/// Rings at a moment, or before it.
///
/// Almost every message moves the moment, mostly further away. To set the event loop's timer each time would
/// wake that loop by a system call each time: what is set is left as it is unless it is too late, and rings
/// once for nothing.
pub(crate) struct Alarm {
    set: Pin<Box<Sleep>>,
}

impl Alarm {
    /// Must be called on the runtime that will drive it.
    pub(crate) fn new() -> Self {
        Self {
            set: Box::pin(sleep_until(Instant::now().into())),
        }
    }

    /// Rings at this moment at the latest; without one, never.
    pub(crate) async fn ring(&mut self, at: Option<Instant>) {
        let Some(at) = at else {
            return pending().await;
        };
        let at = at.into();
        if self.set.is_elapsed() || at < self.set.deadline() {
            self.set.as_mut().reset(at);
        }
        self.set.as_mut().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{runtime::Builder, time};

    use super::*;

    /// On a paused clock, which goes on by itself to the next moment at which something is due.
    fn on_virtual_time(test: impl Future<Output = ()>) {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.expect("a runtime without I/O").block_on(test);
    }

    fn ms(since: time::Instant) -> u128 {
        since.elapsed().as_millis()
    }

    #[test]
    fn it_rings_at_the_moment_after_one_that_was_nearer() {
        on_virtual_time(async {
            let start = time::Instant::now();
            let at = |ms| Some((start + Duration::from_millis(ms)).into_std());
            let mut alarm = Alarm::new();
            alarm.ring(at(0)).await;
            // Somebody else was first: what was set stays.
            tokio::select! {
                biased;
                () = alarm.ring(at(100)) => panic!("it rang too early"),
                () = std::future::ready(()) => {}
            }
            alarm.ring(at(500)).await;
            assert_eq!(ms(start), 100, "once for nothing");
            alarm.ring(at(500)).await;
            assert_eq!(ms(start), 500);
        });
    }

    #[test]
    fn it_rings_at_a_nearer_moment_than_what_was_set() {
        on_virtual_time(async {
            let start = time::Instant::now();
            let at = |ms| Some((start + Duration::from_millis(ms)).into_std());
            let mut alarm = Alarm::new();
            alarm.ring(at(0)).await;
            tokio::select! {
                biased;
                () = alarm.ring(at(500)) => panic!("it rang too early"),
                () = std::future::ready(()) => {}
            }
            alarm.ring(at(20)).await;
            assert_eq!(ms(start), 20);
        });
    }
}

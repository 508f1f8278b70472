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

    /// What the alarm is asked for, in milliseconds from the beginning, and when it has rung: after a wait for
    /// `left` that something else has ended. On a paused clock, which goes on by itself to the next moment at
    /// which something is due.
    fn rings(left: u64, asked: &[u64]) -> Vec<u128> {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.expect("a runtime without I/O").block_on(async {
            let start = time::Instant::now();
            let at = |ms| Some((start + Duration::from_millis(ms)).into_std());
            let mut alarm = Alarm::new();
            alarm.ring(at(0)).await;
            tokio::select! {
                biased;
                () = alarm.ring(at(left)) => panic!("it rang too early"),
                () = std::future::ready(()) => {}
            }
            let mut rang = Vec::new();
            for &ms in asked {
                alarm.ring(at(ms)).await;
                rang.push(start.elapsed().as_millis());
            }
            rang
        })
    }

    #[test]
    fn it_rings_once_for_nothing_and_then_at_a_later_moment_than_what_was_set() {
        assert_eq!(rings(100, &[500, 500]), [100, 500]);
    }

    #[test]
    fn it_rings_at_a_nearer_moment_than_what_was_set() {
        assert_eq!(rings(500, &[20]), [20]);
    }
}

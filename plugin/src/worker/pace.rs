//! How often a watcher is told of changes: at most ten times a second, of mere counts once a second,
//! and of the last change in any case. On the monotonic clock of the worker; a step of the wall clock changes nothing.

use std::time::Duration;

/// The shortest time between two status documents to a watcher.
pub const INTERVAL: Duration = Duration::from_millis(100);
/// The same where nothing but a count has changed.
pub const INTERVAL_OF_COUNTS: Duration = Duration::from_secs(1);

/// What a watcher has been told.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    revision: u64,
    at: Option<Duration>,
}

impl Pace {
    /// Nothing beyond `revision` has happened yet.
    pub fn of_changes(revision: u64) -> Self {
        Pace {
            interval: INTERVAL,
            revision,
            at: None,
        }
    }

    /// As that, for something that may change all the time and is not urgent.
    pub fn of_counts(total: u64) -> Self {
        Pace {
            interval: INTERVAL_OF_COUNTS,
            ..Pace::of_changes(total)
        }
    }

    /// In how long the watcher is to be told of `revision`; `None` if it was.
    pub fn due(&self, revision: u64, now: Duration) -> Option<Duration> {
        if self.revision == revision {
            return None;
        }
        let next = self.at.map_or(now, |at| at + self.interval);
        Some(next.saturating_sub(now))
    }

    /// It is told now.
    pub fn told(&mut self, revision: u64, now: Duration) {
        self.revision = revision;
        self.at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lets `changes` (each a pause before it, ms) happen, and time pass; what was told, and when.
    fn told(changes: &[u64]) -> Vec<(u64, Duration)> {
        let mut pace = Pace::of_changes(0);
        let mut told = Vec::new();
        let (mut now, mut revision) = (Duration::ZERO, 0);
        let mut look = |until: Duration, revision: u64, now: &mut Duration| {
            while let Some(wait) = pace.due(revision, *now) {
                if *now + wait > until {
                    break;
                }
                *now += wait;
                pace.told(revision, *now);
                told.push((revision, *now));
            }
            *now = until;
        };
        for pause in changes {
            look(now + Duration::from_millis(*pause), revision, &mut now);
            revision += 1;
        }
        look(now + INTERVAL, revision, &mut now);
        told
    }

    #[test]
    fn the_first_change_is_told_at_once() {
        assert_eq!(told(&[7]), [(1, Duration::from_millis(7))]);
    }

    #[test]
    fn a_burst_is_told_as_its_first_and_its_last() {
        let all = told(&[0; 1000]);
        assert_eq!(all, [(1, Duration::ZERO), (1000, INTERVAL)]);
        let all = told(&[1; 50]);
        assert_eq!(
            all,
            [
                (1, Duration::from_millis(1)),
                (50, Duration::from_millis(101))
            ]
        );
    }

    proptest! {
        #[test]
        fn never_more_than_ten_a_second_and_the_last_one_always(
            changes in proptest::collection::vec(0u64..200, 1..80),
        ) {
            let all = told(&changes);
            for (one, next) in all.iter().zip(all.iter().skip(1)) {
                prop_assert!(next.1 - one.1 >= INTERVAL, "{all:?}");
                prop_assert!(next.0 > one.0, "{all:?}");
            }
            prop_assert_eq!(all.last().map(|(revision, _)| *revision), Some(changes.len() as u64));
        }
    }
}

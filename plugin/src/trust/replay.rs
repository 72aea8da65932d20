//! Remembers which signed messages were accepted, in bounded memory.
//!
//! It forgets no id without closing the time from which it came: when it is full,
//! the id with the oldest timestamp goes, and from then on no message of that
//! time or an earlier one is taken. It knows no clock. Called by the verifier.

use std::collections::{BTreeSet, HashSet};

use openssl::sha::sha256;

/// Ids that are remembered at once.
pub const REMEMBERED_IDS: usize = 4096;

/// An id in 32 bytes, however long the sender made it.
type IdDigest = [u8; 32];

/// The memory. About 0.5 MiB when it is full.
#[derive(Debug, Default)]
pub(super) struct ReplayWindow {
    ids: HashSet<IdDigest>,
    by_time: BTreeSet<(i64, IdDigest)>,
    closed_until: Option<i64>,
}

/// Why an id is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replay {
    Seen,
    /// It may have been seen and forgotten.
    TooOld,
}

impl ReplayWindow {
    /// Whether the message was not seen yet.
    pub(super) fn check(&self, id: &str, timestamp: i64) -> Result<(), Replay> {
        if self.ids.contains(&sha256(id.as_bytes())) {
            Err(Replay::Seen)
        } else if self.closed_until.is_some_and(|closed| timestamp <= closed) {
            Err(Replay::TooOld)
        } else {
            Ok(())
        }
    }

    /// Remembers an accepted message.
    pub(super) fn remember(&mut self, id: &str, timestamp: i64) {
        let digest = sha256(id.as_bytes());
        if self.ids.insert(digest) {
            self.by_time.insert((timestamp, digest));
        }
        while self.ids.len() > REMEMBERED_IDS {
            let Some((oldest, digest)) = self.by_time.pop_first() else {
                return;
            };
            self.ids.remove(&digest);
            self.close_until(oldest);
        }
    }

    /// Takes nothing any more of this time or an earlier one.
    pub(super) fn close_until(&mut self, timestamp: i64) {
        self.closed_until = self.closed_until.max(Some(timestamp));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> ReplayWindow {
        let mut window = ReplayWindow::default();
        for number in 0..REMEMBERED_IDS as i64 {
            window.remember(&number.to_string(), number);
        }
        window
    }

    #[test]
    fn an_id_is_taken_once_whatever_its_timestamp() {
        let mut window = ReplayWindow::default();
        assert_eq!(window.check("a", 5), Ok(()));
        window.remember("a", 5);
        assert_eq!(window.check("a", 6), Err(Replay::Seen));
        assert_eq!(window.check("b", 5), Ok(()));
    }

    #[test]
    fn a_full_window_closes_rather_than_forgets() {
        let mut window = full();
        assert_eq!(window.check("late", 0), Ok(()));
        assert_eq!(window.check("0", 0), Err(Replay::Seen));
        window.remember("new", 9_999);
        assert_eq!(window.check("0", 0), Err(Replay::TooOld));
        assert_eq!(window.check("late", 0), Err(Replay::TooOld));
        assert_eq!(window.check("late", 1), Ok(()));
        assert_eq!(window.check("1", 1), Err(Replay::Seen));
    }

    #[test]
    fn memory_stays_bounded() {
        let mut window = full();
        for number in 0..10_000 {
            window.remember(&format!("more {number}"), 5_000 + number % 7);
        }
        assert_eq!(
            (window.ids.len(), window.by_time.len()),
            (REMEMBERED_IDS, REMEMBERED_IDS)
        );
    }

    #[test]
    fn an_older_message_than_all_in_a_full_window_is_not_taken_twice() {
        let mut window = full();
        window.close_until(-10);
        assert_eq!(window.check("early", -5), Ok(()));
        window.remember("early", -5);
        assert!(window.check("early", -5).is_err());
    }
}

//! Remembers which signed messages were accepted, in bounded memory.
//!
//! It forgets no id without closing the time from which it came: when it is full,
//! the id with the oldest timestamp goes, and from then on no message of that
//! time or an earlier one is taken. It knows no clock and no file. Called by the verifier, and by the
//! worker for what is to be known after a restart.

use std::collections::{BTreeSet, HashSet};

use openssl::sha::sha256;

/// Ids that are remembered at once.
pub const REMEMBERED_IDS: usize = 4096;

/// An id in 32 bytes, however long the sender made it.
pub type IdDigest = [u8; 32];

/// The digest of a `sig.id`.
pub fn digest_of(id: &str) -> IdDigest {
    sha256(id.as_bytes())
}

/// The memory. About 0.5 MiB when it is full.
#[derive(Debug, Default)]
pub struct ReplayWindow {
    ids: HashSet<IdDigest>,
    by_time: BTreeSet<(i64, IdDigest)>,
    closed_until: Option<i64>,
}

/// Why an id is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// It was seen.
    Seen,
    /// It may have been seen and forgotten.
    TooOld,
}

impl ReplayWindow {
    /// Whether the message was not seen yet.
    ///
    /// # Errors
    /// [`Replay`].
    pub fn check(&self, id: &IdDigest, timestamp: i64) -> Result<(), Replay> {
        if self.ids.contains(id) {
            Err(Replay::Seen)
        } else if self.closed_until.is_some_and(|closed| timestamp <= closed) {
            Err(Replay::TooOld)
        } else {
            Ok(())
        }
    }

    /// Remembers an accepted message.
    pub fn remember(&mut self, id: IdDigest, timestamp: i64) {
        if self.ids.insert(id) {
            self.by_time.insert((timestamp, id));
        }
        while self.ids.len() > REMEMBERED_IDS {
            self.forget_oldest();
        }
    }

    /// Forgets what is of this time or an earlier one, and takes nothing of it any more.
    pub fn close_until(&mut self, timestamp: i64) {
        self.closed_until = self.closed_until.max(Some(timestamp));
        while self.by_time.first().is_some_and(|(at, _)| *at <= timestamp) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((oldest, id)) = self.by_time.pop_first() {
            self.ids.remove(&id);
            self.closed_until = self.closed_until.max(Some(oldest));
        }
    }

    /// Nothing of this time or an earlier one is taken.
    pub fn closed_until(&self) -> Option<i64> {
        self.closed_until
    }

    /// What is remembered, the oldest timestamp first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = (i64, &IdDigest)> {
        self.by_time.iter().map(|(at, id)| (*at, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl ReplayWindow {
        fn check_id(&self, id: &str, timestamp: i64) -> Result<(), Replay> {
            self.check(&digest_of(id), timestamp)
        }

        fn remember_id(&mut self, id: &str, timestamp: i64) {
            self.remember(digest_of(id), timestamp);
        }
    }

    fn full() -> ReplayWindow {
        let mut window = ReplayWindow::default();
        for number in 0..REMEMBERED_IDS as i64 {
            window.remember_id(&number.to_string(), number);
        }
        window
    }

    #[test]
    fn an_id_is_taken_once_whatever_its_timestamp() {
        let mut window = ReplayWindow::default();
        assert_eq!(window.check_id("a", 5), Ok(()));
        window.remember_id("a", 5);
        assert_eq!(window.check_id("a", 6), Err(Replay::Seen));
        assert_eq!(window.check_id("b", 5), Ok(()));
    }

    #[test]
    fn a_full_window_closes_rather_than_forgets() {
        let mut window = full();
        assert_eq!(window.check_id("late", 0), Ok(()));
        assert_eq!(window.check_id("0", 0), Err(Replay::Seen));
        window.remember_id("new", 9_999);
        assert_eq!(window.check_id("0", 0), Err(Replay::TooOld));
        assert_eq!(window.check_id("late", 0), Err(Replay::TooOld));
        assert_eq!(window.check_id("late", 1), Ok(()));
        assert_eq!(window.check_id("1", 1), Err(Replay::Seen));
    }

    #[test]
    fn memory_stays_bounded() {
        let mut window = full();
        for number in 0..10_000 {
            window.remember_id(&format!("more {number}"), 5_000 + number % 7);
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
        assert_eq!(window.check_id("early", -5), Ok(()));
        window.remember_id("early", -5);
        assert!(window.check_id("early", -5).is_err());
    }
}

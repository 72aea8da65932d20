//! How the platform's thread tells others that they may look into the database again.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// Counts what happens, so that one can wait for it.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    count: Mutex<u64>,
    more: Condvar,
}

impl Changes {
    pub(crate) fn announce(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.more.notify_all();
    }

    pub(crate) fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something after `seen`, at most until then.
    pub(crate) fn wait(&self, seen: u64, until: Instant) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.saturating_duration_since(Instant::now());
        // Looked at again by the caller, whatever ended the wait.
        let _ = self
            .more
            .wait_timeout_while(count, left, |count| *count == seen);
    }
}

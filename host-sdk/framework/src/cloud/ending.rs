//! Waiting until a connection is disconnected, and giving that up.
//!
//! The order goes to the thread of the connection with a [`Done`]; who gave it keeps the
//! [`Ending`]. Not here: how long a session may take to end in good order, which is the `actor`'s.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The end of a session, to wait for.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    over: Mutex<bool>,
    changed: Condvar,
}

/// Dropping it says that the session has ended, or that nobody is there any more to end it.
#[derive(Debug)]
pub(super) struct Done(Ending);

impl Ending {
    /// With who is to say so.
    pub(super) fn new() -> (Ending, Done) {
        let ending = Ending::default();
        (ending.clone(), Done(ending))
    }

    /// Until it has ended, or somebody gives up, and no longer than this.
    pub(super) fn wait(&self, longest: Duration) {
        let over = self
            .inner
            .over
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        drop(
            self.inner
                .changed
                .wait_timeout_while(over, longest, |over| !*over),
        );
    }

    /// Whether it is the same one.
    pub(super) fn is(&self, other: &Ending) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Nobody waits any more; the session ends all the same.
    pub(super) fn give_up(&self) {
        *self
            .inner
            .over
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.inner.changed.notify_all();
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

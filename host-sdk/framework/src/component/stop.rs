//! The wish that the gateway end, for whoever waits for something else meanwhile.
//!
//! It ends nothing by itself: [`Framework::shutdown`](crate::Framework::shutdown) does. A host that
//! catches signals raises it at the first one, also while
//! [`Framework::start_with`](crate::Framework::start_with) has not returned; the control thread then
//! begins nothing more, and what is left behind is held against nobody.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Raised once and for all. Any thread; clones are the same.
#[derive(Clone, Default)]
pub struct Stop(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    raised: bool,
    hooks: Vec<Box<dyn FnOnce() + Send>>,
}

impl Stop {
    /// Says that the gateway is to end. Returns once everything that has to know does.
    pub fn raise(&self) {
        let mut state = self.lock();
        state.raised = true;
        let hooks = std::mem::take(&mut state.hooks);
        drop(state);
        for hook in hooks {
            hook();
        }
        // Who waits goes on only once those who have to know do.
        self.0.changed.notify_all();
    }

    /// Whether it is to end.
    pub fn is_raised(&self) -> bool {
        self.lock().raised
    }

    /// Waits for that, at most so long; whether it is to end.
    pub fn wait(&self, at_most: Duration) -> bool {
        let waiting = self
            .0
            .changed
            .wait_timeout_while(self.lock(), at_most, |state| !state.raised);
        let (state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        state.raised
    }

    /// Calls `hook` when it is raised, on the thread that does; at once if it is.
    pub(crate) fn then(&self, hook: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        if !state.raised {
            return state.hooks.push(Box::new(hook));
        }
        drop(state);
        hook();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Stop").field(&self.is_raised()).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn who_waits_and_who_has_to_know_is_told_once_before_and_after() {
        let stop = Stop::default();
        assert!(!stop.wait(Duration::from_millis(1)) && !stop.is_raised());
        let (told, hear) = channel();
        let early = told.clone();
        stop.then(move || early.send("early").unwrap());
        let waiter = stop.clone();
        let waits = std::thread::spawn(move || waiter.wait(Duration::from_secs(3600)));
        stop.raise();
        assert!(waits.join().unwrap() && stop.is_raised());
        stop.raise();
        stop.then(move || told.send("late").unwrap());
        assert_eq!(hear.iter().collect::<Vec<_>>(), ["early", "late"]);
    }
}

//! Telling listeners about changes: after the change is durable, outside every lock, one at a
//! time and in the order of the changes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What happened to a component's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The pid.
    pub pid: String,
    /// Its factory pid, if it has one.
    pub factory_pid: Option<String>,
    /// What happened.
    pub kind: ChangeKind,
}

/// Kinds of [`Change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Created,
    /// It has other values.
    Updated,
    /// It is gone.
    Deleted,
}

/// Whoever wants to know. It reads the values itself: they may have changed again meanwhile.
pub type Listener = Box<dyn Fn(&Change) + Send + Sync>;

#[derive(Default)]
pub(super) struct Notifier {
    listeners: Mutex<Vec<Arc<Listener>>>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    changes: VecDeque<Change>,
    delivering: bool,
}

impl Notifier {
    pub(super) fn listen(&self, listener: Listener) {
        lock(&self.listeners).push(Arc::new(listener));
    }

    /// Queues changes; called while the configurations are locked, which gives them their order.
    pub(super) fn push(&self, changes: Vec<Change>) {
        lock(&self.queue).changes.extend(changes);
    }

    /// Delivers what is queued. Where another thread (or a listener further up in this one) is
    /// delivering already, it delivers this, too.
    pub(super) fn deliver(&self) {
        let mut queue = lock(&self.queue);
        if queue.delivering {
            return;
        }
        queue.delivering = true;
        drop(queue);
        let guard = Delivering(self);
        while let Some(change) = guard.next() {
            let listeners = lock(&self.listeners).clone();
            for listener in listeners {
                listener(&change);
            }
        }
    }
}

/// Ends the delivery even if a listener panics.
struct Delivering<'a>(&'a Notifier);

impl Delivering<'_> {
    /// The next change; with the last one the delivery ends under the same lock, so that none
    /// stays behind.
    fn next(&self) -> Option<Change> {
        let mut queue = lock(&self.0.queue);
        let change = queue.changes.pop_front();
        queue.delivering = change.is_some();
        change
    }
}

impl Drop for Delivering<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(&self.0.queue).delivering = false;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What happens in the framework, for whoever wants to watch: consoles, the command line, tests.
//!
//! [`Hub::post`] never blocks and never fails: a component reports its status through it. Each
//! subscriber has a queue of its own, in which a newer state of the same thing replaces an older
//! one that nobody has read yet; so the queue is bounded, and the last state is never lost. Posted
//! events (`gwc.events/1`) have no newer state: of those, the oldest are dropped and counted.

use std::collections::VecDeque;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use crate::cloud::ConnectionInfo;
use crate::plugins::PluginInfo;

/// Events handed over and not yet read by a subscriber.
const CHANNEL: usize = 16;
/// Posted events that wait for one subscriber.
const MAX_POSTED: usize = 1_024;
/// How often a subscriber that does not read is looked after.
const FULL_PAUSE: Duration = Duration::from_millis(20);

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A component has a new status document.
    Status {
        /// Of the component.
        pid: String,
        /// JSON.
        document: String,
    },
    /// A configuration was created, changed or deleted.
    Configuration {
        /// Of the component.
        pid: String,
    },
    /// A cloud connection is in a new state.
    Connection(ConnectionInfo),
    /// A plugin was found, loaded, superseded or refused; one that was removed has the state
    /// `Removed`.
    Plugin(PluginInfo),
    /// A package was installed, changed or removed, or a change of it is settled.
    Package {
        /// Its name.
        name: String,
    },
    /// A component posted an event.
    Posted {
        /// Its topic.
        topic: String,
        /// An object of its properties.
        json: String,
    },
}

impl Event {
    /// Whether `self` makes `earlier` obsolete.
    fn replaces(&self, earlier: &Event) -> bool {
        match (self, earlier) {
            (Event::Status { pid, .. }, Event::Status { pid: other, .. })
            | (Event::Configuration { pid }, Event::Configuration { pid: other }) => pid == other,
            (Event::Connection(new), Event::Connection(old)) => new.pid == old.pid,
            (Event::Plugin(new), Event::Plugin(old)) => new.path == old.path,
            (Event::Package { name }, Event::Package { name: other }) => name == other,
            _ => false,
        }
    }
}

/// Hands events to any number of subscribers. Cheap to clone.
#[derive(Clone, Default)]
pub struct Hub {
    subscribers: Arc<Mutex<Vec<Weak<Queue>>>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Event>,
    dropped: u64,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    /// Hands an event to every subscriber.
    pub fn post(&self, event: Event) {
        for queue in self.living() {
            queue.lock().put(event.clone());
            queue.changed.notify_one();
        }
    }

    /// A new subscriber, who gets every event from now on. Its thread ends when the receiver is
    /// dropped, at the next event, or when the hub is closed.
    pub fn subscribe(&self) -> Receiver<Event> {
        let (sender, receiver) = sync_channel(CHANNEL);
        let queue = Arc::new(Queue::default());
        let pump = Arc::clone(&queue);
        let started = thread::Builder::new()
            .name("gwc-events".to_owned())
            .spawn(move || run(&pump, &sender));
        match started {
            Ok(_) => self
                .subscribers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(Arc::downgrade(&queue)),
            Err(e) => log::error!("no thread for a subscriber of events: {e}"),
        }
        receiver
    }

    /// Ends all subscriptions, once what waits has been read by those that read.
    pub fn close(&self) {
        for queue in self.living() {
            queue.lock().closed = true;
            queue.changed.notify_one();
        }
    }

    fn living(&self) -> Vec<Arc<Queue>> {
        let mut list = self
            .subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        list.retain(|queue| queue.strong_count() > 0);
        list.iter().filter_map(Weak::upgrade).collect()
    }
}

impl State {
    fn put(&mut self, event: Event) {
        if self.closed {
            return;
        }
        if let Event::Posted { .. } = event {
            let posted = |event: &Event| matches!(event, Event::Posted { .. });
            if self.waiting.iter().filter(|event| posted(event)).count() >= MAX_POSTED {
                if let Some(oldest) = self.waiting.iter().position(posted) {
                    self.waiting.remove(oldest);
                    self.dropped += 1;
                }
            }
        } else {
            self.waiting.retain(|earlier| !event.replaces(earlier));
        }
        self.waiting.push_back(event);
    }
}

/// The thread of one subscriber: the queue's only strong owner.
fn run(queue: &Arc<Queue>, sender: &SyncSender<Event>) {
    let mut state = queue.lock();
    loop {
        let Some(event) = state.waiting.pop_front() else {
            if state.closed {
                break;
            }
            state = queue
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        match sender.try_send(event) {
            Ok(()) => {}
            Err(TrySendError::Disconnected(_)) => break,
            Err(TrySendError::Full(_)) if state.closed => break,
            Err(TrySendError::Full(event)) => {
                // Back to its place, unless something newer has come meanwhile.
                state.waiting.push_front(event);
                state = queue
                    .changed
                    .wait_timeout(state, FULL_PAUSE)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
        }
    }
    if state.dropped > 0 {
        log::warn!(
            "{} posted events were dropped for a slow reader",
            state.dropped
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    fn status(pid: &str, n: u32) -> Event {
        Event::Status {
            pid: pid.to_owned(),
            document: n.to_string(),
        }
    }

    #[test]
    fn a_reader_who_sleeps_through_a_thousand_changes_still_sees_the_last() {
        let hub = Hub::default();
        let events = hub.subscribe();
        for n in 0..1_000 {
            hub.post(status("a", n));
            hub.post(status("b", n));
        }
        let mut last = (0, 0);
        let mut seen = 0;
        while last != (999, 999) {
            match events.recv_timeout(DEADLINE).unwrap() {
                Event::Status { pid, document } if pid == "a" => last.0 = document.parse().unwrap(),
                Event::Status { document, .. } => last.1 = document.parse().unwrap(),
                other => unreachable!("{other:?}"),
            }
            seen += 1;
        }
        assert!(seen <= 2_000);
    }

    #[test]
    fn posted_events_are_bounded_and_the_newest_survive() {
        let mut state = State::default();
        for n in 0..=MAX_POSTED {
            state.put(Event::Posted {
                topic: n.to_string(),
                json: String::new(),
            });
        }
        assert_eq!(state.waiting.len(), MAX_POSTED);
        assert_eq!(state.dropped, 1);
        assert!(matches!(state.waiting.front(), Some(Event::Posted { topic, .. }) if topic == "1"));
    }

    #[test]
    fn closing_ends_a_subscriber_who_never_reads() {
        let hub = Hub::default();
        let events = hub.subscribe();
        for n in 0..100 {
            hub.post(status(&n.to_string(), n));
        }
        hub.close();
        let mut read = 0;
        while events.recv_timeout(DEADLINE).is_ok() {
            read += 1;
        }
        assert!((CHANNEL..=100).contains(&read), "{read}");
    }
}

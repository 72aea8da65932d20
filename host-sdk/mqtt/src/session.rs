//! The owner's handle of a session.
//!
//! Opens the link thread, hands messages to it, ends it. Everything else happens on that thread
//! (`link`).

use crate::shared::Shared;
use crate::{check, link, signals, Anchor, Event, Failure, Limits, Options, Publish};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// One MQTT session, from the host name to DISCONNECT. Never reconnects: a new attempt is a new
/// session.
///
/// Dropping it ends whatever is going on (resolving, SYN, TLS, waiting for the broker, idle) without
/// a DISCONNECT, joins its thread, and takes well under 100 ms; no event is delivered afterwards.
/// Dropped from within its own event callback it cannot join: the thread then ends by itself, and
/// still delivers nothing more.
pub struct Session {
    /// `None` if not even this could be made.
    shared: Option<Arc<Shared>>,
    thread: Option<JoinHandle<()>>,
    limits: Limits,
}

/// Bytes on the TCP connection, TLS and WebSocket included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// To the broker.
    pub sent: u64,
    /// From the broker.
    pub received: u64,
}

impl Session {
    /// The id under which [`Options::first`] is reported as published.
    pub const FIRST: u64 = 0;

    /// Begins a session and returns at once; whatever goes wrong comes as [`Event::Failed`].
    ///
    /// `events` is called on the session's own thread, one event at a time. It must not block, for
    /// it holds up the session (and its cancellation) while it runs. (Where the machine has no
    /// thread or descriptor left, the one `Failed` comes on the caller's thread.)
    pub fn open(
        anchor: &Anchor,
        options: Options,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Session {
        let limits = options.limits;
        let events: Arc<dyn Fn(Event) + Send + Sync> = Arc::new(events);
        match Session::start(anchor, options, &events) {
            Ok((shared, thread)) => Session {
                shared: Some(shared),
                thread: Some(thread),
                limits,
            },
            Err(failure) => {
                events(Event::Failed(failure));
                Session {
                    shared: None,
                    thread: None,
                    limits,
                }
            }
        }
    }

    fn start(
        anchor: &Anchor,
        options: Options,
        events: &Arc<dyn Fn(Event) + Send + Sync>,
    ) -> Result<(Arc<Shared>, JoinHandle<()>), Failure> {
        let shared = Arc::new(Shared::new()?);
        let (anchor, link_shared, events) =
            (anchor.clone(), Arc::clone(&shared), Arc::clone(events));
        let thread = thread::Builder::new()
            .name("mqtt-link".to_owned())
            .spawn(move || {
                // paho's threads are started from this one, and write without MSG_NOSIGNAL.
                signals::leave_to_the_host();
                link::run(anchor, options, link_shared, events);
            })
            .map_err(|e| Failure::exhausted(format_args!("no thread for a session: {e}")))?;
        Ok((shared, thread))
    }

    /// Hands a message over, to be sent after everything handed over before; may be called from the
    /// start. Returns the id that [`Event::Published`] will carry, 1 or more.
    ///
    /// Errors: [`Failure::Malformed`] or [`Failure::TooLarge`] for a message that cannot be sent,
    /// [`Failure::TooLarge`] when too much waits for the broker already, or the failure that ended the session.
    pub fn publish(&self, publish: Publish) -> Result<u64, Failure> {
        let shared = self
            .shared
            .as_ref()
            .ok_or_else(|| Failure::internal("the session never began"))?;
        check::publish(&publish, &self.limits)?;
        let id = {
            let mut inbox = shared.inbox();
            if let Some(failure) = &inbox.ended {
                return Err(failure.clone());
            }
            let waiting = inbox.outgoing_bytes + publish.cost();
            let limit = self.limits.max_unacknowledged;
            if waiting > limit && inbox.outgoing_bytes > 0 {
                return Err(Failure::TooLarge {
                    what: "the queue of messages that are not acknowledged".to_owned(),
                    size: waiting as u64,
                    limit: limit as u64,
                });
            }
            inbox.outgoing_bytes = waiting;
            inbox.last_id += 1;
            let id = inbox.last_id;
            inbox.outgoing.push_back((id, publish));
            id
        };
        shared.wake();
        Ok(id)
    }

    /// Ends the session in good order: sends what was handed over, waits for its
    /// acknowledgements, sends DISCONNECT; all of it within the given time, after which the session
    /// ends as when dropped. Events go on until this returns. A session that has not sent
    /// CONNECT yet ends at once.
    pub fn disconnect(mut self, within: Duration) {
        if let Some(shared) = &self.shared {
            shared.inbox().drain_until = Some(Instant::now() + within);
            shared.wake();
        }
        self.join();
    }

    /// Ends the session as dropping it does.
    pub fn abort(self) {}

    /// What has passed so far.
    pub fn counters(&self) -> Counters {
        self.shared
            .as_ref()
            .map_or(Counters::default(), |shared| Counters {
                sent: shared.sent.load(Ordering::Relaxed),
                received: shared.received.load(Ordering::Relaxed),
            })
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                log::error!("the thread of an MQTT session panicked");
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.cancel();
        }
        self.join();
    }
}

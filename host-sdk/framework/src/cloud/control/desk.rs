//! Between the thread of a connection, which must not wait, and the clerk, who reads and writes
//! files: a bounded queue, and a thread that is started with the first request.
//!
//! What comes while the queue is full is dropped and counted as `busy`; it gets no answer, as
//! reading it for one would be work as well. A requester that hears nothing asks again under the
//! same `request.id`, and nothing is done twice.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use kura_formats::topic::RequestTopic;
use mqtt_session::Message;

use super::reply::Outgoing;
use super::request;
use super::tally::{excerpt, ControlReport, Tally};
use super::Address;

/// Requests that wait at most.
const MAX_WAITING: usize = 64;
/// Bytes of requests that wait at most, one always.
const MAX_BYTES: usize = 8 << 20;

/// Who serves messages, on the thread of the desk.
pub(super) trait Serve: Send {
    /// Serves one; gives what is to be published.
    fn serve(
        &mut self,
        address: &Address,
        topic: RequestTopic,
        message: Message,
    ) -> Option<Outgoing>;

    /// It has been handed over to be published: what follows it may begin.
    fn replied(&mut self) {}
}

/// Told from the thread of the desk when a message has been served, with what is to be published.
pub(super) type Served = Box<dyn Fn(Option<Outgoing>) + Send>;

/// The connection's side. See the module.
pub(in super::super) struct Desk {
    shared: Arc<Shared>,
    tally: Arc<Mutex<Tally>>,
    /// Until the thread is started.
    ready: Option<(Box<dyn Serve>, Served)>,
    work: Option<SyncSender<Work>>,
    thread: Option<JoinHandle<()>>,
    handed: u64,
    served: u64,
}

#[derive(Default)]
struct Shared {
    bytes: AtomicUsize,
    stopping: AtomicBool,
}

struct Work {
    address: Address,
    topic: RequestTopic,
    message: Message,
}

impl Desk {
    /// `served` is called after each message.
    pub(super) fn new(tally: Arc<Mutex<Tally>>, serve: Box<dyn Serve>, served: Served) -> Desk {
        Desk {
            shared: Arc::default(),
            tally,
            ready: Some((serve, served)),
            work: None,
            thread: None,
            handed: 0,
            served: 0,
        }
    }

    /// Takes a message of a session that serves `address`. True if something was counted already.
    pub(in super::super) fn take(&mut self, address: &Address, message: Message) -> bool {
        let Some(topic) = request::topic(address, &message) else {
            return false;
        };
        let name = topic.application_topic();
        let size = message.payload.len();
        let before = self.shared.bytes.fetch_add(size, Ordering::AcqRel);
        let work = Work {
            address: address.clone(),
            topic,
            message,
        };
        let room = before == 0 || before.saturating_add(size) <= MAX_BYTES;
        let taken = room
            && match self.queue() {
                Some(queue) => match queue.try_send(work) {
                    Ok(()) => true,
                    Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
                },
                None => false,
            };
        if taken {
            self.handed += 1;
            return false;
        }
        self.shared.bytes.fetch_sub(size, Ordering::AcqRel);
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        if tally.refused("busy", &name, Instant::now()) {
            let name = excerpt(&name);
            log::warn!("the request {name:?} was dropped: too many wait already");
        }
        true
    }

    fn queue(&mut self) -> Option<&SyncSender<Work>> {
        if let Some((mut serve, served)) = self.ready.take() {
            let (work, waiting) = sync_channel(MAX_WAITING);
            let shared = Arc::clone(&self.shared);
            let spawned = thread::Builder::new()
                .name("gwc-requests".to_owned())
                .spawn(move || run(&mut *serve, &served, &shared, &waiting));
            match spawned {
                Ok(thread) => {
                    self.thread = Some(thread);
                    self.work = Some(work);
                }
                Err(e) => log::error!("no thread for control messages: {e}"),
            }
        }
        self.work.as_ref()
    }

    /// One more has been served. To be called once for each call of `Served`.
    pub(in super::super) fn one_served(&mut self) {
        self.served += 1;
    }

    /// How many have been served.
    pub(in super::super) fn served(&self) -> u64 {
        self.served
    }

    /// How many were taken and are not served.
    pub(in super::super) fn in_flight(&self) -> u64 {
        self.handed.saturating_sub(self.served)
    }

    pub(in super::super) fn report(&self) -> ControlReport {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.report()
    }

    /// What waits is dropped; what is being served is served.
    pub(in super::super) fn stop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.work = None;
    }
}

impl Drop for Desk {
    /// Waits for the thread, unless it is at work: then it ends by itself, with the request.
    fn drop(&mut self) {
        self.stop();
        let Some(thread) = self.thread.take() else {
            return;
        };
        if self.in_flight() > 0 {
            log::warn!("a control message is still being served at the end of its connection");
        } else if thread.join().is_err() {
            log::error!("the thread of control messages panicked");
        }
    }
}

fn run(serve: &mut dyn Serve, served: &Served, shared: &Shared, waiting: &Receiver<Work>) {
    while let Ok(work) = waiting.recv() {
        let size = work.message.payload.len();
        let outgoing = match shared.stopping.load(Ordering::Acquire) {
            true => None,
            false => {
                let one = || serve.serve(&work.address, work.topic, work.message);
                catch_unwind(AssertUnwindSafe(one)).unwrap_or_else(|_| {
                    log::error!("serving a control message panicked; it gets no answer");
                    None
                })
            }
        };
        shared.bytes.fetch_sub(size, Ordering::AcqRel);
        served(outgoing);
        serve.replied();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc::{channel, Receiver, Sender};
    use std::time::Duration;

    use super::super::request::tests::{address, asking, message};
    use super::*;

    const PUT: &str = "$EDC/acme/gw/CONF-V1/PUT/configurations";
    const DEADLINE: Duration = Duration::from_secs(10);

    struct Slow {
        begin: Sender<()>,
        told: Receiver<()>,
    }

    impl Serve for Slow {
        fn serve(&mut self, _: &Address, _: RequestTopic, _: Message) -> Option<Outgoing> {
            self.begin.send(()).unwrap();
            let _ = self.told.recv();
            None
        }
    }

    /// A desk whose thread begins each message with a word, and ends it when told to.
    fn desk() -> (Desk, Receiver<()>, Sender<()>, Receiver<()>) {
        let (begin, begun) = channel();
        let (end, told) = channel();
        let (done, served) = channel();
        let serve = Slow { begin, told };
        let served_by = move |_| done.send(()).unwrap_or_default();
        let desk = Desk::new(Arc::default(), Box::new(serve), Box::new(served_by));
        (desk, begun, end, served)
    }

    #[test]
    fn a_flood_is_dropped_and_counted_and_the_connection_does_not_wait() {
        let (mut desk, begun, end, served) = desk();
        desk.take(&address(), message(PUT, &asking("0")));
        begun.recv_timeout(DEADLINE).unwrap();
        let counted = (0..10_000)
            .filter(|n| desk.take(&address(), message(PUT, &asking(&n.to_string()))))
            .count();
        assert_eq!(counted, 10_000 - MAX_WAITING);
        assert_eq!(desk.report().refused.get("busy"), Some(&(counted as u64)));
        for _ in 0..=MAX_WAITING {
            end.send(()).unwrap();
            served.recv_timeout(DEADLINE).unwrap();
            desk.one_served();
        }
        assert_eq!(desk.in_flight(), 0);
        assert_eq!(desk.shared.bytes.load(Ordering::Acquire), 0);
    }

    #[test]
    fn large_requests_wait_one_at_a_time() {
        let (mut desk, begun, end, served) = desk();
        let large = asking("1").with_body(vec![0u8; MAX_BYTES + 1]);
        assert!(!desk.take(&address(), message(PUT, &large)));
        begun.recv_timeout(DEADLINE).unwrap();
        assert!(desk.take(&address(), message(PUT, &large)));
        end.send(()).unwrap();
        served.recv_timeout(DEADLINE).unwrap();
        desk.one_served();
        assert!(!desk.take(&address(), message(PUT, &large)));
    }

    #[test]
    fn its_end_does_not_wait_for_the_request_at_hand_and_serves_no_other() {
        let (mut desk, begun, end, served) = desk();
        desk.take(&address(), message(PUT, &asking("1")));
        desk.take(&address(), message(PUT, &asking("2")));
        begun.recv_timeout(DEADLINE).unwrap();
        drop(desk);
        end.send(()).unwrap();
        for _ in 0..2 {
            served.recv_timeout(DEADLINE).unwrap();
        }
        assert!(begun.try_recv().is_err());
    }

    #[test]
    fn what_is_no_request_starts_no_thread() {
        let (mut desk, ..) = desk();
        assert!(!desk.take(&address(), message("$EDC/acme/gw/MQTT/BIRTH", &asking("1"))));
        assert!(desk.thread.is_none());
    }
}

//! The link: one thread per session that owns everything between the host name and paho.
//!
//! The stages stand one below the other in [`Link::connect`], as they happen: resolve, dial, TLS,
//! WebSocket, then [`relay`] until the end. Each waits through [`Link::wait`], the only place that
//! polls before the session is up; so every stage can be cancelled, keeps the deadline, and serves
//! paho's loopback connection meanwhile. Made by `Session`, tells its owner
//! through events.

mod channel;
mod dial;
mod door;
#[doc(hidden)]
pub mod fuzzing;
mod local;
mod relay;
mod resolve;
mod session_cache;
mod tls;
mod transport;
mod upgrade;
mod verdict;
mod web_socket;

pub use session_cache::SessionCache;

use crate::shared::Shared;
use crate::{check, Anchor, Event, Failure, Options, Publish, Session, Stage};
use channel::Channel;
use local::Local;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use std::net::TcpStream;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use transport::{Transport, Wire};

pub(crate) type Events = Arc<dyn Fn(Event) + Send + Sync>;

/// Why a session ends.
enum Stop {
    /// Its owner wants it.
    Cancelled,
    /// To be told.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(failure)
    }
}

/// How long a session that ends waits for paho to finish its connect, which takes about 2 ms. After
/// that the client is left to the anchor.
const SETTLE: Duration = Duration::from_millis(40);

struct Link {
    shared: Arc<Shared>,
    options: Options,
    events: Events,
    opened: Instant,
    local: Local,
}

/// The life of the link thread.
pub(crate) fn run(anchor: Anchor, options: Options, shared: Arc<Shared>, events: Events) {
    let opened = Instant::now();
    let started =
        check::options(&options).and_then(|()| Local::start(&anchor, &shared, &options.limits));
    let failure = match started {
        Ok(local) => {
            let mut link = Link {
                shared: Arc::clone(&shared),
                options,
                events: Arc::clone(&events),
                opened,
                local,
            };
            let stop = link.connect();
            let failure = match stop {
                Stop::Cancelled => None,
                Stop::Failed(failure) => Some(failure),
            };
            link.settle();
            failure
        }
        Err(failure) => Some(failure),
    };
    let ended = failure
        .clone()
        .unwrap_or_else(|| Failure::unexpected("the session was ended by its owner"));
    shared.inbox().ended = Some(ended);
    if let Some(failure) = failure {
        if !shared.is_cancelled() {
            events(Event::Failed(failure));
        }
    }
}

impl Link {
    fn connect(&mut self) -> Stop {
        match self.open_channel() {
            Ok(channel) => relay::relay(self, channel),
            Err(stop) => stop,
        }
    }

    fn open_channel(&mut self) -> Result<Channel, Stop> {
        let addresses = self.resolve()?;
        let stream: TcpStream = self.dial(&addresses)?;
        let wire = Wire::new(stream, Arc::clone(&self.shared));
        let scheme = self.options.broker.scheme;
        let mut transport = if scheme.is_tls() {
            Transport::Tls(Box::new(self.handshake(wire)?))
        } else {
            Transport::Plain(wire)
        };
        let early = if scheme.is_web_socket() {
            self.upgrade(&mut transport)?
        } else {
            Vec::new()
        };
        Ok(Channel::new(transport, scheme.is_web_socket(), early))
    }

    /// Tells the owner, unless the session has been cancelled.
    fn emit(&self, event: Event) {
        if !self.shared.is_cancelled() {
            (self.events)(event);
        }
    }

    /// Waits until the descriptor is ready (true) or `until` has passed (false).
    fn wait(
        &mut self,
        stage: Stage,
        fd: Option<(BorrowedFd<'_>, PollFlags)>,
        until: Option<Instant>,
    ) -> Result<bool, Stop> {
        loop {
            self.attend(stage)?;
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(false);
            }
            if self.poll_once(fd, until)? {
                return Ok(true);
            }
        }
    }

    /// Waits until something has called for the link.
    fn wait_for_wake(&mut self, stage: Stage) -> Result<(), Stop> {
        self.attend(stage)?;
        self.poll_once(None, None)?;
        Ok(())
    }

    /// What every stage owes to others: cancellation, the deadline, paho.
    fn attend(&mut self, stage: Stage) -> Result<(), Stop> {
        if self.shared.is_cancelled() || self.shared.inbox().drain_until.is_some() {
            return Err(Stop::Cancelled);
        }
        if self
            .options
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            return Err(Stop::Failed(Failure::Timeout {
                stage,
                after: self.opened.elapsed(),
            }));
        }
        self.serve_paho()
    }

    /// Moves what paho and the owner have brought.
    fn serve_paho(&mut self) -> Result<(), Stop> {
        self.local.service()?;
        let (options, shared) = (&mut self.options, &self.shared);
        let first = &mut options.first;
        self.local
            .hand_over(&options.subscriptions, || next_message(first, shared))?;
        Ok(())
    }

    /// Polls the wake-up, paho's connections and one more descriptor; true if that one is ready.
    fn poll_once(
        &mut self,
        fd: Option<(BorrowedFd<'_>, PollFlags)>,
        until: Option<Instant>,
    ) -> Result<bool, Stop> {
        let until = match (until, self.options.deadline) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let mut fds = vec![PollFd::from_borrowed_fd(
            self.shared.wake_fd(),
            PollFlags::IN,
        )];
        if let Some((fd, flags)) = fd {
            fds.push(PollFd::from_borrowed_fd(fd, flags));
        }
        let watched = fds.len();
        self.local.register(&mut fds);
        poll_until(&mut fds, until)?;
        let ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        let (woken, ready) = (ready(0), watched > 1 && ready(1));
        if woken {
            self.shared.clear_wake();
        }
        Ok(ready)
    }

    /// Lets paho finish its connect, so that its client can go. Ends every other connection first.
    fn settle(&mut self) {
        let until = Instant::now() + SETTLE;
        while !self.local.is_settled() && Instant::now() < until {
            if self.local.service().is_err() {
                break;
            }
            let mut fds = vec![PollFd::from_borrowed_fd(
                self.shared.wake_fd(),
                PollFlags::IN,
            )];
            self.local.register(&mut fds);
            if poll_until(&mut fds, Some(until)).is_err() {
                break;
            }
            self.shared.clear_wake();
        }
    }
}

/// The first message of the options, then what the owner has handed over.
fn next_message(first: &mut Option<Publish>, shared: &Shared) -> Option<(u64, Publish)> {
    if let Some(publish) = first.take() {
        return Some((Session::FIRST, publish));
    }
    let mut inbox = shared.inbox();
    let (id, publish) = inbox.outgoing.pop_front()?;
    inbox.outgoing_bytes = inbox.outgoing_bytes.saturating_sub(publish.wire_size());
    Some((id, publish))
}

/// Polls until something is ready or the time has come. A signal counts as nothing ready.
fn poll_until(fds: &mut [PollFd<'_>], until: Option<Instant>) -> Result<(), Stop> {
    let timeout = until.map(|until| {
        let left = until.saturating_duration_since(Instant::now());
        Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: left.subsec_nanos() as _,
        }
    });
    match poll(fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(e) => Err(Stop::Failed(Failure::internal(format_args!("poll: {e}")))),
    }
}

//! The link: one thread per session that owns everything between the host name and paho.
//!
//! The stages stand one below the other in [`Link::connect`], as they happen: resolve, dial, TLS,
//! WebSocket, then [`relay`] until the end. They are those of any [`Way`]; while they wait, paho's
//! loopback connection is served. Made by `Session`, tells its owner through events.

mod alert;
mod channel;
mod connection;
mod dial;
mod door;
#[doc(hidden)]
pub mod fuzzing;
mod keep;
mod local;
mod relay;
mod resolve;
mod session_cache;
mod tls;
mod transport;
mod upgrade;
mod verdict;
mod way;
mod web_socket;

pub use connection::{Cancel, Connection, Ended, Read};
pub use session_cache::SessionCache;

use crate::bridge::Handed;
use crate::shared::Shared;
use crate::{check, Anchor, Event, Failure, Options, Publish, Session};
use channel::Channel;
use local::Local;
use rustix::event::{PollFd, PollFlags};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use transport::{Transport, Wire};
use way::{poll_until, Aside, Way};
use zeroize::Zeroizing;

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

/// The way of a session, with paho beside it.
type Link = Way<Paho>;

/// What goes on beside the way.
struct Paho {
    options: Options,
    local: Local,
    /// What the first message says, if that is a secret. As with CONNECT, paho never learns it:
    /// it is given as many zeros, and its copies are not wiped.
    first_payload: Option<Zeroizing<Vec<u8>>>,
}

impl Aside for Paho {
    /// Moves what paho and the owner have brought.
    fn attend(&mut self, shared: &Shared) -> Result<(), Stop> {
        self.local.service()?;
        let first = &mut self.options.first;
        self.local
            .hand_over(&self.options.subscriptions, || next_message(first, shared))?;
        Ok(())
    }

    fn register<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        self.local.register(fds);
    }
}

/// The life of the link thread.
pub(crate) fn run(anchor: Anchor, mut options: Options, shared: Arc<Shared>, events: Events) {
    let opened = Instant::now();
    let started =
        check::options(&options).and_then(|()| Local::start(&anchor, &shared, &options.limits));
    let secret = options.first_is_secret;
    let first_payload = options.first.as_mut().filter(|_| secret).map(|first| {
        let zeros = vec![0; first.payload.len()];
        Zeroizing::new(std::mem::replace(&mut first.payload, zeros))
    });
    let failure = match started {
        Ok(local) => {
            let mut link = Link {
                shared: Arc::clone(&shared),
                host: options.broker.host.clone(),
                port: options.broker.port,
                tls: options.tls.clone(),
                deadline: options.deadline,
                events: Arc::clone(&events),
                opened,
                aside: Paho {
                    options,
                    local,
                    first_payload,
                },
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
        let scheme = self.aside.options.broker.scheme;
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

    /// Lets paho finish its connect, so that its client can go. Ends every other connection first.
    fn settle(&mut self) {
        let until = Instant::now() + SETTLE;
        while !self.aside.local.is_settled() && Instant::now() < until {
            if self.aside.local.service().is_err() {
                break;
            }
            let mut fds = vec![PollFd::from_borrowed_fd(
                self.shared.wake_fd(),
                PollFlags::IN,
            )];
            self.aside.local.register(&mut fds);
            if poll_until(&mut fds, Some(until)).is_err() {
                break;
            }
            self.shared.clear_wake();
        }
    }
}

/// The first message of the options, then what the owner has handed over.
fn next_message(first: &mut Option<Publish>, shared: &Shared) -> Option<(Handed, Publish)> {
    if let Some(publish) = first.take() {
        let id = Session::FIRST;
        // It was never counted.
        return Some((Handed { id, cost: 0 }, publish));
    }
    let (id, publish) = shared.inbox().outgoing.pop_front()?;
    let cost = publish.cost();
    Some((Handed { id, cost }, publish))
}

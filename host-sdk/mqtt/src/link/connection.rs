//! A connection to a server that carries something else than MQTT, over the same way as a session:
//! the same resolver, the same trust, the same exact causes, cancellable at every moment.
//!
//! No thread of its own: opened, read and written on the thread of its owner, while any other
//! thread may cancel. Knows nothing of what it carries. Used for downloads.

use super::transport::{Transport, Wire, CLOSED};
use super::upgrade::closed;
use super::way::{Moved, Way};
use super::Stop;
use crate::shared::Shared;
use crate::{Counters, Failure, Stage, Tls};
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Ends whatever the connections made with it wait for; cheap to clone, for any thread. Once used it
/// stays so. It also counts their bytes.
#[derive(Clone)]
pub struct Cancel(Arc<Shared>);

impl Cancel {
    /// A new one.
    ///
    /// # Errors
    /// [`Failure::Exhausted`] where the process has no descriptor left.
    pub fn new() -> Result<Cancel, Failure> {
        Shared::new().map(|shared| Cancel(Arc::new(shared)))
    }

    /// Ends every wait from now on, those under way within a few milliseconds.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// What has passed over all connections made with it, TLS included.
    pub fn counters(&self) -> Counters {
        Counters {
            sent: self.0.sent.load(Ordering::Relaxed),
            received: self.0.received.load(Ordering::Relaxed),
        }
    }

    /// Waits so long, unless it is cancelled.
    ///
    /// # Errors
    /// [`Ended::Cancelled`].
    pub fn pause(&self, time: Duration) -> Result<(), Ended> {
        let mut way = Way {
            shared: Arc::clone(&self.0),
            host: String::new(),
            port: 0,
            tls: Tls::default(),
            deadline: None,
            events: Arc::new(|_| {}),
            opened: Instant::now(),
            aside: (),
        };
        way.wait(Stage::Exchange, None, Some(way.opened + time))
            .map(drop)
            .map_err(Ended::from)
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel")
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}

/// Why a connection could not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// Its owner wanted it.
    #[error("cancelled")]
    Cancelled,
    /// Something failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Ended {
        match stop {
            Stop::Cancelled => Ended::Cancelled,
            Stop::Failed(failure) => Ended::Failed(failure),
        }
    }
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes, at least one.
    Bytes(usize),
    /// The server ended the connection in good order: in TLS, with its goodbye.
    End,
}

/// An open connection. Dropping it closes it.
pub struct Connection {
    way: Way<()>,
    transport: Transport,
}

impl Connection {
    /// Resolves `host`, connects to `port`, and authenticates the server where `tls` is given, all
    /// within `patience`.
    ///
    /// # Errors
    /// [`Ended`]; every [`Failure`] of a session up to its TLS handshake.
    pub fn open(
        host: &str,
        port: u16,
        tls: Option<Tls>,
        patience: Duration,
        cancel: &Cancel,
    ) -> Result<Connection, Ended> {
        let opened = Instant::now();
        let secured = tls.is_some();
        let mut way = Way {
            shared: Arc::clone(&cancel.0),
            host: host.to_owned(),
            port,
            tls: tls.unwrap_or_default(),
            deadline: opened.checked_add(patience),
            events: Arc::new(|_| {}),
            opened,
            aside: (),
        };
        let addresses = way.resolve()?;
        let wire = Wire::new(way.dial(&addresses)?, Arc::clone(&cancel.0));
        let transport = if secured {
            Transport::Tls(Box::new(way.handshake(wire)?))
        } else {
            Transport::Plain(wire)
        };
        way.deadline = None;
        Ok(Connection { way, transport })
    }

    /// Writes all of it; `patience` is for each part that the network takes.
    ///
    /// # Errors
    /// [`Ended`].
    pub fn write_all(&mut self, bytes: &[u8], patience: Duration) -> Result<(), Ended> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let until = Instant::now().checked_add(patience);
            let moved =
                self.way
                    .step(Stage::Exchange, &mut self.transport, until, |transport| {
                        transport.write(rest)
                    })?;
            match moved {
                Moved::Bytes(n) => rest = rest.get(n..).unwrap_or_default(),
                Moved::Ended(end) => return Err(closed(end, Stage::Exchange).into()),
                Moved::Late => return Err(silent(patience).into()),
            }
        }
        Ok(())
    }

    /// Waits for bytes, at most `patience`. `buffer` must not be empty.
    ///
    /// # Errors
    /// [`Ended`]; [`Failure::Lost`] where nothing came in time, or where the connection broke.
    pub fn read(&mut self, buffer: &mut [u8], patience: Duration) -> Result<Read, Ended> {
        let until = Instant::now().checked_add(patience);
        // Asked even where bytes are there at once: a fast server must not hold up a cancellation.
        self.way.attend(Stage::Exchange)?;
        let moved = self
            .way
            .step(Stage::Exchange, &mut self.transport, until, |transport| {
                transport.read(buffer)
            })?;
        match moved {
            Moved::Bytes(n) => Ok(Read::Bytes(n)),
            Moved::Ended(super::transport::End::Finished) => Ok(Read::End),
            Moved::Ended(end) => Err(closed(end, Stage::Exchange).into()),
            Moved::Late => Err(silent(patience).into()),
        }
    }

    /// The failure of a connection that the server ended before it had said everything.
    pub fn cut_short(&self) -> Failure {
        Failure::Lost {
            stage: Stage::Exchange,
            reason: CLOSED.to_owned(),
        }
    }
}

fn silent(patience: Duration) -> Failure {
    Failure::Lost {
        stage: Stage::Exchange,
        reason: format!("nothing moved for {:.1} s", patience.as_secs_f64()),
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("host", &self.way.host)
            .field("port", &self.way.port)
            .finish_non_exhaustive()
    }
}

//! The way to a server: everything between its name and bytes that move, each stage cancellable.
//!
//! The stages themselves are in `resolve`, `dial` and `tls`. Each waits through [`Way::wait`], the
//! only place that polls before a session is up; so every stage can be cancelled, keeps the deadline,
//! and gives the [`Aside`] of its owner its turn meanwhile. Owned by the link of an MQTT session, and
//! by a [`Connection`](crate::Connection).

use super::transport::{End, Io, Transport};
use super::{Events, Stop};
use crate::shared::Shared;
use crate::{Event, Failure, Stage, Tls};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

/// What must go on while a stage waits.
pub(super) trait Aside {
    /// Moves what can be moved.
    fn attend(&mut self, shared: &Shared) -> Result<(), Stop>;
    /// Adds what must be polled for it.
    fn register<'a>(&'a self, fds: &mut Vec<PollFd<'a>>);
}

/// Nothing else goes on.
impl Aside for () {
    fn attend(&mut self, _: &Shared) -> Result<(), Stop> {
        Ok(())
    }

    fn register<'a>(&'a self, _: &mut Vec<PollFd<'a>>) {}
}

/// One way, from the name on.
pub(super) struct Way<A> {
    pub(super) shared: Arc<Shared>,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    /// When to give up.
    pub(super) deadline: Option<Instant>,
    pub(super) events: Events,
    pub(super) opened: Instant,
    pub(super) aside: A,
}

/// What became of a read or a write that may wait.
pub(super) enum Moved {
    /// So many bytes.
    Bytes(usize),
    /// The connection is over.
    Ended(End),
    /// Its time has passed.
    Late,
}

impl<A: Aside> Way<A> {
    /// Tells the owner, unless it is no longer interested.
    pub(super) fn emit(&self, event: Event) {
        if !self.shared.is_cancelled() {
            (self.events)(event);
        }
    }

    /// Waits until the descriptor is ready (true) or `until` has passed (false).
    pub(super) fn wait(
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
    pub(super) fn wait_for_wake(&mut self, stage: Stage) -> Result<(), Stop> {
        self.attend(stage)?;
        self.poll_once(None, None)?;
        Ok(())
    }

    /// Repeats one read or write until it has moved something, or `until` has passed.
    pub(super) fn step(
        &mut self,
        stage: Stage,
        transport: &mut Transport,
        until: Option<Instant>,
        mut io: impl FnMut(&mut Transport) -> Io,
    ) -> Result<Moved, Stop> {
        loop {
            let flags = match io(transport) {
                Io::Done(n) => return Ok(Moved::Bytes(n)),
                Io::Blocked { for_writing: true } => PollFlags::OUT,
                Io::Blocked { for_writing: false } => PollFlags::IN,
                Io::Closed(end) => return Ok(Moved::Ended(end)),
            };
            if !self.wait(stage, Some((transport.as_fd(), flags)), until)? {
                return Ok(Moved::Late);
            }
        }
    }

    /// What every stage owes to others: cancellation, the deadline, the aside.
    pub(super) fn attend(&mut self, stage: Stage) -> Result<(), Stop> {
        if self.shared.is_cancelled() || self.shared.inbox().drain_until.is_some() {
            return Err(Stop::Cancelled);
        }
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            return Err(Stop::Failed(Failure::Timeout {
                stage,
                after: self.opened.elapsed(),
            }));
        }
        self.aside.attend(&self.shared)
    }

    /// Polls the wake-up, the aside and one more descriptor; true if that one is ready.
    fn poll_once(
        &mut self,
        fd: Option<(BorrowedFd<'_>, PollFlags)>,
        until: Option<Instant>,
    ) -> Result<bool, Stop> {
        let until = match (until, self.deadline) {
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
        self.aside.register(&mut fds);
        poll_until(&mut fds, until)?;
        let ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        let (woken, ready) = (ready(0), watched > 1 && ready(1));
        if woken {
            self.shared.clear_wake();
        }
        Ok(ready)
    }
}

/// Polls until something is ready or the time has come. A signal counts as nothing ready.
pub(super) fn poll_until(fds: &mut [PollFd<'_>], until: Option<Instant>) -> Result<(), Stop> {
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

//! What the owner of a session, its link thread and paho's callbacks share.
//!
//! Every change wakes the link thread; nothing in here waits, except for a mutex that nobody holds
//! across a call into anything. The link thread alone acts on what it finds.

use crate::hold::Room;
use crate::{Failure, Publish};
use rustix::event::{eventfd, EventfdFlags};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub(crate) struct Shared {
    wake: OwnedFd,
    cancelled: AtomicBool,
    /// Bytes on the TCP connection, TLS included.
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    /// Messages of the broker that are not handled yet.
    pub(crate) room: Room,
    inbox: Mutex<Inbox>,
}

/// What waits for the link thread.
#[derive(Default)]
pub(crate) struct Inbox {
    /// Messages the owner wants sent, oldest first.
    pub(crate) outgoing: VecDeque<(u64, Publish)>,
    /// What they count as, and with them those that the broker has not acknowledged.
    pub(crate) outgoing_bytes: usize,
    /// Id of the latest of them.
    pub(crate) last_id: u64,
    /// Set by a graceful disconnect.
    pub(crate) drain_until: Option<Instant>,
    /// Set by the link thread when the session is over.
    pub(crate) ended: Option<Failure>,
    /// Messages that paho has delivered, oldest first.
    pub(crate) delivered: VecDeque<paho_mqtt::Message>,
}

impl Shared {
    pub(crate) fn new() -> Result<Shared, Failure> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|e| {
            Failure::exhausted(format_args!(
                "no descriptor for the wake-up of a session: {e}"
            ))
        })?;
        Ok(Shared {
            wake,
            cancelled: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            room: Room::default(),
            inbox: Mutex::new(Inbox::default()),
        })
    }

    pub(crate) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the link thread look. Never blocks: a full counter has woken it already.
    pub(crate) fn wake(&self) {
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Becomes readable when the link thread shall look.
    pub(crate) fn wake_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    pub(crate) fn clear_wake(&self) {
        let _ = rustix::io::read(&self.wake, &mut [0u8; 8]);
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        self.wake();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }
}

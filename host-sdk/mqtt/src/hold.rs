//! How much a session holds of what the broker sent, and who still needs it.
//!
//! Each message counts from before its payload is taken in until its owner has dropped its
//! [`Hold`]; while there is no room, the link leaves the broker waiting. Counts only: nothing in
//! here holds the bytes themselves.

use crate::shared::Shared;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;

/// What a message costs besides its payload and the copies of its topic, generously: places in
/// queues and tables, here and in paho.
const OVERHEAD: usize = 1024;
/// Copies of a topic between the socket and the owner.
const TOPICS: usize = 3;

/// What a message counts as, in bytes.
pub(crate) fn cost(topic: usize, payload: usize) -> usize {
    payload
        .saturating_add(TOPICS * topic)
        .saturating_add(OVERHEAD)
}

/// Counts the bytes of messages that are not handled yet.
#[derive(Default)]
pub(crate) struct Room {
    used: AtomicUsize,
    /// The link waits for room.
    wanted: AtomicBool,
}

/// Says that a message is still being dealt with: its bytes count as held by the session until this
/// is dropped, which is what makes a busy owner slow its broker down instead of piling messages
/// up. Where the payload is taken out of the message, it goes along.
#[derive(Default)]
pub struct Hold(Option<Share>);

struct Share {
    shared: Arc<Shared>,
    bytes: usize,
}

/// Whether so many bytes more have room. However many, they have it where nothing is held: never
/// beside a message that may be growing because somebody inflates it.
pub(crate) fn fits(held: usize, bytes: usize, limit: usize) -> bool {
    held == 0 || held.saturating_add(bytes) <= limit
}

impl Hold {
    /// Takes room for so many bytes, if there is. Otherwise the next one that is dropped wakes the
    /// link.
    pub(crate) fn take(shared: &Arc<Shared>, bytes: usize, limit: usize) -> Option<Hold> {
        let room = &shared.room;
        let fits = |held: usize| fits(held, bytes, limit);
        // Only the link takes; everybody else gives back.
        if !fits(room.used.load(Ordering::SeqCst)) {
            room.wanted.store(true, Ordering::SeqCst);
            // Looked at again: it may have been given back before anybody knew that it is wanted.
            if !fits(room.used.load(Ordering::SeqCst)) {
                return None;
            }
            room.wanted.store(false, Ordering::SeqCst);
        }
        Some(Hold::of(shared, bytes))
    }

    fn of(shared: &Arc<Shared>, bytes: usize) -> Hold {
        shared.room.used.fetch_add(bytes, Ordering::SeqCst);
        Hold(Some(Share {
            shared: Arc::clone(shared),
            bytes,
        }))
    }
}

impl Clone for Hold {
    /// Counts once more, as a copy of the message takes its room once more.
    fn clone(&self) -> Hold {
        match &self.0 {
            Some(share) => Hold::of(&share.shared, share.bytes),
            None => Hold(None),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(Share { shared, bytes }) = self.0.take() {
            shared.room.used.fetch_sub(bytes, Ordering::SeqCst);
            if shared.room.wanted.swap(false, Ordering::SeqCst) {
                shared.wake();
            }
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.as_ref().map_or(0, |share| share.bytes);
        write!(f, "Hold({bytes} bytes)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn room_comes_back_with_the_last_copy_and_wakes_whoever_wants_it() {
        let shared = Arc::new(Shared::new().unwrap());
        let wakes = |shared: &Shared| {
            let woken = rustix::io::read(shared.wake_fd(), &mut [0u8; 8]).is_ok();
            shared.clear_wake();
            woken
        };
        // Larger than the limit, but the only one.
        let first = Hold::take(&shared, 150, 100).unwrap();
        let copy = first.clone();
        assert!(Hold::take(&shared, 1, 100).is_none());
        drop(first);
        assert!(wakes(&shared));
        assert!(Hold::take(&shared, 1, 100).is_none());
        drop(copy);
        let all: Vec<Hold> = (0..10)
            .map(|_| Hold::take(&shared, 10, 100).unwrap())
            .collect();
        assert!(Hold::take(&shared, 1, 100).is_none());
        drop(all);
        assert_eq!(shared.room.used.load(Ordering::SeqCst), 0);
        assert!(wakes(&shared));
        drop(Hold::take(&shared, 1, 100).unwrap());
        assert!(!wakes(&shared), "nobody wanted it");
    }
}

//! One idle client that keeps paho's threads and descriptors alive.
//!
//! Dropping the *last* client of the process stops paho's threads, which takes up to 1.1 s and
//! leaks two descriptors (eclipse-paho/paho.mqtt.c#1676). With an anchor this happens once in the
//! life of its owner instead of once per session.

use super::connect::ConnectToken;
use crate::signals::SigpipeKept;
use crate::Failure;
use paho_mqtt::{AsyncClient, CreateOptionsBuilder, PersistenceType};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Kept by a component for its life, lent to each [`Session::open`](crate::Session::open).
///
/// Cloning is cheap. Dropping the last clone may take up to 1.1 s, and stops paho's two threads if
/// no other client lives in this copy of paho. What the process does with SIGPIPE stays as it is.
#[derive(Clone)]
pub struct Anchor(Arc<Inner>);

struct Inner {
    /// Clients whose connect is still pending, each waiting for the end of its token.
    graveyard: Mutex<Vec<Buried>>,
    /// Never connected, and there until the drop.
    idle: Option<AsyncClient>,
}

/// Held while an anchor is made or unmade: paho frees its global state when the last client goes,
/// with its mutex open for 0.1 s at a time, and a client created in between would lose it.
static GATE: Mutex<()> = Mutex::new(());

struct Buried {
    client: AsyncClient,
    token: Arc<ConnectToken>,
}

/// paho gives a connect up 0.5 s after its socket closed; this is for a machine under load.
const PATIENCE: Duration = Duration::from_secs(5);

impl Anchor {
    /// Creates the idle client; opens nothing but paho's internal socket pair.
    ///
    /// Errors: [`Failure::Exhausted`] when paho cannot create a client.
    pub fn new() -> Result<Anchor, Failure> {
        let options = CreateOptionsBuilder::new_v3()
            .server_uri("tcp://127.0.0.1:1")
            .client_id("anchor")
            .persistence(PersistenceType::None)
            .finalize();
        let _gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        // The first client of all sets it to ignored; see `signals`.
        let _sigpipe = SigpipeKept::now();
        let idle = AsyncClient::new(options)
            .map_err(|e| Failure::exhausted(format_args!("paho creates no client: {e}")))?;
        Ok(Anchor(Arc::new(Inner {
            graveyard: Mutex::default(),
            idle: Some(idle),
        })))
    }

    /// Keeps a client until its token has resolved.
    pub(super) fn bury(&self, client: AsyncClient, token: Arc<ConnectToken>) {
        self.0.graveyard().push(Buried { client, token });
    }

    /// Drops the buried clients whose token has resolved.
    pub(super) fn reap(&self) {
        let dead: Vec<Buried> = {
            let mut graveyard = self.0.graveyard();
            let (dead, pending) = graveyard.drain(..).partition(|b| b.token.is_gone());
            *graveyard = pending;
            dead
        };
        drop(dead);
    }

    /// How many clients wait for their token.
    #[cfg(test)]
    pub(crate) fn buried(&self) -> usize {
        self.0.graveyard().len()
    }
}

impl Inner {
    fn graveyard(&self) -> MutexGuard<'_, Vec<Buried>> {
        self.graveyard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let until = Instant::now() + PATIENCE;
        for Buried { client, token } in self.graveyard().drain(..) {
            if token.wait_gone(until) {
                drop(client);
            } else {
                // A leak is the lesser evil: dropping it now would stop paho for the whole process.
                log::error!("a client of paho never finished its connect: it is left behind");
                std::mem::forget(client);
            }
        }
        let _gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.idle.take());
    }
}

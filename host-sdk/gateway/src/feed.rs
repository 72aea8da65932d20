//! What happens in the gateway, for everyone who watches: one thread reads the framework's
//! events and hands each on, as a named JSON text to the streams of the REST interface, and as
//! a nudge to the main loop.
//!
//! It keeps nothing; a watcher that was too slow is told so and asks for the present state.

use std::sync::mpsc::Receiver;
use std::sync::Arc;
use std::thread::JoinHandle;

use gateway_host_sdk::Event;
use serde_json::{json, value::RawValue};
use tokio::sync::broadcast;

/// How many events a slow stream may lag behind.
const BACKLOG: usize = 256;

/// One event as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// `status`, `configuration`, `connection`, `plugin` or `posted`.
    pub name: &'static str,
    /// JSON.
    pub data: String,
}

/// Where events are heard. Clones hear the same.
#[derive(Debug, Clone)]
pub struct Feed(broadcast::Sender<Arc<Told>>);

impl Feed {
    /// Starts the thread; it ends when the framework has shut down. `nudge` is called on that
    /// thread after each event, and must not block.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(
        events: Receiver<Event>,
        mut nudge: impl FnMut() + Send + 'static,
    ) -> std::io::Result<(Feed, JoinHandle<()>)> {
        let feed = Feed(broadcast::Sender::new(BACKLOG));
        let sender = feed.0.clone();
        let thread = std::thread::Builder::new().name("feed".into()).spawn(move || {
            for event in events {
                // Nobody listening is no error.
                let _ = sender.send(Arc::new(told(&event)));
                nudge();
            }
        })?;
        Ok((feed, thread))
    }

    /// Hears everything from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Arc<Told>> {
        self.0.subscribe()
    }
}

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
    /// `status`, `configuration`, `connection`, `plugin`, `package` or `posted`.
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
        let thread = std::thread::Builder::new()
            .name("feed".into())
            .spawn(move || {
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

/// The event as it goes over the wire. JSON of a component is passed on as it wrote it.
fn told(event: &Event) -> Told {
    let raw = |text: &str| {
        serde_json::from_str::<&RawValue>(text)
            .map_or("null", RawValue::get)
            .to_owned()
    };
    match event {
        Event::Status { pid, document } => Told {
            name: "status",
            data: format!("{{\"pid\":{},\"document\":{}}}", json!(pid), raw(document)),
        },
        Event::Configuration { pid } => Told {
            name: "configuration",
            data: json!({"pid": pid}).to_string(),
        },
        Event::Connection(connection) => Told {
            name: "connection",
            data: json!({"pid": connection.pid}).to_string(),
        },
        Event::Plugin(plugin) => Told {
            name: "plugin",
            data: json!({"path": plugin.path}).to_string(),
        },
        Event::Package { name } => Told {
            name: "package",
            data: json!({"name": name}).to_string(),
        },
        Event::Posted { topic, json } => Told {
            name: "posted",
            data: format!(
                "{{\"topic\":{},\"properties\":{}}}",
                json!(topic),
                raw(json)
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_components_document_goes_out_unchanged_and_a_damaged_one_breaks_no_stream() {
        let status = |document: &str| {
            told(&Event::Status {
                pid: "a\"b".into(),
                document: document.into(),
            })
            .data
        };
        assert_eq!(
            status("{\"z\":1.50}"),
            "{\"pid\":\"a\\\"b\",\"document\":{\"z\":1.50}}"
        );
        assert_eq!(status("{\"z\":"), "{\"pid\":\"a\\\"b\",\"document\":null}");
    }
}

//! One MQTT 3.1.1 session over a link that is our own.
//!
//! [`Session::open`] resolves the broker's name, connects, speaks TLS (and WebSocket where asked),
//! authenticates, subscribes and publishes a first message, all in as few round trips as the
//! protocols allow, and tells its owner in [`Event`]s. When it does not work it says exactly why:
//! a [`Failure`] per cause that a person would treat differently. It can be cancelled at every
//! moment by dropping it, keeps its deadline to the millisecond, and lets nothing that a broker
//! sends reach the MQTT library unchecked. A message is in memory once, and the next one waits in the
//! network while the owner is busy (`docs/decisions/one-copy.md`).
//!
//! [`Connection`] is the same way without MQTT behind it: resolver, trust, causes and cancellation,
//! for what else is spoken to servers.
//!
//! MQTT itself is done by paho-mqtt, which connects through a loopback port to the link
//! (`docs/decisions`). It logs whole messages at debug level under the target `paho_mqtt`: a host whose
//! messages hold secrets filters that. Not here: reconnecting, retry policy, what the messages mean. Used by the
//! provisioning component, by the host framework's data transport, and by the test platform.
//!
//! ```no_run
//! use mqtt_session::{Anchor, Event, Options, Publish, Session};
//!
//! let anchor = Anchor::new()?; // one for the life of the component
//! let mut options = Options::new("mqtt://broker.example.com".parse()?, "gateway-1");
//! options.subscriptions.push(("greetings/#".into(), 1));
//! options.first = Some(Publish::new("greetings/all", "hello", 1));
//! let (events, incoming) = std::sync::mpsc::channel();
//! let session = Session::open(&anchor, options, move |event| drop(events.send(event)));
//! while let Ok(event) = incoming.recv() {
//!     match event {
//!         Event::Message(message) => return Ok(println!("{}", message.topic)),
//!         Event::Failed(why) => return Err(why.into()),
//!         _ => {}
//!     }
//! }
//! # drop(session);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bridge;
mod broker_url;
mod check;
pub mod client_key;
mod event;
mod failure;
mod hold;
mod link;
mod options;
mod paho;
mod safe;
mod session;
mod shared;

pub use broker_url::{BrokerUrl, BrokerUrlError, Scheme};
pub use event::{Event, Message, PeerCertificate};
pub use failure::{Failure, Stage};
pub use hold::Hold;
#[doc(hidden)]
pub use link::fuzzing;
pub use link::{Cancel, Connection, Ended, Read, SessionCache};
pub use options::{ClientIdentity, Limits, Options, Publish, Tls};
pub use paho::Anchor;
pub use safe::signals;
pub use secret_text::Secret;
pub use session::{Counters, Session};
pub use x509_policy::CertificateFacts;

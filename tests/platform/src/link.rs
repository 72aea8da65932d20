//! The platform's own session at a broker: messages in and out, and commands to the broker's
//! dynamic-security plugin.
//!
//! Over the plain loopback listener, as the platform's own user. Messages go to the owner's
//! channel from the session's thread; connecting and commands block the caller, each within its
//! deadline. Reconnecting is the owner's decision. Used by the engine, one for each broker.

use crate::broker::dynsec;
use crate::broker::{Broker, PLATFORM_USER};
use mqtt_session::{Anchor, BrokerUrl, Event, Failure, Limits, Message, Options, Publish, Session};
use serde_json::Value;
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Time for connecting, and for each set of commands.
const PATIENCE: Duration = Duration::from_secs(10);

/// Largest message, in bytes: enough for those that are too large for any device, on purpose.
const LARGEST: usize = 160 << 20;

/// Why the platform could not talk to its broker.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The MQTT library is out of order.
    #[error("no MQTT client can be made")]
    Anchor(#[source] Failure),
    /// No session.
    #[error("the broker {broker} does not let the platform in")]
    Connect {
        /// Which one.
        broker: String,
        /// Why.
        source: Failure,
    },
    /// A message could not be handed over.
    #[error("a message cannot be published at the broker {broker}")]
    Publish {
        /// Which one.
        broker: String,
        /// Why.
        source: Failure,
    },
    /// The broker did not answer in time.
    #[error("the broker {broker} did not answer within {} s", PATIENCE.as_secs())]
    Silent {
        /// Which one.
        broker: String,
    },
    /// The plugin refused commands.
    #[error("the broker {broker} refused: {}", reasons.join("; "))]
    Refused {
        /// Which one.
        broker: String,
        /// What it said, command by command.
        reasons: Vec<String>,
    },
}

/// What the session tells its owner.
#[derive(Debug)]
pub enum Notice {
    /// A message on one of the topics subscribed to.
    Message(Message),
    /// The session is over.
    Lost(Failure),
}

/// An open session.
pub struct Link {
    broker: String,
    session: Session,
    responses: Receiver<Vec<u8>>,
}

impl Link {
    /// Connects and subscribes; `notices` is called from the session's thread.
    pub fn open(
        broker: &Broker,
        client_id: &str,
        topics: &[String],
        notices: impl Fn(Notice) + Send + Sync + 'static,
    ) -> Result<Link, LinkError> {
        let name = broker.name().to_owned();
        let connect = |source| LinkError::Connect {
            broker: name.clone(),
            source,
        };
        let url: BrokerUrl = broker.platform_url().parse().map_err(|e| {
            connect(Failure::Malformed {
                what: format!("{}: {e}", broker.platform_url()),
            })
        })?;
        let mut options = Options::new(url, client_id);
        options.username = Some(PLATFORM_USER.to_owned());
        options.password = Some(broker.platform_password().clone());
        options.subscriptions = topics.iter().map(|t| (t.clone(), 1)).collect();
        options
            .subscriptions
            .push((dynsec::RESPONSE_TOPIC.to_owned(), 1));
        options.limits = Limits {
            max_packet: LARGEST,
            max_backlog: 2 * LARGEST,
            max_unacknowledged: 2 * LARGEST,
        };
        options.deadline = Some(Instant::now() + PATIENCE);
        let (ready, outcome) = channel();
        let (response, responses) = channel();
        let dispatch = move |event| dispatch(event, &ready, &response, &notices);
        let session = Session::open(anchor()?, options, dispatch);
        match outcome.recv_timeout(PATIENCE + Duration::from_secs(1)) {
            Ok(Ok(())) => Ok(Link {
                broker: name,
                session,
                responses,
            }),
            Ok(Err(failure)) => Err(connect(failure)),
            Err(_) => Err(LinkError::Silent { broker: name }),
        }
    }

    /// Publishes with QoS 1, not retained.
    pub fn publish(&self, topic: &str, payload: Vec<u8>) -> Result<(), LinkError> {
        let sent = self.session.publish(Publish::new(topic, payload, 1));
        let error = |source| LinkError::Publish {
            broker: self.broker.clone(),
            source,
        };
        sent.map(drop).map_err(error)
    }

    /// Sends commands to the plugin and waits for its answer. An error names the commands that
    /// failed; the others are in force.
    pub fn command(&self, commands: &[Value]) -> Result<(), LinkError> {
        if commands.is_empty() {
            return Ok(());
        }
        self.publish(dynsec::TOPIC, dynsec::message(commands))?;
        match self.responses.recv_timeout(PATIENCE) {
            Ok(response) => match dynsec::errors(&response) {
                reasons if reasons.is_empty() => Ok(()),
                reasons => Err(LinkError::Refused {
                    broker: self.broker.clone(),
                    reasons,
                }),
            },
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(LinkError::Silent {
                    broker: self.broker.clone(),
                })
            }
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("broker", &self.broker)
            .finish_non_exhaustive()
    }
}

fn dispatch(
    event: Event,
    ready: &Sender<Result<(), Failure>>,
    response: &Sender<Vec<u8>>,
    notices: &impl Fn(Notice),
) {
    // A receiver that is gone has got what it waited for.
    match event {
        Event::Subscribed => drop(ready.send(Ok(()))),
        Event::Message(m) if m.topic == dynsec::RESPONSE_TOPIC => drop(response.send(m.payload)),
        Event::Message(message) => notices(Notice::Message(message)),
        Event::Failed(failure) => {
            drop(ready.send(Err(failure.clone())));
            notices(Notice::Lost(failure));
        }
        _ => {}
    }
}

/// One for the process, as the threads that it keeps alive are paho's own for the process: many
/// platforms come and go in the tests, and each anchor's end would cost up to a second.
fn anchor() -> Result<&'static Anchor, LinkError> {
    static ANCHOR: OnceLock<Anchor> = OnceLock::new();
    match ANCHOR.get() {
        Some(anchor) => Ok(anchor),
        None => {
            let new = Anchor::new().map_err(LinkError::Anchor)?;
            Ok(ANCHOR.get_or_init(|| new))
        }
    }
}

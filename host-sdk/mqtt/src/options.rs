//! What a session is opened with.
//!
//! Plain data, checked by [`Session::open`](crate::Session::open). Filled by the plugin, the host
//! framework and the test platform.

use crate::{BrokerUrl, SessionCache};
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509Crl, X509};
use secret_text::Secret;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How the broker is authenticated, and the client to it. Ignored without TLS.
#[derive(Clone, Default)]
pub struct Tls {
    /// The only roots that are trusted: the system's store is never looked at.
    pub anchors: Vec<X509>,
    /// Revocation lists. An issuer of the chain with a list here is checked against it, an issuer
    /// without one is not. (Shared, because `X509Crl` cannot be cloned.)
    pub crls: Arc<Vec<X509Crl>>,
    /// Shown to a broker that asks for a client certificate.
    pub client: Option<ClientIdentity>,
    /// Shared by the attempts of one owner: lets a later one resume the TLS session of an earlier
    /// one, for the same broker and the same trust only.
    pub session_cache: Option<SessionCache>,
}

/// A client certificate and its key.
#[derive(Clone)]
pub struct ClientIdentity {
    /// Leaf first.
    pub chain: Vec<X509>,
    /// The key of the leaf.
    pub key: PKey<Private>,
}

/// A message to the broker.
#[derive(Clone, PartialEq, Eq)]
pub struct Publish {
    /// 1 to 65,535 bytes, without `+`, `#` and NUL.
    pub topic: String,
    /// The content.
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether the broker keeps it for later subscribers.
    pub retained: bool,
}

/// Bounds on what the other side, or the caller, can make us hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest MQTT packet in either direction, in bytes. Default 17 MiB.
    pub max_packet: usize,
    /// Bytes of messages that have come, or are coming in, and whose [`Hold`](crate::Hold) lives:
    /// where the next one finds no room, it is left to the network until there is. However large, it
    /// has room while nothing is held: so a session holds no more than the larger of `max_packet`
    /// and this. Each message counts as its payload, thrice its topic and 1 KiB. QoS 2 messages that the broker does not
    /// release count, too, and end the session when it is they that leave no room. Default 4 MiB.
    pub max_backlog: usize,
    /// Bytes of messages that the broker has not acknowledged, each counted with 1 KiB more:
    /// [`Session::publish`](crate::Session::publish) refuses beyond. One message is always taken.
    /// paho keeps up to two copies of each.
    /// Default 16 MiB.
    pub max_unacknowledged: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_packet: 17 << 20,
            max_backlog: 4 << 20,
            max_unacknowledged: 16 << 20,
        }
    }
}

/// Everything about one session. Always MQTT 3.1.1 with a clean session.
#[derive(Clone)]
pub struct Options {
    /// Where to.
    pub broker: BrokerUrl,
    /// 1 to 65,535 bytes of UTF-8 without NUL.
    pub client_id: String,
    /// Sent if given.
    pub username: Option<String>,
    /// Sent if given; MQTT 3.1.1 then wants a user name, too (an empty one is sent for you).
    pub password: Option<Secret>,
    /// Whole seconds, 1 to 65,535; zero switches the keep-alive off.
    pub keep_alive: Duration,
    /// Trust and client certificate.
    pub tls: Tls,
    /// When to give up if the session is not [`Subscribed`](crate::Event::Subscribed) by then.
    /// `None` waits for ever, except that one address gets 30 s to answer the SYN.
    pub deadline: Option<Instant>,
    /// Topic filters and the QoS asked for, sent in one SUBSCRIBE.
    pub subscriptions: Vec<(String, u8)>,
    /// Sent right behind SUBSCRIBE, without waiting for any answer. Its
    /// [`Published`](crate::Event::Published) carries [`Session::FIRST`](crate::Session::FIRST).
    pub first: Option<Publish>,
    /// Whether the payload of `first` is a secret. It is kept from the MQTT library, whose copies
    /// are not wiped, and wiped with the session; where the broker sends it back to a subscription
    /// of this session, that message arrives with zeros in its place. Default false.
    pub first_is_secret: bool,
    /// The will message.
    pub will: Option<Publish>,
    /// Bounds on memory.
    pub limits: Limits,
}

impl Options {
    /// Options with the usual values: keep-alive 60 s, no credentials, no subscriptions, no
    /// deadline, default limits, nothing trusted.
    pub fn new(broker: BrokerUrl, client_id: impl Into<String>) -> Options {
        Options {
            broker,
            client_id: client_id.into(),
            username: None,
            password: None,
            keep_alive: Duration::from_secs(60),
            tls: Tls::default(),
            deadline: None,
            subscriptions: Vec::new(),
            first: None,
            first_is_secret: false,
            will: None,
            limits: Limits::default(),
        }
    }
}

impl Publish {
    /// A message that is not retained.
    pub fn new(topic: impl Into<String>, payload: impl Into<Vec<u8>>, qos: u8) -> Publish {
        Publish {
            topic: topic.into(),
            payload: payload.into(),
            qos,
            retained: false,
        }
    }

    /// Upper bound of the size on the wire: five bytes of fixed header, two of topic length, two of
    /// packet id.
    pub(crate) fn wire_size(&self) -> usize {
        9 + self.topic.len() + self.payload.len()
    }

    /// What it counts as until it is acknowledged: paho keeps it until then.
    pub(crate) fn cost(&self) -> usize {
        self.wire_size().saturating_add(1024)
    }
}

// Payloads can hold secrets and be large: only their size is shown.
impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publish")
            .field("topic", &self.topic)
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .field("qos", &self.qos)
            .field("retained", &self.retained)
            .finish()
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("chain", &self.chain.len())
            .field("key", &"***")
            .finish()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("anchors", &self.anchors.len())
            .field("crls", &self.crls.len())
            .field("client", &self.client)
            .field("session_cache", &self.session_cache.is_some())
            .finish()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("broker", &self.broker)
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("password", &self.password)
            .field("keep_alive", &self.keep_alive)
            .field("tls", &self.tls)
            .field("subscriptions", &self.subscriptions)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

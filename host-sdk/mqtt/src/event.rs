//! What a session tells its owner.
//!
//! Delivered one after the other from the session's link thread, never from a thread of paho, and
//! never after the [`Session`](crate::Session) has been dropped.

use crate::{Failure, Hold};
use openssl::x509::X509;
use std::fmt;
use std::net::SocketAddr;
use x509_policy::CertificateFacts;

/// In the order in which they occur; the first three only where they apply.
#[derive(Clone, Debug)]
pub enum Event {
    /// The host name is being resolved. Not sent for a numeric address.
    Resolving,
    /// A SYN goes out to this address. The first one of a session is where an attempt begins to
    /// count; another follows if an address fails and there are more.
    Connecting(SocketAddr),
    /// TCP is up, the TLS handshake begins.
    Handshaking,
    /// The broker is authenticated.
    TlsEstablished(Box<PeerCertificate>),
    /// CONNACK 0.
    Connected {
        /// What the broker says of an earlier session; with a clean session it should be false.
        session_present: bool,
    },
    /// All filters are accepted. Follows [`Event::Connected`] at once if there are none.
    Subscribed,
    /// The message with this id has been acknowledged (QoS 1, 2) or has left this process (QoS 0).
    Published(u64),
    /// A message to a topic that was subscribed to; others are acknowledged and dropped.
    Message(Message),
    /// The session is over. Last event, sent exactly once, unless the owner ended it.
    Failed(Failure),
}

/// A message from the broker.
#[derive(Clone)]
pub struct Message {
    /// The topic, without wildcards and NUL.
    pub topic: String,
    /// The content.
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether the broker had kept it from before the subscription.
    pub retained: bool,
    /// Whether it may have been delivered before (QoS 1 only).
    pub duplicate: bool,
    /// Kept until the message has been dealt with: so long its bytes count, and the broker waits
    /// when they are too many ([`Limits::max_backlog`](crate::Limits::max_backlog)).
    pub hold: Hold,
}

impl PartialEq for Message {
    fn eq(&self, other: &Message) -> bool {
        let parts = |m: &Message| (m.qos, m.retained, m.duplicate);
        self.topic == other.topic && self.payload == other.payload && parts(self) == parts(other)
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic)
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .field("qos", &self.qos)
            .field("retained", &self.retained)
            .field("duplicate", &self.duplicate)
            .finish()
    }
}

/// The broker's certificate and the TLS session it was shown in.
#[derive(Clone, Debug)]
pub struct PeerCertificate {
    /// What the certificate says of itself.
    pub facts: CertificateFacts,
    /// `TLSv1.2` or `TLSv1.3`.
    pub protocol: String,
    /// OpenSSL's name of the cipher suite.
    pub cipher: String,
    /// Whether an earlier TLS session was resumed.
    pub resumed: bool,
    /// The certificates as the broker sent them, leaf first.
    pub chain: Vec<X509>,
}

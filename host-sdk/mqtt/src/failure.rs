//! Why a session or a connection did not come to be, or ended.
//!
//! One value per cause that a person would treat differently; [`Failure::code`] is the stable code
//! under which it appears in status documents. Made by the link thread, delivered in
//! [`Event::Failed`](crate::Event::Failed) and returned by [`Session::publish`](crate::Session::publish).

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use x509_policy::CertificateFacts;

/// How far a session had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The host name is being resolved.
    Resolve,
    /// The TCP connection is being opened.
    Connect,
    /// The TLS handshake is under way.
    Handshake,
    /// The WebSocket upgrade is under way.
    Upgrade,
    /// CONNECT has been sent, CONNACK has not come.
    Connack,
    /// The broker accepted the client, not yet its subscriptions.
    Subscribe,
    /// The session is up.
    Session,
    /// A [`Connection`](crate::Connection) is up, whatever it carries.
    Exchange,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Resolve => "resolving the host name",
            Stage::Connect => "opening the TCP connection",
            Stage::Handshake => "the TLS handshake",
            Stage::Upgrade => "the WebSocket upgrade",
            Stage::Connack => "waiting for CONNACK",
            Stage::Subscribe => "subscribing",
            Stage::Session => "the session",
            Stage::Exchange => "the transfer",
        })
    }
}

/// The exact cause. Where several hold for one certificate, the order is [`Failure::Untrusted`]
/// (nothing else in it can be believed before), [`Failure::NotYetValid`] (most often our own
/// clock), [`Failure::Expired`], [`Failure::Hostname`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The host name has no address, or it could not be found out.
    #[error("the host name {host} cannot be resolved: {reason}")]
    Dns {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Nothing listens there, or a firewall rejects.
    #[error("{addr} refused the connection")]
    Refused {
        /// Where the connection was refused.
        addr: SocketAddr,
    },
    /// No route, no interface, or the network says so.
    #[error("{addr} cannot be reached: {reason}")]
    Unreachable {
        /// Where to.
        addr: SocketAddr,
        /// The operating system's reason.
        reason: String,
    },
    /// The deadline passed.
    #[error("timed out after {:.1} s: {stage}", after.as_secs_f64())]
    Timeout {
        /// What was waited for.
        stage: Stage,
        /// Time since the session was opened.
        after: Duration,
    },
    /// The connection ended although nobody here ended it.
    #[error("the connection was lost during {stage}: {reason}")]
    Lost {
        /// How far it had come.
        stage: Stage,
        /// How it was noticed.
        reason: String,
    },
    /// A certificate of the server does not lead to a trusted root, is not fit for its purpose, or
    /// is revoked.
    #[error("certificate {depth} of the server's chain, {cert}, is not trusted: {reason}")]
    Untrusted {
        /// The certificate that failed.
        cert: Box<CertificateFacts>,
        /// OpenSSL's reason.
        reason: String,
        /// Its place in the chain, 0 is the server's own.
        depth: u32,
    },
    /// The certificate is good, but not for this host.
    #[error(
        "the server's certificate {cert} is not for {host}, but for {}: {reason}",
        list(names)
    )]
    Hostname {
        /// The host that was asked for.
        host: String,
        /// The server's own certificate.
        cert: Box<CertificateFacts>,
        /// The names and addresses it is for.
        names: Vec<String>,
        /// OpenSSL's reason.
        reason: String,
    },
    /// A certificate of the chain has expired.
    #[error("certificate {depth} of the server's chain, {cert}, expired on {}: {reason}", cert.not_after)]
    Expired {
        /// Which one.
        cert: Box<CertificateFacts>,
        /// OpenSSL's reason.
        reason: String,
        /// Its place in the chain, 0 is the server's own.
        depth: u32,
    },
    /// A certificate of the chain is not valid yet, or the clock here is wrong.
    #[error("certificate {depth} of the server's chain, {cert}, is not valid before {}, check the clock: {reason}", cert.not_before)]
    NotYetValid {
        /// Which one.
        cert: Box<CertificateFacts>,
        /// OpenSSL's reason.
        reason: String,
        /// Its place in the chain, 0 is the server's own.
        depth: u32,
    },
    /// The two sides do not find a common TLS, or the peer does not speak it.
    #[error("TLS failed: {reason}")]
    TlsProtocol {
        /// In words, with OpenSSL's reason where it gives one.
        reason: String,
    },
    /// CONNACK 4.
    #[error("the broker says: bad user name or password (CONNACK 4)")]
    BadCredentials,
    /// CONNACK 5. mosquitto answers this to a wrong password, too.
    #[error("the broker says: not authorized (CONNACK 5)")]
    NotAuthorized,
    /// CONNACK 2.
    #[error("the broker rejects the client-id (CONNACK 2)")]
    IdentifierRejected,
    /// CONNACK 3.
    #[error("the broker says that its service is unavailable (CONNACK 3)")]
    Unavailable,
    /// CONNACK 1.
    #[error("the broker does not speak MQTT 3.1.1 (CONNACK 1)")]
    ProtocolVersion,
    /// SUBACK 0x80.
    #[error("the broker refuses the subscription to {topic}")]
    SubscriptionRefused {
        /// The first filter that was refused.
        topic: String,
    },
    /// Bytes that no broker may send, or a request that cannot be encoded.
    #[error("malformed: {what}")]
    Malformed {
        /// What, and where.
        what: String,
    },
    /// Well-formed, but not now.
    #[error("unexpected: {what}")]
    Unexpected {
        /// What, and when.
        what: String,
    },
    /// More than the limits allow.
    #[error("{what} of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// What.
        what: String,
        /// Its size in bytes, as announced or as counted so far.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The process has no descriptor, thread or port left for a connection. Passes when others
    /// give theirs back.
    #[error("there is nothing left to open a connection with: {what}")]
    Exhausted {
        /// What was asked for, and what the system said.
        what: String,
    },
    /// A library failed us: OpenSSL without an answer, paho out of order.
    #[error("internal: {what}")]
    Internal {
        /// What.
        what: String,
    },
}

impl Failure {
    /// The stable code of the status document.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::Dns { .. } => "network.dns",
            Failure::Refused { .. } => "network.refused",
            Failure::Unreachable { .. } | Failure::Exhausted { .. } => "network.unreachable",
            Failure::Timeout { .. } => "network.timeout",
            Failure::Lost { .. } => "network.lost",
            Failure::Untrusted { .. } => "tls.untrusted",
            Failure::Hostname { .. } => "tls.hostname",
            Failure::Expired { .. } => "tls.expired",
            Failure::NotYetValid { .. } => "tls.not-yet-valid",
            Failure::TlsProtocol { .. } => "tls.protocol",
            Failure::BadCredentials => "broker.bad-credentials",
            Failure::NotAuthorized | Failure::SubscriptionRefused { .. } => "broker.not-authorized",
            Failure::IdentifierRejected => "broker.identifier",
            Failure::Unavailable => "broker.unavailable",
            Failure::ProtocolVersion | Failure::Unexpected { .. } => "protocol.unexpected",
            Failure::Malformed { .. } => "protocol.malformed",
            Failure::TooLarge { .. } => "protocol.too-large",
            Failure::Internal { .. } => "internal.panic",
        }
    }

    pub(crate) fn internal(what: impl fmt::Display) -> Failure {
        Failure::Internal {
            what: what.to_string(),
        }
    }

    pub(crate) fn exhausted(what: impl fmt::Display) -> Failure {
        Failure::Exhausted {
            what: what.to_string(),
        }
    }

    pub(crate) fn malformed(what: impl fmt::Display) -> Failure {
        Failure::Malformed {
            what: what.to_string(),
        }
    }

    pub(crate) fn unexpected(what: impl fmt::Display) -> Failure {
        Failure::Unexpected {
            what: what.to_string(),
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}

//! Is this message a request to this gateway, and from whom? What it asks for is the applications'
//! to read, and only after its signature was verified. Pure.

use std::ops::Range;

use kura_formats::payload::{decode_apart, unpacked, Limits, Payload, PayloadError};
use kura_formats::request::{self, Ids};
use kura_formats::topic::{self, Method, RequestTopic};
use mqtt_session::{Hold, Message};
use openssl::sha::Sha256;
use secret_text::Wiped;
use zeroize::Zeroize;

use super::Address;

/// String: the codings that the requester reads, as in a BIRTH.
const ACCEPT_ENCODING: &str = "accept_encoding";

/// What a message to a request's topic is.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A request that nobody can be answered: it cannot be read, or lacks usable ids.
    Unanswerable(String),
    /// A request.
    Request(Box<Request>),
}

/// A request to this gateway, decoded; nothing else of it is checked.
pub(super) struct Request {
    pub(super) topic: RequestTopic,
    /// `APP/METHOD/resource...`, which the signature covers.
    pub(super) application_topic: String,
    pub(super) ids: Ids,
    /// Without its body.
    pub(super) payload: Payload,
    /// As it came, out of gzip, for the verifier; and with the body in it, which may be large.
    pub(super) bytes: Vec<u8>,
    body: Range<usize>,
    /// SHA-256 of topic and payload: tells a repeated request from another one of the same id.
    pub(super) digest: [u8; 32],
    /// Until it is dealt with, the broker sends no more than there is room for.
    _hold: Hold,
}

impl Request {
    pub(super) fn method(&self) -> Method {
        self.topic.method
    }

    /// The resource, level by level.
    pub(super) fn resources(&self) -> Vec<&str> {
        self.topic.resources.iter().map(String::as_str).collect()
    }

    /// Empty if there is none.
    pub(super) fn body(&self) -> &[u8] {
        self.bytes.get(self.body.clone()).unwrap_or_default()
    }

    /// Whether its sender reads gzip.
    pub(super) fn accepts_gzip(&self) -> bool {
        self.payload
            .string(ACCEPT_ENCODING)
            .is_some_and(|list| list.split(',').any(|coding| coding.trim() == "gzip"))
    }
}

impl std::fmt::Debug for Request {
    /// Without the content, which may be a configuration.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:?})", self.application_topic, self.ids)
    }
}

impl Drop for Request {
    /// A configuration may hold passwords.
    fn drop(&mut self) {
        self.payload.zeroize();
        // Not what lies behind: of that nothing was written.
        self.bytes.as_mut_slice().zeroize();
    }
}

/// The topic, if it is that of a request to this gateway. Own echoes, replies, notifications and
/// retained messages are none.
pub(super) fn topic(address: &Address, message: &Message) -> Option<RequestTopic> {
    match address.topics.classify(&message.topic) {
        topic::Incoming::Request(topic)
            if !message.retained
                && topic.account == address.account
                && topic.client_id == address.client_id =>
        {
            Some(topic)
        }
        _ => None,
    }
}

/// Reads a message to this topic.
pub(super) fn read(topic: RequestTopic, message: Message) -> Incoming {
    let digest = digest(&message.topic, &message.payload);
    let (bytes, payload, body) = match apart(message.payload) {
        Ok(parts) => parts,
        Err(e) => return Incoming::Unanswerable(e.to_string()),
    };
    let ids = match request::ids(&payload) {
        Ok(ids) => ids,
        Err(e) => return Incoming::Unanswerable(crate::one_line(&e)),
    };
    Incoming::Request(Box::new(Request {
        application_topic: topic.application_topic(),
        topic,
        ids,
        payload,
        digest,
        bytes,
        body,
        _hold: message.hold,
    }))
}

/// The message out of gzip, what is in it, and where in it the body is: that is in memory once.
fn apart(bytes: Vec<u8>) -> Result<(Vec<u8>, Payload, Range<usize>), PayloadError> {
    let limits = Limits::default();
    let bytes = Wiped::from(unpacked(bytes, &limits)?);
    let (payload, body) = decode_apart(&bytes, &limits)?;
    Ok((bytes.into_vec(), payload, body.unwrap_or(0..0)))
}

fn digest(topic: &str, bytes: &[u8]) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(&(topic.len() as u64).to_be_bytes());
    sha.update(topic.as_bytes());
    sha.update(bytes);
    sha.finish()
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use kura_formats::payload::encode;
    use kura_formats::topic::Topics;

    pub(in super::super) fn address() -> Address {
        Address {
            topics: Topics::default(),
            account: "acme".to_owned(),
            client_id: "gw".to_owned(),
        }
    }

    pub(in super::super) fn message(topic: &str, payload: &Payload) -> Message {
        Message {
            topic: topic.to_owned(),
            payload: encode(payload),
            qos: 1,
            retained: false,
            duplicate: false,
            hold: Hold::default(),
        }
    }

    pub(in super::super) fn asking(id: &str) -> Payload {
        Payload::new()
            .with_metric("request.id", id)
            .with_metric("requester.client.id", "cloud")
    }

    /// As the connection does it.
    pub(in super::super) fn request(topic: &str, payload: &Payload) -> Incoming {
        let message = message(topic, payload);
        read(super::topic(&address(), &message).unwrap(), message)
    }

    const PUT: &str = "$EDC/acme/gw/CONF-V1/PUT/configurations";

    #[test]
    fn only_requests_to_this_gateway_are_requests() {
        let look = |topic: &str| super::topic(&address(), &message(topic, &asking("1")));
        assert!(look(PUT).is_some());
        for topic in [
            "$EDC/acme/gw/MQTT/BIRTH",
            "$EDC/acme/gw/CONF-V1/REPLY/1",
            "$EDC/acme/gw/DEPLOY-V2/NOTIFY/gw/download",
            "$EDC/acme/other/CONF-V1/GET/configurations",
            "$EDC/other/gw/CONF-V1/GET/configurations",
            "$EDC/acme/gw/CONF-V1/SUBMIT/configurations",
            "acme/gw/CONF-V1/GET/configurations",
        ] {
            assert_eq!(look(topic), None, "{topic}");
        }
        let mut kept = message(PUT, &asking("1"));
        kept.retained = true;
        assert_eq!(super::topic(&address(), &kept), None);
    }

    #[test]
    fn what_cannot_be_answered_says_why() {
        let mut broken = message(PUT, &asking("1"));
        broken.payload = b"\xff\xff".to_vec();
        let topic = super::topic(&address(), &broken).unwrap();
        assert!(matches!(read(topic, broken), Incoming::Unanswerable(_)));
        for id in ["", "a/b", "+", "#"] {
            let Incoming::Unanswerable(why) = request(PUT, &asking(id)) else {
                panic!("{id:?} was taken");
            };
            assert!(why.contains("request.id"), "{why}");
        }
    }

    #[test]
    fn another_topic_or_another_byte_is_another_request() {
        let digest_of = |topic: &str, payload: &Payload| match request(topic, payload) {
            Incoming::Request(request) => request.digest,
            other => panic!("{other:?}"),
        };
        let one = digest_of(PUT, &asking("1"));
        assert_eq!(one, digest_of(PUT, &asking("1")));
        assert_ne!(one, digest_of(PUT, &asking("1").with_body("x")));
        let get = "$EDC/acme/gw/CONF-V1/GET/configurations";
        assert_ne!(one, digest_of(get, &asking("1")));
    }
}

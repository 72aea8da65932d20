//! Is this message a request to us, and from whom? What it asks for is in `operation`.

use std::sync::Arc;

use kura_formats::payload::{decode_owned, Limits, Payload, PayloadError};
use kura_formats::request::{self, Ids, IdsError};
use kura_formats::topic::{self, Method, RequestTopic, Topics};
use openssl::sha::Sha256;
use zeroize::Zeroize;

use super::names;
use super::operation::{self, Operation};
use crate::diagnosis::Fault;

/// Reads what arrives below `$EDC/{account}/{client-id}/#`.
#[derive(Clone, Debug)]
pub struct Inbox {
    topics: Topics,
    account: String,
    client_id: String,
    limits: Limits,
}

/// What a message is.
#[derive(Debug)]
pub enum Incoming {
    /// Not for us to answer: own echo, another's topic, `REPLY`, `NOTIFY`, retained.
    Ignored,
    /// A request whose payload cannot be read, so that nobody can be answered. To be counted.
    Undecodable(PayloadError),
    /// A request without usable ids, to which there is no reply (Kura does the same). To be
    /// counted.
    Unanswerable(IdsError),
    /// A request.
    Request(Arc<Request>),
}

/// A request to us, decoded; nothing else of it is checked yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Its topic, in parts.
    pub topic: RequestTopic,
    /// `APP/METHOD/resource...`, which the signature covers.
    pub application_topic: String,
    /// Who asked, and the id of the request. Both may stand in a topic.
    pub ids: Ids,
    /// Its content.
    pub payload: Payload,
    /// SHA-256 of topic and payload as received: tells a repeated request from another one with
    /// the same id.
    pub digest: [u8; 32],
}

/// What it carries may be a password.
impl Drop for Request {
    fn drop(&mut self) {
        self.payload.zeroize();
    }
}

impl Inbox {
    /// For one account and client-id below one control prefix.
    pub fn new(topics: Topics, account: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            topics,
            account: account.into(),
            client_id: client_id.into(),
            limits: Limits::default(),
        }
    }

    /// Whose topics.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// To whom.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The topics below the control prefix.
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Reads one message, whose bytes become its content; allocates no more than
    /// `kura_formats::payload::Limits` says.
    pub fn read(&self, topic: &str, retained: bool, bytes: Vec<u8>) -> Incoming {
        let parts = match self.topics.classify(topic) {
            topic::Incoming::Request(parts)
                if !retained
                    && parts.account == self.account
                    && parts.client_id == self.client_id =>
            {
                parts
            }
            _ => return Incoming::Ignored,
        };
        let digest = digest(topic, &bytes);
        let payload = match decode_owned(bytes, &self.limits) {
            Ok(payload) => payload,
            Err(error) => return Incoming::Undecodable(error),
        };
        let ids = match request::ids(&payload) {
            Ok(ids) => ids,
            Err(error) => return Incoming::Unanswerable(error),
        };
        Incoming::Request(Arc::new(Request {
            application_topic: parts.application_topic(),
            topic: parts,
            ids,
            payload,
            digest,
        }))
    }
}

impl Request {
    /// The application, e.g. `CONF-V1`.
    pub fn app(&self) -> &str {
        &self.topic.app
    }

    /// What to do.
    pub fn method(&self) -> Method {
        self.topic.method
    }

    /// The body as decoded; empty if there is none.
    pub fn body(&self) -> &[u8] {
        self.payload.body.as_deref().unwrap_or_default()
    }

    /// Whether its sender reads gzip.
    pub fn accepts_gzip(&self) -> bool {
        self.payload
            .string(names::ACCEPT_ENCODING)
            .is_some_and(|list| list.split(',').any(|coding| coding.trim() == "gzip"))
    }

    /// Whether it is `EXEC PROV-V1/reject`.
    pub fn is_reject(&self) -> bool {
        self.app() == names::PROV_V1
            && self.method() == Method::Exec
            && self.topic.resources == ["reject"]
    }

    /// Whether it is `PUT CONF-V1/configurations`, whose body takes more memory to read than it has
    /// itself.
    pub fn is_configurations(&self) -> bool {
        operation::is_configurations(self)
    }

    /// What it asks for. Only after the signature was checked, where one is due.
    ///
    /// # Errors
    /// `protocol.malformed`, `protocol.too-large` or `configuration.invalid`, for the reply. That
    /// nobody knows the request is no error but [`Operation::Unknown`].
    pub fn operation(&self) -> Result<Operation, Fault> {
        operation::of(self)
    }
}

fn digest(topic: &str, bytes: &[u8]) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(&(topic.len() as u64).to_be_bytes());
    sha.update(topic.as_bytes());
    sha.update(bytes);
    sha.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::super::testing::{inbox, payload, request};
    use super::*;
    use kura_formats::payload::{encode, gzip};
    use proptest::prelude::*;

    const TOPIC: &str = "$EDC/acme/gw-1/PROV-V1/EXEC/commit";

    #[test]
    fn only_requests_to_us_are_requests() {
        let bytes = encode(&payload());
        for topic in [
            "$EDC/acme/gw-1/MQTT/PROV",
            "$EDC/acme/gw-1/MQTT/EXEC/x",
            "$EDC/acme/gw-1/PROV-V1/REPLY/r1",
            "$EDC/acme/gw-1/DEPLOY-V2/NOTIFY/gw-1/download",
            "$EDC/acme/gw-2/PROV-V1/EXEC/commit",
            "$EDC/other/gw-1/PROV-V1/EXEC/commit",
            "$EDC/acme/gw-1/PROV-V1/SUBMIT/commit",
            "$EDC/acme/gw-1/PROV-V1/exec/commit",
            "$EDC/acme/gw-1/PROV-V1",
            "$EDC/acme/gw-1",
            "acme/gw-1/PROV-V1/EXEC/commit",
            "",
        ] {
            let read = inbox().read(topic, false, bytes.clone());
            assert!(matches!(read, Incoming::Ignored), "{topic}: {read:?}");
        }
        assert!(matches!(
            inbox().read(TOPIC, true, bytes.clone()),
            Incoming::Ignored
        ));
        assert!(matches!(
            inbox().read(TOPIC, false, bytes),
            Incoming::Request(_)
        ));
    }

    #[test]
    fn what_cannot_be_answered_says_why() {
        let read = |bytes: &[u8]| inbox().read(TOPIC, false, bytes.to_vec());
        assert!(matches!(read(b"\xff\xff"), Incoming::Undecodable(_)));
        assert!(matches!(read(b""), Incoming::Unanswerable(_)));
        let only = Payload::new().with_metric("request.id", "r1");
        assert!(matches!(read(&encode(&only)), Incoming::Unanswerable(_)));
        let numeric = only.with_metric("requester.client.id", 5);
        assert!(matches!(read(&encode(&numeric)), Incoming::Unanswerable(_)));
        for id in ["", "a/b", "+", "a#b", "a\nb", &"x".repeat(256)] {
            let bad = payload().with_metric("requester.client.id", id);
            let Incoming::Unanswerable(error) = read(&encode(&bad)) else {
                panic!("{id:?} was accepted");
            };
            assert!(error.to_string().contains("requester.client.id"), "{error}");
        }
    }

    #[test]
    fn the_digest_tells_topics_and_payloads_apart() {
        let one = request("PROV-V1", "EXEC", "commit", payload());
        assert_eq!(one, request("PROV-V1", "EXEC", "commit", payload()));
        let other_topic = request("PROV-V1", "EXEC", "reject", payload());
        let other_payload = request("PROV-V1", "EXEC", "commit", payload().with_body("x"));
        assert_ne!(one.digest, other_topic.digest);
        assert_ne!(one.digest, other_payload.digest);
        assert_eq!(one.application_topic, "PROV-V1/EXEC/commit");
    }

    #[test]
    fn gzip_is_read_and_its_acceptance_seen() {
        let plain = payload().with_body(vec![b'x'; 5000]);
        let packed = gzip(&encode(&plain));
        let Incoming::Request(read) = inbox().read(TOPIC, false, packed) else {
            panic!("not read");
        };
        assert_eq!(read.body().len(), 5000);
        assert!(!read.accepts_gzip());
        for (value, accepted) in [
            ("gzip", true),
            ("br, gzip", true),
            ("", false),
            ("gzipx", false),
        ] {
            let with = plain.clone().with_metric("accept_encoding", value);
            assert_eq!(
                request("A", "GET", "b", with).accepts_gzip(),
                accepted,
                "{value}"
            );
        }
    }

    proptest! {
        #[test]
        fn arbitrary_input_never_panics(topic in ".{0,80}", bytes: Vec<u8>, retained: bool) {
            let _ = inbox().read(&topic, retained, bytes.clone());
            let _ = inbox().read(TOPIC, retained, bytes);
        }

        #[test]
        fn arbitrary_requests_are_parsed_without_panic(
            app in prop::sample::select(vec!["PROV-V1", "CONF-V1", "KEYS-V1", "DEPLOY-V2", "X"]),
            method in prop::sample::select(vec!["GET", "PUT", "POST", "DEL", "EXEC"]),
            resource in prop::sample::select(vec![
                "certificates", "credentials/certificate", "keystores/entries/csr",
                "keystores/entries/certificate", "configurations", "configurations/p",
                "download", "commit", "reject", "", "a//b", "configurations/",
            ]),
            names in prop::collection::vec(prop::sample::select(vec![
                "dp.uri", "dp.name", "dp.version", "dp.download.hash", "job.id", "prov.nonce",
                "prov.transaction.id", "prov.manifest.sha256", "prov.error.code", "retry.after",
            ]), 0..8),
            text in ".{0,40}",
            body: Option<Vec<u8>>,
        ) {
            let mut message = payload();
            for (i, name) in names.iter().enumerate() {
                match i % 3 {
                    0 => message.push(*name, text.as_str()),
                    1 => message.push(*name, text.as_bytes()),
                    _ => message.push(*name, 7i64),
                }
            }
            message.body = body;
            if let Err(fault) = request(app, method, resource, message).operation() {
                prop_assert!([400, 413].contains(&fault.response_code()), "{fault}");
            }
        }
    }
}

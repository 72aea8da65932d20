//! An account that asks a gateway of it, signs as it likes, and can send the same octets once more:
//! the platform itself does neither.

use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kura_formats::payload::{decode, encode, Payload};
use provision_platform::harness::TestPlatform;
use provision_platform::link::{Link, Notice};
use provision_platform::pki::Identity;
use provisioning_service::trust::{sign, SignedView};

use crate::SiteError;

const ACCOUNT: &str = "acme";
const NAME: &str = "operator";
const WAIT: Duration = Duration::from_secs(30);

/// A request, and who signs it.
pub struct Request<'a> {
    /// Application topic, `CONF-V1/GET/snapshots`.
    pub what: &'a str,
    /// Its `request.id`, and its `sig.id`.
    pub id: &'a str,
    /// Its body.
    pub body: Vec<u8>,
    /// How far the clock of the signer is ahead, ms.
    pub ahead_ms: i64,
    /// Whose signature it bears.
    pub signer: &'a Identity,
}

impl<'a> Request<'a> {
    /// Without a body, of this moment.
    pub fn new(signer: &'a Identity, what: &'a str, id: &'a str) -> Request<'a> {
        Request {
            what,
            id,
            body: Vec::new(),
            ahead_ms: 0,
            signer,
        }
    }

    /// By a signer whose clock is ahead, ms.
    pub fn ahead(mut self, ms: i64) -> Request<'a> {
        self.ahead_ms = ms;
        self
    }

    /// The message to the gateway `client_id`, signed now.
    pub fn signed(&self, client_id: &str) -> Result<Payload, SiteError> {
        let failed = |e: &dyn std::fmt::Display| SiteError(format!("{}: {e}", self.what));
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(|e| failed(&e))?;
        let now = i64::try_from(now.as_millis()).map_err(|e| failed(&e))? + self.ahead_ms;
        let payload = Payload::new()
            .with_timestamp(now)
            .with_metric("request.id", self.id)
            .with_metric("requester.client.id", NAME)
            .with_metric("sig.id", self.id)
            .with_metric("sig.timestamp", now)
            .with_body(self.body.clone());
        let view = SignedView {
            account: ACCOUNT,
            client_id,
            application_topic: self.what,
            payload: &payload,
        };
        let content = view.canonical().ok_or_else(|| failed(&"too long"))?;
        let signature =
            sign(&content, self.signer.certificate(), self.signer.key()).map_err(|e| failed(&e))?;
        Ok(payload.with_metric("signature", signature))
    }
}

/// A client of the account's broker.
pub struct Operator {
    client_id: String,
    link: Link,
    replies: Receiver<(String, Vec<u8>)>,
}

impl Operator {
    /// At the platform's broker, for the gateway `client_id`.
    pub fn new(platform: &TestPlatform, client_id: &str) -> Result<Operator, SiteError> {
        let (heard, replies) = channel();
        let topics = [format!("$EDC/{ACCOUNT}/{NAME}/#")];
        let link = Link::open(platform.target_broker(), NAME, &topics, move |notice| {
            if let Notice::Message(message) = notice {
                let _ = heard.send((message.topic, message.payload));
            }
        })
        .map_err(|e| SiteError(format!("{NAME}: {e}")))?;
        Ok(Operator {
            client_id: client_id.to_owned(),
            link,
            replies,
        })
    }

    /// Sends these octets to `what`; the reply, which must be to the request `id`.
    pub fn send_bytes(&self, what: &str, bytes: Vec<u8>, id: &str) -> Result<Payload, SiteError> {
        let failed = |e: &dyn std::fmt::Display| SiteError(format!("{what} {id}: {e}"));
        let topic = format!("$EDC/{ACCOUNT}/{}/{what}", self.client_id);
        self.link.publish(&topic, bytes).map_err(|e| failed(&e))?;
        let (topic, bytes) = self
            .replies
            .recv_timeout(WAIT)
            .map_err(|e| failed(&format!("no reply: {e}")))?;
        let app = what.split('/').next().unwrap_or_default();
        if topic != format!("$EDC/{ACCOUNT}/{NAME}/{app}/REPLY/{id}") {
            return Err(failed(&format!("a reply to something else: {topic}")));
        }
        decode(&bytes, &Default::default()).map_err(|e| failed(&e))
    }

    /// Sends this payload to `what`; the reply.
    pub fn send(&self, what: &str, payload: &Payload) -> Result<Payload, SiteError> {
        let id = payload.string("request.id").unwrap_or_default();
        self.send_bytes(what, encode(payload), id)
    }

    /// Signs the request, and sends it; the reply.
    pub fn ask(&self, request: &Request<'_>) -> Result<Payload, SiteError> {
        self.send(request.what, &request.signed(&self.client_id)?)
    }
}

/// What a reply says: its code, and why it is a refusal.
pub fn code(reply: &Payload) -> (Option<i32>, Option<&str>) {
    (
        reply.int32("response.code"),
        reply.string("prov.error.code"),
    )
}

//! What a message on our topics is.

use kura_formats::payload::{self, Limits, Payload};
use kura_formats::request;
use kura_formats::topic::{self, Method, Topics};

use super::operation::{self, Operation};
use crate::diagnosis::Fault;

/// A message, classified.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// Not for us, or our own echo: nothing happens.
    Ignored,
    /// A request without what a reply needs, in words.
    Unanswerable(String),
    /// A request that will be answered.
    Request(Box<Request>),
}

/// A request to this device.
#[derive(Clone, Debug)]
pub struct Request {
    /// Account of its topic.
    pub account: String,
    /// Client-id of its topic.
    pub client_id: String,
    /// Its application, e.g. `CONF-V1`.
    pub app: String,
    /// Its method.
    pub method: Method,
    /// Its resources.
    pub resources: Vec<String>,
    /// `APP/METHOD/resource...`, which the signature covers.
    pub application_topic: String,
    /// Metric `request.id`.
    pub request_id: String,
    /// Metric `requester.client.id`.
    pub requester: String,
    /// Its payload.
    pub payload: Payload,
    /// SHA-256 of topic and payload as received.
    pub digest: [u8; 32],
    /// What it asks for, or why it cannot be read.
    pub operation: Result<Operation, Fault>,
}

impl Request {
    /// The body; empty if absent.
    pub fn body(&self) -> &[u8] {
        self.payload.body.as_deref().unwrap_or_default()
    }

    /// `APP/resource...`, as the manifest names it.
    pub fn resource_path(&self) -> String {
        format!("{}/{}", self.app, self.resources.join("/"))
    }

    /// Where the reply goes. Its ids were checked when the request was classified.
    pub fn reply_topic(&self) -> String {
        Topics::default()
            .reply(&self.account, &self.requester, &self.app, &self.request_id)
            .unwrap_or_default()
    }
}

/// Classifies a message that came on `$EDC/{account}/{client-id}/#`.
pub fn classify(account: &str, client_id: &str, topic: &str, bytes: &[u8]) -> Incoming {
    let topic::Incoming::Request(parts) = Topics::default().classify(topic) else {
        return Incoming::Ignored;
    };
    if parts.account != account || parts.client_id != client_id {
        return Incoming::Ignored;
    }
    let payload = match payload::decode(bytes, &Limits::default()) {
        Ok(payload) => payload,
        Err(e) => return Incoming::Unanswerable(e.to_string()),
    };
    let ids = match request::ids(&payload) {
        Ok(ids) => ids,
        Err(e) => return Incoming::Unanswerable(e.to_string()),
    };
    let mut hash = openssl::sha::Sha256::new();
    hash.update(topic.as_bytes());
    hash.update(&[0]);
    hash.update(bytes);
    let operation = operation::parse(&parts, &payload);
    Incoming::Request(Box::new(Request {
        application_topic: parts.application_topic(),
        account: parts.account,
        client_id: parts.client_id,
        app: parts.app,
        method: parts.method,
        resources: parts.resources,
        request_id: ids.request_id,
        requester: ids.requester,
        payload,
        digest: hash.finish(),
        operation,
    }))
}

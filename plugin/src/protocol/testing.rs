//! Requests as the platform would send them, for the tests of this module.
#![allow(clippy::panic)]

use kura_formats::payload::{encode, Payload};
use kura_formats::topic::Topics;

use super::request::{Inbox, Incoming, Request};

pub(super) fn inbox() -> Inbox {
    Inbox::new(Topics::default(), "acme", "gw-1")
}

pub(super) fn payload() -> Payload {
    Payload::new()
        .with_timestamp(1_795_000_000_000)
        .with_metric("request.id", "r1")
        .with_metric("requester.client.id", "platform-1")
}

pub(super) fn request(app: &str, method: &str, resource: &str, payload: Payload) -> Request {
    let topic = format!("$EDC/acme/gw-1/{app}/{method}/{resource}");
    match inbox().read(&topic, false, encode(&payload)) {
        Incoming::Request(request) => (*request).clone(),
        other => panic!("{topic} is no request: {other:?}"),
    }
}

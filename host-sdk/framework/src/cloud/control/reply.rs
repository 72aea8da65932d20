//! The answer as it goes over the wire. Pure.

use kura_formats::payload::{encode, gzip, MetricValue, Payload};
use kura_formats::request::{self, ResponseCode};

use super::refusal::Refusal;
use super::request::Request;
use super::tally::excerpt;
use super::Address;

/// Smaller payloads are not worth compressing, in bytes.
const MIN_GZIP: usize = 256;
/// The largest reply, encoded and not compressed, in bytes: what the other side would take.
const MAX_REPLY: usize = 16 << 20;

/// What a request that could be served gets: 200, and this.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) metrics: Vec<(&'static str, MetricValue)>,
    pub(super) body: Option<Vec<u8>>,
}

impl Answer {
    /// Nothing but 200.
    pub(super) fn done() -> Answer {
        Answer::default()
    }

    /// 200 and a body.
    pub(super) fn with_body(body: impl Into<Vec<u8>>) -> Answer {
        Answer {
            body: Some(body.into()),
            ..Answer::default()
        }
    }
}

/// How a request ended.
pub(super) type Outcome = Result<Answer, Refusal>;

/// A message to be published with QoS 1, not retained.
#[derive(Clone, PartialEq, Eq)]
pub(in super::super) struct Outgoing {
    /// Only a session that serves this address may publish it.
    pub(in super::super) address: Address,
    pub(in super::super) topic: String,
    pub(in super::super) payload: Vec<u8>,
}

impl Outgoing {
    /// What it occupies, about, in bytes.
    pub(in super::super) fn size(&self) -> usize {
        self.topic.len() + self.payload.len() + 256
    }
}

impl std::fmt::Debug for Outgoing {
    /// Without the content, which may be a configuration.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.topic, self.payload.len())
    }
}

/// The reply to a request; `None` where the address cannot stand in a topic. `now_ms` is since 1970
/// UTC.
pub(super) fn reply(
    address: &Address,
    request: &Request,
    outcome: Outcome,
    now_ms: i64,
) -> Option<Outgoing> {
    let ids = &request.ids;
    let topic = address
        .topics
        .reply(
            &address.account,
            &ids.requester,
            &request.topic.app,
            &ids.request_id,
        )
        .inspect_err(|e| log::error!("no reply to {:?}: {e}", excerpt(&request.application_topic)))
        .ok()?;
    let mut plain = encode(&payload(outcome, now_ms));
    if plain.len() > MAX_REPLY {
        let size = plain.len();
        let refusal = Refusal::too_large(format!(
            "the reply would have {size} bytes, more than {MAX_REPLY}"
        ));
        plain = encode(&payload(Err(refusal), now_ms));
    }
    Some(Outgoing {
        address: address.clone(),
        topic,
        payload: coded(plain, request.accepts_gzip()),
    })
}

fn payload(outcome: Outcome, now_ms: i64) -> Payload {
    match outcome {
        Ok(answer) => {
            let mut payload = request::reply(ResponseCode::Ok, now_ms);
            for (name, value) in answer.metrics {
                payload.push(name, value);
            }
            payload.body = answer.body;
            payload
        }
        Err(refusal) => request::refusal(refusal.response, refusal.code, &refusal.message, now_ms),
    }
}

fn coded(plain: Vec<u8>, accepts_gzip: bool) -> Vec<u8> {
    if !accepts_gzip || plain.len() < MIN_GZIP {
        return plain;
    }
    let packed = gzip(&plain);
    match packed.len() < plain.len() {
        true => packed,
        false => plain,
    }
}

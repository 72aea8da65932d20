//! The message of a control request.

use super::message::{canonical, other_signer, random_id, MessageError, Outgoing};
use crate::clock;
use crate::control::{ControlFault, ControlRequest};
use crate::pki::Identity;
use kura_formats::payload::{encode, MetricValue};
use kura_formats::request::{self, Ids};
use kura_formats::topic::{RequestTopic, Topics};
use provisioning_service::trust::sign;

const HOUR: i64 = 3_600_000;

/// Makes the message; `metrics` come besides those of the request, `sig_id` is random if not given.
pub(crate) fn message(
    asked: &ControlRequest,
    metrics: &[(&'static str, MetricValue)],
    requester: &str,
    signer: &Identity,
    sig_id: Option<&str>,
) -> Result<(Outgoing, String), MessageError> {
    let topic = RequestTopic {
        account: asked.account.clone(),
        client_id: asked.client_id.clone(),
        app: asked.app.clone(),
        method: asked.method,
        resources: asked.resources.clone(),
    };
    let request_id = random_id()?;
    let ids = Ids {
        request_id: request_id.clone(),
        requester: requester.to_owned(),
    };
    let now = clock::now();
    let mut payload = request::request(&ids, now);
    for (name, value) in &asked.metrics {
        payload.push(name.clone(), value.clone());
    }
    for (name, value) in metrics {
        payload.push(*name, value.clone());
    }
    payload.body.clone_from(&asked.body);
    let sig_id = match sig_id {
        Some(id) => id.to_owned(),
        None => random_id()?,
    };
    if asked.fault != ControlFault::Unsigned {
        match asked.fault {
            ControlFault::WithoutTimestamp => {}
            ControlFault::Stale => payload.push("sig.timestamp", now - HOUR),
            ControlFault::Early => payload.push("sig.timestamp", now + HOUR),
            _ => payload.push("sig.timestamp", now),
        }
        payload.push("sig.id", sig_id.as_str());
        let mut signed_for = topic.clone();
        if asked.fault == ControlFault::OtherClient {
            signed_for.client_id.push_str("-other");
        }
        let mut content = canonical(&signed_for, &payload).ok_or(MessageError::TooLong)?;
        if asked.fault == ControlFault::Altered {
            content.push(0);
        }
        let signature = match asked.fault {
            ControlFault::OtherSigner => {
                let other = other_signer(signer)?;
                sign(&content, other.certificate(), other.key())?
            }
            _ => sign(&content, signer.certificate(), signer.key())?,
        };
        payload.push("signature", signature);
    }
    let outgoing = Outgoing {
        topic: Topics::default().request(&topic)?,
        application_topic: topic.application_topic(),
        request_id,
        payload: encode(&payload),
    };
    Ok((outgoing, sig_id))
}

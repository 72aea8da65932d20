//! What a device says when it wants to be provisioned.

use crate::secret::Secret;
use kura_formats::payload::Payload;
use kura_formats::request::{self, IdsError};

/// A trigger (`MQTT/PROV`).
#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    /// The same from the first attempt to the commit.
    pub(crate) transaction_id: String,
    /// 32 bytes, new in every attempt.
    pub(crate) nonce: Vec<u8>,
    /// If the device has one.
    pub(crate) activation_key: Option<Secret>,
    /// Fingerprints of the signers that it trusts already: this is a re-provisioning then.
    pub(crate) trusted_signers: Vec<String>,
    /// The cloud connection that it is about.
    pub(crate) connection_pid: Option<String>,
    /// Whether it understands gzip.
    pub(crate) gzip: bool,
}

/// What is wrong with a trigger.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TriggerError {
    /// No ids.
    #[error(transparent)]
    Ids(#[from] IdsError),
    /// It says it comes from somebody else.
    #[error("requester.client.id is {0:?}, not the client-id of the topic")]
    Requester(String),
    /// Not a profile that we speak.
    #[error("metric prov.profile is {0:?}, and 1 is what we speak")]
    Profile(Option<i32>),
    /// No transaction.
    #[error("metric prov.transaction.id is missing or no UUID")]
    Transaction,
    /// No nonce.
    #[error("metric prov.nonce is missing or has not 32 bytes")]
    Nonce,
}

impl TriggerError {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            TriggerError::Profile(_) => "protocol.unexpected",
            _ => "protocol.malformed",
        }
    }
}

/// The nonce, as far as there is one: a reject needs it even if nothing else is right.
pub(crate) fn nonce(payload: &Payload) -> Option<&[u8]> {
    payload
        .bytes("prov.nonce")
        .filter(|nonce| nonce.len() == 32)
}

impl Trigger {
    /// Reads the trigger of a client.
    pub(crate) fn read(client_id: &str, payload: &Payload) -> Result<Trigger, TriggerError> {
        let ids = request::ids(payload)?;
        if ids.requester != client_id {
            return Err(TriggerError::Requester(ids.requester));
        }
        let profile = payload.int32("prov.profile");
        if profile != Some(1) {
            return Err(TriggerError::Profile(profile));
        }
        let transaction_id = payload
            .string("prov.transaction.id")
            .filter(|id| is_uuid(id));
        let list = payload.string("prov.trusted.signers").unwrap_or_default();
        let encodings = payload.string("accept_encoding").unwrap_or_default();
        Ok(Trigger {
            transaction_id: transaction_id.ok_or(TriggerError::Transaction)?.to_owned(),
            nonce: nonce(payload).ok_or(TriggerError::Nonce)?.to_vec(),
            activation_key: payload.string("activation.key").map(Secret::new),
            trusted_signers: list
                .split(',')
                .map(|f| f.trim().to_owned())
                .filter(|f| !f.is_empty())
                .collect(),
            connection_pid: payload.string("prov.connection.pid").map(str::to_owned),
            gzip: encodings.split(',').any(|e| e.trim() == "gzip"),
        })
    }
}

/// RFC 4122's text form: 8-4-4-4-12 hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn good() -> Payload {
        Payload::new()
            .with_metric("request.id", "r1")
            .with_metric("requester.client.id", "dev")
            .with_metric("prov.profile", 1)
            .with_metric(
                "prov.transaction.id",
                "00000000-0000-4000-8000-0000000000aa",
            )
            .with_metric("prov.nonce", vec![7_u8; 32])
            .with_metric("prov.trusted.signers", "aa, bb")
            .with_metric("accept_encoding", "gzip")
    }

    #[test]
    fn a_trigger_is_read() {
        let trigger = Trigger::read("dev", &good()).unwrap();
        assert_eq!(trigger.trusted_signers, ["aa", "bb"]);
        assert!(trigger.gzip && trigger.activation_key.is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |name: &str, value: &str| good().with_metric(name, value);
        let error = |payload: Payload| Trigger::read("dev", &payload).unwrap_err();
        assert_eq!(
            error(with("requester.client.id", "other")),
            TriggerError::Requester("other".into())
        );
        assert_eq!(
            error(good().with_metric("prov.profile", 2)),
            TriggerError::Profile(Some(2))
        );
        assert_eq!(
            error(with("prov.transaction.id", "1")),
            TriggerError::Transaction
        );
        assert_eq!(
            error(good().with_metric("prov.nonce", vec![1_u8; 31])),
            TriggerError::Nonce
        );
        assert!(matches!(error(Payload::new()), TriggerError::Ids(_)));
        assert_eq!(error(Payload::new()).code(), "protocol.malformed");
    }
}

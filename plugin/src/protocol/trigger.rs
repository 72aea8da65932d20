//! The first message of an attempt, `MQTT/PROV`: who is there, and with which transaction.
//!
//! Ids, nonce and time are made by the caller.

use gateway_component_abi::value::Secret;
use kura_formats::payload::Payload;
use kura_formats::request::{self, Ids};
use kura_formats::topic::{TopicError, Topics};

use super::names;

/// What the trigger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Its own request id, new for every attempt. There is no reply to it.
    pub request_id: String,
    /// The client-id; it is the requester too.
    pub client_id: String,
    /// A UUID, the same from the first attempt until the transaction commits or the
    /// configuration changes.
    pub transaction_id: String,
    /// Random, new for every attempt.
    pub nonce: [u8; 32],
    /// The claim secret, where one is configured.
    pub activation_key: Option<Secret>,
    /// SHA-256 fingerprints of the device-management certificates already trusted, lower hex.
    /// Empty at first provisioning. Sorted here.
    pub trusted_signers: Vec<String>,
    /// The pid of the cloud connection being provisioned.
    pub connection_pid: String,
    /// Who is there.
    pub birth: Birth,
}

/// The identity metrics of a Kura BIRTH. What is not known is not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Birth {
    /// `serial_number`.
    pub serial_number: Option<String>,
    /// `display_name`.
    pub display_name: Option<String>,
    /// `model_id`.
    pub model_id: Option<String>,
    /// `firmware_version`.
    pub firmware_version: Option<String>,
    /// `os`.
    pub os: Option<String>,
    /// `connection_interface`, as Kura writes it: `eth0 (00:11:22:33:44:55)`.
    pub connection_interface: Option<String>,
    /// `connection_ip`.
    pub connection_ip: Option<String>,
    /// `uptime` of the gateway in ms; a String on the wire, as in Kura.
    pub uptime_ms: Option<u64>,
}

impl Trigger {
    /// `$EDC/{account}/{client-id}/MQTT/PROV`.
    ///
    /// # Errors
    /// [`TopicError`] where account or client-id cannot stand in a topic.
    pub fn topic(&self, topics: &Topics, account: &str) -> Result<String, TopicError> {
        topics.lifecycle(account, &self.client_id, names::TRIGGER)
    }

    /// The payload. `timestamp` in ms since 1970 UTC.
    pub fn payload(&self, timestamp: i64) -> Payload {
        let ids = Ids {
            request_id: self.request_id.clone(),
            requester: self.client_id.clone(),
        };
        let mut signers = self.trusted_signers.clone();
        signers.sort();
        signers.dedup();
        let mut payload = request::request(&ids, timestamp)
            .with_metric(names::PROV_PROFILE, names::PROFILE)
            .with_metric(names::PROV_TRANSACTION_ID, self.transaction_id.as_str())
            .with_metric(names::PROV_NONCE, self.nonce.as_slice())
            .with_metric(names::PROV_TRUSTED_SIGNERS, signers.join(","))
            .with_metric(names::PROV_CONNECTION_PID, self.connection_pid.as_str());
        if let Some(key) = &self.activation_key {
            payload.push(names::ACTIVATION_KEY, key.expose());
        }
        let birth = &self.birth;
        let uptime = birth.uptime_ms.map(|ms| ms.to_string());
        for (name, value) in [
            ("serial_number", &birth.serial_number),
            ("display_name", &birth.display_name),
            ("model_id", &birth.model_id),
            ("firmware_version", &birth.firmware_version),
            ("os", &birth.os),
            ("connection_interface", &birth.connection_interface),
            ("connection_ip", &birth.connection_ip),
            ("uptime", &uptime),
        ] {
            if let Some(value) = value {
                payload.push(name, value.as_str());
            }
        }
        payload
            .with_metric("application_ids", names::APPLICATIONS.join(","))
            .with_metric(names::ACCEPT_ENCODING, "gzip")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use kura_formats::payload::{decode, encode, Limits, MetricValue};

    fn trigger() -> Trigger {
        Trigger {
            request_id: "r-1".into(),
            client_id: "Übergabe-网关".into(),
            transaction_id: "7c0e".into(),
            nonce: [7; 32],
            activation_key: None,
            trusted_signers: Vec::new(),
            connection_pid: "org.eclipse.kura.cloud.CloudService-2".into(),
            birth: Birth::default(),
        }
    }

    #[test]
    fn a_bare_trigger_carries_what_every_trigger_must() {
        let trigger = trigger();
        assert_eq!(
            trigger.topic(&Topics::default(), "acme").unwrap(),
            "$EDC/acme/Übergabe-网关/MQTT/PROV"
        );
        let payload = decode(&encode(&trigger.payload(5)), &Limits::default()).unwrap();
        let expected: Vec<(&str, MetricValue)> = vec![
            ("request.id", "r-1".into()),
            ("requester.client.id", "Übergabe-网关".into()),
            ("prov.profile", 1.into()),
            ("prov.transaction.id", "7c0e".into()),
            ("prov.nonce", vec![7; 32].into()),
            ("prov.trusted.signers", "".into()),
            (
                "prov.connection.pid",
                "org.eclipse.kura.cloud.CloudService-2".into(),
            ),
            (
                "application_ids",
                "PROV-V1,CONF-V1,KEYS-V1,DEPLOY-V2".into(),
            ),
            ("accept_encoding", "gzip".into()),
        ];
        let found: Vec<(&str, MetricValue)> = payload
            .metrics
            .iter()
            .map(|m| (m.name.as_str(), m.value.clone()))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(payload.timestamp, Some(5));
    }

    #[test]
    fn a_full_trigger_adds_identity_and_claim() {
        let mut full = trigger();
        full.activation_key = Some(Secret::from("k€y"));
        full.trusted_signers = vec!["bb".into(), "aa".into(), "bb".into()];
        full.birth = Birth {
            serial_number: Some("S1".into()),
            display_name: Some("north wall".into()),
            model_id: Some("M".into()),
            firmware_version: Some("1".into()),
            os: Some("Linux".into()),
            connection_interface: Some("eth0 (00:11:22:33:44:55)".into()),
            connection_ip: Some("10.0.0.2".into()),
            uptime_ms: Some(4711),
        };
        let payload = full.payload(0);
        for (name, value) in [
            ("activation.key", "k€y"),
            ("prov.trusted.signers", "aa,bb"),
            ("serial_number", "S1"),
            ("display_name", "north wall"),
            ("model_id", "M"),
            ("firmware_version", "1"),
            ("os", "Linux"),
            ("connection_interface", "eth0 (00:11:22:33:44:55)"),
            ("connection_ip", "10.0.0.2"),
            ("uptime", "4711"),
        ] {
            assert_eq!(payload.string(name), Some(value), "{name}");
        }
        assert!(!format!("{full:?}").contains("k€y"));
    }

    #[test]
    fn a_client_id_that_would_leave_its_level_has_no_topic() {
        let mut bad = trigger();
        for client_id in ["", "a/b", "a+", "#", "a\0"] {
            bad.client_id = client_id.into();
            assert!(
                bad.topic(&Topics::default(), "acme").is_err(),
                "{client_id:?}"
            );
        }
    }
}

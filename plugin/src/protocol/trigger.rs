//! The message that starts the flow: `$EDC/{account}/{client-id}/MQTT/PROV`.

use gateway_component_abi::value::Secret;
use kura_formats::payload::{self, Payload};
use kura_formats::request;
use kura_formats::topic::Topics;

use super::metric;

/// The applications of a provisioning session, as a Kura BIRTH lists them.
const APPLICATIONS: &str = "PROV-V1,CONF-V1,DEPLOY-V2,KEYS-V1";

/// What the trigger says.
#[derive(Clone, Debug, Default)]
pub struct BirthFacts {
    /// The client-id, which is also the requester of the trigger.
    pub client_id: String,
    /// The transaction's UUID.
    pub transaction: String,
    /// This attempt's.
    pub nonce: [u8; 32],
    /// Only if configured.
    pub activation_key: Option<Secret>,
    /// Fingerprints of the trusted signers; lower hex.
    pub trusted_signers: Vec<String>,
    /// The CloudService's pid.
    pub connection_pid: String,
    /// As in a BIRTH.
    pub serial_number: String,
    /// As in a BIRTH.
    pub display_name: String,
    /// As in a BIRTH.
    pub model_id: String,
    /// As in a BIRTH.
    pub firmware_version: String,
    /// As in a BIRTH.
    pub os: String,
    /// `eth0 (AA:BB:CC:DD:EE:FF)`.
    pub connection_interface: String,
    /// As in a BIRTH.
    pub connection_ip: String,
    /// Since boot.
    pub uptime_ms: i64,
}

/// The trigger's topic.
pub fn trigger_topic(account: &str, client_id: &str) -> String {
    Topics::default()
        .lifecycle(account, client_id, "PROV")
        .unwrap_or_default()
}

/// What the device subscribes to.
pub fn subscription(account: &str, client_id: &str) -> String {
    Topics::default()
        .subscription(account, client_id)
        .unwrap_or_default()
}

/// The trigger's payload. Its `request.id` is the nonce's first half, so that each is unique.
pub fn trigger(facts: &BirthFacts, wall_ms: i64) -> Vec<u8> {
    let id: String = facts
        .nonce
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut signers = facts.trusted_signers.clone();
    signers.sort();
    let mut trigger = Payload::new()
        .with_timestamp(wall_ms)
        .with_metric(request::REQUEST_ID, id)
        .with_metric(request::REQUESTER_CLIENT_ID, facts.client_id.as_str())
        .with_metric(metric::PROFILE, 1)
        .with_metric(metric::TRANSACTION, facts.transaction.as_str())
        .with_metric(metric::NONCE, facts.nonce.to_vec());
    if let Some(key) = &facts.activation_key {
        trigger = trigger.with_metric(metric::ACTIVATION_KEY, key.expose());
    }
    let trigger = trigger
        .with_metric(metric::TRUSTED_SIGNERS, signers.join(","))
        .with_metric(metric::CONNECTION_PID, facts.connection_pid.as_str())
        .with_metric("serial_number", facts.serial_number.as_str())
        .with_metric("display_name", facts.display_name.as_str())
        .with_metric("model_id", facts.model_id.as_str())
        .with_metric("firmware_version", facts.firmware_version.as_str())
        .with_metric("os", facts.os.as_str())
        .with_metric("connection_interface", facts.connection_interface.as_str())
        .with_metric("connection_ip", facts.connection_ip.as_str())
        .with_metric("uptime", facts.uptime_ms.to_string())
        .with_metric("application_ids", APPLICATIONS)
        .with_metric("accept_encoding", "gzip");
    payload::encode(&trigger)
}

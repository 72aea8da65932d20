//! The status document (`gwc.status/1`): what the component is doing, and why not.
//!
//! JSON, versioned, described by `docs/status.schema.json`, never a secret. Made by the worker
//! from the state machine's [`View`] and a few facts beside it.

use log::Level;
use serde::Serialize;
use serde_json::{json, Value};

use crate::diagnosis::{Code, Fault};
use crate::provisioner::{StateName, View};
use crate::settings::Identity;
use crate::time::rfc3339;
use crate::trust::ValidChain;
use crate::worker::Counts;

/// Version of the document; grows when a member changes its meaning.
pub const VERSION: u32 = 1;

/// Topic of the events on the host's bus.
pub const EVENT_TOPIC: &str = "gwc/provisioning/STATE";

/// A certificate that ends within this many milliseconds is worth a warning: 30 days.
const SOON_MS: i64 = 30 * 86_400_000;

/// Bytes on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// To the broker and to the servers of packages.
    pub sent: u64,
    /// From them.
    pub received: u64,
}

impl std::ops::Add for Bytes {
    type Output = Bytes;

    fn add(self, other: Bytes) -> Bytes {
        Bytes {
            sent: self.sent.saturating_add(other.sent),
            received: self.received.saturating_add(other.received),
        }
    }
}

/// A certificate worth showing.
#[derive(Clone, Debug, Serialize)]
struct Shown {
    subject: String,
    not_after: String,
    fingerprint: String,
}

/// Facts beside the state machine's own.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    pid: String,
    /// Bytes of the running or last attempt, downloads excepted.
    pub bytes: Bytes,
    /// Bytes of its downloads that are over.
    pub downloaded: Bytes,
    /// Bytes of the one under way.
    pub downloading: Option<Bytes>,
    /// Who the gateway is, once known.
    pub identity: Option<Identity>,
    /// Fingerprints of the trusted signers.
    pub signers: Vec<String>,
    /// UUID of the last finished transaction.
    pub last_transaction: Option<String>,
    /// Whether the root of the accepted chain is trusted.
    pub root_verified: Option<bool>,
    /// What became of the control messages after the provisioning.
    pub control: Counts,
    chain: Vec<Shown>,
    broker_certificate: Option<Shown>,
    target: Option<(String, String, String)>,
    identity_differs: Option<String>,
}

impl Extras {
    /// None yet, of the instance `pid`.
    pub fn new(pid: &str) -> Self {
        Extras {
            pid: pid.to_owned(),
            ..Extras::default()
        }
    }

    /// The broker showed this certificate.
    pub fn broker_certificate(&mut self, peer: &mqtt_session::PeerCertificate) {
        self.broker_certificate = Some(Shown {
            subject: peer.facts.subject.clone(),
            not_after: peer.facts.not_after.clone(),
            fingerprint: peer.facts.fingerprint.clone(),
        });
    }

    /// This chain was accepted.
    pub fn chain(&mut self, chain: &ValidChain) {
        self.root_verified = Some(chain.root_verified);
        self.chain = chain
            .facts
            .iter()
            .map(|facts| Shown {
                subject: facts.subject.clone(),
                not_after: facts.not_after.clone(),
                fingerprint: facts.fingerprint.clone(),
            })
            .collect();
    }

    /// The account that is being proved, by the transport's properties.
    pub fn target(
        &mut self,
        properties: &gateway_component_abi::value::Properties,
        client_id: &str,
    ) {
        let text = |name: &str| {
            properties
                .get(name)
                .and_then(gateway_component_abi::value::Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        self.target = Some((
            text("topic.context.account-name"),
            text("broker-url"),
            client_id.to_owned(),
        ));
    }

    /// Whether the system says something else than when the identity was frozen.
    pub fn compare_identity(&mut self, frozen: Option<&Identity>, now: &Identity) {
        let differs = |frozen: &&Identity| {
            (&frozen.client_id, &frozen.username) != (&now.client_id, &now.username)
        };
        self.identity_differs = frozen.filter(differs).map(|frozen| {
            format!(
                "the gateway would now be client-id {}, username {}; the transaction goes on as \
                 {}, {}",
                now.client_id, now.username, frozen.client_id, frozen.username
            )
        });
    }
}

/// The document of an instance that is not active.
pub fn inactive(pid: &str) -> String {
    json!({"version": VERSION, "instance": pid, "state": "inactive", "error": null}).to_string()
}

/// The document of an instance that panicked.
pub fn panicked(pid: &str) -> String {
    let fault = Fault::new(
        Code::InternalPanic,
        "a bug in the component; destroy the instance and create it anew",
    );
    json!({
        "version": VERSION,
        "instance": pid,
        "state": "failed",
        "error": fault.document(""),
    })
    .to_string()
}

/// The document.
pub fn document(view: &View<'_>, extras: &Extras, wall_ms: i64) -> String {
    let settings = view.parsed.and_then(|parsed| parsed.result.as_ref().ok());
    let at = |ms: Option<i64>| ms.map(|ms| rfc3339(wall_ms.saturating_add(ms)));
    let steps: Vec<Value> = view
        .steps
        .lines()
        .map(|(step, line)| {
            json!({
                "name": step,
                "state": line.progress,
                "started": line.started_ms.map(rfc3339),
                "ended": line.ended_ms.map(rfc3339),
                "detail": line.detail,
            })
        })
        .collect();
    // Frozen are the two names alone; what the gateway says of itself is beside them.
    let known = extras.identity.as_ref();
    let identity = view.identity.or(known);
    let problems: Vec<Value> = view
        .parsed
        .map_or(&[][..], |parsed| parsed.problems())
        .iter()
        .map(|problem| {
            json!({
                "parameter": problem.parameter,
                "given": problem.given,
                "allowed": problem.allowed,
                "message": problem.to_string(),
            })
        })
        .collect();
    let target = extras
        .target
        .as_ref()
        .filter(|_| view.state == StateName::Provisioned || view.state == StateName::Committing);
    json!({
        "version": VERSION,
        "instance": extras.pid,
        "state": view.state,
        "since": rfc3339(view.since_ms),
        "enabled": view.parsed.is_some_and(|p| p.enabled),
        "provisioned": view.parsed.is_some_and(|p| p.provisioned),
        "transaction": view.transaction.or(extras.last_transaction.as_deref()),
        "attempt": view.attempts,
        "max_attempts": settings.and_then(|s| s.max_attempts).map_or(-1, i64::from),
        "next_attempt_at": at(view.next_in_ms),
        "deadline_at": at(view.deadline_in_ms),
        "broker": settings.map(|s| s.broker.to_string()),
        "account": settings.map(|s| s.account_name.clone()),
        "target": target.map(|(account, broker, client_id)| json!({
            "account": account, "broker": broker, "client_id": client_id,
        })),
        "steps": steps,
        "error": view.fault.map(|(fault, at)| fault.document(rfc3339(*at))),
        "problems": problems,
        "warnings": warnings(view, extras, wall_ms),
        "packages": view.packages,
        "bytes": extras.bytes + extras.downloaded + extras.downloading.unwrap_or_default(),
        "identity": {
            "client_id": identity.map(|i| &i.client_id),
            "username": identity.map(|i| &i.username),
            "serial_number": known.and_then(|i| i.serial.as_ref()),
            "mac_address": known.and_then(|i| i.mac.as_ref()),
            "model": known.and_then(|i| i.model.as_ref()),
        },
        "trust": {
            "root_verified": extras.root_verified,
            "signers": extras.signers,
            "chain": extras.chain,
            "broker_certificate": extras.broker_certificate,
        },
        "control": {
            "accepted": extras.control.accepted,
            "refused": extras.control.refused,
        },
    })
    .to_string()
}

fn warnings(view: &View<'_>, extras: &Extras, wall_ms: i64) -> Vec<Value> {
    let mut warnings: Vec<Value> = view
        .parsed
        .map_or(&[][..], |parsed| &parsed.warnings)
        .iter()
        .map(|message| json!({"code": "parameter", "message": message}))
        .collect();
    if view.state == StateName::Provisioned {
        warnings.extend(of_provisioned(view));
    }
    if let Some(message) = &extras.identity_differs {
        warnings.push(json!({"code": "identity-differs", "message": message}));
    }
    if extras.root_verified == Some(false) {
        warnings.push(json!({
            "code": "root-not-verified",
            "message": "the root of the received chain was not verified (ca-authentication is off)",
        }));
    }
    let soon = rfc3339(wall_ms.saturating_add(SOON_MS));
    for shown in extras.chain.iter().chain(&extras.broker_certificate) {
        // RFC 3339 in UTC sorts as text.
        if shown.not_after < soon {
            warnings.push(json!({
                "code": "certificate-expires",
                "message": format!("{} expires on {}", shown.subject, shown.not_after),
            }));
        }
    }
    warnings
}

/// What the parameters say and the journal does not, or what they ask for in vain. `provisioned` is
/// not refused: a host may bring it with a snapshot, for a gateway that was provisioned elsewhere.
fn of_provisioned(view: &View<'_>) -> Option<Value> {
    if !view.provisioned_before {
        return Some(json!({
            "code": "provisioned-unrecorded",
            "message": "provisioned is set, but this gateway has no record of a provisioning; to \
                        provision it, set provisioned=false and enabled=true",
        }));
    }
    let enabled = view.parsed.is_some_and(|parsed| parsed.enabled);
    enabled.then(|| {
        json!({
            "code": "enabled-in-vain",
            "message": "enabled is true, but the gateway is provisioned, so nothing is started; to \
                        provision it again, set password and activation-key, then \
                        provisioned=false while enabled=true",
        })
    })
}

/// What is posted on the host's event bus when the state changes.
pub fn event(pid: &str, view: &View<'_>) -> String {
    json!({
        "instance": pid,
        "state": view.state,
        "transaction": view.transaction,
        "code": view.fault.map(|(fault, _)| fault.code),
    })
    .to_string()
}

/// One line per change of the state; `level` is Info, or Debug where it only repeats.
pub fn log_change(pid: &str, view: &View<'_>, level: Level) {
    let state = serde_json::to_value(view.state)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default();
    let transaction = view.transaction.unwrap_or("-");
    let attempt = view.attempts;
    match (view.state, view.fault) {
        (
            StateName::Waiting
            | StateName::Preflight
            | StateName::Refused
            | StateName::GaveUp
            | StateName::Invalid
            | StateName::RollingBack,
            Some((fault, _)),
        ) => log::log!(
            if level == Level::Info {
                Level::Warn
            } else {
                level
            },
            "{pid}: {state}, attempt {attempt}, transaction {transaction}: {fault}"
        ),
        _ => log::log!(
            level,
            "{pid}: {state}, attempt {attempt}, transaction {transaction}"
        ),
    }
}

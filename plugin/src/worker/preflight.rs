//! The local checks: free of charge, touching nothing outside the gateway.

use std::path::Path;

use gateway_component_abi::ext::system::{
    SYSTEM_PRIMARY_INTERFACE, SYSTEM_PRIMARY_IP, SYSTEM_PRIMARY_MAC, SYSTEM_SERIAL_NUMBER,
};
use serde::Serialize;

use super::{trusted, Worker};
use crate::build;
use crate::diagnosis::{Code, Fault};
use crate::host::DM_KEYSTORE;
use crate::protocol::{Birth, Trigger};
use crate::provisioner::{jitter_per_mille, Plan, Ready};
use crate::settings::{Identity, IdentitySheet, Settings, SystemFacts};
use crate::transaction::of_host;

/// Less free space than this is `storage.full`, in bytes.
const MIN_FREE: u64 = 1 << 20;
/// A clock this long after the build is implausible, in seconds.
const TWENTY_YEARS: i64 = 20 * 365 * 86_400;

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What is checked.
    pub name: &'static str,
    /// Whether it holds.
    pub passed: bool,
    /// What was found, in words.
    pub detail: String,
    /// The error code where it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// What to do where it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<&'static str>,
}

/// All checks.
#[derive(Clone, Debug, Default)]
pub struct Report {
    checks: Vec<Check>,
    fault: Option<Fault>,
    identity: Option<Identity>,
    has_signers: bool,
}

impl Report {
    fn add(&mut self, name: &'static str, result: Result<String, Fault>) {
        let check = match result {
            Ok(detail) => Check {
                name,
                passed: true,
                detail,
                code: None,
                remedy: None,
            },
            Err(fault) => {
                let check = Check {
                    name,
                    passed: false,
                    detail: fault.message.clone(),
                    code: Some(fault.code),
                    remedy: Some(fault.code.remedy()),
                };
                self.fault.get_or_insert(fault);
                check
            }
        };
        self.checks.push(check);
    }

    /// As `gwc.preflight/1` hands it out.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.checks).unwrap_or_default()
    }
}

impl Worker {
    /// Runs every check; `attempt` if one begins where all of them hold.
    pub(super) fn check(&mut self, attempt: bool) -> Report {
        let mut report = Report::default();
        report.add("host services", self.check_host());
        report.add("parameters", self.check_parameters());
        let settings = self.settings();
        match self.check_identity() {
            Ok(identity) => {
                report.add(
                    "identity",
                    Ok(format!(
                        "client-id {}, username {}",
                        identity.client_id, identity.username
                    )),
                );
                report.identity = Some(identity);
            }
            Err(fault) => report.add("identity", Err(fault)),
        }
        report.add("clock", self.check_clock());
        report.add("storage", self.check_storage());
        match trusted::tls_anchors(&*self.host) {
            Ok(found) => report.add(
                "trust store",
                Ok(format!(
                    "{} CA certificates in SSLKeystore",
                    found.roots.len()
                )),
            ),
            Err(fault) => report.add("trust store", Err(fault)),
        }
        match trusted::certificates(&*self.host, DM_KEYSTORE) {
            Ok(found) => {
                report.has_signers = !found.leaves.is_empty();
                report.add(
                    "device management",
                    Ok(format!(
                        "{} roots, {} signers in DMKeystore",
                        found.roots.len(),
                        found.leaves.len()
                    )),
                );
            }
            Err(fault) => report.add("device management", Err(fault)),
        }
        if let Some(settings) = &settings {
            let begins = attempt && report.fault.is_none();
            report.add("other instances", self.check_others(settings, begins));
        }
        report
    }

    /// Runs the checks and prepares an attempt.
    pub(super) fn preflight(&mut self) -> Result<Box<Ready>, Fault> {
        let report = self.check(true);
        for check in report.checks.iter().filter(|check| !check.passed) {
            log::debug!(
                "{}: preflight: {}: {}",
                self.shared.pid(),
                check.name,
                check.detail
            );
        }
        let Some(identity) = report.identity.filter(|_| report.fault.is_none()) else {
            return Err(report
                .fault
                .unwrap_or_else(|| Fault::new(Code::IdentityMissing, "no identity")));
        };
        self.extras
            .compare_identity(self.provisioner.view().identity, &identity);
        self.extras.identity = Some(identity.clone());
        let mut nonce = [0; 32];
        let mut uuid = [0; 16];
        let mut jitter = [0; 2];
        for buffer in [&mut nonce[..], &mut uuid[..], &mut jitter[..]] {
            openssl::rand::rand_bytes(buffer)
                .map_err(|e| Fault::new(Code::HostUnsupported, format!("no random bytes: {e}")))?;
        }
        Ok(Box::new(Ready {
            identity,
            nonce,
            transaction: uuid_v4(uuid),
            jitter_per_mille: jitter_per_mille(jitter),
            has_signers: report.has_signers,
            installs_packages: self.host.installs_packages(),
        }))
    }

    fn settings(&self) -> Option<Settings> {
        let view = self.provisioner.view();
        view.parsed.and_then(|parsed| parsed.result.clone().ok())
    }

    fn check_host(&self) -> Result<String, Fault> {
        let missing = self.host.missing();
        if missing.is_empty() {
            return Ok("all required services are offered".into());
        }
        Err(Fault::new(
            Code::HostUnsupported,
            format!("the host does not offer {}", missing.join(", ")),
        ))
    }

    fn check_parameters(&self) -> Result<String, Fault> {
        let view = self.provisioner.view();
        match view.parsed.map(|parsed| &parsed.result) {
            Some(Ok(_)) => {
                let warnings = view.parsed.map_or(&[][..], |parsed| &parsed.warnings);
                let mut told = vec!["all parameters hold"];
                told.extend(warnings.iter().map(String::as_str));
                Ok(told.join("; "))
            }
            Some(Err(problems)) => Err(crate::settings::Problem::fault(problems)),
            None => Err(Fault::new(Code::ConfigInvalid, "no parameters yet")),
        }
    }

    /// Facts of the system; what is not known is `None`.
    pub(super) fn system_facts(&self) -> Result<SystemFacts, Fault> {
        let get = |name: &str| {
            self.host
                .system(name)
                .map_err(|e| of_host(name, &e))
                .map(|value| value.filter(|text| !text.trim().is_empty()))
        };
        Ok(SystemFacts {
            mac: get(SYSTEM_PRIMARY_MAC)?,
            serial: get(SYSTEM_SERIAL_NUMBER)?,
            model: get("kura.model.id")?,
        })
    }

    fn check_identity(&self) -> Result<Identity, Fault> {
        let facts = self.system_facts()?;
        let view = self.provisioner.view();
        let parsed = view.parsed;
        Identity::derive(
            parsed.and_then(|p| p.client_id.as_deref()),
            parsed.and_then(|p| p.username.as_deref()),
            &facts,
        )
    }

    /// The identity sheet, JSON: what a provision request must say.
    pub(super) fn identity_sheet(&self) -> String {
        let facts = self.system_facts().unwrap_or_default();
        let view = self.provisioner.view();
        let parsed = view.parsed;
        let sheet = IdentitySheet::of(
            parsed.and_then(|p| p.client_id.as_deref()),
            parsed.and_then(|p| p.username.as_deref()),
            &facts,
        );
        serde_json::to_string(&sheet).unwrap_or_default()
    }

    pub(super) fn check_clock(&self) -> Result<String, Fault> {
        let now = super::wall_ms() / 1000;
        let of_journal = self
            .engine
            .as_ref()
            .map_or(0, crate::transaction::Engine::good_time_ms);
        let good = of_journal.max(self.shared.control().good_time_ms()) / 1000;
        let shown = crate::time::rfc3339(now * 1000);
        let wrong = match plausible_at(now) {
            Err(wrong) => wrong,
            Ok(()) if now < good => format!(
                "is before the last good time ({})",
                crate::time::rfc3339(good * 1000)
            ),
            Ok(()) => return Ok(shown),
        };
        Err(Fault::new(
            Code::ClockImplausible,
            format!("{shown} {wrong}"),
        ))
    }

    fn check_storage(&self) -> Result<String, Fault> {
        let folder = self
            .host
            .storage_folder()
            .map_err(|e| of_host("the host gives no folder", &e))?;
        check_folder(&folder)
    }

    /// The message that starts the flow.
    pub(super) fn trigger(&self, plan: &Plan) -> Result<Trigger, Fault> {
        let get = |name: &str| {
            self.host
                .system(name)
                .map_err(|e| of_host(name, &e))
                .map(|value| value.filter(|text| !text.is_empty()))
        };
        let interface = get(SYSTEM_PRIMARY_INTERFACE)?;
        let mac = get(SYSTEM_PRIMARY_MAC)?;
        let connection = self
            .host
            .connection()
            .map_err(|e| of_host("the cloud connection", &e))?;
        Ok(Trigger {
            // Unique as the nonce is.
            request_id: plan
                .nonce
                .iter()
                .take(16)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            client_id: plan.identity.client_id.clone(),
            transaction_id: plan.transaction.clone(),
            nonce: plan.nonce,
            activation_key: plan.settings.activation_key.clone(),
            trusted_signers: self.extras.signers.clone(),
            connection_pid: connection.map(|c| c.pid).unwrap_or_default(),
            birth: Birth {
                serial_number: get(SYSTEM_SERIAL_NUMBER)?,
                display_name: get("kura.device.name")?,
                model_id: get("kura.model.id")?,
                firmware_version: get("kura.firmware.version")?,
                os: get("os.name")?,
                connection_interface: match (interface, mac) {
                    (Some(interface), Some(mac)) => Some(format!("{interface} ({mac})")),
                    (interface, mac) => interface.or(mac),
                },
                connection_ip: get(SYSTEM_PRIMARY_IP)?,
                uptime_ms: Some(uptime_ms()),
            },
        })
    }
}

/// Whether a clock can be right, in seconds since 1970, by nothing but the time of the build.
///
/// # Errors
/// In words, why it cannot.
pub(super) fn plausible_at(now: i64) -> Result<(), String> {
    let wrong = if now < build::unix() {
        "is before this component was built"
    } else if now > build::unix() + TWENTY_YEARS {
        "is more than 20 years after the build"
    } else {
        return Ok(());
    };
    Err(format!("{wrong} ({})", build::DATE))
}

fn check_folder(folder: &Path) -> Result<String, Fault> {
    use rustix::fs::{access, statvfs, Access};
    let shown = folder.display();
    access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|e| Fault::new(Code::StorageUnwritable, format!("{shown}: {e}")))?;
    let space = statvfs(folder)
        .map_err(|e| Fault::new(Code::StorageUnwritable, format!("{shown}: {e}")))?;
    if space.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        return Err(Fault::new(
            Code::StorageUnwritable,
            format!("{shown}: the file system is read-only"),
        ));
    }
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    if free < MIN_FREE {
        return Err(Fault::new(
            Code::StorageFull,
            format!("{shown}: {free} bytes are free, {MIN_FREE} are needed"),
        ));
    }
    Ok(format!("{shown}: {} MiB free", free >> 20))
}

/// RFC 9562, version 4, of 16 random bytes.
fn uuid_v4(mut bytes: [u8; 16]) -> String {
    if let Some(version) = bytes.get_mut(6) {
        *version = (*version & 0x0f) | 0x40;
    }
    if let Some(variant) = bytes.get_mut(8) {
        *variant = (*variant & 0x3f) | 0x80;
    }
    let mut text = String::with_capacity(36);
    for (n, byte) in bytes.iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// Time since boot, ms.
fn uptime_ms() -> u64 {
    u64::try_from(rustix::system::sysinfo().uptime)
        .unwrap_or(0)
        .saturating_mul(1000)
}

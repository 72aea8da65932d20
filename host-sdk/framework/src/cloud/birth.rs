//! BIRTH and DC: what a gateway says of itself when it connects and when it leaves.
//!
//! Metrics as in Kura's `LifeCyclePayloadBuilder`, all of them Strings there. What has no meaning
//! here (there is no Java machine) says `UNKNOWN`, as in Kura; what is not known is left out.

use std::time::{SystemTime, UNIX_EPOCH};

use kura_formats::payload::{encode, gzip, Payload};

use super::settings::Identity;
use crate::system::{names, SystemProperties};

/// The metric by which a platform recognises the end of a provisioning.
pub const TRANSACTION: &str = "prov.transaction.id";

const UNKNOWN: &str = "UNKNOWN";

/// The BIRTH of this moment.
pub fn birth(
    system: &SystemProperties,
    version: &str,
    identity: &Identity,
    applications: &[&str],
    transaction: Option<&str>,
) -> Payload {
    let mut payload = Payload::new().with_timestamp(now_ms());
    let fact = |name: &str| system.get(name);
    let metrics = [
        ("uptime", Some(uptime_ms().to_string())),
        ("display_name", Some(display_name(system, identity))),
        ("model_name", fact(names::MODEL_NAME)),
        ("model_id", fact(names::MODEL_ID)),
        ("part_number", fact(names::PART_NUMBER)),
        ("serial_number", fact(names::SERIAL_NUMBER)),
        ("firmware_version", fact(names::FIRMWARE_VERSION)),
        ("bios_version", fact(names::BIOS_VERSION)),
        ("cpu_version", Some(UNKNOWN.to_owned())),
        ("os", fact(names::OS_NAME)),
        ("os_version", fact(names::OS_VERSION)),
        ("os_arch", fact(names::OS_ARCH)),
        ("jvm_name", Some(UNKNOWN.to_owned())),
        ("jvm_version", Some(UNKNOWN.to_owned())),
        ("jvm_profile", Some(UNKNOWN.to_owned())),
        ("jvm_vendor", Some(UNKNOWN.to_owned())),
        ("jdk_vendor_version", Some(UNKNOWN.to_owned())),
        (
            "kura_version",
            fact(names::FRAMEWORK_VERSION).or(Some(version.to_owned())),
        ),
        (
            "application_framework",
            Some(crate::framework::NAME.to_owned()),
        ),
        ("application_framework_version", Some(version.to_owned())),
        ("osgi_framework", Some(UNKNOWN.to_owned())),
        ("osgi_framework_version", Some(UNKNOWN.to_owned())),
        ("connection_interface", interface(system)),
        ("connection_ip", fact(names::PRIMARY_IP)),
        (
            "accept_encoding",
            Some(if identity.gzip { "gzip" } else { "" }.to_owned()),
        ),
        ("application_ids", Some(applications.join(","))),
        ("available_processors", Some(processors())),
        ("total_memory", total_memory_kb()),
        ("payload_encoding", Some("kura-protobuf".to_owned())),
        (TRANSACTION, transaction.map(str::to_owned)),
    ];
    for (name, value) in metrics {
        if let Some(value) = value {
            payload.push(name, value);
        }
    }
    payload
}

/// The DC of this moment.
pub fn disconnect(system: &SystemProperties, identity: &Identity) -> Payload {
    Payload::new()
        .with_timestamp(now_ms())
        .with_metric("uptime", uptime_ms().to_string())
        .with_metric("display_name", display_name(system, identity))
}

/// The bytes of a message, compressed where that is wanted and helps.
pub fn bytes(payload: &Payload, compress: bool) -> Vec<u8> {
    let plain = encode(payload);
    if compress {
        let packed = gzip(&plain);
        if packed.len() < plain.len() {
            return packed;
        }
    }
    plain
}

fn display_name(system: &SystemProperties, identity: &Identity) -> String {
    match identity.display_name.as_str() {
        "custom" => identity.custom_name.clone(),
        "server" => String::new(),
        "hostname" => rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        _ => system.get(names::DEVICE_NAME).unwrap_or_default(),
    }
}

/// `eth0 (AA:BB:CC:DD:EE:FF)`, as in Kura.
fn interface(system: &SystemProperties) -> Option<String> {
    let name = system.get(names::PRIMARY_INTERFACE)?;
    match system.get(names::PRIMARY_MAC) {
        Some(mac) => Some(format!("{name} ({mac})")),
        None => Some(name),
    }
}

fn processors() -> String {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .to_string()
}

/// Of the machine; Kura says how much its Java machine has, in kB.
fn total_memory_kb() -> Option<String> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().trim_end_matches("kB").trim().to_owned())
}

/// Since the machine was started; Kura says since when its Java machine runs.
fn uptime_ms() -> u64 {
    std::fs::read_to_string("/proc/uptime")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .map_or(0, |seconds| (seconds * 1_000.0) as u64)
}

/// Milliseconds since 1970 UTC; 0 before that.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
}

//! Metrics by name and type, or a `protocol.malformed` that names the metric.

use kura_formats::payload::{MetricValue, Payload};

use crate::diagnosis::{Code, Fault};

/// `protocol.malformed`.
pub(super) fn malformed(what: impl AsRef<str>) -> Fault {
    Fault::new(Code::ProtocolMalformed, what)
}

fn wrong(name: &str, kind: &str) -> Fault {
    malformed(format!("metric {name} is not of type {kind}"))
}

fn missing(name: &str) -> Fault {
    malformed(format!("metric {name} is missing"))
}

pub(super) fn text<'a>(payload: &'a Payload, name: &str) -> Result<Option<&'a str>, Fault> {
    match payload.get(name) {
        None => Ok(None),
        Some(MetricValue::String(value)) => Ok(Some(value)),
        Some(_) => Err(wrong(name, "STRING")),
    }
}

/// A text that is there and not empty.
pub(super) fn required_text<'a>(payload: &'a Payload, name: &str) -> Result<&'a str, Fault> {
    match text(payload, name)? {
        Some("") => Err(malformed(format!("metric {name} is empty"))),
        Some(value) => Ok(value),
        None => Err(missing(name)),
    }
}

pub(super) fn bytes<'a>(payload: &'a Payload, name: &str) -> Result<&'a [u8], Fault> {
    match payload.get(name) {
        None => Err(missing(name)),
        Some(MetricValue::Bytes(value)) => Ok(value),
        Some(_) => Err(wrong(name, "BYTES")),
    }
}

pub(super) fn int32(payload: &Payload, name: &str) -> Result<Option<i32>, Fault> {
    match payload.get(name) {
        None => Ok(None),
        Some(MetricValue::Int32(value)) => Ok(Some(*value)),
        Some(_) => Err(wrong(name, "INT32")),
    }
}

pub(super) fn required_int64(payload: &Payload, name: &str) -> Result<i64, Fault> {
    match payload.get(name) {
        None => Err(missing(name)),
        Some(MetricValue::Int64(value)) => Ok(*value),
        Some(_) => Err(wrong(name, "INT64")),
    }
}

pub(super) fn flag(payload: &Payload, name: &str, default: bool) -> Result<bool, Fault> {
    match payload.get(name) {
        None => Ok(default),
        Some(MetricValue::Bool(value)) => Ok(*value),
        Some(_) => Err(wrong(name, "BOOL")),
    }
}

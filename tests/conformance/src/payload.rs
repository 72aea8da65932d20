//! Judges the KuraPayload codec by vectors that Kura's own encoder and decoder made.

use std::collections::BTreeMap;

use kura_formats::payload::{
    decode, encode, gunzip, gzip, is_gzip, Limits, MetricValue, Payload, PayloadError, Position,
};
use serde::Deserialize;
use serde_json::Value;

use crate::Report;

/// Kura has no limits, so a vector is first read with these, and then with the real ones.
const KURA_LIMITS: Limits = Limits {
    decoded: 512 << 20,
    metrics: usize::MAX,
    text: usize::MAX,
    beside: usize::MAX,
};

#[derive(Deserialize)]
struct Vector {
    hex: String,
    #[serde(default)]
    encode_roundtrip: bool,
    wire_metric_order: Option<Vec<String>>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    ok: bool,
    timestamp_ms: Option<Value>,
    position: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    metrics: BTreeMap<String, ExpectedMetric>,
    body_hex: Option<String>,
    body_len: Option<usize>,
}

#[derive(Deserialize)]
struct ExpectedMetric {
    #[serde(rename = "type")]
    kind: String,
    bits: Option<String>,
    hex: Option<String>,
    value: Option<Value>,
}

/// Judges every vector of a file: a JSON array of objects.
///
/// # Errors
/// One line, if the file is not such an array.
pub fn judge(json: &[u8]) -> Result<Report, String> {
    let vectors: Vec<Value> =
        serde_json::from_slice(json).map_err(|e| format!("not a JSON array of vectors: {e}"))?;
    let mut report = Report::new();
    for (index, vector) in vectors.into_iter().enumerate() {
        let name = match vector.get("name").and_then(Value::as_str) {
            Some(name) => name.to_owned(),
            None => format!("#{index}"),
        };
        let outcome = serde_json::from_value(vector)
            .map_err(|e| format!("not a vector: {e}"))
            .and_then(|vector| judge_one(&vector));
        report.record(&name, outcome);
    }
    Ok(report)
}

fn judge_one(vector: &Vector) -> Result<(), String> {
    let bytes = unhex(&vector.hex)?;
    let payload = match decode(&bytes, &KURA_LIMITS) {
        Ok(_) if !vector.expected.ok => return Err("decoded, but Kura refuses it".to_owned()),
        Err(error) if vector.expected.ok => return Err(format!("refused: {error}")),
        Err(_) => return refused_within_limits(&bytes),
        Ok(payload) => payload,
    };
    compare(&payload, vector).map_err(|what| format!("decoded wrongly: {what}"))?;
    with_limits(&bytes, &payload)?;

    let encoded = encode(&payload);
    if vector.encode_roundtrip {
        let plain = if is_gzip(&bytes) {
            gunzip(&bytes, KURA_LIMITS.decoded).map_err(|e| e.to_string())?
        } else {
            bytes
        };
        if encoded != plain {
            return Err(format!(
                "encoded to {} bytes that differ from Kura's {} at byte {}",
                encoded.len(),
                plain.len(),
                encoded
                    .iter()
                    .zip(&plain)
                    .take_while(|(a, b)| a == b)
                    .count()
            ));
        }
    }
    for (how, again) in [("again", encoded.clone()), ("in gzip", gzip(&encoded))] {
        let again = decode(&again, &KURA_LIMITS)
            .map_err(|e| format!("what it was encoded to ({how}) is refused: {e}"))?;
        compare(&again, vector).map_err(|what| format!("encoded {how} wrongly: {what}"))?;
    }
    Ok(())
}

fn refused_within_limits(bytes: &[u8]) -> Result<(), String> {
    match decode(bytes, &Limits::default()) {
        Err(_) => Ok(()),
        Ok(_) => Err("refused, but decoded with limits".to_owned()),
    }
}

/// The default limits refuse what exceeds them, and nothing else.
fn with_limits(bytes: &[u8], payload: &Payload) -> Result<(), String> {
    let limits = Limits::default();
    let size = if is_gzip(bytes) {
        gunzip(bytes, KURA_LIMITS.decoded)
            .map_err(|e| e.to_string())?
            .len()
    } else {
        bytes.len()
    };
    let too_long = payload.metrics.iter().any(|metric| {
        let text = match &metric.value {
            MetricValue::String(text) => text.len(),
            _ => 0,
        };
        metric.name.len().max(text) > limits.text
    });
    let exceeds = size > limits.decoded || payload.metrics.len() > limits.metrics || too_long;
    match decode(bytes, &limits) {
        Ok(_) if exceeds => Err("exceeds the limits, but was not refused".to_owned()),
        // By the encoding, because NaN differs from itself.
        Ok(limited) if encode(&limited) != encode(payload) => {
            Err("the limits change what is decoded".to_owned())
        }
        Ok(_) => Ok(()),
        Err(error) if exceeds && error.is_limit() => Ok(()),
        Err(error) => Err(refused_by(&error)),
    }
}

fn refused_by(error: &PayloadError) -> String {
    format!("within the limits, but refused: {error}")
}

fn compare(payload: &Payload, vector: &Vector) -> Result<(), String> {
    let expected = &vector.expected;
    same_int(
        "timestamp",
        payload.timestamp,
        expected.timestamp_ms.as_ref(),
    )?;
    match (&payload.position, &expected.position) {
        (None, None) => {}
        (Some(position), Some(expected)) => compare_position(position, expected)?,
        (found, _) => {
            let found = if found.is_some() { "a" } else { "no" };
            return Err(format!("{found} position"));
        }
    }
    if let Some(order) = &vector.wire_metric_order {
        let found: Vec<&str> = payload.metrics.iter().map(|m| m.name.as_str()).collect();
        if found != *order {
            return Err(format!("the order of metrics is {found:?}"));
        }
    }
    for metric in &payload.metrics {
        if !expected.metrics.contains_key(&metric.name) {
            return Err(format!("metric {:?} too many", metric.name));
        }
    }
    for (name, expected) in &expected.metrics {
        let value = payload
            .get(name)
            .ok_or_else(|| format!("metric {name:?} is missing"))?;
        compare_metric(value, expected).map_err(|what| format!("metric {name:?}: {what}"))?;
    }
    match (&payload.body, &expected.body_hex, expected.body_len) {
        (None, None, None) => Ok(()),
        (Some(body), Some(expected), _) if *body == unhex(expected)? => Ok(()),
        (Some(body), None, Some(length)) if body.len() == length => Ok(()),
        (Some(body), ..) => Err(format!("a body of {} bytes", body.len())),
        (None, ..) => Err("no body".to_owned()),
    }
}

fn compare_position(position: &Position, expected: &BTreeMap<String, Value>) -> Result<(), String> {
    let member = |name: &str| expected.get(name).filter(|value| !value.is_null());
    for (name, found) in [
        ("latitude", Some(position.latitude)),
        ("longitude", Some(position.longitude)),
        ("altitude", position.altitude),
        ("precision", position.precision),
        ("heading", position.heading),
        ("speed", position.speed),
    ] {
        let bits = member(name).and_then(|value| value.get("bits")?.as_str());
        match (found, bits) {
            (None, None) => {}
            (Some(found), Some(bits)) if same_double(found, bits)? => {}
            _ => return Err(format!("{name} of the position is {found:?}")),
        }
    }
    same_int(
        "timestamp of the position",
        position.timestamp,
        member("timestamp_ms"),
    )?;
    same_int(
        "satellites",
        position.satellites.map(i64::from),
        member("satellites"),
    )?;
    same_int("status", position.status.map(i64::from), member("status"))
}

fn compare_metric(value: &MetricValue, expected: &ExpectedMetric) -> Result<(), String> {
    let bits = || expected.bits.as_deref().ok_or("the vector has no bits");
    let json = || expected.value.as_ref().ok_or("the vector has no value");
    let same = match (value, expected.kind.as_str()) {
        (MetricValue::Double(value), "DOUBLE") => same_double(*value, bits()?)?,
        (MetricValue::Float(value), "FLOAT") => {
            let expected = u32::from_str_radix(bits()?, 16).map_err(|e| e.to_string())?;
            value.to_bits() == expected || value.is_nan() && expected == f32::NAN.to_bits()
        }
        (MetricValue::Int64(value), "INT64") => int(json()?)? == *value,
        (MetricValue::Int32(value), "INT32") => int(json()?)? == i64::from(*value),
        (MetricValue::Bool(value), "BOOL") => json()?.as_bool() == Some(*value),
        (MetricValue::String(value), "STRING") => json()?.as_str() == Some(value),
        (MetricValue::Bytes(value), "BYTES") => {
            let hex = expected.hex.as_deref().ok_or("the vector has no hex")?;
            *value == unhex(hex)?
        }
        (value, kind) => return Err(format!("type {}, not {kind}", value.type_number())),
    };
    if same {
        Ok(())
    } else {
        Err(format!("{value:?}").chars().take(200).collect())
    }
}

/// Java's `doubleToLongBits` knows one NaN only.
fn same_double(value: f64, bits: &str) -> Result<bool, String> {
    let expected = u64::from_str_radix(bits, 16).map_err(|e| e.to_string())?;
    Ok(value.to_bits() == expected || value.is_nan() && expected == f64::NAN.to_bits())
}

fn same_int(name: &str, found: Option<i64>, expected: Option<&Value>) -> Result<(), String> {
    let expected = expected.map(int).transpose()?;
    if found == expected {
        return Ok(());
    }
    Err(format!("{name} is {found:?}, not {expected:?}"))
}

/// A number, or one in a string because JSON has no 64 bits.
fn int(value: &Value) -> Result<i64, String> {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    number.ok_or_else(|| format!("{value} is no integer"))
}

fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|character| {
            character
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect();
    let digits = digits.ok_or("the vector has something that is not hex")?;
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Ok(high << 4 | low),
            _ => Err("the vector has half a byte of hex".to_owned()),
        })
        .collect()
}

#[cfg(test)]
mod tests;

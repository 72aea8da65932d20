//! From a [`Payload`] to the bytes that Kura's `CloudPayloadProtoBufEncoderImpl` makes: fields in
//! the order of their numbers, every value written even where it is the default.

use super::{Metric, MetricValue, Payload, Position};

/// The message, not compressed. One allocation, of the exact size.
pub fn encode(payload: &Payload) -> Vec<u8> {
    let position = payload.position.as_ref();
    let size = payload.timestamp.map_or(0, |t| 1 + varint_len(t as u64))
        + position.map_or(0, |p| 1 + prefixed(position_len(p)))
        + payload
            .metrics
            .iter()
            .map(|metric| 3 + prefixed(metric_len(metric)))
            .sum::<usize>()
        + payload.body.as_ref().map_or(0, |b| 3 + prefixed(b.len()));
    let mut out = Vec::with_capacity(size);
    if let Some(timestamp) = payload.timestamp {
        out.push(0x08);
        varint(&mut out, timestamp as u64);
    }
    if let Some(position) = position {
        out.push(0x12);
        varint(&mut out, position_len(position) as u64);
        write_position(&mut out, position);
    }
    for metric in &payload.metrics {
        out.extend_from_slice(&[0xc2, 0xb8, 0x02]);
        varint(&mut out, metric_len(metric) as u64);
        write_metric(&mut out, metric);
    }
    if let Some(body) = &payload.body {
        out.extend_from_slice(&[0xca, 0xb8, 0x02]);
        bytes(&mut out, body);
    }
    out
}

fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn prefixed(length: usize) -> usize {
    varint_len(length as u64) + length
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// protobuf writes a negative int32 in ten bytes.
fn sign_extended(value: i32) -> u64 {
    i64::from(value) as u64
}

fn position_len(position: &Position) -> usize {
    let doubles = [
        position.altitude,
        position.precision,
        position.heading,
        position.speed,
    ];
    let ints = [position.satellites, position.status];
    2 * 9
        + 9 * doubles.iter().flatten().count()
        + position.timestamp.map_or(0, |t| 1 + varint_len(t as u64))
        + ints
            .iter()
            .flatten()
            .map(|value| 1 + varint_len(sign_extended(*value)))
            .sum::<usize>()
}

fn write_position(out: &mut Vec<u8>, position: &Position) {
    let doubles = [
        (0x09, Some(position.latitude)),
        (0x11, Some(position.longitude)),
        (0x19, position.altitude),
        (0x21, position.precision),
        (0x29, position.heading),
        (0x31, position.speed),
    ];
    for (tag, value) in doubles {
        if let Some(value) = value {
            out.push(tag);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
    let varints = [
        (0x38, position.timestamp.map(|value| value as u64)),
        (0x40, position.satellites.map(sign_extended)),
        (0x48, position.status.map(sign_extended)),
    ];
    for (tag, value) in varints {
        if let Some(value) = value {
            out.push(tag);
            varint(out, value);
        }
    }
}

fn metric_len(metric: &Metric) -> usize {
    let value = match &metric.value {
        MetricValue::Double(_) => 8,
        MetricValue::Float(_) => 4,
        MetricValue::Int64(value) => varint_len(*value as u64),
        MetricValue::Int32(value) => varint_len(sign_extended(*value)),
        MetricValue::Bool(_) => 1,
        MetricValue::String(value) => prefixed(value.len()),
        MetricValue::Bytes(value) => prefixed(value.len()),
    };
    // name, type, and the tag of the value
    1 + prefixed(metric.name.len()) + 2 + 1 + value
}

fn write_metric(out: &mut Vec<u8>, metric: &Metric) {
    out.push(0x0a);
    bytes(out, metric.name.as_bytes());
    out.extend_from_slice(&[0x10, metric.value.type_number()]);
    match &metric.value {
        MetricValue::Double(value) => {
            out.push(0x19);
            out.extend_from_slice(&value.to_le_bytes());
        }
        MetricValue::Float(value) => {
            out.push(0x25);
            out.extend_from_slice(&value.to_le_bytes());
        }
        MetricValue::Int64(value) => {
            out.push(0x28);
            varint(out, *value as u64);
        }
        MetricValue::Int32(value) => {
            out.push(0x30);
            varint(out, sign_extended(*value));
        }
        MetricValue::Bool(value) => out.extend_from_slice(&[0x38, u8::from(*value)]),
        MetricValue::String(value) => {
            out.push(0x42);
            bytes(out, value.as_bytes());
        }
        MetricValue::Bytes(value) => {
            out.push(0x4a);
            bytes(out, value);
        }
    }
}

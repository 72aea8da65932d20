//! From the wire to a [`Payload`]: what Kura's `CloudPayloadProtoBufDecoderImpl` does, with bounds
//! that are checked before anything is allocated.

use std::ops::Range;

use secret_text::Wiped;
use zeroize::Zeroize;

use super::gzip::{gunzip, gunzip_owned, is_gzip};
use super::room::LARGE;
use super::text::lossy;
use super::wire::{Field, Reader};
use super::{Metric, MetricValue, Payload, Position};

/// The most that [`decode`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the message, after gunzip.
    pub decoded: usize,
    /// Metrics in the message.
    pub metrics: usize,
    /// Bytes of a metric's name, and of a String metric.
    pub text: usize,
    /// Bytes of all names, Strings and Bytes together, and of the body, but for the largest of
    /// the two latter: what has to be copied out of the message.
    pub beside: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            decoded: 16 << 20,
            metrics: 1000,
            text: 64 << 10,
            beside: 4 << 20,
        }
    }
}

/// Why bytes are not a message.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Larger than [`Limits::decoded`]; inflation stopped there.
    #[error("KuraPayload is larger than {limit} bytes decoded")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// More than [`Limits::metrics`].
    #[error("KuraPayload has more than {limit} metrics")]
    TooManyMetrics {
        /// The limit.
        limit: usize,
    },
    /// More than [`Limits::beside`].
    #[error("KuraPayload has metrics of more than {limit} bytes beside its largest part")]
    MetricsTooLarge {
        /// The limit.
        limit: usize,
    },
    /// A name or a String longer than [`Limits::text`].
    #[error("KuraPayload at byte {offset}: a name or String of {length} bytes, more than {limit}")]
    TextTooLong {
        /// Bytes of the decoded message before the end of the field.
        offset: usize,
        /// Its length in bytes.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The gzip magic, but not a gzip stream.
    #[error("KuraPayload in gzip: {what}")]
    Gzip {
        /// What is wrong.
        what: &'static str,
    },
    /// Not protobuf.
    #[error("KuraPayload at byte {offset}: {what}")]
    Malformed {
        /// Bytes of the decoded message before the fault.
        offset: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A required field is missing.
    #[error("KuraPayload before byte {offset}: {what} is missing")]
    Missing {
        /// Bytes of the decoded message before the end of what should have the field.
        offset: usize,
        /// Which field.
        what: &'static str,
    },
}

impl PayloadError {
    /// Whether the message is refused for its size alone.
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            PayloadError::TooLarge { .. }
                | PayloadError::TooManyMetrics { .. }
                | PayloadError::MetricsTooLarge { .. }
                | PayloadError::TextTooLong { .. }
        )
    }
}

/// Reads a message, plain or in gzip (known by its magic, one layer only).
///
/// # Errors
/// [`PayloadError`]; nothing beyond `limits` was allocated.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Payload, PayloadError> {
    if is_gzip(bytes) {
        return within(gunzip(bytes, limits.decoded)?, limits);
    }
    let (mut payload, parts) = read(bytes, limits)?;
    for part in parts {
        part.put(&mut payload, bytes.get(part.at.clone()).map(<[u8]>::to_vec));
    }
    Ok(payload)
}

/// As [`decode`], of bytes that are not needed any more: the largest part of the message stays in
/// their memory, and a large message in gzip is inflated within it. So a message costs little more
/// than [`Limits::decoded`] and [`Limits::beside`], however it was sent.
///
/// # Errors
/// As [`decode`] and [`gunzip_owned`].
pub fn decode_owned(bytes: Vec<u8>, limits: &Limits) -> Result<Payload, PayloadError> {
    if is_gzip(&bytes) {
        return within(gunzip_owned(bytes, limits.decoded)?, limits);
    }
    within(bytes, limits)
}

/// The message out of gzip, if it is in it. As with [`decode_owned`] a large one stays where it is.
///
/// # Errors
/// As [`gunzip_owned`].
pub fn unpacked(bytes: Vec<u8>, limits: &Limits) -> Result<Vec<u8>, PayloadError> {
    match is_gzip(&bytes) {
        true => gunzip_owned(bytes, limits.decoded),
        false => Ok(bytes),
    }
}

/// Reads a message that is not in gzip, without its body: tells where in the bytes that is, if
/// there is one.
///
/// # Errors
/// As [`decode`]; but no Bytes are an exception to [`Limits::beside`].
pub fn decode_apart(
    bytes: &[u8],
    limits: &Limits,
) -> Result<(Payload, Option<Range<usize>>), PayloadError> {
    let (mut payload, mut parts) = read(bytes, limits)?;
    let of_metrics = |part: &Part| part.metric.is_some();
    let body = parts.iter().find(|part| !of_metrics(part));
    let body = body.map(|part| part.at.clone());
    parts.retain(of_metrics);
    let copied: usize = parts.iter().map(|part| part.at.len()).sum();
    if copied > limits.beside {
        return Err(PayloadError::MetricsTooLarge {
            limit: limits.beside,
        });
    }
    for part in parts {
        part.put(&mut payload, bytes.get(part.at.clone()).map(<[u8]>::to_vec));
    }
    Ok((payload, body))
}

/// Reads a message whose largest part stays where it is.
fn within(bytes: Vec<u8>, limits: &Limits) -> Result<Payload, PayloadError> {
    let mut bytes = Wiped::from(bytes);
    let (mut payload, mut parts) = read(&bytes, limits)?;
    parts.sort_by_key(|part| part.at.len());
    let largest = parts.pop();
    for part in parts {
        part.put(&mut payload, bytes.get(part.at.clone()).map(<[u8]>::to_vec));
    }
    let Some(largest) = largest else {
        return Ok(payload);
    };
    let length = largest.at.len();
    if length <= bytes.capacity() / 2 && length <= LARGE {
        let copy = bytes.get(largest.at.clone()).map(<[u8]>::to_vec);
        largest.put(&mut payload, copy);
    } else {
        bytes.copy_within(largest.at.clone(), 0);
        // It may be a secret that stood there.
        if let Some(behind) = bytes.get_mut(length..) {
            behind.zeroize();
        }
        bytes.truncate(length);
        largest.put(&mut payload, Some(bytes.into_vec()));
    }
    Ok(payload)
}

/// Bytes that are still in the message.
struct Part {
    /// Of which metric; `None` is the body.
    metric: Option<usize>,
    at: Range<usize>,
}

impl Part {
    fn put(&self, payload: &mut Payload, bytes: Option<Vec<u8>>) {
        let bytes = bytes.unwrap_or_default();
        match self.metric {
            None => payload.body = Some(bytes),
            Some(metric) => {
                if let Some(metric) = payload.metrics.get_mut(metric) {
                    metric.value = MetricValue::Bytes(bytes);
                }
            }
        }
    }
}

/// Everything but the body and what is in Bytes.
fn read(bytes: &[u8], limits: &Limits) -> Result<(Payload, Vec<Part>), PayloadError> {
    if bytes.len() > limits.decoded {
        return Err(PayloadError::TooLarge {
            limit: limits.decoded,
        });
    }
    let mut payload = Payload::new();
    let mut position = None;
    let mut body = None;
    let mut parts = Vec::new();
    let mut beside = 0;
    let crowded = |beside: usize| match beside > limits.beside {
        true => Err(PayloadError::MetricsTooLarge {
            limit: limits.beside,
        }),
        false => Ok(()),
    };
    let mut reader = Reader::new(bytes);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Varint(value)) => payload.timestamp = Some(value as i64),
            (2, Field::Bytes(bytes)) => {
                // Several are merged, as everywhere in protobuf.
                let partial = position.get_or_insert_with(PartialPosition::default);
                payload.has_unknown_fields |= partial.read(reader.embedded(bytes))?;
            }
            (5000, Field::Bytes(bytes)) => {
                if payload.metrics.len() >= limits.metrics {
                    return Err(PayloadError::TooManyMetrics {
                        limit: limits.metrics,
                    });
                }
                let (metric, at, unknown) = read_metric(reader.embedded(bytes), limits)?;
                beside += metric.name.len();
                if let MetricValue::String(text) = &metric.value {
                    beside += text.len();
                }
                crowded(beside)?;
                if let Some(at) = at {
                    let metric = Some(payload.metrics.len());
                    parts.push(Part { metric, at });
                }
                payload.metrics.push(metric);
                payload.has_unknown_fields |= unknown;
            }
            // The last one counts.
            (5001, Field::Bytes(bytes)) => body = Some(before(&reader, bytes)),
            _ => payload.has_unknown_fields = true,
        }
    }
    payload.position = match position {
        Some(partial) => Some(partial.complete(reader.offset())?),
        None => None,
    };
    parts.extend(body.map(|at| Part { metric: None, at }));
    let sizes = parts.iter().map(|part| part.at.len());
    let largest = sizes.clone().max().unwrap_or_default();
    crowded(beside + sizes.sum::<usize>() - largest)?;
    Ok((payload, parts))
}

/// Where in the message the field is that was read last.
fn before(reader: &Reader<'_>, field: &[u8]) -> Range<usize> {
    reader.offset() - field.len()..reader.offset()
}

#[derive(Default)]
struct PartialPosition {
    latitude: Option<f64>,
    longitude: Option<f64>,
    rest: Position,
}

impl PartialPosition {
    /// Whether there was a field not known.
    fn read(&mut self, mut reader: Reader<'_>) -> Result<bool, PayloadError> {
        let mut unknown = false;
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Fixed64(value)) => self.latitude = Some(f64::from_le_bytes(value)),
                (2, Field::Fixed64(value)) => self.longitude = Some(f64::from_le_bytes(value)),
                (3, Field::Fixed64(value)) => self.rest.altitude = Some(f64::from_le_bytes(value)),
                (4, Field::Fixed64(value)) => self.rest.precision = Some(f64::from_le_bytes(value)),
                (5, Field::Fixed64(value)) => self.rest.heading = Some(f64::from_le_bytes(value)),
                (6, Field::Fixed64(value)) => self.rest.speed = Some(f64::from_le_bytes(value)),
                (7, Field::Varint(value)) => self.rest.timestamp = Some(value as i64),
                (8, Field::Varint(value)) => self.rest.satellites = Some(value as i32),
                (9, Field::Varint(value)) => self.rest.status = Some(value as i32),
                _ => unknown = true,
            }
        }
        Ok(unknown)
    }

    fn complete(self, offset: usize) -> Result<Position, PayloadError> {
        let missing = |what| PayloadError::Missing { offset, what };
        Ok(Position {
            latitude: self
                .latitude
                .ok_or_else(|| missing("the position's latitude"))?,
            longitude: self
                .longitude
                .ok_or_else(|| missing("the position's longitude"))?,
            ..self.rest
        })
    }
}

/// The value fields of a metric, 3 to 9; the type decides which one counts.
#[derive(Default)]
struct Values<'a> {
    double: Option<f64>,
    float: Option<f32>,
    int64: Option<i64>,
    int32: Option<i32>,
    bool: Option<bool>,
    string: Option<&'a [u8]>,
    bytes: Option<Range<usize>>,
}

/// The metric, where its Bytes are, and whether there was something not known.
fn read_metric(
    mut reader: Reader<'_>,
    limits: &Limits,
) -> Result<(Metric, Option<Range<usize>>, bool), PayloadError> {
    let mut name = None;
    let mut kind = None;
    let mut values = Values::default();
    let mut unknown = false;
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Bytes(bytes)) => name = Some(bytes),
            // An enum constant that is not known is an unknown field, and sets nothing.
            (2, Field::Varint(value)) if (value as u32) < 7 => kind = Some(value as u32),
            (3, Field::Fixed64(value)) => values.double = Some(f64::from_le_bytes(value)),
            (4, Field::Fixed32(value)) => values.float = Some(f32::from_le_bytes(value)),
            (5, Field::Varint(value)) => values.int64 = Some(value as i64),
            (6, Field::Varint(value)) => values.int32 = Some(value as i32),
            (7, Field::Varint(value)) => values.bool = Some(value != 0),
            (8, Field::Bytes(bytes)) => values.string = Some(bytes),
            (9, Field::Bytes(bytes)) => values.bytes = Some(before(&reader, bytes)),
            _ => unknown = true,
        }
        if let (1 | 8, Field::Bytes(bytes)) = (number, field) {
            if bytes.len() > limits.text {
                return Err(PayloadError::TextTooLong {
                    offset: reader.offset(),
                    length: bytes.len(),
                    limit: limits.text,
                });
            }
        }
    }
    let missing = |what| PayloadError::Missing {
        offset: reader.offset(),
        what,
    };
    let name = name.ok_or_else(|| missing("a metric's name"))?;
    let kind = kind.ok_or_else(|| missing("a metric's type"))?;
    let name = text(name, &mut unknown);
    let mut at = None;
    let value = match kind {
        0 => MetricValue::Double(values.double.take().unwrap_or_default()),
        1 => MetricValue::Float(values.float.take().unwrap_or_default()),
        2 => MetricValue::Int64(values.int64.take().unwrap_or_default()),
        3 => MetricValue::Int32(values.int32.take().unwrap_or_default()),
        4 => MetricValue::Bool(values.bool.take().unwrap_or_default()),
        5 => MetricValue::String(text(values.string.take().unwrap_or_default(), &mut unknown)),
        _ => {
            at = values.bytes.take();
            MetricValue::Bytes(Vec::new())
        }
    };
    // What is left is a value that nobody is shown.
    unknown |= values.double.is_some()
        || values.float.is_some()
        || values.int64.is_some()
        || values.int32.is_some()
        || values.bool.is_some()
        || values.string.is_some()
        || values.bytes.is_some();
    Ok((Metric { name, value }, at, unknown))
}

fn text(bytes: &[u8], replaced: &mut bool) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            *replaced = true;
            lossy(bytes)
        }
    }
}

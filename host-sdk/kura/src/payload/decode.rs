//! From the wire to a [`Payload`]: what Kura's `CloudPayloadProtoBufDecoderImpl` does, with bounds
//! that are checked before anything is allocated.

use super::gzip::{gunzip, is_gzip};
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            decoded: 16 << 20,
            metrics: 1000,
            text: 64 << 10,
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
        return read(&gunzip(bytes, limits.decoded)?, limits);
    }
    if bytes.len() > limits.decoded {
        return Err(PayloadError::TooLarge {
            limit: limits.decoded,
        });
    }
    read(bytes, limits)
}

fn read(bytes: &[u8], limits: &Limits) -> Result<Payload, PayloadError> {
    let mut payload = Payload::new();
    let mut position = None;
    let mut body = None;
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
                let (metric, unknown) = read_metric(reader.embedded(bytes), limits)?;
                payload.metrics.push(metric);
                payload.has_unknown_fields |= unknown;
            }
            (5001, Field::Bytes(bytes)) => body = Some(bytes),
            _ => payload.has_unknown_fields = true,
        }
    }
    payload.position = match position {
        Some(partial) => Some(partial.complete(reader.offset())?),
        None => None,
    };
    payload.body = body.map(<[u8]>::to_vec);
    Ok(payload)
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
    bytes: Option<&'a [u8]>,
}

fn read_metric(mut reader: Reader<'_>, limits: &Limits) -> Result<(Metric, bool), PayloadError> {
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
            (9, Field::Bytes(bytes)) => values.bytes = Some(bytes),
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
    let value = match kind {
        0 => MetricValue::Double(values.double.take().unwrap_or_default()),
        1 => MetricValue::Float(values.float.take().unwrap_or_default()),
        2 => MetricValue::Int64(values.int64.take().unwrap_or_default()),
        3 => MetricValue::Int32(values.int32.take().unwrap_or_default()),
        4 => MetricValue::Bool(values.bool.take().unwrap_or_default()),
        5 => MetricValue::String(text(values.string.take().unwrap_or_default(), &mut unknown)),
        _ => MetricValue::Bytes(values.bytes.take().unwrap_or_default().to_vec()),
    };
    // What is left is a value that nobody is shown.
    unknown |= values.double.is_some()
        || values.float.is_some()
        || values.int64.is_some()
        || values.int32.is_some()
        || values.bool.is_some()
        || values.string.is_some()
        || values.bytes.is_some();
    Ok((Metric { name, value }, unknown))
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

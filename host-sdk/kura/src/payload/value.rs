//! A KuraPayload as Rust values. No bytes of the wire here; see [`super::decode()`].

use zeroize::Zeroize;

/// One message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Payload {
    /// Milliseconds since 1970 UTC.
    pub timestamp: Option<i64>,
    /// Where the sender is.
    pub position: Option<Position>,
    /// In the order of the wire, duplicates kept; [`Payload::get`] is the view Kura has.
    pub metrics: Vec<Metric>,
    /// Free bytes.
    pub body: Option<Vec<u8>>,
    /// Set by [`super::decode()`] if the message held anything that the other members do not
    /// show: a field or extension not known here, a value field that is not the metric's type,
    /// a text that was not UTF-8. Not looked at by [`super::encode()`].
    pub has_unknown_fields: bool,
}

/// Overwrites what may be a secret: the body, and the values that are texts or bytes.
impl Zeroize for Payload {
    fn zeroize(&mut self) {
        // Not the room behind it, which in a large one nobody has used.
        if let Some(body) = &mut self.body {
            body.as_mut_slice().zeroize();
        }
        for metric in &mut self.metrics {
            match &mut metric.value {
                MetricValue::String(text) => text.zeroize(),
                MetricValue::Bytes(bytes) => bytes.as_mut_slice().zeroize(),
                _ => {}
            }
        }
    }
}

/// `KuraPosition`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Position {
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
    /// Metres.
    pub altitude: Option<f64>,
    /// Metres.
    pub precision: Option<f64>,
    /// Degrees.
    pub heading: Option<f64>,
    /// Metres per second.
    pub speed: Option<f64>,
    /// Milliseconds since 1970 UTC.
    pub timestamp: Option<i64>,
    /// How many were in view.
    pub satellites: Option<i32>,
    /// As the receiver gave it.
    pub status: Option<i32>,
}

/// One name and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// May be empty; may occur more than once in a message.
    pub name: String,
    /// Its value; the default of its type if the wire had none.
    pub value: MetricValue,
}

/// The seven types of `KuraMetric.MetricValueType`.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricValue {
    /// IEEE 754, 64 bits.
    Double(f64),
    /// IEEE 754, 32 bits.
    Float(f32),
    /// 64 bits, signed.
    Int64(i64),
    /// 32 bits, signed.
    Int32(i32),
    /// True or false.
    Bool(bool),
    /// Text.
    String(String),
    /// Free bytes.
    Bytes(Vec<u8>),
}

impl MetricValue {
    /// The number of the type in `MetricValueType`: DOUBLE 0, FLOAT 1, INT64 2, INT32 3,
    /// BOOL 4, STRING 5, BYTES 6.
    pub fn type_number(&self) -> u8 {
        match self {
            MetricValue::Double(_) => 0,
            MetricValue::Float(_) => 1,
            MetricValue::Int64(_) => 2,
            MetricValue::Int32(_) => 3,
            MetricValue::Bool(_) => 4,
            MetricValue::String(_) => 5,
            MetricValue::Bytes(_) => 6,
        }
    }

    /// The value as signatures see it: big-endian IEEE or two's complement, one byte 0 or 1 for
    /// a Bool, the bytes themselves of a String or Bytes.
    pub fn to_be_bytes(&self) -> Vec<u8> {
        match self {
            MetricValue::Double(value) => value.to_be_bytes().to_vec(),
            MetricValue::Float(value) => value.to_be_bytes().to_vec(),
            MetricValue::Int64(value) => value.to_be_bytes().to_vec(),
            MetricValue::Int32(value) => value.to_be_bytes().to_vec(),
            MetricValue::Bool(value) => vec![u8::from(*value)],
            MetricValue::String(value) => value.as_bytes().to_vec(),
            MetricValue::Bytes(value) => value.clone(),
        }
    }
}

impl From<&str> for MetricValue {
    fn from(value: &str) -> Self {
        MetricValue::String(value.to_owned())
    }
}

impl From<String> for MetricValue {
    fn from(value: String) -> Self {
        MetricValue::String(value)
    }
}

impl From<i32> for MetricValue {
    fn from(value: i32) -> Self {
        MetricValue::Int32(value)
    }
}

impl From<i64> for MetricValue {
    fn from(value: i64) -> Self {
        MetricValue::Int64(value)
    }
}

impl From<bool> for MetricValue {
    fn from(value: bool) -> Self {
        MetricValue::Bool(value)
    }
}

impl From<f64> for MetricValue {
    fn from(value: f64) -> Self {
        MetricValue::Double(value)
    }
}

impl From<f32> for MetricValue {
    fn from(value: f32) -> Self {
        MetricValue::Float(value)
    }
}

impl From<Vec<u8>> for MetricValue {
    fn from(value: Vec<u8>) -> Self {
        MetricValue::Bytes(value)
    }
}

impl From<&[u8]> for MetricValue {
    fn from(value: &[u8]) -> Self {
        MetricValue::Bytes(value.to_vec())
    }
}

impl Payload {
    /// A message with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this timestamp, in milliseconds since 1970 UTC.
    #[must_use]
    pub fn with_timestamp(mut self, millis: i64) -> Self {
        self.timestamp = Some(millis);
        self
    }

    /// With this position.
    #[must_use]
    pub fn with_position(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// With one more metric, behind the others.
    #[must_use]
    pub fn with_metric(mut self, name: impl Into<String>, value: impl Into<MetricValue>) -> Self {
        self.push(name, value);
        self
    }

    /// With this body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Adds a metric behind the others; one of the same name is hidden by it, not removed.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<MetricValue>) {
        self.metrics.push(Metric {
            name: name.into(),
            value: value.into(),
        });
    }

    /// The value of that name: of several the last, as in Kura, which puts them into a map.
    pub fn get(&self, name: &str) -> Option<&MetricValue> {
        self.metrics
            .iter()
            .rev()
            .find(|metric| metric.name == name)
            .map(|metric| &metric.value)
    }

    /// The text of that name, if it is a String.
    pub fn string(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(MetricValue::String(value)) => Some(value),
            _ => None,
        }
    }

    /// The number of that name, if it is an INT32.
    pub fn int32(&self, name: &str) -> Option<i32> {
        match self.get(name) {
            Some(MetricValue::Int32(value)) => Some(*value),
            _ => None,
        }
    }

    /// The number of that name, if it is an INT64.
    pub fn int64(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(MetricValue::Int64(value)) => Some(*value),
            _ => None,
        }
    }

    /// The value of that name, if it is a BOOL.
    pub fn bool(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(MetricValue::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// The bytes of that name, if it is BYTES.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        match self.get(name) {
            Some(MetricValue::Bytes(value)) => Some(value),
            _ => None,
        }
    }
}

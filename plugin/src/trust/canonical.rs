//! The bytes that a signature over a control message covers (`KURA-CMS-1`).
//!
//! A [`SignedView`] borrows a decoded KuraPayload and adds what the topic said;
//! [`SignedView::canonical`] writes it in the one order that does not depend on
//! the encoder. It decodes no payload and judges no signature. Called by the
//! verifier, and by whoever signs.

use std::borrow::Cow;

use kura_formats::payload::{MetricValue, Payload};

/// Begins every canonical form; a later form begins otherwise.
const FORM: &[u8] = b"KURA-CMS-1";
/// The metric with the signature, the only one that is not signed.
pub const SIGNATURE_METRIC: &str = "signature";

/// A metric's value by reference, as in `KuraPayload.KuraMetric`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// `DOUBLE`, 0.
    Double(f64),
    /// `FLOAT`, 1.
    Float(f32),
    /// `INT64`, 2.
    Int64(i64),
    /// `INT32`, 3.
    Int32(i32),
    /// `BOOL`, 4.
    Bool(bool),
    /// `STRING`, 5.
    String(&'a str),
    /// `BYTES`, 6.
    Bytes(&'a [u8]),
}

impl<'a> From<&'a MetricValue> for Value<'a> {
    fn from(value: &'a MetricValue) -> Self {
        match value {
            MetricValue::Double(value) => Self::Double(*value),
            MetricValue::Float(value) => Self::Float(*value),
            MetricValue::Int64(value) => Self::Int64(*value),
            MetricValue::Int32(value) => Self::Int32(*value),
            MetricValue::Bool(value) => Self::Bool(*value),
            MetricValue::String(value) => Self::String(value),
            MetricValue::Bytes(value) => Self::Bytes(value),
        }
    }
}

impl<'a> Value<'a> {
    /// The number of `KuraMetric.ValueType`.
    fn number(self) -> u8 {
        match self {
            Self::Double(_) => 0,
            Self::Float(_) => 1,
            Self::Int64(_) => 2,
            Self::Int32(_) => 3,
            Self::Bool(_) => 4,
            Self::String(_) => 5,
            Self::Bytes(_) => 6,
        }
    }

    fn bytes(self) -> Cow<'a, [u8]> {
        match self {
            Self::Double(value) => Cow::Owned(value.to_bits().to_be_bytes().to_vec()),
            Self::Float(value) => Cow::Owned(value.to_bits().to_be_bytes().to_vec()),
            Self::Int64(value) => Cow::Owned(value.to_be_bytes().to_vec()),
            Self::Int32(value) => Cow::Owned(value.to_be_bytes().to_vec()),
            Self::Bool(value) => Cow::Owned(vec![u8::from(value)]),
            Self::String(value) => Cow::Borrowed(value.as_bytes()),
            Self::Bytes(value) => Cow::Borrowed(value),
        }
    }
}

/// What of a payload no signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsigned {
    /// A position.
    Position,
    /// Fields that the decoder does not know.
    UnknownFields,
}

/// A control message as it is signed: where it was sent, and its content.
#[derive(Debug, Clone)]
pub struct SignedView<'a> {
    /// Account name of the topic.
    pub account: &'a str,
    /// Client-id of the topic.
    pub client_id: &'a str,
    /// The rest of the topic, `PROV-V1/EXEC/commit`.
    pub application_topic: &'a str,
    /// The payload's own timestamp, ms since 1970.
    pub timestamp: Option<i64>,
    /// Name and value in any order, duplicates kept, a missing value as the
    /// default of its type. Of a metric that occurs twice both are signed, but not
    /// which one comes first.
    pub metrics: Vec<(&'a str, Value<'a>)>,
    /// The body; absent and empty sign alike.
    pub body: Option<&'a [u8]>,
    /// What the payload has that cannot be signed; such a message is refused.
    pub unsigned: Option<Unsigned>,
}

impl<'a> SignedView<'a> {
    /// The view of a decoded payload that was sent to this topic.
    #[must_use]
    pub fn of(
        account: &'a str,
        client_id: &'a str,
        application_topic: &'a str,
        payload: &'a Payload,
    ) -> Self {
        let metrics = payload.metrics.iter();
        Self {
            account,
            client_id,
            application_topic,
            timestamp: payload.timestamp,
            metrics: metrics
                .map(|metric| (metric.name.as_str(), Value::from(&metric.value)))
                .collect(),
            body: payload.body.as_deref(),
            unsigned: if payload.has_unknown_fields {
                Some(Unsigned::UnknownFields)
            } else {
                payload.position.as_ref().map(|_| Unsigned::Position)
            },
        }
    }

    /// The canonical bytes; `None` if a field is longer than its 32-bit length can
    /// say.
    #[must_use]
    pub fn canonical(&self) -> Option<Vec<u8>> {
        let mut metrics: Vec<_> = self
            .metrics
            .iter()
            .filter(|(name, _)| *name != SIGNATURE_METRIC)
            .map(|(name, value)| (name.as_bytes(), value.number(), value.bytes()))
            .collect();
        metrics.sort();
        let size: usize = metrics
            .iter()
            .map(|(name, _, value)| name.len() + value.len() + 9)
            .sum();
        let mut out = Vec::with_capacity(size + self.body.map_or(0, <[u8]>::len) + 512);
        for part in [
            FORM,
            self.account.as_bytes(),
            self.client_id.as_bytes(),
            self.application_topic.as_bytes(),
        ] {
            field(&mut out, part)?;
        }
        match self.timestamp {
            None => out.push(0),
            Some(timestamp) => {
                out.push(1);
                out.extend(timestamp.to_be_bytes());
            }
        }
        out.extend(u32::try_from(metrics.len()).ok()?.to_be_bytes());
        for (name, number, value) in &metrics {
            field(&mut out, name)?;
            out.push(*number);
            field(&mut out, value)?;
        }
        field(&mut out, self.body.unwrap_or_default())?;
        Some(out)
    }

    /// The one value of a metric.
    pub(super) fn metric(&self, name: &str) -> Found<'a> {
        let mut values = self.metrics.iter().filter(|(other, _)| *other == name);
        match (values.next(), values.next()) {
            (None, _) => Found::None,
            (Some((_, value)), None) => Found::One(*value),
            (Some(_), Some(_)) => Found::Several,
        }
    }
}

/// How often a metric is there.
pub(super) enum Found<'a> {
    None,
    One(Value<'a>),
    Several,
}

fn field(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    out.extend(u32::try_from(bytes.len()).ok()?.to_be_bytes());
    out.extend(bytes);
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn canonical(payload: &Payload) -> Vec<u8> {
        SignedView::of("a", "c", "t", payload).canonical().unwrap()
    }

    #[test]
    fn the_form_is_the_documented_one() {
        let payload = Payload::new()
            .with_timestamp(-2)
            .with_metric("signature", MetricValue::Bytes(b"x".to_vec()))
            .with_metric("b", MetricValue::Int32(-1))
            .with_metric("a", MetricValue::Double(1.0));
        let mut expected = b"\0\0\0\x0aKURA-CMS-1\0\0\0\x01a\0\0\0\x01c\0\0\0\x01t\x01".to_vec();
        expected.extend([255, 255, 255, 255, 255, 255, 255, 254, 0, 0, 0, 2]);
        expected.extend(b"\0\0\0\x01a\0\0\0\0\x08\x3f\xf0\0\0\0\0\0\0");
        expected.extend(b"\0\0\0\x01b\x03\0\0\0\x04\xff\xff\xff\xff");
        expected.extend(b"\0\0\0\0");
        assert_eq!(canonical(&payload), expected);
    }

    #[test]
    fn order_does_not_matter_but_type_and_name_do() {
        let one = Payload::new()
            .with_metric("m", "1")
            .with_metric("m", MetricValue::Bytes(b"1".to_vec()))
            .with_metric("n", true);
        let mut other = one.clone();
        other.metrics.reverse();
        assert_eq!(canonical(&one), canonical(&other));
        other.metrics.pop();
        other.push("m", MetricValue::Bytes(b"1".to_vec()));
        assert_ne!(canonical(&one), canonical(&other));
    }

    #[test]
    fn an_absent_body_signs_as_an_empty_one_and_an_absent_timestamp_as_none() {
        let empty = Payload::new().with_body(Vec::new());
        assert_eq!(canonical(&Payload::new()), canonical(&empty));
        assert_ne!(
            canonical(&Payload::new()),
            canonical(&Payload::new().with_timestamp(0))
        );
    }
}

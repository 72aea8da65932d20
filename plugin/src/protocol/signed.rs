//! A decoded payload as the canonical form sees it.

use kura_formats::payload::{MetricValue, Payload};

use crate::trust::{SignedView, Unsigned, Value};

/// What a signature over `payload`, sent on that topic, covers.
pub fn signed_view<'a>(
    account: &'a str,
    client_id: &'a str,
    application_topic: &'a str,
    payload: &'a Payload,
) -> SignedView<'a> {
    SignedView {
        account,
        client_id,
        application_topic,
        timestamp: payload.timestamp,
        metrics: payload
            .metrics
            .iter()
            .map(|metric| (metric.name.as_str(), value(&metric.value)))
            .collect(),
        body: payload.body.as_deref(),
        unsigned: if payload.has_unknown_fields {
            Some(Unsigned::UnknownFields)
        } else {
            payload.position.as_ref().map(|_| Unsigned::Position)
        },
    }
}

fn value(value: &MetricValue) -> Value<'_> {
    match value {
        MetricValue::Double(v) => Value::Double(*v),
        MetricValue::Float(v) => Value::Float(*v),
        MetricValue::Int64(v) => Value::Int64(*v),
        MetricValue::Int32(v) => Value::Int32(*v),
        MetricValue::Bool(v) => Value::Bool(*v),
        MetricValue::String(v) => Value::String(v),
        MetricValue::Bytes(v) => Value::Bytes(v),
    }
}

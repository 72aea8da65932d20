//! The bytes that a signature over a control message covers (`KURA-CMS-1`).
//!
//! A [`SignedView`] borrows a decoded KuraPayload and adds what the topic said;
//! [`SignedView::canonical`] writes it in the one order that does not depend on
//! the encoder. It decodes no payload and judges no signature. Called by the
//! verifier, and by whoever signs.

use std::borrow::Cow;
use std::collections::HashSet;

use kura_formats::payload::{MetricValue, Payload};
use openssl::hash::{DigestBytes, Hasher, MessageDigest};
use zeroize::Zeroizing;

/// Begins every canonical form; a later form begins otherwise.
const FORM: &[u8] = b"KURA-CMS-1";
/// The metric with the signature, the only one that is not signed.
pub const SIGNATURE_METRIC: &str = "signature";

/// A control message as it is signed: where it was sent, and its content.
#[derive(Debug, Clone, Copy)]
pub struct SignedView<'a> {
    /// Account name of the topic.
    pub account: &'a str,
    /// Client-id of the topic.
    pub client_id: &'a str,
    /// The rest of the topic, `PROV-V1/EXEC/commit`.
    pub application_topic: &'a str,
    /// The message itself. Of a metric that occurs twice both are signed, but not which one comes
    /// first, and readers take the last: whoever verifies must refuse such a message.
    pub payload: &'a Payload,
}

impl<'a> SignedView<'a> {
    /// The canonical bytes, a little more than the payload's own size; `None` if a
    /// field is longer than its 32-bit length can say. A position and unknown fields
    /// are not covered: whoever verifies must refuse them.
    #[must_use]
    pub fn canonical(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.whole(self.body())
    }

    /// The message's own body.
    pub(super) fn body(&self) -> &'a [u8] {
        self.payload.body.as_deref().unwrap_or_default()
    }

    /// The canonical bytes with this body.
    pub(super) fn whole(&self, body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut out = Zeroizing::new(Vec::with_capacity(self.size(body)));
        self.write(body, &mut |bytes| out.extend_from_slice(bytes))?;
        Some(out)
    }

    /// The digest of the canonical bytes with this body, without those bytes themselves.
    pub(super) fn digest(&self, body: &[u8], by: MessageDigest) -> Option<DigestBytes> {
        let mut hasher = Hasher::new(by).ok()?;
        let mut result = Ok(());
        self.write(body, &mut |bytes| {
            if result.is_ok() {
                result = hasher.update(bytes);
            }
        })?;
        result.and_then(|()| hasher.finish()).ok()
    }

    /// How many canonical bytes there are at most.
    pub(super) fn size(&self, body: &[u8]) -> usize {
        let metrics = self.payload.metrics.iter().map(|metric| {
            let value = match &metric.value {
                MetricValue::String(value) => value.len(),
                MetricValue::Bytes(value) => value.len(),
                _ => 8,
            };
            metric.name.len() + value + 9
        });
        let topic = [self.account, self.client_id, self.application_topic];
        let topic: usize = topic.iter().map(|part| part.len() + 4).sum();
        metrics.sum::<usize>() + body.len() + topic + 64
    }

    /// Writes the canonical bytes, piece by piece.
    fn write(&self, body: &[u8], out: &mut dyn FnMut(&[u8])) -> Option<()> {
        let Payload {
            timestamp, metrics, ..
        } = self.payload;
        let mut metrics: Vec<_> = metrics
            .iter()
            .filter(|metric| metric.name != SIGNATURE_METRIC)
            .map(|metric| {
                let value = bytes_of(&metric.value);
                (metric.name.as_bytes(), metric.value.type_number(), value)
            })
            .collect();
        metrics.sort();
        field(out, FORM)?;
        for part in [self.account, self.client_id, self.application_topic] {
            field(out, part.as_bytes())?;
        }
        match timestamp {
            None => out(&[0]),
            Some(timestamp) => {
                out(&[1]);
                out(&timestamp.to_be_bytes());
            }
        }
        out(&u32::try_from(metrics.len()).ok()?.to_be_bytes());
        for (name, number, value) in &metrics {
            field(out, name)?;
            out(&[*number]);
            field(out, value)?;
        }
        field(out, body)
    }

    /// Whether two metrics have one name.
    pub(super) fn has_a_metric_twice(&self) -> bool {
        let mut names = HashSet::with_capacity(self.payload.metrics.len());
        let mut metrics = self.payload.metrics.iter();
        !metrics.all(|metric| names.insert(metric.name.as_str()))
    }

    /// The one value of a metric.
    pub(super) fn metric(&self, name: &str) -> Found<'a> {
        let mut found = self
            .payload
            .metrics
            .iter()
            .filter(|metric| metric.name == name);
        match (found.next(), found.next()) {
            (None, _) => Found::None,
            (Some(metric), None) => Found::One(&metric.value),
            (Some(_), Some(_)) => Found::Several,
        }
    }
}

/// How often a metric is there.
pub(super) enum Found<'a> {
    None,
    One(&'a MetricValue),
    Several,
}

/// As [`MetricValue::to_be_bytes`], without a copy of what may be large.
fn bytes_of(value: &MetricValue) -> Cow<'_, [u8]> {
    match value {
        MetricValue::String(value) => Cow::Borrowed(value.as_bytes()),
        MetricValue::Bytes(value) => Cow::Borrowed(value),
        other => Cow::Owned(other.to_be_bytes()),
    }
}

fn field(out: &mut dyn FnMut(&[u8]), bytes: &[u8]) -> Option<()> {
    out(&u32::try_from(bytes.len()).ok()?.to_be_bytes());
    out(bytes);
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn canonical(payload: &Payload) -> Zeroizing<Vec<u8>> {
        SignedView {
            account: "a",
            client_id: "c",
            application_topic: "t",
            payload,
        }
        .canonical()
        .unwrap()
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
        assert_eq!(*canonical(&payload), expected);
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

//! A decoded KuraPayload as `trust` wants to see it. Nothing is judged here.

use kura_formats::payload::{MetricValue, Payload};

use super::request::Request;
use crate::trust::{SignedView, Unsigned, Value};

impl Request {
    /// What the signature of this request covers.
    pub fn signed_view(&self) -> SignedView<'_> {
        view(
            &self.topic.account,
            &self.topic.client_id,
            &self.application_topic,
            &self.payload,
        )
    }
}

/// What a signature over this message covers. `application_topic` is the rest of the topic, e.g.
/// `PROV-V1/EXEC/commit`.
pub fn view<'a>(
    account: &'a str,
    client_id: &'a str,
    application_topic: &'a str,
    payload: &'a Payload,
) -> SignedView<'a> {
    let unsigned = match (&payload.position, payload.has_unknown_fields) {
        (Some(_), _) => Some(Unsigned::Position),
        (None, true) => Some(Unsigned::UnknownFields),
        (None, false) => None,
    };
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
        unsigned,
    }
}

fn value(value: &MetricValue) -> Value<'_> {
    match value {
        MetricValue::Double(value) => Value::Double(*value),
        MetricValue::Float(value) => Value::Float(*value),
        MetricValue::Int64(value) => Value::Int64(*value),
        MetricValue::Int32(value) => Value::Int32(*value),
        MetricValue::Bool(value) => Value::Bool(*value),
        MetricValue::String(value) => Value::String(value),
        MetricValue::Bytes(value) => Value::Bytes(value),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]
    use super::super::testing::{payload, request};
    use super::*;
    use kura_formats::payload::{decode, Limits, Position};
    use openssl::x509::X509;
    use std::path::PathBuf;

    use crate::trust::{Clock, Freshness, Verifier};

    #[test]
    fn every_type_keeps_its_value() {
        let message = payload()
            .with_metric("d", -0.0f64)
            .with_metric("f", f32::NAN)
            .with_metric("l", i64::MIN)
            .with_metric("i", i32::MIN)
            .with_metric("t", true)
            .with_metric("s", "é")
            .with_metric("b", vec![0u8, 255])
            .with_body("body");
        let request = request("PROV-V1", "EXEC", "commit", message);
        let view = request.signed_view();
        assert_eq!((view.account, view.client_id), ("acme", "gw-1"));
        assert_eq!(view.application_topic, "PROV-V1/EXEC/commit");
        assert_eq!(view.body, Some(&b"body"[..]));
        assert_eq!(view.unsigned, None);
        let canonical = view.canonical().unwrap();
        for metric in &request.payload.metrics {
            let bytes = metric.value.to_be_bytes();
            let mut field = vec![metric.value.type_number()];
            field.extend((bytes.len() as u32).to_be_bytes());
            field.extend(bytes);
            let found = canonical.windows(field.len()).any(|window| window == field);
            assert!(found, "{}", metric.name);
        }
    }

    #[test]
    fn what_cannot_be_signed_is_said() {
        let position = payload().with_position(Position::default());
        assert_eq!(
            view("a", "c", "t", &position).unsigned,
            Some(Unsigned::Position)
        );
        let mut unknown = payload();
        unknown.has_unknown_fields = true;
        assert_eq!(
            view("a", "c", "t", &unknown).unsigned,
            Some(Unsigned::UnknownFields)
        );
    }

    #[test]
    fn shared_vectors_are_judged_as_expected() {
        let folder = std::env::var_os("GWC_SHARED_DATA").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
            PathBuf::from,
        );
        let Ok(text) = std::fs::read(folder.join("signed_vectors.json")) else {
            println!("skipped: no signed_vectors.json in {}", folder.display());
            return;
        };
        let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let list = |value: &serde_json::Value| value.as_array().unwrap().clone();
        let signers: Vec<X509> = list(&file["trusted_signers_pem"])
            .iter()
            .map(|pem| X509::from_pem(pem.as_str().unwrap().as_bytes()).unwrap())
            .collect();
        for vector in list(&file["vectors"]) {
            let text = |name: &str| vector[name].as_str().unwrap().to_owned();
            let name = text("name");
            let message = decode(&unhex(&text("payload_hex")), &Limits::default()).unwrap();
            let (account, client_id) = (text("account"), text("client_id"));
            let topic = text("application_topic");
            let view = view(&account, &client_id, &topic, &message);
            // The file's canonical form is of what was signed, not of what arrived.
            if text("expected") == "accepted" {
                let signed = unhex(&text("canonical_hex"));
                assert_eq!(view.canonical().unwrap(), signed, "{name}");
            }
            let mut verifier = Verifier::new();
            verifier.trust(&signers, &[]);
            let clock = Clock::Plausible(vector["now_ms"].as_i64().unwrap());
            let verdict = match verifier.verify(&view, clock, Freshness::Window) {
                Ok(_) => "accepted",
                Err(error) => error.code(),
            };
            assert_eq!(verdict, text("expected"), "{name}");
        }
    }

    fn unhex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }
}

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use serde_json::{json, Value};

use super::judge;
use crate::{samples, Report};

fn judged(vectors: &Value) -> Report {
    judge(vectors.to_string().as_bytes()).unwrap()
}

fn failure(vector: Value) -> String {
    let report = judged(&json!([vector]));
    assert_eq!((report.passed(), report.failed().len()), (0, 1));
    report.failed()[0].1.clone()
}

/// A message with everything in it, and what Kura says of it.
fn vector() -> Value {
    json!({
        "name": "everything",
        "encode_roundtrip": true,
        "gzip": false,
        "wire_metric_order": ["s", "d"],
        "hex": "08fbd095ffbc31121409000000000000f03f1100000000000000404003c2b8020a0a017310054203616c6c\
                c2b8020e0a0164100019000000000000f03fcab80203010203",
        "expected": {
            "ok": true,
            "timestamp_ms": "1700000000123",
            "position": {
                "latitude": {"bits": "3ff0000000000000", "repr": "1.0"},
                "longitude": {"bits": "4000000000000000", "repr": "2.0"},
                "altitude": null, "precision": null, "heading": null, "speed": null,
                "timestamp_ms": null, "satellites": 3, "status": null
            },
            "metrics": {
                "d": {"type": "DOUBLE", "bits": "3ff0000000000000", "repr": "1.0"},
                "s": {"type": "STRING", "value": "all"}
            },
            "body_hex": "010203"
        }
    })
}

#[test]
fn every_vector_of_kuras_encoder_passes() {
    let Some(file) = samples::find("kura_payload_vectors.json") else {
        return;
    };
    let report = judge(&std::fs::read(file).unwrap()).unwrap();
    assert!(report.failed().is_empty(), "{:?}", report.failed());
    assert!(report.passed() >= 100);
}

#[test]
fn a_vector_that_says_something_else_fails() {
    assert!(judged(&json!([vector()])).is_success());
    for (path, other) in [
        ("/hex", json!("zz")),
        ("/hex", json!("080")),
        ("/wire_metric_order", json!(["d", "s"])),
        ("/expected", Value::Null),
        ("/expected/ok", json!(false)),
        ("/expected/timestamp_ms", json!("1")),
        ("/expected/timestamp_ms", Value::Null),
        ("/expected/position", Value::Null),
        ("/expected/position/latitude", json!({"bits": "0"})),
        ("/expected/position/altitude", json!({"bits": "0"})),
        ("/expected/position/satellites", json!(4)),
        ("/expected/position/status", json!(0)),
        ("/expected/metrics", json!({})),
        ("/expected/metrics/d/bits", json!("7ff8000000000000")),
        ("/expected/metrics/d/type", json!("FLOAT")),
        ("/expected/metrics/s/value", json!("al")),
        (
            "/expected/metrics/s",
            json!({"type": "BYTES", "hex": "616c6c"}),
        ),
        ("/expected/body_hex", json!("0102")),
        ("/expected/body_hex", Value::Null),
    ] {
        let mut wrong = vector();
        *wrong.pointer_mut(path).unwrap() = other;
        let why = failure(wrong);
        assert!(!why.is_empty(), "{path}");
    }
    let mut more = vector();
    more["expected"]["metrics"]["x"] = json!({"type": "INT32", "value": 1});
    assert!(failure(more).contains("missing"));
}

#[test]
fn other_bytes_of_the_same_message_are_no_round_trip() {
    // The timestamp behind the body, which Kura's decoder takes and its encoder never makes.
    let mut vector = json!({
        "name": "order", "encode_roundtrip": true, "hex": "cab80201070805",
        "expected": {"ok": true, "timestamp_ms": "5", "metrics": {}, "body_hex": "07"}
    });
    assert!(failure(vector.clone()).contains("differ from Kura's"));
    vector["encode_roundtrip"] = json!(false);
    assert!(judged(&json!([vector])).is_success());
}

#[test]
fn a_refusal_that_kura_does_not_know_fails() {
    let refused = json!({
        "name": "zero", "hex": "00", "expected": {"ok": true, "metrics": {}}
    });
    assert!(failure(refused).starts_with("refused"));
}

#[test]
fn what_only_the_limits_refuse_passes() {
    let metric = "c2b802080a016d100330ac02";
    let many = |count: usize| {
        judged(&json!([{
            "name": "many", "encode_roundtrip": true, "hex": metric.repeat(count),
            "expected": {"ok": true, "metrics": {"m": {"type": "INT32", "value": 300}}}
        }]))
    };
    assert!(many(1000).is_success());
    assert!(many(1001).is_success());
}

#[test]
fn nan_of_javas_long_bits_is_any_nan() {
    let vector = |hex: &str, bits: &str| {
        judged(&json!([{
            "name": "nan", "hex": hex,
            "expected": {"ok": true, "metrics": {"m": {"type": "DOUBLE", "bits": bits}}}
        }]))
        .is_success()
    };
    let quiet = "c2b8020e0a016d100019010000000000f87f";
    assert!(vector(quiet, "7ff8000000000000"));
    assert!(vector(quiet, "7ff8000000000001"));
    assert!(!vector(quiet, "7ff8000000000002"));
}

#[test]
fn a_file_that_is_no_array_is_an_error() {
    assert!(judge(b"{}").is_err());
    assert!(judge(b"").is_err());
}

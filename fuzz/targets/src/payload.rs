//! KuraPayload: `kura_formats::payload::decode`, and `encode` back.

use kura_formats::payload::{
    decode, decode_owned, encode, gunzip, gzip, is_gzip, Limits, MetricValue, Payload,
    PayloadError, Position,
};

use crate::Seed;

/// Small, so that the bounds are reached by small inputs.
const LIMITS: Limits = Limits {
    decoded: 64 << 10,
    metrics: 50,
    text: 300,
    beside: 8 << 10,
};

pub(crate) fn run(data: &[u8]) {
    let payload = match decode(data, &LIMITS) {
        Ok(payload) => payload,
        Err(error) => {
            let limit = matches!(
                error,
                PayloadError::TooLarge { .. }
                    | PayloadError::TooManyMetrics { .. }
                    | PayloadError::MetricsTooLarge { .. }
                    | PayloadError::TextTooLong { .. }
            );
            assert_eq!(error.is_limit(), limit);
            assert!(decode_owned(data.to_vec(), &LIMITS).is_err());
            return;
        }
    };
    // Where the bytes are kept changes nothing. (Debug, as NaN differs from itself.)
    let owned = decode_owned(data.to_vec(), &LIMITS).unwrap();
    assert_eq!(format!("{owned:?}"), format!("{payload:?}"));
    assert!(payload.metrics.len() <= LIMITS.metrics);
    let whole = if is_gzip(data) {
        gunzip(data, LIMITS.decoded).unwrap()
    } else {
        data.to_vec()
    };
    assert!(whole.len() <= LIMITS.decoded);
    let mut held = payload.body.as_ref().map_or(0, Vec::len);
    for metric in &payload.metrics {
        // What is not UTF-8 may grow to three bytes each when it is replaced.
        let longest = if payload.has_unknown_fields { 3 } else { 1 } * LIMITS.text;
        assert!(metric.name.len() <= longest);
        held += match &metric.value {
            MetricValue::String(text) => {
                assert!(text.len() <= longest);
                text.len() / 3
            }
            MetricValue::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
    }
    assert!(held <= whole.len(), "it holds more than was sent");

    let written = encode(&payload);
    if payload.has_unknown_fields {
        return;
    }
    let again = decode(&written, &LIMITS).expect("what was written is read again");
    assert!(!again.has_unknown_fields);
    // By their bytes: a NaN is not equal to itself.
    assert_eq!(encode(&again), written);
    assert_eq!(again.metrics.len(), payload.metrics.len());
    assert_eq!(again.body, payload.body);
    assert_eq!(again.timestamp, payload.timestamp);
}

pub(crate) fn seeds() -> Vec<Seed> {
    let all = Payload::new()
        .with_timestamp(1_795_000_000_000)
        .with_metric("double", 1.5f64)
        .with_metric("float", -0.25f32)
        .with_metric("long", i64::MIN)
        .with_metric("int", -1)
        .with_metric("bool", true)
        .with_metric("text", "Gr\u{fc}\u{df}e")
        .with_metric("bytes", vec![0u8, 255])
        .with_body("body");
    let position = Position {
        latitude: 46.5,
        longitude: 11.3,
        altitude: Some(262.0),
        precision: Some(1.0),
        heading: Some(90.0),
        speed: Some(0.0),
        timestamp: Some(1),
        satellites: Some(7),
        status: Some(-1),
    };
    let placed = Payload::new().with_position(position);
    let twice = Payload::new().with_metric("a", 1).with_metric("a", "two");
    vec![
        ("all-types", encode(&all)),
        ("position", encode(&placed)),
        ("repeated-name", encode(&twice)),
        ("gzip", gzip(&encode(&all))),
        ("unknown-field", [encode(&twice), vec![0x18, 1]].concat()),
        ("group", vec![0x1b, 0x20, 1, 0x1c]),
        (
            "not-text",
            b"\xc2\xb8\x02\x07\x0a\x01\xff\x10\x05\x42\x00".to_vec(),
        ),
        ("empty", Vec::new()),
    ]
}

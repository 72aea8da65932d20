//! The payload codec where the vectors of Kura's own encoder do not reach: limits, gzip damage,
//! what is not shown to a caller, and arbitrary bytes. (The vectors are judged by `conformance`.)
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use kura_formats::payload::{
    decode, decode_apart, decode_owned, encode, gunzip, gunzip_owned, gzip, is_gzip, unpacked,
    Limits, MetricValue, Payload, PayloadError, Position,
};
use proptest::prelude::*;

fn read(bytes: &[u8]) -> Payload {
    decode(bytes, &Limits::default()).unwrap()
}

fn refusal(bytes: &[u8]) -> PayloadError {
    decode(bytes, &Limits::default()).unwrap_err()
}

/// A field of wire type 2.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in [u64::from(number << 3 | 2), content.len() as u64] {
        let mut value = value;
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }
    out.extend_from_slice(content);
    out
}

#[test]
fn the_last_metric_of_a_name_counts_and_the_wire_order_is_kept() {
    let payload = Payload::new()
        .with_metric("k", 1)
        .with_metric("other", true)
        .with_metric("k", "two");
    let read = read(&encode(&payload));
    assert_eq!(read, payload);
    assert_eq!(read.string("k"), Some("two"));
    assert_eq!(read.int32("k"), None);
    assert_eq!(read.metrics.len(), 3);
}

#[test]
fn a_message_without_surprises_has_no_unknown_fields() {
    let payload = Payload::new()
        .with_timestamp(-1)
        .with_position(Position {
            satellites: Some(-3),
            timestamp: Some(i64::MIN),
            ..Position::default()
        })
        .with_metric("d", f64::MIN_POSITIVE)
        .with_metric("f", f32::MIN)
        .with_metric("l", i64::MIN)
        .with_metric("i", i32::MIN)
        .with_metric("b", false)
        .with_metric("s", "")
        .with_metric("y", Vec::new())
        .with_body(Vec::new());
    let read = read(&encode(&payload));
    assert!(!read.has_unknown_fields);
    assert_eq!(read, payload);
}

/// What a signature would not cover has to be visible to whoever verifies it.
#[test]
fn whatever_is_not_shown_counts_as_unknown() {
    for (what, bytes) in [
        ("an extension", vec![0x18, 0x63]),
        ("a field behind the body", field(5002, b"x")),
        ("a group", vec![0x1b, 0x1c]),
        ("a body of another wire type", vec![0xc8, 0xb8, 0x02, 0x01]),
        (
            "a field in a metric",
            field(5000, b"\x0a\x01i\x10\x03\x50\x01"),
        ),
        (
            "a value of another type",
            field(5000, b"\x0a\x01i\x10\x03\x42\x01x"),
        ),
        (
            "two values",
            field(5000, b"\x0a\x01i\x10\x03\x30\x07\x42\x01x"),
        ),
        (
            "a type that does not exist",
            field(5000, b"\x0a\x01i\x10\x07\x10\x03"),
        ),
        (
            "a name that is not UTF-8",
            field(5000, b"\x0a\x01\xff\x10\x03"),
        ),
        (
            "a String that is not UTF-8",
            field(5000, b"\x0a\x01i\x10\x05\x42\x01\xff"),
        ),
        (
            "a field in a position",
            field(2, b"\x09\0\0\0\0\0\0\0\0\x11\0\0\0\0\0\0\0\0\x50\x01"),
        ),
    ] {
        assert!(read(&bytes).has_unknown_fields, "{what}");
    }
    let values: [&[u8]; 7] = [
        b"\x19\0\0\0\0\0\0\0\0",
        b"\x25\0\0\0\0",
        b"\x28\0",
        b"\x30\0",
        b"\x38\0",
        b"\x42\0",
        b"\x4a\0",
    ];
    for kind in 0..7u8 {
        let metric = |value: &[u8]| {
            field(
                5000,
                &[b"\x0a\x01i\x10".as_slice(), &[kind], value].concat(),
            )
        };
        assert!(!read(&metric(b"")).has_unknown_fields);
        for (index, value) in values.iter().enumerate() {
            let unknown = read(&metric(value)).has_unknown_fields;
            assert_eq!(unknown, index != usize::from(kind), "{kind} {index}");
        }
    }
}

#[test]
fn positions_in_pieces_are_merged() {
    let mut bytes = field(2, b"\x09\0\0\0\0\0\0\xf0\x3f");
    assert!(matches!(refusal(&bytes), PayloadError::Missing { .. }));
    bytes.extend(field(2, b"\x11\0\0\0\0\0\0\0\x40"));
    let position = read(&bytes).position.unwrap();
    assert_eq!((position.latitude, position.longitude), (1.0, 2.0));
}

#[test]
fn a_varint_of_ten_bytes_is_negative_as_in_java() {
    let bytes = b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00";
    assert_eq!(read(bytes).timestamp, Some(i64::MIN));
    let bytes = b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00";
    assert!(matches!(refusal(bytes), PayloadError::Malformed { .. }));
}

#[test]
fn groups_nest_one_hundred_deep_and_no_deeper() {
    let nested = |depth: usize| [vec![0x3b; depth], vec![0x3c; depth]].concat();
    assert!(read(&nested(100)).has_unknown_fields);
    assert!(matches!(
        refusal(&nested(101)),
        PayloadError::Malformed { .. }
    ));
    // A metric is one level itself.
    let metric = |depth| {
        field(
            5000,
            &[b"\x0a\x01i\x10\x03".to_vec(), nested(depth)].concat(),
        )
    };
    assert!(read(&metric(99)).has_unknown_fields);
    assert!(matches!(
        refusal(&metric(100)),
        PayloadError::Malformed { .. }
    ));
}

#[test]
fn limits_are_exact() {
    let many = |count| {
        let mut payload = Payload::new();
        for _ in 0..count {
            payload.push("m", 1);
        }
        encode(&payload)
    };
    assert_eq!(read(&many(1000)).metrics.len(), 1000);
    assert!(matches!(
        refusal(&many(1001)),
        PayloadError::TooManyMetrics { limit: 1000 }
    ));
    for (name, value) in [(64usize << 10, 0usize), (0, 64 << 10)] {
        let text = |extra: usize| {
            let name = "n".repeat(if name > 0 { name + extra } else { 1 });
            let value = "v".repeat(if value > 0 { value + extra } else { 1 });
            encode(&Payload::new().with_metric(name, value))
        };
        read(&text(0));
        let error = refusal(&text(1));
        assert!(matches!(
            error,
            PayloadError::TextTooLong { length: 65_537, .. }
        ));
        assert!(error.is_limit());
    }
    let limits = Limits {
        decoded: 100,
        ..Limits::default()
    };
    let sized = |body: usize| encode(&Payload::new().with_body(vec![0; body]));
    assert_eq!(sized(96).len(), 100);
    for bytes in [sized(96), gzip(&sized(96))] {
        assert_eq!(decode(&bytes, &limits).unwrap().body.unwrap().len(), 96);
    }
    for bytes in [sized(97), gzip(&sized(97))] {
        assert!(matches!(
            decode(&bytes, &limits),
            Err(PayloadError::TooLarge { limit: 100 })
        ));
    }
}

#[test]
fn bytes_metrics_and_the_body_are_bounded_by_the_message_only() {
    let bytes = vec![7u8; 70_000];
    let payload = Payload::new()
        .with_metric("y", bytes.clone())
        .with_body(bytes);
    assert_eq!(read(&encode(&payload)), payload);
}

#[test]
fn a_bomb_is_refused_at_the_limit_and_not_behind_it() {
    let bomb = gzip(&vec![0; 64 << 20]);
    assert!(bomb.len() < 100_000);
    assert!(matches!(
        refusal(&bomb),
        PayloadError::TooLarge { limit: 16_777_216 }
    ));
    // Within the limit the ratio does not matter.
    let squeezed = gzip(&encode(&Payload::new().with_body(vec![0; 8 << 20])));
    assert_eq!(read(&squeezed).body.unwrap().len(), 8 << 20);
}

#[test]
fn gzip_is_read_as_java_reads_it() {
    let plain = encode(&Payload::new().with_metric("k", "v"));
    let member = gzip(&plain);
    let header = b"\x1f\x8b\x08\0\0\0\0\0\0\0";
    let joined = |parts: &[&[u8]]| gunzip(&parts.concat(), 1000);
    assert_eq!(joined(&[&member]).unwrap(), plain);
    assert_eq!(joined(&[&member, &member]).unwrap(), plain.repeat(2));
    // OpenJDK 17 was asked for each of these.
    assert_eq!(joined(&[&member, b"junk"]).unwrap(), plain);
    assert_eq!(joined(&[&member, &[0; 40]]).unwrap(), plain);
    assert_eq!(joined(&[&member, header, &[0; 8]]).unwrap(), plain);
    assert!(joined(&[&member, header, &[0; 9]]).is_err());
    let mut reserved = member.clone();
    reserved[3] = 0xe0;
    assert_eq!(joined(&[&reserved]).unwrap(), plain);
}

#[test]
fn gzip_headers_with_every_option_are_skipped() {
    let plain = b"\x08\x05";
    let member = gzip(plain);
    let mut with = member[..10].to_vec();
    with[3] = 4 | 8 | 16;
    with.extend_from_slice(b"\x03\x00abcname\0comment\0");
    let mut crc = flate2::Crc::new();
    with[3] |= 2;
    crc.update(&with);
    let sum = (crc.sum() as u16).to_le_bytes();
    let good = [&with[..], &sum, &member[10..]].concat();
    assert_eq!(gunzip(&good, 100).unwrap(), plain);
    let bad = [&with[..], &[sum[0] ^ 1, sum[1]], &member[10..]].concat();
    assert!(matches!(gunzip(&bad, 100), Err(PayloadError::Gzip { .. })));
}

#[test]
fn damaged_gzip_is_refused_wherever_it_is_cut_or_changed() {
    let member = gzip(&encode(
        &Payload::new().with_metric("key", "value value value"),
    ));
    for length in 0..member.len() {
        let error = decode(&member[..length], &Limits::default());
        assert!(length == 0 || error.is_err(), "cut at {length}");
    }
    for at in member.len() - 8..member.len() {
        let mut changed = member.clone();
        changed[at] ^= 0x10;
        assert!(matches!(refusal(&changed), PayloadError::Gzip { .. }));
    }
    // One layer only.
    assert!(matches!(
        refusal(&gzip(&member)),
        PayloadError::Malformed { .. }
    ));
}

/// Bytes that do not get smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8))
        .flat_map(|_| next())
        .take(length)
        .collect()
}

#[test]
fn large_messages_are_inflated_in_place_as_apart() {
    let limit = 4 << 20;
    let noise = noise(limit);
    let (zeros, half) = (vec![0; limit / 2], &noise[..limit / 2]);
    let mixed = [gzip(&zeros), gzip(half)].concat();
    let turned = [gzip(half), gzip(&zeros), b"junk".to_vec()].concat();
    for packed in [gzip(&noise), mixed.clone(), turned] {
        assert!(packed.len() > 1 << 20);
        let apart = gunzip(&packed, limit).unwrap();
        assert_eq!(apart.len(), limit);
        assert!(gunzip_owned(packed.clone(), limit).unwrap() == apart);
        assert!(matches!(
            gunzip_owned(packed.clone(), limit - 1),
            Err(PayloadError::TooLarge { .. })
        ));
        for at in [11, packed.len() / 2, packed.len() - 20] {
            assert!(gunzip_owned(packed[..at].to_vec(), limit).is_err());
        }
    }
    // What no encoder adds: much that holds nothing.
    let padded = [mixed, vec![0; 2 << 20]].concat();
    assert!(gunzip(&padded, limit).is_ok());
    assert!(matches!(
        gunzip_owned(padded, limit),
        Err(PayloadError::TooLarge { .. })
    ));
}

#[test]
fn the_largest_part_stays_in_place_and_the_others_are_bounded() {
    let large = noise(5 << 20);
    let messages = [
        Payload::new()
            .with_metric("m", &large[..])
            .with_metric("n", "x"),
        Payload::new()
            .with_metric("m", &large[1..9])
            .with_metric("s", "text")
            .with_body(large.clone()),
        Payload::new()
            .with_metric("m", &large[..3 << 20])
            .with_metric("n", &large[..1 << 20])
            .with_metric("o", &b""[..]),
        Payload::new().with_body(large[..100_000].to_vec()),
    ];
    for message in messages {
        let bytes = encode(&message);
        assert!(decode_owned(gzip(&bytes), &Limits::default()).unwrap() == message);
        assert!(decode_owned(bytes, &Limits::default()).unwrap() == message);
    }
    let two = Payload::new()
        .with_metric("m", &large[..])
        .with_body(large.clone());
    let texts = (0..80).fold(Payload::new(), |message, n| {
        message.with_metric(n.to_string(), "x".repeat(64 << 10))
    });
    for message in [two, texts] {
        let bytes = encode(&message);
        for error in [
            decode(&bytes, &Limits::default()).unwrap_err(),
            decode_owned(bytes, &Limits::default()).unwrap_err(),
        ] {
            assert!(
                matches!(error, PayloadError::MetricsTooLarge { .. }),
                "{error}"
            );
            assert!(error.is_limit());
        }
    }
}

#[test]
fn type_numbers_and_canonical_bytes() {
    for (value, number, bytes) in [
        (
            MetricValue::from(1.5f64),
            0,
            &[0x3f, 0xf8, 0, 0, 0, 0, 0, 0][..],
        ),
        (MetricValue::from(-2.25f32), 1, &[0xc0, 0x10, 0, 0]),
        (
            MetricValue::from(-2i64),
            2,
            &[255, 255, 255, 255, 255, 255, 255, 254],
        ),
        (MetricValue::from(300i32), 3, &[0, 0, 1, 44]),
        (MetricValue::from(true), 4, &[1]),
        (MetricValue::from("\u{fc}"), 5, &[0xc3, 0xbc]),
        (MetricValue::from(&[9u8, 8][..]), 6, &[9, 8]),
    ] {
        assert_eq!(value.type_number(), number);
        assert_eq!(value.to_be_bytes(), bytes);
    }
}

fn value() -> impl Strategy<Value = MetricValue> {
    prop_oneof![
        any::<u64>().prop_map(|bits| MetricValue::Double(f64::from_bits(bits))),
        any::<u32>().prop_map(|bits| MetricValue::Float(f32::from_bits(bits))),
        any::<i64>().prop_map(MetricValue::Int64),
        any::<i32>().prop_map(MetricValue::Int32),
        any::<bool>().prop_map(MetricValue::Bool),
        any::<String>().prop_map(MetricValue::String),
        any::<Vec<u8>>().prop_map(MetricValue::Bytes),
    ]
}

prop_compose! {
    fn position()(
        place in any::<(f64, f64)>(),
        doubles in any::<(Option<f64>, Option<f64>, Option<f64>, Option<f64>)>(),
        timestamp in any::<Option<i64>>(),
        ints in any::<(Option<i32>, Option<i32>)>(),
    ) -> Position {
        Position {
            latitude: place.0,
            longitude: place.1,
            altitude: doubles.0,
            precision: doubles.1,
            heading: doubles.2,
            speed: doubles.3,
            timestamp,
            satellites: ints.0,
            status: ints.1,
        }
    }
}

prop_compose! {
    fn payload()(
        timestamp in any::<Option<i64>>(),
        position in proptest::option::of(position()),
        metrics in proptest::collection::vec((any::<String>(), value()), 0..8),
        body in any::<Option<Vec<u8>>>(),
    ) -> Payload {
        let mut payload = Payload { timestamp, position, body, ..Payload::new() };
        for (name, value) in metrics {
            payload.push(name, value);
        }
        payload
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_the_same(payload in payload()) {
        let bytes = encode(&payload);
        prop_assert!(!is_gzip(&bytes));
        for bytes in [bytes.clone(), gzip(&bytes)] {
            let read = read(&bytes);
            let owned = decode_owned(bytes.clone(), &Limits::default()).unwrap();
            let plain = unpacked(bytes, &Limits::default()).unwrap();
            let (mut apart, body) = decode_apart(&plain, &Limits::default()).unwrap();
            prop_assert!(apart.body.is_none());
            apart.body = body.map(|at| plain[at].to_vec());
            prop_assert_eq!(format!("{apart:?}"), format!("{read:?}"));
            prop_assert_eq!(format!("{owned:?}"), format!("{read:?}"));
            prop_assert!(!read.has_unknown_fields);
            // Debug, because NaN differs from itself.
            prop_assert_eq!(format!("{read:?}"), format!("{payload:?}"));
            prop_assert_eq!(encode(&read), encode(&payload));
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
        for start in [&b""[..], b"\x1f\x8b", b"\x1f\x8b\x08\0\0\0\0\0\0\0", b"\xc2\xb8\x02", b"\x12"] {
            let _ = decode(&[start, &bytes].concat(), &Limits::default());
        }
    }

    #[test]
    fn one_changed_byte_does_no_harm(payload in payload(), at: usize, bits: u8) {
        for mut bytes in [encode(&payload), gzip(&encode(&payload))] {
            let length = bytes.len();
            if length > 0 {
                bytes[at % length] ^= bits;
            }
            if let Ok(read) = decode(&bytes, &Limits::default()) {
                // What was accepted can be passed on.
                prop_assert!(decode(&encode(&read), &Limits::default()).is_ok());
            }
        }
    }
}

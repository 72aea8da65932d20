//! MQTT from a broker: cutting the stream into packets, and letting through what may pass.
//!
//! The first byte says in pieces of which size the rest arrives.

use mqtt_session::fuzzing::session;

use crate::Seed;

/// Bytes of a packet, at most.
const LIMIT: usize = 1024;

pub(crate) fn run(data: &[u8]) {
    let Some((cut, stream)) = data.split_first() else {
        return;
    };
    let seen = session(stream, usize::from(*cut), LIMIT);
    // How TCP cuts the stream changes nothing.
    assert_eq!(seen, session(stream, usize::MAX, LIMIT));
    let passed: Vec<u8> = seen.packets.concat();
    assert!(stream.starts_with(&passed), "a packet was changed");
    assert!(seen.packets.iter().all(|packet| packet.len() <= LIMIT));
    assert!(seen.delivered <= stream.len());
    if seen.failure.is_none() {
        assert_eq!(passed.len() + seen.pending, stream.len());
    }
    if let Some(first) = seen.packets.first() {
        // Its length may be written in more bytes than are needed (MQTT 3.1.1 does not mind).
        assert!(
            matches!(first.as_slice(), [0x20, .., 0 | 1, 0]),
            "{first:?}"
        );
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    let connack = b"\x20\x02\0\0".as_slice();
    let of = |cut: u8, parts: &[&[u8]]| [&[cut], connack, &parts.concat()].concat();
    vec![
        ("refused", b"\x01\x20\x02\0\x05".to_vec()),
        ("suback", of(1, &[b"\x90\x04\0\x01\x01\0"])),
        ("suback-refused", of(3, &[b"\x90\x04\0\x01\x01\x80"])),
        ("puback", of(2, &[b"\x40\x02\0\x02"])),
        ("qos-2-out", of(4, &[b"\x50\x02\0\x03", b"\x70\x02\0\x03"])),
        (
            "qos-2-in",
            of(5, &[b"\x34\x06\0\x01a\0\x09x", b"\x62\x02\0\x09"]),
        ),
        (
            "messages",
            of(7, &[b"\x30\x04\0\x01ab", b"\x32\x06\0\x01a\0\x05b"]),
        ),
        ("pong", of(0, &[b"\xd0\0"])),
        ("giant", of(9, &[b"\x30\xff\xff\xff\x7f"])),
        ("wildcard", of(9, &[b"\x30\x03\0\x01#"])),
    ]
}

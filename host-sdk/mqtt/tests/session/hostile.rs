//! Brokers that would crash the MQTT library. All in one process, which must live to tell.

use crate::support::*;
use mqtt_session::{Failure, Limits, Publish};
use std::io::Write;
use std::net::TcpStream;

/// What the broker does after it has seen CONNECT, SUBSCRIBE (id given) and PUBLISH (id given).
type Attack = fn(&mut TcpStream, [u8; 2], [u8; 2]);

fn attacked(qos: u8, limits: Limits, attack: Attack) -> Failure {
    let peer = Peer::new(move |mut stream| {
        assert_eq!(packet(&mut stream).unwrap().0, 0x10);
        let (_, subscribe) = packet(&mut stream).unwrap();
        let (_, publish) = packet(&mut stream).unwrap();
        let id = if qos == 0 {
            [0, 0]
        } else {
            [publish[3], publish[4]]
        };
        attack(&mut stream, [subscribe[0], subscribe[1]], id);
        until_closed(&mut stream);
    });
    let mut options = options("mqtt", peer.address);
    options.subscriptions = vec![("a".into(), 1), ("b".into(), 1)];
    options.first = Some(Publish::new("t", "x", qos));
    options.limits = limits;
    let failure = open(options).failure();
    peer.result();
    failure
}

fn send(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
}

fn accept(stream: &mut TcpStream) {
    send(stream, &[0x20, 2, 0, 0]);
}

/// After a good CONNACK the given bytes are malformed.
macro_rules! malformed {
    ($($name:ident: $bytes:expr;)*) => {$(
        #[test]
        fn $name() {
            let failure = attacked(1, Limits::default(), |stream, _, _| {
                accept(stream);
                send(stream, &$bytes);
            });
            assert!(matches!(failure, Failure::Malformed { .. }), "{failure:?}");
        }
    )*};
}

malformed! {
    a_topic_with_nul: publish(b"a\0b", b"");
    a_topic_that_is_not_utf8: publish(b"\xff\xfe", b"");
    a_topic_with_a_wildcard: publish(b"a/#", b"");
    an_empty_topic: publish(b"", b"x");
    a_topic_longer_than_its_packet: [0x30, 4, 0, 200, b'a', b'b'];
    a_publish_without_a_topic: [0x30, 1, 0];
    a_publish_with_qos_3: [0x36, 5, 0, 1, b'a', 0, 1];
    a_publish_with_packet_id_0: [0x32, 5, 0, 1, b'a', 0, 0];
    a_publish_that_ends_before_its_id: [0x32, 4, 0, 1, b'a', 0];
    a_puback_with_reserved_bits: [0x41, 2, 0, 1];
    a_puback_of_one_byte: [0x40, 1, 1];
    a_pubrel_without_its_bits: [0x60, 2, 0, 1];
    a_suback_with_no_id: [0x90, 1, 0];
    a_pingresp_with_a_body: [0xd0, 1, 0];
    a_reserved_packet_type: [0xf0, 0];
    the_packet_type_0: [0x00, 0];
    a_length_that_never_ends: [0x30, 0x80, 0x80, 0x80, 0x80, 0x80];
}

/// After a good CONNACK the given bytes answer nothing.
macro_rules! unexpected {
    ($($name:ident: $qos:expr, $attack:expr;)*) => {$(
        #[test]
        fn $name() {
            let failure = attacked($qos, Limits::default(), |stream, subscribe, publish| {
                accept(stream);
                let attack: fn([u8; 2], [u8; 2]) -> Vec<u8> = $attack;
                send(stream, &attack(subscribe, publish));
            });
            assert!(matches!(failure, Failure::Unexpected { .. }), "{failure:?}");
        }
    )*};
}

unexpected! {
    a_suback_for_a_publish: 1, |_, p| vec![0x90, 4, p[0], p[1], 1, 1];
    an_unsuback_for_a_publish: 1, |_, p| vec![0xb0, 2, p[0], p[1]];
    a_puback_for_a_subscribe: 1, |s, _| vec![0x40, 2, s[0], s[1]];
    a_puback_for_qos_2: 2, |_, p| vec![0x40, 2, p[0], p[1]];
    a_pubrec_for_qos_1: 1, |_, p| vec![0x50, 2, p[0], p[1]];
    a_pubcomp_before_pubrec: 2, |_, p| vec![0x70, 2, p[0], p[1]];
    a_puback_for_an_unknown_id: 1, |_, _| vec![0x40, 2, 0x7f, 0xff];
    a_second_puback: 1, |_, p| vec![0x40, 2, p[0], p[1], 0x40, 2, p[0], p[1]];
    a_second_connack: 1, |_, _| vec![0x20, 2, 0, 0];
    a_pingresp_for_no_ping: 1, |_, _| vec![0xd0, 0];
    a_connect_from_the_broker: 1, |_, _| vec![0x10, 0];
    a_disconnect_from_the_broker: 1, |_, _| vec![0xe0, 0];
}

#[test]
fn a_suback_shorter_than_its_subscribe() {
    let failure = attacked(1, Limits::default(), |stream, s, _| {
        accept(stream);
        send(stream, &[0x90, 3, s[0], s[1], 1]);
    });
    assert!(
        matches!(&failure, Failure::Malformed { what } if what.contains("1 codes for 2")),
        "{failure:?}"
    );
}

#[test]
fn a_suback_without_codes() {
    let failure = attacked(1, Limits::default(), |stream, s, _| {
        accept(stream);
        send(stream, &[0x90, 2, s[0], s[1]]);
    });
    assert!(matches!(failure, Failure::Malformed { .. }), "{failure:?}");
}

#[test]
fn a_packet_before_connack() {
    let failure = attacked(1, Limits::default(), |stream, _, p| {
        send(stream, &[0x40, 2, p[0], p[1]])
    });
    assert!(
        matches!(&failure, Failure::Unexpected { what } if what == "PUBACK before CONNACK"),
        "{failure:?}"
    );
}

#[test]
fn a_connack_with_a_reserved_code_or_flag() {
    for connack in [[0x20, 2, 0, 6], [0x20, 2, 2, 0]] {
        let peer = Peer::new(move |mut stream| {
            packet(&mut stream).unwrap();
            send(&mut stream, &connack);
            until_closed(&mut stream);
        });
        let failure = open(options("mqtt", peer.address)).failure();
        assert!(matches!(failure, Failure::Malformed { .. }), "{failure:?}");
    }
}

#[test]
fn garbage_instead_of_mqtt() {
    let peer = Peer::new(|mut stream| {
        send(&mut stream, b"SSH-2.0-OpenSSH_9.2\r\n");
        until_closed(&mut stream);
    });
    let failure = open(options("mqtt", peer.address)).failure();
    assert!(
        matches!(
            failure,
            Failure::Malformed { .. } | Failure::Unexpected { .. }
        ),
        "{failure:?}"
    );
}

#[test]
fn an_announced_giant_is_not_allocated() {
    let failure = attacked(1, Limits::default(), |stream, _, _| {
        accept(stream);
        send(stream, &[0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1]);
    });
    assert!(
        matches!(
            failure,
            Failure::TooLarge {
                size: 268_435_460,
                ..
            }
        ),
        "{failure:?}"
    );
}

#[test]
fn unreleased_messages_are_bounded() {
    let limits = Limits {
        max_packet: 100,
        max_backlog: 1000,
        ..Limits::default()
    };
    let failure = attacked(1, limits, |stream, _, _| {
        accept(stream);
        for id in 1..=50u8 {
            let mut packet = vec![0x34, 65, 0, 1, b'a', 0, id];
            packet.extend([0u8; 60]);
            if stream.write_all(&packet).is_err() {
                return;
            }
        }
    });
    assert!(
        matches!(&failure, Failure::TooLarge { limit: 1000, .. }),
        "{failure:?}"
    );
}

#[test]
fn the_last_message_before_the_end_is_delivered() {
    let peer = Peer::new(|mut stream| {
        greet(&mut stream);
        send(&mut stream, &publish(b"last", b"words"));
    });
    let mut options = options("mqtt", peer.address);
    options.subscriptions = vec![("last".into(), 1)];
    let mut watched = open(options);
    assert_eq!(watched.message().payload, b"words");
    assert!(matches!(watched.failure(), Failure::Lost { .. }));
}

#[test]
fn every_return_code_of_connack_has_its_own_word_or_is_malformed() {
    for code in 0..=u8::MAX {
        let peer = Peer::new(move |mut stream| {
            packet(&mut stream).unwrap();
            send(&mut stream, &[0x20, 2, 0, code]);
            if code == 0 {
                // Taken in; then it goes on as no broker does.
                send(&mut stream, &[0xf0, 0]);
            }
            until_closed(&mut stream);
        });
        let failure = open(options("mqtt", peer.address)).failure();
        let wanted = match code {
            1 => "protocol.unexpected",
            2 => "broker.identifier",
            3 => "broker.unavailable",
            4 => "broker.bad-credentials",
            5 => "broker.not-authorized",
            _ => "protocol.malformed",
        };
        assert_eq!(failure.code(), wanted, "{code}: {failure}");
    }
}

/// Pages of this process that are in memory, in bytes.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let resident: u64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
    resident * 4096
}

#[test]
fn a_flood_of_small_messages_over_tls_is_taken_in_without_piling_up() {
    use crate::certificates::{accept, server, Authority, Manners, Wish};
    use mqtt_session::{Event, Session};
    const MESSAGES: usize = 100_000;
    let root = Authority::new("Root");
    let context = server(&root.issue(&Wish::default()), Manners::default());
    let peer = Peer::new(move |stream| {
        let mut tls = accept(&context, stream).unwrap();
        greet(&mut tls);
        let thousand = publish(b"flood", b"0123456789").repeat(1000);
        for _ in 0..MESSAGES / 1000 {
            tls.write_all(&thousand).unwrap();
        }
        until_closed(&mut tls);
    });
    let mut options = options("mqtts", peer.address);
    options.tls.anchors = vec![root.cert.clone()];
    options.subscriptions = vec![("flood".into(), 1)];
    let (done, all) = std::sync::mpsc::channel();
    let seen = std::sync::atomic::AtomicUsize::new(1);
    let before = resident();
    let session = Session::open(anchor(), options, move |event| match event {
        Event::Message(_)
            if seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == MESSAGES =>
        {
            let _ = done.send(Ok(resident()));
        }
        Event::Failed(failure) => drop(done.send(Err(failure))),
        _ => {}
    });
    let after = all.recv_timeout(PATIENCE).expect("all messages").unwrap();
    let grown = after.saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more than before");
    drop(session);
    peer.result();
}

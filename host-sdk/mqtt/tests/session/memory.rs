//! What a hostile broker can make a session hold: peaks above the idle process, each in a process of
//! its own (as nextest runs tests). The scripted broker lives in the same process, and so sends
//! what is large in small pieces.

use crate::support::*;
use mqtt_session::{Event, Failure, Limits, Message, Publish};
use std::io::Write;
use std::sync::mpsc::channel;
use std::time::Duration;

const MIB: usize = 1 << 20;
/// The largest payload that the applications behind a session take.
const LARGEST: usize = 16 * MIB;
/// What a session may hold: one such message, and what moves it.
const BOUND: u64 = 20 << 20;
/// What it may need where it has nothing to hold.
const SMALL: u64 = 5 << 20;

/// One figure of the kernel about this process, in bytes.
fn figure(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

/// The peak from now on.
struct Peak {
    idle: u64,
}

impl Peak {
    fn from_now() -> Peak {
        // proc(5): 5 sets the peak to what is resident now.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        Peak {
            idle: figure("VmRSS:"),
        }
    }

    fn check(&self, what: &str, bound: u64) {
        let peak = figure("VmHWM:").saturating_sub(self.idle);
        println!("{what}: {:.1} MiB above idle", peak as f64 / MIB as f64);
        assert!(peak < bound, "{what}: {peak} bytes above idle");
    }
}

/// The head of a PUBLISH.
fn head(first: u8, topic: &str, id: u16, payload: usize) -> Vec<u8> {
    let with_id = first & 6 != 0;
    let mut length = 2 + topic.len() + if with_id { 2 } else { 0 } + payload;
    let mut head = vec![first];
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        head.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    head.extend((topic.len() as u16).to_be_bytes());
    head.extend(topic.as_bytes());
    if with_id {
        head.extend(id.to_be_bytes());
    }
    head
}

/// A PUBLISH, in pieces.
fn send(stream: &mut impl Write, first: u8, topic: &str, id: u16, payload: usize) {
    stream.write_all(&head(first, topic, id, payload)).unwrap();
    let piece = [0xa5u8; 16 << 10];
    let mut left = payload;
    while left > 0 {
        let n = left.min(piece.len());
        stream.write_all(&piece[..n]).unwrap();
        left -= n;
    }
}

fn subscribed_to_a(peer: &Peer<impl Send + 'static>) -> Watched {
    let mut options = options("mqtt", peer.address);
    options.subscriptions = vec![("a/#".into(), 2)];
    let mut watched = open(options);
    watched.subscribed();
    watched
}

/// The next message, which is not copied.
fn take(watched: &Watched) -> Message {
    loop {
        match watched.events.recv_timeout(PATIENCE).expect("an event") {
            Event::Message(message) => return message,
            Event::Failed(failure) => panic!("{failure}"),
            _ => {}
        }
    }
}

#[test]
fn the_largest_message_is_held_once() {
    for first in [0x30, 0x32, 0x34] {
        let (go, gone) = channel::<()>();
        let peer = Peer::new(move |mut stream| {
            greet(&mut stream);
            gone.recv().unwrap();
            send(&mut stream, first, "a/b", 7, LARGEST);
            if first == 0x34 {
                assert_eq!(packet(&mut stream).unwrap(), (0x50, vec![0, 7]));
                stream.write_all(&[0x62, 2, 0, 7]).unwrap();
            }
            until_closed(&mut stream);
        });
        let watched = subscribed_to_a(&peer);
        let peak = Peak::from_now();
        go.send(()).unwrap();
        let message = take(&watched);
        assert_eq!(message.payload.len(), LARGEST);
        assert!(message.payload.iter().all(|byte| *byte == 0xa5));
        peak.check("the largest message", BOUND);
    }
}

#[test]
fn messages_that_nobody_handles_are_left_to_the_broker() {
    const MESSAGES: usize = 120;
    let (go, gone) = channel::<()>();
    let peer = Peer::new(move |mut stream| {
        greet(&mut stream);
        gone.recv().unwrap();
        for n in 0..MESSAGES {
            send(&mut stream, 0x30, &format!("a/{n}"), 0, MIB);
        }
        until_closed(&mut stream);
    });
    let watched = subscribed_to_a(&peer);
    let peak = Peak::from_now();
    go.send(()).unwrap();
    // The consumer is busy for as long as the broker takes to find that out.
    std::thread::park_timeout(Duration::from_millis(1500));
    peak.check("a flood while nobody looks", BOUND);
    for n in 0..MESSAGES {
        assert_eq!(take(&watched).topic, format!("a/{n}"));
    }
    peak.check("a flood", BOUND);
}

#[test]
fn what_nobody_subscribed_to_passes_by_and_is_acknowledged() {
    let (go, gone) = channel::<()>();
    let peer = Peer::new(move |mut stream| {
        greet(&mut stream);
        gone.recv().unwrap();
        for id in 1..=8 {
            send(&mut stream, 0x32, "b/of/others", id, LARGEST);
            assert_eq!(packet(&mut stream).unwrap(), (0x40, vec![0, id as u8]));
            send(&mut stream, 0x30, "$SYS/b", 0, LARGEST);
            send(&mut stream, 0x34, "b", id, LARGEST);
            assert_eq!(packet(&mut stream).unwrap(), (0x50, vec![0, id as u8]));
            stream.write_all(&[0x62, 2, 0, id as u8]).unwrap();
            assert_eq!(packet(&mut stream).unwrap(), (0x70, vec![0, id as u8]));
        }
        send(&mut stream, 0x30, "a", 0, 3);
        until_closed(&mut stream);
    });
    let watched = subscribed_to_a(&peer);
    let peak = Peak::from_now();
    go.send(()).unwrap();
    assert_eq!(take(&watched).topic, "a");
    peak.check("messages of others", SMALL);
}

#[test]
fn a_packet_beyond_the_limit_costs_nothing() {
    // A message, and a packet that need not be long.
    for first in [0x30, 0x90] {
        let (go, gone) = channel::<()>();
        let peer = Peer::new(move |mut stream| {
            greet(&mut stream);
            gone.recv().unwrap();
            let head = head(first, "a", 0, if first == 0x30 { 17 * MIB } else { MIB });
            stream.write_all(&head).unwrap();
            // It may be gone by now.
            let _ = stream.write_all(&vec![0; MIB]);
            until_closed(&mut stream);
        });
        let mut watched = subscribed_to_a(&peer);
        let peak = Peak::from_now();
        go.send(()).unwrap();
        let failure = watched.failure();
        assert_eq!(failure.code(), "protocol.too-large", "{failure}");
        peak.check("a packet over the limit", SMALL);
    }
}

#[test]
fn messages_that_the_broker_does_not_release_end_the_session_in_time() {
    let (go, gone) = channel::<()>();
    let peer = Peer::new(move |mut stream| {
        greet(&mut stream);
        gone.recv().unwrap();
        // The same one again takes no more room.
        for _ in 0..3 {
            send(&mut stream, 0x34, "a", 1, 2 * MIB);
        }
        send(&mut stream, 0x30, "a", 0, MIB);
        stream.write_all(&head(0x34, "a", 2, 6 * MIB)).unwrap();
        until_closed(&mut stream);
    });
    let mut watched = subscribed_to_a(&peer);
    let peak = Peak::from_now();
    go.send(()).unwrap();
    assert_eq!(take(&watched).payload.len(), MIB);
    let failure = watched.failure();
    assert_eq!(failure.code(), "protocol.too-large", "{failure}");
    assert!(failure.to_string().contains("unreleased"), "{failure}");
    peak.check("messages that are not released", BOUND);
}

#[test]
fn a_message_sent_again_before_its_release_arrives_once_as_it_was_sent_last() {
    let peer = Peer::new(|mut stream| {
        greet(&mut stream);
        for (first, payload) in [(0x34, b"one"), (0x3c, b"two")] {
            stream.write_all(&head(first, "a", 5, 3)).unwrap();
            stream.write_all(payload).unwrap();
            assert_eq!(packet(&mut stream).unwrap(), (0x50, vec![0, 5]));
        }
        stream.write_all(&[0x62, 2, 0, 5, 0x62, 2, 0, 5]).unwrap();
        for _ in 0..2 {
            assert_eq!(packet(&mut stream).unwrap(), (0x70, vec![0, 5]));
        }
        stream.write_all(&publish(b"a", b"end")).unwrap();
        until_closed(&mut stream);
    });
    let watched = subscribed_to_a(&peer);
    assert_eq!(take(&watched).payload, b"two");
    assert_eq!(take(&watched).payload, b"end");
}

#[test]
fn a_broker_that_reads_nothing_is_not_answered_without_end() {
    // What asks for an answer: a message of QoS 1, a release of nothing.
    for asking in [&[0x32, 6, 0, 1, b'a', 0, 9, 1][..], &[0x62, 2, 0, 9]] {
        let (go, gone) = channel::<()>();
        let peer = Peer::new(move |mut stream| {
            greet(&mut stream);
            gone.recv().unwrap();
            stream
                .set_write_timeout(Some(Duration::from_millis(500)))
                .unwrap();
            let many = asking.repeat(4096);
            let mut sent = 0;
            while sent < 64 * MIB && stream.write_all(&many).is_ok() {
                sent += many.len();
            }
            drop(stream);
            sent
        });
        let mut watched = subscribed_to_a(&peer);
        let peak = Peak::from_now();
        go.send(()).unwrap();
        loop {
            // Handled at once: it is the answers that pile up.
            if let Event::Failed(_) = watched.events.recv_timeout(PATIENCE).expect("an event") {
                break;
            }
        }
        watched.session.take();
        peak.check("answers that nobody reads", BOUND);
        let sent = peer.result();
        assert!(sent < 64 * MIB, "the broker was listened to for ever");
    }
}

#[test]
fn messages_of_ours_that_are_never_acknowledged_are_refused_in_time() {
    let peer = Peer::new(|mut stream| {
        greet(&mut stream);
        until_closed(&mut stream);
    });
    let mut options = options("mqtt", peer.address);
    options.subscriptions = vec![("a".into(), 1)];
    options.limits.max_unacknowledged = 2 * MIB;
    let mut watched = open(options);
    watched.subscribed();
    let peak = Peak::from_now();
    let mut taken = 0;
    let failure = loop {
        match watched
            .session()
            .publish(Publish::new("a", vec![1; 64 << 10], 1))
        {
            Ok(_) => taken += 1,
            Err(failure) => break failure,
        }
        // Time to leave for the broker, who takes everything.
        std::thread::park_timeout(Duration::from_millis(2));
        assert!(taken < 1000, "never refused");
    };
    assert!(matches!(failure, Failure::TooLarge { .. }), "{failure}");
    assert!(taken >= 30, "{taken}");
    peak.check("messages that are not acknowledged", BOUND);
}

#[test]
fn a_busy_owner_is_waited_for_with_the_keep_alive_going_on() {
    let (told, pings) = channel();
    let peer = Peer::new(move |mut stream| {
        greet(&mut stream);
        for n in 0..4u8 {
            let mut message = head(0x30, "a", 0, 2000);
            message.extend([n; 2000]);
            stream.write_all(&message).unwrap();
        }
        // Answered all, but the answers wait behind the messages.
        for _ in 0..3 {
            assert_eq!(packet(&mut stream).unwrap(), (0xc0, vec![]));
            stream.write_all(&[0xd0, 0]).unwrap();
        }
        told.send(()).unwrap();
        until_closed(&mut stream);
    });
    let mut options = options("mqtt", peer.address);
    options.subscriptions = vec![("a".into(), 1)];
    options.keep_alive = Duration::from_secs(1);
    options.limits = Limits {
        max_packet: 3000,
        max_backlog: 3000,
        ..Limits::default()
    };
    let mut watched = open(options);
    watched.subscribed();
    let first = take(&watched);
    pings.recv_timeout(PATIENCE).unwrap();
    assert!(watched.events.try_recv().is_err(), "no second one has room");
    drop(first);
    for n in 1..4 {
        assert_eq!(take(&watched).payload[0], n);
    }
    // Deaf again, and cancelled all the same.
    watched.session.take();
}

#[test]
fn what_the_broker_said_before_it_went_waits_for_a_busy_owner() {
    let peer = Peer::new(|mut stream| {
        greet(&mut stream);
        for n in 0..20u8 {
            stream.write_all(&publish(b"a", &[n])).unwrap();
        }
    });
    let mut options = options("mqtt", peer.address);
    options.subscriptions = vec![("a".into(), 1)];
    options.limits.max_backlog = 1;
    let mut watched = open(options);
    let first = take(&watched);
    peer.result();
    assert_eq!(first.payload, [0]);
    drop(first);
    for n in 1..20u8 {
        assert_eq!(take(&watched).payload, [n]);
    }
    assert!(matches!(watched.failure(), Failure::Lost { .. }));
}

#[test]
fn pings_of_a_web_socket_whose_answers_nobody_reads_cost_nothing() {
    use crate::web_socket::{answer, request};
    let (go, gone) = channel::<()>();
    let peer = Peer::new(move |mut stream| {
        let head = request(&mut stream);
        stream.write_all(answer(&head).as_bytes()).unwrap();
        stream.write_all(&[0x82, 4, 0x20, 2, 0, 0]).unwrap();
        gone.recv().unwrap();
        let mut ping = vec![0x89, 125];
        ping.extend([7; 125]);
        let many = ping.repeat(1000);
        for _ in 0..400 {
            stream.write_all(&many).unwrap();
        }
        // No frame of MQTT: the end.
        stream.write_all(&[0x81, 1, b'x']).unwrap();
        until_closed(&mut stream);
    });
    let mut watched = open(options("ws", peer.address));
    watched.subscribed();
    let peak = Peak::from_now();
    go.send(()).unwrap();
    let failure = watched.failure();
    assert!(failure.to_string().contains("text"), "{failure}");
    peak.check("fifty megabytes of pings", SMALL);
}

#[test]
fn a_broker_that_takes_nothing_is_noticed() {
    let (done, over) = channel::<()>();
    let peer = Peer::new(move |mut stream| {
        greet(&mut stream);
        let _ = over.recv();
        drop(stream);
    });
    let mut options = options("mqtt", peer.address);
    options.subscriptions = vec![("a".into(), 1)];
    options.keep_alive = Duration::from_secs(1);
    let mut watched = open(options);
    watched.subscribed();
    watched
        .session()
        .publish(Publish::new("a", vec![0; LARGEST], 1))
        .unwrap();
    let failure = watched.failure();
    assert!(failure.to_string().contains("took nothing"), "{failure}");
    drop(done);
    peer.result();
}

//! What goes over the wire when all is well.

use crate::certificates::*;
use crate::stopwatch::Stopwatch;
use crate::support::*;
use mqtt_session::{Event, Failure, Limits, Publish, Session};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[test]
fn connect_subscribe_and_publish_do_not_wait_for_connack() {
    let root = Authority::new("Root");
    let context = server(&root.issue(&Wish::default()), Manners::default());
    let peer = Peer::new(move |stream| {
        let mut tls = accept(&context, stream).unwrap();
        let connect = packet(&mut tls).unwrap();
        let subscribe = packet(&mut tls).unwrap();
        let publish = packet(&mut tls).unwrap();
        // Only now does the broker say anything at all.
        tls.write_all(&[0x20, 2, 0, 0, 0x90, 3, subscribe.1[0], subscribe.1[1], 1])
            .unwrap();
        tls.write_all(&[0x40, 2, publish.1[3], publish.1[4]])
            .unwrap();
        until_closed(&mut tls);
        (connect, subscribe, publish)
    });
    let mut options = options("mqtts", peer.address);
    options.tls.anchors = vec![root.cert.clone()];
    options.client_id = "device".into();
    options.username = Some("user".into());
    options.password = Some("secret".to_owned().into());
    options.keep_alive = Duration::from_secs(30);
    options.will = Some(Publish::new("will", "gone", 1));
    options.subscriptions = vec![("s".into(), 1)];
    options.first = Some(Publish::new("t", "x", 1));
    assert!(!format!("{options:?}").contains("secret"));
    let mut watched = open(options);
    watched.published(Session::FIRST);
    assert_eq!(
        watched
            .seen
            .iter()
            .map(|event| event.split(['(', ' ']).next().unwrap())
            .collect::<Vec<_>>(),
        [
            "Connecting",
            "Handshaking",
            "TlsEstablished",
            "Connected",
            "Subscribed",
            "Published"
        ]
    );
    drop(watched.session.take());
    let (connect, subscribe, publish) = peer.result();
    assert_eq!(
        connect.1,
        b"\0\x04MQTT\x04\xce\0\x1e\0\x06device\0\x04will\0\x04gone\0\x04user\0\x06secret"
    );
    assert_eq!(
        (subscribe.0, &subscribe.1[2..]),
        (0x82, &b"\0\x01s\x01"[..])
    );
    assert_eq!(
        (publish.0, &publish.1[..3], &publish.1[5..]),
        (0x32, &b"\0\x01t"[..], &b"x"[..])
    );
}

#[test]
fn without_subscriptions_subscribed_follows_connected() {
    let peer = Peer::new(|mut stream| {
        packet(&mut stream).unwrap();
        stream.write_all(&[0x20, 2, 0, 0]).unwrap();
        until_closed(&mut stream);
    });
    open(options("mqtt", peer.address)).subscribed();
}

#[test]
fn messages_keep_their_order_and_flags() {
    let peer = Peer::new(|mut stream| {
        greet(&mut stream);
        let mut all = vec![0x31, 4, 0, 1, b'a', b'0']; // retained
        all.extend([0x3a, 6, 0, 1, b'a', 0, 7, b'1']); // QoS 1, duplicate
        all.extend([0x34, 6, 0, 1, b'a', 0, 8, b'3']); // QoS 2, released below
        all.extend([0x30, 4, 0, 1, b'a', b'2']);
        stream.write_all(&all).unwrap();
        assert_eq!(packet(&mut stream).unwrap(), (0x40, vec![0, 7]));
        assert_eq!(packet(&mut stream).unwrap(), (0x50, vec![0, 8]));
        stream.write_all(&[0x62, 2, 0, 8]).unwrap();
        assert_eq!(packet(&mut stream).unwrap(), (0x70, vec![0, 8]));
    });
    let mut options = options("mqtt", peer.address);
    options.subscriptions = vec![("a".into(), 1)];
    let mut watched = open(options);
    let seen: Vec<_> = (0..4)
        .map(|_| {
            let m = watched.message();
            (m.payload[0], m.qos, m.retained, m.duplicate)
        })
        .collect();
    assert_eq!(
        seen,
        [
            (b'0', 0, true, false),
            (b'1', 1, false, true),
            (b'2', 0, false, false),
            (b'3', 2, false, false)
        ]
    );
    peer.result();
}

#[test]
fn the_keep_alive_reaches_the_broker_and_its_silence_is_noticed() {
    let peer = Peer::new(|mut stream| {
        greet(&mut stream);
        assert_eq!(packet(&mut stream).unwrap(), (0xc0, vec![]));
        stream.write_all(&[0xd0, 0]).unwrap();
        let (begin, watch) = (Instant::now(), Stopwatch::start());
        assert_eq!(packet(&mut stream).unwrap(), (0xc0, vec![]));
        let pause = (begin.elapsed(), watch.stop());
        until_closed(&mut stream);
        pause
    });
    let mut options = options("mqtt", peer.address);
    options.keep_alive = Duration::from_secs(1);
    options.subscriptions = vec![("t".into(), 1)];
    let mut watched = open(options);
    watched.subscribed();
    let failure = watched.failure();
    assert!(
        matches!(&failure, Failure::Lost { reason, .. } if reason.contains("PINGREQ")),
        "{failure:?}"
    );
    let (pause, of_its_own) = peer.result();
    assert!(
        pause > Duration::from_millis(800) && of_its_own < Duration::from_millis(1400),
        "{pause:?}, {of_its_own:?}"
    );
}

#[test]
fn a_graceful_end_waits_for_acknowledgements_and_says_goodbye() {
    let peer = Peer::new(|mut stream| {
        greet(&mut stream);
        let (_, body) = packet(&mut stream).unwrap();
        std::thread::park_timeout(Duration::from_millis(30));
        stream.write_all(&[0x40, 2, body[3], body[4]]).unwrap();
        packet(&mut stream).unwrap()
    });
    let mut options = options("mqtt", peer.address);
    options.subscriptions = vec![("t".into(), 1)];
    let mut watched = open(options);
    watched.subscribed();
    let id = watched
        .session()
        .publish(Publish::new("t", "bye", 1))
        .unwrap();
    watched
        .session
        .take()
        .unwrap()
        .disconnect(Duration::from_secs(10));
    assert!(matches!(watched.events.try_recv(), Ok(Event::Published(done)) if done == id));
    assert!(watched.events.try_recv().is_err());
    assert_eq!(peer.result(), (0xe0, vec![]));
}

#[test]
fn a_graceful_end_is_bounded() {
    let peer = Peer::new(|mut stream| {
        greet(&mut stream);
        until_closed(&mut stream);
    });
    let mut options = options("mqtt", peer.address);
    options.subscriptions = vec![("t".into(), 1)];
    let mut watched = open(options);
    watched.subscribed();
    watched
        .session()
        .publish(Publish::new("t", "never acknowledged", 1))
        .unwrap();
    let watch = Stopwatch::start();
    watched
        .session
        .take()
        .unwrap()
        .disconnect(Duration::from_millis(50));
    let took = watch.stop();
    assert!(took < Duration::from_millis(250), "{took:?}");
}

#[test]
fn what_cannot_be_sent_is_refused_at_once_and_an_ended_session_says_why() {
    let peer = Peer::new(|mut stream| {
        greet(&mut stream);
        packet(&mut stream).unwrap();
    });
    let mut options = options("mqtt", peer.address);
    options.limits = Limits {
        max_packet: 100,
        max_backlog: 100,
        ..Limits::default()
    };
    options.subscriptions = vec![("t".into(), 1)];
    let mut watched = open(options);
    let error = |publish| watched.session().publish(publish).unwrap_err();
    assert!(matches!(
        error(Publish::new("a/+", "", 0)),
        Failure::Malformed { .. }
    ));
    assert!(matches!(
        error(Publish::new("a", "", 3)),
        Failure::Malformed { .. }
    ));
    assert!(matches!(
        error(Publish::new("a", vec![0; 100], 0)),
        Failure::TooLarge { limit: 100, .. }
    ));
    watched.subscribed();
    watched
        .session()
        .publish(Publish::new("a", "end", 0))
        .unwrap();
    let failure = watched.failure();
    assert_eq!(
        watched
            .session()
            .publish(Publish::new("a", "", 0))
            .unwrap_err(),
        failure
    );
}

#[test]
fn a_session_may_be_dropped_from_its_own_callback() {
    let peer = Peer::new(|mut stream| {
        greet(&mut stream);
        stream.write_all(&publish(b"a", b"1")).unwrap();
        until_closed(&mut stream);
    });
    let slot: Arc<Mutex<Option<Session>>> = Arc::default();
    let (send, events) = std::sync::mpsc::channel();
    let owner = Arc::clone(&slot);
    let mut options = options("mqtt", peer.address);
    options.subscriptions = vec![("a".into(), 1)];
    let mut held = slot.lock().unwrap();
    *held = Some(Session::open(anchor(), options, move |event| {
        if matches!(event, Event::Subscribed) {
            drop(owner.lock().unwrap().take());
        }
        send.send(event).unwrap();
    }));
    drop(held);
    peer.result();
    let mut seen = Vec::new();
    // The channel closes when the link thread has ended.
    while let Ok(event) = events.recv_timeout(PATIENCE) {
        seen.push(event);
    }
    assert!(matches!(seen.last(), Some(Event::Subscribed)), "{seen:?}");
}

#[test]
fn a_flood_beyond_the_backlog_arrives_whole_and_in_order() {
    let peer = Peer::new(|mut stream| {
        greet(&mut stream);
        for n in 0..3000u16 {
            stream.write_all(&publish(b"a", &n.to_be_bytes())).unwrap();
        }
        until_closed(&mut stream);
    });
    let mut options = options("mqtt", peer.address);
    options.limits = Limits {
        max_packet: 100,
        max_backlog: 100,
        ..Limits::default()
    };
    options.subscriptions = vec![("a".into(), 1)];
    let mut watched = open(options);
    for n in 0..3000u16 {
        assert_eq!(watched.message().payload, n.to_be_bytes());
    }
}

#[test]
fn messages_may_be_published_from_the_callback() {
    let peer = Peer::new(|mut stream| {
        greet(&mut stream);
        stream.write_all(&publish(b"a", b"question")).unwrap();
        packet(&mut stream).unwrap()
    });
    let slot: Arc<Mutex<Option<Session>>> = Arc::default();
    let owner = Arc::clone(&slot);
    let mut options = options("mqtt", peer.address);
    options.subscriptions = vec![("a".into(), 1)];
    let mut held = slot.lock().unwrap();
    *held = Some(Session::open(anchor(), options, move |event| {
        if matches!(event, Event::Message(_)) {
            let slot = owner.lock().unwrap();
            slot.as_ref()
                .unwrap()
                .publish(Publish::new("b", "answer", 0))
                .unwrap();
        }
    }));
    drop(held);
    assert_eq!(peer.result(), (0x30, b"\0\x01banswer".to_vec()));
    let session = slot.lock().unwrap().take();
    drop(session);
}

//! Ending a session at every stage, and leaving nothing behind.

use crate::certificates::*;
use crate::stopwatch::Stopwatch;
use crate::support::*;
use mqtt_session::{Anchor, Event, Options, Session};
use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Drops the session and says how long that took; nothing may come afterwards.
fn end(mut watched: Watched) -> Duration {
    let session = watched.session.take().unwrap();
    let watch = Stopwatch::start();
    drop(session);
    let took = watch.stop();
    while watched.events.try_recv().is_ok() {}
    // The sender went with the link thread: the channel is closed, not just empty.
    assert!(matches!(
        watched.events.try_recv(),
        Err(std::sync::mpsc::TryRecvError::Disconnected)
    ));
    println!("{took:?}");
    took
}

const LIMIT: Duration = Duration::from_millis(250);

#[test]
fn before_anything_has_happened() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(end(open(options("mqtt", listener.local_addr().unwrap()))) < LIMIT);
}

#[test]
fn while_connecting() {
    let silent = Silent::new();
    let mut watched = open(options("mqtt", silent.address));
    watched.until(|event| matches!(event, Event::Connecting(_)).then_some(()));
    assert!(end(watched) < LIMIT);
}

#[test]
fn while_the_handshake_is_silent() {
    let peer = Peer::new(|mut stream| until_closed(&mut stream));
    let mut watched = open(options("mqtts", peer.address));
    watched.until(|event| matches!(event, Event::Handshaking).then_some(()));
    assert!(end(watched) < LIMIT);
    peer.result();
}

#[test]
fn while_connack_does_not_come() {
    let (send, ready) = channel();
    let peer = Peer::new(move |mut stream| {
        packet(&mut stream).unwrap();
        send.send(()).unwrap();
        until_closed(&mut stream);
    });
    let watched = open(options("mqtt", peer.address));
    ready.recv_timeout(PATIENCE).unwrap();
    assert!(end(watched) < LIMIT);
    peer.result();
}

#[test]
fn while_idle_and_within_tls() {
    let root = Authority::new("Root");
    let context = server(&root.issue(&Wish::default()), Manners::default());
    let peer = Peer::new(move |stream| {
        let mut tls = accept(&context, stream).unwrap();
        greet(&mut tls);
        until_closed(&mut tls);
    });
    let mut options = options("mqtts", peer.address);
    options.tls.anchors = vec![root.cert.clone()];
    options.subscriptions = vec![("t".into(), 1)];
    let mut watched = open(options);
    watched.subscribed();
    assert!(end(watched) < LIMIT);
    peer.result();
}

#[test]
fn while_resolving() {
    // In a process of its own, for other tests have children, too.
    const CHILD: &str = "MQTT_SESSION_TEST_RESOLVING";
    if std::env::var_os(CHILD).is_none() {
        let status = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "cancel::while_resolving",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(CHILD, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    // Cancelled as soon as the child process runs. One that never answers is a test of
    // `link::resolve`.
    let mut options = Options::new("mqtts://slow.example.com".parse().unwrap(), "c");
    options.deadline = Some(Instant::now() + PATIENCE);
    let mut watched = open(options);
    watched.until(|event| matches!(event, Event::Resolving).then_some(()));
    assert!(end(watched) < LIMIT);
    // getent is gone with the session: no child is left.
    let children =
        std::fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id()));
    assert_eq!(children.unwrap_or_default().trim(), "");
}

#[test]
fn two_hundred_sessions_leave_no_thread_and_no_descriptor() {
    const CHILD: &str = "MQTT_SESSION_TEST_CYCLES";
    if std::env::var_os(CHILD).is_none() {
        // In a process of its own, for the other tests come and go with theirs.
        let status = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "cancel::two_hundred_sessions_leave_no_thread_and_no_descriptor",
                "--nocapture",
            ])
            .args(["--test-threads=1"])
            .env(CHILD, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let count = |what: &str| {
        std::fs::read_dir(format!("/proc/self/{what}"))
            .unwrap()
            .count()
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A thread each would disturb the count: this one serves them in turn.
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            if packet(&mut stream).is_ok() && stream.write_all(&[0x20, 2, 0, 0]).is_ok() {
                until_closed(&mut stream);
            }
        }
    });
    let anchor = Anchor::new().unwrap();
    let cycle = |turn: usize| {
        let (send, events) = channel();
        let session = Session::open(&anchor, options("mqtt", address), move |event| {
            drop(send.send(event))
        });
        // Some ends come at once, some in the middle, some when all is well.
        let wanted = [0, 1, 3, 3][turn % 4];
        for _ in 0..wanted {
            events.recv_timeout(PATIENCE).unwrap();
        }
        let watch = Stopwatch::start();
        drop(session);
        let took = watch.stop();
        assert!(took < LIMIT, "{took:?} in turn {turn}");
    };
    (0..20).for_each(cycle);
    // Sockets that paho has not closed yet are closed within its second.
    let settled = |expected: (usize, usize)| {
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            let now = (count("task"), count("fd"));
            if now.0 <= expected.0 && now.1 <= expected.1 || Instant::now() > end {
                return now;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    };
    let before = settled((0, 0).max((count("task"), count("fd"))));
    (20..220).for_each(cycle);
    let after = settled(before);
    assert!(
        after.0 <= before.0 && after.1 <= before.1,
        "threads and descriptors: {before:?} then {after:?}"
    );
    println!("threads and descriptors: {before:?} then {after:?}");
    drop(anchor);
}

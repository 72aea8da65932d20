//! Names, addresses, deadlines, and what a broker answers to CONNECT.

use crate::support::*;
use mqtt_session::{Event, Failure, Options, Stage};
use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

#[test]
fn a_port_where_nobody_listens_refuses() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut watched = open(options("mqtt", address));
    assert_eq!(watched.failure(), Failure::Refused { addr: address });
    assert_eq!(
        watched.seen.len(),
        2,
        "one SYN, one failure: {:?}",
        watched.seen
    );
}

#[test]
fn a_name_that_does_not_exist_costs_no_syn() {
    let mut watched = open(options_for("mqtt://no-such-host.invalid"));
    let failure = watched.failure();
    assert!(
        matches!(&failure, Failure::Dns { host, .. } if host == "no-such-host.invalid"),
        "{failure:?}"
    );
    assert_eq!(watched.seen[0], "Resolving");
    assert_eq!(watched.seen.len(), 2, "{:?}", watched.seen);
}

#[test]
fn every_address_of_a_name_is_tried() {
    // localhost is 127.0.0.1 and ::1; only the second one listens.
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        println!("skipped: no IPv6 loopback");
        return;
    };
    let port = listener.local_addr().unwrap().port();
    if TcpListener::bind(("127.0.0.1", port)).is_err() {
        println!("skipped: the port is taken on IPv4");
        return;
    }
    let mut watched = open(options_for(&format!("mqtt://localhost:{port}")));
    let addresses: Vec<_> = (0..2)
        .map(|_| {
            watched.until(|event| match event {
                Event::Connecting(address) => Some(address.is_ipv6()),
                _ => None,
            })
        })
        .collect();
    assert_eq!(addresses, [false, true]);
    listener.accept().unwrap();
}

#[test]
fn a_name_of_the_hosts_file_is_resolved_by_the_system() {
    let Ok(hosts) = std::fs::read_to_string("/etc/hosts") else {
        return;
    };
    let name = hosts
        .lines()
        .filter_map(|line| line.split('#').next()?.strip_prefix("127."))
        .flat_map(|line| line.split_whitespace().skip(1))
        .find(|name| *name != "localhost" && !name.contains("localhost"));
    let Some(name) = name else {
        println!("skipped: no other name for this host in /etc/hosts");
        return;
    };
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let mut watched = open(options_for(&format!(
        "mqtt://{name}:{}",
        listener.local_addr().unwrap().port()
    )));
    watched.until(|event| matches!(event, Event::Connecting(_)).then_some(()));
}

fn options_for(url: &str) -> Options {
    let mut options = Options::new(url.parse().unwrap(), "client");
    options.deadline = Some(Instant::now() + PATIENCE);
    options
}

#[test]
fn silence_ends_at_the_deadline_and_names_the_stage() {
    for (scheme, stage) in [
        ("mqtt", Stage::Connack),
        ("mqtts", Stage::Handshake),
        ("ws", Stage::Upgrade),
    ] {
        let peer = Peer::new(|mut stream| until_closed(&mut stream));
        let mut options = options(scheme, peer.address);
        let begin = Instant::now();
        options.deadline = Some(begin + Duration::from_millis(500));
        let failure = open(options).failure();
        let took = begin.elapsed();
        assert!(
            matches!(failure, Failure::Timeout { stage: at, .. } if at == stage),
            "{failure:?}"
        );
        assert!(
            took >= Duration::from_millis(500) && took < Duration::from_secs(5),
            "{took:?}"
        );
    }
}

#[test]
fn a_missing_suback_ends_at_the_deadline() {
    let peer = Peer::new(|mut stream| {
        packet(&mut stream).unwrap();
        stream.write_all(&[0x20, 2, 0, 0]).unwrap();
        until_closed(&mut stream);
    });
    let mut options = options("mqtt", peer.address);
    options.deadline = Some(Instant::now() + Duration::from_secs(1));
    options.subscriptions = vec![("t".into(), 1)];
    let failure = open(options).failure();
    assert!(
        matches!(
            failure,
            Failure::Timeout {
                stage: Stage::Subscribe,
                ..
            }
        ),
        "{failure:?}"
    );
}

#[test]
fn an_address_that_does_not_answer_ends_at_the_deadline() {
    let silent = Silent::new();
    let mut options = options("mqtt", silent.address);
    options.deadline = Some(Instant::now() + Duration::from_millis(300));
    let failure = open(options).failure();
    assert!(
        matches!(
            failure,
            Failure::Timeout {
                stage: Stage::Connect,
                ..
            }
        ),
        "{failure:?}"
    );
}

#[test]
fn every_connack_code_has_its_failure() {
    for (code, expected) in [
        (1, Failure::ProtocolVersion),
        (2, Failure::IdentifierRejected),
        (3, Failure::Unavailable),
        (4, Failure::BadCredentials),
        (5, Failure::NotAuthorized),
    ] {
        let peer = Peer::new(move |mut stream| {
            packet(&mut stream).unwrap();
            // Closing with SUBSCRIBE unread resets the connection: the code must still be seen.
            stream.write_all(&[0x20, 2, 0, code]).unwrap();
        });
        let mut options = options("mqtt", peer.address);
        options.subscriptions = vec![("t".into(), 1)];
        assert_eq!(open(options).failure(), expected);
    }
}

#[test]
fn a_refused_subscription_names_the_filter() {
    let peer = Peer::new(|mut stream| {
        packet(&mut stream).unwrap();
        stream.write_all(&[0x20, 2, 0, 0]).unwrap();
        let (_, body) = packet(&mut stream).unwrap();
        stream
            .write_all(&[0x90, 4, body[0], body[1], 1, 0x80])
            .unwrap();
        until_closed(&mut stream);
    });
    let mut options = options("mqtt", peer.address);
    options.subscriptions = vec![("good".into(), 1), ("bad/#".into(), 1)];
    assert_eq!(
        open(options).failure(),
        Failure::SubscriptionRefused {
            topic: "bad/#".into()
        }
    );
}

#[test]
fn a_broker_that_closes_is_lost_at_its_stage() {
    let peer = Peer::new(|mut stream| drop(packet(&mut stream)));
    let failure = open(options("mqtt", peer.address)).failure();
    assert!(
        matches!(
            failure,
            Failure::Lost {
                stage: Stage::Connack,
                ..
            }
        ),
        "{failure:?}"
    );
    let peer = Peer::new(|mut stream| greet(&mut stream));
    let mut options = options("mqtt", peer.address);
    options.subscriptions = vec![("t".into(), 1)];
    let failure = {
        let mut watched = open(options);
        watched.subscribed();
        watched.failure()
    };
    assert!(
        matches!(
            failure,
            Failure::Lost {
                stage: Stage::Session,
                ..
            }
        ),
        "{failure:?}"
    );
}

#[test]
fn options_that_mqtt_cannot_carry_open_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut options = options("mqtt", listener.local_addr().unwrap());
    options.subscriptions = vec![("a/#/b".into(), 1)];
    let failure = open(options).failure();
    assert!(matches!(failure, Failure::Malformed { .. }), "{failure:?}");
    assert!(listener.accept().is_err());
}

#[test]
fn a_machine_with_ipv6_only_works_too() {
    // paho refuses 127.0.0.1 there. In a network namespace of its own, where that is allowed.
    let script = "ip link set lo up && ip -6 addr add fd00::5/128 dev lo || exit 77; exec \"$0\" --exact \"$1\"";
    let status = std::process::Command::new("unshare")
        .args(["-rn", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg("exchange::without_subscriptions_subscribed_follows_connected")
        .status();
    match status.ok().and_then(|status| status.code()) {
        Some(0) => {}
        Some(101) => panic!("the session did not come up"),
        other => println!("skipped: no network namespace can be made here ({other:?})"),
    }
}

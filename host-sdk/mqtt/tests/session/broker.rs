//! A real mosquitto.

use crate::support::*;
use mqtt_session::{Failure, Publish};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub struct Mosquitto {
    child: Child,
    pub address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Mosquitto {
    /// `None`, with a word, where it is not installed.
    pub fn start(config: &str) -> Option<Mosquitto> {
        let program = "/usr/sbin/mosquitto";
        if !std::path::Path::new(program).exists() {
            println!("skipped: {program} is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // Another process may take the port between its choice and its use: then choose again.
        for _ in 0..5 {
            let address = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap();
            let file = folder.path().join("mosquitto.conf");
            let mut text = std::fs::File::create(&file).unwrap();
            writeln!(text, "listener {} 127.0.0.1\n{config}", address.port()).unwrap();
            let log = folder.path().join("log");
            let mut child = Command::new(program)
                .arg("-c")
                .arg(&file)
                .stdout(Stdio::null())
                .stderr(std::fs::File::create(&log).unwrap())
                .spawn()
                .unwrap();
            let end = Instant::now() + PATIENCE;
            while Instant::now() < end && child.try_wait().unwrap().is_none() {
                // Its word, not a connection: somebody else may listen there.
                if std::fs::read_to_string(&log).unwrap().contains(" running") {
                    return Some(Mosquitto {
                        child,
                        address,
                        _folder: folder,
                    });
                }
                thread::park_timeout(Duration::from_millis(5));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        println!("skipped: mosquitto does not start with {config:?}");
        None
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_broker_carries_every_quality_of_service() {
    let Some(broker) = Mosquitto::start("allow_anonymous true") else {
        return;
    };
    let mut options = options("mqtt", broker.address);
    options.subscriptions = vec![("t/#".into(), 2), ("u".into(), 0)];
    options.first = Some(Publish::new("t/first", "hello", 1));
    let mut watched = open(options);
    let message = watched.message();
    assert_eq!(
        (message.topic.as_str(), message.payload.as_slice()),
        ("t/first", &b"hello"[..])
    );
    for qos in 0..=2u8 {
        let id = watched
            .session()
            .publish(Publish::new("t/x", vec![qos; 10], qos))
            .unwrap();
        let (mut published, mut delivered) = (false, false);
        while !(published && delivered) {
            watched.until(|event| {
                match event {
                    mqtt_session::Event::Published(done) if *done == id => published = true,
                    mqtt_session::Event::Message(m) => {
                        assert_eq!((m.qos, m.payload.clone()), (qos, vec![qos; 10]));
                        delivered = true;
                    }
                    _ => return None,
                }
                Some(())
            });
        }
    }
    let counters = watched.session().counters();
    assert!(
        counters.sent > 100 && counters.received > 100,
        "{counters:?}"
    );
    watched
        .session
        .take()
        .unwrap()
        .disconnect(Duration::from_millis(500));
    assert!(watched.events.try_recv().is_err());
}

#[test]
fn a_wrong_password_is_not_authorized() {
    let Some(broker) = Mosquitto::start("allow_anonymous false") else {
        return;
    };
    let mut options = options("mqtt", broker.address);
    options.username = Some("me".into());
    options.password = Some("wrong".to_owned().into());
    options.subscriptions = vec![("t".into(), 1)];
    options.first = Some(Publish::new("t", "x", 1));
    assert_eq!(open(options).failure(), Failure::NotAuthorized);
}

/// How long the threads of a process have run, or wanted to and were not let, so far: the first two
/// numbers of their `schedstat` (Documentation/scheduler/sched-stats.rst of the kernel), in ns.
fn busy(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of_one = |task: std::fs::DirEntry| -> u64 {
        // Where the kernel does not count, nothing is taken off below.
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let numbers = text.split_whitespace().take(2);
        numbers
            .filter_map(|number| number.parse::<u64>().ok())
            .sum()
    };
    Duration::from_nanos(tasks.flatten().map(of_one).sum())
}

#[test]
fn a_large_message_does_not_wait_for_the_library_to_look() {
    let Some(broker) = Mosquitto::start("allow_anonymous true") else {
        return;
    };
    let mut options = options("mqtt", broker.address);
    options.subscriptions = vec![("big".into(), 1)];
    let mut watched = open(options);
    watched.subscribed();
    let both = || busy(std::process::id()) + busy(broker.child.id());
    let (before, begin) = (both(), Instant::now());
    watched
        .session()
        .publish(Publish::new("big", vec![7u8; 16 << 20], 1))
        .unwrap();
    assert_eq!(watched.message().payload.len(), 16 << 20);
    let (took, busy) = (begin.elapsed(), both() - before);
    println!("16 MiB there and back in {took:?}, busy for {busy:?}");
    // However slow the machine is, nobody lets the other wait. Without the nudge (`link::local`) it
    // takes 2 to 3 s.
    let waited = took.saturating_sub(busy);
    assert!(
        waited < Duration::from_millis(1200),
        "{took:?}, busy for {busy:?}"
    );
}

#[test]
fn many_messages_are_all_acknowledged_in_order() {
    let Some(broker) = Mosquitto::start("allow_anonymous true\nmax_queued_messages 0") else {
        return;
    };
    let mut options = options("mqtt", broker.address);
    options.subscriptions = vec![("t".into(), 1)];
    let mut watched = open(options);
    let ids: Vec<u64> = (0..1500u32)
        .map(|n| {
            watched
                .session()
                .publish(Publish::new("t", n.to_be_bytes(), 1))
                .unwrap()
        })
        .collect();
    let (mut published, mut delivered) = (Vec::new(), Vec::new());
    while published.len() < ids.len() || delivered.len() < ids.len() {
        watched.until(|event| {
            match event {
                mqtt_session::Event::Published(id) => published.push(*id),
                mqtt_session::Event::Message(m) => delivered.push(m.payload.clone()),
                _ => {}
            }
            Some(())
        });
    }
    assert_eq!(published, ids);
    assert!(delivered
        .iter()
        .zip(0u32..)
        .all(|(payload, n)| *payload == n.to_be_bytes()));
}

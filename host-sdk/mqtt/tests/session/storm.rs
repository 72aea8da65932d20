//! Sessions ended at random moments, several at a time: the library must come out of it alive.

use crate::stopwatch::Stopwatch;
use crate::support::*;
use mqtt_session::{Event, Publish, Session};
use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Numbers that look random and are the same in every run (Marsaglia's xorshift).
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// A peer that stops at some stage, differently each time.
fn moody(stop: Arc<AtomicBool>) -> (std::net::SocketAddr, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        let mut dice = Dice(7);
        for stream in listener.incoming() {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            let mut stream = stream.unwrap();
            let mood = dice.throw(5);
            thread::spawn(move || -> std::io::Result<()> {
                stream.set_read_timeout(Some(PATIENCE))?;
                if mood == 0 {
                    return Ok(());
                }
                packet(&mut stream)?;
                if mood == 1 {
                    until_closed(&mut stream);
                    return Ok(());
                }
                stream.write_all(&[0x20, 2, 0, 0])?;
                let (_, body) = packet(&mut stream)?;
                stream.write_all(&[0x90, 3, body[0], body[1], 1])?;
                if mood == 2 {
                    return Ok(());
                }
                stream.write_all(&publish(b"t", b"x"))?;
                if mood == 3 {
                    stream.write_all(&[0x40, 2, 0x7f, 1])?;
                }
                until_closed(&mut stream);
                Ok(())
            });
        }
    });
    (address, thread)
}

#[test]
fn random_ends_neither_hang_nor_crash() {
    let turns: u64 = std::env::var("MQTT_SESSION_STORM")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(60);
    let stop = Arc::new(AtomicBool::new(false));
    let (address, peer) = moody(Arc::clone(&stop));
    let workers: Vec<_> = (0..4u64)
        .map(|worker| {
            thread::spawn(move || {
                let mut dice = Dice(worker + 1);
                let mut slowest = Duration::ZERO;
                for _ in 0..turns {
                    let (send, events) = channel();
                    let mut options = options("mqtt", address);
                    options.subscriptions = vec![("t".into(), 1)];
                    options.first = Some(Publish::new("t", "x", dice.throw(3) as u8));
                    let session =
                        Session::open(anchor(), options, move |event| drop(send.send(event)));
                    // The moment is the point of this test.
                    thread::park_timeout(Duration::from_micros(dice.throw(6_000)));
                    let watch = Stopwatch::start();
                    if dice.throw(4) == 0 {
                        session.disconnect(Duration::from_millis(20));
                    } else {
                        drop(session);
                    }
                    slowest = slowest.max(watch.stop());
                    let failures = events
                        .try_iter()
                        .filter(|e| matches!(e, Event::Failed(_)))
                        .count();
                    assert!(failures <= 1);
                }
                slowest
            })
        })
        .collect();
    let slowest = workers
        .into_iter()
        .map(|worker| worker.join().unwrap())
        .max();
    println!("slowest end: {slowest:?}");
    stop.store(true, Ordering::SeqCst);
    drop(std::net::TcpStream::connect(address));
    peer.join().unwrap();
    assert!(
        slowest.is_some_and(|slowest| slowest < Duration::from_millis(500)),
        "{slowest:?}"
    );
    // And paho still works.
    let peer = Peer::new(|mut stream| {
        greet(&mut stream);
        until_closed(&mut stream);
    });
    let mut last = options("mqtt", peer.address);
    last.subscriptions = vec![("t".into(), 1)];
    open(last).subscribed();
}

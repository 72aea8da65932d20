//! A link that takes its time: a TCP proxy that hands every chunk on after a delay, and counts.
//!
//! Each direction of a connection has a thread that reads and stamps chunks and one that hands them
//! on when they are due, so that the delay bounds nothing but time. The kernel answers the SYN at
//! once, which a real link would not: so what arrives during the first round trip of a connection
//! counts as sent at its end. Neither loss nor a bound on bandwidth. Used by both measurements.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{channel, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What has passed on the latest connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passed {
    /// Bytes to the broker.
    pub sent: u64,
    /// Bytes from the broker.
    pub received: u64,
    /// How often the broker answered after the client had spoken, and one for TCP itself.
    pub round_trips: u64,
}

#[derive(Debug, Default)]
struct Count {
    passed: Passed,
    client_spoke_last: bool,
}

/// A running proxy. Its accepting thread ends with the process.
pub struct Proxy {
    port: u16,
    count: Arc<Mutex<Count>>,
}

impl Proxy {
    /// A proxy on a free port of 127.0.0.1 to another one, `delay` each way.
    pub fn start(to: u16, delay: Duration) -> std::io::Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let proxy = Proxy {
            port,
            count: Arc::default(),
        };
        let count = Arc::clone(&proxy.count);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                *lock(&count) = Count {
                    passed: Passed {
                        round_trips: 1,
                        ..Passed::default()
                    },
                    client_spoke_last: false,
                };
                if let Err(error) = connect(client, to, delay, &count) {
                    eprintln!("proxy: {error}");
                }
            }
        });
        Ok(proxy)
    }

    /// Where to connect.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the latest connection has carried so far.
    pub fn passed(&self) -> Passed {
        lock(&self.count).passed
    }
}

fn lock(count: &Mutex<Count>) -> std::sync::MutexGuard<'_, Count> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(
    client: TcpStream,
    to: u16,
    delay: Duration,
    count: &Arc<Mutex<Count>>,
) -> std::io::Result<()> {
    let established = Instant::now() + 2 * delay;
    let broker = TcpStream::connect((Ipv4Addr::LOCALHOST, to))?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    for up in [true, false] {
        let (from, onto) = match up {
            true => (client.try_clone()?, broker.try_clone()?),
            false => (broker.try_clone()?, client.try_clone()?),
        };
        let (chunks, due) = channel();
        let count = Arc::clone(count);
        thread::spawn(move || {
            let stamp = || Instant::now().max(established) + delay;
            read(from, up, &count, &|chunk| {
                chunks.send((stamp(), chunk)).is_ok()
            });
        });
        thread::spawn(move || hand_on(onto, &due));
    }
    Ok(())
}

/// An empty chunk is the end of the direction.
fn read(mut from: TcpStream, up: bool, count: &Mutex<Count>, pass: &dyn Fn(Vec<u8>) -> bool) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let size = from.read(&mut buffer).unwrap_or(0);
        let chunk = buffer.get(..size).unwrap_or_default().to_vec();
        if size > 0 {
            let mut count = lock(count);
            if up {
                count.passed.sent += size as u64;
            } else {
                count.passed.received += size as u64;
                count.passed.round_trips += u64::from(count.client_spoke_last);
            }
            count.client_spoke_last = up;
        }
        if !pass(chunk) || size == 0 {
            return;
        }
    }
}

fn hand_on(mut onto: TcpStream, due: &Receiver<(Instant, Vec<u8>)>) {
    while let Ok((when, chunk)) = due.recv() {
        thread::sleep(when.saturating_duration_since(Instant::now()));
        // Whoever has gone away needs no more.
        if chunk.is_empty() || onto.write_all(&chunk).is_err() {
            let _ = onto.shutdown(Shutdown::Write);
            return;
        }
    }
}

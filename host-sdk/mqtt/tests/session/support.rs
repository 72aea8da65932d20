//! What every test needs: an anchor, recorded events with deadlines, scripted peers.

use mqtt_session::{Anchor, Event, Failure, Options, Session};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{channel, Receiver};
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// No wait in these tests is longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One anchor for the whole test process, as in a component.
pub fn anchor() -> &'static Anchor {
    static ANCHOR: OnceLock<Anchor> = OnceLock::new();
    ANCHOR.get_or_init(|| Anchor::new().unwrap())
}

/// A session and what it has told.
pub struct Watched {
    pub session: Option<Session>,
    pub events: Receiver<Event>,
    pub seen: Vec<String>,
}

pub fn open(options: Options) -> Watched {
    let (send, events) = channel();
    let session = Session::open(anchor(), options, move |event| drop(send.send(event)));
    Watched {
        session: Some(session),
        events,
        seen: Vec::new(),
    }
}

pub fn options(scheme: &str, address: SocketAddr) -> Options {
    let mut options = Options::new(format!("{scheme}://{address}").parse().unwrap(), "client");
    options.deadline = Some(Instant::now() + PATIENCE);
    options
}

impl Watched {
    /// The first event that the closure picks.
    pub fn until<T>(&mut self, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(event) = self.events.recv_timeout(left) else {
                panic!("no such event in {:?}", self.seen)
            };
            self.seen.push(format!("{event:?}"));
            if let Some(found) = pick(&event) {
                return found;
            }
            if let Event::Failed(failure) = event {
                panic!("{failure} after {:?}", self.seen);
            }
        }
    }

    pub fn failure(&mut self) -> Failure {
        self.until(|event| match event {
            Event::Failed(failure) => Some(failure.clone()),
            _ => None,
        })
    }

    pub fn subscribed(&mut self) {
        self.until(|event| matches!(event, Event::Subscribed).then_some(()));
    }

    pub fn message(&mut self) -> mqtt_session::Message {
        self.until(|event| match event {
            Event::Message(message) => Some(message.clone()),
            _ => None,
        })
    }

    pub fn published(&mut self, id: u64) {
        self.until(|event| matches!(event, Event::Published(done) if *done == id).then_some(()));
    }

    pub fn session(&self) -> &Session {
        self.session.as_ref().unwrap()
    }
}

/// A peer that accepts one connection and follows a script.
pub struct Peer<T> {
    pub address: SocketAddr,
    thread: Option<JoinHandle<T>>,
}

impl<T: Send + 'static> Peer<T> {
    pub fn new(script: impl FnOnce(TcpStream) -> T + Send + 'static) -> Peer<T> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.set_write_timeout(Some(PATIENCE)).unwrap();
            stream.set_nodelay(true).unwrap();
            script(stream)
        });
        Peer {
            address,
            thread: Some(thread),
        }
    }

    /// What the script found; fails if the script failed.
    pub fn result(mut self) -> T {
        self.thread.take().unwrap().join().unwrap()
    }
}

/// An address that answers no SYN: a listener whose queue is full.
pub struct Silent {
    pub address: SocketAddr,
    _listener: std::os::fd::OwnedFd,
    _filler: Vec<TcpStream>,
}

impl Silent {
    pub fn new() -> Silent {
        use rustix::net::{bind, getsockname, listen, socket, AddressFamily, SocketType};
        let listener = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        listen(&listener, 0).unwrap();
        let address = SocketAddr::try_from(getsockname(&listener).unwrap()).unwrap();
        let mut filler = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            filler.push(stream);
        }
        Silent {
            address,
            _listener: listener,
            _filler: filler,
        }
    }
}

/// One MQTT packet: the first byte and the body.
pub fn packet(stream: &mut impl Read) -> std::io::Result<(u8, Vec<u8>)> {
    let mut byte = [0u8; 1];
    stream.read_exact(&mut byte)?;
    let first = byte[0];
    let (mut length, mut shift) = (0usize, 0);
    loop {
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0u8; length];
    stream.read_exact(&mut body)?;
    Ok((first, body))
}

/// Reads until the client is gone.
pub fn until_closed(stream: &mut impl Read) {
    let mut buffer = [0u8; 4096];
    while matches!(stream.read(&mut buffer), Ok(n) if n > 0) {}
}

/// PUBLISH with QoS 0.
pub fn publish(topic: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = 2 + topic.len() + payload.len();
    assert!(length < 128);
    let mut packet = vec![0x30, length as u8, 0, topic.len() as u8];
    packet.extend_from_slice(topic);
    packet.extend_from_slice(payload);
    packet
}

/// Accepts CONNECT and one SUBSCRIBE.
pub fn greet(stream: &mut (impl Read + Write)) {
    assert_eq!(packet(stream).unwrap().0, 0x10);
    stream.write_all(&[0x20, 2, 0, 0]).unwrap();
    let (first, body) = packet(stream).unwrap();
    assert_eq!(first, 0x82);
    stream.write_all(&[0x90, 3, body[0], body[1], 1]).unwrap();
}

//! A real mosquitto, and someone who listens at it.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{channel, Receiver};

use kura_formats::payload::{decode, Limits, Payload};
use mqtt_session::{Anchor, Event, Options, Session};
use rustix::net::{self, sockopt, AddressFamily, SocketType};
use tempfile::TempDir;

use crate::support::{until, DEADLINE};

const PROGRAM: &str = "/usr/sbin/mosquitto";

/// Whether there is a broker to test with; says so if not.
pub fn there() -> bool {
    let there = Path::new(PROGRAM).exists();
    if !there {
        println!("skipped: {PROGRAM} is not installed");
    }
    there
}

/// A port of 127.0.0.1 that nobody else is given, as a socket is bound to it; nobody listens there
/// until a broker does, which shares it (`SO_REUSEADDR`).
pub struct Port {
    pub number: u16,
    _socket: OwnedFd,
}

impl Port {
    pub fn new() -> Port {
        let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_reuseaddr(&socket, true).unwrap();
        net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = SocketAddr::try_from(net::getsockname(&socket).unwrap()).unwrap();
        Port {
            number: address.port(),
            _socket: socket,
        }
    }
}

/// A running broker; killed when dropped.
pub struct Broker {
    child: Child,
    pub port: u16,
    #[allow(dead_code)] // Held for as long as the broker.
    own: Option<Port>,
    _folder: TempDir,
}

impl Broker {
    /// With these lines in its configuration beside the listener, on a port of its own.
    pub fn with(lines: &str) -> Broker {
        let port = Port::new();
        let mut broker = Broker::start(&port, lines);
        broker.own = Some(port);
        broker
    }

    /// The same on that port.
    pub fn start(port: &Port, lines: &str) -> Broker {
        let port = port.number;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mosquitto.conf");
        std::fs::write(&file, format!("listener {port} 127.0.0.1\n{lines}\n")).unwrap();
        let child = Command::new(PROGRAM)
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let broker = Broker {
            child,
            port,
            own: None,
            _folder: folder,
        };
        until("the broker's start", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        broker
    }

    pub fn open() -> Broker {
        Broker::with("allow_anonymous true")
    }

    /// Takes and says nothing any more, but keeps its connections.
    pub fn freeze(&self) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-STOP", &pid]).status();
        assert!(status.unwrap().success());
    }

    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hears everything below `$EDC`.
pub struct Listener {
    _session: Session,
    heard: Receiver<(String, Vec<u8>)>,
}

impl Listener {
    pub fn at(broker: &Broker) -> Listener {
        let (messages, heard) = channel();
        let (up, wait) = channel();
        let mut options = Options::new(broker.url().parse().unwrap(), "listener");
        options.subscriptions.push(("$EDC/#".to_owned(), 1));
        let session = Session::open(&Anchor::new().unwrap(), options, move |event| match event {
            Event::Subscribed => drop(up.send(())),
            Event::Message(message) => drop(messages.send((message.topic, message.payload))),
            _ => {}
        });
        wait.recv_timeout(DEADLINE).unwrap();
        Listener {
            _session: session,
            heard,
        }
    }

    /// The next message; it must be on this topic.
    pub fn next(&self, topic: &str) -> Payload {
        let (heard, payload) = self.heard.recv_timeout(DEADLINE).unwrap();
        assert_eq!(heard, topic);
        decode(&payload, &Limits::default()).unwrap()
    }
}

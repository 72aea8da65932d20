//! A proxy that ends TLS on both sides and knows MQTT packets: it counts the PUBLISH packets of
//! the provisioning session in both directions, and does something to one of them.
//!
//! One thread per connection, which looks at both sides in turn. It ends with the connection, and
//! the listener with the proxy.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use openssl::ssl::{Ssl, SslAcceptor, SslConnector, SslMethod, SslStream, SslVerifyMode};
use provision_platform::pki::Identity;

/// How long one side is waited for before the other is looked at.
const TURN: Duration = Duration::from_millis(2);
/// How long a delayed message is kept, and another one is waited for that is to overtake it.
const DELAY: Duration = Duration::from_millis(400);

/// What is done to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not arrive.
    Drop,
    /// It arrives twice.
    Twice,
    /// It arrives late.
    Late,
    /// The message behind it arrives first.
    Overtaken,
    /// The connection breaks before it.
    CutBefore,
    /// The connection breaks behind it.
    CutAfter,
    /// Somebody who is asked to do something does it, and it does not arrive.
    Ask,
}

/// The message that something is done to, counted from 1 over all connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its number.
    pub number: usize,
    /// What is done.
    pub fault: Fault,
}

/// A running proxy.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    to: u16,
    target: Option<Target>,
    count: AtomicUsize,
    /// `> topic` from the device, `< topic` to it.
    seen: Mutex<Vec<String>>,
    ask: Sender<()>,
    over: AtomicBool,
}

impl Proxy {
    /// A proxy to a broker on this machine that shows the broker's certificate.
    pub fn start(
        to: u16,
        certificate: &Identity,
        target: Option<Target>,
        ask: Sender<()>,
    ) -> Proxy {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        acceptor.set_certificate(certificate.certificate()).unwrap();
        acceptor.set_private_key(certificate.key()).unwrap();
        for issuer in certificate.issuers() {
            acceptor.add_extra_chain_cert(issuer.clone()).unwrap();
        }
        let acceptor = acceptor.build();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            to,
            target,
            count: AtomicUsize::new(0),
            seen: Mutex::default(),
            ask,
            over: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let mut connections = Vec::new();
            for client in listener.incoming().flatten() {
                if own.over.load(Ordering::SeqCst) {
                    break;
                }
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&own));
                connections.push(thread::spawn(move || {
                    // A side that is gone is no more than that.
                    let _ = shared.serve(&acceptor, client);
                }));
            }
            for connection in connections {
                let _ = connection.join();
            }
        });
        Proxy {
            port,
            shared,
            thread: Some(thread),
        }
    }

    /// What a device connects to.
    pub fn url(&self) -> String {
        format!("mqtts://localhost:{}", self.port)
    }

    /// The messages so far.
    pub fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One side of a connection, and what of it is not a whole packet yet.
struct Side {
    stream: SslStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Side {
    fn new(stream: SslStream<TcpStream>) -> Side {
        stream.get_ref().set_read_timeout(Some(TURN)).unwrap();
        Side {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Reads what is there; the whole packets.
    fn packets(&mut self) -> std::io::Result<Vec<Vec<u8>>> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => self.buffer.extend_from_slice(&chunk[..n]),
            Err(e) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&e.kind()) => {}
            Err(e) => return Err(e),
        }
        let mut packets = Vec::new();
        while let Some(length) = length(&self.buffer) {
            packets.push(self.buffer.drain(..length).collect());
        }
        Ok(packets)
    }
}

/// The length of the first packet, if it is there as a whole (MQTT 3.1.1, 2.2.3).
fn length(bytes: &[u8]) -> Option<usize> {
    let (mut value, mut shift) = (0usize, 0);
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            let length = at + 1 + value;
            return (bytes.len() >= length).then_some(length);
        }
    }
    None
}

/// The topic of a PUBLISH.
fn topic(packet: &[u8]) -> Option<String> {
    if packet.first()? >> 4 != 3 {
        return None;
    }
    let start = 1 + packet.iter().skip(1).position(|byte| byte & 0x80 == 0)? + 1;
    let length = usize::from(u16::from_be_bytes([packet[start], packet[start + 1]]));
    let name = packet.get(start + 2..start + 2 + length)?;
    Some(String::from_utf8_lossy(name).into_owned())
}

impl Shared {
    fn serve(&self, acceptor: &SslAcceptor, client: TcpStream) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        client.set_read_timeout(Some(Duration::from_secs(10)))?;
        let client = acceptor.accept(client).map_err(std::io::Error::other)?;
        let broker = TcpStream::connect((Ipv4Addr::LOCALHOST, self.to))?;
        broker.set_nodelay(true)?;
        broker.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut connector = SslConnector::builder(SslMethod::tls()).unwrap();
        connector.set_verify(SslVerifyMode::NONE);
        let ssl = Ssl::new(connector.build().context()).unwrap();
        let mut broker = SslStream::new(ssl, broker).unwrap();
        broker.connect().map_err(std::io::Error::other)?;
        let (mut client, mut broker) = (Side::new(client), Side::new(broker));
        // Kept back, and until when.
        let mut late: [Option<(Vec<u8>, Instant)>; 2] = [None, None];
        while !self.over.load(Ordering::SeqCst) {
            for upwards in [true, false] {
                let (from, to) = match upwards {
                    true => (&mut client, &mut broker),
                    false => (&mut broker, &mut client),
                };
                let kept = &mut late[usize::from(upwards)];
                for packet in from.packets()? {
                    self.pass(packet, upwards, &mut to.stream, kept)?;
                }
                if kept
                    .as_ref()
                    .is_some_and(|(_, until)| *until <= Instant::now())
                {
                    if let Some((packet, _)) = kept.take() {
                        to.stream.write_all(&packet)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn pass(
        &self,
        packet: Vec<u8>,
        upwards: bool,
        to: &mut SslStream<TcpStream>,
        late: &mut Option<(Vec<u8>, Instant)>,
    ) -> std::io::Result<()> {
        let cut = || Err(ErrorKind::ConnectionAborted.into());
        let Some(topic) = topic(&packet) else {
            return to.write_all(&packet);
        };
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        let arrow = if upwards { '>' } else { '<' };
        self.seen.lock().unwrap().push(format!("{arrow} {topic}"));
        let fault = self.target.filter(|target| target.number == number);
        match fault.map(|target| target.fault) {
            Some(Fault::Drop) => return Ok(()),
            Some(Fault::Twice) => to.write_all(&packet)?,
            Some(Fault::Late | Fault::Overtaken) => {
                *late = Some((packet, Instant::now() + DELAY));
                return Ok(());
            }
            Some(Fault::CutBefore) => return cut(),
            Some(Fault::Ask) => {
                let _ = self.ask.send(());
                return cut();
            }
            Some(Fault::CutAfter) | None => {}
        }
        to.write_all(&packet)?;
        if fault.is_some_and(|target| target.fault == Fault::CutAfter) {
            to.flush()?;
            return cut();
        }
        if let Some((packet, _)) = late.take() {
            to.write_all(&packet)?;
        }
        Ok(())
    }
}

//! The loopback end: where paho connects, and what it says there.
//!
//! A listener made for one session accepts until somebody presents the session's pass, a random
//! client-id that only this process knows; then it closes. paho gets its CONNACK from here, at
//! once, and hands over SUBSCRIBE and the first message while the link still resolves and connects
//! (`docs/decisions/synthetic-connack.md`). Non-blocking; the link polls.

use crate::bridge::{packet::kind, packet::Fields, Deframer, Packet, CONNACK, PINGRESP};
use crate::paho::Paho;
use crate::shared::Shared;
use crate::{Anchor, Failure, Limits, Publish};
use rustix::event::{PollFd, PollFlags};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// Strangers that may knock before paho does.
const CANDIDATES: usize = 8;
/// Packets of paho that wait for the broker; beyond, paho waits.
const READY_LIMIT: usize = 256 << 10;
/// What a stranger may send before it shows its pass.
const GREETING_LIMIT: usize = 256;

pub(super) struct Local {
    paho: Paho,
    pass: String,
    listener: Option<TcpListener>,
    candidates: Vec<(TcpStream, Deframer)>,
    stream: Option<TcpStream>,
    deframer: Deframer,
    ready: VecDeque<Packet>,
    ready_bytes: usize,
    to_paho: Vec<u8>,
    /// paho waits for room in its socket and must be woken to use it.
    nudge: bool,
    max_packet: usize,
    subscribed: bool,
    /// Ids of the messages handed to paho that have not come out of it.
    pub(super) handed: VecDeque<u64>,
    handed_bytes: usize,
}

impl Local {
    /// Starts paho's connect. Errors: no descriptors, or no loopback interface.
    pub(super) fn start(
        anchor: &Anchor,
        shared: &Arc<Shared>,
        limits: &Limits,
    ) -> Result<Local, Failure> {
        let listener = listen()
            .map_err(|e| Failure::internal(format_args!("no loopback port for paho: {e}")))?;
        let port = listener.local_addr().map_err(Failure::internal)?;
        let mut random = [0u8; 16];
        openssl::rand::rand_bytes(&mut random).map_err(Failure::internal)?;
        let pass: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let paho = Paho::connect(anchor, shared, port, &pass)?;
        Ok(Local {
            paho,
            pass,
            listener: Some(listener),
            candidates: Vec::new(),
            stream: None,
            deframer: Deframer::new(GREETING_LIMIT),
            ready: VecDeque::new(),
            ready_bytes: 0,
            to_paho: Vec::new(),
            nudge: false,
            max_packet: limits.max_packet.saturating_add(16),
            subscribed: false,
            handed: VecDeque::new(),
            handed_bytes: 0,
        })
    }

    /// Adds what must be polled.
    pub(super) fn register<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        if let Some(listener) = &self.listener {
            fds.push(PollFd::new(listener, PollFlags::IN));
        }
        for (stream, _) in &self.candidates {
            fds.push(PollFd::new(stream, PollFlags::IN));
        }
        if let Some(stream) = &self.stream {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, self.ready_bytes < READY_LIMIT);
            flags.set(PollFlags::OUT, !self.to_paho.is_empty());
            if !flags.is_empty() {
                fds.push(PollFd::new(stream, flags));
            }
        }
    }

    /// Moves what can be moved. Errors mean that paho is out of order.
    pub(super) fn service(&mut self) -> Result<(), Failure> {
        self.admit();
        if let Some(Err(code)) = self.paho.result() {
            return Err(Failure::internal(format_args!(
                "paho cannot connect to its own port: {code}"
            )));
        }
        self.read()?;
        self.write()
    }

    /// Hands paho the subscriptions and then the messages, as soon as it takes them and as long as
    /// few enough are under way.
    pub(super) fn hand_over(
        &mut self,
        subscriptions: &[(String, u8)],
        mut next: impl FnMut() -> Option<(u64, Publish)>,
    ) -> Result<(), Failure> {
        if !matches!(self.paho.result(), Some(Ok(()))) {
            return Ok(());
        }
        if !self.subscribed {
            self.subscribed = true;
            if !subscriptions.is_empty() {
                self.paho.subscribe(subscriptions)?;
            }
        }
        while self.handed.is_empty() || self.handed_bytes < READY_LIMIT {
            let Some((id, publish)) = next() else { break };
            self.handed_bytes += publish.wire_size();
            self.handed.push_back(id);
            self.paho.publish(publish)?;
        }
        Ok(())
    }

    /// The next packet of paho for the broker.
    pub(super) fn take(&mut self) -> Option<Packet> {
        let packet = self.ready.pop_front()?;
        self.ready_bytes = self.ready_bytes.saturating_sub(packet.bytes().len());
        Some(packet)
    }

    /// Queues a packet of the broker for paho.
    pub(super) fn give(&mut self, bytes: &[u8]) {
        self.to_paho.extend_from_slice(bytes);
    }

    /// Whether a packet waits to be taken.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether paho has nothing more for the broker.
    pub(super) fn is_drained(&self) -> bool {
        self.handed.is_empty() && self.ready.is_empty() && !self.deframer.is_mid_packet()
    }

    /// Whether paho's client can go without a burial.
    pub(super) fn is_settled(&self) -> bool {
        self.paho.is_settled()
    }

    fn admit(&mut self) {
        while let (Some(listener), true) = (&self.listener, self.candidates.len() < CANDIDATES) {
            let Ok((stream, _)) = listener.accept() else {
                break;
            };
            if stream.set_nonblocking(true).is_ok() {
                let _ = stream.set_nodelay(true);
                self.candidates
                    .push((stream, Deframer::new(GREETING_LIMIT)));
            }
        }
        let mut waiting = Vec::new();
        for (mut stream, mut deframer) in self.candidates.drain(..) {
            match greet(&mut stream, &mut deframer, &self.pass) {
                Some(false) => waiting.push((stream, deframer)),
                Some(true) if self.stream.is_none() => {
                    self.stream = Some(stream);
                    self.listener = None;
                    self.deframer = Deframer::new(self.max_packet);
                    self.to_paho.extend_from_slice(&CONNACK);
                }
                _ => log::warn!("a stranger knocked at the loopback port of an MQTT session"),
            }
        }
        if self.stream.is_none() {
            self.candidates = waiting;
        }
    }

    fn read(&mut self) -> Result<(), Failure> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        let mut buffer = [0u8; 16 << 10];
        while self.ready_bytes < READY_LIMIT {
            match stream.read(&mut buffer) {
                Ok(0) => return Err(Failure::internal("paho closed its connection")),
                Ok(n) => {
                    self.nudge = true;
                    self.deframer.push(buffer.get(..n).unwrap_or_default());
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(Failure::internal(format_args!("paho's connection: {e}"))),
            }
            while let Some(packet) = self.deframer.next()? {
                match packet.kind() {
                    // The keep-alive is the link's.
                    kind::PINGREQ => self.to_paho.extend_from_slice(&PINGRESP),
                    kind::DISCONNECT => {}
                    kind => {
                        if kind == kind::PUBLISH {
                            self.handed_bytes =
                                self.handed_bytes.saturating_sub(packet.bytes().len());
                            if self.handed.len() <= 1 {
                                self.handed_bytes = 0;
                            }
                        }
                        self.ready_bytes += packet.bytes().len();
                        self.ready.push_back(packet);
                    }
                }
            }
        }
        // paho looks for room in a socket that was full only after it has read something, else once
        // a second. It takes a PINGRESP at any time.
        if self.nudge && self.deframer.is_mid_packet() && self.to_paho.is_empty() {
            self.to_paho.extend_from_slice(&PINGRESP);
        }
        self.nudge = false;
        Ok(())
    }

    fn write(&mut self) -> Result<(), Failure> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        let mut written = 0;
        while let Some(rest) = self.to_paho.get(written..).filter(|rest| !rest.is_empty()) {
            match stream.write(rest) {
                Ok(n) => written += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(Failure::internal(format_args!("paho's connection: {e}"))),
            }
        }
        if written == self.to_paho.len() && self.to_paho.capacity() > 256 << 10 {
            self.to_paho = Vec::new();
        } else {
            self.to_paho.drain(..written);
        }
        Ok(())
    }
}

/// IPv4 loopback, or IPv6 where there is no IPv4.
fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .or_else(|_| TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Whether the connection presents the pass; `None` when it never will.
fn greet(stream: &mut TcpStream, deframer: &mut Deframer, pass: &str) -> Option<bool> {
    let mut buffer = [0u8; GREETING_LIMIT];
    match stream.read(&mut buffer) {
        Ok(0) => return None,
        Ok(n) => deframer.push(buffer.get(..n)?),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) =>
        {
            return Some(false)
        }
        Err(_) => return None,
    }
    let Some(packet) = deframer.next().ok()? else {
        return Some(false);
    };
    // Protocol name, level, flags, keep-alive, client-id.
    let mut fields = Fields(packet.body());
    fields.prefixed()?;
    fields.u8()?;
    fields.u8()?;
    fields.u16()?;
    let shown = fields.prefixed()?;
    let same = packet.kind() == kind::CONNECT
        && shown.len() == pass.len()
        && openssl::memcmp::eq(shown, pass.as_bytes())
        && !deframer.is_mid_packet();
    same.then_some(true)
}

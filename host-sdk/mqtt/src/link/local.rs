//! The loopback end: where paho connects, and what it says there.
//!
//! paho enters through [`Door`], gets its CONNACK from here, at once, and hands over SUBSCRIBE and
//! the first message while the link still resolves and connects
//! (`docs/decisions/synthetic-connack.md`). Non-blocking; the link polls.

use super::door::Door;
use crate::bridge::packet::{kind, put_remaining_length};
use crate::bridge::{Deframer, Handed, Head, Packet, CONNACK, PINGRESP};
use crate::paho::Paho;
use crate::shared::Shared;
use crate::{Anchor, Failure, Limits, Publish};
use rustix::event::{PollFd, PollFlags};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};
use std::sync::Arc;

/// Packets of paho that wait for the broker; beyond, paho waits.
const READY_LIMIT: usize = 256 << 10;

pub(super) struct Local {
    anchor: Anchor,
    shared: Arc<Shared>,
    paho: Paho,
    /// Where paho knocks; gone once it is in.
    door: Option<Door>,
    /// The other loopback address has been tried, too.
    second_door: bool,
    stream: Option<TcpStream>,
    deframer: Deframer,
    ready: VecDeque<Packet>,
    ready_bytes: usize,
    to_paho: Vec<u8>,
    /// paho waits for room in its socket and must be woken to use it.
    nudge: bool,
    subscribed: bool,
    /// The messages handed to paho that have not come out of it.
    pub(super) handed: VecDeque<Handed>,
    handed_bytes: usize,
}

impl Local {
    /// Starts paho's connect. Errors: no descriptors, or no loopback interface.
    pub(super) fn start(
        anchor: &Anchor,
        shared: &Arc<Shared>,
        limits: &Limits,
    ) -> Result<Local, Failure> {
        let door = Door::open(IpAddr::V4(Ipv4Addr::LOCALHOST))?;
        let paho = Paho::connect(anchor, shared, door.address()?, door.pass())?;
        Ok(Local {
            anchor: anchor.clone(),
            shared: Arc::clone(shared),
            paho,
            door: Some(door),
            second_door: false,
            stream: None,
            deframer: Deframer::new(limits.max_packet.saturating_add(16)),
            ready: VecDeque::new(),
            ready_bytes: 0,
            to_paho: Vec::new(),
            nudge: false,
            subscribed: false,
            handed: VecDeque::new(),
            handed_bytes: 0,
        })
    }

    /// Adds what must be polled.
    pub(super) fn register<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        if let Some(door) = &self.door {
            door.register(fds);
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
        if let Some(stream) = self.door.as_mut().and_then(Door::admit) {
            self.stream = Some(stream);
            self.door = None;
            self.to_paho.extend_from_slice(&CONNACK);
        }
        if let Some(Err(code)) = self.paho.result() {
            self.try_second_door(code)?;
        }
        self.read()?;
        self.write()
    }

    /// Hands paho the subscriptions and then the messages, as soon as it takes them and as long as
    /// few enough are under way.
    pub(super) fn hand_over(
        &mut self,
        subscriptions: &[(String, u8)],
        mut next: impl FnMut() -> Option<(Handed, Publish)>,
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
            let Some((message, publish)) = next() else {
                break;
            };
            self.handed_bytes += publish.wire_size();
            self.handed.push_back(message);
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

    /// Queues a PUBLISH of the broker with a ticket in the place of its payload, which paho never
    /// sees.
    pub(super) fn give_ticket(&mut self, head: &Head<'_>, ticket: u64) {
        let (variable, ticket) = (head.variable(), ticket.to_be_bytes());
        self.to_paho.push(head.first());
        put_remaining_length(&mut self.to_paho, variable.len() + ticket.len());
        self.to_paho.extend_from_slice(variable);
        self.to_paho.extend_from_slice(&ticket);
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

    /// On a machine whose only global address is IPv6, paho's resolver call (AI_ADDRCONFIG) refuses
    /// even a literal 127.0.0.1.
    fn try_second_door(&mut self, code: i32) -> Result<(), Failure> {
        let failure =
            || Failure::exhausted(format_args!("paho cannot connect to its own port: {code}"));
        if self.second_door || self.stream.is_some() {
            return Err(failure());
        }
        self.second_door = true;
        let door = Door::open(IpAddr::V6(Ipv6Addr::LOCALHOST)).map_err(|_| failure())?;
        self.paho = Paho::connect(&self.anchor, &self.shared, door.address()?, door.pass())?;
        self.door = Some(door);
        Ok(())
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

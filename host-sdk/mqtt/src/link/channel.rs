//! MQTT bytes over the transport, in WebSocket frames where the scheme says so.
//!
//! Holds what could not be written yet. Non-blocking; the link polls and moves packets.

use super::transport::{End, Io, Transport};
use super::web_socket::{self, Frames};
use crate::bridge::Intake;
use crate::Failure;
use rustix::event::PollFlags;
use std::time::Instant;
use zeroize::{Zeroize, Zeroizing};

/// What is read before others get their turn, the end of the session among them: of tiny packets or
/// frames this much takes a slow machine tens of milliseconds.
const TURN: usize = 64 << 10;

/// Bytes that wait for the network, beyond which pings go unanswered.
const PONG_LIMIT: usize = 64 << 10;

pub(super) struct Channel {
    transport: Transport,
    frames: Option<Frames>,
    early: Vec<u8>,
    /// Wiped when written and when dropped: CONNECT with its password passes here.
    out: Zeroizing<Vec<u8>>,
    written: usize,
    /// TLS wants to write before it can read.
    read_wants_write: bool,
    write_wants_read: bool,
    /// There may be more to read without the socket saying so.
    pub(super) more: bool,
    /// When bytes last went out, and came in.
    pub(super) last_sent: Instant,
    pub(super) last_received: Instant,
    scratch: Vec<u8>,
    /// Total of bytes queued and of bytes written, as the transport sees them.
    pub(super) queued_total: u64,
    pub(super) written_total: u64,
}

impl Channel {
    /// `early` came behind the answer to the WebSocket upgrade.
    pub(super) fn new(transport: Transport, web_socket: bool, early: Vec<u8>) -> Channel {
        let now = Instant::now();
        Channel {
            transport,
            frames: web_socket.then(Frames::default),
            early,
            // Room for the first flight: a vector that grows leaves copies behind.
            out: Zeroizing::new(Vec::with_capacity(16 << 10)),
            written: 0,
            read_wants_write: false,
            write_wants_read: false,
            more: true,
            last_sent: now,
            last_received: now,
            scratch: vec![0; 32 << 10],
            queued_total: 0,
            written_total: 0,
        }
    }

    /// Queues whole packets; in a WebSocket they make one frame.
    pub(super) fn queue(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let before = self.out.len();
        if self.frames.is_some() {
            web_socket::frame(&mut self.out, 2, bytes)?;
        } else {
            self.out.extend_from_slice(bytes);
        }
        self.queued_total += (self.out.len() - before) as u64;
        Ok(())
    }

    /// Bytes that wait for the network.
    pub(super) fn unsent(&self) -> usize {
        self.out.len() - self.written
    }

    /// Writes what the network takes.
    pub(super) fn flush(&mut self) -> Result<(), End> {
        self.write_wants_read = false;
        while let Some(rest) = self.out.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.transport.write(rest) {
                Io::Done(n) => {
                    self.written += n;
                    self.written_total += n as u64;
                    self.last_sent = Instant::now();
                }
                Io::Blocked { for_writing } => {
                    self.write_wants_read = !for_writing;
                    break;
                }
                Io::Closed(end) => return Err(end),
            }
        }
        if self.written == self.out.len() {
            self.written = 0;
            if self.out.capacity() > 256 << 10 {
                self.out = Zeroizing::default();
            } else {
                self.out.zeroize();
            }
        } else if self.written > 256 << 10 {
            self.out.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }

    /// Reads a turn's worth of MQTT bytes. The outer error is the broker's fault, the inner result
    /// tells whether the connection lives.
    pub(super) fn read(&mut self, into: &mut Intake) -> Result<Result<(), End>, Failure> {
        self.read_wants_write = false;
        self.more = false;
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            let length = early.len().min(self.scratch.len());
            // Never longer than the scratch space: the upgrade reads less at a time.
            self.scratch
                .iter_mut()
                .zip(&early)
                .for_each(|(to, from)| *to = *from);
            if let Some(end) = self.take_in(length, into)? {
                return Ok(Err(end));
            }
        }
        let mut turn = 0;
        while turn < TURN {
            match self.transport.read(&mut self.scratch) {
                Io::Done(n) => {
                    turn += n;
                    self.last_received = Instant::now();
                    let end = self.take_in(n, into)?;
                    // The broker may send back what was a secret.
                    if let Some(read) = self.scratch.get_mut(..n) {
                        read.zeroize();
                    }
                    if let Some(end) = end {
                        return Ok(Err(end));
                    }
                }
                Io::Blocked { for_writing } => {
                    self.read_wants_write = for_writing;
                    return Ok(Ok(()));
                }
                Io::Closed(end) => return Ok(Err(end)),
            }
        }
        self.more = true;
        Ok(Ok(()))
    }

    /// Passes on what the scratch space holds.
    fn take_in(&mut self, length: usize, into: &mut Intake) -> Result<Option<End>, Failure> {
        let bytes = self.scratch.get(..length).unwrap_or_default();
        let Some(frames) = &mut self.frames else {
            into.push(bytes);
            return Ok(None);
        };
        let unframed = frames.feed(bytes)?;
        into.push(&unframed.data);
        for ping in unframed.pings {
            // A server that reads no answers has no use for more of them (RFC 6455, 5.5.3).
            if self.unsent() > PONG_LIMIT {
                break;
            }
            let before = self.out.len();
            web_socket::frame(&mut self.out, 10, &ping)?;
            self.queued_total += (self.out.len() - before) as u64;
        }
        Ok(unframed.closed.map(End::Lost))
    }

    /// What to poll for. `reading` is false while the backlog is full.
    pub(super) fn interest(&self, reading: bool) -> PollFlags {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, reading || self.write_wants_read);
        let writing = self.unsent() > 0 && !self.write_wants_read;
        flags.set(
            PollFlags::OUT,
            writing || (reading && self.read_wants_write),
        );
        flags
    }
}

impl std::os::fd::AsFd for Channel {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.transport.as_fd()
    }
}

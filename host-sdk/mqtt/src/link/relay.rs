//! The session itself: packets from paho to the broker and back, through the guard.
//!
//! CONNECT goes out at once, SUBSCRIBE and the messages right behind it: nothing waits for
//! CONNACK. The keep-alive is here, not in paho, whose clients share one interval for checking it.

use super::channel::Channel;
use super::upgrade::closed;
use super::way::{poll_until, Aside as _};
use super::{Link, Stop};
use crate::bridge::packet::kind;
use crate::bridge::{connect, Deframer, Guard, Incoming, Packet, DISCONNECT, PINGREQ};
use crate::{Event, Failure, Message, Stage};
use rustix::event::PollFd;
use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Bytes for the broker that wait in memory; beyond, paho waits.
const OUT_LIMIT: usize = 256 << 10;
/// How long messages that have arrived may take through paho once the connection has ended.
const LAST_DELIVERIES: Duration = Duration::from_millis(500);

/// Runs until the session ends.
pub(super) fn relay(link: &mut Link, channel: Channel) -> Stop {
    let mut relay = Relay::new(link, channel);
    let stop = match relay.run() {
        Ok(()) => Stop::Cancelled,
        Err(stop) => stop,
    };
    if let Stop::Failed(_) = stop {
        // What the broker sent before it went is still the owner's.
        relay.deliver_rest();
    }
    stop
}

/// The first message, as paho made it, with its payload in the place of the zeros at its end.
fn filled_in(packet: &Packet, payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = packet.bytes();
    let split = bytes.len().checked_sub(payload.len());
    let Some((head, zeros)) = split.and_then(|at| bytes.split_at_checked(at)) else {
        return Err(Failure::internal(
            "the first message is shorter than it was",
        ));
    };
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(Failure::internal("another message comes before the first"));
    }
    let mut whole = Zeroizing::new(Vec::with_capacity(bytes.len()));
    whole.extend_from_slice(head);
    whole.extend_from_slice(payload);
    Ok(whole)
}

struct Relay<'a> {
    link: &'a mut Link,
    channel: Channel,
    guard: Guard,
    deframer: Deframer,
    stage: Stage,
    backlog_limit: usize,
    /// Messages that paho has been given and has not delivered: size and whether a duplicate.
    expected: VecDeque<(usize, bool)>,
    backlog: usize,
    /// Messages of QoS 0 and the position in the stream behind each.
    leaving: VecDeque<(u64, u64)>,
    keep_alive: Option<Duration>,
    /// When the outstanding PINGREQ was sent.
    pinged: Option<Instant>,
    /// Whether the first message of the options has been queued.
    first_sent: bool,
    /// The connection ended while there was still something to write.
    write_error: Option<Failure>,
}

impl<'a> Relay<'a> {
    fn new(link: &'a mut Link, channel: Channel) -> Relay<'a> {
        let limits = link.aside.options.limits;
        let backlog_limit = limits.max_backlog.max(limits.max_packet);
        let seconds = connect::keep_alive_seconds(&link.aside.options);
        Relay {
            channel,
            guard: Guard::new(backlog_limit),
            deframer: Deframer::new(limits.max_packet),
            stage: Stage::Connack,
            backlog_limit,
            expected: VecDeque::new(),
            backlog: 0,
            leaving: VecDeque::new(),
            keep_alive: (seconds > 0).then(|| Duration::from_secs(u64::from(seconds))),
            pinged: None,
            first_sent: false,
            write_error: None,
            link,
        }
    }

    fn run(&mut self) -> Result<(), Stop> {
        let hello = connect::encode(&self.link.aside.options);
        // One flight with what paho has ready by now; in a WebSocket one frame per packet.
        self.channel.queue(&hello)?;
        drop(hello);
        loop {
            let drain = self.attend()?;
            self.take_from_paho()?;
            self.take_from_broker()?;
            self.send()?;
            self.link.aside.local.service()?;
            self.deliver()?;
            if drain.is_some_and(|until| self.is_drained() || Instant::now() >= until) {
                self.say_goodbye();
                return Ok(());
            }
            self.keep_alive()?;
            self.poll(drain)?;
        }
    }

    /// Cancellation, deadline, and what paho and the owner have brought. Gives the end of a
    /// graceful disconnect.
    fn attend(&mut self) -> Result<Option<Instant>, Stop> {
        if self.link.shared.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let drain = self.link.shared.inbox().drain_until;
        if let Some(deadline) = self.deadline() {
            if Instant::now() >= deadline {
                let after = self.link.opened.elapsed();
                return Err(Stop::Failed(Failure::Timeout {
                    stage: self.stage,
                    after,
                }));
            }
        }
        self.link.aside.attend(&self.link.shared)?;
        Ok(drain)
    }

    fn deadline(&self) -> Option<Instant> {
        self.link.deadline.filter(|_| self.stage != Stage::Session)
    }

    fn take_from_paho(&mut self) -> Result<(), Stop> {
        while self.channel.unsent() < OUT_LIMIT {
            let Some(packet) = self.link.aside.local.take() else {
                break;
            };
            let unacknowledged = self
                .guard
                .outgoing(&packet, &mut self.link.aside.local.handed)?;
            let first = match packet.kind() {
                kind::PUBLISH if !self.first_sent => self.link.aside.first_payload.as_ref(),
                _ => None,
            };
            match first {
                Some(payload) => {
                    self.first_sent = true;
                    self.channel.queue(&filled_in(&packet, payload)?)?;
                }
                None => self.channel.queue(packet.bytes())?,
            }
            if let Some(id) = unacknowledged {
                self.leaving.push_back((id, self.channel.queued_total));
            }
        }
        Ok(())
    }

    fn take_from_broker(&mut self) -> Result<(), Stop> {
        let end = if self.reads() {
            self.channel.read(&mut self.deframer)?
        } else {
            Ok(())
        };
        if self.stage == Stage::Connack {
            self.recognise()?;
        }
        while let Some(mut packet) = self.deframer.next()? {
            let incoming = self.guard.incoming(&packet)?;
            // A broker sends it back to whoever subscribes to its topic.
            if let (kind::PUBLISH, Some(first)) = (packet.kind(), &self.link.aside.first_payload) {
                packet.wipe_if_it_says(first);
            }
            if !matches!(incoming, Incoming::Connected { .. }) {
                self.link.aside.local.give(packet.bytes());
            }
            self.act(incoming);
        }
        match (end, self.write_error.take()) {
            (Err(end), _) => Err(Stop::Failed(self.lost(closed(end, self.stage)))),
            (Ok(()), Some(failure)) => Err(Stop::Failed(self.lost(failure))),
            (Ok(()), None) => Ok(()),
        }
    }

    /// Adds what a silent end in clear may mean.
    fn lost(&self, failure: Failure) -> Failure {
        let silent = self.link.shared.received.load(Ordering::Relaxed) == 0;
        match failure {
            Failure::Lost { stage, reason } if silent => {
                let hint =
                    "nothing was received: a port that speaks TLS does so to a client in clear";
                Failure::Lost {
                    stage,
                    reason: format!("{reason} ({hint})"),
                }
            }
            other => other,
        }
    }

    /// What is no CONNACK is named by its first bytes: the rest may never come.
    fn recognise(&self) -> Result<(), Failure> {
        let tls = self.link.aside.options.broker.scheme.is_tls();
        match *self.deframer.pending() {
            [] | [0x20] | [0x20, 2, ..] => Ok(()),
            [0x20, ..] => Err(Failure::malformed("CONNACK that is not of two bytes")),
            [0x15] if !tls => Ok(()),
            [0x15, 0x03, ..] if !tls => Err(Failure::unexpected(
                "a TLS alert: the port speaks TLS, use mqtts:// or wss://",
            )),
            [first, ..] => {
                let name = kind::name(first >> 4);
                Err(Failure::unexpected(format_args!("{name} before CONNACK")))
            }
        }
    }

    fn act(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Connected { session_present } => {
                self.stage = Stage::Subscribe;
                self.link.emit(Event::Connected { session_present });
                if self.link.aside.options.subscriptions.is_empty() {
                    self.subscribed();
                }
            }
            Incoming::Subscribed => self.subscribed(),
            Incoming::Published(id) => self.link.emit(Event::Published(id)),
            Incoming::Delivers { size, duplicate } => {
                self.expected.push_back((size, duplicate));
                self.backlog += size;
            }
            Incoming::Other => {}
        }
    }

    fn subscribed(&mut self) {
        self.stage = Stage::Session;
        self.link.emit(Event::Subscribed);
    }

    /// Reading goes on while the owner keeps up.
    fn reads(&self) -> bool {
        self.backlog < self.backlog_limit
    }

    fn send(&mut self) -> Result<(), Stop> {
        if let Err(end) = self.channel.flush() {
            // The broker may have said why before it closed: read that first.
            self.write_error = Some(closed(end, self.stage));
            self.channel.more = true;
        }
        let written = self.channel.written_total;
        while let Some(&(id, behind)) = self.leaving.front() {
            if behind > written || matches!(self.stage, Stage::Connack) {
                break;
            }
            self.leaving.pop_front();
            self.link.emit(Event::Published(id));
        }
        Ok(())
    }

    /// Messages that have come through paho.
    fn deliver(&mut self) -> Result<(), Stop> {
        loop {
            let Some(message) = self.link.shared.inbox().delivered.pop_front() else {
                return Ok(());
            };
            let (size, duplicate) = self.expected.pop_front().unwrap_or_default();
            self.backlog = self.backlog.saturating_sub(size);
            self.link.emit(Event::Message(Message {
                topic: message.topic().to_owned(),
                payload: message.payload().to_vec(),
                qos: message.qos() as u8,
                retained: message.retained(),
                duplicate,
            }));
            if self.link.shared.is_cancelled() {
                return Err(Stop::Cancelled);
            }
        }
    }

    fn keep_alive(&mut self) -> Result<(), Stop> {
        let (Some(interval), true) = (self.keep_alive, self.stage != Stage::Connack) else {
            return Ok(());
        };
        let now = Instant::now();
        if let Some(pinged) = self.pinged {
            let heard = self.channel.last_received;
            if heard > pinged {
                self.pinged = None;
            } else if now >= pinged + interval {
                let reason = format!(
                    "the broker did not answer a PINGREQ within {} s",
                    interval.as_secs()
                );
                return Err(Stop::Failed(Failure::Lost {
                    stage: self.stage,
                    reason,
                }));
            }
        }
        if self.pinged.is_none()
            && now >= self.channel.last_sent + interval
            && self.channel.unsent() == 0
        {
            self.guard.pinged();
            self.channel.queue(&PINGREQ)?;
            self.pinged = Some(now);
            self.send()?;
        }
        Ok(())
    }

    fn poll(&mut self, drain: Option<Instant>) -> Result<(), Stop> {
        let next_ping = match (self.keep_alive, self.pinged) {
            (Some(interval), Some(pinged)) => Some(pinged + interval),
            (Some(interval), None) if self.stage != Stage::Connack => {
                Some(self.channel.last_sent + interval)
            }
            _ => None,
        };
        let has_work = (self.channel.more && self.reads())
            || (self.link.aside.local.has_ready() && self.channel.unsent() < OUT_LIMIT);
        let at_once = has_work.then(Instant::now);
        let until = [self.deadline(), next_ping, drain, at_once]
            .into_iter()
            .flatten()
            .min();
        let interest = self.channel.interest(self.reads());
        let mut fds = vec![PollFd::from_borrowed_fd(
            self.link.shared.wake_fd(),
            rustix::event::PollFlags::IN,
        )];
        if !interest.is_empty() {
            fds.push(PollFd::from_borrowed_fd(self.channel.as_fd(), interest));
        }
        self.link.aside.local.register(&mut fds);
        poll_until(&mut fds, until)?;
        self.link.shared.clear_wake();
        Ok(())
    }

    fn is_drained(&self) -> bool {
        self.link.shared.inbox().outgoing.is_empty()
            && self.link.aside.options.first.is_none()
            && self.link.aside.local.is_drained()
            && self.channel.unsent() == 0
            && !self.guard.awaits_acknowledgement()
            && self.stage != Stage::Connack
    }

    fn say_goodbye(&mut self) {
        if self.channel.unsent() == 0 && self.channel.queue(&DISCONNECT).is_ok() {
            let _ = self.channel.flush();
        }
    }

    /// Messages on their way through paho when the connection ended.
    fn deliver_rest(&mut self) {
        let until = Instant::now() + LAST_DELIVERIES;
        loop {
            if self.deliver().is_err() || self.expected.is_empty() || Instant::now() >= until {
                return;
            }
            if self.link.shared.is_cancelled() || self.link.aside.local.service().is_err() {
                return;
            }
            let mut fds = vec![PollFd::from_borrowed_fd(
                self.link.shared.wake_fd(),
                rustix::event::PollFlags::IN,
            )];
            self.link.aside.local.register(&mut fds);
            if poll_until(&mut fds, Some(until)).is_err() {
                return;
            }
            self.link.shared.clear_wake();
        }
    }
}

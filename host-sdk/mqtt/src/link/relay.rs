//! The session itself: packets from paho to the broker and back, through the guard.
//!
//! CONNECT goes out at once, SUBSCRIBE and the messages right behind it: nothing waits for
//! CONNACK. The keep-alive is here, not in paho, whose clients share one interval for checking it.

use super::channel::Channel;
use super::keep::Keep;
use super::transport::End;
use super::upgrade::closed;
use super::way::{poll_until, Aside as _};
use super::{Link, Stop};
use crate::bridge::packet::kind;
use crate::bridge::{connect, Guard, Handed, Incoming, Packet, DISCONNECT, PINGREQ};
use crate::bridge::{Arrival, Intake};
use crate::{Event, Failure, Stage};
use rustix::event::PollFd;
use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Bytes for the broker that wait in memory; beyond, paho waits.
const OUT_LIMIT: usize = 256 << 10;
/// Acknowledgements that wait to be sent; beyond, the broker is not listened to until it has taken
/// some. paho keeps each in a list.
const OWED_LIMIT: usize = 1024;
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

/// Overwrites a payload that ends with this one.
fn wipe_if_it_says(payload: &mut [u8], secret: &[u8]) {
    if !secret.is_empty() && payload.ends_with(secret) {
        let from = payload.len() - secret.len();
        payload.iter_mut().skip(from).for_each(|byte| *byte = 0);
    }
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
    intake: Intake,
    keep: Keep,
    stage: Stage,
    /// Messages of QoS 0 and the position in the stream behind each.
    leaving: VecDeque<(Handed, u64)>,
    keep_alive: Option<Duration>,
    /// When the outstanding PINGREQ was sent.
    pinged: Option<Instant>,
    /// Whether the first message of the options has been queued.
    first_sent: bool,
    /// The connection ended, perhaps while there was still something to take in, or to write.
    end: Option<End>,
    write_error: Option<Failure>,
}

impl<'a> Relay<'a> {
    fn new(link: &'a mut Link, channel: Channel) -> Relay<'a> {
        let limits = link.aside.options.limits;
        let seconds = connect::keep_alive_seconds(&link.aside.options);
        Relay {
            channel,
            guard: Guard::new(limits.max_backlog),
            intake: Intake::new(limits.max_packet),
            keep: Keep::new(Arc::clone(&link.shared), limits.max_backlog),
            stage: Stage::Connack,
            leaving: VecDeque::new(),
            keep_alive: (seconds > 0).then(|| Duration::from_secs(u64::from(seconds))),
            pinged: None,
            first_sent: false,
            end: None,
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
            if let Some(message) = unacknowledged {
                self.leaving.push_back((message, self.channel.queued_total));
            }
        }
        Ok(())
    }

    fn take_from_broker(&mut self) -> Result<(), Stop> {
        self.take_in()?;
        if self.reads() {
            if let Err(end) = self.channel.read(&mut self.intake)? {
                self.end = Some(end);
            }
            if self.stage == Stage::Connack {
                self.recognise()?;
            }
            self.take_in()?;
        }
        if self.intake.waits() {
            // What came before the end is still the owner's, who has no room for it yet.
            return Ok(());
        }
        let stage = self.stage;
        let end = self.end.take().map(|end| closed(end, stage));
        match end.or_else(|| self.write_error.take()) {
            Some(failure) => Err(Stop::Failed(self.lost(failure))),
            None => Ok(()),
        }
    }

    /// Makes packets and messages of what has been read.
    fn take_in(&mut self) -> Result<(), Stop> {
        while !self.owes_too_much() {
            let (keep, guard) = (&mut self.keep, &mut self.guard);
            let subscriptions = &self.link.aside.options.subscriptions;
            let arrived = self
                .intake
                .next(|head| keep.admit(head, guard, subscriptions))?;
            match arrived {
                None => break,
                Some(Arrival::Message(mut payload)) => {
                    // A broker sends it back to whoever subscribes to its topic.
                    if let Some(first) = &self.link.aside.first_payload {
                        wipe_if_it_says(&mut payload, first);
                    }
                    let head = self.intake.head();
                    let ticket = self.keep.arrived(&head, payload, &mut self.guard)?;
                    self.link.aside.local.give_ticket(&head, ticket);
                }
                Some(Arrival::Packet(packet)) => {
                    let incoming = self.guard.incoming(&packet)?;
                    if !matches!(incoming, Incoming::Connected { .. }) {
                        self.link.aside.local.give(packet.bytes());
                    }
                    self.act(incoming);
                }
            }
        }
        Ok(())
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
        match *self.intake.pending() {
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
            Incoming::Published(message) => self.published(message),
            Incoming::Delivers => self.keep.released(),
            Incoming::Other => {}
        }
    }

    fn subscribed(&mut self) {
        self.stage = Stage::Session;
        self.link.emit(Event::Subscribed);
    }

    fn published(&mut self, message: Handed) {
        {
            let mut inbox = self.link.shared.inbox();
            inbox.outgoing_bytes = inbox.outgoing_bytes.saturating_sub(message.cost);
        }
        self.link.emit(Event::Published(message.id));
    }

    /// Reading goes on while the owner, and the broker, keep up.
    fn reads(&self) -> bool {
        self.end.is_none() && !self.intake.waits() && !self.owes_too_much()
    }

    fn owes_too_much(&self) -> bool {
        self.guard.owed() >= OWED_LIMIT && !self.is_over()
    }

    /// Whether the connection has ended, although what it brought is not all taken in.
    fn is_over(&self) -> bool {
        self.end.is_some() || self.write_error.is_some()
    }

    fn send(&mut self) -> Result<(), Stop> {
        if self.is_over() {
            return Ok(());
        }
        if let Err(end) = self.channel.flush() {
            // The broker may have said why before it closed: read that first.
            self.write_error = Some(closed(end, self.stage));
            self.channel.more = true;
        }
        let written = self.channel.written_total;
        while let Some(&(message, behind)) = self.leaving.front() {
            if behind > written || matches!(self.stage, Stage::Connack) {
                break;
            }
            self.leaving.pop_front();
            self.published(message);
        }
        Ok(())
    }

    /// Messages that have come through paho.
    fn deliver(&mut self) -> Result<(), Stop> {
        loop {
            let Some(message) = self.link.shared.inbox().delivered.pop_front() else {
                return Ok(());
            };
            if let Some(message) = self.keep.redeem(&message)? {
                self.link.emit(Event::Message(message));
            }
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
        let stage = self.stage;
        let lost = |what: &str, time: Duration| {
            Err(Stop::Failed(Failure::Lost {
                stage,
                reason: format!("the broker {what} {} s", time.as_secs()),
            }))
        };
        if self.channel.unsent() > 0 && now >= self.last_moved() + 2 * interval && !self.is_over() {
            return lost("took nothing for", 2 * interval);
        }
        // While the owner has no room it is not the broker that is silent.
        let deaf = self.intake.waits();
        if let Some(pinged) = self.pinged {
            let heard = self.channel.last_received;
            if heard > pinged {
                self.pinged = None;
            } else if deaf {
                self.pinged = Some(now);
            } else if now >= pinged + interval {
                return lost("did not answer a PINGREQ within", interval);
            }
        }
        if (self.pinged.is_none() || deaf)
            && now >= self.channel.last_sent + interval
            && self.channel.unsent() == 0
            && !self.is_over()
        {
            self.guard.pinged();
            self.channel.queue(&PINGREQ)?;
            self.pinged = Some(now);
            self.send()?;
        }
        Ok(())
    }

    /// When bytes last moved, either way.
    fn last_moved(&self) -> Instant {
        self.channel.last_sent.max(self.channel.last_received)
    }

    /// When the keep-alive has something to do next.
    fn next_ping(&self) -> Option<Instant> {
        let interval = self.keep_alive.filter(|_| !self.is_over())?;
        match self.pinged.filter(|_| !self.intake.waits()) {
            _ if self.stage == Stage::Connack => None,
            _ if self.channel.unsent() > 0 => Some(self.last_moved() + 2 * interval),
            Some(pinged) => Some(pinged + interval),
            None => Some(self.channel.last_sent + interval),
        }
    }

    fn poll(&mut self, drain: Option<Instant>) -> Result<(), Stop> {
        let next_ping = self.next_ping();
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
        if !interest.is_empty() && !self.is_over() {
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
            if self.deliver().is_err() || self.keep.is_settled() || Instant::now() >= until {
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

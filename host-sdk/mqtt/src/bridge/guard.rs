//! Lets a packet of the broker through only if it answers something, and is well-formed.
//!
//! paho trusts its broker: an acknowledgement of the wrong type is a double free, a SUBACK that is
//! too short a segmentation fault, a topic with NUL ends the process. So the guard keeps the table
//! of what is outstanding, and names the fault instead. It knows MQTT 3.1.1 only, sends nothing and
//! never waits.

use super::intake::Head;
use super::packet::{kind, Fields, Packet};
use crate::{check, hold, Failure};
use std::collections::{HashMap, VecDeque};

/// What a packet of the broker means. Everything but [`Incoming::Connected`] goes on to paho.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// CONNACK 0.
    Connected { session_present: bool },
    /// The SUBACK, all granted.
    Subscribed,
    /// The last acknowledgement of this message.
    Published(Handed),
    /// The broker releases a message of QoS 2: paho will deliver it at once.
    Delivers,
    /// Nothing to tell.
    Other,
}

/// A message of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handed {
    /// Its id with the owner.
    pub(crate) id: u64,
    /// What it counts as while it is not acknowledged, in bytes.
    pub(crate) cost: usize,
}

enum Outstanding {
    Subscribe(Vec<String>),
    Once(Handed),
    Twice { message: Handed, received: bool },
}

/// A message of QoS 2 that the broker has not released.
#[derive(Clone, Copy)]
struct Held {
    ticket: u64,
    cost: usize,
}

/// The state of one session.
pub(crate) struct Guard {
    connected: bool,
    outstanding: HashMap<u16, Outstanding>,
    /// By packet id.
    held: HashMap<u16, Held>,
    held_bytes: usize,
    held_limit: usize,
    pings: u32,
    /// Acknowledgements that paho owes the broker.
    owed: usize,
}

impl Guard {
    /// Refuses to hold more than `held_limit` bytes of unreleased messages, if they are several.
    pub(crate) fn new(held_limit: usize) -> Guard {
        Guard {
            connected: false,
            outstanding: HashMap::new(),
            held: HashMap::new(),
            held_bytes: 0,
            held_limit,
            pings: 0,
            owed: 0,
        }
    }

    /// Whether a message of ours waits for an acknowledgement.
    pub(crate) fn awaits_acknowledgement(&self) -> bool {
        self.outstanding
            .values()
            .any(|o| !matches!(o, Outstanding::Subscribe(_)))
    }

    /// Acknowledgements that the broker asked for and that have not come out of paho.
    pub(crate) fn owed(&self) -> usize {
        self.owed
    }

    /// Notes a PINGREQ.
    pub(crate) fn pinged(&mut self) {
        self.pings += 1;
    }

    /// Notes what paho sends. `published` holds the messages handed to paho, oldest first; returns
    /// a message that needs no acknowledgement.
    pub(crate) fn outgoing(
        &mut self,
        packet: &Packet,
        published: &mut VecDeque<Handed>,
    ) -> Result<Option<Handed>, Failure> {
        let odd = || Failure::internal(format_args!("paho sent a strange {}", packet.name()));
        let mut fields = Fields(packet.body());
        match packet.kind() {
            kind::SUBSCRIBE => {
                let id = fields.u16().ok_or_else(odd)?;
                let mut filters = Vec::new();
                while !fields.is_empty() {
                    let filter = fields.prefixed().ok_or_else(odd)?;
                    filters.push(String::from_utf8_lossy(filter).into_owned());
                    fields.u8().ok_or_else(odd)?;
                }
                self.outstanding.insert(id, Outstanding::Subscribe(filters));
                Ok(None)
            }
            kind::PUBLISH => {
                let message = published.pop_front().ok_or_else(odd)?;
                let qos = (packet.flags() >> 1) & 3;
                if qos == 0 {
                    return Ok(Some(message));
                }
                fields.prefixed().ok_or_else(odd)?;
                let packet_id = fields.u16().ok_or_else(odd)?;
                let entry = match qos {
                    1 => Outstanding::Once(message),
                    _ => Outstanding::Twice {
                        message,
                        received: false,
                    },
                };
                self.outstanding.insert(packet_id, entry);
                Ok(None)
            }
            kind::PUBACK | kind::PUBREC | kind::PUBCOMP => {
                self.owed = self.owed.saturating_sub(1);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Judges a packet of the broker that is no PUBLISH.
    pub(crate) fn incoming(&mut self, packet: &Packet) -> Result<Incoming, Failure> {
        if !self.connected {
            if packet.kind() != kind::CONNACK {
                return Err(Failure::unexpected(format_args!(
                    "{} before CONNACK",
                    packet.name()
                )));
            }
            return self.connack(packet);
        }
        match packet.kind() {
            kind::PUBACK | kind::PUBREC | kind::PUBCOMP => self.acknowledgement(packet),
            kind::PUBREL => self.release(packet),
            kind::SUBACK => self.suback(packet),
            kind::PINGRESP => {
                plain(packet, 0)?;
                self.pings = self.pings.checked_sub(1).ok_or_else(|| unasked(packet))?;
                Ok(Incoming::Other)
            }
            kind::CONNACK => Err(Failure::unexpected("a second CONNACK")),
            0 | 15 => Err(Failure::malformed(format_args!(
                "a packet of the reserved type {}",
                packet.kind()
            ))),
            _ => Err(Failure::unexpected(format_args!(
                "{} from the broker",
                packet.name()
            ))),
        }
    }

    fn connack(&mut self, packet: &Packet) -> Result<Incoming, Failure> {
        plain(packet, 0)?;
        match *packet.body() {
            [flags, _] if flags > 1 => Err(Failure::malformed("CONNACK with reserved bits")),
            [present, 0] => {
                self.connected = true;
                Ok(Incoming::Connected {
                    session_present: present == 1,
                })
            }
            [_, 1] => Err(Failure::ProtocolVersion),
            [_, 2] => Err(Failure::IdentifierRejected),
            [_, 3] => Err(Failure::Unavailable),
            [_, 4] => Err(Failure::BadCredentials),
            [_, 5] => Err(Failure::NotAuthorized),
            [_, code] => Err(Failure::malformed(format_args!(
                "CONNACK with the reserved code {code}"
            ))),
            _ => Err(Failure::malformed("CONNACK that is not of two bytes")),
        }
    }

    /// Judges the head of a PUBLISH; gives its topic.
    pub(crate) fn publish<'a>(&self, head: &Head<'a>) -> Result<&'a str, Failure> {
        if !self.connected {
            return Err(Failure::unexpected("PUBLISH before CONNACK"));
        }
        if head.qos() == 3 {
            return Err(Failure::malformed("PUBLISH with QoS 3"));
        }
        let topic = check::topic(head.topic())?;
        if head.id() == Some(0) && head.qos() > 0 {
            return Err(Failure::malformed("PUBLISH with the packet id 0"));
        }
        Ok(topic)
    }

    /// Refuses a message for which there is no room as long as the broker does not release what it
    /// sent before with QoS 2. It would wait for ever, and the release behind it.
    pub(crate) fn has_room(&self, cost: usize) -> Result<(), Failure> {
        let held = self.held_bytes.saturating_add(cost);
        if !hold::fits(self.held_bytes, cost, self.held_limit) {
            return Err(Failure::TooLarge {
                what: "the backlog of unreleased QoS 2 messages".to_owned(),
                size: held as u64,
                limit: self.held_limit as u64,
            });
        }
        Ok(())
    }

    /// The same id again replaces what was sent with it before: gives the ticket of that.
    pub(crate) fn replaced(&mut self, head: &Head<'_>) -> Option<u64> {
        let id = head.id().filter(|_| head.qos() == 2)?;
        let before = self.held.remove(&id)?;
        self.held_bytes = self.held_bytes.saturating_sub(before.cost);
        Some(before.ticket)
    }

    /// Notes a PUBLISH that goes on to paho. True if paho delivers it at once; it keeps one of QoS 2
    /// until PUBREL.
    pub(crate) fn taken(&mut self, head: &Head<'_>, ticket: u64, cost: usize) -> bool {
        self.owed += usize::from(head.qos() > 0);
        let Some(id) = head.id().filter(|_| head.qos() == 2) else {
            return true;
        };
        self.held.insert(id, Held { ticket, cost });
        self.held_bytes += cost;
        false
    }

    fn release(&mut self, packet: &Packet) -> Result<Incoming, Failure> {
        plain(packet, 2)?;
        let id = packet_id(packet)?;
        self.owed += 1;
        // For an id it does not hold paho answers PUBCOMP, as it should.
        let Some(Held { cost, .. }) = self.held.remove(&id) else {
            return Ok(Incoming::Other);
        };
        self.held_bytes = self.held_bytes.saturating_sub(cost);
        Ok(Incoming::Delivers)
    }

    fn acknowledgement(&mut self, packet: &Packet) -> Result<Incoming, Failure> {
        plain(packet, 0)?;
        let packet_id = packet_id(packet)?;
        let done = match (packet.kind(), self.outstanding.get_mut(&packet_id)) {
            (kind::PUBACK, Some(Outstanding::Once(message))) => *message,
            (kind::PUBREC, Some(Outstanding::Twice { received, .. })) if !*received => {
                *received = true;
                return Ok(Incoming::Other);
            }
            (
                kind::PUBCOMP,
                Some(Outstanding::Twice {
                    message,
                    received: true,
                }),
            ) => *message,
            _ => return Err(unasked(packet)),
        };
        self.outstanding.remove(&packet_id);
        Ok(Incoming::Published(done))
    }

    fn suback(&mut self, packet: &Packet) -> Result<Incoming, Failure> {
        plain(packet, 0)?;
        let mut fields = Fields(packet.body());
        let id = fields
            .u16()
            .ok_or_else(|| Failure::malformed("SUBACK without a packet id"))?;
        let Some(Outstanding::Subscribe(filters)) = self.outstanding.get(&id) else {
            return Err(unasked(packet));
        };
        if fields.0.len() != filters.len() {
            return Err(Failure::malformed(format_args!(
                "SUBACK with {} codes for {} filters",
                fields.0.len(),
                filters.len()
            )));
        }
        for (code, filter) in fields.0.iter().zip(filters) {
            match code {
                0..=2 => {}
                0x80 => {
                    return Err(Failure::SubscriptionRefused {
                        topic: filter.clone(),
                    })
                }
                _ => {
                    return Err(Failure::malformed(format_args!(
                        "SUBACK with the reserved code {code}"
                    )))
                }
            }
        }
        self.outstanding.remove(&id);
        Ok(Incoming::Subscribed)
    }
}

fn plain(packet: &Packet, flags: u8) -> Result<(), Failure> {
    if packet.flags() != flags {
        return Err(Failure::malformed(format_args!(
            "{} with reserved bits",
            packet.name()
        )));
    }
    if packet.kind() == kind::PINGRESP && !packet.body().is_empty() {
        return Err(Failure::malformed("PINGRESP with a body"));
    }
    Ok(())
}

fn packet_id(packet: &Packet) -> Result<u16, Failure> {
    match packet.body().try_into().map(u16::from_be_bytes) {
        Ok(0) => Err(Failure::malformed(format_args!(
            "{} with the packet id 0",
            packet.name()
        ))),
        Ok(id) => Ok(id),
        Err(_) => Err(Failure::malformed(format_args!(
            "{} that is not of two bytes",
            packet.name()
        ))),
    }
}

fn unasked(packet: &Packet) -> Failure {
    Failure::unexpected(format_args!(
        "{} that answers nothing of ours",
        packet.name()
    ))
}

//! The readers of a broker's bytes without a broker, for the fuzz targets in `fuzz/`.
//!
//! No part of the interface: nothing but those targets calls it, and it may change at any time.

use super::web_socket;
use crate::bridge::{Admission, Arrival, Deframer, Guard, Handed, Intake};
use crate::Failure;
use std::collections::VecDeque;

/// What a stream of MQTT came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Session {
    /// The packets that were let through, as on the wire.
    pub packets: Vec<Vec<u8>>,
    /// Bytes of a packet that is not whole.
    pub pending: usize,
    /// Bytes of the payloads among them.
    pub delivered: usize,
    /// Why it ended, if it did.
    pub failure: Option<String>,
}

/// A session that has sent SUBSCRIBE 1 with two filters, PUBLISH 2 of QoS 1, PUBLISH 3 of QoS 2
/// and one PINGREQ, is sent `stream` in pieces of `cut` bytes, and takes no packet beyond `limit`.
pub fn session(stream: &[u8], cut: usize, limit: usize) -> Session {
    let mut guard = Guard::new(limit);
    let mut sent = Deframer::new(usize::MAX);
    sent.push(b"\x82\x0a\x00\x01\x00\x01a\x01\x00\x01b\x00");
    sent.push(b"\x32\x05\x00\x01a\x00\x02\x34\x05\x00\x01a\x00\x03");
    let mut published = VecDeque::from([2, 3].map(|id| Handed { id, cost: 0 }));
    while let Ok(Some(packet)) = sent.next() {
        if let Err(failure) = guard.outgoing(&packet, &mut published) {
            return Session::failed(failure.to_string());
        }
    }
    guard.pinged();

    let mut intake = Intake::new(limit);
    let mut seen = Session {
        packets: Vec::new(),
        pending: 0,
        delivered: 0,
        failure: None,
    };
    for piece in stream.chunks(cut.max(1)) {
        intake.push(piece);
        loop {
            match arrival(&mut intake, &mut guard) {
                Ok(Some((packet, payload))) => {
                    seen.packets.push(packet);
                    seen.delivered += payload;
                }
                Ok(None) => break,
                Err(failure) => {
                    seen.failure = Some(failure.to_string());
                    return seen;
                }
            }
        }
    }
    seen.pending = intake.unfinished();
    seen
}

/// The next packet as on the wire, and the size of its payload.
fn arrival(intake: &mut Intake, guard: &mut Guard) -> Result<Option<(Vec<u8>, usize)>, Failure> {
    let arrived = intake.next(|head| {
        guard.replaced(head);
        guard.publish(head)?;
        guard.has_room(head.payload())?;
        Ok(Admission::Keep)
    })?;
    match arrived {
        None => Ok(None),
        Some(Arrival::Packet(packet)) => {
            guard.incoming(&packet)?;
            Ok(Some((packet.bytes().to_vec(), 0)))
        }
        Some(Arrival::Message(payload)) => {
            let head = intake.head();
            guard.taken(&head, 1, payload.len());
            Ok(Some(([head.bytes(), &payload].concat(), payload.len())))
        }
    }
}

impl Session {
    fn failed(why: String) -> Session {
        Session {
            packets: Vec::new(),
            pending: 0,
            delivered: 0,
            failure: Some(why),
        }
    }
}

/// What a stream of WebSocket frames came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// MQTT bytes.
    pub data: Vec<u8>,
    /// Contents of pings.
    pub pings: Vec<Vec<u8>>,
    /// The reason that the broker gave for closing, if it did.
    pub closed: Option<String>,
    /// Why the stream is refused, if it is.
    pub failure: Option<String>,
}

/// The frames of `stream`, which comes in pieces of `cut` bytes.
pub fn frames(stream: &[u8], cut: usize) -> Frames {
    let mut reader = web_socket::Frames::default();
    let mut seen = Frames::default();
    for piece in stream.chunks(cut.max(1)) {
        match reader.feed(piece) {
            Ok(out) => {
                seen.data.extend(out.data);
                seen.pings.extend(out.pings);
                seen.closed = out.closed.or(seen.closed);
            }
            Err(failure) => {
                seen.failure = Some(failure.to_string());
                return seen;
            }
        }
    }
    seen
}

/// Whether the answer to a WebSocket upgrade with this key is accepted; `None` while its head is
/// not whole, else the number of bytes behind it.
///
/// # Errors
/// Why not.
pub fn upgrade(answer: &[u8], key: &str) -> Result<Option<usize>, String> {
    web_socket::check_response(answer, key)
        .map(|rest| rest.map(|bytes| bytes.len()))
        .map_err(|failure| failure.to_string())
}

//! Cutting a byte stream into MQTT packets (MQTT 3.1.1, section 2.2).
//!
//! A packet that announces more than the limit is refused before a byte of it is kept; memory grows
//! with what has arrived, not with what was announced. [`Deframer`] is for what paho sends; the
//! broker's packets come through `intake`, which keeps no message twice.

use crate::Failure;
use zeroize::{Zeroize, Zeroizing};

/// Packet types, the upper four bits of the first byte.
pub(crate) mod kind {
    pub(crate) const CONNECT: u8 = 1;
    pub(crate) const CONNACK: u8 = 2;
    pub(crate) const PUBLISH: u8 = 3;
    pub(crate) const PUBACK: u8 = 4;
    pub(crate) const PUBREC: u8 = 5;
    pub(crate) const PUBREL: u8 = 6;
    pub(crate) const PUBCOMP: u8 = 7;
    pub(crate) const SUBSCRIBE: u8 = 8;
    pub(crate) const SUBACK: u8 = 9;
    pub(crate) const PINGREQ: u8 = 12;
    pub(crate) const PINGRESP: u8 = 13;
    pub(crate) const DISCONNECT: u8 = 14;

    /// The name in the standard.
    pub(crate) fn name(kind: u8) -> &'static str {
        match kind {
            CONNECT => "CONNECT",
            CONNACK => "CONNACK",
            PUBLISH => "PUBLISH",
            PUBACK => "PUBACK",
            PUBREC => "PUBREC",
            PUBREL => "PUBREL",
            PUBCOMP => "PUBCOMP",
            SUBSCRIBE => "SUBSCRIBE",
            SUBACK => "SUBACK",
            10 => "UNSUBSCRIBE",
            11 => "UNSUBACK",
            PINGREQ => "PINGREQ",
            PINGRESP => "PINGRESP",
            DISCONNECT => "DISCONNECT",
            _ => "a packet of a reserved type",
        }
    }
}

/// One whole packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    first: u8,
    body_at: usize,
    /// Wiped when dropped: it may hold a secret.
    bytes: Zeroizing<Vec<u8>>,
}

impl Packet {
    /// Of these bytes, whose fixed header is so long.
    pub(crate) fn new(bytes: &[u8], header: usize) -> Packet {
        Packet {
            first: bytes.first().copied().unwrap_or_default(),
            body_at: header,
            bytes: Zeroizing::new(bytes.to_vec()),
        }
    }

    pub(crate) fn kind(&self) -> u8 {
        self.first >> 4
    }

    pub(crate) fn flags(&self) -> u8 {
        self.first & 0x0f
    }

    pub(crate) fn name(&self) -> &'static str {
        kind::name(self.kind())
    }

    /// As on the wire.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Behind the fixed header.
    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(self.body_at..).unwrap_or_default()
    }
}

/// Reads the fields of a body.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        let bytes: [u8; 2] = self.take(2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    }

    /// Bytes behind a two-byte length.
    pub(crate) fn prefixed(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

/// Bytes that have come and of which nothing has been made.
#[derive(Default)]
pub(crate) struct Stream {
    buffer: Vec<u8>,
    /// Bytes at the front that have been given out, and wiped.
    used: usize,
}

impl Stream {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.used > 0 && self.used >= self.buffer.len() / 2 {
            // What moves down leaves its last bytes where it was.
            let rest = self.buffer.len().saturating_sub(self.used);
            self.buffer.copy_within(self.used.., 0);
            if let Some(left) = self.buffer.get_mut(rest..) {
                left.zeroize();
            }
            self.buffer.truncate(rest);
            self.used = 0;
        }
        secret_text::reserve(&mut self.buffer, bytes.len());
        self.buffer.extend_from_slice(bytes);
    }

    /// What has not been given out.
    pub(crate) fn rest(&self) -> &[u8] {
        self.buffer.get(self.used..).unwrap_or_default()
    }

    /// Gives out so many bytes: they may hold a secret, and are wiped.
    pub(crate) fn consume(&mut self, bytes: usize) {
        if let Some(given) = self.buffer.get_mut(self.used..self.used + bytes) {
            given.zeroize();
            self.used += bytes;
        }
        if self.used < self.buffer.len() {
            return;
        }
        self.used = 0;
        if self.buffer.capacity() > 256 << 10 {
            // The memory of a large packet goes back.
            self.buffer = Vec::new();
        } else {
            self.buffer.clear();
        }
    }
}

/// The size of the packet that begins here, and that of its fixed header, once both are known.
///
/// Errors: the length never ends, or the packet is larger than `limit`.
pub(crate) fn measure(bytes: &[u8], limit: usize) -> Result<Option<(usize, usize)>, Failure> {
    let Some((&first, _)) = bytes.split_first() else {
        return Ok(None);
    };
    let Some((length, header)) = remaining_length(bytes)? else {
        return Ok(None);
    };
    let total = header + length;
    if total > limit {
        return Err(Failure::TooLarge {
            what: format!("{} packet", kind::name(first >> 4)),
            size: total as u64,
            limit: limit as u64,
        });
    }
    Ok(Some((total, header)))
}

/// Collects bytes, gives packets.
pub(crate) struct Deframer {
    stream: Stream,
    limit: usize,
}

impl Deframer {
    /// Refuses packets larger than `limit` bytes.
    pub(crate) fn new(limit: usize) -> Deframer {
        Deframer {
            stream: Stream::default(),
            limit,
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.stream.push(bytes);
    }

    /// The next whole packet, if it is there.
    pub(crate) fn next(&mut self) -> Result<Option<Packet>, Failure> {
        let rest = self.stream.rest();
        let Some((total, header)) = measure(rest, self.limit)? else {
            return Ok(None);
        };
        let Some(bytes) = rest.get(..total) else {
            return Ok(None);
        };
        let packet = Packet::new(bytes, header);
        self.stream.consume(total);
        Ok(Some(packet))
    }

    /// Whether part of a packet waits for the rest.
    pub(crate) fn is_mid_packet(&self) -> bool {
        !self.stream.rest().is_empty()
    }
}

/// The remaining length and the size of the fixed header, once both are there.
fn remaining_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Failure> {
    let mut length = 0usize;
    for place in 0..4usize {
        let Some(&byte) = bytes.get(1 + place) else {
            return Ok(None);
        };
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(Some((length, 2 + place)));
        }
    }
    Err(Failure::malformed(
        "a remaining length of more than four bytes",
    ))
}

/// Appends a remaining length; the caller keeps it below 256 MiB.
pub(crate) fn put_remaining_length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_given_out_is_wiped() {
        let mut deframer = Deframer::new(100);
        deframer.push(b"\x30\x09\x00\x01tsecret\x30\x09\x00\x01tpub");
        let packet = deframer.next().unwrap().unwrap();
        assert_eq!(packet.body(), b"\x00\x01tsecret");
        let left = deframer
            .stream
            .buffer
            .windows(6)
            .any(|bytes| bytes == b"secret");
        assert!(!left, "what was given out is wiped");
        assert!(deframer.is_mid_packet());
    }

    #[test]
    fn an_announced_giant_is_refused_before_it_is_kept() {
        let mut deframer = Deframer::new(1 << 20);
        deframer.push(&[0x30, 0xff, 0xff, 0xff, 0x7f]);
        assert!(matches!(
            deframer.next(),
            Err(Failure::TooLarge {
                size: 268_435_460,
                ..
            })
        ));
    }

    #[test]
    fn a_remaining_length_that_never_ends_is_malformed() {
        let mut deframer = Deframer::new(1 << 20);
        deframer.push(&[0x30, 0x80, 0x80, 0x80, 0x80]);
        assert!(matches!(deframer.next(), Err(Failure::Malformed { .. })));
    }

    proptest! {
        #[test]
        fn packets_survive_any_cutting(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..6),
            cut in 1usize..64,
        ) {
            let mut wire = Vec::new();
            for body in &bodies {
                wire.push(0x30);
                put_remaining_length(&mut wire, body.len());
                wire.extend_from_slice(body);
            }
            let mut deframer = Deframer::new(1 << 20);
            let mut seen = Vec::new();
            for piece in wire.chunks(cut) {
                deframer.push(piece);
                while let Some(packet) = deframer.next().unwrap() {
                    seen.push(packet.body().to_vec());
                }
            }
            prop_assert_eq!(seen, bodies);
            prop_assert!(!deframer.is_mid_packet());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut deframer = Deframer::new(100);
            deframer.push(&bytes);
            while let Ok(Some(packet)) = deframer.next() {
                prop_assert!(packet.bytes().len() <= 100);
            }
        }
    }
}

//! What comes from the broker: packets, and messages whose payload is written once, where it stays.
//!
//! A PUBLISH is judged by its head alone, before its payload is taken in: it may be kept, passed by
//! without being kept, or left waiting in the network until there is room for it. No I/O, and no
//! judgement of its own but on sizes. Called by `link::relay`.

use super::packet::{kind, measure, Fields, Packet, Stream};
use crate::Failure;

/// The largest packet that is no PUBLISH: a SUBACK with a code for each of many filters.
const OTHERS_LIMIT: usize = 64 << 10;
/// A payload above this gets pages of its own.
const LARGE: usize = 1 << 20;
/// What glibc always maps, and gives back as soon as it is freed: the size from which it does so
/// adapts to what was freed before, but only up to here. Of room that nobody writes to nothing is used.
const MAPPED: usize = match cfg!(target_pointer_width = "64") {
    true => 33 << 20,
    false => LARGE,
};

/// The head of a PUBLISH: everything but its payload.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    bytes: &'a [u8],
    fixed: usize,
    total: usize,
}

impl<'a> Head<'a> {
    /// The first byte.
    pub(crate) fn first(&self) -> u8 {
        self.bytes.first().copied().unwrap_or_default()
    }

    pub(crate) fn qos(&self) -> u8 {
        (self.first() >> 1) & 3
    }

    pub(crate) fn is_duplicate(&self) -> bool {
        self.first() & 8 != 0
    }

    /// As on the wire.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Behind the fixed header: the topic and, above QoS 0, the packet id.
    pub(crate) fn variable(&self) -> &'a [u8] {
        self.bytes.get(self.fixed..).unwrap_or_default()
    }

    /// The topic as it came.
    pub(crate) fn topic(&self) -> &'a [u8] {
        Fields(self.variable()).prefixed().unwrap_or_default()
    }

    /// The packet id, above QoS 0.
    pub(crate) fn id(&self) -> Option<u16> {
        let mut fields = Fields(self.variable());
        fields.prefixed()?;
        fields.u16()
    }

    /// Bytes of the payload.
    pub(crate) fn payload(&self) -> usize {
        self.total.saturating_sub(self.bytes.len())
    }
}

/// What shall become of a PUBLISH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Its payload is kept.
    Keep,
    /// Its payload passes by: it arrives as an empty one.
    PassBy,
    /// There is no room for it now.
    Wait,
}

/// What has arrived.
pub(crate) enum Arrival {
    /// A packet that is no PUBLISH.
    Packet(Packet),
    /// The payload of the PUBLISH whose head is [`Intake::head`].
    Message(Vec<u8>),
}

/// Collects bytes, gives packets and messages.
pub(crate) struct Intake {
    stream: Stream,
    limit: usize,
    /// Head of the PUBLISH that comes in, or came in last; kept, so that it need not be allocated
    /// anew for each.
    head: Vec<u8>,
    fixed: usize,
    total: usize,
    coming: Option<Coming>,
    waits: bool,
}

struct Coming {
    /// `None` while it passes by.
    payload: Option<Vec<u8>>,
    left: usize,
}

impl Intake {
    /// Refuses packets larger than `limit` bytes.
    pub(crate) fn new(limit: usize) -> Intake {
        Intake {
            stream: Stream::default(),
            limit,
            head: Vec::new(),
            fixed: 0,
            total: 0,
            coming: None,
            waits: false,
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.stream.push(bytes);
    }

    /// What arrived next, if it is whole. `admit` is asked once for each PUBLISH, and again for one
    /// that has to wait.
    pub(crate) fn next(
        &mut self,
        admit: impl FnOnce(&Head<'_>) -> Result<Admission, Failure>,
    ) -> Result<Option<Arrival>, Failure> {
        self.waits = false;
        if self.coming.is_none() {
            let rest = self.stream.rest();
            let Some((total, fixed)) = measure(rest, self.limit)? else {
                return Ok(None);
            };
            let is_publish = rest
                .first()
                .is_some_and(|first| first >> 4 == kind::PUBLISH);
            if !is_publish {
                measure(rest, self.limit.min(OTHERS_LIMIT))?;
                let Some(bytes) = rest.get(..total) else {
                    return Ok(None);
                };
                let packet = Packet::new(bytes, fixed);
                self.stream.consume(total);
                return Ok(Some(Arrival::Packet(packet)));
            }
            let Some(head) = head(rest, fixed, total)? else {
                return Ok(None);
            };
            let payload = match admit(&head)? {
                Admission::Keep => Some(room(head.payload())),
                Admission::PassBy => None,
                Admission::Wait => {
                    self.waits = true;
                    return Ok(None);
                }
            };
            let (left, length) = (head.payload(), head.bytes.len());
            self.head.clear();
            self.head.extend_from_slice(head.bytes);
            (self.fixed, self.total) = (fixed, total);
            self.stream.consume(length);
            self.coming = Some(Coming { payload, left });
        }
        Ok(self.fill().map(Arrival::Message))
    }

    /// Takes payload in; gives it once it is whole.
    fn fill(&mut self) -> Option<Vec<u8>> {
        let coming = self.coming.as_mut()?;
        let rest = self.stream.rest();
        let now = rest.get(..coming.left).unwrap_or(rest);
        let taken = now.len();
        if let Some(payload) = &mut coming.payload {
            payload.extend_from_slice(now);
        }
        self.stream.consume(taken);
        coming.left -= taken;
        if coming.left > 0 {
            return None;
        }
        let whole = self.coming.take()?;
        Some(whole.payload.unwrap_or_default())
    }

    /// Head of the PUBLISH that came in last.
    pub(crate) fn head(&self) -> Head<'_> {
        Head {
            bytes: &self.head,
            fixed: self.fixed,
            total: self.total,
        }
    }

    /// Whether a PUBLISH waits for room.
    pub(crate) fn waits(&self) -> bool {
        self.waits
    }

    /// The bytes that belong to nothing yet.
    pub(crate) fn pending(&self) -> &[u8] {
        self.stream.rest()
    }

    /// Bytes of a packet that is not whole.
    pub(crate) fn unfinished(&self) -> usize {
        let coming = self.coming.as_ref();
        let taken = coming.map_or(0, |coming| self.total - coming.left);
        taken + self.stream.rest().len()
    }
}

/// Room for a payload: all of it, as a vector that grows leaves copies behind.
fn room(size: usize) -> Vec<u8> {
    Vec::with_capacity(match size > LARGE {
        true => size.max(MAPPED),
        false => size,
    })
}

/// The head, once it is whole. `total` and `fixed` are sizes of the packet and its fixed header.
fn head(bytes: &[u8], fixed: usize, total: usize) -> Result<Option<Head<'_>>, Failure> {
    let short = || Failure::malformed("PUBLISH that ends within its header");
    let with_id = bytes.first().is_some_and(|first| first & 6 != 0);
    let least = fixed + 2 + if with_id { 2 } else { 0 };
    if total < least {
        return Err(short());
    }
    let mut fields = Fields(bytes.get(fixed..).unwrap_or_default());
    let Some(topic) = fields.u16() else {
        return Ok(None);
    };
    let length = least + usize::from(topic);
    if total < length {
        return Err(short());
    }
    Ok(bytes.get(..length).map(|bytes| Head {
        bytes,
        fixed,
        total,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    /// What a stream that comes in pieces is taken for: heads, and payloads.
    fn taken(wire: &[u8], cut: usize, mut admit: impl FnMut() -> Admission) -> Vec<Vec<u8>> {
        let mut intake = Intake::new(1 << 20);
        let mut seen = Vec::new();
        for piece in wire.chunks(cut) {
            intake.push(piece);
            loop {
                match intake.next(|_| Ok(admit())).unwrap() {
                    Some(Arrival::Message(payload)) => {
                        seen.push([intake.head().bytes(), b"|", &payload].concat());
                    }
                    Some(Arrival::Packet(packet)) => seen.push(packet.bytes().to_vec()),
                    None if intake.waits() => {}
                    None => break,
                }
            }
        }
        assert_eq!(intake.unfinished(), 0);
        seen
    }

    const STREAM: &[u8] = b"\x30\x06\0\x01aone\xd0\0\x3b\x08\0\x01b\0\x07two\x30\x03\0\x01c";

    #[test]
    fn messages_that_wait_are_asked_about_again_and_none_is_lost() {
        for cut in 1..=STREAM.len() {
            let mut asked = 0;
            let seen = taken(STREAM, cut, || {
                asked += 1;
                match asked % 3 {
                    0 => Admission::Keep,
                    _ => Admission::Wait,
                }
            });
            let expected: [&[u8]; 4] = [
                b"\x30\x06\0\x01a|one",
                b"\xd0\0",
                b"\x3b\x08\0\x01b\0\x07|two",
                b"\x30\x03\0\x01c|",
            ];
            assert_eq!(seen, expected, "cut at {cut}");
            assert_eq!(asked, 9);
        }
    }

    #[test]
    fn of_what_passes_by_nothing_is_kept_and_the_next_one_is_found() {
        for cut in 1..=STREAM.len() {
            let mut first = true;
            let seen = taken(STREAM, cut, || match std::mem::take(&mut first) {
                true => Admission::PassBy,
                false => Admission::Keep,
            });
            let payloads: Vec<&[u8]> = seen.iter().map(Vec::as_slice).collect();
            assert_eq!(
                payloads.first(),
                Some(&&b"\x30\x06\0\x01a|"[..]),
                "cut at {cut}"
            );
            assert_eq!(payloads.get(2), Some(&&b"\x3b\x08\0\x01b\0\x07|two"[..]));
        }
    }

    #[test]
    fn a_packet_that_need_not_be_long_may_not_be() {
        let mut intake = Intake::new(1 << 20);
        intake.push(&[0x90, 0x80, 0x80, 0x08]);
        let refused = intake.next(|_| Ok(Admission::Keep));
        assert!(matches!(
            refused,
            Err(Failure::TooLarge { limit: 65_536, .. })
        ));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut intake = Intake::new(100);
            intake.push(&bytes);
            while let Ok(Some(arrival)) = intake.next(|_| Ok(Admission::Keep)) {
                if let Arrival::Packet(packet) = arrival {
                    prop_assert!(packet.bytes().len() <= 100);
                }
            }
        }
    }
}

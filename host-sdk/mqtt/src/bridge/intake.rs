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

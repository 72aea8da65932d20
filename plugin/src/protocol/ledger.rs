//! Which requests of this session were answered already: a repeated one gets the recorded reply
//! and has no second effect; other bytes under the same ids are a conflict.
//!
//! Lives as long as the session. Signature refusals are not recorded here (the provisioner does
//! not hand them in), as a forger must not be able to answer for the platform.

use std::collections::{HashMap, VecDeque};

use kura_formats::request::Ids;

use super::reply::Outgoing;
use super::request::Request;
use crate::diagnosis::{Code, Fault};

/// At most so many requests are remembered.
pub const MAX_ENTRIES: usize = 4096;
/// At most so many bytes of replies are remembered, the newest reply always.
pub const MAX_BYTES: usize = 8 << 20;

/// The recorded replies. Beyond its bounds the oldest answered request is forgotten first.
#[derive(Debug)]
pub struct Ledger {
    entries: HashMap<Ids, Entry>,
    order: VecDeque<Ids>,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    digest: [u8; 32],
    /// `None` while it is being worked on.
    reply: Option<Outgoing>,
}

/// What the ledger knows of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Never seen.
    New,
    /// Being worked on; its reply will come, this copy gets none.
    Pending,
    /// Answered so; to be sent again.
    Repeated(Outgoing),
    /// Its ids belong to another request. The refusal is not to be recorded.
    Conflict(Fault),
}

impl Default for Ledger {
    fn default() -> Self {
        Self::bounded(MAX_ENTRIES, MAX_BYTES)
    }
}

impl Ledger {
    /// An empty one with the bounds of this module.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one with bounds of its own; at least one request is always remembered.
    pub fn bounded(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            entries: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            max_entries: max_entries.max(1),
            max_bytes,
        }
    }

    /// How many requests are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is known of this request.
    pub fn lookup(&self, request: &Request) -> Lookup {
        match self.entries.get(&request.ids) {
            None => Lookup::New,
            Some(entry) if entry.digest != request.digest => Lookup::Conflict(Fault::new(
                Code::ProtocolUnexpected,
                format!(
                    "request.id {:?} of {:?} was used before for another request",
                    request.ids.request_id, request.ids.requester
                ),
            )),
            Some(Entry { reply: None, .. }) => Lookup::Pending,
            Some(Entry {
                reply: Some(reply), ..
            }) => Lookup::Repeated(reply.clone()),
        }
    }

    /// Remembers that this request is being worked on.
    pub fn open(&mut self, request: &Request) {
        self.put(request, None);
    }

    /// Remembers how this request was answered.
    pub fn record(&mut self, request: &Request, reply: Outgoing) {
        self.put(request, Some(reply));
    }

    /// Forgets a request that was opened but must not be recorded.
    pub fn forget(&mut self, request: &Request) {
        let opened = |entry: &Entry| entry.digest == request.digest && entry.reply.is_none();
        if self.entries.get(&request.ids).is_some_and(opened) {
            self.entries.remove(&request.ids);
            self.order.retain(|ids| *ids != request.ids);
        }
    }

    fn put(&mut self, request: &Request, reply: Option<Outgoing>) {
        match self.entries.get_mut(&request.ids) {
            // Another request holds these ids; the first one keeps them.
            Some(entry) if entry.digest != request.digest => return,
            Some(entry) => {
                if entry.reply.is_some() || reply.is_none() {
                    return;
                }
                self.bytes += size(&reply);
                entry.reply = reply;
            }
            None => {
                self.bytes += size(&reply);
                let entry = Entry {
                    digest: request.digest,
                    reply,
                };
                self.entries.insert(request.ids.clone(), entry);
                self.order.push_back(request.ids.clone());
            }
        }
        while self.entries.len() > self.max_entries || self.bytes > self.max_bytes {
            if !self.evict(&request.ids) {
                break;
            }
        }
    }

    /// Forgets the oldest answered request, else the oldest one, but never `keep`.
    fn evict(&mut self, keep: &Ids) -> bool {
        let answered = |ids: &Ids| {
            self.entries
                .get(ids)
                .is_some_and(|entry| entry.reply.is_some())
        };
        let victim = self
            .order
            .iter()
            .position(|ids| ids != keep && answered(ids))
            .or_else(|| {
                let crowded = self.entries.len() > self.max_entries;
                crowded
                    .then(|| self.order.iter().position(|ids| ids != keep))
                    .flatten()
            });
        let Some(ids) = victim.and_then(|at| self.order.remove(at)) else {
            return false;
        };
        if let Some(entry) = self.entries.remove(&ids) {
            self.bytes = self.bytes.saturating_sub(size(&entry.reply));
        }
        true
    }
}

fn size(reply: &Option<Outgoing>) -> usize {
    reply
        .as_ref()
        .map_or(0, |reply| reply.topic.len() + reply.payload.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::{payload, request};
    use super::*;
    use proptest::prelude::*;

    fn asked(id: usize, body: &str) -> Request {
        let message = payload()
            .with_metric("request.id", format!("r{id}"))
            .with_body(body);
        request("PROV-V1", "EXEC", "commit", message)
    }

    fn reply(text: &str) -> Outgoing {
        Outgoing {
            topic: "t".into(),
            payload: text.into(),
        }
    }

    #[test]
    fn a_repeated_request_gets_the_recorded_reply() {
        let mut ledger = Ledger::new();
        let first = asked(1, "x");
        assert_eq!(ledger.lookup(&first), Lookup::New);
        ledger.open(&first);
        assert_eq!(ledger.lookup(&first), Lookup::Pending);
        ledger.record(&first, reply("done"));
        assert_eq!(
            ledger.lookup(&asked(1, "x")),
            Lookup::Repeated(reply("done"))
        );
        ledger.record(&first, reply("done twice"));
        ledger.open(&first);
        assert_eq!(ledger.lookup(&first), Lookup::Repeated(reply("done")));
        assert_eq!(ledger.len(), 1);
    }

    #[test]
    fn other_bytes_under_the_same_ids_are_a_conflict_and_change_nothing() {
        let mut ledger = Ledger::new();
        ledger.record(&asked(1, "x"), reply("x"));
        let other = asked(1, "y");
        let Lookup::Conflict(fault) = ledger.lookup(&other) else {
            unreachable!("no conflict");
        };
        assert_eq!(fault.response_code(), 409);
        assert_eq!(fault.code, Code::ProtocolUnexpected);
        ledger.record(&other, reply("y"));
        ledger.forget(&other);
        assert_eq!(ledger.lookup(&asked(1, "x")), Lookup::Repeated(reply("x")));
    }

    #[test]
    fn the_same_id_of_another_requester_is_another_request() {
        let mut ledger = Ledger::new();
        ledger.record(&asked(1, "x"), reply("x"));
        let message = payload().with_metric("requester.client.id", "platform-2");
        let other = request("PROV-V1", "EXEC", "commit", message);
        assert_eq!(ledger.lookup(&other), Lookup::New);
    }

    #[test]
    fn a_refused_signature_leaves_no_trace() {
        let mut ledger = Ledger::new();
        ledger.open(&asked(1, "forged"));
        ledger.forget(&asked(1, "forged"));
        assert!(ledger.is_empty());
        assert_eq!(ledger.lookup(&asked(1, "real")), Lookup::New);
    }

    #[test]
    fn beyond_the_bounds_the_oldest_answered_one_goes_first() {
        let mut ledger = Ledger::bounded(3, 1000);
        ledger.open(&asked(0, ""));
        for id in 1..=3 {
            ledger.record(&asked(id, ""), reply("x"));
        }
        assert_eq!(ledger.lookup(&asked(0, "")), Lookup::Pending);
        assert_eq!(ledger.lookup(&asked(1, "")), Lookup::New);
        assert_eq!(ledger.lookup(&asked(3, "")), Lookup::Repeated(reply("x")));
    }

    #[test]
    fn a_large_reply_pushes_the_others_out_but_stays_itself() {
        let mut ledger = Ledger::bounded(10, 100);
        ledger.record(&asked(1, ""), reply("x"));
        ledger.record(&asked(2, ""), reply(&"x".repeat(500)));
        assert_eq!(ledger.lookup(&asked(1, "")), Lookup::New);
        assert!(matches!(ledger.lookup(&asked(2, "")), Lookup::Repeated(_)));
        assert_eq!(ledger.len(), 1);
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds_and_never_answers_wrongly(
            steps in prop::collection::vec((0usize..12, 0u8..3, 0u8..3), 0..200),
        ) {
            let mut ledger = Ledger::bounded(5, 60);
            for (id, body, action) in steps {
                let request = asked(id, &body.to_string());
                match action {
                    0 => ledger.open(&request),
                    1 => ledger.record(&request, reply(&format!("{id}/{body}"))),
                    _ => ledger.forget(&request),
                }
                prop_assert!(ledger.len() <= 5);
                prop_assert_eq!(ledger.order.len(), ledger.entries.len());
                let held: usize = ledger.entries.values().map(|e| size(&e.reply)).sum();
                prop_assert_eq!(ledger.bytes, held);
                prop_assert!(held <= 60 || ledger.len() == 1);
                if let Lookup::Repeated(found) = ledger.lookup(&request) {
                    prop_assert_eq!(found, reply(&format!("{id}/{body}")));
                }
            }
        }
    }
}

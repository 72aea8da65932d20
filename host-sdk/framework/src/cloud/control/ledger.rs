//! Which requests were answered already: a repeated one gets the recorded reply and has no second
//! effect; other bytes under the same ids are a conflict.
//!
//! It lives as long as the connection, over its sessions: a reply that was lost with a session is
//! asked for again in the next. Refused signatures are not recorded, as a forger must not be able to
//! answer for the platform. Bounded; the oldest is forgotten first, and is then the verifier's to
//! refuse, which remembers longer. Pure.

use std::collections::{HashMap, VecDeque};

use kura_formats::request::Ids;

use super::reply::Outgoing;
use super::request::Request;

/// At most so many replies are remembered.
const MAX_ENTRIES: usize = 1_024;
/// At most so many bytes of replies are remembered, the newest always.
const MAX_BYTES: usize = 4 << 20;

/// The recorded replies.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    replies: HashMap<Ids, ([u8; 32], Outgoing)>,
    order: VecDeque<Ids>,
    bytes: usize,
}

/// What is known of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing.
    New,
    /// It was answered so.
    Repeated(Outgoing),
    /// Its ids belong to another request.
    Conflict,
}

impl Ledger {
    pub(super) fn lookup(&self, request: &Request) -> Known {
        match self.replies.get(&request.ids) {
            None => Known::New,
            Some((digest, reply)) if *digest == request.digest => Known::Repeated(reply.clone()),
            Some(_) => Known::Conflict,
        }
    }

    /// Remembers how a request that was new has been answered.
    pub(super) fn record(&mut self, request: &Request, reply: Outgoing) {
        if self.replies.contains_key(&request.ids) {
            return;
        }
        self.bytes += reply.size();
        self.order.push_back(request.ids.clone());
        self.replies
            .insert(request.ids.clone(), (request.digest, reply));
        while self.order.len() > 1 && (self.order.len() > MAX_ENTRIES || self.bytes > MAX_BYTES) {
            let oldest = self
                .order
                .pop_front()
                .and_then(|ids| self.replies.remove(&ids));
            self.bytes -= oldest.map_or(0, |(_, reply)| reply.size());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::super::request::tests::{self, address, asking};
    use super::super::request::Incoming;
    use super::*;

    fn request(id: &str, body: &str) -> Box<Request> {
        let topic = "$EDC/acme/gw/CONF-V1/EXEC/snapshot";
        match tests::request(topic, &asking(id).with_body(body)) {
            Incoming::Request(request) => request,
            other => panic!("{other:?}"),
        }
    }

    fn reply(bytes: usize) -> Outgoing {
        Outgoing {
            address: address(),
            topic: String::new(),
            payload: vec![7; bytes],
        }
    }

    #[test]
    fn a_repeated_request_has_its_reply_and_another_of_its_id_is_a_conflict() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.lookup(&request("1", "a")), Known::New);
        ledger.record(&request("1", "a"), reply(3));
        assert_eq!(ledger.lookup(&request("1", "a")), Known::Repeated(reply(3)));
        assert_eq!(ledger.lookup(&request("1", "b")), Known::Conflict);
        ledger.record(&request("1", "b"), reply(4));
        assert_eq!(ledger.lookup(&request("1", "a")), Known::Repeated(reply(3)));
    }

    #[test]
    fn memory_is_bounded_by_number_and_by_bytes() {
        let mut ledger = Ledger::default();
        for n in 0..MAX_ENTRIES + 10 {
            ledger.record(&request(&n.to_string(), ""), reply(1));
        }
        assert_eq!(ledger.replies.len(), MAX_ENTRIES);
        assert_eq!(ledger.lookup(&request("9", "")), Known::New);
        ledger.record(&request("large", ""), reply(MAX_BYTES + 1));
        assert_eq!(ledger.replies.len(), 1);
        assert!(matches!(
            ledger.lookup(&request("large", "")),
            Known::Repeated(_)
        ));
        ledger.record(&request("small", ""), reply(1));
        assert_eq!(ledger.bytes, reply(1).size());
    }
}

//! Replies already given: a repeated request gets the same one, and has no second effect.

use std::collections::VecDeque;

use super::Request;

/// So many replies are remembered; the oldest go first.
const MAX_ENTRIES: usize = 4096;
/// And so many bytes of them.
const MAX_BYTES: usize = 8 << 20;

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Nothing.
    New,
    /// This was the reply.
    Same(Vec<u8>),
    /// It is being carried out; the reply comes by itself.
    Pending,
    /// Its id was used for another request.
    Other,
}

/// The replies of one session.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: VecDeque<Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    requester: String,
    request_id: String,
    digest: [u8; 32],
    reply: Option<Vec<u8>>,
}

impl Ledger {
    /// Looks a request up by requester and id.
    pub fn look_up(&self, request: &Request) -> Recorded {
        let found = self.entries.iter().find(|entry| {
            entry.requester == request.requester && entry.request_id == request.request_id
        });
        match found {
            None => Recorded::New,
            Some(entry) if entry.digest != request.digest => Recorded::Other,
            Some(Entry {
                reply: Some(reply), ..
            }) => Recorded::Same(reply.clone()),
            Some(_) => Recorded::Pending,
        }
    }

    /// Remembers the reply.
    pub fn record(&mut self, request: &Request, reply: &[u8]) {
        self.push(request, Some(reply.to_vec()));
    }

    /// Remembers that the request is being carried out.
    pub fn pending(&mut self, request: &Request) {
        self.push(request, None);
    }

    fn push(&mut self, request: &Request, reply: Option<Vec<u8>>) {
        self.bytes += reply.as_ref().map_or(0, Vec::len);
        self.entries.push_back(Entry {
            requester: request.requester.clone(),
            request_id: request.request_id.clone(),
            digest: request.digest,
            reply,
        });
        while self.entries.len() > MAX_ENTRIES || (self.bytes > MAX_BYTES && self.entries.len() > 1)
        {
            let Some(oldest) = self.entries.pop_front() else {
                return;
            };
            self.bytes -= oldest.reply.map_or(0, |reply| reply.len());
        }
    }
}

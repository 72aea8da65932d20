//! The broker's messages on their way through paho: their payloads stay here.
//!
//! paho gets each PUBLISH with a ticket instead of the payload, acknowledges it and sorts it as
//! MQTT wants, and delivers the ticket, which is exchanged for the payload. So a message is in memory
//! once, however many hands it passes through, and nothing that a broker wrote can pass for a ticket. What nobody
//! subscribed to goes the same way without its payload: the broker gets its acknowledgement, the owner hears
//! nothing. Called by `relay`.

use crate::bridge::{filter, Admission, Guard, Head};
use crate::hold::{self, Hold};
use crate::shared::Shared;
use crate::{Failure, Message};
use std::collections::HashMap;
use std::sync::Arc;

pub(super) struct Keep {
    shared: Arc<Shared>,
    /// [`crate::Limits::max_backlog`].
    limit: usize,
    kept: HashMap<u64, Kept>,
    last_ticket: u64,
    coming: Option<Coming>,
    /// Messages that paho has been given to be delivered at once, and has not delivered.
    expected: usize,
}

/// A PUBLISH whose payload is being taken in.
struct Coming {
    hold: Hold,
    cost: usize,
    wanted: bool,
}

struct Kept {
    payload: Vec<u8>,
    hold: Hold,
    duplicate: bool,
    /// Whether somebody subscribed to it.
    wanted: bool,
}

impl Keep {
    pub(super) fn new(shared: Arc<Shared>, limit: usize) -> Keep {
        Keep {
            shared,
            limit,
            kept: HashMap::new(),
            last_ticket: 0,
            coming: None,
            expected: 0,
        }
    }

    /// Judges the head of a PUBLISH, and makes room for its payload.
    pub(super) fn admit(
        &mut self,
        head: &Head<'_>,
        guard: &mut Guard,
        subscriptions: &[(String, u8)],
    ) -> Result<Admission, Failure> {
        if let Some(ticket) = guard.replaced(head) {
            self.kept.remove(&ticket);
        }
        let topic = guard.publish(head)?;
        let wanted = filter::any(subscriptions, topic);
        let payload = if wanted { head.payload() } else { 0 };
        let cost = hold::cost(topic.len(), payload);
        guard.has_room(cost)?;
        let Some(hold) = Hold::take(&self.shared, cost, self.limit) else {
            return Ok(Admission::Wait);
        };
        self.coming = Some(Coming { hold, cost, wanted });
        if wanted {
            return Ok(Admission::Keep);
        }
        log::debug!(
            "a message of {} bytes to {topic:?} passes by: it belongs to no subscription",
            head.payload()
        );
        Ok(Admission::PassBy)
    }

    /// Keeps a payload that is whole; gives the ticket for it.
    pub(super) fn arrived(
        &mut self,
        head: &Head<'_>,
        payload: Vec<u8>,
        guard: &mut Guard,
    ) -> Result<u64, Failure> {
        let coming = self.coming.take();
        let Coming { hold, cost, wanted } =
            coming.ok_or_else(|| Failure::internal("a message that nobody let in"))?;
        self.last_ticket += 1;
        let kept = Kept {
            payload,
            hold,
            duplicate: head.qos() == 1 && head.is_duplicate(),
            wanted,
        };
        self.kept.insert(self.last_ticket, kept);
        if guard.taken(head, self.last_ticket, cost) {
            self.expected += 1;
        }
        Ok(self.last_ticket)
    }

    /// The broker has released a message of QoS 2.
    pub(super) fn released(&mut self) {
        self.expected += 1;
    }

    /// Whether paho has nothing to deliver.
    pub(super) fn is_settled(&self) -> bool {
        self.expected == 0
    }

    /// The message for which paho shows a ticket; `None` for one that nobody subscribed to.
    pub(super) fn redeem(
        &mut self,
        delivered: &paho_mqtt::Message,
    ) -> Result<Option<Message>, Failure> {
        self.expected = self.expected.saturating_sub(1);
        let ticket = delivered.payload().try_into().map(u64::from_be_bytes);
        let kept = ticket.ok().and_then(|ticket| self.kept.remove(&ticket));
        let kept = kept.ok_or_else(|| Failure::internal("paho delivered what it was not given"))?;
        if !kept.wanted {
            return Ok(None);
        }
        Ok(Some(Message {
            topic: delivered.topic().to_owned(),
            payload: kept.payload,
            qos: delivered.qos() as u8,
            retained: delivered.retained(),
            duplicate: kept.duplicate,
            hold: kept.hold,
        }))
    }
}

//! What the thread of a connection does about control messages: it hands them to the desk, and
//! publishes the replies that come back. Part of the [`Actor`].

use std::sync::mpsc::Receiver;
use std::sync::PoisonError;
use std::time::Instant;

use mqtt_session::{Message, Publish};

use super::actor::{Actor, Command, LONGEST_QUIESCE};
use super::control::Outgoing;
use crate::events::Event;

/// Replies that wait for a session at most.
const MAX_UNSENT: usize = 64;

impl Actor {
    pub(super) fn received(&mut self, message: Message) {
        if let Some(open) = &self.session {
            if self.desk.take(&open.link.address(), message) {
                self.show_control();
            }
        }
    }

    /// The configuration has changed. If a request is being served, it may be what changed it, and
    /// is to be answered over the session that it came by: true, and the change waits until then.
    pub(super) fn answers_first(&mut self) -> bool {
        let serving = self.desk.in_flight() > 0;
        if serving {
            self.reload_after.get_or_insert(self.desk.served() + 1);
        }
        serving
    }

    /// A control message has been served: its reply goes out, over the next session if there is none.
    pub(super) fn served(&mut self, outgoing: Option<Outgoing>) {
        self.desk.one_served();
        self.show_control();
        if let Some(outgoing) = outgoing {
            self.send(outgoing);
        }
        if self.reload_after.is_some_and(|n| self.desk.served() >= n) {
            self.reload_after = None;
            self.reload();
        }
    }

    /// What follows a reply; how far something is, is only worth to know at once.
    pub(super) fn notify(&mut self, outgoing: Outgoing, lasting: bool) {
        if lasting || self.session.as_ref().is_some_and(|open| open.up) {
            self.send(outgoing);
        }
    }

    fn send(&mut self, outgoing: Outgoing) {
        if self.unsent.len() >= MAX_UNSENT {
            self.unsent.pop_front();
            log::warn!("{}: a reply is lost: too many wait", self.stack.cloud);
        }
        self.unsent.push_back(outgoing);
        self.send_unsent();
    }

    /// Publishes the replies that wait, if a session is up; those of another address are of no use
    /// to anybody any more.
    pub(super) fn send_unsent(&mut self) {
        let Some(open) = self.session.as_ref().filter(|open| open.up) else {
            return;
        };
        let address = open.link.address();
        for reply in self.unsent.drain(..) {
            if reply.address != address {
                log::debug!("{}: a reply is dropped: {reply:?}", self.stack.cloud);
                continue;
            }
            let publish = Publish::new(reply.topic, reply.payload, 1);
            if let Err(e) = open.session.publish(publish) {
                log::warn!("{}: no reply: {e}", self.stack.cloud);
            }
        }
    }

    /// At the end: what is being served is still answered, within bounds.
    pub(super) fn finish_serving(&mut self, commands: &Receiver<Command>) {
        self.desk.stop();
        self.reload_after = None;
        let until = Instant::now() + LONGEST_QUIESCE;
        while self.desk.in_flight() > 0 {
            match commands.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Command::Served(outgoing)) => self.served(outgoing),
                Ok(Command::Notify(outgoing, lasting)) => self.notify(outgoing, lasting),
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    fn show_control(&self) {
        let control = self.desk.report();
        let info = {
            let mut info = self.info.lock().unwrap_or_else(PoisonError::into_inner);
            if info.control == control {
                return;
            }
            info.control = control;
            info.clone()
        };
        self.surroundings.hub.post(Event::Connection(info));
    }
}

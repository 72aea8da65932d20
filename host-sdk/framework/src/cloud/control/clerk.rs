//! Serves one request after the other: reads it, looks whether it was answered already, has it
//! verified, and only then hands it to its application.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use kura_formats::topic::RequestTopic;
use mqtt_session::Message;

use super::deploy::{self, Deploy, Notify};
use super::desk::Serve;
use super::ledger::{Known, Ledger};
use super::refusal::Refusal;
use super::reply::{reply, Outcome, Outgoing};
use super::request::{read, Incoming, Request};
use super::tally::{excerpt, Tally};
use super::{conf, keys, verify, Address};
use crate::cloud::birth::now_ms;
use crate::cloud::Surroundings;

/// Of one connection.
pub(super) struct Clerk {
    surroundings: Arc<Surroundings>,
    /// Of the CloudService.
    connection: String,
    ledger: Ledger,
    deploy: Deploy,
    tally: Arc<Mutex<Tally>>,
}

impl Clerk {
    /// For the connection of that CloudService.
    pub(super) fn new(surroundings: Arc<Surroundings>, connection: &str, notify: Notify) -> Clerk {
        Clerk {
            deploy: Deploy::new(Arc::clone(&surroundings), connection, notify),
            surroundings,
            connection: connection.to_owned(),
            ledger: Ledger::default(),
            tally: Arc::default(),
        }
    }

    /// What it counts.
    pub(super) fn tally(&self) -> Arc<Mutex<Tally>> {
        Arc::clone(&self.tally)
    }
}

impl Serve for Clerk {
    fn serve(
        &mut self,
        address: &Address,
        topic: RequestTopic,
        message: Message,
    ) -> Option<Outgoing> {
        let name = topic.application_topic();
        let request = match read(topic, message) {
            Incoming::Request(request) => request,
            Incoming::Unanswerable(why) => {
                self.refused("protocol.malformed", &name, &why);
                return None;
            }
        };
        match self.ledger.lookup(&request) {
            Known::New => {}
            Known::Repeated(reply) => {
                self.count().repeated();
                // The session may have another address by now.
                let address = address.clone();
                return Some(Outgoing { address, ..reply });
            }
            Known::Conflict => {
                let why = "its request.id was used before for another request";
                self.refused("protocol.unexpected", &name, why);
                return reply(address, &request, Err(Refusal::conflict(why)), now_ms());
            }
        }
        let pid = self.surroundings.provisioning_pid(&self.connection);
        let components = self.surroundings.components();
        if let Err(unverified) = verify::verify(components.as_deref(), pid.as_deref(), &request) {
            self.refused(unverified.reason, &name, &unverified.refusal.message);
            return reply(address, &request, Err(unverified.refusal), now_ms());
        }
        self.count().accepted();
        let outcome = self.answer(address, &request);
        self.log(&request, &outcome);
        let reply = reply(address, &request, outcome, now_ms())?;
        self.ledger.record(&request, reply.clone());
        Some(reply)
    }

    fn replied(&mut self) {
        self.deploy.go_on();
    }
}

impl Clerk {
    fn answer(&mut self, address: &Address, request: &Request) -> Outcome {
        match request.topic.app.as_str() {
            conf::APP => conf::answer(&self.surroundings.configuration, request),
            deploy::APP => self.deploy.answer(address, request),
            keys::APP => keys::answer(&self.surroundings.keystores, request),
            app => Err(Refusal::absent(format!(
                "there is no application {app:?} on this gateway"
            ))),
        }
    }

    fn refused(&self, reason: &'static str, name: &str, why: &str) {
        let aloud = self.count().refused(reason, name, Instant::now());
        let level = match aloud {
            true => log::Level::Warn,
            false => log::Level::Debug,
        };
        let (connection, name) = (&self.connection, excerpt(name));
        log::log!(
            level,
            "{connection}: the request {name:?} is refused, {reason}: {why}"
        );
    }

    fn log(&self, request: &Request, outcome: &Outcome) {
        let (name, ids) = (excerpt(&request.application_topic), &request.ids);
        let by = format_args!("{:?} of {:?}", ids.request_id, ids.requester);
        match outcome {
            Ok(_) => log::info!("{}: {name:?}, request {by}: done", self.connection),
            Err(refusal) => log::warn!(
                "{}: {name:?}, request {by}: {} {}: {}",
                self.connection,
                refusal.response.code(),
                refusal.code,
                refusal.message
            ),
        }
    }

    fn count(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

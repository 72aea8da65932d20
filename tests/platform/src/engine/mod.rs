//! The thread that runs a platform: it alone talks to the brokers and decides.
//!
//! Everything comes to it through one channel (messages of the brokers, commands of the owner),
//! and it wakes up for what is due by itself: replies that do not come, requests that become
//! active or expire, changes that another process made to the database. Started by
//! [`crate::platform`].

mod admission;
mod answer;
mod birth;
mod control;
mod door;
mod hostile;
mod keys;
mod packages;
mod station;
mod trigger;

use crate::behaviour::Script;
use crate::changes::Changes;
use crate::clock::{self, Millis};
use crate::control::ControlRequest;
use crate::flow::conversation::{Conversation, Names, Phase};
use crate::flow::message::MessageError;
use crate::link::{LinkError, Notice};
use crate::packages::PackageServer;
use crate::pki::PkiError;
use crate::settings::Settings;
use crate::store::{Store, StoreError};
pub(crate) use control::Asker;
use control::Pending;
use kura_formats::topic::{Incoming, Topics};
use mqtt_session::Message;
pub(crate) use station::{Place, Station};
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What comes to the thread.
pub(crate) enum Input {
    /// From a broker's session, with the session's number: those of an earlier one are stale.
    Notice(Place, u64, Notice),
    /// Bring the brokers in line with the database now.
    Sync(Sender<Result<(), String>>),
    /// Behave like this from the next attempt on.
    Script(Box<Script>),
    /// Send a signed request to a gateway.
    Control(Box<ControlRequest>, Asker),
    /// End.
    Stop,
}

/// Why something could not be done; logged, since nobody waits for it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A broker.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A request to a device.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A configuration for a device.
    #[error(transparent)]
    Configuration(#[from] crate::configuration::ConfigurationError),
    /// Certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
}

/// How soon a change made by another process is noticed.
const LOOK: Duration = Duration::from_millis(200);

pub(crate) struct Engine {
    settings: Arc<Settings>,
    store: Store,
    provision: Station,
    /// None: the target account lives at the provision broker.
    target: Option<Station>,
    packages: Arc<PackageServer>,
    conversations: HashMap<String, Conversation>,
    /// Control requests without a reply.
    pending: Vec<Pending>,
    script: Script,
    topics: Topics,
    requester: String,
    changes: Arc<Changes>,
    seen_version: i64,
    /// The next time at which a request becomes active or expires.
    boundary: Option<Millis>,
    stale: bool,
    /// When refused connections were told of last.
    told_refusals: Option<Instant>,
}

impl Engine {
    /// Connects to the brokers and lets the devices in.
    pub(crate) fn new(
        settings: Arc<Settings>,
        store: Store,
        provision: Station,
        target: Option<Station>,
        packages: Arc<PackageServer>,
        requester: String,
        changes: Arc<Changes>,
    ) -> Result<Engine, EngineError> {
        let script = settings.script.clone();
        let seen_version = store.version()?;
        let mut engine = Engine {
            settings,
            store,
            provision,
            target,
            packages,
            conversations: HashMap::new(),
            pending: Vec::new(),
            script,
            topics: Topics::default(),
            requester,
            changes,
            seen_version,
            boundary: None,
            stale: true,
            told_refusals: None,
        };
        engine.bring_in_line()?;
        Ok(engine)
    }

    /// Runs until told to stop, or until the owner is gone.
    pub(crate) fn run(mut self, inputs: &Receiver<Input>) {
        let taken = self.take_controls();
        report("control requests", taken);
        loop {
            match inputs.recv_timeout(self.until_next()) {
                Ok(Input::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(input) => self.take(input),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.due();
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Notice(place, number, notice) => {
                if !self.station(place).is_current(number) {
                    return;
                }
                match notice {
                    Notice::Message(message) => self.message(place, &message),
                    Notice::Lost(failure) => {
                        log::warn!("the session at the {place} broker is lost: {failure}");
                        self.lost(place);
                    }
                }
            }
            Input::Sync(done) => {
                let result = self.bring_in_line().map_err(|e| e.to_string());
                // The one who asked may have stopped waiting.
                let _ = done.send(result);
            }
            Input::Script(script) => self.script = *script,
            Input::Control(asked, asker) => self.control(*asked, asker),
            Input::Stop => {}
        }
    }

    fn message(&mut self, place: Place, message: &Message) {
        if message.retained {
            return;
        }
        let result = match self.topics.classify(&message.topic) {
            Incoming::Lifecycle {
                account,
                client_id,
                name,
            } => match name.as_str() {
                "PROV" if place == Place::Provision && account == self.settings.account => {
                    self.trigger(&client_id, &message.payload)
                }
                "BIRTH" => self.birth(&account, &client_id, &message.payload),
                _ => Ok(()),
            },
            Incoming::Reply {
                requester,
                request_id,
                ..
            } if requester == self.requester
                && self.control_reply(&request_id, &message.payload) =>
            {
                Ok(())
            }
            Incoming::Reply {
                account,
                requester,
                request_id,
                ..
            } if account == self.settings.account && requester == self.requester => {
                self.reply(&request_id, &message.payload)
            }
            Incoming::Notify {
                account,
                requester,
                app,
                client_id,
                resource,
            } if account == self.settings.account
                && requester == self.requester
                && (app.as_str(), resource.as_str()) == ("DEPLOY-V2", "download") =>
            {
                self.notified(&client_id, &message.payload)
            }
            Incoming::Notify {
                requester,
                client_id,
                resource,
                ..
            } if requester == self.requester => {
                self.control_notified(&client_id, &resource, &message.payload);
                Ok(())
            }
            _ => Ok(()),
        };
        report(&format!("a message on {}", message.topic), result);
        self.changes.announce();
    }

    /// Does what is due by itself.
    fn due(&mut self) {
        let result = self.store.version();
        match result {
            Ok(version) if version != self.seen_version => {
                self.seen_version = version;
                self.stale = true;
                let taken = self.take_controls();
                report("control requests", taken);
            }
            Ok(_) => {}
            Err(error) => log::error!("the database cannot be watched: {error}"),
        }
        let disconnected = !self.provision.is_open()
            || self.target.as_ref().is_some_and(|target| !target.is_open());
        let passed = self.boundary.is_some_and(|time| clock::now() >= time);
        if self.stale || passed || disconnected {
            report("the brokers", self.bring_in_line());
        }
        let now = Instant::now();
        let noted = self.note_refusals(now);
        report("refused connections", noted);
        self.give_up_controls(now);
        let due: Vec<String> = self
            .conversations
            .iter()
            .filter(|(_, c)| when(&c.phase) <= now)
            .map(|(client, _)| client.clone())
            .collect();
        for client in due {
            let result = self.conversation_due(&client);
            report(&format!("the device {client}"), result);
            self.changes.announce();
        }
    }

    fn until_next(&self) -> Duration {
        let now = Instant::now();
        let conversations = self
            .conversations
            .values()
            .map(|c| when(&c.phase).saturating_duration_since(now));
        let boundary = self.boundary.map(clock::until);
        let pending = self
            .pending
            .iter()
            .map(|p| p.deadline().saturating_duration_since(now));
        conversations
            .chain(boundary)
            .chain(pending)
            .fold(LOOK, Duration::min)
    }

    fn station(&mut self, place: Place) -> &mut Station {
        match (place, &mut self.target) {
            (Place::Target, Some(target)) => target,
            _ => &mut self.provision,
        }
    }

    fn names(&self) -> (Arc<Settings>, String) {
        (Arc::clone(&self.settings), self.requester.clone())
    }

    /// The session at a broker is over: so are the attempts there, except that a commit that is on
    /// its way may still be seen by the target account.
    fn lost(&mut self, place: Place) {
        self.station(place).close();
        if place != Place::Provision {
            return;
        }
        let over: Vec<String> = self
            .conversations
            .iter()
            .filter(|(_, c)| !c.commit_sent)
            .map(|(client, _)| client.clone())
            .collect();
        for client in over {
            let result = self.fail(&client, "network.lost", "the provision broker is gone");
            report(&format!("the device {client}"), result);
        }
        self.changes.announce();
    }
}

fn when(phase: &Phase) -> Instant {
    match phase {
        Phase::Due(time) => *time,
        Phase::Waiting { deadline, .. }
        | Phase::Fetching { deadline, .. }
        | Phase::Rejected { deadline, .. }
        | Phase::Stalled { deadline } => *deadline,
    }
}

fn report(what: &str, result: Result<(), EngineError>) {
    if let Err(error) = result {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        log::error!("{what}: {text}");
    }
}

fn names<'a>(settings: &'a Settings, requester: &'a str) -> Names<'a> {
    Names {
        account: &settings.account,
        requester,
    }
}

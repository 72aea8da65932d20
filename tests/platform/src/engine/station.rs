//! One broker as the engine sees it: the session there, and whom it has let in.

use super::{EngineError, Input};
use crate::broker::dynsec::Client;
use crate::broker::Broker;
use crate::link::{Link, LinkError};
use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Provision,
    Target,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Place::Provision => "provision",
            Place::Target => "target",
        })
    }
}

/// Pause between two tries to reach a broker that is gone.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct Station {
    place: Place,
    broker: Arc<Broker>,
    client_id: String,
    topics: Vec<String>,
    inputs: Sender<Input>,
    link: Option<Link>,
    /// Counts the sessions.
    number: u64,
    not_before: Option<Instant>,
    /// By user name.
    admitted: HashMap<String, Client>,
}

impl Station {
    pub(crate) fn new(
        place: Place,
        broker: Arc<Broker>,
        client_id: &str,
        topics: Vec<String>,
        inputs: Sender<Input>,
    ) -> Station {
        Station {
            place,
            broker,
            client_id: client_id.to_owned(),
            topics,
            inputs,
            link: None,
            number: 0,
            not_before: None,
            admitted: HashMap::new(),
        }
    }

    pub(super) fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    pub(super) fn is_open(&self) -> bool {
        self.link.is_some()
    }

    pub(super) fn is_current(&self, number: u64) -> bool {
        self.link.is_some() && self.number == number
    }

    pub(super) fn close(&mut self) {
        self.link = None;
    }

    /// Opens the session if there is none and the broker runs. False: there is still none.
    fn open(&mut self) -> Result<bool, LinkError> {
        let now = Instant::now();
        let resting = self.not_before.is_some_and(|time| now < time);
        if self.link.is_some() {
            return Ok(true);
        }
        if resting || !self.broker.is_running() {
            return Ok(false);
        }
        self.number += 1;
        let (place, number, inputs) = (self.place, self.number, self.inputs.clone());
        let opened = Link::open(&self.broker, &self.client_id, &self.topics, move |notice| {
            // An engine that has ended needs no notices.
            let _ = inputs.send(Input::Notice(place, number, notice));
        });
        match opened {
            Ok(link) => {
                self.link = Some(link);
                self.not_before = None;
                // What an earlier session told the broker may be lost, or not.
                let known = std::mem::take(&mut self.admitted);
                for client in known.values() {
                    self.dismiss(client);
                }
                Ok(true)
            }
            Err(error) => {
                self.not_before = Some(Instant::now() + PAUSE);
                Err(error)
            }
        }
    }

    /// Lets in exactly these. Who is thrown out is disconnected; who stays notices nothing.
    pub(super) fn admit_only(&mut self, wanted: &[Client]) -> Result<(), EngineError> {
        if !self.open()? {
            return Ok(());
        }
        let by_name: HashMap<&str, &Client> =
            wanted.iter().map(|c| (c.username.as_str(), c)).collect();
        let gone: Vec<Client> = self
            .admitted
            .values()
            .filter(|c| by_name.get(c.username.as_str()) != Some(c))
            .cloned()
            .collect();
        for client in gone {
            self.dismiss(&client);
            self.admitted.remove(&client.username);
            log::info!("{}: {} is no longer let in", self.place, client.client_id);
        }
        for client in wanted {
            if self.admitted.contains_key(&client.username) {
                continue;
            }
            self.command(&client.admit())?;
            self.admitted
                .insert(client.username.clone(), client.clone());
            log::info!(
                "{}: {} is let in as {}",
                self.place,
                client.client_id,
                client.username
            );
        }
        Ok(())
    }

    /// A broker that does not know the client is as good.
    fn dismiss(&self, client: &Client) {
        if let Err(error) = self.command(&client.dismiss()) {
            log::debug!("{}: {error}", self.place);
        }
    }

    fn command(&self, commands: &[serde_json::Value]) -> Result<(), LinkError> {
        match &self.link {
            Some(link) => link.command(commands),
            None => Ok(()),
        }
    }

    /// Publishes; without a session the message is lost, as it would be on the way.
    pub(super) fn publish(&self, topic: &str, payload: Vec<u8>) -> Result<(), LinkError> {
        match &self.link {
            Some(link) => link.publish(topic, payload),
            None => Ok(()),
        }
    }
}

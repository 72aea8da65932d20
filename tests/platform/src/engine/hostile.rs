//! Requests that no flow has: a flood, and those after the commit.

use super::{names, Engine, EngineError};
use crate::behaviour::{Flood, Rejection, Step};
use crate::flow::conversation::Stray;
use crate::flow::message::Outgoing;
use crate::flow::plan::Planned;
use kura_formats::topic::Method;

impl Engine {
    /// Sends what a flood consists of; the replies are not waited for.
    pub(super) fn flood(&mut self, client_id: &str, flood: &Flood) -> Result<(), EngineError> {
        let (settings, requester) = self.names();
        let (requests, body) = (flood.requests, flood.body);
        log::info!("{client_id}: a flood of {requests} requests of {body} bytes each");
        for _ in 0..flood.requests {
            let Some(conversation) = self.conversations.get(client_id) else {
                return Ok(());
            };
            let stray = Stray {
                app: "FLOOD-V1",
                method: Method::Get,
                resources: &["flood"],
                body: (flood.body > 0).then(|| vec![0; flood.body]),
                gzip: flood.gzip,
            };
            let message = conversation.stray(stray, &names(&settings, &requester))?;
            for _ in 1..flood.copies {
                let payload = message.payload.clone();
                self.provision.publish(&message.topic, payload)?;
            }
            self.provision.publish(&message.topic, message.payload)?;
        }
        Ok(())
    }

    /// Sends, behind the commit and without waiting for its reply, what must not have an effect any
    /// more: the last configuration, another commit, and a reject.
    pub(super) fn trail(&mut self, client_id: &str) -> Result<(), EngineError> {
        let (settings, requester) = self.names();
        let Some(conversation) = self.conversations.get_mut(client_id) else {
            return Ok(());
        };
        let (attempt, names) = (conversation.attempt, names(&settings, &requester));
        let mut messages: Vec<Outgoing> = Vec::new();
        for step in [Step::Configuration(0), Step::Commit] {
            let planned = Planned {
                step,
                out_of_order: true,
                other: None,
            };
            messages.push(conversation.message(&planned, &names)?);
        }
        let rejection = Rejection {
            code: "request.expired".to_owned(),
            message: "too late, on purpose".to_owned(),
            retry_after: None,
        };
        messages.push(conversation.reject(&rejection, &names)?);
        for message in messages {
            self.publish(client_id, attempt, message, false)?;
        }
        Ok(())
    }
}

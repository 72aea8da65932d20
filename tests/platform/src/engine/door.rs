//! Who was refused at the door of the provision broker: into the database and the log, every few
//! seconds at most.

use super::{Engine, EngineError};
use crate::clock;
use std::time::{Duration, Instant};

/// Between two lines of the log, however many come.
const BOUND: Duration = Duration::from_secs(10);

impl Engine {
    /// Tells of refused connections, the first at once.
    pub(super) fn note_refusals(&mut self, now: Instant) -> Result<(), EngineError> {
        if self.told_refusals.is_some_and(|told| now < told + BOUND) {
            return Ok(());
        }
        for refused in self.provision.broker().refused() {
            self.told_refusals = Some(now);
            let who = match &refused.client_id {
                Some(client_id) => format!("client-id {client_id:?}"),
                None => "a device that the broker's log does not name".to_owned(),
            };
            log::warn!(
                "the provision broker refused {who} (count {}, the last at {}): its client-id, user \
                 name and password match no active provision request",
                refused.count,
                clock::text(refused.last_on)
            );
            let client_id = refused.client_id.as_deref();
            self.store
                .note_knock(client_id, refused.count, refused.last_on)?;
            self.changes.announce();
        }
        Ok(())
    }
}

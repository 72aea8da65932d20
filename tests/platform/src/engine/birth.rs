//! A device has come to its account.

use super::{Engine, EngineError};
use crate::store::JobState;
use kura_formats::payload::{decode, Limits};

impl Engine {
    /// Notes a BIRTH in the device registry, and completes the job of its transaction: the reply to
    /// the commit may have been lost.
    pub(super) fn birth(
        &mut self,
        account: &str,
        client_id: &str,
        bytes: &[u8],
    ) -> Result<(), EngineError> {
        if account == self.settings.account {
            return Ok(());
        }
        let payload = match decode(bytes, &Limits::default()) {
            Ok(payload) => payload,
            Err(error) => {
                log::warn!("{account}/{client_id}: a BIRTH that cannot be read: {error}");
                return Ok(());
            }
        };
        let transaction = payload.string("prov.transaction.id");
        self.store.note_birth(
            account,
            client_id,
            transaction,
            payload.string("display_name"),
            payload.string("serial_number"),
        )?;
        log::info!("{account}/{client_id}: BIRTH");
        let Some(transaction) = transaction else {
            return Ok(());
        };
        let Some(job) = self.store.job_of_transaction(account, transaction)? else {
            return Ok(());
        };
        let Some(request) = self.store.request(job.request)? else {
            return Ok(());
        };
        if !job.commit_sent || request.target.client_id != client_id {
            return Ok(());
        }
        let why = "the device has come to its account";
        let running = self.conversations.get(&request.client_id).map(|c| c.job);
        if running == Some(job.id) {
            return self.complete(&request.client_id, why);
        }
        if job.state != JobState::Completed {
            log::info!("{}: completed: {why}", request.client_id);
            self.store.set_state(job.id, JobState::Completed)?;
            self.stale = true;
        }
        Ok(())
    }
}

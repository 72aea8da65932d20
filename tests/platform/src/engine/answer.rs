//! The steps of an attempt go out, the replies come in, and it ends.

use super::{names, Engine, EngineError};
use crate::behaviour::{Rejection, Step};
use crate::flow::conversation::{Conversation, Phase};
use crate::flow::message::Outgoing;
use crate::flow::plan::Planned;
use crate::store::JobState;
use kura_formats::payload::{decode, Limits};
use kura_formats::request::{PROV_ERROR_CODE, RESPONSE_CODE, RESPONSE_EXCEPTION_MESSAGE};
use std::time::{Duration, Instant};

/// How long the reply to a reject is waited for: it changes nothing any more.
const FAREWELL: Duration = Duration::from_secs(2);

impl Engine {
    /// The next step is due, or a reply is overdue.
    pub(super) fn conversation_due(&mut self, client_id: &str) -> Result<(), EngineError> {
        let Some(conversation) = self.conversations.get(client_id) else {
            return Ok(());
        };
        match conversation.phase.clone() {
            Phase::Due(_) => self.step(client_id),
            Phase::Waiting { planned, .. } => {
                let message = format!("no reply to {:?}", planned.step);
                self.fail(client_id, "device.silent", &message)
            }
            Phase::Fetching { planned, .. } => {
                let message = format!("no more word of {:?}", planned.step);
                self.fail(client_id, "device.silent", &message)
            }
            Phase::Stalled { .. } => self.fail(
                client_id,
                "platform.silent",
                "the platform kept silent on purpose",
            ),
            Phase::Rejected { .. } => self.farewell(client_id),
        }
    }

    /// Sends the next step, or does what the script says instead.
    fn step(&mut self, client_id: &str) -> Result<(), EngineError> {
        let Some(conversation) = self.conversations.get_mut(client_id) else {
            return Ok(());
        };
        let Some(planned) = conversation.next_step() else {
            return Ok(());
        };
        let step = planned.step;
        if conversation.behaviour.is_silent_at(step) {
            let deadline = Instant::now() + self.settings.reply_timeout;
            conversation.phase = Phase::Stalled { deadline };
            return Ok(());
        }
        if let Some((at, rejection)) = conversation.behaviour.reject_at.clone() {
            if at == step {
                return self.reject(client_id, &rejection);
            }
        }
        if conversation.behaviour.kill_broker_at == Some(step) {
            log::info!("{client_id}: the provision broker is killed before {step:?}");
            self.provision.broker().kill();
            // The loss of the session, on its way already, ends the attempt.
            let deadline = Instant::now() + self.settings.reply_timeout;
            conversation.phase = Phase::Stalled { deadline };
            return Ok(());
        }
        let flood = conversation.behaviour.flood.filter(|f| f.before == step);
        let trail = conversation.behaviour.after_commit && step == Step::Commit;
        let trail = trail && !planned.out_of_order;
        if let Some(flood) = flood {
            if let Some(conversation) = self.conversations.get_mut(client_id) {
                // Once, also where the step comes twice.
                conversation.behaviour.flood = None;
            }
            self.flood(client_id, &flood)?;
        }
        self.send(client_id, planned)?;
        match trail {
            true => self.trail(client_id),
            false => Ok(()),
        }
    }

    fn send(&mut self, client_id: &str, planned: Planned) -> Result<(), EngineError> {
        let (settings, requester) = self.names();
        let Some(conversation) = self.conversations.get_mut(client_id) else {
            return Ok(());
        };
        let message = conversation.message(&planned, &names(&settings, &requester))?;
        let (job, attempt) = (conversation.job, conversation.attempt);
        let within = match planned.step {
            Step::Commit => settings.commit_timeout,
            _ => settings.reply_timeout,
        };
        let twice = conversation.behaviour.twice;
        conversation.phase = Phase::Waiting {
            request_id: message.request_id.clone(),
            planned: planned.clone(),
            deadline: Instant::now() + within,
        };
        self.note_package(client_id, &planned)?;
        // Before it goes out: the device may be faster than the database.
        match planned.step {
            Step::Configuration(0) if !planned.out_of_order => {
                self.store.set_state(job, JobState::ConfUpdating)?;
            }
            Step::Commit if !planned.out_of_order => self.store.note_commit(job)?,
            _ => {}
        }
        self.publish(client_id, attempt, message, twice)
    }

    pub(super) fn publish(
        &mut self,
        client_id: &str,
        attempt: i64,
        message: Outgoing,
        twice: bool,
    ) -> Result<(), EngineError> {
        let Outgoing {
            topic,
            request_id,
            application_topic,
            payload,
        } = message;
        log::info!(
            "{client_id}: -> {application_topic} ({} bytes)",
            payload.len()
        );
        self.store
            .note_sent(attempt, &request_id, &application_topic, payload.len())?;
        if twice {
            self.provision.publish(&topic, payload.clone())?;
        }
        Ok(self.provision.publish(&topic, payload)?)
    }

    /// A reply has come.
    pub(super) fn reply(&mut self, request_id: &str, bytes: &[u8]) -> Result<(), EngineError> {
        let payload = match decode(bytes, &Limits::default()) {
            Ok(payload) => payload,
            Err(error) => {
                log::warn!("a reply that cannot be read: {error}");
                return Ok(());
            }
        };
        // Without a code nobody knows what it says.
        let code = payload.int32(RESPONSE_CODE).unwrap_or(0);
        let error = payload.string(PROV_ERROR_CODE);
        let text = payload.string(RESPONSE_EXCEPTION_MESSAGE);
        self.store.note_reply(request_id, code, error, text)?;
        let waiting = self.conversations.values().find(|c| match &c.phase {
            Phase::Waiting { request_id: id, .. } | Phase::Rejected { request_id: id, .. } => {
                id == request_id
            }
            Phase::Due(_) | Phase::Fetching { .. } | Phase::Stalled { .. } => false,
        });
        let Some(conversation) = waiting else {
            log::debug!("a reply to {request_id}, which nobody waits for");
            return Ok(());
        };
        let client_id = conversation.client_id.clone();
        match conversation.phase.clone() {
            Phase::Waiting { planned, .. } => {
                if conversation.behaviour.deaf_to == Some(planned.step) {
                    log::info!("{client_id}: the reply to {:?} is ignored", planned.step);
                    return Ok(());
                }
                log::info!("{client_id}: <- {code} {}", error.unwrap_or_default());
                let refusal = (code != 200).then(|| {
                    let error = error.map_or_else(|| format!("response.{code}"), str::to_owned);
                    (error, text.unwrap_or_default().to_owned())
                });
                self.answered(
                    &client_id,
                    &planned,
                    refusal,
                    code == 403,
                    payload.body.as_deref(),
                )
            }
            Phase::Rejected { .. } => self.farewell(&client_id),
            Phase::Due(_) | Phase::Fetching { .. } | Phase::Stalled { .. } => Ok(()),
        }
    }

    fn answered(
        &mut self,
        client_id: &str,
        planned: &Planned,
        refusal: Option<(String, String)>,
        over: bool,
        body: Option<&[u8]>,
    ) -> Result<(), EngineError> {
        match refusal {
            Some(_) if planned.out_of_order => self.go_on(client_id),
            // Such a refusal has ended the attempt for the device, too.
            Some((code, message)) if over || planned.step == Step::Commit => {
                self.fail(client_id, &code, &message)
            }
            Some((code, message)) => self.give_up(client_id, code, message),
            None if planned.step == Step::Commit && !planned.out_of_order => {
                self.complete(client_id, "the device replied to the commit")
            }
            None if planned.step == Step::DeviceKey => match self.certify(client_id, body)? {
                true => self.go_on(client_id),
                false => Ok(()),
            },
            None if matches!(planned.step, Step::Package(_)) => self.fetching(client_id, planned),
            None => {
                let Some(conversation) = self.conversations.get_mut(client_id) else {
                    return Ok(());
                };
                conversation.accepted(planned)?;
                let job = conversation.job;
                match planned.step {
                    Step::Certificates if !planned.out_of_order => {
                        self.store.set_state(job, JobState::Started)?;
                    }
                    Step::Configuration(_)
                        if !planned.out_of_order && !conversation.configurations_left() =>
                    {
                        self.store.set_state(job, JobState::ConfUpdated)?;
                    }
                    _ => {}
                }
                self.go_on(client_id)
            }
        }
    }

    pub(super) fn go_on(&mut self, client_id: &str) -> Result<(), EngineError> {
        let Some(conversation) = self.conversations.get_mut(client_id) else {
            return Ok(());
        };
        let delay = conversation.behaviour.delay;
        conversation.phase = Phase::Due(Instant::now() + delay);
        match delay.is_zero() {
            true => self.step(client_id),
            false => Ok(()),
        }
    }

    /// The device has refused something that it would wait for until its deadline: repeats its own
    /// words in a reject, since nothing else will come.
    pub(super) fn give_up(
        &mut self,
        client_id: &str,
        code: String,
        message: String,
    ) -> Result<(), EngineError> {
        let rejection = Rejection {
            code,
            message,
            retry_after: None,
        };
        self.reject(client_id, &rejection)
    }

    /// Rejects the attempt; it has failed from now on, and ends with the device's reply.
    pub(super) fn reject(
        &mut self,
        client_id: &str,
        rejection: &Rejection,
    ) -> Result<(), EngineError> {
        let (settings, requester) = self.names();
        let Some(conversation) = self.conversations.get_mut(client_id) else {
            return Ok(());
        };
        log::info!(
            "{client_id}: rejected: {}: {}",
            rejection.code,
            rejection.message
        );
        let message = conversation.reject(rejection, &names(&settings, &requester))?;
        conversation.phase = Phase::Rejected {
            request_id: message.request_id.clone(),
            deadline: Instant::now() + FAREWELL,
        };
        let Conversation {
            request,
            job,
            attempt,
            ..
        } = *conversation;
        self.store
            .fail_job(job, &rejection.code, &rejection.message)?;
        self.store
            .end_attempt(attempt, &rejection.code, &rejection.message)?;
        if rejection.code == "attempts.exhausted" {
            self.store.enable_request(request, false)?;
        }
        self.publish(client_id, attempt, message, false)
    }

    /// The rejected device has heard, or will not: it may be shut out now.
    fn farewell(&mut self, client_id: &str) -> Result<(), EngineError> {
        drop(self.end_conversation(client_id));
        self.bring_in_line()
    }

    /// Ends an attempt without success.
    pub(super) fn fail(
        &mut self,
        client_id: &str,
        code: &str,
        message: &str,
    ) -> Result<(), EngineError> {
        let Some(conversation) = self.end_conversation(client_id) else {
            return Ok(());
        };
        log::info!("{client_id}: failed: {code}: {message}");
        self.store
            .end_attempt(conversation.attempt, code, message)?;
        self.store.fail_job(conversation.job, code, message)?;
        self.stale = true;
        Ok(())
    }

    /// Ends an attempt with success.
    pub(super) fn complete(&mut self, client_id: &str, why: &str) -> Result<(), EngineError> {
        let Some(conversation) = self.end_conversation(client_id) else {
            return Ok(());
        };
        log::info!("{client_id}: completed: {why}");
        self.store.end_attempt(conversation.attempt, "ok", why)?;
        self.store
            .set_state(conversation.job, JobState::Completed)?;
        self.stale = true;
        Ok(())
    }
}

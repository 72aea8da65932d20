//! A device wants to be provisioned: is there a request, and may it?

use super::admission::refusal;
use super::{names, Engine, EngineError};
use crate::behaviour::{Behaviour, ConfigurationFault, Rejection, Signing};
use crate::clock;
use crate::configuration::generate;
use crate::flow::conversation::{self, Conversation, Material};
use crate::flow::keys::KeyOrder;
use crate::flow::trigger::{self, Trigger};
use crate::pki::{fingerprint, Identity};
use crate::store::{Job, JobState, ProvisionRequest};
use kura_formats::payload::{decode, Limits, Payload};
use serde_json::json;
use std::time::Instant;

impl Engine {
    pub(super) fn trigger(&mut self, client_id: &str, bytes: &[u8]) -> Result<(), EngineError> {
        let payload = match decode(bytes, &Limits::default()) {
            Ok(payload) => payload,
            Err(error) => {
                log::warn!("{client_id}: a trigger that cannot be read: {error}");
                return Ok(());
            }
        };
        let nonce = trigger::nonce(&payload);
        let running = self.conversations.get(client_id);
        if running.is_some_and(|c| Some(c.trigger.nonce.as_slice()) == nonce) {
            log::debug!("{client_id}: the same trigger again");
            return Ok(());
        }
        self.supersede(client_id)?;
        let Some(request) = self.store.request_of_client(client_id)? else {
            let message = format!("there is no provision request for {client_id}");
            return self.turn_away(client_id, &payload, "request.unknown", &message);
        };
        let trigger = match Trigger::read(client_id, &payload) {
            Ok(trigger) => trigger,
            Err(error) => {
                return self.turn_away(client_id, &payload, error.code(), &error.to_string());
            }
        };
        let job = self.store.current_job(request.id)?;
        if let Some(job) = job.filter(|j| is_done_with_other(j, &trigger)) {
            let id = job.transaction_id.unwrap_or_default();
            let message = format!("the provision request was used up by transaction {id}");
            return self.turn_away(client_id, &payload, "request.not-active", &message);
        }
        let job = self
            .store
            .find_or_start_job(request.id, &trigger.transaction_id)?;
        let rejection = self.objection(&request, &job, &trigger);
        let exhausted = rejection
            .as_ref()
            .is_some_and(|r| r.code == "attempts.exhausted");
        let mut number = request.attempts;
        if !exhausted && job.state != JobState::Completed {
            self.store.count_attempt(request.id)?;
            number += 1;
        }
        let attempt = self.store.begin_attempt(job.id, number)?;
        let behaviour = match &rejection {
            Some(_) => Behaviour::default(),
            None => self.script.next(),
        };
        let ids = (request.id, job.id, attempt);
        let documents = match &rejection {
            Some(_) => Vec::new(),
            None => self.documents(&request, &job, &trigger, &behaviour)?,
        };
        let material = self.material(&request, &trigger, &behaviour, documents)?;
        let conversation =
            Conversation::new(client_id, trigger, ids, behaviour, material, Instant::now())?;
        log::info!(
            "{client_id}: attempt {number}, transaction {}",
            conversation.trigger.transaction_id
        );
        self.conversations
            .insert(client_id.to_owned(), conversation);
        match rejection {
            Some(rejection) => self.reject(client_id, &rejection),
            None => {
                self.store.set_state(job.id, JobState::Running)?;
                // The target account must know the device before the device tries.
                self.bring_in_line()
            }
        }
    }

    /// A new attempt ends the one before.
    fn supersede(&mut self, client_id: &str) -> Result<(), EngineError> {
        if let Some(old) = self.end_conversation(client_id) {
            let message = "the device began another attempt";
            self.store
                .end_attempt(old.attempt, "network.lost", message)?;
        }
        Ok(())
    }

    fn objection(
        &self,
        request: &ProvisionRequest,
        job: &Job,
        trigger: &Trigger,
    ) -> Option<Rejection> {
        let no = |code: &str, message: &str| {
            let (code, message) = (code.to_owned(), message.to_owned());
            Some(Rejection {
                code,
                message,
                retry_after: None,
            })
        };
        let refusal = refusal(request, clock::now());
        if refusal.is_some() {
            return refusal;
        }
        // A device that lost the last reply is answered again, whatever it has used up.
        let repeated = job.state == JobState::Completed;
        if !repeated && (request.exhausted() || !request.enabled) {
            let count = request.attempts;
            let message = format!("all attempts of the provision request are used up ({count})");
            return no("attempts.exhausted", &message);
        }
        match (&request.activation_key, &trigger.activation_key) {
            (None, _) => None,
            (Some(key), Some(given)) if key.matches(given.expose()) => None,
            (Some(_), Some(_)) => no("activation-key.invalid", "the activation key is wrong"),
            (Some(_), None) => no("activation-key.invalid", "an activation key is required"),
        }
    }

    /// What is sent as configuration: fixed for the transaction at its first attempt, unless
    /// something wrong is to be sent.
    fn documents(
        &mut self,
        request: &ProvisionRequest,
        job: &Job,
        trigger: &Trigger,
        behaviour: &Behaviour,
    ) -> Result<Vec<Vec<u8>>, EngineError> {
        let broker = self.target.as_ref().unwrap_or(&self.provision).broker();
        let pid = trigger.connection_pid.as_deref();
        let order = key_order(request, trigger);
        let (url, alias) = match &order {
            Some(order) => (broker.mutual_url(), Some(order.alias.as_str())),
            None => (broker.url(), None),
        };
        let generate = |fault| generate(&request.target, &url, pid, alias, fault);
        match &behaviour.configuration {
            ConfigurationFault::None => {}
            ConfigurationFault::Documents(documents) => return Ok(documents.clone()),
            fault => return Ok(vec![generate(fault)?]),
        }
        let fixed = self.store.documents(job.id)?;
        if !fixed.is_empty() {
            return Ok(fixed);
        }
        let attached = self.store.attachments(request.id)?;
        let documents = if attached.is_empty() {
            vec![generate(&ConfigurationFault::None)?]
        } else {
            attached.into_iter().map(|a| a.content).collect()
        };
        self.store.set_documents(job.id, &documents)?;
        Ok(documents)
    }

    fn material(
        &self,
        request: &ProvisionRequest,
        trigger: &Trigger,
        behaviour: &Behaviour,
        documents: Vec<Vec<u8>>,
    ) -> Result<Material, EngineError> {
        let signer = behaviour
            .signer
            .clone()
            .unwrap_or_else(|| self.settings.pki.signer.clone());
        let target_root = match self.settings.send_target_root {
            true => Some(keystore_entry(&self.settings.target_certificate)?),
            false => None,
        };
        Ok(Material {
            packages: self.offer_packages(request, behaviour.package.as_ref())?,
            signing_as: self.trusted_signer(trigger, &signer)?,
            signer,
            documents,
            target_root,
            device_key: key_order(request, trigger),
        })
    }

    /// At re-provisioning, the signer that the device trusts already, if it is one of ours.
    fn trusted_signer(
        &self,
        trigger: &Trigger,
        signer: &Identity,
    ) -> Result<Identity, EngineError> {
        for candidate in std::iter::once(signer).chain(&self.settings.former_signers) {
            if trigger
                .trusted_signers
                .contains(&fingerprint(candidate.certificate())?)
            {
                return Ok(candidate.clone());
            }
        }
        Ok(signer.clone())
    }

    /// Rejects a device that has no job to put it down to.
    fn turn_away(
        &mut self,
        client_id: &str,
        payload: &Payload,
        code: &str,
        message: &str,
    ) -> Result<(), EngineError> {
        log::warn!("{client_id}: {code}: {message}");
        let Some(nonce) = trigger::nonce(payload) else {
            return Ok(());
        };
        let trusted = payload.string("prov.trusted.signers").unwrap_or_default();
        let signer = &self.settings.pki.signer;
        let signer = (!trusted.is_empty()).then_some((signer, Signing::Right));
        let (code, text) = (code.to_owned(), message.to_owned());
        let rejection = Rejection {
            code,
            message: text,
            retry_after: None,
        };
        let names = names(&self.settings, &self.requester);
        let out = conversation::reject(client_id, nonce, &rejection, &names, signer)?;
        Ok(self.provision.publish(&out.topic, out.payload)?)
    }
}

fn key_order(request: &ProvisionRequest, trigger: &Trigger) -> Option<KeyOrder> {
    let pid = trigger.connection_pid.as_deref();
    let key = request.device_key?;
    Some(KeyOrder::new(key, pid, &request.target.client_id))
}

fn is_done_with_other(job: &Job, trigger: &Trigger) -> bool {
    job.state == JobState::Completed
        && job.transaction_id.as_deref() != Some(&trigger.transaction_id)
}

/// Kura's body of `POST keystores/entries/certificate`, with the root above a server certificate.
fn keystore_entry(server: &Identity) -> Result<Vec<u8>, EngineError> {
    let root = server
        .root()
        .to_pem()
        .map_err(crate::pki::openssl_error("a root's PEM"))?;
    let body = json!({
        "keystoreServicePid": "SSLKeystore",
        "alias": "ssl-target-broker",
        "certificate": String::from_utf8_lossy(&root),
    });
    Ok(body.to_string().into_bytes())
}

//! Control requests on their way: sent at the target account's broker, answered or given up.

use super::{report, Engine, EngineError};
use crate::control::{ControlError, ControlFault, ControlReply, ControlRequest};
use crate::flow::control::message;
use crate::flow::message::random_id;
use crate::flow::packages::PackageOrder;
use crate::packages::Offer;
use kura_formats::payload::{decode, Limits, Payload};
use kura_formats::request::RESPONSE_CODE;
use std::sync::mpsc::Sender;
use std::time::Instant;

/// Who waits.
pub(crate) enum Asker {
    /// A thread of this process.
    Here(Sender<Result<ControlReply, ControlError>>),
    /// Another process, by the number in the database.
    Elsewhere(i64),
}

/// A request without its reply.
pub(super) struct Pending {
    asked: ControlRequest,
    asker: Asker,
    request_id: String,
    /// What is still to be sent once the first reply is there.
    again: Option<(String, Vec<u8>, String)>,
    reply: Option<ControlReply>,
    deadline: Instant,
    /// Path of the package on offer, and the job that its notifications name.
    offered: Option<(String, i64)>,
}

impl Pending {
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl Engine {
    /// Sends what other processes have left in the database.
    pub(super) fn take_controls(&mut self) -> Result<(), EngineError> {
        for (id, asked) in self.store.take_controls()? {
            self.control(asked, Asker::Elsewhere(id));
        }
        Ok(())
    }

    /// Sends a request; its reply goes to the asker.
    pub(super) fn control(&mut self, asked: ControlRequest, asker: Asker) {
        let offered = match asked.package.as_ref().map(|_| self.offer(&asked)) {
            None => None,
            Some(Ok(offered)) => Some(offered),
            Some(Err(error)) => {
                let error = ControlError::Unmade(error.to_string());
                return self.tell(asker, Err(error));
            }
        };
        let (order, offered) = offered.unzip();
        let metrics = match (&order, &offered) {
            (Some(order), Some((_, job_id))) => PackageOrder::metrics(order, *job_id),
            _ => Vec::new(),
        };
        let signer = &self.settings.pki.signer;
        let made = message(&asked, &metrics, &self.requester, signer, None);
        let made = made.and_then(|(first, sig_id)| {
            let again = match asked.fault {
                ControlFault::Replayed => {
                    let id = first.request_id.clone();
                    Some((first.topic.clone(), first.payload.clone(), id))
                }
                ControlFault::SameSignatureId => {
                    let requester = &self.requester;
                    let (next, _) = message(&asked, &metrics, requester, signer, Some(&sig_id))?;
                    Some((next.topic, next.payload, next.request_id))
                }
                _ => None,
            };
            Ok((first, again))
        });
        let (first, again) = match made {
            Ok(made) => made,
            Err(error) => return self.tell(asker, Err(ControlError::Unmade(error.to_string()))),
        };
        log::info!(
            "{}/{}: -> {}",
            asked.account,
            asked.client_id,
            first.application_topic
        );
        let pending = Pending {
            deadline: Instant::now() + asked.within,
            asked,
            asker,
            request_id: first.request_id,
            again,
            reply: None,
            offered,
        };
        self.send_control(pending, &first.topic, first.payload);
    }

    fn send_control(&mut self, pending: Pending, topic: &str, payload: Vec<u8>) {
        let station = self.target.as_ref().unwrap_or(&self.provision);
        let sent = match station.is_open() {
            true => station.publish(topic, payload).map_err(|e| e.to_string()),
            false => Err("the account's broker does not run".to_owned()),
        };
        match sent {
            Ok(()) => self.pending.push(pending),
            Err(error) => self.finish(pending, Err(ControlError::Unsent(error))),
        }
    }

    fn offer(&self, asked: &ControlRequest) -> Result<(PackageOrder, (String, i64)), EngineError> {
        let what = || crate::pki::openssl_error("a random token");
        let token = random_id().map_err(what())?;
        let job_id = crate::flow::conversation::job_id()?;
        let package = asked.package.as_ref();
        let (name, version) = package.map_or(("", ""), |p| (p.name.as_str(), p.version.as_str()));
        let path = format!("/{token}/{name}/{version}");
        let order = PackageOrder {
            name: name.to_owned(),
            version: version.to_owned(),
            uri: format!("{}{path}", self.packages.url()),
            path: path.clone(),
            sha256: package.map(|p| p.sha256.clone()).unwrap_or_default(),
            size: package.map_or(0, |p| p.size),
            credentials: None,
        };
        if let Some(package) = package {
            self.packages.offer(
                &path,
                Offer {
                    file: package.file.clone(),
                    size: package.size,
                    sha256: package.sha256.clone(),
                    credentials: None,
                    fault: crate::behaviour::PackageFault::None,
                },
            );
        }
        Ok((order, (path, job_id)))
    }

    /// A reply, if it is to a control request. False: it is not.
    pub(super) fn control_reply(&mut self, request_id: &str, bytes: &[u8]) -> bool {
        let found = self.pending.iter().position(|p| p.request_id == request_id);
        let Some(at) = found else { return false };
        let mut pending = self.pending.swap_remove(at);
        let payload = match decode(bytes, &Limits::default()) {
            Ok(payload) => payload,
            Err(error) => {
                log::warn!(
                    "{}: a reply that cannot be read: {error}",
                    pending.asked.client_id
                );
                self.pending.push(pending);
                return true;
            }
        };
        let code = payload.int32(RESPONSE_CODE).unwrap_or(0);
        log::info!(
            "{}/{}: <- {code}",
            pending.asked.account,
            pending.asked.client_id
        );
        if let Some((topic, message, next_id)) = pending.again.take() {
            pending.request_id = next_id;
            pending.deadline = Instant::now() + pending.asked.within;
            self.send_control(pending, &topic, message);
            return true;
        }
        let reply = ControlReply {
            code,
            payload,
            notification: None,
        };
        if code == 200 && pending.asked.until_notified.is_some() {
            pending.reply = Some(reply);
            pending.request_id.clear();
            pending.deadline = Instant::now() + pending.asked.within;
            self.pending.push(pending);
        } else {
            self.finish(pending, Ok(reply));
        }
        true
    }

    /// A notification, if it is about a control request.
    pub(super) fn control_notified(&mut self, client_id: &str, resource: &str, bytes: &[u8]) {
        let Ok(payload) = decode(bytes, &Limits::default()) else {
            return;
        };
        let found = self.pending.iter().position(|p| {
            let job = p.offered.as_ref().map(|(_, job)| *job);
            p.asked.client_id == client_id
                && p.asked.until_notified.as_deref() == Some(resource)
                && (job.is_none() || payload.int64("job.id") == job)
        });
        let Some(at) = found else { return };
        let status = status(&payload, resource);
        log::info!(
            "{client_id}: {resource} {}",
            status.as_deref().unwrap_or("?")
        );
        let over = matches!(
            status.as_deref(),
            Some("COMPLETED" | "ALREADY DONE" | "FAILED" | "CANCELLED")
        );
        let mut pending = self.pending.swap_remove(at);
        pending.deadline = Instant::now() + pending.asked.within;
        match (over, pending.reply.take()) {
            (true, Some(mut reply)) => {
                reply.notification = Some(payload);
                self.finish(pending, Ok(reply));
            }
            (_, reply) => {
                pending.reply = reply;
                self.pending.push(pending);
            }
        }
    }

    /// Gives up what has waited long enough.
    pub(super) fn give_up_controls(&mut self, now: Instant) {
        while let Some(at) = self.pending.iter().position(|p| p.deadline <= now) {
            let pending = self.pending.swap_remove(at);
            let error = ControlError::Silent {
                client_id: pending.asked.client_id.clone(),
                within: pending.asked.within,
            };
            self.finish(pending, Err(error));
        }
    }

    fn finish(&mut self, pending: Pending, result: Result<ControlReply, ControlError>) {
        if let Some((path, _)) = &pending.offered {
            self.packages.withdraw(path);
        }
        self.tell(pending.asker, result);
    }

    fn tell(&mut self, asker: Asker, result: Result<ControlReply, ControlError>) {
        match asker {
            // Who does not wait any more needs no answer.
            Asker::Here(answer) => drop(answer.send(result)),
            Asker::Elsewhere(id) => {
                let noted = self.store.end_control(id, &result);
                report("a control request", noted.map_err(EngineError::from));
            }
        }
    }
}

fn status(payload: &Payload, resource: &str) -> Option<String> {
    payload
        .string(&format!("dp.{resource}.status"))
        .map(str::to_owned)
}

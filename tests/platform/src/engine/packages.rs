//! Packages: offered to a device for one attempt, and fetched by it.

use super::{Engine, EngineError};
use crate::behaviour::{PackageFault, Step};
use crate::flow::conversation::{Conversation, Phase};
use crate::flow::packages::PackageOrder;
use crate::flow::plan::Planned;
use crate::packages::Offer;
use crate::store::{JobState, ProvisionRequest};
use kura_formats::payload::{decode, Limits, Payload};
use kura_formats::request::PROV_ERROR_CODE;
use std::time::Instant;

/// What a notification says.
struct Notification<'a> {
    status: &'a str,
    progress: Option<i64>,
    message: Option<&'a str>,
    code: Option<&'a str>,
}

impl Notification<'_> {
    fn of(payload: &Payload) -> Option<(i64, Notification<'_>)> {
        let number = |name| {
            let short = payload.int32(name).map(i64::from);
            short.or_else(|| payload.int64(name))
        };
        let notification = Notification {
            status: payload.string("dp.download.status")?,
            progress: number("dp.download.progress"),
            message: payload.string("dp.download.error.message"),
            code: payload.string(PROV_ERROR_CODE),
        };
        Some((number("job.id")?, notification))
    }

    /// None: it goes on.
    fn outcome(&self) -> Option<Result<(), (String, String)>> {
        match self.status {
            "COMPLETED" | "ALREADY DONE" => Some(Ok(())),
            "FAILED" | "CANCELLED" => {
                let code = self.code.unwrap_or("package.failed").to_owned();
                let message = self.message.unwrap_or("the device gives no reason");
                Some(Err((code, message.to_owned())))
            }
            _ => None,
        }
    }
}

impl Engine {
    /// Offers the packages of a request, instead of what was offered before, and says how a device
    /// fetches them.
    pub(super) fn offer_packages(
        &self,
        request: &ProvisionRequest,
        fault: Option<&(usize, PackageFault)>,
    ) -> Result<Vec<PackageOrder>, EngineError> {
        let Some(access) = self.store.package_access(request.id)? else {
            return Ok(Vec::new());
        };
        let mut orders = Vec::new();
        for (number, package) in self.store.packages(request.id)?.into_iter().enumerate() {
            let path = format!("/{}/{}/{}", access.token, package.name, package.version);
            let fault = fault
                .filter(|(at, _)| *at == number)
                .map(|(_, fault)| fault.clone())
                .unwrap_or_default();
            self.packages.offer(
                &path,
                Offer {
                    file: package.file,
                    size: package.size,
                    sha256: package.sha256.clone(),
                    credentials: access.credentials.clone(),
                    fault,
                },
            );
            orders.push(PackageOrder {
                uri: format!("{}{path}", self.packages.url()),
                path,
                name: package.name,
                version: package.version,
                sha256: package.sha256,
                size: package.size,
                credentials: access.credentials.clone(),
            });
        }
        Ok(orders)
    }

    /// The attempt of a device is over, and with it what was on offer for it.
    pub(super) fn end_conversation(&mut self, client_id: &str) -> Option<Conversation> {
        let conversation = self.conversations.remove(client_id)?;
        for package in conversation.packages() {
            self.packages.withdraw(&package.path);
        }
        Some(conversation)
    }

    /// The device has said that it will fetch a package; it may have said how that ended, too.
    pub(super) fn fetching(
        &mut self,
        client_id: &str,
        planned: &Planned,
    ) -> Result<(), EngineError> {
        let within = self.settings.download_timeout;
        let Some(conversation) = self.conversations.get_mut(client_id) else {
            return Ok(());
        };
        conversation.phase = Phase::Fetching {
            planned: planned.clone(),
            deadline: Instant::now() + within,
        };
        self.fetched(client_id)
    }

    /// A notification about a download.
    pub(super) fn notified(&mut self, client_id: &str, bytes: &[u8]) -> Result<(), EngineError> {
        let payload = match decode(bytes, &Limits::default()) {
            Ok(payload) => payload,
            Err(error) => {
                log::warn!("{client_id}: a notification that cannot be read: {error}");
                return Ok(());
            }
        };
        let Some((job_id, said)) = Notification::of(&payload) else {
            log::warn!("{client_id}: a notification without job.id or dp.download.status");
            return Ok(());
        };
        let within = self.settings.download_timeout;
        let asked = self.conversations.get_mut(client_id).and_then(|c| {
            if let Phase::Fetching { deadline, .. } = &mut c.phase {
                *deadline = Instant::now() + within;
            }
            c.asked.as_mut().filter(|asked| asked.job_id == job_id)
        });
        let Some(asked) = asked else {
            log::debug!("{client_id}: a notification of job {job_id}, which nobody waits for");
            return Ok(());
        };
        asked.outcome = said.outcome();
        let percent = said.progress.unwrap_or_default();
        log::info!("{client_id}: download {}, {percent} %", said.status);
        self.store
            .note_progress(job_id, said.status, said.progress, said.message)?;
        self.fetched(client_id)
    }

    /// Goes on if the download that is waited for is over.
    fn fetched(&mut self, client_id: &str) -> Result<(), EngineError> {
        let Some(conversation) = self.conversations.get_mut(client_id) else {
            return Ok(());
        };
        let Phase::Fetching { planned, .. } = conversation.phase.clone() else {
            return Ok(());
        };
        let outcome = conversation.asked.as_mut().and_then(|a| a.outcome.take());
        match outcome {
            None => Ok(()),
            Some(Err((code, message))) => self.give_up(client_id, code, message),
            Some(Ok(())) => {
                conversation.accepted(&planned)?;
                let (job, left) = (conversation.job, conversation.packages_left());
                if !planned.out_of_order && !left {
                    self.store.set_state(job, JobState::AppsInstalled)?;
                }
                self.go_on(client_id)
            }
        }
    }

    /// What is to be in the database before a download is asked for.
    pub(super) fn note_package(
        &mut self,
        client_id: &str,
        planned: &Planned,
    ) -> Result<(), EngineError> {
        let Step::Package(number) = planned.step else {
            return Ok(());
        };
        let Some(conversation) = self.conversations.get(client_id) else {
            return Ok(());
        };
        let (job, attempt) = (conversation.job, conversation.attempt);
        if let Some((order, asked)) = conversation
            .package(number)
            .zip(conversation.asked.as_ref())
        {
            let (name, version) = (order.name.clone(), order.version.clone());
            self.store
                .note_download(attempt, asked.job_id, &name, &version)?;
        }
        if number == 0 && !planned.out_of_order {
            self.store.set_state(job, JobState::AppsInstalling)?;
        }
        Ok(())
    }
}

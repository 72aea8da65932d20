//! `DEPLOY-V2`, as Kura's `CloudDeploymentHandlerV2` knows it.
//!
//! | request | answer |
//! |---|---|
//! | `GET packages`, `GET bundles` | XML: the installed packages, the plugins |
//! | `EXEC download` | 200 once it has begun; then notifications, and the installation unless `dp.install` is false |
//! | `GET download`, `DEL download` | how the latest one stands; ends it |
//! | `EXEC install` | installs what was downloaded last with `dp.install` false |
//! | `GET install` | how the latest one stands |
//! | `EXEC uninstall` | removes a package |
//!
//! One of these at a time over a connection; another is 409 meanwhile. What is downloaded is the
//! connection's own ([`shelf`]), and is recognised by its hash once more before it is installed. Narrower than Kura's: the hash of the file is
//! mandatory, SHA-256 or better, and a system update or a reboot is refused. There is no `start` and
//! `stop`: a plugin is there or it is not. The file is read by [`crate::packages`], over the link of
//! `file-download`, which trusts the SSLKeystore for `https://`.

mod job;
mod lists;
mod notice;
mod order;
mod shelf;

use std::sync::Arc;

use kura_formats::topic::Method;

use self::job::{Job, Kind, Work};
use self::notice::{Board, Notifier};
use self::shelf::Shelf;
use super::refusal::Refusal;
use super::reply::{Answer, Outcome, Outgoing};
use super::request::Request;
use super::Address;
use crate::cloud::{session, Deployment, Surroundings};

/// Its name in topics.
pub(super) const APP: &str = "DEPLOY-V2";

/// Publishes a notification; true: also later, if there is no session.
pub(in super::super) type Notify = Arc<dyn Fn(Outgoing, bool) + Send + Sync>;

/// Removes what a connection had downloaded.
pub(super) fn forget(deployment: &Deployment, connection: &str) -> std::io::Result<()> {
    Shelf::of(&deployment.downloads, connection).clear()
}

/// Of one connection. Dropping it ends what is going on: a download at once, an installation when
/// it is done.
pub(super) struct Deploy {
    surroundings: Arc<Surroundings>,
    /// Of the CloudService.
    connection: String,
    notify: Notify,
    board: Arc<Board>,
    job: Option<Job>,
}

impl Deploy {
    /// For the connection of that CloudService.
    pub(super) fn new(surroundings: Arc<Surroundings>, connection: &str, notify: Notify) -> Deploy {
        Deploy {
            surroundings,
            connection: connection.to_owned(),
            notify,
            board: Arc::default(),
            job: None,
        }
    }

    /// Answers a request that was verified.
    pub(super) fn answer(&mut self, address: &Address, request: &Request) -> Outcome {
        let Some(deployment) = self.surroundings.deployment.clone() else {
            return Err(Refusal::absent("this gateway installs no packages"));
        };
        match (request.method(), request.resources().as_slice()) {
            (Method::Get, ["packages"]) => Ok(Answer::with_body(lists::packages(
                &deployment.packages.list(),
            ))),
            (Method::Get, ["bundles"]) => {
                let plugins = self.surroundings.components();
                let plugins = plugins.map(|all| all.plugins()).unwrap_or_default();
                Ok(Answer::with_body(lists::bundles(&plugins)))
            }
            (Method::Get, ["download"]) => Ok(self.board.answer(Kind::Download)),
            (Method::Get, ["install"]) => Ok(self.board.answer(Kind::Install)),
            (Method::Del, ["download"]) => self.cancel(),
            (Method::Exec, ["download"]) => {
                let order = Box::new(order::download(&request.payload)?);
                let tls = session::trust(&self.surroundings)
                    .map_err(|e| Refusal::failed("storage.unwritable", e.to_string()))?;
                let shelf = self.shelf(&deployment);
                self.begin(
                    address,
                    request,
                    deployment,
                    Work::Download { order, tls, shelf },
                )
            }
            (Method::Exec, ["install"]) => {
                let order = order::install(&request.payload)?;
                let shelf = self.shelf(&deployment);
                if !self.is_busy() && !shelf.is_filled() {
                    return Err(Refusal::absent(format!(
                        "nothing was downloaded to be installed as {} {}",
                        order.name, order.version
                    )));
                }
                self.begin(address, request, deployment, Work::Install { order, shelf })
            }
            (Method::Exec, ["uninstall"]) => {
                let order = order::uninstall(&request.payload)?;
                let known = |name: &str| deployment.packages.list().iter().any(|p| p.name == name);
                if !known(&order.name) {
                    return Err(Refusal::absent(format!(
                        "there is no package {:?}",
                        order.name
                    )));
                }
                self.begin(address, request, deployment, Work::Uninstall { order })
            }
            _ => Err(Refusal::absent(format!(
                "{APP} has no {}",
                request.application_topic
            ))),
        }
    }

    /// The order that was taken begins, now that its reply is on its way.
    pub(super) fn go_on(&mut self) {
        if let Some(job) = &mut self.job {
            job.go_on();
        }
    }

    fn shelf(&self, deployment: &Deployment) -> Shelf {
        Shelf::of(&deployment.downloads, &self.connection)
    }

    fn is_busy(&self) -> bool {
        self.job.as_ref().is_some_and(Job::is_running)
    }

    fn begin(
        &mut self,
        address: &Address,
        request: &Request,
        deployment: Deployment,
        work: Work,
    ) -> Outcome {
        if let Some(running) = self.job.as_ref().filter(|job| job.is_running()) {
            return Err(Refusal::conflict(format!(
                "{} is being worked on; only one at a time",
                running.what
            )));
        }
        let notifier = Notifier {
            address: address.clone(),
            requester: request.ids.requester.clone(),
            notify: Arc::clone(&self.notify),
            board: Arc::clone(&self.board),
            ended: Arc::default(),
        };
        let job = Job::start(work, deployment.packages, notifier)
            .map_err(|e| Refusal::failed("package.failed", format!("no thread for it: {e}")))?;
        self.job = Some(job);
        Ok(Answer::done())
    }

    fn cancel(&mut self) -> Outcome {
        match self.job.as_ref().filter(|job| job.is_download()) {
            Some(job) => {
                job.cancel();
                Ok(Answer::done())
            }
            None => Err(Refusal::absent("nothing is being downloaded")),
        }
    }
}

//! Who is let in: a device at the provision broker while its request is active, and at the target
//! broker from its first attempt on.

use super::{report, Engine, EngineError};
use crate::behaviour::Rejection;
use crate::broker::dynsec::{Access, Client};
use crate::clock::{self, Millis};
use crate::flow::conversation::Phase;
use crate::settings::Admission;
use crate::store::{JobState, ProvisionRequest, Window};

impl Engine {
    /// Brings both brokers in line with the database and the time.
    pub(super) fn bring_in_line(&mut self) -> Result<(), EngineError> {
        let now = clock::now();
        let requests = self.store.requests()?;
        self.reject_inactive(&requests, now);
        let mut at_provision = Vec::new();
        let mut at_target = Vec::new();
        for request in &requests {
            if self.may_provision(request, now) {
                at_provision.push(Client {
                    client_id: request.client_id.clone(),
                    username: request.username.clone(),
                    password: request.password.clone(),
                    access: Access::Provisioning {
                        account: self.settings.account.clone(),
                    },
                });
            }
            if self.may_use_target(request)? {
                at_target.push(Client {
                    client_id: request.target.client_id.clone(),
                    username: request.target.username.clone(),
                    password: request.target.password.clone(),
                    access: Access::Device {
                        account: request.target.account.clone(),
                    },
                });
            }
        }
        let both = match &mut self.target {
            Some(target) => {
                let target = target.admit_only(&at_target);
                self.provision.admit_only(&at_provision).and(target)
            }
            None => {
                at_provision.append(&mut at_target);
                self.provision.admit_only(&at_provision)
            }
        };
        self.boundary = next_boundary(&requests, now);
        self.stale = both.is_err();
        self.changes.announce();
        both
    }

    fn may_provision(&self, request: &ProvisionRequest, now: Millis) -> bool {
        match self.settings.admission {
            Admission::ByTrigger => true,
            // A device that is being told why not is not cut off before it has heard.
            Admission::WhileActive => {
                self.is_being_rejected(request)
                    || (request.enabled && request.window(now) == Window::Active)
                    || self.is_committing(request)
            }
        }
    }

    fn is_being_rejected(&self, request: &ProvisionRequest) -> bool {
        let conversation = self.conversations.get(&request.client_id);
        conversation.is_some_and(|c| matches!(c.phase, Phase::Rejected { .. }))
    }

    fn is_committing(&self, request: &ProvisionRequest) -> bool {
        self.conversations
            .get(&request.client_id)
            .is_some_and(|c| c.commit_sent)
    }

    fn may_use_target(&self, request: &ProvisionRequest) -> Result<bool, EngineError> {
        let jobs = self.store.jobs(request.id)?;
        let completed = jobs.iter().any(|j| j.state == JobState::Completed);
        let committing = jobs.iter().any(|j| j.commit_sent);
        let begun = jobs.iter().any(|j| j.transaction_id.is_some());
        Ok(completed || committing || (begun && request.enabled))
    }

    /// Attempts whose request has just expired, or was changed, get to know.
    fn reject_inactive(&mut self, requests: &[ProvisionRequest], now: Millis) {
        for request in requests {
            let running = self
                .conversations
                .get(&request.client_id)
                .is_some_and(|c| !c.commit_sent && !matches!(c.phase, Phase::Rejected { .. }));
            let refusal = refusal(request, now).filter(|_| running);
            if let Some(rejection) = refusal {
                let result = self.reject(&request.client_id, &rejection);
                report(&format!("the device {}", request.client_id), result);
            }
        }
    }
}

/// Why a request cannot be used at this time, if so.
pub(super) fn refusal(request: &ProvisionRequest, now: Millis) -> Option<Rejection> {
    let rejection = |code: &str, message: String| {
        Some(Rejection {
            code: code.to_owned(),
            message,
            retry_after: None,
        })
    };
    match request.window(now) {
        Window::Active => None,
        Window::Expired => {
            let time = request.expires_on.map(clock::text).unwrap_or_default();
            rejection(
                "request.expired",
                format!("the provision request expired on {time}"),
            )
        }
        Window::NotActive => {
            let time = request.activates_on.map(clock::text).unwrap_or_default();
            let message = format!("the provision request is not active before {time}");
            let wait = request.activates_on.map(|t| clock::until(t).as_secs() + 1);
            let retry_after = wait.map(|s| i32::try_from(s.min(86_400)).unwrap_or(86_400));
            let code = "request.not-active".to_owned();
            Some(Rejection {
                code,
                message,
                retry_after,
            })
        }
    }
}

fn next_boundary(requests: &[ProvisionRequest], now: Millis) -> Option<Millis> {
    let times = requests.iter().flat_map(|r| [r.activates_on, r.expires_on]);
    times.flatten().filter(|time| *time > now).min()
}

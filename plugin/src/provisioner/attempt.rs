//! One attempt: from the link to the proof. How it ends is in `endings`.

use super::conversation::{Conversation, Decision};
use super::inputs::{Ready, SessionEvent};
use super::lifecycle::fingerprint;
use super::outputs::{Output, Plan};
use super::steps::Step;
use super::{Attempt, Phase, Provisioner, State};
use crate::diagnosis::Fault;

impl Provisioner {
    pub(super) fn begin(&mut self, ready: Ready) {
        let Some(settings) = self
            .parsed
            .as_ref()
            .and_then(|parsed| parsed.result.as_ref().ok())
            .cloned()
        else {
            return;
        };
        self.jitter_per_mille = ready.jitter_per_mille.min(250);
        if self.memory.transaction.is_none() {
            self.memory.transaction = Some(ready.transaction.clone());
            self.memory.identity = Some(ready.identity.clone());
            self.memory.parameters = Some(fingerprint(&settings, &ready.transaction));
            self.memory.attempts = 0;
        }
        let identity = self
            .memory
            .identity
            .get_or_insert_with(|| ready.identity.clone())
            .clone();
        let transaction = self.memory.transaction.clone().unwrap_or_default();
        let reprovisioning = ready.has_signers || self.memory.provisioned_before;
        let plan = Plan {
            settings: settings.clone(),
            identity: identity.clone(),
            transaction: transaction.clone(),
            nonce: ready.nonce,
            reprovisioning,
        };
        let conversation = Conversation::new(
            &settings.account_name,
            &identity.client_id,
            &transaction,
            ready.nonce,
            reprovisioning,
            ready.installs_packages,
        );
        self.steps.run(Step::Connect, self.now.wall_ms);
        self.steps
            .detail(Step::Connect, settings.broker.to_string());
        self.enter(State::Attempt(Box::new(Attempt {
            counted: false,
            deadline: self.now.mono + settings.timeout,
            phase: Phase::Connecting,
            waiting_for: "the broker's address",
            linked: false,
            conversation,
            commit: None,
        })));
        self.push(Output::Connect(Box::new(plan)));
    }

    pub(super) fn session(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Waiting(what) => {
                if let State::Attempt(attempt) = &mut self.state {
                    attempt.waiting_for = what;
                }
            }
            SessionEvent::Opening => self.count(),
            SessionEvent::Ready => {
                if let State::Attempt(attempt) = &mut self.state {
                    attempt.phase = Phase::Receiving;
                    attempt.linked = true;
                    attempt.waiting_for = "the platform's answer";
                    self.steps.run(Step::Certificates, self.now.wall_ms);
                    self.revision += 1;
                }
            }
            SessionEvent::Message {
                topic,
                payload,
                retained,
            } => self.converse(|c, wall| c.message(&topic, payload, retained, wall)),
            SessionEvent::Flushed => {
                self.hang_up();
            }
            SessionEvent::Failed(fault) => self.link_failed(fault),
        }
    }

    pub(super) fn count(&mut self) {
        let State::Attempt(attempt) = &mut self.state else {
            return;
        };
        if std::mem::replace(&mut attempt.counted, true) {
            return;
        }
        self.memory.attempts = self.memory.attempts.saturating_add(1);
        self.revision += 1;
        let n = self.memory.attempts;
        let (Some(transaction), Some(identity), Some(parameters)) = (
            self.memory.transaction.clone(),
            self.memory.identity.clone(),
            self.memory.parameters.clone(),
        ) else {
            return;
        };
        self.push(Output::Count {
            n,
            transaction,
            identity,
            parameters,
        });
    }

    pub(super) fn link_failed(&mut self, fault: Fault) {
        match &mut self.state {
            State::Attempt(attempt) => {
                attempt.linked = false;
                // Once the plan is being carried out the link is not needed (rulings 1).
                if matches!(attempt.phase, Phase::Connecting | Phase::Receiving) {
                    self.fail(fault);
                }
            }
            State::RollingBack { linked, .. } => *linked = false,
            State::Completing { linked, .. } => {
                *linked = false;
                self.hang_up();
            }
            _ => {}
        }
    }

    /// The reply to commit is acknowledged, or will not be: the link is not needed any more.
    pub(super) fn hang_up(&mut self) {
        let State::Completing {
            replied, redone, ..
        } = &mut self.state
        else {
            return;
        };
        if replied.take().is_none() {
            return;
        }
        let redone = *redone;
        self.push(Output::Disconnect);
        if redone {
            self.push(Output::Finish);
        }
    }

    pub(super) fn converse(&mut self, step: impl FnOnce(&mut Conversation, i64) -> Vec<Decision>) {
        let wall = self.now.wall_ms;
        let State::Attempt(attempt) = &mut self.state else {
            return;
        };
        let decisions = step(&mut attempt.conversation, wall);
        for decision in decisions {
            self.decide(decision);
        }
    }

    pub(super) fn decide(&mut self, decision: Decision) {
        let wall = self.now.wall_ms;
        match decision {
            Decision::Do(output) => self.push(output),
            Decision::Step(step, detail) => {
                self.steps.run(step, wall);
                self.steps.detail(step, detail);
                self.revision += 1;
            }
            Decision::Packages(packages) => {
                self.packages = packages;
                self.revision += 1;
            }
            Decision::Commit(reply) => {
                let State::Attempt(attempt) = &mut self.state else {
                    return;
                };
                let manifest = reply.manifest().to_owned();
                attempt.commit = Some(reply);
                attempt.phase = Phase::Sealing;
                self.steps.run(Step::Seal, wall);
                self.revision += 1;
                self.push(Output::Seal { manifest });
            }
            Decision::End(fault) => self.fail(fault),
        }
    }

    pub(super) fn sealed(&mut self, result: Result<(), Fault>) {
        self.advance(result, Phase::Sealing, |this| {
            this.set_phase(Phase::Applying, Step::Apply);
            this.push(Output::ApplyNext);
        });
    }

    pub(super) fn applied(&mut self, result: Result<bool, Fault>) {
        let (result, all) = match result {
            Ok(all) => (Ok(()), all),
            Err(fault) => (Err(fault), false),
        };
        let now = self.now.mono;
        self.advance(result, Phase::Applying, |this| {
            if !all {
                return this.push(Output::ApplyNext);
            }
            let State::Attempt(attempt) = &mut this.state else {
                return;
            };
            attempt.waiting_for = "the address of the account's broker";
            let within = attempt.deadline.saturating_sub(now);
            this.set_phase(Phase::Proving, Step::Prove);
            this.push(Output::Prove { within });
        });
    }

    pub(super) fn proved(&mut self, result: Result<(), Fault>) {
        self.advance(result, Phase::Proving, |this| {
            this.set_phase(Phase::Committing, Step::Commit);
            this.push(Output::Commit);
        });
    }

    pub(super) fn committed(&mut self, result: Result<(), Fault>) {
        let State::Attempt(attempt) = &mut self.state else {
            return;
        };
        if let Err(fault) = result {
            attempt.phase = Phase::Applying;
            return self.fail(fault);
        }
        let (reply, linked) = (attempt.commit.take(), attempt.linked);
        self.complete(reply, linked);
    }

    /// Goes on if the attempt is in `phase` and went well; a late result counts for nothing.
    pub(super) fn advance(
        &mut self,
        result: Result<(), Fault>,
        phase: Phase,
        then: impl FnOnce(&mut Self),
    ) {
        if !matches!(&self.state, State::Attempt(attempt) if attempt.phase == phase) {
            return;
        }
        match result {
            Ok(()) => then(self),
            Err(fault) => self.fail(fault),
        }
    }

    pub(super) fn set_phase(&mut self, phase: Phase, step: Step) {
        if let State::Attempt(attempt) = &mut self.state {
            attempt.phase = phase;
        }
        self.steps.run(step, self.now.wall_ms);
        self.since_ms = self.now.wall_ms;
        self.revision += 1;
    }
}

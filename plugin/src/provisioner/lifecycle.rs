//! From activation to idle: attempts, pauses, going back, going forward.

use std::time::Duration;

use super::conversation::{Conversation, Decision, ReplyTo};
use super::inputs::{Action, Input, Now, Ready, Recovered, Refused, SessionEvent};
use super::outputs::{Output, Plan};
use super::steps::Step;
use super::{Attempt, Idle, Phase, Provisioner, State, Then};
use crate::diagnosis::{Code, Fault, RetryPolicy};
use crate::settings::{Parsed, Problem, Settings};

/// How often an implausible clock is looked at.
const CLOCK_POLL: Duration = Duration::from_secs(1);
/// How long the acknowledgement of the reply to commit is awaited (rulings 1).
const REPLY_WAIT: Duration = Duration::from_secs(5);

impl Provisioner {
    /// Takes one input at `now`. Poll the outputs afterwards.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.now = now;
        match input {
            Input::Configured(parsed) => self.delivered(*parsed),
            Input::ReadBack(Ok(parsed)) => self.configured(*parsed),
            Input::ReadBack(Err(fault)) => self.remember(fault),
            Input::Recovered(result) => self.recovered(result),
            Input::Preflight(result) => self.preflighted(result),
            Input::Trouble(fault) => self.trouble(fault),
            Input::Session(event) => self.session(event),
            Input::Verified(result) => self.converse(|c, _| c.verified(result)),
            Input::ChainChecked(result) => self.converse(|c, _| c.chain_checked(result)),
            Input::Staged(result) => self.converse(|c, _| c.staged(result)),
            Input::Body(result) => self.converse(|c, wall| c.body(result, wall)),
            Input::Sealed(result) => self.sealed(result),
            Input::Applied(result) => self.applied(result),
            Input::Proved(result) => self.proved(result),
            Input::Committed(result) => self.committed(result),
            Input::Completed(result) => self.completed(result),
            Input::Undone(result) => self.undone(result),
            Input::Finished(result) => self.finished(result),
            Input::Disabled(result) => self.disabled(result),
            Input::SystemChanged => self.look_again(false),
            Input::Timeout => self.timed_out(),
        }
    }

    /// Does what a person asks for, or says why that makes no sense now.
    pub fn act(&mut self, now: Now, action: Action) -> Result<(), Refused> {
        self.now = now;
        match action {
            Action::RetryNow => match &self.state {
                State::Pause(_) | State::Blocked(_) | State::Stuck => {
                    self.look_again(true);
                    Ok(())
                }
                State::Idle(_) => {
                    refuse("nothing is being retried: the provisioning is not running")
                }
                _ => refuse("an attempt is running already"),
            },
            Action::Cancel => match &self.state {
                State::Attempt(attempt) if attempt.phase != Phase::Committing => {
                    self.abort(Then::Disable);
                    Ok(())
                }
                State::Preflight | State::Pause(_) | State::Blocked(_) | State::Stuck => {
                    self.disable(Idle::Disabled);
                    Ok(())
                }
                State::Attempt(_) | State::Completing { .. } => {
                    refuse("the new account is proved already: there is no way back")
                }
                _ => refuse("no provisioning is running"),
            },
            Action::Reprovision => match &self.state {
                State::Idle(_) => {
                    self.push(Output::Reenable);
                    Ok(())
                }
                _ => refuse("a provisioning is running already"),
            },
        }
    }

    /// A configuration from the host. What was delivered before our own writing arrived there is
    /// old: then what counts is what the host holds now.
    fn delivered(&mut self, parsed: Parsed) {
        match self.written {
            Some(written) if written != (parsed.enabled, parsed.provisioned) => {
                self.written = None;
                self.push(Output::ReadBack);
            }
            _ => {
                self.written = None;
                self.configured(parsed);
            }
        }
    }

    /// We wrote the two through the host and read them back: from now on they are so.
    fn wrote(&mut self, enabled: bool, provisioned: bool) {
        let Some(parsed) = &mut self.parsed else {
            return;
        };
        if (parsed.enabled, parsed.provisioned) != (enabled, provisioned) {
            parsed.enabled = enabled;
            parsed.provisioned = provisioned;
            self.written = Some((enabled, provisioned));
        }
    }

    fn configured(&mut self, parsed: Parsed) {
        if self.parsed.as_ref() == Some(&parsed) {
            return;
        }
        let before = self.parsed.replace(parsed);
        self.revision += 1;
        match &self.state {
            State::New => {
                self.enter(State::Recovering(None));
                self.push(Output::Recover);
            }
            State::Recovering(_) | State::RollingBack { .. } | State::Completing { .. } => {}
            State::Idle(idle) => {
                let gave_up = *idle == Idle::GaveUp;
                let enabled = self.parsed.as_ref().is_some_and(|p| p.enabled);
                if !gave_up || enabled {
                    self.evaluate();
                }
            }
            State::Disabling { .. } => {}
            State::Attempt(attempt) => {
                if attempt.phase == Phase::Committing {
                    return;
                }
                if self.restarts(before.as_ref()) {
                    self.abort(Then::Restart);
                }
            }
            State::Pause(_) => {
                if self.restarts(before.as_ref()) {
                    self.restart();
                }
            }
            State::Preflight | State::Blocked(_) | State::Stuck => {
                if self.restarts(before.as_ref()) {
                    self.restart();
                } else {
                    self.evaluate();
                }
            }
        }
    }

    /// Whether the new parameters end what runs with the ones before.
    fn restarts(&self, before: Option<&Parsed>) -> bool {
        let running = |parsed: &Parsed| match &parsed.result {
            Ok(settings) if parsed.enabled && !parsed.provisioned => Some(settings.restart_key()),
            _ => None,
        };
        match (
            before.and_then(running),
            self.parsed.as_ref().and_then(running),
        ) {
            (Some(before), Some(after)) => before != after,
            _ => true,
        }
    }

    fn restart(&mut self) {
        self.forget_transaction();
        self.evaluate();
    }

    fn forget_transaction(&mut self) {
        if self.memory.transaction.is_some() {
            self.push(Output::Abandon);
        }
        self.memory.abandon();
        self.fault = None;
    }

    /// Decides by the parameters alone; see `parameters.md`, "When it runs".
    fn evaluate(&mut self) {
        let Some(parsed) = self.parsed.as_ref() else {
            return;
        };
        if parsed.provisioned {
            return self.enter(State::Idle(Idle::Provisioned));
        }
        if !parsed.enabled {
            self.forget_transaction();
            return self.enter(State::Idle(Idle::Disabled));
        }
        let settings = match &parsed.result {
            Ok(settings) => settings.clone(),
            Err(problems) => {
                let fault = Problem::fault(problems);
                self.remember(fault);
                return self.enter(State::Idle(Idle::Invalid));
            }
        };
        if let Some(transaction) = &self.memory.transaction {
            if self.memory.parameters.as_deref() != Some(&fingerprint(&settings, transaction)) {
                self.forget_transaction();
            }
        }
        if self.used_up(&settings) {
            return self.disable(Idle::GaveUp);
        }
        if matches!(self.state, State::Idle(_)) {
            self.fault = None;
        }
        self.steps.reset();
        self.steps.run(Step::Preflight, self.now.wall_ms);
        self.enter(State::Preflight);
        self.push(Output::Preflight);
    }

    fn used_up(&self, settings: &Settings) -> bool {
        self.memory.transaction.is_some()
            && settings
                .max_attempts
                .is_some_and(|max| self.memory.attempts >= max)
    }

    fn recovered(&mut self, result: Result<Recovered, Fault>) {
        match result {
            Ok(recovered) => {
                self.memory = recovered.memory;
                if recovered.committed {
                    self.steps.reset();
                    self.steps.run(Step::Commit, self.now.wall_ms);
                    self.complete(None, false);
                } else {
                    self.evaluate();
                }
            }
            Err(fault) => {
                self.remember(fault);
                let at = self.now.mono + self.retry_interval();
                self.enter(State::Recovering(Some(at)));
            }
        }
    }

    fn preflighted(&mut self, result: Result<Box<Ready>, Fault>) {
        if !matches!(self.state, State::Preflight) {
            return;
        }
        match result {
            Ok(ready) => self.begin(*ready),
            Err(fault) => {
                self.steps.end(true, self.now.wall_ms);
                let clock = fault.code == Code::ClockImplausible;
                self.remember(fault);
                let pause = if clock {
                    CLOCK_POLL
                } else {
                    self.retry_interval()
                };
                self.enter(State::Blocked(self.now.mono + pause));
            }
        }
    }

    fn begin(&mut self, ready: Ready) {
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

    fn session(&mut self, event: SessionEvent) {
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
            } => self.converse(|c, wall| c.message(&topic, &payload, retained, wall)),
            SessionEvent::Flushed => {
                self.hang_up();
            }
            SessionEvent::Failed(fault) => self.link_failed(fault),
        }
    }

    fn count(&mut self) {
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

    fn link_failed(&mut self, fault: Fault) {
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
    fn hang_up(&mut self) {
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

    fn converse(&mut self, step: impl FnOnce(&mut Conversation, i64) -> Vec<Decision>) {
        let wall = self.now.wall_ms;
        let State::Attempt(attempt) = &mut self.state else {
            return;
        };
        let decisions = step(&mut attempt.conversation, wall);
        for decision in decisions {
            self.decide(decision);
        }
    }

    fn decide(&mut self, decision: Decision) {
        let wall = self.now.wall_ms;
        match decision {
            Decision::Do(output) => self.push(output),
            Decision::Step(step, detail) => {
                self.steps.run(step, wall);
                self.steps.detail(step, detail);
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

    fn sealed(&mut self, result: Result<(), Fault>) {
        self.advance(result, Phase::Sealing, |this| {
            this.set_phase(Phase::Applying, Step::Apply);
            this.push(Output::ApplyNext);
        });
    }

    fn applied(&mut self, result: Result<bool, Fault>) {
        let (result, all) = match result {
            Ok(all) => (Ok(()), all),
            Err(fault) => (Err(fault), false),
        };
        let now = self.now.mono;
        self.advance(result, Phase::Applying, |this| {
            if !all {
                return this.push(Output::ApplyNext);
            }
            let within = match &this.state {
                State::Attempt(attempt) => attempt.deadline.saturating_sub(now),
                _ => return,
            };
            this.set_phase(Phase::Proving, Step::Prove);
            this.push(Output::Prove { within });
        });
    }

    fn proved(&mut self, result: Result<(), Fault>) {
        self.advance(result, Phase::Proving, |this| {
            this.set_phase(Phase::Committing, Step::Commit);
            this.push(Output::Commit);
        });
    }

    fn committed(&mut self, result: Result<(), Fault>) {
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
    fn advance(&mut self, result: Result<(), Fault>, phase: Phase, then: impl FnOnce(&mut Self)) {
        if !matches!(&self.state, State::Attempt(attempt) if attempt.phase == phase) {
            return;
        }
        match result {
            Ok(()) => then(self),
            Err(fault) => self.fail(fault),
        }
    }

    fn set_phase(&mut self, phase: Phase, step: Step) {
        if let State::Attempt(attempt) = &mut self.state {
            attempt.phase = phase;
        }
        self.steps.run(step, self.now.wall_ms);
        self.since_ms = self.now.wall_ms;
        self.revision += 1;
    }

    fn complete(&mut self, reply: Option<ReplyTo>, linked: bool) {
        self.enter(State::Completing {
            retry: None,
            reply,
            replied: None,
            redone: false,
            linked,
        });
        self.push(Output::Complete);
    }

    fn completed(&mut self, result: Result<(), Fault>) {
        let (now, wall, interval) = (self.now.mono, self.now.wall_ms, self.retry_interval());
        let State::Completing {
            retry,
            reply,
            replied,
            redone,
            linked,
        } = &mut self.state
        else {
            return;
        };
        let mut outputs = Vec::new();
        // The commit stands whatever happens next, and the platform hears so once.
        if let (Some(reply), true) = (reply.take(), *linked) {
            outputs.extend(reply.ok(wall));
            *replied = Some(now + REPLY_WAIT);
        }
        match result {
            Ok(()) => {
                *redone = true;
                *retry = None;
                if replied.is_none() {
                    outputs.push(Output::Disconnect);
                    outputs.push(Output::Finish);
                }
            }
            Err(fault) => {
                *retry = Some(now + interval);
                self.remember(fault);
            }
        }
        self.outputs.extend(outputs);
    }

    fn finished(&mut self, result: Result<(), Fault>) {
        let again = self.now.mono + self.retry_interval();
        let State::Completing { retry, redone, .. } = &mut self.state else {
            return;
        };
        if !*redone {
            return;
        }
        match result {
            Ok(()) => {
                self.fault = None;
                self.memory.succeed();
                self.wrote(false, true);
                self.steps.end(false, self.now.wall_ms);
                self.push(Output::Report { fault: None });
                self.evaluate();
            }
            Err(fault) => {
                *retry = Some(again);
                self.remember(fault);
            }
        }
    }

    /// The attempt ends with `fault`.
    fn fail(&mut self, fault: Fault) {
        self.steps.end(true, self.now.wall_ms);
        self.push(Output::Report {
            fault: Some(fault.clone()),
        });
        self.remember(fault.clone());
        let reply = match &mut self.state {
            State::Attempt(attempt) => attempt.commit.take().map(|to| (to, fault.clone())),
            _ => None,
        };
        self.roll_back(Then::Settle(fault), reply);
    }

    /// The attempt ends because someone wants it so.
    fn abort(&mut self, then: Then) {
        self.steps.end(true, self.now.wall_ms);
        self.roll_back(then, None);
    }

    fn roll_back(&mut self, then: Then, reply: Option<(ReplyTo, Fault)>) {
        let linked = matches!(&self.state, State::Attempt(attempt) if attempt.linked);
        if reply.is_none() {
            self.push(Output::Disconnect);
        }
        self.enter(State::RollingBack {
            then,
            retry: None,
            linked: linked && reply.is_some(),
            reply,
        });
        self.push(Output::Undo);
    }

    fn undone(&mut self, result: Result<(), Fault>) {
        let interval = self.retry_interval();
        let State::RollingBack {
            then,
            retry,
            reply,
            linked,
        } = &mut self.state
        else {
            return;
        };
        if let Err(fault) = result {
            *retry = Some(self.now.mono + interval);
            return self.remember(fault);
        }
        let then = then.clone();
        if let Some((to, fault)) = reply.take() {
            if *linked {
                self.outputs.extend(to.error(&fault, self.now.wall_ms));
            }
            self.outputs.push_back(Output::Disconnect);
        }
        match then {
            Then::Restart => self.restart(),
            Then::Settle(fault) => self.settle(fault),
            Then::Disable => self.disable(Idle::Disabled),
        }
    }

    /// Everything is as before; what comes after `fault`?
    fn settle(&mut self, fault: Fault) {
        let parsed = self.parsed.as_ref();
        let Some(settings) = parsed
            .filter(|parsed| parsed.enabled && !parsed.provisioned)
            .and_then(|parsed| parsed.result.as_ref().ok())
            .cloned()
        else {
            return self.evaluate();
        };
        if let (Some(transaction), Some(parameters)) =
            (&self.memory.transaction, &self.memory.parameters)
        {
            // The parameters changed while everything was taken back.
            if *parameters != fingerprint(&settings, transaction) {
                return self.restart();
            }
        }
        if self.used_up(&settings) {
            return self.disable(Idle::GaveUp);
        }
        // The disk is looked at before each attempt, so that one begins when it has recovered.
        let disk = matches!(fault.code, Code::StorageFull | Code::StorageUnwritable);
        if fault.code.retry() == RetryPolicy::WaitForChange && !disk {
            return self.enter(State::Stuck);
        }
        let jitter = settings.retry_interval * self.jitter_per_mille / 1000;
        let own = settings.retry_interval + jitter;
        let asked = Duration::from_secs(u64::from(fault.retry_after.unwrap_or(0)));
        self.enter(State::Pause(self.now.mono + own.max(asked)));
    }

    fn disable(&mut self, then: Idle) {
        if then == Idle::GaveUp {
            self.revision += 1;
        }
        self.enter(State::Disabling { then, retry: None });
        self.push(Output::Disable);
    }

    fn disabled(&mut self, result: Result<(), Fault>) {
        let interval = self.retry_interval();
        let State::Disabling { then, retry } = &mut self.state else {
            return;
        };
        if let Err(fault) = result {
            *retry = Some(self.now.mono + interval);
            return self.remember(fault);
        }
        let then = then.clone();
        let provisioned = self.parsed.as_ref().is_some_and(|p| p.provisioned);
        self.wrote(false, provisioned);
        if self.memory.transaction.is_some() {
            self.push(Output::Abandon);
            let attempts = self.memory.attempts;
            self.memory.abandon();
            self.memory.attempts = attempts;
        }
        self.enter(State::Idle(then));
    }

    /// Something that had to be written down was not.
    fn trouble(&mut self, fault: Fault) {
        match &self.state {
            State::Attempt(attempt) if attempt.phase != Phase::Committing => self.fail(fault),
            _ => self.remember(fault),
        }
    }

    fn look_again(&mut self, pause_too: bool) {
        match &self.state {
            State::Blocked(_) => self.evaluate(),
            State::Pause(_) | State::Stuck if pause_too => self.evaluate(),
            State::Recovering(Some(_)) => {
                self.enter(State::Recovering(None));
                self.push(Output::Recover);
            }
            _ => {}
        }
    }

    fn timed_out(&mut self) {
        let now = self.now.mono;
        if self.timeout().is_none_or(|at| at > now) {
            return;
        }
        match &mut self.state {
            State::Recovering(at) => {
                *at = None;
                self.push(Output::Recover);
            }
            State::Blocked(_) | State::Pause(_) => self.evaluate(),
            State::Attempt(attempt) => {
                let fault = match attempt.phase {
                    Phase::Connecting => Fault::new(
                        Code::NetworkTimeout,
                        format!(
                            "the time of the attempt ran out while waiting for {}",
                            attempt.waiting_for
                        ),
                    ),
                    Phase::Receiving => attempt.conversation.silence(),
                    _ => Fault::new(
                        Code::ProofFailed,
                        "the time of the attempt ran out before the new account was proved",
                    ),
                };
                if attempt.phase == Phase::Committing {
                    // The record decides, not the clock: it is being written now.
                    attempt.deadline = now + REPLY_WAIT;
                    return;
                }
                self.fail(fault);
            }
            State::RollingBack { retry, .. } => {
                *retry = None;
                self.push(Output::Undo);
            }
            State::Disabling { retry, .. } => {
                *retry = None;
                self.push(Output::Disable);
            }
            State::Completing {
                retry,
                replied,
                redone,
                ..
            } => {
                let again = retry.is_some_and(|at| at <= now);
                if again {
                    *retry = None;
                }
                let redone = *redone;
                if replied.is_some_and(|at| at <= now) {
                    self.hang_up();
                } else if again {
                    self.push(if redone {
                        Output::Finish
                    } else {
                        Output::Complete
                    });
                }
            }
            _ => {}
        }
    }
}

/// Tells whether a transaction runs with these parameters, without being them.
fn fingerprint(settings: &Settings, transaction: &str) -> String {
    settings
        .restart_key()
        .fingerprint(transaction.as_bytes())
        .unwrap_or_default()
}

fn refuse(why: &str) -> Result<(), Refused> {
    Err(Refused(why.to_owned()))
}

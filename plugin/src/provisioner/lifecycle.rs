//! When an attempt begins: parameters, recovery, preflight, pauses, what people ask for.

use std::time::Duration;

use super::endings::REPLY_WAIT;
use super::inputs::{Action, Input, Now, Ready, Recovered, Refused};
use super::memory::GaveUp;
use super::outputs::Output;
use super::steps::Step;
use super::{Idle, Phase, Provisioner, State, Then};
use crate::diagnosis::{Code, Fault};
use crate::settings::{Parsed, Problem, Settings};

/// How often an implausible clock is looked at.
const CLOCK_POLL: Duration = Duration::from_secs(1);
/// What counts as a step of the clock, and no more as being disciplined: what is shown in seconds
/// would be wrong. In ms.
const CLOCK_STEP_MS: u64 = 1000;

impl Provisioner {
    /// Takes one input at `now`. Poll the outputs afterwards.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.tick(now);
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
            Input::Downloading { n, received, size } => {
                self.converse(|c, wall| c.progressed(n, received, size, wall));
            }
            Input::Downloaded { n, result } => {
                self.converse(|c, wall| c.downloaded(n, result, wall));
            }
            Input::PackageStaged { n, result } => {
                self.converse(|c, wall| c.package_staged(n, result, wall));
            }
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

    /// Takes the time. Where the clock was set since the last call, the moments that are shown have
    /// another name: what is due in an hour is due in an hour.
    fn tick(&mut self, now: Now) {
        let mono = i64::try_from(now.mono.as_millis()).unwrap_or(i64::MAX);
        let offset = now.wall_ms.saturating_sub(mono);
        match self.clock_offset_ms {
            Some(before) if offset.abs_diff(before) < CLOCK_STEP_MS => {}
            before => {
                self.clock_offset_ms = Some(offset);
                self.revision += u64::from(before.is_some());
            }
        }
        self.now = now;
    }

    /// Does what a person asks for, or says why that makes no sense now.
    pub fn act(&mut self, now: Now, action: Action) -> Result<(), Refused> {
        self.tick(now);
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
    pub(super) fn delivered(&mut self, parsed: Parsed) {
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
    pub(super) fn wrote(&mut self, enabled: bool, provisioned: bool) {
        let Some(parsed) = &mut self.parsed else {
            return;
        };
        if (parsed.enabled, parsed.provisioned) != (enabled, provisioned) {
            parsed.enabled = enabled;
            parsed.provisioned = provisioned;
            self.written = Some((enabled, provisioned));
        }
    }

    pub(super) fn configured(&mut self, parsed: Parsed) {
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
                if *idle != Idle::GaveUp || self.gave_up_with().is_none() {
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
    pub(super) fn restarts(&self, before: Option<&Parsed>) -> bool {
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

    pub(super) fn restart(&mut self) {
        self.forget_transaction();
        self.evaluate();
    }

    pub(super) fn forget_transaction(&mut self) {
        if self.memory.transaction.is_some() {
            self.push(Output::Abandon);
        }
        self.memory.abandon();
        self.fault = None;
    }

    /// Decides by the parameters alone; see `parameters.md`, "When it runs".
    pub(super) fn evaluate(&mut self) {
        let Some(parsed) = self.parsed.as_ref() else {
            return;
        };
        if parsed.provisioned {
            self.forget_giving_up();
            return self.enter(State::Idle(Idle::Provisioned));
        }
        if !parsed.enabled {
            self.forget_transaction();
            if let Some(gave_up) = self.gave_up_with().cloned() {
                self.memory.attempts = gave_up.attempts;
                self.fault = gave_up.fault;
                self.enter(State::Idle(Idle::GaveUp));
                self.since_ms = gave_up.at_ms;
                return;
            }
            self.forget_giving_up();
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
            return self.give_up();
        }
        self.forget_giving_up();
        if matches!(self.state, State::Idle(_)) {
            self.fault = None;
        }
        self.steps.reset();
        self.packages.clear();
        self.steps.run(Step::Preflight, self.now.wall_ms);
        self.enter(State::Preflight);
        self.push(Output::Preflight);
    }

    /// That it gave up, if nothing was changed or enabled since.
    fn gave_up_with(&self) -> Option<&GaveUp> {
        let parsed = self.parsed.as_ref()?;
        if parsed.enabled || parsed.provisioned {
            return None;
        }
        let (settings, gave_up) = (
            parsed.result.as_ref().ok()?,
            self.memory.gave_up.as_deref()?,
        );
        let same = gave_up.parameters == fingerprint(settings, &gave_up.transaction);
        same.then_some(gave_up)
    }

    fn forget_giving_up(&mut self) {
        if self.memory.gave_up.take().is_some() {
            self.push(Output::GiveUp(None));
        }
    }

    pub(super) fn used_up(&self, settings: &Settings) -> bool {
        self.memory.transaction.is_some()
            && settings
                .max_attempts
                .is_some_and(|max| self.memory.attempts >= max)
    }

    pub(super) fn recovered(&mut self, result: Result<Recovered, Fault>) {
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

    pub(super) fn preflighted(&mut self, result: Result<Box<Ready>, Fault>) {
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

    pub(super) fn look_again(&mut self, pause_too: bool) {
        match &self.state {
            State::Blocked(_) => self.evaluate(),
            State::Pause(_) | State::Stuck if pause_too => self.evaluate(),
            // Nothing left the gateway, so nobody out there is protected by the pause.
            State::Pause(_) if self.waits_for_network() => self.evaluate(),
            State::Recovering(Some(_)) => {
                self.enter(State::Recovering(None));
                self.push(Output::Recover);
            }
            _ => {}
        }
    }

    /// Whether the last attempt found no way to the broker, and so was none.
    fn waits_for_network(&self) -> bool {
        matches!(
            self.fault,
            Some((ref fault, _))
                if matches!(fault.code, Code::NetworkUnreachable | Code::NetworkDns)
        )
    }

    pub(super) fn timed_out(&mut self) {
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
                    phase => {
                        let fault = Fault::new(
                            Code::ProofFailed,
                            "the time of the attempt ran out before the new account was proved",
                        );
                        match phase {
                            Phase::Proving => fault.because_of(&Fault::new(
                                Code::NetworkTimeout,
                                format!("it was waiting for {}", attempt.waiting_for),
                            )),
                            _ => fault,
                        }
                    }
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
                let (redone, replied) = (*redone, replied.is_some_and(|at| at <= now));
                // Both may be due at once, and the end of the wait says `Finish` by itself.
                if replied {
                    self.hang_up();
                }
                match (again, redone) {
                    (true, false) => self.push(Output::Complete),
                    (true, true) if !replied => self.push(Output::Finish),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// Tells whether a transaction runs with these parameters, without being them.
pub(super) fn fingerprint(settings: &Settings, transaction: &str) -> String {
    settings
        .restart_key()
        .fingerprint(transaction.as_bytes())
        .unwrap_or_default()
}

fn refuse(why: &str) -> Result<(), Refused> {
    Err(Refused(why.to_owned()))
}

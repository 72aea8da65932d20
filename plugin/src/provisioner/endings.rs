//! How an attempt ends: forward after the commit, back before it, and what comes then.

use std::time::Duration;

use super::conversation::ReplyTo;
use super::lifecycle::fingerprint;
use super::memory::GaveUp;
use super::outputs::Output;
use super::{Idle, Phase, Provisioner, State, Then};
use crate::diagnosis::{Code, Fault, RetryPolicy};

/// How long the acknowledgement of the reply to commit is awaited (rulings, 1).
pub(super) const REPLY_WAIT: Duration = Duration::from_secs(5);

impl Provisioner {
    pub(super) fn complete(&mut self, reply: Option<ReplyTo>, linked: bool) {
        self.enter(State::Completing {
            retry: None,
            reply,
            replied: None,
            redone: false,
            linked,
        });
        self.push(Output::Complete);
    }

    pub(super) fn completed(&mut self, result: Result<(), Fault>) {
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
        let written = result.is_ok();
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
        // From here on, not from the end: until then somebody may have wished for something else.
        if written {
            self.wrote(false, true);
        }
        self.outputs.extend(outputs);
    }

    pub(super) fn finished(&mut self, result: Result<(), Fault>) {
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
    pub(super) fn fail(&mut self, fault: Fault) {
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
    pub(super) fn abort(&mut self, then: Then) {
        self.steps.end(true, self.now.wall_ms);
        self.roll_back(then, None);
    }

    pub(super) fn roll_back(&mut self, then: Then, reply: Option<(ReplyTo, Fault)>) {
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

    pub(super) fn undone(&mut self, result: Result<(), Fault>) {
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
    pub(super) fn settle(&mut self, fault: Fault) {
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
            return self.give_up();
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

    /// The attempts are used up. That is written down before the host knows, so that a restart in
    /// between finds the reason.
    pub(super) fn give_up(&mut self) {
        let memory = &mut self.memory;
        if let (Some(transaction), Some(parameters)) = (&memory.transaction, &memory.parameters) {
            let written = memory.gave_up.take();
            let same = written.filter(|gave_up| gave_up.transaction == *transaction);
            let gave_up = same.unwrap_or_else(|| {
                Box::new(GaveUp {
                    transaction: transaction.clone(),
                    parameters: parameters.clone(),
                    attempts: memory.attempts,
                    at_ms: self.now.wall_ms,
                    fault: self.fault.clone(),
                })
            });
            self.fault = gave_up.fault.clone();
            memory.gave_up = Some(gave_up.clone());
            self.push(Output::GiveUp(Some(gave_up)));
        }
        self.disable(Idle::GaveUp);
    }

    pub(super) fn disable(&mut self, then: Idle) {
        self.enter(State::Disabling { then, retry: None });
        self.push(Output::Disable);
    }

    pub(super) fn disabled(&mut self, result: Result<(), Fault>) {
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
    pub(super) fn trouble(&mut self, fault: Fault) {
        match &self.state {
            State::Attempt(attempt) if attempt.phase != Phase::Committing => self.fail(fault),
            _ => self.remember(fault),
        }
    }
}

//! When to provision, and what to do next: the state machine.
//!
//! Pure: no socket, file, thread, clock or random number in here. Time, randomness and the
//! results of everything that was asked for come in through [`Provisioner::handle`]; what is to
//! be done goes out through [`Provisioner::poll`], one [`Output`] at a time, until it says
//! `None`; then [`Provisioner::timeout`] is the moment at which it wants to be called again. The
//! worker thread around it decides nothing.
//!
//! `lifecycle` says when an attempt begins, `attempt` leads through it, `endings` out of it.
//! [`conversation`] answers the platform's requests within an attempt, `memory` is what
//! survives an attempt, [`steps`] the list a person sees.

mod attempt;
pub mod conversation;
mod endings;
mod inputs;
mod lifecycle;
mod memory;
mod outputs;
pub mod steps;
mod view;

use std::collections::VecDeque;
use std::time::Duration;

pub use conversation::{ChainSummary, PackageLine, PackageState};
pub use inputs::{
    jitter_per_mille, Action, Arrived, Input, Now, Ready, Recovered, Refused, SessionEvent,
};
pub use memory::{GaveUp, Memory};
pub use outputs::{Output, Plan};
pub use view::{StateName, View};

use crate::diagnosis::Fault;
use crate::settings::Parsed;
use conversation::{Conversation, ReplyTo};
use steps::Steps;

/// Why nothing is being done.
#[derive(Clone, Debug, PartialEq)]
enum Idle {
    /// `enabled` is false.
    Disabled,
    /// `provisioned` is true.
    Provisioned,
    /// The parameters do not hold; the view lists the problems.
    Invalid,
    /// The attempts are used up.
    GaveUp,
}

/// What follows when everything is as it was before.
#[derive(Clone, Debug)]
enum Then {
    /// Look at the parameters again, as a new transaction.
    Restart,
    /// Retry, wait or give up, as the fault says.
    Settle(Fault),
    /// Set `enabled=false`: a person cancelled.
    Disable,
}

/// How far an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// On the way to the broker.
    Connecting,
    /// The platform talks.
    Receiving,
    /// The plan is being written.
    Sealing,
    /// The host is being changed.
    Applying,
    /// The new account is being tried.
    Proving,
    /// The commit record is being written.
    Committing,
}

struct Attempt {
    counted: bool,
    deadline: Duration,
    phase: Phase,
    /// What the session, or the proof, is waiting for, in words.
    waiting_for: &'static str,
    linked: bool,
    conversation: Conversation,
    commit: Option<ReplyTo>,
}

#[allow(clippy::large_enum_variant)] // there is one of it
enum State {
    /// Not activated yet.
    New,
    /// The journal is being read and followed; `Some` is when to try again.
    Recovering(Option<Duration>),
    Idle(Idle),
    Preflight,
    /// A local check failed; look again then.
    Blocked(Duration),
    /// Only a change of the configuration helps.
    Stuck,
    /// Between two attempts.
    Pause(Duration),
    Attempt(Box<Attempt>),
    /// Going back; `retry` is when to try again if the host refused.
    RollingBack {
        then: Then,
        retry: Option<Duration>,
        reply: Option<(ReplyTo, Fault)>,
        linked: bool,
    },
    /// Committed: only forward.
    Completing {
        retry: Option<Duration>,
        reply: Option<ReplyTo>,
        /// The reply is out; until then its acknowledgement is awaited.
        replied: Option<Duration>,
        redone: bool,
        linked: bool,
    },
    /// `enabled=false` is being written; then this is the state.
    Disabling {
        then: Idle,
        retry: Option<Duration>,
    },
}

/// The state machine of one component instance.
pub struct Provisioner {
    state: State,
    parsed: Option<Parsed>,
    memory: Memory,
    outputs: VecDeque<Output>,
    steps: Steps,
    packages: Vec<PackageLine>,
    fault: Option<(Fault, i64)>,
    since_ms: i64,
    now: Now,
    /// The random part of the next pause, 0 to 250 per mille.
    jitter_per_mille: u32,
    revision: u64,
    /// Wall clock less monotonic clock, ms, at the last step that was noticed.
    clock_offset_ms: Option<i64>,
    /// `(enabled, provisioned)` that was written through the host and not delivered back yet.
    written: Option<(bool, bool)>,
}

impl Default for Provisioner {
    fn default() -> Self {
        Provisioner::new()
    }
}

impl Provisioner {
    /// A machine that waits for its first configuration.
    pub fn new() -> Self {
        Provisioner {
            state: State::New,
            parsed: None,
            memory: Memory::default(),
            outputs: VecDeque::new(),
            steps: Steps::default(),
            packages: Vec::new(),
            fault: None,
            since_ms: 0,
            now: Now::default(),
            jitter_per_mille: 0,
            revision: 0,
            clock_offset_ms: None,
            written: None,
        }
    }

    /// The next thing to do, or `None` when all is done for now.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Provisioner::handle`] with [`Input::Timeout`] at the latest; `None` for
    /// never. On the clock of [`Now::mono`].
    pub fn timeout(&self) -> Option<Duration> {
        match &self.state {
            State::New | State::Idle(_) | State::Preflight | State::Stuck => None,
            State::Recovering(at) => *at,
            State::Blocked(at) | State::Pause(at) => Some(*at),
            State::Attempt(attempt) => Some(attempt.deadline),
            State::RollingBack { retry, .. } | State::Disabling { retry, .. } => *retry,
            State::Completing { retry, replied, .. } => match (retry, replied) {
                (Some(a), Some(b)) => Some(*a.min(b)),
                (a, b) => a.or(*b),
            },
        }
    }

    /// Grows with everything that [`Provisioner::view`] shows.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.since_ms = self.now.wall_ms;
        self.revision += 1;
    }

    fn remember(&mut self, fault: Fault) {
        self.fault = Some((fault, self.now.wall_ms));
        self.revision += 1;
    }

    fn retry_interval(&self) -> Duration {
        self.parsed
            .as_ref()
            .and_then(|parsed| parsed.result.as_ref().ok())
            .map_or(Duration::from_secs(60), |settings| settings.retry_interval)
    }
}

#[cfg(test)]
mod tests;

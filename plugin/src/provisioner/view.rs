//! What the state machine shows of itself.

use serde::Serialize;

use super::steps::Steps;
use super::{Idle, PackageLine, Phase, Provisioner, State};
use crate::diagnosis::Fault;
use crate::settings::{Identity, Parsed};

/// The state in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateName {
    /// Nothing to do: not enabled.
    Idle,
    /// Nothing to do: provisioned.
    Provisioned,
    /// The parameters do not hold.
    Invalid,
    /// The attempts are used up.
    GaveUp,
    /// The journal is being followed.
    Recovering,
    /// Local checks, also while they fail and are repeated.
    Preflight,
    /// Between two attempts.
    Waiting,
    /// Only a change of the configuration helps.
    Refused,
    /// On the way to the broker.
    Connecting,
    /// The platform talks.
    Receiving,
    /// The host is being changed.
    Applying,
    /// The new account is being tried.
    Proving,
    /// Proved; going forward.
    Committing,
    /// Going back.
    RollingBack,
}

/// A picture of the state machine; cheap to take.
pub struct View<'a> {
    /// The state.
    pub state: StateName,
    /// Since when, wall clock, ms since 1970.
    pub since_ms: i64,
    /// The parameters as parsed.
    pub parsed: Option<&'a Parsed>,
    /// The open transaction.
    pub transaction: Option<&'a str>,
    /// Its identity, once frozen.
    pub identity: Option<&'a Identity>,
    /// Attempts of the open or the last transaction.
    pub attempts: u32,
    /// When the next attempt or check is due: ms from now.
    pub next_in_ms: Option<i64>,
    /// When the running attempt ends: ms from now.
    pub deadline_in_ms: Option<i64>,
    /// The steps.
    pub steps: &'a Steps,
    /// The packages of the running or last attempt, in order of arrival.
    pub packages: &'a [PackageLine],
    /// The last error and its time.
    pub fault: Option<&'a (Fault, i64)>,
    /// Whether this gateway was ever provisioned by this component.
    pub provisioned_before: bool,
}

impl Provisioner {
    /// The picture as of now.
    pub fn view(&self) -> View<'_> {
        let until = |at: &std::time::Duration| {
            i64::try_from(at.saturating_sub(self.now.mono).as_millis()).unwrap_or(i64::MAX)
        };
        let (state, next, deadline) = match &self.state {
            State::New => (StateName::Idle, None, None),
            State::Recovering(at) => (StateName::Recovering, at.as_ref().map(until), None),
            State::Idle(Idle::Disabled) => (StateName::Idle, None, None),
            State::Idle(Idle::Provisioned) => (StateName::Provisioned, None, None),
            State::Idle(Idle::Invalid) => (StateName::Invalid, None, None),
            State::Idle(Idle::GaveUp) => (StateName::GaveUp, None, None),
            State::Preflight => (StateName::Preflight, None, None),
            State::Blocked(at) => (StateName::Preflight, Some(until(at)), None),
            State::Stuck => (StateName::Refused, None, None),
            State::Pause(at) => (StateName::Waiting, Some(until(at)), None),
            State::Attempt(attempt) => {
                let name = match attempt.phase {
                    Phase::Connecting => StateName::Connecting,
                    Phase::Receiving => StateName::Receiving,
                    Phase::Sealing | Phase::Applying => StateName::Applying,
                    Phase::Proving => StateName::Proving,
                    Phase::Committing => StateName::Committing,
                };
                (name, None, Some(until(&attempt.deadline)))
            }
            State::RollingBack { .. } => (StateName::RollingBack, None, None),
            State::Completing { .. } => (StateName::Committing, None, None),
            State::Disabling { then, .. } => (
                match then {
                    Idle::GaveUp => StateName::GaveUp,
                    _ => StateName::Idle,
                },
                None,
                None,
            ),
        };
        View {
            state,
            since_ms: self.since_ms,
            parsed: self.parsed.as_ref(),
            transaction: self.memory.transaction.as_deref(),
            identity: self.memory.identity.as_ref(),
            attempts: self.memory.attempts,
            next_in_ms: next,
            deadline_in_ms: deadline,
            steps: &self.steps,
            packages: &self.packages,
            fault: self.fault.as_ref(),
            provisioned_before: self.memory.provisioned_before,
        }
    }
}

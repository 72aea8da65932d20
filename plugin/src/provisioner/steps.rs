//! The list of steps that a person sees.

use serde::Serialize;

/// One step of an attempt, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Local checks.
    Preflight,
    /// To the provision broker, and the trigger.
    Connect,
    /// The chain that will sign.
    Certificates,
    /// Configurations received.
    Configuration,
    /// Applications received.
    Packages,
    /// The plan is written.
    Seal,
    /// The host is changed.
    Apply,
    /// The new account is tried.
    Prove,
    /// Done, and written down.
    Commit,
}

impl Step {
    /// All, in order.
    pub const ALL: [Step; 9] = [
        Step::Preflight,
        Step::Connect,
        Step::Certificates,
        Step::Configuration,
        Step::Packages,
        Step::Seal,
        Step::Apply,
        Step::Prove,
        Step::Commit,
    ];
}

/// How a step stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Not reached.
    #[default]
    Pending,
    /// At work.
    Running,
    /// Over.
    Done,
    /// Here it failed.
    Failed,
    /// Not needed.
    Skipped,
}

/// One line of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// How it stands.
    pub progress: Progress,
    /// Start, wall clock, ms since 1970.
    pub started_ms: Option<i64>,
    /// End, wall clock, ms since 1970.
    pub ended_ms: Option<i64>,
    /// Something to say, e.g. the broker or a count.
    pub detail: String,
}

/// The list.
#[derive(Clone, Debug, Default)]
pub struct Steps {
    lines: [Line; Step::ALL.len()],
}

impl Steps {
    /// All lines, in order.
    pub fn lines(&self) -> impl Iterator<Item = (Step, &Line)> {
        Step::ALL.into_iter().zip(self.lines.iter())
    }

    /// All pending again.
    pub fn reset(&mut self) {
        *self = Steps::default();
    }

    /// `step` runs from now on; what ran before is done, what was jumped over skipped.
    pub fn run(&mut self, step: Step, at_ms: i64) {
        for (other, line) in Step::ALL.into_iter().zip(self.lines.iter_mut()) {
            if other == step {
                if line.started_ms.is_none() {
                    line.started_ms = Some(at_ms);
                }
                line.progress = Progress::Running;
                line.ended_ms = None;
            } else if other < step {
                match line.progress {
                    Progress::Running => {
                        line.progress = Progress::Done;
                        line.ended_ms = Some(at_ms);
                    }
                    Progress::Pending => line.progress = Progress::Skipped,
                    _ => {}
                }
            } else if line.progress == Progress::Running {
                line.progress = Progress::Done;
                line.ended_ms = Some(at_ms);
            }
        }
    }

    /// Says something beside `step`.
    pub fn detail(&mut self, step: Step, detail: impl Into<String>) {
        for (other, line) in Step::ALL.into_iter().zip(self.lines.iter_mut()) {
            if other == step {
                line.detail = detail.into();
                return;
            }
        }
    }

    /// The running step is done or failed.
    pub fn end(&mut self, failed: bool, at_ms: i64) {
        for line in &mut self.lines {
            if line.progress == Progress::Running {
                line.progress = if failed {
                    Progress::Failed
                } else {
                    Progress::Done
                };
                line.ended_ms = Some(at_ms);
            }
        }
    }
}

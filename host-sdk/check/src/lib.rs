//! Does a library keep to the contract of `include/gwc`? Trials that hold for any component,
//! whatever it is for.
//!
//! [`check`] runs them all, each in a process of its own, so that a crash or a hang is a result
//! and not an end: [`Verdict`]. The caller hands in how such a process is started (a binary starts
//! itself again with hidden arguments), and calls [`run_trial`] in it. Where a trial makes an
//! instance, it does so for every factory pid of the library, with the defaults of its metatype.
//!
//! It does not judge what a component does, and tests no network: that is its author's business.
//! Who calls it: `gateway check-plugin`, and this project's own tests for its own component.
//!
//! | module | what |
//! |---|---|
//! | [`report`] | verdicts, and how they are shown |
//! | `trial` | the trials, by rule |
//! | `process` | one process, with a deadline |
//! | [`stopwatch`] | how long something takes, on a machine that has other things to do |
//! | `symbols` | what a library exports, read from the file |
//! | `abi` | the unsafe part: the library, a host for it, memory with an edge |

#[allow(unsafe_code)]
mod abi;
mod process;
pub mod report;
pub mod stopwatch;
mod symbols;
mod trial;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub use report::{Outcome, Report, Verdict};
pub use trial::{Rule, Trial, TRIALS};

/// Runs trials of the library at `path`: all, or those whose name is in `only`. `child` makes the
/// command of a process that calls [`run_trial`] with that name and the same path; it is killed
/// after `deadline`. `done` hears of each as it ends.
///
/// If the first trial, whether it is a component library at all, does not pass, the others are
/// skipped.
pub fn check(
    path: &Path,
    only: &[String],
    deadline: Duration,
    child: &dyn Fn(&Trial) -> Command,
    done: &mut dyn FnMut(&Outcome),
) -> Report {
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut opened = true;
    for (at, trial) in TRIALS.iter().enumerate() {
        if at > 0 && !only.is_empty() && !only.iter().any(|name| name == trial.name) {
            continue;
        }
        let outcome = Outcome {
            rule: trial.rule,
            trial: trial.name,
            verdict: if opened {
                process::verdict(child(trial), deadline)
            } else {
                Verdict::Skipped
            },
        };
        if at == 0 {
            opened = outcome.verdict == Verdict::Pass;
        }
        done(&outcome);
        outcomes.push(outcome);
    }
    Report {
        library: path.to_owned(),
        outcomes,
    }
}

/// Runs one trial in this process, and says on standard output how it ended. The return value is
/// the exit code. Call it early, in a process that does nothing else: the library may do anything.
#[must_use]
pub fn run_trial(name: &str, path: &Path) -> u8 {
    let outlet = process::Outlet::new();
    let Some(trial) = TRIALS.iter().find(|trial| trial.name == name) else {
        outlet.say(&Err(format!("there is no trial {name}")));
        return 1;
    };
    let result = (trial.run)(path).and_then(|()| match abi::has_children() {
        true => Err("it left a process behind".to_owned()),
        false => Ok(()),
    });
    outlet.say(&result);
    u8::from(result.is_err())
}

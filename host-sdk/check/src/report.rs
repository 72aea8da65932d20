//! Verdicts, and how they are shown: one line for a person, JSON for a program.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{json, Value};

use crate::Rule;

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As the contract says.
    Pass,
    /// Otherwise; why, in one line.
    Fail(String),
    /// The process was ended by this signal.
    Crash(i32),
    /// The process had to be killed after this time.
    Hang(Duration),
    /// Not run, as the library cannot be opened.
    Skipped,
}

impl Verdict {
    /// In one word: `pass`, `fail`, `crash`, `hang` or `skipped`.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail(_) => "fail",
            Verdict::Crash(_) => "crash",
            Verdict::Hang(_) => "hang",
            Verdict::Skipped => "skipped",
        }
    }

    /// Why, in one line; empty where there is nothing to say.
    pub fn reason(&self) -> String {
        match self {
            Verdict::Pass | Verdict::Skipped => String::new(),
            Verdict::Fail(reason) => reason.clone(),
            Verdict::Crash(signal) => format!("ended by {}", signal_name(*signal)),
            Verdict::Hang(after) => format!("did not return within {} s", after.as_secs()),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            reason if reason.is_empty() => f.write_str(self.word()),
            reason => write!(f, "{}: {reason}", self.word()),
        }
    }
}

/// The signals that end a process, by the numbers that all our architectures share.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        2 => "SIGINT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        31 => "SIGSYS",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

/// One trial and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The rule that it is about.
    pub rule: Rule,
    /// Its name.
    pub trial: &'static str,
    /// How it ended.
    pub verdict: Verdict,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The library.
    pub library: PathBuf,
    /// In the order in which they were run.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// Whether every trial that was run passed, and none was skipped.
    pub fn passed(&self) -> bool {
        self.outcomes.iter().all(|o| o.verdict == Verdict::Pass)
    }

    /// How many ended so, by the word of [`Verdict::word`].
    pub fn count(&self, word: &str) -> usize {
        self.outcomes
            .iter()
            .filter(|o| o.verdict.word() == word)
            .count()
    }

    /// The last line for a person: `19 passed, 1 failed`, with what else there was.
    pub fn summary(&self) -> String {
        let mut line = format!(
            "{} passed, {} failed",
            self.count("pass"),
            self.count("fail")
        );
        for (word, text) in [
            ("crash", "crashed"),
            ("hang", "hung"),
            ("skipped", "skipped"),
        ] {
            match self.count(word) {
                0 => {}
                n => line.push_str(&format!(", {n} {text}")),
            }
        }
        line
    }

    /// As one object: `library`, `passed`, and `trials` with `rule`, `about`, `trial`, `verdict`
    /// and `reason`.
    pub fn json(&self) -> Value {
        let trials: Vec<Value> = self
            .outcomes
            .iter()
            .map(|outcome| {
                json!({
                    "rule": outcome.rule.number(),
                    "about": outcome.rule.about(),
                    "trial": outcome.trial,
                    "verdict": outcome.verdict.word(),
                    "reason": outcome.verdict.reason(),
                })
            })
            .collect();
        json!({
            "library": self.library.display().to_string(),
            "passed": self.passed(),
            "trials": trials,
        })
    }
}

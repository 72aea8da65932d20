//! A status document in lines for people.
//!
//! Pure: document and time in, text out. Used by the live view and by `gateway status`.

use jiff::Timestamp;

use crate::clock;
use crate::status::{Document, State, Step, StepState};

/// Instead of the line where there is nothing to tell of.
pub const ABSENT: &str = "no ProvisioningService yet; its plugin belongs into the plugin folder";

/// One line for where things stand: `waiting, attempt 2 of 5, next attempt in 42 s`.
#[must_use]
pub fn headline(document: &Document, now: Timestamp) -> String {
    if document.instance.is_empty() {
        return ABSENT.to_owned();
    }
    let mut line = in_words(document.state).to_owned();
    if let Some(attempts) = document.attempts_in_words() {
        line.push_str(&format!(", attempt {attempts}"));
    }
    if let Some(seconds) = left(document.next_attempt_at.as_deref(), now) {
        line.push_str(&format!(", next attempt in {}", clock::span(seconds)));
    } else if let Some(seconds) = left(document.deadline_at.as_deref(), now) {
        line.push_str(&format!(", {} left", clock::span(seconds)));
    }
    line
}

/// The state as a person would say it.
#[must_use]
pub fn in_words(state: State) -> &'static str {
    match state {
        State::Idle => "idle, not enabled",
        State::Provisioned => "provisioned",
        State::Preflight => "checking the gateway",
        State::Waiting => "waiting",
        State::Connecting => "connecting to the provision broker",
        State::Receiving => "receiving",
        State::Applying => "applying",
        State::Proving => "proving the new account",
        State::Committing => "committing",
        State::RollingBack => "rolling back",
        State::GaveUp => "gave up",
        State::Refused => "refused",
        State::Unknown => "in a state this host does not know",
    }
}

/// One line per step: mark, name, time taken, detail.
#[must_use]
pub fn steps(document: &Document, now: Timestamp) -> Vec<String> {
    document
        .steps
        .iter()
        .map(|step| self::step(step, now))
        .collect()
}

fn step(step: &Step, now: Timestamp) -> String {
    let mark = match step.state {
        StepState::Done => '✓',
        StepState::Running => '▸',
        StepState::Failed => '✗',
        StepState::Pending | StepState::Unknown => '·',
    };
    let mut line = format!("{mark} {:<14}", step.name);
    if let Some(taken) = taken(step, now) {
        line.push_str(&format!("{taken:>7.1} s"));
    } else if step.detail.is_some() {
        line.push_str("         ");
    }
    if let Some(detail) = &step.detail {
        line.push_str("  ");
        line.push_str(detail);
    }
    line.trim_end().to_owned()
}

/// The last error, the offending parameters and the warnings: what, why, what to do.
#[must_use]
pub fn troubles(document: &Document) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(error) = &document.error {
        lines.push(format!("{}: {}", error.code, error.message));
        lines.extend(
            error
                .causes
                .iter()
                .map(|cause| format!("  because {cause}")),
        );
        if !error.remedy.is_empty() {
            lines.push(format!("  → {}", error.remedy));
        }
    }
    let problems = document.problems.iter();
    lines.extend(problems.map(|problem| format!("{}: {}", problem.parameter, problem.message)));
    let warnings = document.warnings.iter();
    lines.extend(warnings.map(|warning| format!("warning {}: {}", warning.code, warning.message)));
    lines
}

fn taken(step: &Step, now: Timestamp) -> Option<f64> {
    let started = step.started.as_deref()?;
    match (&step.ended, step.state) {
        (Some(ended), _) => clock::seconds_between(started, ended),
        (None, StepState::Running) => clock::seconds_between(started, &now.to_string()),
        (None, _) => None,
    }
}

fn left(at: Option<&str>, now: Timestamp) -> Option<i64> {
    at.and_then(|at| clock::seconds_until(at, now))
        .filter(|seconds| *seconds >= 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: &str = "2026-01-01T00:00:10Z";

    fn document(text: &str) -> Document {
        Document::parse(text).unwrap()
    }

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    #[test]
    fn a_pause_counts_down_to_the_next_attempt() {
        let waiting = document(
            r#"{"instance":"p","state":"waiting","attempt":2,"max_attempts":5,"next_attempt_at":"2026-01-01T00:00:52Z",
                "deadline_at":"2026-01-01T00:05:00Z"}"#,
        );
        assert_eq!(
            headline(&waiting, now()),
            "waiting, attempt 2 of 5, next attempt in 42 s"
        );
    }

    #[test]
    fn a_deadline_that_has_passed_is_not_counted_below_zero() {
        let late = document(
            r#"{"instance":"p","state":"connecting","deadline_at":"2025-12-31T00:00:00Z"}"#,
        );
        assert_eq!(headline(&late, now()), "connecting to the provision broker");
    }

    #[test]
    fn the_running_step_shows_its_time_so_far() {
        let running = document(
            r#"{"steps":[
                {"name":"preflight","state":"done","started":"2026-01-01T00:00:00Z","ended":"2026-01-01T00:00:00.2Z"},
                {"name":"connect","state":"running","started":"2026-01-01T00:00:08.5Z","detail":"TLS"},
                {"name":"seal","state":"pending"}]}"#,
        );
        let lines = steps(&running, now());
        assert_eq!(
            lines,
            [
                "✓ preflight         0.2 s",
                "▸ connect           1.5 s  TLS",
                "· seal"
            ]
        );
    }

    #[test]
    fn an_error_comes_with_cause_and_remedy() {
        let failed = document(
            r#"{"error":{"code":"tls.untrusted","message":"the broker's certificate is not trusted",
                "causes":["self-signed certificate"],"remedy":"Import the CA."}}"#,
        );
        assert_eq!(
            troubles(&failed),
            [
                "tls.untrusted: the broker's certificate is not trusted",
                "  because self-signed certificate",
                "  → Import the CA."
            ]
        );
    }
}

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
    let mut line = standing(document);
    if let Some(seconds) = left(document.next_attempt_at.as_deref(), now) {
        let next = match document.state {
            State::Preflight | State::Recovering => "next check",
            _ => "next attempt",
        };
        line.push_str(&format!(", {next} in {}", clock::span(seconds)));
    } else if let Some(seconds) = left(document.deadline_at.as_deref(), now) {
        line.push_str(&format!(", {} left", clock::span(seconds)));
    }
    line
}

/// The state and the attempt, without anything that counts down.
#[must_use]
pub fn standing(document: &Document) -> String {
    let mut line = in_words(document.state).to_owned();
    if document.unrecorded().is_some() {
        line.push_str(" by its parameter, but without a record of it");
    }
    if let Some(attempts) = document.attempts_in_words() {
        line.push_str(&format!(", attempt {attempts}"));
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
        State::Refused => "stopped until something is changed here",
        State::Invalid => "stopped: parameters do not hold",
        State::Recovering => "starting: reading the journal",
        State::Inactive => "not active",
        State::Failed => "stopped by a defect",
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
        StepState::Skipped => '-',
        StepState::Pending | StepState::Unknown => '·',
    };
    let detail = step.detail.as_deref().filter(|detail| !detail.is_empty());
    let mut line = format!("{mark} {:<14}", step.name);
    if let Some(taken) = taken(step, now) {
        line.push_str(&format!("{taken:>7.1} s"));
    } else if detail.is_some() {
        line.push_str("         ");
    }
    if let Some(detail) = detail {
        line.push_str("  ");
        line.push_str(detail);
    }
    line.trim_end().to_owned()
}

/// Names and values worth knowing beside the steps; what is not known is left out.
#[must_use]
pub fn facts(document: &Document) -> Vec<(&'static str, String)> {
    let told = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
    let traffic = Some(document.bytes)
        .filter(|bytes| bytes.sent > 0 || bytes.received > 0)
        .map(|bytes| format!("{} sent, {} received", bytes.sent, bytes.received));
    let after = document.target.as_ref();
    [
        ("broker", told(&document.broker)),
        ("account", told(&document.account)),
        ("client-id", told(&document.identity.client_id)),
        ("username", told(&document.identity.username)),
        ("new account", after.and_then(|to| told(&to.account))),
        ("new broker", after.and_then(|to| told(&to.broker))),
        ("since", told(&document.since)),
        ("next", told(&document.next_attempt_at)),
        ("deadline", told(&document.deadline_at)),
        ("transaction", told(&document.transaction)),
        ("bytes", traffic),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// The last error, the offending parameters and the warnings: what, why, what to do.
#[must_use]
pub fn troubles(document: &Document) -> Vec<String> {
    let mut lines = error(document);
    lines.extend(notes(document));
    lines
}

/// The last error: what, why, what to do.
#[must_use]
pub fn error(document: &Document) -> Vec<String> {
    let Some(error) = &document.error else {
        return Vec::new();
    };
    let mut lines = vec![format!("{}: {}", error.code, error.message)];
    let told = |words: &str| error.message.contains(words);
    let causes = error.causes.iter().filter(|cause| !told(cause));
    lines.extend(causes.map(|cause| format!("  because {cause}")));
    let platform = error.platform.as_ref();
    if let Some(platform) = platform.filter(|p| !(told(&p.code) && told(&p.message))) {
        lines.push(format!(
            "  the platform says {}: {}",
            platform.code, platform.message
        ));
    }
    if !error.remedy.is_empty() {
        lines.push(format!("  → {}", error.remedy));
    }
    lines
}

/// The offending parameters that the error does not tell already, and the warnings, a line each.
#[must_use]
pub fn notes(document: &Document) -> Vec<String> {
    let told = |message: &String| {
        document
            .error
            .as_ref()
            .is_some_and(|error| error.message == *message || error.causes.contains(message))
    };
    let problems = document
        .problems
        .iter()
        .filter(|problem| !told(&problem.message))
        .map(|problem| match problem.message.as_str() {
            // The component's own sentence begins with the parameter.
            message if message.starts_with(&problem.parameter) => message.to_owned(),
            message => format!("{}: {message}", problem.parameter),
        });
    let warnings = document
        .warnings
        .iter()
        .map(|warning| format!("warning {}: {}", warning.code, warning.message));
    problems.chain(warnings).collect()
}

/// `line` in pieces of at most `width` characters, broken between words; each further piece is
/// indented two deeper than the first. A word longer than that stays whole.
#[must_use]
pub fn wrap(line: &str, width: usize) -> Vec<String> {
    let indent = line.len() - line.trim_start().len();
    let further = " ".repeat(indent + 2);
    let mut pieces = Vec::new();
    let mut piece = " ".repeat(indent);
    let mut empty = true;
    for word in line.split_whitespace() {
        if !empty && piece.chars().count() + 1 + word.chars().count() > width {
            pieces.push(std::mem::replace(&mut piece, further.clone()));
            empty = true;
        }
        if !empty {
            piece.push(' ');
        }
        piece.push_str(word);
        empty = false;
    }
    pieces.push(piece);
    pieces
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

    #[test]
    fn what_the_message_tells_is_not_told_again() {
        let rejected = document(
            r#"{"error":{"code":"platform.rejected","message":"rejected: request.expired: on Monday",
                "causes":["on Monday"],"platform":{"code":"request.expired","message":"on Monday"}}}"#,
        );
        assert_eq!(
            troubles(&rejected),
            ["platform.rejected: rejected: request.expired: on Monday"]
        );
        let apart = document(
            r#"{"error":{"code":"platform.rejected","message":"rejected",
                "platform":{"code":"request.expired","message":"on Monday"}}}"#,
        );
        assert_eq!(
            troubles(&apart),
            [
                "platform.rejected: rejected",
                "  the platform says request.expired: on Monday"
            ]
        );
    }

    #[test]
    fn what_stands_still_says_so_and_what_is_checked_again_says_when() {
        for (word, expected) in [
            ("invalid", "stopped: parameters do not hold"),
            ("refused", "stopped until something is changed here"),
            ("failed", "stopped by a defect"),
            ("inactive", "not active"),
        ] {
            let text = format!(r#"{{"instance":"p","state":"{word}","attempt":0}}"#);
            assert_eq!(headline(&document(&text), now()), expected);
        }
        let blocked = document(
            r#"{"instance":"p","state":"preflight","next_attempt_at":"2026-01-01T00:00:52Z"}"#,
        );
        assert_eq!(
            headline(&blocked, now()),
            "checking the gateway, next check in 42 s"
        );
    }

    #[test]
    fn a_step_that_was_not_needed_is_marked_so_and_has_no_loose_ends() {
        let skipped = document(
            r#"{"steps":[{"name":"packages","state":"skipped","detail":"","started":null}]}"#,
        );
        assert_eq!(steps(&skipped, now()), ["- packages"]);
    }

    #[test]
    fn facts_are_those_that_are_known() {
        let known = document(
            r#"{"state":"waiting","broker":"mqtts://p:8883","account":"","next_attempt_at":"2026-01-01T00:00:52Z",
                "target":{"account":"acme","broker":null},"bytes":{"sent":7,"received":0}}"#,
        );
        assert_eq!(
            facts(&known),
            [
                ("broker", "mqtts://p:8883".to_owned()),
                ("new account", "acme".to_owned()),
                ("next", "2026-01-01T00:00:52Z".to_owned()),
                ("bytes", "7 sent, 0 received".to_owned()),
            ]
        );
    }

    #[test]
    fn a_remedy_longer_than_the_terminal_is_wrapped_and_not_cut() {
        let line = "  → Check the port in broker-url, then the firewall.";
        assert_eq!(
            wrap(line, 24),
            [
                "  → Check the port in",
                "    broker-url, then the",
                "    firewall."
            ]
        );
        assert_eq!(wrap(line, 80), [line]);
        assert_eq!(wrap("averylongword b", 4), ["averylongword", "  b"]);
    }
}

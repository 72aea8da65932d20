//! How many control messages had which end, since the gateway was started, for people to see. No
//! content of a message, and nothing that a sender could make grow.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

/// A refusal of one reason is logged as a warning once in this time; the others are detail.
const QUIET: Duration = Duration::from_secs(60);

/// Of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ControlReport {
    /// Requests whose signature was accepted, whatever became of what they asked for.
    pub accepted: u64,
    /// Repeated requests that got the recorded reply once more.
    pub repeated: u64,
    /// Refused ones by reason: `signature.missing`, `signature.invalid`, `signature.untrusted`,
    /// `signature.replayed`, `clock.implausible` as the verifier says; `verifier.unavailable` where
    /// none is there or it fails; `protocol.malformed` for what cannot be read or answered;
    /// `protocol.unexpected` for an id that was used for another request; `busy` for what came while
    /// too many waited.
    pub refused: BTreeMap<&'static str, u64>,
    /// The latest refusal in one line: reason and request.
    pub last_refused: Option<String>,
}

impl ControlReport {
    /// All refused ones.
    #[must_use]
    pub fn refused_in_all(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// What a sender has written, a topic of up to 64 KiB for instance, as a log and a console may show
/// it: its beginning, with spaces for control characters.
pub(super) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 160;
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(SHOWN).map(printable).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Counts, and says which refusal is worth a line.
#[derive(Debug, Default)]
pub(super) struct Tally {
    report: ControlReport,
    warned: BTreeMap<&'static str, Instant>,
}

impl Tally {
    pub(super) fn report(&self) -> ControlReport {
        self.report.clone()
    }

    pub(super) fn accepted(&mut self) {
        self.report.accepted += 1;
    }

    pub(super) fn repeated(&mut self) {
        self.report.repeated += 1;
    }

    /// `what` names the request, or what it was taken for. True where it should be said aloud.
    pub(super) fn refused(&mut self, reason: &'static str, what: &str, now: Instant) -> bool {
        *self.report.refused.entry(reason).or_default() += 1;
        self.report.last_refused = Some(format!("{reason}: {}", excerpt(what)));
        let due = self
            .warned
            .get(reason)
            .is_none_or(|last| now.saturating_duration_since(*last) >= QUIET);
        if due {
            self.warned.insert(reason, now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_shown_short_and_without_control_characters() {
        let mut tally = Tally::default();
        let name = format!("\u{1b}[2J\r\n{}", "y".repeat(60_000));
        tally.refused("busy", &name, Instant::now());
        let shown = tally.report().last_refused.unwrap_or_default();
        assert!(shown.starts_with("busy:  [2J  yyy") && shown.ends_with("yy…"));
        assert_eq!(shown.chars().count(), "busy: ".len() + 160 + 1);
    }

    #[test]
    fn every_refusal_counts_and_a_flood_of_one_reason_is_one_line() {
        let mut tally = Tally::default();
        let start = Instant::now();
        assert!(tally.refused("busy", "x", start));
        for _ in 0..10_000 {
            assert!(!tally.refused("busy", "x", start));
        }
        assert!(tally.refused("signature.missing", "CONF-V1/GET/x", start));
        assert!(tally.refused("busy", "x", start + QUIET));
        assert_eq!(tally.report().refused.get("busy"), Some(&10_002));
        assert_eq!(tally.report().refused_in_all(), 10_003);
    }
}

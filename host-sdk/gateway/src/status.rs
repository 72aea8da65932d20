//! The status document of a provisioning component (`gwc.status/1`), as this host reads it.
//!
//! Tolerant on purpose: a component of another version may leave fields out or add
//! some, and the console must still show what is there. It is not the definition of
//! the document (the component owns that), and nothing here writes one. Called by
//! the progress view, by `run --until` and by `gateway status`.

use serde::{Deserialize, Deserializer};

/// What a component is doing. The words are those of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not asked to run.
    #[default]
    Idle,
    /// Finished: the gateway belongs to its account.
    Provisioned,
    /// Checking itself, before any network.
    Preflight,
    /// Between two attempts, or waiting for something on the gateway.
    Waiting,
    /// Resolving, connecting, logging in.
    Connecting,
    /// Receiving certificates, configuration, packages.
    Receiving,
    /// Changing the gateway.
    Applying,
    /// Connecting to the new account, for a proof.
    Proving,
    /// Writing the commit.
    Committing,
    /// Undoing an attempt.
    RollingBack,
    /// Out of attempts; it will not try again by itself.
    GaveUp,
    /// Only a change of the configuration or of the gateway helps.
    Refused,
    /// The parameters do not hold.
    Invalid,
    /// Starting: reading the journal, and following it after a restart.
    Recovering,
    /// Not activated by the host.
    Inactive,
    /// A defect stopped the component.
    Failed,
    /// A word this host does not know.
    #[serde(other)]
    Unknown,
}

impl State {
    /// The word of the document, `unknown` for a word this host does not know.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            State::Idle => "idle",
            State::Provisioned => "provisioned",
            State::Preflight => "preflight",
            State::Waiting => "waiting",
            State::Connecting => "connecting",
            State::Receiving => "receiving",
            State::Applying => "applying",
            State::Proving => "proving",
            State::Committing => "committing",
            State::RollingBack => "rolling-back",
            State::GaveUp => "gave-up",
            State::Refused => "refused",
            State::Invalid => "invalid",
            State::Recovering => "recovering",
            State::Inactive => "inactive",
            State::Failed => "failed",
            State::Unknown => "unknown",
        }
    }
}

/// Where one step of an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Not begun.
    #[default]
    Pending,
    /// Under way.
    Running,
    /// Finished well.
    Done,
    /// Ended the attempt.
    Failed,
    /// Not needed this time.
    Skipped,
    /// A word this host does not know.
    #[serde(other)]
    Unknown,
}

/// One step of an attempt.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Step {
    /// Its name, such as `connect`.
    #[serde(deserialize_with = "absent_or_null")]
    pub name: String,
    /// Where it stands.
    #[serde(deserialize_with = "absent_or_null")]
    pub state: StepState,
    /// When it began, RFC 3339.
    pub started: Option<String>,
    /// When it ended, RFC 3339.
    pub ended: Option<String>,
    /// One line about it.
    pub detail: Option<String>,
}

/// Why it does not go on.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// Stable dotted code.
    #[serde(deserialize_with = "absent_or_null")]
    pub code: String,
    /// `device`, `cloud` or `wait`.
    #[serde(deserialize_with = "absent_or_null")]
    pub class: String,
    /// What happened, one line.
    #[serde(deserialize_with = "absent_or_null")]
    pub message: String,
    /// The causes, the nearest first.
    #[serde(deserialize_with = "absent_or_null")]
    pub causes: Vec<String>,
    /// What to do about it, one sentence.
    #[serde(deserialize_with = "absent_or_null")]
    pub remedy: String,
    /// When, RFC 3339.
    pub at: Option<String>,
    /// The platform's own words, where it ended the attempt.
    pub platform: Option<PlatformWords>,
}

/// What the platform said when it refused.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct PlatformWords {
    /// Its code.
    #[serde(deserialize_with = "absent_or_null")]
    pub code: String,
    /// Its message.
    #[serde(deserialize_with = "absent_or_null")]
    pub message: String,
}

/// The account that the gateway becomes a member of.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Target {
    /// Its name.
    pub account: Option<String>,
    /// URL of its broker.
    pub broker: Option<String>,
    /// MQTT client-id there.
    pub client_id: Option<String>,
}

/// One parameter that does not hold.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct ParameterProblem {
    /// The parameter's id.
    #[serde(deserialize_with = "absent_or_null")]
    pub parameter: String,
    /// What was given and what is allowed.
    #[serde(deserialize_with = "absent_or_null")]
    pub message: String,
}

/// Something that does not stop it but that a person should know.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Warning {
    /// Stable code.
    #[serde(deserialize_with = "absent_or_null")]
    pub code: String,
    /// One line.
    #[serde(deserialize_with = "absent_or_null")]
    pub message: String,
}

/// Who the gateway says it is.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// MQTT client-id.
    pub client_id: Option<String>,
    /// User name at the provision broker.
    pub username: Option<String>,
    /// `kura.serialNumber`.
    pub serial_number: Option<String>,
    /// MAC of the primary interface.
    pub mac_address: Option<String>,
    /// Model of the gateway.
    pub model: Option<String>,
}

/// Traffic of the attempt, in bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Bytes {
    /// Towards the platform.
    #[serde(deserialize_with = "absent_or_null")]
    pub sent: u64,
    /// From the platform.
    #[serde(deserialize_with = "absent_or_null")]
    pub received: u64,
}

/// The whole document.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Document {
    /// Version of the document.
    #[serde(deserialize_with = "absent_or_null")]
    pub version: u32,
    /// Pid of the component instance.
    #[serde(deserialize_with = "absent_or_null")]
    pub instance: String,
    /// What it is doing.
    #[serde(deserialize_with = "absent_or_null")]
    pub state: State,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// Its parameter `enabled`.
    #[serde(deserialize_with = "absent_or_null")]
    pub enabled: bool,
    /// Its parameter `provisioned`.
    #[serde(deserialize_with = "absent_or_null")]
    pub provisioned: bool,
    /// Id of the transaction, where one is under way or was last.
    pub transaction: Option<String>,
    /// Attempts of this transaction; counts from 1, 0 before the first.
    #[serde(deserialize_with = "absent_or_null")]
    pub attempt: u64,
    /// The most attempts allowed; -1 for ever.
    pub max_attempts: Option<i64>,
    /// When the next attempt begins, RFC 3339.
    pub next_attempt_at: Option<String>,
    /// When the running attempt is over whatever happens, RFC 3339.
    pub deadline_at: Option<String>,
    /// The steps, in their order.
    #[serde(deserialize_with = "absent_or_null")]
    pub steps: Vec<Step>,
    /// The last error.
    pub error: Option<Problem>,
    /// Parameters that do not hold.
    #[serde(deserialize_with = "absent_or_null")]
    pub problems: Vec<ParameterProblem>,
    /// Warnings.
    #[serde(deserialize_with = "absent_or_null")]
    pub warnings: Vec<Warning>,
    /// Traffic.
    #[serde(deserialize_with = "absent_or_null")]
    pub bytes: Bytes,
    /// Identity.
    #[serde(deserialize_with = "absent_or_null")]
    pub identity: Identity,
    /// URL of the broker.
    pub broker: Option<String>,
    /// Account: the provisioning account before success, the target's after.
    pub account: Option<String>,
    /// The new account, from its proof on.
    pub target: Option<Target>,
}

impl Document {
    /// Reads a document. A JSON error says line and column.
    ///
    /// # Errors
    /// Text that is no JSON object, or a known field of another type.
    pub fn parse(text: &str) -> Result<Document, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The component's own words where `provisioned` is set and it knows of no success.
    #[must_use]
    pub fn unrecorded(&self) -> Option<&str> {
        let mut warnings = self.warnings.iter();
        let found = warnings.find(|warning| warning.code == "provisioned-unrecorded");
        found.map(|warning| warning.message.as_str())
    }

    /// "2 of 5", "2" where there is no limit, nothing before the first attempt.
    #[must_use]
    pub fn attempts_in_words(&self) -> Option<String> {
        match (self.attempt, self.max_attempts) {
            (0, _) => None,
            (attempt, Some(max)) if max > 0 => Some(format!("{attempt} of {max}")),
            (attempt, _) => Some(attempt.to_string()),
        }
    }
}

/// What a component does not know yet may be null; it then reads as if it were not there.
fn absent_or_null<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_document_of_a_later_version_is_still_read() {
        let document = Document::parse(
            r#"{"version":9,"state":"meditating","attempt":2,"max_attempts":5,"novelty":{"a":1},
                "steps":[{"name":"connect","state":"pondering","since":3}],"error":null}"#,
        )
        .unwrap();
        assert_eq!(document.state, State::Unknown);
        assert_eq!(document.steps.first().unwrap().state, StepState::Unknown);
        assert_eq!(document.attempts_in_words().unwrap(), "2 of 5");
    }

    #[test]
    fn what_is_null_reads_as_absent() {
        let fields = [
            "version",
            "instance",
            "state",
            "since",
            "enabled",
            "provisioned",
            "transaction",
            "attempt",
            "max_attempts",
            "steps",
            "error",
            "problems",
            "warnings",
            "bytes",
            "identity",
            "broker",
            "account",
        ];
        let text = fields.map(|field| format!("\"{field}\":null")).join(",");
        let document = Document::parse(&format!("{{{text}}}")).unwrap();
        assert_eq!(document, Document::default());
        let document = Document::parse(
            r#"{"bytes":{"sent":null},"error":{"code":"x.y","message":null,"causes":null},
                "steps":[{"name":"seal","state":null,"detail":null}]}"#,
        )
        .unwrap();
        assert_eq!(document.error.unwrap().code, "x.y");
    }

    #[test]
    fn an_empty_object_is_an_idle_component() {
        let document = Document::parse("{}").unwrap();
        assert_eq!(document.state.word(), "idle");
        assert_eq!(document.attempts_in_words(), None);
    }

    #[test]
    fn every_known_word_survives_the_round_trip() {
        for word in [
            "idle",
            "provisioned",
            "preflight",
            "waiting",
            "connecting",
            "receiving",
            "applying",
            "proving",
            "committing",
            "rolling-back",
            "gave-up",
            "refused",
            "invalid",
            "recovering",
            "inactive",
            "failed",
        ] {
            let document = Document::parse(&format!(r#"{{"state":"{word}"}}"#)).unwrap();
            assert_eq!(document.state.word(), word);
        }
    }
}

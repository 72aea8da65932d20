//! What `gateway run` says at its end: the one JSON object, and the exit code.
//!
//! Pure: it looks at a status document and at a connection and decides. It waits for
//! nothing and prints nothing; `cli::run` calls it.

use serde::Serialize;

use crate::status::{Document, State};

/// Exit codes of the command line. Success is 0.
pub mod exit {
    /// Something failed that has no code of its own.
    pub const FAILURE: u8 = 1;
    /// The command line is wrong. clap uses the same.
    pub const USAGE: u8 = 2;
    /// `--until provisioned`: the component gave up.
    pub const GAVE_UP: u8 = 3;
    /// `--until provisioned`: the deadline passed.
    pub const DEADLINE: u8 = 4;
    /// Ended by a signal: 128 plus its number.
    pub const SIGNAL: u8 = 128;
}

/// The cloud connection of the watched component, as far as the outcome needs it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// Connected now.
    pub connected: bool,
    /// Account of its transport.
    pub account: String,
    /// Client-id of its transport.
    pub client_id: String,
    /// URL of its broker.
    pub broker: String,
}

/// The error in the JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutcomeError {
    /// Stable code, as in the reference of error codes.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// The JSON object at the end of `gateway run --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The component's word for what it did last.
    pub state: &'static str,
    /// Its parameter `provisioned`.
    pub provisioned: bool,
    /// Its parameter `enabled`.
    pub enabled: bool,
    /// Whether the cloud connection is up.
    pub connected: bool,
    /// The target's account after success, the provisioning account before.
    pub account: Option<String>,
    /// The client-id, at the new account after success.
    pub client_id: Option<String>,
    /// The broker, the new one after success.
    pub broker: Option<String>,
    /// Attempts of the last transaction.
    pub attempts: u64,
    /// Since the start of the host, milliseconds.
    pub elapsed_ms: u64,
    /// The last error, null after success.
    pub error: Option<OutcomeError>,
}

impl Outcome {
    /// Puts the object together.
    #[must_use]
    pub fn new(document: &Document, link: &Link, elapsed_ms: u64) -> Outcome {
        let told = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let after = |of_link: &str, of_document: Option<&String>| {
            if document.provisioned {
                told(of_link)
            } else {
                None
            }
            .or_else(|| of_document.and_then(|text| told(text)))
        };
        Outcome {
            state: document.state.word(),
            provisioned: document.provisioned,
            enabled: document.enabled,
            connected: link.connected,
            account: after(&link.account, document.account.as_ref()),
            client_id: after(&link.client_id, document.identity.client_id.as_ref()),
            broker: after(&link.broker, document.broker.as_ref()),
            attempts: document.attempt,
            elapsed_ms,
            error: document.error.as_ref().map(|error| OutcomeError {
                code: error.code.clone(),
                message: error.message.clone(),
                remedy: error.remedy.clone(),
            }),
        }
    }
}

/// Whether `--until provisioned` is over: the exit code, or `None` to go on waiting.
#[must_use]
pub fn verdict(document: &Document, link: &Link) -> Option<u8> {
    match document.state {
        State::GaveUp => Some(exit::GAVE_UP),
        State::Provisioned if document.provisioned && link.connected => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(text).unwrap()
    }

    fn up() -> Link {
        Link {
            connected: true,
            account: "plant-7".into(),
            client_id: "device".into(),
            broker: "mqtts://cloud:8883".into(),
        }
    }

    #[test]
    fn provisioned_but_not_yet_connected_goes_on_waiting() {
        let done = document(r#"{"state":"provisioned","provisioned":true}"#);
        assert_eq!(verdict(&done, &Link::default()), None);
        assert_eq!(verdict(&done, &up()), Some(0));
    }

    #[test]
    fn a_connection_alone_is_no_success() {
        let before = document(r#"{"state":"connecting","enabled":true}"#);
        assert_eq!(verdict(&before, &up()), None);
    }

    #[test]
    fn giving_up_is_three_and_waiting_is_not() {
        assert_eq!(verdict(&document(r#"{"state":"gave-up"}"#), &up()), Some(3));
        for word in [
            "waiting",
            "refused",
            "invalid",
            "preflight",
            "idle",
            "failed",
        ] {
            let text = format!(r#"{{"state":"{word}"}}"#);
            assert_eq!(verdict(&document(&text), &up()), None, "{word}");
        }
    }

    #[test]
    fn the_account_is_the_targets_after_success_only() {
        let text = r#"{"provisioned":false,"account":"provisioning","broker":"mqtts://p"}"#;
        let before = Outcome::new(&document(text), &up(), 1);
        assert_eq!(before.account.unwrap(), "provisioning");
        let after = Outcome::new(&document(&text.replace("false", "true")), &up(), 1);
        assert_eq!(after.account.unwrap(), "plant-7");
        assert_eq!(after.broker.unwrap(), "mqtts://cloud:8883");
    }

    #[test]
    fn every_promised_field_is_there_even_where_nothing_is_known() {
        let json = serde_json::to_value(Outcome::new(&Document::default(), &Link::default(), 0));
        let json = json.unwrap();
        for field in [
            "provisioned",
            "enabled",
            "state",
            "account",
            "client_id",
            "broker",
            "attempts",
            "elapsed_ms",
            "error",
        ] {
            assert!(json.get(field).is_some(), "{field}");
        }
    }
}

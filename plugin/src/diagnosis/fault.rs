//! One failure: a code, and the facts of the case as one line, with what caused it.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::code::Class;
use super::platform;
use super::table::Code;

/// The longest message, and the longest cause, in bytes: what fits the C boundary's
/// `GWC_ERROR_MESSAGE_SIZE` with its NUL.
pub const MESSAGE_LIMIT: usize = 511;

/// At most so many causes are kept.
const CAUSE_LIMIT: usize = 16;

/// A failure. Every text in it is one line of at most [`MESSAGE_LIMIT`] bytes and never holds a
/// secret: the builders enforce the former, their callers the latter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind.
    pub code: Code,
    /// One line that names the object.
    pub message: String,
    /// What it came from, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// `platform.rejected`: the platform's own code and message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<(String, String)>,
    /// The pause that the platform asked for, in seconds, 0..86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// The response code of a reply, where it is not that of the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<i32>,
}

impl Fault {
    /// A fault with its message; control characters become spaces, too long a text is cut.
    pub fn new(code: Code, message: impl AsRef<str>) -> Self {
        Self {
            code,
            message: one_line(message.as_ref()),
            causes: Vec::new(),
            platform: None,
            retry_after: None,
            response: None,
        }
    }

    /// `protocol.unexpected` with 404: the request names something that does not exist.
    pub fn not_found(message: impl AsRef<str>) -> Self {
        let mut fault = Self::new(Code::ProtocolUnexpected, message);
        fault.response = Some(404);
        fault
    }

    /// `platform.rejected`, with the platform's own words and the pause it asked for (clamped to
    /// 0..86400 s).
    pub fn rejected(code: &str, message: &str, retry_after: Option<i32>) -> Self {
        let (code, message) = (one_line(code), one_line(message));
        let colon = if message.is_empty() { "" } else { ": " };
        let mut fault = Self::new(
            Code::PlatformRejected,
            format!("the platform rejected the provisioning: {code}{colon}{message}"),
        );
        fault.platform = Some((code, message));
        fault.retry_after = retry_after.map(|s| u32::try_from(s.clamp(0, 86_400)).unwrap_or(0));
        fault
    }

    /// Adds what it came from; sixteen are kept.
    #[must_use]
    pub fn caused_by(mut self, cause: impl AsRef<str>) -> Self {
        if self.causes.len() < CAUSE_LIMIT {
            self.causes.push(one_line(cause.as_ref()));
        }
        self
    }

    /// Adds an error and everything in its `source()` chain.
    #[must_use]
    pub fn because(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if self.causes.len() >= CAUSE_LIMIT {
                break;
            }
            self = self.caused_by(error.to_string());
            next = error.source();
        }
        self
    }

    /// Adds another fault as the cause, its code first: `proof.failed` carries the underlying
    /// `network.*`, `tls.*` or `broker.*` so.
    #[must_use]
    pub fn because_of(mut self, fault: &Fault) -> Self {
        self = self.caused_by(format!("{}: {}", fault.code, fault.message));
        for cause in &fault.causes {
            self = self.caused_by(cause);
        }
        self
    }

    /// Who can mend it.
    pub fn class(&self) -> Class {
        self.code.class()
    }

    /// What to do next; of a rejection, by the platform's own code where it is a known one.
    pub fn remedy(&self) -> &'static str {
        let words = self.platform.as_ref();
        words
            .and_then(|(code, _)| platform::remedy(code))
            .unwrap_or_else(|| self.code.remedy())
    }

    /// The `response.code` of a reply that carries this fault.
    pub fn response_code(&self) -> i32 {
        self.response.unwrap_or_else(|| self.code.response_code())
    }

    /// The shape of the status document. `at` is the time it happened, RFC 3339 in UTC; empty
    /// while the clock is not known.
    pub fn document(&self, at: impl Into<String>) -> FaultDocument {
        FaultDocument {
            code: self.code,
            class: self.class(),
            message: self.message.clone(),
            causes: self.causes.clone(),
            remedy: self.remedy().to_owned(),
            at: at.into(),
            platform: self
                .platform
                .clone()
                .map(|(code, message)| PlatformWords { code, message }),
        }
    }
}

impl fmt::Display for Fault {
    /// `code: message`, without the causes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl Error for Fault {}

/// A fault as the status document shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultDocument {
    /// The stable code.
    pub code: Code,
    /// `device`, `cloud` or `wait`.
    pub class: Class,
    /// One line that names the object.
    pub message: String,
    /// What it came from, the nearest first.
    pub causes: Vec<String>,
    /// What to do next.
    pub remedy: String,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// `platform.rejected` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformWords>,
}

/// The platform's own words for a rejection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformWords {
    /// Its code, e.g. `activation-key.invalid`.
    pub code: String,
    /// Its message.
    pub message: String,
}

/// One line of at most [`MESSAGE_LIMIT`] bytes: what came from the network or a library must not
/// forge lines in a log.
fn one_line(text: &str) -> String {
    one_line_within(text, MESSAGE_LIMIT)
}

/// The same, of at most `limit` bytes; what is longer ends in `…`.
pub fn one_line_within(text: &str, limit: usize) -> String {
    let mut line = String::with_capacity(text.len().min(limit));
    for c in text.trim().chars() {
        let c = if breaks_line(c) { ' ' } else { c };
        if line.len() + c.len_utf8() + '…'.len_utf8() > limit {
            line.push('…');
            break;
        }
        line.push(c);
    }
    line
}

/// Control characters, the Unicode line ends, and the marks that reverse the reading direction.
fn breaks_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer {0}")]
    struct Outer(u8, #[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("inner\nline")]
    struct Inner;

    #[test]
    fn texts_from_outside_stay_on_one_line_and_within_bounds() {
        let fault = Fault::new(
            Code::ProtocolMalformed,
            "a\r\nERROR forged\u{2028}\u{202e}b\0",
        );
        assert_eq!(fault.message, "a  ERROR forged  b ");
        for c in ['x', 'é', '€', '🦀'] {
            let text: String = std::iter::repeat_n(c, 10_000).collect();
            let fault = Fault::new(Code::InternalPanic, &text).caused_by(&text);
            for line in [&fault.message, &fault.causes[0]] {
                assert!(line.len() <= MESSAGE_LIMIT, "{}", line.len());
                assert!(line.len() > MESSAGE_LIMIT - 8, "{}", line.len());
                assert!(line.ends_with('…'));
            }
        }
        let exact = "y".repeat(MESSAGE_LIMIT - 3);
        assert_eq!(Fault::new(Code::InternalPanic, &exact).message, exact);
    }

    #[test]
    fn causes_follow_the_source_chain_and_are_bounded() {
        let fault = Fault::new(Code::ApplyFailed, "x").because(&Outer(7, Inner));
        assert_eq!(fault.causes, ["outer 7", "inner line"]);
        let mut many = fault;
        for _ in 0..100 {
            many = many.caused_by("again");
        }
        assert_eq!(many.causes.len(), CAUSE_LIMIT);
    }

    #[test]
    fn a_failed_proof_names_the_code_beneath_it() {
        let beneath =
            Fault::new(Code::TlsExpired, "CN=broker ended yesterday").caused_by("openssl 10");
        let fault = Fault::new(Code::ProofFailed, "mqtts://target:8883").because_of(&beneath);
        assert_eq!(
            fault.causes,
            ["tls.expired: CN=broker ended yesterday", "openssl 10"]
        );
        assert_eq!(fault.to_string(), "proof.failed: mqtts://target:8883");
    }

    #[test]
    fn the_pause_of_a_rejection_is_clamped() {
        for (given, kept) in [
            (None, None),
            (Some(i32::MIN), Some(0)),
            (Some(-1), Some(0)),
            (Some(0), Some(0)),
            (Some(86_400), Some(86_400)),
            (Some(86_401), Some(86_400)),
            (Some(i32::MAX), Some(86_400)),
        ] {
            let fault = Fault::rejected("request.expired", "on Monday", given);
            assert_eq!(fault.retry_after, kept, "{given:?}");
            assert_eq!(fault.code, Code::PlatformRejected);
            assert!(fault.message.contains("request.expired: on Monday"));
        }
    }

    #[test]
    fn something_unknown_is_404_and_something_untimely_409() {
        assert_eq!(Fault::not_found("CONF-V9").response_code(), 404);
        assert_eq!(Fault::not_found("CONF-V9").code, Code::ProtocolUnexpected);
        assert_eq!(
            Fault::new(Code::ProtocolUnexpected, "early").response_code(),
            409
        );
    }

    #[test]
    fn the_document_has_the_agreed_shape() {
        let fault =
            Fault::new(Code::NetworkDns, "broker.example: no address").caused_by("NXDOMAIN");
        let json = serde_json::to_value(fault.document("2026-01-02T03:04:05Z")).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "code": "network.dns", "class": "wait",
                "message": "broker.example: no address", "causes": ["NXDOMAIN"],
                "remedy": Code::NetworkDns.remedy(), "at": "2026-01-02T03:04:05Z",
            })
        );
        let rejected = Fault::rejected("attempts.exhausted", "3 of 3", None).document("");
        let json = serde_json::to_value(&rejected).unwrap();
        assert_eq!(
            json["platform"],
            serde_json::json!({"code": "attempts.exhausted", "message": "3 of 3"})
        );
        assert_eq!(
            serde_json::from_value::<FaultDocument>(json).unwrap(),
            rejected
        );
    }

    #[test]
    fn a_rejection_says_what_to_do_about_the_platforms_own_code() {
        let remedy = |code: &str| Fault::rejected(code, "", None).remedy();
        for (code, words) in platform::REMEDIES {
            assert_eq!(remedy(code), words);
        }
        assert!(remedy("activation-key.invalid").contains("type the activation-key"));
        assert_eq!(remedy("quota.used"), Code::PlatformRejected.remedy());
    }

    #[test]
    fn a_fault_survives_the_journal() {
        let fault = Fault::rejected("request.unknown", "none", Some(5)).caused_by("a");
        let text = serde_json::to_string(&fault).unwrap();
        assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault);
        let short = r#"{"code":"platform.silent","message":"m"}"#;
        assert_eq!(
            serde_json::from_str::<Fault>(short).unwrap(),
            Fault::new(Code::PlatformSilent, "m")
        );
    }
}

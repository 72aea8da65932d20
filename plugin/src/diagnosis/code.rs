//! What a code says about itself: who can mend it, what it does to the retry, and which response
//! code a reply carries. The codes themselves and their sentences are in `table`.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::table::Code;

/// Who can mend it.
///
/// Where the cause may lie on either side (`tls.*`, `trust.*`), the class is the side where it
/// usually lies, and the remedy names both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Somebody must change something on the gateway.
    Device,
    /// Somebody must change something on the platform.
    Cloud,
    /// It passes by itself.
    Wait,
}

impl Class {
    /// `device`, `cloud` or `wait`.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Device => "device",
            Class::Cloud => "cloud",
            Class::Wait => "wait",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What follows an attempt that ended with a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryPolicy {
    /// Another attempt after the pause, while attempts are left.
    Retry,
    /// No attempt until the configuration changes. A preflight that failed with such a code is
    /// still re-checked at every `retry-interval`, as that costs no attempt.
    WaitForChange,
}

impl Code {
    /// What this code does to the retry.
    ///
    /// `device` waits for a change, `cloud` and `wait` retry. Whatever the platform can mend
    /// without anybody touching the gateway must retry, so every `trust.*` does; and so does
    /// every `tls.*`, whichever side it is on: a broker's certificate is renewed, and a CA is
    /// installed in a keystore, without any change to this component's configuration.
    pub fn retry(self) -> RetryPolicy {
        match self {
            Code::TlsUntrusted
            | Code::TlsHostname
            | Code::TlsExpired
            | Code::TlsNotYetValid
            | Code::TlsProtocol => RetryPolicy::Retry,
            other => match other.class() {
                Class::Device => RetryPolicy::WaitForChange,
                Class::Cloud | Class::Wait => RetryPolicy::Retry,
            },
        }
    }

    /// The `response.code` of a reply that carries this code.
    ///
    /// `protocol.unexpected` is 409 here; a request for something that does not exist is the same
    /// code with 404, see [`super::Fault::not_found`]. A code that belongs to no request, such as
    /// `clock.implausible`, is 500.
    pub fn response_code(self) -> i32 {
        match self {
            Code::ProtocolMalformed | Code::ConfigurationInvalid => 400,
            Code::TrustMalformed
            | Code::TrustUntrustedRoot
            | Code::TrustExpired
            | Code::TrustNotYetValid
            | Code::TrustWeak
            | Code::TrustInvalid
            | Code::SignatureMissing
            | Code::SignatureInvalid
            | Code::SignatureUntrusted
            | Code::SignatureReplayed => 403,
            Code::ProtocolUnexpected | Code::TransactionMismatch => 409,
            Code::ProtocolTooLarge => 413,
            _ => 500,
        }
    }
}

/// A text that is no code of the table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no error code")]
pub struct UnknownCode(pub String);

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Code::ALL
            .into_iter()
            .find(|code| code.as_str() == text)
            .ok_or_else(|| UnknownCode(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_dotted_lower_case_unique_and_read_back() {
        let mut seen = BTreeSet::new();
        for code in Code::ALL {
            let text = code.as_str();
            let (area, name) = text.split_once('.').unwrap();
            for part in [area, name] {
                assert!(!part.is_empty(), "{text}");
                assert!(
                    part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                    "{text}"
                );
            }
            assert!(seen.insert(text), "{text} twice");
            assert_eq!(text.parse::<Code>().unwrap(), code);
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Code>(&json).unwrap(), code);
        }
        assert_eq!(seen.len(), 44);
    }

    #[test]
    fn text_that_is_no_code_is_refused_and_cut() {
        for text in ["", "config", "Config.Invalid", "config.invalid "] {
            assert!(text.parse::<Code>().is_err(), "{text:?}");
        }
        let error = "x".repeat(10_000).parse::<Code>().unwrap_err();
        assert!(error.to_string().len() < 100);
    }

    #[test]
    fn classes_are_those_of_the_design() {
        let expected = [
            ("config.", Class::Device),
            ("identity.", Class::Wait),
            ("clock.", Class::Wait),
            ("storage.", Class::Device),
            ("host.", Class::Device),
            ("network.", Class::Wait),
            ("broker.", Class::Cloud),
            ("platform.rejected", Class::Cloud),
            ("platform.silent", Class::Wait),
            ("protocol.", Class::Cloud),
            ("transaction.", Class::Cloud),
            ("trust.", Class::Cloud),
            ("signature.", Class::Cloud),
            ("configuration.", Class::Cloud),
            ("package.", Class::Cloud),
            ("apply.", Class::Device),
            ("proof.", Class::Cloud),
            ("internal.", Class::Device),
        ];
        for code in Code::ALL {
            if code.as_str().starts_with("tls.") {
                assert_ne!(code.class(), Class::Wait, "{code}");
                continue;
            }
            let (_, class) = expected
                .iter()
                .find(|(prefix, _)| code.as_str().starts_with(prefix))
                .unwrap();
            assert_eq!(code.class(), *class, "{code}");
        }
    }

    #[test]
    fn only_what_must_be_mended_here_waits_for_a_change() {
        let waiting: Vec<&str> = Code::ALL
            .into_iter()
            .filter(|code| code.retry() == RetryPolicy::WaitForChange)
            .map(Code::as_str)
            .collect();
        assert_eq!(
            waiting,
            [
                "config.invalid",
                "config.same-platform",
                "storage.unwritable",
                "storage.full",
                "host.unsupported",
                "apply.failed",
                "internal.panic"
            ]
        );
    }

    #[test]
    fn response_codes_follow_the_ruling() {
        for code in Code::ALL {
            let expected = match code.as_str() {
                "protocol.malformed" | "configuration.invalid" => 400,
                "protocol.unexpected" | "transaction.mismatch" => 409,
                "protocol.too-large" => 413,
                text if text.starts_with("trust.") || text.starts_with("signature.") => 403,
                _ => 500,
            };
            assert_eq!(code.response_code(), expected, "{code}");
        }
    }
}

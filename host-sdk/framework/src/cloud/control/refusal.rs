//! Why a request is not served: a response code, a stable error code, one line for a person. Pure.

use std::io;

use kura_formats::request::ResponseCode;

use crate::configuration::ConfigurationError;
use crate::keystore::KeystoreError;

/// The longest `response.exception.message`, in bytes.
const MAX_MESSAGE: usize = 2_048;

/// A refusal, ready for the reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) response: ResponseCode,
    /// `prov.error.code`.
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(
        response: ResponseCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> Refusal {
        let mut message: String = message.into().replace(['\n', '\r'], " ");
        while message.len() > MAX_MESSAGE {
            message.pop();
        }
        Refusal {
            response,
            code,
            message,
        }
    }

    /// 400: the request makes no sense.
    pub(super) fn malformed(message: impl Into<String>) -> Refusal {
        Refusal::new(ResponseCode::BadRequest, "protocol.malformed", message)
    }

    /// 400: the configuration does not hold.
    pub(super) fn invalid(message: impl Into<String>) -> Refusal {
        Refusal::new(ResponseCode::BadRequest, "configuration.invalid", message)
    }

    /// 404: there is no such thing.
    pub(super) fn absent(message: impl Into<String>) -> Refusal {
        Refusal::new(ResponseCode::NotFound, "protocol.unexpected", message)
    }

    /// 409: not as things are.
    pub(super) fn conflict(message: impl Into<String>) -> Refusal {
        Refusal::new(ResponseCode::Conflict, "protocol.unexpected", message)
    }

    /// 413: too much.
    pub(super) fn too_large(message: impl Into<String>) -> Refusal {
        Refusal::new(ResponseCode::TooLarge, "protocol.too-large", message)
    }

    /// 500: the gateway could not do it.
    pub(super) fn failed(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::new(ResponseCode::Internal, code, message)
    }

    fn storage(source: &io::Error, message: String) -> Refusal {
        let code = match source.kind() {
            io::ErrorKind::StorageFull => "storage.full",
            _ => "storage.unwritable",
        };
        Refusal::failed(code, message)
    }
}

impl From<ConfigurationError> for Refusal {
    fn from(error: ConfigurationError) -> Refusal {
        use ConfigurationError as E;
        let message = crate::one_line(&error);
        match &error {
            E::NoSnapshot { .. } => Refusal::absent(message),
            E::Unknown { .. }
            | E::UnknownFactory { .. }
            | E::OtherFactory { .. }
            | E::Singleton { .. }
            | E::BadPid { .. }
            | E::Twice { .. }
            | E::Invalid { .. } => Refusal::invalid(message),
            E::TooMuch(_) => Refusal::too_large(message),
            E::Exists { .. } | E::Conflict { .. } | E::Reserved { .. } => {
                Refusal::conflict(message)
            }
            E::Storage { source, .. } => Refusal::storage(source, message),
            E::Seed(_)
            | E::Undo(_)
            | E::Snapshot { .. }
            | E::NoReadable { .. }
            | E::Unwritable(_)
            | E::Crypto(_) => Refusal::failed("storage.unwritable", message),
        }
    }
}

impl From<KeystoreError> for Refusal {
    fn from(error: KeystoreError) -> Refusal {
        use KeystoreError as E;
        let message = crate::one_line(&error);
        match &error {
            E::NoKeystore { .. } | E::NoEntry { .. } | E::NoKey { .. } => Refusal::absent(message),
            E::KeyInTheWay { .. } | E::Taken { .. } | E::OtherKey { .. } => {
                Refusal::conflict(message)
            }
            E::TooMuch { .. } => Refusal::too_large(message),
            E::BadAlias { .. }
            | E::BadPem { .. }
            | E::BadAlgorithm { .. }
            | E::BadSubject { .. } => Refusal::malformed(message),
            E::Storage { source, .. } => Refusal::storage(source, message),
            E::Damaged { .. } | E::Crypto { .. } | E::Library(_) => {
                Refusal::failed("storage.unwritable", message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_of_bounded_length() {
        let refusal = Refusal::malformed(format!("a\nb{}", "ü".repeat(5_000)));
        assert!(refusal.message.starts_with("a b"));
        assert!(refusal.message.len() <= MAX_MESSAGE);
    }
}

//! The certificates of the cloud side: real ones, and wrong ones on purpose.
//!
//! [`Profile`] says what a certificate shall be, [`Identity`] is a certificate with its key and the
//! way up to its root, [`Pki`] is the set that a platform runs with: a device-management signer
//! under an intermediate and a root, the server certificates of both brokers and of the package
//! server, and the authority that certifies the keys of devices. Nothing here validates chains:
//! that is the gateway's work. Used by the platform, by `demo-pki` and by tests.

mod demo;
mod device_key;
mod identity;
mod profile;

pub use demo::Pki;
pub use device_key::{requested_key, DeviceKey, RequestError};
pub use identity::{fingerprint, Identity, Issued};
pub use profile::{KeyKind, Profile};

use std::path::PathBuf;

/// Why certificates could not be made, written or read.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// OpenSSL refused.
    #[error("OpenSSL could not make {what}")]
    OpenSsl {
        /// What was being made.
        what: String,
        /// OpenSSL's reasons.
        source: openssl::error::ErrorStack,
    },
    /// A file could not be read or written.
    #[error("the file {} could not be {action}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("the file {} does not hold {expected}", path.display())]
    Content {
        /// Which one.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
    },
}

/// Names the object of an OpenSSL error.
pub(crate) fn openssl_error(
    what: impl Into<String>,
) -> impl FnOnce(openssl::error::ErrorStack) -> PkiError {
    let what = what.into();
    move |source| PkiError::OpenSsl { what, source }
}

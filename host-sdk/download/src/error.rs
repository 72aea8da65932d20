//! Why a file did not come.
//!
//! One variant per cause that a person would treat differently; [`DownloadError::code`] is the stable
//! code under which it appears in status documents. No message holds a password or the query of an
//! address, which may be a secret.

use crate::{Address, AddressError, Algorithm};
use mqtt_session::Failure;
use std::io;
use std::path::PathBuf;

/// Why.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// Whoever holds the [`Cancel`](mqtt_session::Cancel) wanted it.
    #[error("the download of {address} was cancelled")]
    Cancelled {
        /// What was being downloaded.
        address: Address,
    },
    /// The deadline has passed.
    #[error("the download of {address} was not complete in time ({received} bytes so far)")]
    Late {
        /// What was being downloaded.
        address: Address,
        /// Bytes so far.
        received: u64,
    },
    /// No connection, or none that held.
    #[error("the download of {address} failed")]
    Network {
        /// What was being downloaded.
        address: Address,
        /// The last failure.
        #[source]
        failure: Box<Failure>,
    },
    /// The server answered with a status that brings no file.
    #[error("{address} answers {status}{}", meaning(*status))]
    Status {
        /// What was asked for.
        address: Address,
        /// The status code, 100 to 999.
        status: u16,
    },
    /// The server leads somewhere else, where it must not.
    #[error("{address} leads elsewhere: {reason}")]
    Redirect {
        /// What was asked for.
        address: Address,
        /// Why it is not followed.
        reason: Redirection,
    },
    /// The answer is no HTTP/1.1 response that can be used.
    #[error("{address} answers no usable HTTP: {what}")]
    Malformed {
        /// What was asked for.
        address: Address,
        /// What is wrong.
        what: String,
    },
    /// The file is larger than the limit.
    #[error("{address} has {size} bytes or more; at most {limit} are taken")]
    TooLarge {
        /// What was asked for.
        address: Address,
        /// Its size, as announced or as counted so far, in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file is whole, but another one than was announced.
    #[error("{address} is not the file that was announced: its {algorithm} is {found}, not {expected} ({length} bytes)")]
    Corrupt {
        /// What was asked for.
        address: Address,
        /// The function.
        algorithm: Algorithm,
        /// The digest of what came, lower hex.
        found: Box<str>,
        /// The digest that was announced, lower hex.
        expected: Box<str>,
        /// Bytes that came.
        length: u64,
    },
    /// The file cannot be written.
    #[error("{} cannot be written", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// A library failed.
    #[error("internal: {0}")]
    Internal(String),
}

/// Why a redirect is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Redirection {
    /// More than five in a row.
    #[error("too many redirects")]
    TooMany,
    /// No `Location`.
    #[error("the redirect does not say where to")]
    Nowhere,
    /// To a scheme that is never followed, or an address that is none.
    #[error("the redirect is not followed: {0}")]
    Address(#[from] AddressError),
    /// From `https://` to `http://`.
    #[error("the redirect from https to http is not followed")]
    Downgrade,
}

impl DownloadError {
    /// The stable code of the status document.
    pub fn code(&self) -> &'static str {
        match self {
            DownloadError::Cancelled { .. }
            | DownloadError::Late { .. }
            | DownloadError::Network { .. }
            | DownloadError::Status { .. }
            | DownloadError::Redirect { .. }
            | DownloadError::Malformed { .. } => "package.unavailable",
            DownloadError::TooLarge { .. } => "protocol.too-large",
            DownloadError::Corrupt { .. } => "package.corrupt",
            DownloadError::Disk { error, .. } => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "storage.full",
                _ => "storage.unwritable",
            },
            DownloadError::Internal(_) => "internal.panic",
        }
    }

    /// The failure of the network beneath, if that is what it was.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            DownloadError::Network { failure, .. } => Some(failure),
            _ => None,
        }
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        401 => ": it wants other credentials",
        403 => ": it does not allow it",
        404 | 410 => ": it is not there",
        500..=599 => ": the server is out of order",
        _ => "",
    }
}

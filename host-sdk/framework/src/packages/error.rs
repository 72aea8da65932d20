//! Why a package is not read or not installed.

use std::io;
use std::path::{Path, PathBuf};

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;

/// What is wrong with an archive. Names the entry.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read from where it is.
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
    /// Larger than any package.
    #[error("it has {size} bytes, at most {limit}")]
    TooLarge {
        /// Its length.
        size: u64,
        /// The bound.
        limit: u64,
    },
    /// Not a gzip'd tar, or a damaged one.
    #[error("it is no whole gzip'd tar archive")]
    Damaged(#[source] io::Error),
    /// It ends too early.
    #[error("it is truncated: {0}")]
    Truncated(String),
    /// Something follows its end.
    #[error("it has bytes behind its end")]
    Trailing,
    /// The manifest is missing or does not hold.
    #[error("package.json: {0}")]
    Manifest(String),
    /// An entry is not what it has to be.
    #[error("entry {entry:?} {reason}")]
    Entry {
        /// Its name, shortened.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another file than the one that was ordered.
    #[error("it has the hash {found}, not {wanted}; download it again")]
    Corrupt {
        /// Of the file.
        found: String,
        /// That was ordered.
        wanted: String,
    },
    /// Another package than the one that was asked for.
    #[error("it is {found}, not {wanted}")]
    Other {
        /// `name version` of the archive.
        found: String,
        /// `name version` that were asked for.
        wanted: String,
    },
}

/// Why a package is not installed, reverted or removed.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A name, version or key that cannot be one.
    #[error("{what} {given:?} is not 1 to 255 of A-Z a-z 0-9 . _ -")]
    BadName {
        /// `package` or `version`.
        what: &'static str,
        /// What was given, shortened.
        given: String,
    },
    /// The archive.
    #[error("the package {}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ArchiveError,
    },
    /// A library of it is refused by the loader.
    #[error("the package {package} cannot be loaded: {reason}")]
    Library {
        /// `name version`.
        package: String,
        /// The loader's words, which name the file.
        reason: String,
    },
    /// Somebody else owns what it needs, or is at work.
    #[error("{0}")]
    Conflict(String),
    /// As many are installed as there may be.
    #[error(
        "{name} would be one package more than the {limit} there may be; first remove another"
    )]
    TooMany {
        /// Which.
        name: String,
        /// How many there may be.
        limit: usize,
    },
    /// There is no such package.
    #[error("there is no package {0:?}")]
    Unknown(String),
    /// The file system refuses.
    #[error("{} cannot be written", path.display())]
    Storage {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The record of what is installed cannot be understood.
    #[error("{} is damaged ({reason}); move it aside, and install the packages again", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Names the path of a failed operation.
pub(super) fn storage(path: &Path) -> impl FnOnce(io::Error) -> PackageError + '_ {
    |source| PackageError::Storage {
        path: path.to_owned(),
        source,
    }
}

impl PackageError {
    /// In the form of the contract.
    pub fn to_call_error(&self) -> CallError {
        use PackageError as E;
        let (status, code) = match self {
            E::BadName { .. } => (status::E_INVALID_ARGUMENT, "package.failed"),
            E::Archive {
                source: ArchiveError::Unreadable(_),
                ..
            } => (status::E_IO, "package.failed"),
            E::Archive {
                source: ArchiveError::Corrupt { .. },
                ..
            } => (status::E_INVALID, "package.corrupt"),
            E::Archive { .. } | E::Library { .. } => (status::E_INVALID, "package.failed"),
            E::Conflict(_) => (status::E_CONFLICT, "package.failed"),
            E::TooMany { .. } => (status::E_INVALID, "protocol.too-large"),
            E::Unknown(_) => (status::E_NOT_FOUND, "package.unknown"),
            E::Storage { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    (status::E_NO_SPACE, "storage.full")
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    (status::E_DENIED, "storage.unwritable")
                }
                _ => (status::E_IO, "storage.unwritable"),
            },
            E::Record { .. } => (status::E_IO, "storage.unwritable"),
        };
        CallError::new(status, code, crate::one_line(self))
    }
}

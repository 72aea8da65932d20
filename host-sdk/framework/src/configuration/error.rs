//! What can go wrong with configurations.

use std::io;
use std::path::PathBuf;

use crate::crypto::CryptoError;
use crate::metatype::FieldProblem;

use super::document::DocumentError;
use super::room::TooMuch;

/// Why the configuration service refuses. Nothing has been changed then, unless the variant
/// says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// There is no component of that pid.
    #[error("there is no component {pid:?}")]
    Unknown {
        /// The pid.
        pid: String,
    },
    /// There is no such factory.
    #[error("there is no factory {factory_pid:?}, which {pid:?} is to be an instance of")]
    UnknownFactory {
        /// The pid.
        pid: String,
        /// The factory pid.
        factory_pid: String,
    },
    /// A component of that pid exists already.
    #[error("a component {pid:?} exists already")]
    Exists {
        /// The pid.
        pid: String,
    },
    /// It was made by another factory, or by none.
    #[error("the component {pid:?} is no instance of {factory_pid:?}")]
    OtherFactory {
        /// The pid.
        pid: String,
        /// The factory pid that was given.
        factory_pid: String,
    },
    /// Only instances of a factory can be deleted.
    #[error("the component {pid:?} is a singleton and cannot be deleted")]
    Singleton {
        /// The pid.
        pid: String,
    },
    /// A pid that cannot be one.
    #[error("{pid:?} is no pid: 1 to 255 characters, no control characters")]
    BadPid {
        /// What was given, shortened.
        pid: String,
    },
    /// The pid occurs twice in one list.
    #[error("the component {pid:?} occurs twice")]
    Twice {
        /// The pid.
        pid: String,
    },
    /// A value does not fit its parameter.
    #[error("{pid}: {problem}")]
    Invalid {
        /// The pid.
        pid: String,
        /// Which property, and why.
        problem: FieldProblem,
    },
    /// It has been changed since the caller looked.
    #[error("the configuration of {pid:?} has been changed meanwhile")]
    Conflict {
        /// The pid.
        pid: String,
    },
    /// A component may still take back, or rely on, what it is now.
    #[error(
        "the configuration of {pid:?} is part of a provisioning that {by} has not finished; \
         wait for its end, or set enabled of {by} to false; if it never comes to an end, delete {by}"
    )]
    Reserved {
        /// The pid.
        pid: String,
        /// The pid of the component that captured it.
        by: String,
    },
    /// More than a gateway keeps.
    #[error(transparent)]
    TooMuch(TooMuch),
    /// The seed is no configuration.
    #[error("the initial configuration cannot be used")]
    Seed(#[source] DocumentError),
    /// There is no such snapshot.
    #[error("there is no snapshot {id}")]
    NoSnapshot {
        /// Its id.
        id: i64,
    },
    /// A snapshot cannot be read.
    #[error("the snapshot {id} cannot be read")]
    Snapshot {
        /// Its id.
        id: i64,
        /// Why.
        #[source]
        source: DocumentError,
    },
    /// There are snapshots, and none can be read.
    #[error("none of the snapshots in {folder} can be read")]
    NoReadable {
        /// The folder.
        folder: PathBuf,
        /// Why the newest cannot.
        #[source]
        source: DocumentError,
    },
    /// What cannot be written as a snapshot.
    #[error("the configuration cannot be written as a snapshot")]
    Unwritable(#[source] DocumentError),
    /// The file system refuses. After a failed [`super::ConfigurationService::apply`] or
    /// [`super::ConfigurationService::restore`] the change may have been made; with the same
    /// key they may be called again.
    #[error("the configuration cannot be stored in {path}")]
    Storage {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The undo data is none, or of another gateway.
    #[error("the undo data cannot be used")]
    Undo(#[source] DocumentError),
    /// Encryption failed.
    #[error("a password cannot be encrypted or decrypted")]
    Crypto(#[from] CryptoError),
}

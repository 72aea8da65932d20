//! The database: provision requests, their jobs and attempts, and the devices of the accounts.
//!
//! One SQLite file with everything that must survive a restart. Several processes may have it open:
//! `request create` writes while `run` runs, which sees it by [`Store::version`]. Secrets are sealed
//! (see [`crate::secret`]). No decisions here: those are in `flow`.

mod attempt;
mod control;
mod device;
mod issued;
mod job;
mod knock;
mod new_request;
mod package;
mod request;
mod schema;

pub use attempt::{Attempt, Exchange};
pub use control::ControlState;
pub use device::Device;
pub use issued::IssuedCertificate;
pub use job::{Job, JobState};
pub use knock::Knock;
pub use new_request::{Attachment, NewRequest};
pub use package::{Download, NewPackage, Package, PackageAccess, LARGEST_PACKAGE, MOST_PACKAGES};
pub use request::{ProvisionRequest, TargetCredentials, Window};

use crate::secret::{SecretError, Vault};
use rusqlite::{Connection, TransactionBehavior};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why the database could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or file cannot be used.
    #[error("the database folder {} cannot be used", path.display())]
    Folder {
        /// Where it is.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("the database refused: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A package file cannot be taken in.
    #[error("the package file {} cannot be taken in", path.display())]
    Package {
        /// Which one.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Made by another version of this program.
    #[error("the database has schema {found}, this program knows {known}")]
    Schema {
        /// What the file says.
        found: i64,
        /// What this program writes.
        known: i64,
    },
    /// A secret could not be sealed or opened.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A new request is not right.
    #[error("{field}: {problem}")]
    Invalid {
        /// Which field of the request.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Something of this name is there already.
    #[error("there is already a provision request with {field} {value:?}")]
    Duplicate {
        /// `client-id` or `username`.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// A stored word that this program does not know.
    #[error("the database holds {0:?}, which is no job state")]
    UnknownState(String),
    /// A stored word that this program does not know.
    #[error("the database holds {0:?}, which is no kind of key")]
    UnknownKey(String),
}

/// The name of the database in a data folder.
pub const DATABASE: &str = "platform.sqlite";

/// An open database. Not to be shared between threads: each opens its own.
pub struct Store {
    db: Connection,
    vault: Vault,
    /// Where package files lie.
    packages: PathBuf,
}

impl Store {
    /// Opens the database of a data folder (created with mode 0700), and makes it if need be.
    pub fn open(data: &Path) -> Result<Store, StoreError> {
        let error = |source| StoreError::Folder {
            path: data.to_owned(),
            source,
        };
        if let Some(parent) = data.parent() {
            std::fs::create_dir_all(parent).map_err(error)?;
        }
        durable_file::create_folder(data).map_err(error)?;
        let vault = Vault::open(&data.join("secrets.key"))?;
        let file = data.join(DATABASE);
        // SQLite gives its journals the mode of the file. One that is there is not opened: closing it
        // would take the locks of every other connection in this process.
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)
        {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(error(e)),
            _ => {}
        }
        let mut db = Connection::open(file)?;
        // One that begins with reading cannot wait for another writer when it comes to writing.
        db.set_transaction_behavior(TransactionBehavior::Immediate);
        db.busy_timeout(Duration::from_secs(10))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.pragma_update(None, "foreign_keys", true)?;
        schema::prepare(&db)?;
        Ok(Store {
            db,
            vault,
            packages: data.join("packages"),
        })
    }

    /// Changes whenever another connection has changed the database.
    pub fn version(&self) -> Result<i64, StoreError> {
        Ok(self
            .db
            .pragma_query_value(None, "data_version", |row| row.get(0))?)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.db.path())
            .finish_non_exhaustive()
    }
}

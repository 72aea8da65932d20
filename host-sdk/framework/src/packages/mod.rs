//! Application packages: an archive with a plugin library and its metatype becomes a component that
//! lives.
//!
//! An archive is a gzip'd tar; its first entry, `package.json`, names every file with length and
//! SHA-256 ([`manifest`]). Installing one puts its libraries into the plugin directory and its
//! descriptors beside them, all or nothing, whatever happens meanwhile; when
//! [`Packages::install`] returns, the library is loaded and its factories and metatypes are known.
//! The old files are kept until [`Packages::settle`], and [`Packages::revert`] brings them back.
//!
//! How a change stays whole, and can be killed at any point:
//!
//! 1. the archive is read into a folder beside the plugins, checked and synced; its libraries are
//!    opened from there, as a test;
//! 2. what will be replaced gets a second name in that folder;
//! 3. the ledger says `switching`;
//! 4. the files are renamed into place, and the libraries are loaded;
//! 5. the ledger says `done`.
//!
//! A start that finds `switching` takes the change back ([`Packages::open`]): so a library that
//! kills the gateway when it is loaded is there no more when it comes up again. What is in a
//! package is trusted once it is installed, as any plugin is; who may install one is the business of
//! the callers: the component's host table, the console, the cloud connection.

mod archive;
mod change;
mod error;
mod incoming;
mod inspect;
mod ledger;
pub mod manifest;
mod pack;
mod place;
mod read;
mod stage;
mod store;

pub(crate) use archive::Archive;
pub use error::{ArchiveError, PackageError};
pub use incoming::Incoming;
pub use inspect::{inspect, inspect_from, Contents};
pub use manifest::{Manifest, PackageFile};
pub use pack::{pack, PackError};
pub use store::{PackageInfo, Packages};

use std::path::{Path, PathBuf};

use crate::plugins::PluginInfo;

/// What the store needs of whoever loads plugins.
pub trait PluginHost: Send + Sync {
    /// Opens a library as a test, and closes it: the factory pids that it offers, or why it is
    /// refused.
    fn probe(&self, library: &Path) -> Result<Vec<String>, String>;
    /// The library that makes components of a factory pid, if any; for one that the framework makes
    /// itself, a path that is no file of the plugin directory.
    fn provider(&self, factory_pid: &str) -> Option<PathBuf>;
    /// Takes note of libraries that have come, changed or gone, at once. When it returns, their
    /// factories and metatypes are known, or known no more; instances follow.
    fn adopt(&self, libraries: &[PathBuf]) -> Vec<PluginInfo>;
}

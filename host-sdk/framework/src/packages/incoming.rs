//! An archive on its way in: a private file in the folder of the packages, bounded, and gone when
//! nobody holds it any more. What a killed gateway leaves, the next start sweeps.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::storage;
use super::manifest::MAX_TOTAL;
use super::{ArchiveError, PackageError};

/// Two at a time have different names.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// A file that an archive is received into.
#[derive(Debug)]
pub struct Incoming {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Incoming {
    /// Named as the temporary files of `durable_file`, which sweeps them.
    pub(super) fn new(folder: &Path) -> Result<Incoming, PackageError> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".incoming.{}-{serial}.tmp", std::process::id()));
        durable_file::check(&path).map_err(storage(&path))?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(storage(&path))?;
        Ok(Incoming {
            file,
            path,
            length: 0,
        })
    }

    /// Adds to it.
    ///
    /// # Errors
    /// More than any package has; the file system.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), PackageError> {
        self.length = self.length.saturating_add(bytes.len() as u64);
        if self.length > MAX_TOTAL {
            return Err(PackageError::Archive {
                path: self.path.clone(),
                source: ArchiveError::TooLarge {
                    size: self.length,
                    limit: MAX_TOTAL,
                },
            });
        }
        self.file.write_all(bytes).map_err(storage(&self.path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_file(&self.path) {
            log::warn!("{}: {e}", self.path.display());
        }
    }
}

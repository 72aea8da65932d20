//! What a connection had downloaded, until it is installed: the file, and beside it the hash by
//! which it was ordered.
//!
//! Each connection has files of its own, named by the suffix of its stack: what one downloads, no
//! other replaces, removes or installs. A file without its hash counts as not there. Not here: the
//! download, and the installation, which are the `job`'s.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kura_formats::deploy::FileHash;

use crate::cloud::stack::CLOUD_SERVICE;
use crate::packages::{Archive, ArchiveError, PackageError};

/// The place of one connection.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    file: PathBuf,
}

impl Shelf {
    /// Of the connection of that CloudService, in the folder of downloads.
    pub(super) fn of(folder: &Path, connection: &str) -> Shelf {
        let suffix = connection.strip_prefix(CLOUD_SERVICE).unwrap_or_default();
        Shelf {
            file: folder.join(format!("package{suffix}.tar.gz")),
        }
    }

    /// The file, once it is whole and has its hash.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The file on its way.
    pub(super) fn part(&self) -> PathBuf {
        self.file.with_extension("part")
    }

    fn hash(&self) -> PathBuf {
        self.file.with_extension("hash")
    }

    /// Whether there is something to install. What is wrong with it, [`take`](Self::take) says.
    pub(super) fn is_filled(&self) -> bool {
        let there = |path: &Path| fs::symlink_metadata(path).is_ok();
        there(&self.file) && there(&self.hash())
    }

    /// Removes everything.
    pub(super) fn clear(&self) -> io::Result<()> {
        durable_file::remove(&self.hash())?;
        durable_file::remove(&self.file)?;
        durable_file::remove(&self.part())
    }

    /// The file on its way has arrived, and has this hash. Durable: the hash first, so that the file
    /// never bears the hash of another.
    pub(super) fn fill(&self, hash: &FileHash) -> io::Result<()> {
        durable_file::write(&self.hash(), hash.to_string().as_bytes())?;
        durable_file::rename(&self.part(), &self.file)
    }

    /// The file, open, which has its hash still.
    pub(super) fn take(&self) -> Result<Archive, PackageError> {
        let (path, archive) = (self.hash(), Archive::own(&self.file)?);
        let hash = durable_file::read(&path).and_then(|text| {
            let hash = String::from_utf8_lossy(&text).parse::<FileHash>();
            hash.map_err(|e| {
                io::Error::new(io::ErrorKind::InvalidData, format!("what is there {e}"))
            })
        });
        let hash = hash.map_err(|e| PackageError::Archive {
            path,
            source: ArchiveError::Unreadable(e),
        })?;
        archive.check(&hash)?;
        Ok(archive)
    }
}

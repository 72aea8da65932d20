//! Looking into an archive without installing it: whether it is a package, its manifest, and its
//! metatype descriptors. No code of it runs.

use std::io::BufRead;
use std::path::Path;

use super::archive::Archive;
use super::manifest::{Manifest, PackageFile, MAX_METATYPE};
use super::read::{self, Receiver};
use super::{ArchiveError, PackageError};
use crate::loader;
use crate::metatype;

/// The beginning of a library that is kept for a look at its headers, in bytes.
const HEAD: usize = 4096;

/// What is in an archive.
#[derive(Clone, Debug)]
pub struct Contents {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Its metatype descriptors (XML), in the order of the archive.
    pub metatypes: Vec<Vec<u8>>,
}

impl Contents {
    /// The factory pids that the descriptors describe, sorted.
    pub fn factory_pids(&self) -> Vec<String> {
        let documents = self
            .metatypes
            .iter()
            .filter_map(|xml| metatype::read(xml).ok());
        let mut pids: Vec<String> = documents
            .flat_map(|document| document.designates)
            .filter_map(|designate| designate.factory_pid)
            .collect();
        pids.sort();
        pids.dedup();
        pids
    }
}

/// Looks into the archive at `path`, which may be a link, in constant memory but for the descriptors (512 KiB).
///
/// # Errors
/// [`PackageError::Archive`]: it is no package, or one for another machine.
pub fn inspect(path: &Path) -> Result<Contents, PackageError> {
    inspect_open(&Archive::given(path)?)
}

/// As [`inspect`], of an archive that is open.
pub(super) fn inspect_open(archive: &Archive) -> Result<Contents, PackageError> {
    archive
        .reader()
        .and_then(inspect_from)
        .map_err(|e| archive.refused(e))
}

/// As [`inspect`], of an archive that is read from wherever it is.
///
/// # Errors
/// [`ArchiveError`].
pub fn inspect_from(archive: impl BufRead) -> Result<Contents, ArchiveError> {
    let mut look = Look::default();
    let manifest = read::read(archive, &mut look)?;
    Ok(Contents {
        manifest,
        metatypes: look.metatypes,
    })
}

/// Collects the descriptors, and looks at the beginnings of the libraries.
#[derive(Default)]
pub(super) struct Look {
    metatypes: Vec<Vec<u8>>,
    current: Option<PackageFile>,
    bytes: Vec<u8>,
}

impl Receiver for Look {
    type Error = ArchiveError;

    fn manifest(&mut self, _manifest: &Manifest) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn file(&mut self, file: &PackageFile) -> Result<(), ArchiveError> {
        self.current = Some(file.clone());
        self.bytes = Vec::new();
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        let library = self.current.as_ref().is_some_and(PackageFile::is_library);
        let limit = if library { HEAD } else { MAX_METATYPE as usize };
        let room = limit.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend(bytes.iter().take(room));
        Ok(())
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        let Some(file) = self.current.take() else {
            return Ok(());
        };
        let bytes = std::mem::take(&mut self.bytes);
        let refused = |reason: String| ArchiveError::Entry {
            entry: file.path.clone(),
            reason,
        };
        if file.is_library() {
            return match loader::look(&bytes, file.size) {
                Some(reason) => Err(refused(format!("is no library for this machine: {reason}"))),
                None => Ok(()),
            };
        }
        if let Err(e) = metatype::read(&bytes) {
            return Err(refused(format!("is no metatype: {}", crate::one_line(&e))));
        }
        self.metatypes.push(bytes);
        Ok(())
    }
}

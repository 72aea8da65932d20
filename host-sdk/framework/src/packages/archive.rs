//! The file of an archive, open: what is recognised is what is read, whatever happens to its name
//! meanwhile.
//!
//! Not here: what is in it (`read`). The store and the command line open archives with it, and the
//! cloud connection what it had downloaded.

use std::fs::File;
use std::io::{BufReader, Error, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use kura_formats::deploy::{FileHash, HashAlgorithm};
use openssl::hash::{Hasher, MessageDigest};

use super::manifest::MAX_TOTAL;
use super::read::hex;
use super::{ArchiveError, PackageError};

/// Bytes that are read at a time.
const BLOCK: usize = 64 << 10;

/// An archive that is open for reading.
#[derive(Debug)]
pub(crate) struct Archive {
    path: PathBuf,
    file: File,
}

impl Archive {
    /// One that a person names, who may have put a link there. Not a fifo or a device, which would
    /// keep the reader waiting.
    pub(crate) fn given(path: &Path) -> Result<Archive, PackageError> {
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
        let opened = File::options()
            .read(true)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
            .open(path);
        Archive::of(path, opened)
    }

    /// One that this process, or a component in it, has put there: no link is followed.
    pub(crate) fn own(path: &Path) -> Result<Archive, PackageError> {
        Archive::of(path, durable_file::open(path))
    }

    fn of(path: &Path, opened: std::io::Result<File>) -> Result<Archive, PackageError> {
        let checked = opened
            .and_then(|file| Ok((file.metadata()?, file)))
            .map_err(ArchiveError::Unreadable)
            .and_then(|(there, file)| {
                if !there.is_file() {
                    let what = Error::new(ErrorKind::InvalidInput, "it is no plain file");
                    return Err(ArchiveError::Unreadable(what));
                }
                match there.len() {
                    size if size > MAX_TOTAL => Err(ArchiveError::TooLarge {
                        size,
                        limit: MAX_TOTAL,
                    }),
                    _ => Ok(file),
                }
            });
        match checked {
            Ok(file) => Ok(Archive {
                path: path.to_owned(),
                file,
            }),
            Err(source) => Err(PackageError::Archive {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// From its first byte on. One reader at a time: they share the place in the file.
    pub(super) fn reader(&self) -> Result<BufReader<&File>, ArchiveError> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))
            .map_err(ArchiveError::Unreadable)?;
        Ok(BufReader::with_capacity(BLOCK, file))
    }

    /// Whether it is the file with that hash.
    ///
    /// # Errors
    /// [`ArchiveError::Corrupt`]: it is another; it cannot be read.
    pub(crate) fn check(&self, hash: &FileHash) -> Result<(), PackageError> {
        let found = self.digest(hash.algorithm()).map_err(|e| self.refused(e))?;
        if found == hash.digest() {
            return Ok(());
        }
        Err(self.refused(ArchiveError::Corrupt {
            found: format!("{}:{}", hash.algorithm(), hex(&found)),
            wanted: hash.to_string(),
        }))
    }

    fn digest(&self, algorithm: HashAlgorithm) -> Result<Vec<u8>, ArchiveError> {
        let function = match algorithm {
            HashAlgorithm::Sha256 => MessageDigest::sha256(),
            HashAlgorithm::Sha384 => MessageDigest::sha384(),
            HashAlgorithm::Sha512 => MessageDigest::sha512(),
        };
        let failed = |e: openssl::error::ErrorStack| ArchiveError::Unreadable(Error::other(e));
        let mut hasher = Hasher::new(function).map_err(failed)?;
        let (mut reader, mut block) = (self.reader()?, [0u8; 4096]);
        loop {
            let read = reader.read(&mut block).map_err(ArchiveError::Unreadable)?;
            match block.get(..read).unwrap_or_default() {
                [] => return Ok(hasher.finish().map_err(failed)?.to_vec()),
                part => hasher.update(part).map_err(failed)?,
            }
        }
    }

    /// Names it in an error.
    pub(super) fn refused(&self, source: ArchiveError) -> PackageError {
        PackageError::Archive {
            path: self.path.clone(),
            source,
        }
    }
}

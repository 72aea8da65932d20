//! The file that a download is written to: hashed on its way, in fixed blocks, durable at the end.
//!
//! Knows nothing of where the bytes come from. The disk is synced every mebibyte, so that no single
//! wait for it is long: a cancelled download ends within that.

use crate::{Algorithm, DownloadError, Received, Request};
use openssl::hash::{Hasher, MessageDigest};
use rustix::fs::{fallocate, FallocateFlags, OFlags};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes of one write.
pub(crate) const BLOCK: usize = 64 << 10;
/// Bytes between two syncs.
const SYNC_EVERY: u64 = 1 << 20;

pub(crate) struct Sink {
    path: PathBuf,
    writer: BufWriter<File>,
    digests: Digests,
    written: u64,
    unsynced: u64,
    kept: bool,
}

struct Digests {
    sha256: Hasher,
    /// The one that was asked for, where that is another.
    other: Option<Hasher>,
}

impl Digests {
    fn new(algorithm: Algorithm) -> Result<Digests, DownloadError> {
        let hasher = |digest| Hasher::new(digest).map_err(internal);
        Ok(Digests {
            sha256: hasher(MessageDigest::sha256())?,
            other: match algorithm {
                Algorithm::Sha256 => None,
                Algorithm::Sha384 => Some(hasher(MessageDigest::sha384())?),
                Algorithm::Sha512 => Some(hasher(MessageDigest::sha512())?),
            },
        })
    }

    fn update(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        self.sha256.update(bytes).map_err(internal)?;
        match &mut self.other {
            Some(other) => other.update(bytes).map_err(internal),
            None => Ok(()),
        }
    }
}

impl Sink {
    /// Creates the file, private from the start. What is there already, a link above all, is not
    /// touched.
    pub(crate) fn create(request: &Request) -> Result<Sink, DownloadError> {
        durable_file::check(&request.file).map_err(|e| disk(&request.file, e))?;
        let no_follow = (OFlags::NOFOLLOW | OFlags::CLOEXEC).bits();
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(i32::try_from(no_follow).unwrap_or_default())
            .open(&request.file)
            .map_err(|e| disk(&request.file, e))?;
        Ok(Sink {
            path: request.file.clone(),
            writer: BufWriter::with_capacity(BLOCK, file),
            digests: Digests::new(request.algorithm)?,
            written: 0,
            unsynced: 0,
            kept: false,
        })
    }

    /// Bytes so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Reserves the room, so that a disk that is too small is known before the bytes have travelled.
    /// File systems that cannot do that find out later.
    pub(crate) fn reserve(&self, size: u64) -> Result<(), DownloadError> {
        if size == 0 {
            return Ok(());
        }
        match fallocate(self.writer.get_ref(), FallocateFlags::KEEP_SIZE, 0, size) {
            Err(rustix::io::Errno::NOSPC) => Err(self.failed(rustix::io::Errno::NOSPC.into())),
            _ => Ok(()),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        self.digests.update(bytes)?;
        let result = self.writer.write_all(bytes);
        result.map_err(|e| self.failed(e))?;
        self.written += bytes.len() as u64;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC_EVERY {
            self.sync()?;
        }
        Ok(())
    }

    /// Begins again with an empty file.
    pub(crate) fn restart(&mut self, algorithm: Algorithm) -> Result<(), DownloadError> {
        self.digests = Digests::new(algorithm)?;
        let emptied = self
            .writer
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.writer.get_ref().set_len(0));
        emptied.map_err(|e| self.failed(e))?;
        (self.written, self.unsynced) = (0, 0);
        Ok(())
    }

    /// The digests of what was written: the one that was asked for, and what to tell. The file is
    /// not durable yet.
    pub(crate) fn digest(&mut self) -> Result<(Vec<u8>, Received), DownloadError> {
        let whole = self.digests.sha256.finish().map_err(internal)?;
        let mut sha256 = [0; 32];
        for (to, from) in sha256.iter_mut().zip(whole.iter()) {
            *to = *from;
        }
        let asked = match &mut self.digests.other {
            Some(other) => other.finish().map_err(internal)?.to_vec(),
            None => sha256.to_vec(),
        };
        let length = self.written;
        Ok((asked, Received { sha256, length }))
    }

    /// Makes the file and its name durable, and keeps it.
    pub(crate) fn keep(mut self) -> Result<(), DownloadError> {
        self.sync()?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        durable_file::sync_folder(folder).map_err(|e| self.failed(e))?;
        self.kept = true;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DownloadError> {
        let result = self
            .writer
            .flush()
            .and_then(|()| self.writer.get_ref().sync_data());
        result.map_err(|e| self.failed(e))?;
        self.unsynced = 0;
        Ok(())
    }

    fn failed(&self, error: io::Error) -> DownloadError {
        disk(&self.path, error)
    }
}

/// A file that is not whole is not left behind. (After a loss of power its folder is swept.)
impl Drop for Sink {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn disk(path: &Path, error: io::Error) -> DownloadError {
    DownloadError::Disk {
        path: path.to_owned(),
        error,
    }
}

fn internal(e: openssl::error::ErrorStack) -> DownloadError {
    DownloadError::Internal(format!("OpenSSL cannot hash: {e}"))
}

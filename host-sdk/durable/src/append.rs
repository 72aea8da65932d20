//! An append-only log.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::folder::{parent, sync_folder};

/// A log open for appending, mode 0600. One writer at a time.
#[derive(Debug)]
pub struct Appender {
    file: File,
}

impl Appender {
    /// Opens the log, creating it (durably) where it does not exist. Whatever lies behind
    /// `length`, the end of its last good record, is cut off, durably.
    pub fn open(path: &Path, length: u64) -> io::Result<Appender> {
        let (file, cut) = opened(path, length)?;
        if cut {
            file.sync_all()?;
        }
        // Also if it was made by a call that could not sync the folder.
        if length == 0 {
            sync_folder(parent(path))?;
        }
        Ok(Appender { file })
    }

    /// As [`open`](Self::open), where an earlier call may have cut, written or put in its place
    /// what it could not sync: when this returns, a loss of power neither brings back what was cut
    /// nor takes any of the rest.
    pub fn settle(path: &Path, length: u64) -> io::Result<Appender> {
        let (file, _) = opened(path, length)?;
        file.sync_all()?;
        sync_folder(parent(path))?;
        Ok(Appender { file })
    }

    /// Appends one record and waits until it is on the disk. After an error the log may end in
    /// a part of the record: open it again.
    pub fn append(&mut self, record: &[u8]) -> io::Result<()> {
        self.file.write_all(record)?;
        self.file.sync_data()
    }

    /// Appends one record without waiting for the disk: a loss of power may take it back, and
    /// with it nothing that came before. After an error as [`append`](Self::append).
    pub fn note(&mut self, record: &[u8]) -> io::Result<()> {
        self.file.write_all(record)
    }
}

/// The file, and whether it had to be cut.
fn opened(path: &Path, length: u64) -> io::Result<(File, bool)> {
    crate::check(path)?;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(crate::read::careful())
        .open(path)?;
    let cut = file.metadata()?.len() > length;
    if cut {
        file.set_len(length)?;
    }
    Ok((file, cut))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_torn_end_is_cut_off_before_the_next_record() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        Appender::open(&path, 0)
            .unwrap()
            .append(b"one\ntor")
            .unwrap();
        Appender::open(&path, 4).unwrap().append(b"two\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
    }
    /// Files of /proc can be written and not synced, as on a disk that fails at just that.
    #[test]
    fn a_log_is_settled_only_by_a_disk_that_says_so_also_where_nothing_is_cut() {
        let path = format!("/proc/{}/comm", std::process::id());
        let path = Path::new(&path);
        Appender::open(path, 1).unwrap();
        let error = Appender::settle(path, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}

//! Replacing a file as a whole: temporary file beside it, write, fsync, rename, fsync of the
//! folder.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::OnceLock;

use crate::folder::{parent, sync_folder};

/// Distinguishes the temporary files of concurrent writers in one process.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// Writes `content` to `path`, mode 0600. On an error the old file is as it was, and the
/// temporary one is gone, unless the process was killed: then it stays, named
/// `.NAME.PID-START-N.tmp`, and nobody reads it.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary(path)?;
    let result = write_new(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
        return result;
    }
    sync_folder(parent(path))
}

/// As [`write()`], without waiting for the disk: for what may be lost. After a loss of power the
/// file may be the old one, the new one, empty or any part of the new one.
pub fn write_lazily(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary(path)?;
    let written = new_file(&temporary).and_then(|mut file| file.write_all(content));
    let result = written.and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// Creates `path` with `content`, mode 0600; one that is there already, also if another process
/// was quicker by a moment, is fine and stays as it is.
pub fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary(path)?;
    // Unlike a rename, a link never replaces.
    let result =
        write_new(&temporary, content).and_then(|()| match fs::hard_link(&temporary, path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result,
        });
    let _ = fs::remove_file(&temporary);
    result?;
    sync_folder(parent(path))
}

/// Writes several files of one folder, as [`write()`] does each, with one wait for the folder. After
/// an error or a crash each of them is the old one or the new one.
/// No more than one of them is held at a time.
pub fn write_all(
    folder: &Path,
    files: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<[u8]>)>,
) -> io::Result<()> {
    let mut any = false;
    for (name, content) in files {
        let path = folder.join(name.as_ref());
        let temporary = temporary(&path)?;
        let result =
            write_new(&temporary, content.as_ref()).and_then(|()| fs::rename(&temporary, &path));
        if result.is_err() {
            let _ = fs::remove_file(&temporary);
            return result;
        }
        any = true;
    }
    match any {
        true => sync_folder(folder),
        false => Ok(()),
    }
}

/// Removes the temporary files that killed processes left in a folder. Those of processes that
/// still run are left alone, but for this one: call it before this process writes there.
pub fn sweep(folder: &Path) -> io::Result<()> {
    crate::check_folder(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(writer) = name.to_str().and_then(writer_of) else {
            continue;
        };
        if writer == Writer::own() || !writer.runs() {
            crate::remove(&entry.path())?;
        }
    }
    Ok(())
}

/// A process, told from an earlier one of the same number by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Writer {
    pid: u32,
    /// Clock ticks since the machine started; 0 if unknown.
    start: u64,
}

impl Writer {
    fn own() -> Writer {
        static START: OnceLock<u64> = OnceLock::new();
        let pid = std::process::id();
        let start = *START.get_or_init(|| started(pid).unwrap_or(0));
        Writer { pid, start }
    }

    fn runs(self) -> bool {
        started(self.pid) == Some(self.start)
    }
}

/// When a process started; proc(5), field 22 of `stat`, the second one being a name in brackets.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind) = stat.rsplit_once(')')?;
    behind.split_whitespace().nth(19)?.parse().ok()
}

/// The process that a temporary file is of.
fn writer_of(name: &str) -> Option<Writer> {
    let rest = name.strip_prefix('.')?.strip_suffix(".tmp")?;
    let (_, writer) = rest.rsplit_once('.')?;
    let mut numbers = writer.split('-');
    let pid = numbers.next()?.parse().ok()?;
    let start = numbers.next()?.parse().ok()?;
    numbers.next()?.parse::<u64>().ok()?;
    match numbers.next() {
        None => Some(Writer { pid, start }),
        Some(_) => None,
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = new_file(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn new_file(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(path)
}

fn temporary(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    crate::check(path)?;
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let Writer { pid, start } = Writer::own();
    let name = format!(".{}.{pid}-{start}-{serial}.tmp", name.to_string_lossy());
    let temporary = parent(path).join(name);
    // Left over by a killed process of the same id.
    match fs::remove_file(&temporary) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(temporary),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_new_content_replaces_the_old_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write(&path, b"one").unwrap();
        write_lazily(&path, b"1.5").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"1.5");
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_writer_left_is_swept_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let parent = rustix::process::getppid().unwrap().as_raw_nonzero();
        let start = started(parent.get().try_into().unwrap()).unwrap();
        let running = format!(".a.{parent}-{start}-0.tmp");
        let kept = ["a", ".a.tmp", ".a.x-1-1.tmp", &running];
        // Of a process that is gone, and of one whose number another process has now.
        let gone = format!(".a.{parent}-{}-0.tmp", start + 1);
        for name in kept.iter().chain(&[".a.b.4294967295-5-7.tmp", &gone]) {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        sweep(dir.path()).unwrap();
        let left = fs::read_dir(dir.path()).unwrap();
        let mut left: Vec<_> = left.map(|e| e.unwrap().file_name()).collect();
        left.sort();
        let mut kept = kept.map(std::ffi::OsString::from);
        kept.sort();
        assert_eq!(left, kept);
    }

    #[test]
    fn a_file_is_created_once_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        create(&path, b"first").unwrap();
        create(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(create(&dir.path().join("absent/key"), b"x").is_err());
    }

    #[test]
    fn several_files_are_replaced_and_one_that_cannot_be_stops_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        fs::write(dir.path().join("a"), "old").unwrap();
        let files = [("a", "new"), ("folder", "x"), ("b", "new")];
        let files = files.map(|(name, content)| (name, content.as_bytes()));
        assert!(write_all(dir.path(), files).is_err());
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_no_litter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder");
        fs::create_dir(&path).unwrap();
        assert!(write(&path, b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

//! Watching the plugin directory.
//!
//! A file counts once its size, time and identity have not changed for [`SETTLE`]; so a slow copy is
//! not taken for a library, and if it stalls for longer, the loader still finds it truncated, and it
//! is reported again when it goes on. The kernel (inotify) wakes the watch; where it cannot, as on
//! network file systems, the directory is looked at every [`IDLE`].

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{eventfd, poll, EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::fs::inotify;

/// How long a file must be unchanged.
pub const SETTLE: Duration = Duration::from_millis(300);
/// How often files that are not settled yet are looked at.
const GLANCE: Duration = Duration::from_millis(100);
/// How often the directory is looked at without being woken.
pub const IDLE: Duration = Duration::from_secs(10);

/// What a file was when it was looked at; two files or contents differ in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// Of the file at `path`, which may be a link to it; nothing if there is none.
    pub fn of(path: &Path) -> Option<Stamp> {
        let metadata = fs::metadata(path).ok()?;
        metadata.is_file().then(|| Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }

    /// Tells two files or contents apart, also in another process.
    pub fn form(&self) -> String {
        let (seconds, nanoseconds) = self.modified;
        format!("{} {seconds}.{nanoseconds:09}", self.size)
    }

    /// When the content changed last, in seconds and nanoseconds since 1970.
    pub fn modified(&self) -> (i64, i64) {
        self.modified
    }
}

/// What happened to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there, whole, or it is another one than before.
    Arrived(PathBuf, Stamp),
    /// It is gone.
    Gone(PathBuf),
}

/// The libraries in a directory now: `*.so`, hidden files left out.
pub fn scan(directory: &Path) -> io::Result<BTreeMap<PathBuf, Stamp>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || path.extension().is_none_or(|e| e != "so") {
            continue;
        }
        // A link counts as what it points to. What is gone by now is gone.
        if let Some(stamp) = Stamp::of(&path) {
            found.insert(path, stamp);
        }
    }
    Ok(found)
}

/// Watches until dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches `directory` on a thread of its own, and reports what differs from `known`.
    pub fn start(
        directory: &Path,
        known: BTreeMap<PathBuf, Stamp>,
        report: impl FnMut(Change) + Send + 'static,
    ) -> io::Result<Watch> {
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let mut watcher = Watcher {
            directory: directory.to_owned(),
            kernel: notify(directory),
            stop: Arc::clone(&stop),
            pending: Pending {
                known,
                unsettled: BTreeMap::new(),
            },
            report,
        };
        let thread = thread::Builder::new()
            .name("gwc-plugins".to_owned())
            .spawn(move || watcher.run())?;
        Ok(Watch {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Err(e) = rustix::io::write(self.stop.as_fd(), &1u64.to_ne_bytes()) {
            log::error!("the watch of the plugin directory cannot be stopped: {e}");
            return;
        }
        if let Some(thread) = self.thread.take() {
            if thread.join().is_err() {
                log::error!("the watch of the plugin directory panicked");
            }
        }
    }
}

/// The kernel's notices about a directory, if it gives any.
fn notify(directory: &Path) -> Option<OwnedFd> {
    let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
    let watch = inotify::WatchFlags::CREATE
        | inotify::WatchFlags::CLOSE_WRITE
        | inotify::WatchFlags::MODIFY
        | inotify::WatchFlags::ATTRIB
        | inotify::WatchFlags::DELETE
        | inotify::WatchFlags::MOVED_FROM
        | inotify::WatchFlags::MOVED_TO;
    let attempt = || -> rustix::io::Result<OwnedFd> {
        let kernel = inotify::init(flags)?;
        inotify::add_watch(&kernel, directory, watch)?;
        Ok(kernel)
    };
    attempt()
        .inspect_err(|e| log::warn!("{} is watched by looking: {e}", directory.display()))
        .ok()
}

struct Watcher<R> {
    directory: PathBuf,
    kernel: Option<OwnedFd>,
    stop: Arc<OwnedFd>,
    pending: Pending,
    report: R,
}

impl<R: FnMut(Change)> Watcher<R> {
    fn run(&mut self) {
        loop {
            match scan(&self.directory) {
                Ok(found) => {
                    for change in self.pending.look(found, Instant::now()) {
                        (self.report)(change);
                    }
                }
                // The directory may come back: a mount that is not there for a moment must not
                // take all components down.
                Err(e) => log::warn!("{} cannot be read: {e}", self.directory.display()),
            }
            let wait = if self.pending.unsettled.is_empty() {
                IDLE
            } else {
                GLANCE
            };
            if self.sleep(wait) {
                return;
            }
        }
    }

    /// Waits for notice or time; true means stop.
    fn sleep(&mut self, wait: Duration) -> bool {
        let mut descriptors = vec![PollFd::new(&*self.stop, PollFlags::IN)];
        if let Some(kernel) = &self.kernel {
            descriptors.push(PollFd::new(kernel, PollFlags::IN));
        }
        let timeout = Timespec {
            tv_sec: wait.as_secs() as i64,
            tv_nsec: wait.subsec_nanos().into(),
        };
        // An interruption means looking once more, which does no harm.
        let _ = poll(&mut descriptors, Some(&timeout));
        let stopped = descriptors
            .first()
            .is_some_and(|stop| !stop.revents().is_empty());
        drop(descriptors);
        if let Some(kernel) = &self.kernel {
            // Which file it was does not matter: the directory is looked at as a whole.
            let mut buffer = [0u8; 4096];
            while matches!(rustix::io::read(kernel, &mut buffer), Ok(n) if n > 0) {}
        }
        stopped
    }
}

/// Which files are known, and which have not settled.
struct Pending {
    known: BTreeMap<PathBuf, Stamp>,
    unsettled: BTreeMap<PathBuf, (Stamp, Instant)>,
}

impl Pending {
    /// What a look at the directory tells.
    fn look(&mut self, found: BTreeMap<PathBuf, Stamp>, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        self.known.retain(|path, _| {
            let there = found.contains_key(path);
            if !there {
                changes.push(Change::Gone(path.clone()));
            }
            there
        });
        self.unsettled.retain(|path, _| found.contains_key(path));
        for (path, stamp) in found {
            if self.known.get(&path) == Some(&stamp) {
                self.unsettled.remove(&path);
                continue;
            }
            let since = match self.unsettled.get(&path) {
                Some((same, since)) if *same == stamp => *since,
                _ => now,
            };
            if now.duration_since(since) >= SETTLE {
                self.unsettled.remove(&path);
                self.known.insert(path.clone(), stamp);
                changes.push(Change::Arrived(path, stamp));
            } else {
                self.unsettled.insert(path, (stamp, since));
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(size: u64) -> Stamp {
        Stamp {
            device: 1,
            inode: 1,
            size,
            modified: (0, 0),
        }
    }

    #[test]
    fn a_file_that_still_grows_is_not_reported() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let path = PathBuf::from("/p/a.so");
        let with = |size| BTreeMap::from([(path.clone(), stamp(size))]);
        let mut pending = Pending {
            known: BTreeMap::new(),
            unsettled: BTreeMap::new(),
        };
        assert_eq!(pending.look(with(1), at(0)), []);
        assert_eq!(pending.look(with(2), at(250)), []);
        assert_eq!(pending.look(with(2), at(500)), []);
        let arrived = Change::Arrived(path.clone(), stamp(2));
        assert_eq!(pending.look(with(2), at(550)), [arrived]);
        assert_eq!(pending.look(with(2), at(2_000)), []);
        assert_eq!(pending.look(with(3), at(2_100)), []);
        let replaced = Change::Arrived(path.clone(), stamp(3));
        assert_eq!(pending.look(with(3), at(2_400)), [replaced]);
        assert_eq!(
            pending.look(BTreeMap::new(), at(2_500)),
            [Change::Gone(path)]
        );
    }
}

//! What belongs to the process, and a library must not change.

use std::ffi::{CStr, OsString};
use std::path::PathBuf;

/// See the module.
#[derive(Debug, PartialEq)]
pub(crate) struct Surroundings {
    threads: usize,
    descriptors: Vec<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    mask: u32,
    locale: String,
    signals: Vec<(usize, i32)>,
    blocked: Vec<bool>,
    streams: Vec<Option<PathBuf>>,
}

impl Surroundings {
    /// As they are now.
    pub(crate) fn now() -> Surroundings {
        let mut environment: Vec<_> = std::env::vars_os().collect();
        environment.sort();
        // SAFETY: questions only; the mask is put back at once, and nobody makes files meanwhile.
        let (mask, locale, signals, blocked) = unsafe {
            let mask = libc::umask(0o077);
            libc::umask(mask);
            let locale = libc::setlocale(libc::LC_ALL, std::ptr::null());
            let locale = if locale.is_null() {
                String::new()
            } else {
                CStr::from_ptr(locale).to_string_lossy().into_owned()
            };
            let signals = (1..=31).map(|signal| {
                let mut action: libc::sigaction = std::mem::zeroed();
                libc::sigaction(signal, std::ptr::null(), &mut action);
                (action.sa_sigaction, action.sa_flags)
            });
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut set);
            let blocked = (1..=31).map(|signal| libc::sigismember(&set, signal) == 1);
            (mask, locale, signals.collect(), blocked.collect())
        };
        Surroundings {
            threads: threads(),
            descriptors: descriptors(),
            environment,
            directory: std::env::current_dir().ok(),
            mask,
            locale,
            signals,
            blocked,
            streams: (0..3)
                .map(|n| std::fs::read_link(format!("/proc/self/fd/{n}")).ok())
                .collect(),
        }
    }

    /// Without what an instance may have of its own while it lives: threads and files.
    pub(crate) fn of_all(self) -> Surroundings {
        Surroundings {
            threads: 0,
            descriptors: Vec::new(),
            ..self
        }
    }

    /// What differs, in words; `None` if nothing does.
    pub(crate) fn difference(&self, before: &Surroundings) -> Option<String> {
        let mut what = Vec::new();
        let mut compare = |same: bool, name: &'static str| {
            if !same {
                what.push(name);
            }
        };
        compare(self.threads == before.threads, "threads");
        compare(self.descriptors == before.descriptors, "open files");
        compare(self.environment == before.environment, "the environment");
        compare(self.directory == before.directory, "the working directory");
        compare(self.mask == before.mask, "the umask");
        compare(self.locale == before.locale, "the locale");
        compare(self.signals == before.signals, "signal handlers");
        compare(self.blocked == before.blocked, "the signal mask");
        compare(self.streams == before.streams, "the standard streams");
        (!what.is_empty()).then(|| what.join(", "))
    }
}

/// Makes SIGPIPE what it is in most hosts; Rust programs begin with it ignored.
pub(crate) fn default_sigpipe() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// Resident memory of this process, in KiB; 0 where the system does not say.
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
        .and_then(|number| number.trim().parse().ok())
        .unwrap_or_default()
}

/// The threads of this process, those left out that are on their way out of the kernel: it wakes
/// whoever joins a thread before it takes that thread from its list.
pub(crate) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, |tasks| {
        tasks
            .flatten()
            // One that is gone by the time it is looked at has ended, too.
            .filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok())
            .filter(|stat| !is_exiting(stat))
            .count()
    })
}

/// Whether nothing of the program runs any more in the thread with this `stat` (proc(5)).
fn is_exiting(stat: &str) -> bool {
    /// `PF_EXITING` (include/linux/sched.h).
    const EXITING: u64 = 4;
    // The name, which is in brackets, may hold brackets.
    let flags = stat
        .rsplit_once(')')
        .and_then(|(_, fields)| fields.split_whitespace().nth(6)?.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & EXITING != 0)
}

/// What the descriptors of this process lead to, sorted.
pub(crate) fn descriptors() -> Vec<PathBuf> {
    let entries: Vec<PathBuf> = std::fs::read_dir("/proc/self/fd")
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    // The listing's own descriptor is closed by now, and leads nowhere.
    let mut targets: Vec<PathBuf> = entries
        .iter()
        .filter_map(|path| std::fs::read_link(path).ok())
        .collect();
    targets.sort();
    targets
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    /// A process that has ended and that nobody has waited for stays where a thread that was joined
    /// is for a moment.
    #[test]
    fn what_is_on_its_way_out_of_the_kernel_is_no_thread_that_was_left() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let path = format!("/proc/{0}/task/{0}/stat", child.id());
        let stat = || std::fs::read_to_string(&path).unwrap();
        assert!(!is_exiting(&stat()), "{}", stat());
        drop(child.stdin.take());
        let until = Instant::now() + Duration::from_secs(30);
        while !is_exiting(&stat()) {
            assert!(Instant::now() < until, "it is not exiting: {}", stat());
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }
}

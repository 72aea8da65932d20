//! Threads, descriptors and memory of this process, and children that may not run for ever.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holdings {
    /// Threads that run, as [`thread_names`] counts them.
    pub threads: usize,
    /// Entries of `/proc/self/fd`, without the one that counts them.
    pub descriptors: usize,
    /// Resident memory, KiB (`VmRSS`).
    pub resident: usize,
}

/// What this process holds now.
pub fn holdings() -> Holdings {
    let count = |folder: &str| std::fs::read_dir(folder).expect("/proc").count();
    Holdings {
        threads: thread_names().len(),
        descriptors: count("/proc/self/fd") - 1,
        resident: Memory::own().resident,
    }
}

/// Resident memory of a process, from its `/proc/PID/status` (proc(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Now, KiB (`VmRSS`).
    pub resident: usize,
    /// The most there ever was, KiB (`VmHWM`).
    pub peak: usize,
}

impl Memory {
    /// Of this process.
    pub fn own() -> Memory {
        Memory::of(std::process::id())
    }

    /// Of the process `pid`.
    ///
    /// # Panics
    /// If there is no such process.
    pub fn of(pid: u32) -> Memory {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
            .unwrap_or_else(|e| panic!("the memory of process {pid}: {e}"));
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| {
                    line.strip_prefix(name)?
                        .trim()
                        .strip_suffix(" kB")?
                        .parse()
                        .ok()
                })
                .unwrap_or_else(|| panic!("no {name} in the status of process {pid}"))
        };
        Memory {
            resident: field("VmRSS:"),
            peak: field("VmHWM:"),
        }
    }
}

/// What the descriptors of this process are, for a message.
pub fn descriptor_names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir("/proc/self/fd")
        .expect("/proc")
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let target = std::fs::read_link(&path).ok()?;
            Some(format!(
                "{} {}",
                path.file_name()?.to_string_lossy(),
                target.display()
            ))
        })
        .collect();
    names.sort();
    names
}

/// The names of the threads of this process, those left out that are on their way out of the kernel:
/// it wakes whoever joins a thread before it takes that thread from its list.
pub fn thread_names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir("/proc/self/task")
        .expect("/proc")
        // One that is gone by the time it is looked at has ended, too.
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok())
        .filter_map(|stat| running(&stat))
        .collect();
    names.sort();
    names
}

/// The name of a thread from its `stat` (proc(5)), unless it is exiting: nothing of the program runs
/// in it any more.
fn running(stat: &str) -> Option<String> {
    /// `PF_EXITING` (include/linux/sched.h).
    const EXITING: u64 = 4;
    // The name may hold anything, brackets, too.
    let (head, fields) = stat.rsplit_once(')')?;
    let flags: u64 = fields.split_whitespace().nth(6)?.parse().ok()?;
    let (_, name) = head.split_once('(')?;
    (flags & EXITING == 0).then(|| name.to_owned())
}

/// How a child ended and what it said.
#[derive(Debug)]
pub struct Ended {
    /// Exit code or signal; `None` if it had to be killed at the deadline.
    pub status: Option<ExitStatus>,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Ended {
    /// The output, if the child ended by itself and well.
    ///
    /// # Panics
    /// With everything that it said, if it did not.
    pub fn expect_success(self, what: &str) -> String {
        match self.status {
            Some(status) if status.success() => self.stdout,
            Some(status) => panic!(
                "{what}: {status}\n--- stdout\n{}--- stderr\n{}",
                self.stdout, self.stderr
            ),
            None => panic!(
                "{what}: still running at its deadline\n--- stdout\n{}--- stderr\n{}",
                self.stdout, self.stderr
            ),
        }
    }
}

/// Runs a command to its end, or kills it at the deadline.
pub fn run(command: &mut Command, deadline: Duration) -> Ended {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let stdout = drain(child.stdout.take().expect("piped"));
    let stderr = drain(child.stderr.take().expect("piped"));
    let status = wait(&mut child, deadline);
    Ended {
        status,
        stdout: stdout.join().expect("the reader does not panic"),
        stderr: stderr.join().expect("the reader does not panic"),
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn wait(child: &mut Child, deadline: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + deadline;
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return Some(status);
        }
        if Instant::now() >= until {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        // There is no wait with a deadline in std; this only paces the question.
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that has ended and that nobody has waited for stays where a thread that was joined
    /// is for a moment.
    #[test]
    fn what_is_on_its_way_out_of_the_kernel_does_not_run() {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .spawn()
            .expect("cat");
        let path = format!("/proc/{0}/task/{0}/stat", child.id());
        let stat = || std::fs::read_to_string(&path).expect("it was not waited for");
        assert!(running(&stat()).is_some(), "{}", stat());
        drop(child.stdin.take());
        let until = Instant::now() + Duration::from_secs(30);
        while running(&stat()).is_some() {
            assert!(Instant::now() < until, "it counts as running: {}", stat());
            std::thread::yield_now();
        }
        child.wait().expect("a child of ours");
    }

    #[test]
    fn threads_are_known_by_their_names() {
        let own = std::thread::Builder::new().name("odd) S 1 (name".to_owned());
        let names = own.spawn(thread_names).expect("a thread").join();
        let names = names.expect("it does not panic");
        assert!(names.contains(&"odd) S 1 (name".to_owned()), "{names:?}");
    }
}

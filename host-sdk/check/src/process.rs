//! One trial in one process: started, waited for until its deadline, judged.
//!
//! The child says its result in one marked line, on what was its standard output before the library
//! could touch it. Without that line it did not come to its end, whatever its exit code: a library
//! that calls `exit(0)` has not passed. The end of the process counts, not that of its output, which
//! a library can close, flood, or leave to a process that it started.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use crate::{abi, Verdict};

/// Begins the line with the result; a library is unlikely to print it.
const MARK: &str = "\u{1e}trial: ";
const PASSED: &str = "passed";
/// How much of the end of a child's output is kept, in bytes.
const KEPT: usize = 64 << 10;
/// How long the rest of its output, and the end of what was killed, are waited for.
const GRACE: Duration = Duration::from_secs(2);

/// The process of the trial, once there is one.
static OWN: OnceLock<u32> = OnceLock::new();

/// In the child: ends a process that the library has forked and let return, before it goes on with
/// the trial, and forks again.
pub(crate) fn only_once() {
    if OWN.get().is_some_and(|own| *own != std::process::id()) {
        abi::end_at_once();
    }
}

/// In the child: where its result goes. Made before the library is opened.
pub(crate) struct Outlet {
    out: Option<File>,
}

impl Outlet {
    /// For this process, which from now on ends with the one that started it.
    pub(crate) fn new() -> Self {
        abi::end_with_parent();
        OWN.get_or_init(std::process::id);
        Outlet {
            out: io::stdout()
                .as_fd()
                .try_clone_to_owned()
                .ok()
                .map(File::from),
        }
    }

    /// The result, in one line.
    pub(crate) fn say(mut self, result: &Result<(), String>) {
        only_once();
        let text = match result {
            Ok(()) => PASSED.to_owned(),
            Err(reason) => reason.replace(['\n', '\r'], " "),
        };
        if let Some(out) = &mut self.out {
            // Without a reader the result is lost, and the parent says so.
            let _ = out.write_all(format!("\n{MARK}{text}\n").as_bytes());
        }
    }
}

/// In the parent: runs the command and judges it. Returns within `deadline` and a few seconds,
/// whatever the child does.
pub(crate) fn verdict(mut command: Command, deadline: Duration) -> Verdict {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // What the library starts ends with it.
        .process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) => return Verdict::Fail(format!("the process of the trial does not start: {e}")),
    };
    let (output, ended) = match Output::of(&mut child).and_then(|o| Ok((o, end_of(&child)?))) {
        Ok(both) => both,
        Err(e) => {
            abi::kill_group(child.id());
            let _ = child.wait();
            return Verdict::Fail(format!("no thread to watch the trial: {e}"));
        }
    };
    let in_time = ended.recv_timeout(deadline).is_ok();
    // The child leads a group of its own, which is ours as long as nobody waited for it.
    abi::kill_group(child.id());
    if !in_time {
        // A process that the kernel does not let go of is not waited for.
        if ended.recv_timeout(GRACE).is_ok() {
            let _ = child.wait();
        }
        return Verdict::Hang(deadline);
    }
    match child.wait() {
        Ok(status) => {
            let (text, closed) = output.until(GRACE);
            match judge(status, &text) {
                Verdict::Pass if !closed => Verdict::Fail(
                    "it left a process behind, which holds the standard output".to_owned(),
                ),
                other => other,
            }
        }
        Err(e) => Verdict::Fail(format!("the process of the trial is lost: {e}")),
    }
}

/// Hears when the child has ended; it is not reaped by that.
fn end_of(child: &Child) -> io::Result<Receiver<()>> {
    let (sender, receiver) = mpsc::channel();
    let id = child.id();
    thread::Builder::new().spawn(move || {
        abi::wait_for_end(id);
        let _ = sender.send(());
    })?;
    Ok(receiver)
}

/// The end of what a child writes, read so that it never has to wait for a reader.
struct Output {
    kept: Arc<Mutex<VecDeque<u8>>>,
    closed: Receiver<()>,
}

impl Output {
    fn of(child: &mut Child) -> io::Result<Self> {
        let kept = Arc::<Mutex<VecDeque<u8>>>::default();
        let (sender, closed) = mpsc::channel();
        if let Some(mut stdout) = child.stdout.take() {
            let kept = Arc::clone(&kept);
            // Detached: something that the library left behind may hold the pipe open for ever.
            thread::Builder::new().spawn(move || {
                let mut buffer = vec![0; KEPT];
                while let Ok(n @ 1..) = stdout.read(&mut buffer) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.extend(buffer.iter().take(n));
                    let over = kept.len().saturating_sub(KEPT);
                    kept.drain(..over);
                }
                let _ = sender.send(());
            })?;
        }
        Ok(Output { kept, closed })
    }

    /// What it was, and whether it came to its end within `grace`.
    fn until(self, grace: Duration) -> (String, bool) {
        let closed = self.closed.recv_timeout(grace).is_ok();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(kept.make_contiguous()).into_owned();
        (text, closed)
    }
}

fn judge(status: ExitStatus, output: &str) -> Verdict {
    let result = output
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix(MARK));
    match (status.signal(), result) {
        (Some(signal), _) => Verdict::Crash(signal),
        (None, Some(PASSED)) if status.success() => Verdict::Pass,
        (None, Some(PASSED)) => Verdict::Fail(format!(
            "the process ended with {} after the trial",
            status.code().unwrap_or_default()
        )),
        (None, Some(reason)) => Verdict::Fail(reason.to_owned()),
        (None, None) => Verdict::Fail(format!(
            "the library ended the process with exit code {}, or closed all its files",
            status.code().unwrap_or_default()
        )),
    }
}

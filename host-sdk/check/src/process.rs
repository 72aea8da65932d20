//! One trial in one process: started, listened to until its deadline, judged.
//!
//! The child says its result in one marked line on standard output. Without that line it did not
//! come to its end, whatever its exit code: a library that calls `exit(0)` has not passed.

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::Verdict;

/// Begins the line with the result; a library is unlikely to print it.
const MARK: &str = "\u{1e}trial: ";
const PASSED: &str = "passed";
/// The most of a child's output that is kept, in bytes.
const KEPT: u64 = 1 << 20;

/// In the child: the result, in one line.
pub(crate) fn say(result: &Result<(), String>) {
    let text = match result {
        Ok(()) => PASSED.to_owned(),
        Err(reason) => reason.replace(['\n', '\r'], " "),
    };
    // Without a reader the result is lost, and the parent says so.
    let _ = writeln!(io::stdout(), "\n{MARK}{text}");
}

/// In the parent: runs the command and judges it.
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
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        // Detached: something that the library left behind may hold the pipe open for ever.
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stdout.take(KEPT).read_to_end(&mut bytes);
            let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
        });
    }
    let said = receiver.recv_timeout(deadline);
    match said {
        Ok(output) => match child.wait() {
            Ok(status) => judge(status, &output),
            Err(e) => Verdict::Fail(format!("the process of the trial is lost: {e}")),
        },
        Err(_) => {
            // The child leads a group of its own, which is ours as long as nobody waited for it.
            crate::abi::kill_group(child.id());
            let _ = child.wait();
            Verdict::Hang(deadline)
        }
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
            "the library ended the process with exit code {}",
            status.code().unwrap_or_default()
        )),
    }
}

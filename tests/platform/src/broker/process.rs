//! The mosquitto process: started by a thread that lives as long as it does, since the kernel's
//! parent-death signal is tied to that thread, which also carries its log lines to `log`.

use super::config::CONFIGURATION;
use super::refusals::Refusals;
use super::{BrokerError, Installation};
use rustix::process::{kill_process, Pid, Signal};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{channel, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(20);

pub(super) enum StartError {
    AddressInUse,
    Other(BrokerError),
}

/// A running, or ended, process. Killed and reaped when dropped.
pub(super) struct Process {
    child: Arc<Mutex<Child>>,
    pid: u32,
    supervisor: Option<JoinHandle<()>>,
}

enum Report {
    Spawned(Arc<Mutex<Child>>),
    NotSpawned(std::io::Error),
    Line(String),
}

impl Process {
    /// Starts mosquitto in its folder and waits until it says that it runs.
    pub(super) fn start(
        installation: &Installation,
        name: &str,
        folder: &Path,
        refusals: Arc<Refusals>,
    ) -> Result<Process, StartError> {
        let mosquitto = installation.program.clone();
        let configuration = folder.join(CONFIGURATION);
        let name_of_thread = format!("mosquitto {name}");
        let name = name.to_owned();
        let (reports, incoming) = channel();
        let own_name = name.clone();
        let spawned = std::thread::Builder::new()
            .name(name_of_thread)
            .spawn(move || {
                match spawn(&mosquitto, &configuration) {
                    Ok((child, stderr)) => {
                        let child = Arc::new(Mutex::new(child));
                        // Nobody listening is fine: the log still goes to `log`.
                        let _ = reports.send(Report::Spawned(child));
                        carry_log(&name, stderr, &reports, &refusals);
                    }
                    Err(error) => drop(reports.send(Report::NotSpawned(error))),
                }
            });
        let process = |action| move |source| BrokerError::Process { action, source };
        let supervisor = spawned.map_err(|e| StartError::Other(process("supervised")(e)))?;
        let child = match incoming.recv() {
            Ok(Report::Spawned(child)) => child,
            Ok(Report::NotSpawned(e)) => {
                return Err(StartError::Other(process("started")(e)));
            }
            Ok(Report::Line(_)) | Err(_) => {
                let source = std::io::Error::other("its thread ended");
                return Err(StartError::Other(process("supervised")(source)));
            }
        };
        let pid = lock(&child).id();
        let process = Process {
            child,
            pid,
            supervisor: Some(supervisor),
        };
        let deadline = Instant::now() + START;
        let mut last_words = String::from("it said nothing");
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match incoming.recv_timeout(left) {
                Ok(Report::Line(line)) if line.ends_with(" running") => return Ok(process),
                Ok(Report::Line(line)) => {
                    if line.contains("Address already in use") {
                        return Err(StartError::AddressInUse);
                    }
                    last_words = line;
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let error = BrokerError::NotRunning {
                        name: own_name,
                        reason: last_words,
                    };
                    return Err(StartError::Other(error));
                }
            }
        }
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(lock(&self.child).try_wait(), Ok(None))
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), BrokerError> {
        let error = |source| BrokerError::Process {
            action: "signalled",
            source,
        };
        // Not reaped while the lock is held, so the id is still its own.
        let mut child = lock(&self.child);
        if child.try_wait().map_err(error)?.is_some() {
            return Ok(());
        }
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        match id {
            Some(pid) => kill_process(pid, signal).map_err(|e| error(e.into())),
            None => Ok(()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        {
            let mut child = lock(&self.child);
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(supervisor) = self.supervisor.take() {
            let _ = supervisor.join();
        }
    }
}

fn lock(child: &Mutex<Child>) -> std::sync::MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `setpriv` sets the signal that the kernel sends when the starting thread ends, and becomes
/// mosquitto. Without it (not Linux) only dropping kills.
fn spawn(mosquitto: &Path, configuration: &Path) -> std::io::Result<(Child, ChildStderr)> {
    let with = |mut command: Command| {
        command.arg("-c").arg(configuration);
        // A Ctrl-C on the terminal is for us: we end it in good order.
        command.process_group(0);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
    };
    let mut guarded = Command::new("setpriv");
    guarded.args(["--pdeathsig", "KILL"]).arg(mosquitto);
    let mut child = match with(guarded) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => with(Command::new(mosquitto))?,
        other => other?,
    };
    match child.stderr.take() {
        Some(stderr) => Ok((child, stderr)),
        None => Err(std::io::Error::other("its standard error is not to be had")),
    }
}

fn carry_log(name: &str, stderr: ChildStderr, reports: &Sender<Report>, refusals: &Refusals) {
    for line in BufReader::new(stderr).split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line).into_owned();
        log::debug!(target: "mosquitto", "{name}: {line}");
        refusals.heard(&line);
        // The starter stops listening once the broker runs.
        let _ = reports.send(Report::Line(line));
    }
    log::debug!(target: "mosquitto", "{name}: ended");
}

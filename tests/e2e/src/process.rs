//! The sample host as the process that people start: `gateway run` over the folder of a [`Site`].
//!
//! For what a framework within the test cannot show: its memory, its environment, what it says on
//! its standard streams, its REST interface from outside.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{kill_process, Pid, Signal};

use crate::capture;
use crate::site::{gateway_binary, SiteError};
use crate::Site;

/// A running gateway; killed when dropped.
pub struct Process {
    child: Child,
    said: Arc<Said>,
}

/// The lines of both standard streams.
#[derive(Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Said {
    /// Reads to the end, or the gateway would stand still before a full pipe.
    fn listen(self: &Arc<Self>, stream: impl Read + Send + 'static) {
        let said = Arc::clone(self);
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                // No secret may be in it: see `canaries`.
                capture::keep(line.clone());
                let mut lines = said.lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.push(line);
                said.more.notify_all();
            }
        });
    }
}

impl Process {
    /// Starts the gateway of that site, with more arguments; it may not listen yet.
    ///
    /// # Errors
    /// Of writing the seed, or of starting the program.
    pub fn start(site: &Site, arguments: &[&str]) -> Result<Process, SiteError> {
        Process::start_in(site, arguments, &[])
    }

    /// As [`start`](Process::start), with these variables in its environment.
    ///
    /// # Errors
    /// As [`start`](Process::start).
    pub fn start_in(
        site: &Site,
        arguments: &[&str],
        environment: &[(&str, &OsStr)],
    ) -> Result<Process, SiteError> {
        let failed = |e: io::Error| SiteError(format!("gateway run: {e}"));
        let mut child = Command::new(gateway_binary()?)
            .args(["run", "--allow-insecure-plugins", "--listen", "127.0.0.1:0"])
            .arg("--data")
            .arg(site.data())
            .arg("--plugins")
            .arg(site.plugins())
            .arg("--config")
            .arg(site.write_seed()?)
            .arg("--properties")
            .arg(site.system_properties())
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let said = Arc::new(Said::default());
        if let Some(stream) = child.stdout.take() {
            said.listen(stream);
        }
        if let Some(stream) = child.stderr.take() {
            said.listen(stream);
        }
        Ok(Process { child, said })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has said so far.
    pub fn lines(&self) -> Vec<String> {
        let lines = self.said.lines.lock();
        lines.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has said a line that begins so, for instance `console: `.
    ///
    /// # Errors
    /// What it said instead, once the time is over.
    pub fn wait_for_line(&self, beginning: &str, within: Duration) -> Result<(), SiteError> {
        let end = Instant::now() + within;
        let mut lines = self
            .said
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while !lines.iter().any(|line| line.starts_with(beginning)) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let said = lines.join("\n");
                let message = format!("the gateway did not say {beginning:?}, but:\n{said}");
                return Err(SiteError(message));
            }
            let waited = self.said.more.wait_timeout(lines, left);
            lines = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }
}

impl Process {
    /// Asks it to end (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// As [`Process::ended`].
    pub fn terminated(self, within: Duration) -> Result<ExitStatus, SiteError> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)
            .map_err(|e| SiteError(format!("gateway run: {e}")))?;
        self.ended(within)
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// What it said so far, once the time is over.
    pub fn ended(mut self, within: Duration) -> Result<ExitStatus, SiteError> {
        let end = Instant::now() + within;
        loop {
            let status = self.child.try_wait();
            match status.map_err(|e| SiteError(format!("gateway run: {e}")))? {
                Some(status) => return Ok(status),
                None if Instant::now() > end => {
                    let said = self.lines().join("\n");
                    return Err(SiteError(format!("the gateway did not end:\n{said}")));
                }
                // Only to keep the processor free.
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! From a host name to addresses, without a thread that cannot be cancelled.
//!
//! `getaddrinfo` knows no timeout. So the question goes to `getent ahosts`, which asks the same
//! libraries (nsswitch, mDNS, search domains), as a child process with a pipe: it can be polled and
//! killed. See `docs/decisions/getent.md`. Numeric addresses and `localhost` are answered here.

use super::{Aside, Stop, Way};
use crate::{Event, Failure, Stage};
use rustix::event::PollFlags;
use rustix::process::{pidfd_open, pidfd_send_signal, Pid, PidfdFlags, Signal};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Where getent is; the bare name last, for systems that keep it elsewhere.
const GETENT: [&str; 3] = ["/usr/bin/getent", "/bin/getent", "getent"];
/// What is read of its answer at most.
const ANSWER_LIMIT: usize = 64 << 10;
/// How many addresses are tried at most.
const ADDRESSES: usize = 16;

impl<A: Aside> Way<A> {
    /// The addresses of the host, at least one.
    pub(super) fn resolve(&mut self) -> Result<Vec<SocketAddr>, Stop> {
        let port = self.port;
        let host = self.host.clone();
        let with_port = |addresses: Vec<IpAddr>| {
            addresses
                .into_iter()
                .map(|ip| SocketAddr::new(ip, port))
                .collect()
        };
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(with_port(vec![address]));
        }
        self.emit(Event::Resolving);
        // RFC 6761, 6.3: never a question to a server.
        if host == "localhost" || host.ends_with(".localhost") {
            return Ok(with_port(vec![
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
            ]));
        }
        match Question::ask(&host) {
            Ok(question) => self.await_answer(&host, question).map(with_port),
            Err(e) => {
                log::warn!("getent cannot be run ({e}): resolving {host} on a thread that cannot be stopped");
                self.resolve_on_thread(&host).map(with_port)
            }
        }
    }

    fn await_answer(&mut self, host: &str, mut question: Question) -> Result<Vec<IpAddr>, Stop> {
        let mut answer = Vec::new();
        let mut buffer = [0u8; 4096];
        loop {
            self.wait(
                Stage::Resolve,
                Some((question.output.as_fd(), PollFlags::IN)),
                None,
            )?;
            match rustix::io::read(&question.output, &mut buffer) {
                Ok(0) => break,
                Ok(n) => answer.extend_from_slice(buffer.get(..n).unwrap_or_default()),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(e) => return Err(dns(host, e)),
            }
            if answer.len() > ANSWER_LIMIT {
                break;
            }
        }
        let addresses = parse(&answer);
        if addresses.is_empty() {
            return Err(dns(host, question.verdict()));
        }
        Ok(addresses)
    }

    /// For systems without getent. The thread outlives a cancelled session until the system's own
    /// resolver gives up.
    fn resolve_on_thread(&mut self, host: &str) -> Result<Vec<IpAddr>, Stop> {
        let slot: Arc<Mutex<Option<io::Result<Vec<IpAddr>>>>> = Arc::default();
        let (answer, shared, name) = (Arc::clone(&slot), Arc::clone(&self.shared), host.to_owned());
        thread::Builder::new()
            .name("mqtt-resolve".to_owned())
            .spawn(move || {
                let found = (name.as_str(), 0u16)
                    .to_socket_addrs()
                    .map(|all| distinct(all.map(|a| a.ip())));
                *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                shared.wake();
            })
            .map_err(|e| {
                Stop::Failed(Failure::exhausted(format_args!(
                    "no thread to resolve on: {e}"
                )))
            })?;
        loop {
            match slot.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(Ok(addresses)) if !addresses.is_empty() => return Ok(addresses),
                Some(Ok(_)) => return Err(dns(host, "it has no address")),
                Some(Err(e)) => return Err(dns(host, e)),
                None => {}
            }
            self.wait_for_wake(Stage::Resolve)?;
        }
    }
}

/// A running getent.
struct Question {
    child: Child,
    output: OwnedFd,
    /// Names the process even if somebody else reaped it and its number was given away.
    pidfd: Option<OwnedFd>,
    reaped: bool,
}

impl Question {
    fn ask(host: &str) -> io::Result<Question> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for program in GETENT {
            let mut command = Command::new(program);
            command.args(["ahosts", host]).env("LC_ALL", "C");
            match Question::spawn(command) {
                Ok(question) => return Ok(question),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    fn spawn(mut command: Command) -> io::Result<Question> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pidfd = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        // Taken only once: it is there.
        let output = child.stdout.take().map(OwnedFd::from);
        let output = output.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        let question = Question {
            child,
            output,
            pidfd,
            reaped: false,
        };
        rustix::io::ioctl_fionbio(&question.output, true)?;
        Ok(question)
    }

    /// Why there was no address. A host that reaps our child leaves us without its exit code.
    fn verdict(&mut self) -> &'static str {
        let status = self.child.wait();
        self.reaped = true;
        match status.ok().and_then(|s| s.code()) {
            Some(2) => "no such host, or no name server answered",
            _ => "the resolver found no address",
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        match &self.pidfd {
            Some(pidfd) => drop(pidfd_send_signal(pidfd, Signal::KILL)),
            // Before Linux 5.3: safe unless somebody else has reaped it, which try_wait tells.
            None => {
                if let Ok(None) = self.child.try_wait() {
                    let _ = self.child.kill();
                }
            }
        }
        // Dead or dying: this takes no time. ECHILD means that the host has reaped it.
        let _ = self.child.wait();
    }
}

fn dns(host: &str, reason: impl std::fmt::Display) -> Stop {
    Stop::Failed(Failure::Dns {
        host: host.to_owned(),
        reason: reason.to_string(),
    })
}

/// Lines of `ADDRESS  STREAM name`, each address three times.
fn parse(answer: &[u8]) -> Vec<IpAddr> {
    let text = String::from_utf8_lossy(answer);
    distinct(
        text.lines()
            .filter_map(|line| line.split_whitespace().next()?.parse().ok()),
    )
}

fn distinct(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut seen = Vec::new();
    for address in addresses {
        if !seen.contains(&address) && seen.len() < ADDRESSES {
            seen.push(address);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rustix::process::{waitpid, WaitOptions};
    use std::time::{Duration, Instant};

    #[test]
    fn an_answer_of_getent_gives_each_address_once_in_order() {
        let answer = b"2001:db8::1  STREAM broker\n2001:db8::1  DGRAM\n10.0.0.1 STREAM\nrubbish\n10.0.0.1 RAW\n";
        let expected: [IpAddr; 2] = ["2001:db8::1".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        assert_eq!(parse(answer), expected);
    }

    /// A resolver that does not answer.
    fn stuck() -> Question {
        let mut command = Command::new("sleep");
        command.arg("60");
        Question::spawn(command).unwrap()
    }

    #[test]
    fn a_resolver_that_hangs_is_killed_and_reaped() {
        let question = stuck();
        let process = format!("/proc/{}", question.child.id());
        assert!(std::fs::exists(&process).unwrap());
        let begin = Instant::now();
        drop(question);
        // It sleeps for 60 s.
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "{:?}",
            begin.elapsed()
        );
        assert!(!std::fs::exists(&process).unwrap());
    }

    #[test]
    fn a_host_that_reaps_our_child_is_tolerated() {
        let mut question = stuck();
        let pid = Pid::from_raw(question.child.id() as i32).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
        waitpid(Some(pid), WaitOptions::empty()).unwrap();
        assert_eq!(question.verdict(), "the resolver found no address");
        let unasked = stuck();
        let pid = Pid::from_raw(unasked.child.id() as i32).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
        waitpid(Some(pid), WaitOptions::empty()).unwrap();
        drop(unasked);
    }
}

//! Opening the TCP connection: every address in order, each with a fair share of the time left.
//!
//! Does not resolve and does not retry. Called by the link thread, which polls.

use super::{Aside, Stop, Way};
use crate::{Event, Failure, Stage};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{connect, socket_with, sockopt, AddressFamily, SocketFlags, SocketType};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// For one address when the session has no deadline.
const PATIENCE: Duration = Duration::from_secs(30);

impl<A: Aside> Way<A> {
    /// The first address that answers. Where none does, the most telling failure: refused, then
    /// timed out, then unreachable.
    pub(super) fn dial(&mut self, addresses: &[SocketAddr]) -> Result<TcpStream, Stop> {
        let mut worst: Option<Failure> = None;
        for (tried, &address) in addresses.iter().enumerate() {
            let left = addresses.len().saturating_sub(tried).max(1);
            let now = Instant::now();
            let share = match self.deadline {
                Some(deadline) => {
                    deadline.saturating_duration_since(now)
                        / u32::try_from(left).unwrap_or(u32::MAX)
                }
                None => PATIENCE,
            };
            let failure = match self.dial_one(address, now + share)? {
                Ok(stream) => return Ok(stream),
                Err(failure) => failure,
            };
            log::debug!("{failure}");
            if worst.as_ref().is_none_or(|w| rank(&failure) > rank(w)) {
                worst = Some(failure);
            }
        }
        Err(Stop::Failed(worst.unwrap_or_else(|| Failure::Dns {
            host: self.host.clone(),
            reason: "it has no address".to_owned(),
        })))
    }

    /// The outer error ends the session, the inner one only this address.
    fn dial_one(
        &mut self,
        addr: SocketAddr,
        until: Instant,
    ) -> Result<Result<TcpStream, Failure>, Stop> {
        let family = if addr.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = match socket_with(family, SocketType::STREAM, flags, None) {
            Ok(socket) => socket,
            Err(Errno::AFNOSUPPORT) => return Ok(Err(failure(addr, Errno::AFNOSUPPORT))),
            Err(e) => {
                return Err(Stop::Failed(Failure::exhausted(format_args!(
                    "no socket: {e}"
                ))))
            }
        };
        let begun = connect(&socket, &addr);
        // Nothing is sent where the gateway itself knows no way: that is no attempt to connect.
        if !matches!(begun, Err(e) if is_local(e)) {
            self.emit(Event::Connecting(addr));
        }
        match begun {
            Ok(()) => {}
            Err(Errno::INPROGRESS | Errno::INTR) => {
                if !self.wait(
                    Stage::Connect,
                    Some((socket.as_fd(), PollFlags::OUT)),
                    Some(until),
                )? {
                    return Ok(Err(Failure::Timeout {
                        stage: Stage::Connect,
                        after: self.opened.elapsed(),
                    }));
                }
                match sockopt::socket_error(&socket) {
                    Ok(Ok(())) => {}
                    Ok(Err(e)) | Err(e) => return Ok(Err(failure(addr, e))),
                }
            }
            Err(e) => return Ok(Err(failure(addr, e))),
        }
        let stream = TcpStream::from(socket);
        // Our writes are whole flights: waiting for more of them only costs time.
        let _ = stream.set_nodelay(true);
        Ok(Ok(stream))
    }
}

/// Refused by this machine, before any packet.
fn is_local(error: Errno) -> bool {
    matches!(
        error,
        Errno::NETUNREACH
            | Errno::HOSTUNREACH
            | Errno::NETDOWN
            | Errno::ADDRNOTAVAIL
            | Errno::INVAL
            | Errno::ACCESS
            | Errno::PERM
    )
}

fn failure(addr: SocketAddr, error: Errno) -> Failure {
    match error {
        Errno::CONNREFUSED | Errno::CONNRESET => Failure::Refused { addr },
        _ => Failure::Unreachable {
            addr,
            reason: error.to_string(),
        },
    }
}

fn rank(failure: &Failure) -> u8 {
    match failure {
        Failure::Refused { .. } => 3,
        Failure::Timeout { .. } => 2,
        _ => 1,
    }
}

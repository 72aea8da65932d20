//! The WebSocket upgrade, over the open transport.

use super::transport::{End, Io, Transport};
use super::{web_socket, Link, Stop};
use crate::{Failure, Stage};
use rustix::event::PollFlags;
use std::os::fd::AsFd;

impl Link {
    /// Asks for WebSocket; gives the bytes that came behind the answer.
    pub(super) fn upgrade(&mut self, transport: &mut Transport) -> Result<Vec<u8>, Stop> {
        let (request, key) = web_socket::request(&self.options.broker)?;
        let mut rest = request.as_bytes();
        while !rest.is_empty() {
            let done = self.step(transport, |transport| transport.write(rest))?;
            rest = rest.get(done..).unwrap_or_default();
        }
        let mut answer = Vec::new();
        let mut buffer = [0u8; 4096];
        loop {
            let done = self.step(transport, |transport| transport.read(&mut buffer))?;
            answer.extend_from_slice(buffer.get(..done).unwrap_or_default());
            if let Some(early) = web_socket::check_response(&answer, &key)? {
                return Ok(early);
            }
        }
    }

    /// Repeats one read or write until it has moved something.
    fn step(
        &mut self,
        transport: &mut Transport,
        mut io: impl FnMut(&mut Transport) -> Io,
    ) -> Result<usize, Stop> {
        loop {
            let flags = match io(transport) {
                Io::Done(n) => return Ok(n),
                Io::Blocked { for_writing: true } => PollFlags::OUT,
                Io::Blocked { for_writing: false } => PollFlags::IN,
                Io::Closed(end) => return Err(Stop::Failed(closed(end, Stage::Upgrade))),
            };
            self.wait(Stage::Upgrade, Some((transport.as_fd(), flags)), None)?;
        }
    }
}

/// The failure for a connection that ended.
pub(super) fn closed(end: End, stage: Stage) -> Failure {
    match end {
        End::Lost(reason) => Failure::Lost { stage, reason },
        End::Tls(reason) => Failure::TlsProtocol { reason },
    }
}

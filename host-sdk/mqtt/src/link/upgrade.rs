//! The WebSocket upgrade, over the open transport.

use super::transport::{End, Io, Transport, CLOSED};
use super::way::Moved;
use super::{web_socket, Link, Stop};
use crate::{Failure, Stage};

impl Link {
    /// Asks for WebSocket; gives the bytes that came behind the answer.
    pub(super) fn upgrade(&mut self, transport: &mut Transport) -> Result<Vec<u8>, Stop> {
        let (request, key) = web_socket::request(&self.aside.options.broker)?;
        let mut rest = request.as_bytes();
        while !rest.is_empty() {
            let done = self.moved(transport, |transport| transport.write(rest))?;
            rest = rest.get(done..).unwrap_or_default();
        }
        let mut answer = Vec::new();
        let mut buffer = [0u8; 4096];
        loop {
            let done = self.moved(transport, |transport| transport.read(&mut buffer))?;
            answer.extend_from_slice(buffer.get(..done).unwrap_or_default());
            if let Some(early) = web_socket::check_response(&answer, &key)? {
                return Ok(early);
            }
        }
    }

    /// One read or write. Only the session's own deadline ends it.
    fn moved(
        &mut self,
        transport: &mut Transport,
        io: impl FnMut(&mut Transport) -> Io,
    ) -> Result<usize, Stop> {
        match self.step(Stage::Upgrade, transport, None, io)? {
            Moved::Bytes(n) => Ok(n),
            Moved::Ended(end) => Err(Stop::Failed(closed(end, Stage::Upgrade))),
            Moved::Late => Ok(0),
        }
    }
}

/// The failure for a connection that ended.
pub(super) fn closed(end: End, stage: Stage) -> Failure {
    match end {
        End::Finished => Failure::Lost {
            stage,
            reason: CLOSED.to_owned(),
        },
        End::Lost(reason) => Failure::Lost { stage, reason },
        End::Tls(reason) => Failure::TlsProtocol { reason },
    }
}

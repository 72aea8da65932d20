//! The loopback port made for one session, and who may enter.
//!
//! Any process of the machine can connect to it, so the first to come is not taken for paho: paho
//! shows a pass, a random client-id that only this process knows. Everybody else is sent away.
//! Non-blocking; `local` polls.

use crate::bridge::{packet::kind, packet::Fields, Deframer};
use crate::Failure;
use rustix::event::{PollFd, PollFlags};
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

/// Strangers that may knock at the same time.
const CANDIDATES: usize = 8;
/// What they may send before they show the pass.
const GREETING_LIMIT: usize = 256;

pub(super) struct Door {
    listener: TcpListener,
    pass: String,
    candidates: Vec<(TcpStream, Deframer)>,
}

impl Door {
    /// Listens on a free port of the given loopback address.
    pub(super) fn open(loopback: IpAddr) -> Result<Door, Failure> {
        let listener = TcpListener::bind(SocketAddr::from((loopback, 0)))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|e| Failure::exhausted(format_args!("no loopback port for paho: {e}")))?;
        let mut random = [0u8; 16];
        openssl::rand::rand_bytes(&mut random).map_err(Failure::internal)?;
        let pass = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let candidates = Vec::new();
        Ok(Door {
            listener,
            pass,
            candidates,
        })
    }

    pub(super) fn address(&self) -> Result<SocketAddr, Failure> {
        self.listener.local_addr().map_err(Failure::internal)
    }

    /// The client-id that paho must show.
    pub(super) fn pass(&self) -> &str {
        &self.pass
    }

    /// Adds what must be polled.
    pub(super) fn register<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        if self.candidates.len() < CANDIDATES {
            fds.push(PollFd::new(&self.listener, PollFlags::IN));
        }
        for (stream, _) in &self.candidates {
            fds.push(PollFd::new(stream, PollFlags::IN));
        }
    }

    /// The connection of paho, once it has shown the pass.
    pub(super) fn admit(&mut self) -> Option<TcpStream> {
        while self.candidates.len() < CANDIDATES {
            let Ok((stream, _)) = self.listener.accept() else {
                break;
            };
            if stream.set_nonblocking(true).is_ok() {
                let _ = stream.set_nodelay(true);
                self.candidates
                    .push((stream, Deframer::new(GREETING_LIMIT)));
            }
        }
        let mut waiting = Vec::new();
        for (mut stream, mut deframer) in self.candidates.drain(..) {
            match greet(&mut stream, &mut deframer, &self.pass) {
                Some(true) => return Some(stream),
                Some(false) => waiting.push((stream, deframer)),
                None => log::warn!("a stranger knocked at the loopback port of an MQTT session"),
            }
        }
        self.candidates = waiting;
        None
    }
}

/// Whether the connection has shown the pass; `None` when it never will.
fn greet(stream: &mut TcpStream, deframer: &mut Deframer, pass: &str) -> Option<bool> {
    let mut buffer = [0u8; GREETING_LIMIT];
    match stream.read(&mut buffer) {
        Ok(0) => return None,
        Ok(n) => deframer.push(buffer.get(..n)?),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) =>
        {
            return Some(false)
        }
        Err(_) => return None,
    }
    let Some(packet) = deframer.next().ok()? else {
        return Some(false);
    };
    // Protocol name, level, flags, keep-alive, client-id.
    let mut fields = Fields(packet.body());
    fields.prefixed()?;
    fields.u8()?;
    fields.u8()?;
    fields.u16()?;
    let shown = fields.prefixed()?;
    let same = packet.kind() == kind::CONNECT
        && shown.len() == pass.len()
        && openssl::memcmp::eq(shown, pass.as_bytes())
        && !deframer.is_mid_packet();
    same.then_some(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rustix::event::poll;
    use std::io::Write;
    use std::net::Ipv4Addr;

    fn connect(id: &str) -> Vec<u8> {
        let mut packet = vec![0x10, 12 + id.len() as u8];
        packet.extend(b"\0\x04MQTT\x04\x02\0\x3c\0");
        packet.push(id.len() as u8);
        packet.extend(id.as_bytes());
        packet
    }

    #[test]
    fn strangers_are_sent_away_and_do_not_keep_paho_out() {
        let mut door = Door::open(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        let address = door.address().unwrap();
        let mut silent = TcpStream::connect(address).unwrap();
        let mut guessing = TcpStream::connect(address).unwrap();
        guessing.write_all(&connect(&"0".repeat(32))).unwrap();
        let mut paho = TcpStream::connect(address).unwrap();
        let mine = paho.local_addr().unwrap();
        paho.write_all(&connect(door.pass())).unwrap();
        let admitted = loop {
            if let Some(stream) = door.admit() {
                break stream;
            }
            let mut fds = Vec::new();
            door.register(&mut fds);
            poll(&mut fds, None).unwrap();
        };
        assert_eq!(admitted.peer_addr().unwrap(), mine);
        drop(door);
        // A reset or an end: either way nobody is there.
        assert!(!matches!(guessing.read(&mut [0u8; 1]), Ok(1)));
        assert!(!matches!(silent.read(&mut [0u8; 1]), Ok(1)));
    }
}

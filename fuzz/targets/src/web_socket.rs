//! WebSocket from a broker: the answer to the upgrade, and the frames behind it.
//!
//! The first byte says in pieces of which size the frames arrive.

use mqtt_session::fuzzing::{frames, upgrade};
use openssl::base64::encode_block;
use openssl::sha::sha1;

use crate::Seed;

/// The example of RFC 6455, 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

pub(crate) fn run(data: &[u8]) {
    if let Ok(Some(rest)) = upgrade(data, KEY) {
        assert!(rest < data.len());
        let head = String::from_utf8_lossy(data);
        assert!(head.contains(&accept()), "accepted without the proof");
    }
    let Some((cut, stream)) = data.split_first() else {
        return;
    };
    let seen = frames(stream, usize::from(*cut));
    assert_eq!(seen, frames(stream, usize::MAX).cut_like(&seen));
    let pings: usize = seen.pings.iter().map(Vec::len).sum();
    assert!(seen.data.len() + pings <= stream.len());
    assert!(seen.pings.iter().all(|ping| ping.len() <= 125));
}

/// A stream that fails gives what came before in whole pieces only.
trait CutLike {
    fn cut_like(self, other: &Self) -> Self;
}

impl CutLike for mqtt_session::fuzzing::Frames {
    fn cut_like(mut self, other: &Self) -> Self {
        if self.failure.is_some() {
            assert!(self.data.is_empty() && self.pings.is_empty());
            self.data.clone_from(&other.data);
            self.pings.clone_from(&other.pings);
            self.closed.clone_from(&other.closed);
        }
        self
    }
}

fn accept() -> String {
    encode_block(&sha1(
        format!("{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes(),
    ))
}

pub(crate) fn seeds() -> Vec<Seed> {
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\nrest",
        accept()
    );
    vec![
        ("upgraded", answer.into_bytes()),
        ("not-found", b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec()),
        (
            "fragments",
            b"\x03\x02\x02ab\x89\x01p\x80\x7e\0\x02cd".to_vec(),
        ),
        (
            "long",
            [b"\x01\x82\x7f\0\0\0\0\0\0\0\x03".as_slice(), b"xyz"].concat(),
        ),
        ("close", b"\x05\x88\x04\x03\xe8ok".to_vec()),
    ]
}

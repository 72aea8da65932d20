//! The client side of WebSocket (RFC 6455) as MQTT needs it: one upgrade, binary frames.
//!
//! MQTT takes the frames' contents as one byte stream (MQTT 3.1.1, 6.0.0), so frames are not
//! collected: their contents go on as they come. Pure; `channel` does the I/O.

use crate::{BrokerUrl, Failure};
use openssl::base64::{decode_block, encode_block};
use openssl::sha::sha1;

/// RFC 6455, 1.3.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Largest response head.
const HEAD_LIMIT: usize = 16 << 10;

/// The request, and the key to check its answer with.
pub(super) fn request(broker: &BrokerUrl) -> Result<(String, String), Failure> {
    let mut nonce = [0u8; 16];
    openssl::rand::rand_bytes(&mut nonce).map_err(Failure::internal)?;
    let key = encode_block(&nonce);
    let path = broker.path.as_deref().unwrap_or("/mqtt");
    let mut host = broker.bracketed_host();
    if broker.port != broker.scheme.default_port() {
        host = format!("{host}:{}", broker.port);
    }
    let text = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
    );
    Ok((text, key))
}

/// Checks the answer once its head is complete; gives the bytes behind it.
pub(super) fn check_response(bytes: &[u8], key: &str) -> Result<Option<Vec<u8>>, Failure> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        if bytes.len() > HEAD_LIMIT {
            return Err(Failure::TooLarge {
                what: "the head of the WebSocket answer".to_owned(),
                size: bytes.len() as u64,
                limit: HEAD_LIMIT as u64,
            });
        }
        if !bytes.is_empty() && !b"HTTP/1.1".starts_with(bytes.get(..8).unwrap_or(bytes)) {
            return Err(Failure::unexpected(
                "an answer that is not HTTP/1.1: the port does not speak WebSocket",
            ));
        }
        return Ok(None);
    };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 101") {
        return Err(Failure::unexpected(format_args!(
            "the WebSocket upgrade was answered with {status:?}"
        )));
    }
    let headers: Vec<(String, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    let header = |wanted: &str| {
        headers
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| *value)
    };
    let accept = encode_block(&sha1(format!("{key}{MAGIC}").as_bytes()));
    let accepted = header("sec-websocket-accept")
        .is_some_and(|value| value == accept && decode_block(value).is_ok());
    let upgraded = header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
    if !accepted || !upgraded {
        return Err(Failure::malformed(
            "the answer to the WebSocket upgrade lacks its proof",
        ));
    }
    if header("sec-websocket-protocol").is_some_and(|value| value != "mqtt")
        || header("sec-websocket-extensions").is_some()
    {
        return Err(Failure::unexpected(
            "the WebSocket answer names a protocol or an extension that was not asked for",
        ));
    }
    Ok(Some(bytes.get(end + 4..).unwrap_or_default().to_vec()))
}

/// Frames of the server, taken apart as they come.
#[derive(Default)]
pub(super) struct Frames {
    header: Vec<u8>,
    state: State,
    /// A message of several frames is under way.
    fragmented: bool,
}

#[derive(Default)]
enum State {
    #[default]
    Header,
    Data {
        left: u64,
    },
    Control {
        opcode: u8,
        left: usize,
        content: Vec<u8>,
    },
}

/// What came out of a piece of the stream.
#[derive(Default)]
pub(super) struct Unframed {
    /// MQTT bytes.
    pub(super) data: Vec<u8>,
    /// Contents of pings, to be sent back.
    pub(super) pings: Vec<Vec<u8>>,
    /// The server closes, with its reason.
    pub(super) closed: Option<String>,
}

impl Frames {
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<Unframed, Failure> {
        let mut out = Unframed::default();
        while let Some((&first, rest)) = bytes.split_first() {
            match &mut self.state {
                State::Header => {
                    self.header.push(first);
                    bytes = rest;
                    if let Some(state) = self.parse_header()? {
                        self.header.clear();
                        self.state = state;
                    }
                }
                State::Data { left } => {
                    let take = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(bytes.len());
                    let (now, later) = bytes.split_at(take);
                    out.data.extend_from_slice(now);
                    bytes = later;
                    *left -= take as u64;
                }
                State::Control { left, content, .. } => {
                    let take = (*left).min(bytes.len());
                    let (now, later) = bytes.split_at(take);
                    content.extend_from_slice(now);
                    bytes = later;
                    *left -= take;
                }
            }
            self.finish_frame(&mut out);
        }
        Ok(out)
    }

    fn finish_frame(&mut self, out: &mut Unframed) {
        let done = match &mut self.state {
            State::Data { left: 0 } => true,
            State::Control {
                opcode,
                left: 0,
                content,
            } => {
                match *opcode {
                    9 => out.pings.push(std::mem::take(content)),
                    8 => out.closed = Some(close_reason(content)),
                    _ => {}
                }
                true
            }
            _ => false,
        };
        if done {
            self.state = State::Header;
        }
    }

    /// RFC 6455, 5.2.
    fn parse_header(&mut self) -> Result<Option<State>, Failure> {
        let [first, second, more @ ..] = self.header.as_slice() else {
            return Ok(None);
        };
        if first & 0x70 != 0 || second & 0x80 != 0 {
            return Err(Failure::malformed(
                "a WebSocket frame with reserved bits or a mask",
            ));
        }
        let left = match (second & 0x7f, more) {
            (126, [a, b]) => u64::from(u16::from_be_bytes([*a, *b])),
            (127, more) => match <[u8; 8]>::try_from(more) {
                Ok(length) => u64::from_be_bytes(length),
                Err(_) => return Ok(None),
            },
            (126, _) => return Ok(None),
            (length, _) => u64::from(length),
        };
        let (last, opcode) = (first & 0x80 != 0, first & 0x0f);
        match opcode {
            0 | 2 if (opcode == 0) == self.fragmented => {
                self.fragmented = !last;
                Ok(Some(State::Data { left }))
            }
            8..=10 if last && left <= 125 => Ok(Some(State::Control {
                opcode,
                left: left as usize,
                content: Vec::new(),
            })),
            1 => Err(Failure::unexpected(
                "a WebSocket frame of text: MQTT is binary",
            )),
            _ => Err(Failure::malformed(format_args!(
                "a WebSocket frame with the opcode {opcode}"
            ))),
        }
    }
}

fn close_reason(content: &[u8]) -> String {
    match content.split_at_checked(2) {
        Some((&[a, b], text)) => {
            let text: String = String::from_utf8_lossy(text)
                .chars()
                .filter(|c| !c.is_control())
                .collect();
            format!(
                "the broker closed the WebSocket: {} {text}",
                u16::from_be_bytes([a, b])
            )
            .trim_end()
            .to_owned()
        }
        _ => "the broker closed the WebSocket".to_owned(),
    }
}

/// Appends a masked frame.
pub(super) fn frame(out: &mut Vec<u8>, opcode: u8, content: &[u8]) -> Result<(), Failure> {
    let mut mask = [0u8; 4];
    openssl::rand::rand_bytes(&mut mask).map_err(Failure::internal)?;
    out.push(0x80 | opcode);
    match (u8::try_from(content.len()), u16::try_from(content.len())) {
        (Ok(length), _) if length < 126 => out.push(0x80 | length),
        (_, Ok(length)) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(content.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(
        content
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_come_apart_wherever_they_are_cut() {
        let mut wire = vec![0x02, 3, 1, 2, 3, 0x89, 2, 7, 8, 0x80, 126, 0, 130];
        wire.extend([9u8; 130]);
        wire.extend([0x88, 4, 3, 0xe8, b'o', b'k']);
        for cut in 1..wire.len() {
            let (mut frames, mut data, mut pings, mut closed) =
                (Frames::default(), vec![], vec![], None);
            for piece in wire.chunks(cut) {
                let out = frames.feed(piece).unwrap();
                data.extend(out.data);
                pings.extend(out.pings);
                closed = closed.or(out.closed);
            }
            assert_eq!(
                data,
                [[1u8, 2, 3].as_slice(), &[9u8; 130]].concat(),
                "cut at {cut}"
            );
            assert_eq!(pings, vec![vec![7u8, 8]]);
            assert_eq!(closed.unwrap(), "the broker closed the WebSocket: 1000 ok");
        }
    }

    #[test]
    fn frames_against_the_standard_are_refused() {
        for bad in [
            &[0x82u8, 0x81, 0][..], // masked
            &[0xc2, 0],             // reserved bit
            &[0x81, 1],             // text
            &[0x80, 1],             // continuation of nothing
            &[0x09, 0],             // fragmented control
            &[0x89, 126, 1, 0],     // long control
            &[0x83, 0],             // reserved opcode
        ] {
            assert!(Frames::default().feed(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_frames_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Frames::default().feed(&bytes);
            let _ = check_response(&bytes, "key");
        }
    }
}

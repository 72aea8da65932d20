//! Where the content of a response ends: by its length, in chunks, or with the connection.
//!
//! Pure: bytes in, content out, without a copy and without growing memory.

use crate::head::HEAD_LIMIT;

/// The longest line between two chunks.
const LINE_LIMIT: usize = 1024;

/// How the content is delimited (RFC 9112, 6.3), and how far it is.
pub(crate) struct Body(State);

enum State {
    /// So many bytes are left.
    Length(u64),
    /// The line before a chunk is being read.
    Size(Vec<u8>),
    /// So many bytes of a chunk are left.
    Chunk(u64),
    /// The line end behind a chunk; whether CR was there.
    Behind(bool),
    /// The lines behind the last chunk: length of the one at hand, bytes of all.
    Trailer(usize, usize),
    /// Until the connection ends.
    Open,
    Done,
}

impl Body {
    /// So many bytes.
    pub(crate) fn of_length(length: u64) -> Body {
        Body(match length {
            0 => State::Done,
            length => State::Length(length),
        })
    }

    /// In chunks.
    pub(crate) fn chunked() -> Body {
        Body(State::Size(Vec::new()))
    }

    /// Until the connection ends.
    pub(crate) fn open() -> Body {
        Body(State::Open)
    }

    /// Everything has come.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.0, State::Done)
    }

    /// Whether it may end with the connection.
    pub(crate) fn ends_with_connection(&self) -> bool {
        matches!(self.0, State::Open | State::Done)
    }

    /// Takes bytes from the front of `input`: how many were used, and the content among them. To
    /// be called until the input is used up or the body done.
    pub(crate) fn take<'a>(&mut self, input: &'a [u8]) -> Result<(usize, &'a [u8]), String> {
        let content = |left: u64| {
            let n = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
            (n, input.get(..n).unwrap_or_default())
        };
        match &mut self.0 {
            State::Done => Ok((0, &[])),
            State::Open => Ok((input.len(), input)),
            State::Length(left) => {
                let (n, bytes) = content(*left);
                *left -= n as u64;
                if *left == 0 {
                    self.0 = State::Done;
                }
                Ok((n, bytes))
            }
            State::Chunk(left) => {
                let (n, bytes) = content(*left);
                *left -= n as u64;
                if *left == 0 {
                    self.0 = State::Behind(false);
                }
                Ok((n, bytes))
            }
            State::Size(line) => {
                let end = input.iter().position(|b| *b == b'\n').map(|at| at + 1);
                let part = input.get(..end.unwrap_or(input.len())).unwrap_or_default();
                if line.len() + part.len() > LINE_LIMIT {
                    return Err("a line between two chunks has no end".to_owned());
                }
                line.extend_from_slice(part);
                let used = part.len();
                if end.is_some() {
                    // The parser takes a line without digits for zero.
                    if !line.first().is_some_and(u8::is_ascii_hexdigit) {
                        return Err("the size of a chunk is no number".to_owned());
                    }
                    self.0 = match httparse::parse_chunk_size(line) {
                        Ok(httparse::Status::Complete((_, 0))) => State::Trailer(0, 0),
                        Ok(httparse::Status::Complete((_, size))) => State::Chunk(size),
                        _ => return Err("the size of a chunk is no number".to_owned()),
                    };
                }
                Ok((used, &[]))
            }
            State::Behind(cr) => {
                match (*cr, input.first()) {
                    (_, None) => return Ok((0, &[])),
                    (false, Some(b'\r')) => *cr = true,
                    (_, Some(b'\n')) => self.0 = State::Size(Vec::new()),
                    _ => return Err("a chunk is longer than it says".to_owned()),
                }
                Ok((1, &[]))
            }
            State::Trailer(line, all) => {
                let Some(byte) = input.first() else {
                    return Ok((0, &[]));
                };
                *all += 1;
                if *all > HEAD_LIMIT {
                    return Err("the lines behind the last chunk have no end".to_owned());
                }
                match byte {
                    b'\n' if *line == 0 => self.0 = State::Done,
                    b'\n' => *line = 0,
                    b'\r' => {}
                    _ => *line += 1,
                }
                Ok((1, &[]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Everything of `input` in pieces of `size`.
    fn read(mut body: Body, input: &[u8], size: usize) -> Result<(Vec<u8>, bool), String> {
        let mut content = Vec::new();
        for piece in input.chunks(size) {
            let mut rest = piece;
            while !rest.is_empty() && !body.is_done() {
                let (used, bytes) = body.take(rest)?;
                content.extend_from_slice(bytes);
                rest = rest.get(used..).unwrap();
            }
        }
        Ok((content, body.is_done()))
    }

    #[test]
    fn every_way_to_end_gives_the_content_whatever_the_pieces() {
        let chunks = b"5\r\nhello\r\n1;x=y\r\n \r\n5\r\nworld\r\n0\r\nT: u\r\n\r\nrubbish";
        for size in 1..=chunks.len() {
            assert_eq!(
                read(Body::chunked(), chunks, size),
                Ok((b"hello world".to_vec(), true))
            );
            assert_eq!(
                read(Body::of_length(5), b"helloX", size),
                Ok((b"hello".to_vec(), true))
            );
            assert_eq!(
                read(Body::open(), b"hello", size),
                Ok((b"hello".to_vec(), false))
            );
        }
        assert_eq!(
            read(Body::of_length(9), b"hello", 2),
            Ok((b"hello".to_vec(), false))
        );
        assert!(!read(Body::chunked(), b"5\r\nhello\r\n", 3).unwrap().1);
        assert!(Body::of_length(0).is_done());
    }

    #[test]
    fn chunks_that_lie_or_never_end_are_refused() {
        let endless_line = [b'1'; 2 * LINE_LIMIT];
        let mut endless_trailer = b"0\r\n".to_vec();
        endless_trailer.extend(std::iter::repeat_n(b"a: b\r\n", HEAD_LIMIT).flatten());
        for input in [
            &b"x\r\n"[..],
            b"-1\r\n",
            b"fffffffffffffffff\r\n",
            b"\r\n",
            b"2\r\nhello\r\n",
            &endless_line,
            &endless_trailer,
        ] {
            for size in [1, 7, input.len()] {
                read(Body::chunked(), input, size).unwrap_err();
            }
        }
    }
}

//! The TCP connection, bare or within TLS: non-blocking reads and writes with one kind of result.
//!
//! Bytes are counted here. Nothing in here waits; `link` polls.

use super::alert;
use crate::shared::Shared;
use openssl::ssl::{ErrorCode, SslStream};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;
use std::sync::Arc;

/// For people: the end of a connection that nobody here ended.
pub(crate) const CLOSED: &str = "the server closed the connection";

/// A TCP connection that counts, and remembers how it ended.
pub(crate) struct Wire {
    stream: TcpStream,
    shared: Arc<Shared>,
    /// The first two bytes of the peer: enough to see whether it speaks TLS.
    pub(crate) greeting: Vec<u8>,
    /// Set when the connection is over.
    pub(crate) end: Option<String>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, shared: Arc<Shared>) -> Wire {
        Wire {
            stream,
            shared,
            greeting: Vec::new(),
            end: None,
        }
    }

    fn note_error(&mut self, e: &io::Error) {
        if !matches!(
            e.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
        ) {
            self.end = Some(e.to_string());
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer) {
            Ok(n) => {
                if n == 0 && !buffer.is_empty() {
                    self.end = Some(CLOSED.to_owned());
                }
                self.shared.received.fetch_add(n as u64, Ordering::Relaxed);
                let missing = 2usize.saturating_sub(self.greeting.len()).min(n);
                self.greeting
                    .extend_from_slice(buffer.get(..missing).unwrap_or_default());
                Ok(n)
            }
            Err(e) => {
                self.note_error(&e);
                Err(e)
            }
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.write(bytes) {
            Ok(n) => {
                self.shared.sent.fetch_add(n as u64, Ordering::Relaxed);
                Ok(n)
            }
            Err(e) => {
                self.note_error(&e);
                Err(e)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What became of a read or a write.
pub(crate) enum Io {
    /// So many bytes.
    Done(usize),
    /// Not now: the socket must first become readable, or writable.
    Blocked { for_writing: bool },
    /// Never again.
    Closed(End),
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The other side ended it in good order: in TLS, with its goodbye.
    Finished,
    /// The other side, or the network, ended it.
    Lost(String),
    /// TLS broke.
    Tls(String),
}

/// Where the bytes of MQTT, WebSocket or HTTP go.
pub(crate) enum Transport {
    /// In clear.
    Plain(Wire),
    /// Within TLS.
    Tls(Box<SslStream<Wire>>),
}

impl Transport {
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Io {
        match self {
            Transport::Plain(wire) => plain(wire.read(buffer), false),
            Transport::Tls(tls) => {
                let result = tls.ssl_read(buffer);
                secured(result, tls.get_ref())
            }
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Io {
        match self {
            Transport::Plain(wire) => plain(wire.write(bytes), true),
            Transport::Tls(tls) => {
                let result = tls.ssl_write(bytes);
                secured(result, tls.get_ref())
            }
        }
    }

    pub(crate) fn wire(&self) -> &Wire {
        match self {
            Transport::Plain(wire) => wire,
            Transport::Tls(tls) => tls.get_ref(),
        }
    }
}

/// Says goodbye in TLS, whether it gets through or not: OpenSSL takes a session that ended without it
/// for damaged, and does not resume it.
impl Drop for Transport {
    fn drop(&mut self) {
        if let Transport::Tls(tls) = self {
            let _ = tls.shutdown();
        }
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wire().stream.as_fd()
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn plain(result: io::Result<usize>, for_writing: bool) -> Io {
    match result {
        Ok(0) => Io::Closed(End::Finished),
        Ok(n) => Io::Done(n),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) =>
        {
            Io::Blocked { for_writing }
        }
        Err(e) => Io::Closed(End::Lost(e.to_string())),
    }
}

fn secured(result: Result<usize, openssl::ssl::Error>, wire: &Wire) -> Io {
    let error = match result {
        Ok(n) => return Io::Done(n),
        Err(e) => e,
    };
    match error.code() {
        ErrorCode::WANT_READ => Io::Blocked { for_writing: false },
        ErrorCode::WANT_WRITE => Io::Blocked { for_writing: true },
        ErrorCode::ZERO_RETURN => Io::Closed(End::Finished),
        _ => Io::Closed(match (&wire.end, reason(&error)) {
            (Some(end), _) => End::Lost(end.clone()),
            (None, Some(reason)) => End::Tls(reason),
            (None, None) => End::Lost(error.to_string()),
        }),
    }
}

/// OpenSSL's reason in words, without file and line.
pub(crate) fn reason(error: &openssl::ssl::Error) -> Option<String> {
    let stack = error.ssl_error()?;
    let first = stack.errors().first()?;
    let Some(reason) = first.reason() else {
        return Some(format!("error {:x}", first.code()));
    };
    Some(alert::of_client_certificate(reason).unwrap_or_else(|| reason.to_owned()))
}

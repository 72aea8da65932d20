//! Taking connections: a thread for each, as many as there may be, and cut at the end.
//!
//! Not here: what is asked for and answered (`respond`). The package server's thread runs it.

use super::{lock, respond, Shared};
use openssl::ssl::SslAcceptor;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A client that neither sends nor takes anything for so long is gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections at once; more are closed at once.
const CONNECTIONS: usize = 64;
/// After what is not the client's fault, such as too many open files: it will fail again at once.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves what comes in until the server stops.
pub(super) fn all(
    incoming: impl Iterator<Item = io::Result<TcpStream>>,
    acceptor: Option<&SslAcceptor>,
    shared: &Arc<Shared>,
) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for (number, stream) in (0_u64..).zip(incoming) {
        if shared.is_stopping() {
            break;
        }
        threads.retain(|thread| !thread.is_finished());
        let begun = stream.and_then(|stream| {
            if threads.len() >= CONNECTIONS {
                log::warn!("packages: more than {CONNECTIONS} connections at once");
                return Ok(None);
            }
            begin(number, stream, acceptor, shared, |name, work| {
                std::thread::Builder::new().name(name).spawn(work)
            })
            .map(Some)
        });
        match begun {
            Ok(thread) => threads.extend(thread),
            Err(error) if is_the_clients(&error) => log::debug!("packages: {error}"),
            Err(error) => {
                log::error!("packages: no connection can be served: {error}");
                pause(shared);
            }
        }
    }
    // One that was accepted while the others were being cut.
    for stream in lock(&shared.open).values() {
        let _ = stream.shutdown(Shutdown::Both);
    }
    for thread in threads {
        if thread.join().is_err() {
            log::error!("a thread of the package server panicked");
        }
    }
}

fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Waits a little, or until the server stops.
fn pause(shared: &Shared) {
    let open = lock(&shared.open);
    let going_on = |_: &mut _| !shared.stopping.load(Ordering::SeqCst);
    let paused = shared.stopped.wait_timeout_while(open, PAUSE, going_on);
    drop(paused.unwrap_or_else(PoisonError::into_inner));
}

/// A connection that can be cut, for as long as somebody holds this.
struct Open {
    number: u64,
    shared: Arc<Shared>,
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.shared.open).remove(&self.number);
    }
}

fn begin<T>(
    number: u64,
    stream: TcpStream,
    acceptor: Option<&SslAcceptor>,
    shared: &Arc<Shared>,
    spawn: impl FnOnce(String, Box<dyn FnOnce() + Send>) -> io::Result<T>,
) -> io::Result<T> {
    lock(&shared.open).insert(number, stream.try_clone()?);
    // Also where there is no thread, or it panics.
    let open = Open {
        number,
        shared: Arc::clone(shared),
    };
    let acceptor = acceptor.cloned();
    let work = move || {
        if let Err(error) = connection(stream, acceptor.as_ref(), &open.shared) {
            log::debug!("packages: {error}");
        }
    };
    spawn(format!("packages {number}"), Box::new(work))
}

fn connection(
    stream: TcpStream,
    acceptor: Option<&SslAcceptor>,
    shared: &Shared,
) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    match acceptor {
        Some(acceptor) => {
            let mut stream = acceptor.accept(stream).map_err(io::Error::other)?;
            respond::answer(&mut stream, shared)?;
            // The client may have closed first.
            let _ = stream.shutdown();
            Ok(())
        }
        None => {
            let mut stream = stream;
            respond::answer(&mut stream, shared)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;
    use std::time::Instant;

    /// What accept says where the process has too many open files.
    const EMFILE: i32 = 24;

    #[test]
    fn too_many_open_files_are_waited_out_and_a_stop_is_not() {
        let shared: Arc<Shared> = Arc::default();
        let mut failures = 0;
        let from = Instant::now();
        let incoming = std::iter::from_fn(|| {
            failures += 1;
            match failures {
                1..=3 => Some(Err(io::Error::from_raw_os_error(EMFILE))),
                _ => None,
            }
        });
        all(incoming, None, &shared);
        assert!(from.elapsed() >= PAUSE * 3, "{:?}", from.elapsed());
        shared.stop();
        let from = Instant::now();
        (0..1000).for_each(|_| pause(&shared));
        assert!(from.elapsed() < PAUSE * 500);
    }

    #[test]
    fn a_connection_for_which_there_is_no_thread_is_closed() {
        let shared: Arc<Shared> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let refuses = |_, _| Err::<(), _>(io::Error::from(io::ErrorKind::WouldBlock));
        begin(0, stream, None, &shared, refuses).unwrap_err();
        assert!(lock(&shared.open).is_empty());
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(io::Read::read(&mut client, &mut [0]).unwrap(), 0);
    }
}

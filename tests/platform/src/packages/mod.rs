//! The package server: files over HTTPS, for as long as they are offered.
//!
//! One thread for each connection, one request on each: GET or HEAD, with Range and If-Range
//! against a strong ETag, and Basic credentials where the offer has some. The address of an offer
//! holds a random token, so that it cannot be guessed. A file server for anybody else it is not.
//! Does wrong what a [`PackageFault`] says. Started by the platform; tests may start more, without
//! TLS, too.

mod accept;
mod head;
mod respond;

use crate::behaviour::PackageFault;
use crate::pki::{openssl_error, Identity, PkiError};
use crate::secret::Secret;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::X509;
use std::collections::{HashMap, VecDeque};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How many requests are remembered.
const MEMORY: usize = 1000;

/// Why there is no package server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The port is taken, or there is none.
    #[error("the package server cannot listen on port {port} of 127.0.0.1")]
    Listen {
        /// What was asked for; 0 is any.
        port: u16,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Its certificate cannot be used.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The machine.
    #[error("the package server's thread cannot be started")]
    Thread(#[source] std::io::Error),
}

/// A file that may be fetched.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Where it lies.
    pub file: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of it, lower hex; the ETag.
    pub sha256: String,
    /// User name and password that are demanded.
    pub credentials: Option<(String, Secret)>,
    /// What goes wrong.
    pub fault: PackageFault,
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The path asked for.
    pub path: String,
    /// The first byte asked for, if a range was.
    pub from: Option<u64>,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the body that were handed to the connection.
    pub sent: u64,
}

/// An offer, and how often it was fetched.
struct Offered {
    offer: Offer,
    fetched: AtomicU32,
}

#[derive(Default)]
struct Shared {
    offers: Mutex<HashMap<String, Arc<Offered>>>,
    seen: Mutex<VecDeque<Seen>>,
    news: Condvar,
    open: Mutex<HashMap<u64, TcpStream>>,
    stopping: AtomicBool,
    stopped: Condvar,
}

impl Shared {
    fn stop(&self) {
        let _seen_by_who_pauses = lock(&self.open);
        self.stopping.store(true, Ordering::SeqCst);
        self.stopped.notify_all();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

/// A running server. Dropping it cuts its connections.
pub struct PackageServer {
    scheme: &'static str,
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl PackageServer {
    /// Listens on 127.0.0.1, on a free port if none is named. Without a certificate it speaks HTTP.
    pub fn start(
        certificate: Option<&Identity>,
        port: Option<u16>,
    ) -> Result<PackageServer, ServerError> {
        let acceptor = certificate.map(acceptor).transpose()?;
        let port = port.unwrap_or(0);
        let listen = |source| ServerError::Listen { port, source };
        let listener = TcpListener::bind(("127.0.0.1", port)).map_err(listen)?;
        let port = listener.local_addr().map_err(listen)?.port();
        let scheme = match acceptor {
            Some(_) => "https",
            None => "http",
        };
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("packages".to_owned())
            .spawn(move || accept::all(listener.incoming(), acceptor.as_ref(), &own))
            .map_err(ServerError::Thread)?;
        Ok(PackageServer {
            scheme,
            port,
            shared,
            thread: Some(thread),
        })
    }

    /// `https://localhost:PORT`.
    pub fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.port)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Offers a file under a path that begins with `/`; instead of what was offered there before.
    pub fn offer(&self, path: &str, offer: Offer) {
        let offered = Offered {
            offer,
            fetched: AtomicU32::new(0),
        };
        lock(&self.shared.offers).insert(path.to_owned(), Arc::new(offered));
    }

    /// Ends an offer; downloads that have begun go on.
    pub fn withdraw(&self, path: &str) {
        lock(&self.shared.offers).remove(path);
    }

    /// The requests so far, oldest first; the last thousand.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).iter().cloned().collect()
    }

    /// Waits until so many requests have been answered, and gives them. None: not in time.
    pub fn wait_for_seen(&self, number: usize, within: Duration) -> Option<Vec<Seen>> {
        let until = Instant::now() + within;
        let mut seen = lock(&self.shared.seen);
        while seen.len() < number {
            let left = until.checked_duration_since(Instant::now())?;
            let waited = self.shared.news.wait_timeout(seen, left);
            seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(seen.iter().cloned().collect())
    }
}

impl Drop for PackageServer {
    fn drop(&mut self) {
        self.shared.stop();
        for stream in lock(&self.shared.open).values() {
            // Closed already is as good.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            if thread.join().is_err() {
                log::error!("the package server's thread panicked");
            }
        }
    }
}

impl std::fmt::Debug for PackageServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackageServer")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// TLS 1.2 and 1.3, with the certificate and its intermediates.
fn acceptor(certificate: &Identity) -> Result<SslAcceptor, PkiError> {
    let what = || openssl_error("a TLS server");
    let mut builder =
        SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).map_err(what())?;
    builder.set_private_key(certificate.key()).map_err(what())?;
    let chain = X509::stack_from_pem(&certificate.server_pem()?).map_err(what())?;
    for (at, member) in chain.into_iter().enumerate() {
        match at {
            0 => builder.set_certificate(&member).map_err(what())?,
            _ => builder.add_extra_chain_cert(member).map_err(what())?,
        }
    }
    Ok(builder.build())
}

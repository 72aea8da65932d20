//! One file over HTTP/1.1 or HTTPS, whole and the right one, or a reason why not.
//!
//! [`fetch()`] resolves, connects and speaks TLS over the link of `mqtt-session` (the same exact
//! verdicts, trust from the given roots only, cancellable at every moment), follows few redirects,
//! goes on where a cut-off transfer ended, and hashes while it writes in fixed blocks: its memory does
//! not grow with the file. When it returns, the file is durable and has the digest that was asked
//! for, or it is not there.
//!
//! Not here: when to download, what is in the file, retries beyond one download, proxies, other
//! methods than GET. It runs on the caller's thread. Used by the provisioning component for packages.
//!
//! ```no_run
//! use file_download::{fetch, Algorithm, Request};
//! use mqtt_session::Cancel;
//!
//! let cancel = Cancel::new()?; // give a clone to whoever may end it
//! let digest = vec![0xab; 32];
//! let request = Request::new("https://files.example.com/heater.tar.gz".parse()?,
//!     Algorithm::Sha256, digest, "/var/lib/gateway/staging/1");
//! let received = fetch(&request, &cancel, &mut |progress| {
//!     println!("{} of {:?} bytes", progress.received, progress.total);
//! })?;
//! println!("{} bytes", received.length);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod body;
mod error;
mod fetch;
#[doc(hidden)]
pub mod fuzzing;
mod head;
mod sink;

pub use address::{Address, AddressError};
pub use error::DownloadError;
pub use fetch::fetch;

use mqtt_session::Tls;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The function of the digest that the file must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha384 => "SHA-384",
            Algorithm::Sha512 => "SHA-512",
        })
    }
}

/// User name and password for the host of the address, and for no other.
#[derive(Clone)]
pub struct Credentials {
    /// Without a colon (RFC 7617).
    pub username: String,
    /// Any text.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("password", &"***")
            .finish()
    }
}

/// Bounds of one download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest file, in bytes. Default 64 MiB.
    pub size: u64,
    /// How long nothing may move, and how long a connection may take to be opened. Default 30 s.
    pub stall: Duration,
    /// How often it is tried without getting a mebibyte further. Default 5.
    pub tries: u32,
    /// The pause before the second try; it doubles up to 30 s. Default 1 s.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            size: 64 << 20,
            stall: Duration::from_secs(30),
            tries: 5,
            pause: Duration::from_secs(1),
        }
    }
}

/// What to download, and into which file.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where from.
    pub address: Address,
    /// Sent at once (RFC 7617, preemptively) where given.
    pub credentials: Option<Credentials>,
    /// Whom to trust with `https://`.
    pub tls: Tls,
    /// The function of `digest`.
    pub algorithm: Algorithm,
    /// The digest of the file.
    pub digest: Vec<u8>,
    /// The file to be created; nothing may be there yet. Its folder must exist.
    pub file: PathBuf,
    /// When it is over whatever happens; `None` leaves that to the limits and to [`Cancel`].
    ///
    /// [`Cancel`]: mqtt_session::Cancel
    pub deadline: Option<Instant>,
    /// The bounds.
    pub limits: Limits,
}

impl Request {
    /// A request without credentials and deadline, with nothing trusted and the default limits.
    pub fn new(
        address: Address,
        algorithm: Algorithm,
        digest: Vec<u8>,
        file: impl Into<PathBuf>,
    ) -> Request {
        Request {
            address,
            credentials: None,
            tls: Tls::default(),
            algorithm,
            digest,
            file: file.into(),
            deadline: None,
            limits: Limits::default(),
        }
    }
}

/// How far a download is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file so far. Falls back to 0 where it had to begin again.
    pub received: u64,
    /// Bytes of the whole file, once the server has said so.
    pub total: Option<u64>,
}

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// SHA-256 of the file, whichever digest was asked for.
    pub sha256: [u8; 32],
    /// Its bytes.
    pub length: u64,
}

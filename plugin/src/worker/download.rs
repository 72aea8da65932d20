//! The download of a package: one thread that fetches, and says in the state machine's words how
//! far it is.
//!
//! One at a time; the state machine keeps the others waiting. The thread knows neither the host nor
//! the engine: it writes a file into the staging folder and reports. Dropping [`Downloading`] ends
//! it, whatever the network does.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use file_download::{fetch, Algorithm, Credentials, DownloadError, Progress, Request};
use kura_formats::deploy::HashAlgorithm;
use mqtt_session::{Cancel, Tls};
use zeroize::Zeroizing;

use super::{link, trusted, Command, Worker};
use crate::diagnosis::{Code, Fault};
use crate::protocol::Download;
use crate::provisioner::{Arrived, Input};
use crate::status::Bytes;

/// The shortest time between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// What the thread reports.
pub enum Told {
    /// So far.
    Progress(Progress),
    /// The archive, or why not.
    Over(Result<Arrived, Fault>),
}

/// A download under way.
pub struct Downloading {
    number: u64,
    /// Its number in the attempt.
    n: usize,
    cancel: Cancel,
    thread: Option<JoinHandle<()>>,
}

impl Downloading {
    /// Bytes on the wire so far.
    pub fn bytes(&self) -> Bytes {
        let counters = self.cancel.counters();
        Bytes {
            sent: counters.sent,
            received: counters.received,
        }
    }
}

impl Drop for Downloading {
    fn drop(&mut self) {
        self.cancel.cancel();
        if let Some(thread) = self.thread.take() {
            // It catches its own panics.
            let _ = thread.join();
        }
    }
}

impl Worker {
    /// Begins a download into the staging folder of the attempt.
    pub(super) fn begin_download(&mut self, n: usize, download: &Download) -> Result<(), Fault> {
        let transaction = self
            .plan
            .as_ref()
            .map(|plan| plan.transaction.clone())
            .unwrap_or_default();
        let folder = self.with_engine(|engine| engine.staging_folder(&transaction))?;
        let file = folder.join(format!("{n}.package"));
        let title = format!("package {} {}", download.name, download.version);
        let address = download
            .uri
            .parse()
            .map_err(|e| Fault::new(Code::PackageUnavailable, format!("{title}: dp.uri: {e}")))?;
        let found = trusted::tls_anchors(&*self.host)?;
        let algorithm = match download.hash.algorithm() {
            HashAlgorithm::Sha256 => Algorithm::Sha256,
            HashAlgorithm::Sha384 => Algorithm::Sha384,
            HashAlgorithm::Sha512 => Algorithm::Sha512,
        };
        let mut request = Request::new(address, algorithm, download.hash.digest().to_vec(), file);
        request.credentials =
            download
                .credentials
                .as_ref()
                .map(|(username, password)| Credentials {
                    username: username.clone(),
                    password: Zeroizing::new(password.expose().to_owned()),
                });
        request.tls = Tls {
            anchors: found.roots,
            crls: found.crls.into(),
            client: None,
            session_cache: Some(self.tls_cache.clone()),
        };
        let cancel = Cancel::new().map_err(|e| link::of_failure(&e, None))?;
        self.sessions += 1;
        let (number, own, ends) = (self.sessions, self.own.clone(), cancel.clone());
        let tell = move |told| drop(own.send(Command::Download(number, told)));
        let thread = thread::Builder::new()
            .name("package-download".into())
            .spawn(move || tell(Told::Over(run(&title, &request, &ends, &tell))))
            .map_err(|e| {
                Fault::new(
                    Code::PackageUnavailable,
                    format!("no thread for a download: {e}"),
                )
            })?;
        log::info!("{}: downloading {}", self.shared.pid(), download.name);
        self.download = Some(Downloading {
            number,
            n,
            cancel,
            thread: Some(thread),
        });
        Ok(())
    }

    /// Ends the download under way, if there is one. When it returns, nothing writes into the
    /// staging folder.
    pub(super) fn end_download(&mut self) {
        if let Some(download) = self.download.take() {
            self.extras.downloaded = self.extras.downloaded + download.bytes();
        }
    }

    pub(super) fn download_event(&mut self, number: u64, told: Told) {
        let Some(n) = self
            .download
            .as_ref()
            .filter(|download| download.number == number)
            .map(|download| download.n)
        else {
            return;
        };
        match told {
            Told::Progress(progress) => self.input(Input::Downloading {
                n,
                received: progress.received,
                size: progress.total,
            }),
            Told::Over(result) => {
                self.end_download();
                self.input(Input::Downloaded { n, result });
            }
        }
    }
}

fn run(
    title: &str,
    request: &Request,
    cancel: &Cancel,
    tell: &dyn Fn(Told),
) -> Result<Arrived, Fault> {
    let mut reported: Option<(Instant, u64)> = None;
    let mut report = |progress: Progress| {
        // The first bytes at once: they may be the last ones for long.
        let due = reported.is_none_or(|(at, received)| {
            at.elapsed() >= REPORT_EVERY || (received == 0 && progress.received > 0)
        });
        if due {
            reported = Some((Instant::now(), progress.received));
            tell(Told::Progress(progress));
        }
    };
    let received = catch_unwind(AssertUnwindSafe(|| fetch(request, cancel, &mut report)))
        .map_err(|_| {
            Fault::new(
                Code::InternalPanic,
                format!("{title}: the download panicked"),
            )
        })?
        .map_err(|e| of_download(title, &e))?;
    let path = request.file.to_str().ok_or_else(|| {
        let shown = request.file.display();
        Fault::new(Code::StorageUnwritable, format!("{shown} is not UTF-8"))
    })?;
    Ok(Arrived {
        path: path.to_owned(),
        sha256: received.sha256,
        length: received.length,
    })
}

/// A download that failed as a fault; the code of the network stands before its cause.
fn of_download(title: &str, error: &DownloadError) -> Fault {
    let code = error.code().parse().unwrap_or(Code::PackageUnavailable);
    let fault = Fault::new(code, format!("{title}: {error}"));
    match (error.failure(), std::error::Error::source(error)) {
        (Some(failure), _) => fault.caused_by(format!("{}: {failure}", failure.code())),
        (None, Some(cause)) => fault.because(cause),
        (None, None) => fault,
    }
}

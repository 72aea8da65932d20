//! The download of a package: one thread that fetches, and says in the state machine's words how
//! far it is.
//!
//! One at a time; the state machine keeps the others waiting. The thread knows neither the host nor
//! the engine: it writes a file into the staging folder and reports. Dropping [`Downloading`] ends
//! it, whatever the network does.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use file_download::{fetch, Algorithm, Credentials, DownloadError, Limits, Progress, Request};
use kura_formats::deploy::HashAlgorithm;
use mqtt_session::{Cancel, Tls};
use zeroize::Zeroizing;

use super::{link, trusted, Command, Worker};
use crate::diagnosis::{Code, Fault};
use crate::protocol::Download;
use crate::provisioner::{Arrived, Input};
use crate::status::Bytes;
use crate::transaction::{Engine, MAX_PACKAGES};

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
        let title = title(download);
        let mut request =
            self.with_engine(|engine| request_into(engine, &transaction, n, download))?;
        let found = trusted::tls_anchors(&*self.host)?;
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

fn title(download: &Download) -> String {
    format!("package {} {}", download.name, download.version)
}

/// What to fetch into the staging folder, which has room for all archives of the attempt together.
fn request_into(
    engine: &Engine,
    transaction: &str,
    n: usize,
    download: &Download,
) -> Result<Request, Fault> {
    let folder = engine.staging_folder(transaction)?;
    let address = download.uri.parse().map_err(|e| {
        let title = title(download);
        Fault::new(Code::PackageUnavailable, format!("{title}: dp.uri: {e}"))
    })?;
    let algorithm = match download.hash.algorithm() {
        HashAlgorithm::Sha256 => Algorithm::Sha256,
        HashAlgorithm::Sha384 => Algorithm::Sha384,
        HashAlgorithm::Sha512 => Algorithm::Sha512,
    };
    let file = folder.join(format!("{n}.package"));
    let mut request = Request::new(address, algorithm, download.hash.digest().to_vec(), file);
    request.limits.size = request.limits.size.min(engine.room_in(&folder)?);
    let credentials = download.credentials.as_ref();
    request.credentials = credentials.map(|(username, password)| Credentials {
        username: username.clone(),
        password: Zeroizing::new(password.expose().to_owned()),
    });
    Ok(request)
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
    let why = match error {
        DownloadError::TooLarge { limit, .. } if *limit < Limits::default().size => format!(
            ", as all packages of one attempt may have {} MiB together",
            MAX_PACKAGES >> 20
        ),
        _ => String::new(),
    };
    let fault = Fault::new(code, format!("{title}: {error}{why}"));
    match (error.failure(), std::error::Error::source(error)) {
        (Some(failure), _) => fault.caused_by(format!("{}: {failure}", failure.code())),
        (None, Some(cause)) => fault.because(cause),
        (None, None) => fault,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::{self, File};
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::transaction::tests::gateway::{count, Gateway};

    const SIZE: u64 = 20;

    /// Serves one file of [`SIZE`] bytes to the first who asks.
    fn serve(listener: &TcpListener) -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            asked.extend(byte);
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
        stream.write_all(answer.as_bytes())?;
        stream.write_all(&[b'x'; SIZE as usize])
    }

    /// A download beside archives that leave room for so many bytes.
    fn with_room(room: u64) -> Result<Arrived, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        // Who needs no more of it hangs up.
        let server = thread::spawn(move || drop(serve(&listener)));
        let digest = openssl::sha::sha256(&[b'x'; SIZE as usize]);
        let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let download = Download {
            uri: format!("http://{at}/heater.dp"),
            name: "heater".into(),
            version: "1.0".into(),
            job_id: 1,
            hash: format!("SHA-256:{hash}").parse().unwrap(),
            credentials: None,
        };
        let gateway = Gateway::new();
        let mut engine = gateway.engine();
        count(&mut engine, 1, "t");
        let folder = engine.staging_folder("t").unwrap();
        let (first, second) = (folder.join("0.package"), folder.join("1.package"));
        for (file, length) in [(first, 1 << 20), (second, MAX_PACKAGES - (1 << 20) - room)] {
            // It takes no room on this disk.
            File::create(file).unwrap().set_len(length).unwrap();
        }
        let request = request_into(&engine, "t", 2, &download).unwrap();
        let cancel = Cancel::new().unwrap();
        let result = run(&title(&download), &request, &cancel, &|_| ());
        // If nobody has asked, it waits no longer.
        drop(TcpStream::connect(at));
        server.join().unwrap();
        let length = fs::metadata(folder.join("2.package")).map(|data| data.len());
        assert_eq!(
            length.ok(),
            result.as_ref().ok().map(|arrived| arrived.length)
        );
        result
    }

    #[test]
    fn all_archives_of_an_attempt_share_one_bound() {
        assert_eq!(with_room(SIZE).unwrap().length, SIZE);
        for room in [SIZE - 1, 0] {
            let fault = with_room(room).unwrap_err();
            assert_eq!(fault.code, Code::ProtocolTooLarge);
            for part in ["package heater 1.0", "256 MiB together"] {
                assert!(fault.message.contains(part), "{fault}");
            }
        }
    }
}

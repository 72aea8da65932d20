//! One order at work, on a thread of its own.

use std::cell::Cell;
use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, Sender};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use file_download::{fetch, DownloadError, Progress};
use mqtt_session::{Cancel, Tls};

use super::notice::{Notifier, Standing};
use super::order::{Download, Order};
use super::shelf::Shelf;
use crate::packages::{PackageError, Packages};

/// The longest that a download may take; that it moves, its own limits see to.
const LONGEST: Duration = Duration::from_secs(6 * 3600);
/// Between two notifications of progress, in percent.
const STEP: i32 = 10;

/// The steps that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Download,
    Install,
    Uninstall,
}

impl Kind {
    /// As in the topic of a notification.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Download => "download",
            Kind::Install => "install",
            Kind::Uninstall => "uninstall",
        }
    }

    /// The metrics of size, progress, status and error message.
    pub(super) fn metrics(self) -> [&'static str; 4] {
        match self {
            Kind::Download => [
                "dp.download.size",
                "dp.download.progress",
                "dp.download.status",
                "dp.download.error.message",
            ],
            Kind::Install => [
                "dp.install.size",
                "dp.install.progress",
                "dp.install.status",
                "dp.install.error.message",
            ],
            Kind::Uninstall => [
                "dp.uninstall.size",
                "dp.uninstall.progress",
                "dp.uninstall.status",
                "dp.uninstall.error.message",
            ],
        }
    }
}

/// What is to be done.
pub(super) enum Work {
    Download {
        order: Box<Download>,
        /// Whom to trust.
        tls: Tls,
        shelf: Shelf,
    },
    Install {
        order: Order,
        shelf: Shelf,
    },
    Uninstall {
        order: Order,
    },
}

/// An order at work, or worked on. Dropping it cancels a download and waits for the thread.
pub(super) struct Job {
    /// Package and version, for people.
    pub(super) what: String,
    download: bool,
    cancel: Cancel,
    go: Option<Sender<()>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Job {
    /// It is ready, and waits for [`Job::go_on`].
    pub(super) fn start(
        work: Work,
        packages: Arc<Packages>,
        notifier: Notifier,
    ) -> io::Result<Job> {
        let cancel = Cancel::new().map_err(|e| io::Error::other(e.to_string()))?;
        let (order, download) = match &work {
            Work::Download { order, .. } => (&order.order, true),
            Work::Install { order, .. } | Work::Uninstall { order } => (order, false),
        };
        let what = format!("{} {}", order.name, order.version);
        let (told, ended) = (cancel.clone(), Arc::clone(&notifier.ended));
        let (go, begin) = channel();
        let thread = thread::Builder::new()
            .name("gwc-deploy".to_owned())
            .spawn(move || {
                if begin.recv().is_ok() {
                    guarded(work, &packages, &notifier, &told);
                }
            })?;
        Ok(Job {
            what: what.trim_end().to_owned(),
            download,
            cancel,
            go: Some(go),
            ended,
            thread: Some(thread),
        })
    }

    /// Begins; later calls change nothing.
    pub(super) fn go_on(&mut self) {
        if let Some(go) = self.go.take() {
            let _ = go.send(());
        }
    }

    pub(super) fn is_running(&self) -> bool {
        let over = |thread: &JoinHandle<()>| thread.is_finished();
        !self.ended.load(Ordering::Acquire) && !self.thread.as_ref().is_none_or(over)
    }

    pub(super) fn is_download(&self) -> bool {
        self.download && self.is_running()
    }

    /// Ends a download; an installation goes on.
    pub(super) fn cancel(&self) {
        self.cancel.cancel();
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.cancel();
        self.go = None;
        if let Some(thread) = self.thread.take() {
            if thread.join().is_err() {
                log::error!("working on {} panicked", self.what);
            }
        }
    }
}

/// Whoever gave the order hears how it ended, also where a mistake in here ends it.
fn guarded(work: Work, packages: &Packages, notifier: &Notifier, cancel: &Cancel) {
    let (first, order) = match &work {
        Work::Download { order, .. } => (Kind::Download, order.order.clone()),
        Work::Install { order, .. } => (Kind::Install, order.clone()),
        Work::Uninstall { order } => (Kind::Uninstall, order.clone()),
    };
    let step = Cell::new(first);
    let worked = AssertUnwindSafe(|| run(work, packages, notifier, cancel, &step));
    if catch_unwind(worked).is_err() {
        log::error!("working on {} {} panicked", order.name, order.version);
        let failed = Standing::Failed {
            code: "package.failed",
            message: "the gateway made a mistake; its log says where".to_owned(),
        };
        notifier.tell_last(step.get(), &order, &failed);
    }
}

fn run(work: Work, packages: &Packages, notifier: &Notifier, cancel: &Cancel, step: &Cell<Kind>) {
    match work {
        Work::Download { order, tls, shelf } => {
            if download(&order, tls, &shelf, notifier, cancel) && order.install {
                step.set(Kind::Install);
                install(packages, &order.order, &shelf, notifier);
            }
        }
        Work::Install { order, shelf } => install(packages, &order, &shelf, notifier),
        Work::Uninstall { order } => {
            let standing = match packages.remove(&order.name) {
                Ok(()) => Standing::Completed { size: 0 },
                Err(e) => failed(&e),
            };
            notifier.tell_last(Kind::Uninstall, &order, &standing);
        }
    }
}

/// True if the file is there.
fn download(
    order: &Download,
    tls: Tls,
    shelf: &Shelf,
    notifier: &Notifier,
    cancel: &Cancel,
) -> bool {
    let tell = |standing: &Standing| notifier.tell(Kind::Download, &order.order, standing);
    // Only a file that is whole and has its hash bears the name that can be installed.
    if let Err(e) = shelf.clear() {
        notifier.tell_last(Kind::Download, &order.order, &unwritable(shelf, &e));
        return false;
    }
    let mut request = file_download::Request::new(
        order.address.clone(),
        order.algorithm(),
        order.hash.digest().to_vec(),
        shelf.part(),
    );
    request.credentials = order.credentials.clone();
    request.tls = tls;
    request.deadline = Some(Instant::now() + LONGEST);
    let mut told = None;
    let mut progress = |progress: Progress| {
        let percent = percent(&progress);
        if told.is_none_or(|told| percent >= told + STEP || percent < told) {
            told = Some(percent);
            tell(&Standing::InProgress {
                percent,
                size: metric(progress.total.unwrap_or(0)),
            });
        }
    };
    let standing = match fetch(&request, cancel, &mut progress) {
        Ok(received) => match shelf.fill(&order.hash) {
            Ok(()) => Standing::Completed {
                size: metric(received.length),
            },
            Err(e) => unwritable(shelf, &e),
        },
        Err(DownloadError::Cancelled { .. }) => Standing::Cancelled,
        Err(e) => Standing::Failed {
            code: e.code(),
            message: crate::one_line(&e),
        },
    };
    let done = matches!(standing, Standing::Completed { .. });
    match done && order.install {
        true => tell(&standing),
        false => notifier.tell_last(Kind::Download, &order.order, &standing),
    }
    done
}

/// Installs the file for good, if it is the one that was downloaded and that package, and removes it.
fn install(packages: &Packages, order: &Order, shelf: &Shelf, notifier: &Notifier) {
    let tell = |standing: &Standing| notifier.tell(Kind::Install, order, standing);
    tell(&Standing::InProgress {
        percent: 0,
        size: 0,
    });
    let installed = shelf
        .take()
        .and_then(|archive| packages.install_open(&order.name, &order.version, &archive));
    let standing = match installed {
        Ok(()) => Standing::Completed { size: 0 },
        Err(e) => failed(&e),
    };
    if let Err(e) = shelf.clear() {
        log::warn!("{} stays: {e}", shelf.file().display());
    }
    notifier.tell_last(Kind::Install, order, &standing);
}

fn failed(error: &PackageError) -> Standing {
    let said = error.to_call_error();
    let code = match said.code.as_str() {
        "package.corrupt" => "package.corrupt",
        "storage.full" => "storage.full",
        "storage.unwritable" => "storage.unwritable",
        _ => "package.failed",
    };
    Standing::Failed {
        code,
        message: said.message,
    }
}

fn unwritable(shelf: &Shelf, error: &io::Error) -> Standing {
    Standing::Failed {
        code: "storage.unwritable",
        message: format!("{}: {error}", shelf.file().display()),
    }
}

/// 0 to 99; the end is told otherwise.
fn percent(progress: &Progress) -> i32 {
    match progress.total {
        Some(total) if total > 0 => {
            let percent = progress.received.saturating_mul(100) / total;
            i32::try_from(percent.min(99)).unwrap_or(99)
        }
        _ => 0,
    }
}

fn metric(bytes: u64) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::sync::Mutex;

    use kura_formats::payload::{decode, Limits, Payload};
    use kura_formats::topic::Topics;

    use super::super::super::Address;
    use super::super::notice::Board;
    use super::*;
    use crate::events::Hub;

    #[test]
    fn a_step_that_panics_is_told_as_failed_and_not_as_going_on_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let plugins = folder.path().join("plugins");
        std::fs::create_dir(&plugins).unwrap();
        let packages = Packages::open(folder.path(), &plugins, Hub::default()).unwrap();
        let (heard, notices) = channel::<Payload>();
        let heard = Mutex::new(heard);
        let board: Arc<Board> = Arc::default();
        let notifier = Notifier {
            address: Address {
                topics: Topics::default(),
                account: "acme".to_owned(),
                client_id: "gw".to_owned(),
            },
            requester: "cloud".to_owned(),
            notify: Arc::new(move |outgoing, lasting| {
                assert!(lasting, "the step panics with its first notification");
                let payload = decode(&outgoing.payload, &Limits::default()).unwrap();
                heard.lock().unwrap().send(payload).unwrap();
            }),
            board: Arc::clone(&board),
            ended: Arc::default(),
        };
        let order = Order {
            name: "heater".to_owned(),
            version: "1.2.0".to_owned(),
            job_id: 42,
        };
        let shelf = Shelf::of(folder.path(), "");
        let work = Work::Install { order, shelf };
        let mut job = Job::start(work, Arc::new(packages), notifier).unwrap();
        job.go_on();
        let last = notices.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(last.int64("job.id"), Some(42));
        assert_eq!(last.string("dp.install.status"), Some("FAILED"));
        assert_eq!(last.string("prov.error.code"), Some("package.failed"));
        assert!(!job.is_running());
        let shown = board.answer(Kind::Install).metrics;
        assert!(shown.contains(&("dp.install.status", "FAILED".into())));
    }
}

//! `gateway run`: the host, from its start to its end.
//!
//! The main thread waits for events, signals and the deadline, shows progress, and decides
//! when it is over; everything else happens in the framework's threads and in the server's.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_host_sdk::{Framework, Options, Stop};

use super::args::{Run, Until};
use super::error::CliError;
use super::signals::Watch;
use super::watch::Watched;
use super::{out, start_log};
use crate::door::Door;
use crate::feed::Feed;
use crate::outcome::{exit, verdict, Link, Outcome};
use crate::progress::terminal::is_attended;
use crate::progress::Progress;
use crate::rest::server::Bound;
use crate::rest::{Server, Shared};
use crate::status::Document;

/// How often the terminal is redrawn, and the outcome looked at where no event tells.
const REDRAW: Duration = Duration::from_millis(200);
/// The same without a terminal.
const LOOK: Duration = Duration::from_secs(1);

/// What wakes the main thread.
enum Wake {
    Event,
    Signal(i32),
}

/// Runs the gateway; gives the exit code.
///
/// # Errors
/// What keeps it from starting.
pub fn run(options: &Run, log_level: Option<log::LevelFilter>) -> Result<u8, CliError> {
    let started = Instant::now();
    let mut progress = Progress::new();
    let usual = if progress.is_live() {
        log::LevelFilter::Warn
    } else {
        log::LevelFilter::Info
    };
    start_log(log_level.unwrap_or(usual), Some(progress.log_target()));

    // Before anything starts: an address that is taken, or a folder that is not there, is told
    // at once and leaves nothing behind.
    let bound = options
        .listen
        .map(|address| Bound::new(address, options.listen_beyond_loopback))
        .transpose()
        .map_err(|e| CliError::host("no REST interface", e))?;
    let (wake, woken) = mpsc::channel();
    let stop = Stop::default();
    let _signals = watch_signals(wake.clone(), stop.clone())?;

    let of_framework = Options {
        data: options.data.clone(),
        plugins: options.plugins.clone(),
        seed: options.config.clone(),
        properties: options.properties.clone(),
        allow_insecure_plugins: options.allow_insecure_plugins,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let framework = Framework::start_with(of_framework, stop)
        .map(Arc::new)
        .map_err(|e| CliError::host("the gateway does not start", e))?;
    let (feed, feeding) = Feed::start(framework.events(), move || {
        // The main thread may be gone already.
        let _ = wake.send(Wake::Event);
    })
    .map_err(|e| CliError::host("no thread for events", e))?;
    let server = bound
        .map(|bound| {
            Server::start(
                bound,
                Shared {
                    framework: framework.clone(),
                    feed,
                },
            )
        })
        .transpose()
        .map_err(|e| CliError::host("no REST interface", e))?;
    if let Some(server) = &server {
        server.door().record(&options.data)?;
        announce(&progress, server.door(), &options.data);
    }

    let mut watched = Watched::new(options.pid.clone());
    let (code, document, link) = wait(options, started, &woken, &mut progress, || {
        watched.now(&framework)
    });
    progress.finish();
    let outcome = Outcome::new(&document, &link, elapsed_ms(started));

    if let Some(server) = server {
        Door::forget(&options.data);
        server.stop();
    }
    match Arc::try_unwrap(framework) {
        Ok(framework) => {
            framework.shutdown();
            if feeding.join().is_err() {
                log::error!("the thread of the events panicked");
            }
        }
        // The process ends under it.
        Err(_) => log::warn!("a request of the REST interface did not end in time"),
    }
    if options.json {
        let text = serde_json::to_string(&outcome)
            .map_err(|e| CliError::host("the outcome cannot be written", e))?;
        out::line(&text);
    }
    Ok(code)
}

/// Waits until it is over: `--until`, the deadline, or a signal.
fn wait(
    options: &Run,
    started: Instant,
    woken: &Receiver<Wake>,
    progress: &mut Progress,
    mut now: impl FnMut() -> (Document, Link),
) -> (u8, Document, Link) {
    let end = options.deadline.map(|deadline| started + deadline);
    loop {
        let (document, link) = now();
        progress.show(&document);
        if options.until == Some(Until::Provisioned) {
            if let Some(code) = verdict(&document, &link) {
                return (code, document, link);
            }
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            progress.say("gateway: the deadline has passed");
            return (exit::DEADLINE, document, link);
        }
        let pause = if progress.is_live() { REDRAW } else { LOOK };
        match woken.recv_timeout(left.map_or(pause, |left| left.min(pause))) {
            Ok(Wake::Signal(signal)) => {
                let code = u8::try_from(signal)
                    .unwrap_or(0)
                    .saturating_add(exit::SIGNAL);
                return (code, document, link);
            }
            Ok(Wake::Event) | Err(RecvTimeoutError::Timeout) => {}
            // The framework and the signals are gone; nothing more can happen.
            Err(RecvTimeoutError::Disconnected) => return (exit::FAILURE, document, link),
        }
    }
}

fn watch_signals(wake: Sender<Wake>, stop: Stop) -> Result<Watch, CliError> {
    Watch::start(move |signal| {
        // At once: the main thread may be waiting for the start.
        stop.raise();
        // The main thread may be gone already.
        let _ = wake.send(Wake::Signal(signal));
    })
    .map_err(|e| CliError::host("signals cannot be caught", e))
}

/// Says where the page is. The link with the token goes to a terminal only: what is not a
/// terminal is often a journal that others read.
fn announce(progress: &Progress, door: &Door, data: &std::path::Path) {
    if is_attended() {
        progress.say(&format!("console: {}", *door.link()));
    } else {
        progress.say(&format!("console: {}", door.url));
        progress.say(&format!(
            "         gateway console --data {} prints the link that opens it",
            data.display()
        ));
    }
}

fn elapsed_ms(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

//! `gateway provision --watch`: a running gateway's provisioning, live, until it is over.
//!
//! It asks for the status document four times a second over REST and draws it; it changes
//! nothing. A gateway that restarts meanwhile is waited for.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::args::Provision;
use super::client::Client;
use super::error::{chain, CliError};
use super::signals::Watch;
use super::{show, start_log};
use crate::outcome::exit;
use crate::progress::Progress;
use crate::status::{Document, State};

/// How often it asks.
const LOOK: Duration = Duration::from_millis(250);
/// How long a gateway that answered before may be away, as it is while it restarts.
const AWAY: Duration = Duration::from_secs(60);

/// Watches until the end; gives the exit code.
///
/// # Errors
/// The gateway does not answer, or no longer.
pub fn run(options: &Provision, log_level: log::LevelFilter) -> Result<u8, CliError> {
    let mut progress = Progress::new();
    start_log(log_level, Some(progress.log_target()));
    let (caught, signals) = mpsc::channel();
    let _watch = Watch::start(move |signal| {
        // The main thread may be gone already.
        let _ = caught.send(signal);
    })
    .map_err(|e| CliError::host("signals cannot be caught", e))?;

    let mut answered: Option<Instant> = None;
    let result = loop {
        match look(options) {
            Ok(document) => {
                answered = Some(Instant::now());
                progress.show(&document);
                if let Some(over) = over(&document) {
                    break over;
                }
            }
            Err(error) => match answered {
                Some(last) if last.elapsed() < AWAY => log::info!("{}", chain(&error)),
                _ => break Err(error),
            },
        }
        match signals.recv_timeout(LOOK) {
            Ok(signal) => {
                let signal = u8::try_from(signal).unwrap_or(0);
                break Ok(signal.saturating_add(exit::SIGNAL));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break Ok(exit::FAILURE),
        }
    };
    progress.finish();
    result
}

/// The document now. The door is looked up each time: a restarted gateway has another.
fn look(options: &Provision) -> Result<Document, CliError> {
    let client = Client::find(&options.reach)?;
    let pid = show::instance(&client, options.pid.as_deref())?;
    let answer = client.get(&format!("{}/status", show::path(&pid)))?;
    let mut document: Document = serde_json::from_value(answer)
        .map_err(|e| CliError::host("the status document is not readable", e))?;
    document.instance = pid;
    Ok(document)
}

/// The exit code where there is nothing more to see. A parameter that says so is no success.
fn over(document: &Document) -> Option<Result<u8, CliError>> {
    match (document.state, document.unrecorded()) {
        (State::Provisioned, Some(words)) => Some(Err(CliError::Refused(words.to_owned()))),
        (State::Provisioned, None) => Some(Ok(0)),
        (State::GaveUp, _) => Some(Ok(exit::GAVE_UP)),
        _ => None,
    }
}

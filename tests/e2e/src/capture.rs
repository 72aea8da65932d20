//! Every log line of this process, at every level, and what gateways said that it started, so that a
//! test can search them.

use std::sync::{Mutex, Once, PoisonError};

use log::{LevelFilter, Log, Metadata, Record};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static START: Once = Once::new();

struct Capture;

impl Log for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{} {} {}", record.level(), record.target(), record.args());
        if std::env::var_os("E2E_LOG").is_some() {
            eprintln!("{line}");
        }
        keep(line);
    }

    fn flush(&self) {}
}

/// From now on lines are kept. Any number of times.
pub fn start() {
    START.call_once(|| {
        if log::set_logger(&Capture).is_ok() {
            log::set_max_level(LevelFilter::Trace);
        }
    });
}

/// Keeps a line of something else than this process.
pub fn keep(line: String) {
    LINES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(line);
}

/// The lines so far that hold `text`.
pub fn lines_with(text: &str) -> Vec<String> {
    LINES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .filter(|line| line.contains(text))
        .cloned()
        .collect()
}

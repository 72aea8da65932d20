//! Draws progress on standard error, or prints plain lines where that is no terminal.
//!
//! It never writes to standard output, which belongs to the JSON object. Log lines pass
//! through [`Progress::log_target`], so that they land above the drawing and not in it.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::lines;
use crate::status::{Document, StepState};

/// The view. One per process; used from the main thread.
#[derive(Debug)]
pub struct Progress {
    drawing: MultiProgress,
    live: bool,
    head: Option<ProgressBar>,
    rows: Vec<ProgressBar>,
    told: Told,
}

/// What the plain view has said already.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    headline: String,
    steps: Vec<(String, StepState)>,
    error: Option<(String, String)>,
    notes: Vec<String>,
}

impl Default for Progress {
    fn default() -> Self {
        Progress::new()
    }
}

impl Progress {
    /// Live where standard error is a terminal, plain elsewhere.
    #[must_use]
    pub fn new() -> Progress {
        Progress {
            drawing: MultiProgress::new(),
            live: io::stderr().is_terminal(),
            head: None,
            rows: Vec::new(),
            told: Told::default(),
        }
    }

    /// Whether it draws; then [`Progress::show`] wants to be called a few times a second.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// A writer for log lines that does not disturb the drawing.
    #[must_use]
    pub fn log_target(&self) -> Box<dyn Write + Send> {
        Box::new(Above(self.drawing.clone()))
    }

    /// Says one line, above the drawing.
    pub fn say(&self, line: &str) {
        // Standard error may be gone; that is no reason to stop.
        let _ = self.drawing.suspend(|| writeln!(io::stderr(), "{line}"));
    }

    /// Shows the document as it is now.
    pub fn show(&mut self, document: &Document) {
        if self.live {
            self.draw(document);
        } else {
            for line in self.told.changes(document) {
                self.say(&line);
            }
        }
    }

    /// Leaves the last picture on the terminal and draws no more.
    pub fn finish(&mut self) {
        for bar in self.head.iter().chain(&self.rows) {
            bar.abandon();
        }
        self.live = false;
    }

    fn draw(&mut self, document: &Document) {
        let now = Timestamp::now();
        let head = self.head.get_or_insert_with(|| {
            let bar = self.drawing.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        head.set_message(lines::headline(document, now));
        let mut wanted = lines::steps(document, now);
        let width = width();
        wanted.extend(
            lines::troubles(document)
                .iter()
                .flat_map(|line| lines::wrap(line, width)),
        );
        while self.rows.len() < wanted.len() {
            let bar = self.drawing.add(ProgressBar::new_spinner());
            self.rows.push(bar);
        }
        for bar in self.rows.drain(wanted.len()..) {
            bar.finish_and_clear();
            self.drawing.remove(&bar);
        }
        for (bar, line) in self.rows.iter().zip(wanted) {
            if let Ok(style) = ProgressStyle::with_template(template(&line)) {
                bar.set_style(style);
            }
            bar.set_message(line);
            bar.tick();
        }
    }
}

/// Characters to a row, its margin taken off.
fn width() -> usize {
    let columns = rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| size.ws_col);
    match usize::from(columns) {
        0 => 78,
        columns => columns.saturating_sub(2).max(20),
    }
}

/// A row in the colour of its mark, where the terminal has colours and nobody set NO_COLOR.
fn template(line: &str) -> &'static str {
    match line.chars().next() {
        Some('✓') => "  {wide_msg:.green}",
        Some('✗') => "  {wide_msg:.red}",
        Some('▸') => "  {wide_msg:.cyan.bold}",
        Some('·' | '-') => "  {wide_msg:.dim}",
        _ => "  {wide_msg}",
    }
}

impl Told {
    /// The lines to say so that everything in `document` has been said once.
    fn changes(&mut self, document: &Document) -> Vec<String> {
        let mut out = Vec::new();
        let headline = match document.instance.as_str() {
            "" => lines::ABSENT.to_owned(),
            _ => lines::standing(document),
        };
        if headline != self.headline {
            out.push(format!("provisioning: {headline}"));
            self.headline = headline;
        }
        let steps: Vec<_> = document
            .steps
            .iter()
            .map(|step| (step.name.clone(), step.state))
            .collect();
        for (step, entry) in document.steps.iter().zip(&steps) {
            let word = match step.state {
                StepState::Running => "running",
                StepState::Done => "done",
                StepState::Failed => "failed",
                StepState::Pending | StepState::Skipped | StepState::Unknown => continue,
            };
            if !self.steps.contains(entry) {
                out.push(format!("provisioning: step {} {word}", step.name));
            }
        }
        self.steps = steps;
        let error = document
            .error
            .as_ref()
            .map(|e| (e.code.clone(), e.message.clone()));
        if error != self.error {
            if error.is_some() {
                out.extend(
                    lines::error(document)
                        .iter()
                        .map(|line| format!("provisioning: {line}")),
                );
            }
            self.error = error;
        }
        let notes = lines::notes(document);
        for note in notes.iter().filter(|note| !self.notes.contains(note)) {
            out.push(format!("provisioning: {note}"));
        }
        self.notes = notes;
        out
    }
}

/// Writes whole chunks while the drawing is out of the way.
struct Above(MultiProgress);

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn plain_lines_say_each_change_once() {
        let mut told = Told::default();
        let first = Document::parse(
            r#"{"instance":"p","state":"connecting","attempt":1,"steps":[{"name":"connect","state":"running"}]}"#,
        )
        .unwrap();
        assert_eq!(
            told.changes(&first),
            [
                "provisioning: connecting to the provision broker, attempt 1",
                "provisioning: step connect running"
            ]
        );
        assert!(told.changes(&first).is_empty());
        let second = Document::parse(
            r#"{"instance":"p","state":"waiting","attempt":1,"steps":[{"name":"connect","state":"failed"}],
                "error":{"code":"network.refused","message":"refused by 127.0.0.1:1"}}"#,
        )
        .unwrap();
        assert_eq!(
            told.changes(&second),
            [
                "provisioning: waiting, attempt 1",
                "provisioning: step connect failed",
                "provisioning: network.refused: refused by 127.0.0.1:1"
            ]
        );
    }

    #[test]
    fn parameters_that_do_not_hold_are_told_at_once_and_once() {
        let mut told = Told::default();
        let invalid = Document::parse(
            r#"{"instance":"p","state":"invalid","attempt":0,
                "error":{"code":"config.invalid","message":"1 parameter does not hold","remedy":"Correct it."},
                "problems":[{"parameter":"timeout","message":"9 is below 10"}]}"#,
        )
        .unwrap();
        assert_eq!(
            told.changes(&invalid),
            [
                "provisioning: stopped: parameters do not hold",
                "provisioning: config.invalid: 1 parameter does not hold",
                "provisioning:   → Correct it.",
                "provisioning: timeout: 9 is below 10"
            ]
        );
        assert!(told.changes(&invalid).is_empty());
    }
}

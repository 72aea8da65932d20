//! Draws progress on standard error, or prints plain lines where that is no terminal.
//!
//! It never writes to standard output, which belongs to the JSON object. Log lines pass
//! through [`Progress::log_target`], so that they land above the drawing and not in it.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::lines;
use super::picture::{cut, Picture};
use crate::status::{Document, StepState};

/// The picture is not drawn more often. A countdown changes it once a second, a running step more
/// often than anybody reads.
const APART: Duration = Duration::from_millis(500);

/// The view. One per process; used from the main thread.
#[derive(Debug)]
pub struct Progress {
    drawing: Drawing,
    live: bool,
    colours: bool,
    drawn: Option<Instant>,
    /// What came too early to be drawn.
    late: Option<Document>,
    told: Told,
}

/// The picture, for all threads that write to standard error.
#[derive(Debug, Clone, Default)]
struct Drawing(Arc<Mutex<Picture>>);

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
    /// Live where standard error is a terminal that can be drawn on, plain elsewhere.
    #[must_use]
    pub fn new() -> Progress {
        Progress {
            drawing: Drawing::default(),
            live: is_attended() && can_be_drawn_on(),
            colours: std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()),
            drawn: None,
            late: None,
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
        let _ = self.drawing.above(format!("{line}\n").as_bytes());
    }

    /// Shows the document as it is now.
    pub fn show(&mut self, document: &Document) {
        if self.live {
            if self.drawn.is_some_and(|drawn| drawn.elapsed() < APART) {
                self.late = Some(document.clone());
            } else {
                self.draw(document);
            }
        } else {
            for line in self.told.changes(document) {
                self.say(&line);
            }
        }
    }

    /// Leaves the last picture on the terminal and draws no more.
    pub fn finish(&mut self) {
        if let Some(document) = self.late.take() {
            self.draw(&document);
        }
        self.drawing.leave();
        self.live = false;
    }

    fn draw(&mut self, document: &Document) {
        self.drawn = Some(Instant::now());
        self.late = None;
        let now = Timestamp::now();
        let (width, height) = size();
        let mut wanted = lines::steps(document, now);
        wanted.extend(
            lines::troubles(document)
                .iter()
                .flat_map(|line| lines::wrap(line, width)),
        );
        let mut rows = vec![cut(&lines::headline(document, now), width)];
        rows.extend(wanted.iter().map(|line| {
            let row = cut(line, width);
            match colour(line).filter(|_| self.colours) {
                Some(colour) => format!("  \x1b[{colour}m{row}\x1b[0m"),
                None => format!("  {row}"),
            }
        }));
        rows.truncate(height);
        self.drawing.becomes(rows);
    }
}

impl Drawing {
    fn becomes(&self, rows: Vec<String>) {
        let mut picture = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let change = picture.becomes(rows);
        // Standard error may be gone; that is no reason to stop.
        let _ = io::stderr().write_all(change.as_bytes());
    }

    /// Writes while the picture is out of the way.
    fn above(&self, bytes: &[u8]) -> io::Result<()> {
        let picture = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (away, back) = picture.around();
        // In one piece: what others write to the terminal then falls beside it, not into it.
        io::stderr().write_all(&[away.as_bytes(), bytes, back.as_bytes()].concat())
    }

    /// What is written from now on comes below the picture.
    fn leave(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Picture::default();
    }
}

/// Whether a person sits at standard error.
#[must_use]
pub fn is_attended() -> bool {
    io::stderr().is_terminal()
}

/// Whether the terminal knows how to move its cursor: one without a name, as on a serial line or in
/// an editor, or a dumb one does not.
fn can_be_drawn_on() -> bool {
    std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Characters to a row, its margin taken off, and rows that can be drawn again.
fn size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
    let width = match size.map_or(0, |size| usize::from(size.ws_col)) {
        0 => 77,
        columns => columns.saturating_sub(3).max(20),
    };
    let height = match size.map_or(0, |size| usize::from(size.ws_row)) {
        0 => 23,
        rows => rows.saturating_sub(1).max(1),
    };
    (width, height)
}

/// The colour of a row, by its mark.
fn colour(line: &str) -> Option<&'static str> {
    match line.chars().next() {
        Some('✓') => Some("32"),
        Some('✗') => Some("31"),
        Some('▸') => Some("1;36"),
        Some('·' | '-') => Some("2"),
        _ => None,
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
struct Above(Drawing);

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.above(bytes)?;
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

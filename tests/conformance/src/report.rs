//! What a judge found: counts, and a line for every case that failed.

use std::io::{self, Write};

/// How a document passed.
#[derive(Debug, PartialEq, Eq)]
pub enum Passed {
    /// It was read.
    Read,
    /// It was refused, rightly, for this reason.
    RightlyRefused(String),
}

/// The outcome of all cases of one run.
#[derive(Debug, Default)]
pub struct Report {
    passed: usize,
    failed: Vec<(String, String)>,
    notes: Vec<(String, String)>,
}

impl Report {
    /// Nothing judged yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one case; the error is why it failed, one line.
    pub fn record(&mut self, case: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(why) => self.failed.push((case.to_owned(), why)),
        }
    }

    /// Says something of a case that passed.
    pub fn note(&mut self, case: &str, what: impl Into<String>) {
        self.notes.push((case.to_owned(), what.into()));
    }

    /// How many passed.
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// The cases that failed, and why.
    pub fn failed(&self) -> &[(String, String)] {
        &self.failed
    }

    /// Whether something was judged, and nothing failed.
    pub fn is_success(&self) -> bool {
        self.failed.is_empty() && self.passed > 0
    }

    /// The notes, a line for every case that failed, then the [`summary`].
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for (case, what) in &self.notes {
            writeln!(out, "note   {}: {}", one_line(case), one_line(what))?;
        }
        for (case, why) in &self.failed {
            writeln!(out, "FAILED {}: {}", one_line(case), one_line(why))?;
        }
        summary(out, self.passed, self.failed.len(), 0)
    }
}

/// The last line of every judge: `N passed, N failed`; before it, where there were any, `N skipped`.
///
/// # Errors
/// Those of the writer.
pub fn summary(
    out: &mut dyn Write,
    passed: usize,
    failed: usize,
    skipped: usize,
) -> io::Result<()> {
    if skipped > 0 {
        writeln!(out, "{skipped} skipped")?;
    }
    writeln!(out, "{passed} passed, {failed} failed")
}

/// The text with a space for what would break the line.
pub(crate) fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Report;

    fn written(report: &Report) -> String {
        let mut out = Vec::new();
        report.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_count_stands_alone_on_the_last_line() {
        let mut report = Report::new();
        report.record("a", Ok(()));
        assert!(report.is_success());
        assert_eq!(written(&report), "1 passed, 0 failed\n");
        report.record("b\nc", Err("two\nlines".to_owned()));
        report.note("d", "odd");
        assert!(!report.is_success());
        assert_eq!(
            written(&report),
            "note   d: odd\nFAILED b c: two lines\n1 passed, 1 failed\n"
        );
    }

    #[test]
    fn skipped_cases_are_counted_where_there_are_any() {
        let mut out = Vec::new();
        super::summary(&mut out, 3, 2, 1).unwrap();
        assert_eq!(out, b"1 skipped\n3 passed, 2 failed\n");
    }

    #[test]
    fn nothing_judged_is_no_success() {
        assert!(!Report::new().is_success());
    }
}

//! Standard output. A reader that goes away (`| head`) ends the output, not the program; whatever
//! else keeps it from being written is an error: what was asked for is not where it was asked for.

use std::io::{self, ErrorKind, Write};

use serde_json::Value;

use super::error::CliError;

/// One line.
///
/// # Errors
/// [`CliError::Output`].
pub fn line(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(CliError::Output(e)),
        _ => Ok(()),
    }
}

/// A JSON document, indented.
///
/// # Errors
/// [`CliError::Output`].
pub fn json(value: &Value) -> Result<(), CliError> {
    line(&format!("{value:#}"))
}

/// Columns, each as wide as its widest cell; the first row is the heading.
///
/// # Errors
/// [`CliError::Output`].
pub fn table(rows: &[Vec<String>]) -> Result<(), CliError> {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(at) {
                Some(known) => *known = width.max(*known),
                None => widths.push(width),
            }
        }
    }
    for row in rows {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(&format!("{cell:<width$}  "));
        }
        line(text.trim_end())?;
    }
    Ok(())
}

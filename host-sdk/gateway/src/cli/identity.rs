//! `gateway identity`: who the gateway says it is, to be copied into a provision request.
//!
//! The component answers before any network is up. What the forms look like is in
//! [`crate::sheet`].

use std::io::{self, IsTerminal};

use serde_json::Value;

use super::args::{Asked, Sheet};
use super::error::CliError;
use super::{out, show};
use crate::progress::terminal::can_be_drawn_on;
use crate::sheet;

/// Runs the command.
///
/// # Errors
/// As the client; [`CliError::Host`] for a sheet too long for a QR code.
pub fn run(options: &Sheet) -> Result<(), CliError> {
    let asked = Asked {
        reach: options.reach.clone(),
        pid: options.pid.clone(),
        json: options.json,
    };
    let (_, answer) = show::ask(&asked, "identity")?;
    if options.qr {
        let line = if options.csv {
            sheet::csv_line(&answer)
        } else {
            sheet::json_line(&answer)
        };
        let code = sheet::qr(&line).map_err(|e| CliError::host("no QR code", e))?;
        match io::stdout().is_terminal() && can_be_drawn_on() {
            // A scanner wants dark on light, whatever the terminal's own colours are.
            true => {
                for row in code.lines() {
                    out::line(&format!("\x1b[40;97m{row}\x1b[0m"))?;
                }
            }
            false => out::line(&code)?,
        }
        out::line(&line)?;
    } else if options.csv {
        out::line(&sheet::csv_heading())?;
        out::line(&sheet::csv_line(&answer))?;
    } else if options.json {
        out::json(&answer)?;
    } else {
        for (name, value) in answer.as_object().into_iter().flatten() {
            match value {
                Value::String(text) => out::line(&format!("{name:<14} {text}"))?,
                // Where a value comes from is for scripts.
                Value::Object(_) => {}
                Value::Null => out::line(&format!("{name:<14} (not known yet)"))?,
                value => out::line(&format!("{name:<14} {value}"))?,
            }
        }
    }
    Ok(())
}

//! `gateway check-plugin`: does a library keep to the contract of components?
//!
//! The trials are in the crate `component-check`; here they are started, each as a child of this
//! very program, and shown. Exit code 0 if all passed, 1 if not, 2 if the command line is wrong.

use std::process::Command;

use component_check::{Trial, TRIALS};

use super::args::CheckPlugin;
use super::error::CliError;
use super::out;
use crate::outcome::exit;

/// Runs the command; the exit code.
///
/// # Errors
/// [`CliError::File`] for a library that is not there, [`CliError::Usage`] for a trial that does
/// not exist, [`CliError::Host`] if this program cannot be found to be started again.
pub fn run(options: &CheckPlugin) -> Result<u8, CliError> {
    // A relative path would be looked for by the linker in places of its own.
    let path = options
        .file
        .canonicalize()
        .map_err(|source| CliError::File {
            path: options.file.clone(),
            source,
        })?;
    if let Some(name) = &options.trial {
        return Ok(component_check::run_trial(name, &path));
    }
    if let Some(name) = options
        .only
        .iter()
        .find(|name| !TRIALS.iter().any(|trial| trial.name == name.as_str()))
    {
        let known: Vec<&str> = TRIALS.iter().map(|trial| trial.name).collect();
        return Err(CliError::Usage(format!(
            "there is no trial {name}; there are: {}",
            known.join(", ")
        )));
    }
    let program =
        std::env::current_exe().map_err(|e| CliError::host("this program is not found", e))?;
    let child = |trial: &Trial| {
        let mut command = Command::new(&program);
        command
            .arg("check-plugin")
            .arg(&path)
            .args(["--trial", trial.name]);
        command
    };
    // The trials go on where nobody can read of them; their exit code does not count then.
    let mut told = Ok(());
    let mut done = |outcome: &component_check::Outcome| {
        if !options.json && told.is_ok() {
            told = out::line(&format!(
                "{}  {:<24}  {:<56}  {}",
                outcome.rule.number(),
                outcome.rule.about(),
                outcome.trial,
                outcome.verdict
            ));
        }
    };
    let report = component_check::check(&path, &options.only, options.deadline, &child, &mut done);
    told?;
    if options.json {
        out::json(&report.json())?;
    } else {
        out::line("")?;
        out::line(&report.summary())?;
    }
    Ok(if report.passed() { 0 } else { exit::FAILURE })
}

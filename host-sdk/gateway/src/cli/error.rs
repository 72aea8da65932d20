//! Why a command failed, and with which exit code.

use std::error::Error;
use std::path::{Path, PathBuf};

use thiserror::Error as ThisError;

use crate::door::DoorError;
use crate::outcome::exit;

/// A command's failure.
#[derive(Debug, ThisError)]
pub enum CliError {
    /// The command line is wrong in a way that clap cannot see.
    #[error("{0}")]
    Usage(String),
    /// A running gateway was not found.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// A file that the command names cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nobody can read what was asked for.
    #[error("standard output cannot be written")]
    Output(#[source] std::io::Error),
    /// Nobody answers.
    #[error("no answer from {url}; is the gateway still running?")]
    Unreachable {
        /// Its address.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The gateway answered with an error; each line says one thing.
    #[error("{0}")]
    Refused(String),
    /// Something of the host failed.
    #[error("{what}")]
    Host {
        /// What could not be done.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl CliError {
    /// The exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            CliError::Usage(_) => exit::USAGE,
            _ => exit::FAILURE,
        }
    }

    /// A failure of the host in words.
    pub fn host(
        what: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> CliError {
        CliError::Host {
            what: what.into(),
            source: source.into(),
        }
    }
}

/// A data folder that is asked and not written.
///
/// # Errors
/// [`CliError::Refused`] where there is none.
pub fn must_exist(data: &Path) -> Result<(), CliError> {
    match data.is_dir() {
        true => Ok(()),
        false => Err(CliError::Refused(format!(
            "there is no data folder {}",
            data.display()
        ))),
    }
}

/// An error with its causes in one line, `a: b: c`.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

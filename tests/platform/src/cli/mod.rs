//! The commands, and how their errors are told.

mod control;
mod lock;
mod output;
mod package;
mod pki;
mod request;
mod run;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Parser, Subcommand};
use provision_platform::store::{Store, StoreError, DATABASE};
use std::error::Error;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// The cloud side of a device provisioning: a real MQTT broker, provision requests, jobs, and a
/// small PKI. For demonstrations, tests and rehearsals; its wire profile is this project's own.
#[derive(Parser)]
#[command(
    name = "provision-platform",
    version,
    after_help = "Examples:\n  \
        provision-platform demo-pki --out cloud/pki\n  \
        printf %s \"$PASSWORD\" | provision-platform request create --data cloud \\\n      \
            --client-id 0011223344AA --username 0011223344AA-SN1 --password-stdin\n  \
        provision-platform run --data cloud --port 8883\n  \
        provision-platform request show --data cloud --client-id 0011223344AA\n\n\
        A data folder holds pki/, platform.sqlite, secrets.key, packages/ and broker/. `run` and \
        `request create` make whatever is missing."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the certificates of a platform.
    DemoPki(pki::Arguments),
    /// Provision requests: who may be provisioned, and into what.
    #[command(subcommand)]
    Request(request::Command),
    /// Ask a provisioned gateway something.
    Control(Box<control::Arguments>),
    /// Run the platform until Ctrl-C or SIGTERM.
    Run(Box<run::Arguments>),
}

/// A path that may have links on it: they are the operator's, and followed here.
fn resolved() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match durable_file::check_folder(&path) {
        Ok(()) => Ok(path),
        Err(_) => durable_file::resolve(&path),
    })
}

/// The data folder, for every command that has one.
#[derive(clap::Args)]
struct Data {
    /// The data folder.
    #[arg(long = "data", value_name = "DIR", default_value = "platform-data",
          value_parser = resolved())]
    folder: PathBuf,
}

impl Data {
    /// The database of a data folder that must be one: nothing is made below a name that was
    /// mistyped.
    fn existing(&self) -> Result<Store, Failure> {
        let folder = self.folder.display();
        if !self.folder.is_dir() {
            return Err(Failure::Other(format!("there is no data folder {folder}")));
        }
        if !self.folder.join(DATABASE).is_file() {
            let text = format!("{folder} is no data folder: there is no {DATABASE} in it");
            return Err(Failure::Other(text));
        }
        Ok(Store::open(&self.folder)?)
    }
}

/// Why a command did not work.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The caller must write something else: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Something else must change: exit code 1.
    #[error("{0}")]
    Other(String),
    /// What was asked for is not where it was asked for: exit code 1.
    #[error("standard output cannot be written: {0}")]
    Output(std::io::Error),
    /// A gateway refused, failed or kept silent: the exit code says which.
    #[error("{0}")]
    Device(String, u8),
}

impl Failure {
    fn other(error: &dyn Error) -> Failure {
        Failure::Other(with_causes(error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        match error {
            StoreError::Invalid { .. } => Failure::Usage(error.to_string()),
            _ => Failure::other(&error),
        }
    }
}

/// An error and its causes on one line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        // A transparent error says the same as its cause.
        if !text.ends_with(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// Writes to standard output; a reader that went away is no error, whatever else keeps it away is.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::Output(e)),
        _ => Ok(()),
    }
}

pub(crate) fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::DemoPki(arguments) => pki::make(&arguments),
        Command::Request(command) => request::execute(command),
        Command::Control(arguments) => control::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to tell it to if standard error is gone.
            let _ = writeln!(std::io::stderr(), "provision-platform: {failure}");
            ExitCode::from(match failure {
                Failure::Usage(_) => 2,
                Failure::Other(_) | Failure::Output(_) => 1,
                Failure::Device(_, code) => code,
            })
        }
    }
}

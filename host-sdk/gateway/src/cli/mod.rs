//! The command line: words to deeds, deeds to exit codes.
//!
//! `run` is the host itself; every other command speaks to a running one over REST, but for
//! `keystore` and `record`, which work on a data folder whether or not a gateway runs on it, and
//! `package pack`, `package inspect` and `check-plugin`, which need no gateway.

pub mod args;
pub mod check_plugin;
pub mod client;
pub mod config;
pub mod connection;
pub mod error;
pub mod identity;
pub mod keystore;
pub mod memory;
pub mod out;
pub mod package;
pub mod provision;
pub mod record;
pub mod run;
pub mod show;
pub mod signals;
pub mod value;
pub mod watch;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use error::{chain, CliError};

/// Runs the command of this process. clap ends it itself for usage errors (2) and `--help`.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if !cli.allow_core_dumps {
        memory::close();
    }
    if let Command::Run(options) = &cli.command {
        return ended(run::run(options, cli.log_level));
    }
    let level = cli.log_level.unwrap_or(log::LevelFilter::Warn);
    if let Command::Provision(options) = &cli.command {
        return ended(provision::run(options, level));
    }
    if let Command::CheckPlugin(options) = &cli.command {
        // Before anything else of the process: a trial wants it as it was started.
        return ended(check_plugin::run(options));
    }
    start_log(level, None);
    ended(dispatch(&cli.command).map(|()| 0))
}

fn dispatch(command: &Command) -> Result<(), CliError> {
    match command {
        // Have an exit code of their own.
        Command::Run(_) | Command::Provision(_) | Command::CheckPlugin(_) => Ok(()),
        Command::Keystore(command) => keystore::run(command),
        Command::Status(asked) => show::status(asked),
        Command::Identity(sheet) => identity::run(sheet),
        Command::Record(command) => record::run(command),
        Command::Preflight(asked) => show::preflight(asked),
        Command::Retry(target) => show::act(target, "retry-now"),
        Command::Cancel(target) => show::act(target, "cancel"),
        Command::Reprovision(target) => show::act(target, "reprovision"),
        Command::Config(command) => config::run(command),
        Command::Plugins(listed) => show::plugins(listed),
        Command::Connection(command) => connection::run(command),
        Command::Package(command) => package::run(command),
        Command::Console(reach) => show::console(reach),
    }
}

fn ended(result: Result<u8, CliError>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Standard error may be gone; the exit code is still told.
            let _ = writeln!(std::io::stderr(), "gateway: {}", chain(&error));
            ExitCode::from(error.code())
        }
    }
}

/// Log lines to standard error, or to `target`. RUST_LOG wins over `level`, but for the MQTT
/// library, which logs whole messages, and passwords in them, below `info`.
pub fn start_log(level: log::LevelFilter, target: Option<Box<dyn Write + Send>>) {
    let mut builder = env_logger::Builder::new();
    builder.filter_level(level);
    builder.parse_default_env();
    builder.filter_module("paho_mqtt", level.min(log::LevelFilter::Info));
    if let Some(target) = target {
        builder.target(env_logger::Target::Pipe(target));
    }
    // A second logger in the process is no reason to stop.
    let _ = builder.try_init();
}

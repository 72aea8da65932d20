//! The command line of the judges: one line per failing case, then `N passed, N failed`. Exit 0 if
//! nothing failed, 1 if something did, 2 if it was called wrongly or a file cannot be read.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use conformance::{payload, snapshot, Report};

/// Judges what this project reads and writes by files of cases.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    judge: Judge,
}

#[derive(Subcommand)]
enum Judge {
    /// The KuraPayload codec, by vectors made by Kura's encoder
    Payload {
        /// A JSON array of vectors
        vectors: PathBuf,
    },
    /// The configuration XML: read, write, read again, compare
    Snapshot {
        /// Snapshots of Kura
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

fn main() -> ExitCode {
    let outcome = run(Arguments::parse().judge).and_then(|report| {
        report
            .write(&mut io::stdout().lock())
            .map_err(|e| format!("cannot write the report: {e}"))?;
        Ok(report.is_success())
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            // Nobody is left to tell if this fails.
            let _ = writeln!(io::stderr(), "conformance: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(judge: Judge) -> Result<Report, String> {
    match judge {
        Judge::Payload { vectors } => {
            payload::judge(&contents(&vectors)?).map_err(|e| format!("{}: {e}", vectors.display()))
        }
        Judge::Snapshot { files } => each(&files, snapshot::judge),
    }
}

fn each(files: &[PathBuf], judge: fn(&[u8]) -> Result<(), String>) -> Result<Report, String> {
    let mut report = Report::new();
    for file in files {
        report.record(&file.display().to_string(), judge(&contents(file)?));
    }
    Ok(report)
}

fn contents(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|e| format!("cannot read {}: {e}", file.display()))
}

//! The command line of the judges: one line per failing case, then `N passed, N failed`. Exit 0 if
//! nothing failed, 1 if something did, 2 if it was called wrongly or a file cannot be read.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use conformance::report::summary;
use conformance::x509::{Profile, Tally};
use conformance::{metatype, payload, signed, snapshot, x509, Report};

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
    /// The reader of metatypes
    Metatype {
        /// Metatype descriptors
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// The configuration XML: read, write, read again, compare
    Snapshot {
        /// Snapshots of Kura
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// The validation of certificates, by cases of C2SP x509-limbo
    X509 {
        /// What the certificates are for
        #[arg(long = "as")]
        as_: As,
        /// The cases
        #[arg(long)]
        cases: PathBuf,
        /// What plain OpenSSL says of them
        #[arg(long)]
        baseline: PathBuf,
    },
    /// The validation of received chains, by NIST PKITS
    Pkits {
        /// Its folder, with `certs` and `crls`
        folder: PathBuf,
    },
    /// The verification of signed control messages
    Signed {
        /// A JSON object with trusted signers and vectors
        vectors: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum As {
    /// A chain that the platform sent
    Chain,
    /// The chain of a TLS server
    TlsServer,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.judge, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            let mut message = format!("conformance: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                message.push_str(&format!(": {error}"));
                cause = error.source();
            }
            // Nobody is left to tell if this fails.
            let _ = writeln!(io::stderr(), "{message}");
            ExitCode::from(2)
        }
    }
}

/// Whether something was judged and nothing failed.
fn run(judge: Judge, out: &mut dyn Write) -> Result<bool, Box<dyn Error>> {
    let report = match judge {
        Judge::Payload { vectors } => payload::judge(&contents(&vectors)?)
            .map_err(|e| format!("{}: {e}", vectors.display()))?,
        Judge::Metatype { files } => {
            let mut report = Report::new();
            for file in files {
                let case = file.display().to_string();
                let outcome = metatype::judge(&contents(&file)?);
                if let Ok(metatype::Passed::RightlyRefused(why)) = &outcome {
                    report.note(&case, format!("rightly refused: {why}"));
                }
                report.record(&case, outcome.map(|_| ()));
            }
            report
        }
        Judge::Snapshot { files } => {
            let mut report = Report::new();
            for file in files {
                let outcome = snapshot::judge(&contents(&file)?);
                report.record(&file.display().to_string(), outcome);
            }
            report
        }
        Judge::X509 {
            as_,
            cases,
            baseline,
        } => {
            let profile = match as_ {
                As::Chain => Profile::Chain,
                As::TlsServer => Profile::TlsServer,
            };
            let tally = x509::run(&cases, &baseline, profile, out)?;
            return finish(tally, out);
        }
        Judge::Pkits { folder } => {
            let tally = x509::pkits::run(&folder, out)?;
            return finish(tally, out);
        }
        Judge::Signed { vectors } => {
            let tally = signed::run(&vectors, out)?;
            return finish(tally, out);
        }
    };
    report.write(out)?;
    Ok(report.is_success())
}

fn finish(tally: Tally, out: &mut dyn Write) -> Result<bool, Box<dyn Error>> {
    summary(out, tally.passed, tally.failed, tally.skipped)?;
    Ok(tally.failed == 0 && tally.passed > 0)
}

fn contents(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|e| format!("cannot read {}: {e}", file.display()))
}

//! The command line of the judges: one line per failing case, then `N passed, N failed`. Exit 0 if
//! nothing failed, 1 if something did, 2 if it was called wrongly or a file cannot be read.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use conformance::report::summary;
use conformance::x509::{Profile, Tally};
use conformance::{input, metatype, payload, signed, snapshot, x509, Passed, Report};

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
        /// Metatype descriptors; a folder stands for the .xml files in it
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// The configuration XML: read, write, read again, compare
    Snapshot {
        /// Snapshots of Kura; a folder stands for the .xml files in it
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
        Judge::Payload { vectors } => payload::judge(&contents(&vectors, input::MAX_CASES)?)
            .map_err(|e| format!("{}: {e}", vectors.display()))?,
        Judge::Metatype { files } => return each(&files, out, metatype::judge),
        Judge::Snapshot { files } => return each(&files, out, snapshot::judge),
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

/// Judges one file after the other. One that cannot be read does not keep the others from being
/// judged, but is an error in the end.
fn each(
    files: &[PathBuf],
    out: &mut dyn Write,
    judge: impl Fn(&[u8]) -> Result<Passed, String>,
) -> Result<bool, Box<dyn Error>> {
    let files = input::documents(files);
    let mut report = Report::new();
    let mut unreadable = 0;
    for file in &files {
        let case = file.display().to_string();
        let outcome = match contents(file, input::MAX_DOCUMENT) {
            Ok(xml) => judge(&xml),
            Err(why) => {
                unreadable += 1;
                Err(why)
            }
        };
        if let Ok(Passed::RightlyRefused(why)) = &outcome {
            report.note(&case, format!("rightly refused: {why}"));
        }
        report.record(&case, outcome.map(|_| ()));
    }
    report.write(out)?;
    if unreadable > 0 {
        return Err(format!("{unreadable} of {} files cannot be read", files.len()).into());
    }
    Ok(report.is_success())
}

fn contents(file: &Path, most: u64) -> Result<Vec<u8>, String> {
    input::read(file, most).map_err(|e| format!("cannot read {}: {e}", file.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_hides_nothing_of_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let judged = |files| {
            let mut out = Vec::new();
            let outcome = run(Judge::Metatype { files }, &mut out);
            let outcome = outcome.map_err(|error| error.to_string());
            (outcome, String::from_utf8(out).unwrap())
        };
        let good = file("good.xml", "<MetaData/>");
        let empty = file("empty.xml", "");
        assert_eq!(judged(vec![good.clone()]).0, Ok(true));
        assert_eq!(judged(vec![good.clone(), empty]).0, Ok(false));
        let missing = folder.path().join("missing.xml");
        let nothing = folder.path().join("nothing");
        std::fs::create_dir(&nothing).unwrap();
        let (outcome, report) = judged(vec![missing, nothing, good]);
        assert_eq!(outcome, Err("2 of 3 files cannot be read".to_owned()));
        assert!(report.ends_with("\n1 passed, 2 failed\n"), "{report}");
        let names = |line: &&str| line.starts_with("FAILED ") && line.contains("cannot read ");
        assert_eq!(report.lines().filter(names).count(), 2, "{report}");
    }
}

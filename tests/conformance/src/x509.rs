//! C2SP x509-limbo against the component's own validation.
//!
//! [`run`] puts each case of a limbo file through the very function that decides
//! in production, and compares the verdict with what plain OpenSSL said of the
//! case (`openssl_baseline.json`). Passed is a case on which both agree, or on
//! which the component refuses more by a policy of the written list
//! ([`policy`]). Failed is everything else: laxer than the baseline at all, or
//! stricter for a reason that stands in no list; and a case that takes more than
//! 100 ms or 32 MiB ([`limits`]). Whether limbo's own `expected_result` is met is not the question here.
//!
//! Skipped, with the reason and never counted as passed, is a case that cannot be
//! judged: it needs what the component does not offer or this judge does not know, it
//! is not of the form of a case, or the baseline says nothing of it that can be read.
//!
//! # How the two profiles judge
//!
//! `tls-server`: `validate_tls_server` with the case's host name, against the
//! baseline's profile `tlsclient`. It takes the SERVER cases.
//!
//! `chain`: the validation of a received chain, against the profile `strict`; the
//! host name is ignored. The message is the peer's certificate followed by the
//! intermediates, in PEM; the trusted certificates are the roots. Limbo's leaves
//! are TLS certificates, with an extendedKeyUsage that no signer of control
//! messages may have: judged as signers, nearly all of them would be refused for
//! that one reason, and the comparison would be worth nothing. So each case is
//! judged twice by the same code:
//!
//! 1. with the leaf meant for TLS, as the case means it: this verdict is compared;
//! 2. with the leaf meant for signing, as in production: this verdict must never
//!    be laxer than the baseline, the one exception being a leaf that OpenSSL
//!    refuses for its purpose alone, which is judged by another rule here. What it
//!    refuses beyond the first verdict is counted and shown, and is no failure.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

mod judge;
mod limbo;
mod limits;
pub mod pkits;
pub mod policy;

use judge::Verdict;
use limbo::{Baseline, Case};
use limits::{Costliest, Excess, Limits, Meter, LIMITS};
use policy::{Against, Policy};

use crate::input;

/// Which function of the component judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// The received chain.
    Chain,
    /// The certificate of a TLS server.
    TlsServer,
}

impl Profile {
    /// The baseline's profile that it is compared with.
    #[must_use]
    pub fn baseline(self) -> &'static str {
        match self {
            Self::Chain => "strict",
            Self::TlsServer => "tlsclient",
        }
    }
}

/// How many cases had which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// As it should be.
    pub passed: usize,
    /// Not as it should be.
    pub failed: usize,
    /// Not judged, for a reason that was printed.
    pub skipped: usize,
}

/// Why nothing could be judged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is not the JSON of such cases", path.display())]
    Json {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The file is JSON, but cannot be judged.
    #[error("{}: {what}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The report cannot be written.
    #[error("cannot write the report")]
    Write(#[from] std::io::Error),
}

pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = input::read(path, input::MAX_CASES).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| Error::Json {
        path: path.to_owned(),
        source,
    })
}

/// How a case ended.
enum End {
    Agree,
    OverLimit(Excess),
    TooLax(String),
    TooStrict(String),
    ByPolicy(&'static Policy, String),
    Skipped(String),
}

/// The row of one category.
#[derive(Default)]
struct Row {
    agree: usize,
    too_slow: usize,
    too_large: usize,
    too_lax: usize,
    too_strict: usize,
    by_policy: usize,
    skipped: usize,
}

/// Judges every case of the limbo file `cases` and writes one line for each that is
/// not plain agreement, then a table by category. The summing line is the caller's.
///
/// # Errors
/// [`Error`]: a file cannot be read, or the report cannot be written.
pub fn run(
    cases: &Path,
    baseline: &Path,
    as_: Profile,
    out: &mut dyn Write,
) -> Result<Tally, Error> {
    run_within(LIMITS, cases, baseline, as_, out)
}

fn run_within(
    limits: Limits,
    cases: &Path,
    baseline: &Path,
    as_: Profile,
    out: &mut dyn Write,
) -> Result<Tally, Error> {
    let text = limbo::text(cases)?;
    let suite = limbo::suite(cases, &text)?;
    let expected = limbo::baseline(baseline, as_.baseline())?;
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut meter = Meter::default();
    let mut costliest = Costliest::default();
    let mut signers_refused = 0;
    for (index, raw) in suite.into_iter().enumerate() {
        let entry = limbo::entry(index, raw);
        let row = rows.entry(entry.category().to_owned()).or_default();
        let end = match &entry.case {
            Err(why) => End::Skipped(why.clone()),
            Ok(case) => {
                let (verdict, cost) = meter.measure(|| judge::judge(case, as_));
                costliest.note(&entry.id, cost);
                if let Verdict::Judged {
                    compared: Ok(()),
                    signer: Some(Err(_)),
                } = &verdict
                {
                    signers_refused += 1;
                }
                match (end(case, as_, verdict, &expected), cost.excess(limits)) {
                    (End::Agree | End::ByPolicy(..), Some(excess)) => End::OverLimit(excess),
                    (end, _) => end,
                }
            }
        };
        row.count(&entry.id, end, out)?;
    }
    report(&rows, out)?;
    if as_ == Profile::Chain {
        writeln!(out, "accepted chains that are refused as control signers, by the rules for signers: {signers_refused}")?;
    }
    costliest.write(out)?;
    Ok(rows.values().fold(Tally::default(), |sum, row| Tally {
        passed: sum.passed + row.agree + row.by_policy,
        failed: sum.failed + row.failed(),
        skipped: sum.skipped + row.skipped,
    }))
}

impl Row {
    /// Counts one case, and writes its line unless it is plain agreement.
    fn count(&mut self, id: &str, end: End, out: &mut dyn Write) -> std::io::Result<()> {
        match end {
            End::Agree => {
                self.agree += 1;
                Ok(())
            }
            End::OverLimit(Excess::Time(took)) => {
                self.too_slow += 1;
                writeln!(out, "TOO SLOW    {id}: {} ms", took.as_millis())
            }
            End::OverLimit(Excess::Memory(memory)) => {
                self.too_large += 1;
                writeln!(out, "TOO LARGE   {id}: {memory} KiB")
            }
            End::TooLax(why) => {
                self.too_lax += 1;
                writeln!(out, "TOO LAX     {id}: {why}")
            }
            End::TooStrict(why) => {
                self.too_strict += 1;
                writeln!(out, "TOO STRICT  {id}: {why}")
            }
            End::ByPolicy(policy, why) => {
                self.by_policy += 1;
                writeln!(
                    out,
                    "stricter    {id}: by policy \"{}\": {why}",
                    policy.name
                )
            }
            End::Skipped(why) => {
                self.skipped += 1;
                writeln!(out, "skipped     {id}: {why}")
            }
        }
    }

    fn failed(&self) -> usize {
        self.too_slow + self.too_large + self.too_lax + self.too_strict
    }
}

fn end(case: &Case, as_: Profile, verdict: Verdict, baseline: &Baseline) -> End {
    let (compared, signer) = match verdict {
        Verdict::Skipped(why) => return End::Skipped(why),
        Verdict::Judged { compared, signer } => (compared, signer),
    };
    let known = match baseline.get(&case.id) {
        Some(Ok(known)) => known,
        Some(Err(why)) => {
            return End::Skipped(format!("the baseline's word on it cannot be read: {why}"))
        }
        None => return End::Skipped("the baseline does not know it".to_owned()),
    };
    if let Some(Ok(())) = signer {
        match &compared {
            Ok(()) if known.got => {}
            Err(refusal) if refusal.is_about_purpose() => {}
            _ => return End::TooLax("accepted as a control signer".to_owned() + &said(known)),
        }
    }
    match (compared, known.got) {
        (Ok(()), true) | (Err(_), false) => End::Agree,
        (Ok(()), false) => End::TooLax("accepted".to_owned() + &said(known)),
        (Err(refusal), true) => {
            let why = refusal.to_string();
            let against = Against {
                without_strict: as_ == Profile::TlsServer,
                without_depth: case.max_chain_depth.is_none(),
            };
            match policy::of(&refusal, against) {
                Some(policy) => End::ByPolicy(policy, why),
                None => End::TooStrict(why),
            }
        }
    }
}

fn said(known: &limbo::Known) -> String {
    format!(", while the baseline says \"{}\"", known.why)
}

fn report(rows: &BTreeMap<String, Row>, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(
        out,
        "{:<32} {:>6} {:>8} {:>11} {:>9} {:>10} {:>10} {:>8}",
        "category",
        "agree",
        "too lax",
        "too strict",
        "too slow",
        "too large",
        "by policy",
        "skipped"
    )?;
    for (category, row) in rows {
        writeln!(
            out,
            "{category:<32} {:>6} {:>8} {:>11} {:>9} {:>10} {:>10} {:>8}",
            row.agree,
            row.too_lax,
            row.too_strict,
            row.too_slow,
            row.too_large,
            row.by_policy,
            row.skipped
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;

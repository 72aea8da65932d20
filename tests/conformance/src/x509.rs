//! C2SP x509-limbo against the component's own validation.
//!
//! [`run`] puts each case of a limbo file through the very function that decides
//! in production, and compares the verdict with what plain OpenSSL said of the
//! case (`openssl_baseline.json`). Passed is a case on which both agree, or on
//! which the component refuses more by a policy of the written list
//! ([`policy`]). Failed is everything else: laxer than the baseline at all, or
//! stricter for a reason that stands in no list; and a case that takes longer than
//! 100 ms. Whether limbo's own `expected_result` is met is not the question here.
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
use std::time::Duration;

use rustix::time::{clock_gettime, ClockId};

mod judge;
mod limbo;
pub mod pkits;
pub mod policy;

use judge::Verdict;
use limbo::{Baseline, Case};
use policy::{Against, Policy};

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
    let text = std::fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| Error::Json {
        path: path.to_owned(),
        source,
    })
}

/// Processor time of this thread: how long a case takes must not depend on what else the machine
/// is doing.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// A case that takes longer is a failure: nobody may make the component think long.
const TIME_LIMIT: Duration = Duration::from_millis(100);
/// The verdict, and the time in which it was found.
fn timed(case: &Case, as_: Profile) -> (Verdict, Duration) {
    let start = cpu_time();
    let verdict = judge::judge(case, as_);
    (verdict, cpu_time().saturating_sub(start))
}

/// How a case ended.
enum End {
    Agree,
    TooSlow(Duration),
    TooLax(String),
    TooStrict(String),
    ByPolicy(&'static Policy, String),
    Skipped(&'static str),
}

/// The row of one category.
#[derive(Default)]
struct Row {
    agree: usize,
    too_slow: usize,
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
    let suite: limbo::Suite = read_json(cases)?;
    let baselines: BTreeMap<String, Baseline> = read_json(baseline)?;
    let expected = baselines
        .get(as_.baseline())
        .ok_or_else(|| Error::Content {
            path: baseline.to_owned(),
            what: format!("there is no profile \"{}\" in it", as_.baseline()),
        })?;
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut slowest = (Duration::ZERO, "none");
    let mut signers_refused = 0;
    for case in &suite.testcases {
        let (verdict, took) = timed(case, as_);
        if took > slowest.0 {
            slowest = (took, &case.id);
        }
        if let Verdict::Judged {
            compared: Ok(()),
            signer: Some(Err(_)),
        } = &verdict
        {
            signers_refused += 1;
        }
        let row = rows.entry(case.category()).or_default();
        let end = if took > TIME_LIMIT {
            End::TooSlow(took)
        } else {
            end(case, as_, verdict, expected)
        };
        match end {
            End::Agree => row.agree += 1,
            End::TooSlow(took) => {
                row.too_slow += 1;
                writeln!(out, "TOO SLOW    {}: {} ms", case.id, took.as_millis())?;
            }
            End::TooLax(why) => {
                row.too_lax += 1;
                writeln!(out, "TOO LAX     {}: {why}", case.id)?;
            }
            End::TooStrict(why) => {
                row.too_strict += 1;
                writeln!(out, "TOO STRICT  {}: {why}", case.id)?;
            }
            End::ByPolicy(policy, why) => {
                row.by_policy += 1;
                writeln!(
                    out,
                    "stricter    {}: by policy \"{}\": {why}",
                    case.id, policy.name
                )?;
            }
            End::Skipped(why) => {
                row.skipped += 1;
                writeln!(out, "skipped     {}: {why}", case.id)?;
            }
        }
    }
    report(&rows, out)?;
    if as_ == Profile::Chain {
        writeln!(out, "accepted chains that are refused as control signers, by the rules for signers: {signers_refused}")?;
    }
    writeln!(
        out,
        "slowest case: {} in {} ms",
        slowest.1,
        slowest.0.as_millis()
    )?;
    Ok(rows.values().fold(Tally::default(), |sum, row| Tally {
        passed: sum.passed + row.agree + row.by_policy,
        failed: sum.failed + row.too_slow + row.too_lax + row.too_strict,
        skipped: sum.skipped + row.skipped,
    }))
}

fn end(case: &Case, as_: Profile, verdict: Verdict, baseline: &Baseline) -> End {
    let (compared, signer) = match verdict {
        Verdict::Skipped(why) => return End::Skipped(why),
        Verdict::Judged { compared, signer } => (compared, signer),
    };
    let Some(known) = baseline.get(&case.id) else {
        return End::Skipped("the baseline does not know it");
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

fn report(rows: &BTreeMap<&str, Row>, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(
        out,
        "{:<32} {:>6} {:>8} {:>11} {:>9} {:>10} {:>8}",
        "category", "agree", "too lax", "too strict", "too slow", "by policy", "skipped"
    )?;
    for (category, row) in rows {
        writeln!(
            out,
            "{category:<32} {:>6} {:>8} {:>11} {:>9} {:>10} {:>8}",
            row.agree, row.too_lax, row.too_strict, row.too_slow, row.by_policy, row.skipped
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;

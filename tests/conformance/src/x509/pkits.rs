//! NIST PKITS against the validation of a received chain, exactly as in production.
//!
//! PKITS (Public Key Interoperability Test Suite, 2011) tells in the name of each
//! end-entity certificate whether its path is valid. Its leaves are no TLS
//! certificates, so that here `validate_received` itself decides, rules for
//! signers included. What depends on certificate policies, or on revocation that
//! must be there or has deltas and indirect lists, is not offered and is skipped.
//! The message of a case is its leaf with all that issued it; the lists of the
//! suite are the keystore's, but for those that no keystore may hold (deltas, indirect
//! lists): with one of them every case would be refused. A case may cost what a case of limbo may.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;

use openssl::x509::{X509Crl, X509};
use provisioning_service::trust::{revocation, validate_received, RootCheck};

use super::judge::Refused;
use super::limits::{Costliest, Excess, Limits, Meter, LIMITS};
use super::policy::{self, Against};
use super::{Error, Tally};
use crate::input;
use crate::report::one_line;

/// 2020-01-01: PKITS is valid from 2010 to 2030.
const NOW: i64 = 1_577_836_800;
/// Sections 4.1 to 4.3, 4.5 to 4.7, 4.13 and 4.16, by words of the names.
const TAKEN: [&str; 22] = [
    "CertificatePathTest",
    "CASignature",
    "EESignature",
    "DSA",
    "notBeforeDate",
    "notAfterDate",
    "NameChaining",
    "NameUIDs",
    "RFC3280",
    "RolloverfromPrintableString",
    "UTF8String",
    "BasicSelfIssued",
    "MissingbasicConstraints",
    "cAFalse",
    "basicConstraintsNotCritical",
    "pathLenConstraint",
    "keyUsage",
    "nameConstraints",
    "CertificateExtension",
    "RevokedCA",
    "RevokedEE",
    "LongSerialNumber",
];
/// The trust anchor of all of them.
const ANCHOR: &str = "TrustAnchorRootCertificate";

/// Judges the cases in the folder, which has the suite's `certs` and `crls`, and
/// writes one line for each that is not plain agreement. The summing line is the
/// caller's.
///
/// # Errors
/// [`Error`]: the folder cannot be read or is not PKITS, or the report cannot be
/// written.
pub fn run(folder: &Path, out: &mut dyn Write) -> Result<Tally, Error> {
    run_within(LIMITS, folder, out)
}

pub(super) fn run_within(
    limits: Limits,
    folder: &Path,
    out: &mut dyn Write,
) -> Result<Tally, Error> {
    let content = |what: String| Error::Content {
        path: folder.to_owned(),
        what,
    };
    let (certificates, damaged) = read(&folder.join("certs"), |der| X509::from_der(der).ok())?;
    let (lists, damaged_lists) = read(&folder.join("crls"), |der| X509Crl::from_der(der).ok())?;
    for name in damaged.iter().chain(&damaged_lists) {
        writeln!(out, "skipped     {name}: it cannot be read")?;
    }
    let mut crls: Vec<X509Crl> = lists.into_iter().map(|(_, list)| list).collect();
    let all = crls.len();
    crls.retain(|list| revocation::usable(list).is_ok());
    writeln!(
        out,
        "revocation lists: {}, without {} deltas and indirect ones",
        crls.len(),
        all - crls.len()
    )?;
    let (anchor, others): (Vec<_>, Vec<_>) = certificates
        .into_iter()
        .partition(|(name, _)| name == ANCHOR);
    let roots: Vec<X509> = anchor.into_iter().map(|(_, root)| root).collect();
    if roots.is_empty() {
        return Err(content(format!("there is no certs/{ANCHOR}.crt")));
    }
    let (leaves, issuers): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|(name, _)| name.ends_with("EE"));
    let mut tally = Tally {
        skipped: damaged.len() + damaged_lists.len(),
        ..Tally::default()
    };
    let mut meter = Meter::default();
    let mut costliest = Costliest::default();
    for (name, leaf) in &leaves {
        let valid = name.starts_with("Valid");
        let judged = valid || name.starts_with("Invalid");
        if !judged || !TAKEN.iter().any(|word| name.contains(word)) {
            writeln!(
                out,
                "skipped     {name}: policies, or revocation beyond plain lists"
            )?;
            tally.skipped += 1;
            continue;
        }
        let message =
            message(leaf, &issuers).map_err(|error| content(format!("{name}: {error}")))?;
        let (verdict, cost) =
            meter.measure(|| validate_received(&message, &roots, &crls, RootCheck::Required, NOW));
        costliest.note(name, cost);
        let as_named = match (verdict.map_err(Refused::Chain), valid) {
            (Ok(_), true) | (Err(_), false) => true,
            (Ok(_), false) => {
                writeln!(out, "TOO LAX     {name}: accepted")?;
                false
            }
            (Err(refused), true) => {
                let against = Against {
                    without_strict: true,
                    without_depth: true,
                };
                if let Some(policy) = policy::of(&refused, against) {
                    writeln!(
                        out,
                        "stricter    {name}: by policy \"{}\": {refused}",
                        policy.name
                    )?;
                    true
                } else {
                    writeln!(out, "TOO STRICT  {name}: {refused}")?;
                    false
                }
            }
        };
        let excess = cost.excess(limits).filter(|_| as_named);
        match excess {
            None => {}
            Some(Excess::Time(took)) => {
                writeln!(out, "TOO SLOW    {name}: {} ms", took.as_millis())?;
            }
            Some(Excess::Memory(memory)) => {
                writeln!(out, "TOO LARGE   {name}: {memory} KiB")?;
            }
        }
        if as_named && excess.is_none() {
            tally.passed += 1;
        } else {
            tally.failed += 1;
        }
    }
    costliest.write(out)?;
    Ok(tally)
}

/// The files of a folder with their names without extension, sorted, and the names of those that are
/// something else.
type Found<T> = (Vec<(String, T)>, Vec<String>);

fn read<T>(folder: &Path, parse: impl Fn(&[u8]) -> Option<T>) -> Result<Found<T>, Error> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        |source| Error::Read { path, source }
    };
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        let der = input::read(&path, input::MAX_DOCUMENT).map_err(unreadable(&path))?;
        let name = |name: Option<&OsStr>| one_line(&name.unwrap_or_default().to_string_lossy());
        match parse(&der) {
            Some(parsed) => found.push((name(path.file_stem()), parsed)),
            None => others.push(name(path.file_name())),
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    others.sort();
    Ok((found, others))
}

/// The leaf and all that issued it, as PEM. Whose signature fits did; where none
/// does, all who bear the issuer's name.
fn message(leaf: &X509, issuers: &[(String, X509)]) -> Result<Vec<u8>, openssl::error::ErrorStack> {
    let mut path = vec![leaf];
    let mut next = 0;
    while let Some(certificate) = path.get(next).copied() {
        let mut named = Vec::new();
        for (_, issuer) in issuers {
            if issuer
                .subject_name()
                .try_cmp(certificate.issuer_name())?
                .is_eq()
            {
                named.push(issuer);
            }
        }
        let signed = |issuer: &&X509| {
            let key = issuer.public_key();
            key.and_then(|key| certificate.verify(&key))
                .unwrap_or(false)
        };
        if named.iter().any(signed) {
            named.retain(signed);
        }
        for issuer in named {
            if !path.contains(&issuer) {
                path.push(issuer);
            }
        }
        next += 1;
    }
    let mut pem = Vec::new();
    for certificate in path {
        pem.extend(certificate.to_pem()?);
    }
    Ok(pem)
}

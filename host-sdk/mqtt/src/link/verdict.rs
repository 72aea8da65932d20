//! Why a server's certificate is refused, exactly.
//!
//! OpenSSL reports every problem of a chain to a callback, and by itself stops at the first. The
//! callback here lets it go on and collects them, refuses at the end (so before anything secret is
//! sent), and the one that must be fixed first is reported: trust, then clock, then age, then name.

use crate::{CertInfo, Failure};
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::x509::{X509Crl, X509NameRef, X509Ref, X509StoreContextRef, X509VerifyResult, X509};
use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

// Codes of openssl/x509_vfy.h.
const UNABLE_TO_GET_CRL: i32 = 3;
const CERT_NOT_YET_VALID: i32 = 9;
const CERT_HAS_EXPIRED: i32 = 10;
const HOSTNAME_MISMATCH: i32 = 62;
const IP_ADDRESS_MISMATCH: i32 = 64;

/// The problems of one handshake.
#[derive(Clone, Default)]
pub(super) struct Verdict(Arc<Mutex<Findings>>);

#[derive(Default)]
struct Findings {
    problems: Vec<Problem>,
    /// The last certificate has been looked at.
    complete: bool,
}

struct Problem {
    code: i32,
    reason: String,
    depth: u32,
    cert: Option<X509>,
}

impl Verdict {
    /// The verify callback. `crls` are those that OpenSSL was given.
    pub(super) fn judge(
        &self,
        good: bool,
        context: &mut X509StoreContextRef,
        crls: &[Arc<X509Crl>],
    ) -> bool {
        let mut findings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let depth = context.error_depth();
        if good {
            // The chain is walked from the root to the leaf: this was the last step.
            findings.complete |= depth == 0;
            return depth != 0 || findings.problems.is_empty();
        }
        let error = context.error();
        if error.as_raw() == UNABLE_TO_GET_CRL
            && !context.current_cert().is_some_and(|c| has_crl(c, crls))
        {
            context.set_error(X509VerifyResult::OK);
            return true;
        }
        findings.problems.push(Problem {
            code: error.as_raw(),
            reason: error.error_string().to_owned(),
            depth,
            cert: context.current_cert().map(X509Ref::to_owned),
        });
        !findings.complete
    }

    /// The failure to report, if there is a problem.
    pub(super) fn failure(&self, host: &str) -> Option<Failure> {
        let findings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = findings.problems.iter().min_by_key(|p| rank(p.code))?;
        for other in &findings.problems {
            log::debug!(
                "the server's certificate at depth {}: {}",
                other.depth,
                other.reason
            );
        }
        let Some(x509) = &first.cert else {
            return Some(Failure::TlsProtocol {
                reason: first.reason.clone(),
            });
        };
        let cert = Box::new(info(x509));
        Some(match first.code {
            CERT_HAS_EXPIRED => Failure::Expired { cert },
            CERT_NOT_YET_VALID => Failure::NotYetValid { cert },
            HOSTNAME_MISMATCH | IP_ADDRESS_MISMATCH => Failure::Hostname {
                host: host.to_owned(),
                cert,
                names: names(x509),
            },
            _ => Failure::Untrusted {
                cert,
                reason: first.reason.clone(),
                depth: first.depth,
            },
        })
    }
}

fn rank(code: i32) -> u8 {
    match code {
        CERT_NOT_YET_VALID => 1,
        CERT_HAS_EXPIRED => 2,
        HOSTNAME_MISMATCH | IP_ADDRESS_MISMATCH => 3,
        _ => 0,
    }
}

fn has_crl(cert: &X509Ref, crls: &[Arc<X509Crl>]) -> bool {
    crls.iter().any(|crl| {
        matches!(
            crl.issuer_name().try_cmp(cert.issuer_name()),
            Ok(Ordering::Equal)
        )
    })
}

/// The dates of a certificate against the clock, for a resumed session that OpenSSL does not judge.
pub(super) fn check_dates(cert: &X509Ref) -> Result<(), Failure> {
    let now = Asn1Time::days_from_now(0).map_err(Failure::internal)?;
    if cert.not_after() < now {
        return Err(Failure::Expired {
            cert: Box::new(info(cert)),
        });
    }
    if cert.not_before() > now {
        return Err(Failure::NotYetValid {
            cert: Box::new(info(cert)),
        });
    }
    Ok(())
}

/// What a person needs to recognise the certificate.
pub(super) fn info(cert: &X509Ref) -> CertInfo {
    let fingerprint = cert.digest(MessageDigest::sha256()).map_or_else(
        |_| String::new(),
        |digest| digest.iter().map(|byte| format!("{byte:02x}")).collect(),
    );
    CertInfo {
        subject: name(cert.subject_name()),
        issuer: name(cert.issuer_name()),
        not_before: time(cert.not_before()),
        not_after: time(cert.not_after()),
        fingerprint_sha256: fingerprint,
    }
}

fn name(name: &X509NameRef) -> String {
    let mut parts = Vec::new();
    for entry in name.entries() {
        let nid = entry.object().nid();
        let key = nid
            .short_name()
            .map_or_else(|_| entry.object().to_string(), str::to_owned);
        let value = entry
            .data()
            .to_string()
            .map_or_else(|_| "?".to_owned(), printable);
        parts.push(format!("{key}={value}"));
    }
    if parts.is_empty() {
        return "(no name)".to_owned();
    }
    parts.join(", ")
}

/// What a certificate says goes into logs and on screens: no control characters.
fn printable(text: String) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// The names that a certificate is for: alternative names, or the common name where there are none.
fn names(cert: &X509Ref) -> Vec<String> {
    let mut names = Vec::new();
    for alternative in cert.subject_alt_names().iter().flatten() {
        if let Some(dns) = alternative.dnsname() {
            names.push(printable(dns.to_owned()));
        } else if let Some(bytes) = alternative.ipaddress() {
            let address = <[u8; 4]>::try_from(bytes)
                .map(IpAddr::from)
                .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
            names.extend(address.ok().map(|a| a.to_string()));
        }
    }
    if names.is_empty() {
        let common = cert.subject_name().entries_by_nid(Nid::COMMONNAME);
        names.extend(
            common
                .filter_map(|entry| entry.data().to_string().ok())
                .map(printable),
        );
    }
    names
}

/// RFC 3339 in UTC; OpenSSL's own text for a date out of range.
fn time(at: &Asn1TimeRef) -> String {
    let seconds = Asn1Time::from_unix(0)
        .and_then(|epoch| epoch.diff(at))
        .map(|diff| i64::from(diff.days) * 86_400 + i64::from(diff.secs));
    match seconds {
        Ok(seconds) => rfc3339(seconds),
        Err(_) => at.to_string(),
    }
}

/// Days to date after Howard Hinnant, "chrono-compatible low-level date algorithms".
fn rfc3339(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_102_444_800, "2100-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}

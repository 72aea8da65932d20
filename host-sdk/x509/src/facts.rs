//! What a certificate says of itself, in words for people and for our policy.
//!
//! [`CertificateFacts`] is what errors, logs and the status show. Nothing is
//! verified here.

use std::fmt;
use std::net::IpAddr;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::x509::{X509NameRef, X509Ref};

/// The identity of one certificate, ready to be shown. Names are the sender's
/// words: escaped to one line of printable characters and cut at
/// [`CertificateFacts::NAME_LIMIT`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CertificateFacts {
    /// Subject in RFC 2253 order, `CN=gateway,O=acme`.
    pub subject: String,
    /// Issuer, likewise.
    pub issuer: String,
    /// Serial number, lower hex.
    pub serial: String,
    /// Begin of the validity, RFC 3339, UTC; `?` if it cannot be read.
    pub not_before: String,
    /// End of the validity, RFC 3339, UTC; `?` if it cannot be read.
    pub not_after: String,
    /// SHA-256 of the DER, lower hex without colons.
    pub fingerprint: String,
}

impl CertificateFacts {
    /// A name longer than this many characters is cut.
    pub const NAME_LIMIT: usize = 256;

    /// Reads the facts. Never fails: what cannot be read is shown as `?`.
    #[must_use]
    pub fn of(certificate: &X509Ref) -> Self {
        let unknown = || String::from("?");
        Self {
            subject: one_line(certificate.subject_name()),
            issuer: one_line(certificate.issuer_name()),
            serial: certificate
                .serial_number()
                .to_bn()
                .and_then(|number| number.to_hex_str())
                .map_or_else(|_| unknown(), |hex| hex.to_lowercase()),
            not_before: unix(certificate.not_before()).map_or_else(unknown, rfc3339),
            not_after: unix(certificate.not_after()).map_or_else(unknown, rfc3339),
            fingerprint: fingerprint(certificate),
        }
    }
}

impl fmt::Display for CertificateFacts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "\"{}\" issued by \"{}\" (serial {}, valid {} to {})",
            self.subject, self.issuer, self.serial, self.not_before, self.not_after
        )
    }
}

/// SHA-256 of the certificate's DER, lower hex without colons; empty if OpenSSL
/// fails, which no trusted fingerprint equals.
#[must_use]
pub fn fingerprint(certificate: &X509Ref) -> String {
    certificate
        .digest(MessageDigest::sha256())
        .map(|digest| digest.iter().map(|octet| format!("{octet:02x}")).collect())
        .unwrap_or_default()
}

/// The names that a server's certificate is for, as its sender wrote them but on one line:
/// alternative names, or the common name where there are none.
#[must_use]
pub fn server_names(certificate: &X509Ref) -> Vec<String> {
    let mut names = Vec::new();
    for alternative in certificate.subject_alt_names().iter().flatten() {
        if let Some(dns) = alternative.dnsname() {
            names.push(escaped(dns));
        } else if let Some(bytes) = alternative.ipaddress() {
            let address = <[u8; 4]>::try_from(bytes)
                .map(IpAddr::from)
                .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
            names.extend(address.ok().map(|address| address.to_string()));
        }
    }
    if names.is_empty() {
        let common = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
        names.extend(
            common
                .filter_map(|entry| entry.data().to_string().ok())
                .map(|name| escaped(&name)),
        );
    }
    names
}

/// Seconds since 1970 of an ASN.1 time.
pub fn unix(time: &Asn1TimeRef) -> Option<i64> {
    let epoch = Asn1Time::from_unix(0).ok()?;
    let since = epoch.diff(time).ok()?;
    Some(i64::from(since.days) * 86_400 + i64::from(since.secs))
}

fn rfc3339(unix: i64) -> String {
    let (days, second) = (unix.div_euclid(86_400), unix.rem_euclid(86_400));
    // Days to civil date, proleptic Gregorian; eras of 400 years begin on 1 March.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    format!(
        "{:04}-{month:02}-{:02}T{:02}:{:02}:{:02}Z",
        year + era * 400 + i64::from(month <= 2),
        of_year - (153 * march_month + 2) / 5 + 1,
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

pub(crate) fn one_line(name: &X509NameRef) -> String {
    let mut entries: Vec<String> = name
        .entries()
        .map(|entry| {
            let object = entry.object();
            let label = match object.nid() {
                Nid::UNDEF => object.to_string(),
                nid => nid.short_name().unwrap_or("?").to_owned(),
            };
            match entry.data().to_string() {
                Ok(value) => format!("{label}={}", escaped(&value)),
                Err(_) => format!("{label}=?"),
            }
        })
        .collect();
    entries.reverse();
    let line = entries.join(",");
    match line.char_indices().nth(CertificateFacts::NAME_LIMIT) {
        Some((at, _)) => format!("{}...", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

/// RFC 2253 escapes, and `\u{..}` for what would break a line or hide text in one.
fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(value.len());
    for (index, character) in value.chars().enumerate() {
        let at_edge =
            (index == 0 && matches!(character, ' ' | '#')) || (index == last && character == ' ');
        match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => out.extend(['\\', character]),
            _ if at_edge => out.extend(['\\', character]),
            _ if hides_text(character) => out.extend(character.escape_unicode()),
            _ => out.push(character),
        }
    }
    out
}

fn hides_text(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::{Ca, Leaf};

    #[test]
    fn dates_are_rfc3339() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_000_001, "2026-11-18T11:06:41Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(unix), text);
        }
    }

    #[test]
    fn facts_are_those_of_the_certificate() {
        let ca = Ca::root("Root");
        let facts = CertificateFacts::of(
            &ca.issue("leaf, of \"it\"\n\u{202e}x", Leaf::default())
                .certificate,
        );
        assert_eq!(facts.subject, "CN=leaf\\, of \\\"it\\\"\\u{a}\\u{202e}x");
        assert_eq!(facts.issuer, "CN=Root");
        assert_eq!(facts.fingerprint.len(), 64);
        assert!(facts.not_before.ends_with('Z') && facts.not_before < facts.not_after);
        assert!(facts.serial.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn a_name_that_fills_the_screen_is_cut() {
        assert_eq!(
            one_line(Ca::root(&"n".repeat(64)).certificate.subject_name()).len(),
            67
        );
        let mut name = openssl::x509::X509NameBuilder::new().unwrap();
        for _ in 0..20 {
            name.append_entry_by_text("OU", &"x".repeat(60)).unwrap();
        }
        assert_eq!(
            one_line(&name.build()).chars().count(),
            CertificateFacts::NAME_LIMIT + 3
        );
    }
}

//! What a certificate says of itself, in words for people and for our policy.
//!
//! [`CertificateFacts`] is what errors, logs and the status show. The
//! crate-internal [`Extensions`] are the three extensions that our own rules
//! ask about; all others are OpenSSL's business. Nothing is verified here.

use std::fmt;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::hash::MessageDigest;
use openssl::x509::{X509NameRef, X509Ref};

use super::der::{self, tag, Reader};

/// The identity of one certificate, ready to be shown. Names are the sender's
/// words: escaped to one line of printable characters and cut at
/// [`CertificateFacts::NAME_LIMIT`].
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// Seconds since 1970 of an ASN.1 time.
pub(super) fn unix(time: &Asn1TimeRef) -> Option<i64> {
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

fn one_line(name: &X509NameRef) -> String {
    let mut entries: Vec<String> = name
        .entries()
        .map(|entry| {
            let object = entry.object();
            let label = match object.nid() {
                openssl::nid::Nid::UNDEF => object.to_string(),
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

/// The extensions that our own rules ask about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Extensions {
    /// `basicConstraints` says CA.
    pub(super) is_ca: bool,
    /// `keyUsage`, if present: whether it has `digitalSignature`.
    pub(super) digital_signature: Option<bool>,
    /// The object identifiers of `extendedKeyUsage`, DER content octets, if present.
    pub(super) extended_key_usage: Option<Vec<Vec<u8>>>,
}

const OID_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const OID_BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const OID_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// id-kp-serverAuth and id-kp-clientAuth, RFC 5280 section 4.2.1.12.
const OIDS_TLS: [&[u8]; 2] = [&[0x2b, 6, 1, 5, 5, 7, 3, 1], &[0x2b, 6, 1, 5, 5, 7, 3, 2]];

impl Extensions {
    /// Reads them; `None` if one is not DER or is there twice.
    pub(super) fn of(certificate: &X509Ref) -> Option<Self> {
        let der = certificate.to_der().ok()?;
        let mut found = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        for extension in raw_extensions(&der)? {
            let mut reader = Reader::new(extension);
            let oid = reader.expect(tag::OID)?;
            let _critical = reader.optional(tag::BOOLEAN);
            let value = reader.expect(tag::OCTET_STRING)?;
            if seen.contains(&oid) {
                return None;
            }
            seen.push(oid);
            match oid {
                OID_BASIC_CONSTRAINTS => {
                    let mut reader = Reader::new(der::only(value, tag::SEQUENCE)?);
                    found.is_ca = reader.optional(tag::BOOLEAN).is_some_and(|ca| ca != [0]);
                }
                OID_KEY_USAGE => {
                    let bits = der::only(value, tag::BIT_STRING)?;
                    // The first octet counts unused bits; digitalSignature is bit 0.
                    let first = bits.get(1).copied().unwrap_or(0);
                    found.digital_signature = Some(first & 0x80 != 0);
                }
                OID_EXTENDED_KEY_USAGE => {
                    let usages = Reader::new(der::only(value, tag::SEQUENCE)?).all()?;
                    let oids = usages.iter().map(|usage| usage.content.to_vec());
                    found.extended_key_usage = Some(oids.collect());
                }
                _ => {}
            }
        }
        Some(found)
    }

    /// `extendedKeyUsage` is there and names nothing beside serverAuth and clientAuth.
    pub(super) fn is_for_tls_only(&self) -> bool {
        self.extended_key_usage.as_ref().is_some_and(|usages| {
            usages
                .iter()
                .all(|usage| OIDS_TLS.contains(&usage.as_slice()))
        })
    }
}

fn raw_extensions(certificate: &[u8]) -> Option<Vec<&[u8]>> {
    let mut tbs = tbs_after_version(certificate)?;
    for expected in [
        tag::INTEGER,
        tag::SEQUENCE,
        tag::SEQUENCE,
        tag::SEQUENCE,
        tag::SEQUENCE,
        tag::SEQUENCE,
    ] {
        // serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
        tbs.expect(expected)?;
    }
    let _issuer_unique_id = tbs.optional(tag::CONTEXT_1_PRIMITIVE);
    let _subject_unique_id = tbs.optional(tag::CONTEXT_2_PRIMITIVE);
    let Some(extensions) = tbs.optional(tag::CONTEXT_3) else {
        return tbs.is_empty().then(Vec::new);
    };
    let elements = Reader::new(der::only(extensions, tag::SEQUENCE)?).all()?;
    elements
        .iter()
        .map(|element| (element.tag == tag::SEQUENCE).then_some(element.content))
        .collect()
}

fn tbs_after_version(certificate: &[u8]) -> Option<Reader<'_>> {
    let mut outer = Reader::new(der::only(certificate, tag::SEQUENCE)?);
    let mut tbs = Reader::new(outer.expect(tag::SEQUENCE)?);
    let _version = tbs.optional(tag::CONTEXT_0);
    Some(tbs)
}

/// The content octets of the serial number, as CMS compares them.
pub(super) fn serial_octets(certificate: &[u8]) -> Option<&[u8]> {
    tbs_after_version(certificate)?.expect(tag::INTEGER)
}

/// The content of the certificate's outer `signatureAlgorithm`.
pub(super) fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let mut outer = Reader::new(der::only(certificate, tag::SEQUENCE)?);
    outer.expect(tag::SEQUENCE)?;
    outer.expect(tag::SEQUENCE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::trust::fixtures::{Ca, Leaf};

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

    #[test]
    fn extensions_are_read_as_openssl_wrote_them() {
        let ca = Ca::root("Root");
        assert!(Extensions::of(&ca.certificate).unwrap().is_ca);
        let mut leaf = Leaf {
            extended_key_usage: vec!["serverAuth", "clientAuth"],
            ..Leaf::default()
        };
        let tls = Extensions::of(&ca.issue("tls", leaf.clone()).certificate).unwrap();
        assert!(tls.is_for_tls_only() && !tls.is_ca);
        assert_eq!(tls.digital_signature, Some(true));
        leaf.extended_key_usage = vec!["serverAuth", "1.3.6.1.4.1.99999.1"];
        leaf.key_usage = Some("keyAgreement");
        let other = Extensions::of(&ca.issue("other", leaf.clone()).certificate).unwrap();
        assert!(!other.is_for_tls_only());
        assert_eq!(other.digital_signature, Some(false));
        leaf.extended_key_usage.clear();
        leaf.key_usage = None;
        let plain = Extensions::of(&ca.issue("plain", leaf).certificate).unwrap();
        assert_eq!(plain, Extensions::default());
    }
}

//! A certificate in the words of a list: who, by whom, until when.
//!
//! It judges nothing. The command line, the REST interface and `KEYS-V1` show keystores with it.

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::pkey::Id;
use openssl::x509::{X509NameRef, X509};

/// What is shown of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Distinguished name, the most specific part first, as in RFC 4514.
    pub subject: String,
    /// The same of its issuer.
    pub issuer: String,
    /// Valid from, milliseconds since 1970, UTC.
    pub start_ms: i64,
    /// Valid until, milliseconds since 1970, UTC.
    pub expiration_ms: i64,
    /// `RSA`, `EC`, `Ed25519` or `other`.
    pub algorithm: &'static str,
    /// Size of the key, bits.
    pub size: u32,
    /// DNS names, addresses and URIs it is for.
    pub names: Vec<String>,
}

impl Certificate {
    /// The certificates of a PEM text, in its order; none where there is none.
    ///
    /// # Errors
    /// A PEM block that is no certificate.
    pub fn all(pem: &str) -> Result<Vec<Certificate>, ErrorStack> {
        X509::stack_from_pem(pem.as_bytes())?
            .iter()
            .map(Certificate::of)
            .collect()
    }

    fn of(certificate: &X509) -> Result<Certificate, ErrorStack> {
        let key = certificate.public_key()?;
        let names = certificate
            .subject_alt_names()
            .into_iter()
            .flatten()
            .filter_map(|name| {
                name.dnsname()
                    .or_else(|| name.uri())
                    .or_else(|| name.email())
                    .map(str::to_owned)
                    .or_else(|| name.ipaddress().and_then(address))
            });
        Ok(Certificate {
            subject: distinguished(certificate.subject_name()),
            issuer: distinguished(certificate.issuer_name()),
            start_ms: milliseconds(certificate.not_before())?,
            expiration_ms: milliseconds(certificate.not_after())?,
            algorithm: match key.id() {
                Id::RSA => "RSA",
                Id::EC => "EC",
                Id::ED25519 => "Ed25519",
                _ => "other",
            },
            size: key.bits(),
            names: names.collect(),
        })
    }
}

fn distinguished(name: &X509NameRef) -> String {
    let mut parts: Vec<String> = name
        .entries()
        .map(|entry| {
            let key = entry.object().nid().short_name().unwrap_or("?");
            let value = entry
                .data()
                .to_string()
                .map(|text| escaped(&text))
                .unwrap_or_default();
            format!("{key}={value}")
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if ",+\"\\<>;=".contains(c) {
            out.push('\\');
        }
        out.push(if c.is_control() { '\u{FFFD}' } else { c });
    }
    out
}

fn milliseconds(time: &Asn1TimeRef) -> Result<i64, ErrorStack> {
    let epoch = Asn1Time::from_unix(0)?;
    let since = epoch.diff(time)?;
    Ok((i64::from(since.days) * 86_400 + i64::from(since.secs)) * 1000)
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(|b| std::net::IpAddr::from(b).to_string());
    let sixteen = <[u8; 16]>::try_from(bytes).map(|b| std::net::IpAddr::from(b).to_string());
    four.or(sixteen).ok()
}

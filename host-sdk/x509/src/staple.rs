//! The OCSP response that a TLS server sends along with its certificate (RFC 6066, section 8).
//!
//! Nothing is fetched: a server without one is judged by certificates and revocation lists alone,
//! unless its certificate promises one (RFC 7633). What is sent must hold. A response that says
//! "revoked" or "unknown", is forged, damaged, or about another certificate refuses the server. One
//! that is out of date counts as none: who wanted to hide a revocation would send none, so that
//! refusing it would only shut out servers whose clock or cron job failed. Called by the link
//! during the handshake, after [`crate::validate_tls_server`] has found the path.

use openssl::asn1::Asn1GeneralizedTimeRef;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::ocsp::{
    OcspCertId, OcspCertStatus, OcspFlag, OcspResponse, OcspResponseStatus, OcspStatus,
};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyParam;
use openssl::x509::{X509Ref, X509};

use crate::der::{self, tag, Reader};
use crate::extensions::Extensions;
use crate::facts::CertificateFacts;
use crate::key_policy;
use crate::path::SECURITY_LEVEL;

/// Difference between two clocks that is taken for agreement, in seconds.
const SKEW: u32 = 300;
/// How long a response without nextUpdate counts, in seconds.
const UNLIMITED_COUNTS: u32 = 7 * 86_400;

/// What a server's OCSP response says in its favour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staple {
    /// None was sent, and none was promised.
    None,
    /// The certificate is good.
    Good,
    /// It is true, but not of now: no more than none.
    OutOfDate,
    /// The certificate was trusted as it is, by no issuer that could speak of it.
    NoIssuer,
}

/// Why the OCSP response of a server refuses it: always `tls.untrusted`.
#[derive(Debug, thiserror::Error)]
#[error("certificate 0 of the chain, {certificate}: OCSP: {reason}")]
pub struct StapleError {
    /// The server's certificate.
    pub certificate: Box<CertificateFacts>,
    /// What is wrong.
    pub reason: String,
}

/// Judges the response `der` that came along with `path`, which is leaf first and has been found
/// valid under `anchors`. Dates are held against the system's clock.
///
/// # Errors
/// [`StapleError`], with the certificate and the reason.
pub fn check_staple(
    der: Option<&[u8]>,
    path: &[X509],
    anchors: &[X509],
) -> Result<Staple, StapleError> {
    let Some(leaf) = path.first() else {
        return Ok(Staple::None);
    };
    let refused = |reason: String| StapleError {
        certificate: Box::new(CertificateFacts::of(leaf)),
        reason,
    };
    let promised = Extensions::of(leaf).is_some_and(|extensions| extensions.must_staple);
    let verdict = match (der, path.get(1)) {
        (None | Some([]), _) => Ok(Staple::None),
        (Some(_), None) => Ok(Staple::NoIssuer),
        (Some(der), Some(issuer)) => judge(der, leaf, issuer, path, anchors),
    };
    // What is left in the error queue the next TLS call of this thread would take for its own.
    drop(ErrorStack::get());
    match verdict.map_err(refused)? {
        Staple::None if promised => Err(refused(
            "the certificate promises a response (must-staple), and none was sent".to_owned(),
        )),
        Staple::OutOfDate if promised => Err(refused(
            "the certificate promises a response (must-staple), and the one sent is out of date"
                .to_owned(),
        )),
        other => Ok(other),
    }
}

fn judge(
    der: &[u8],
    leaf: &X509Ref,
    issuer: &X509Ref,
    path: &[X509],
    anchors: &[X509],
) -> Result<Staple, String> {
    let damaged = |e: ErrorStack| format!("the response is damaged ({e})");
    // OpenSSL verifies with the responder's key before it asks who the responder is.
    // What it would read and we do not, it is not given.
    let responders = responders(der).ok_or("the response is damaged: it is not DER")?;
    for responder in responders {
        if let Some(excess) = key_policy::excess_of_key(&responder) {
            let responder = CertificateFacts::of(&responder);
            return Err(format!("the responder, {responder}: {excess}"));
        }
    }
    let response = OcspResponse::from_der(der).map_err(damaged)?;
    if response.status() != OcspResponseStatus::SUCCESSFUL {
        return Err(format!(
            "the response is none, but error {}",
            response.status().as_raw()
        ));
    }
    let basic = response.basic().map_err(damaged)?;
    let unable = |e: ErrorStack| format!("OpenSSL could not judge the response ({e})");
    let store = store(anchors).map_err(unable)?;
    let mut known = Stack::new().map_err(unable)?;
    for certificate in path.iter().skip(1) {
        known.push(certificate.clone()).map_err(unable)?;
    }
    basic
        .verify(&known, &store, OcspFlag::empty())
        .map_err(|e| {
            format!("the response is signed neither by the issuer nor by its delegate ({e})")
        })?;
    let mut about = None;
    for digest in [MessageDigest::sha1(), MessageDigest::sha256()] {
        let id = OcspCertId::from_cert(digest, leaf, issuer).map_err(unable)?;
        about = about.or_else(|| basic.find_status(&id).map(Said::of));
    }
    match about {
        None => Err("the response is about another certificate".to_owned()),
        Some(Said::Revoked(when)) => Err(when),
        Some(Said::Unknown) => Err("the issuer does not know the certificate".to_owned()),
        Some(Said::Good { current: true }) => Ok(Staple::Good),
        Some(Said::Good { current: false }) => Ok(Staple::OutOfDate),
    }
}

/// The certificates that the response brings along, RFC 6960 section 4.2.1; `None` if it is not
/// in DER.
fn responders(der: &[u8]) -> Option<Vec<X509>> {
    let mut response = Reader::new(der::only(der, tag::SEQUENCE)?);
    let _status = response.element()?;
    if response.is_empty() {
        return Some(Vec::new());
    }
    let bytes = der::only(response.expect(tag::CONTEXT_0)?, tag::SEQUENCE)?;
    let mut bytes = Reader::new(bytes);
    bytes.expect(tag::OID)?;
    let basic = der::only(bytes.expect(tag::OCTET_STRING)?, tag::SEQUENCE)?;
    let mut basic = Reader::new(basic);
    for expected in [tag::SEQUENCE, tag::SEQUENCE, tag::BIT_STRING] {
        // tbsResponseData, signatureAlgorithm, signature
        basic.expect(expected)?;
    }
    if basic.is_empty() {
        return Some(Vec::new());
    }
    let certificates = der::only(basic.expect(tag::CONTEXT_0)?, tag::SEQUENCE)?;
    (basic.is_empty() && bytes.is_empty() && response.is_empty()).then_some(())?;
    Reader::new(certificates)
        .all()?
        .iter()
        .map(|certificate| X509::from_der(certificate.whole).ok())
        .collect()
}

/// What the response says of the certificate.
enum Said {
    Good { current: bool },
    Revoked(String),
    Unknown,
}

impl Said {
    fn of(status: OcspStatus<'_>) -> Said {
        match status.status {
            OcspCertStatus::GOOD => {
                let oldest = status.next_update().is_none().then_some(UNLIMITED_COUNTS);
                Said::Good {
                    current: status.check_validity(SKEW, oldest).is_ok(),
                }
            }
            // Also if out of date: a revocation does not pass.
            OcspCertStatus::REVOKED => Said::Revoked(format!(
                "revoked{} ({})",
                status
                    .revocation_time
                    .map_or_else(String::new, |time| format!(" on {}", shown(time))),
                reason(status.reason.as_raw()),
            )),
            _ => Said::Unknown,
        }
    }
}

fn shown(time: &Asn1GeneralizedTimeRef) -> String {
    time.to_string()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// RFC 5280, section 5.3.1.
fn reason(code: i32) -> &'static str {
    match code {
        1 => "keyCompromise",
        2 => "cACompromise",
        3 => "affiliationChanged",
        4 => "superseded",
        5 => "cessationOfOperation",
        6 => "certificateHold",
        8 => "removeFromCRL",
        9 => "privilegeWithdrawn",
        10 => "aACompromise",
        _ => "no reason given",
    }
}

fn store(anchors: &[X509]) -> Result<X509Store, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for anchor in anchors {
        store.add_cert(anchor.clone())?;
    }
    let mut param = X509VerifyParam::new()?;
    param.set_auth_level(SECURITY_LEVEL);
    store.set_param(&param)?;
    Ok(store.build())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::fixtures::{rogue, rsa_public, tlv, Ca, Leaf};

    #[test]
    fn nothing_is_verified_with_a_responders_key_that_costs_too_much() {
        let root = Ca::root("Root");
        let server = root.issue("Broker", Leaf::default());
        let path = [server.certificate, root.certificate];
        let response = |bits| {
            let responder = rogue(&rsa_public(bits, &[1, 0, 1]), &[1]).to_der().unwrap();
            let basic = tlv(
                tag::SEQUENCE,
                &[
                    &[tag::SEQUENCE, 0, tag::SEQUENCE, 0, tag::BIT_STRING, 1, 0],
                    &tlv(tag::CONTEXT_0, &[&tlv(tag::SEQUENCE, &[&responder])]),
                ],
            );
            // id-pkix-ocsp-basic
            let kind = tlv(tag::OID, &[&[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1]]);
            let bytes = tlv(tag::SEQUENCE, &[&kind, &tlv(tag::OCTET_STRING, &[&basic])]);
            let response = [&[0x0a, 1, 0][..], &tlv(tag::CONTEXT_0, &[&bytes])];
            tlv(tag::SEQUENCE, &response)
        };
        let refused = |response: &[u8]| {
            check_staple(Some(response), &path, &path[1..])
                .unwrap_err()
                .to_string()
        };
        let text = refused(&response(16_384));
        assert!(
            text.contains("responder, \"CN=X\"") && text.contains("16384"),
            "{text}"
        );
        // OpenSSL has its say.
        let text = refused(&response(2048));
        assert!(text.contains("damaged") && !text.contains("DER"), "{text}");
        // It would read this as it reads the first one; we do not, so it does not get to.
        let first = response(16_384);
        let mut other = first[..1].to_vec();
        let octets = usize::from(first[1] & 0x7f);
        other.extend([first[1] + 1, 0]);
        other.extend(&first[2..2 + octets]);
        other.extend(&first[2 + octets..]);
        assert!(OcspResponse::from_der(&other).is_ok());
        assert!(refused(&other).contains("not DER"));
    }
}

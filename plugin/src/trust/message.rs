//! The certificates of a received message, and how they lie in it.
//!
//! It finds the leaf and the ends, by names and by `issuance`, which is about the
//! signatures; whether there is a path between them that may be trusted is asked of
//! OpenSSL by `path`. Called by `chain`.

use openssl::x509::{X509Ref, X509VerifyResult, X509};

use super::facts::CertificateFacts;
use super::issuance::Issuance;
use super::pem;
use super::refusal::{Reason, Refusal};

/// Certificates in a message, at most.
pub const MAX_CERTIFICATES: usize = 10;
/// Bytes of a message, at most.
pub const MAX_BYTES: usize = 64 * 1024;

/// The certificates of the message, each once.
pub(super) fn message(pem: &[u8]) -> Result<Vec<X509>, Refusal> {
    let form = |text: String| Refusal::whole(Reason::Form(text));
    if pem.len() > MAX_BYTES {
        return Err(form(format!("{} bytes, more than {MAX_BYTES}", pem.len())));
    }
    let all = pem::certificates(pem).map_err(|error| Refusal::whole(Reason::Pem(error)))?;
    if all.len() > MAX_CERTIFICATES {
        return Err(form(format!(
            "{} certificates, more than {MAX_CERTIFICATES}",
            all.len()
        )));
    }
    let mut different: Vec<X509> = Vec::with_capacity(all.len());
    for certificate in all {
        // X509's equality is that of the digests of the DER.
        if !different.contains(&certificate) {
            different.push(certificate);
        }
    }
    Ok(different)
}

/// The one certificate that issued no other one present.
pub(super) fn the_leaf<'a>(
    certificates: &'a [X509],
    issuance: &mut Issuance<'a>,
) -> Result<&'a X509, Refusal> {
    // Whose key made the signature is the better question. But a signature that was
    // damaged on the way leaves two certificates without issue: then the names and
    // key identifiers decide, so that the fault is found where it is.
    let by_signature = issuance.leaves()?;
    let found = match by_signature.as_slice() {
        [_] => by_signature,
        _ => by_signature
            .into_iter()
            .filter(|candidate| !may_have_issued_another(certificates, candidate))
            .collect(),
    };
    match found.as_slice() {
        [leaf] => Ok(leaf),
        [] => Err(Refusal::whole(Reason::Form(
            "no leaf, as every certificate issued another one".to_owned(),
        ))),
        several => Err(Refusal::whole(Reason::Form(format!(
            "{} leaves, among them \"{}\", instead of one",
            several.len(),
            several
                .first()
                .map(|leaf| CertificateFacts::of(leaf).subject)
                .unwrap_or_default()
        )))),
    }
}

fn may_have_issued_another(certificates: &[X509], candidate: &X509) -> bool {
    others(certificates, candidate).any(|other| {
        names_meet(candidate, other) && candidate.issued(other) == X509VerifyResult::OK
    })
}

/// Where the message ends: its self-signed certificates, and those whose issuer it
/// does not name. Never the leaf of a longer message, however its signature is.
pub(super) fn ends_of(
    certificates: &[X509],
    leaf: &X509,
    issuance: &mut Issuance<'_>,
) -> Result<Vec<X509>, Refusal> {
    let mut ends = Vec::new();
    for (index, end) in certificates.iter().enumerate() {
        if certificates.len() > 1 && std::ptr::eq(end, leaf) {
            continue;
        }
        let named = others(certificates, end).any(|other| names_meet(other, end));
        if !named || (names_meet(end, end) && issuance.signed(index, index)?) {
            ends.push(end.clone());
        }
    }
    Ok(ends)
}

fn others<'a>(all: &'a [X509], one: &'a X509) -> impl Iterator<Item = &'a X509> {
    all.iter().filter(move |other| !std::ptr::eq(*other, one))
}

pub(super) fn names_meet(issuer: &X509Ref, other: &X509Ref) -> bool {
    matches!(
        issuer.subject_name().try_cmp(other.issuer_name()),
        Ok(std::cmp::Ordering::Equal)
    )
}

//! The parts of a certificate or a revocation list that our own rules ask about and that the `openssl`
//! crate does not show: four extensions, the raw serial number, the parameters of
//! the signature algorithm. All other extensions are OpenSSL's business. Called by
//! `chain`, `key_policy`, `revocation` and `cms`.

use openssl::x509::X509Ref;

use super::der::{self, tag, Reader};

/// The extensions that our own rules ask about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extensions {
    /// `basicConstraints` says CA.
    pub is_ca: bool,
    /// `keyUsage`, if present: whether it has `digitalSignature`.
    pub digital_signature: Option<bool>,
    /// The object identifiers of `extendedKeyUsage`, DER content octets, if present.
    pub extended_key_usage: Option<Vec<Vec<u8>>>,
    /// The TLS feature `status_request` is promised (RFC 7633).
    pub must_staple: bool,
}

const OID_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const OID_BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// RFC 5280, sections 5.2.1, 5.2.4 and 5.2.5.
const OID_AUTHORITY_KEY: &[u8] = &[0x55, 0x1d, 0x23];
const OID_DELTA_INDICATOR: &[u8] = &[0x55, 0x1d, 0x1b];
const OID_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 0x1c];
const OID_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// id-pe-tlsfeature, RFC 7633, and the number of `status_request`, RFC 6066.
const OID_TLS_FEATURE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 24];
const STATUS_REQUEST: &[u8] = &[5];
/// id-kp-serverAuth and id-kp-clientAuth, RFC 5280 section 4.2.1.12.
const OIDS_TLS: [&[u8]; 2] = [&[0x2b, 6, 1, 5, 5, 7, 3, 1], &[0x2b, 6, 1, 5, 5, 7, 3, 2]];

impl Extensions {
    /// Reads them; `None` if one is not DER or is there twice.
    pub fn of(certificate: &X509Ref) -> Option<Self> {
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
                OID_TLS_FEATURE => {
                    let features = Reader::new(der::only(value, tag::SEQUENCE)?).all()?;
                    found.must_staple = features
                        .iter()
                        .any(|feature| feature.content == STATUS_REQUEST);
                }
                _ => {}
            }
        }
        Some(found)
    }

    /// `extendedKeyUsage` is there and names nothing beside serverAuth and clientAuth.
    pub fn is_for_tls_only(&self) -> bool {
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

/// The extensions of a revocation list that decide how it may be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListExtensions {
    /// `deltaCRLIndicator`: only what has changed since another list.
    pub is_delta: bool,
    /// `issuingDistributionPoint` says `indirectCRL`: of several issuers.
    pub is_indirect: bool,
    /// `issuingDistributionPoint`, as it is: which part of its issuer's certificates.
    pub scope: Option<Vec<u8>>,
    /// `authorityKeyIdentifier`, as it is.
    pub authority: Option<Vec<u8>>,
}

impl ListExtensions {
    /// Reads them from the DER of a list; `None` if they are not DER, or one is there twice.
    pub fn of(list: &[u8]) -> Option<Self> {
        let mut outer = Reader::new(der::only(list, tag::SEQUENCE)?);
        let mut tbs = Reader::new(outer.expect(tag::SEQUENCE)?);
        let mut found = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        // They come last; nothing before them has their tag.
        while !tbs.is_empty() {
            let Some(extensions) = tbs.optional(tag::CONTEXT_0) else {
                tbs.element()?;
                continue;
            };
            for extension in Reader::new(der::only(extensions, tag::SEQUENCE)?).all()? {
                let mut reader = Reader::new(extension.content);
                let oid = reader.expect(tag::OID)?;
                let _critical = reader.optional(tag::BOOLEAN);
                let value = reader.expect(tag::OCTET_STRING)?;
                if seen.contains(&oid) {
                    return None;
                }
                seen.push(oid);
                match oid {
                    OID_DELTA_INDICATOR => found.is_delta = true,
                    OID_AUTHORITY_KEY => found.authority = Some(value.to_vec()),
                    OID_DISTRIBUTION_POINT => {
                        let parts = Reader::new(der::only(value, tag::SEQUENCE)?).all()?;
                        found.is_indirect = parts.iter().any(|part| {
                            part.tag == tag::CONTEXT_4_PRIMITIVE && part.content != [0]
                        });
                        found.scope = Some(value.to_vec());
                    }
                    _ => {}
                }
            }
        }
        Some(found)
    }
}

fn tbs_after_version(certificate: &[u8]) -> Option<Reader<'_>> {
    let mut outer = Reader::new(der::only(certificate, tag::SEQUENCE)?);
    let mut tbs = Reader::new(outer.expect(tag::SEQUENCE)?);
    let _version = tbs.optional(tag::CONTEXT_0);
    Some(tbs)
}

/// The content octets of the serial number, as CMS compares them.
pub fn serial_octets(certificate: &[u8]) -> Option<&[u8]> {
    tbs_after_version(certificate)?.expect(tag::INTEGER)
}

/// The content of the certificate's outer `signatureAlgorithm`.
pub fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let mut outer = Reader::new(der::only(certificate, tag::SEQUENCE)?);
    outer.expect(tag::SEQUENCE)?;
    outer.expect(tag::SEQUENCE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::{Ca, Leaf};

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

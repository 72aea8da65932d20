//! Which keys and signatures are strong enough, beyond OpenSSL's security level.
//!
//! OpenSSL's default level lets P-192, DSA and RSA-1024 pass, and its level 2
//! still lets P-224 and DSA-2048 pass. The rules here are those of the trust
//! policy: RSA of 2048 bits or more, EC over a named curve of 256 bits or more,
//! Ed25519; no signature over MD5 or SHA-1. Called on every certificate of a path
//! that OpenSSL has already accepted.

use openssl::ec::EcGroupRef;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKeyRef, Public};
use openssl::x509::X509Ref;

use super::der::{self, tag, Reader};
use super::extensions;

/// The least RSA modulus, in bits.
pub const RSA_BITS: u32 = 2048;
/// The least order of an EC group, in bits (P-256 has 256).
pub const EC_BITS: u32 = 256;

/// Why a key or signature is not strong enough, in words; `None` if it is.
pub fn weakness_of_key(certificate: &X509Ref) -> Option<String> {
    let Ok(key) = certificate.public_key() else {
        return Some("its public key cannot be read".to_owned());
    };
    match key.id() {
        Id::RSA | Id::RSA_PSS if key.bits() >= RSA_BITS => None,
        Id::RSA | Id::RSA_PSS => Some(format!(
            "its RSA key has {} bits, fewer than {RSA_BITS}",
            key.bits()
        )),
        Id::EC => weakness_of_curve(&key),
        Id::ED25519 => None,
        Id::DSA => Some("its key is a DSA key".to_owned()),
        _ => Some("its key is neither RSA nor EC nor Ed25519".to_owned()),
    }
}

fn weakness_of_curve(key: &PKeyRef<Public>) -> Option<String> {
    let Ok(key) = key.ec_key() else {
        return Some("its EC key cannot be read".to_owned());
    };
    let group: &EcGroupRef = key.group();
    match group.curve_name() {
        None => Some("its EC curve is not a named one".to_owned()),
        Some(_) if group.order_bits() >= EC_BITS => None,
        Some(name) => Some(format!(
            "its EC curve {} has {} bits, fewer than {EC_BITS}",
            name.short_name().unwrap_or("?"),
            group.order_bits()
        )),
    }
}

/// Whether the leaf's key can make a CMS signature here: OpenSSL 3.0 has none
/// with Ed25519.
pub fn can_sign_cms(certificate: &X509Ref) -> bool {
    certificate
        .public_key()
        .is_ok_and(|key| matches!(key.id(), Id::RSA | Id::RSA_PSS | Id::EC))
}

/// Why the certificate's own signature is over too weak a digest; `None` if not.
pub fn weakness_of_signature(certificate: &X509Ref) -> Option<String> {
    let nid = certificate.signature_algorithm().object().nid();
    let digest = match nid {
        Nid::RSASSAPSS => pss_digest(certificate),
        nid => nid.signature_algorithms().map(|found| found.digest),
    };
    match digest {
        Some(digest) if is_strong_digest(digest) => None,
        // Ed25519 hashes by itself: OpenSSL names no digest.
        Some(Nid::UNDEF) if nid.as_raw() == Id::ED25519.as_raw() => None,
        Some(digest) => Some(format!(
            "it is signed over {}, weaker than SHA-256",
            digest.short_name().unwrap_or("no digest")
        )),
        None => Some("its signature algorithm is not known".to_owned()),
    }
}

/// SHA-224 counts: it has the 112 bits of security level 2.
fn is_strong_digest(digest: Nid) -> bool {
    [
        Nid::SHA224,
        Nid::SHA256,
        Nid::SHA384,
        Nid::SHA512,
        Nid::SHA3_224,
        Nid::SHA3_256,
        Nid::SHA3_384,
        Nid::SHA3_512,
    ]
    .contains(&digest)
}

/// The digest of RSASSA-PSS parameters (RFC 4055 section 3.1; absent is SHA-1).
fn pss_digest(certificate: &X509Ref) -> Option<Nid> {
    let der = certificate.to_der().ok()?;
    let mut algorithm = Reader::new(extensions::signature_algorithm(&der)?);
    algorithm.expect(tag::OID)?;
    let mut parameters = Reader::new(algorithm.expect(tag::SEQUENCE)?);
    let Some(hash) = parameters.optional(tag::CONTEXT_0) else {
        return Some(Nid::SHA1);
    };
    let mut hash = Reader::new(der::only(hash, tag::SEQUENCE)?);
    sha2_nid(hash.expect(tag::OID)?)
}

/// The SHA-2 digest with these OID content octets (RFC 5754 section 2).
pub fn sha2_nid(oid: &[u8]) -> Option<Nid> {
    let (last, arc) = oid.split_last()?;
    if arc != [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2] {
        return None;
    }
    match last {
        1 => Some(Nid::SHA256),
        2 => Some(Nid::SHA384),
        3 => Some(Nid::SHA512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::{dsa_key, ec_key, ed25519_key, rsa_key, Ca, Leaf};
    use openssl::hash::MessageDigest;

    fn weakness(key: openssl::pkey::PKey<openssl::pkey::Private>) -> Option<String> {
        let leaf = Leaf {
            key: Some(key),
            ..Leaf::default()
        };
        weakness_of_key(&Ca::root("Root").issue("leaf", leaf).certificate)
    }

    #[test]
    fn strong_keys_pass_and_weak_ones_are_named() {
        assert_eq!(weakness(rsa_key(2048)), None);
        assert_eq!(weakness(ec_key(Nid::X9_62_PRIME256V1)), None);
        assert_eq!(weakness(ec_key(Nid::SECP384R1)), None);
        assert_eq!(weakness(ed25519_key()), None);
        assert!(weakness(rsa_key(1024)).unwrap().contains("1024 bits"));
        assert!(weakness(ec_key(Nid::SECP224R1))
            .unwrap()
            .contains("secp224r1"));
        assert!(weakness(ec_key(Nid::X9_62_PRIME192V1))
            .unwrap()
            .contains("192"));
        assert!(weakness(dsa_key()).unwrap().contains("DSA"));
    }

    #[test]
    fn digests_of_signatures_are_judged() {
        let judge = |digest| {
            let root = Ca::root_signed_with("Root", rsa_key(2048), digest);
            weakness_of_signature(&root.certificate)
        };
        assert_eq!(judge(MessageDigest::sha256()), None);
        assert_eq!(judge(MessageDigest::sha512()), None);
        assert!(judge(MessageDigest::sha1()).unwrap().contains("SHA1"));
        assert!(judge(MessageDigest::md5()).unwrap().contains("MD5"));
        let ed = Ca::root_signed_with("Root", ed25519_key(), MessageDigest::null());
        assert_eq!(weakness_of_signature(&ed.certificate), None);
    }
}

//! Which keys and signatures are strong enough, beyond OpenSSL's security level.
//!
//! OpenSSL's default level lets P-192, DSA and RSA-1024 pass, and its level 2
//! still lets P-224 and DSA-2048 pass. The rules here are those of the trust
//! policy: RSA of 2048 bits or more, EC over a named curve of 256 bits or more,
//! Ed25519; no signature over MD5 or SHA-1. Called on every certificate of a path
//! that OpenSSL has already accepted.
//!
//! A key can also be too strong. Who sends a certificate chooses what it costs to
//! verify a signature with its key: with RSA of 16,384 bits and an exponent of 64
//! a hundred times as much as with 4096 and 65,537. [`excess_of_key`] is asked of
//! what a peer sent before anything is verified with it. What it lets through
//! costs no more than ECDSA over P-521, but for the Brainpool curves, which take
//! twice that.

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

/// The largest RSA modulus that a peer may send, in bits.
pub const MAX_RSA_BITS: u32 = 4096;
/// The largest public exponent of RSA that a peer may send, in bits; in nearly every
/// certificate it is 65,537, which has 17.
pub const MAX_EXPONENT_BITS: i32 = 32;

/// The curves of 256 bits or more that a peer may send: over prime fields, and named
/// in RFC 5480, RFC 5639 or SEC 2.
const CURVES: [Nid; 10] = [
    Nid::X9_62_PRIME256V1,
    Nid::SECP384R1,
    Nid::SECP521R1,
    Nid::SECP256K1,
    Nid::BRAINPOOL_P256R1,
    Nid::BRAINPOOL_P256T1,
    Nid::BRAINPOOL_P384R1,
    Nid::BRAINPOOL_P384T1,
    Nid::BRAINPOOL_P512R1,
    Nid::BRAINPOOL_P512T1,
];

/// Why nothing may be verified with the key of a certificate that a peer sent, in words;
/// `None` if it may. Weak keys of a usual kind may: that is cheap.
pub fn excess_of_key(certificate: &X509Ref) -> Option<String> {
    // Without a key there is nothing to pay for.
    let key = certificate.public_key().ok()?;
    match key.id() {
        Id::RSA | Id::RSA_PSS if key.bits() > MAX_RSA_BITS => Some(format!(
            "its RSA key has {} bits, more than {MAX_RSA_BITS}",
            key.bits()
        )),
        Id::RSA | Id::RSA_PSS => excess_of_exponent(&key),
        Id::EC => excess_of_curve(&key),
        _ => weakness_of_kind(&key),
    }
}

fn excess_of_exponent(key: &PKeyRef<Public>) -> Option<String> {
    let Ok(key) = key.rsa() else {
        return Some("its RSA key cannot be read".to_owned());
    };
    let exponent = key.e();
    let is_one = exponent.num_bits() < 2;
    if exponent.is_negative() || is_one || !exponent.is_bit_set(0) {
        return Some("the exponent of its RSA key is even, or less than 3".to_owned());
    }
    (exponent.num_bits() > MAX_EXPONENT_BITS).then(|| {
        format!(
            "the exponent of its RSA key has {} bits, more than {MAX_EXPONENT_BITS}",
            exponent.num_bits()
        )
    })
}

fn excess_of_curve(key: &PKeyRef<Public>) -> Option<String> {
    let Ok(key) = key.ec_key() else {
        return Some("its EC key cannot be read".to_owned());
    };
    let group: &EcGroupRef = key.group();
    match group.curve_name() {
        None => Some(UNNAMED.to_owned()),
        Some(name) if group.order_bits() < EC_BITS || CURVES.contains(&name) => None,
        Some(name) => Some(format!(
            "its EC curve {} is none of NIST's or Brainpool's over prime fields",
            name.short_name().unwrap_or("?")
        )),
    }
}

const UNNAMED: &str = "its EC curve is not a named one";

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
        _ => weakness_of_kind(&key),
    }
}

/// Of a key that is neither RSA nor EC.
fn weakness_of_kind(key: &PKeyRef<Public>) -> Option<String> {
    match key.id() {
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
        None => Some(UNNAMED.to_owned()),
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
    use crate::fixtures::{dsa_key, ec_key, ed25519_key, rogue, rsa_key, rsa_public, Ca, Leaf};
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

    fn excess(key: openssl::pkey::PKey<openssl::pkey::Public>) -> Option<String> {
        excess_of_key(&rogue(&key, &[1]))
    }

    #[test]
    fn a_key_that_costs_too_much_is_named() {
        for exponent in [&[3][..], &[1, 0, 1], &[0xff; 4]] {
            assert_eq!(excess(rsa_public(4096, exponent)), None, "{exponent:?}");
        }
        assert_eq!(excess(rsa_public(1024, &[3])), None, "weak, but cheap");
        let refused = |key, why: &str| {
            let text = excess(key).unwrap();
            assert!(text.contains(why), "{text}");
        };
        refused(rsa_public(4104, &[3]), "4104 bits, more than 4096");
        refused(
            rsa_public(2048, &[1, 0, 0, 0, 1]),
            "exponent of its RSA key has 33",
        );
        // OpenSSL bounds the exponent of larger keys only.
        refused(
            rsa_public(3072, &[0xff; 300]),
            "exponent of its RSA key has 2400",
        );
        refused(rsa_public(2048, &[4]), "even");
        refused(rsa_public(2048, &[1]), "less than 3");
        let curve = |name| {
            let key = ec_key(name);
            openssl::pkey::PKey::public_key_from_der(&key.public_key_to_der().unwrap()).unwrap()
        };
        for name in CURVES {
            assert_eq!(excess(curve(name)), None, "{name:?}");
        }
        assert_eq!(excess(curve(Nid::SECP224R1)), None, "weak, but cheap");
        for name in [Nid::SECT571R1, Nid::SECT283K1] {
            refused(curve(name), "over prime fields");
        }
        let dsa = dsa_key().public_key_to_der().unwrap();
        let dsa = openssl::pkey::PKey::public_key_from_der(&dsa).unwrap();
        refused(dsa, "DSA");
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

//! Key and signature algorithms, by the names that Java and Kura's KEYS-V1 use.

use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, PKeyRef, Private};
use openssl::rsa::Rsa;

use super::KeystoreError;

/// What kind of key to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// NIST P-256.
    EcP256,
    /// NIST P-384.
    EcP384,
    /// RSA with that many bits: 2048, 3072 or 4096.
    Rsa(u32),
}

impl KeyAlgorithm {
    /// From `EC` with 256 or 384, or `RSA` with 2048, 3072 or 4096 bits.
    ///
    /// # Errors
    /// [`KeystoreError::BadAlgorithm`].
    pub fn new(algorithm: &str, size: u32) -> Result<KeyAlgorithm, KeystoreError> {
        match (algorithm.to_ascii_uppercase().as_str(), size) {
            ("EC", 256) => Ok(KeyAlgorithm::EcP256),
            ("EC", 384) => Ok(KeyAlgorithm::EcP384),
            ("RSA", 2048 | 3072 | 4096) => Ok(KeyAlgorithm::Rsa(size)),
            _ => Err(KeystoreError::BadAlgorithm {
                given: format!("{algorithm:?} with {size} bits"),
                allowed: "EC with 256 or 384, RSA with 2048, 3072 or 4096 bits",
            }),
        }
    }

    pub(super) fn generate(self) -> Result<PKey<Private>, ErrorStack> {
        let ec = |curve| PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(curve)?)?);
        match self {
            KeyAlgorithm::EcP256 => ec(Nid::X9_62_PRIME256V1),
            KeyAlgorithm::EcP384 => ec(Nid::SECP384R1),
            KeyAlgorithm::Rsa(bits) => PKey::from_rsa(Rsa::generate(bits)?),
        }
    }
}

/// How to sign a certificate request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// What suits the key: SHA-384 for P-384, else SHA-256.
    Default,
    /// SHA-2 with that many bits, for a key of that kind.
    Sha2 {
        /// 256, 384 or 512.
        bits: u16,
        /// For an EC key; else for an RSA key.
        ec: bool,
    },
}

impl SignatureAlgorithm {
    /// From a Java name such as `SHA256withECDSA`; empty is [`SignatureAlgorithm::Default`].
    ///
    /// # Errors
    /// [`KeystoreError::BadAlgorithm`].
    pub fn new(name: &str) -> Result<SignatureAlgorithm, KeystoreError> {
        if name.is_empty() {
            return Ok(SignatureAlgorithm::Default);
        }
        for bits in [256, 384, 512] {
            for (key, ec) in [("ECDSA", true), ("RSA", false)] {
                if name.eq_ignore_ascii_case(&format!("SHA{bits}with{key}")) {
                    return Ok(SignatureAlgorithm::Sha2 { bits, ec });
                }
            }
        }
        Err(bad(name))
    }

    pub(super) fn digest(self, key: &PKeyRef<Private>) -> Result<MessageDigest, KeystoreError> {
        let is_ec = key.id() == Id::EC;
        match self {
            SignatureAlgorithm::Default if is_ec && key.bits() > 256 => Ok(MessageDigest::sha384()),
            SignatureAlgorithm::Default => Ok(MessageDigest::sha256()),
            SignatureAlgorithm::Sha2 { ec, .. } if ec != is_ec => {
                Err(KeystoreError::BadAlgorithm {
                    given: format!("a signature with {}", if ec { "ECDSA" } else { "RSA" }),
                    allowed: "the key is of another kind",
                })
            }
            SignatureAlgorithm::Sha2 { bits: 384, .. } => Ok(MessageDigest::sha384()),
            SignatureAlgorithm::Sha2 { bits: 512, .. } => Ok(MessageDigest::sha512()),
            SignatureAlgorithm::Sha2 { .. } => Ok(MessageDigest::sha256()),
        }
    }
}

fn bad(name: &str) -> KeystoreError {
    KeystoreError::BadAlgorithm {
        given: format!("{:?}", name.chars().take(64).collect::<String>()),
        allowed: "SHA256, SHA384 or SHA512 with ECDSA or RSA, as in SHA256withECDSA",
    }
}

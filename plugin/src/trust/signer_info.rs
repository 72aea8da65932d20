//! The SignerInfo of a SignedData (RFC 5652, 5.3): who claims to have signed what, and how.
//!
//! Beside what the signature covers there stand, not covered themselves, the algorithm of the
//! signature and the type of the content. OpenSSL lets either be anything, as long as the octets of
//! the signature fit; here both must be those with which the signer can have signed. Whether a key
//! made the signature is none of its questions. Called by `cms`.

use openssl::nid::Nid;
use openssl::pkey::Id;

use super::der::{self, tag, Reader};
use super::key_policy;

/// id-data, 1.2.840.113549.1.7.1.
const OID_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
/// id-contentType, 1.2.840.113549.1.9.3.
const OID_CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
/// id-messageDigest, 1.2.840.113549.1.9.4.
const OID_MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
/// pkcs-1, 1.2.840.113549.1.1: rsaEncryption and what is made with it.
const ARC_PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
/// id-ecPublicKey, 1.2.840.10045.2.1.
const OID_EC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
/// ecdsa-with-SHA2, 1.2.840.10045.4.3.
const ARC_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3];

/// Whom a signature names as its signer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SignerId<'a> {
    IssuerSerial { issuer: &'a [u8], serial: &'a [u8] },
    KeyId(&'a [u8]),
}

/// What a SignerInfo says, as it stands there.
#[derive(Debug)]
pub(super) struct SignerInfo<'a> {
    pub(super) signer: SignerId<'a>,
    /// The OID of the digest algorithm.
    pub(super) digest: &'a [u8],
    attributes: Option<&'a [u8]>,
    /// The OID of the signature algorithm.
    algorithm: &'a [u8],
}

impl<'a> SignerInfo<'a> {
    /// Reads the content of the element; `None` if it is not one.
    pub(super) fn read(content: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(content);
        reader.expect(tag::INTEGER)?;
        let sid = reader.element()?;
        let signer = match sid.tag {
            tag::SEQUENCE => {
                let mut parts = Reader::new(sid.content);
                let issuer = parts.element()?;
                let serial = parts.expect(tag::INTEGER)?;
                if issuer.tag != tag::SEQUENCE || !parts.is_empty() {
                    return None;
                }
                SignerId::IssuerSerial {
                    issuer: issuer.whole,
                    serial,
                }
            }
            tag::CONTEXT_0_PRIMITIVE => SignerId::KeyId(sid.content),
            _ => return None,
        };
        let digest = Reader::new(reader.expect(tag::SEQUENCE)?).expect(tag::OID)?;
        let attributes = reader.optional(tag::CONTEXT_0);
        let algorithm = Reader::new(reader.expect(tag::SEQUENCE)?).expect(tag::OID)?;
        Some(Self {
            signer,
            digest,
            attributes,
            algorithm,
        })
    }

    /// The digest among the signed attributes, if it is there once and has one value (RFC 5652,
    /// 11.2).
    pub(super) fn signed_digest(&self) -> Option<&'a [u8]> {
        self.attribute(OID_MESSAGE_DIGEST, tag::OCTET_STRING)
    }

    /// Whether what was signed is content of this type: the signed attributes say so (RFC 5652,
    /// 11.1), or there are none, which only id-data may do without (5.3).
    pub(super) fn is_of_type(&self, content_type: &[u8]) -> bool {
        match self.attributes {
            Some(_) => self.attribute(OID_CONTENT_TYPE, tag::OID) == Some(content_type),
            None => content_type == OID_DATA,
        }
    }

    /// The one value of the one signed attribute with this OID.
    fn attribute(&self, oid: &[u8], value_tag: u8) -> Option<&'a [u8]> {
        let mut found = None;
        for attribute in Reader::new(self.attributes?).all()? {
            let mut parts = Reader::new(attribute.content);
            if attribute.tag != tag::SEQUENCE || parts.expect(tag::OID)? != oid {
                continue;
            }
            let values = parts.expect(tag::SET)?;
            let value = der::only(values, value_tag)?;
            if !parts.is_empty() || found.replace(value).is_some() {
                return None;
            }
        }
        found
    }

    /// With keys of which kind the signature algorithm signs, over this digest; `None` if it is of
    /// another digest, or unknown. Those that name only the key leave the digest to its own field
    /// (RFC 5754, 3.2; RFC 3278, 2.1.1).
    pub(super) fn key_kind(&self) -> Option<KeyKind> {
        let digest = key_policy::sha2_nid(self.digest)?;
        if self.algorithm == OID_EC_KEY {
            return Some(KeyKind::Ec);
        }
        let (last, arc) = self.algorithm.split_last()?;
        let (kind, of) = match (arc, last) {
            (ARC_PKCS1, 1 | 10) => return Some(KeyKind::Rsa),
            (ARC_PKCS1, 11) => (KeyKind::Rsa, Nid::SHA256),
            (ARC_PKCS1, 12) => (KeyKind::Rsa, Nid::SHA384),
            (ARC_PKCS1, 13) => (KeyKind::Rsa, Nid::SHA512),
            (ARC_ECDSA, 2) => (KeyKind::Ec, Nid::SHA256),
            (ARC_ECDSA, 3) => (KeyKind::Ec, Nid::SHA384),
            (ARC_ECDSA, 4) => (KeyKind::Ec, Nid::SHA512),
            _ => return None,
        };
        (of == digest).then_some(kind)
    }
}

/// The two kinds of keys that sign messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Rsa,
    Ec,
}

impl KeyKind {
    /// Whether that is the kind of such a key.
    pub(super) fn is(self, key: Id) -> bool {
        match self {
            Self::Rsa => matches!(key, Id::RSA | Id::RSA_PSS),
            Self::Ec => key == Id::EC,
        }
    }
}

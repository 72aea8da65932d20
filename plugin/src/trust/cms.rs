//! Detached CMS signatures (RFC 5652): OpenSSL makes and checks them.
//!
//! The `openssl` crate cannot say how many signers a SignedData has, who they are
//! or which digest they used, so the head of the structure is read here first, and by
//! `signer_info`. All of it must be DER: who passes it on cannot write the same signature otherwise.
//! What is not signed in a SignedData they can change nevertheless (the certificates within it,
//! unsigned attributes; and (r, n - s) is a signature where (r, s) is one), so that nothing depends
//! on it. Only then does CMS_verify run, with the one certificate that was chosen by its trust and
//! not by the message: certificates within the message never count (CMS_NOINTERN). Chains and dates
//! of signers are no matter of this file. Called by `verifier`; [`sign`] by the platform side.

use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::error::ErrorStack;
use openssl::hash::{DigestBytes, MessageDigest};
use openssl::nid::Nid;
use openssl::pkey::{HasPrivate, PKeyRef};
use openssl::stack::Stack;
use openssl::x509::{X509Name, X509Ref, X509};

use super::der::{self, tag, Reader};
use super::der_form::is_der;
use super::signer_info::{KeyKind, SignerId, SignerInfo};
use super::{extensions, key_policy};

/// A signature is refused above this many bytes: it would hold ten certificates.
pub const MAX_SIGNATURE_BYTES: usize = 64 * 1024;

/// Content above this many bytes is verified by its digest alone: [`Signature::verify_digest`].
pub const MAX_WHOLE: usize = 1 << 20;

/// id-signedData, 1.2.840.113549.1.7.2.
const OID_SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];

/// What is read, and checked, would not be what is written.
const NOT_DER: &str = "it is not DER";
const OTHER_ALGORITHM: &str = "its algorithm does not fit its digest, or not the signer's key";
/// OpenSSL says no more of what may be anybody's.
const UNFIT: &str = "it does not fit the message";

/// The head of a SignedData that has the form we accept.
#[derive(Debug)]
pub(super) struct Signature<'a> {
    der: &'a [u8],
    signer: SignerId<'a>,
    digest: Nid,
    /// Of which kind the signer's key must be; `None` if no key of a signer fits.
    kind: Option<KeyKind>,
    /// The one messageDigest among the signed attributes.
    signed_digest: Option<&'a [u8]>,
}

impl<'a> Signature<'a> {
    /// Reads the head, or says in words why it is not acceptable.
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, &'static str> {
        if der.len() > MAX_SIGNATURE_BYTES {
            return Err("it is longer than 64 KiB");
        }
        let parts = Parts::of(der)?;
        if !is_der(der) {
            return Err(NOT_DER);
        }
        let info = SignerInfo::read(parts.signer_info).ok_or("its signer info is not DER")?;
        // OpenSSL looks for it there only where it digests the content itself.
        if !is_among(info.digest, parts.digests) {
            return Err("its digest is not among those that it announces");
        }
        let digest = key_policy::sha2_nid(info.digest)
            .ok_or("its digest is not SHA-256, SHA-384 or SHA-512")?;
        if !info.is_of_type(parts.content_type) {
            return Err("its content type is not the one that it signs");
        }
        Ok(Self {
            der,
            digest,
            kind: info.key_kind(),
            signed_digest: info.signed_digest(),
            signer: info.signer,
        })
    }

    /// Whether the signature claims to be by this certificate. It proves nothing.
    pub(super) fn names(&self, certificate: &X509Ref) -> bool {
        match self.signer {
            SignerId::KeyId(id) => certificate
                .subject_key_id()
                .is_some_and(|own| own.as_slice() == id),
            SignerId::IssuerSerial { issuer, serial } => {
                let named = X509Name::from_der(issuer)
                    .and_then(|name| name.try_cmp(certificate.issuer_name()))
                    .is_ok_and(std::cmp::Ordering::is_eq);
                drop(ErrorStack::get());
                let same_serial = certificate
                    .to_der()
                    .is_ok_and(|der| extensions::serial_octets(&der) == Some(serial));
                named && same_serial
            }
        }
    }

    /// Whether the certificate's key made this signature over `content`.
    ///
    /// # Errors
    /// In words, when it did not or when that cannot be told.
    pub(super) fn verify(&self, content: &[u8], signer: &X509) -> Result<(), &'static str> {
        self.judged(content, signer, CMSOptions::empty())
    }

    /// As [`Signature::verify`], of content that is not in one piece: `digest` gives its digest.
    /// A signature that signs its content directly, and not a digest of it, cannot be verified
    /// so. OpenSSL judges the signature over the signed attributes; what it would do besides is
    /// to compare the digest among them with that of the content.
    ///
    /// # Errors
    /// In words, when it did not or when that cannot be told.
    pub(super) fn verify_digest(
        &self,
        digest: impl FnOnce(MessageDigest) -> Option<DigestBytes>,
        signer: &X509,
    ) -> Result<(), &'static str> {
        let signed = self
            .signed_digest
            .ok_or("a message of more than 1 MiB needs signed attributes")?;
        let by = MessageDigest::from_nid(self.digest).ok_or(UNFIT)?;
        let digest = digest(by).ok_or(UNFIT)?;
        if signed.len() != digest.len() || !openssl::memcmp::eq(signed, &digest) {
            return Err(UNFIT);
        }
        self.judged(&[], signer, CMSOptions::NO_CONTENT_VERIFY)
    }

    fn judged(&self, content: &[u8], signer: &X509, more: CMSOptions) -> Result<(), &'static str> {
        // OpenSSL does not ask which algorithm is named, where the key has but one.
        let key = signer.public_key();
        if !key.is_ok_and(|key| self.kind.is_some_and(|kind| kind.is(key.id()))) {
            drop(ErrorStack::get());
            return Err(OTHER_ALGORITHM);
        }
        let verdict = self.judged_by_openssl(content, signer, more);
        drop(ErrorStack::get());
        match verdict {
            Ok(true) => Ok(()),
            Ok(false) => Err(NOT_DER),
            Err(_) => Err(UNFIT),
        }
    }

    /// Whether the signature, which fits, is DER: OpenSSL would write it as it stands here.
    fn judged_by_openssl(
        &self,
        content: &[u8],
        signer: &X509,
        more: CMSOptions,
    ) -> Result<bool, ErrorStack> {
        let mut candidates = Stack::new()?;
        candidates.push(signer.clone())?;
        let flags = CMSOptions::NOINTERN
            | CMSOptions::NO_SIGNER_CERT_VERIFY
            | CMSOptions::DETACHED
            | CMSOptions::BINARY
            | more;
        let mut cms = CmsContentInfo::from_der(self.der)?;
        let written = cms.to_der()?;
        cms.verify(Some(&candidates), None, Some(content), None, flags)?;
        Ok(written == self.der)
    }
}

/// What is read of a SignedData with one signer.
struct Parts<'a> {
    /// The content of digestAlgorithms.
    digests: &'a [u8],
    /// The OID of the content that is not there.
    content_type: &'a [u8],
    /// The content of the only SignerInfo.
    signer_info: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(der: &'a [u8]) -> Result<Self, &'static str> {
        const FORM: &str = "it is not a CMS SignedData in DER";
        let mut info = Reader::new(der::only(der, tag::SEQUENCE).ok_or(FORM)?);
        if info.expect(tag::OID) != Some(OID_SIGNED_DATA) {
            return Err(FORM);
        }
        let explicit = info.expect(tag::CONTEXT_0).ok_or(FORM)?;
        let mut data = Reader::new(der::only(explicit, tag::SEQUENCE).ok_or(FORM)?);
        data.expect(tag::INTEGER).ok_or(FORM)?;
        let digests = data.expect(tag::SET).ok_or(FORM)?;
        let mut content = Reader::new(data.expect(tag::SEQUENCE).ok_or(FORM)?);
        let content_type = content.expect(tag::OID).ok_or(FORM)?;
        if !content.is_empty() {
            return Err("it is not detached: it brings content of its own");
        }
        let _certificates = data.optional(tag::CONTEXT_0);
        let _revocation_lists = data.optional(tag::CONTEXT_1);
        let infos = Reader::new(data.expect(tag::SET).ok_or(FORM)?)
            .all()
            .ok_or(FORM)?;
        if !data.is_empty() || !info.is_empty() {
            return Err(FORM);
        }
        match infos.as_slice() {
            [one] if one.tag == tag::SEQUENCE => Ok(Self {
                digests,
                content_type,
                signer_info: one.content,
            }),
            [_] => Err(FORM),
            _ => Err("it has not exactly one signer"),
        }
    }
}

/// Whether one of these AlgorithmIdentifiers has that OID.
fn is_among(oid: &[u8], algorithms: &[u8]) -> bool {
    let algorithms = Reader::new(algorithms).all().unwrap_or_default();
    algorithms
        .iter()
        .any(|one| Reader::new(one.content).expect(tag::OID) == Some(oid))
}

/// Signs canonical bytes: a detached SignedData in DER over SHA-256, with the
/// signer's certificate embedded. The key stays OpenSSL's, which wipes it.
///
/// # Errors
/// OpenSSL's: key and certificate do not belong together, or the key is of a kind
/// that it cannot sign CMS with (Ed25519).
pub fn sign<K: HasPrivate>(
    canonical: &[u8],
    certificate: &X509Ref,
    key: &PKeyRef<K>,
) -> Result<Vec<u8>, ErrorStack> {
    let flags = CMSOptions::DETACHED | CMSOptions::BINARY | CMSOptions::NOSMIMECAP;
    CmsContentInfo::sign(Some(certificate), Some(key), None, Some(canonical), flags)?.to_der()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::der::Element;
    use super::*;
    use crate::trust::fixtures::{ed25519_key, p256, rsa_key, Ca, Leaf};

    const CONTENT: &[u8] = b"line\nline\r\n\0end";

    fn signer(key: openssl::pkey::PKey<openssl::pkey::Private>) -> Ca {
        let leaf = Leaf {
            key: Some(key),
            ..Leaf::default()
        };
        Ca::root("Root").issue("Signer", leaf)
    }

    #[test]
    fn what_was_signed_verifies_and_nothing_else() {
        for key in [p256(), rsa_key(2048)] {
            let signer = signer(key);
            let der = sign(CONTENT, &signer.certificate, &signer.key).unwrap();
            let signature = Signature::parse(&der).unwrap();
            assert!(signature.names(&signer.certificate));
            signature.verify(CONTENT, &signer.certificate).unwrap();
            assert!(signature
                .verify(b"line\r\nline\r\n\0end", &signer.certificate)
                .is_err());
            let other = self::signer(p256());
            assert!(!signature.names(&other.certificate));
            assert!(signature.verify(CONTENT, &other.certificate).is_err());
        }
    }

    #[test]
    fn ed25519_cannot_sign_and_says_so() {
        let signer = signer(ed25519_key());
        assert!(sign(CONTENT, &signer.certificate, &signer.key).is_err());
    }

    #[test]
    fn signers_named_by_key_identifier_are_found() {
        let signer = signer(p256());
        let flags = CMSOptions::DETACHED
            | CMSOptions::BINARY
            | CMSOptions::USE_KEYID
            | CMSOptions::CMS_NOCERTS;
        let der = CmsContentInfo::sign(
            Some(&signer.certificate),
            Some(&signer.key),
            None,
            Some(CONTENT),
            flags,
        )
        .and_then(|cms| cms.to_der())
        .unwrap();
        let signature = Signature::parse(&der).unwrap();
        assert!(
            matches!(signature.signer, SignerId::KeyId(_)) && signature.names(&signer.certificate)
        );
        signature.verify(CONTENT, &signer.certificate).unwrap();
    }

    #[test]
    fn other_forms_are_refused_with_their_reason() {
        let signer = signer(p256());
        let attached = CmsContentInfo::sign(
            Some(&signer.certificate),
            Some(&signer.key),
            None,
            Some(CONTENT),
            CMSOptions::BINARY,
        )
        .and_then(|cms| cms.to_der())
        .unwrap();
        assert!(Signature::parse(&attached)
            .unwrap_err()
            .contains("detached"));
        let mut longer = sign(CONTENT, &signer.certificate, &signer.key).unwrap();
        longer.push(0);
        assert!(Signature::parse(&longer).is_err());
        assert!(Signature::parse(&signer.certificate.to_der().unwrap()).is_err());
        assert!(Signature::parse(&vec![0x30; MAX_SIGNATURE_BYTES + 1])
            .unwrap_err()
            .contains("64 KiB"));
    }

    /// An element with a tag and a content, and its length in `octets` octets beyond the first; in
    /// the shortest form with `None`.
    fn element(tag: u8, content: &[u8], octets: Option<usize>) -> Vec<u8> {
        let length = content.len().to_be_bytes();
        let shortest = match content.len() {
            0..=0x7f => 0,
            0x80..=0xff => 1,
            _ => 2,
        };
        let mut whole = vec![tag];
        match octets.unwrap_or(shortest) {
            0 => whole.push(length[7]),
            n => {
                whole.push(0x80 | n as u8);
                whole.extend(&length[8 - n..]);
            }
        }
        whole.extend(content);
        whole
    }

    /// `der` with the element changed that `path` leads to: at each step the index of the child.
    fn changed(der: &[u8], path: &[usize], change: &dyn Fn(Element<'_>) -> Vec<u8>) -> Vec<u8> {
        let whole = Reader::new(der).all().unwrap()[0];
        let Some((index, path)) = path.split_first() else {
            return change(whole);
        };
        let mut children: Vec<Vec<u8>> = Reader::new(whole.content)
            .all()
            .unwrap()
            .iter()
            .map(|child| child.whole.to_vec())
            .collect();
        children[*index] = changed(&children[*index], path, change);
        element(whole.tag, &children.concat(), None)
    }

    /// Somebody on the way may not give a signed message other bytes that mean the same.
    #[test]
    fn what_is_not_der_is_refused_wherever_it_stands_in_it() {
        let signer = signer(p256());
        let mut others = Stack::new().unwrap();
        others.push(Ca::root("Other").certificate).unwrap();
        let cms = CmsContentInfo::sign(
            Some(&signer.certificate),
            Some(&signer.key),
            Some(&others),
            Some(CONTENT),
            CMSOptions::DETACHED | CMSOptions::BINARY,
        )
        .unwrap();
        let der = cms.to_der().unwrap();
        let verdict = |der: &[u8]| {
            let signature = Signature::parse(der)?;
            signature.verify(CONTENT, &signer.certificate)
        };
        assert_eq!(verdict(&der), Ok(()));
        let long = |e: Element<'_>| element(e.tag, e.content, Some(3));
        let padded = |e: Element<'_>| element(e.tag, &[&[0], e.content].concat(), None);
        let swapped = |e: Element<'_>| {
            let mut children = Reader::new(e.content).all().unwrap();
            children.reverse();
            let content: Vec<_> = children.iter().flat_map(|c| c.whole).copied().collect();
            element(e.tag, &content, None)
        };
        let chunked = |e: Element<'_>| element(e.tag | 0x20, e.whole, None);
        // ContentInfo, [0], SignedData: version, digests, content, certificates, signer infos.
        let info = [1, 0, 4, 0];
        let in_info = |rest: &[usize]| [&info[..], rest].concat();
        type Change<'a> = (&'a str, Vec<usize>, &'a dyn Fn(Element<'_>) -> Vec<u8>);
        let changes: [Change<'_>; 11] = [
            ("length of the signature", in_info(&[5]), &long),
            ("signature in pieces", in_info(&[5]), &chunked),
            ("length of a signed attribute", in_info(&[3, 0]), &long),
            ("length in a signed attribute", in_info(&[3, 0, 0]), &long),
            ("length of a value of one", in_info(&[3, 0, 1, 0]), &long),
            ("order of the signed attributes", in_info(&[3]), &swapped),
            ("version", vec![1, 0, 0], &padded),
            ("length of a certificate", vec![1, 0, 3, 0], &long),
            ("length within a certificate", vec![1, 0, 3, 0, 0, 2], &long),
            ("order of the certificates", vec![1, 0, 3], &swapped),
            ("length of the whole", vec![], &long),
        ];
        for (what, path, change) in changes {
            let changed = changed(&der, &path, change);
            assert_ne!(changed, der, "{what}");
            assert!(verdict(&changed).is_err(), "{what}");
        }
    }

    #[test]
    fn a_digest_that_is_not_announced_is_refused_whether_the_content_is_in_one_piece_or_not() {
        let signer = signer(p256());
        let der = sign(CONTENT, &signer.certificate, &signer.key).unwrap();
        // id-sha512, in the place of id-sha256; and none at all.
        let sha512 = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
        let sha512 = element(tag::SEQUENCE, &element(tag::OID, sha512, None), None);
        for announced in [&sha512[..], &[]] {
            let changed = changed(&der, &[1, 0, 1], &|e| element(e.tag, announced, None));
            let reason = Signature::parse(&changed).unwrap_err();
            assert!(reason.contains("announces"), "{reason}");
        }
    }

    /// What stands beside the signed octets is not signed; OpenSSL takes it as it is.
    #[test]
    fn an_algorithm_or_a_content_type_that_the_signer_did_not_use_is_refused() {
        let oid = |octets: &[u8]| {
            let oid = octets.to_vec();
            move |e: Element<'_>| element(e.tag, &oid, None)
        };
        let signed_data = oid(OID_SIGNED_DATA);
        let rsa_with_sha256 = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]);
        let rsa_with_sha1 = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5]);
        let rsa = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]);
        let ecdsa_with_sha384 = oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]);
        let ec_key = oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]);
        let ed25519 = oid(&[0x2b, 0x65, 0x70]);
        let (by_ec, by_rsa) = (signer(p256()), signer(rsa_key(2048)));
        let signed = |by: &Ca, more: CMSOptions| {
            let flags = CMSOptions::DETACHED | CMSOptions::BINARY | more;
            CmsContentInfo::sign(
                Some(&by.certificate),
                Some(&by.key),
                None,
                Some(CONTENT),
                flags,
            )
            .and_then(|cms| cms.to_der())
            .unwrap()
        };
        let (usual, bare) = (CMSOptions::empty(), CMSOptions::NOATTR);
        // ContentInfo, [0], SignedData, signer infos, the one, its algorithm: after the attributes.
        let (algorithm, bare_algorithm) = (&[1, 0, 4, 0, 4, 0][..], &[1, 0, 4, 0, 3, 0][..]);
        let content_type = &[1, 0, 2, 0][..];
        type Change<'a> = &'a dyn Fn(Element<'_>) -> Vec<u8>;
        let changes: [(&Ca, CMSOptions, &[usize], Change<'_>, bool); 12] = [
            (&by_ec, usual, algorithm, &ed25519, false),
            (&by_ec, usual, algorithm, &rsa, false),
            (&by_ec, usual, algorithm, &rsa_with_sha256, false),
            (&by_ec, usual, algorithm, &ecdsa_with_sha384, false),
            (&by_ec, bare, bare_algorithm, &ecdsa_with_sha384, false),
            (&by_ec, usual, algorithm, &ec_key, true),
            (&by_rsa, usual, algorithm, &rsa_with_sha1, false),
            (&by_rsa, usual, algorithm, &ec_key, false),
            (&by_rsa, usual, algorithm, &rsa_with_sha256, true),
            (&by_ec, usual, content_type, &signed_data, false),
            (&by_ec, bare, content_type, &signed_data, false),
            (&by_rsa, usual, content_type, &signed_data, false),
        ];
        for (index, (by, more, path, change, fits)) in changes.into_iter().enumerate() {
            let verdict = |der: &[u8]| Signature::parse(der)?.verify(CONTENT, &by.certificate);
            let der = signed(by, more);
            assert_eq!(verdict(&der), Ok(()), "{index}");
            let changed = changed(&der, path, change);
            assert_ne!(changed, der, "{index}");
            assert_eq!(verdict(&changed).is_ok(), fits, "{index}");
        }
    }

    /// The verdict over content that is not in one piece.
    fn by_digest(signature: &Signature<'_>, content: &[u8], signer: &X509) -> bool {
        let digest = |by| openssl::hash::hash(by, content).ok();
        signature.verify_digest(digest, signer).is_ok()
    }

    #[test]
    fn the_digest_alone_is_judged_as_the_content_whichever_octet_is_changed() {
        let signer = signer(p256());
        let der = sign(CONTENT, &signer.certificate, &signer.key).unwrap();
        let signature = Signature::parse(&der).unwrap();
        assert!(by_digest(&signature, CONTENT, &signer.certificate));
        assert!(!by_digest(&signature, b"other", &signer.certificate));
        let mut refused = 0;
        for at in 0..der.len() {
            for change in [0x01, 0x41, 0x80, 0xff] {
                let mut changed = der.clone();
                if let Some(octet) = changed.get_mut(at) {
                    *octet ^= change;
                }
                if let Ok(signature) = Signature::parse(&changed) {
                    let whole = signature.verify(CONTENT, &signer.certificate).is_ok();
                    let digest = by_digest(&signature, CONTENT, &signer.certificate);
                    assert_eq!(digest, whole, "octet {at}, {change:x}");
                    refused += u32::from(!whole);
                }
            }
        }
        assert!(refused > 100, "{refused}");
    }

    #[test]
    fn a_signature_without_signed_attributes_says_nothing_of_a_digest() {
        let signer = signer(p256());
        let der = CmsContentInfo::sign(
            Some(&signer.certificate),
            Some(&signer.key),
            None,
            Some(CONTENT),
            CMSOptions::DETACHED | CMSOptions::BINARY | CMSOptions::NOATTR,
        )
        .and_then(|cms| cms.to_der())
        .unwrap();
        let signature = Signature::parse(&der).unwrap();
        signature.verify(CONTENT, &signer.certificate).unwrap();
        // OpenSSL, told to leave the content aside, has nothing to verify and is content.
        signature
            .judged(&[], &signer.certificate, CMSOptions::NO_CONTENT_VERIFY)
            .unwrap();
        for content in [CONTENT, b"other"] {
            assert!(!by_digest(&signature, content, &signer.certificate));
        }
    }

    /// Ends with no panic and no acceptance, whichever octet is changed.
    #[test]
    fn a_changed_octet_never_makes_it_another_signers() {
        let signer = signer(p256());
        let der = sign(CONTENT, &signer.certificate, &signer.key).unwrap();
        let other = self::signer(p256());
        for at in 0..der.len() {
            let mut changed = der.clone();
            if let Some(octet) = changed.get_mut(at) {
                *octet ^= 0x41;
            }
            if let Ok(signature) = Signature::parse(&changed) {
                assert!(
                    signature.verify(CONTENT, &other.certificate).is_err(),
                    "octet {at}"
                );
            }
        }
    }
}

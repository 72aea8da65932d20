//! Signatures as other software makes them, written here element by element: OpenSSL's own signing
//! knows one digest and one form.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use openssl::hash::{hash, MessageDigest};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Signer};

use super::cms::Signature;
use super::der::tag;
use super::fixtures::{ec_key, ed25519_key, p256, rsa_key, tlv, Ca, Leaf};

const CONTENT: &[u8] = b"the canonical bytes";
const NULL: &[u8] = &[5, 0];

/// 1.2.840.113549, with what follows.
fn rsadsi(rest: &[u8]) -> Vec<u8> {
    tlv(tag::OID, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d][..], rest])
}

/// id-sha1, or 2.16.840.1.101.3.4.2 with its last number.
fn digest_oid(digest: MessageDigest) -> Vec<u8> {
    let last = match digest.type_() {
        Nid::SHA256 => 1,
        Nid::SHA384 => 2,
        Nid::SHA512 => 3,
        Nid::SHA224 => 4,
        Nid::SHA3_256 => 8,
        _ => return tlv(tag::OID, &[&[0x2b, 14, 3, 2, 26]]),
    };
    tlv(tag::OID, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last]])
}

fn algorithm(digest: MessageDigest) -> Vec<u8> {
    tlv(tag::SEQUENCE, &[&digest_oid(digest), NULL])
}

/// A signature in the making; what is usual unless a test says otherwise.
#[derive(Clone, Copy)]
struct Form<'a> {
    digest: MessageDigest,
    /// With RSA: RSASSA-PSS, MGF1 over the same digest, a salt of its length.
    pss: bool,
    attributes: Attributes<'a>,
    by_key_id: bool,
    embedded: bool,
}

/// What stands among the signed attributes.
#[derive(Clone, Copy)]
enum Attributes<'a> {
    /// None: the content is signed directly.
    Absent,
    /// contentType with these OIDs, messageDigest with these digests.
    Values(&'a [&'a [u8]], &'a [&'a [u8]]),
    /// messageDigest twice, as two attributes.
    Twice,
    /// contentType alone.
    NoDigest,
    Usual,
}

impl Default for Form<'_> {
    fn default() -> Self {
        Self {
            digest: MessageDigest::sha256(),
            pss: false,
            attributes: Attributes::Usual,
            by_key_id: false,
            embedded: true,
        }
    }
}

/// id-data, and its octets.
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];

fn attribute(number: u8, value_tag: u8, values: &[&[u8]]) -> Vec<u8> {
    let values: Vec<_> = values
        .iter()
        .map(|value| tlv(value_tag, &[value]))
        .collect();
    let values: Vec<_> = values.iter().map(Vec::as_slice).collect();
    let oid = rsadsi(&[1, 9, number]);
    tlv(tag::SEQUENCE, &[&oid, &tlv(tag::SET, &values)])
}

impl Form<'_> {
    fn attributes(&self) -> Option<Vec<u8>> {
        let digest = hash(self.digest, CONTENT).unwrap();
        let (types, digests, times): (&[&[u8]], &[&[u8]], usize) = match self.attributes {
            Attributes::Absent => return None,
            Attributes::Values(types, digests) => (types, digests, 1),
            Attributes::Usual => (&[DATA], &[&digest], 1),
            Attributes::Twice => (&[DATA], &[&digest], 2),
            Attributes::NoDigest => (&[DATA], &[], 0),
        };
        let mut all = vec![attribute(3, tag::OID, types)];
        for _ in 0..times {
            all.push(attribute(4, tag::OCTET_STRING, digests));
        }
        all.sort();
        Some(all.concat())
    }

    fn signature(&self, key: &PKey<Private>, signed: &[u8]) -> Vec<u8> {
        if key.id() == Id::ED25519 {
            return Signer::new_without_digest(key)
                .and_then(|mut signer| signer.sign_oneshot_to_vec(signed))
                .unwrap();
        }
        let mut signer = Signer::new(self.digest, key).unwrap();
        if self.pss {
            signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
            signer
                .set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)
                .unwrap();
        }
        signer.update(signed).unwrap();
        signer.sign_to_vec().unwrap()
    }

    fn signature_algorithm(&self, key: &PKey<Private>) -> Vec<u8> {
        let parts = match key.id() {
            Id::RSA if self.pss => {
                let hash = algorithm(self.digest);
                let mgf = tlv(tag::SEQUENCE, &[&rsadsi(&[1, 1, 8]), &hash]);
                let salt = u8::try_from(self.digest.size()).unwrap();
                let salt = tlv(tag::INTEGER, &[&[salt]]);
                let parameters: [&[u8]; 3] = [
                    &tlv(tag::CONTEXT_0, &[&hash]),
                    &tlv(tag::CONTEXT_1, &[&mgf]),
                    &tlv(0xa2, &[&salt]),
                ];
                [rsadsi(&[1, 1, 10]), tlv(tag::SEQUENCE, &parameters)]
            }
            Id::RSA => [rsadsi(&[1, 1, 1]), NULL.to_vec()],
            Id::EC => {
                let last = match self.digest.type_() {
                    Nid::SHA256 => &[4, 3, 2][..],
                    Nid::SHA384 => &[4, 3, 3],
                    Nid::SHA512 => &[4, 3, 4],
                    Nid::SHA224 => &[4, 3, 1],
                    _ => &[4, 1],
                };
                let oid = tlv(tag::OID, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d], last]);
                [oid, Vec::new()]
            }
            _ => [tlv(tag::OID, &[&[0x2b, 0x65, 0x70]]), Vec::new()],
        };
        tlv(tag::SEQUENCE, &[&parts[0], &parts[1]])
    }

    fn signer_info(&self, signer: &Ca) -> Vec<u8> {
        let certificate = &signer.certificate;
        let (version, sid) = if self.by_key_id {
            let id = certificate.subject_key_id().unwrap();
            (3, tlv(tag::CONTEXT_0_PRIMITIVE, &[id.as_slice()]))
        } else {
            let issuer = certificate.issuer_name().to_der().unwrap();
            let der = certificate.to_der().unwrap();
            let serial = super::extensions::serial_octets(&der).unwrap();
            let serial = tlv(tag::INTEGER, &[serial]);
            (1, tlv(tag::SEQUENCE, &[&issuer, &serial]))
        };
        let attributes = self.attributes();
        let signature = match &attributes {
            Some(attributes) => self.signature(&signer.key, &tlv(tag::SET, &[attributes])),
            None => self.signature(&signer.key, CONTENT),
        };
        let attributes = attributes.map(|all| tlv(tag::CONTEXT_0, &[&all]));
        let parts: [&[u8]; 6] = [
            &[tag::INTEGER, 1, version],
            &sid,
            &algorithm(self.digest),
            attributes.as_deref().unwrap_or_default(),
            &self.signature_algorithm(&signer.key),
            &tlv(tag::OCTET_STRING, &[&signature]),
        ];
        tlv(tag::SEQUENCE, &parts)
    }

    fn by(&self, signer: &Ca) -> Vec<u8> {
        let certificate = signer.certificate.to_der().unwrap();
        let embedded = if self.embedded {
            tlv(tag::CONTEXT_0, &[&certificate])
        } else {
            Vec::new()
        };
        let info = self.signer_info(signer);
        signed_data(&[self.digest], &embedded, &[&info])
    }
}

fn signed_data(digests: &[MessageDigest], embedded: &[u8], infos: &[&[u8]]) -> Vec<u8> {
    let digests: Vec<_> = digests.iter().map(|digest| algorithm(*digest)).collect();
    let digests: Vec<_> = digests.iter().map(Vec::as_slice).collect();
    let parts: [&[u8]; 5] = [
        &[tag::INTEGER, 1, 1],
        &tlv(tag::SET, &digests),
        &tlv(tag::SEQUENCE, &[&tlv(tag::OID, &[DATA])]),
        embedded,
        &tlv(tag::SET, infos),
    ];
    let data = tlv(tag::SEQUENCE, &parts);
    let oid = rsadsi(&[1, 7, 2]);
    tlv(tag::SEQUENCE, &[&oid, &tlv(tag::CONTEXT_0, &[&data])])
}

fn signer(key: PKey<Private>) -> Ca {
    let leaf = Leaf {
        key: Some(key),
        ..Leaf::default()
    };
    Ca::root("Root").issue("Signer", leaf)
}

/// Over the content as it is, over one that is changed, and by its digest alone.
fn verdict(der: &[u8], signer: &Ca) -> Result<(), &'static str> {
    let signature = Signature::parse(der)?;
    assert!(signature.names(&signer.certificate));
    let verdict = signature.verify(CONTENT, &signer.certificate);
    assert!(signature.verify(b"changed", &signer.certificate).is_err());
    let digest = |by| hash(by, CONTENT).ok();
    let by_digest = signature.verify_digest(digest, &signer.certificate);
    assert!(by_digest.is_err() || verdict.is_ok());
    verdict
}

#[test]
fn every_form_of_rsa_and_ecdsa_over_sha2_is_read() {
    let signers = [
        (signer(p256()), false),
        (signer(ec_key(Nid::SECP384R1)), false),
        (signer(ec_key(Nid::SECP521R1)), false),
        (signer(rsa_key(2048)), false),
        (signer(rsa_key(3072)), true),
    ];
    for (number, (signer, pss)) in signers.iter().enumerate() {
        for digest in [
            MessageDigest::sha256(),
            MessageDigest::sha384(),
            MessageDigest::sha512(),
        ] {
            for attributes in [Attributes::Usual, Attributes::Absent] {
                for (by_key_id, embedded) in [(false, true), (true, true), (false, false)] {
                    let form = Form {
                        digest,
                        pss: *pss,
                        attributes,
                        by_key_id,
                        embedded,
                    };
                    let verdict = verdict(&form.by(signer), signer);
                    assert_eq!(verdict, Ok(()), "{number} {:?}", digest.type_());
                }
            }
        }
    }
}

#[test]
fn no_digest_but_those_of_sha2_from_256_bits_on_is_enough() {
    for (signer, pss) in [(signer(p256()), false), (signer(rsa_key(2048)), true)] {
        for digest in [
            MessageDigest::sha1(),
            MessageDigest::sha224(),
            MessageDigest::sha3_256(),
        ] {
            let form = Form {
                digest,
                pss,
                ..Form::default()
            };
            let refusal = verdict(&form.by(&signer), &signer).unwrap_err();
            assert!(refusal.contains("digest"), "{refusal}");
        }
    }
}

#[test]
fn ed25519_is_no_algorithm_of_a_message() {
    let signer = signer(ed25519_key());
    for digest in [MessageDigest::sha256(), MessageDigest::sha512()] {
        let form = Form {
            digest,
            ..Form::default()
        };
        let der = form.by(&signer);
        // Whose it is shall be asked first: nobody with such a key is trusted.
        assert!(Signature::parse(&der).is_ok());
        assert!(verdict(&der, &signer).is_err());
    }
}

#[test]
fn signed_attributes_must_say_once_what_was_signed() {
    let signer = signer(p256());
    let digest = hash(MessageDigest::sha256(), CONTENT).unwrap();
    let other = hash(MessageDigest::sha256(), b"other").unwrap();
    let right: &[&[u8]] = &[&digest];
    // id-signedData, in the place of id-data.
    let signed_data = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2][..];
    let of = |attributes| {
        let form = Form {
            attributes,
            ..Form::default()
        };
        verdict(&form.by(&signer), &signer)
    };
    assert_eq!(of(Attributes::Values(&[DATA], right)), Ok(()));
    for (what, attributes) in [
        ("another type", Attributes::Values(&[signed_data], right)),
        ("two types", Attributes::Values(&[DATA, signed_data], right)),
        ("no type", Attributes::Values(&[], right)),
        ("another digest", Attributes::Values(&[DATA], &[&other])),
        (
            "a short digest",
            Attributes::Values(&[DATA], &[&digest[..31]]),
        ),
        ("no digest in it", Attributes::Values(&[DATA], &[])),
        (
            "two digests",
            Attributes::Values(&[DATA], &[&digest, &other]),
        ),
        ("the digest twice", Attributes::Twice),
        ("no digest", Attributes::NoDigest),
    ] {
        assert!(of(attributes).is_err(), "{what}");
    }
}

/// Which of them would be the signer?
#[test]
fn one_signature_is_by_one_signer() {
    let (one, other) = (signer(p256()), signer(p256()));
    let digests = [MessageDigest::sha256()];
    let first = Form::default().signer_info(&one);
    let second = Form::default().signer_info(&other);
    assert_eq!(
        verdict(&signed_data(&digests, &[], &[&first]), &one),
        Ok(())
    );
    let mut both = [&first[..], &second[..]];
    both.sort_unstable();
    for infos in [&both[..], &[&first[..], &first[..]], &[]] {
        let der = signed_data(&digests, &[], infos);
        let refusal = Signature::parse(&der).unwrap_err();
        assert!(refusal.contains("exactly one signer"), "{refusal}");
    }
}

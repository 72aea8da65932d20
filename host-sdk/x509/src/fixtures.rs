//! Certificates for the tests of this crate, of the component's `trust` module and of the judge
//! `conformance`, made with the `openssl` crate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, dead_code)]

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::dsa::Dsa;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private, Public};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, SubjectKeyIdentifier,
};
use openssl::x509::{
    X509Builder, X509Crl, X509CrlBuilder, X509Extension, X509NameBuilder, X509RevokedBuilder, X509,
};

/// The time of all tests that do not say another one: 2026-11-18.
pub const NOW: i64 = 1_795_000_000;
const DAY: i64 = 86_400;

pub fn ec_key(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

pub fn p256() -> PKey<Private> {
    ec_key(Nid::X9_62_PRIME256V1)
}

pub fn rsa_key(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

pub fn ed25519_key() -> PKey<Private> {
    PKey::generate_ed25519().unwrap()
}

pub fn dsa_key() -> PKey<Private> {
    PKey::from_dsa(Dsa::generate(2048).unwrap()).unwrap()
}

/// A public key of RSA that nobody has the private one of: a random modulus.
pub fn rsa_public(bits: i32, exponent: &[u8]) -> PKey<Public> {
    let mut modulus = BigNum::new().unwrap();
    modulus.rand(bits, MsbOption::ONE, true).unwrap();
    let exponent = BigNum::from_slice(exponent).unwrap();
    PKey::from_rsa(Rsa::from_public_components(modulus, exponent).unwrap()).unwrap()
}

/// An authority named "X" by an authority named "X", valid from 2020 to 2040, of any
/// key, with any bytes for a signature of that key's kind.
pub fn rogue(key: &PKey<Public>, signature: &[u8]) -> X509 {
    let algorithm: &[u8] = match key.id() {
        // sha256WithRSAEncryption; ecdsa-with-SHA256; dsa-with-sha256.
        Id::RSA => &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b],
        Id::EC => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
        _ => &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 2],
    };
    let algorithm = tlv(0x30, &[&tlv(0x06, &[algorithm])]);
    let common_name = tlv(0x06, &[&[0x55, 4, 3]]);
    let name = tlv(0x30, &[&common_name, &tlv(0x0c, &[b"X"])]);
    let name = tlv(0x30, &[&tlv(0x31, &[&name])]);
    let (from, to) = (b"200101000000Z", b"400101000000Z");
    let validity = tlv(0x30, &[&tlv(0x17, &[from]), &tlv(0x17, &[to])]);
    let authority = tlv(0x30, &[&tlv(0x01, &[&[0xff]])]);
    let authority = tlv(
        0x30,
        &[
            &tlv(0x06, &[&[0x55, 0x1d, 0x13]]),
            &tlv(0x01, &[&[0xff]]),
            &tlv(0x04, &[&authority]),
        ],
    );
    let tbs = tlv(
        0x30,
        &[
            &[0xa0, 3, 2, 1, 2, 2, 1, 1],
            &algorithm,
            &name,
            &validity,
            &name,
            &key.public_key_to_der().unwrap(),
            &tlv(0xa3, &[&tlv(0x30, &[&authority])]),
        ],
    );
    let signature = tlv(0x03, &[&[0], signature]);
    X509::from_der(&tlv(0x30, &[&tbs, &algorithm, &signature])).unwrap()
}

/// An element of DER.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let length = match content.len() {
        0..=0x7f => vec![length[3]],
        0x80..=0xff => vec![0x81, length[3]],
        _ => vec![0x82, length[2], length[3]],
    };
    [&[tag], &*length, &content].concat()
}

/// The digest that goes with the key.
pub fn digest_for(key: &PKey<Private>) -> MessageDigest {
    match key.id() {
        Id::ED25519 => MessageDigest::null(),
        _ => MessageDigest::sha256(),
    }
}

/// What a leaf is made of; the default is a good signer on P-256.
#[derive(Clone)]
pub struct Leaf {
    pub key: Option<PKey<Private>>,
    pub ca: bool,
    pub key_usage: Option<&'static str>,
    pub extended_key_usage: Vec<&'static str>,
    /// `subjectAltName` and others, in OpenSSL's configuration syntax.
    pub extensions: Vec<(Nid, String)>,
    pub digest: Option<MessageDigest>,
    /// notBefore and notAfter, seconds since 1970.
    pub validity: (i64, i64),
    pub path_len: Option<u32>,
}

impl Default for Leaf {
    fn default() -> Self {
        Self {
            key: None,
            ca: false,
            key_usage: Some("digitalSignature"),
            extended_key_usage: Vec::new(),
            extensions: Vec::new(),
            digest: None,
            validity: (NOW - 30 * DAY, NOW + 30 * DAY),
            path_len: None,
        }
    }
}

impl Leaf {
    pub fn intermediate() -> Self {
        Self {
            ca: true,
            key_usage: Some("critical,keyCertSign,cRLSign"),
            ..Self::default()
        }
    }
}

/// A certificate with its key.
pub struct Ca {
    pub certificate: X509,
    pub key: PKey<Private>,
}

impl Ca {
    pub fn root(name: &str) -> Self {
        Self::root_signed_with(name, p256(), MessageDigest::sha256())
    }

    pub fn root_signed_with(name: &str, key: PKey<Private>, digest: MessageDigest) -> Self {
        let profile = Leaf {
            key: Some(key),
            digest: Some(digest),
            validity: (NOW - 300 * DAY, NOW + 300 * DAY),
            ..Leaf::intermediate()
        };
        make(name, profile, None)
    }

    pub fn issue(&self, name: &str, profile: Leaf) -> Self {
        make(name, profile, Some(self))
    }

    pub fn pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().unwrap()).unwrap()
    }

    /// A revocation list of this authority, with a validity of ten days around `NOW`.
    pub fn crl(&self, revoked: &[&X509], next_update: i64) -> X509Crl {
        self.crl_of(revoked, (NOW - 5 * DAY, next_update), None)
    }

    /// A revocation list with its dates, and with one critical extension: the last arc of its
    /// identifier below 2.5.29, and its value in DER.
    pub fn crl_of(
        &self,
        revoked: &[&X509],
        dates: (i64, i64),
        extension: Option<(u8, &[u8])>,
    ) -> X509Crl {
        let mut list = X509CrlBuilder::new().unwrap();
        list.set_issuer_name(self.certificate.subject_name())
            .unwrap();
        list.set_last_update(&Asn1Time::from_unix(dates.0).unwrap())
            .unwrap();
        list.set_next_update(&Asn1Time::from_unix(dates.1).unwrap())
            .unwrap();
        for certificate in revoked {
            let mut entry = X509RevokedBuilder::new().unwrap();
            entry
                .set_serial_number(certificate.serial_number())
                .unwrap();
            entry
                .set_revocation_date(&Asn1Time::from_unix(NOW - 4 * DAY).unwrap())
                .unwrap();
            list.add_revoked(entry.build()).unwrap();
        }
        let context = X509Builder::new().unwrap();
        let identifier = AuthorityKeyIdentifier::new()
            .keyid(true)
            .build(&context.x509v3_context(Some(&self.certificate), None))
            .unwrap();
        list.append_extension(identifier).unwrap();
        let number: (u8, &[u8]) = (20, &[2, 1, 1]);
        for (arc, value) in [Some(number), extension].into_iter().flatten() {
            let extension = X509Extension::new_from_der(
                &Asn1Object::from_str(&format!("2.5.29.{arc}")).unwrap(),
                arc != 20,
                &Asn1OctetString::new_from_bytes(value).unwrap(),
            );
            list.append_extension(extension.unwrap()).unwrap();
        }
        list.sign(&self.key, digest_for(&self.key)).unwrap();
        list.build().unwrap()
    }
}

fn make(name: &str, profile: Leaf, issuer: Option<&Ca>) -> Ca {
    let key = profile.key.clone().unwrap_or_else(p256);
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(120, MsbOption::ONE, false).unwrap();
    builder
        .set_serial_number(&Asn1Integer::from_bn(&serial).unwrap())
        .unwrap();
    builder.set_subject_name(&subject).unwrap();
    let issuer_name = issuer.map_or(&*subject, |ca| ca.certificate.subject_name());
    builder.set_issuer_name(issuer_name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::from_unix(profile.validity.0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::from_unix(profile.validity.1).unwrap())
        .unwrap();
    if profile.ca {
        let mut constraints = BasicConstraints::new();
        constraints.critical().ca();
        if let Some(path_len) = profile.path_len {
            constraints.pathlen(path_len);
        }
        builder
            .append_extension(constraints.build().unwrap())
            .unwrap();
    }
    let issuer_certificate = issuer.map(|ca| &*ca.certificate);
    let context = |builder: &X509Builder| {
        SubjectKeyIdentifier::new()
            .build(&builder.x509v3_context(issuer_certificate, None))
            .unwrap()
    };
    let identifier = context(&builder);
    builder.append_extension(identifier).unwrap();
    if issuer.is_some() {
        let identifier = AuthorityKeyIdentifier::new()
            .keyid(true)
            .build(&builder.x509v3_context(issuer_certificate, None))
            .unwrap();
        builder.append_extension(identifier).unwrap();
    }
    if let Some(usage) = profile.key_usage {
        builder
            .append_extension(by_configuration(&builder, Nid::KEY_USAGE, usage))
            .unwrap();
    }
    if !profile.extended_key_usage.is_empty() {
        let mut usages = ExtendedKeyUsage::new();
        for usage in &profile.extended_key_usage {
            usages.other(usage);
        }
        builder.append_extension(usages.build().unwrap()).unwrap();
    }
    for (nid, value) in &profile.extensions {
        builder
            .append_extension(by_configuration(&builder, *nid, value))
            .unwrap();
    }
    let signing_key = issuer.map_or(&key, |ca| &ca.key);
    let digest = profile.digest.unwrap_or_else(|| digest_for(signing_key));
    builder.sign(signing_key, digest).unwrap();
    Ca {
        certificate: builder.build(),
        key,
    }
}

#[allow(deprecated)]
fn by_configuration(builder: &X509Builder, nid: Nid, value: &str) -> X509Extension {
    X509Extension::new_nid(None, Some(&builder.x509v3_context(None, None)), nid, value).unwrap()
}

//! Makes the fixtures: a chain, a revocation list, and messages that its leaf signed. The keys are
//! forgotten, so a second run makes others. Called by `fuzz-seeds fixtures` only.

use std::fs;
use std::io;
use std::path::Path;

use kura_formats::payload::{encode, Payload};
use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectKeyIdentifier,
};
use openssl::x509::{X509Builder, X509CrlBuilder, X509Extension, X509NameBuilder, X509};
use provisioning_service::trust::sign;

use crate::certificates::NOW;
use crate::signed::{unsigned, view};

/// 50 years either way.
const HALF: i64 = 50 * 365 * 86_400;

struct Party {
    certificate: X509,
    key: PKey<Private>,
}

/// Writes them into `folder`.
///
/// # Errors
/// OpenSSL's, or of the file system.
pub fn write(folder: &Path) -> io::Result<()> {
    let root = party("Root", 1, None, true)?;
    let middle = party("Intermediate", 2, Some(&root), true)?;
    let leaf = party("Signer", 3, Some(&middle), false)?;
    let mut chain = Vec::new();
    for one in [&leaf, &middle, &root] {
        chain.extend(one.certificate.to_pem()?);
    }
    fs::write(folder.join("chain.pem"), chain)?;
    fs::write(folder.join("list.pem"), list(&root)?)?;
    for (name, mut payload) in ["message.bin", "session-message.bin"]
        .into_iter()
        .zip(unsigned())
    {
        sign_payload(&mut payload, &leaf)?;
        fs::write(folder.join(name), encode(&payload))?;
    }
    Ok(())
}

fn sign_payload(payload: &mut Payload, leaf: &Party) -> Result<(), ErrorStack> {
    let canonical = view(payload).canonical().unwrap();
    let signature = sign(&canonical, &leaf.certificate, &leaf.key)?;
    payload.push("signature", signature);
    Ok(())
}

fn party(name: &str, serial: u32, issuer: Option<&Party>, ca: bool) -> Result<Party, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
    let mut subject = X509NameBuilder::new()?;
    subject.append_entry_by_text("CN", name)?;
    let subject = subject.build();
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    let serial = Asn1Integer::from_bn(&*BigNum::from_u32(serial)?)?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(issuer.map_or(&*subject, |i| i.certificate.subject_name()))?;
    builder.set_pubkey(&key)?;
    builder.set_not_before(&*Asn1Time::from_unix(NOW - HALF)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(NOW + HALF)?)?;
    let mut usage = KeyUsage::new();
    usage.critical();
    if ca {
        builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        usage.key_cert_sign().crl_sign();
    } else {
        usage.digital_signature();
    }
    builder.append_extension(usage.build()?)?;
    let above = issuer.map(|issuer| &*issuer.certificate);
    let identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(above, None))?;
    builder.append_extension(identifier)?;
    if above.is_some() {
        let identifier = AuthorityKeyIdentifier::new()
            .keyid(true)
            .build(&builder.x509v3_context(above, None))?;
        builder.append_extension(identifier)?;
    }
    let signing = issuer.map_or(&key, |issuer| &issuer.key);
    builder.sign(signing, MessageDigest::sha256())?;
    Ok(Party {
        certificate: builder.build(),
        key,
    })
}

fn list(root: &Party) -> Result<Vec<u8>, ErrorStack> {
    let mut list = X509CrlBuilder::new()?;
    list.set_issuer_name(root.certificate.subject_name())?;
    list.set_last_update(&*Asn1Time::from_unix(NOW - HALF)?)?;
    list.set_next_update(&*Asn1Time::from_unix(NOW + HALF)?)?;
    let identifier = AuthorityKeyIdentifier::new()
        .keyid(true)
        .build(&X509Builder::new()?.x509v3_context(Some(&root.certificate), None))?;
    list.append_extension(identifier)?;
    // cRLNumber, RFC 5280, 5.2.3.
    list.append_extension(X509Extension::new_from_der(
        &*Asn1Object::from_str("2.5.29.20")?,
        false,
        &*Asn1OctetString::new_from_bytes(&[2, 1, 1])?,
    )?)?;
    list.sign(&root.key, MessageDigest::sha256())?;
    list.build()?.to_pem()
}

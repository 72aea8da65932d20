//! A certificate with its key and the way up to its root.

use super::profile::{Profile, Purpose};
use super::{openssl_error, PkiError};
use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, PKeyRef, Private, Public};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509Builder, X509Extension, X509Name, X509};
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// A certificate, its private key, and its issuers up to the root.
#[derive(Clone)]
pub struct Identity {
    pub(super) certificate: X509,
    pub(super) key: PKey<Private>,
    pub(super) issuers: Vec<X509>,
}

impl Identity {
    /// Makes a self-signed certificate.
    pub fn self_signed(profile: &Profile) -> Result<Identity, PkiError> {
        make(profile, None).map_err(openssl_error(&profile.common_name))
    }

    /// Makes a certificate issued by this one, whether or not this one may issue.
    pub fn issue(&self, profile: &Profile) -> Result<Identity, PkiError> {
        make(profile, Some(self)).map_err(openssl_error(&profile.common_name))
    }

    /// Certifies somebody else's key, and gives the certificate with its issuers up to, and
    /// without, the root: leaf first, as PEM. The kind of key in the profile counts for nothing.
    pub fn certify(&self, profile: &Profile, key: &PKeyRef<Public>) -> Result<Issued, PkiError> {
        let what = || openssl_error(&profile.common_name);
        let certificate = build(profile, Some(self), &self.key, |b| b.set_pubkey(key));
        let certificate = certificate.map_err(what())?;
        let between = self.issuers.split_last().map_or(&[][..], |(_, rest)| rest);
        let own = match self.issuers.is_empty() {
            true => None,
            false => Some(&self.certificate),
        };
        let chain = pem([&certificate].into_iter().chain(own).chain(between))?;
        Ok(Issued { certificate, chain })
    }

    /// The certificate itself.
    pub fn certificate(&self) -> &X509 {
        &self.certificate
    }

    /// Its private key.
    pub fn key(&self) -> &PKey<Private> {
        &self.key
    }

    /// The issuers, nearest first, root last; empty for a self-signed one.
    pub fn issuers(&self) -> &[X509] {
        &self.issuers
    }

    /// The topmost certificate of the chain: itself if self-signed.
    pub fn root(&self) -> &X509 {
        self.issuers.last().unwrap_or(&self.certificate)
    }

    /// Itself and all its issuers, leaf first, as PEM.
    pub fn chain_pem(&self) -> Result<Vec<u8>, PkiError> {
        let all = std::iter::once(&self.certificate).chain(&self.issuers);
        pem(all)
    }

    /// Itself and its intermediate issuers, without the root: what a TLS server shows.
    pub fn server_pem(&self) -> Result<Vec<u8>, PkiError> {
        let between = self.issuers.split_last().map_or(&[][..], |(_, rest)| rest);
        pem(std::iter::once(&self.certificate).chain(between))
    }

    /// The certificate alone, as PEM.
    pub fn certificate_pem(&self) -> Result<Vec<u8>, PkiError> {
        pem(std::iter::once(&self.certificate))
    }

    /// The private key as PKCS#8 PEM, not encrypted.
    pub fn key_pem(&self) -> Result<Zeroizing<Vec<u8>>, PkiError> {
        let pem = self.key.private_key_to_pem_pkcs8();
        pem.map(Zeroizing::new)
            .map_err(openssl_error("the PEM of a private key"))
    }

    /// The same certificate and key, presented with other issuers.
    pub fn with_issuers(&self, issuers: Vec<X509>) -> Identity {
        Identity {
            issuers,
            ..self.clone()
        }
    }
}

/// A certificate for a key that is elsewhere.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate itself.
    pub certificate: X509,
    /// It and its issuers without the root, leaf first, as PEM.
    pub chain: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("subject", &self.certificate.subject_name())
            .field("issuers", &self.issuers.len())
            .finish_non_exhaustive()
    }
}

/// SHA-256 over the DER of a certificate, lower hex without separators.
pub fn fingerprint(certificate: &X509) -> Result<String, PkiError> {
    let digest = certificate.digest(MessageDigest::sha256());
    Ok(crate::hex(&digest.map_err(openssl_error("a fingerprint"))?))
}

fn pem<'a>(certificates: impl Iterator<Item = &'a X509>) -> Result<Vec<u8>, PkiError> {
    let mut all = Vec::new();
    for certificate in certificates {
        all.extend(
            certificate
                .to_pem()
                .map_err(openssl_error("the PEM of a certificate"))?,
        );
    }
    Ok(all)
}

fn make(profile: &Profile, issuer: Option<&Identity>) -> Result<Identity, ErrorStack> {
    let key = profile.key.generate()?;
    let signing_key = issuer.map_or(&key, |i| &i.key);
    let certificate = build(profile, issuer, signing_key, |b| b.set_pubkey(&key))?;
    let issuers = issuer.map_or_else(Vec::new, |issuer| {
        let mut all = vec![issuer.certificate.clone()];
        all.extend(issuer.issuers.iter().cloned());
        all
    });
    Ok(Identity {
        certificate,
        key,
        issuers,
    })
}

fn build(
    profile: &Profile,
    issuer: Option<&Identity>,
    signing_key: &PKeyRef<Private>,
    set_key: impl FnOnce(&mut X509Builder) -> Result<(), ErrorStack>,
) -> Result<X509, ErrorStack> {
    let name = name(&profile.common_name)?;
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial()?)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(issuer.map_or(&*name, |i| i.certificate.subject_name()))?;
    set_key(&mut builder)?;
    let now = now();
    builder.set_not_before(&*Asn1Time::from_unix(now + profile.not_before)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(now + profile.not_after)?)?;
    extend(&mut builder, profile, issuer)?;
    // Ed25519 brings its own digest.
    let digest = match signing_key.id() {
        Id::ED25519 => MessageDigest::null(),
        _ if profile.sha1 => MessageDigest::sha1(),
        _ => MessageDigest::sha256(),
    };
    builder.sign(signing_key, digest)?;
    Ok(builder.build())
}

fn extend(
    builder: &mut X509Builder,
    profile: &Profile,
    issuer: Option<&Identity>,
) -> Result<(), ErrorStack> {
    let mut constraints = BasicConstraints::new();
    constraints.critical();
    let mut usage = KeyUsage::new();
    usage.critical();
    let mut extended = ExtendedKeyUsage::new();
    match &profile.purpose {
        Purpose::Authority { path_len } => {
            constraints.ca();
            if let Some(length) = path_len {
                constraints.pathlen(*length);
            }
            usage.key_cert_sign().crl_sign();
        }
        Purpose::Signer | Purpose::Server { .. } | Purpose::Client => {
            usage.digital_signature();
        }
    }
    builder.append_extension(constraints.build()?)?;
    if profile.key_usage {
        builder.append_extension(usage.build()?)?;
    }
    if let Purpose::Server { names } = &profile.purpose {
        let mut alternative = SubjectAlternativeName::new();
        for name in names {
            match name.parse::<IpAddr>() {
                Ok(_) => alternative.ip(name),
                Err(_) => alternative.dns(name),
            };
        }
        let extension = alternative.build(&builder.x509v3_context(None, None))?;
        builder.append_extension(extension)?;
    }
    if profile.server_auth_only || matches!(profile.purpose, Purpose::Server { .. }) {
        builder.append_extension(extended.server_auth().build()?)?;
    }
    if profile.purpose == Purpose::Client {
        builder.append_extension(extended.client_auth().build()?)?;
    }
    let subject_key = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(subject_key)?;
    if let Some(issuer) = issuer {
        let context = builder.x509v3_context(Some(&issuer.certificate), None);
        let extension = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
        builder.append_extension(extension)?;
    }
    if profile.unknown_critical {
        let oid = Asn1Object::from_str("1.3.6.1.4.1.99999.1")?;
        let content = Asn1OctetString::new_from_bytes(&[5, 0])?;
        builder.append_extension(X509Extension::new_from_der(&oid, true, &content)?)?;
    }
    Ok(())
}

fn name(common_name: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::ORGANIZATIONNAME, "Provision Platform")?;
    name.append_entry_by_nid(Nid::COMMONNAME, common_name)?;
    Ok(name.build())
}

/// 127 random bits: positive, and unique for all purposes.
fn serial() -> Result<Asn1Integer, ErrorStack> {
    let mut number = BigNum::new()?;
    number.rand(127, MsbOption::MAYBE_ZERO, false)?;
    number.to_asn1_integer()
}

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

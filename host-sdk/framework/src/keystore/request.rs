//! Certificate requests (PKCS#10).

use openssl::pkey::{PKeyRef, Private};
use openssl::x509::X509ReqBuilder;

use super::{subject, KeystoreError, SignatureAlgorithm};

/// A request for the key, signed by it, as PEM.
pub(super) fn request(
    key: &PKeyRef<Private>,
    subject: &str,
    algorithm: SignatureAlgorithm,
) -> Result<String, KeystoreError> {
    let name = subject::parse(subject)?;
    let digest = algorithm.digest(key)?;
    let mut builder = X509ReqBuilder::new()?;
    builder.set_version(0)?;
    builder.set_subject_name(&name)?;
    builder.set_pubkey(key)?;
    builder.sign(key, digest)?;
    let pem = builder.build().to_pem()?;
    Ok(String::from_utf8_lossy(&pem).into_owned())
}

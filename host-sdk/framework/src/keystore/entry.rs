//! An entry as the text of its file, and what PEM texts hold.

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509Crl, X509};
use x509_policy::revocation;
use zeroize::Zeroizing;

use super::{EntryInfo, EntryKind, KeystoreError};

const BEGIN_SEALED: &str = "-----BEGIN SEALED PRIVATE KEY-----";
const END_SEALED: &str = "-----END SEALED PRIVATE KEY-----";

/// An entry.
pub(super) enum Entry {
    Certificate(X509),
    /// The key as PKCS#8 in DER, encrypted by the gateway's key; and its chain, leaf first.
    Key {
        sealed: Vec<u8>,
        chain: Vec<X509>,
    },
    Crl(X509Crl),
}

impl Entry {
    pub(super) fn info(&self, alias: &str) -> Result<EntryInfo, KeystoreError> {
        let (kind, pem) = match self {
            Entry::Certificate(certificate) => {
                (EntryKind::TrustedCertificate, text(certificate.to_pem()?)?)
            }
            Entry::Key { chain, .. } => (EntryKind::PrivateKey, chain_pem(chain)?),
            Entry::Crl(crl) => (EntryKind::Crl, text(crl.to_pem()?)?),
        };
        let alias = alias.to_owned();
        Ok(EntryInfo { alias, kind, pem })
    }

    /// The text of the file.
    pub(super) fn to_text(&self) -> Result<String, KeystoreError> {
        match self {
            Entry::Key { sealed, chain } => {
                let sealed = BASE64.encode(sealed);
                let chain = chain_pem(chain)?;
                Ok(format!("{BEGIN_SEALED}\n{sealed}\n{END_SEALED}\n{chain}"))
            }
            other => Ok(other.info("")?.pem),
        }
    }

    /// From the text of a file.
    pub(super) fn from_text(file: &str) -> Result<Entry, KeystoreError> {
        let Some((_, rest)) = file.split_once(BEGIN_SEALED) else {
            return single(file);
        };
        let (sealed, chain) = rest
            .split_once(END_SEALED)
            .ok_or_else(|| bad("the private key has no end", None))?;
        let sealed = BASE64
            .decode(sealed.trim())
            .map_err(|_| bad("the private key is no base64", None))?;
        let chain = match chain.trim().is_empty() {
            true => Vec::new(),
            false => Bundle::read(chain)?.certificates,
        };
        Ok(Entry::Key { sealed, chain })
    }
}

/// One certificate or one revocation list.
fn single(file: &str) -> Result<Entry, KeystoreError> {
    let mut bundle = Bundle::read(file)?;
    match (bundle.certificates.pop(), bundle.crls.pop(), bundle.key) {
        (Some(certificate), None, None) if bundle.certificates.is_empty() => {
            Ok(Entry::Certificate(certificate))
        }
        (None, Some(crl), None) if bundle.crls.is_empty() => Ok(Entry::Crl(crl)),
        _ => Err(bad(
            "the text must hold one certificate or one revocation list",
            None,
        )),
    }
}

/// All that a PEM text holds, in its order.
#[derive(Default)]
pub(super) struct Bundle {
    pub(super) certificates: Vec<X509>,
    pub(super) crls: Vec<X509Crl>,
    pub(super) key: Option<PKey<Private>>,
}

impl Bundle {
    /// Reads every block; text around the blocks is passed over. A block of another kind, a key
    /// with a passphrase, and a second key are errors, and so is a text without any block.
    pub(super) fn read(pem: &str) -> Result<Bundle, KeystoreError> {
        let mut bundle = Bundle::default();
        let mut rest = pem;
        let mut count = 0;
        while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
            count += 1;
            let Some((label, _)) = begun.split_once("-----") else {
                return Err(bad(
                    format!("block {count} of the PEM text has no head"),
                    None,
                ));
            };
            let end = format!("-----END {label}-----");
            let Some((body, behind)) = begun.split_once(&end) else {
                return Err(bad(
                    format!("block {count} of the PEM text has no end"),
                    None,
                ));
            };
            let block = Zeroizing::new(format!("-----BEGIN {body}{end}\n"));
            bundle.add(label, &block, count)?;
            rest = behind;
        }
        if count == 0 {
            return Err(bad("the text holds no PEM block", None));
        }
        Ok(bundle)
    }

    fn add(&mut self, label: &str, block: &str, number: usize) -> Result<(), KeystoreError> {
        let wrong = |e| {
            bad(
                format!("block {number} of the PEM text is no {label}"),
                Some(e),
            )
        };
        match label {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                let certificate = X509::from_pem(block.as_bytes()).map_err(wrong)?;
                self.certificates.push(certificate);
            }
            "X509 CRL" => self
                .crls
                .push(X509Crl::from_pem(block.as_bytes()).map_err(wrong)?),
            "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY" => {
                if self.key.is_some() {
                    return Err(bad("the text holds more than one private key", None));
                }
                // Never asks for a passphrase on the terminal.
                let key = PKey::private_key_from_pem_passphrase(block.as_bytes(), b"");
                self.key = Some(key.map_err(wrong)?);
            }
            "EC PARAMETERS" => {}
            "ENCRYPTED PRIVATE KEY" => {
                return Err(bad("the private key is protected by a passphrase", None))
            }
            other => {
                let other: String = other.chars().take(40).collect();
                return Err(bad(
                    format!("a PEM block of kind {other:?} has no place here"),
                    None,
                ));
            }
        }
        Ok(())
    }

    /// The one certificate of a text that holds nothing else.
    pub(super) fn certificate(pem: &str) -> Result<X509, KeystoreError> {
        match single(pem) {
            Ok(Entry::Certificate(certificate)) => Ok(certificate),
            Ok(_) => Err(bad("the text must hold one certificate", None)),
            Err(e) => Err(e),
        }
    }

    /// The one revocation list of a text that holds nothing else.
    pub(super) fn crl(pem: &str) -> Result<X509Crl, KeystoreError> {
        match single(pem) {
            Ok(Entry::Crl(crl)) => Ok(crl),
            Ok(_) => Err(bad("the text must hold one revocation list", None)),
            Err(e) => Err(e),
        }
    }
}

fn chain_pem(chain: &[X509]) -> Result<String, KeystoreError> {
    let mut pem = String::new();
    for certificate in chain {
        pem.push_str(&text(certificate.to_pem()?)?);
    }
    Ok(pem)
}

fn text(pem: Vec<u8>) -> Result<String, KeystoreError> {
    String::from_utf8(pem).map_err(|_| bad("the PEM text is no UTF-8", None))
}

/// Refuses a revocation list that nobody could obey. One that is there already can still be read,
/// and removed; whoever would obey it refuses then.
pub(super) fn usable(list: &X509Crl) -> Result<(), KeystoreError> {
    revocation::usable(list).map_err(|unusable| bad(unusable.to_string(), None))
}

pub(super) fn bad(
    what: impl Into<String>,
    source: Option<openssl::error::ErrorStack>,
) -> KeystoreError {
    let what = what.into();
    KeystoreError::BadPem { what, source }
}

//! Secrets: in memory, at random, and sealed in the database.
//!
//! The broker has to be told the passwords that the database keeps, so they are sealed (AES-256-GCM
//! under a key in a file beside the database, mode 0600) and not hashed. What the broker itself
//! stores is hashed by it.

use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;
use openssl::symm::{decrypt_aead, encrypt_aead, Cipher};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

pub use secret_text::Secret;

/// Random letters and digits, without a bias.
pub fn random(length: usize) -> Result<Secret, SecretError> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = Zeroizing::new(String::with_capacity(length));
    let mut bytes = Zeroizing::new([0_u8; 64]);
    while text.len() < length {
        rand_bytes(&mut bytes[..]).map_err(SecretError::OpenSsl)?;
        let letters = bytes
            .iter()
            .filter_map(|b| LETTERS.get(usize::from(b & 63)));
        let missing = length - text.len();
        text.extend(letters.map(|l| char::from(*l)).take(missing));
    }
    Ok(Secret::from(text.as_str()))
}

/// Why a secret could not be made, sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// OpenSSL refused.
    #[error("OpenSSL could not make or seal a secret")]
    OpenSsl(#[source] ErrorStack),
    /// Sealed with another key, for another purpose, or damaged.
    #[error("a sealed value ({0}) cannot be opened: wrong key or damaged")]
    Damaged(&'static str),
    /// The key file.
    #[error("the key file {} cannot be used", path.display())]
    KeyFile {
        /// Where it is.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

const NONCE: usize = 12;
const TAG: usize = 16;

/// Seals what goes into the database.
pub struct Vault {
    key: Zeroizing<[u8; 32]>,
}

impl Vault {
    /// Reads the key file, or makes it if there is none.
    pub fn open(path: &Path) -> Result<Vault, SecretError> {
        let error = |source| SecretError::KeyFile {
            path: path.to_owned(),
            source,
        };
        match std::fs::read(path).map(Zeroizing::new) {
            Ok(bytes) => {
                let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| {
                    error(std::io::Error::new(
                        std::io::ErrorKind::InvalidData,
                        "not 32 bytes",
                    ))
                })?;
                Ok(Vault {
                    key: Zeroizing::new(key),
                })
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let mut key = Zeroizing::new([0_u8; 32]);
                rand_bytes(&mut key[..]).map_err(SecretError::OpenSsl)?;
                durable_file::write(path, &key[..]).map_err(error)?;
                Ok(Vault { key })
            }
            Err(e) => Err(error(e)),
        }
    }

    /// Seals; `purpose` must be given again to open.
    pub fn seal(&self, purpose: &'static str, clear: &[u8]) -> Result<Vec<u8>, SecretError> {
        let mut nonce = [0; NONCE];
        rand_bytes(&mut nonce).map_err(SecretError::OpenSsl)?;
        let mut tag = [0; TAG];
        let cipher = Cipher::aes_256_gcm();
        let text = encrypt_aead(
            cipher,
            &self.key[..],
            Some(&nonce),
            purpose.as_bytes(),
            clear,
            &mut tag,
        )
        .map_err(SecretError::OpenSsl)?;
        Ok([&nonce[..], &tag[..], &text].concat())
    }

    /// Opens what [`Vault::seal`] sealed for the same purpose.
    pub fn unseal(
        &self,
        purpose: &'static str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let damaged = SecretError::Damaged(purpose);
        let Some((nonce, rest)) = sealed.split_at_checked(NONCE) else {
            return Err(damaged);
        };
        let Some((tag, text)) = rest.split_at_checked(TAG) else {
            return Err(damaged);
        };
        let cipher = Cipher::aes_256_gcm();
        decrypt_aead(
            cipher,
            &self.key[..],
            Some(nonce),
            purpose.as_bytes(),
            text,
            tag,
        )
        .map(Zeroizing::new)
        .map_err(|_| damaged)
    }

    /// Opens a sealed text.
    pub fn unseal_text(&self, purpose: &'static str, sealed: &[u8]) -> Result<Secret, SecretError> {
        let clear = self.unseal(purpose, sealed)?;
        let text = std::str::from_utf8(&clear).map_err(|_| SecretError::Damaged(purpose))?;
        Ok(Secret::new(text))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn random_secrets_have_their_length_and_do_not_repeat() {
        let (a, b) = (random(32).unwrap(), random(32).unwrap());
        assert_eq!(a.expose().len(), 32);
        assert!(a.expose().bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_ne!(a, b);
        assert_eq!(format!("{a:?}"), "***");
        assert_eq!(random(100).unwrap().expose().len(), 100);
    }

    #[test]
    fn only_the_same_key_and_purpose_open() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(&dir.path().join("a")).unwrap();
        let sealed = vault.seal("password", b"canary").unwrap();
        assert!(!sealed.windows(6).any(|w| w == b"canary"));
        let again = Vault::open(&dir.path().join("a")).unwrap();
        assert_eq!(
            again.unseal_text("password", &sealed).unwrap().expose(),
            "canary"
        );
        assert!(again.unseal("activation key", &sealed).is_err());
        let other = Vault::open(&dir.path().join("b")).unwrap();
        assert!(other.unseal("password", &sealed).is_err());
        assert!(again.unseal("password", sealed.get(..20).unwrap()).is_err());
    }
}

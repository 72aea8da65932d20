//! Encryption at rest under the gateway's own key: AES-256-GCM, a fresh random 12-byte IV each
//! time, a 16-byte tag. The key is 32 random bytes in a file of mode 0600, made at first use.
//! (Kura uses AES-128 with a key that is the same on every gateway; what was encrypted so can
//! be read, see [`Crypto::decrypt_text`], and is never written.) Snapshots, keystores, undo data
//! and the components' sealed files are encrypted here; who reads the key file reads them all.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;
use openssl::symm::{decrypt_aead, encrypt_aead, Cipher, Crypter, Mode};
use zeroize::Zeroizing;

use gateway_component_abi::value::Secret;

/// The name of the key file.
pub const KEY_FILE: &str = "gateway.key";

const KEY: usize = 32;
const IV: usize = 12;
const TAG: usize = 16;
/// First byte of everything that [`Crypto::encrypt`] makes.
const FORMAT: u8 = 1;
/// The key of Kura's `CryptoServiceImpl` where none is configured: public, hence no secret.
const KURA_DEFAULT_KEY: &[u8; 16] = b"rv;ipse329183!@#";

/// Why something could not be encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
pub enum CryptoError {
    /// The key file cannot be read or made.
    #[error("the key file {path} cannot be used")]
    KeyFile {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not encrypted with this key, or changed since.
    #[error("the data was not encrypted on this gateway, or has been changed")]
    Unreadable,
    /// OpenSSL refused.
    #[error("the cryptographic library failed")]
    Library(#[from] openssl::error::ErrorStack),
}

/// The gateway's key. Any thread. The key is zeroized at the end.
pub struct Crypto {
    key: Zeroizing<[u8; KEY]>,
}

impl std::fmt::Debug for Crypto {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Crypto(***)")
    }
}

impl Crypto {
    /// Reads the key of the folder, which must exist, and makes it where there is none. Two
    /// processes that do so at once end up with the same key. A key file that others may read
    /// is made private, with a warning.
    ///
    /// # Errors
    /// [`CryptoError::KeyFile`]; a file of the wrong size is never overwritten.
    pub fn open(folder: &Path) -> Result<Crypto, CryptoError> {
        let path = folder.join(KEY_FILE);
        let failed = |source| CryptoError::KeyFile {
            path: path.clone(),
            source,
        };
        if !path.try_exists().map_err(failed)? {
            make_key(&path).map_err(failed)?;
        }
        let bytes = Zeroizing::new(durable_file::read(&path).map_err(failed)?);
        let key = <[u8; KEY]>::try_from(bytes.as_slice()).map_err(|_| {
            let what = format!("holds {} bytes, not {KEY}", bytes.len());
            failed(io::Error::new(io::ErrorKind::InvalidData, what))
        })?;
        let key = Zeroizing::new(key);
        let file = durable_file::open(&path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            log::warn!("{} was open to others; made private", path.display());
            file.set_permissions(Permissions::from_mode(0o600))
                .map_err(failed)?;
        }
        Ok(Crypto { key })
    }

    /// Encrypts and authenticates. The result is 29 bytes longer.
    pub fn encrypt(&self, clear: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let cipher = Cipher::aes_256_gcm();
        let mut iv = [0; IV];
        openssl::rand::rand_bytes(&mut iv)?;
        let mut crypter = Crypter::new(cipher, Mode::Encrypt, self.key.as_slice(), Some(&iv))?;
        // One buffer that does not grow: it may be large.
        let mut out = Vec::with_capacity(1 + IV + clear.len() + TAG);
        out.push(FORMAT);
        out.extend_from_slice(&iv);
        let mut block = Zeroizing::new([0; 4096 + 16]);
        for part in clear.chunks(4096) {
            let count = crypter.update(part, block.as_mut_slice())?;
            out.extend_from_slice(block.get(..count).unwrap_or_default());
        }
        let count = crypter.finalize(block.as_mut_slice())?;
        out.extend_from_slice(block.get(..count).unwrap_or_default());
        let mut tag = [0; TAG];
        crypter.get_tag(&mut tag)?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    /// Decrypts what [`Crypto::encrypt`] made.
    ///
    /// # Errors
    /// [`CryptoError::Unreadable`] if it was not encrypted with this key, or was changed.
    pub fn decrypt(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let rest = sealed
            .strip_prefix(&[FORMAT])
            .ok_or(CryptoError::Unreadable)?;
        let (iv, sealed) = rest.split_at_checked(IV).ok_or(CryptoError::Unreadable)?;
        open(self.key.as_slice(), Cipher::aes_256_gcm(), iv, sealed)
    }

    /// Encrypts a text into Kura's form, `base64(iv)-base64(ciphertext || tag)`.
    pub fn encrypt_text(&self, clear: &str) -> Result<String, CryptoError> {
        let (iv, sealed) = seal(self.key.as_slice(), Cipher::aes_256_gcm(), clear.as_bytes())?;
        let mut text = String::with_capacity((IV + sealed.len()) * 4 / 3 + 16);
        BASE64.encode_string(iv, &mut text);
        text.push('-');
        BASE64.encode_string(sealed, &mut text);
        Ok(text)
    }

    /// Decrypts Kura's form, made by [`Crypto::encrypt_text`] or by a Kura with its default key.
    /// An empty text is an empty text, as in Kura.
    ///
    /// # Errors
    /// [`CryptoError::Unreadable`] if it is of another form, of another key, or changed.
    pub fn decrypt_text(&self, sealed: &str) -> Result<Secret, CryptoError> {
        if sealed.is_empty() {
            return Ok(Secret::default());
        }
        let (iv, sealed) = parts(sealed).ok_or(CryptoError::Unreadable)?;
        let mut clear = open(self.key.as_slice(), Cipher::aes_256_gcm(), &iv, &sealed)
            .or_else(|_| open(KURA_DEFAULT_KEY, Cipher::aes_128_gcm(), &iv, &sealed))?;
        String::from_utf8(std::mem::take(&mut *clear))
            .map(Secret::new)
            .map_err(|_| CryptoError::Unreadable)
    }

    /// Whether the text was made by [`Crypto::encrypt_text`] with this key.
    pub(crate) fn is_own_text(&self, text: &str) -> bool {
        let parts = parts(text);
        parts.is_some_and(|(iv, sealed)| {
            open(self.key.as_slice(), Cipher::aes_256_gcm(), &iv, &sealed).is_ok()
        })
    }

    /// Whether the text is of the form that [`Crypto::encrypt_text`] makes, whatever its key.
    pub fn is_sealed_text(text: &str) -> bool {
        parts(text).is_some()
    }
}

/// The IV and the ciphertext of Kura's form.
fn parts(text: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (iv, sealed) = text.trim().split_once('-')?;
    let iv = BASE64.decode(iv).ok().filter(|iv| iv.len() == IV)?;
    let sealed = BASE64.decode(sealed).ok().filter(|s| s.len() >= TAG)?;
    Some((iv, sealed))
}

fn seal(key: &[u8], cipher: Cipher, clear: &[u8]) -> Result<([u8; IV], Vec<u8>), CryptoError> {
    let mut iv = [0; IV];
    openssl::rand::rand_bytes(&mut iv)?;
    let mut tag = [0; TAG];
    let mut sealed = encrypt_aead(cipher, key, Some(&iv), &[], clear, &mut tag)?;
    sealed.extend_from_slice(&tag);
    Ok((iv, sealed))
}

fn open(
    key: &[u8],
    cipher: Cipher,
    iv: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let at = sealed
        .len()
        .checked_sub(TAG)
        .ok_or(CryptoError::Unreadable)?;
    let (sealed, tag) = sealed.split_at(at);
    decrypt_aead(cipher, key, Some(iv), &[], sealed, tag)
        .map(Zeroizing::new)
        .map_err(|_| CryptoError::Unreadable)
}

/// Makes a new key, which never replaces that of another process that was quicker.
fn make_key(path: &Path) -> io::Result<()> {
    let mut key = Zeroizing::new([0; KEY]);
    openssl::rand::rand_bytes(key.as_mut_slice())?;
    durable_file::create(path, key.as_slice())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::fs;

    use super::*;

    #[test]
    fn the_key_is_private_stays_and_opens_what_it_sealed() {
        let dir = tempfile::tempdir().unwrap();
        let crypto = Crypto::open(dir.path()).unwrap();
        let sealed = crypto.encrypt(b"canary").unwrap();
        let text = crypto.encrypt_text("canary").unwrap();
        assert_ne!(sealed, crypto.encrypt(b"canary").unwrap());
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        let key = dir.path().join(KEY_FILE);
        assert_eq!(mode(&key), 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
        let again = Crypto::open(dir.path()).unwrap();
        assert_eq!(mode(&key), 0o600);
        assert_eq!(again.decrypt(&sealed).unwrap().as_slice(), b"canary");
        assert_eq!(again.decrypt_text(&text).unwrap().expose(), "canary");
        assert_eq!(format!("{again:?}"), "Crypto(***)");
    }

    #[test]
    fn a_change_of_any_byte_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let crypto = Crypto::open(dir.path()).unwrap();
        let sealed = crypto.encrypt(b"secret").unwrap();
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert!(matches!(
                crypto.decrypt(&changed),
                Err(CryptoError::Unreadable)
            ));
        }
        for text in ["", "x"] {
            assert!(crypto.decrypt(text.as_bytes()).is_err());
        }
        assert!(crypto.decrypt_text("no form").is_err());
    }

    #[test]
    fn two_processes_that_start_together_get_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(KEY_FILE);
        Crypto::open(dir.path()).unwrap();
        let before = fs::read(&path).unwrap();
        make_key(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_damaged_key_file_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(KEY_FILE);
        fs::write(&path, b"short").unwrap();
        assert!(matches!(
            Crypto::open(dir.path()),
            Err(CryptoError::KeyFile { .. })
        ));
        assert_eq!(fs::read(&path).unwrap(), b"short");
    }

    #[test]
    fn what_a_kura_with_its_default_key_sealed_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let crypto = Crypto::open(dir.path()).unwrap();
        let (iv, sealed) = seal(KURA_DEFAULT_KEY, Cipher::aes_128_gcm(), b"changeit").unwrap();
        let text = format!("{}-{}", BASE64.encode(iv), BASE64.encode(sealed));
        assert_eq!(crypto.decrypt_text(&text).unwrap().expose(), "changeit");
    }
}

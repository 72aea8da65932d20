//! The keystores and what can be done with them.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use zeroize::Zeroizing;

use gateway_component_abi::value::Secret;

use crate::crypto::Crypto;

use super::entry::{usable, Bundle, Entry};
use super::files::{storage, Files, Room};
use super::request::request;
use super::{
    EntryInfo, KeyAlgorithm, KeystoreError, SignatureAlgorithm, DM_KEYSTORE, HTTPS_KEYSTORE,
    SSL_KEYSTORE,
};

/// The gateway's keystores. Any thread; changes are made one after the other, each durable when
/// the call returns. Each keystore has 256 entries and 2 MiB at most; what would be more is
/// [`KeystoreError::TooMuch`].
#[derive(Debug)]
pub struct Keystores {
    stores: Vec<(String, Files)>,
    crypto: Arc<Crypto>,
    /// Held while an entry is looked at and replaced.
    changing: Mutex<()>,
}

impl Keystores {
    /// Opens the keystores in a folder, and makes what does not exist. The folder's parent must
    /// exist.
    ///
    /// # Errors
    /// The file system.
    pub fn open(folder: &Path, crypto: Arc<Crypto>) -> Result<Keystores, KeystoreError> {
        durable_file::create_folder(folder).map_err(|e| storage(folder, e))?;
        let mut stores = Vec::new();
        for name in [SSL_KEYSTORE, DM_KEYSTORE, HTTPS_KEYSTORE] {
            let folder = folder.join(name);
            durable_file::create_folder(&folder).map_err(|e| storage(&folder, e))?;
            stores.push((name.to_owned(), Files::of(folder)));
        }
        let changing = Mutex::new(());
        Ok(Keystores {
            stores,
            crypto,
            changing,
        })
    }

    /// The names of the keystores.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.stores.iter().map(|(name, _)| name.as_str())
    }

    /// The entries of a keystore, in the order of their aliases.
    ///
    /// # Errors
    /// No such keystore; a damaged file: a keystore without one of its entries (a revocation
    /// list, say) would be another keystore.
    pub fn list(&self, keystore: &str) -> Result<Vec<EntryInfo>, KeystoreError> {
        let entries = self.entries(keystore)?;
        entries
            .iter()
            .map(|(alias, entry)| entry.info(alias))
            .collect()
    }

    /// One entry.
    ///
    /// # Errors
    /// No such keystore or entry; a damaged file.
    pub fn entry(&self, keystore: &str, alias: &str) -> Result<EntryInfo, KeystoreError> {
        self.existing(keystore, alias)?.info(alias)
    }

    /// The trusted certificates of a keystore. Those in the chain of a private key are none.
    ///
    /// # Errors
    /// As [`Keystores::list`].
    pub fn anchors(&self, keystore: &str) -> Result<Vec<X509>, KeystoreError> {
        let entries = self.entries(keystore)?;
        let anchors = entries.into_iter().filter_map(|(_, entry)| match entry {
            Entry::Certificate(certificate) => Some(certificate),
            _ => None,
        });
        Ok(anchors.collect())
    }

    /// Sets a trusted certificate: PEM that holds one certificate and nothing else.
    ///
    /// # Errors
    /// No such keystore, no certificate, a private key under this alias.
    pub fn put_certificate(
        &self,
        keystore: &str,
        alias: &str,
        pem: &str,
    ) -> Result<(), KeystoreError> {
        self.put_certificate_in(Room::Anybody, keystore, alias, pem)
    }

    /// The same, in that room.
    ///
    /// # Errors
    /// As [`Keystores::put_certificate`].
    pub fn put_certificate_in(
        &self,
        room: Room,
        keystore: &str,
        alias: &str,
        pem: &str,
    ) -> Result<(), KeystoreError> {
        let certificate = Bundle::certificate(pem)?;
        self.put(room, keystore, alias, &Entry::Certificate(certificate))
    }

    /// Sets a revocation list: PEM that holds one and nothing else.
    ///
    /// # Errors
    /// As [`Keystores::put_certificate`]; a list that cannot be obeyed, being a delta or an
    /// indirect one.
    pub fn put_crl(&self, keystore: &str, alias: &str, pem: &str) -> Result<(), KeystoreError> {
        let crl = Bundle::crl(pem)?;
        usable(&crl)?;
        self.put(Room::Anybody, keystore, alias, &Entry::Crl(crl))
    }

    /// Removes an entry; one that is not there is fine.
    ///
    /// # Errors
    /// No such keystore; the file system.
    pub fn remove(&self, keystore: &str, alias: &str) -> Result<(), KeystoreError> {
        let _changing = self.changing();
        self.files(keystore)?.remove(alias)
    }

    /// Makes a private key. An alias that has one keeps it; whether it is of this kind is not
    /// looked at.
    ///
    /// # Errors
    /// No such keystore, another kind of entry under this alias.
    pub fn create_key(
        &self,
        keystore: &str,
        alias: &str,
        algorithm: KeyAlgorithm,
    ) -> Result<(), KeystoreError> {
        self.create_key_in(Room::Anybody, keystore, alias, algorithm)
    }

    /// The same, in that room.
    ///
    /// # Errors
    /// As [`Keystores::create_key`].
    pub fn create_key_in(
        &self,
        room: Room,
        keystore: &str,
        alias: &str,
        algorithm: KeyAlgorithm,
    ) -> Result<(), KeystoreError> {
        let files = self.files(keystore)?;
        let _changing = self.changing();
        match files.read(alias)? {
            Some(Entry::Key { .. }) => Ok(()),
            Some(_) => Err(KeystoreError::NoKey {
                keystore: keystore.to_owned(),
                alias: alias.to_owned(),
            }),
            None => {
                let sealed = self.seal(alias, &algorithm.generate()?)?;
                let chain = Vec::new();
                files.write(alias, &Entry::Key { sealed, chain }, room)
            }
        }
    }

    /// A certificate request (PKCS#10, PEM) for a key, signed by it. `subject` is a name as in
    /// RFC 4514.
    ///
    /// # Errors
    /// No such key; a subject or an algorithm that cannot be used.
    pub fn csr(
        &self,
        keystore: &str,
        alias: &str,
        subject: &str,
        algorithm: SignatureAlgorithm,
    ) -> Result<String, KeystoreError> {
        let (sealed, _) = self.key(keystore, alias)?;
        request(&*self.unseal(alias, &sealed)?, subject, algorithm)
    }

    /// Sets the chain (PEM, leaf first) of an existing key; an empty text takes it away.
    ///
    /// # Errors
    /// [`KeystoreError::OtherKey`] if the leaf is for another key. Only components bring chains, and
    /// so they have the room of a component.
    pub fn put_chain(&self, keystore: &str, alias: &str, pem: &str) -> Result<(), KeystoreError> {
        let chain = match pem.trim() {
            "" => Vec::new(),
            pem => Bundle::read(pem)?.certificates,
        };
        let files = self.files(keystore)?;
        let _changing = self.changing();
        let (sealed, _) = self.key(keystore, alias)?;
        let key = self.unseal(alias, &sealed)?;
        if !pem.trim().is_empty() {
            check_leaf(keystore, alias, &key, &chain)?;
        }
        files.write(alias, &Entry::Key { sealed, chain }, Room::Component)
    }

    /// A private key as PKCS#8 PEM. To be forgotten after use.
    ///
    /// # Errors
    /// No such key; one that was not encrypted on this gateway.
    pub fn private_key(&self, keystore: &str, alias: &str) -> Result<Secret, KeystoreError> {
        let (sealed, _) = self.key(keystore, alias)?;
        let pem = self.unseal(alias, &sealed)?.private_key_to_pem_pkcs8()?;
        let mut pem = Zeroizing::new(pem);
        Ok(Secret::new(
            String::from_utf8(std::mem::take(&mut *pem)).unwrap_or_default(),
        ))
    }

    /// Imports a PEM text: each certificate as a trusted one, each revocation list; or, where
    /// there is a private key, the key with the certificates as its chain. The first gets the
    /// alias as it is, the others `{alias}-2` and so on. Gives the aliases.
    ///
    /// # Errors
    /// What is wrong with the text; nothing has been imported then. After an error of the file
    /// system, or for want of room, a part may have been.
    pub fn import_pem(
        &self,
        keystore: &str,
        alias: &str,
        pem: &str,
    ) -> Result<Vec<String>, KeystoreError> {
        self.import(keystore, alias, pem, true)
    }

    /// The same, but replaces nothing: an alias under which the very same stands is fine.
    ///
    /// # Errors
    /// As [`Keystores::import_pem`]; [`KeystoreError::Taken`], and nothing has been imported then.
    pub fn import_new_pem(
        &self,
        keystore: &str,
        alias: &str,
        pem: &str,
    ) -> Result<Vec<String>, KeystoreError> {
        self.import(keystore, alias, pem, false)
    }

    fn import(
        &self,
        keystore: &str,
        alias: &str,
        pem: &str,
        replace: bool,
    ) -> Result<Vec<String>, KeystoreError> {
        let bundle = Bundle::read(pem)?;
        bundle.crls.iter().try_for_each(usable)?;
        let mut entries = Vec::new();
        match bundle.key {
            Some(key) => {
                let chain = bundle.certificates;
                if !chain.is_empty() {
                    check_leaf(keystore, alias, &key, &chain)?;
                }
                let sealed = self.seal(alias, &key)?;
                entries.push(Entry::Key { sealed, chain });
            }
            None => entries.extend(bundle.certificates.into_iter().map(Entry::Certificate)),
        }
        entries.extend(bundle.crls.into_iter().map(Entry::Crl));
        let numbered = |at: usize| match at {
            0 => alias.to_owned(),
            at => format!("{alias}-{}", at + 1),
        };
        let aliases: Vec<_> = (0..entries.len()).map(numbered).collect();
        for (alias, entry) in aliases.iter().zip(&entries).filter(|_| !replace) {
            // A key is in the way in any case, which is said below.
            let there = self.files(keystore)?.read(alias)?;
            let there = there.filter(|there| !matches!(there, Entry::Key { .. }));
            if let Some(there) = there {
                if there.info(alias)?.pem != entry.info(alias)?.pem {
                    return Err(KeystoreError::Taken {
                        keystore: keystore.to_owned(),
                        alias: alias.clone(),
                    });
                }
            }
        }
        for (alias, entry) in aliases.iter().zip(&entries) {
            self.put(Room::Anybody, keystore, alias, entry)?;
        }
        Ok(aliases)
    }

    fn put(
        &self,
        room: Room,
        keystore: &str,
        alias: &str,
        entry: &Entry,
    ) -> Result<(), KeystoreError> {
        let files = self.files(keystore)?;
        let _changing = self.changing();
        // A damaged file is an error here, too: it may be a key. It can be removed.
        if let Some(Entry::Key { .. }) = files.read(alias)? {
            return Err(KeystoreError::KeyInTheWay {
                keystore: keystore.to_owned(),
                alias: alias.to_owned(),
            });
        }
        files.write(alias, entry, room)
    }

    fn entries(&self, keystore: &str) -> Result<Vec<(String, Entry)>, KeystoreError> {
        let files = self.files(keystore)?;
        let mut entries = Vec::new();
        for alias in files.aliases()? {
            if let Some(entry) = files.read(&alias)? {
                entries.push((alias, entry));
            }
        }
        Ok(entries)
    }

    fn existing(&self, keystore: &str, alias: &str) -> Result<Entry, KeystoreError> {
        let entry = self.files(keystore)?.read(alias)?;
        entry.ok_or_else(|| KeystoreError::NoEntry {
            keystore: keystore.to_owned(),
            alias: alias.to_owned(),
        })
    }

    fn key(&self, keystore: &str, alias: &str) -> Result<(Vec<u8>, Vec<X509>), KeystoreError> {
        match self.existing(keystore, alias)? {
            Entry::Key { sealed, chain } => Ok((sealed, chain)),
            _ => Err(KeystoreError::NoKey {
                keystore: keystore.to_owned(),
                alias: alias.to_owned(),
            }),
        }
    }

    fn seal(&self, alias: &str, key: &PKey<Private>) -> Result<Vec<u8>, KeystoreError> {
        let der = Zeroizing::new(key.private_key_to_pkcs8()?);
        self.crypto
            .encrypt(&der)
            .map_err(|source| KeystoreError::Crypto {
                alias: alias.to_owned(),
                source,
            })
    }

    fn unseal(&self, alias: &str, sealed: &[u8]) -> Result<PKey<Private>, KeystoreError> {
        let der = self
            .crypto
            .decrypt(sealed)
            .map_err(|source| KeystoreError::Crypto {
                alias: alias.to_owned(),
                source,
            })?;
        Ok(PKey::private_key_from_pkcs8(&der)?)
    }

    fn files(&self, keystore: &str) -> Result<&Files, KeystoreError> {
        let found = self.stores.iter().find(|(name, _)| name == keystore);
        found
            .map(|(_, files)| files)
            .ok_or_else(|| KeystoreError::NoKeystore {
                keystore: keystore.chars().take(64).collect(),
            })
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_leaf(
    keystore: &str,
    alias: &str,
    key: &PKey<Private>,
    chain: &[X509],
) -> Result<(), KeystoreError> {
    let leaf = chain
        .first()
        .ok_or_else(|| super::entry::bad("the text holds no certificate", None))?;
    if leaf.public_key()?.public_eq(key) {
        return Ok(());
    }
    Err(KeystoreError::OtherKey {
        keystore: keystore.to_owned(),
        alias: alias.to_owned(),
    })
}

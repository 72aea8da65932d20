//! What can go wrong with keystores.

use std::io;
use std::path::PathBuf;

use openssl::error::ErrorStack;

use crate::crypto::CryptoError;

/// Why a keystore refuses. Nothing has been changed then.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// There is no such keystore.
    #[error("there is no keystore {keystore:?}")]
    NoKeystore {
        /// Its name.
        keystore: String,
    },
    /// There is no such entry.
    #[error("the keystore {keystore} has no entry {alias:?}")]
    NoEntry {
        /// The keystore.
        keystore: String,
        /// The alias.
        alias: String,
    },
    /// The entry is no private key.
    #[error("the entry {alias:?} of {keystore} is no private key")]
    NoKey {
        /// The keystore.
        keystore: String,
        /// The alias.
        alias: String,
    },
    /// The entry is a private key, which nothing else may replace.
    #[error("the entry {alias:?} of {keystore} is a private key; remove it first")]
    KeyInTheWay {
        /// The keystore.
        keystore: String,
        /// The alias.
        alias: String,
    },
    /// Something else has the alias, and was not to be replaced.
    #[error("{keystore}:{alias} holds something else already")]
    Taken {
        /// The keystore.
        keystore: String,
        /// The alias.
        alias: String,
    },
    /// An alias that cannot be one.
    #[error("{alias:?} is no alias: 1 to 64 characters, no control characters")]
    BadAlias {
        /// What was given, shortened.
        alias: String,
    },
    /// Not what was asked for.
    #[error("{what}")]
    BadPem {
        /// What is wrong with the text.
        what: String,
        /// OpenSSL's word, where it has one.
        #[source]
        source: Option<ErrorStack>,
    },
    /// A chain that does not belong to the key.
    #[error("the first certificate of the chain is not for the key {alias:?} of {keystore}")]
    OtherKey {
        /// The keystore.
        keystore: String,
        /// The alias.
        alias: String,
    },
    /// An algorithm or size that is not offered.
    #[error("{given} is no algorithm here: {allowed}")]
    BadAlgorithm {
        /// What was given.
        given: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A distinguished name that cannot be read.
    #[error("the subject cannot be used: {what}")]
    BadSubject {
        /// What is wrong.
        what: String,
        /// OpenSSL's word, where it has one.
        #[source]
        source: Option<ErrorStack>,
    },
    /// More than a keystore keeps.
    #[error(
        "the keystore {keystore} would have {entries} entries in {bytes} bytes, and has room for \
         {max_entries} in {max_bytes}; {alias:?} is too much: first remove what nobody needs"
    )]
    TooMuch {
        /// The keystore.
        keystore: String,
        /// The alias.
        alias: String,
        /// So many there would be.
        entries: usize,
        /// So long they would be together.
        bytes: u64,
        /// How many there may be.
        max_entries: usize,
        /// How long they may be together.
        max_bytes: u64,
    },
    /// A file that is no entry.
    #[error("the keystore file {path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The file system refuses.
    #[error("the keystore cannot use {path}")]
    Storage {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The private key cannot be encrypted or decrypted.
    #[error("the private key {alias:?} cannot be encrypted or decrypted")]
    Crypto {
        /// The alias.
        alias: String,
        /// Why.
        #[source]
        source: CryptoError,
    },
    /// OpenSSL refused.
    #[error("the cryptographic library failed")]
    Library(#[from] ErrorStack),
}

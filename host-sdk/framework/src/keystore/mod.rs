//! The gateway's keystores, by their Kura names: `SSLKeystore` anchors TLS and holds its client
//! keys, `DMKeystore` holds the roots of received chains and the signers of control messages,
//! `HttpsKeystore` the console's key.
//!
//! One file per entry, `{alias}.pem`, private (0600) and written durably: a certificate, a
//! revocation list, or a private key with its chain. A private key is encrypted under the
//! gateway's key ([`crate::crypto`]) before it is written. A certificate that a person copies
//! into the folder is an entry like any other. Nothing is cached: another process may import at
//! any time. Changes are absolute, so repeating one has no second effect. Nobody here decides
//! whom to trust; the component's host tables, the cloud connections and the CLI call it.

mod algorithm;
mod certificate;
mod entry;
mod error;
mod files;
mod request;
mod store;
mod subject;
#[cfg(test)]
mod tests;
pub mod words;

pub use certificate::Certificate;

pub use algorithm::{KeyAlgorithm, SignatureAlgorithm};
pub use error::KeystoreError;
pub use files::Room;
pub use store::Keystores;

/// TLS trust and TLS client keys.
pub const SSL_KEYSTORE: &str = "SSLKeystore";
/// Roots of received chains, and signers of control messages.
pub const DM_KEYSTORE: &str = "DMKeystore";
/// The key of the web console.
pub const HTTPS_KEYSTORE: &str = "HttpsKeystore";

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// One certificate.
    TrustedCertificate,
    /// A private key, with a chain or (yet) without.
    PrivateKey,
    /// A certificate revocation list.
    Crl,
}

/// An entry as others may see it: never with the private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryInfo {
    /// Its name in the keystore.
    pub alias: String,
    /// What it is.
    pub kind: EntryKind,
    /// PEM: the certificate, the chain (leaf first; may be empty), or the revocation list.
    pub pem: String,
}

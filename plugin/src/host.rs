//! What the component asks of its host, as Rust values.
//!
//! One trait, implemented over the C tables by [`crate::abi`] and in memory by tests. It does
//! nothing on its own. Every call is made on the component's worker thread, may block on the
//! host's disk, and never on the network.

use std::path::PathBuf;

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::value::{Properties, Secret};

pub use kura_formats::configurations::Configuration;

/// The keystore whose certificates anchor TLS.
pub const SSL_KEYSTORE: &str = "SSLKeystore";
/// The keystore of device management: roots of received chains and trusted signers.
pub const DM_KEYSTORE: &str = "DMKeystore";

/// What a keystore entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A certificate that is trusted as such.
    TrustedCertificate,
    /// A private key, with its chain once there is one.
    PrivateKey,
    /// A certificate revocation list.
    Crl,
}

/// One entry of a keystore; never a private key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeystoreEntry {
    /// What it is.
    pub kind: EntryKind,
    /// Its name within the keystore.
    pub alias: String,
    /// Certificates in PEM, the leaf first.
    pub pem: String,
}

/// The cloud connection that the component belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Whether it is connected, or trying to be.
    pub wanted: bool,
    /// Pid of the CloudService.
    pub pid: String,
    /// Pid of the DataService.
    pub data_pid: String,
    /// Pid of the MqttDataTransport, whose properties name broker, account and credentials.
    pub transport_pid: String,
}

/// Result of a host call.
pub type HostResult<T> = Result<T, CallError>;

/// The services of the host. See the headers in `include/gwc/ext` for each one's promise.
pub trait Host: Send + Sync {
    /// The required extensions that the host lacks, by id; empty where it has all.
    fn missing(&self) -> Vec<&'static str>;

    /// The component's private folder.
    fn storage_folder(&self) -> HostResult<PathBuf>;

    /// The configuration of `pid`, or of every component where it is empty. Passwords are
    /// empty unless `secrets`.
    fn configurations(&self, pid: &str, secrets: bool) -> HostResult<Vec<Configuration>>;
    /// Merges into the component's own configuration, durably. A Password that is set to empty is
    /// erased from what the host keeps of older configurations, too.
    fn update_own(&self, properties: &Properties) -> HostResult<()>;
    /// Checks against the host's metatypes and these.
    fn validate(&self, list: &[Configuration], metatypes: &[&[u8]]) -> HostResult<()>;
    /// What [`Host::restore`] needs to undo a change of `pids`.
    /// None: the host lets go of what was captured before.
    fn capture(&self, pids: &[&str]) -> HostResult<Vec<u8>>;
    /// Merges `list` into the configurations; once per key.
    fn apply(&self, key: &str, list: &[Configuration]) -> HostResult<()>;
    /// Brings back what `capture` saw; once per key.
    fn restore(&self, key: &str, undo: &[u8]) -> HostResult<()>;

    /// The entries of a keystore.
    fn keystore(&self, keystore: &str) -> HostResult<Vec<KeystoreEntry>>;
    /// Sets a trusted certificate.
    fn put_certificate(&self, key: &str, keystore: &str, alias: &str, pem: &str) -> HostResult<()>;
    /// Removes an entry; one that is not there is no error.
    fn remove_entry(&self, key: &str, keystore: &str, alias: &str) -> HostResult<()>;
    /// Makes a key pair where the alias has none.
    fn create_key(
        &self,
        key: &str,
        keystore: &str,
        alias: &str,
        algorithm: &str,
        size: u32,
    ) -> HostResult<()>;
    /// A PKCS#10 request in PEM.
    fn csr(
        &self,
        keystore: &str,
        alias: &str,
        subject: &str,
        signature_algorithm: &str,
    ) -> HostResult<String>;
    /// Sets the chain of an existing key; an empty one takes it away.
    fn put_chain(&self, key: &str, keystore: &str, alias: &str, pem: &str) -> HostResult<()>;
    /// The private key: PKCS#8 PEM or a pkcs11: URI.
    fn private_key(&self, keystore: &str, alias: &str) -> HostResult<Secret>;

    /// A system property; `None` while it is not known.
    fn system(&self, name: &str) -> HostResult<Option<String>>;

    /// The cloud connection of the component; `None` where the host has no such service.
    fn connection(&self) -> HostResult<Option<Connection>>;
    /// Disconnects it until [`Host::connect`] or [`Host::release`], also over restarts.
    fn disconnect(&self) -> HostResult<()>;
    /// Lets it connect; the next BIRTH carries the transaction where it is not empty.
    fn connect(&self, transaction: &str) -> HostResult<()>;
    /// Ends what [`Host::disconnect`] began, without an order to connect.
    fn release(&self) -> HostResult<()>;

    /// Encrypts at rest; `false` where the host has no crypto service. `take` gets the result, once,
    /// while the host holds it: it may be large, and need not be held twice.
    fn encrypt(&self, clear: &[u8], take: &mut dyn FnMut(&[u8])) -> HostResult<bool>;
    /// Decrypts what [`Host::encrypt`] made.
    fn decrypt(&self, sealed: &[u8]) -> HostResult<Vec<u8>>;

    /// Whether it installs packages.
    fn installs_packages(&self) -> bool;
    /// Installs a package; once per key.
    fn install_package(&self, key: &str, name: &str, version: &str, path: &str) -> HostResult<()>;
    /// The metatypes in a package archive, checked to be of that name and version.
    fn inspect_package(&self, name: &str, version: &str, path: &str) -> HostResult<Vec<Vec<u8>>>;
    /// Undoes the install of that key.
    fn revert_package(&self, key: &str) -> HostResult<()>;
    /// Forgets what undoing the install of that key needs.
    fn settle_package(&self, key: &str) -> HostResult<()>;

    /// Posts an event.
    fn post(&self, topic: &str, json: &str) -> HostResult<()>;
}

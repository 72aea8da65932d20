//! What the host offers to one component instance, in safe Rust: one trait for each extension of
//! `include/gwc/ext` that a host offers.
//!
//! The tables of C functions (`abi::host`) translate and guard; everything that happens, happens
//! behind these traits. [`crate::component::offer`] implements them over the framework's services;
//! a test or another host may implement some of them otherwise. A service that is `None` is not
//! offered: the component gets NULL for its extension. All are called on threads of the component
//! and must not panic (a panic is caught and answered with `GWC_E_INTERNAL`).

use std::path::PathBuf;
use std::sync::Arc;

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::value::{Properties, Secret};
use zeroize::Zeroizing;

use crate::keystore::EntryInfo;

/// All services for one instance.
#[derive(Clone, Default)]
pub struct Services {
    /// Name of the framework.
    pub name: String,
    /// Version of the framework.
    pub version: String,
    /// `gwc.log/1`.
    pub log: Option<Arc<dyn LogService>>,
    /// `gwc.storage/1`.
    pub storage: Option<Arc<dyn StorageService>>,
    /// `gwc.configuration/1`.
    pub configuration: Option<Arc<dyn ConfigurationAccess>>,
    /// `gwc.keystore/1`.
    pub keystore: Option<Arc<dyn KeystoreService>>,
    /// `gwc.system/1`.
    pub system: Option<Arc<dyn SystemService>>,
    /// `gwc.cloud-connection/1`.
    pub cloud_connection: Option<Arc<dyn CloudConnectionService>>,
    /// `gwc.crypto/1`.
    pub crypto: Option<Arc<dyn CryptoService>>,
    /// `gwc.packages/1`.
    pub packages: Option<Arc<dyn PackageService>>,
    /// `gwc.events/1`.
    pub events: Option<Arc<dyn EventService>>,
}

/// `gwc.log/1`. Called from any thread, also from inside activate, update and deactivate.
pub trait LogService: Send + Sync {
    /// The most detailed level that is wanted.
    fn max_level(&self) -> log::LevelFilter;
    /// One line. Must not block.
    fn write(&self, level: log::Level, target: &str, message: &str);
}

/// `gwc.storage/1`.
pub trait StorageService: Send + Sync {
    /// The instance's own folder: absolute, there, mode 0700.
    fn folder(&self) -> Result<PathBuf, CallError>;
}

/// The configuration of one component on its way to or from a component.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigurationItem {
    /// `kura.service.pid`.
    pub pid: String,
    /// `service.factoryPid`; empty for a singleton.
    pub factory_pid: String,
    /// Its properties.
    pub properties: Properties,
}

/// `gwc.configuration/1`, as one instance sees it.
pub trait ConfigurationAccess: Send + Sync {
    /// The configuration of `pid`, or of every component; Passwords empty unless `secrets`.
    fn get(&self, pid: Option<&str>, secrets: bool) -> Result<Vec<ConfigurationItem>, CallError>;
    /// Merges into the instance's own configuration. A Password that is set to empty is erased
    /// from everything older that is kept, too.
    fn update_own(&self, properties: Properties) -> Result<(), CallError>;
    /// What the configurations would be, or the first thing that does not fit.
    fn validate(
        &self,
        list: Vec<ConfigurationItem>,
        metatypes: &[&[u8]],
    ) -> Result<Vec<ConfigurationItem>, CallError>;
    /// As [`validate`](Self::validate), where nobody wants to see what they would be.
    fn check(&self, list: Vec<ConfigurationItem>, metatypes: &[&[u8]]) -> Result<(), CallError> {
        self.validate(list, metatypes).map(drop)
    }
    /// What [`restore`](Self::restore) needs; secrets in it are encrypted.
    fn capture(&self, pids: &[&str]) -> Result<Vec<u8>, CallError>;
    /// Merges the list, in one snapshot; idempotent by `key`.
    fn apply(&self, key: &str, list: Vec<ConfigurationItem>) -> Result<(), CallError>;
    /// Brings back what was captured; idempotent by `key`.
    fn restore(&self, key: &str, undo: &[u8]) -> Result<(), CallError>;
}

/// `gwc.keystore/1`. Every change is durable on return and idempotent by its `key`.
pub trait KeystoreService: Send + Sync {
    /// The entries, in the order of the aliases.
    fn list(&self, keystore: &str) -> Result<Vec<EntryInfo>, CallError>;
    /// Sets a trusted certificate.
    fn put_certificate(
        &self,
        key: &str,
        keystore: &str,
        alias: &str,
        pem: &str,
    ) -> Result<(), CallError>;
    /// Removes an entry; one that is not there is fine.
    fn remove(&self, key: &str, keystore: &str, alias: &str) -> Result<(), CallError>;
    /// Makes a key pair; an alias that has one keeps it. `size` in bits.
    fn create_key(
        &self,
        key: &str,
        keystore: &str,
        alias: &str,
        algorithm: &str,
        size: u32,
    ) -> Result<(), CallError>;
    /// A PKCS#10 request as PEM.
    fn csr(
        &self,
        keystore: &str,
        alias: &str,
        subject: &str,
        signature_algorithm: &str,
    ) -> Result<String, CallError>;
    /// Sets the chain of an existing key; an empty one takes it away.
    fn put_chain(&self, key: &str, keystore: &str, alias: &str, pem: &str)
        -> Result<(), CallError>;
    /// The private key as PKCS#8 PEM or a `pkcs11:` URI.
    fn private_key(&self, keystore: &str, alias: &str) -> Result<Secret, CallError>;
}

/// `gwc.system/1`.
pub trait SystemService: Send + Sync {
    /// The value of a property; `None` while it is not known.
    fn get(&self, name: &str) -> Option<String>;
}

/// State of a cloud connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ConnectionState {
    /// Not connected, and nothing under way.
    Disconnected,
    /// Trying, or between two tries.
    Connecting,
    /// Connected, BIRTH sent.
    Connected,
}

impl ConnectionState {
    /// `DISCONNECTED`, `CONNECTING` or `CONNECTED`.
    pub fn as_str(self) -> &'static str {
        match self {
            ConnectionState::Disconnected => "DISCONNECTED",
            ConnectionState::Connecting => "CONNECTING",
            ConnectionState::Connected => "CONNECTED",
        }
    }
}

impl std::fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The cloud connection of an instance as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionView {
    /// What it is doing.
    pub state: ConnectionState,
    /// Of the CloudService.
    pub pid: String,
    /// Of the DataService.
    pub data_pid: String,
    /// Of the MqttDataTransport.
    pub transport_pid: String,
    /// One line; empty if none.
    pub last_error: String,
}

/// `gwc.cloud-connection/1`: the connection that the instance belongs to. It has no `probe`: the
/// transport is MQTT.
pub trait CloudConnectionService: Send + Sync {
    /// As it is now.
    fn describe(&self) -> Result<ConnectionView, CallError>;
    /// Disconnects and keeps disconnected, also over restarts, until [`connect`](Self::connect) or
    /// [`release`](Self::release).
    fn disconnect(&self) -> Result<(), CallError>;
    /// Lets it connect, without waiting for it. The transaction, if not empty, goes into the next
    /// BIRTH, also after a restart.
    fn connect(&self, transaction: &str) -> Result<(), CallError>;
    /// Ends the hold of [`disconnect`](Self::disconnect): what the connection was told before it
    /// counts again.
    fn release(&self) -> Result<(), CallError>;
    /// Whether a call may wait for the network: not while the component is being deactivated, which
    /// takes a bounded time. A call that waits then returns at once. Called by the host.
    fn may_wait(&self, may: bool) {
        let _ = may;
    }
}

/// `gwc.crypto/1`.
pub trait CryptoService: Send + Sync {
    /// Encrypts and authenticates.
    fn encrypt(&self, clear: &[u8]) -> Result<Vec<u8>, CallError>;
    /// The clear bytes again.
    fn decrypt(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CallError>;
}

/// `gwc.packages/1`. Every change is durable on return and idempotent by its `key`.
pub trait PackageService: Send + Sync {
    /// Name and version of the installed packages, sorted.
    fn list(&self) -> Result<Vec<(String, String)>, CallError>;
    /// The metatype descriptors (XML) in an archive, which has to be that version of that package.
    fn inspect(&self, name: &str, version: &str, path: &str) -> Result<Vec<Vec<u8>>, CallError>;
    /// Installs an archive, replacing another version. On return its factories are known.
    fn install(&self, key: &str, name: &str, version: &str, path: &str) -> Result<(), CallError>;
    /// Brings back what was there before the install of that key; one that is not known is fine.
    fn revert(&self, key: &str) -> Result<(), CallError>;
    /// Forgets what `revert` needs; a key that is not known is fine.
    fn settle(&self, key: &str) -> Result<(), CallError>;
}

/// `gwc.events/1`.
pub trait EventService: Send + Sync {
    /// Posts an event; `json` is an object of its properties.
    fn post(&self, topic: &str, json: &str) -> Result<(), CallError>;
}

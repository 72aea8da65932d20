//! The framework's services as one instance sees them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;
use gateway_component_abi::value::Properties;
use zeroize::Zeroizing;

use super::services::{
    ConfigurationAccess, ConfigurationItem, CryptoService, EventService, LogService,
    StorageService, SystemService,
};
use crate::configuration::{Configuration, ConfigurationError, ConfigurationService, Holder};
use crate::crypto::{Crypto, CryptoError};
use crate::events::{Event, Hub};
use crate::metatype::{self, Metatype};
use crate::system::SystemProperties;

/// `gwc.log/1` on the `log` crate; the target is the instance's, with the component's own behind it.
#[derive(Debug)]
pub struct Log {
    /// Of the instance.
    pub pid: String,
}

impl LogService for Log {
    fn max_level(&self) -> log::LevelFilter {
        log::max_level()
    }

    fn write(&self, level: log::Level, target: &str, message: &str) {
        // One line stays one line, whatever a peer of the component wrote into it.
        let message = message.replace(['\n', '\r'], " ");
        if target.is_empty() {
            log::log!(target: &self.pid, level, "{message}");
        } else {
            log::log!(target: &self.pid, level, "{target}: {message}");
        }
    }
}

/// `gwc.storage/1`: a folder named like the pid.
#[derive(Debug)]
pub struct Storage {
    /// The folder of all components, which exists.
    pub components: PathBuf,
    /// Of the instance.
    pub pid: String,
}

impl StorageService for Storage {
    fn folder(&self) -> Result<PathBuf, CallError> {
        let name = folder_name(&self.pid);
        let path = self.components.join(name);
        durable_file::create_folder(&path).map_err(|e| {
            let (status, code) = match e.kind() {
                std::io::ErrorKind::StorageFull => (status::E_NO_SPACE, "storage.full"),
                std::io::ErrorKind::PermissionDenied => (status::E_DENIED, "storage.unwritable"),
                _ => (status::E_IO, "storage.unwritable"),
            };
            CallError::new(status, code, format!("{}: {e}", path.display()))
        })?;
        Ok(path)
    }
}

/// A pid as one file name: what is not plain is written as `%` and two hex digits, so that no two
/// pids share a folder and none leads out of it.
fn folder_name(pid: &str) -> String {
    let mut name = String::new();
    for byte in pid.bytes() {
        let plain = byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if plain || (byte == b'.' && !name.is_empty()) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name
}

/// `gwc.configuration/1`.
#[derive(Debug)]
pub struct OwnConfiguration {
    service: Arc<ConfigurationService>,
    holder: Holder,
}

impl OwnConfiguration {
    /// For one instance of `pid`, over the service of all.
    pub fn new(service: Arc<ConfigurationService>, pid: &str) -> OwnConfiguration {
        static INSTANCES: AtomicU64 = AtomicU64::new(1);
        let holder = Holder {
            pid: pid.to_owned(),
            instance: INSTANCES.fetch_add(1, Ordering::Relaxed),
        };
        OwnConfiguration { service, holder }
    }
}

impl ConfigurationAccess for OwnConfiguration {
    fn get(&self, pid: Option<&str>, secrets: bool) -> Result<Vec<ConfigurationItem>, CallError> {
        let pids = match pid {
            Some(pid) => vec![pid.to_owned()],
            None => self.service.pids(),
        };
        let mut items = Vec::new();
        for name in pids {
            let properties = match secrets {
                true => self.service.get(&name),
                false => self.service.get_masked(&name),
            };
            match properties {
                Some(properties) => items.push(ConfigurationItem {
                    factory_pid: self.service.factory_pid(&name).unwrap_or_default(),
                    pid: name,
                    properties,
                }),
                None if pid.is_some() => {
                    return Err(CallError::new(
                        status::E_NOT_FOUND,
                        "configuration.unknown",
                        format!("there is no component {name:?}"),
                    ))
                }
                None => {}
            }
        }
        Ok(items)
    }

    fn update_own(&self, properties: Properties) -> Result<(), CallError> {
        self.service
            .update_own(&self.holder.pid, &properties)
            .map_err(configuration_error)?;
        self.service.release(&self.holder);
        Ok(())
    }

    fn validate(
        &self,
        list: Vec<ConfigurationItem>,
        metatypes: &[&[u8]],
    ) -> Result<Vec<ConfigurationItem>, CallError> {
        let extra = read_all(metatypes)?;
        let list: Vec<_> = list.into_iter().map(configuration).collect();
        let merged = self
            .service
            .validate(&list, &extra)
            .map_err(configuration_error)?;
        Ok(merged.into_iter().map(item).collect())
    }

    fn check(&self, list: Vec<ConfigurationItem>, metatypes: &[&[u8]]) -> Result<(), CallError> {
        let extra = read_all(metatypes)?;
        let list = list.into_iter().map(configuration).collect();
        self.service
            .check(list, &extra)
            .map_err(configuration_error)
    }

    fn capture(&self, pids: &[&str]) -> Result<Vec<u8>, CallError> {
        self.service
            .capture_for(&self.holder, pids)
            .map_err(configuration_error)
    }

    fn apply(&self, key: &str, list: Vec<ConfigurationItem>) -> Result<(), CallError> {
        let list: Vec<_> = list.into_iter().map(configuration).collect();
        self.service
            .apply_for(&self.holder, key, list)
            .map_err(configuration_error)
    }

    fn restore(&self, key: &str, undo: &[u8]) -> Result<(), CallError> {
        self.service
            .restore_for(&self.holder, key, undo)
            .map_err(configuration_error)
    }
}

fn read_all(metatypes: &[&[u8]]) -> Result<Vec<Metatype>, CallError> {
    let read = |xml: &&[u8]| {
        metatype::read(xml).map_err(|e| {
            CallError::new(
                status::E_INVALID,
                "configuration.invalid",
                crate::one_line(&e),
            )
        })
    };
    metatypes.iter().map(read).collect()
}

fn configuration(item: ConfigurationItem) -> Configuration {
    Configuration {
        pid: item.pid,
        factory_pid: Some(item.factory_pid).filter(|pid| !pid.is_empty()),
        properties: item.properties,
    }
}

fn item(configuration: Configuration) -> ConfigurationItem {
    ConfigurationItem {
        pid: configuration.pid,
        factory_pid: configuration.factory_pid.unwrap_or_default(),
        properties: configuration.properties,
    }
}

/// An error of the configuration service in the form of the contract.
pub fn configuration_error(error: ConfigurationError) -> CallError {
    use ConfigurationError as E;
    let (status, code) = match &error {
        E::Unknown { .. } | E::NoSnapshot { .. } => (status::E_NOT_FOUND, "configuration.unknown"),
        E::UnknownFactory { .. }
        | E::OtherFactory { .. }
        | E::Singleton { .. }
        | E::BadPid { .. }
        | E::Twice { .. }
        | E::Invalid { .. }
        | E::Seed(_)
        | E::Undo(_) => (status::E_INVALID, "configuration.invalid"),
        E::TooMuch(_) => (status::E_INVALID, "protocol.too-large"),
        E::Exists { .. } | E::Conflict { .. } | E::Reserved { .. } => {
            (status::E_CONFLICT, "configuration.conflict")
        }
        E::Storage { source, .. } => match source.kind() {
            std::io::ErrorKind::StorageFull => (status::E_NO_SPACE, "storage.full"),
            std::io::ErrorKind::PermissionDenied => (status::E_DENIED, "storage.unwritable"),
            _ => (status::E_IO, "storage.unwritable"),
        },
        E::Snapshot { .. } | E::NoReadable { .. } | E::Unwritable(_) => {
            (status::E_IO, "storage.unwritable")
        }
        E::Crypto(_) => (status::E_INTERNAL, "host.crypto"),
    };
    CallError::new(status, code, crate::one_line(&error))
}

/// `gwc.system/1`.
#[derive(Debug)]
pub struct System {
    /// The facts.
    pub properties: Arc<SystemProperties>,
    /// Version of the framework, as `kura.version` where nothing else is configured.
    pub version: String,
}

impl SystemService for System {
    fn get(&self, name: &str) -> Option<String> {
        self.properties.get(name).or_else(|| {
            (name == crate::system::names::FRAMEWORK_VERSION && !self.version.is_empty())
                .then(|| self.version.clone())
        })
    }
}

/// `gwc.crypto/1`.
#[derive(Debug)]
pub struct Sealing {
    /// The gateway's key.
    pub crypto: Arc<Crypto>,
}

impl CryptoService for Sealing {
    fn encrypt(&self, clear: &[u8]) -> Result<Vec<u8>, CallError> {
        self.crypto.encrypt(clear).map_err(crypto_error)
    }

    fn decrypt(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CallError> {
        self.crypto.decrypt(sealed).map_err(crypto_error)
    }
}

fn crypto_error(error: CryptoError) -> CallError {
    let status = match error {
        CryptoError::Unreadable => status::E_INVALID,
        CryptoError::KeyFile { .. } => status::E_IO,
        CryptoError::Library(_) => status::E_INTERNAL,
    };
    CallError::new(status, "host.crypto", crate::one_line(&error))
}

/// `gwc.events/1`.
pub struct Events {
    /// Where they go.
    pub hub: Hub,
}

impl EventService for Events {
    fn post(&self, topic: &str, json: &str) -> Result<(), CallError> {
        let invalid = |what: String| Err(CallError::new(status::E_INVALID, "event.invalid", what));
        if topic.is_empty() || topic.chars().any(char::is_control) {
            return invalid(format!("{topic:?} is no topic"));
        }
        match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json) {
            Ok(_) => {
                self.hub.post(Event::Posted {
                    topic: topic.to_owned(),
                    json: json.to_owned(),
                });
                Ok(())
            }
            Err(e) => invalid(format!("the properties of {topic} are no JSON object: {e}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::folder_name;

    #[test]
    fn a_pid_never_leads_out_of_its_folder() {
        assert_eq!(folder_name("gwc.provisioning.X-2"), "gwc.provisioning.X-2");
        assert_eq!(folder_name(".."), "%2E.");
        assert_eq!(folder_name("a/../b"), "a%2F..%2Fb");
        assert_ne!(folder_name("a%2Fb"), folder_name("a/b"));
    }
}

//! What the platform sent and nothing uses yet.
//!
//! Bodies are kept in memory and become durable with the plan, as one write: before the plan
//! there is nothing to come back to, since an attempt that is cut off starts anew.

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;
use gateway_component_abi::value::Value;

use crate::diagnosis::{Code, Fault};
use crate::host::{Configuration, Host};

/// Bytes of the metatype descriptors of all packages in one attempt, which are kept until the commit.
/// Parsed they take nine times that.
const METATYPES: usize = 512 << 10;

/// One accepted item.
#[derive(Clone, Debug)]
pub enum Item {
    /// Configurations of one request.
    Configurations(Vec<Configuration>),
    /// A certificate for a keystore.
    Certificate {
        /// E.g. `SSLKeystore`.
        keystore: String,
        /// Its alias.
        alias: String,
        /// PEM.
        pem: String,
    },
    /// The chain for a key that the host made.
    Chain {
        /// Its keystore.
        keystore: String,
        /// Its alias.
        alias: String,
        /// PEM, leaf first.
        pem: String,
    },
    /// An archive in the staging folder.
    Package {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
        /// Where it lies.
        path: String,
        /// The metatypes in it.
        metatypes: Vec<Vec<u8>>,
    },
}

/// Everything staged in this attempt.
#[derive(Debug, Default)]
pub struct Staged {
    /// All but the configurations.
    items: Vec<Item>,
    /// Those of all requests, merged in order.
    configurations: Vec<Configuration>,
}

impl Staged {
    /// The items, in order of arrival; without the configurations.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Adds an item. Configurations are checked, together with those before them, against the
    /// host's metatypes and those of the staged packages. After an error it is as before.
    pub fn add(&mut self, item: Item, host: &dyn Host, own_pid: &str) -> Result<(), Fault> {
        let list = match item {
            Item::Configurations(list) => list,
            item => {
                self.check_room(&item)?;
                self.items.push(item);
                return Ok(());
            }
        };
        if let Some(own) = list.iter().find(|c| c.pid == own_pid) {
            return Err(Fault::new(
                Code::ConfigurationInvalid,
                format!(
                    "{}: the ProvisioningService does not configure itself",
                    own.pid
                ),
            ));
        }
        let before = self.merge(list);
        host.validate(&self.configurations, &self.metatypes())
            .map_err(|e| {
                self.take_back(before);
                of_configuration(&e)
            })
    }

    /// Whether the descriptors of a package may be kept, too.
    fn check_room(&self, item: &Item) -> Result<(), Fault> {
        let Item::Package {
            name,
            version,
            metatypes,
            ..
        } = item
        else {
            return Ok(());
        };
        let kept: usize = self.metatypes().iter().map(|xml| xml.len()).sum();
        let more: usize = metatypes.iter().map(Vec::len).sum();
        match kept + more > METATYPES {
            true => Err(Fault::new(
                Code::ProtocolTooLarge,
                format!(
                    "package {name} {version}: more than {} KiB of metatype descriptors in one \
                     provisioning",
                    METATYPES >> 10
                ),
            )),
            false => Ok(()),
        }
    }

    /// The configurations of all requests, merged in order.
    pub fn configurations(&self) -> &[Configuration] {
        &self.configurations
    }

    /// The same, which are staged no more: they are in the plan.
    pub fn take_configurations(&mut self) -> Vec<Configuration> {
        std::mem::take(&mut self.configurations)
    }

    /// Moves the list in; gives what it replaced.
    fn merge(&mut self, list: Vec<Configuration>) -> Before {
        let mut before = Before {
            count: self.configurations.len(),
            replaced: Vec::new(),
        };
        for new in list {
            let same = |old: &Configuration| old.pid == new.pid;
            let Some(at) = self.configurations.iter().position(same) else {
                self.configurations.push(new);
                continue;
            };
            let Some(old) = self.configurations.get_mut(at) else {
                continue;
            };
            for (name, value) in new.properties {
                let value = old.properties.insert(name.clone(), value);
                before.replaced.push((at, name, value));
            }
        }
        before
    }

    fn take_back(&mut self, before: Before) {
        self.configurations.truncate(before.count);
        for (at, name, value) in before.replaced.into_iter().rev() {
            let Some(configuration) = self.configurations.get_mut(at) else {
                continue;
            };
            match value {
                Some(value) => drop(configuration.properties.insert(name, value)),
                None => drop(configuration.properties.remove(&name)),
            }
        }
    }

    fn metatypes(&self) -> Vec<&[u8]> {
        self.items
            .iter()
            .filter_map(|item| match item {
                Item::Package { metatypes, .. } => Some(metatypes.iter().map(Vec::as_slice)),
                _ => None,
            })
            .flatten()
            .collect()
    }
}

/// What a merge has replaced.
struct Before {
    /// So many configurations there were.
    count: usize,
    /// Where, the name of the property, and its value.
    replaced: Vec<(usize, String, Option<Value>)>,
}

/// What a refused validation means.
fn of_configuration(error: &CallError) -> Fault {
    match error.status {
        // By itself it holds; with what the gateway keeps already it is too much.
        status::E_INVALID if error.code == Code::ProtocolTooLarge.as_str() => {
            Fault::new(Code::ProtocolTooLarge, error.message.clone())
        }
        status::E_INVALID | status::E_NOT_FOUND | status::E_INVALID_ARGUMENT => {
            Fault::new(Code::ConfigurationInvalid, error.message.clone())
        }
        _ => super::of_host("the host could not check the configuration", error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn configuration(pid: &str, properties: &[(&str, i32)]) -> Configuration {
        let properties = properties.iter();
        Configuration {
            pid: pid.to_owned(),
            properties: properties
                .map(|(name, value)| ((*name).to_owned(), (*value).into()))
                .collect(),
        }
    }

    #[test]
    fn what_is_refused_leaves_what_was_there_before() {
        let mut staged = Staged::default();
        staged.merge(vec![configuration("a", &[("x", 1), ("y", 1)])]);
        let before = staged.merge(vec![
            configuration("b", &[("x", 2)]),
            configuration("a", &[("y", 2), ("z", 2)]),
        ]);
        let merged = [
            configuration("a", &[("x", 1), ("y", 2), ("z", 2)]),
            configuration("b", &[("x", 2)]),
        ];
        assert_eq!(staged.configurations(), merged);
        staged.take_back(before);
        let first = [configuration("a", &[("x", 1), ("y", 1)])];
        assert_eq!(staged.configurations(), first);
    }

    #[test]
    fn what_the_host_refuses_to_keep_is_too_large_and_what_does_not_hold_is_invalid() {
        for (code, wanted) in [
            ("protocol.too-large", Code::ProtocolTooLarge),
            ("configuration.invalid", Code::ConfigurationInvalid),
            ("", Code::ConfigurationInvalid),
        ] {
            let fault = of_configuration(&CallError::new(status::E_INVALID, code, "a is large"));
            assert_eq!((fault.code, fault.message.as_str()), (wanted, "a is large"));
        }
    }

    #[test]
    fn no_more_descriptors_are_kept_than_there_is_room_for() {
        let package = |bytes: usize| Item::Package {
            name: "app".to_owned(),
            version: "1.0".to_owned(),
            path: String::new(),
            metatypes: vec![vec![b' '; bytes]],
        };
        let mut staged = Staged::default();
        staged.items.push(package(METATYPES / 2));
        staged.check_room(&package(METATYPES / 2)).unwrap();
        let fault = staged.check_room(&package(METATYPES / 2 + 1)).unwrap_err();
        assert_eq!(fault.code, Code::ProtocolTooLarge);
        assert!(fault.message.contains("512 KiB"), "{fault}");
    }
}

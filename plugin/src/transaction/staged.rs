//! What the platform sent and nothing uses yet.
//!
//! Bodies are kept in memory and become durable with the plan, as one write: before the plan
//! there is nothing to come back to, since an attempt that is cut off starts anew.

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;

use crate::diagnosis::{Code, Fault};
use crate::host::{Configuration, Host};

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
#[derive(Clone, Debug, Default)]
pub struct Staged {
    items: Vec<Item>,
}

impl Staged {
    /// The items, in order of arrival.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Adds an item. Configurations are checked, together with those before them, against the
    /// host's metatypes and those of the staged packages.
    pub fn add(&mut self, item: Item, host: &dyn Host, own_pid: &str) -> Result<(), Fault> {
        if let Item::Configurations(list) = &item {
            if let Some(own) = list.iter().find(|c| c.pid == own_pid) {
                return Err(Fault::new(
                    Code::ConfigurationInvalid,
                    format!(
                        "{}: the ProvisioningService does not configure itself",
                        own.pid
                    ),
                ));
            }
            let mut merged = self.merged();
            merge(&mut merged, list);
            host.validate(&merged, &self.metatypes())
                .map_err(|e| of_configuration(&e))?;
        }
        self.items.push(item);
        Ok(())
    }

    /// The configurations of all requests, merged in order.
    pub fn merged(&self) -> Vec<Configuration> {
        let mut merged = Vec::new();
        for item in &self.items {
            if let Item::Configurations(list) = item {
                merge(&mut merged, list);
            }
        }
        merged
    }

    fn metatypes(&self) -> Vec<Vec<u8>> {
        self.items
            .iter()
            .filter_map(|item| match item {
                Item::Package { metatypes, .. } => Some(metatypes.clone()),
                _ => None,
            })
            .flatten()
            .collect()
    }
}

fn merge(into: &mut Vec<Configuration>, list: &[Configuration]) {
    for new in list {
        match into.iter_mut().find(|old| old.pid == new.pid) {
            Some(old) => old.properties.extend(new.properties.clone()),
            None => into.push(new.clone()),
        }
    }
}

/// What a refused validation means.
fn of_configuration(error: &CallError) -> Fault {
    match error.status {
        status::E_INVALID | status::E_NOT_FOUND | status::E_INVALID_ARGUMENT => {
            Fault::new(Code::ConfigurationInvalid, error.message.clone())
        }
        _ => super::of_host("the host could not check the configuration", error),
    }
}

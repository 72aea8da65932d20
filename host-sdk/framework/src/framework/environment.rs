//! What the control thread needs of the rest of the framework: services for instances, and the
//! cloud stacks that follow the configuration.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use gateway_component_abi::value::Properties;

use crate::cloud::stack::{self, Stack};
use crate::cloud::{Connections, Member};
use crate::component::applications::Applications;
use crate::component::keys::Keys;
use crate::component::offer::{Events, Log, OwnConfiguration, Sealing, Storage, System};
use crate::component::services::Services;
use crate::component::Environment;
use crate::configuration::{ConfigurationError, ConfigurationService};
use crate::crypto::Crypto;
use crate::events::Hub;
use crate::keystore::Keystores;
use crate::packages::Packages;
use crate::system::SystemProperties;

/// The framework as the control thread sees it.
pub(super) struct Surroundings {
    pub(super) components: PathBuf,
    pub(super) configuration: Arc<ConfigurationService>,
    pub(super) keystores: Arc<Keystores>,
    pub(super) crypto: Arc<Crypto>,
    pub(super) system: Arc<SystemProperties>,
    pub(super) connections: Arc<Connections>,
    pub(super) packages: Arc<Packages>,
    pub(super) hub: Hub,
    pub(super) version: String,
}

impl Environment for Surroundings {
    fn services(&self, pid: &str) -> Services {
        let pid = pid.to_owned();
        Services {
            name: super::NAME.to_owned(),
            version: self.version.clone(),
            log: Some(Arc::new(Log { pid: pid.clone() })),
            storage: Some(Arc::new(Storage {
                components: self.components.clone(),
                pid: pid.clone(),
            })),
            configuration: Some(Arc::new(OwnConfiguration::new(
                Arc::clone(&self.configuration),
                &pid,
            ))),
            keystore: Some(Arc::new(Keys {
                keystores: Arc::clone(&self.keystores),
            })),
            system: Some(Arc::new(System {
                properties: Arc::clone(&self.system),
                version: self.version.clone(),
            })),
            cloud_connection: Some(Arc::new(Member::new(Arc::clone(&self.connections), &pid))),
            crypto: Some(Arc::new(Sealing {
                crypto: Arc::clone(&self.crypto),
            })),
            packages: Some(Arc::new(Applications {
                packages: Arc::clone(&self.packages),
            })),
            events: Some(Arc::new(Events {
                hub: self.hub.clone(),
            })),
        }
    }

    fn built_in(&self, pid: &str) -> bool {
        stack::is_built_in(pid)
    }

    fn built_in_changed(&self, pid: &str) {
        self.connections.changed(pid);
    }

    /// Every cloud connection has a ProvisioningService where a plugin makes those.
    fn factories_changed(&self, factories: &BTreeSet<String>) {
        if !factories.contains(stack::PROVISIONING_SERVICE) {
            return;
        }
        for pid in stack::cloud_pids(&self.configuration.pids()) {
            let Some(stack) = Stack::of(&pid) else {
                continue;
            };
            if let Err(e) = create_provisioning(&self.configuration, &stack) {
                log::error!("{}: {}", stack.provisioning, crate::one_line(&e));
            }
        }
    }
}

/// Makes the components of a stack that do not exist, in one change: half a stack would be there
/// for good.
pub(super) fn create_stack(
    configuration: &ConfigurationService,
    stack: &Stack,
) -> Result<(), ConfigurationError> {
    if configuration.get_masked(&stack.cloud).is_some() {
        return Err(ConfigurationError::Exists {
            pid: stack.cloud.clone(),
        });
    }
    let blueprint = stack.blueprint();
    let missing: Vec<_> = blueprint
        .iter()
        .filter(|(_, pid, _)| configuration.get_masked(pid).is_none())
        .map(|(factory_pid, pid, properties)| (*factory_pid, pid.as_str(), properties))
        .collect();
    configuration.create_many(&missing).map(drop)
}

/// Makes the ProvisioningService of a stack, unless it exists.
pub(super) fn create_provisioning(
    configuration: &ConfigurationService,
    stack: &Stack,
) -> Result<(), ConfigurationError> {
    let (factory_pid, pid) = (stack::PROVISIONING_SERVICE, &stack.provisioning);
    match configuration.create_factory(factory_pid, pid, &Properties::new()) {
        Ok(_) | Err(ConfigurationError::Exists { .. }) => Ok(()),
        Err(e) => Err(e),
    }
}

/// Deletes the components of a stack, the provisioning first, so that it stops before what it works
/// on is gone.
pub(super) fn delete_stack(
    configuration: &ConfigurationService,
    stack: &Stack,
) -> Result<(), ConfigurationError> {
    // In one change, of which components hear in the order of their pids.
    let all = [
        &stack.provisioning,
        &stack.cloud,
        &stack.data,
        &stack.transport,
    ];
    configuration
        .delete_many(&all.map(String::as_str))
        .map(drop)
}

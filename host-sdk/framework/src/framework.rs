//! All of it in one value: a gateway over one data folder.
//!
//! ```text
//! data/lock            held while a gateway runs: two cannot share a folder
//!      gateway.key     the key of everything encrypted here
//!      snapshots/      configurations, and which of them a provisioning may still take back
//!      keystores/      certificates and keys
//!      components/PID/ what each component keeps
//!      packages/       which packages are installed
//!      downloads/      what the account had downloaded, until it is installed
//!      connections.jsonl   which cloud connections are held
//!      trials          which foreign code is being called, should it take the process along
//!      links/          names for replaced plugins, while they are opened
//! ```
//!
//! The order of things: [`Framework::start`] takes the lock, opens the stores, starts the control
//! thread, opens the plugins that are there, and returns once every instance that can be active is.
//! [`Framework::shutdown`], or dropping it, deactivates all instances, disconnects, and lets go of
//! the folder.

mod environment;
mod start;

use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::sync::Arc;

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;

use crate::cloud::stack::{self, Stack};
use crate::cloud::{ConnectionInfo, Connections};
use crate::component::offer::configuration_error;
use crate::component::{Action, ComponentInfo, ComponentState, Stop, Supervisor};
use crate::configuration::ConfigurationService;
use crate::crypto::Crypto;
use crate::events::{Event, Hub};
use crate::keystore::Keystores;
use crate::loader::Instance;
use crate::packages::Packages;
use crate::plugins::watch::Watch;
use crate::plugins::PluginInfo;
use crate::system::changes::Changes;
use crate::system::SystemProperties;
pub use start::StartError;

/// The name of this framework.
pub const NAME: &str = "gateway-host-sdk";

/// What a framework is started with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The data folder; made, mode 0700, where its parent exists.
    pub data: PathBuf,
    /// The plugin directory; made where its parent exists.
    pub plugins: PathBuf,
    /// A Kura snapshot that becomes snapshot 0 at the first start; not looked at later.
    pub seed: Option<PathBuf>,
    /// A properties file with facts about the gateway.
    pub properties: Option<PathBuf>,
    /// Load plugins that others may write, too.
    pub allow_insecure_plugins: bool,
    /// Of the gateway, for components and accounts.
    pub version: String,
}

/// A running gateway. Any thread.
pub struct Framework {
    configuration: Arc<ConfigurationService>,
    keystores: Arc<Keystores>,
    crypto: Arc<Crypto>,
    system: Arc<SystemProperties>,
    connections: Arc<Connections>,
    packages: Arc<Packages>,
    hub: Hub,
    // In the order in which they end.
    watch: Option<Watch>,
    changes: Option<Changes>,
    supervisor: Supervisor,
    _lock: start::FolderLock,
}

impl std::fmt::Debug for Framework {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Framework").finish_non_exhaustive()
    }
}

impl Framework {
    /// Starts a gateway. See the module documentation.
    pub fn start(options: Options) -> Result<Framework, StartError> {
        Framework::start_with(options, Stop::default())
    }

    /// The same for a host that may be told to end meanwhile: once `stop` is raised, no component is
    /// started any more, and this returns soon. Shutting down raises it, too.
    pub fn start_with(options: Options, stop: Stop) -> Result<Framework, StartError> {
        start::start(options, stop)
    }

    /// The configurations.
    pub fn configuration(&self) -> &Arc<ConfigurationService> {
        &self.configuration
    }

    /// The keystores.
    pub fn keystores(&self) -> &Arc<Keystores> {
        &self.keystores
    }

    /// Encryption at rest.
    pub fn crypto(&self) -> &Arc<Crypto> {
        &self.crypto
    }

    /// Facts about the gateway.
    pub fn system(&self) -> &Arc<SystemProperties> {
        &self.system
    }

    /// The application packages.
    pub fn packages(&self) -> &Arc<Packages> {
        &self.packages
    }

    /// All plugins that were found.
    pub fn plugins(&self) -> Vec<PluginInfo> {
        self.supervisor.plugins()
    }

    /// All instances.
    pub fn components(&self) -> Vec<ComponentInfo> {
        self.supervisor.components()
    }

    /// All cloud connections.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        self.connections.infos()
    }

    /// Lets a cloud connection connect, without waiting for it. `E_STATE` while its provisioning
    /// holds it.
    pub fn connect(&self, pid: &str) -> Result<(), CallError> {
        self.connections.connect(pid)
    }

    /// Disconnects a cloud connection until it is told to connect, or the next start.
    pub fn disconnect(&self, pid: &str) -> Result<(), CallError> {
        self.connections.disconnect(pid)
    }

    /// Makes a cloud connection, and its ProvisioningService where a plugin makes those. `pid` is
    /// `org.eclipse.kura.cloud.CloudService-SUFFIX`, the suffix of letters and digits.
    pub fn create_connection(&self, pid: &str) -> Result<(), CallError> {
        let stack = Stack::of(pid).ok_or_else(|| {
            CallError::new(
                status::E_INVALID,
                "connection.invalid",
                format!(
                    "{pid:?} is not {}-SUFFIX with letters and digits",
                    stack::CLOUD_SERVICE
                ),
            )
        })?;
        environment::create_stack(&self.configuration, &stack).map_err(configuration_error)?;
        if self
            .supervisor
            .factories()
            .contains(stack::PROVISIONING_SERVICE)
        {
            environment::create_provisioning(&self.configuration, &stack)
                .map_err(configuration_error)?;
        }
        self.supervisor.settle();
        Ok(())
    }

    /// Deletes a cloud connection with all its components.
    pub fn delete_connection(&self, pid: &str) -> Result<(), CallError> {
        self.connections.info(pid)?;
        if let Some(stack) = Stack::of(pid) {
            environment::delete_stack(&self.configuration, &stack).map_err(configuration_error)?;
        }
        self.supervisor.settle();
        Ok(())
    }

    /// The status document (JSON) of a component that is there and has one.
    pub fn status(&self, pid: &str) -> Option<String> {
        self.supervisor
            .instance(pid)?
            .status()
            .inspect_err(|e| log::warn!("{}", crate::one_line(e)))
            .ok()
    }

    /// The identity sheet (JSON) of a component.
    pub fn identity(&self, pid: &str) -> Result<String, CallError> {
        self.instance(pid)?
            .identity()
            .map_err(|e| e.to_call_error())
    }

    /// Runs the local checks of a component and waits for them, at most 5 s (JSON).
    pub fn preflight(&self, pid: &str) -> Result<String, CallError> {
        self.instance(pid)?
            .preflight()
            .map_err(|e| e.to_call_error())
    }

    /// Asks something of a component.
    pub fn act(&self, pid: &str, action: Action) -> Result<(), CallError> {
        self.instance(pid)?
            .act(action)
            .map_err(|e| e.to_call_error())
    }

    /// Gives a component that failed another chance, also one that is held back because it ended
    /// the gateway. What comes of it, [`components`](Self::components) tells.
    ///
    /// # Errors
    /// `E_NOT_FOUND` if there is no such component, `E_STATE` if it is active.
    pub fn try_again(&self, pid: &str) -> Result<(), CallError> {
        let all = self.supervisor.components();
        let refused = |status, code, what| {
            let message = format!("the component {pid} {what}");
            Err(CallError::new(status, code, message))
        };
        match all.into_iter().find(|component| component.pid == pid) {
            None => refused(status::E_NOT_FOUND, "component.unknown", "does not exist"),
            Some(info) if info.state == ComponentState::Active => {
                refused(status::E_STATE, "component.active", "is active already")
            }
            Some(_) => {
                self.supervisor.look(pid);
                self.supervisor.settle();
                Ok(())
            }
        }
    }

    /// The metatype descriptor (XML) of a factory pid, its texts in `locale` ("it", or empty).
    pub fn metatype_xml(&self, factory_pid: &str, locale: &str) -> Option<String> {
        match stack::descriptor(factory_pid) {
            Some(xml) => Some(xml.to_owned()),
            None => self.supervisor.metatype(factory_pid, locale),
        }
    }

    /// The ProvisioningServices that are configured, sorted.
    pub fn provisioning_pids(&self) -> Vec<String> {
        let ours =
            |pid: &String| Stack::of_member(pid).is_some_and(|stack| stack.provisioning == *pid);
        self.configuration.pids().into_iter().filter(ours).collect()
    }

    /// What happens from now on. Bounded: of states that nobody has read yet, the newest is kept.
    pub fn events(&self) -> Receiver<Event> {
        self.hub.subscribe()
    }

    /// Waits until all changes made before have reached the components.
    pub fn settle(&self) {
        self.supervisor.settle();
    }

    /// Ends everything in good order.
    pub fn shutdown(self) {
        drop(self);
    }

    fn instance(&self, pid: &str) -> Result<Arc<Instance>, CallError> {
        self.supervisor.instance(pid).ok_or_else(|| {
            CallError::new(
                status::E_NOT_FOUND,
                "component.unknown",
                format!("there is no active component {pid}"),
            )
        })
    }
}

impl Drop for Framework {
    fn drop(&mut self) {
        // Nobody brings plugins any more, or tells of changes; components stop while they can still
        // be heard and the connections are still there; then the connections say goodbye.
        self.watch = None;
        self.changes = None;
        self.supervisor.stop();
        self.connections.stop();
        self.hub.close();
    }
}

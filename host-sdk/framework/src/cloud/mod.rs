//! Cloud connections: how this gateway talks to its account.
//!
//! A connection is a stack of Kura components ([`stack`]): CloudService, DataService and
//! MqttDataTransport, bound together by the suffix of their pids, and the ProvisioningService that
//! provisions it. Each has a thread of its own that keeps its MQTT session, announces the gateway
//! with a BIRTH, and leaves with a DC; control messages enter in [`control`].
//!
//! Created and deleted from the configuration by the control thread; asked by consoles and, over
//! `gwc.cloud-connection/1`, by the component that provisions it. Not here: storing messages,
//! publishing of applications.

mod actor;
mod birth;
mod connection;
mod control;
mod ending;
mod member;
mod memory;
mod serving;
mod session;
pub mod settings;
pub mod stack;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;
use mqtt_session::Anchor;
use serde::Serialize;

use crate::component::services::ConnectionState;
use crate::configuration::ConfigurationService;
use crate::events::Hub;
use crate::keystore::Keystores;
use crate::loader::Instance;
use crate::packages::Packages;
use crate::plugins::PluginInfo;
use crate::system::SystemProperties;
use actor::LONGEST_QUIESCE;
pub use birth::TRANSACTION;
use connection::Connection;
pub use control::ControlReport;
use ending::Ending;
pub use member::Member;
pub use memory::Memory;
use stack::Stack;

/// How long a control message waits for the components of a gateway that is starting.
const COMPONENTS: Duration = Duration::from_secs(10);
/// How long whoever has a connection disconnected waits for it.
const LONGEST_ENDING: Duration = LONGEST_QUIESCE.saturating_mul(2);

/// A cloud connection for people to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionInfo {
    /// Of the CloudService.
    pub pid: String,
    /// Of the DataService.
    pub data_pid: String,
    /// Of the MqttDataTransport.
    pub transport_pid: String,
    /// Of the ProvisioningService, if there is one.
    pub provisioning_pid: Option<String>,
    /// What it is doing.
    pub state: ConnectionState,
    /// Empty while it is not configured, as are the next two.
    pub account: String,
    /// As the broker knows it.
    pub client_id: String,
    /// URL.
    pub broker: String,
    /// One line; why it is not connected.
    pub last_error: Option<String>,
    /// Since when it is in this state: milliseconds since 1970 UTC.
    pub since_ms: i64,
    /// What became of the control messages that came over it.
    pub control: ControlReport,
}

impl ConnectionInfo {
    fn new(stack: &Stack) -> ConnectionInfo {
        ConnectionInfo {
            pid: stack.cloud.clone(),
            data_pid: stack.data.clone(),
            transport_pid: stack.transport.clone(),
            provisioning_pid: None,
            state: ConnectionState::Disconnected,
            account: String::new(),
            client_id: String::new(),
            broker: String::new(),
            last_error: None,
            since_ms: birth::now_ms(),
            control: ControlReport::default(),
        }
    }
}

/// The components of a gateway, as control messages need them.
pub trait Components: Send + Sync {
    /// An active one.
    fn instance(&self, pid: &str) -> Option<Arc<Instance>>;
    /// All plugins.
    fn plugins(&self) -> Vec<PluginInfo>;
}

/// Where packages are installed.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// What installs them.
    pub packages: Arc<Packages>,
    /// A private folder, which exists, for what is downloaded.
    pub downloads: PathBuf,
}

/// What connections need of the framework.
pub struct Surroundings {
    /// Where their parameters are.
    pub configuration: Arc<ConfigurationService>,
    /// Trust and keys.
    pub keystores: Arc<Keystores>,
    /// Facts for the BIRTH.
    pub system: Arc<SystemProperties>,
    /// Who wants to know.
    pub hub: Hub,
    /// Of the framework.
    pub version: String,
    /// What outlives the process.
    pub memory: Memory,
    anchor: Mutex<Option<Anchor>>,
    /// Where packages are installed; without it none are.
    pub deployment: Option<Deployment>,
    components: Mutex<Option<Arc<dyn Components>>>,
    components_known: Condvar,
}

impl Surroundings {
    /// Puts them together.
    pub fn new(
        configuration: Arc<ConfigurationService>,
        keystores: Arc<Keystores>,
        system: Arc<SystemProperties>,
        hub: Hub,
        version: String,
        memory: Memory,
    ) -> Surroundings {
        Surroundings {
            configuration,
            keystores,
            system,
            hub,
            version,
            memory,
            anchor: Mutex::new(None),
            deployment: None,
            components: Mutex::new(None),
            components_known: Condvar::new(),
        }
    }

    /// The components. What comes over a connection that is up before they are there waits for them;
    /// without any to come, not for ever.
    fn components(&self) -> Option<Arc<dyn Components>> {
        let known = self
            .components
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (known, _) = self
            .components_known
            .wait_timeout_while(known, COMPONENTS, |known| known.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    /// The ProvisioningService of a connection, if there is one.
    fn provisioning_pid(&self, cloud_pid: &str) -> Option<String> {
        Stack::of(cloud_pid)
            .map(|stack| stack.provisioning)
            .filter(|pid| self.configuration.factory_pid(pid).is_some())
    }

    /// The one anchor of the MQTT library, made when it is first needed.
    fn anchor(&self) -> Result<Anchor, mqtt_session::Failure> {
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(anchor) = &*anchor {
            return Ok(anchor.clone());
        }
        let made = Anchor::new()?;
        *anchor = Some(made.clone());
        Ok(made)
    }
}

/// All connections. Any thread.
pub struct Connections {
    surroundings: Arc<Surroundings>,
    all: Mutex<BTreeMap<String, Connection>>,
}

impl Connections {
    /// None yet; see [`changed`](Self::changed).
    pub fn new(surroundings: Surroundings) -> Connections {
        Connections {
            surroundings: Arc::new(surroundings),
            all: Mutex::new(BTreeMap::new()),
        }
    }

    /// Says where the components are, once they are there: those that provision the connections
    /// verify the control messages. Without it every control message is refused.
    pub fn serve(&self, components: Arc<dyn Components>) {
        let surroundings = &self.surroundings;
        let known = &surroundings.components;
        *known.lock().unwrap_or_else(PoisonError::into_inner) = Some(components);
        surroundings.components_known.notify_all();
    }

    /// Brings the connection that a component belongs to in line with the configuration: it is made,
    /// told to look, or ended.
    pub fn changed(&self, pid: &str) {
        let Some(stack) = Stack::of_member(pid) else {
            return;
        };
        let exists = self.surroundings.configuration.get(&stack.cloud).is_some();
        let mut all = self.lock();
        match (all.get(&stack.cloud), exists) {
            (Some(connection), true) => connection.reload(),
            (Some(_), false) => {
                let gone = all.remove(&stack.cloud);
                drop(all);
                drop(gone);
                if let Err(e) = self.surroundings.memory.forget(&stack.cloud) {
                    log::warn!("{} is still remembered: {e}", stack.cloud);
                }
                if let Err(e) = control::forget(&self.surroundings, &stack.cloud) {
                    log::warn!("what {} had downloaded stays: {e}", stack.cloud);
                }
            }
            (None, true) => match Connection::start(&stack, Arc::clone(&self.surroundings)) {
                Ok(connection) => drop(all.insert(stack.cloud, connection)),
                Err(e) => log::error!("no thread for {}: {e}", stack.cloud),
            },
            (None, false) => {}
        }
    }

    /// All of them, sorted by pid.
    pub fn infos(&self) -> Vec<ConnectionInfo> {
        let infos: Vec<_> = self.lock().values().map(Connection::info).collect();
        infos.into_iter().map(|info| self.complete(info)).collect()
    }

    /// One of them.
    pub fn info(&self, pid: &str) -> Result<ConnectionInfo, CallError> {
        let info = self.find(&self.lock(), pid)?.info();
        Ok(self.complete(info))
    }

    /// Lets it connect because a person wants so, without waiting.
    ///
    /// # Errors
    /// `E_STATE` while its provisioning holds it: the new account is not proved yet.
    pub fn connect(&self, pid: &str) -> Result<(), CallError> {
        let all = self.lock();
        let connection = self.find(&all, pid)?;
        if self.surroundings.memory.of(pid).held {
            if let Some(provisioning) = self.surroundings.provisioning_pid(pid) {
                return Err(CallError::new(
                    status::E_STATE,
                    "connection.held",
                    format!(
                        "{pid} is held until {provisioning} has proved the new account or gone \
                         back to the old one; cancel the provisioning, or wait"
                    ),
                ));
            }
            self.remember(pid, |memory| memory.release(pid, ""))?;
        }
        connection.connect("");
        Ok(())
    }

    /// Disconnects it because a person wants so, until it is told to connect or the next start.
    /// Returns once it is disconnected.
    pub fn disconnect(&self, pid: &str) -> Result<(), CallError> {
        let ending = self.find(&self.lock(), pid)?.disconnect();
        ending.wait(LONGEST_ENDING);
        Ok(())
    }

    /// Holds it for its component: it is disconnected and stays so, also over restarts, until
    /// [`release`](Self::release). Durable on return; that it is disconnected is to be waited for,
    /// [`LONGEST_ENDING`] at most.
    fn hold(&self, pid: &str) -> Result<Ending, CallError> {
        let all = self.lock();
        let connection = self.find(&all, pid)?;
        self.remember(pid, |memory| memory.hold(pid))?;
        Ok(connection.hold())
    }

    /// Ends the hold. With a transaction, even an empty one, it connects; the transaction goes
    /// into the next BIRTH, also after a restart. With none, what it was told before the hold
    /// counts again.
    pub(super) fn release(&self, pid: &str, transaction: Option<&str>) -> Result<(), CallError> {
        let all = self.lock();
        let connection = self.find(&all, pid)?;
        self.remember(pid, |memory| {
            memory.release(pid, transaction.unwrap_or_default())
        })?;
        match transaction {
            Some(transaction) => connection.connect(transaction),
            None => connection.release(),
        }
        Ok(())
    }

    fn remember(
        &self,
        pid: &str,
        change: impl FnOnce(&Memory) -> std::io::Result<()>,
    ) -> Result<(), CallError> {
        change(&self.surroundings.memory).map_err(|e| {
            let status = match e.kind() {
                std::io::ErrorKind::StorageFull => status::E_NO_SPACE,
                _ => status::E_IO,
            };
            let what = format!("{} cannot be written for {pid}: {e}", memory::FILE);
            CallError::new(status, "storage.unwritable", what)
        })
    }

    /// Disconnects all in good order, and ends their threads.
    pub fn stop(&self) {
        let all = std::mem::take(&mut *self.lock());
        drop(all);
    }

    fn complete(&self, mut info: ConnectionInfo) -> ConnectionInfo {
        info.provisioning_pid = self.surroundings.provisioning_pid(&info.pid);
        info
    }

    fn find<'a>(
        &self,
        all: &'a BTreeMap<String, Connection>,
        pid: &str,
    ) -> Result<&'a Connection, CallError> {
        all.get(pid).ok_or_else(|| {
            CallError::new(
                status::E_NOT_FOUND,
                "connection.unknown",
                format!("there is no cloud connection {pid}"),
            )
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Connection>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

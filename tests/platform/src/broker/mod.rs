//! A real mosquitto, driven: its folder, its process, its ports.
//!
//! Each broker has three listeners on the loopback interface: TLS for devices, TLS for devices that
//! show a certificate of the device authority besides, and a plain one for the platform. And the dynamic-security plugin, which ties every user to one client-id and to its own
//! topics and which takes changes at once (see [`dynsec`]). This module starts, stops, freezes and
//! kills; who may connect is decided by the platform. Used by the platform and by tests.

pub mod dynsec;

mod config;
mod ports;
mod process;
mod refusals;

pub use config::{Installation, TlsStrength};
pub use ports::Held;
pub use refusals::Refused;

use crate::pki::{Identity, PkiError};
use crate::secret::{Secret, SecretError};
use openssl::x509::X509;
use ports::Ports;
use process::Process;
use refusals::Refusals;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a broker could not be driven.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Something is not installed.
    #[error("{what} is not installed: apt install mosquitto, or set {variable}")]
    NotInstalled {
        /// What is missing.
        what: &'static str,
        /// The environment variable that names it.
        variable: &'static str,
    },
    /// A file or folder of the broker.
    #[error("{} cannot be written", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No port could be found.
    #[error("no free port on 127.0.0.1")]
    NoPort(#[source] std::io::Error),
    /// The port that was asked for is taken.
    #[error("port {port} on 127.0.0.1 is in use")]
    PortInUse {
        /// Which one.
        port: u16,
    },
    /// The process could not be started or signalled.
    #[error("mosquitto cannot be {action}")]
    Process {
        /// What was tried.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The process ended, or said nothing, instead of running.
    #[error("mosquitto ({name}) did not start: {reason}")]
    NotRunning {
        /// Which broker.
        name: String,
        /// Its last words.
        reason: String,
    },
    /// Certificates or hashes could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// Passwords could not be made.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// What a broker is started with.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    /// For logs: `provision` or `target`.
    pub name: String,
    /// Its working folder, created with mode 0700.
    pub folder: PathBuf,
    /// What it shows to devices.
    pub certificate: Identity,
    /// Root of the certificates that devices show where they must.
    pub device_root: X509,
    /// The TLS port. None: the one of `wish`, or a free one.
    pub port: Option<u16>,
    /// Ports to be taken if nobody else has them.
    pub wish: Option<DevicePorts>,
    /// Whether OpenSSL may refuse weak keys.
    pub strength: TlsStrength,
}

/// The ports that devices connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevicePorts {
    /// With name and password.
    pub tls: u16,
    /// With a certificate besides.
    pub mutual: u16,
}

/// A mosquitto. Killed when dropped, and by the kernel if this process dies.
pub struct Broker {
    settings: BrokerSettings,
    installation: Installation,
    platform_password: Secret,
    ports: Ports,
    held: Held,
    process: Mutex<Option<Process>>,
    refusals: Arc<Refusals>,
}

/// The platform's own user name at each of its brokers.
pub const PLATFORM_USER: &str = "provision-platform";

/// How often other ports are tried if somebody who shares them was faster to listen.
const PORT_TRIES: usize = 20;

impl Broker {
    /// Writes the folder and starts the process; returns when all listeners are open.
    pub fn start(settings: BrokerSettings) -> Result<Broker, BrokerError> {
        let installation = Installation::find()?;
        let file = |source| BrokerError::File {
            path: settings.folder.clone(),
            source,
        };
        std::fs::create_dir_all(&settings.folder).map_err(file)?;
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&settings.folder, std::fs::Permissions::from_mode(0o700))
            .map_err(file)?;
        let platform_password = crate::secret::random(32)?;
        let refusals = Arc::new(Refusals::default());
        let mut tries = PORT_TRIES;
        loop {
            // One that was taken in between is not wished for again.
            let wish = settings.wish.filter(|_| tries == PORT_TRIES);
            let (ports, held) = ports::hold(settings.port, wish)?;
            config::write(&settings, &installation, ports, &platform_password)?;
            match Process::start(
                &installation,
                &settings.name,
                &settings.folder,
                Arc::clone(&refusals),
            ) {
                Ok(process) => {
                    return Ok(Broker {
                        settings,
                        installation,
                        platform_password,
                        ports,
                        held,
                        process: Mutex::new(Some(process)),
                        refusals,
                    })
                }
                Err(process::StartError::AddressInUse) => {
                    tries -= 1;
                    // A port that was asked for is not ours to replace.
                    if let (Some(port), true) = (settings.port, tries < PORT_TRIES / 2) {
                        return Err(BrokerError::PortInUse { port });
                    }
                    if tries == 0 {
                        let taken = std::io::ErrorKind::AddrInUse.into();
                        return Err(BrokerError::NoPort(taken));
                    }
                }
                Err(process::StartError::Other(error)) => return Err(error),
            }
        }
    }

    /// Where devices connect: `mqtts://localhost:PORT`.
    pub fn url(&self) -> String {
        format!("mqtts://localhost:{}", self.ports.tls)
    }

    /// Where devices connect that show a certificate of the device authority, besides name and
    /// password: `mqtts://localhost:PORT`. Nobody else gets through TLS there.
    pub fn mutual_url(&self) -> String {
        format!("mqtts://localhost:{}", self.ports.mutual)
    }

    /// The TLS port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.ports.tls
    }

    /// The ports for devices.
    pub fn device_ports(&self) -> DevicePorts {
        DevicePorts {
            tls: self.ports.tls,
            mutual: self.ports.mutual,
        }
    }

    /// Where the platform connects: `mqtt://127.0.0.1:PORT`, without TLS.
    pub fn platform_url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.ports.plain)
    }

    /// The plain port on 127.0.0.1.
    pub fn platform_port(&self) -> u16 {
        self.ports.plain
    }

    /// The password of [`PLATFORM_USER`], new at every start.
    pub fn platform_password(&self) -> &Secret {
        &self.platform_password
    }

    /// Keeps its ports from everybody else, also when this broker is gone and another one is to
    /// take its place.
    pub fn held_ports(&self) -> Held {
        self.held.clone()
    }

    /// Its name in logs.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its working folder.
    pub fn folder(&self) -> &Path {
        &self.settings.folder
    }

    /// Kills the process at once, as a crash would. Its connections break.
    pub fn kill(&self) {
        // Dropping a process kills it.
        self.lock().take();
    }

    /// Starts it again on the same ports, killing it before if it runs. It knows the platform's
    /// user only, until the platform has told it the others.
    pub fn restart(&self) -> Result<(), BrokerError> {
        let mut process = self.lock();
        process.take();
        config::write(
            &self.settings,
            &self.installation,
            self.ports,
            &self.platform_password,
        )?;
        let started = Process::start(
            &self.installation,
            &self.settings.name,
            &self.settings.folder,
            Arc::clone(&self.refusals),
        );
        *process = Some(started.map_err(|error| match error {
            process::StartError::AddressInUse => BrokerError::PortInUse {
                port: self.ports.tls,
            },
            process::StartError::Other(error) => error,
        })?);
        Ok(())
    }

    /// Who was refused since this was asked last, as far as the broker's log tells.
    pub fn refused(&self) -> Vec<Refused> {
        self.refusals.take()
    }

    /// Freezes it: connections are accepted by the kernel and never answered.
    pub fn freeze(&self) -> Result<(), BrokerError> {
        self.signal(rustix::process::Signal::STOP)
    }

    /// Lets a frozen one go on.
    pub fn thaw(&self) -> Result<(), BrokerError> {
        self.signal(rustix::process::Signal::CONT)
    }

    fn signal(&self, signal: rustix::process::Signal) -> Result<(), BrokerError> {
        match &*self.lock() {
            Some(process) => process.signal(signal),
            None => Ok(()),
        }
    }

    /// Whether the process runs.
    pub fn is_running(&self) -> bool {
        self.lock().as_ref().is_some_and(Process::is_running)
    }

    /// The process id, if it runs.
    pub fn pid(&self) -> Option<u32> {
        self.lock()
            .as_ref()
            .filter(|p| p.is_running())
            .map(Process::pid)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker")
            .field("name", &self.settings.name)
            .field("ports", &self.ports)
            .finish_non_exhaustive()
    }
}

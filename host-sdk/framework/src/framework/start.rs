//! Starting.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{flock, FlockOperation, OFlags};
use zeroize::Zeroizing;

use super::environment::{create_stack, Surroundings};
use super::{Framework, Options};
use crate::cloud::stack::{self, Stack};
use crate::cloud::{self, Connections, Deployment, Memory};
use crate::component::trials::Trials;
use crate::component::{Stop, Supervisor};
use crate::configuration::{ConfigurationError, ConfigurationService};
use crate::crypto::{Crypto, CryptoError};
use crate::events::Hub;
use crate::keystore::{KeystoreError, Keystores};
use crate::loader::OpenOptions as LoadOptions;
use crate::packages::{PackageError, Packages};
use crate::plugins::watch::{scan, Change, Watch};
use crate::plugins::Registry;
use crate::system::changes::Changes;
use crate::system::{SystemError, SystemProperties};

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another gateway runs on this data folder.
    #[error("another gateway uses the data folder {}", .0.display())]
    Locked(PathBuf),
    /// A folder or file cannot be used.
    #[error("{} cannot be used", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The gateway's key.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The configurations.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The keystores.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// The packages.
    #[error(transparent)]
    Packages(#[from] PackageError),
    /// The properties file.
    #[error(transparent)]
    System(#[from] SystemError),
    /// No thread.
    #[error("the system gives no thread")]
    Thread(#[source] io::Error),
}

fn unusable(path: &Path) -> impl FnOnce(io::Error) -> StartError + '_ {
    |source| StartError::Folder {
        path: path.to_owned(),
        source,
    }
}

/// Keeps a data folder for one process. The kernel lets go of it whatever way the process ends.
pub(super) struct FolderLock {
    file: File,
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing would not do where a child, between fork and exec, still shares the file.
        if let Err(e) = flock(&self.file, FlockOperation::Unlock) {
            log::warn!("the lock of the data folder stays until the end of the process: {e}");
        }
    }
}

impl FolderLock {
    fn take(data: &Path) -> Result<FolderLock, StartError> {
        let path = data.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
            .open(&path)
            .map_err(unusable(&path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(FolderLock { file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StartError::Locked(data.to_owned())),
            Err(e) => Err(unusable(&path)(e.into())),
        }
    }
}

pub(super) fn start(options: Options, stop: Stop) -> Result<Framework, StartError> {
    // The operator may have put a link there; nobody may below it.
    let data = durable_file::resolve(&options.data).map_err(unusable(&options.data))?;
    let data = private_folder(&data)?;
    let lock = FolderLock::take(&data)?;
    let plugins = plugin_folder(&options.plugins)?;
    let components = private_folder(&data.join("components"))?;
    let links = private_folder(&data.join("links"))?;

    let system = Arc::new(SystemProperties::load(options.properties.as_deref())?);
    let crypto = Arc::new(Crypto::open(&data)?);
    let keystores = Arc::new(Keystores::open(
        &data.join("keystores"),
        Arc::clone(&crypto),
    )?);
    durable_file::sweep(&data).map_err(unusable(&data))?;
    for keystore in keystores.names() {
        let folder = data.join("keystores").join(keystore);
        durable_file::sweep(&folder).map_err(unusable(&folder))?;
    }
    let configuration = open_configuration(&data, &crypto, options.seed.as_deref())?;

    let hub = Hub::default();
    let folder = private_folder(&data.join("packages"))?;
    durable_file::sweep(&folder).map_err(unusable(&folder))?;
    let packages = Arc::new(Packages::open(&folder, &plugins, hub.clone())?);
    let mut of_connections = cloud::Surroundings::new(
        Arc::clone(&configuration),
        Arc::clone(&keystores),
        Arc::clone(&system),
        hub.clone(),
        options.version.clone(),
        Memory::open(&data).map_err(unusable(&data))?,
    );
    of_connections.deployment = Some(Deployment {
        packages: Arc::clone(&packages),
        downloads: private_folder(&data.join("downloads"))?,
    });
    let connections = Arc::new(Connections::new(of_connections));
    let surroundings = Surroundings {
        components,
        configuration: Arc::clone(&configuration),
        keystores: Arc::clone(&keystores),
        crypto: Arc::clone(&crypto),
        system: Arc::clone(&system),
        connections: Arc::clone(&connections),
        packages: Arc::clone(&packages),
        hub: hub.clone(),
        version: options.version,
    };
    let load = LoadOptions {
        allow_insecure: options.allow_insecure_plugins,
        ..LoadOptions::default()
    };
    let trials = Arc::new(Trials::open(&data));
    let supervisor = Supervisor::start(
        Arc::clone(&configuration),
        Arc::new(surroundings),
        hub.clone(),
        Registry::new(load, links, Arc::clone(&trials)),
        trials,
        stop,
    )
    .map_err(StartError::Thread)?;
    packages.attach(Arc::new(supervisor.adopter()));
    for pid in stack::cloud_pids(&configuration.pids()) {
        connections.changed(&pid);
    }
    let mut framework = Framework {
        configuration,
        keystores,
        crypto,
        system,
        connections,
        packages,
        hub,
        watch: None,
        changes: None,
        supervisor,
        _lock: lock,
    };
    // What is there at the start is taken as it is; what comes later has to settle.
    let found = scan(&plugins).map_err(unusable(&plugins))?;
    let there = found
        .iter()
        .map(|(path, stamp)| Change::Arrived(path.clone(), *stamp));
    framework.supervisor.files(there.collect());
    // Twice: plugins may have made configurations, whose instances are then made.
    framework.supervisor.settle();
    framework.supervisor.settle();
    framework.supervisor.started();
    let finder = framework.supervisor.finder();
    framework.connections.serve(Arc::new(finder));
    let watch = Watch::start(&plugins, found, framework.supervisor.reporter());
    framework.watch = Some(watch.map_err(StartError::Thread)?);
    let changes = Changes::start(framework.supervisor.teller());
    framework.changes = Some(changes.map_err(StartError::Thread)?);
    Ok(framework)
}

/// Opens the configurations; a gateway on which nothing has changed since its seed, and which has
/// no cloud connection, gets the default one. So it does after a first start that was cut off.
fn open_configuration(
    data: &Path,
    crypto: &Arc<Crypto>,
    seed: Option<&Path>,
) -> Result<Arc<ConfigurationService>, StartError> {
    let folder = private_folder(&data.join("snapshots"))?;
    let seed = match seed.filter(|_| !holds_snapshot(&folder)) {
        Some(path) => Some(Zeroizing::new(fs::read(path).map_err(unusable(path))?)),
        None => None,
    };
    let service = ConfigurationService::open(
        &folder,
        Arc::clone(crypto),
        seed.as_deref().map(Vec::as_slice),
    )?;
    for (factory_pid, ocd) in stack::definitions() {
        match factory_pid {
            stack::CLOUD_SERVICE => service.register_metatype(factory_pid, ocd),
            _ => service.register_part(factory_pid, ocd),
        }
    }
    let untouched = service.snapshots()?.iter().all(|id| *id == 0);
    if untouched && stack::cloud_pids(&service.pids()).is_empty() {
        if let Some(stack) = Stack::of(stack::CLOUD_SERVICE) {
            create_stack(&service, &stack)?;
        }
    }
    Ok(Arc::new(service))
}

/// Whether there was a start before that came as far as its snapshot; other files do not count.
fn holds_snapshot(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            name.as_encoded_bytes().starts_with(b"snapshot_")
        })
    })
}

fn private_folder(path: &Path) -> Result<PathBuf, StartError> {
    durable_file::create_folder(path).map_err(unusable(path))?;
    fs::canonicalize(path).map_err(unusable(path))
}

/// The plugin directory, made for its owner to write where it does not exist.
fn plugin_folder(path: &Path) -> Result<PathBuf, StartError> {
    match fs::DirBuilder::new().mode(0o755).create(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(unusable(path)(e)),
        _ => fs::canonicalize(path).map_err(unusable(path)),
    }
}

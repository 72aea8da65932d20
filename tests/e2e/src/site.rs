//! A gateway in a temporary folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::canaries::{Canaries, ACTIVATION_KEY};
use crate::capture;
use gateway_component_abi::value::{Properties, Secret, Value};
use gateway_host_sdk::component::Action;
use gateway_host_sdk::configuration::ConfigurationService;
use gateway_host_sdk::crypto::Crypto;
use gateway_host_sdk::events::Event;
use gateway_host_sdk::framework::{Framework, Options};
use gateway_host_sdk::keystore::{Keystores, DM_KEYSTORE, SSL_KEYSTORE};
use gateway_host_sdk::{ConnectionInfo, ConnectionState};
use provision_platform::pki::Identity;
use provision_platform::platform::Platform;
use serde_json::Value as Json;
use tempfile::TempDir;

/// The ProvisioningService of the default connection, and its factory.
pub const PID: &str = "gwc.provisioning.ProvisioningService";
/// The cloud connection it belongs to.
pub const CONNECTION: &str = "org.eclipse.kura.cloud.CloudService";
/// Its transport.
pub const TRANSPORT: &str = "org.eclipse.kura.core.data.transport.mqtt.MqttDataTransport";

/// What a site cannot do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SiteError(pub(crate) String);

fn failed(what: &str) -> impl Fn(&dyn std::fmt::Display) -> SiteError + '_ {
    move |e| SiteError(format!("{what}: {e}"))
}

/// A gateway. See the module documentation.
pub struct Site {
    folder: TempDir,
    parameters: Properties,
    running: Option<(Framework, Receiver<Event>)>,
    canaries: Canaries,
    /// Every status document that was seen.
    pub documents: Vec<String>,
}

impl Site {
    /// A gateway named `client_id` that knows the platform's address and `password`, and trusts
    /// its roots. Not started yet.
    pub fn new(platform: &Platform, client_id: &str, password: &str) -> Result<Site, SiteError> {
        Site::new_in(&std::env::temp_dir(), platform, client_id, password)
    }

    /// The same, its folder being made in `parent`.
    pub fn new_in(
        parent: &Path,
        platform: &Platform,
        client_id: &str,
        password: &str,
    ) -> Result<Site, SiteError> {
        let folder = tempfile::tempdir_in(parent).map_err(|e| failed("temporary folder")(&e))?;
        let site = Site {
            parameters: Properties::from([
                ("enabled".into(), true.into()),
                (
                    "broker-url".into(),
                    platform.provision_broker().url().into(),
                ),
                (
                    "account-name".into(),
                    platform.settings().account.clone().into(),
                ),
                ("client-id".into(), client_id.into()),
                ("username".into(), format!("user-{client_id}").into()),
                ("password".into(), Secret::from(password).into()),
                ("activation-key".into(), Secret::from(ACTIVATION_KEY).into()),
                ("retry-interval".into(), 1.into()),
                ("timeout".into(), 60.into()),
            ]),
            folder,
            running: None,
            canaries: Canaries::default(),
            documents: Vec::new(),
        };
        site.install()?;
        site.trust_tls(&platform.settings().pki.tls_root)?;
        site.trust_chain(&platform.settings().pki.root)?;
        Ok(site)
    }

    /// A gateway in a folder of its own in `parent` with the files of this one as they are, which
    /// must not run.
    pub fn copy_in(&self, parent: &Path) -> Result<Site, SiteError> {
        let io = |e: std::io::Error| failed("copy of a gateway")(&e);
        let copy = Site {
            folder: tempfile::tempdir_in(parent).map_err(io)?,
            parameters: self.parameters.clone(),
            running: None,
            canaries: Canaries::default(),
            documents: Vec::new(),
        };
        copy_tree(&self.data(), &copy.data()).map_err(io)?;
        copy_tree(&self.plugins(), &copy.plugins()).map_err(io)?;
        fs::copy(self.system_properties(), copy.system_properties()).map_err(io)?;
        Ok(copy)
    }

    /// Sets a parameter of the seed.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Site {
        self.parameters.insert(name.into(), value.into());
        self
    }

    fn install(&self) -> Result<(), SiteError> {
        let plugins = self.plugins();
        let data = self.data();
        for folder in [&plugins, &data] {
            fs::create_dir(folder).map_err(|e| failed("folder")(&e))?;
        }
        fs::copy(
            plugin_library()?,
            plugins.join("libprovisioning_service.so"),
        )
        .map_err(|e| failed("copy of the plugin")(&e))?;
        fs::write(
            self.system_properties(),
            "kura.serialNumber=SN-1\nkura.primary.mac=02:00:00:00:00:01\n",
        )
        .map_err(|e| failed("properties")(&e))
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The plugin directory.
    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// The folder that all of it is in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of the system properties.
    pub fn system_properties(&self) -> PathBuf {
        self.folder.path().join("system.properties")
    }

    /// The keystores of a gateway that does not run.
    pub fn keystores(&self) -> Result<Keystores, SiteError> {
        let crypto = Crypto::open(&self.data()).map_err(|e| failed("key")(&e))?;
        Keystores::open(&self.data().join("keystores"), Arc::new(crypto))
            .map_err(|e| failed("keystores")(&e))
    }

    /// Trusts a root for TLS; also while running.
    pub fn trust_tls(&self, root: &Identity) -> Result<(), SiteError> {
        self.trust(SSL_KEYSTORE, "tls-root", root)
    }

    /// Trusts a root for received chains; also while running.
    pub fn trust_chain(&self, root: &Identity) -> Result<(), SiteError> {
        self.trust(DM_KEYSTORE, "dm-root", root)
    }

    /// Trusts the roots of a second platform beside those of the first.
    pub fn trust_second(&self, tls: &Identity, chain: &Identity) -> Result<(), SiteError> {
        self.trust(SSL_KEYSTORE, "tls-root-2", tls)?;
        self.trust(DM_KEYSTORE, "dm-root-2", chain)
    }

    fn trust(&self, keystore: &str, alias: &str, root: &Identity) -> Result<(), SiteError> {
        let pem = root.certificate_pem().map_err(|e| failed("root")(&e))?;
        let pem = String::from_utf8_lossy(&pem).into_owned();
        let put = |keystores: &Keystores| {
            keystores
                .put_certificate(keystore, alias, &pem)
                .map_err(|e| failed(keystore)(&e))
        };
        match &self.running {
            Some((framework, _)) => put(framework.keystores()),
            None => put(&self.keystores()?),
        }
    }

    /// Writes the snapshot that the first start takes, and says where it is.
    pub fn write_seed(&self) -> Result<PathBuf, SiteError> {
        let seed = self.folder.path().join("seed.xml");
        let mut properties = self.parameters.clone();
        properties.insert("service.factoryPid".into(), PID.into());
        properties.insert("kura.service.pid".into(), PID.into());
        let xml = in_clear(PID, properties)?;
        fs::write(&seed, xml).map_err(|e| failed("seed")(&e))?;
        Ok(seed)
    }

    /// Changes parameters of the ProvisioningService while the gateway does not run.
    pub fn reconfigure(&self, changes: &Properties) -> Result<(), SiteError> {
        let update = self.configuration()?.update(PID, changes);
        update.map(drop).map_err(|e| failed(PID)(&e))
    }

    /// The configurations: those of the framework in this process, or what lies in the files.
    fn configuration(&self) -> Result<Arc<ConfigurationService>, SiteError> {
        if let Some((framework, _)) = &self.running {
            return Ok(Arc::clone(framework.configuration()));
        }
        let crypto = Crypto::open(&self.data()).map_err(|e| failed("key")(&e))?;
        ConfigurationService::open(&self.data().join("snapshots"), Arc::new(crypto), None)
            .map(Arc::new)
            .map_err(|e| failed("configurations")(&e))
    }

    /// Starts the gateway.
    pub fn start(&mut self) -> Result<(), SiteError> {
        capture::start();
        self.canaries.add("parameter", &self.parameters);
        let seed = self.write_seed()?;
        let framework = Framework::start(Options {
            data: self.data(),
            plugins: self.plugins(),
            seed: Some(seed),
            properties: Some(self.system_properties()),
            allow_insecure_plugins: true,
            version: "e2e".into(),
        })
        .map_err(|e| failed("start")(&e))?;
        let events = framework.events();
        self.running = Some((framework, events));
        Ok(())
    }

    /// Starts a gateway that has never run, and gives its [`Site::world`] as it is before the first
    /// attempt: it is switched on only then, or the attempt might be quicker than the look.
    pub fn first_start(&mut self) -> Result<BTreeMap<String, Vec<u8>>, SiteError> {
        let enabled = self.parameters.insert("enabled".into(), false.into());
        self.start()?;
        let world = self.world()?;
        if let Some(enabled) = enabled {
            self.parameters.insert("enabled".into(), enabled.clone());
            self.set("enabled", enabled)?;
        }
        Ok(world)
    }

    /// Begins the next attempt without the rest of the pause.
    pub fn retry_now(&self) -> Result<(), SiteError> {
        let asked = self.framework()?.act(PID, Action::RetryNow);
        asked.map_err(|e| failed("retry-now")(&e))
    }

    /// Ends the gateway in good order.
    pub fn stop(&mut self) {
        if let Some((framework, _)) = self.running.take() {
            self.canaries.add_running(&framework);
            framework.shutdown();
        }
    }

    /// The running framework.
    pub fn framework(&self) -> Result<&Framework, SiteError> {
        match &self.running {
            Some((framework, _)) => Ok(framework),
            None => Err(SiteError("the gateway does not run".into())),
        }
    }

    /// The status document now.
    pub fn status(&mut self) -> Json {
        let text = self
            .framework()
            .ok()
            .and_then(|framework| framework.status(PID))
            .unwrap_or_default();
        let document = serde_json::from_str(&text).unwrap_or(Json::Null);
        if self.documents.last() != Some(&text) {
            self.documents.push(text);
        }
        document
    }

    /// Waits until the status document is as wanted.
    pub fn wait(
        &mut self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Json) -> bool,
    ) -> Result<Json, SiteError> {
        let until = Instant::now() + within;
        loop {
            let status = self.status();
            if wanted(&status) {
                return Ok(status);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(SiteError(format!(
                    "{what}: not within {within:?}; the status is {status:#}"
                )));
            }
            match &self.running {
                Some((_, events)) => {
                    drop(events.recv_timeout(left.min(Duration::from_millis(250))))
                }
                None => return Err(SiteError(format!("{what}: the gateway does not run"))),
            }
        }
    }

    /// Waits until an attempt ended with `code`, and returns the status.
    pub fn wait_for_code(&mut self, code: &str) -> Result<Json, SiteError> {
        self.wait(code, Duration::from_secs(40), |status| {
            error_code(status) == code
                && ["waiting", "refused", "gave-up", "preflight"].contains(&state(status))
        })
    }

    /// Waits until it is provisioned and connected to the new account.
    pub fn wait_provisioned(&mut self) -> Result<Json, SiteError> {
        let status = self.wait("provisioned", Duration::from_secs(40), |status| {
            state(status) == "provisioned"
        })?;
        self.wait_connected(Duration::from_secs(20))?;
        Ok(status)
    }

    /// Waits until the cloud connection is connected.
    pub fn wait_connected(&self, within: Duration) -> Result<(), SiteError> {
        self.wait_connection("connected", within, |info| {
            info.state == ConnectionState::Connected
        })
        .map(drop)
    }

    /// Waits until the cloud connection is as wanted.
    pub fn wait_connection(
        &self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&ConnectionInfo) -> bool,
    ) -> Result<ConnectionInfo, SiteError> {
        let until = Instant::now() + within;
        loop {
            let infos = self.framework()?.connections();
            if let Some(info) = infos.iter().find(|i| i.pid == CONNECTION && wanted(i)) {
                return Ok(info.clone());
            }
            if Instant::now() > until {
                return Err(SiteError(format!(
                    "{what}: not within {within:?}: {infos:?}"
                )));
            }
            if let Some((_, events)) = &self.running {
                drop(events.recv_timeout(Duration::from_millis(250)));
            }
        }
    }

    /// Whether the cloud connection is connected.
    pub fn connected(&self) -> Result<bool, SiteError> {
        Ok(self
            .framework()?
            .connections()
            .iter()
            .any(|info| info.pid == CONNECTION && info.state == ConnectionState::Connected))
    }

    /// Changes a parameter of the ProvisioningService.
    pub fn set(&self, name: &str, value: impl Into<Value>) -> Result<(), SiteError> {
        let properties = Properties::from([(name.to_owned(), value.into())]);
        self.framework()?
            .configuration()
            .update(PID, &properties)
            .map(drop)
            .map_err(|e| failed(name)(&e))
    }

    /// One property of a component.
    pub fn property(&self, pid: &str, name: &str) -> Result<Option<Value>, SiteError> {
        let properties = self.framework()?.configuration().get(pid);
        Ok(properties.and_then(|properties| properties.get(name).cloned()))
    }

    /// What must be as before when an attempt failed: all configurations but that of the
    /// ProvisioningService itself, the keystores, the plugins. Of a gateway that runs as a process
    /// it may be asked while that one writes nothing.
    pub fn world(&self) -> Result<BTreeMap<String, Vec<u8>>, SiteError> {
        let mut world = BTreeMap::new();
        let configuration = self.configuration()?;
        for pid in configuration.pids() {
            if pid != PID {
                let properties = configuration.get(&pid).unwrap_or_default();
                world.insert(pid.clone(), in_clear(&pid, properties)?);
            }
        }
        for folder in [self.data().join("keystores"), self.plugins()] {
            read_tree(&folder, &mut world).map_err(|e| failed("world")(&e))?;
        }
        let own = format!("{}/", self.folder.path().display());
        Ok(world
            .into_iter()
            .map(|(name, content)| (name.replacen(&own, "", 1), content))
            .collect())
    }

    /// Files of the data folder that hold `text` in clear.
    pub fn files_with(&self, text: &str) -> Result<Vec<String>, SiteError> {
        let mut all = BTreeMap::new();
        read_tree(&self.data(), &mut all).map_err(|e| failed("data folder")(&e))?;
        let holds = |content: &Vec<u8>| {
            content
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        };
        Ok(all
            .into_iter()
            .filter(|(_, content)| holds(content))
            .map(|(path, _)| path)
            .collect())
    }
}

impl Site {
    /// One more secret that must be found nowhere.
    pub fn keep_secret(&mut self, what: &str, secret: &str) {
        self.canaries.add_secret(what, secret);
    }

    /// What else the gateway has let out: no secret may be in it either.
    pub fn saw(&mut self, texts: impl IntoIterator<Item = String>) {
        self.documents.extend(texts);
    }

    /// Where a secret of this gateway is found that must be nowhere.
    pub fn leaks(&mut self) -> Result<Vec<String>, SiteError> {
        // Also where the gateway runs as a process of its own.
        self.canaries.add("parameter", &self.parameters);
        if let Some((framework, _)) = &self.running {
            self.canaries.add_running(framework);
        }
        let mut files = BTreeMap::new();
        if self.data().is_dir() {
            read_tree(&self.data(), &mut files).map_err(|e| failed("data folder")(&e))?;
        }
        let files = files
            .iter()
            .map(|(path, content)| (path.as_str(), content.as_slice()));
        let documents = self
            .documents
            .iter()
            .map(|text| ("what it showed", text.as_bytes()));
        Ok(self.canaries.found_in(files.chain(documents)))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop();
        // A test that has failed says enough.
        if !std::thread::panicking() {
            let leaks = self.leaks();
            let none = matches!(&leaks, Ok(found) if found.is_empty());
            assert!(none, "secrets were written, or not looked for: {leaks:#?}");
        }
    }
}

/// A configuration as a document, passwords in clear: to be taken in, or compared.
fn in_clear(pid: &str, properties: Properties) -> Result<Vec<u8>, SiteError> {
    kura_formats::configurations::write(
        &[kura_formats::configurations::Configuration {
            pid: pid.into(),
            properties,
        }],
        &mut |secret: &Secret| (false, secret.expose().to_owned()),
    )
    .map_err(|e| failed(pid)(&e))
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_tree(&from, &to)?;
        } else if from.extension().is_some_and(|extension| extension == "so") {
            // Large, and never changed in place.
            fs::hard_link(from, to)?;
        } else {
            fs::copy(from, to)?;
        }
    }
    Ok(())
}

/// Every file below a folder, by its path.
pub fn read_tree(folder: &Path, into: &mut BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_tree(&path, into)?;
        } else if path.is_file() {
            into.insert(path.display().to_string(), fs::read(&path)?);
        }
    }
    Ok(())
}

/// The state of a status document.
pub fn state(status: &Json) -> &str {
    text_at(status, "/state")
}

/// The code of the last error of a status document; empty if none.
pub fn error_code(status: &Json) -> &str {
    text_at(status, "/error/code")
}

fn text_at<'a>(status: &'a Json, path: &str) -> &'a str {
    status
        .pointer(path)
        .and_then(Json::as_str)
        .unwrap_or_default()
}

/// The library under test: built with the tests, in the folder of their profile.
pub fn plugin_library() -> Result<PathBuf, SiteError> {
    let test = std::env::current_exe().map_err(|e| failed("this program")(&e))?;
    let mut folder = test.parent();
    while let Some(candidate) = folder {
        let library = candidate.join("libprovisioning_service.so");
        if library.is_file() {
            return Ok(library);
        }
        folder = candidate.parent();
    }
    Err(SiteError(format!(
        "no libprovisioning_service.so beside {}: run cargo build -p provisioning-service",
        test.display()
    )))
}

/// The binary `gateway`, in the folder of the tests' profile.
pub fn gateway_binary() -> Result<PathBuf, SiteError> {
    let test = std::env::current_exe().map_err(|e| failed("this program")(&e))?;
    test.ancestors()
        .skip(1)
        .map(|folder| folder.join("gateway"))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            SiteError(format!(
                "no gateway beside {}: run cargo build -p gateway",
                test.display()
            ))
        })
}

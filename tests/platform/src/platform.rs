//! A running platform: two brokers, a database, and the thread between them.
//!
//! Layout of the data folder (mode 0700, everything secret in it 0600):
//!
//! ```text
//! platform.sqlite    requests, jobs, attempts, devices
//! secrets.key        opens the sealed columns
//! pki/               the certificates, as `demo-pki` writes them
//! broker/provision/  working folder of the provision broker
//! broker/target/     working folder of the target account's broker
//! packages/          package files, named by their SHA-256
//! ports.json         where devices know it to listen
//! ```
//!
//! Started by `provision-platform run` and by [`crate::harness::TestPlatform`].

use crate::behaviour::Script;
use crate::broker::{Broker, BrokerError, BrokerSettings};
use crate::changes::Changes;
use crate::control::{ControlError, ControlReply, ControlRequest};
use crate::engine::{Asker, Engine, EngineError, Input, Place, Station};
use crate::flow::message::random_id;
use crate::packages::{PackageServer, ServerError};
use crate::pki::{Identity, PkiError};
use crate::ports::Remembered;
pub use crate::settings::{Admission, Settings, PROVISIONING_ACCOUNT, TARGET_ACCOUNT};
use crate::store::{Job, JobState, NewRequest, Store, StoreError};
use std::sync::mpsc::{channel, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Why a platform could not be started, or did not do what was waited for.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// A broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The package server.
    #[error(transparent)]
    Packages(#[from] ServerError),
    /// The thread.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No reply to a control request.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Its ports cannot be remembered.
    #[error("the ports cannot be written down in the data folder")]
    Ports(#[source] std::io::Error),
    /// The machine.
    #[error("the platform's thread cannot be started")]
    Thread(#[source] std::io::Error),
    /// The platform has ended.
    #[error("the platform's thread has ended")]
    Ended,
    /// The brokers could not be brought in line with the database.
    #[error("the brokers do not follow: {0}")]
    OutOfLine(String),
    /// It did not come in time.
    #[error("not within {} s: {what}", within.as_secs())]
    TooLate {
        /// What was waited for, and what was there instead.
        what: String,
        /// How long.
        within: Duration,
    },
}

/// A running platform. Dropping it ends its thread and both brokers.
pub struct Platform {
    settings: Arc<Settings>,
    provision: Arc<Broker>,
    target: Option<Arc<Broker>>,
    packages: Arc<PackageServer>,
    store: Mutex<Store>,
    inputs: Sender<Input>,
    changes: Arc<Changes>,
    thread: Option<JoinHandle<()>>,
}

impl Platform {
    /// Starts everything; on return, the devices of the database are let in.
    pub fn start(settings: Settings) -> Result<Platform, PlatformError> {
        let store = Store::open(&settings.data)?;
        let mut own_store = Store::open(&settings.data)?;
        own_store.end_interrupted()?;
        let remembered = Remembered::load(&settings.data);
        let broker = |name: &str, certificate: &Identity, port, wish| {
            Broker::start(BrokerSettings {
                name: name.to_owned(),
                folder: settings.data.join("broker").join(name),
                certificate: certificate.clone(),
                device_root: settings.pki.device_root.certificate().clone(),
                port,
                wish,
                strength: settings.strength,
            })
            .map(Arc::new)
        };
        let provision = broker(
            "provision",
            &settings.broker_certificate,
            settings.port,
            remembered.provision,
        )?;
        let target = match settings.same_broker {
            true => None,
            false => Some(broker(
                "target",
                &settings.target_certificate,
                settings.target_port,
                remembered.target,
            )?),
        };
        let certificate = Some(&settings.pki.package_server);
        let packages = match (settings.package_port, remembered.packages) {
            // A wish only: somebody else may have it now.
            (None, Some(port)) => PackageServer::start(certificate, Some(port))
                .or_else(|_| PackageServer::start(certificate, None))?,
            (port, _) => PackageServer::start(certificate, port)?,
        };
        let packages = Arc::new(packages);
        let ports = Remembered {
            provision: Some(provision.device_ports()),
            target: target.as_ref().map(|broker| broker.device_ports()),
            packages: Some(packages.port()),
        };
        ports.save(&settings.data).map_err(PlatformError::Ports)?;
        let settings = Arc::new(settings);
        let (inputs, incoming) = channel();
        // Nobody else can have it, and nobody can guess where replies go.
        let id = random_id().map_err(crate::pki::openssl_error("a random id"))?;
        let requester = format!("provision-platform-{id}");
        let account = &settings.account;
        let mut topics = vec![
            format!("$EDC/{account}/+/MQTT/PROV"),
            format!("$EDC/{account}/{requester}/#"),
        ];
        let births = "$EDC/+/+/MQTT/BIRTH".to_owned();
        let target_station = target.as_ref().map(|broker| {
            // Replies and notifications of gateways, whatever their account.
            let topics = vec![births.clone(), format!("$EDC/+/{requester}/#")];
            Station::new(
                Place::Target,
                Arc::clone(broker),
                &requester,
                topics,
                inputs.clone(),
            )
        });
        if target.is_none() {
            // Not besides the same of one account: what two filters match may come twice.
            topics.pop();
            topics.push(format!("$EDC/+/{requester}/#"));
            topics.push(births);
        }
        let broker = Arc::clone(&provision);
        let station = Station::new(Place::Provision, broker, &requester, topics, inputs.clone());
        let changes = Arc::new(Changes::default());
        let engine = Engine::new(
            Arc::clone(&settings),
            own_store,
            station,
            target_station,
            Arc::clone(&packages),
            requester,
            Arc::clone(&changes),
        )?;
        let thread = std::thread::Builder::new()
            .name("platform".to_owned())
            .spawn(move || engine.run(&incoming))
            .map_err(PlatformError::Thread)?;
        let store = Mutex::new(store);
        let thread = Some(thread);
        Ok(Platform {
            settings,
            provision,
            target,
            packages,
            store,
            inputs,
            changes,
            thread,
        })
    }

    /// What it was started with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The provision broker.
    pub fn provision_broker(&self) -> &Broker {
        &self.provision
    }

    /// The target account's broker; the provision broker if they are one.
    pub fn target_broker(&self) -> &Broker {
        self.target.as_ref().unwrap_or(&self.provision)
    }

    /// Where devices fetch packages.
    pub fn package_server(&self) -> &PackageServer {
        &self.packages
    }

    /// The database.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a request; on return, its device is let in if it is active.
    pub fn create_request(&self, new: &NewRequest) -> Result<i64, PlatformError> {
        let id = self.store().create_request(new)?;
        self.follow()?;
        Ok(id)
    }

    /// Brings the brokers in line with the database; on return they are.
    pub fn follow(&self) -> Result<(), PlatformError> {
        let (done, outcome) = channel();
        self.inputs
            .send(Input::Sync(done))
            .map_err(|_| PlatformError::Ended)?;
        let result = outcome.recv().map_err(|_| PlatformError::Ended)?;
        result.map_err(PlatformError::OutOfLine)
    }

    /// Sends a signed request to a gateway in its account, and waits for the reply.
    pub fn control(&self, asked: &ControlRequest) -> Result<ControlReply, PlatformError> {
        let (answer, result) = channel();
        let input = Input::Control(Box::new(asked.clone()), Asker::Here(answer));
        self.inputs.send(input).map_err(|_| PlatformError::Ended)?;
        let result = result.recv().map_err(|_| PlatformError::Ended)?;
        Ok(result?)
    }

    /// Starts the provision broker again on its ports, after it was killed or instead of it; on
    /// return, the devices are let in.
    pub fn restart_provision_broker(&self) -> Result<(), PlatformError> {
        self.provision.restart()?;
        self.follow()
    }

    /// Behaves like this from the next attempt on.
    pub fn behave(&self, script: impl Into<Script>) -> Result<(), PlatformError> {
        self.inputs
            .send(Input::Script(Box::new(script.into())))
            .map_err(|_| PlatformError::Ended)
    }

    /// The latest job of a request.
    pub fn job(&self, request: i64) -> Result<Option<Job>, PlatformError> {
        Ok(self.store().current_job(request)?)
    }

    /// Waits until the latest job of a request is in this state.
    pub fn wait_for(
        &self,
        request: i64,
        state: JobState,
        within: Duration,
    ) -> Result<Job, PlatformError> {
        let mut last = None;
        let found = self.wait_until(within, |store| {
            last = store.current_job(request)?;
            Ok(last.clone().filter(|job| job.state == state))
        })?;
        found.ok_or_else(|| {
            let now = last.map(|job| {
                let error = job
                    .error_code
                    .map(|c| format!(" ({c})"))
                    .unwrap_or_default();
                format!("{}{error}", job.state)
            });
            let now = now.unwrap_or_else(|| "not there".to_owned());
            PlatformError::TooLate {
                what: format!("job {state}; it is {now}"),
                within,
            }
        })
    }

    /// Looks into the database whenever something has happened, until something is found.
    pub fn wait_until<T>(
        &self,
        within: Duration,
        mut look: impl FnMut(&Store) -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, PlatformError> {
        let until = Instant::now() + within;
        loop {
            let seen = self.changes.count();
            if let Some(found) = look(&self.store())? {
                return Ok(Some(found));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            self.changes.wait(seen, until);
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // A thread that has ended already is as good.
        let _ = self.inputs.send(Input::Stop);
        if let Some(thread) = self.thread.take() {
            if thread.join().is_err() {
                log::error!("the platform's thread panicked");
            }
        }
    }
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform")
            .field("provision", &self.provision)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

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
//! ```
//!
//! Started by `provision-platform run` and by [`crate::harness::TestPlatform`].

use crate::behaviour::Script;
use crate::broker::{Broker, BrokerError, BrokerSettings, TlsStrength};
use crate::engine::{Engine, EngineError, Input, Place, Station};
use crate::flow::message::random_id;
use crate::pki::{Identity, Pki, PkiError};
use crate::store::{Job, JobState, NewRequest, Store, StoreError};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{channel, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The provisioning account if none is named; Everyware Cloud's name for it.
pub const PROVISIONING_ACCOUNT: &str = "ec-provisioning";
/// The target account if none is named.
pub const TARGET_ACCOUNT: &str = "acme";

/// When a device is let in at the provision broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    /// While its request is active, as a real platform does: the broker refuses it otherwise.
    #[default]
    WhileActive,
    /// Whenever there is a request: the trigger is answered with a reject that says why not.
    ByTrigger,
}

/// What a platform is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder.
    pub data: PathBuf,
    /// Its certificates; the signer signs.
    pub pki: Pki,
    /// The provisioning account.
    pub account: String,
    /// What the provision broker shows.
    pub broker_certificate: Identity,
    /// What the target broker shows.
    pub target_certificate: Identity,
    /// Whether both may show weak keys.
    pub strength: TlsStrength,
    /// TLS port of the provision broker. None: a free one.
    pub port: Option<u16>,
    /// TLS port of the target broker. None: a free one.
    pub target_port: Option<u16>,
    /// The target account lives at the provision broker, too.
    pub same_broker: bool,
    /// Send the root of `target_certificate` to the device's SSLKeystore during the provisioning.
    pub send_target_root: bool,
    /// When a device is let in.
    pub admission: Admission,
    /// Signers of earlier times, which a device may still trust.
    pub former_signers: Vec<Identity>,
    /// Time for each reply, the one to the commit apart.
    pub reply_timeout: Duration,
    /// Time for the reply to the commit: the device applies and proves before.
    pub commit_timeout: Duration,
    /// What goes wrong.
    pub script: Script,
}

impl Settings {
    /// A flawless platform on free ports, with two brokers under one root.
    pub fn new(data: &Path, pki: Pki) -> Settings {
        Settings {
            data: data.to_owned(),
            account: PROVISIONING_ACCOUNT.to_owned(),
            broker_certificate: pki.broker.clone(),
            target_certificate: pki.target_broker.clone(),
            pki,
            strength: TlsStrength::Usual,
            port: None,
            target_port: None,
            same_broker: false,
            send_target_root: false,
            admission: Admission::WhileActive,
            former_signers: Vec::new(),
            reply_timeout: Duration::from_secs(60),
            commit_timeout: Duration::from_secs(180),
            script: Script::default(),
        }
    }

    /// The target broker gets a certificate of another root, which the device learns during the
    /// provisioning.
    pub fn with_target_root_apart(mut self) -> Settings {
        self.target_certificate = self.pki.target_broker_apart.clone();
        self.send_target_root = true;
        self
    }
}

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
    /// The thread.
    #[error(transparent)]
    Engine(#[from] EngineError),
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

/// Counts what happens, so that one can wait for it.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    count: Mutex<u64>,
    more: Condvar,
}

impl Changes {
    pub(crate) fn announce(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.more.notify_all();
    }

    fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something after `seen`, at most until then.
    fn wait(&self, seen: u64, until: Instant) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.saturating_duration_since(Instant::now());
        // Looked at again by the caller, whatever ended the wait.
        let _ = self
            .more
            .wait_timeout_while(count, left, |count| *count == seen);
    }
}

/// A running platform. Dropping it ends its thread and both brokers.
pub struct Platform {
    settings: Arc<Settings>,
    provision: Arc<Broker>,
    target: Option<Arc<Broker>>,
    store: Mutex<Store>,
    inputs: Sender<Input>,
    changes: Arc<Changes>,
    thread: Option<JoinHandle<()>>,
}

impl Platform {
    /// Starts everything; on return, the devices of the database are let in.
    pub fn start(settings: Settings) -> Result<Platform, PlatformError> {
        let store = Store::open(&settings.data)?;
        let own_store = Store::open(&settings.data)?;
        let broker = |name: &str, certificate: &Identity, port| {
            Broker::start(BrokerSettings {
                name: name.to_owned(),
                folder: settings.data.join("broker").join(name),
                certificate: certificate.clone(),
                port,
                strength: settings.strength,
            })
            .map(Arc::new)
        };
        let provision = broker("provision", &settings.broker_certificate, settings.port)?;
        let target = match settings.same_broker {
            true => None,
            false => Some(broker(
                "target",
                &settings.target_certificate,
                settings.target_port,
            )?),
        };
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
            let topics = vec![births.clone()];
            Station::new(
                Place::Target,
                Arc::clone(broker),
                &requester,
                topics,
                inputs.clone(),
            )
        });
        if target.is_none() {
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

    /// Starts the provision broker again on its ports, after it was killed or instead of it; on
    /// return, the devices are let in.
    pub fn restart_provision_broker(&self) -> Result<(), PlatformError> {
        self.provision.restart()?;
        self.follow()
    }

    /// Behaves like this from the next attempt on.
    pub fn behave(&self, script: impl Into<Script>) -> Result<(), PlatformError> {
        self.inputs
            .send(Input::Script(script.into()))
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

//! The one control thread.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gateway_component_abi::value::Value;

use super::delivery::{self, Entry, Origin};
use super::services::Services;
use super::trials::{Held, Trials, PROBATION};
use super::{Action, ComponentInfo, ComponentState, Stop};
use crate::cloud::Components;
use crate::configuration::{ConfigurationService, KURA_SERVICE_PID};
use crate::events::{Event, Hub};
use crate::loader::{ComponentError, Instance, Library};
use crate::packages::PluginHost;
use crate::plugins::watch::{Change as File, Stamp};
use crate::plugins::{PluginInfo, Registry};

/// How often a young process says that it lives.
const BEAT: Duration = Duration::from_secs(1);

/// What the supervisor needs of its surroundings.
pub trait Environment: Send + Sync + 'static {
    /// The services for an instance.
    fn services(&self, pid: &str) -> Services;
    /// Whether the framework itself is behind this pid or factory pid, and no plugin.
    fn built_in(&self, pid: &str) -> bool;
    /// Called on the control thread after a configuration of a built-in one has changed.
    fn built_in_changed(&self, pid: &str);
    /// Called on the control thread after plugins have come or gone, before their instances are
    /// made; `factories` is what is on offer.
    fn factories_changed(&self, factories: &BTreeSet<String>);
}

/// All instances, and the thread that drives them. [`Supervisor::stop`] deactivates them all.
pub struct Supervisor {
    shared: Arc<Shared>,
    commands: Sender<Command>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    configuration: Arc<ConfigurationService>,
    environment: Arc<dyn Environment>,
    hub: Hub,
    instances: Mutex<BTreeMap<String, Entry>>,
    plugins: Mutex<Registry>,
    trials: Arc<Trials>,
    stop: Stop,
}

enum Command {
    Changed(String),
    Files(Vec<File>),
    Follow(BTreeSet<String>),
    SystemChanged,
    Started,
    Done(Sender<()>),
    Stop,
}

impl Supervisor {
    /// Starts the control thread, and has it told of every change of the configuration. Once `stop`
    /// is raised it begins nothing more; [`Supervisor::stop`] raises it, too.
    pub fn start(
        configuration: Arc<ConfigurationService>,
        environment: Arc<dyn Environment>,
        hub: Hub,
        plugins: Registry,
        trials: Arc<Trials>,
        stop: Stop,
    ) -> io::Result<Supervisor> {
        let ends = Arc::clone(&trials);
        stop.then(move || ends.end());
        let (commands, receiver) = channel();
        let shared = Arc::new(Shared {
            configuration: Arc::clone(&configuration),
            environment,
            hub: hub.clone(),
            instances: Mutex::new(BTreeMap::new()),
            plugins: Mutex::new(plugins),
            trials,
            stop,
        });
        let control = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("gwc-control".to_owned())
            .spawn(move || control.run(&receiver))?;
        let changes = commands.clone();
        configuration.listen(Box::new(move |change| {
            hub.post(Event::Configuration {
                pid: change.pid.clone(),
            });
            // After the end nobody is interested any more.
            let _ = changes.send(Command::Changed(change.pid.clone()));
        }));
        Ok(Supervisor {
            shared,
            commands,
            thread: Some(thread),
        })
    }

    /// Reports files of the plugin directory, several at once where they belong together.
    pub fn files(&self, changes: Vec<File>) {
        let _ = self.commands.send(Command::Files(changes));
    }

    /// What [`files`](Self::files) does, for the watch's thread.
    pub fn reporter(&self) -> impl FnMut(File) + Send + 'static {
        let commands = self.commands.clone();
        move |change| {
            let _ = commands.send(Command::Files(vec![change]));
        }
    }

    /// Has every active component told that the system has changed; for the thread that noticed it,
    /// which does not wait.
    pub fn teller(&self) -> impl FnMut() + Send + 'static {
        let commands = self.commands.clone();
        move || {
            let _ = commands.send(Command::SystemChanged);
        }
    }

    /// For packages: libraries that are taken note of at once, on the thread that asks.
    pub fn adopter(&self) -> Adopter {
        Adopter {
            shared: Arc::downgrade(&self.shared),
            commands: self.commands.clone(),
        }
    }

    /// Has the control thread look at a component, as after a change of its configuration.
    pub fn look(&self, pid: &str) {
        let _ = self.commands.send(Command::Changed(pid.to_owned()));
    }

    /// Waits until everything that was reported before has been delivered.
    pub fn settle(&self) {
        let (done, wait) = channel();
        if self.commands.send(Command::Done(done)).is_ok() {
            let _ = wait.recv();
        }
    }

    /// Says that everything is there that the start finds: what has no instance now gets none soon.
    pub fn started(&self) {
        let _ = self.commands.send(Command::Started);
        self.settle();
    }

    /// All instances, sorted by pid.
    pub fn components(&self) -> Vec<ComponentInfo> {
        let instances = self.shared.instances();
        instances.iter().map(|(pid, e)| e.info(pid)).collect()
    }

    /// An active instance.
    pub fn instance(&self, pid: &str) -> Option<Arc<Instance>> {
        self.shared.instances().get(pid)?.instance.clone()
    }

    /// For the cloud connections: what is there, as long as the supervisor lives.
    pub fn finder(&self) -> Finder {
        Finder(Arc::downgrade(&self.shared))
    }

    /// All plugins.
    pub fn plugins(&self) -> Vec<PluginInfo> {
        self.shared.plugins().infos()
    }

    /// What the plugins offer.
    pub fn factories(&self) -> BTreeSet<String> {
        self.shared.plugins().factories()
    }

    /// The descriptor (XML) of a factory pid, its texts in `locale`.
    pub fn metatype(&self, factory_pid: &str, locale: &str) -> Option<String> {
        let library = self.shared.plugins().provider(factory_pid).cloned()?;
        library
            .metatype(factory_pid, locale)
            .inspect_err(|e| log::warn!("{}", crate::one_line(e)))
            .ok()
    }

    /// Deactivates and destroys all instances and ends the thread.
    pub fn stop(&mut self) {
        self.shared.stop.raise();
        let _ = self.commands.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            if thread.join().is_err() {
                log::error!("the control thread panicked");
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Finds instances and plugins for the cloud connections.
pub struct Finder(Weak<Shared>);

impl Components for Finder {
    fn instance(&self, pid: &str) -> Option<Arc<Instance>> {
        let shared = self.0.upgrade()?;
        let instances = shared.instances();
        instances.get(pid)?.instance.clone()
    }

    fn plugins(&self) -> Vec<PluginInfo> {
        self.0
            .upgrade()
            .map(|shared| shared.plugins().infos())
            .unwrap_or_default()
    }
}

/// Loads libraries for the packages. It does not wait for the control thread, which may itself be
/// waiting for the component that installs something; the instances follow.
pub struct Adopter {
    // The packages live in the environment, which lives in what is shared.
    shared: Weak<Shared>,
    commands: Sender<Command>,
}

impl PluginHost for Adopter {
    fn probe(&self, library: &Path) -> Result<Vec<String>, String> {
        let options = match self.shared.upgrade() {
            Some(shared) => shared.plugins().options(),
            None => return Err("the gateway is stopping".to_owned()),
        };
        Registry::probe(library, &options).map_err(|e| crate::one_line(&e))
    }

    fn provider(&self, factory_pid: &str) -> Option<PathBuf> {
        let shared = self.shared.upgrade()?;
        if shared.environment.built_in(factory_pid) {
            return Some(PathBuf::from("the gateway itself"));
        }
        let plugins = shared.plugins();
        plugins.provider(factory_pid).map(|l| l.path().to_owned())
    }

    fn adopt(&self, libraries: &[PathBuf]) -> Vec<PluginInfo> {
        let Some(shared) = self.shared.upgrade() else {
            return Vec::new();
        };
        let change = |path: &PathBuf| match Stamp::of(path) {
            Some(stamp) => File::Arrived(path.clone(), stamp),
            None => File::Gone(path.clone()),
        };
        let touched = shared.register(libraries.iter().map(change).collect());
        let _ = self.commands.send(Command::Follow(touched));
        let plugins = shared.plugins();
        libraries.iter().map(|path| plugins.info(path)).collect()
    }
}

impl Shared {
    fn instances(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.instances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn plugins(&self) -> MutexGuard<'_, Registry> {
        self.plugins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, commands: &Receiver<Command>) {
        for pid in self.configuration.pids() {
            if self.stop.is_raised() {
                break;
            }
            self.reconcile(&pid, false);
        }
        let well = Instant::now() + PROBATION;
        let mut started = false;
        loop {
            self.trials.lives();
            let left = well.saturating_duration_since(Instant::now());
            let command = match commands.recv_timeout(left.min(BEAT)) {
                Ok(command) => command,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if left > BEAT => continue,
                Err(RecvTimeoutError::Timeout) => {
                    self.trials.is_well();
                    match commands.recv() {
                        Ok(command) => command,
                        Err(_) => break,
                    }
                }
            };
            match command {
                Command::Done(done) => drop(done.send(())),
                Command::Stop => break,
                // It comes too late: all that it is about is going to end.
                _ if self.stop.is_raised() => {}
                Command::Changed(pid) if self.environment.built_in(&self.kind(&pid)) => {
                    self.environment.built_in_changed(&pid);
                }
                Command::Changed(pid) => self.reconcile(&pid, true),
                Command::Files(changes) => self.follow(&self.register(changes)),
                Command::Follow(touched) => self.follow(&touched),
                Command::SystemChanged => self.system_changed(),
                Command::Started => started = true,
            }
            if started && !self.stop.is_raised() {
                self.free_abandoned();
            }
        }
        let all = std::mem::take(&mut *self.instances());
        for entry in all.into_values() {
            entry.instance.into_iter().for_each(delivery::stop);
        }
    }

    /// Components without `gwc.action/1` wait for nothing.
    fn system_changed(&self) {
        let instances = self.instances();
        let all: Vec<Arc<Instance>> = instances
            .values()
            .filter_map(|entry| entry.instance.clone())
            .collect();
        drop(instances);
        for instance in all {
            match instance.act(Action::SystemChanged) {
                Ok(()) | Err(ComponentError::Unsupported { .. }) => {}
                Err(e) => log::warn!("{}", crate::one_line(&e)),
            }
        }
    }

    /// The factory pid of a component. Where its configuration names none, as in old snapshots of a
    /// default stack, it is the pid without its suffix, or the pid.
    fn kind(&self, pid: &str) -> String {
        if let Some(factory_pid) = self.configuration.factory_pid(pid) {
            return factory_pid;
        }
        let base = pid.split('-').next().unwrap_or(pid);
        if self.environment.built_in(base) || self.plugins().provider(base).is_some() {
            return base.to_owned();
        }
        pid.to_owned()
    }

    /// Opens and forgets libraries, and makes their metatypes known; gives the factory pids that
    /// somebody else makes now, or nobody. Reports that the disk has overtaken are left out: what
    /// differs from them is or was reported by itself.
    fn register(&self, changes: Vec<File>) -> BTreeSet<String> {
        let (mut touched, mut paths) = (BTreeSet::new(), Vec::new());
        let mut plugins = self.plugins();
        let before: Vec<PluginInfo> = plugins.infos();
        for change in changes {
            let path = match change {
                File::Arrived(path, stamp) => {
                    if plugins.stamp(&path) == Some(stamp) || Stamp::of(&path) != Some(stamp) {
                        continue;
                    }
                    plugins.arrived(&path, stamp);
                    path
                }
                File::Gone(path) => {
                    if Stamp::of(&path).is_some() {
                        continue;
                    }
                    plugins.gone(&path);
                    path
                }
            };
            touched.extend(plugins.info(&path).components);
            paths.push(path);
        }
        for info in before {
            let now = plugins.info(&info.path);
            if now != info {
                touched.extend(info.components);
                paths.push(info.path);
            }
        }
        paths.sort();
        paths.dedup();
        for factory in &touched {
            match plugins.definition(factory) {
                Some(ocd) => self.configuration.register_metatype(factory, ocd.clone()),
                None => self.configuration.unregister_metatype(factory),
            }
        }
        for path in paths {
            self.hub.post(Event::Plugin(plugins.info(&path)));
        }
        touched
    }

    /// Brings the instances of these factory pids in line.
    fn follow(&self, touched: &BTreeSet<String>) {
        let factories = self.plugins().factories();
        self.environment.factories_changed(&factories);
        for pid in self.configuration.pids() {
            if self.stop.is_raised() {
                break;
            }
            if touched.contains(&self.kind(&pid)) {
                self.reconcile(&pid, false);
            }
        }
    }

    /// Brings one instance in line. `changed` says that its configuration has changed, so that a
    /// running instance has to hear of it.
    fn reconcile(&self, pid: &str, changed: bool) {
        let factory_pid = self.kind(pid);
        if self.environment.built_in(&factory_pid) {
            return;
        }
        let configuration = self.configuration.get(pid);
        let library = self.plugins().provider(&factory_pid).cloned();
        let is_factory = self.configuration.factory_pid(pid).is_some();
        let (running, origin) = match self.instances().get(pid) {
            Some(entry) => (entry.instance.clone(), entry.origin.clone()),
            None => (None, None),
        };
        let wanted = library.as_ref().map(Origin::of);
        let stays = configuration.is_some() && wanted.is_some() && wanted == origin;
        let running = if stays {
            running
        } else {
            if let Some(entry) = self.instances().get_mut(pid) {
                entry.instance = None;
                entry.origin = None;
            }
            running.into_iter().for_each(delivery::stop);
            None
        };
        let (Some(mut properties), Some(library)) = (configuration.clone(), library) else {
            // A singleton that no plugin makes is not a component of ours.
            if configuration.is_some() && is_factory {
                let mut entry = Entry::new(&factory_pid);
                entry.error = Some(format!("no plugin makes {factory_pid}"));
                self.instances().insert(pid.to_owned(), entry);
            } else {
                self.instances().remove(pid);
            }
            return;
        };
        properties.insert(KURA_SERVICE_PID.to_owned(), Value::from(pid));
        let mut entry = Entry::new(&factory_pid);
        if changed {
            // Whatever it did with the old one.
            self.trials.forgive(pid);
        }
        let make = || {
            let start = || {
                let services = self.environment.services(pid);
                delivery::start(
                    &library,
                    &factory_pid,
                    pid,
                    services,
                    &self.hub,
                    &properties,
                )
            };
            let made = self.tried(pid, &library, start);
            made.and_then(|result| result.map_err(|e| crate::one_line(&e)))
        };
        let outcome = match running {
            Some(instance) if changed => {
                let update = || delivery::update(&instance, &properties);
                match self.tried(pid, &library, update) {
                    Ok(Err(e)) if e.is_panic() => {
                        // It does nothing any more, and a new one can take back what it has left.
                        log::warn!("{pid} is made anew: {}", crate::one_line(&e));
                        if let Some(entry) = self.instances().get_mut(pid) {
                            entry.instance = None;
                        }
                        delivery::stop(instance);
                        make().map(|made| entry.instance = Some(made))
                    }
                    result => {
                        entry.instance = Some(instance);
                        result.and_then(|result| result.map_err(|e| crate::one_line(&e)))
                    }
                }
            }
            Some(instance) => {
                entry.instance = Some(instance);
                Ok(())
            }
            None => make().map(|made| entry.instance = Some(made)),
        };
        entry.origin = wanted.filter(|_| entry.instance.is_some());
        (entry.state, entry.error) = match outcome {
            Ok(()) => (ComponentState::Active, None),
            Err(line) => {
                log::error!("{line}");
                (ComponentState::Failed, Some(line))
            }
        };
        self.instances().insert(pid.to_owned(), entry);
    }

    /// What an instance has reserved is kept for the next one of the same pid, in this process or in
    /// another; where there is none, nobody else could let go of it.
    fn free_abandoned(&self) {
        let there = |pid: &str| {
            let instances = self.instances();
            instances
                .get(pid)
                .is_some_and(|entry| entry.instance.is_some())
        };
        self.configuration.free_abandoned(there);
    }

    /// Makes a call into a component that may take the process with it, unless it has done so too
    /// often; then that is the error.
    fn tried<R>(
        &self,
        pid: &str,
        library: &Library,
        call: impl FnOnce() -> R,
    ) -> Result<R, String> {
        let stamp = self.plugins().stamp(library.path());
        let form = stamp.map(|stamp| stamp.form()).unwrap_or_default();
        match self.trials.begin(pid, &form) {
            Ok(_trial) => {
                let result = call();
                if let Some(look) = self.trials.look() {
                    // What its threads do now, they do before anybody else's.
                    log::info!("looking at {pid} for {} s", look.as_secs());
                    let end = Instant::now() + look;
                    let left = || end.saturating_duration_since(Instant::now());
                    while !left().is_zero() && !self.stop.wait(left().min(BEAT)) {
                        self.trials.lives();
                    }
                }
                Ok(result)
            }
            Err(Held { strikes }) => Err(format!(
                "{pid} is held back: it ended the gateway {strikes} times in a row when it was \
                 given its configuration; change that, replace its library, or try it again \
                 (gateway plugins --try-again {pid})"
            )),
        }
    }
}

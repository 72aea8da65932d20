//! The service: what is configured, and changing it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_component_abi::value::Properties;

use crate::crypto::Crypto;
use crate::metatype::Ocd;

use super::document::{self, masked, open_all, Configurations};
use super::keys::Keys;
use super::notify::{Change, Listener, Notifier};
use super::reserve::Reserved;
use super::room::{self, Room};
use super::snapshots::{Finding, Snapshots};
use super::state::State;
use super::{ConfigurationError, Update};

/// Kura's `ConfigurationService`. Any thread; changes are made one after the other, each durable
/// when the call returns. A change that changes nothing writes nothing and tells nobody.
pub struct ConfigurationService {
    pub(super) crypto: Arc<Crypto>,
    pub(super) snapshots: Snapshots,
    findings: Vec<Finding>,
    pub(super) state: Mutex<State>,
    pub(super) notifier: Notifier,
}

impl ConfigurationService {
    /// Opens the folder of snapshots, which is made where its parent exists. Where it holds
    /// none, `seed` becomes snapshot 0 (an empty one without a seed).
    ///
    /// # Errors
    /// A seed that is no configuration, or more than a gateway keeps; snapshots none of which can be
    /// read; the file system.
    pub fn open(
        folder: &Path,
        crypto: Arc<Crypto>,
        seed: Option<&[u8]>,
    ) -> Result<ConfigurationService, ConfigurationError> {
        let snapshots = Snapshots::open(folder)?;
        let (keys, reserved) = (Keys::open(folder)?, Reserved::open(folder)?);
        let (state, findings) = match snapshots.load(&crypto)? {
            Some(loaded) => {
                let state = State::new(loaded.configurations, loaded.id, keys, reserved);
                (state, loaded.findings)
            }
            None => {
                let mut state = State::new(Configurations::new(), 0, keys, reserved);
                if let Some(xml) = seed {
                    let all = document::read(xml, &crypto).map_err(ConfigurationError::Seed)?;
                    room::admit(&state, &all, Room::Anybody)?;
                    state.all = all;
                }
                snapshots.write_seed(&state.all)?;
                (state, Vec::new())
            }
        };
        Ok(ConfigurationService {
            crypto,
            snapshots,
            findings,
            state: Mutex::new(state),
            notifier: Notifier::default(),
        })
    }

    /// The snapshots that were passed over at the start because they cannot be read.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Calls the listener after each change. Not while a lock is held: it may call the service.
    /// Changes are delivered one at a time, in their order, by a thread that makes changes.
    pub fn listen(&self, listener: Listener) {
        self.notifier.listen(listener);
    }

    /// Makes the metatype of a factory known; a known one is replaced.
    pub fn register_metatype(&self, factory_pid: &str, ocd: Ocd) {
        warn_of_defaults(factory_pid, &ocd);
        let mut state = self.lock();
        state
            .factories
            .insert(factory_pid.to_owned(), Arc::new(ocd));
    }

    /// The same, of a factory whose instances are no more than their configuration, as another
    /// component's instance works with it.
    pub fn register_part(&self, factory_pid: &str, ocd: Ocd) {
        self.register_metatype(factory_pid, ocd);
        self.lock().parts.insert(factory_pid.to_owned());
    }

    /// Makes a singleton and its metatype known: from then on it has a configuration, its
    /// defaults at least.
    pub fn register_singleton(&self, pid: &str, ocd: Ocd) {
        warn_of_defaults(pid, &ocd);
        let mut state = self.lock();
        state.singletons.insert(pid.to_owned(), Arc::new(ocd));
    }

    /// Forgets the metatype of a factory or singleton. Configurations stay.
    pub fn unregister_metatype(&self, pid: &str) {
        let mut state = self.lock();
        state.factories.remove(pid);
        state.singletons.remove(pid);
    }

    /// The factory pids whose metatype is known.
    pub fn factories(&self) -> Vec<String> {
        self.lock().factories.keys().cloned().collect()
    }

    /// The metatype of a component, or that of a factory pid.
    pub fn metatype(&self, pid: &str) -> Option<Arc<Ocd>> {
        self.lock().ocd(pid)
    }

    /// All components: those with a configuration, and the registered singletons. Sorted.
    pub fn pids(&self) -> Vec<String> {
        let state = self.lock();
        let mut pids: Vec<_> = state.all.keys().chain(state.singletons.keys()).collect();
        pids.sort();
        pids.dedup();
        pids.into_iter().cloned().collect()
    }

    /// The factory pid of a component; nothing for a singleton or an unknown one.
    pub fn factory_pid(&self, pid: &str) -> Option<String> {
        self.lock().factory_pid(pid)
    }

    /// The properties of a component, defaults included, passwords in clear.
    pub fn get(&self, pid: &str) -> Option<Properties> {
        let state = self.lock();
        let mut properties = state.effective(pid, &self.crypto)?;
        match open_all(&mut properties, &self.crypto) {
            Ok(()) => Some(properties),
            // Cannot happen with what this service encrypted; not a reason to show nothing.
            Err(e) => {
                log::error!("a password of {pid} cannot be decrypted: {e}");
                Some(masked(properties))
            }
        }
    }

    /// The properties of a component, defaults included, passwords empty.
    pub fn get_masked(&self, pid: &str) -> Option<Properties> {
        let state = self.lock();
        let properties = state.effective(pid, &self.crypto)?;
        Some(masked(properties))
    }

    /// The revision of the whole. Grows with each change, also over restarts. Whoever shows a
    /// form takes it before the values, and gives it back to [`ConfigurationService::update_if`].
    pub fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// Changes one component; gives the new revision.
    ///
    /// # Errors
    /// An unknown pid, a value that is not of its type, the file system.
    pub fn update(&self, pid: &str, properties: &Properties) -> Result<u64, ConfigurationError> {
        self.update_many(&[Update::new(pid, properties.clone())])
    }

    /// Changes several components, in one snapshot or not at all.
    ///
    /// # Errors
    /// As [`ConfigurationService::update`], for the first that does not fit.
    pub fn update_many(&self, updates: &[Update]) -> Result<u64, ConfigurationError> {
        self.change(|state, crypto| state.updated(updates.to_vec(), crypto))
    }

    /// As [`ConfigurationService::update_many`], unless one of the components has changed since
    /// `revision`.
    ///
    /// # Errors
    /// [`ConfigurationError::Conflict`], and those of `update_many`.
    pub fn update_if(&self, revision: u64, updates: &[Update]) -> Result<u64, ConfigurationError> {
        self.change(|state, crypto| {
            let stale = |update: &&Update| {
                let changed = state.changed.get(&update.pid);
                changed.is_some_and(|changed| *changed > revision)
            };
            match updates.iter().find(stale) {
                Some(update) => Err(ConfigurationError::Conflict {
                    pid: update.pid.clone(),
                }),
                None => state.updated(updates.to_vec(), crypto),
            }
        })
    }

    /// Makes a component.
    ///
    /// # Errors
    /// A pid that exists, an unknown factory, a value that is not of its type.
    pub fn create_factory(
        &self,
        factory_pid: &str,
        pid: &str,
        properties: &Properties,
    ) -> Result<u64, ConfigurationError> {
        self.create_many(&[(factory_pid, pid, properties)])
    }

    /// Makes several components, `(factory pid, pid, properties)`: all in one snapshot or none.
    ///
    /// # Errors
    /// As [`ConfigurationService::create_factory`].
    pub fn create_many(
        &self,
        list: &[(&str, &str, &Properties)],
    ) -> Result<u64, ConfigurationError> {
        self.change(|state, crypto| {
            let mut all = state.all.clone();
            for &(factory_pid, pid, properties) in list {
                if state.is_known(pid) {
                    return Err(ConfigurationError::Exists { pid: pid.into() });
                }
                if !state.factories.contains_key(factory_pid) {
                    return Err(ConfigurationError::UnknownFactory {
                        pid: pid.into(),
                        factory_pid: factory_pid.into(),
                    });
                }
                let created = state.created(factory_pid, pid, properties.clone(), crypto)?;
                all.insert(pid.to_owned(), created);
            }
            Ok(all)
        })
    }

    /// Removes an instance of a factory.
    ///
    /// # Errors
    /// An unknown pid, a singleton.
    pub fn delete(&self, pid: &str) -> Result<u64, ConfigurationError> {
        self.change(|state, _| {
            if !state.is_known(pid) {
                return Err(ConfigurationError::Unknown { pid: pid.into() });
            }
            if state.factory_pid(pid).is_none() {
                return Err(ConfigurationError::Singleton { pid: pid.into() });
            }
            let mut all = state.all.clone();
            all.remove(pid);
            Ok(all)
        })
    }

    /// Removes those of these instances that exist, all in one snapshot or none.
    ///
    /// # Errors
    /// A singleton among them.
    pub fn delete_many(&self, pids: &[&str]) -> Result<u64, ConfigurationError> {
        self.change(|state, _| {
            let mut all = state.all.clone();
            for &pid in pids {
                if state.is_known(pid) && state.factory_pid(pid).is_none() {
                    return Err(ConfigurationError::Singleton { pid: pid.into() });
                }
                all.remove(pid);
            }
            Ok(all)
        })
    }

    /// The ids of the snapshots, oldest first: milliseconds since 1970, UTC; 0 is the seed.
    ///
    /// # Errors
    /// The file system.
    pub fn snapshots(&self) -> Result<Vec<i64>, ConfigurationError> {
        self.snapshots.ids()
    }

    /// A snapshot as XML, its passwords encrypted.
    ///
    /// # Errors
    /// No such snapshot, or one that cannot be read.
    pub fn snapshot_xml(&self, id: i64) -> Result<Vec<u8>, ConfigurationError> {
        self.snapshots.xml(id, &self.crypto)
    }

    /// What is now, as XML in the form of a snapshot, its passwords encrypted.
    ///
    /// # Errors
    /// [`ConfigurationError::Unwritable`].
    pub fn current_xml(&self) -> Result<Vec<u8>, ConfigurationError> {
        document::write(&self.lock().all).map_err(ConfigurationError::Unwritable)
    }

    /// Writes a snapshot though nothing changed; gives its id.
    ///
    /// # Errors
    /// The file system.
    pub fn take_snapshot(&self) -> Result<i64, ConfigurationError> {
        self.snapshots.write(&self.lock().all)
    }

    /// Goes back to a snapshot: instances that it does not hold are deleted, those it holds come
    /// back, all values are its values, and singletons that it does not hold return to their
    /// defaults. What was is not lost: the result is a new snapshot. Only components that really
    /// change are told (Kura deletes and makes all anew). Note that `enabled` and `provisioned`
    /// of a provisioning service come back, too.
    ///
    /// # Errors
    /// No such snapshot, or one that cannot be read.
    pub fn rollback(&self, id: i64) -> Result<u64, ConfigurationError> {
        self.change_where(
            Room::Spare,
            |_, crypto| self.snapshots.get(id, crypto),
            unreserved,
        )
    }

    /// The one way in which anything changes: `next` says what all is to be; it is written,
    /// then it is, then listeners hear of it. Not what a component has reserved.
    pub(super) fn change(
        &self,
        next: impl FnOnce(&mut State, &Crypto) -> Result<Configurations, ConfigurationError>,
    ) -> Result<u64, ConfigurationError> {
        self.change_where(Room::Anybody, next, unreserved)
    }

    /// The same in that room, if `allowed` says that these changes are.
    pub(super) fn change_where(
        &self,
        room: Room,
        next: impl FnOnce(&mut State, &Crypto) -> Result<Configurations, ConfigurationError>,
        allowed: impl FnOnce(&State, &[Change]) -> Result<(), ConfigurationError>,
    ) -> Result<u64, ConfigurationError> {
        let mut state = self.lock();
        let all = next(&mut state, &self.crypto)?;
        let changes = state.changes_to(&all);
        allowed(&state, &changes)?;
        let revision = self.commit(&mut state, all, room)?;
        state.reserved.touch(None, &changes, revision);
        drop(state);
        self.notifier.deliver();
        Ok(revision)
    }

    pub(super) fn commit(
        &self,
        state: &mut State,
        all: Configurations,
        room: Room,
    ) -> Result<u64, ConfigurationError> {
        let changes = state.changes_to(&all);
        if changes.is_empty() {
            return Ok(state.revision);
        }
        room::admit(state, &all, room)?;
        let id = self.snapshots.write(&all)?;
        state.all = all;
        state.revision = u64::try_from(id).unwrap_or(0);
        for change in &changes {
            state.changed.insert(change.pid.clone(), state.revision);
        }
        state.forget();
        self.notifier.push(changes);
        Ok(state.revision)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for ConfigurationService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigurationService")
            .field("snapshots", &self.snapshots)
            .finish_non_exhaustive()
    }
}

/// Whether nobody has reserved what is to change.
pub(super) fn unreserved(state: &State, changes: &[Change]) -> Result<(), ConfigurationError> {
    state.reserved.allow(None, changes)
}

fn warn_of_defaults(pid: &str, ocd: &Ocd) {
    for problem in ocd.bad_defaults() {
        log::warn!("the metatype of {pid} has a default that is none: {problem}");
    }
}

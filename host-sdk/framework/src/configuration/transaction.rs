//! What a provisioning needs: look before, capture, apply several at once, restore.

use std::collections::{BTreeMap, BTreeSet};

use crate::crypto::Crypto;
use crate::metatype::{Metatype, Ocd};

use super::document::{open_all, Configurations};
use super::keys::Direction;
use super::merge::Merge;
use super::reserve::Holder;
use super::room::{self, Room};
use super::state::{factory_of, State};
use super::{undo, Configuration, ConfigurationError, ConfigurationService};

impl ConfigurationService {
    /// What the configurations would be, defaults and running included, without changing
    /// anything. They are checked against the metatypes known here and those given; a component
    /// whose metatype nobody knows is taken as it is.
    ///
    /// # Errors
    /// The first pid that is unknown or of an unknown factory, the first property that does not
    /// fit its parameter; [`ConfigurationError::TooMuch`].
    pub fn validate(
        &self,
        list: &[Configuration],
        metatypes: &[Metatype],
    ) -> Result<Vec<Configuration>, ConfigurationError> {
        let mut previews = Vec::new();
        once(list)?;
        self.look_at(list.iter().cloned(), metatypes, |preview| {
            previews.push(preview);
        })?;
        Ok(previews)
    }

    /// As [`ConfigurationService::validate`], for who only wants to know whether it would do: no
    /// more than one of the results is held at a time.
    ///
    /// # Errors
    /// As `validate`.
    pub fn check(
        &self,
        list: Vec<Configuration>,
        metatypes: &[Metatype],
    ) -> Result<(), ConfigurationError> {
        once(&list)?;
        self.look_at(list, metatypes, drop)
    }

    /// Each one's preview, one after the other, and then whether there is room for all of them.
    /// Whoever may have one pid twice has looked before.
    pub(super) fn look_at(
        &self,
        list: impl IntoIterator<Item = Configuration>,
        metatypes: &[Metatype],
        mut seen: impl FnMut(Configuration),
    ) -> Result<(), ConfigurationError> {
        let mut weights = BTreeMap::new();
        for item in list {
            let (preview, weight) = self.lock().preview(item, metatypes, &self.crypto)?;
            weights.insert(preview.pid.clone(), weight);
            seen(preview);
        }
        room::admit_some(&self.lock(), weights)
    }

    /// What [`ConfigurationService::restore`] needs to bring these components back to what they
    /// are now, those that do not exist included. Encrypted; only this gateway can use it.
    ///
    /// # Errors
    /// [`ConfigurationError::Unwritable`].
    pub fn capture(&self, pids: &[&str]) -> Result<Vec<u8>, ConfigurationError> {
        let state = self.lock();
        undo::capture(&state.all, pids.iter().copied(), &self.crypto)
            .map_err(ConfigurationError::Unwritable)
    }

    /// Merges the list into the configurations, making instances that do not exist, all in one
    /// snapshot or not at all. The same key again has no effect, until something is restored.
    ///
    /// # Errors
    /// An unknown pid without factory, a value that is not of its type, something that a component
    /// has reserved, the file system.
    pub fn apply(
        &self,
        key: &str,
        list: impl Into<Vec<Configuration>>,
    ) -> Result<(), ConfigurationError> {
        self.applied_by(None, key, list.into())
    }

    pub(super) fn applied_by(
        &self,
        holder: Option<&Holder>,
        key: &str,
        list: Vec<Configuration>,
    ) -> Result<(), ConfigurationError> {
        self.keyed(holder, Direction::Apply, key, |state, crypto| {
            state.applied(list, crypto)
        })
    }

    /// Brings back what [`ConfigurationService::capture`] saw. The same key again has no effect,
    /// until something is applied.
    ///
    /// # Errors
    /// Undo data that is none or of another gateway, something that a component has reserved, the
    /// file system.
    pub fn restore(&self, key: &str, undo: &[u8]) -> Result<(), ConfigurationError> {
        self.restored_by(None, key, undo)
    }

    pub(super) fn restored_by(
        &self,
        holder: Option<&Holder>,
        key: &str,
        undo: &[u8],
    ) -> Result<(), ConfigurationError> {
        self.keyed(holder, Direction::Restore, key, |state, crypto| {
            let mut all = state.all.clone();
            undo::restore(&mut all, undo, crypto).map_err(ConfigurationError::Undo)?;
            Ok(all)
        })
    }

    fn keyed(
        &self,
        holder: Option<&Holder>,
        direction: Direction,
        key: &str,
        next: impl FnOnce(&State, &Crypto) -> Result<Configurations, ConfigurationError>,
    ) -> Result<(), ConfigurationError> {
        let mut state = self.lock();
        if state.keys.contains(direction, key) {
            return Ok(());
        }
        let all = next(&state, &self.crypto)?;
        let changes = state.changes_to(&all);
        state.reserved.allow(holder, &changes)?;
        let room = match direction {
            Direction::Apply => Room::Anybody,
            Direction::Restore => Room::Back,
        };
        let result = self.commit(&mut state, all, room).and_then(|revision| {
            state.reserved.touch(holder, &changes, revision);
            state.keys.remember(direction, key)
        });
        drop(state);
        self.notifier.deliver();
        result
    }
}

/// What an item of a list means.
enum Target {
    Known,
    New { factory_pid: String },
}

impl State {
    /// The list merged into all, with the instances that did not exist.
    pub(super) fn applied(
        &self,
        list: Vec<Configuration>,
        crypto: &Crypto,
    ) -> Result<Configurations, ConfigurationError> {
        once(&list)?;
        let mut all = self.all.clone();
        for item in list {
            let properties = match self.target(&item)? {
                Target::Known => {
                    let pid = item.pid.as_str();
                    let ocd = self.ocd(pid);
                    let ocd = ocd.as_deref();
                    let running = all.remove(pid).unwrap_or_default();
                    Merge { pid, ocd, crypto }.merged(running, item.properties, &[])?
                }
                Target::New { factory_pid } => {
                    self.created(&factory_pid, &item.pid, item.properties, crypto)?
                }
            };
            all.insert(item.pid, properties);
        }
        Ok(all)
    }

    fn target(&self, item: &Configuration) -> Result<Target, ConfigurationError> {
        let named = item.factory_pid.clone().filter(|pid| !pid.is_empty());
        let insists = named.is_some();
        let given = named.or_else(|| factory_of(&item.properties));
        let pid = item.pid.clone();
        match (self.is_known(&pid), self.factory_pid(&pid), given) {
            (true, Some(known), Some(factory_pid)) if known != factory_pid => {
                Err(ConfigurationError::OtherFactory { pid, factory_pid })
            }
            (true, None, Some(factory_pid)) if insists => {
                Err(ConfigurationError::OtherFactory { pid, factory_pid })
            }
            (true, _, _) => Ok(Target::Known),
            (false, _, Some(factory_pid)) => Ok(Target::New { factory_pid }),
            (false, _, None) => Err(ConfigurationError::Unknown { pid }),
        }
    }

    /// What an item would make of its component, and what that would weigh.
    fn preview(
        &self,
        item: Configuration,
        metatypes: &[Metatype],
        crypto: &Crypto,
    ) -> Result<(Configuration, usize), ConfigurationError> {
        let pid = item.pid.as_str();
        let staged = |pid: &str| metatypes.iter().find_map(|m| m.ocd_of(pid)).cloned();
        let known = self.target(&item);
        let (factory_pid, ocd) = match known {
            Ok(Target::Known) => {
                let factory = self.factory_pid(pid);
                let id = factory.as_deref().unwrap_or(pid);
                let ocd = staged(id).or_else(|| self.ocd(pid).map(|ocd| Ocd::clone(&ocd)));
                (factory, ocd)
            }
            Ok(Target::New { factory_pid }) => {
                let known = self.factory_ocd(&factory_pid);
                let ocd = staged(&factory_pid).or_else(|| known.map(|ocd| Ocd::clone(&ocd)));
                if ocd.is_none() {
                    return Err(ConfigurationError::UnknownFactory {
                        pid: pid.to_owned(),
                        factory_pid,
                    });
                }
                (Some(factory_pid), ocd)
            }
            // A singleton that a staged package will bring.
            Err(ConfigurationError::Unknown { pid }) => match staged(&pid) {
                Some(ocd) => (None, Some(ocd)),
                None => return Err(ConfigurationError::Unknown { pid }),
            },
            Err(e) => return Err(e),
        };
        let ocd = ocd.as_ref();
        let merge = Merge { pid, ocd, crypto };
        let running = match (self.all.get(pid), &factory_pid) {
            (Some(running), _) => running.clone(),
            (None, Some(factory)) => self.created(factory, pid, Default::default(), crypto)?,
            (None, None) => Default::default(),
        };
        let mut properties = merge.merged(running, item.properties, &[])?;
        room::readable(pid, &properties)?;
        // As it would be kept.
        let weight = self.weight(pid, &properties);
        open_all(&mut properties, crypto)?;
        let problems = ocd.map(|ocd| ocd.validate(&properties)).unwrap_or_default();
        match problems.into_iter().next() {
            Some(problem) => Err(merge.invalid(problem)),
            None => {
                let preview = Configuration {
                    pid: item.pid,
                    factory_pid,
                    properties,
                };
                Ok((preview, weight))
            }
        }
    }
}

fn once(list: &[Configuration]) -> Result<(), ConfigurationError> {
    let mut pids = BTreeSet::new();
    match list.iter().find(|item| !pids.insert(item.pid.as_str())) {
        Some(item) => Err(ConfigurationError::Twice {
            pid: item.pid.clone(),
        }),
        None => Ok(()),
    }
}

//! Configurations that a component is about to change, and may take back.
//!
//! From [`ConfigurationService::capture_for`] on, until the same holder restores them, writes its
//! own configuration (which a provisioning does behind its commit), captures again, or is gone,
//! nobody else changes what was captured: an undo would take such a change back unseen, and a
//! provisioning would commit something else than it has proved. Whoever tries is told who has it.
//! The holder's own configuration is never among them, so that it can always be disabled. Nor does
//! another component capture the same meanwhile: of two undos of one configuration the first would
//! destroy what the second provisioning has committed. There is one instance of a pid at a time, so
//! that a later one of the same pid is no other.
//!
//! It outlives the process: what is held is written down ([`FILE`]) before [`capture_for`] returns,
//! and so before the component can note for itself that it has something to take back. A start holds
//! it for that component, before anybody can change anything, until an instance of it ends it in one
//! of the ways above. Where there is no instance after the start, or none any more, nobody is going
//! to take anything back now, and nobody could be told to: it is free ([`free_abandoned`]), and the
//! log says so. Why so: `docs/decisions/changes-during-a-provisioning.md`.
//!
//! What a component changes of itself, or somebody where nothing is held any more, is taken back by a
//! late undo all the same; the log then says in which snapshot it is.
//!
//! [`capture_for`]: ConfigurationService::capture_for
//! [`free_abandoned`]: ConfigurationService::free_abandoned

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::keys::Direction;
use super::notify::Change;
use super::state::State;
use super::{undo, Configuration, ConfigurationError, ConfigurationService};

/// Name of the file beside the snapshots.
pub(super) const FILE: &str = "reserved.json";

/// Who captured something: a pid and a number that makes it one instance of that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// The pid of the component.
    pub pid: String,
    /// Larger for each later instance, also of the same pid; 0 is one of an earlier process.
    pub instance: u64,
}

/// What a component holds: by pid, what it weighed when it was captured.
type Held = BTreeMap<String, usize>;

/// What is held, by whom, and what was changed meanwhile all the same.
#[derive(Debug)]
pub(super) struct Reserved {
    path: PathBuf,
    held: BTreeMap<Holder, Held>,
    /// By pid, the snapshot that has the last change by somebody who may make one.
    pub(super) touched: BTreeMap<String, u64>,
}

/// One entry of the file.
#[derive(Serialize, Deserialize)]
struct Written {
    by: String,
    configurations: Held,
}

impl Reserved {
    /// What an earlier process held. It never leaves a part of the file but where nothing was held
    /// any more, so that what cannot be read holds nothing.
    pub(super) fn open(folder: &Path) -> Result<Reserved, ConfigurationError> {
        let path = folder.join(FILE);
        let written: Vec<Written> = match durable_file::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|e| {
                log::warn!("{} cannot be read: {e}", path.display());
                Vec::new()
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(ConfigurationError::Storage { path, source }),
        };
        let held = written.into_iter().map(|Written { by, configurations }| {
            log::info!(
                "{by} has a provisioning to come to its end with: until then nobody changes {}",
                list(&configurations)
            );
            let holder = Holder {
                pid: by,
                instance: 0,
            };
            (holder, configurations)
        });
        Ok(Reserved {
            held: held.collect(),
            path,
            touched: BTreeMap::new(),
        })
    }

    /// Holds this for that holder, and nothing else, once that is on the disk.
    fn hold(&mut self, holder: &Holder, held: Held) -> Result<(), ConfigurationError> {
        let mut all = self.held.clone();
        all.retain(|other, _| other.pid != holder.pid);
        all.insert(holder.clone(), held);
        durable_file::write(&self.path, &written(&all)).map_err(|source| {
            ConfigurationError::Storage {
                path: self.path.clone(),
                source,
            }
        })?;
        self.held = all;
        Ok(())
    }

    /// Lets go of what these hold; says what that was. Where the disk forgets it, the next start
    /// holds it until the component says again that it is over.
    fn let_go(&mut self, whose: impl Fn(&Holder) -> bool) -> Vec<Held> {
        let all = std::mem::take(&mut self.held).into_iter();
        let (gone, held): (BTreeMap<_, _>, _) = all.partition(|(holder, _)| whose(holder));
        self.held = held;
        if !gone.is_empty() {
            let content = written(&self.held);
            // A part of it is as good as nothing, which it may be only where it is nothing.
            let result = match self.held.is_empty() {
                true => durable_file::write_lazily(&self.path, &content),
                false => durable_file::write(&self.path, &content),
            };
            if let Err(e) = result {
                log::warn!("{}: {e}", self.path.display());
            }
        }
        gone.into_values().collect()
    }

    /// Whether `by` may change all of this; nobody in particular without one.
    pub(super) fn allow(
        &self,
        by: Option<&Holder>,
        changes: &[Change],
    ) -> Result<(), ConfigurationError> {
        self.free(by, changes.iter().map(|change| change.pid.as_str()))
    }

    /// Whether nobody but `by` holds any of these.
    fn free<'a>(
        &self,
        by: Option<&Holder>,
        pids: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), ConfigurationError> {
        let others = |holder: &Holder| by.is_none_or(|by| by.pid != holder.pid);
        for (holder, held) in self.held.iter().filter(|(holder, _)| others(holder)) {
            let taken = |pid: &&str| *pid != holder.pid && held.contains_key(*pid);
            if let Some(pid) = pids.clone().find(taken) {
                return Err(ConfigurationError::Reserved {
                    pid: pid.to_owned(),
                    by: holder.pid.clone(),
                });
            }
        }
        Ok(())
    }

    /// What the held components weighed when they were captured.
    pub(super) fn weights(&self) -> BTreeMap<&str, usize> {
        let all = self.held.values().flatten();
        all.map(|(pid, weight)| (pid.as_str(), *weight)).collect()
    }

    /// Takes note of a change that was made, unless `by` made it of what it holds itself: that is
    /// what its undo is for.
    pub(super) fn touch(&mut self, by: Option<&Holder>, changes: &[Change], revision: u64) {
        let holds = |holder: &Holder| by.is_some_and(|by| by.pid == holder.pid);
        let others = |change: &&Change| {
            let mut held = self.held.iter().filter(|(holder, _)| holds(holder));
            !held.any(|(_, held)| held.contains_key(&change.pid))
        };
        let touched = changes.iter().filter(others);
        self.touched
            .extend(touched.map(|change| (change.pid.clone(), revision)));
    }
}

impl ConfigurationService {
    /// As [`ConfigurationService::capture`]; nobody but the holder changes these components until
    /// it is released. What the holder captured earlier is released.
    ///
    /// # Errors
    /// As `capture`; [`ConfigurationError::Reserved`] if another component holds one of them, the
    /// file system. Then the holder keeps what it had.
    pub fn capture_for(
        &self,
        holder: &Holder,
        pids: &[&str],
    ) -> Result<Vec<u8>, ConfigurationError> {
        let mut state = self.lock();
        state.reserved.free(Some(holder), pids.iter().copied())?;
        let undo = undo::capture(&state.all, pids.iter().copied(), &self.crypto)
            .map_err(ConfigurationError::Unwritable)?;
        if pids.is_empty() {
            state.reserved.let_go(|held| held.pid == holder.pid);
        } else {
            let weight = |pid| state.all.get(pid).map_or(0, |now| state.weight(pid, now));
            let held = pids.iter().map(|pid| ((*pid).to_owned(), weight(*pid)));
            let held: Held = held.collect();
            let State { reserved, .. } = &mut *state;
            reserved.hold(holder, held.clone())?;
            reserved.touched.retain(|pid, _| !held.contains_key(pid));
        }
        Ok(undo)
    }

    /// As [`ConfigurationService::apply`], of what the holder captured.
    ///
    /// # Errors
    /// As `apply`; what another component holds is refused.
    pub fn apply_for(
        &self,
        holder: &Holder,
        key: &str,
        list: impl Into<Vec<Configuration>>,
    ) -> Result<(), ConfigurationError> {
        self.applied_by(Some(holder), key, list.into())
    }

    /// As [`ConfigurationService::restore`], and then releases what the holder captured.
    ///
    /// # Errors
    /// As `restore`; nothing is released then.
    pub fn restore_for(
        &self,
        holder: &Holder,
        key: &str,
        undo: &[u8],
    ) -> Result<(), ConfigurationError> {
        let lost = {
            let state = self.lock();
            match state.keys.contains(Direction::Restore, key) {
                true => Vec::new(),
                false => undo::pids(undo, &self.crypto)
                    .map_err(ConfigurationError::Undo)?
                    .into_iter()
                    .filter_map(|pid| Some((state.reserved.touched.get(&pid).copied()?, pid)))
                    .collect(),
            }
        };
        self.restored_by(Some(holder), key, undo)?;
        for (snapshot, pid) in lost {
            log::warn!(
                "{} takes a provisioning back, and with it a change of {pid} that was made \
                 meanwhile; snapshot {snapshot} still has that",
                holder.pid
            );
        }
        self.release(holder);
        Ok(())
    }

    /// Lets everybody change what the holder captured, or an earlier instance of the same pid, which
    /// this one has taken over from.
    pub fn release(&self, holder: &Holder) {
        let earlier = |held: &Holder| held.pid == holder.pid && held.instance <= holder.instance;
        self.lock().reserved.let_go(earlier);
    }

    /// Lets everybody change what components hold that are not `there`: nobody takes it back as
    /// things are.
    pub fn free_abandoned(&self, there: impl Fn(&str) -> bool) {
        let mut pids: Vec<String> = {
            let state = self.lock();
            let holders = state.reserved.held.keys();
            holders.map(|holder| holder.pid.clone()).collect()
        };
        pids.retain(|pid| !there(pid));
        for pid in pids {
            for held in self.lock().reserved.let_go(|holder| holder.pid == pid) {
                log::warn!(
                    "{pid} is not there to come to an end with its provisioning, so that everybody \
                     may change {}; if it comes back it takes back what it has changed, and those \
                     changes with it",
                    list(&held)
                );
            }
        }
    }
}

fn written(all: &BTreeMap<Holder, Held>) -> Vec<u8> {
    let all = all.iter().map(|(holder, held)| Written {
        by: holder.pid.clone(),
        configurations: held.clone(),
    });
    // Texts and numbers: there is no error.
    serde_json::to_vec(&all.collect::<Vec<_>>()).unwrap_or_default()
}

fn list(held: &Held) -> String {
    held.keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;
    use std::sync::Arc;

    use gateway_component_abi::value::Properties;

    use super::*;
    use crate::configuration::Configuration;
    use crate::crypto::Crypto;

    fn value(text: &str) -> Properties {
        Properties::from([("value".to_owned(), text.into())])
    }

    fn again(folder: &Path) -> ConfigurationService {
        let crypto = Arc::new(Crypto::open(folder).unwrap());
        ConfigurationService::open(&folder.join("snapshots"), crypto, None).unwrap()
    }

    fn service(folder: &Path) -> ConfigurationService {
        let crypto = Arc::new(Crypto::open(folder).unwrap());
        let all = ["own", "a", "b"].map(|pid| kura_formats::configurations::Configuration {
            pid: pid.to_owned(),
            properties: value("seed"),
        });
        let seed = kura_formats::configurations::write(
            &all,
            &mut kura_formats::configurations::remote_seal,
        );
        let folder = folder.join("snapshots");
        ConfigurationService::open(&folder, crypto, Some(&seed.unwrap())).unwrap()
    }

    fn holder(instance: u64) -> Holder {
        Holder {
            pid: "own".into(),
            instance,
        }
    }

    #[test]
    fn what_is_captured_is_changed_by_nobody_else_until_it_is_restored() {
        let dir = tempfile::tempdir().unwrap();
        let service = service(dir.path());
        let (one, other) = (holder(2), holder(1));
        let undo = service.capture_for(&one, &["a", "new", "own"]).unwrap();
        let refused = |result: Result<u64, ConfigurationError>| match result {
            Err(ConfigurationError::Reserved { pid, by }) => {
                assert_eq!((&*pid, &*by), ("a", "own"))
            }
            other => assert!(other.is_err(), "{other:?}"),
        };
        let item = Configuration {
            pid: "a".into(),
            factory_pid: None,
            properties: value("applied"),
        };
        service
            .apply_for(&one, "key", std::slice::from_ref(&item))
            .unwrap();
        refused(service.update("a", &value("by hand")));
        // What changes nothing does no harm.
        service.put(std::slice::from_ref(&item)).unwrap();
        refused(service.put(&[Configuration {
            properties: value("by hand"),
            ..item
        }]));
        refused(service.rollback(0));
        service.update("b", &value("by hand")).unwrap();
        service.update("own", &value("by hand")).unwrap();
        // It says itself what it is, and others may not let go of what they do not hold.
        service.update_own("a", &value("itself")).unwrap();
        service.release(&other);
        refused(service.update("a", &value("by hand")));
        assert_eq!(service.lock().reserved.touched.len(), 3);
        service.restore_for(&one, "undo", &undo).unwrap();
        assert_eq!(service.get("a"), Some(value("seed")));
        assert_eq!(service.get("b"), Some(value("by hand")));
        service.update("a", &value("by hand")).unwrap();
    }

    /// Two provisionings of one configuration: what the second committed, the undo of the first
    /// would destroy.
    #[test]
    fn what_one_component_has_captured_no_other_captures_applies_or_restores() {
        let dir = tempfile::tempdir().unwrap();
        let service = service(dir.path());
        let one = holder(1);
        let other = Holder {
            pid: "b".into(),
            instance: 2,
        };
        let refused = |result: Result<(), ConfigurationError>| {
            let error = result.unwrap_err();
            assert!(
                matches!(&error, ConfigurationError::Reserved { pid, by } if pid == "a" && by == "own"),
                "{error:?}"
            );
        };
        let item = |text: &str| {
            [Configuration {
                pid: "a".into(),
                factory_pid: None,
                properties: value(text),
            }]
        };
        let before = service.capture_for(&other, &["a"]).unwrap();
        service.capture_for(&other, &["new"]).unwrap();
        let undo = service.capture_for(&one, &["a"]).unwrap();
        service.apply_for(&one, "one", item("one")).unwrap();
        refused(service.capture_for(&other, &["b", "a"]).map(drop));
        // It still holds what it had.
        assert_eq!(service.lock().reserved.held.len(), 2);
        refused(service.apply_for(&other, "other", item("other")));
        refused(service.apply("nobody", item("other")));
        refused(service.restore_for(&other, "back", &before));
        refused(service.restore("nobody", &before));
        assert_eq!(service.get("a"), Some(value("one")));
        // A later instance of the same pid finishes what the earlier began.
        service.restore_for(&holder(3), "undo", &undo).unwrap();
        assert_eq!(service.get("a"), Some(value("seed")));
        service.capture_for(&other, &["a"]).unwrap();
        service.apply_for(&other, "other", item("other")).unwrap();
        assert!(service.lock().reserved.touched.is_empty());
    }

    /// Where nothing is held any more, whoever comes back all the same may find that another has
    /// changed the same meanwhile, and that must not pass in silence.
    #[test]
    fn a_provisionings_change_of_what_another_may_take_back_is_taken_note_of() {
        let dir = tempfile::tempdir().unwrap();
        let service = service(dir.path());
        let item = Configuration {
            pid: "a".into(),
            factory_pid: None,
            properties: value("other"),
        };
        service.apply_for(&holder(1), "key", &[item]).unwrap();
        assert!(service.lock().reserved.touched.contains_key("a"));
    }

    #[test]
    fn what_is_captured_anew_or_let_go_of_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let service = service(dir.path());
        let one = holder(1);
        service.capture_for(&one, &["a"]).unwrap();
        service.capture_for(&one, &["b"]).unwrap();
        service.update("a", &value("1")).unwrap();
        assert!(service.update("b", &value("1")).is_err());
        service.capture_for(&one, &[]).unwrap();
        service.update("b", &value("1")).unwrap();
        service.capture_for(&one, &["b"]).unwrap();
        service.release(&one);
        service.update("b", &value("2")).unwrap();
    }

    #[test]
    fn what_is_captured_is_changed_by_nobody_else_after_a_restart_until_it_is_restored() {
        let dir = tempfile::tempdir().unwrap();
        let first = service(dir.path());
        let undo = first.capture_for(&holder(7), &["a"]).unwrap();
        let item = |text: &str| {
            [Configuration {
                pid: "a".into(),
                factory_pid: None,
                properties: value(text),
            }]
        };
        first.apply_for(&holder(7), "key", item("applied")).unwrap();
        drop(first);
        let second = again(dir.path());
        let other = Holder {
            pid: "b".into(),
            instance: 9,
        };
        second.update("b", &value("by hand")).unwrap();
        for refused in [
            second.update("a", &value("by hand")).map(drop),
            second.put(item("by hand")).map(drop),
            second.rollback(0).map(drop),
            second.capture_for(&other, &["a"]).map(drop),
            second.apply_for(&other, "other", item("other")),
        ] {
            let error = refused.unwrap_err();
            assert!(
                matches!(&error, ConfigurationError::Reserved { pid, by } if pid == "a" && by == "own"),
                "{error:?}"
            );
            assert!(error.to_string().contains("delete own"));
        }
        // Instances are counted anew in each process.
        second.restore_for(&holder(1), "undo", &undo).unwrap();
        assert_eq!(second.get("a"), Some(value("seed")));
        assert!(second.lock().reserved.touched.contains_key("b"));
        assert!(!second.lock().reserved.touched.contains_key("a"));
        second.update("a", &value("by hand")).unwrap();
        drop(second);
        again(dir.path()).update("a", &value("again")).unwrap();
    }

    #[test]
    fn a_component_that_is_not_there_after_the_start_holds_nothing_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let first = service(dir.path());
        first.capture_for(&holder(1), &["a"]).unwrap();
        drop(first);
        let second = again(dir.path());
        second.free_abandoned(|pid| pid == "own");
        second.update("a", &value("by hand")).unwrap_err();
        second.free_abandoned(|_| false);
        second.update("a", &value("by hand")).unwrap();
        drop(second);
        again(dir.path()).update("a", &value("again")).unwrap();
    }

    /// It would hold it in this process only, and the component could not know.
    #[test]
    fn what_cannot_be_written_down_is_not_captured_and_what_was_held_stays_so() {
        let dir = tempfile::tempdir().unwrap();
        let service = service(dir.path());
        service.capture_for(&holder(1), &["a"]).unwrap();
        let file = dir.path().join("snapshots").join(FILE);
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        let refused = service.capture_for(&holder(1), &["b"]);
        assert!(matches!(refused, Err(ConfigurationError::Storage { .. })));
        service.update("b", &value("by hand")).unwrap();
        service.update("a", &value("by hand")).unwrap_err();
    }

    /// Only where the last one let go it is written so that a loss of power may tear it.
    #[test]
    fn a_torn_file_holds_nothing_and_letting_one_go_tears_nothing_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let first = service(dir.path());
        let other = Holder {
            pid: "b".into(),
            instance: 2,
        };
        first.capture_for(&holder(1), &["a"]).unwrap();
        first.capture_for(&other, &["new"]).unwrap();
        first.release(&holder(1));
        drop(first);
        let second = again(dir.path());
        assert_eq!(
            second
                .lock()
                .reserved
                .weights()
                .into_keys()
                .collect::<Vec<_>>(),
            ["new"]
        );
        drop(second);
        for torn in ["", "[{\"by\":", "\0\0"] {
            std::fs::write(dir.path().join("snapshots").join(FILE), torn).unwrap();
            assert!(again(dir.path()).lock().reserved.held.is_empty());
        }
    }
}

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
//! This is in memory. After a restart a component first comes to one of its two ends; a change
//! that falls into that moment, or that a component makes of itself, is taken back by an undo, and
//! the log says in which snapshot it is.

use std::collections::BTreeMap;

use super::keys::Direction;
use super::notify::Change;
use super::state::State;
use super::{undo, Configuration, ConfigurationError, ConfigurationService};

/// Who captured something: a pid and a number that makes it one instance of that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// The pid of the component.
    pub pid: String,
    /// Different for each instance, also of the same pid.
    pub instance: u64,
}

/// What is held, by whom, what it weighed when it was captured, and what was changed meanwhile all
/// the same.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    held: BTreeMap<Holder, BTreeMap<String, usize>>,
    /// By pid, the snapshot that has the last change by somebody who may make one.
    touched: BTreeMap<String, u64>,
}

impl Reserved {
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
        let held = by.and_then(|by| self.held.get(by));
        let others = |change: &&Change| held.is_none_or(|held| !held.contains_key(&change.pid));
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
    /// As `capture`; [`ConfigurationError::Reserved`] if another component holds one of them, and
    /// then the holder keeps what it had.
    pub fn capture_for(
        &self,
        holder: &Holder,
        pids: &[&str],
    ) -> Result<Vec<u8>, ConfigurationError> {
        let mut state = self.lock();
        state.reserved.free(Some(holder), pids.iter().copied())?;
        let undo = undo::capture(&state.all, pids.iter().copied(), &self.crypto)
            .map_err(ConfigurationError::Unwritable)?;
        state.reserved.held.retain(|held, _| held.pid != holder.pid);
        if !pids.is_empty() {
            let weight = |pid| state.all.get(pid).map_or(0, |now| state.weight(pid, now));
            let held = pids.iter().map(|pid| ((*pid).to_owned(), weight(*pid)));
            let held: BTreeMap<String, usize> = held.collect();
            let State { reserved, .. } = &mut *state;
            reserved.touched.retain(|pid, _| !held.contains_key(pid));
            reserved.held.insert(holder.clone(), held);
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

    /// Lets everybody change what the holder captured.
    pub fn release(&self, holder: &Holder) {
        self.lock().reserved.held.remove(holder);
    }

    /// Lets everybody change what any instance of this pid captured: there is none any more.
    pub fn release_all(&self, pid: &str) {
        let held = &mut self.lock().reserved.held;
        held.retain(|holder, _| holder.pid != pid);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use gateway_component_abi::value::Properties;

    use super::*;
    use crate::configuration::Configuration;
    use crate::crypto::Crypto;

    fn value(text: &str) -> Properties {
        Properties::from([("value".to_owned(), text.into())])
    }

    fn service(folder: &std::path::Path) -> ConfigurationService {
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
        let (one, other) = (holder(1), holder(2));
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
        service.release_all("own");
        assert_eq!(service.get("a"), Some(value("seed")));
        service.capture_for(&other, &["a"]).unwrap();
        service.apply_for(&other, "other", item("other")).unwrap();
        assert!(service.lock().reserved.touched.is_empty());
    }

    /// After a restart nothing is held: the first to come back may find that another has changed
    /// the same meanwhile, and that must not pass in silence.
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
}

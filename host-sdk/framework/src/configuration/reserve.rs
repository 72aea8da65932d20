//! Configurations that a component is about to change, and may take back.
//!
//! From [`ConfigurationService::capture_for`] on, until the same holder restores them, writes its
//! own configuration (which a provisioning does behind its commit), captures again, or is gone,
//! nobody else changes what was captured: an undo would take such a change back unseen, and a
//! provisioning would commit something else than it has proved. Whoever tries is told who has it.
//! The holder's own configuration is never among them, so that it can always be disabled.
//!
//! This is in memory. After a restart a component first comes to one of its two ends; a change
//! that falls into that moment, or that a component makes of itself, is taken back by an undo, and
//! the log says in which snapshot it is.

use std::collections::{BTreeMap, BTreeSet};

use super::keys::Direction;
use super::notify::Change;
use super::state::State;
use super::{undo, ConfigurationError, ConfigurationService};

/// Who captured something: a pid and a number that makes it one instance of that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// The pid of the component.
    pub pid: String,
    /// Different for each instance, also of the same pid.
    pub instance: u64,
}

/// What is held, by whom, and what was changed meanwhile all the same.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    held: BTreeMap<Holder, BTreeSet<String>>,
    /// By pid, the snapshot that has the last change by somebody who may make one.
    touched: BTreeMap<String, u64>,
}

impl Reserved {
    /// Whether all of this may be changed.
    pub(super) fn allow(&self, changes: &[Change]) -> Result<(), ConfigurationError> {
        for (holder, pids) in &self.held {
            let taken = |change: &&Change| change.pid != holder.pid && pids.contains(&change.pid);
            if let Some(change) = changes.iter().find(taken) {
                return Err(ConfigurationError::Reserved {
                    pid: change.pid.clone(),
                    by: holder.pid.clone(),
                });
            }
        }
        Ok(())
    }

    /// Takes note of a change that was made.
    pub(super) fn touch(&mut self, changes: &[Change], revision: u64) {
        let touched = changes.iter().map(|change| (change.pid.clone(), revision));
        self.touched.extend(touched);
    }
}

impl ConfigurationService {
    /// As [`ConfigurationService::capture`]; nobody but the holder changes these components until
    /// it is released. What the holder captured earlier is released.
    ///
    /// # Errors
    /// As `capture`.
    pub fn capture_for(
        &self,
        holder: &Holder,
        pids: &[&str],
    ) -> Result<Vec<u8>, ConfigurationError> {
        let mut state = self.lock();
        let undo = undo::capture(&state.all, pids.iter().copied(), &self.crypto)
            .map_err(ConfigurationError::Unwritable)?;
        state.reserved.held.remove(holder);
        if !pids.is_empty() {
            let pids = pids.iter().map(|pid| (*pid).to_owned()).collect();
            let State { reserved, .. } = &mut *state;
            reserved
                .touched
                .retain(|pid, _| !BTreeSet::contains(&pids, pid));
            reserved.held.insert(holder.clone(), pids);
        }
        Ok(undo)
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
        self.restore(key, undo)?;
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
        service.apply("key", std::slice::from_ref(&item)).unwrap();
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
